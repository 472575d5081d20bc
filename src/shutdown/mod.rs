//! When and how a run is stopped.
//!
//! | file | holds |
//! |---|---|
//! | `ladder` | [`Ladder`], the steps by which a child is asked to end, then made to |
//! | `watch` | `Watch`: deadline, silence, cancellation |
//! | `escalation` | `Escalation`: the progress of a stop sequence |
//! | `alarm` | `Alarm`: a timer that is set again and again |
//! | `guard` | `Guard`: releases the process, in the end or on drop |
//! | `on_drop` | [`OnDrop`]: what becomes of a child that is dropped |
//! | `background` | a ladder for a child whose handle is gone |
//!
//! Only `guard` and `background` send signals; else the pump asks what is due, and does it.

mod alarm;
mod background;
mod escalation;
mod guard;
mod ladder;
mod on_drop;
mod watch;

pub(crate) use alarm::Alarm;
pub(crate) use escalation::{Due, Escalation};
pub(crate) use guard::Guard;
pub(crate) use ladder::Action;
pub use ladder::Ladder;
pub use on_drop::OnDrop;
pub(crate) use watch::{Cause, Watch};
