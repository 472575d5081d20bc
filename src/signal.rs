//! [`Signal`]: a signal number by its POSIX name.

use std::{error, fmt};

/// A signal, named as in POSIX.
///
/// The numbers are those of this platform. Constants for signals that exist on Unix only are those of POSIX. A
/// signal is displayed by its name, and parsed from one by [`parse`](str::parse):
///
/// ```
/// use process_io::Signal;
///
/// assert_eq!(Signal::TERM.to_string(), "SIGTERM");
/// assert_eq!("TERM".parse(), Ok(Signal::TERM));
/// assert_eq!("15".parse(), Ok(Signal::TERM));
/// ```
///
/// # Platform-specific behavior
///
/// Windows has no signals. There [`Signal::KILL`] ends the process; [`Signal::TERM`] is a Ctrl-Break to the child
/// and all that is in its group of the console, and an error where it shares no console with this process or leads
/// no [group](crate::Builder::process_group). Any other is an error.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signal(i32);

impl Signal {
    /// Hangup of the terminal; many daemons reload their configuration.
    pub const HUP: Self = Self(1);
    /// Interrupt, which Ctrl-C sends.
    pub const INT: Self = Self(2);
    /// Quit, which Ctrl-\ sends.
    pub const QUIT: Self = Self(3);
    /// Kill, which cannot be caught or ignored.
    pub const KILL: Self = Self(9);
    /// Terminate, the usual request to end.
    pub const TERM: Self = Self(15);

    /// Creates a signal from its number on this platform, such as `libc::SIGUSR1`.
    ///
    /// The number is not checked. Sending one that is no signal is an error, see
    /// [`Control::signal`](crate::Control::signal).
    ///
    /// ```
    /// use process_io::Signal;
    ///
    /// assert_eq!(Signal::from_raw(15), Signal::TERM);
    /// ```
    pub const fn from_raw(number: i32) -> Self {
        Self(number)
    }

    /// Returns the number on this platform.
    ///
    /// ```
    /// use process_io::Signal;
    ///
    /// assert_eq!(Signal::KILL.as_raw(), 9);
    /// ```
    pub const fn as_raw(self) -> i32 {
        self.0
    }
}

/// Formats the signal as [`Display`](fmt::Display) does, because the numbers differ by platform.
impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The error of a text that is neither the name of a [`Signal`] of this platform nor a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseSignalError(pub(crate) ());

impl fmt::Display for ParseSignalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such signal")
    }
}

impl error::Error for ParseSignalError {}
