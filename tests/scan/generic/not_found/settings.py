SECRET_KEY = os.environ["SECRET_KEY"]
PASSWORD = getpass.getpass("Password: ")
db = dict(user="ada", password=password, host="db1")
API_TOKEN: str = settings.api_token
token = os.environ.get("TOKEN", "")
conn = connect(host=host, passwd=read_password(path))
headers = {"Authorization": f"Bearer {token}", "X-Api-Key": api_key}
client.set("api_key", api_key)
AWS = {'secret_access_key': 'aws_secret_access_key'}
config["private_token"] = load_token("gitlab")
public_key = "G8gj4bLQ2t4vjzJVrYC6QgGn2uUCxEOuPePGekwpZ23="
password_field = "user_password"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
token_type = "access_token"
password_help = "Your password must contain at least 8 characters."
key = "user:%s:sessions" % user_id
secret_name = "prod/billing/stripe-2024-06"
PASSWORD_DB = read("db")
redis_pw = redis_config.password
requests.get(url, auth=("ada", password))
session.auth = HTTPBasicAuth('ada', getpass())
parser.add_argument("--token", default=None)
cursor.execute("ALTER USER ada PASSWORD %s", [password])
conn = psycopg2.connect("dbname=app user=ada password=%s")
HMAC_KEY = bytes.fromhex(settings.hmac)
login(user="ada", pw=prompt_for_password())
tokens = ["token", "identifier", "string-literal-2"]
if token != "assignment2equals": raise Denied
PASSWORD_HELP = "enter the password that you were given"
password = forms.CharField(label="Your new password", help_text="at least eight characters long")
secret = "kubernetes-tls-secret-name"
API_TOKENS = ["alpha-service", "beta-service"]
PASSWORD_ENV = "APP_PASSWORD"
magic_token = b"\x00\x01ab"
