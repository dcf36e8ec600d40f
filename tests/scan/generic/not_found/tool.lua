local token = lexer.token(lexer.STRING, patterns)
api_key <- Sys.getenv("API_KEY")
secret := vault.Read("secret/data/app")
args: ["--password", "$(DB_PASSWORD)"]
args: ["password", "username", "S3Configuration"]
pcall(token, "assignment2equals")
