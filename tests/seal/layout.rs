//! The layout: what is encrypted comes back byte for byte, also after a change, and never as something else.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use seal::crypt::{self, Encrypted, MacCheck, Selection, SelectionRule, What, walk};
use seal::document::{Document, Edits, Format, Scalar, Span, Style, Text};

use crate::support::generate::{self, Case, Random};
use crate::support::sealing::{data_key, identity, open, reseal, seal, seal_case, values};
use crate::support::{Folder, peer, repository};

/// The documents of the corpus that sops accepts.
fn corpus() -> Vec<PathBuf> {
    let mut folders = vec![repository("tests/documents")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let apart = ["refused", "not-read", "bad"].iter().any(|name| path.ends_with(name));
            if path.is_dir() && !apart {
                folders.push(path);
            } else if path.is_file() && path.extension().is_some_and(|extension| extension != "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn selections() -> [Option<SelectionRule>; 6] {
    [
        None,
        Some(SelectionRule::EncryptedRegex("^(data|stringData|password|a|x)$".into())),
        Some(SelectionRule::UnencryptedRegex("^(kind|metadata|name|b|a)$".into())),
        Some(SelectionRule::EncryptedSuffix("a".into())),
        Some(SelectionRule::EncryptedCommentRegex("a".into())),
        Some(SelectionRule::UnencryptedCommentRegex("(?i)note".into())),
    ]
}

/// What a document comes back as differs from it.
fn comes_back(case: &Case) -> Result<(), String> {
    let sealed = match seal_case(case) {
        Err(why)
            if why.contains("also matches encrypted comments")
                || why.contains("alias for values that comments choose") =>
        {
            return Ok(());
        }
        other => other?,
    };
    let back = open(&sealed, case.format)?;
    if back == case.plain { Ok(()) } else { Err(format!("came back as\n{}", String::from_utf8_lossy(&back))) }
}

#[test]
fn every_document_comes_back_under_every_selection() {
    let mut complaints = Vec::new();
    for path in corpus() {
        let plain = std::fs::read(&path).unwrap();
        let format = Format::of_path(&path);
        for selection in selections() {
            for mac_only_encrypted in [false, true] {
                let case = Case { format, plain: plain.clone(), selection: selection.clone(), mac_only_encrypted };
                match std::panic::catch_unwind(|| comes_back(&case)) {
                    Ok(Ok(())) => {}
                    Ok(Err(why)) => complaints.push(format!("{} {selection:?}: {why}", path.display())),
                    Err(_) => complaints.push(format!("{} {selection:?}: panic", path.display())),
                }
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// The encrypted texts of a file, in order.
fn ciphertexts(bytes: &[u8], format: Format) -> Vec<String> {
    let encrypted = Encrypted::parse(bytes.to_vec(), format).unwrap();
    let document = encrypted.document();
    let mut found = Vec::new();
    let all: Result<(), ()> = walk(document, encrypted.selection(), |site| {
        let text = match site.what {
            What::Leaf(leaf) => match &leaf.scalar {
                Scalar::Str(text) => document.text(text),
                _ => return Ok(()),
            },
            What::Comment(comment) => document.text(&comment.text),
        };
        if site.alias.is_none() && crypt::is_encrypted(text) {
            found.push(String::from_utf8_lossy(text).into_owned());
        }
        Ok(())
    });
    all.expect("the visit never errs");
    found
}

/// One value of a document that can be replaced where it stands: its number among those, its span and its new text.
fn replacement(
    document: &Document,
    chosen: Option<(&Selection, bool)>,
    random: &mut Random,
) -> Option<(usize, Span, Vec<u8>)> {
    let mut found = Vec::new();
    let anchored = |span: Span| {
        let before = document.source()[..span.start as usize].trim_ascii_end();
        let word = before.rsplit(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
        word.starts_with(b"&")
    };
    let default = Selection::default();
    let (selection, wanted) = chosen.map_or((&default, None), |(selection, wanted)| (selection, Some(wanted)));
    let all: Result<(), ()> = walk(document, selection, |site| {
        if let What::Leaf(leaf) = site.what
            && site.alias.is_none()
            && !leaf.span.is_empty()
            && !anchored(leaf.span)
            && wanted.is_none_or(|wanted| wanted == site.chosen)
            && !matches!(leaf.style, Style::Literal { .. } | Style::Folded { .. } | Style::None)
            && !matches!(&leaf.scalar, Scalar::Null)
            && !matches!(&leaf.scalar, Scalar::Str(text) if document.text(text).is_empty())
        {
            let value = Scalar::Str(Text::owned(*b"edited"));
            found.push((leaf.span, document.spell(leaf, &value).to_vec()));
        }
        Ok(())
    });
    all.expect("the visit never errs");
    if found.is_empty() {
        return None;
    }
    let number = random.below(found.len());
    let (span, text) = found.swap_remove(number);
    Some((number, span, text))
}

fn replaced(source: &[u8], span: Span, text: &[u8]) -> Vec<u8> {
    let mut edits = Edits::new();
    edits.replace(span, text);
    edits.apply(source).to_vec()
}

/// Whether sops and seal read it at all, and whether it holds an alias, by which one edit changes several values.
fn readable(case: &Case) -> Option<Document> {
    Document::parse(case.plain.clone(), case.format).ok()
}

proptest! {
    // The same documents in every run, so that what fails fails again; PROPTEST_CASES makes it more of them.
    #![proptest_config(ProptestConfig { cases: 400, max_global_rejects: 1 << 20, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn random_documents_come_back(seed: u64) {
        let case = generate::case(seed);
        prop_assume!(readable(&case).is_some());
        let result = comes_back(&case);
        prop_assume!(!matches!(&result, Err(why) if refused(why)));
        prop_assert!(result.is_ok(), "{case:?}: {}", result.unwrap_err());
    }

    #[test]
    fn edited_documents_come_back_and_other_values_keep_their_text(seed: u64) {
        let case = generate::case(seed);
        let Some(document) = readable(&case) else { return Ok(()) };
        prop_assume!(case.format != Format::Binary);
        let replaced_by = replacement(&document, None, &mut Random::new(seed));
        let Ok(sealed) = seal(document, case.selection.clone(), case.mac_only_encrypted) else { return Ok(()) };
        let Some((_, span, text)) = replaced_by else { return Ok(()) };
        let edited = replaced(&case.plain, span, &text);
        prop_assume!(Document::parse(edited.clone(), case.format).is_ok());

        let encrypted = Encrypted::parse(sealed.bytes.clone(), case.format).unwrap();
        let (key, _) = data_key();
        let opened = encrypted.open(key, MacCheck::Require).unwrap();
        let again = reseal(&opened, key, &edited);
        prop_assert!(again.is_ok(), "{case:?}: {:?}", again.err());
        let again = again.unwrap();
        let back = open(&again.bytes, case.format);
        prop_assert_eq!(back.map(|b| String::from_utf8_lossy(&b).into_owned()), Ok(String::from_utf8_lossy(&edited).into_owned()));
        // At most the one value, and what stands for it elsewhere, is encrypted anew.
        let (before, after) = (ciphertexts(&sealed.bytes, case.format), ciphertexts(&again.bytes, case.format));
        prop_assert_eq!(before.len(), after.len(), "{:?}", case);
        let changed = before.iter().zip(&after).filter(|(a, b)| a != b).count();
        let aliases = case.plain.windows(2).filter(|two| two == b"*n").count();
        prop_assert!(changed <= 1 + aliases, "{changed} of {} values have a new text: {case:?}", before.len());
    }

    #[test]
    fn sealing_again_changes_no_value(seed: u64) {
        let case = generate::case(seed);
        prop_assume!(readable(&case).is_some() && case.format != Format::Binary);
        let Ok(sealed) = seal_case(&case) else { return Ok(()) };
        let encrypted = Encrypted::parse(sealed.clone(), case.format).unwrap();
        let (key, _) = data_key();
        let again = reseal(&encrypted.open(key, MacCheck::Require).unwrap(), key, &case.plain).unwrap();
        prop_assert_eq!(ciphertexts(&sealed, case.format), ciphertexts(&again.bytes, case.format), "{:?}", case);
    }

    #[test]
    fn plain_values_edited_by_hand_stay_edited(seed: u64) {
        let case = Case { mac_only_encrypted: true, ..generate::case(seed) };
        // What an expanded alias holds can be edited on its own, which no edit of the plain file can say.
        prop_assume!(!case.plain.windows(2).any(|two| two == b"*n") && case.format != Format::Binary && readable(&case).is_some());
        // A block scalar before blanks alone on the last line is sealed in quotes, and only values in quotes are edited here.
        let last_line = case.plain.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        prop_assume!(last_line.is_empty() || !last_line.trim_ascii().is_empty());
        let Ok(sealed) = seal_case(&case) else { return Ok(()) };
        let encrypted = Encrypted::parse(sealed.clone(), case.format).unwrap();
        let plain_ones = Some((encrypted.selection(), false));
        let random = || Random::new(seed);
        let Some((number, span, text)) = replacement(encrypted.document(), plain_ones, &mut random()) else { return Ok(()) };
        let edited = replaced(&sealed, span, &text);
        prop_assume!(Encrypted::parse(edited.clone(), case.format).is_ok());
        let back = open(&edited, case.format);
        prop_assert!(back.is_ok(), "{case:?}: {:?}", back.err());
        let back = back.unwrap();

        // The same edit in the plain file, where the same values stand plain.
        let plain = readable(&case).unwrap();
        let (other, span, text) = replacement(&plain, plain_ones, &mut random()).unwrap();
        prop_assert_eq!(number, other);
        let expected = replaced(&case.plain, span, &text);
        prop_assume!(Document::parse(expected.clone(), case.format).is_ok());
        prop_assert_eq!(values(&back, case.format).map(|v| v.values), values(&expected, case.format).map(|v| v.values), "{:?}", case);
        if !crypt_is_whole(&case) {
            prop_assert_eq!(String::from_utf8_lossy(&back), String::from_utf8_lossy(&expected), "{:?}", case);
        }
    }
}

/// Why random documents are refused, see `tests/documents/README.md`.
fn refused(why: &str) -> bool {
    [
        "is not a string",
        "comment would belong elsewhere",
        "also matches encrypted comments",
        "alias for values that comments choose",
        "beyond 64 bits",
        "occurs twice",
        "reserved for the envelope",
    ]
    .iter()
    .any(|known| why.contains(known))
}

/// Whether values alone do not say how the file is laid out: block scalars and list comments move with their lines.
fn crypt_is_whole(case: &Case) -> bool {
    let text = String::from_utf8_lossy(&case.plain);
    case.format == Format::Yaml && (text.contains(['|', '>']) || text.contains("- #"))
}

/// A file and what stands in its envelope's field `seal`.
fn sealed_with_layout(plain: &str) -> (Vec<u8>, String) {
    let case = Case { format: Format::Yaml, plain: plain.into(), selection: None, mac_only_encrypted: false };
    let sealed = seal_case(&case).unwrap();
    let layout = Encrypted::parse(sealed.clone(), Format::Yaml).unwrap().envelope().seal.clone();
    (sealed, layout.expect("such a file needs a layout"))
}

#[test]
fn layout_of_another_file_is_ignored() {
    let (one, of_one) = sealed_with_layout("a: 0x10\nb: 'x'\n");
    let (other, of_other) = sealed_with_layout("a: 0o7\nb: 'y'\n");
    for (file, own, foreign, expected) in
        [(&one, &of_one, &of_other, "a: 16\nb: 'x'\n"), (&other, &of_other, &of_one, "a: 7\nb: 'y'\n")]
    {
        let text = String::from_utf8(file.clone()).unwrap();
        let swapped = text.replace(own.as_str(), foreign);
        assert_ne!(text, swapped);
        assert_eq!(String::from_utf8(open(swapped.as_bytes(), Format::Yaml).unwrap()).unwrap(), expected);
        // Damaged or gone, it costs the layout and nothing else.
        let damaged = text.replace(own.as_str(), &own.replacen("data:", "data:AAAA", 1));
        assert_eq!(String::from_utf8(open(damaged.as_bytes(), Format::Yaml).unwrap()).unwrap(), expected);
        let gone: Vec<&str> = text.lines().filter(|line| !line.contains(own.as_str())).collect();
        assert_eq!(
            String::from_utf8(open(gone.join("\n").as_bytes(), Format::Yaml).unwrap()).unwrap().trim_end(),
            expected.trim_end()
        );
    }
}

#[test]
fn layout_does_not_bring_an_old_value_back() {
    let plain = "data: 0x10\nhost: 'old'   # note\n";
    let selection = Some(SelectionRule::EncryptedRegex("^data$".into()));
    let case = Case { format: Format::Yaml, plain: plain.into(), selection, mac_only_encrypted: true };
    let sealed = String::from_utf8(seal_case(&case).unwrap()).unwrap();
    assert!(sealed.contains("seal: ENC["));
    let edited = sealed.replace("'old'", "\"new\"");
    let back = String::from_utf8(open(edited.as_bytes(), Format::Yaml).unwrap()).unwrap();
    assert_eq!(back, "data: 0x10\nhost: \"new\"   # note\n");
    // The same of a file whose layout is all of it, as an alias was expanded.
    let case = Case { plain: b"data: &a 0x10\nhost: old\ncopy: {data: *a}\n".to_vec(), ..case };
    let sealed = String::from_utf8(seal_case(&case).unwrap()).unwrap();
    let edited = sealed.replace("host: old", "host: new");
    assert_ne!(edited, sealed);
    let back = String::from_utf8(open(edited.as_bytes(), Format::Yaml).unwrap()).unwrap();
    assert!(back.contains("host: new") && !back.contains("old"), "{back}");
}

#[test]
fn what_sops_rewrote_opens_without_its_layout() {
    if peer("sops").is_none() {
        return;
    }
    let folder = Folder::new();
    let (sealed, _) = sealed_with_layout("# head\na: 0x10   # inline\nb:\n- 'x'\n- \"y\"\n");
    let set = ["set", "file.yaml", "[\"b\"][0]", "\"changed\""].as_slice();
    for (words, expected) in [(set, "changed"), (&["rotate", "-i", "file.yaml"], "x")] {
        folder.write("file.yaml", &sealed);
        let sops = folder.peer("sops", words).expect("asked for above");
        sops.env("SOPS_AGE_KEY_FILE", identity()).ok();
        let back = open(&folder.read("file.yaml"), Format::Yaml).unwrap();
        let found: Vec<String> = values(&back, Format::Yaml)
            .unwrap()
            .values
            .into_iter()
            .map(|(_, _, v)| String::from_utf8(v).unwrap())
            .collect();
        assert_eq!(found, ["16", expected, "y"]);
    }
    assert!(Path::new(&folder.path("file.yaml")).is_file());
}

/// What is encrypted of a file, before and after it was changed.
fn texts_before_and_after(plain: &str, changed: &str) -> (Vec<String>, Vec<String>) {
    let case = Case { format: Format::Yaml, plain: plain.into(), selection: None, mac_only_encrypted: false };
    let sealed = seal_case(&case).unwrap();
    let encrypted = Encrypted::parse(sealed.clone(), Format::Yaml).unwrap();
    let (key, _) = data_key();
    let again = reseal(&encrypted.open(key, MacCheck::Require).unwrap(), key, changed.as_bytes()).unwrap();
    (ciphertexts(&sealed, Format::Yaml), ciphertexts(&again.bytes, Format::Yaml))
}

#[test]
fn equal_values_and_comments_keep_each_its_own_text() {
    // The comment behind the header is not in the encrypted file, so it takes no one's place.
    let plain = "a: | # head\n  text\nb: x\n# one\n# two\n---\n# two\nc: 1\n";
    let (before, after) = texts_before_and_after(plain, plain);
    assert_eq!(before, after);
    let (before, after) = texts_before_and_after("l: [x, x, y, x]\n", "l: [z, x, y, x]\n");
    assert_eq!(before[1..], after[1..]);
    let (before, after) = texts_before_and_after("l: [v, x, y, x, z]\n", "l: [x, y, x, z]\n");
    assert_eq!(before[1..], after);
    let (before, after) = texts_before_and_after("l: [x, y, x, z]\n", "l: [v, x, y, x, z]\n");
    assert_eq!(before, after[1..]);
}
