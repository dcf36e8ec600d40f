//! How the result of a check looks: a sign and a line.

use super::session::Session;
use crate::host::terminal::{Line, Role};

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// As it should be.
    Good,
    /// To be looked at.
    Warning,
    /// Broken.
    Bad,
}

impl Mark {
    /// As JSON says it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "warning",
            Self::Bad => "failed",
        }
    }

    /// A line that begins with its sign, a word where the terminal has no such signs.
    pub fn line(self, session: &Session, text: &str) -> Line {
        let utf8 = session.terminal().is_utf8();
        let (role, sign) = match (self, utf8) {
            (Self::Good, true) => (Role::Good, "✓"),
            (Self::Good, false) => (Role::Good, "ok  "),
            (Self::Warning, true) => (Role::Warning, "!"),
            (Self::Warning, false) => (Role::Warning, "WARN"),
            (Self::Bad, true) => (Role::Error, "✗"),
            (Self::Bad, false) => (Role::Error, "FAIL"),
        };
        Line::new().part(role, sign).text(format!(" {text}"))
    }
}
