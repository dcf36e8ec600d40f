//! One more recipient in a creation rule, with every other byte of the `.sops.yaml` as it was.

use super::creation_rule::FLAT;
use super::template::scalar;
use super::{Config, CreationRule};
use crate::crypt::{Kind, Recipient};
use crate::document::{Branch, Document, Edits, Format, Item, Leaf, Node, Scalar, Span, Style};

/// Adds `recipient` to creation rule `number` (from 1) of the config's `text`: to its first key group, where it has groups.
///
/// It joins the list, or the text with commas, in which the recipients of its kind stand. Where there is none, or it stands in a
/// form that cannot be added to (an alias, a map), that is an error and the user has to do it.
pub fn with_recipient(text: &str, number: usize, recipient: &Recipient) -> Result<String, CannotAdd> {
    let document =
        Document::parse(text.as_bytes().to_vec(), Format::Yaml).map_err(|_| CannotAdd("it cannot be read"))?;
    let root = document.roots().first().ok_or(CannotAdd("it is empty"))?;
    let rules = list_in(&document, &root.branch, "creation_rules").ok_or(CannotAdd("its rules are no list"))?;
    let rule =
        number.checked_sub(1).and_then(|index| entries(rules).nth(index)).ok_or(CannotAdd("it has no such rule"))?;
    let Node::Map(mut holder) = rule.node.clone() else { return Err(CannotAdd("the rule is no map of its own")) };
    let mut names = FLAT;
    if let Some(groups) = list_in(&document, &holder, "key_groups") {
        let first = entries(groups).next().ok_or(CannotAdd("its list of key groups is empty"))?;
        let Node::Map(group) = first.node.clone() else {
            return Err(CannotAdd("its first key group is no map of its own"));
        };
        holder = group;
        names = GROUP;
    }
    let name = names.iter().find(|(_, kind)| *kind == recipient.kind()).map_or("", |(name, _)| name);
    let node = field(&document, &holder, name).ok_or(CannotAdd("the rule has no recipients of this kind yet"))?;
    let value = recipient.to_string();

    let mut edits = Edits::new();
    match node {
        Node::Leaf(leaf) => add_behind_comma(&document, leaf, &value, &mut edits)?,
        Node::List(list) => add_to_list(text, list, &value, &mut edits)?,
        _ => return Err(CannotAdd("its recipients are written with an alias")),
    }
    let new = String::from_utf8(edits.apply(text.as_bytes()).to_vec()).map_err(|_| CannotAdd("it is not UTF-8"))?;
    check(text, &new, number, recipient)?;
    Ok(new)
}

/// The recipient cannot be added by machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CannotAdd(&'static str);

/// The lists of a key group that hold texts; those of the other kinds hold maps.
const GROUP: [(&str, Kind); 7] = [
    ("age", Kind::Age),
    ("pgp", Kind::Pgp),
    ("hc_vault", Kind::VaultTransit),
    ("", Kind::AwsKms),
    ("", Kind::GcpKms),
    ("", Kind::HuaweiKms),
    ("", Kind::AzureKeyVault),
];

fn field<'d>(document: &Document, map: &'d Branch, name: &str) -> Option<&'d Node> {
    let is_it = |item: &&Item| item.key.as_ref().is_some_and(|key| document.text(&key.text) == name.as_bytes());
    map.items.iter().find(is_it).map(|item| &item.node)
}

fn list_in<'d>(document: &Document, map: &'d Branch, name: &str) -> Option<&'d Branch> {
    match field(document, map, name)? {
        Node::List(list) => Some(list),
        _ => None,
    }
}

fn entries(list: &Branch) -> impl Iterator<Item = &Item> {
    list.items.iter().filter(|item| !matches!(item.node, Node::Comment(_)))
}

/// `a,b` becomes `a,b,c`, in whatever way it is written.
fn add_behind_comma(document: &Document, leaf: &Leaf, value: &str, edits: &mut Edits) -> Result<(), CannotAdd> {
    let Scalar::Str(text) = &leaf.scalar else { return Err(CannotAdd("its recipients are no text")) };
    if value.contains(|c: char| ",'\"#\\[]{}".contains(c) || c.is_control()) {
        return Err(CannotAdd("it has a sign that cannot stand among commas"));
    }
    let before = String::from_utf8_lossy(document.text(text)).into_owned();
    let comma = if before.trim_end().ends_with(',') || before.trim().is_empty() { "" } else { "," };
    let span = leaf.span.range();
    let content = document.source()[span.clone()].trim_ascii_end().len();
    let (at, text) = match leaf.style {
        // Within brackets a comma begins a new entry.
        Style::PlainFlow if !before.contains('\'') => {
            edits.replace(leaf.span, format!("'{before}{comma}{value}'").as_bytes());
            return Ok(());
        }
        Style::Plain => (span.end, format!("{comma}{value}")),
        Style::Single | Style::SingleFlow | Style::Double | Style::DoubleFlow => {
            (span.end - 1, format!("{comma}{value}"))
        }
        Style::Literal { indent } | Style::Folded { indent } => {
            (span.start + content, format!("{comma}\n{}{value}", " ".repeat(usize::from(indent))))
        }
        _ => return Err(CannotAdd("its recipients are written in an unknown way")),
    };
    edits.replace(Span::new(at, at), text.as_bytes());
    Ok(())
}

fn add_to_list(text: &str, list: &Branch, value: &str, edits: &mut Edits) -> Result<(), CannotAdd> {
    let last = entries(list).last().map(|item| item.node.span());
    let (at, new) = match last {
        _ if list.flow => {
            let at = last.map_or(list.span.start as usize + 1, |span| span.end as usize);
            let value = match scalar(value) {
                // Inside brackets more signs have a meaning.
                plain if plain.contains(|c: char| ",[]{}".contains(c)) && !plain.starts_with('\'') => {
                    format!("'{plain}'")
                }
                quoted => quoted,
            };
            (at, format!("{}{value}", if last.is_some() { ", " } else { "" }))
        }
        None => return Err(CannotAdd("its list of recipients is empty")),
        Some(span) => {
            let start = text[..span.start as usize].rfind('\n').map_or(0, |i| i + 1);
            let margin = text[start..].len() - text[start..].trim_start_matches(' ').len();
            if !text[start + margin..].starts_with("- ") {
                return Err(CannotAdd("its recipients are written in an unknown way"));
            }
            let end = text[span.end as usize..].find('\n').map_or(text.len(), |i| span.end as usize + i);
            // A line break of two bytes ends in the second.
            let (end, line_break) = if text[..end].ends_with('\r') { (end - 1, "\r\n") } else { (end, "\n") };
            (end, format!("{line_break}{}- {}", &text[start..start + margin], scalar(value)))
        }
    };
    edits.replace(Span::new(at, at), new.as_bytes());
    Ok(())
}

/// The new text must say the same as the old one, but for the recipient.
fn check(old: &str, new: &str, number: usize, recipient: &Recipient) -> Result<(), CannotAdd> {
    let failed = CannotAdd("it would not say what is wanted");
    let read = |text| Config::parse(text, "/.sops.yaml").map_err(|_| failed.clone());
    let (old, new) = (read(old)?, read(new)?);
    let groups = |rule: &CreationRule| rule.body().map(|body| body.groups.clone());
    let same = old.creation_rules().len() == new.creation_rules().len()
        && old.creation_rules().iter().zip(new.creation_rules()).all(|(a, b)| {
            let (mut a_groups, b_groups) = match (groups(a), groups(b)) {
                (Ok(a), Ok(b)) => (a, b),
                (a, b) => return a.is_err() && b.is_err() && a.map(|_| ()).ok() == b.map(|_| ()).ok(),
            };
            if a.number == number
                && let Some(first) = a_groups.first_mut()
            {
                let at = b_groups.first().and_then(|group| group.iter().position(|other| other == recipient));
                first.insert(at.unwrap_or_default().min(first.len()), recipient.clone());
            }
            a.path_regex == b.path_regex && a_groups == b_groups
        });
    if same { Ok(()) } else { Err(failed) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn added(text: &str) -> Result<String, CannotAdd> {
        with_recipient(text, 2, &Recipient::Age("age1new".into()))
    }

    #[test]
    fn joins_what_is_there_and_leaves_every_other_byte() {
        let head = "# ours\ncreation_rules:\n- {path_regex: x, age: age1x}\n";
        for (rule, expected) in [
            ("- age: age1a,age1b # two\n", "- age: age1a,age1b,age1new # two\n"),
            ("- age: 'age1a'\n", "- age: 'age1a,age1new'\n"),
            ("- age: \"age1a,\"\n", "- age: \"age1a,age1new\"\n"),
            (
                "- age: >-\n    age1a,\n    age1b\n\n# end\n",
                "- age: >-\n    age1a,\n    age1b,\n    age1new\n\n# end\n",
            ),
            (
                "- age:\n  - age1a # ada\n  # bob\n  - age1b   # b\n",
                "- age:\n  - age1a # ada\n  # bob\n  - age1b   # b\n  - age1new\n",
            ),
            ("- age:\r\n    - age1a\r\n  pgp: A\r\n", "- age:\r\n    - age1a\r\n    - age1new\r\n  pgp: A\r\n"),
            ("- age:\n    - age1a", "- age:\n    - age1a\n    - age1new"),
            ("- age: [age1a , age1b ]\n", "- age: [age1a , age1b, age1new ]\n"),
            ("- {age: age1a, pgp: A}\n", "- {age: 'age1a,age1new', pgp: A}\n"),
            (
                "- key_groups:\n  - pgp: [A]\n    age:\n      - age1a\n  - age: [age1b]\n",
                "- key_groups:\n  - pgp: [A]\n    age:\n      - age1a\n      - age1new\n  - age: [age1b]\n",
            ),
        ] {
            assert_eq!(added(&format!("{head}{rule}")).unwrap(), format!("{head}{expected}"));
        }
    }

    #[test]
    fn what_cannot_be_added_to_is_refused() {
        for rule in [
            "- pgp: A\n",
            "- age: *b\n",
            "- *r\n",
            "- age: []\n  key_groups: [{kms: [{arn: 'arn:aws:kms:r:1:key/a'}]}]\n",
            "- key_groups: [*g]\n",
            "- age:\n",
            "",
        ] {
            let text = format!(
                "b: &b [age1a]\nr: &r {{age: age1a}}\ng: &g {{age: [age1a]}}\ncreation_rules:\n- pgp: B\n{rule}"
            );
            assert!(added(&text).is_err(), "{rule}");
        }
        let age = Recipient::Age("ssh-ed25519 AAAA me, \"you\" #1".into());
        assert!(with_recipient("creation_rules: [{age: age1a}]\n", 1, &age).is_err());
    }

    #[test]
    fn text_with_odd_signs_is_quoted_in_a_list() {
        let recipient = Recipient::Age("ssh-ed25519 AAAA me #1".into());
        let new = with_recipient("creation_rules:\n- age:\n  - age1a\n", 1, &recipient).unwrap();
        assert_eq!(new, "creation_rules:\n- age:\n  - age1a\n  - 'ssh-ed25519 AAAA me #1'\n");
    }
}
