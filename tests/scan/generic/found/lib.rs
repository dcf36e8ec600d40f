const API_KEY: &str = "«MwhqkiiO3z4ZI4qC3C1h7L2ros4u5fDH»";
static PASSWORD: &'static str = "«Rabbit+Hole19»";
let token = String::from("«e0c1e46d42c2db822e470f51537270ed00e9d2f6»");
let secret = Some("«70jzjAgP4YFbplcl6xXCB2LXGbJomRAC»".to_owned());
client.bearer_auth("«vPHQxBXswLv4e3mfI7CjBm80GdCuMw1xBwbRhqAk»")
    .password(Some("«7dwarves&1Queen»"))
let signing_key = b"«0d8bf9fe02bba3bb831bf77dc598ceeef1963f77f8a169e0f72a873ed29712c3»";
let passphrase = SecretString::new("«C0pperKettle»".into());
let pw = r#"«vQ7"mZx-41»"#;
let secret_key: [u8; 16] = [‹0xd4, 0x1b, 0x7e, 0x92, 0xc8, 0x35, 0xaf, 0x60, 0x0d, 0x53, 0xe6, 0x2c, 0x98, 0x71, 0xbb, 0x4f›];
