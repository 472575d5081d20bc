//! The only code that polls pipes.
//!
//! [`Writer`] empties the outbox into stdin, two [`Reader`]s fill the inboxes, [`Exit`] watches the
//! process and decides when the run is over. [`Driver`] is both readers and the exit; [`Pump`] is a driver
//! with, usually, a writer, and answers the questions that consumers ask: is there a piece, is it all sent,
//! is it over. Each question makes all the pipes move before it answers "not yet".
//!
//! Every bit of progress is kept here, in the handle, and none in a future.

mod driver;
mod exit;
mod guard;
mod read;
mod wakers;
mod window;
mod write;

pub(crate) use driver::{Driver, Pump, again, only};
pub(crate) use guard::Guard;
pub(crate) use read::Want;
pub(crate) use wakers::{Role, Wakers};
pub(crate) use window::{after, until};
pub(crate) use write::Writer;
