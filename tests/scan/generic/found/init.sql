CREATE USER 'ada'@'%' IDENTIFIED BY '«Qu4rtz!Lake»';
ALTER ROLE ada WITH PASSWORD '«zQ2!rTy88»';
CREATE USER ada WITH ENCRYPTED PASSWORD '«fr0gs-4-breakfast»';
CREATE USER MAPPING FOR etl SERVER s OPTIONS (user 'etl', password '«Ferry!Lamp88»');
