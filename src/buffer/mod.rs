//! Where bytes wait between a pipe and its consumer. No I/O, nothing asynchronous.

mod front;
mod head_tail;
mod inbox;
mod newlines;
mod outbox;
mod scan;
mod tail;

pub(crate) use inbox::Inbox;
pub(crate) use newlines::Newlines;
pub(crate) use outbox::Outbox;
pub(crate) use scan::find;
pub(crate) use tail::Tail;
