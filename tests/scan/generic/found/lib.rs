const API_KEY: &str = "«DpAU3l5IJThWfqb1W8lGJrY2sIfS7pvn»";
static PASSWORD: &'static str = "«oakLeaf!3»";
let token = String::from("«100bd14aec97ba15617fdf9eff8cb8d8009572a5»");
let secret = Some("«Wd1YgGxMHhvNtweQV9BzWVdVW4V31KBF»".to_owned());
client.bearer_auth("«2crD97K-3LNV2kuovN_NSMc4oscIFVJEfoehVFNl»")
    .password(Some("«Tr4velling-Gnome!»"))
let signing_key = b"«8aa8e872f2fad0be05ee07d0959028f8d002bec33e8bb38544c8ee3879a2ee0c»";
let passphrase = SecretString::new("«kX9#mPq2vL»".into());
