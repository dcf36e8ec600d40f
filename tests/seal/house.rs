//! The house itself: what imports what, and the files around the code.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use seal::crypt::{Kind, Recipient};

use crate::support::{Folder, commands_exist, repository};

fn read(path: &str) -> String {
    let path = repository(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The modules in the order `lib.rs` names them.
fn modules() -> Vec<String> {
    let lib = read("src/lib.rs");
    let name = |line: &str| line.strip_prefix("pub mod ")?.strip_suffix(';').map(str::to_owned);
    lib.lines().filter_map(name).collect()
}

/// Every source file below `src`, with the module it belongs to; `lib.rs` and `main.rs` belong to none.
fn sources() -> Vec<(PathBuf, String)> {
    let top = repository("src");
    let mut folders = vec![top.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let first = path.strip_prefix(&top).unwrap().iter().next().unwrap();
                let module = Path::new(first).file_stem().unwrap().to_string_lossy().into_owned();
                if module != "lib" && module != "main" {
                    found.push((path, module));
                }
            }
        }
    }
    found
}

/// The code without its comments; a link in a doc comment may point anywhere.
fn without_comments(code: &str) -> String {
    code.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

/// The top-level modules that `code` names behind `crate::`.
fn imports(code: &str) -> BTreeSet<String> {
    let code = without_comments(code);
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if !rest.starts_with('{') {
            found.insert(word(rest));
            continue;
        }
        let mut depth = 0;
        let mut starts_name = true;
        for (at, c) in rest.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' => {}
                c if c.is_whitespace() => continue,
                _ if depth == 1 && starts_name => _ = found.insert(word(&rest[at..])),
                _ => {}
            }
            starts_name = matches!(c, '{' | ',');
            if depth == 0 {
                break;
            }
        }
    }
    found
}

#[test]
fn imports_are_found_in_every_form() {
    let code = "//! [`crate::a`]\nuse crate::b::X;\nuse crate::{c::{Y, crate_d}, e};\nfn f() { // crate\n    crate::g::h()\n}\n";
    assert_eq!(imports(code), ["b", "c", "e", "g"].map(String::from).into());
}

#[test]
fn module_imports_only_modules_further_down_the_list() {
    let modules = modules();
    assert!(modules.len() >= 7, "lib.rs names its modules as `pub mod NAME;`: {modules:?}");
    let place = |name: &str| modules.iter().position(|module| module == name);
    let mut wrong = Vec::new();
    for (path, module) in sources() {
        let own = place(&module).unwrap_or_else(|| panic!("{} is in no module that lib.rs names", path.display()));
        let code = std::fs::read_to_string(&path).unwrap();
        let upward = imports(&code).into_iter().filter(|name| place(name).is_some_and(|other| other < own));
        wrong.extend(upward.map(|name| format!("{} imports {name}", path.display())));
    }
    assert!(wrong.is_empty(), "imports that point up the list:\n{}", wrong.join("\n"));
}

#[test]
fn list_in_the_documentation_is_the_list_of_modules() {
    let lib = read("src/lib.rs");
    let row = |line: &str| Some(line.strip_prefix("//! | [`")?.split_once('`')?.0.to_owned());
    let documented: Vec<_> = lib.lines().filter_map(row).collect();
    assert_eq!(documented, modules());
}

#[test]
fn core_does_not_touch_the_world() {
    let modules = modules();
    let host = modules.iter().position(|module| module == "host").expect("host is a module");
    let world =
        ["std::fs", "std::net", "std::env", "std::process", "std::thread", "SystemTime", "Instant::now", "println!"];
    let mut wrong = Vec::new();
    for (path, module) in sources() {
        let is_edge = modules.iter().position(|other| *other == module).is_some_and(|own| own <= host);
        if is_edge || path.ends_with("tests.rs") {
            continue;
        }
        let code = std::fs::read_to_string(&path).unwrap();
        let code = without_comments(code.split("#[cfg(test)]").next().unwrap());
        wrong
            .extend(world.iter().filter(|word| code.contains(*word)).map(|word| format!("{}: {word}", path.display())));
    }
    assert!(wrong.is_empty(), "core is values in, values out:\n{}", wrong.join("\n"));
}

/// For each key service: its flag, its name in a creation rule, and a permission it needs.
fn service(kind: Kind) -> (&'static str, &'static str, &'static str) {
    match kind {
        Kind::Age => ("--age", "age", "identity of part 1"),
        Kind::Pgp => ("--pgp", "pgp", "gpg keyring"),
        Kind::AwsKms => ("--kms", "kms", "kms:Decrypt"),
        Kind::GcpKms => ("--gcp-kms", "gcp_kms", "cloudkms.cryptoKeyVersions.useToDecrypt"),
        Kind::AzureKeyVault => ("--azure-kv", "azure_keyvault", "key permission"),
        Kind::VaultTransit => ("--hc-vault-transit", "hc_vault_transit_uri", "capability update"),
        Kind::HuaweiKms => ("--hckms", "hckms", "kms:cmk:"),
    }
}

#[test]
fn keys_example_names_every_key_service_in_the_form_that_is_read() {
    let text = read("keys.example");
    for kind in Kind::ALL {
        let (flag, rule, permission) = service(kind);
        let after_flag = |line: &str| {
            let recipient = line.strip_prefix("#   ")?.strip_prefix(flag)?.strip_prefix(" '")?.strip_suffix('\'')?;
            Some(recipient.to_owned())
        };
        let recipients: Vec<_> = text.lines().filter_map(after_flag).collect();
        assert!(!recipients.is_empty(), "no line shows {flag}");
        for recipient in recipients {
            let parsed = Recipient::parse(kind, &recipient).unwrap_or_else(|error| panic!("{flag}: {error}"));
            assert_eq!(parsed.to_string(), recipient);
            let in_rule = [format!("#     {rule}: {recipient}"), format!("#     {rule}: [{recipient}]")];
            assert!(text.lines().any(|line| in_rule.iter().any(|rule| rule == line)), "no rule shows {recipient}");
        }
        assert!(text.contains(permission), "{flag}: {permission} is not named");
    }
}

#[test]
fn placeholders_of_keys_example_are_no_keys() {
    let text = read("keys.example");
    assert!(age::IdentityFile::from_buffer(text.as_bytes()).is_err(), "the placeholder opens as an identity");
    for word in text.split(|c: char| c.is_whitespace() || c == '\'' || c == ',') {
        assert!(word.parse::<age::x25519::Recipient>().is_err(), "{word} is a recipient");
        assert!(word.parse::<age::x25519::Identity>().is_err(), "{word} is an identity");
    }
    // What scanners look for: long runs of letters mixed with digits.
    for run in text.split(|c: char| !c.is_ascii_alphanumeric() && !"+/=_-".contains(c)) {
        let mixed = run.bytes().any(|b| b.is_ascii_digit()) && run.bytes().any(|b| b.is_ascii_alphabetic());
        let explained = ["AGE-SECRET-KEY-1", "age1", "id_ed25519"].iter().any(|known| run.contains(known));
        assert!(!mixed || explained || run.len() < 20, "{run} looks like a key");
    }
}

/// The subcommands that the code in a Markdown text names: `seal WORD`, or `cargo run … -- WORD`.
fn commands_in(markdown: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, part) in markdown.split("```").enumerate() {
        // Every second part is a block of code; in the others, every second piece between backticks is.
        let pieces: Vec<&str> = if at % 2 == 1 { vec![part] } else { part.split('`').skip(1).step_by(2).collect() };
        for line in pieces.iter().flat_map(|piece| piece.lines()) {
            let line = line.split(" # ").next().unwrap().replace("cargo run --release -- ", "seal ").replace('\'', " ");
            let words: Vec<_> = line.split_whitespace().collect();
            let after_seal = words.windows(2).filter(|pair| pair[0] == "seal").map(|pair| pair[1]);
            found.extend(
                after_seal.filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase())).map(str::to_owned),
            );
        }
    }
    found
}

#[test]
fn commands_are_found_in_code_only() {
    let text =
        "seal is it\n```sh\nseal a x # seal b\ncargo run --release -- c\nd 'seal e f'\n```\nand `seal g`, seal h\n";
    assert_eq!(commands_in(text), ["a", "c", "e", "g"].map(String::from).into());
}

#[test]
fn readme_names_only_commands_that_exist() {
    if !commands_exist() {
        return;
    }
    let commands = commands_in(&read("README.md"));
    assert!(commands.contains("encrypt"), "the README shows how to encrypt: {commands:?}");
    let folder = Folder::new();
    for command in commands {
        let _ = folder.seal([command.as_str(), "--help"]).run().exits(0);
    }
}
