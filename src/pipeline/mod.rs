//! Several children, the output of each the input of the next.
//!
//! | file | holds |
//! |---|---|
//! | `builder` | [`Pipeline`] and its [`Stage`]s: what is to be run, and how it is started |
//! | `process` | `Stages`: all of them as one process |
//! | `events` | [`StageEvents`]: which stage says what |

mod builder;
mod events;
mod process;

pub use builder::{Pipeline, Stage};
pub use events::StageEvents;
