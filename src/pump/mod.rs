//! The only code that polls pipes.
//!
//! | file | holds |
//! |---|---|
//! | `write` | `Writer`: empties the outbox into stdin |
//! | `read` | `Reader`: fills an inbox from stdout or stderr |
//! | `exit` | `Exit`: watches the process and decides when the run is over |
//! | `driver` | `Driver`: both readers and the exit; `Pump`: a driver with, usually, a writer |
//! | `receive`, `send`, `finish`, `window` | the questions that consumers ask of a `Pump`: is there a piece, is it all sent, is it over, has it been silent. Each makes all the pipes move before it answers "not yet" |
//! | `guard` | `Guard`: lets go of the process, in the end or on drop |
//! | `wakers` | `Wakers`: two tasks that wait on one handle |
//!
//! Every bit of progress is kept here, in the handle, and none in a future.

mod driver;
mod exit;
mod finish;
mod guard;
mod read;
mod receive;
mod send;
mod wakers;
mod window;
mod write;

pub(crate) use driver::{Driver, Pump, again, only};
pub(crate) use guard::Guard;
pub(crate) use read::Want;
pub(crate) use wakers::{Role, Wakers};
pub(crate) use window::{after, until};
pub(crate) use write::Writer;
