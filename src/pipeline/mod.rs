//! Several children, the output of each the input of the next.
//!
//! | file | holds |
//! |---|---|
//! | `stage` | [`Stage`]: a command in it |
//! | `builder` | [`Pipeline`]: what is to be run, and how it is started |
//! | `started` | `Started`: some of its stages run |
//! | `process` | `Stages`: all of them as one process |
//! | `events` | [`StageEvents`]: which stage says what |

mod builder;
mod events;
mod process;
mod stage;
mod started;

pub use builder::Pipeline;
pub use events::StageEvents;
pub use stage::Stage;
