//! The sets under `tests/scan/generic`: credentials in many languages and formats, and beside each file its near misses.
//!
//! In `found`, what has to be found is between `«»` (at medium or above) or `‹›` (at low); nothing else may be at medium or above there, and
//! in `not_found` nothing at all. All values are made up.

use std::ops::Range;
use std::path::Path;

use super::super::judge::{Where, judge};
use super::super::{Confidence, Engine, Ruleset, Specificity};
use super::*;

fn engine() -> Engine {
    let rules = rules();
    let generic = Generic::new(&rules);
    Engine::new(rules, vec![Box::new(generic)]).expect("the built-in rules are sound")
}

/// The rules of this folder alone.
fn rules() -> Ruleset {
    let all = Ruleset::built_in().expect("the built-in rules are sound");
    let generic = all.iter().filter(|(_, rule)| rule.specificity() == Specificity::Generic);
    Ruleset::new(generic.map(|(_, rule)| rule.clone()).collect()).expect("they were sound together")
}

/// What is found in a file of this name.
fn found(engine: &Engine, name: &str, text: &str) -> Vec<(Range<usize>, Confidence)> {
    let mut candidates = Vec::new();
    engine.scan(text.as_bytes(), &mut candidates);
    let place = Where { path: Some(name.into()), bytes: text.as_bytes() };
    let judged = judge(engine.rules(), place, candidates);
    judged.into_iter().map(|candidate| (candidate.secret, candidate.confidence)).collect()
}

/// A text without its marks, and what is between them, with the least confidence.
fn unmarked(marked: &str) -> (String, Vec<(Range<usize>, Confidence)>) {
    let (mut text, mut wanted, mut start) = (String::new(), Vec::new(), 0);
    for character in marked.chars() {
        match character {
            '«' | '‹' => start = text.len(),
            '»' => wanted.push((start..text.len(), Confidence::Medium)),
            '›' => wanted.push((start..text.len(), Confidence::Low)),
            other => text.push(other),
        }
    }
    (text, wanted)
}

fn files(set: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scan/generic").join(set);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the set is there")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).expect("text"))
        })
        .collect();
    files.sort();
    files
}

fn line(text: &str, at: usize) -> &str {
    let start = text[..at].rfind('\n').map_or(0, |line| line + 1);
    text[start..].lines().next().unwrap_or_default()
}

#[test]
fn every_marked_value_is_found_as_it_is_marked_and_nothing_else() {
    let engine = engine();
    let mut wrong = Vec::new();
    let mut count = 0;
    for (name, marked) in files("found") {
        let (text, wanted) = unmarked(&marked);
        let found = found(&engine, &name, &text);
        count += wanted.len();
        for (span, least) in &wanted {
            let confidence = found.iter().find(|(at, _)| at == span).map(|(_, confidence)| *confidence);
            if confidence.is_none_or(|confidence| confidence.min(Confidence::Medium) != *least) {
                wrong.push(format!("{name}: {} is {confidence:?}", line(&text, span.start)));
            }
        }
        let more =
            found.iter().filter(|(at, sure)| *sure >= Confidence::Medium && !wanted.iter().any(|(span, _)| span == at));
        wrong.extend(more.map(|(at, _)| format!("{name}: {} has {}", line(&text, at.start), &text[at.clone()])));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 150, "{count} values");
}

#[test]
fn near_misses_are_not_found() {
    let engine = engine();
    let mut wrong = Vec::new();
    let names: Vec<String> = files("found").into_iter().map(|(name, _)| name).collect();
    for (name, text) in files("not_found") {
        assert!(names.contains(&name), "{name} has no twin");
        let found = found(&engine, &name, &text);
        let sure = found.iter().filter(|(_, confidence)| *confidence >= Confidence::Medium);
        wrong.extend(sure.map(|(at, _)| format!("{name}: {}", line(&text, at.start))));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pieces_and_escapes_are_undone() {
    let engine = engine();
    let of = |text: &str| -> String {
        let mut candidates = Vec::new();
        engine.scan(text.as_bytes(), &mut candidates);
        let [candidate] = candidates.as_slice() else { return format!("{candidates:?}") };
        let bytes =
            candidate.decoded.as_ref().map_or(&text.as_bytes()[candidate.secret.clone()], |decoded| decoded.expose());
        String::from_utf8_lossy(bytes).into_owned()
    };
    assert_eq!(of(r#"password = "kq\"9\\Zx-71""#), r#"kq"9\Zx-71"#);
    assert_eq!(of("password = 'kq9Z' +\n    'x71-pel'"), "kq9Zx71-pel");
    assert_eq!(of("password = \"kq9Z\" \\\n    \"x71-pel\""), "kq9Zx71-pel");
    assert_eq!(of(r#""{\"password\": \"kq9Z-x71\"}""#), "kq9Z-x71");
    assert_eq!(of("password = 'kq9Z' + suffix"), "[]");
}

#[test]
fn finds_depend_on_the_window_only() {
    let engine = engine();
    let generic = Generic::new(engine.rules());
    let Reach::Window(reach) = generic.reach() else { panic!("a window") };
    let whole: String = files("found").iter().map(|(_, marked)| unmarked(marked).0).collect();
    let find = |text: &str| {
        let mut found = Vec::new();
        let mut hits: Vec<Hit> = Vec::new();
        let lower = text.to_ascii_lowercase();
        for (keyword, word) in KEYWORDS.iter().enumerate() {
            hits.extend(lower.match_indices(word).map(|(start, _)| Hit { keyword, start, end: start + word.len() }));
        }
        hits.sort_by_key(|hit| (hit.start, hit.end));
        generic.find(&Text { bytes: text.as_bytes(), depth: 0 }, &hits, &mut found);
        found
    };
    let all = find(&whole);
    assert!(all.len() > 150);
    for candidate in all {
        // The keyword stands between the start of the whole match and its secret.
        let mut from = candidate.whole.start.saturating_sub(reach);
        let mut to = (candidate.whole.start + reach).min(whole.len());
        while !whole.is_char_boundary(from) {
            from += 1;
        }
        while !whole.is_char_boundary(to) {
            to -= 1;
        }
        let again = find(&whole[from..to]);
        let same = |other: &Candidate| {
            other.secret.start + from == candidate.secret.start
                && other.secret.end + from == candidate.secret.end
                && other.confidence == candidate.confidence
        };
        assert!(again.iter().any(same), "{}", line(&whole, candidate.secret.start));
    }
}

#[test]
fn hostile_texts_take_linear_time_and_do_not_panic() {
    let engine = engine();
    let pieces = [
        "key=",
        "password: ",
        "token \"",
        "secret(",
        "auth\\\"",
        "<password ",
        "pass\n",
        "identified by '",
        "apikey\": {",
        "token||",
        "--secret ",
        "key,\"",
        "pwd=[[[(((",
        "key\u{e9}=\"\u{e9}",
        "secret:\r\n\t",
    ];
    for piece in pieces {
        let text = piece.repeat(400_000 / piece.len());
        let begun = std::time::Instant::now();
        engine.scan(text.as_bytes(), &mut Vec::new());
        // Linear work ends in a fraction of a second even when unoptimised; quadratic work would take hours.
        assert!(begun.elapsed().as_secs() < 20, "{piece}");
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_do(bytes: Vec<u8>, around in "(password|token|key|<secret|--auth|identified by)[ =:>\"'({,\\\\|]{0,6}") {
        let text = [&bytes, around.as_bytes(), &bytes, around.as_bytes()].concat();
        let rules = rules();
        let generic = Generic::new(&rules);
        let mut hits = Vec::new();
        for (keyword, word) in KEYWORDS.iter().enumerate() {
            let starts = (0..text.len()).filter(|start| text[*start..].starts_with(word.as_bytes()));
            hits.extend(starts.map(|start| Hit { keyword, start, end: start + word.len() }));
        }
        hits.sort_by_key(|hit| (hit.start, hit.end));
        let mut found = Vec::new();
        generic.find(&Text { bytes: &text, depth: 0 }, &hits, &mut found);
        for candidate in found {
            proptest::prop_assert!(candidate.secret.end <= text.len() && candidate.whole.start <= candidate.secret.start);
        }
    }
}
