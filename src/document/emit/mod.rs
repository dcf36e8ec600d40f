//! Whole documents, written anew in any format, as sops's stores would.
//!
//! This is for conversion: a document that was made, or read in another format. A file that stays in its format is
//! changed by edits, which keep its bytes. Where sops would lose data or write what no longer reads back (comments of
//! nested lists, bytes that are no text in JSON, names with `=` in dotenv) these writers keep it or refuse.

mod dotenv;
mod ini;
mod json;
mod yaml;

use zeroize::Zeroizing;

use super::node::{Branch, Item, Node, Scalar};
use super::number::float_shortest;
use super::{Document, Format};

/// Blanks per level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Indent {
    /// sops's own: 4 in YAML, a tab in JSON.
    #[default]
    Default,
    /// This many blanks; 0 in JSON: line breaks without indentation.
    Blanks(usize),
    /// A tab (JSON only).
    Tab,
}

/// Why a document cannot be written in a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmitError {
    /// The format has no way to say it.
    #[error("{format} cannot hold {what}")]
    CannotHold {
        /// The format asked for.
        format: Format,
        /// What it cannot hold.
        what: String,
    },
    /// Nested deeper than any honest file.
    #[error("nested deeper than {0} levels")]
    TooDeep(usize),
    /// More values, with all aliases expanded, than any honest file has.
    #[error("more than {0} values")]
    TooManyValues(usize),
}

/// Levels of maps and lists, as for reading.
const MAX_DEPTH: usize = 128;
/// Maps, lists, values and comments, each alias counted as a copy of what it names.
const MAX_NODES: usize = 1_000_000;

/// Writes all of a document in `format`, as sops would; attachments are left out.
///
/// JSON and dotenv take the first of several YAML documents, as sops does; INI puts them together, and binary refuses.
pub fn emit(document: &Document, format: Format, indent: Indent) -> Result<Zeroizing<Vec<u8>>, EmitError> {
    let branches: Vec<&Branch> = document.roots().iter().map(|root| &root.branch).collect();
    emit_branches(document.source(), &branches, format, indent)
}

/// Writes one value of a document, as `sops decrypt --extract` would.
///
/// Strings are their bytes alone. A map is a document in `format`. Other values are as the format has them: with a line
/// break in YAML, without one in JSON and INI (as JSON), not at all in dotenv and binary.
pub fn emit_value(
    document: &Document,
    node: &Node,
    format: Format,
    indent: Indent,
) -> Result<Zeroizing<Vec<u8>>, EmitError> {
    let source = document.source();
    match node.resolved() {
        Node::Map(branch) => return emit_branches(source, &[branch], format, indent),
        Node::Leaf(leaf) => match &leaf.scalar {
            Scalar::Str(text) => return Ok(Zeroizing::new(text.bytes(source).to_vec())),
            Scalar::Unsupported => return Err(cannot_hold(format, "an integer of more than 63 bits")),
            _ => {}
        },
        Node::Comment(comment) => return Ok(Zeroizing::new(comment.text.bytes(source).to_vec())),
        _ => {}
    }
    let mut budget = MAX_NODES;
    check(node, format, MAX_DEPTH, &mut budget)?;
    match format {
        Format::Yaml => Ok(yaml::value(source, node, Indent::Default)),
        Format::Json => json::value(source, node, indent),
        Format::Ini => json::compact(source, node),
        Format::Dotenv | Format::Binary => Err(cannot_hold(format, "a single value that is not a string")),
    }
}

/// One entry of a YAML map or list as it stands at the start of a line, with its line break.
pub(super) fn yaml_entry(item: &Item, unit: usize) -> Result<Zeroizing<Vec<u8>>, EmitError> {
    check(&item.node, Format::Yaml, MAX_DEPTH, &mut { MAX_NODES })?;
    let branch = Branch { items: vec![item.clone()], ..Branch::default() };
    Ok(match item.key {
        Some(_) => yaml::documents(b"", &[&branch], Indent::Blanks(unit)),
        None => yaml::value(b"", &Node::List(branch), Indent::Blanks(unit)),
    })
}

/// A made value as JSON: on lines of its own, or all on one line.
pub(super) fn json_text(node: &Node, indent: Option<Indent>) -> Result<Zeroizing<Vec<u8>>, EmitError> {
    check(node, Format::Json, MAX_DEPTH, &mut { MAX_NODES })?;
    match indent {
        Some(indent) => json::value(b"", node, indent),
        None => json::compact(b"", node),
    }
}

/// The name of an INI key, in quotes where it needs some.
pub(super) fn ini_name(name: &[u8]) -> Vec<u8> {
    ini::quoted_name(name)
}

fn emit_branches(
    source: &[u8],
    branches: &[&Branch],
    format: Format,
    indent: Indent,
) -> Result<Zeroizing<Vec<u8>>, EmitError> {
    let mut budget = MAX_NODES;
    for item in branches.iter().flat_map(|branch| &branch.items) {
        check(&item.node, format, MAX_DEPTH - 1, &mut budget)?;
    }
    let first = || branches.first().copied().ok_or_else(|| cannot_hold(format, "a file without a document"));
    match format {
        Format::Yaml => Ok(yaml::documents(source, branches, indent)),
        Format::Json => json::document(source, first()?, indent),
        Format::Dotenv => dotenv::document(source, first()?),
        Format::Ini => ini::document(source, branches),
        Format::Binary => binary(source, branches),
    }
}

/// The bytes of the first value named `data`, which must be a string.
fn binary(source: &[u8], branches: &[&Branch]) -> Result<Zeroizing<Vec<u8>>, EmitError> {
    let [branch] = branches else { return Err(cannot_hold(Format::Binary, "more than one document")) };
    let data = branch.items.iter().find(|item| key(item, source) == b"data" && item.key.is_some());
    match data.map(|item| item.node.resolved()) {
        Some(Node::Leaf(leaf)) if let Scalar::Str(text) = &leaf.scalar => {
            Ok(Zeroizing::new(text.bytes(source).to_vec()))
        }
        Some(_) => Err(cannot_hold(Format::Binary, "a `data` that is not a string")),
        None => Err(cannot_hold(Format::Binary, "a document without a value named `data`")),
    }
}

/// Walks a tree as its writer will, and errs where that would not end well.
fn check(node: &Node, format: Format, depth: usize, budget: &mut usize) -> Result<(), EmitError> {
    *budget = budget.checked_sub(1).ok_or(EmitError::TooManyValues(MAX_NODES))?;
    match node.resolved() {
        Node::Map(branch) | Node::List(branch) => {
            let depth = depth.checked_sub(1).ok_or(EmitError::TooDeep(MAX_DEPTH))?;
            branch.items.iter().try_for_each(|item| check(&item.node, format, depth, budget))
        }
        Node::Leaf(leaf) if matches!(leaf.scalar, Scalar::Unsupported) => {
            Err(cannot_hold(format, "an integer of more than 63 bits"))
        }
        _ => Ok(()),
    }
}

fn cannot_hold(format: Format, what: impl Into<String>) -> EmitError {
    EmitError::CannotHold { format, what: what.into() }
}

/// The bytes of an entry's key; empty where it has none.
fn key<'a>(item: &'a Item, source: &'a [u8]) -> &'a [u8] {
    item.key.as_ref().map_or(b"", |key| key.text.bytes(source))
}

/// A key as it may be shown in a message.
fn shown(key: &[u8]) -> String {
    format!("`{}`", String::from_utf8_lossy(key).escape_debug())
}

/// A value as text, for formats that have no types.
///
/// sops drops fractions of a second here; then its own MAC no longer fits.
pub fn untyped<'a>(scalar: &'a Scalar, source: &'a [u8]) -> std::borrow::Cow<'a, [u8]> {
    match scalar {
        Scalar::Str(text) => text.bytes(source).into(),
        Scalar::Null | Scalar::Unsupported => b"<nil>".into(),
        Scalar::Bool(value) => if *value { &b"true"[..] } else { &b"false"[..] }.into(),
        Scalar::Int(value) => value.to_string().into_bytes().into(),
        Scalar::Float(value) => untyped_float(*value).into_bytes().into(),
        Scalar::Time(value) => value.as_bytes().into(),
    }
}

/// Go's `%G`, with a decimal at least.
fn untyped_float(value: f64) -> String {
    if !value.is_finite() {
        return super::number::float_plain(value);
    }
    let text = float_shortest(value, -4, 6).to_uppercase();
    if text.contains(['.', 'E']) { text } else { format!("{text}.0") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::node::{Comment, Key, Leaf, Span, Style, Text};

    fn leaf(scalar: Scalar) -> Node {
        Node::Leaf(Leaf { scalar, span: Span::default(), style: Style::None })
    }

    fn s(text: &str) -> Node {
        leaf(Scalar::Str(Text::owned(text.as_bytes())))
    }

    fn n(value: i64) -> Node {
        leaf(Scalar::Int(value))
    }

    fn f(value: f64) -> Node {
        leaf(Scalar::Float(value))
    }

    fn k(key: &str, node: Node) -> Item {
        Item { key: Some(Key::made(key.as_bytes())), node }
    }

    fn i(node: Node) -> Item {
        Item { key: None, node }
    }

    fn comment(text: &str, inline: bool) -> Item {
        i(Node::Comment(Comment { text: Text::owned(text.as_bytes()), span: Span::default(), inline, lost: false }))
    }

    fn c(text: &str) -> Item {
        comment(text, false)
    }

    fn branch(items: impl IntoIterator<Item = Item>) -> Branch {
        Branch { items: items.into_iter().collect(), ..Branch::default() }
    }

    fn map(items: impl IntoIterator<Item = Item>) -> Node {
        Node::Map(branch(items))
    }

    fn list(items: impl IntoIterator<Item = Item>) -> Node {
        Node::List(branch(items))
    }

    fn document(items: impl IntoIterator<Item = Item>) -> Document {
        Document::from_branches(Format::Yaml, vec![branch(items)])
    }

    fn written(document: &Document, format: Format, indent: Indent) -> String {
        let bytes = emit(document, format, indent).expect("it can be written");
        String::from_utf8(bytes.to_vec()).expect("it is UTF-8")
    }

    fn yaml(items: impl IntoIterator<Item = Item>) -> String {
        written(&document(items), Format::Yaml, Indent::Default)
    }

    fn refused(items: impl IntoIterator<Item = Item>, format: Format) -> String {
        emit(&document(items), format, Indent::Default).expect_err("it cannot be written").to_string()
    }

    #[test]
    fn yaml_is_laid_out_as_sops_does() {
        let items = [
            k("a", n(1)),
            k("m", map([k("b", s("x")), k("e", map([])), k("l", list([]))])),
            k(
                "l",
                list([
                    i(s("x")),
                    i(map([k("k", s("v")), k("k2", map([k("d", s("v"))]))])),
                    i(list([i(s("a")), i(list([i(s("b"))]))])),
                ]),
            ),
            k("last", s("y")),
        ];
        let expected = "a: 1\nm:\n    b: x\n    e: {}\n    l: []\nl:\n    - x\n    - k: v\n      k2:\n        d: v\n    - - a\n      - - b\nlast: \"y\"\n";
        assert_eq!(yaml(items.clone()), expected);
        assert_eq!(
            written(&document(items), Format::Yaml, Indent::Blanks(2)),
            "a: 1\nm:\n  b: x\n  e: {}\n  l: []\nl:\n  - x\n  - k: v\n    k2:\n      d: v\n  - - a\n    - - b\nlast: \"y\"\n"
        );
        assert_eq!(yaml([]), "{}\n");
    }

    #[test]
    fn yaml_comments_stand_where_sops_puts_them() {
        let items = [
            c(" head"),
            comment(" inline", true),
            k("a", s("one")),
            c(" between"),
            k("b", map([c(" inside"), k("c", s("two")), c(" foot of map")])),
            k(
                "l",
                list([
                    c(" before item"),
                    i(s("x")),
                    c(" between items"),
                    comment(" z", true),
                    i(s("y")),
                    c(" foot of list"),
                ]),
            ),
            c(""),
            c("# double"),
            k("z", n(3)),
            comment(" i1", true),
            comment(" i2", true),
            k("t", s("x")),
            c(" foot"),
        ];
        let expected = "\
# head
a: one # inline
# between
b:
    # inside
    c: two
    # foot of map
l:
    # before item
    - x
    # between items
    - \"y\" # z
    # foot of list
#
## double
z: 3
t: x # i1

# i2
# foot
";
        assert_eq!(yaml(items), expected);
    }

    #[test]
    fn yaml_keeps_comments_that_sops_would_lose_or_move() {
        let items = [
            k("l", list([c(" list"), i(map([c(" item"), k("k", s("v")), c(" foot")])), i(n(1))])),
            comment(" a", true),
            k("e", map([c(" only"), comment(" too", true)])),
            comment(" whole", true),
            k("m", map([k("k", n(1))])),
            k("q", list([i(list([c(" deep"), i(list([c(" deeper"), i(n(1))]))]))])),
            c("x\ny: injected\r# z"),
            k("u", n(1)),
        ];
        let expected = "\
l:
    # list
    # item
    - k: v
      # foot
    - 1
# only
# too
e: {} # a
# whole
m:
    k: 1
q:
    # deep
    - # deeper
      - - 1
#x
# y: injected
# z
u: 1
";
        assert_eq!(yaml(items), expected);
        assert_eq!(yaml([c(" only")]), "# only\n{}\n");
    }

    #[test]
    fn yaml_blocks_and_keys_are_as_go_yaml_writes_them() {
        let long = "s".repeat(129);
        let items = [
            comment(" c", true),
            k("b", s("x\ny")),
            k("keep", s("x\n\n")),
            k("l", list([i(s("  a\nb\n")), i(map([k("k", s("x\ny\n")), k("k2", n(1))]))])),
            k("<<", map([k("x", n(1))])),
            k("", n(1)),
            k("1", n(1)),
            k("n", n(1)),
            k("a: b", n(1)),
            k("a\nb", s("v")),
            k("a\nc\n", map([k("x", n(1)), k("z", n(2))])),
            k(&long, list([i(n(1)), i(n(2))])),
        ];
        let expected = format!(
            "\
b: |- # c
    x
    y
keep: |+
    x

l:
    - |2
        a
      b
    - k: |
        x
        y
      k2: 1
!!merge <<:
    x: 1
\"\": 1
\"1\": 1
\"n\": 1
'a: b': 1
? |-
    a
    b
: v
? |
    a
    c
:   x: 1
    z: 2
? {long}
:   - 1
    - 2
"
        );
        assert_eq!(yaml(items), expected);
    }

    #[test]
    fn yaml_documents_have_a_line_between() {
        let branches = vec![
            branch([k("a", n(1)), c(" foot")]),
            branch([c(" x")]),
            branch([k("b", s("a\n\n"))]),
            branch([k("c", n(1))]),
        ];
        let document = Document::from_branches(Format::Yaml, branches);
        let expected = "a: 1\n# foot\n---\n# x\n{}\n---\nb: |+\n    a\n\n---\nc: 1\n";
        assert_eq!(written(&document, Format::Yaml, Indent::Default), expected);
        assert_eq!(written(&document, Format::Json, Indent::Default), "{\n\t\"a\": 1\n}\n");
        assert!(emit(&document, Format::Binary, Indent::Default).is_err());
    }

    #[test]
    fn aliases_are_written_as_copies_up_to_a_limit() {
        use std::sync::Arc;
        let mut node = Arc::new(list([i(n(1)), i(n(1))]));
        let alias = |target: &Arc<Node>| Node::Alias { span: Span::default(), target: Arc::clone(target) };
        assert_eq!(yaml([k("a", alias(&node))]), "a:\n    - 1\n    - 1\n");
        for _ in 0..20 {
            node = Arc::new(list([i(alias(&node)), i(alias(&node))]));
        }
        assert_eq!(refused([k("a", alias(&node))], Format::Yaml), "more than 1000000 values");
        let deep = (0..130).fold(n(1), |inner, _| list([i(inner)]));
        assert_eq!(refused([k("a", deep)], Format::Json), "nested deeper than 128 levels");
        assert_eq!(
            refused([k("a", leaf(Scalar::Unsupported))], Format::Yaml),
            "yaml cannot hold an integer of more than 63 bits"
        );
    }

    #[test]
    fn json_is_as_go_writes_it() {
        let items = [
            c(" gone"),
            k("i", n(5)),
            k("big", f(1e21)),
            k("small", f(1e-7)),
            k("smaller", f(1.5e-12)),
            k("whole", f(1e20)),
            k("zero", f(-0.0)),
            k("t", leaf(Scalar::Time("2024-01-02T03:04:05.5Z".into()))),
            k("null", leaf(Scalar::Null)),
            k("i", leaf(Scalar::Bool(true))),
            k("s", s("<>&\u{2028} \u{8}\u{c}\n\r\t\u{1}\u{7f} é😀\" \\ /")),
            k("m", map([c(" gone"), k("e", map([])), k("l", list([c(" gone")]))])),
            k("l", list([i(n(1)), c(" gone"), i(map([k("a", s("b"))]))])),
        ];
        let expected = "{
\t\"i\": 5,
\t\"big\": 1e+21,
\t\"small\": 1e-7,
\t\"smaller\": 1.5e-12,
\t\"whole\": 100000000000000000000,
\t\"zero\": -0.0,
\t\"t\": \"2024-01-02T03:04:05.5Z\",
\t\"null\": null,
\t\"i\": true,
\t\"s\": \"\\u003c\\u003e\\u0026\\u2028 \\b\\f\\n\\r\\t\\u0001\u{7f} é😀\\\" \\\\ /\",
\t\"m\": {
\t\t\"e\": {},
\t\t\"l\": []
\t},
\t\"l\": [
\t\t1,
\t\t{
\t\t\t\"a\": \"b\"
\t\t}
\t]
}
";
        let document = document(items);
        assert_eq!(written(&document, Format::Json, Indent::Default), expected);
        assert_eq!(written(&document, Format::Json, Indent::Blanks(2)), expected.replace('\t', "  "));
        assert_eq!(written(&document, Format::Json, Indent::Blanks(0)), expected.replace('\t', ""));
        assert_eq!(refused([k("a", f(f64::NAN))], Format::Json), "json cannot hold a number that is infinite or none");
        assert!(refused([k("a", leaf(Scalar::Str(Text::owned([0xff]))))], Format::Json).contains("not UTF-8"));
    }

    #[test]
    fn dotenv_is_flat() {
        let items = [
            c(" c\nB=injected"),
            k("a", f(1.0)),
            k("b", leaf(Scalar::Null)),
            k("c", f(1e6)),
            k("d", f(1e21)),
            k("e", leaf(Scalar::Bool(true))),
            k("f", leaf(Scalar::Time("2024-01-02T03:04:05Z".into()))),
            k("g", s("x\ny=z")),
            k("h", f(f64::INFINITY)),
        ];
        let expected =
            "# c\n#B=injected\na=1.0\nb=<nil>\nc=1E+06\nd=1E+21\ne=true\nf=2024-01-02T03:04:05Z\ng=x\\ny=z\nh=+Inf\n";
        assert_eq!(written(&document(items), Format::Dotenv, Indent::Default), expected);
        assert_eq!(refused([k("m", map([]))], Format::Dotenv), "dotenv cannot hold the map or list `m`");
        assert_eq!(refused([k("a=b", n(1))], Format::Dotenv), "dotenv cannot hold a value named `a=b`");
    }

    #[test]
    fn ini_is_aligned_in_sections() {
        let items = [
            c(" gone"),
            k(
                "S",
                map([
                    c(" sc"),
                    k("a", n(1)),
                    c(" after"),
                    k("bb", s("x;y")),
                    k("k=1", s(" p ")),
                    k("q`", s("a\nb")),
                    k("e", s("")),
                ]),
            ),
            k("T", map([])),
            k("DEFAULT", map([k("a", s("b"))])),
        ];
        let expected = "\
;  sc
[S]
; after
a        = 1
bb       = `x;y`
`k=1`    = \" p \"
\"\"\"q`\"\"\" = \"\"\"a
b\"\"\"
e        = 

[T]

[DEFAULT]
a = b
";
        assert_eq!(written(&document(items), Format::Ini, Indent::Default), expected);
        let plain_default = [k("DEFAULT", map([k("a", s("b"))])), k("S", map([k("c", s("d"))]))];
        assert_eq!(written(&document(plain_default), Format::Ini, Indent::Default), "a = b\n\n[S]\nc = d\n");
        assert_eq!(refused([k("a", n(1))], Format::Ini), "ini cannot hold the value `a` outside of a section");
        assert!(refused([k("S", map([k("m", map([]))]))], Format::Ini).contains("`m`"));
        assert!(refused([k("S", map([k("", n(1))]))], Format::Ini).contains("a key named"));
    }

    #[test]
    fn binary_is_the_value_named_data() {
        let binary = |items: Vec<Item>| emit(&document(items), Format::Binary, Indent::Default);
        let bytes = leaf(Scalar::Str(Text::owned([0xff, 0])));
        assert_eq!(binary(vec![c("x"), k("a", n(1)), k("data", bytes)]).map(|b| b.to_vec()), Ok(vec![0xff, 0]));
        assert!(binary(vec![k("data", n(1))]).is_err());
        assert!(binary(vec![k("a", s("x"))]).is_err());
    }

    #[test]
    fn single_values_are_as_sops_extracts_them() {
        let document = document([]);
        let value = |node: &Node, format| {
            emit_value(&document, node, format, Indent::Default)
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = s("a\nb");
        for format in [Format::Yaml, Format::Json, Format::Dotenv, Format::Ini, Format::Binary] {
            assert_eq!(value(&text, format), Ok("a\nb".into()));
        }
        let items = list([i(n(1)), i(map([k("a", s("b"))])), i(list([i(s("x"))]))]);
        assert_eq!(value(&items, Format::Yaml), Ok("- 1\n- a: b\n- - x\n".into()));
        assert_eq!(
            value(&items, Format::Json),
            Ok("[\n\t1,\n\t{\n\t\t\"a\": \"b\"\n\t},\n\t[\n\t\t\"x\"\n\t]\n]".into())
        );
        assert_eq!(value(&n(5), Format::Yaml), Ok("5\n".into()));
        assert_eq!(value(&n(5), Format::Json), Ok("5".into()));
        assert_eq!(value(&leaf(Scalar::Null), Format::Ini), Ok("null".into()));
        assert!(value(&n(5), Format::Dotenv).is_err());
        assert!(value(&n(5), Format::Binary).is_err());
        let nested = map([k("a", n(1))]);
        assert_eq!(value(&nested, Format::Yaml), Ok("a: 1\n".into()));
        assert_eq!(value(&nested, Format::Json), Ok("{\n\t\"a\": 1\n}\n".into()));
        assert_eq!(value(&nested, Format::Dotenv), Ok("a=1\n".into()));
        assert_eq!(value(&list([]), Format::Yaml), Ok("[]\n".into()));
        assert_eq!(value(&map([]), Format::Yaml), Ok("{}\n".into()));
    }
}
