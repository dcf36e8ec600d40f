password = var.db_password
master_password   = random_password.master.result
api_token         = data.vault_generic_secret.ci.data["token"]
variable "db_password" { sensitive = true }
client_secret = local.secrets["client"]
secret_id = aws_secretsmanager_secret.db.id
key_name = "deploy-2024-eu-west-1"
  ~ password = (sensitive value) -> (sensitive value)
