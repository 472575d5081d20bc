//! Our ends of the pipes, given up to somebody else.

use std::io;

use super::ProcessIo;
use crate::{
    error::{Error, Result},
    event::Source,
    sys::OwnedDescriptor,
};

/// # Giving up a pipe
///
/// What the child's stdin, stdout or stderr is connected to here can be taken out of the handle, for another child or another
/// library. It is close-on-exec and in blocking mode, as a program expects it, and converts into a
/// [`Redirect`](crate::Redirect), a [`File`](std::fs::File), and a [`Stdio`](std::process::Stdio). For the handle the stream
/// has ended then; all else goes on as before, and dropping it still kills the child.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use process_io::ProcessIo;
///
/// let mut yes = ProcessIo::command("yes").spawn()?;
/// let head = ProcessIo::command("head").args(["-n", "2"]).stdin(yes.take_stdout()?).await?;
/// assert_eq!(head.stdout, "y\ny\n");
/// # }
/// # Ok(()) }
/// ```
///
/// Each method fails, and takes nothing, if the stream is no pipe of this machine or has been closed: the error converts into an
/// [`io::Error`] of kind [`NotConnected`](io::ErrorKind::NotConnected).
///
/// # Platform-specific behavior
///
/// On Windows each of them fails with [`Unsupported`](io::ErrorKind::Unsupported): our ends are opened for overlapped operations
/// there, and most programs cannot use such a handle.
impl ProcessIo {
    /// Takes the pipe that the child's stdin is connected to. [`close_stdin`](Self::close_stdin) does nothing then: the child
    /// finds end-of-file when what is returned here, and every copy of it, has been closed.
    ///
    /// # Errors
    ///
    /// If there is no such pipe, see [above](#giving-up-a-pipe); [`ResourceBusy`](io::ErrorKind::ResourceBusy) if bytes are
    /// [queued](Self::queued) for it.
    pub fn take_stdin(&mut self) -> Result<OwnedDescriptor> {
        let taken = self.pump.writer_mut().take_end();
        self.taken(taken)
    }

    /// Takes the pipe that the child's stdout is connected to.
    ///
    /// # Errors
    ///
    /// If there is no such pipe, see [above](#giving-up-a-pipe); [`ResourceBusy`](io::ErrorKind::ResourceBusy) if something was
    /// read from it that has not been received: whoever gets the pipe would miss that. While there is something of that kind
    /// [`recv_nowait`](Self::recv_nowait) hands it over and reads nothing.
    pub fn take_stdout(&mut self) -> Result<OwnedDescriptor> {
        let taken = self.pump.reader_mut(Source::Stdout).take_end();
        self.taken(taken)
    }

    /// Takes the pipe that the child's stderr is connected to. Errors cannot show the end of it then.
    ///
    /// # Errors
    ///
    /// As [`take_stdout`](Self::take_stdout).
    pub fn take_stderr(&mut self) -> Result<OwnedDescriptor> {
        let taken = self.pump.reader_mut(Source::Stderr).take_end();
        self.taken(taken)
    }

    fn taken(&self, taken: io::Result<OwnedDescriptor>) -> Result<OwnedDescriptor> {
        taken.map_err(|source| self.pump.annotate(Error::from(source)))
    }
}
