//! From a [`Command`](tokio::process::Command) and options to a running child.

mod builder;
mod line;
mod spawn;

pub use builder::Builder;
pub(crate) use builder::Origin;
pub(crate) use line::line as command_line;
pub(crate) use spawn::{may_start, not_started, spawn_parts, touch_timer};
