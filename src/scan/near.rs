//! Finds that belong together: the two halves of a key pair within a few lines.

use super::{Candidate, Confidence, Note, Ruleset};

/// Weighs each candidate by the finds that its rule wants close by: found, both are surer and name each other; a find without one
/// that is required is taken away. `candidates` are those of one text, `bytes`.
pub fn pair(rules: &Ruleset, bytes: &[u8], candidates: &mut Vec<Candidate>) {
    if candidates.iter().all(|candidate| rules.rule(candidate.rule).near.is_empty()) {
        return;
    }
    let mut by_start: Vec<usize> = (0..candidates.len()).collect();
    by_start.sort_by_key(|&at| candidates[at].secret.start);
    let lines = lines(bytes, by_start.iter().map(|&at| candidates[at].secret.start));
    let mut line_of = vec![0; candidates.len()];
    by_start.iter().zip(lines).for_each(|(&at, line)| line_of[at] = line);

    let mut alone = vec![false; candidates.len()];
    let mut pairs = Vec::new();
    for (place, &at) in by_start.iter().enumerate() {
        for near in &rules.rule(candidates[at].rule).near {
            let Some(wanted) = rules.index(&near.rule) else { continue };
            let in_reach = |other: &&usize| line_of[**other].abs_diff(line_of[at]) <= near.lines;
            let is_wanted = |other: &&usize| candidates[**other].rule == wanted;
            let before = by_start[..place].iter().rev().take_while(in_reach).take(MAX_LOOKED_AT).find(is_wanted);
            let behind = by_start[place + 1..].iter().take_while(in_reach).take(MAX_LOOKED_AT).find(is_wanted);
            let away = |other: &usize| candidates[*other].secret.start.abs_diff(candidates[at].secret.start);
            match before.into_iter().chain(behind).min_by_key(|other| away(other)) {
                Some(&other) => pairs.push((at, other)),
                None => alone[at] |= near.required,
            }
        }
    }
    for (one, other) in pairs {
        if !alone[one] && !alone[other] {
            together(rules, candidates, one, other);
            together(rules, candidates, other, one);
        }
    }
    let mut alone = alone.into_iter();
    candidates.retain(|_| !alone.next().unwrap_or_default());
}

/// So many neighbours are looked at in either direction: a text of nothing but finds takes no longer than its length.
const MAX_LOOKED_AT: usize = 64;

/// Says at `one` that it belongs to `other`, which makes it surer unless it is known to be none.
fn together(rules: &Ruleset, candidates: &mut [Candidate], one: usize, other: usize) {
    let note = Note::With(rules.rule(candidates[other].rule).id.clone());
    let candidate = &mut candidates[one];
    if candidate.notes.contains(&note) {
        return;
    }
    candidate.notes.push(note);
    candidate.confidence = match candidate.confidence {
        Confidence::Medium => Confidence::High,
        other => other,
    };
}

/// The line of each of these offsets, which ascend.
fn lines(bytes: &[u8], offsets: impl Iterator<Item = usize>) -> Vec<usize> {
    let (mut line, mut from) = (0, 0);
    let mut count = |offset: usize| {
        let to = offset.min(bytes.len());
        line += memchr::memchr_iter(b'\n', &bytes[from..to]).count();
        from = to;
        line
    };
    offsets.map(&mut count).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{Engine, Rule};
    use super::*;

    const RULES: &str = "
        [[rule]]
        id = 'id'
        title = 'id'
        severity = 'high'
        confidence = 'medium'
        keywords = ['idd']
        pattern = 'idd[0-9]{3}'
        [[rule]]
        id = 'key'
        title = 'key'
        severity = 'high'
        confidence = 'medium'
        keywords = ['key']
        pattern = 'key[0-9]{3}'
        near = [{ rule = 'id', lines = 2, required = true }]";

    fn paired(text: &str) -> Vec<(String, Confidence, usize)> {
        let rules = Ruleset::new(Rule::parse_all(RULES, "test").unwrap()).unwrap();
        let engine = Engine::new(rules, Vec::new()).unwrap();
        let mut found = Vec::new();
        engine.scan(text.as_bytes(), &mut found);
        pair(engine.rules(), text.as_bytes(), &mut found);
        let told = |candidate: &Candidate| {
            (text[candidate.secret.clone()].to_owned(), candidate.confidence, candidate.notes.len())
        };
        found.iter().map(told).collect()
    }

    #[test]
    fn halves_within_the_lines_are_surer_and_name_each_other() {
        let both = [("idd735".to_owned(), Confidence::High, 1), ("key482".to_owned(), Confidence::High, 1)];
        assert_eq!(paired("idd735\n\nkey482\n"), both);
    }

    #[test]
    fn what_is_required_and_too_far_away_takes_the_find_away() {
        assert_eq!(paired("idd735\n\n\nkey482\n"), [("idd735".to_owned(), Confidence::Medium, 0)]);
        assert_eq!(paired("key482\n"), []);
    }

    #[test]
    fn one_id_serves_several_keys() {
        let found = paired("key111\nidd735\nkey482");
        assert_eq!(found.iter().map(|(_, confidence, _)| *confidence).collect::<Vec<_>>(), [Confidence::High; 3]);
    }
}
