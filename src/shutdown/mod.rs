//! When and how a run is stopped.
//!
//! | file | holds |
//! |---|---|
//! | `ladder` | [`Ladder`], the steps by which a child is asked to end, then made to, and [`Report`], how that went |
//! | `watch` | `Watch`: deadline, silence, cancellation |
//! | `descent` | `Descent`: where on a ladder a run is |
//! | `alarm` | `Alarm`: a timer that is set again and again |
//! | `guard` | `Guard`: lets go of the process, in the end or on drop |
//!
//! None of it moves a pipe or sends a signal on its own: the pump asks what is due, and does it.

mod alarm;
mod descent;
mod guard;
mod ladder;
mod watch;

pub(crate) use alarm::Alarm;
pub(crate) use descent::{Descent, Due};
pub(crate) use guard::Guard;
pub use ladder::{Ladder, Report, Step, Taken};
pub(crate) use watch::{Cause, Watch};
