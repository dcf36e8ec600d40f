//! What is found through encodings, where it then stands, and where decoding ends.

#![allow(clippy::unwrap_used)]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::{Decode, Decoder};
use crate::scan::structure::detectors;
use crate::scan::{Candidate, Engine, Layer, Rule, Ruleset, Unscanned};

const TOKEN: &str = "glpat-A1b2C3d4E5f6G7h8I9j0";
const RULES: &str = "[[rule]]\nid = 'token'\ntitle = 'x'\nseverity = 'critical'\nkeywords = ['glpat-']\n\
    pattern = 'glpat-[0-9A-Za-z]{20}'\nedges = 'none'\n\n\
    [[rule]]\nid = 'odd'\ntitle = 'x'\nseverity = 'critical'\nkeywords = ['zz9']\npattern = 'zz9[0-9A-Za-z]{20}'\nedges = 'none'\n\n\
    [[rule]]\nid = 'generic-password'\ntitle = 'x'\nseverity = 'low'\ndetector = 'generic-password'\n";

fn engine(mode: Decode) -> Engine {
    let rules = || Ruleset::new(Rule::parse_all(RULES, "test").unwrap()).unwrap();
    let detectors = detectors(&rules(), 0, mode);
    Engine::new(rules(), detectors).unwrap()
}

fn scan(engine: &Engine, text: &[u8]) -> (Vec<Candidate>, Vec<Unscanned>) {
    let mut found = Vec::new();
    let unscanned = engine.scan(text, &mut found);
    (found, unscanned)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut packed, bytes).unwrap();
    packed.finish().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_token_is_found_through_every_layer_and_at_its_own_bytes() {
    let engine = engine(Decode::Promising);
    for before in ["", "a", "ab", "abc", "some text before it, and a line\n"] {
        let inner = format!("{before}{TOKEN} end");
        let in_base64 = |text: &str| STANDARD.encode(text);
        for (text, layers) in [
            (inner.clone(), &[][..]),
            (in_base64(&inner), &[Layer::Base64]),
            (format!("x: {}\ny: z\n", URL_SAFE_NO_PAD.encode(&inner)), &[Layer::Base64]),
            (hex(inner.as_bytes()), &[Layer::Hex]),
            (hex(inner.as_bytes()).to_uppercase(), &[Layer::Hex]),
            (STANDARD.encode(gzip(inner.as_bytes())), &[Layer::Base64, Layer::Gzip]),
        ] {
            let (found, unscanned) = scan(&engine, text.as_bytes());
            assert_eq!((found.len(), unscanned.len()), (1, 0), "{text}");
            let decoded =
                found[0].decoded.as_ref().map_or(&text.as_bytes()[found[0].secret.clone()], |text| text.expose());
            assert_eq!((decoded, found[0].layers.as_slice()), (TOKEN.as_bytes(), layers), "{text}");
        }
        // The digits that hold the token are the place, not the whole run.
        let text = format!("key={}", in_base64(&inner));
        let place = scan(&engine, text.as_bytes()).0[0].secret.clone();
        assert!(place.len() <= (TOKEN.len() * 4).div_ceil(3) + 2, "{place:?}");
        assert_eq!(place.start, 4 + before.len() * 4 / 3);
    }
}

#[test]
fn what_is_encoded_twice_from_its_start_is_found() {
    let text = format!("a: {}\n", STANDARD.encode(STANDARD.encode(TOKEN)));
    let (found, _) = scan(&engine(Decode::Promising), text.as_bytes());
    assert_eq!((found.len(), found[0].layers.as_slice()), (1, &[Layer::Base64; 2][..]));
}

#[test]
fn strings_in_strings_and_urls() {
    let rules = "[[rule]]\nid = 'docker-auths'\ntitle = 'x'\nseverity = 'high'\ndetector = 'docker-config'\n\
        [[rule]]\nid = 'oauth-basic-url'\ntitle = 'x'\nseverity = 'high'\ndetector = 'url'\n";
    let rules = || Ruleset::new(Rule::parse_all(rules, "test").unwrap()).unwrap();
    let engine = Engine::new(rules(), detectors(&rules(), 0, Decode::Promising)).unwrap();
    for (text, secret, layer) in [
        (
            r#"{"c": "{\"auths\":{\"r\":{\"auth\":\"YWRhOmh1bnRlcjItY2FuYXJ5\"}}}"}"#,
            "YWRhOmh1bnRlcjItY2FuYXJ5",
            Layer::Escapes,
        ),
        (
            r#"<c v="{&quot;auths&quot;:{&quot;r&quot;:{&quot;auth&quot;:&quot;YWRhOmh1bnRlcjItY2FuYXJ5&quot;}}}"/>"#,
            "YWRhOmh1bnRlcjItY2FuYXJ5",
            Layer::Escapes,
        ),
        (r#"{"u":"https:\/\/ada:hunter2-canary@git.corp\/x"}"#, "hunter2-canary", Layer::Escapes),
        ("next=https%3A%2F%2Fada%3Ahunter2-canary%40git.corp%2Fx", "hunter2-canary", Layer::Percent),
        (
            "Content-Transfer-Encoding: quoted-printable\n\nsee https=3A//ada:hunter2-=\ncanary@git.corp",
            "hunter2-=\ncanary",
            Layer::QuotedPrintable,
        ),
    ] {
        let (found, _) = scan(&engine, text.as_bytes());
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!((&text[found[0].secret.clone()], found[0].layers.as_slice()), (secret, &[layer][..]), "{text}");
    }
}

#[test]
fn wrapped_base64_in_a_block_is_one_text() {
    let engine = engine(Decode::Promising);
    let encoded =
        STANDARD.encode(format!("some words before the token that make it long enough to be wrapped {TOKEN} behind"));
    let wrapped: Vec<&str> = encoded.as_bytes().chunks(40).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let text = format!("a:\n  b: |\n    {}\n  c: d\n", wrapped.join("\n    "));
    let (found, _) = scan(&engine, text.as_bytes());
    assert_eq!((found.len(), found[0].decoded.as_ref().unwrap().expose()), (1, TOKEN.as_bytes()));
}

#[test]
fn utf_16_is_read_as_the_text_that_it_is() {
    let engine = engine(Decode::Promising);
    for unit in [u16::to_le_bytes as fn(u16) -> [u8; 2], u16::to_be_bytes] {
        let text: Vec<u8> = "\u{feff}é: ".encode_utf16().chain(TOKEN.encode_utf16()).flat_map(unit).collect();
        let (found, _) = scan(&engine, &text);
        assert_eq!((found.len(), found[0].layers.as_slice()), (1, &[Layer::Utf16][..]));
        assert_eq!(found[0].secret, 8..8 + 2 * TOKEN.len());
    }
}

#[test]
fn every_run_is_decoded_only_where_asked() {
    // No strong prefix: nothing promises that it is worth decoding.
    let text = format!("x={}\n", STANDARD.encode("name: zz9A1b2C3d4E5f6G7h8I9j0"));
    assert!(scan(&engine(Decode::Promising), text.as_bytes()).0.is_empty());
    assert_eq!(scan(&engine(Decode::All), text.as_bytes()).0.len(), 1);
}

#[test]
fn limits_are_said() {
    let engine = engine(Decode::Promising);
    let mut text = TOKEN.to_owned();
    for _ in 0..5 {
        text = STANDARD.encode(&text);
    }
    let (found, unscanned) = scan(&engine, text.as_bytes());
    assert!(found.is_empty() && unscanned.is_empty(), "what no image shows is not looked for");
    let deep = format!("{}\n", STANDARD.encode(TOKEN)).repeat(2_100).replace('\n', " ");
    let (found, unscanned) = scan(&engine, deep.as_bytes());
    assert_eq!((found.len(), unscanned.as_slice()), (2_000, &[Unscanned::TooManyLayers][..]));
    let bomb = STANDARD.encode(gzip(&vec![b'a'; 64 << 20]));
    assert_eq!(scan(&engine, bomb.as_bytes()).1, [Unscanned::TooManyLayers]);
}

#[test]
fn one_layer_more_than_the_limit_is_said_where_it_shows() {
    let rules = || Ruleset::new(Rule::parse_all(RULES, "test").unwrap()).unwrap();
    let engine =
        Engine::new(rules(), vec![Box::new(Decoder::new(&rules(), Decode::Promising))]).unwrap().with_layers(1);
    let text = STANDARD.encode(STANDARD.encode(gzip(TOKEN.as_bytes())));
    let (found, unscanned) = scan(&engine, text.as_bytes());
    assert!(found.is_empty());
    assert_eq!(unscanned, [Unscanned::TooManyLayers]);
}

#[test]
fn a_row_of_keywords_takes_linear_time() {
    let engine = engine(Decode::All);
    let image = &STANDARD.encode("glpat-")[..7];
    for text in [image.repeat(60_000), "%22auth".repeat(60_000), "\\\"auth".repeat(60_000), "H4sI".repeat(100_000)] {
        let start = std::time::Instant::now();
        scan(&engine, text.as_bytes());
        assert!(start.elapsed().as_secs() < 20, "{}", &text[..16]);
    }
}
