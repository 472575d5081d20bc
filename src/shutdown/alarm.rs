//! [`Alarm`]: a timer that is set again and again.

use std::{pin::Pin, task::Context};

use tokio::{
    runtime::{Handle, Id},
    time::{Instant, Sleep, sleep_until},
};

/// Costs nothing until it is needed.
#[derive(Debug, Default)]
pub(crate) struct Alarm(Option<(Option<Id>, Pin<Box<Sleep>>)>);

impl Alarm {
    /// Whether it is time. If not, the task is woken then.
    pub(crate) fn is_elapsed(&mut self, cx: &mut Context<'_>, at: Instant) -> bool {
        // The timer knows only what the runtime has told it, and a busy task never lets it.
        if Instant::now() >= at {
            return true;
        }
        // A timer belongs to the runtime it was made in, and a handle may go on in another.
        let here = Handle::try_current().ok().map(|runtime| runtime.id());
        let (_, timer) = match &mut self.0 {
            Some(timer) if here.is_none() || timer.0 == here => timer,
            timer => timer.insert((here, Box::pin(sleep_until(at)))),
        };
        if timer.deadline() != at {
            timer.as_mut().reset(at);
        }
        timer.as_mut().poll(cx).is_ready()
    }
}
