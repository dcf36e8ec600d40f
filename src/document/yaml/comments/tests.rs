//! Where comments stand, by example; that each stands somewhere is tried on random documents in `tests/seal/comments.rs`.

#![allow(clippy::unwrap_used)]

use granit_parser::{Scanner, StrInput, TokenType};

use super::super::tree::build;
use super::*;

fn parse(source: &str) -> Option<Vec<Root>> {
    build(source).ok()
}

fn show(source: &str, items: &[Item], out: &mut Vec<String>) {
    for item in items {
        let key = item.key.as_ref().map_or_else(String::new, |key| format!("{}:", &source[key.span.range()]));
        let nested = |items: &[Item]| {
            let mut out = Vec::new();
            show(source, items, &mut out);
            out.join(" ")
        };
        out.push(match &item.node {
            Node::Comment(comment) => {
                assert_eq!(comment.text.bytes(source.as_bytes()), &source.as_bytes()[comment.span.range()]);
                let mark = if comment.inline { '!' } else { '#' };
                format!("{}{mark}{}", if comment.lost { "~" } else { "" }, &source[comment.span.range()])
            }
            Node::Map(branch) => format!("{key}{{{}}}", nested(&branch.items)),
            Node::List(branch) => format!("{key}[{}]", nested(&branch.items)),
            _ => format!("{key}."),
        });
    }
}

fn placed(source: &str) -> String {
    let Some(roots) = parse(source) else { return "ERR".into() };
    let shown = roots.iter().map(|root| {
        let mut out = Vec::new();
        show(source, &root.branch.items, &mut out);
        format!("{{{}}}", out.join(" "))
    });
    shown.collect::<Vec<_>>().join(" --- ")
}

fn comments(source: &str) -> Vec<Span> {
    let tokens = Scanner::new(StrInput::new(source)).map_while(Result::ok).map(|token| token.into_parts());
    let comments = tokens.filter(|(_, token)| matches!(token, TokenType::Comment(_)));
    comments.map(|(at, _)| Span::new(at.start.byte_offset().unwrap(), at.end.byte_offset().unwrap())).collect()
}

/// Sources, and what sops 3.13.3 makes of them once they have an attachment: `#` is a comment, `!` an inline one, `~`
/// precedes one that it loses.
fn check(cases: &[(&str, &str)]) {
    for (source, expected) in cases {
        assert_eq!(placed(source), *expected, "{source:?}");
        let (attached, _) = attach_all(source, &parse(source).unwrap());
        assert_eq!(placed(&attached), *expected, "{source:?} with an attachment");
    }
}

#[test]
fn comments_of_maps_stand_where_sops_has_them() {
    check(&[
        ("a: 1 #x\nb: 2\n", "{!x a:. b:.}"),
        ("#x\na: 1\n#y\nb: 2\n", "{#x a:. #y b:.}"),
        ("#x\n\n#y\na: 1\n\n#z\n", "{#x #y a:. #z}"),
        ("a: 1\n#x\n\nb: 2\n", "{a:. #x b:.}"),
        ("a: 1\n\n#x\nb: 2\n", "{a:. #x b:.}"),
        ("a: \"b #c\" #x\n", "{!x a:.}"),
        ("a: b#c\n", "{a:.}"),
        ("a:\n #x\n 1\n", "{#x a:.}"),
        ("a: b\n  c #x\n", "{!x a:.}"),
        ("a: #x\n  b: 1\n", "{#x a:{b:.}}"),
        ("a: #x\n- 1\n", "{#x a:[.]}"),
        ("a:\n  #x\n  b: 1\n", "{a:{#x b:.}}"),
        ("a: #x\n\n  #y\n  b: 1\n", "{#x a:{#y b:.}}"),
        ("a: !!str 1 #x\n", "{!x a:.}"),
        ("a: &b 1 #x\nc: *b #y\n", "{!x a:. !y c:.}"),
        ("a: &b #x\n  c: 1\n", "{a:{#x c:.}}"),
        ("? a #x\n: 1 #y\n", "{#x !y a:.}"),
    ]);
}

#[test]
fn comments_of_lists() {
    check(&[
        ("a:\n  #x\n  - 1 #y\n  #z\n  - 2\n", "{a:[#x !y . #z .]}"),
        ("a:\n- 1 #x\n- 2\n#y\nb: 1\n", "{a:[!x . .] #y b:.}"),
        ("a:\n- 1\n#x\n\nb: 1\n", "{a:[. #x] b:.}"),
        ("a:\n  #x\n  - b: 1\n  #y\n  - b: 2 #z\n", "{a:[#x {b:.} #y {!z b:.}]}"),
        ("a:\n  - #x\n    b: 1\n", "{a:[{#x b:.}]}"),
        ("a:\n  - b: 1\n    #x\n    c: 1\n  #y\n  - 2\n", "{a:[{b:. #x c:.} #y .]}"),
        ("a:\n  - b: 1\n    #x\n  #y\n#z\n", "{a:[{b:. #x}] #y #z}"),
        ("a:\n  - - 1 #x\n    #y\n    - 2\n  #z\n", "{a:[[!x . #y . #z]]}"),
        ("a:\n  #x\n  - [1]\n", "{a:[#x [.]]}"),
        ("a:\n  #x\n  - &b\n    c: 1\n", "{a:[{#x c:.}]}"),
    ]);
}

#[test]
fn comments_behind_the_last_entry_go_by_their_column() {
    check(&[
        ("a:\n  b: 1\n  #x\n#y\n", "{a:{b:. #x} #y}"),
        ("a:\n  b: 1\n  #x\n#y\nc: 1\n", "{a:{b:. #x} #y c:.}"),
        ("a:\n  b: 1\n\n  #x\n\n#y\nc: 1\n", "{a:{b:. #x} #y c:.}"),
        ("a:\n  b: 1\n#x\n\n#y\nc: 1\n", "{a:{b:.} #x #y c:.}"),
        ("a:\n  b:\n    c: 1\n  #x\n  d: 1\n", "{a:{b:{c:.} #x d:.}}"),
        ("a:\n  b:\n    c: 1\n   #x\n  d: 1\n", "{a:{b:{c:. #x} d:.}}"),
        ("a:\n  b:\n    c: 1\n    #x\n  #y\n#z\n", "{a:{b:{c:. #x} #y} #z}"),
        ("a:\n  b: 1\n      #x\n#y\n", "{a:{b:. #x} #y}"),
        ("a: 1\n  #x\nb: 2\n", "{a:. #x b:.}"),
        ("a:\n  b: 1\n #x\nc: 1\n", "{a:{b:. #x} c:.}"),
        ("a:\n  b: 1\n#x", "{a:{b:.} #x}"),
        ("a:\n- 1\n#x", "{a:[.] #x}"),
        ("a:\n- 1\n#x\n\n", "{a:[. #x]}"),
        ("a: [1]\n  #x\n", "{a:[.] #x}"),
        ("a:\n  - b: 1\n   #x\n", "{a:[{b:. #x}]}"),
        (" a:\n   b: 1\n #x\n", "{a:{b:.} #x}"),
    ]);
}

#[test]
fn comments_around_block_scalars() {
    check(&[
        ("a: | #x\n  #text\n#y\nb: 1\n", "{!x a:. #y b:.}"),
        ("a:\n  b: >-\n    text\n  #x\n#y\nc: 1\n", "{a:{b:. #x} #y c:.}"),
        ("a:\n  - |\n    text\n  #x\n  - 1\n", "{a:[. #x .]}"),
        ("a: |\n  text\n\n#x\n\n#y\nb: 1\n", "{a:. #x #y b:.}"),
    ]);
}

#[test]
fn comments_in_flow_collections() {
    check(&[
        ("a: [1, #x\n  2, #y\n  #z\n] #e\n", "{a:[#e !x . !y . #z]}"),
        ("a: {b: 1, #x\n  c: 2} #y\n", "{a:{#y !x b:. c:.}}"),
        ("a: {\n  #x\n  b: 1,\n  #y\n  c: 2\n  #z\n}\n", "{a:{#x b:. #y c:. #z}}"),
        ("a: [b: 1, #x\n  2]\n", "{a:[{!x b:.} .]}"),
        ("{a: 1, #x\n b: 2}\n#y\n", "{!x a:. b:. #y}"),
    ]);
}

#[test]
fn comments_around_document_markers() {
    check(&[
        ("#x\n---\n#y\na: 1\n#z\n---\n#v\nb: 1\n", "{#x #y a:. #z} --- {#v b:.}"),
        ("--- #x\na: 1\n--- #y\nb: 1\n", "{#x a:.} --- {#y b:.}"),
        ("a: 1\n#x\n---\nb: 1\n", "{a:. #x} --- {b:.}"),
        ("a: 1\n...\n#x\n---\nb: 1\n", "{a:.} --- {#x b:.}"),
        ("#x\n---\n---\n#y\na: 1\n", "{#x} --- {#y a:.}"),
        ("%YAML 1.1\n---\n#x\na: 1\n", "{#x a:.}"),
    ]);
}

#[test]
fn comments_around_the_attachment_stay_those_inside_go() {
    check(&[
        ("a: 1\n#x\nsops: #y\n  #z\n  mac: m #v\n  #w\n", "{a:. #x #y ~#w}"),
        ("sops:\n  mac: m\n#x\na: 1 #y\n", "{#x !y a:.}"),
        ("a: 1 #x\nsops:\n  mac: m\n#y\n", "{!x a:. #y}"),
        ("#x\nsops:\n  age:\n  - enc: |\n      #t\n    #v\n\n#y\na: 1\n", "{#x #y ~#v a:.}"),
    ]);
}

#[test]
fn blanks_belong_to_comments_and_line_breaks_do_not() {
    check(&[
        ("a: 1 #x \r\n#y\t\r\nb: 2\r\n", "{!x  a:. #y\t b:.}"),
        ("a:\r\n  b: 1\r\n  #x\r\n#y\r\nc: 1\r\n", "{a:{b:. #x} #y c:.}"),
        ("a: 1\r\n#x\r\n#y\r\nb: 2\r\n", "{a:. #x #y b:.}"),
        ("a:\r\n  - 1\r\n  #x\r\n  - b: 1\r\n", "{a:[. #x {b:.}]}"),
        ("a:\n  - 1\n  #x\n  - b: 1\n", "{a:[. #x {b:.}]}"),
        ("a: 1 #x", "{!x a:.}"),
        ("\u{feff}#x\na: 1 #y\n", "{#x !y a:.}"),
        ("é: ü #x\n", "{!x é:.}"),
        ("a:\n- 1\n#x\nb: 1\n", "{a:[.] #x b:.}"),
        ("a:\r\n- 1\r\n#x\r\nb: 1\r\n", "{a:[. #x] b:.}"),
    ]);
}

#[test]
fn what_sops_loses_goes_into_what_is_around_it() {
    check(&[
        ("a: [ #x\n  1]\n", "{a:[~#x .]}"),
        ("a: [\n  #x\n]\n", "{a:[~#x]}"),
        ("a: {b: [1, { #x\n  c: 1}]} #y\n", "{a:{#y b:[. {~#x c:.}]}}"),
        ("a: { #x\n  b: [ #y\n    1, 2]}\n", "{a:{~#x b:[~#y . .]}}"),
        ("%YAML 1.1 #x\n---\na: 1\n", "{~#x a:.}"),
        ("a: 1\n... #x\n", "{a:. ~#x}"),
        ("a: 1\n... #x\n---\nb: 1\n... #y\n#z\n", "{a:.} --- {#x b:. ~#y ~#z}"),
        ("a: 1\n#x\n...\n#y\n", "{a:. #x #y}"),
        ("a:\n  - 1\n  #x\n  -\n  - 2\n", "{a:[. . #x .]}"),
        ("a: [ #ä\n  é, #ö\n  ü]\n", "{a:[!ö ~#ä . .]}"),
    ]);
    // Here sops sees the comment once an attachment follows.
    assert_eq!(placed("a:\n  - 1\n  #x\n  -\n"), "{a:[. .] #x}");
}

#[test]
fn comment_far_behind_a_quoted_value_is_not_inline() {
    let far = |blanks| placed(&format!("a: '1'{}#x\nb: 2\n", " ".repeat(blanks)));
    assert_eq!(far(511), "{!x a:. b:.}");
    assert_eq!(far(512), "{a:. #x b:.}");
}

#[test]
fn nothing_breaks_where_tree_and_source_do_not_fit() {
    for source in ["#", "[#", "a: [#x", "- #x\n-", "? #x", "a: |#x", "\"#", "}#x", "a: b: #x", "--- #x\n%#"] {
        let mut roots = [Root { branch: Branch::default(), attachment: None, attach_at: 0 }];
        place(source, &comments(source), &mut roots);
        assert_eq!(roots[0].branch.items.len(), comments(source).len(), "{source}");
        place(source, &comments(source), &mut []);
    }
}

#[test]
fn time_grows_with_length_only() {
    // Depth times length would be two thousand million steps here.
    let nested: String = (0..60).map(|depth| format!("{}k:\n", " ".repeat(depth))).collect();
    let comments: String = (0..20_000).map(|i| format!("{}#x\n", " ".repeat(i % 60))).collect();
    let source = format!("{nested}{}v\n{comments}", " ".repeat(60));
    assert_eq!(placed(&source).matches('x').count(), 20_000);
}
