#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(test), deny(clippy::unwrap_used))]
#![deny(clippy::print_stderr, clippy::print_stdout)]

//! Talk to a child process on [tokio]: feed its stdin and read its stdout and stderr at the same time,
//! wait only as long as you choose, and never deadlock, lose a byte, leak a process or grow without bound.
//!
//! It is [PEP 3145], "Asynchronous I/O for subprocess.Popen", for Rust.
//!
//! # The hazards it takes away
//!
//! A pipe holds some 64 KiB. A parent that writes all of the input first, or reads stdout to its end and
//! then stderr, works in every test and hangs on the first large file, each side waiting for the other.
//! A read with a time-out that is dropped half-way loses what it had read. A descendant that keeps the pipe open
//! makes a finished child look unfinished. A child that is dropped lives on, or stays as a zombie. Here
//! none of this can happen, whatever you await and wherever you stop awaiting it.
//!
//! # Ctrl-C
//!
//! One hazard is left by default. A child is in a process group of its own, so a Ctrl-C at the terminal reaches this process alone.
//! If that ends this process, as `SIGINT` does unless it is handled, nothing is dropped, and **the children run on**. The same
//! goes for `SIGTERM`, `SIGKILL` and [`std::process::exit`]. What helps:
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
//! Hold a conversation:
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
//! See everything as it comes:
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
//! Stop it in time: [`timeout`](Builder::timeout), [`deadline`](Builder::deadline),
//! [`inactivity_timeout`](Builder::inactivity_timeout), [`cancel_on`](Builder::cancel_on), or step by step with
//! [`shutdown`](ProcessIo::shutdown).
//!
//! Connect several in the kernel: [`pipe`](Builder::pipe) makes a [`Pipeline`].
//!
//! Read lines, wait for a prompt, speak a protocol: [`lines`](ProcessIo::lines), [`expect`](ProcessIo::expect),
//! [`framed`](ProcessIo::framed).
//!
//! # What holds
//!
//! - **No deadlock.** Whatever you await, all three pipes move. Exceptions are asked for: [`Overflow::Block`], a
//!   stream that is not polled. The [halves](ProcessIo::into_split) of a handle are none.
//! - **No loss.** All that the child wrote before its exit is delivered.
//! - **Bounded memory.** Unread stdout up to 64 MiB, then an error, and what was kept is still there; stderr up to 16 MiB, then the
//!   last of it, and what was omitted is counted. See [`Limits`].
//! - **No hang after exit.** See [`Drain`].
//! - **One deadline.** A time-out covers the input, the run and what comes after the exit, and carries what there was. See
//!   [when to stop](Builder#when-to-stop).
//! - **No orphan, no zombie.** What is dropped, timed out, cancelled or shut down goes with its process group and its live
//!   descendants, and is reaped, always. A child that has exited by itself leaves what it leaves, unless it is to
//!   [kill that too](Builder::kill_leftovers). Out of reach is a daemon: what has left the group and lost its parent.
//! - **No thread, no task, no channel.** Your task does the work. Only a child whose handle is dropped before its
//!   exit is reaped, or [stopped](OnDrop::Shutdown), by a small thread, which ends when there are none; and one, for
//!   10 ms, closes the stdin of a [`SendHalf`] that was dropped while the other half lives.
//!
//! # Cancel safety
//!
//! Progress lives in the handle and not in the future, so every `async fn` of this crate can be dropped at any
//! point, as in `tokio::select!` or a time-out:
//!
//! | future | dropped half-way |
//! |---|---|
//! | [`recv`](ProcessIo::recv), [`recv_timeout`](ProcessIo::recv_timeout), [`recv_for`](ProcessIo::recv_for), [`recv_until_quiet`](ProcessIo::recv_until_quiet), [`exchange`](ProcessIo::exchange) | what came is there for the next call |
//! | [`send`](ProcessIo::send), [`send_line`](ProcessIo::send_line), [`send_timeout`](ProcessIo::send_timeout), [`exchange`](ProcessIo::exchange) | once polled, the message stays queued and is written by the next call; do not send it again |
//! | [`recv_line`](ProcessIo::recv_line), [`Lines`], [`expect`](ProcessIo::expect) | what came, half a line too, is there for the next call |
//! | [`wait`](ProcessIo::wait), [`output`](ProcessIo::output), [`Control::wait`] | call it again |
//! | [`copy_to`](ProcessIo::copy_to), [`splice_to`](ProcessIo::splice_to) | what the writer has not taken stays in the handle |
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
//! | `event`, `limits`, `secrets`, `signal`, `stdio`, `trace`, `report`, `output`, `error` | the vocabulary |
//! | `sys` | what differs by platform, and all that is `unsafe` |
//! | `lines` | a line, and by what rules output is taken apart into lines |
//! | `buffer` | where bytes wait: inbox and outbox |
//! | [`transport`] | the seam between this crate and any child |
//! | `shutdown` | when and how a run is stopped |
//! | `command` | from a `Command` and options to a running child |
//! | `pump` | the only code that polls pipes |
//! | `process_io` | the handle and all the ways to use it |
//! | `consume` | lines, prompts, protocols |
//! | `pipeline` | several children, the output of each the input of the next |
//!
//! # Features
//!
//! - `regex`: `regex::bytes::Regex` as a [`Needle`].
//! - `tracing`: a span for each process, with its pid, its command (without [secrets](Builder::secret)), the bytes that went in
//!   and out, and its exit status.
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
