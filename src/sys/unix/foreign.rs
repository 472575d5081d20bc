//! [`Foreign`]: a child that tokio has started and reaps.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{io::Errno, process::Pid};

use super::child::{Child, open_pidfd};
use crate::signal::Signal;

/// Whom a signal is for. The number of a child may be another process's if other code than tokio has reaped it, of which tokio
/// learns when it waits.
#[derive(Debug)]
pub(crate) struct Foreign {
    pid: Option<Pid>,
    pidfd: Option<OwnedFd>,
}

impl Foreign {
    pub(crate) fn of(child: &tokio::process::Child) -> Self {
        let pid = child.id().and_then(|pid| Pid::from_raw(pid as i32));
        Self {
            pid,
            pidfd: pid.and_then(open_pidfd),
        }
    }

    /// Sends a signal unless the child has been reaped. After what a child that is stopped could not act on, it is continued.
    pub(crate) fn signal(
        &self,
        child: &mut tokio::process::Child,
        signal: Signal,
    ) -> io::Result<()> {
        if signal.as_raw() <= 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // Tokio has reaped one without a number.
        let (Some(pid), Some(_)) = (self.pid, child.id()) else {
            return Ok(());
        };
        let pidfd = self.pidfd.as_ref().map(AsFd::as_fd);
        let child = Child { pid, pidfd };
        if pidfd.is_none() && matches!(child.observe(), Err(Errno::CHILD)) {
            return Ok(());
        }
        let sent = child.signal(signal.as_raw());
        if matches!(signal, Signal::HUP | Signal::INT | Signal::TERM) {
            let _ = child.signal(libc::SIGCONT);
        }
        match sent {
            Err(Errno::SRCH) => Ok(()),
            sent => Ok(sent?),
        }
    }
}
