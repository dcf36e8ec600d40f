//! What must hold of every input, whatever its bytes: the properties that the targets check.
//!
//! A broken property is a panic, which the fuzzer reports with the input. How inputs are made is the fuzzer's matter.

use seal::document::{AttachmentStyle, Document, Edits, Format, Leaf, Node, Scalar};

/// Reading never panics; a document that can be read keeps its bytes when an envelope is attached and cut
/// again, and its values when each is spelled anew in its own place.
pub fn document(source: &[u8], format: Format) {
    let Ok(document) = Document::parse(source.to_vec(), format) else { return };
    assert_eq!(document.source(), source, "reading changed the source");
    spelling_reads_back(&document);
    if document.roots().iter().all(|root| root.attachment.is_none()) {
        attaching_leaves_no_trace(&document);
    }
}

fn attaching_leaves_no_trace(plain: &Document) {
    let envelope = serde_json::json!({
        "age": [{ "recipient": "age1example", "enc": "-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\n-----END AGE ENCRYPTED FILE-----\n" }],
        "lastmodified": "2026-01-02T03:04:05Z",
        "mac": "ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]",
        "version": "3.13.3",
    });
    let attached = plain.attach(&envelope, &AttachmentStyle::default()).apply(plain.source());
    let attached = Document::parse(attached, plain.format()).expect("a document with its envelope can be read");
    assert_eq!(attached.roots().len(), plain.roots().len(), "attaching changed the number of documents");
    let mut cut = Edits::new();
    for attachment in attached.roots().iter().map(|root| root.attachment.as_ref()) {
        let attachment = attachment.expect("what was attached is found again");
        assert_eq!(attachment.value.as_ref(), envelope.as_object(), "the envelope changed on its way");
        attachment.cuts.iter().for_each(|span| cut.replace(*span, b""));
    }
    assert_eq!(&*cut.apply(attached.source()), plain.source(), "the envelope left a trace");
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
