//! The only code that polls pipes.
//!
//! A [`Pump`] owns all there is to move. Every question that is asked of it ([`poll_recv`], [`poll_sent`], [`poll_wait`], ...)
//! is what is [wanted](Wants) of the streams, and when it is answered; [`drive`] moves everything until it is. Every bit of
//! progress is kept here, in the handle, and none in a future.
//!
//! | file | holds |
//! |---|---|
//! | `turn` | `Turn`: one poll, and when the next has to be |
//! | `write` | `Writer`: empties the outbox into stdin |
//! | `read` | `Reader`: fills an inbox from a stream; `Want`: how far |
//! | `tee` | `Tee`: what one stage writes for the next, and is copied on the way; `Destination`: where a copy goes |
//! | `streams` | `Streams`: all that comes out, and whose turn it is |
//! | `exit` | `Exit`: watches the process and decides when the run is over |
//! | `stop` | `Stop`: whether the run is to end early, and how far that is |
//! | `untold` | `Untold`: what has to be told once |
//! | `state` | `Pump`: all of these, and how each is moved once |
//! | `cut` | what is done to a run that is cut short, or shut down |
//! | `drive` | the loop |
//! | `receive`, `send`, `lines`, `window`, `copy`, `outcome` | the questions |
//! | `charge` | `Charge`: what is handed out in small parts is charged to the task's cooperative budget |
//! | `wakers` | `Wakers`: two tasks that wait on one handle |

mod charge;
mod copy;
mod cut;
mod drive;
mod exit;
mod lines;
mod outcome;
mod read;
mod receive;
mod send;
mod state;
mod stop;
mod streams;
mod tee;
mod turn;
mod untold;
mod wakers;
mod window;
mod write;

pub(crate) use copy::{poll_copied, poll_splice};
pub(crate) use drive::drive;
pub(crate) use lines::{poll_any_line, poll_line, take_plain_line, take_plain_line_of_any};
pub(crate) use outcome::{abort_shutdown, poll_output, poll_over, poll_shutdown, poll_wait};
pub(crate) use read::{Want, Wants};
pub(crate) use receive::{poll_any, poll_event, poll_exact, poll_recv, try_recv};
pub(crate) use send::{
    begin, poll_closed, poll_flush, poll_room, poll_sent, poll_write, push, try_send,
};
pub(crate) use state::Pump;
pub(crate) use turn::{Turn, after};
pub(crate) use wakers::{Role, Wakers};
pub(crate) use window::{poll_quiet, poll_window, until};
pub(crate) use write::{Sending, Writer};
