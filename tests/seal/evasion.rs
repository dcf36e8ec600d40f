//! Ways to write a secret so that a scanner misses it: what is found all the same, and what is not and why.
//!
//! What is not found is a row here like the others, with `false`: once it is found, the test says so. The reasons are in
//! `tests/scan/README.md`.

use std::io::Write as _;
use std::os::unix::fs::symlink;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::support::repo::{Repo, places};

/// A GitHub token whose checksum is right; of nobody.
fn token(number: u64) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut random = crate::support::generate::Random::new(number);
    let body: String = (0..30).map(|_| DIGITS[random.below(62)] as char).collect();
    let mut crc = flate2::Crc::new();
    crc.update(body.as_bytes());
    let mut sum = crc.sum();
    let mut digits = [0; 6];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(sum % 62) as usize];
        sum /= 62;
    }
    format!("{}{body}{}", ["gh", "p_"].concat(), String::from_utf8_lossy(&digits))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn wide(text: &str, mark: &[u8], unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    [mark, &text.encode_utf16().flat_map(unit).collect::<Vec<u8>>()].concat()
}

/// Each way by name: the bytes of the file, and whether the secret is found.
fn ways() -> Vec<(&'static str, Vec<u8>, bool)> {
    let token = token(1);
    let (first, last) = token.split_at(17);
    let line = format!("token: {token}\n");
    let text = |text: String| text.into_bytes();
    let escaped = |start: &str, end: &str, base: fn(char) -> String| {
        text(format!("x = \"{}\"\n", token.chars().map(|c| format!("{start}{}{end}", base(c))).collect::<String>()))
    };
    let four = |c: char| format!("{:04x}", c as u32);
    let two = |c: char| format!("{:02x}", c as u32);
    vec![
        ("plain", text(line.clone()), true),
        ("crlf", text(format!("a\r\n{line}\r\n")), true),
        ("lone cr", text(format!("a\r{token}\rb")), true),
        ("quotes of typesetters", text(format!("token = “{token}”\n")), true),
        ("full-width quotes", text(format!("token = ＂{token}＂\n")), true),
        ("markdown", text(format!("`{token}` and **{token}**\n")), true),
        ("nul bytes around", [b"\0\0", token.as_bytes(), b"\0"].concat(), true),
        ("nul bytes inside", text(token.chars().flat_map(|c| [c, '\0', '\0']).collect()), false),
        ("utf-8 mark", text(format!("\u{feff}{token}\n")), true),
        ("utf-16 le", wide(&line, b"\xff\xfe", u16::to_le_bytes), true),
        ("utf-16 be", wide(&line, b"\xfe\xff", u16::to_be_bytes), true),
        ("utf-16 le without mark", wide(&line, b"", u16::to_le_bytes), true),
        ("utf-16 be without mark", wide(&line, b"", u16::to_be_bytes), true),
        ("utf-32", text(token.clone()).into_iter().flat_map(|byte| [byte, 0, 0, 0]).collect(), false),
        ("zero-width space", text(format!("token: {first}\u{200b}{last}\n")), true),
        ("zero-width joiner in the prefix", text(format!("gh\u{200d}{}\n", &token[2..])), true),
        ("word joiners everywhere", text(token.chars().flat_map(|c| [c, '\u{2060}']).collect()), true),
        ("soft hyphen", text(format!("{first}\u{ad}{last}\n")), false),
        ("cyrillic letter", text(token.replacen('p', "р", 1)), false),
        (
            "full-width letters",
            text(token.chars().map(|c| char::from_u32(c as u32 + 0xfee0).unwrap()).collect()),
            false,
        ),
        ("concatenation", text(format!("let a = \"{first}\" + \"{last}\";\n")), true),
        ("concatenation over lines", text(format!("a = '{first}' +\n    '{last}'\n")), true),
        ("concatenation of three", text(format!("a = \"{first}\" . \"{}\" . \"{}\"\n", &last[..9], &last[9..])), true),
        ("yaml: a quoted line goes on", text(format!("a: \"{first}\\\n  {last}\"\n")), true),
        ("strings side by side", text(format!("a = (\"{first}\"\n     \"{last}\")\n")), false),
        ("shell: a line goes on", text(format!("a={first}\\\n{last}\n")), false),
        ("yaml: folded", text(format!("a: >-\n  {first}\n  {last}\n")), false),
        ("in variables", text(format!("a=\"{first}\"\nb=\"$a{last}\"\n")), false),
        ("backwards", text(token.chars().rev().collect()), false),
        ("base64", text(format!("a: {}\n", STANDARD.encode(&line))), true),
        ("base64, one byte before", text(format!("a: {}\n", STANDARD.encode(format!("={token}")))), true),
        ("base64, two bytes before", text(format!("a: {}\n", STANDARD.encode(format!("a={token}")))), true),
        ("base64, url-safe", text(format!("a: {}\n", URL_SAFE_NO_PAD.encode(format!("???>>>{token}")))), true),
        ("base64 twice", text(format!("a: {}\n", STANDARD.encode(STANDARD.encode(&token)))), true),
        (
            "base64 three times",
            text(format!("a: {}\n", STANDARD.encode(STANDARD.encode(STANDARD.encode(&token))))),
            false,
        ),
        ("base64 of utf-16", text(format!("a: {}\n", STANDARD.encode(wide(&line, b"", u16::to_le_bytes)))), false),
        ("hex", text(format!("a: {}\n", hex(token.as_bytes()))), true),
        ("hex in capitals", text(format!("a: {}\n", hex(token.as_bytes()).to_uppercase())), true),
        (
            "percent",
            text(format!("https://x/?t={}\n", token.bytes().map(|b| format!("%{b:02x}")).collect::<String>())),
            true,
        ),
        ("json escapes", escaped("\\u", "", four), true),
        ("hex escapes", escaped("\\x", "", two), true),
        ("decimal entities", escaped("&#", ";", |c| (c as u32).to_string()), false),
        (
            "rot13",
            text(
                token
                    .chars()
                    .map(|c| match c {
                        'a'..='m' | 'A'..='M' => (c as u8 + 13) as char,
                        'n'..='z' | 'N'..='Z' => (c as u8 - 13) as char,
                        c => c,
                    })
                    .collect(),
            ),
            false,
        ),
        ("behind a long line", [vec![b'x'; 3 << 20], format!(" {token}\n").into_bytes()].concat(), true),
        ("as a picture", [b"\x89PNG\r\n\x1a\n\0\0", token.as_bytes()].concat(), false),
    ]
}

#[test]
fn each_way_is_found_or_known_not_to_be() {
    let repo = Repo::new();
    let ways = ways();
    for (number, (_, bytes, _)) in ways.iter().enumerate() {
        repo.write(&format!("f{number:02}"), bytes);
    }
    let told = |ran: &crate::support::Ran| -> Vec<bool> {
        let found = places(ran);
        (0..ways.len()).map(|number| found.iter().any(|place| place.starts_with(&format!("f{number:02}:")))).collect()
    };
    let words = ["scan", "--format", "json", "--rule", "github-pat"];
    let there = told(&repo.seal(words).exits(1));
    // All of history, by whatever changes its versions are stored.
    repo.commit("all");
    repo.git(["gc", "--quiet"]).exits(0);
    let in_history = told(&repo.seal(words.into_iter().chain(["--history"])).exits(1));
    let differ = (0..ways.len()).filter(|at| (there[*at], in_history[*at]) != (ways[*at].2, ways[*at].2));
    let differ: Vec<_> = differ.map(|at| (ways[at].0, there[at], in_history[at])).collect();
    assert!(differ.is_empty(), "found in a file, found in history: {differ:?}");
}

#[test]
fn reasons_are_given_for_what_is_not_found() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scan/README.md")).unwrap();
    let missed: Vec<&str> = ways().iter().filter(|(_, _, is_found)| !is_found).map(|(name, ..)| *name).collect();
    for name in &missed {
        assert!(text.contains(&format!("\n- {name} -- ")), "{name}");
    }
    assert_eq!(text.matches(" -- ").count(), missed.len());
}

#[test]
fn what_is_no_text_of_a_file_is_looked_through_too() {
    let repo = Repo::new();
    repo.write(&format!("{}.txt", token(1)), "nothing\n");
    symlink(format!("/srv/{}", token(2)), repo.path("link")).unwrap();
    let author = format!("user.name={}", token(3));
    repo.git(["add", "."]).exits(0);
    repo.git(["-c", &author, "commit", "--quiet", "-m", &format!("x\n\n{}", token(4))]).exits(0);
    repo.git(["tag", "-a", "v1", "-m", &token(5)]).exits(0);
    repo.git(["notes", "add", "-m", &token(6)]).exits(0);
    // Hidden from who only looks at differences.
    repo.write(".gitattributes", "* -diff -text binary\n");
    repo.commit_file("attributes", token(7));
    let ran = repo.seal(["scan", "--history", "--format", "json", "--rule", "github-pat", "--show-secrets"]).exits(1);
    for number in 1..=7 {
        assert!(ran.stdout_text().contains(&token(number)), "{number}: {ran}");
    }
}

#[test]
fn packed_files_in_history_are_found_where_the_packing_hides_nothing() {
    // In history archives are not followed: what is in them is found once they are scanned with --archive.
    let repo = Repo::new();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gz.write_all(token(1).as_bytes()).unwrap();
    repo.write("a.gz", gz.finish().unwrap());
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(40);
    tar.append_data(&mut header, "x", token(2).as_bytes()).unwrap();
    repo.write("b.tar", tar.into_inner().unwrap());
    repo.commit("archives");
    let found = |more: &[&str]| {
        let words = ["scan", "--format", "json", "--rule", "github-pat"];
        places(&repo.seal(words.into_iter().chain(more.iter().copied())))
    };
    assert_eq!(found(&["--history"]), ["b.tar:1"]);
    assert_eq!(found(&["--archive"]), ["a.gz!a:1", "b.tar!x:1"]);
}

#[test]
#[ignore = "writes a file of 1 GiB"]
fn one_line_of_a_gibibyte_is_looked_through_in_bounded_memory() {
    let repo = Repo::new();
    let mut file = std::fs::File::create(repo.path("line")).unwrap();
    let part = "password=xy ".repeat(1 << 16);
    (0..(1 << 30) / part.len()).for_each(|_| file.write_all(part.as_bytes()).unwrap());
    file.write_all(token(1).as_bytes()).unwrap();
    drop(file);
    let words = "ulimit -v 1500000; seal scan --format json --rule github-pat line";
    let ran = repo.at(repo.folder.program("bash", ["-c", words])).run().exits(1);
    assert_eq!(places(&ran), ["line:1"]);
}
