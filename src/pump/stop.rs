//! [`Stop`]: a run that is cut short, or shut down.

use std::time::Duration;

use tokio::time::Instant;

use super::{Turn, turn::after};
use crate::{
    shutdown::{Cause, Escalation, Watch},
    signal::Signal,
    transport::Process,
};

/// Whether the run is to end early, and how far that is.
///
/// | state | `watch` | `escalation` | `cause` |
/// |---|---|---|---|
/// | nothing is to end it, or only in time | as the user wants | none | none |
/// | its time was up, and the child ran | none | on the ladder, and then at its end | why |
/// | its time was up, the child had exited, and there was no room for what it wrote | none | none | why |
/// | it is or was shut down | none | as above; none if the child had exited | none |
#[derive(Debug, Default)]
pub(super) struct Stop {
    /// Gone once it has done its work.
    pub(super) watch: Option<Box<Watch>>,
    pub(super) escalation: Option<Box<Escalation>>,
    /// Why it was cut short.
    pub(super) cause: Option<Cause>,
    pub(super) shut_down: bool,
    /// The signal that the child was stopped by when its time was up.
    pub(super) stopped: Option<Signal>,
    pub(super) look: TreeLook,
}

impl Stop {
    /// The child or its tree is on a ladder.
    pub(super) fn is_stopping(&self) -> bool {
        (self.escalation.as_ref()).is_some_and(|escalation| !escalation.is_ended())
    }

    /// The run is or was stopped. Nothing is waited for that there is no room for.
    pub(super) fn is_cut(&self) -> bool {
        self.cause.is_some() || self.escalation.is_some()
    }

    pub(super) fn has_survivors(&self) -> bool {
        (self.escalation.as_ref()).is_some_and(|escalation| escalation.has_survivors())
    }
}

/// Looks from time to time whether something of a tree is alive when the child itself has exited: the system does not tell of
/// the end of those that are not our children.
#[derive(Debug, Default)]
pub(super) struct TreeLook {
    next: Option<Instant>,
    pause: Duration,
}

impl TreeLook {
    const PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));
    /// Where a look takes long, as among very many processes, this share of the time goes into it: a tenth.
    const SHARE: u32 = 10;

    /// Whether it is alive, as far as has been looked. The task is woken for the next look.
    pub(super) fn is_tree_alive(&mut self, turn: &mut Turn<'_, '_>, process: &dyn Process) -> bool {
        if self.next.is_some_and(|next| !turn.is_due(next)) {
            return true;
        }
        let began = std::time::Instant::now();
        if !process.is_tree_alive() {
            return false;
        }
        let took = began.elapsed();
        self.pause = (self.pause * 2).clamp(Self::PAUSE.0, Self::PAUSE.1);
        self.next = after(self.pause.max(took * Self::SHARE));
        if let Some(next) = self.next {
            turn.wake_at(next);
        }
        true
    }
}
