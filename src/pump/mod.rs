//! The only code that polls pipes.
//!
//! | file | holds |
//! |---|---|
//! | `write` | `Writer`: empties the outbox into stdin |
//! | `read` | `Reader`: fills an inbox from stdout or stderr |
//! | `exit` | `Exit`: watches the process and decides when the run is over |
//! | `driver` | `Driver`: both readers and the exit |
//! | `charge` | `Charge`: what is handed out in small parts is charged to the task's cooperative budget |
//! | `lines` | the lines of either stream, cut where they wait |
//! | `pass` | `Pump`: a driver with, usually, a writer; and how they move together |
//! | `stages` | `Stages`: what the stages of a pipeline have each for itself |
//! | `tee` | `Tee`: what one stage writes for the next, and is copied on the way |
//! | `stop` | `Stop`: a run that is cut short, or shut down |
//! | `receive`, `send`, `copy`, `finish`, `window` | the questions that consumers ask of a `Pump`: is there a piece, is it all sent, is it over, has it been silent. Each makes all the pipes move before it answers "not yet" |
//! | `wakers` | `Wakers`: two tasks that wait on one handle |
//!
//! Every bit of progress is kept here, in the handle, and none in a future.

mod charge;
mod copy;
mod driver;
mod exit;
mod finish;
mod lines;
mod pass;
mod read;
mod receive;
mod send;
mod stages;
mod stop;
mod tee;
mod wakers;
mod window;
mod write;

pub(crate) use driver::Driver;
pub(crate) use pass::{Pump, again, only};
pub(crate) use read::Want;
pub(crate) use wakers::{Role, Wakers};
pub(crate) use window::{after, until};
pub(crate) use write::{Sending, Writer};
