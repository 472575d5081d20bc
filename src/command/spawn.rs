//! Starts the child of a [`Builder`].

use std::time::Duration;

use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};

use super::{Builder, line::line};
use crate::{
    error::{Error, Kind, Result},
    sys::{self, Ends, Group},
    transport::{self, Parts},
};

impl Builder {
    /// Starts the child and hands over its parts; nothing is left behind on failure.
    pub(crate) fn start(&mut self) -> Result<Parts> {
        let command = line(self.command.as_std(), &self.secrets);
        let error = |kind| Error::new(kind).with_command(Some(command.clone()));
        if Handle::try_current().is_err() {
            return Err(error(Kind::NoRuntime));
        }
        touch_timer();
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
                Ok(parts)
            }
            Err(source) => {
                let kind = sys::fault(self.command.as_std(), &source);
                Err(error(kind).with_source(source))
            }
        }
    }
}

/// A runtime without time panics when it is asked for it: better now than when there is a child.
pub(crate) fn touch_timer() {
    drop(sleep(Duration::ZERO));
}
