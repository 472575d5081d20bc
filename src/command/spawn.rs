//! Starts the child of a [`Builder`].

use tokio::{runtime::Handle, time::Instant};

use super::{Builder, line::line};
use crate::{
    error::{Error, Kind, Result, Secrets},
    sys::{self, Ends, Group},
    transport::{self, Parts},
};

impl Builder {
    /// Starts the child and hands over its parts; nothing is left behind on failure.
    pub(crate) fn start(&mut self) -> Result<Parts> {
        let secrets = Secrets::new(&self.secrets);
        let command = line(self.command.as_std(), &secrets);
        let error = |kind| Error::new(kind).with_command(Some(command.clone()));
        if Handle::try_current().is_err() {
            return Err(error(Kind::NoRuntime));
        }
        let ends = Ends {
            stdin: std::mem::take(&mut self.stdin),
            stdout: std::mem::take(&mut self.stdout),
            stderr: self.stderr.as_mut().map(std::mem::take),
            group: match self.group {
                true => Group::Own,
                false => Group::Shared,
            },
            pipe_capacity: self.pipe_capacity,
            die_with_parent: self.die_with_parent,
            creation_flags: self.creation_flags,
            retry_busy: self.retry_busy,
        };
        // The child may be well under way by the time this thread goes on.
        let started = Instant::now();
        match sys::spawn(&mut self.command, ends) {
            Ok(spawned) => {
                let mut parts = transport::local(spawned);
                parts.command = Some(command);
                parts.started = Some(started);
                parts.secrets = secrets;
                Ok(parts)
            }
            Err(source) => {
                let kind = sys::fault(self.command.as_std(), &secrets, &source);
                Err(error(kind).with_source(source))
            }
        }
    }
}
