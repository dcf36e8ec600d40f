//! Showing that work goes on: a bar on a terminal, a line now and then elsewhere.
//!
//! Work that is done within a tick shows nothing.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::terminal::print_error;

/// Work that goes on; its trace on the screen is erased on drop.
#[derive(Debug)]
pub struct Progress {
    what: String,
    total: Option<u64>,
    done: u64,
    shown: Show,
}

/// How work is shown.
#[derive(Debug)]
pub(super) enum Show {
    Not,
    /// By lines; the last was printed then.
    InLines(Instant),
    /// By lines of JSON; the last was printed then.
    AsJson(Instant),
    AsBar(Bar),
}

impl Progress {
    /// Work of `total` steps, if known; `what` is safe to print.
    pub(super) fn new(what: String, total: Option<u64>, shown: Show) -> Self {
        Self { what, total, done: 0, shown }
    }

    /// Counts further steps as done.
    pub fn advance(&mut self, steps: u64) {
        self.done += steps;
        match &mut self.shown {
            Show::AsBar(bar) => bar.state().done = self.done,
            Show::InLines(at) if at.elapsed() >= PAUSE => {
                *at = Instant::now();
                let of = self.total.map(|total| format!(" of {total}")).unwrap_or_default();
                print_error(&format!("{} {}{of}\n", self.what, self.done));
            }
            Show::AsJson(at) if at.elapsed() >= TICK => {
                *at = Instant::now();
                self.print_json(false);
            }
            Show::InLines(_) | Show::AsJson(_) | Show::Not => {}
        }
    }

    fn print_json(&self, is_over: bool) {
        let (what, done, total) = (&self.what, self.done, self.total);
        let line = serde_json::json!({"progress": what, "done": done, "total": total, "ended": is_over});
        print_error(&format!("{line}\n"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        match &self.shown {
            Show::AsBar(bar) => bar.end(),
            Show::AsJson(_) => self.print_json(true),
            Show::InLines(_) | Show::Not => {}
        }
    }
}

/// A line on a terminal that is drawn anew with every tick.
#[derive(Debug, Clone)]
pub(super) struct Bar(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug)]
struct State {
    what: String,
    total: Option<u64>,
    done: u64,
    begun: Instant,
    /// How many characters the line may have.
    width: usize,
    utf8: bool,
    ticks: usize,
    is_drawn: bool,
    has_ended: bool,
}

impl Bar {
    pub(super) fn begin(what: String, total: Option<u64>, width: usize, utf8: bool) -> Self {
        let begun = Instant::now();
        let state = State { what, total, done: 0, begun, width, utf8, ticks: 0, is_drawn: false, has_ended: false };
        let bar = Self(Arc::new((Mutex::new(state), Condvar::new())));
        let drawn = bar.clone();
        let draw = move || {
            let mut state = drawn.state();
            while !state.has_ended {
                let woken = drawn.0.1.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner);
                state = woken.0;
                if woken.1.timed_out() && !state.has_ended {
                    state.ticks += 1;
                    state.is_drawn = true;
                    print_error(&format!("\r{}\x1b[K", state.line()));
                }
            }
        };
        // Without the thread there is no bar, and nothing else is lost.
        let _ = std::thread::Builder::new().name("progress".into()).spawn(draw);
        bar
    }

    /// Takes the line away while something else is printed or asked.
    pub(super) fn suspend<T>(&self, act: impl FnOnce() -> T) -> T {
        let mut state = self.state();
        state.erase();
        act()
    }

    fn end(&self) {
        let mut state = self.state();
        state.erase();
        state.has_ended = true;
        self.0.1.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn erase(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            print_error("\r\x1b[K");
        }
    }

    fn line(&self) -> String {
        let signs: [&[char]; 2] = [&['-', '\\', '|', '/'], &['⠋', '⠙', '⠸', '⠴', '⠦', '⠇']];
        let signs = signs[usize::from(self.utf8)];
        let head = format!("{} {}", signs[self.ticks % signs.len()], self.what);
        let Some(total) = self.total.filter(|total| *total > 0) else { return format!("{head} {}", self.done) };
        let left = total.saturating_sub(self.done);
        let seconds = self.begun.elapsed().as_secs().saturating_mul(left).checked_div(self.done);
        let seconds = seconds.map_or_else(String::new, |seconds| format!(" {seconds} s left"));
        let tail = format!("{}/{total}{seconds}", self.done);
        let room = self.width.saturating_sub(head.chars().count() + tail.chars().count() + 3).min(MAX_BAR);
        let full = usize::try_from(room as u64 * self.done.min(total) / total).unwrap_or(room);
        let (done, open) = if self.utf8 { ("█", "░") } else { ("#", "-") };
        format!("{head} {}{} {tail}", done.repeat(full), open.repeat(room - full))
    }
}

/// At most ten times a second, and soon enough that nobody wonders.
const TICK: Duration = Duration::from_millis(150);

/// Between lines where there is no terminal.
const PAUSE: Duration = Duration::from_secs(10);

const MAX_BAR: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    fn state(total: Option<u64>, done: u64, width: usize, utf8: bool) -> State {
        let begun = Instant::now();
        State { what: "files".into(), total, done, begun, width, utf8, ticks: 0, is_drawn: false, has_ended: false }
    }

    #[test]
    fn the_bar_says_how_much_is_done_and_fits_the_line() {
        assert_eq!(state(None, 7, 80, false).line(), "- files 7");
        assert_eq!(state(Some(4), 1, 40, false).line(), "- files ####-------------- 1/4 0 s left");
        assert_eq!(state(Some(4), 0, 22, true).line(), "⠋ files ░░░░░░░░░ 0/4");
        assert_eq!(state(Some(4), 9, 10, false).line(), "- files  9/4 0 s left");
        for done in [0, 1, 999, 1000] {
            assert!(state(Some(1000), done, 80, true).line().chars().count() < 80);
        }
    }

    #[test]
    fn a_bar_that_ended_draws_no_more() {
        let bar = Bar::begin("work".into(), Some(1), 80, false);
        let progress = Progress::new("work".into(), Some(1), Show::AsBar(bar.clone()));
        drop(progress);
        assert!(bar.state().has_ended && !bar.state().is_drawn);
        std::thread::sleep(TICK * 2);
        assert!(!bar.state().is_drawn);
        assert_eq!(bar.suspend(|| 5), 5);
    }
}
