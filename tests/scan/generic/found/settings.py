SECRET_KEY = "«L@knoqgR9M9J%x3PW8IlGeptr97mucY5sGF99cbEnSp!mD*f9#»"
PASSWORD = '«n0tTh4tOne?»'
db = dict(user="ada", password="«Ok4pi.Stampede»", host="db1")
API_TOKEN: str = "«3Zewf32y8u6UR1AoVRqrNahcGK0thpju»"
token = os.environ.get("TOKEN", "«J1OAGCdF0SNGDfSnvPic8P51pKb7mYS5»")
conn = connect(host=host, passwd='«blue42Lantern»')
headers = {"Authorization": "Bearer «jVJzMpn1fYCRyrqpgPm-u1Z9k1vdk5f2nGNvn2a7»", "X-Api-Key": "«68d55b82e0a4ae595c073d6e2aa25bc9»"}
client.set("api_key", "«7d88d58b6491fa532732699c998974275f7cb92a»")
AWS = {'secret_access_key': '«P9ZiGBO6HeBwUmTo4DqIOJQMN6O2c6HRWqM9F+E=»'}
config["private_token"] = "«I5w3ZhbBH6rcWecjdvoG»"
SIGNING_KEY = b"«98c3a1079ad8ef0ed604ad7c762f4ffa0e83bb9b08a986be3f26ee6bb069a122»"
secret = (
    "«a261668eaf1ac0ed072da62babcf6975"
    "a2d858ad35766ccf58e999e6eb610185»"
)
auth = ("ada", os.getenv("ADA_PASSWORD") or "«Rabbit+Hole19»")
