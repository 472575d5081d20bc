//! [`Progress`]: a line that tells how far it is, about once a second.

use std::{
    io::{IsTerminal, Write, stdout},
    time::{Duration, Instant},
};

const PERIOD: Duration = Duration::from_secs(1);

/// In place on a terminal, else line after line.
pub(crate) struct Progress {
    in_place: bool,
    next: Instant,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            in_place: stdout().is_terminal(),
            next: Instant::now() + PERIOD,
        }
    }

    /// Shows the line if it is time for one.
    pub(crate) fn show(&mut self, line: impl FnOnce() -> String) {
        if Instant::now() < self.next {
            return;
        }
        self.next += PERIOD;
        if self.in_place {
            print!("\r{}\x1b[K", line());
            let _ = stdout().flush();
        } else {
            println!("{}", line());
        }
    }
}

impl Drop for Progress {
    /// What comes next has a line of its own.
    fn drop(&mut self) {
        if self.in_place {
            print!("\r\x1b[K");
        }
    }
}
