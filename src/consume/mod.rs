//! A child's output as lines, prompts and frames.

mod blocks;
mod bytes;
mod expect;
mod framed;
mod lines;
mod needle;

pub use blocks::LineBlocks;
pub use bytes::ByteStream;
pub use expect::Match;
pub use lines::Lines;
#[cfg(feature = "regex")]
pub use needle::REGEX_WINDOW;
pub use needle::{Eof, Found, Needle};
