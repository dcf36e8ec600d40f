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
const TABLE_KEY: [u8; 16] = [0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f];
let password = r#"{"label": "enter"}"#;
