//! Comments in YAML: none stays plain inside what is encrypted, sops opens what holds them, and they come back.

use granit_parser::{Scanner, StrInput, TokenType};
use seal::crypt::{Encrypted, MacCheck};
use seal::document::{Branch, Document, Format, Node, Span};

use crate::support::sealing::{self, recipient};
use crate::support::{Folder, Ran, peer, repository};

/// Documents with a comment `#TELL` that sops does not see, and what sops reads as JSON.
const LOST: [(&str, &str); 9] = [
    ("a: [ #TELL\n  1]\n", r#"{"a":[1]}"#),
    ("a: {b: { #TELL\n  c: 1}}\n", r#"{"a":{"b":{"c":1}}}"#),
    ("b: 1\na: [\n  #TELL\n]\n", r#"{"b":1,"a":[]}"#),
    ("a:\n  - k: [[ #TELL\n      x], { #TELL\n      y: z}]\n", r#"{"a":[{"k":[["x"],{"y":"z"}]}]}"#),
    ("%YAML 1.1 #TELL\n---\na: 1\n", r#"{"a":1}"#),
    ("a: 1\n... #TELL\n", r#"{"a":1}"#),
    ("a: &x [ #TELL\n  1]\nb: *x\n", r#"{"a":[1],"b":[1]}"#),
    ("{ #TELL\n  a: 1 }\n", r#"{"a":1}"#),
    ("a: { #TELL\r\n  b: 1}\r\n", r#"{"a":{"b":1}}"#),
];

/// Documents that sops reads in another way than YAML says, and what it reads; nothing where it refuses them.
const OTHERWISE: [(&str, Option<&str>); 21] = [
    ("a:\n  &z: v\n", None),
    ("a: &z: v\n", None),
    ("a: &z:x v\n", Some(r#"{"a":":x v"}"#)),
    ("a: &z.b x\nb: *z.b\n", None),
    ("a: &é v\nb: *é\n", None),
    ("a: [&z: v]\n", None),
    ("x: 1\na: {k:,}\n", Some(r#"{"x":1,"a":{"k:":null}}"#)),
    ("x: 1\na: {k:}\n", Some(r#"{"x":1,"a":{"k:":null}}"#)),
    ("a: [k:, x]\n", Some(r#"{"a":["k:","x"]}"#)),
    ("a: {?k: b}\n", Some(r#"{"a":{"k":"b"}}"#)),
    ("a: {k?: b}\n", None),
    ("a: [http://x/?q=1]\n", None),
    ("a: [x, :y]\n", None),
    ("a: 1 #x\u{2028}b: 2\n", Some(r#"{"a":1,"b":2}"#)),
    ("#x\u{85}b: 2\na: 1\n", Some(r#"{"b":2,"a":1}"#)),
    ("a: |\n  x\u{2028}  y\n", Some("{\"a\":\"x\u{2028}y\\n\"}")),
    ("a: >\n  x\u{2029}  y\n", Some("{\"a\":\"x\u{2029}y\\n\"}")),
    ("a: [1,\u{2028}2]\n", Some(r#"{"a":[1,2]}"#)),
    ("a:\u{2028}  b: 1\n", Some(r#"{"a":{"b":1}}"#)),
    ("\u{2028}a: 1\n", Some(r#"{"a":1}"#)),
    ("x\u{2028}y: 1\n", None),
];

/// Opens YAML from stdin, with seal or with the peer of that name; `None` where it is not installed.
fn open(folder: &Folder, program: &str, output: &str, encrypted: &[u8]) -> Option<Ran> {
    let words = ["decrypt", "--input-type", "yaml", "--output-type", output, "/dev/stdin"];
    let step = match program {
        "seal" => folder.seal(words),
        peer => folder.peer(peer, words)?,
    };
    Some(step.env("SOPS_AGE_KEY_FILE", repository("tests/sops/keys/keys.txt")).stdin(encrypted).run())
}

fn is_json(text: &[u8], expected: &str) -> bool {
    let read = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).ok();
    read(text).is_some() && read(text) == read(expected.as_bytes())
}

#[test]
fn what_sops_does_not_see_is_encrypted_and_sops_opens_it_without_a_word() {
    let folder = Folder::new();
    for (plain, expected) in LOST {
        let file = folder.write("plain.yaml", plain);
        let sealed = folder.seal(["encrypt".as_ref(), "--age".as_ref(), recipient().as_ref(), file.as_os_str()]).ok();
        let text = String::from_utf8_lossy(&sealed);
        assert!(!text.contains("TELL"), "{plain:?} became\n{text}");
        assert_eq!(open(&folder, "seal", "yaml", &sealed).unwrap().exits(0).stdout, plain.as_bytes());
        let Some(ran) = open(&folder, "sops", "json", &sealed).map(|ran| ran.exits(0)) else { continue };
        assert!(is_json(&ran.stdout, expected) && ran.stderr.is_empty(), "{plain:?}\n{ran}");
    }
}

#[test]
fn what_sops_does_not_see_chooses_nothing_and_is_chosen_as_its_neighbours() {
    let folder = Folder::new();
    let plain = "# on\na: [ #TELL\n  x]\nb: [ # on\n  plain]\nc: [ #stays\n  plain]\n";
    let file = folder.write("plain.yaml", plain);
    let (recipient, regex) = (recipient(), "--encrypted-comment-regex");
    let sealed = folder
        .seal([
            "encrypt".as_ref(),
            "--age".as_ref(),
            recipient.as_ref(),
            regex.as_ref(),
            "on".as_ref(),
            file.as_os_str(),
        ])
        .ok();
    let text = String::from_utf8_lossy(&sealed);
    assert!(
        text.starts_with("# on\na: [ #ENC[") && text.contains("\nb: [ # on\n  plain]\nc: [ #stays\n  plain]\n"),
        "{text}"
    );
    assert_eq!(open(&folder, "seal", "yaml", &sealed).unwrap().exits(0).stdout, plain.as_bytes());
    if let Some(ran) = open(&folder, "sops", "json", &sealed).map(|ran| ran.exits(0)) {
        assert!(is_json(&ran.stdout, r#"{"a":["x"],"b":["plain"],"c":["plain"]}"#) && ran.stderr.is_empty(), "{ran}");
    }
}

#[test]
fn what_sops_reads_otherwise_is_refused() {
    let folder = Folder::new();
    for (plain, by_sops) in OTHERWISE {
        let file = folder.write("plain.yaml", plain);
        let words = ["encrypt".as_ref(), "--age".as_ref(), recipient().as_ref(), file.as_os_str()]
            .map(std::ffi::OsStr::to_owned);
        let ran = folder.seal(&words).run();
        let is_told = ran.stderr_text().contains("sops reads this otherwise") && ran.stderr_text().contains("at line ");
        assert!(ran.code != Some(0) && ran.stdout.is_empty() && is_told, "{plain:?}\n{ran}");
        // That it does is known from trying.
        if peer("sops").is_none() {
            continue;
        }
        let own = folder.peer("sops", &words).unwrap().run();
        let read = (own.code == Some(0)).then(|| open(&folder, "sops", "json", &own.stdout).unwrap().exits(0).stdout);
        let is_as_known = match (&read, by_sops) {
            (Some(read), Some(known)) => is_json(read, known),
            (None, None) => true,
            _ => false,
        };
        assert!(is_as_known, "{plain:?} is {:?}\n{own}", read.map(|read| String::from_utf8_lossy(&read).into_owned()));
    }
}

/// sops follows an alias into an earlier document; we do not, so the file is refused.
#[test]
fn alias_of_an_earlier_document_is_refused() {
    let folder = Folder::new();
    let file = folder.write("plain.yaml", "a: &x 1\n---\nb: *x\n");
    let ran = folder.seal(["encrypt".as_ref(), "--age".as_ref(), recipient().as_ref(), file.as_os_str()]).run();
    assert!(ran.code != Some(0) && ran.stderr_text().contains("at line 3, column 4"), "{ran}");
}

/// Encrypts all of `plain` and opens it again; `None` where it is no document to encrypt.
fn there_and_back(plain: Document) -> Option<(String, Vec<u8>)> {
    let sealed = match sealing::seal(plain, None, false) {
        Ok(sealed) => sealed.bytes,
        Err(why) => {
            assert!(!why.contains("defect of seal"), "{why}");
            return None;
        }
    };
    let encrypted = Encrypted::parse(sealed.clone(), Format::Yaml).unwrap();
    let (key, _) = sealing::data_key();
    let opened = encrypted.open(key, MacCheck::Require).unwrap();
    assert!(opened.plain_comments.is_empty());
    Some((String::from_utf8(sealed).unwrap(), opened.plain().expose().to_vec()))
}

/// How many comments a document has outside its envelope; fails unless each is in its tree exactly once.
fn comments_in_tree(document: &Document) -> usize {
    fn found(branch: &Branch, out: &mut Vec<Span>) {
        for item in &branch.items {
            match &item.node {
                Node::Comment(comment) => out.push(Span { start: comment.span.start - 1, end: comment.span.end }),
                Node::Map(inner) | Node::List(inner) => found(inner, out),
                Node::Leaf(_) | Node::Alias { .. } => {}
            }
        }
    }
    let cuts: Vec<Span> =
        document.roots().iter().filter_map(|root| root.attachment.as_ref()).flat_map(|a| a.cuts.clone()).collect();
    let is_outside = |span: &Span| !cuts.iter().any(|cut| cut.start <= span.start && span.end <= cut.end);
    let mut in_tree = Vec::new();
    document.roots().iter().for_each(|root| found(&root.branch, &mut in_tree));
    in_tree.sort_unstable();
    in_tree.retain(is_outside);

    let source = std::str::from_utf8(document.source()).unwrap();
    let tokens = Scanner::new(StrInput::new(source)).map_while(Result::ok).map(|token| token.into_parts());
    let comments = tokens.filter(|(_, token)| matches!(token, TokenType::Comment(_)));
    let span = |at: granit_parser::Span| Span::new(at.start.byte_offset().unwrap(), at.end.byte_offset().unwrap());
    let in_source: Vec<Span> = comments.map(|(at, _)| span(at)).filter(is_outside).collect();
    assert_eq!(in_tree, in_source, "{source:?}");
    in_source.len()
}

#[test]
fn every_comment_of_the_corpus_is_in_the_tree_once() {
    let mut folders = vec![repository("tests/documents")];
    let mut with_comments = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml")
                && let Ok(document) = Document::parse(std::fs::read(&path).unwrap(), Format::Yaml)
            {
                with_comments += usize::from(comments_in_tree(&document) > 0);
            }
        }
    }
    assert!(with_comments >= 40, "only {with_comments}");
}

/// Pieces of documents; put together at random they are often valid, and then odd.
const PIECES: [&str; 45] = [
    "\n",
    "\n",
    "\n",
    "\n  ",
    "\n  ",
    "\n    ",
    "\r\n",
    " #TELL\n",
    " #TELL\n",
    " #TELL\n  ",
    " #TELL\n    ",
    "\n#TELL",
    "\n  #TELL",
    "a: ",
    "b: ",
    "c:",
    "k: v",
    "d: v\n",
    "- ",
    "- ",
    "\n- ",
    "\n  - ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    ", ",
    "1",
    "1",
    "'q #no'",
    "\"r\n  #no\"",
    "? ",
    ": ",
    "&x ",
    "*x",
    "*x",
    "!!str ",
    "|\n",
    "|\n  t\n",
    ">-\n  t\n  u\n",
    "\n---\n",
    "\n...",
    "\n\n",
    "e: [",
];

/// What may stand around them.
const AROUND: [(&str, &str); 8] = [
    ("", ""),
    ("z: ", ""),
    ("z: [", "]"),
    ("z: {", "}\ny: 1"),
    ("{", "}"),
    ("z:\n  ", "\n"),
    ("z: &x [1]\n", "\n"),
    ("z: ", "\ny: 1\nsops: #s\n  mac: m #t\n#u\n"),
];

proptest::proptest! {
    // The same documents in every run, so that what fails fails again; PROPTEST_CASES makes it more of them.
    #![proptest_config(proptest::test_runner::Config { cases: 2000, max_global_rejects: 1 << 20, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..Default::default() })]
    #[test]
    fn every_comment_is_in_the_tree_once_and_none_stays_plain(picks in proptest::collection::vec(0..PIECES.len(), 1..24)) {
        let middle: String = picks.into_iter().map(|pick| PIECES[pick]).collect();
        for (start, end) in AROUND {
            let plain = format!("{start}{middle}{end}");
            let Ok(document) = Document::parse(plain.as_bytes().to_vec(), Format::Yaml) else { continue };
            comments_in_tree(&document);
            if let Some((sealed, back)) = there_and_back(document) {
                // Inside a block it is no comment but text; that of a key stays.
                let may_be_key = plain.contains("? ") && plain.contains(['|', '>']);
                assert!(may_be_key || !sealed.contains("#TELL"), "{plain:?} became\n{sealed}");
                assert_eq!(String::from_utf8_lossy(&back), plain);
            }
        }
    }
}
