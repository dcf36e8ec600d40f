//! The world outside: files, terminal, processes, environment, clock, random.
//!
//! It does what it is told and decides nothing. `main` makes one [`Host`] and hands it down.

pub mod clock;
pub mod defect;
pub mod environment;
pub mod files;
pub mod hardening;
mod leftovers;
pub mod process;
pub mod programs;
pub mod progress;
pub mod random;
pub mod scratch;
pub mod target;
pub mod terminal;
pub mod tree;

pub use environment::{Environment, Variable};
pub use files::{FileError, Problem};
pub use scratch::{OnDisk, Scratch};
pub use target::{Target, Written};
pub use terminal::{Line, Terminal, shown, shown_bytes};

/// What a command may use of the world; files, clock and random need no state and are functions of their modules.
#[derive(Debug)]
pub struct Host {
    /// The variables, as they were when the process began.
    pub environment: Environment,
    /// Standard output and error, and who sits there.
    pub terminal: Terminal,
}

impl Host {
    /// Hardens the process and reads the environment.
    pub fn open() -> Self {
        hardening::harden();
        let environment = Environment::read();
        let terminal = Terminal::new(&environment);
        Self { environment, terminal }
    }
}
