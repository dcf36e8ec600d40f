//! Finds on the same bytes: the one that says most of them stays.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{Candidate, Ruleset};

/// Takes away the candidates whose secret overlaps that of a more specific one; among equals the surer stays, then the longer, then
/// the one whose rule comes first. Their order stays.
pub fn most_specific(rules: &Ruleset, candidates: &mut Vec<Candidate>) {
    let mut ranked: Vec<usize> = (0..candidates.len()).collect();
    ranked.sort_by_key(|&at| {
        let candidate = &candidates[at];
        let specificity = rules.rule(candidate.rule).specificity();
        (Reverse((specificity, candidate.confidence, candidate.secret.len())), candidate.rule)
    });
    // End by start of what is kept; these do not overlap each other.
    let mut kept: BTreeMap<usize, usize> = BTreeMap::new();
    let mut stays = vec![false; candidates.len()];
    for at in ranked {
        let secret = &candidates[at].secret;
        let last = kept.range(..secret.end.max(secret.start + 1)).next_back();
        if last.is_none_or(|(_, end)| *end <= secret.start) {
            kept.insert(secret.start, secret.end);
            stays[at] = true;
        }
    }
    let mut stays = stays.into_iter();
    candidates.retain(|_| stays.next().unwrap_or_default());
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{Engine, Rule};
    use super::*;

    #[test]
    fn shape_beats_name_and_both_beat_what_anyone_issues() {
        let rules = "
            [[rule]]
            id = 'shaped'
            provider = 'Acme'
            title = 'A'
            severity = 'high'
            keywords = ['acme_']
            pattern = 'acme_[0-9a-f]{8}'
            [[rule]]
            id = 'named'
            provider = 'Acme'
            title = 'A'
            severity = 'high'
            keywords = ['acme']
            value = '[0-9a-z_]{8,20}'
            [[rule]]
            id = 'typed'
            provider = 'generic'
            title = 'A'
            severity = 'high'
            keywords = ['key']
            pattern = 'key=([0-9a-z_]{8,20})'";
        let engine = Engine::new(Ruleset::new(Rule::parse_all(rules, "test").unwrap()).unwrap(), Vec::new()).unwrap();
        let of = |text: &str| {
            let mut found = Vec::new();
            engine.scan(text.as_bytes(), &mut found);
            most_specific(engine.rules(), &mut found);
            found.iter().map(|found| engine.rules().rule(found.rule).id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(of("acme_key=acme_7f3b9d1c"), ["shaped"]);
        assert_eq!(of("acme_key=q7f3b9d1cz"), ["named"]);
        assert_eq!(of("some_key=q7f3b9d1cz"), ["typed"]);
        assert_eq!(of("acme_key=q7f3b9d1cz, some_key=acme_7f3b9d1c"), ["named", "shaped"]);
    }
}
