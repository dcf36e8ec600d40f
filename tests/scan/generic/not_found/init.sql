CREATE USER 'ada'@'%' IDENTIFIED WITH auth_socket;
ALTER ROLE ada WITH PASSWORD :'password';
CREATE TABLE users (name text, password varchar(60), token text);
SELECT password FROM users WHERE token = $1;
INSERT INTO settings VALUES ('password_min_length', '12');
OPTIONS (user 'etl', password :pw);
