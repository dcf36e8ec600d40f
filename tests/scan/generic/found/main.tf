password = "«sup3rL0ng&Winding»"
master_password   = "«Brontosaurus77»"
api_token         = "«phYlajqvh26qCWk2HJNiwNWLTL8tkRAcNgfaThyW»"
variable "db_password" { default = "«mq-71-Kestrel»" }
client_secret = "«k2WscUyqDYOPQOzsiF07p97pfy-J_pVssKi7mWb1»"
  ~ password = "«Ferry!Lamp88»" -> "«W0ol-Mitten»"
