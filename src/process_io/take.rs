//! This process's ends of the pipes, taken out of the handle.

use std::io;

use super::ProcessIo;
use crate::{
    error::{Error, Result},
    event::Source,
    sys::OwnedDescriptor,
};

/// # Giving up a pipe
///
/// This process's end of the pipe to the child's stdin, stdout or stderr can be taken out of the handle, for another child or
/// another library. It is close-on-exec and in blocking mode, as a program expects it, and converts into a
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
/// Each method fails, and takes nothing, if the stream is not a pipe of this machine or has been closed: the error converts into an
/// [`io::Error`] of kind [`NotConnected`](io::ErrorKind::NotConnected).
///
/// # Platform-specific behavior
///
/// On Windows each of them fails with [`Unsupported`](io::ErrorKind::Unsupported): this process's ends are opened for overlapped
/// operations there, and most programs cannot use such a handle.
impl ProcessIo {
    /// Takes this process's end of the pipe to the child's stdin.
    ///
    /// [`close_stdin`](Self::close_stdin) does nothing then: the child reads end-of-file when the returned descriptor, and every
    /// copy of it, has been closed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # if cfg!(unix) {
    /// use std::{fs::File, io::Write};
    /// use process_io::ProcessIo;
    ///
    /// let mut sort = ProcessIo::command("sort").spawn()?;
    /// let mut stdin = File::from(sort.take_stdin()?);
    /// stdin.write_all(b"b\na\n")?;
    /// drop(stdin); // closes the pipe
    /// assert_eq!(sort.output().await?.stdout, "a\nb\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no such pipe, see [above](#giving-up-a-pipe); [`ResourceBusy`](io::ErrorKind::ResourceBusy) if bytes are
    /// [queued](Self::queued) for it.
    pub fn take_stdin(&mut self) -> Result<OwnedDescriptor> {
        let taken = self.pump.writer_mut().take_end();
        self.taken(taken)
    }

    /// Takes this process's end of the pipe to the child's stdout.
    ///
    /// [Above](#giving-up-a-pipe) is an example.
    ///
    /// # Errors
    ///
    /// If there is no such pipe, see [above](#giving-up-a-pipe); [`ResourceBusy`](io::ErrorKind::ResourceBusy) if bytes were
    /// read from it that have not been received here: the new owner of the pipe would miss them. While there are such bytes
    /// [`recv_nowait`](Self::recv_nowait) returns them and reads nothing.
    pub fn take_stdout(&mut self) -> Result<OwnedDescriptor> {
        let taken = self.pump.reader_mut(Source::Stdout).take_end();
        self.taken(taken)
    }

    /// Takes this process's end of the pipe to the child's stderr. Errors cannot show the end of stderr then.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let mut io = ProcessIo::shell("echo a warning >&2").spawn()?;
    /// let shout = ProcessIo::command("tr").args(["a-z", "A-Z"]).stdin(io.take_stderr()?).await?;
    /// assert_eq!(shout.stdout, "A WARNING\n");
    /// # }
    /// # Ok(()) }
    /// ```
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
