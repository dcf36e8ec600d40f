//! Did you mean …?

/// The candidate that `word` was probably meant to be: equal but for case and signs, at most two edits away, or the one that begins
/// with it or that it begins with.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let bare = |text: &str| -> Vec<char> {
        text.chars().take(MAX_CHARS).filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let word = bare(word);
    if word.is_empty() {
        return None;
    }
    let distance = |candidate: &str| {
        let candidate = bare(candidate);
        let edits = edits(&word, &candidate);
        let is_prefix =
            word.len().min(candidate.len()) >= 3 && (candidate.starts_with(&word) || word.starts_with(&candidate));
        // Two edits turn any two short words into each other.
        let allowed = if word.len() > 4 { 2 } else { 1 };
        if edits <= allowed { Some(edits) } else { is_prefix.then_some(allowed + 1) }
    };
    let ranked = candidates.into_iter().filter_map(|candidate| Some((distance(candidate)?, candidate)));
    ranked.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
fn edits(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Longer words are compared by their beginning.
const MAX_CHARS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_are_found_and_strangers_are_not() {
        let keys = ["encrypted_regex", "unencrypted_regex", "age", "kms", "hc_vault_transit_uri"];
        assert_eq!(nearest("encrypted-regex", keys), Some("encrypted_regex"));
        assert_eq!(nearest("encryptedRegexp", keys), Some("encrypted_regex"));
        assert_eq!(nearest("unencryptd_regex", keys), Some("unencrypted_regex"));
        assert_eq!(nearest("hc_vault", keys), Some("hc_vault_transit_uri"));
        assert_eq!(nearest("ages", keys), Some("age"));
        assert_eq!(nearest("pgp", keys), None);
        assert_eq!(nearest("zebra", keys), None);
        assert_eq!(nearest("-", keys), None);
    }
}
