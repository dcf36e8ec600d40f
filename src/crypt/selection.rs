//! Which values of a document are encrypted: by a suffix or a pattern of their keys, or by a comment.
//!
//! A [`SelectionRule`] is what a user wrote or an envelope holds; a [`Selection`] is the same, ready to ask. The walk over a
//! document, which knows what the keys and the active comments of a leaf are, is not here.

use std::fmt;

use super::pattern::{Pattern, PatternError};

/// A selection as it is written, in a creation rule, after a flag or in an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelectionRule {
    /// Encrypted unless some key of the path ends in this.
    UnencryptedSuffix(String),
    /// Encrypted if some key of the path ends in this.
    EncryptedSuffix(String),
    /// Encrypted unless some key of the path matches.
    UnencryptedRegex(String),
    /// Encrypted if some key of the path matches.
    EncryptedRegex(String),
    /// Encrypted unless an active comment matches.
    UnencryptedCommentRegex(String),
    /// Encrypted if an active comment matches.
    EncryptedCommentRegex(String),
}

impl SelectionRule {
    /// The names of the six fields, in the order that [`from_fields`](Self::from_fields) takes them.
    pub const FIELDS: [&str; 6] = [
        "unencrypted_suffix",
        "encrypted_suffix",
        "unencrypted_regex",
        "encrypted_regex",
        "unencrypted_comment_regex",
        "encrypted_comment_regex",
    ];

    /// The rule among six fields, in the order of [`FIELDS`](Self::FIELDS); an empty text counts as absent, as for sops.
    pub fn from_fields(fields: [Option<String>; 6]) -> Result<Option<Self>, TooManySelections> {
        let make: [fn(String) -> Self; 6] = [
            Self::UnencryptedSuffix,
            Self::EncryptedSuffix,
            Self::UnencryptedRegex,
            Self::EncryptedRegex,
            Self::UnencryptedCommentRegex,
            Self::EncryptedCommentRegex,
        ];
        let given = fields.into_iter().zip(make).filter_map(|(field, make)| field.filter(|t| !t.is_empty()).map(make));
        let mut rules: Vec<Self> = given.collect();
        if rules.len() > 1 {
            return Err(TooManySelections(rules.iter().map(Self::field).collect()));
        }
        Ok(rules.pop())
    }

    /// Its field of the envelope and of a creation rule.
    pub fn field(&self) -> &'static str {
        match self {
            Self::UnencryptedSuffix(_) => "unencrypted_suffix",
            Self::EncryptedSuffix(_) => "encrypted_suffix",
            Self::UnencryptedRegex(_) => "unencrypted_regex",
            Self::EncryptedRegex(_) => "encrypted_regex",
            Self::UnencryptedCommentRegex(_) => "unencrypted_comment_regex",
            Self::EncryptedCommentRegex(_) => "encrypted_comment_regex",
        }
    }

    /// The suffix or pattern.
    pub fn text(&self) -> &str {
        match self {
            Self::UnencryptedSuffix(text)
            | Self::EncryptedSuffix(text)
            | Self::UnencryptedRegex(text)
            | Self::EncryptedRegex(text)
            | Self::UnencryptedCommentRegex(text)
            | Self::EncryptedCommentRegex(text) => text,
        }
    }

    /// Whether what it hits is encrypted (`encrypted_*`) rather than left plain (`unencrypted_*`).
    pub fn encrypts_hits(&self) -> bool {
        matches!(self, Self::EncryptedSuffix(_) | Self::EncryptedRegex(_) | Self::EncryptedCommentRegex(_))
    }
}

impl Default for SelectionRule {
    /// What applies where nothing is written: all but keys that end in `_unencrypted`.
    fn default() -> Self {
        Self::UnencryptedSuffix("_unencrypted".into())
    }
}

impl fmt::Display for SelectionRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field(), self.text())
    }
}

/// More than one of the six fields is given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("only one of {} can be used at a time", .0.join(" and "))]
pub struct TooManySelections(pub Vec<&'static str>);

/// A selection that is ready to be asked. The default is that of [`SelectionRule`], a suffix.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    rule: SelectionRule,
    /// None for the suffixes.
    pattern: Option<Pattern>,
}

impl Selection {
    /// Compiles a rule. A pattern that does not compile is an error, where sops would take it for "matches nothing" and leave a
    /// file plain.
    pub fn compile(rule: SelectionRule) -> Result<Self, SelectionError> {
        let pattern = match &rule {
            SelectionRule::UnencryptedSuffix(_) | SelectionRule::EncryptedSuffix(_) => None,
            regex => Some(Pattern::new(regex.text()).map_err(|cause| SelectionError { field: rule.field(), cause })?),
        };
        Ok(Self { rule, pattern })
    }

    /// As it was written.
    pub fn rule(&self) -> &SelectionRule {
        &self.rule
    }

    /// Whether comments decide, rather than keys.
    pub fn is_by_comment(&self) -> bool {
        matches!(self.rule, SelectionRule::UnencryptedCommentRegex(_) | SelectionRule::EncryptedCommentRegex(_))
    }

    /// Whether what it hits is encrypted: a leaf is encrypted when "something hits" equals this.
    pub fn encrypts_hits(&self) -> bool {
        self.rule.encrypts_hits()
    }

    /// Whether one key of a path is hit; never so when comments decide.
    pub fn key_hit(&self, key: &[u8]) -> bool {
        match (&self.rule, &self.pattern) {
            (_, Some(pattern)) => !self.is_by_comment() && pattern.is_match(key),
            (rule, None) => key.ends_with(rule.text().as_bytes()),
        }
    }

    /// Whether one comment (its text without `#`) is hit; never so when keys decide.
    pub fn comment_hit(&self, comment: &[u8]) -> bool {
        self.is_by_comment() && self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(comment))
    }
}

/// A selection whose pattern does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {cause}")]
pub struct SelectionError {
    /// The field it was written in.
    pub field: &'static str,
    /// What is wrong with it.
    pub cause: PatternError,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(rule: SelectionRule) -> Selection {
        Selection::compile(rule).expect("compiles")
    }

    #[test]
    fn default_leaves_keys_with_the_suffix_plain() {
        let selection = Selection::default();
        assert!(selection.key_hit(b"host_unencrypted") && !selection.key_hit(b"unencrypted_host"));
        assert!(!selection.encrypts_hits());
    }

    #[test]
    fn keys_and_comments_are_told_apart() {
        let by_key = selection(SelectionRule::EncryptedRegex("^data$".into()));
        assert!(by_key.key_hit(b"data") && !by_key.key_hit(b"metadata") && !by_key.comment_hit(b"data"));
        let by_comment = selection(SelectionRule::EncryptedCommentRegex("seal:on".into()));
        assert!(by_comment.comment_hit(b" seal:on ") && !by_comment.key_hit(b"seal:on"));
        let suffix = selection(SelectionRule::EncryptedSuffix("_secret".into()));
        assert!(suffix.key_hit(b"db_secret") && suffix.encrypts_hits() && !suffix.comment_hit(b"db_secret"));
    }

    #[test]
    fn at_most_one_of_the_six_fields() {
        let mut fields = [const { None }; 6];
        assert_eq!(SelectionRule::from_fields(fields.clone()), Ok(None));
        fields[0] = Some(String::new());
        fields[3] = Some("^data$".into());
        assert_eq!(
            SelectionRule::from_fields(fields.clone()),
            Ok(Some(SelectionRule::EncryptedRegex("^data$".into())))
        );
        fields[1] = Some("_enc".into());
        let error = SelectionRule::from_fields(fields).expect_err("two");
        assert_eq!(error.to_string(), "only one of encrypted_suffix and encrypted_regex can be used at a time");
    }

    #[test]
    fn fields_are_in_the_order_of_their_names() {
        for (at, name) in SelectionRule::FIELDS.iter().enumerate() {
            let mut fields = [const { None }; 6];
            fields[at] = Some("x".to_owned());
            let rule = SelectionRule::from_fields(fields).expect("one").expect("given");
            assert_eq!((rule.field(), rule.encrypts_hits()), (*name, name.starts_with("encrypted")));
        }
    }

    #[test]
    fn a_pattern_that_does_not_compile_is_an_error() {
        let error = Selection::compile(SelectionRule::EncryptedRegex("(".into())).expect_err("bad");
        assert!(error.to_string().starts_with("encrypted_regex: `(` is not a regular expression"), "{error}");
    }
}
