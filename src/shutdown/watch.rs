//! [`Watch`]: when a run is to be stopped.

use std::{
    future::pending,
    pin::{Pin, pin},
    task::Context,
    time::Duration,
};

use futures::future::{Either, select};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{Alarm, Ladder};
use crate::error::Kind;

/// Why a run was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It took longer than this.
    Deadline(Duration),
    /// Nothing moved for so long.
    Silence(Duration),
    Cancelled,
}

impl Cause {
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Deadline(time) => Kind::Deadline(time),
            Self::Silence(time) => Kind::Silence(time),
            Self::Cancelled => Kind::Cancelled,
        }
    }
}

/// What ends a run early, and how.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) timeout: Option<Duration>,
    pub(crate) deadline: Option<Instant>,
    silence: Option<Duration>,
    pub(crate) ladder: Ladder,
    cancelled: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    token: Option<CancellationToken>,
    started: Instant,
    /// How many bytes had moved when they last did, and when that was seen.
    moved: u64,
    last_move: Instant,
    alarm: Alarm,
}

impl Default for Watch {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            timeout: None,
            deadline: None,
            silence: None,
            ladder: Ladder::kill(),
            cancelled: None,
            token: None,
            started: now,
            moved: 0,
            last_move: now,
            alarm: Alarm::default(),
        }
    }
}

impl Watch {
    pub(crate) fn cancel_on(&mut self, token: CancellationToken) {
        self.cancelled = Some(Box::pin(token.clone().cancelled_owned()));
        self.token = Some(token);
    }

    /// Counted from now on.
    pub(crate) fn set_silence(&mut self, silence: Option<Duration>) {
        self.silence = silence;
        self.last_move = Instant::now();
    }

    /// When the child was started.
    pub(crate) fn set_started(&mut self, started: Instant) {
        self.started = started;
        self.last_move = started;
    }

    /// Why nothing may be started any more, for a run that began at `since`.
    pub(crate) fn expired(&self, since: Instant) -> Option<Cause> {
        if self
            .token
            .as_ref()
            .is_some_and(|token| token.is_cancelled())
        {
            return Some(Cause::Cancelled);
        }
        match self.deadline(since) {
            Some(deadline) if Instant::now() >= deadline => {
                Some(Cause::Deadline(deadline.saturating_duration_since(since)))
            }
            _ if self.silence == Some(Duration::ZERO) => Some(Cause::Silence(Duration::ZERO)),
            _ => None,
        }
    }

    /// Resolves when nothing may be started any more, for a run that began at `since`.
    pub(crate) fn expiry(&self, since: Instant) -> impl Future<Output = Cause> + Send + use<> {
        let (token, deadline) = (self.token.clone(), self.deadline(since));
        async move {
            let cancelled = async {
                match &token {
                    Some(token) => token.cancelled().await,
                    None => pending().await,
                }
            };
            let late = async {
                match deadline {
                    Some(deadline) => {
                        sleep_until(deadline).await;
                        deadline.saturating_duration_since(since)
                    }
                    None => pending().await,
                }
            };
            match select(pin!(cancelled), pin!(late)).await {
                Either::Left(_) => Cause::Cancelled,
                Either::Right((time, _)) => Cause::Deadline(time),
            }
        }
    }

    /// The earlier of deadline and time-out, for a run that began at `since`.
    fn deadline(&self, since: Instant) -> Option<Instant> {
        let time_out = self.timeout.and_then(|time| since.checked_add(time));
        time_out.into_iter().chain(self.deadline).min()
    }

    /// Why the run is to be stopped now, given how many bytes have moved in all. The task is woken when that may
    /// change, unless `wake` is false.
    pub(crate) fn cause(&mut self, cx: &mut Context<'_>, moved: u64, wake: bool) -> Option<Cause> {
        if let (Some(token), Some(cancelled)) = (&self.token, &mut self.cancelled) {
            if token.is_cancelled() || (wake && cancelled.as_mut().poll(cx).is_ready()) {
                return Some(Cause::Cancelled);
            }
        }
        if self.moved != moved {
            self.moved = moved;
            if self.silence.is_some() {
                self.last_move = Instant::now();
            }
        }
        let deadline = self.deadline(self.started);
        let silence = (self.silence).and_then(|silence| self.last_move.checked_add(silence));
        let next = deadline.into_iter().chain(silence).min()?;
        if !self.alarm.rings(cx, next, wake) {
            return None;
        }
        Some(match (deadline, self.silence) {
            (Some(deadline), _) if deadline == next => {
                Cause::Deadline(deadline.saturating_duration_since(self.started))
            }
            (_, silence) => Cause::Silence(silence.unwrap_or_default()),
        })
    }
}
