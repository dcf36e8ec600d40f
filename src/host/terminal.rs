//! The only way to standard output and error: escaping, colour, progress, questions.
//!
//! A [`Line`] is made of parts; every part is escaped when it is printed, so that nothing that came from outside can move the
//! cursor, change a title or turn text around. The bytes that a command answers with go out exactly as they are ([`Terminal::answer`]).

use std::fmt::{Display, Write as _};
use std::io::{self, IsTerminal, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anstyle::{AnsiColor, Style};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

pub use crate::report::{Shown, shown, shown_bytes};

use super::environment::{Environment, Variable};
use super::files::in_words;
pub use super::progress::Progress;
use super::progress::{Bar, Show};

/// Standard output and error, and whoever sits there.
#[derive(Debug)]
pub struct Terminal {
    out_colour: bool,
    err_colour: bool,
    err_is_terminal: bool,
    can_ask: bool,
    utf8: bool,
    quiet: bool,
    json_progress: bool,
    width: Option<usize>,
    bar: Option<Bar>,
}

/// What `--color` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colour {
    /// As the environment and the kind of stream say.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Terminal {
    /// Looks at the three standard streams.
    pub fn new(environment: &Environment) -> Self {
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self {
            out_colour: colour(Colour::Auto, out, environment),
            err_colour: colour(Colour::Auto, err, environment),
            err_is_terminal: err,
            can_ask: err && io::stdin().is_terminal(),
            utf8: environment.is_utf8(),
            quiet: false,
            json_progress: false,
            width: environment
                .text(Variable::Columns)
                .and_then(|text| text.parse().ok())
                .filter(|columns| *columns > 0),
            bar: None,
        }
    }

    /// Obeys `--color`.
    pub fn set_colour(&mut self, choice: Colour, environment: &Environment) {
        self.out_colour = colour(choice, io::stdout().is_terminal(), environment);
        self.err_colour = colour(choice, io::stderr().is_terminal(), environment);
    }

    /// Asks nothing from now on (`--no-input`).
    pub fn set_no_input(&mut self) {
        self.can_ask = false;
    }

    /// Takes answers from standard input whatever it is, as a peer does whose scripts pipe them.
    pub fn set_piped_answers(&mut self) {
        self.can_ask = true;
    }

    /// Shows no progress from now on (`--quiet`).
    pub fn set_quiet(&mut self) {
        self.quiet = true;
    }

    /// Shows progress by lines of JSON from now on, whoever sits there.
    pub fn set_json_progress(&mut self) {
        self.json_progress = true;
    }

    /// Whether a question can be asked.
    pub fn can_ask(&self) -> bool {
        self.can_ask
    }

    /// Whether answers are coloured.
    pub fn colours_answers(&self) -> bool {
        self.out_colour
    }

    /// Whether somebody looks at standard output.
    pub fn answers_are_seen(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Writes text of several lines to standard error, which must be safe for a terminal already.
    pub fn note_text(&mut self, text: &[u8]) {
        print_error(&String::from_utf8_lossy(text));
    }

    /// Whether signs beyond ASCII can be shown.
    pub fn is_utf8(&self) -> bool {
        self.utf8
    }

    /// How many characters a line may have; 80 where nobody says.
    pub fn width(&self) -> usize {
        let of_window =
            || rustix::termios::tcgetwinsize(rustix::stdio::stderr()).ok().map(|size| usize::from(size.ws_col));
        self.width.or_else(of_window).filter(|columns| *columns > 0).unwrap_or(80)
    }

    /// Writes the answer to standard output, byte for byte. A closed pipe is an error of kind `BrokenPipe`: end quietly.
    pub fn answer(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()
    }

    /// Writes one line of the answer to standard output.
    pub fn answer_line(&mut self, line: impl Into<Line>) -> io::Result<()> {
        let text = line.into().render(self.out_colour);
        self.answer(text.as_bytes())
    }

    /// Writes one line to standard error: everything that is not the answer. That nobody hears it is no error.
    pub fn note(&mut self, line: impl Into<Line>) {
        let text = line.into().render(self.err_colour);
        match &self.bar {
            Some(bar) => bar.suspend(|| print_error(&text)),
            None => print_error(&text),
        }
    }

    /// Shows that work goes on, `total` steps if known: a bar on a terminal, a line every 10 s elsewhere, nothing when quiet.
    pub fn progress(&mut self, what: &str, total: Option<u64>) -> Progress {
        let what = shown(what).to_string();
        let shown = if self.quiet {
            Show::Not
        } else if self.json_progress {
            Show::AsJson(Instant::now())
        } else if !self.err_is_terminal {
            Show::InLines(Instant::now())
        } else {
            let bar = Bar::begin(what.clone(), total, self.width(), self.utf8);
            self.bar = Some(bar.clone());
            Show::AsBar(bar)
        };
        Progress::new(what, total, shown)
    }

    /// Asks for a line that is not shown while it is typed. `instead` says how to answer without a terminal.
    pub fn ask_secret(&mut self, question: &str, instead: &str) -> Result<Zeroizing<String>, AskError> {
        self.ask_with(question, instead, || {
            let _hidden = HiddenInput::new()?;
            let line = read_line();
            print_error("\n");
            line
        })
    }

    /// Asks for a line.
    pub fn ask(&mut self, question: &str, instead: &str) -> Result<Zeroizing<String>, AskError> {
        self.ask_with(question, instead, read_line)
    }

    /// Asks for yes or no; anything else than yes is no.
    pub fn confirm(&mut self, question: &str, instead: &str) -> Result<bool, AskError> {
        let answer = self.ask(&format!("{question} [y/N]"), instead)?;
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    fn ask_with(
        &mut self,
        question: &str,
        instead: &str,
        read: impl FnOnce() -> io::Result<Option<Zeroizing<String>>>,
    ) -> Result<Zeroizing<String>, AskError> {
        let question = shown(question).to_string();
        if !self.can_ask {
            return Err(AskError::NoTerminal { question, instead: instead.to_owned() });
        }
        let ask = || {
            print_error(&format!("{question} "));
            read()
        };
        let answer = match &self.bar {
            Some(bar) => bar.suspend(ask),
            None => ask(),
        };
        answer.map_err(|error| AskError::Io(in_words(&error)))?.ok_or(AskError::NoAnswer)
    }
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// There is nobody to ask.
    #[error("there is no terminal to ask at: {question}")]
    NoTerminal {
        /// What would have been asked.
        question: String,
        /// How to answer it beforehand; for a hint.
        instead: String,
    },
    /// The input ended.
    #[error("no answer was given")]
    NoAnswer,
    /// The terminal failed.
    #[error("cannot ask at the terminal: {0}")]
    Io(String),
}

/// One line to print, in parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line(Vec<(Role, String)>);

/// What a part of a line is; colour follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Text.
    Plain,
    /// The word `error:`, or a bad state.
    Error,
    /// The word `warning:`.
    Warning,
    /// The word `hint:`.
    Hint,
    /// A good state.
    Good,
    /// A name that matters.
    Strong,
    /// What matters least.
    Faint,
}

impl Line {
    /// An empty line.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds text.
    pub fn text(self, text: impl Display) -> Self {
        self.part(Role::Plain, text)
    }

    /// Adds text in a role.
    pub fn part(mut self, role: Role, text: impl Display) -> Self {
        self.0.push((role, text.to_string()));
        self
    }

    /// The line with its end, escaped.
    fn render(&self, colour: bool) -> String {
        let mut out = String::new();
        for (role, text) in &self.0 {
            let style = if colour { role.style() } else { Style::new() };
            // Writing to a String cannot fail.
            let _ = write!(out, "{style}{}{style:#}", shown(text));
        }
        out.push('\n');
        out
    }
}

impl<T: Into<String>> From<T> for Line {
    fn from(text: T) -> Self {
        Self(vec![(Role::Plain, text.into())])
    }
}

impl Role {
    fn style(self) -> Style {
        let colour = |colour: AnsiColor| colour.on_default();
        match self {
            Self::Plain => Style::new(),
            Self::Error => colour(AnsiColor::Red).bold(),
            Self::Warning => colour(AnsiColor::Yellow).bold(),
            Self::Hint => colour(AnsiColor::Cyan).bold(),
            Self::Good => colour(AnsiColor::Green),
            Self::Strong => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
        }
    }
}

/// Whether a stream gets colour.
fn colour(choice: Colour, is_terminal: bool, environment: &Environment) -> bool {
    let set_and_not_0 = |variable| environment.text(variable).is_some_and(|value| value != "0");
    match choice {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto if environment.value(Variable::NoColor).is_some() => false,
        Colour::Auto if set_and_not_0(Variable::ClicolorForce) || set_and_not_0(Variable::ForceColor) => true,
        Colour::Auto if environment.text(Variable::Clicolor) == Some("0") => false,
        Colour::Auto => is_terminal && environment.text(Variable::Term) != Some("dumb"),
    }
}

pub(super) fn print_error(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Reads one line from standard input, which is a terminal, past all buffers. `None` at its end.
fn read_line() -> io::Result<Option<Zeroizing<String>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_LINE));
    let mut byte = Zeroizing::new([0]);
    while line.len() < MAX_LINE {
        match rustix::io::read(rustix::stdio::stdin(), &mut *byte) {
            Ok(0) if line.is_empty() => return Ok(None),
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) => line.push(byte[0]),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let text = std::str::from_utf8(&line).map_err(|_| io::Error::other("the answer is not UTF-8"))?;
    Ok(Some(Zeroizing::new(text.trim_end_matches('\r').to_owned())))
}

/// The terminal does not show what is typed, until dropped.
struct HiddenInput;

impl HiddenInput {
    fn new() -> io::Result<Self> {
        super::process::watch_signals();
        let before = tcgetattr(rustix::stdio::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        tcsetattr(rustix::stdio::stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self)
    }
}

impl Drop for HiddenInput {
    fn drop(&mut self) {
        show_input();
    }
}

/// Lets the terminal show again what is typed; for the signal handler too.
pub(super) fn show_input() {
    if let Some(before) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &before);
    }
}

/// How the terminal was set while input is hidden.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// What a terminal gives at most as one line.
const MAX_LINE: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_line_is_escaped_and_only_we_colour() {
        let line = Line::new().part(Role::Error, "error:").text(" cannot read \x1b[2Jx\n");
        assert_eq!(line.render(false), "error: cannot read \\x1b[2Jx\\n\n");
        assert_eq!(line.render(true), "\x1b[1m\x1b[31merror:\x1b[0m cannot read \\x1b[2Jx\\n\n");
    }

    #[test]
    fn colour_follows_the_usual_variables() {
        let decide = |choice, is_terminal, set: &[(&str, &str)]| {
            let set: Vec<(String, String)> = set.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
            let lookup = move |name: &str| set.iter().find(|(n, _)| n == name).map(|(_, v)| v.into());
            colour(choice, is_terminal, &Environment::from_lookup(lookup))
        };
        assert!(decide(Colour::Auto, true, &[]) && !decide(Colour::Auto, false, &[]));
        assert!(!decide(Colour::Auto, true, &[("NO_COLOR", "1")]) && decide(Colour::Auto, true, &[("NO_COLOR", "")]));
        assert!(!decide(Colour::Auto, true, &[("TERM", "dumb")]) && !decide(Colour::Auto, true, &[("CLICOLOR", "0")]));
        assert!(
            decide(Colour::Auto, false, &[("FORCE_COLOR", "1")])
                && !decide(Colour::Auto, false, &[("CLICOLOR_FORCE", "0")])
        );
        assert!(
            decide(Colour::Always, false, &[("NO_COLOR", "1")])
                && !decide(Colour::Never, true, &[("FORCE_COLOR", "1")])
        );
    }

    #[test]
    fn a_question_without_a_terminal_says_how_to_answer() {
        let mut terminal = Terminal::new(&Environment::default());
        terminal.set_no_input();
        let expected = AskError::NoTerminal { question: "Passphrase?".into(), instead: "--identity FILE".into() };
        assert_eq!(terminal.ask_secret("Passphrase?", "--identity FILE").map(|_| ()), Err(expected.clone()));
        assert_eq!(expected.to_string(), "there is no terminal to ask at: Passphrase?");
        assert!(terminal.confirm("Sure?", "--yes").is_err());
    }
}
