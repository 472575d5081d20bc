//! [`Output::check`]: the error that a child's failure is.

use super::{Error, Kind, Result};
use crate::output::Output;

impl Output {
    /// Returns the output itself if the child [succeeded](Output::success), and an error otherwise.
    ///
    /// In a [`Pipeline`](crate::Pipeline) it is the first stage that failed, unless that [may](crate::Stage::may_fail),
    /// that makes it fail.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::ProcessIo;
    ///
    /// let output = ProcessIo::shell("echo 'no such host' >&2; exit 2").await?;
    /// let error = output.check().unwrap_err();
    /// assert_eq!(error.status().unwrap().code(), Some(2));
    /// assert_eq!(error.stderr_tail(), b"no such host\n");
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`Failed`](crate::ErrorKind::Failed) if the child did not succeed. It has the
    /// command, how the child ended and the end of its stderr, and carries this output.
    pub fn check(self) -> Result<Self> {
        if self.success() {
            return Ok(self);
        }
        let culprit = self.stages.iter().find(|stage| stage.failed);
        let (stage, stderr) = match culprit {
            Some(stage) => (Some(stage.command.clone()), &stage.stderr),
            None => (None, &self.stderr),
        };
        let tail = (stderr.len()).saturating_sub(Error::tail_len(&self.secrets));
        Err(Error::new(Kind::Failed)
            .with_command(self.command.clone())
            .with_stage(stage)
            .with_status(self.status)
            .with_elapsed(Some(self.ran))
            .with_stderr_tail(stderr.slice(tail..), self.secrets.clone())
            .with_output(self))
    }
}
