//! [`Alarm`]: a timer that is set again and again.

use std::{pin::Pin, task::Context};

use tokio::time::{Instant, Sleep, sleep_until};

/// Costs nothing until it is needed.
#[derive(Debug, Default)]
pub(crate) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Whether it is time. If not the task is woken then, unless `wake` is false.
    pub(crate) fn rings(&mut self, cx: &mut Context<'_>, at: Instant, wake: bool) -> bool {
        // The timer knows only what the runtime has told it, and a busy task never lets it.
        if Instant::now() >= at {
            return true;
        }
        if !wake {
            return false;
        }
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if timer.deadline() != at {
            timer.as_mut().reset(at);
        }
        timer.as_mut().poll(cx).is_ready()
    }
}
