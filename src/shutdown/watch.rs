//! [`Watch`]: when a run is to be stopped.

use std::{
    future::pending,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use futures::future::{Either, select};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::Ladder;
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
        }
    }
}

/// For another run, which begins when that is started.
impl Clone for Watch {
    fn clone(&self) -> Self {
        let mut watch = Self {
            timeout: self.timeout,
            deadline: self.deadline,
            silence: self.silence,
            ladder: self.ladder.clone(),
            ..Self::default()
        };
        if let Some(token) = &self.token {
            watch.cancel_on(token.clone());
        }
        watch
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

    /// The run has been cancelled; the task is woken when it is.
    pub(crate) fn poll_cancelled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.cancelled {
            Some(cancelled) => cancelled.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }

    /// Why the run is to be stopped `now`, given how many bytes have moved in all; if it is not, when to ask again.
    pub(crate) fn cause(&mut self, now: Instant, moved: u64) -> Result<Cause, Option<Instant>> {
        if (self.token.as_ref()).is_some_and(|token| token.is_cancelled()) {
            return Ok(Cause::Cancelled);
        }
        if self.moved != moved {
            self.moved = moved;
            self.last_move = now;
        }
        let deadline = self.deadline(self.started);
        let silence = (self.silence).and_then(|silence| self.last_move.checked_add(silence));
        let next = deadline.into_iter().chain(silence).min();
        match next {
            Some(next) if now >= next => Ok(match (deadline, self.silence) {
                (Some(deadline), _) if deadline == next => {
                    Cause::Deadline(deadline.saturating_duration_since(self.started))
                }
                (_, silence) => Cause::Silence(silence.unwrap_or_default()),
            }),
            next => Err(next),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// One that was started at the time that is given back.
    fn watch() -> (Watch, Instant) {
        let (mut watch, start) = (Watch::default(), Instant::now());
        watch.set_started(start);
        (watch, start)
    }

    #[test]
    fn nothing_is_watched_by_default() {
        let (mut watch, start) = watch();
        assert_eq!(watch.cause(start + 1000 * SECOND, 0), Err(None));
    }

    #[test]
    fn the_earlier_of_time_out_and_deadline_counts() {
        for (timeout, deadline) in [(1, 2), (2, 1)] {
            let (mut watch, start) = watch();
            watch.timeout = Some(timeout * SECOND);
            watch.deadline = Some(start + deadline * SECOND);
            let due = start + SECOND;
            assert_eq!(watch.cause(start, 0), Err(Some(due)));
            assert_eq!(watch.cause(due, 0), Ok(Cause::Deadline(SECOND)));
        }
    }

    #[test]
    fn silence_is_counted_from_the_last_move() {
        let (mut watch, start) = watch();
        watch.set_silence(Some(SECOND));
        watch.set_started(start);
        let at = |halves| start + halves * SECOND / 2;
        assert_eq!(watch.cause(at(1), 0), Err(Some(at(2))));
        assert_eq!(watch.cause(at(1), 7), Err(Some(at(3))));
        assert_eq!(watch.cause(at(2), 7), Err(Some(at(3))));
        // Whatever moved just now is no silence, also if it was noticed late.
        assert_eq!(watch.cause(at(4), 8), Err(Some(at(6))));
        assert_eq!(watch.cause(at(6), 8), Ok(Cause::Silence(SECOND)));
    }

    #[test]
    fn a_deadline_comes_before_a_silence_that_ends_with_it() {
        let (mut watch, start) = watch();
        watch.set_silence(Some(SECOND));
        watch.set_started(start);
        watch.timeout = Some(SECOND);
        let cause = watch.cause(start + SECOND, 0);
        assert_eq!(cause, Ok(Cause::Deadline(SECOND)));
    }

    #[test]
    fn cancellation_comes_first() {
        let (mut watch, start) = watch();
        watch.timeout = Some(Duration::ZERO);
        let token = CancellationToken::new();
        watch.cancel_on(token.clone());
        assert_eq!(watch.cause(start, 0), Ok(Cause::Deadline(Duration::ZERO)));
        token.cancel();
        assert_eq!(watch.cause(start, 0), Ok(Cause::Cancelled));
    }

    #[test]
    fn times_beyond_the_clock_never_come() {
        let (mut watch, start) = watch();
        watch.timeout = Some(Duration::MAX);
        watch.set_silence(Some(Duration::MAX));
        assert_eq!(watch.cause(start, 0), Err(None));
    }
}
