password = "«marmalade#55»"
master_password   = "«Qu4rtz!Lake»"
api_token         = "«zPfKopmKPj2QxrrcxSyu9zQBjxdvAHdPVgVK9icP»"
variable "db_password" { default = "«zQ2!rTy88»" }
client_secret = "«T8Mh9PfaVCnbz6O0ceJn8LrAptCh8jKAXX-aR5xt»"
