//! The way from the root of a document to one value, as typed and as printed.

use std::fmt;
use std::str::FromStr;

/// One step of a [`KeyPath`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Into a map, by key.
    Key(String),
    /// Into a list, by index from 0.
    Index(usize),
}

/// The way from the root of a document to one of its values.
///
/// Two ways to type it: sops's `["data"]["users"][0]`, and `data.users[0]` with `"…"` around keys that hold
/// dots, blanks, brackets or quotes (`data."tls.crt"`). It prints in the second, which is also what messages use.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct KeyPath(pub Vec<Step>);

/// Why a text is no key path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a key path: {problem}")]
pub struct KeyPathError {
    /// What was typed.
    pub text: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl KeyPath {
    /// Reads sops's own form only, with sops's rules: split at `[`, every part ends in `]`, quotes of either kind, else a number.
    pub fn parse_sops(text: &str) -> Result<Self, KeyPathError> {
        let fail = |problem| KeyPathError { text: text.to_owned(), problem };
        let mut steps = Vec::new();
        if text.is_empty() {
            return Ok(Self(steps));
        }
        let rest = text.strip_prefix('[').ok_or_else(|| fail("it must start with `[`"))?;
        for part in rest.split('[') {
            let inner = part.strip_suffix(']').ok_or_else(|| fail("a part does not end in `]`"))?;
            let quoted = ['"', '\'']
                .iter()
                .find_map(|&q| inner.strip_prefix(q).and_then(|i| i.strip_suffix(q)).filter(|_| inner.len() >= 2));
            steps.push(match quoted {
                Some(key) => Step::Key(key.to_owned()),
                None => Step::Index(inner.parse().map_err(|_| fail("a part is neither a quoted key nor a number"))?),
            });
        }
        Ok(Self(steps))
    }

    fn parse_dotted(text: &str) -> Result<Self, KeyPathError> {
        let fail = |problem| KeyPathError { text: text.to_owned(), problem };
        let mut steps = Vec::new();
        let mut chars = text.chars().peekable();
        loop {
            match chars.peek() {
                Some('[') => {
                    chars.next();
                    let inner: String = chars.by_ref().take_while(|c| *c != ']').collect();
                    steps.push(Step::Index(inner.parse().map_err(|_| fail("an index must be a number"))?));
                }
                Some('"') => {
                    chars.next();
                    let mut key = String::new();
                    loop {
                        match chars.next() {
                            Some('\\') => key.push(chars.next().ok_or_else(|| fail("a quote is not closed"))?),
                            Some('"') => break,
                            Some(c) => key.push(c),
                            None => return Err(fail("a quote is not closed")),
                        }
                    }
                    steps.push(Step::Key(key));
                }
                _ => {
                    let mut key = String::new();
                    while let Some(c) = chars.next_if(|c| *c != '.' && *c != '[') {
                        key.push(c);
                    }
                    if key.is_empty() {
                        return Err(fail("a key is empty; write it as \"\""));
                    }
                    steps.push(Step::Key(key));
                }
            }
            match chars.next() {
                None => return Ok(Self(steps)),
                Some('.') if chars.peek().is_some() => {}
                Some('.') => return Err(fail("it ends in a dot")),
                Some('[') => {
                    let inner: String = chars.by_ref().take_while(|c| *c != ']').collect();
                    steps.push(Step::Index(inner.parse().map_err(|_| fail("an index must be a number"))?));
                    match chars.next_if_eq(&'.') {
                        Some(_) => {}
                        None if chars.peek().is_none() => return Ok(Self(steps)),
                        None if chars.peek() == Some(&'[') => {}
                        None => return Err(fail("an index is followed by neither `.` nor `[`")),
                    }
                }
                Some(_) => return Err(fail("a quoted key is followed by neither `.` nor `[`")),
            }
        }
    }

    /// In sops's form: `["data"]["users"][0]`.
    pub fn to_sops(&self) -> String {
        self.0
            .iter()
            .map(|step| match step {
                Step::Key(key) => format!("[\"{key}\"]"),
                Step::Index(index) => format!("[{index}]"),
            })
            .collect()
    }
}

impl FromStr for KeyPath {
    type Err = KeyPathError;

    fn from_str(text: &str) -> Result<Self, KeyPathError> {
        if text.is_empty() || text.starts_with("[\"") || text.starts_with("['") {
            Self::parse_sops(text)
        } else {
            Self::parse_dotted(text)
        }
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => {
                    if position > 0 {
                        f.write_str(".")?;
                    }
                    let bare = !key.is_empty()
                        && key.chars().all(|c| !c.is_whitespace() && !c.is_control() && !".[]\"'".contains(c));
                    if bare {
                        f.write_str(key)?;
                    } else {
                        write!(f, "\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""))?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: &str) -> Step {
        Step::Key(key.into())
    }

    #[test]
    fn both_forms_name_the_same_value() {
        let path = KeyPath(vec![key("data"), key("tls.crt"), Step::Index(0), key("a")]);
        assert_eq!(r#"["data"]["tls.crt"][0]["a"]"#.parse(), Ok(path.clone()));
        assert_eq!(r#"data."tls.crt"[0].a"#.parse(), Ok(path.clone()));
        assert_eq!(path.to_string(), r#"data."tls.crt"[0].a"#);
        assert_eq!(path.to_sops(), r#"["data"]["tls.crt"][0]["a"]"#);
        assert_eq!("a[0][1]".parse(), Ok(KeyPath(vec![key("a"), Step::Index(0), Step::Index(1)])));
    }

    #[test]
    fn malformed_paths_are_errors() {
        for text in ["[\"a\"", "a..b", "a.", "[\"a\"]x", "a[x]", "\"a", "a[0]b"] {
            assert!(text.parse::<KeyPath>().is_err(), "{text}");
        }
    }
}
