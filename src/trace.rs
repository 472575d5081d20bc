//! [`Span`]: what the `tracing` feature tells of a process. Without the feature it is nothing.

#[cfg(feature = "tracing")]
mod on {
    use std::{process::ExitStatus, sync::Arc};

    use tracing::{debug, field::Empty, info_span};

    use crate::event::Source;

    /// The span of one process, from its start to its end.
    #[derive(Debug, Clone)]
    pub(crate) struct Span(tracing::Span);

    impl Span {
        pub(crate) fn new(pid: Option<u32>, command: Option<&Arc<str>>) -> Self {
            let span = info_span!(
                "process",
                pid,
                command = command.map(|command| &**command),
                stdin_bytes = Empty,
                stdout_bytes = Empty,
                stderr_bytes = Empty,
                status = Empty,
            );
            debug!(parent: &span, "started");
            Self(span)
        }

        pub(crate) fn written(&self, bytes: u64) {
            self.0.record("stdin_bytes", bytes);
        }

        pub(crate) fn received(&self, source: Source, bytes: u64) {
            let field = match source {
                Source::Stdout => "stdout_bytes",
                Source::Stderr => "stderr_bytes",
            };
            self.0.record(field, bytes);
        }

        pub(crate) fn exited(&self, status: Option<ExitStatus>) {
            if let Some(status) = status {
                self.0.record("status", tracing::field::display(status));
            }
            debug!(parent: &self.0, "exited");
        }

        pub(crate) fn stopping(&self, why: &dyn std::fmt::Debug) {
            debug!(parent: &self.0, ?why, "stopping");
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use std::{process::ExitStatus, sync::Arc};

    use crate::event::Source;

    #[derive(Debug, Clone)]
    pub(crate) struct Span;

    impl Span {
        pub(crate) fn new(_: Option<u32>, _: Option<&Arc<str>>) -> Self {
            Self
        }
        pub(crate) fn written(&self, _: u64) {}
        pub(crate) fn received(&self, _: Source, _: u64) {}
        pub(crate) fn exited(&self, _: Option<ExitStatus>) {}
        pub(crate) fn stopping(&self, _: &dyn std::fmt::Debug) {}
    }
}

#[cfg(feature = "tracing")]
pub(crate) use on::Span;

#[cfg(not(feature = "tracing"))]
pub(crate) use off::Span;
