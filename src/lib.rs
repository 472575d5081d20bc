#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(test), deny(clippy::unwrap_used))]
#![deny(clippy::print_stderr, clippy::print_stdout)]

//! Send input to a child process on [tokio] and receive its stdout and stderr at the same time,
//! wait only as long as you choose, and never deadlock, lose a byte, leak a process or use unbounded memory.
//!
//! It is [PEP 3145], "Asynchronous I/O for subprocess.Popen", for Rust.
//!
//! # Hazards it removes
//!
//! A pipe holds some 64 KiB. A parent that writes all of the input first, or reads stdout to its end and
//! then stderr, works in every test and hangs on the first large file, each side waiting for the other.
//! A read with a time-out that is dropped before it completes loses what it had read. A descendant that keeps the pipe open
//! makes a child that has exited look as if it still ran. A child whose handle is dropped keeps running, or stays as a zombie. Here
//! none of this can happen, whatever is awaited and wherever a future is dropped.
//!
//! # Ctrl-C
//!
//! One hazard is left by default. A child is in a process group of its own, so a Ctrl-C at the terminal reaches this process alone.
//! If that ends this process, as `SIGINT` does unless it is handled, nothing is dropped, and **the children keep running**. The same
//! applies to `SIGTERM`, `SIGKILL` and [`std::process::exit`]. To prevent it:
//!
//! - [`die_with_parent(true)`](Builder::die_with_parent) kills a child with all its group when this process ends, however it
//!   ends.
//! - A program that handles the signal, as with `tokio::signal::ctrl_c`, and returns from `main`, drops its handles, and
//!   so kills its children.
//! - [`process_group(false)`](Builder::process_group) leaves the child in this process's group, where Ctrl-C reaches it. But then a
//!   kill reaches it and its live descendants, and not those that have lost their parent.
//!
//! On Windows, too, a child is in a console process group of its own, and Ctrl-C does not reach it.
//!
//! # First steps
//!
//! Run a command to its end, with input:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
//! # if cfg!(unix) {
//! use process_io::ProcessIo;
//!
//! let output = ProcessIo::command("sort").input("b\na\n").await?.check()?;
//! assert_eq!(output.stdout, "a\nb\n");
//! # }
//! # Ok(()) }
//! ```
//!
//! Send and receive while it runs:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
//! # if cfg!(unix) {
//! use std::time::Duration;
//! use process_io::{ProcessIo, Recv, Source};
//!
//! let mut sh = ProcessIo::command("sh").spawn()?;
//! sh.send_line("echo $((6 * 7))").await?;
//! let answer = sh.recv_timeout(Source::Stdout, Duration::from_secs(5)).await?;
//! assert_eq!(answer, Recv::Data("42\n".into()));
//! # }
//! # Ok(()) }
//! ```
//!
//! Receive all events as they come:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
//! # if cfg!(unix) {
//! use futures::TryStreamExt;
//! use process_io::{Event, ProcessIo};
//!
//! let mut io = ProcessIo::shell("echo out; echo err >&2; exit 3").spawn()?;
//! while let Some(event) = io.try_next().await? {
//!     match event {
//!         Event::Stdout(bytes) => assert_eq!(bytes, "out\n"),
//!         Event::Stderr(bytes) => assert_eq!(bytes, "err\n"),
//!         Event::Exit(status) => assert_eq!(status.code(), Some(3)),
//!         _ => {} // the end of one stream
//!     }
//! }
//! # }
//! # Ok(()) }
//! ```
//!
//! # What to use
//!
//! | to | use |
//! |---|---|
//! | receive lines | [`recv_line`](ProcessIo::recv_line), [`lines`](ProcessIo::lines), [`line_blocks`](ProcessIo::line_blocks) |
//! | receive bytes | [`recv`](ProcessIo::recv), [`recv_max`](ProcessIo::recv_max), [`recv_exact`](ProcessIo::recv_exact), [`bytes`](ProcessIo::bytes) as a `Stream` |
//! | send and receive at the same time | [`exchange`](ProcessIo::exchange), [`exchange_until_quiet`](ProcessIo::exchange_until_quiet) |
//! | wait for a prompt | [`expect`](ProcessIo::expect) |
//! | use a codec | [`framed`](ProcessIo::framed) |
//! | copy the output to writers | [`copy_to`](ProcessIo::copy_to), [`copy_both_to`](ProcessIo::copy_both_to); while it is also received, [`tee_stdout`](Builder::tee_stdout) |
//! | connect children in the kernel | [`pipe`](Builder::pipe) makes a [`Pipeline`]; [`stage_controls`](ProcessIo::stage_controls) signals its stages |
//! | give a pipe away or close it | [`take_stdout`](ProcessIo::take_stdout), [`close_output`](ProcessIo::close_output) |
//! | know when the child reads no more | [`stdin_closed`](ProcessIo::stdin_closed) |
//! | send and receive in different tasks | [`into_split`](ProcessIo::into_split) |
//! | keep the pipes moving while the handle is not used | [`into_background`](ProcessIo::into_background) |
//! | stop it in time | [`timeout`](Builder::timeout), [`deadline`](Builder::deadline), [`inactivity_timeout`](Builder::inactivity_timeout), [`cancel_on`](Builder::cancel_on) |
//! | stop it step by step | [`shutdown`](ProcessIo::shutdown) |
//!
//! [`ProcessIo`] lists all of its methods by purpose.
//!
//! # Guarantees
//!
//! - **No deadlock.** Whatever is awaited, all three pipes move. The exceptions are chosen by the caller: [`Overflow::Block`], a stream
//!   that is not polled, and a `Sink` or a [`SendHalf`] whose output is not received: there it waits at the limit.
//! - **No loss.** All that the child wrote before its exit is delivered.
//! - **Bounded memory.** Unread stdout is kept up to 64 MiB, then it is an error, and what was kept can still be received; unread
//!   stderr up to 16 MiB, then its last bytes are kept, and what was omitted is counted. See [`Limits`].
//! - **No hang after exit.** See [`Drain`].
//! - **One deadline.** A time-out covers the input, the run and what comes after the exit, and its error contains the output so far. See
//!   [when to stop](Builder#when-to-stop).
//! - **No orphan, no zombie.** A child that is dropped, timed out, cancelled or shut down is killed with its process group and its live
//!   descendants, and is always reaped. Processes that a child has started and that still run when it exits by itself are left
//!   running, unless [`kill_leftovers`](Builder::kill_leftovers) is set. A daemon, which has left the group and lost its parent, is out
//!   of reach.
//! - **No thread, no task, no channel.** The task that awaits does the work. Only a child whose handle is dropped before its
//!   exit is reaped, or [stopped](OnDrop::Shutdown), by a small thread, which ends when there are none; one more thread, for
//!   10 ms, closes the stdin of a [`SendHalf`] that was dropped while the other half is in use; and
//!   [`into_background`](ProcessIo::into_background) spawns a task.
//!
//! # Cancel safety
//!
//! Progress is kept in the handle and not in the future, so every `async fn` of this crate can be dropped at any
//! point, as in `tokio::select!` or a time-out:
//!
//! | future | if it is dropped before it completes |
//! |---|---|
//! | [`recv`](ProcessIo::recv), [`recv_max`](ProcessIo::recv_max), [`recv_exact`](ProcessIo::recv_exact), [`recv_timeout`](ProcessIo::recv_timeout), [`recv_for`](ProcessIo::recv_for), [`recv_until_quiet`](ProcessIo::recv_until_quiet), [`exchange`](ProcessIo::exchange), [`exchange_until_quiet`](ProcessIo::exchange_until_quiet) | what came is there for the next call |
//! | [`send`](ProcessIo::send), [`send_line`](ProcessIo::send_line), [`send_timeout`](ProcessIo::send_timeout), [`exchange`](ProcessIo::exchange), [`exchange_until_quiet`](ProcessIo::exchange_until_quiet) | once polled, the message stays queued and is written by the next call; do not send it again |
//! | [`recv_line`](ProcessIo::recv_line), [`Lines`], [`ByteStream`], [`expect`](ProcessIo::expect) | what came, an incomplete line too, is there for the next call |
//! | [`wait`](ProcessIo::wait), [`output`](ProcessIo::output), [`stdin_closed`](ProcessIo::stdin_closed), [`Control::wait`], [`Background::wait`] | call it again |
//! | [`copy_to`](ProcessIo::copy_to), [`copy_both_to`](ProcessIo::copy_both_to), [`splice_to`](ProcessIo::splice_to) | what the writer has not taken stays in the handle |
//! | [`shutdown`](ProcessIo::shutdown) | the child and its tree are killed at once; nothing of its output is lost |
//! | [`start`](Builder::start) | no child is left |
//! | `Stream`, `Sink` | as those traits say: no item is lost |
//! | `.await` on a [`Builder`], a [`Pipeline`] or a [`ProcessIo`] | the future owns the child, and so kills it |
//! | [`ProcessIOWrapper`] | as `AsyncRead` and `AsyncWrite` say: `read` and `write` lose nothing, `write_all` loses count |
//!
//! # Layout
//!
//! Data flows from top to bottom; a module imports only from those above it.
//!
//! | module | holds |
//! |---|---|
//! | `event`, `limits`, `secrets`, `signal`, `stdio`, `trace`, `report`, `output`, `error` | the types that all others use |
//! | `sys` | what differs by platform, and all `unsafe` code |
//! | `lines` | a line, and how output is split into lines |
//! | `buffer` | the buffers of received and of queued bytes |
//! | [`transport`] | the interface between this crate and a child: pipes and a process |
//! | `shutdown` | when and how a run is stopped |
//! | `command` | from a `Command` and options to a running child |
//! | `pump` | the only code that polls pipes |
//! | `process_io` | the handle and its methods |
//! | `consume` | lines, prompts, codecs |
//! | `pipeline` | several children, the output of each the input of the next |
//!
//! # Features
//!
//! - `regex`: `regex::bytes::Regex` as a [`Needle`].
//! - `tracing`: a span for each process, with its pid, its command (without [secrets](Builder::secret)), the number of bytes written
//!   and read, and its exit status.
//!
//! [PEP 3145]: https://peps.python.org/pep-3145/
//! [tokio]: https://tokio.rs

mod buffer;
mod command;
mod consume;
mod error;
mod event;
mod limits;
mod lines;
mod output;
mod pipeline;
mod process_io;
mod pump;
mod report;
mod secrets;
mod shutdown;
mod signal;
mod stdio;
mod sys;
mod trace;
pub mod transport;

pub use command::Builder;
#[cfg(feature = "regex")]
pub use consume::REGEX_WINDOW;
pub use consume::{ByteStream, Eof, Found, LineBlocks, Lines, Match, Needle};
pub use error::{Error, ErrorKind, Result};
pub use event::{Event, Recv, Source};
pub use limits::{
    DEFAULT_DRAIN_CAP, DEFAULT_DRAIN_IDLE, DEFAULT_PIPE_BUDGET, DEFAULT_STDERR_LIMIT,
    DEFAULT_STDIN_GRACE, DEFAULT_STDOUT_LIMIT, DEFAULT_TERM_GRACE, Drain, Limit, Limits, Overflow,
};
pub use lines::{
    BlockLines, DEFAULT_MAX_LINE_LENGTH, Line, LineBlock, LineEnd, LineOptions, LongLine,
    Terminator,
};
pub use output::{Output, StageOutput, Usage};
pub use pipeline::{Pipeline, Stage, StageEvents};
pub use process_io::{
    Background, Collect, Exchange, ProcessIOWrapper, ProcessIo, ReadSource, Receive, RecvHalf,
    SendHalf, UnsplitError,
};
pub use report::{Report, Step, Taken};
pub use shutdown::{Ladder, OnDrop};
pub use signal::{ParseSignalError, Signal};
pub use stdio::{Input, Redirect};
pub use sys::{BorrowedDescriptor, OwnedDescriptor};
#[doc(no_inline)]
pub use tokio::process::Command;
#[doc(no_inline)]
pub use tokio_util::sync::CancellationToken;
pub use transport::{Control, set_pipe_budget};
