//! Starts the child of a [`Builder`].

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};

use super::{Builder, line::line};
use crate::{
    error::{Error, Kind, Result},
    output::{Output, StageOutput},
    secrets::Secrets,
    shutdown::{Cause, Watch},
    sys::{self, Ends, Group},
    transport::{self, Parts},
};

/// Starts the child of a run that began at `started`, and hands over its parts; nothing is left behind on failure.
pub(crate) fn spawn_parts(builder: &mut Builder, started: Instant) -> Result<Parts> {
    let secrets = Secrets::new(&builder.secrets);
    let command = line(builder.command.as_std(), &secrets);
    let error = |kind| Error::new(kind).with_command(Some(command.clone()));
    if Handle::try_current().is_err() {
        return Err(error(Kind::NoRuntime));
    }
    if let Err((_, source)) = builder.check_pipes(&builder.stderr) {
        return Err(error(Kind::Spawn).with_source(source));
    }
    let watch = builder.watch.as_deref();
    let may_start = || may_start(watch, started, &command, &[]);
    // Before anything is prepared, which may take processes and time of its own.
    may_start()?;
    touch_timer();
    let ends = Ends {
        stdin: std::mem::take(&mut builder.stdin),
        stdout: builder.stdout.take(),
        stderr: builder.stderr.take(),
        group: match builder.group {
            true => Group::Own,
            false => Group::Shared,
        },
        pipe_capacity: builder.pipe_capacity,
        die_with_parent: builder.die_with_parent,
        inherit_signals: builder.inherit_signals,
        creation_flags: builder.creation_flags,
        retry_busy: builder.retry_busy,
        may_start: &|| Ok(may_start()?),
    };
    match sys::spawn(&mut builder.command, ends) {
        Ok(spawned) => {
            let mut parts = transport::local(spawned);
            parts.command = Some(command);
            parts.started = Some(started);
            parts.secrets = secrets;
            Ok(parts)
        }
        Err(source) => Err(source.downcast().unwrap_or_else(|source| {
            let kind = sys::fault(builder.command.as_std(), &secrets, &source);
            error(kind).with_source(source)
        })),
    }
}

/// Fails if a run that began at `since` is cancelled or out of time, so that nothing is started for it.
pub(crate) fn may_start(
    watch: Option<&Watch>,
    since: Instant,
    command: &Arc<str>,
    stages: &[Arc<str>],
) -> Result<()> {
    match watch.and_then(|watch| watch.expired(since)) {
        Some(cause) => Err(not_started(cause, since, command, stages)),
        None => Ok(()),
    }
}

/// The error of a run that began at `since`, and was cut short before its child, or all of its `stages`, had been started.
pub(crate) fn not_started(
    cause: Cause,
    since: Instant,
    command: &Arc<str>,
    stages: &[Arc<str>],
) -> Error {
    let stage = |command: &Arc<str>| StageOutput {
        command: command.clone(),
        status: None,
        stderr: Bytes::new(),
        stderr_omitted: 0,
        stderr_gap: None,
        usage: None,
        failed: false,
    };
    let elapsed = since.elapsed();
    let output = Output {
        status: None,
        stdout: Bytes::new(),
        stderr: Bytes::new(),
        stdout_omitted: 0,
        stderr_omitted: 0,
        stdout_gap: None,
        stderr_gap: None,
        pipes_held: false,
        stdin_written: 0,
        timed_out: cause != Cause::Cancelled,
        elapsed,
        first_byte: None,
        usage: None,
        stages: stages.iter().map(stage).collect(),
        report: None,
        command: Some(command.clone()),
        ran: elapsed,
        secrets: Secrets::default(),
    };
    Error::new(cause.kind())
        .before_the_start()
        .with_command(Some(command.clone()))
        .with_output(output)
}

/// A runtime without time panics when it is asked for it: better now than when there is a child.
pub(crate) fn touch_timer() {
    drop(sleep(Duration::ZERO));
}
