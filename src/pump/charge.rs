//! [`Charge`]: what is handed out in small parts is charged to the task's cooperative budget.

use std::task::{Context, Poll, ready};

use tokio::task::coop::poll_proceed;

use crate::limits::{BUDGET_UNIT, LINE_COST};

/// The cost, in bytes, of what has been handed out and not been charged yet.
///
/// A read takes one unit of the budget, but what it brings may be taken apart into thousands of lines. They are charged
/// after they were handed out, and before the next ones: what has been received is refused at most once, and only to a task
/// that can yield.
#[derive(Debug, Default)]
pub(crate) struct Charge {
    cost: usize,
}

impl Charge {
    /// A line, or something like it, of so many bytes was handed out.
    pub(crate) fn add_part(&mut self, bytes: usize) {
        self.add(bytes + LINE_COST);
    }

    /// Something of this cost was handed out.
    pub(crate) fn add(&mut self, cost: usize) {
        self.cost = self.cost.saturating_add(cost);
    }

    /// There is something to charge for.
    pub(crate) fn is_due(&self) -> bool {
        self.cost >= BUDGET_UNIT
    }

    /// Charges for it; pending when the budget is used up, and the task has to yield.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.is_due() {
            // When the task has yielded it is square, but for the unit that is refused now.
            let rest = std::mem::replace(&mut self.cost, BUDGET_UNIT);
            ready!(poll_proceed(cx)).made_progress();
            self.cost = rest - BUDGET_UNIT;
        }
        Poll::Ready(())
    }
}
