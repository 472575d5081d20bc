//! Where bytes wait between a pipe and its consumer. No I/O, nothing asynchronous.

mod front;
mod head_tail;
mod inbox;
mod outbox;
mod tail;

pub(crate) use inbox::Inbox;
pub(crate) use outbox::Outbox;
pub(crate) use tail::Tail;
