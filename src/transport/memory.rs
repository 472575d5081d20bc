//! A child in memory, for tests and doctests without a process.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
//! use process_io::{ProcessIo, Source, transport::memory};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! let (parts, mut child) = memory::child();
//! let mut io = ProcessIo::from_parts(parts);
//!
//! io.send("ping\n").await?;
//! let mut heard = [0; 5];
//! child.stdin.read_exact(&mut heard).await?;
//! child.stdout.write_all(b"pong\n").await?;
//! assert_eq!(io.recv(Source::Stdout).await?.data().unwrap(), "pong\n");
//!
//! child.exit(3);
//! assert_eq!(io.wait().await?.code(), Some(3));
//! # Ok(()) }
//! ```

use std::{io, process::ExitStatus, sync::Arc};

use futures::{FutureExt, future::BoxFuture};
use tokio::sync::watch;
use tokio_util::io::simplex::{self, Receiver, Sender};

use super::{Parts, Process, exit_status};
use crate::signal::Signal;

/// Capacity of each of the three pipes in bytes: 64 KiB, as on Linux.
pub const PIPE_CAPACITY: usize = 64 << 10;

/// The child's side of a child in memory.
///
/// The test decides what it does. Dropping it exits with code 0.
#[derive(Debug)]
pub struct Child {
    /// Reads what was sent to the child.
    pub stdin: Receiver,
    /// Writes the child's standard output.
    pub stdout: Sender,
    /// Writes the child's standard error.
    pub stderr: Sender,
    state: watch::Sender<State>,
}

#[derive(Debug, Default)]
struct State {
    signals: Vec<Signal>,
    exit: Option<ExitStatus>,
}

/// Creates a child in memory, and the [`Parts`] to drive it with.
///
/// See the [module](self) for an example.
pub fn child() -> (Parts, Child) {
    let (stdin, child_stdin) = simplex::new(PIPE_CAPACITY);
    let (child_stdout, stdout) = simplex::new(PIPE_CAPACITY);
    let (child_stderr, stderr) = simplex::new(PIPE_CAPACITY);
    let state = watch::Sender::default();
    let parts = Parts::new(Memory(state.clone()))
        .stdin(stdin)
        .stdout(stdout)
        .stderr(stderr);
    let child = Child {
        stdin: child_stdin,
        stdout: child_stdout,
        stderr: child_stderr,
        state,
    };
    (parts, child)
}

impl Child {
    /// Exits with `code`, closing both outputs.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// use process_io::{ProcessIo, transport::memory};
    ///
    /// let (parts, child) = memory::child();
    /// let mut io = ProcessIo::from_parts(parts);
    /// child.exit(3);
    /// assert_eq!(io.wait().await?.code(), Some(3));
    /// # Ok(()) }
    /// ```
    pub fn exit(self, code: i32) {
        self.exit_holding(code);
    }

    /// Exits with `code`, and returns both outputs, which stay open, as when a descendant holds them.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// use process_io::{Drain, ProcessIo, transport::memory};
    /// use tokio::io::AsyncWriteExt;
    ///
    /// let (parts, child) = memory::child();
    /// let mut io = ProcessIo::from_parts(parts);
    /// io.set_drain(Drain::UntilEof);
    /// let [mut stdout, stderr] = child.exit_holding(0);
    /// stdout.write_all(b"of a descendant").await?;
    /// drop((stdout, stderr));
    /// assert_eq!(io.output().await?.stdout, "of a descendant");
    /// # Ok(()) }
    /// ```
    pub fn exit_holding(mut self, code: i32) -> [Sender; 2] {
        self.set_exit(code);
        let replace = |end| std::mem::replace(end, simplex::new(1).0);
        [replace(&mut self.stdout), replace(&mut self.stderr)]
    }

    /// Waits until a signal has been sent to the child, and returns it.
    ///
    /// A signal by itself has no effect: the test decides what the child does.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// use process_io::{ProcessIo, Signal, transport::memory};
    ///
    /// let (parts, mut child) = memory::child();
    /// let mut io = ProcessIo::from_parts(parts);
    /// io.terminate()?;
    /// assert_eq!(child.signalled().await, Signal::TERM);
    /// child.exit(0);
    /// assert!(io.wait().await?.success());
    /// # Ok(()) }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: a signal is taken when the future completes, and not before.
    pub async fn signalled(&mut self) -> Signal {
        let mut state = self.state.subscribe();
        // The sender is ours, so the channel cannot close.
        let _ = state.wait_for(|state| !state.signals.is_empty()).await;
        let mut first = Signal::KILL;
        self.state.send_if_modified(|state| {
            first = state.signals.remove(0);
            false
        });
        first
    }

    fn set_exit(&self, code: i32) {
        self.state.send_modify(|state| {
            state.exit.get_or_insert(exit_status(code));
        });
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.set_exit(0);
    }
}

/// The process of a [`Child`].
struct Memory(watch::Sender<State>);

impl Process for Memory {
    fn wait(self: Arc<Self>) -> BoxFuture<'static, io::Result<ExitStatus>> {
        async move {
            let mut state = self.0.subscribe();
            let exited = state.wait_for(|state| state.exit.is_some()).await;
            (exited.ok().and_then(|state| state.exit))
                .ok_or_else(|| io::ErrorKind::BrokenPipe.into())
        }
        .boxed()
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        self.0.send_modify(|state| {
            if state.exit.is_none() {
                state.signals.push(signal);
            }
        });
        Ok(())
    }
}
