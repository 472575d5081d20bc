//! Lines, and how output is split into them. No I/O, nothing asynchronous.

mod block;
mod ends;
mod line;
mod options;
mod splitter;

pub use block::{BlockLines, LineBlock};
pub(crate) use ends::Ends;
pub use line::{Line, LineEnd};
pub use options::{DEFAULT_MAX_LINE_LENGTH, LineOptions, LongLine, Terminator};
pub(crate) use splitter::{Cut, Splitter};
