//! Words of commits and tags: messages by replacement rules, names of tags, and what git's fast-export stream cannot carry.
//!
//! People are in [`mailmap`](super::mailmap), quoted ids in [`quoted_ids`](super::quoted_ids).

use gix::objs::Kind;

use super::adjust::{Adjust, Worded};
use super::header::Words;
use super::objects::ObjectError;
use super::replace::Replacements;

/// Replaces in the messages of commits and tags.
pub struct MessageReplacements(pub Replacements);

impl Adjust for MessageReplacements {
    fn asks_for_all(&self) -> bool {
        !self.0.is_empty()
    }

    fn words(&mut self, _: &Worded<'_>, words: &mut Words<'_>) -> Result<(), ObjectError> {
        if let Some(message) = self.0.apply(words.message()) {
            words.set_message(message);
        }
        Ok(())
    }
}

/// Another beginning for the names of tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagRename {
    /// How names begin that change.
    pub old: Vec<u8>,
    /// How they begin then.
    pub new: Vec<u8>,
}

impl TagRename {
    /// The new name of a tag, without `refs/tags/`; `None` where it stays.
    pub fn name(&self, name: &[u8]) -> Option<Vec<u8>> {
        let rest = name.strip_prefix(&self.old[..])?;
        (self.old != self.new).then(|| [&self.new, rest].concat())
    }
}

impl Adjust for TagRename {
    fn asks_for_all(&self) -> bool {
        self.old != self.new
    }

    fn words(&mut self, of: &Worded<'_>, words: &mut Words<'_>) -> Result<(), ObjectError> {
        if of.kind == Kind::Tag
            && let Some((place, name)) = field(words, b"tag")
            && let Some(new) = self.name(&name)
        {
            words.set_field(place, Some(new));
        }
        Ok(())
    }
}

/// Leaves of commits and tags only what goes through git's fast-export stream, as git-filter-repo does, so that ids are the
/// same: signatures and headers that it does not know go from every commit, and messages become UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plain {
    /// Whether messages keep their encoding, and say which.
    pub keeps_encoding: bool,
}

impl Adjust for Plain {
    fn asks_for_all(&self) -> bool {
        true
    }

    fn words(&mut self, of: &Worded<'_>, words: &mut Words<'_>) -> Result<(), ObjectError> {
        if of.kind == Kind::Tag {
            self.tag(words);
        } else {
            self.commit(words);
        }
        Ok(())
    }
}

impl Plain {
    fn commit(self, words: &mut Words<'_>) {
        let encoding = field(words, b"encoding");
        let utf8 = encoding.as_ref().filter(|_| !self.keeps_encoding);
        let utf8 = utf8.and_then(|(_, encoding)| to_utf8(words.message(), encoding));
        let is_carried = |key: &[u8]| match key {
            b"tree" | b"parent" | b"author" | b"committer" => true,
            b"encoding" => utf8.is_none(),
            _ => false,
        };
        let gone: Vec<usize> = words.fields().filter(|(_, key, _)| !is_carried(key)).map(|(place, ..)| place).collect();
        gone.into_iter().for_each(|place| words.set_field(place, None));
        if let Some(message) = utf8 {
            words.set_message(message);
        }
        self.authors(words);
    }

    /// An author with neither name nor address is the committer.
    fn authors(self, words: &mut Words<'_>) {
        if let (Some((place, author)), Some((_, committer))) = (field(words, b"author"), field(words, b"committer"))
            && author.trim_ascii_start().starts_with(b"<> ")
            && author != committer
        {
            words.set_field(place, Some(committer));
        }
    }

    fn tag(self, words: &mut Words<'_>) {
        const KNOWN: [&[u8]; 4] = [b"object", b"type", b"tag", b"tagger"];
        let gone: Vec<usize> =
            words.fields().filter(|(_, key, _)| !KNOWN.contains(key)).map(|(place, ..)| place).collect();
        gone.into_iter().for_each(|place| words.set_field(place, None));
        if field(words, b"tagger").is_none()
            && let Some((place, name)) = field(words, b"tag")
        {
            // Old tags have none; a line that follows the name stands where it would.
            let nobody = b"\ntagger Unspecified Tagger <unspecified-tagger> 0 +0000";
            words.set_field(place, Some([&name[..], nobody].concat()));
        }
    }
}

/// The first field of a name: its place and its value.
fn field(words: &Words<'_>, name: &[u8]) -> Option<(usize, Vec<u8>)> {
    let found = words.fields().find(|(_, key, _)| *key == name);
    found.map(|(place, _, value)| (place, value.to_vec()))
}

/// A message in UTF-8; `None` where the encoding is not known, or is UTF-8 already and the message says what it is.
fn to_utf8(message: &[u8], encoding: &[u8]) -> Option<Vec<u8>> {
    let name: Vec<u8> =
        encoding.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
    let text: Option<String> = match &name[..] {
        b"utf8" => return std::str::from_utf8(message).is_ok().then(|| message.to_vec()),
        b"iso88591" | b"latin1" | b"l1" => Some(message.iter().copied().map(char::from).collect()),
        b"usascii" | b"ascii" => message.is_ascii().then(|| message.iter().copied().map(char::from).collect()),
        name => {
            let name = std::str::from_utf8(name).ok()?;
            let (_, encoding) = ENCODINGS.iter().find(|(names, _)| names.contains(&name))?;
            let text = encoding.decode_without_bom_handling_and_without_replacement(message)?;
            // The web gives bytes a meaning that Windows leaves without one: control characters of Latin-1.
            let is_control = |char: char| ('\u{80}'..'\u{a0}').contains(&char);
            let has_controls = encoding.name().starts_with("windows") && text.contains(is_control);
            (!has_controls).then(|| text.into_owned())
        }
    };
    text.map(String::into_bytes)
}

/// Encodings by their names in lower case without signs, where what they mean on the web is what they mean to git: in the
/// last ones as far as characters of the standards go, not for those that vendors have added.
const ENCODINGS: [(&[&str], &encoding_rs::Encoding); 25] = [
    (&["iso88592", "latin2", "l2"], encoding_rs::ISO_8859_2),
    (&["iso88593", "latin3", "l3"], encoding_rs::ISO_8859_3),
    (&["iso88594", "latin4", "l4"], encoding_rs::ISO_8859_4),
    (&["iso88595", "cyrillic"], encoding_rs::ISO_8859_5),
    (&["iso88596", "arabic"], encoding_rs::ISO_8859_6),
    (&["iso88597", "greek"], encoding_rs::ISO_8859_7),
    (&["iso88598", "hebrew"], encoding_rs::ISO_8859_8),
    (&["iso885910", "latin6", "l6"], encoding_rs::ISO_8859_10),
    (&["iso885913", "latin7", "l7"], encoding_rs::ISO_8859_13),
    (&["iso885914", "latin8", "l8"], encoding_rs::ISO_8859_14),
    (&["iso885915", "latin9"], encoding_rs::ISO_8859_15),
    (&["iso885916", "latin10", "l10"], encoding_rs::ISO_8859_16),
    (&["koi8r"], encoding_rs::KOI8_R),
    (&["ibm866", "cp866"], encoding_rs::IBM866),
    (&["windows1250", "cp1250"], encoding_rs::WINDOWS_1250),
    (&["windows1251", "cp1251"], encoding_rs::WINDOWS_1251),
    (&["windows1252", "cp1252"], encoding_rs::WINDOWS_1252),
    (&["windows1253", "cp1253"], encoding_rs::WINDOWS_1253),
    (&["windows1254", "cp1254"], encoding_rs::WINDOWS_1254),
    (&["windows1256", "cp1256"], encoding_rs::WINDOWS_1256),
    (&["windows1257", "cp1257"], encoding_rs::WINDOWS_1257),
    (&["gbk", "cp936"], encoding_rs::GBK),
    (&["gb18030"], encoding_rs::GB18030),
    (&["eucjp"], encoding_rs::EUC_JP),
    (&["euckr"], encoding_rs::EUC_KR),
];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use gix::ObjectId;

    use super::super::header::{Header, retarget_tag};
    use super::*;

    /// A commit or tag after `adjust`; nothing where it stays.
    fn adjusted(adjust: &mut dyn Adjust, kind: Kind, bytes: &[u8]) -> Option<Vec<u8>> {
        let header = Header::parse(bytes);
        let mut words = Words::new(&header);
        let id = ObjectId::null(gix::hash::Kind::Sha1);
        adjust.words(&Worded { id, kind, changes: false, known: &|_| None }, &mut words).unwrap();
        // What is around the words is put together as for a tag.
        words.change().then(|| retarget_tag(&words, &id, true))
    }

    #[test]
    fn messages_are_replaced_in_commits_and_tags() {
        let mut rules = MessageReplacements(Replacements::parse(b"key==>***").unwrap());
        assert!(rules.asks_for_all());
        let new = adjusted(&mut rules, Kind::Commit, b"author key <k> 1\n\nthe key\n").unwrap();
        assert_eq!(new, b"author key <k> 1\n\nthe ***\n");
        assert_eq!(adjusted(&mut rules, Kind::Tag, b"tag key\n\nv1\n"), None);
    }

    #[test]
    fn names_of_tags_begin_anew() {
        let mut rename = TagRename { old: b"v".to_vec(), new: b"mod-".to_vec() };
        assert_eq!(rename.name(b"v1"), Some(b"mod-1".to_vec()));
        assert_eq!(rename.name(b"1v"), None);
        let new = adjusted(&mut rename, Kind::Tag, b"type commit\ntag v1\ntagger A <a> 1\n\nv1\n").unwrap();
        assert_eq!(new, b"type commit\ntag mod-1\ntagger A <a> 1\n\nv1\n");
        assert_eq!(adjusted(&mut rename, Kind::Commit, b"tag v1\n\nv1\n"), None);
        assert!(!TagRename { old: b"v".to_vec(), new: b"v".to_vec() }.asks_for_all());
    }

    #[test]
    fn commit_keeps_what_a_stream_carries() {
        let mut plain = Plain { keeps_encoding: false };
        let commit = b"author A <a> 1\ncommitter A <a> 1\ngpgsig x\n y\nencoding ISO-8859-1\nHG:x y\n\ncaf\xe9";
        let new = adjusted(&mut plain, Kind::Commit, commit).unwrap();
        assert_eq!(new, "author A <a> 1\ncommitter A <a> 1\n\ncafé".as_bytes());
        let unknown = b"author A <a> 1\ncommitter A <a> 1\nencoding klingon\n\ncaf\xe9";
        assert_eq!(adjusted(&mut plain, Kind::Commit, unknown), None, "what is not known stays");
        let mut keeping = Plain { keeps_encoding: true };
        let new = adjusted(&mut keeping, Kind::Commit, commit).unwrap();
        assert_eq!(new, b"author A <a> 1\ncommitter A <a> 1\nencoding ISO-8859-1\n\ncaf\xe9");
    }

    #[test]
    fn tag_without_tagger_gets_the_one_that_a_stream_gives_it() {
        let new = adjusted(&mut Plain { keeps_encoding: false }, Kind::Tag, b"type commit\ntag v1\n\nx\n").unwrap();
        let expected = b"type commit\ntag v1\ntagger Unspecified Tagger <unspecified-tagger> 0 +0000\n\nx\n";
        assert_eq!(new, expected);
    }

    #[test]
    fn encodings_that_are_known_become_utf8() {
        assert_eq!(to_utf8(b"\x80\x99", b"cp1252").unwrap(), "€™".as_bytes());
        assert_eq!(to_utf8(b"\x81", b"windows-1252"), None);
        assert_eq!(to_utf8(b"\xa4", b"ISO-8859-15").unwrap(), "€".as_bytes());
        assert_eq!(to_utf8(b"\xff", b"UTF-8"), None);
    }
}
