//! [`Output::check`]: the error that a child's failure is.

use super::{Error, Kind, Result};
use crate::output::Output;

impl Output {
    /// Itself, if the child [succeeded](Output::success).
    ///
    /// # Errors
    ///
    /// Otherwise an error of the kind [`Failed`](crate::ErrorKind::Failed). It names the command, how it
    /// ended and the end of its stderr, and carries this output.
    pub fn check(self) -> Result<Self> {
        if self.success() {
            return Ok(self);
        }
        let culprit =
            (self.stages.iter()).find(|stage| !stage.may_fail && stage.status == self.status);
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
