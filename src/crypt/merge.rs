//! Merging what two envelopes say that came from one: who may read, and which values are encrypted. Values are merged in
//! [`document`](crate::document::merge).

use super::envelope::Envelope;
use super::recipient::{KeyGroup, Recipient};
use super::selection::SelectionRule;

/// What the envelope of a merged file is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Who may read.
    pub groups: Vec<KeyGroup>,
    /// How many groups are needed.
    pub threshold: Option<usize>,
    /// Which values are encrypted.
    pub selection: Option<SelectionRule>,
    /// Whether the MAC is over the encrypted values alone.
    pub mac_only_encrypted: bool,
    /// Readers that the other side added and that were not let in.
    pub refused: Vec<Recipient>,
    /// What both sides changed in different ways; it is as in `kept`.
    pub conflicts: Vec<&'static str>,
}

/// What becomes of readers that the other side added.
///
/// No MAC covers the list of readers: whoever may push a branch can write themselves into it. That is harmless where the data key
/// is the same on both sides and their entry is taken over as it is, which opens the file only for who could open it before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Newcomers {
    /// They may read: both sides have one data key, and what is wrapped for them stands in the other envelope.
    Adopt,
    /// They are left out, and named in [`Terms::refused`]: letting them in would mean to wrap a key that they may not know.
    Refuse,
}

/// Merges the terms of two envelopes. Without a base everybody who stands in only one of them was added there.
///
/// Readers of a single key group are merged one by one: added by either, removed by either. Several groups are taken as a
/// whole.
pub fn merge_terms(base: Option<&Envelope>, kept: &Envelope, other: &Envelope, newcomers: Newcomers) -> Terms {
    let groups = |envelope: &Envelope| -> Vec<KeyGroup> {
        envelope.groups.iter().map(|group| group.iter().map(|key| key.recipient.clone()).collect()).collect()
    };
    let mut conflicts = Vec::new();
    let mut note = |what, agreed: bool| {
        if !agreed {
            conflicts.push(what);
        }
    };
    let mut refused = Vec::new();
    let old = base.map(groups);
    let (ours, theirs) = (groups(kept), groups(other));
    let (groups, threshold) = match (old.as_deref(), ours.as_slice(), theirs.as_slice()) {
        (None | Some([_]), [ours], [theirs]) => {
            let old = old.as_ref().map_or(&[][..], |old| &old[0]);
            let stays = |reader: &&Recipient| theirs.contains(reader) || !old.contains(reader);
            let comes = |reader: &&Recipient| !old.contains(reader) && !ours.contains(reader);
            let mut group: KeyGroup = ours.iter().filter(stays).cloned().collect();
            let new = theirs.iter().filter(comes).cloned();
            match newcomers {
                Newcomers::Adopt => group.extend(new),
                Newcomers::Refuse => refused.extend(new),
            }
            // Somebody must be able to read it.
            note("readers", !group.is_empty());
            (vec![if group.is_empty() { ours.clone() } else { group }], kept.threshold)
        }
        _ => {
            let old = old.map(|old| (old, base.and_then(|base| base.threshold)));
            let same = (ours.clone(), kept.threshold);
            let (chosen, agreed) = pick(old, same.clone(), (theirs, other.threshold));
            let agreed = agreed && (chosen == same || newcomers == Newcomers::Adopt);
            note("readers", agreed);
            if agreed { chosen } else { same }
        }
    };
    let (selection, agreed) =
        pick(base.map(|base| base.selection.clone()), kept.selection.clone(), other.selection.clone());
    note("selection", agreed);
    let (mac_only_encrypted, agreed) =
        pick(base.map(|base| base.mac_only_encrypted), kept.mac_only_encrypted, other.mac_only_encrypted);
    note("mac_only_encrypted", agreed);
    Terms { groups, threshold, selection, mac_only_encrypted, refused, conflicts }
}

fn pick<T: PartialEq>(base: Option<T>, ours: T, theirs: T) -> (T, bool) {
    if base.as_ref() == Some(&ours) {
        (theirs, true)
    } else {
        let agreed = ours == theirs || base.as_ref() == Some(&theirs);
        (ours, agreed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::key_service::WrappedKey;
    use super::*;

    fn envelope(groups: &[&[&str]], selection: Option<&str>) -> Envelope {
        let wrapped = |name: &&str| WrappedKey {
            recipient: Recipient::Age((*name).to_owned()),
            enc: String::new(),
            created_at: None,
        };
        let groups = groups.iter().map(|group| group.iter().map(wrapped).collect()).collect();
        Envelope::new(groups, None, selection.map(|text| SelectionRule::EncryptedRegex(text.to_owned())), false)
    }

    fn names(terms: &Terms) -> Vec<Vec<String>> {
        terms.groups.iter().map(|group| group.iter().map(ToString::to_string).collect()).collect()
    }

    #[test]
    fn readers_come_and_go_as_either_side_says() {
        let base = envelope(&[&["a", "b"]], None);
        let (ours, theirs) = (envelope(&[&["a", "b", "c"]], Some("x")), envelope(&[&["d", "a"]], None));
        let terms = merge_terms(Some(&base), &ours, &theirs, Newcomers::Adopt);
        assert_eq!(names(&terms), [["a", "c", "d"]]);
        assert_eq!(terms.selection, Some(SelectionRule::EncryptedRegex("x".into())));
        assert!(terms.conflicts.is_empty() && terms.refused.is_empty());
        let terms = merge_terms(None, &envelope(&[&["a"]], None), &envelope(&[&["b"]], None), Newcomers::Adopt);
        assert_eq!((names(&terms), terms.conflicts), (vec![vec!["a".to_owned(), "b".to_owned()]], vec![]));
    }

    #[test]
    fn newcomers_are_not_let_in_where_another_key_would_have_to_be_wrapped() {
        let base = envelope(&[&["a", "b"]], None);
        let terms = merge_terms(Some(&base), &base, &envelope(&[&["a", "mallory"]], None), Newcomers::Refuse);
        assert_eq!(
            (names(&terms), terms.refused),
            (vec![vec!["a".to_owned()]], vec![Recipient::Age("mallory".into())])
        );
        let terms = merge_terms(Some(&base), &base, &envelope(&[&["a"], &["mallory"]], None), Newcomers::Refuse);
        assert_eq!((names(&terms), terms.conflicts), (vec![vec!["a".to_owned(), "b".to_owned()]], vec!["readers"]));
    }

    #[test]
    fn what_cannot_be_joined_is_a_conflict() {
        let base = envelope(&[&["a", "b"]], None);
        let merge = |ours: &Envelope, theirs: &Envelope| merge_terms(Some(&base), ours, theirs, Newcomers::Adopt);
        let terms = merge(&envelope(&[&["a"]], Some("x")), &envelope(&[&["b"]], Some("y")));
        assert_eq!((names(&terms), terms.conflicts), (vec![vec!["a".to_owned()]], vec!["readers", "selection"]));
        let ours = envelope(&[&["a"], &["b"]], None);
        assert_eq!(names(&merge(&ours, &base)), [["a"], ["b"]]);
        assert_eq!(merge(&ours, &envelope(&[&["a"], &["c"]], None)).conflicts, ["readers"]);
    }
}
