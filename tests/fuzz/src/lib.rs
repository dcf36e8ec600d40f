//! What must hold of every input, whatever its bytes: the properties that the targets check.
//!
//! A broken property is a panic, which the fuzzer reports with the input. How inputs are made is the fuzzer's matter.

use seal::crypt::{
    Cipher, DataKey, EncryptError, Encrypted, Envelope, MacCheck, NONCE_LEN, Random, Recipient, Sealing, SelectionRule, Type,
    WrappedKey, encrypt,
};
use seal::document::{AttachmentStyle, Document, Edits, Format, Leaf, Node, Scalar};

/// Reading never panics. A document that can be read keeps its values when each is spelled anew in its own place, and
/// all of its bytes when it is encrypted and decrypted.
pub fn document(source: &[u8], format: Format) {
    let Ok(document) = Document::parse(source.to_vec(), format) else { return };
    assert_eq!(document.source(), source, "reading changed the source");
    encrypting_comes_back(&document, None);
    if format == Format::Yaml {
        encrypting_comes_back(&document, Some(SelectionRule::EncryptedRegex("^[a-m]".into())));
    }
    // A block scalar at the end of a file without a line break has no other spelling of its own, and a value that is spelled
    // anew loses an anchor that stands behind its tag.
    if source.ends_with(b"\n") && !source.contains(&b'*') {
        spelling_reads_back(&document);
    }
}

/// A text that claims to be an encrypted value never panics, and is never taken for one that authenticates.
pub fn enc(text: &[u8]) {
    let key = DataKey::from_bytes(&[7; 32]).expect("32 bytes");
    let cipher = Cipher::new(&key);
    assert!(cipher.decrypt(text, b"a:").is_err(), "a forged value was decrypted");
    if text.is_empty() {
        return; // sops never encrypts the empty text
    }
    // What a real value says comes back whatever stands behind it, and under no other path.
    let real = cipher.encrypt(text, b"a:", &[9; NONCE_LEN], Type::Str);
    let with_tail = [real.as_bytes(), text].concat();
    assert_eq!(cipher.decrypt(&with_tail, b"a:").expect("it is real").0.expose(), text);
    assert!(cipher.decrypt(&with_tail, b"b:").is_err());
}

/// An envelope of any content never panics; one that can be read says the same after it was written.
pub fn envelope(source: &[u8]) {
    for format in [Format::Yaml, Format::Json, Format::Dotenv, Format::Ini] {
        let Ok(read) = Encrypted::parse(source.to_vec(), format) else { continue };
        let key = DataKey::from_bytes(&[7; 32]).expect("32 bytes");
        if let Ok(opened) = read.open(&key, MacCheck::Ignore) {
            opened.plain();
        }
        let map = read.envelope().to_map();
        let again = Envelope::from_map(&map).expect("what was written can be read");
        assert_eq!(again.groups, read.envelope().groups);
        assert_eq!(again.selection, read.envelope().selection);
        assert_eq!(again.threshold, read.envelope().threshold);
        assert_eq!(again.to_map(), map);
    }
}

fn encrypting_comes_back(plain: &Document, selection: Option<SelectionRule>) {
    let key = DataKey::from_bytes(&[7; 32]).expect("32 bytes");
    let wrapped = WrappedKey { recipient: Recipient::Age("age1example".into()), enc: "-\n-\n".into(), created_at: None };
    let envelope = Envelope::new(vec![vec![wrapped]], None, selection, false);
    let style = AttachmentStyle::default();
    let sealing = Sealing { envelope, key: &key, previous: None, style, now: "2026-01-02T03:04:05Z".into() };
    let mut count = 0_u64;
    let random: Random<'_> = &mut |bytes| {
        for chunk in bytes.chunks_mut(8) {
            count += 1;
            chunk.copy_from_slice(&count.to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    };
    let sealed = match encrypt(plain, sealing, random) {
        Ok(sealed) => sealed,
        Err(EncryptError::WouldNotComeBack(why)) => panic!("would not come back: {why}"),
        Err(_) => return,
    };
    let read = Encrypted::parse(sealed.bytes, plain.format()).expect("what was encrypted can be read");
    let opened = read.open(&key, MacCheck::Require).expect("what was encrypted can be decrypted");
    assert_eq!(opened.plain().expose(), plain.source(), "other bytes came back");
}

fn spelling_reads_back(document: &Document) {
    let mut edits = Edits::new();
    for leaf in leaves(document) {
        if !matches!(leaf.scalar, Scalar::Unsupported) {
            edits.replace(leaf.span, &document.spell(leaf, &leaf.scalar));
        }
    }
    let spelled =
        Document::parse(edits.apply(document.source()), document.format()).expect("spelled values can be read");
    let (before, after) = (leaves(document), leaves(&spelled));
    assert_eq!(before.len(), after.len(), "spelling changed the number of values");
    for (before, after) in before.iter().zip(after) {
        assert!(same(document, &before.scalar, &spelled, &after.scalar), "a value changed by being spelled");
    }
}

fn same(a: &Document, left: &Scalar, b: &Document, right: &Scalar) -> bool {
    match (left, right) {
        (Scalar::Str(left), Scalar::Str(right)) => a.text(left) == b.text(right),
        (Scalar::Float(left), Scalar::Float(right)) => left == right || left.is_nan() && right.is_nan(),
        // A whole float without a layout is written as sops writes it, `10`, and read as an integer.
        (Scalar::Float(left), Scalar::Int(right)) => *left == *right as f64,
        (Scalar::Int(left), Scalar::Int(right)) => left == right,
        (Scalar::Bool(left), Scalar::Bool(right)) => left == right,
        (Scalar::Time(left), Scalar::Time(right)) => left == right,
        (Scalar::Null, Scalar::Null) | (Scalar::Unsupported, Scalar::Unsupported) => true,
        _ => false,
    }
}

/// All values in document order; what an alias stands for is counted where its anchor is.
fn leaves(document: &Document) -> Vec<&Leaf> {
    fn walk<'a>(node: &'a Node, out: &mut Vec<&'a Leaf>) {
        match node {
            Node::Leaf(leaf) => out.push(leaf),
            Node::Map(branch) | Node::List(branch) => branch.items.iter().for_each(|item| walk(&item.node, out)),
            Node::Comment(_) | Node::Alias { .. } => {}
        }
    }
    let mut out = Vec::new();
    document.roots().iter().flat_map(|root| &root.branch.items).for_each(|item| walk(&item.node, &mut out));
    out
}
