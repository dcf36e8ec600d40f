const API_KEY: &str = env!("API_KEY");
static PASSWORD: &'static str = include_str!("password.txt");
let token = tokens.next()?;
let secret = Some(secret.to_owned());
client.bearer_auth(token)
    .password(Some(password))
let signing_key = SigningKey::generate(&mut rng);
let passphrase = SecretString::new(read_passphrase()?);
let keyword = "macro_rules_2021_edition";
fn token(&self) -> Token { self.token }
