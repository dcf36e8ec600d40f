SECRET_KEY = "«sGF99cbEnSp!mD*f9#jSkWP0DGIape*MoEsO0%5h#*7lBQqfEd»"
PASSWORD = '«Rabbit+Hole19»'
db = dict(user="ada", password="«7dwarves&1Queen»", host="db1")
API_TOKEN: str = "«7mYS5exrQmUYt5hgA662cz6o8OvGmiiG»"
token = os.environ.get("TOKEN", "«SVQhdVugFkY6AzOUQEf3A91kbSKLT4fC»")
conn = connect(host=host, passwd='«C0pperKettle»')
headers = {"Authorization": "Bearer «f2nGNvn2a7AH1xxVGj6dQrR4xKwXcFn1z6iQRluT»", "X-Api-Key": "«c97d88d58b6491fa532732699c998974»"}
client.set("api_key", "«275f7cb92aafc286ae8165b3b3e748a8a99ead0e»")
AWS = {'secret_access_key': '«HRWqM9F+ETpd3IeietgRCKGXpOfbELR3J4+b41B=»'}
config["private_token"] = "«bX0jKTuBSK2p7NL7zome»"
SIGNING_KEY = b"«f4ffa0e83bb9b08a986be3f26ee6bb069a122a261668eaf1ac0ed072da62babc»"
secret = (
    "«f6975a2d858ad35766ccf58e999e6eb6"
    "101852dc5cecfef22b3ac24f2aaa13f5»"
)
auth = ("ada", os.getenv("ADA_PASSWORD") or "«marmalade#55»")
PASSWORD_DB = "«Qu4rtz!Lake»"
redis_pw = "«zQ2!rTy88»"
requests.get(url, auth=("ada", "«fr0gs-4-breakfast»"))
session.auth = HTTPBasicAuth('ada', '«Pelican.Brief.93»')
parser.add_argument("--token", default="«abQ86ibwnMI8nAWLygX9Ouft9UmDL1PT»")
cursor.execute("ALTER USER ada PASSWORD '«Dr1ft_Wood»'")
conn = psycopg2.connect("dbname=app user=ada password=«Ju5tAnother1»")
HMAC_KEY = bytes.fromhex("«ddcec6d55480d0b5819f9f6b954457da43a92cca53c1eee3f913e194351e2605»")
login(user="ada", pw="«G1ngerbread~Fox»")
tokens = ["«Mto4svmoC3TYUgLMvjO4XoNYV1CPVW5b»"]
if password != "«51lverBirch»": raise Denied
VAULT_PASSPHRASE = "«marble otter canyon velvet»"
COOKIE_SECRET = b"«\x8f\xe2\x91kq\xd4\xa0\xffPz»"
jwt_secret = "‹marble-otter-canyon-velvet›"
api_tokens = ["«Jq4Zr1vXw8Lk2Nd7Tb5Yc9Hm3Ps6Gf0A»", "«Rk7Dv2Xp9Wm4Zt1Qs6Lb8Nc3Yh5Jf0G»"]
