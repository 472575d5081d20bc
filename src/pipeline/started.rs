//! [`Started`]: a pipeline of which some stages run.

use std::{
    io,
    sync::{Arc, atomic::AtomicUsize},
};

use tokio::time::Instant;

use super::process::Stages;
use crate::{
    secrets::Secrets,
    stdio::Redirect,
    sys::{self, Group, PipeGrowth, Siblings, Spawned},
    transport::{Parts, Process, ReadEnd, StageParts, TeeParts, WriteEnd},
};

/// The stages that have been started. They are killed and reaped if the rest cannot be.
pub(super) struct Started {
    since: Instant,
    processes: Vec<Arc<sys::Process>>,
    /// Which of them may fail.
    may_fail: Vec<bool>,
    own_group: bool,
    pipes: Vec<PipeGrowth>,
    parts: Vec<StageParts>,
    stdin: Option<WriteEnd>,
    stdout: Option<ReadEnd>,
    /// Where the next stage's input comes from and what that is copied to, if it is.
    tee: Option<(ReadEnd, WriteEnd)>,
    siblings: Vec<Siblings>,
}

impl Started {
    pub(super) fn new(since: Instant, own_group: bool) -> Self {
        Self {
            since,
            processes: Vec::new(),
            may_fail: Vec::new(),
            own_group,
            pipes: Vec::new(),
            parts: Vec::new(),
            stdin: None,
            stdout: None,
            tee: None,
            siblings: Vec::new(),
        }
    }

    /// The group of the next stage.
    pub(super) fn group(&self) -> Group<'_> {
        match self.processes.first() {
            _ if !self.own_group => Group::Shared,
            Some(leader) => Group::Of(leader),
            None => Group::Own,
        }
    }

    /// The stdout of the next stage, and the stdin of the one after it.
    pub(super) fn pipe(&mut self) -> io::Result<(Redirect, Redirect)> {
        let (write, read, growth) = sys::stage_pipe()?;
        self.pipes.push(growth);
        Ok((write.into(), read.into()))
    }

    /// `copy` gets what the stage writes for the next one.
    pub(super) fn add(
        &mut self,
        spawned: Spawned,
        command: Arc<str>,
        copy: Option<WriteEnd>,
        may_fail: bool,
    ) {
        self.siblings.extend(spawned.siblings);
        let process = Arc::new(spawned.process);
        let stdin = spawned.stdin.map(WriteEnd::Pipe);
        match (self.tee.take(), self.parts.last_mut()) {
            (Some((from, copy)), Some(before)) => {
                before.tee = stdin.map(|next| TeeParts { from, next, copy });
            }
            _ => self.stdin = self.stdin.take().or(stdin),
        }
        let stdout = spawned.stdout.map(ReadEnd::Pipe);
        match copy {
            Some(copy) => self.tee = stdout.map(|from| (from, copy)),
            None => self.stdout = stdout,
        }
        self.parts.push(StageParts {
            stderr: spawned.stderr.map(ReadEnd::Pipe),
            process: process.clone(),
            command,
            tee: None,
            may_fail,
        });
        self.processes.push(process);
        self.may_fail.push(may_fail);
    }

    pub(super) fn into_parts(mut self, command: Arc<str>, secrets: Secrets) -> Parts {
        Parts {
            stdin: self.stdin.take(),
            stdout: self.stdout.take(),
            stderr: (self.parts.last_mut()).and_then(|last| last.stderr.take()),
            process: Arc::new(self.take_stages()),
            command: Some(command),
            secrets,
            started: Some(self.since),
            siblings: std::mem::take(&mut self.siblings),
            stages: std::mem::take(&mut self.parts),
        }
    }

    fn take_stages(&mut self) -> Stages {
        Stages {
            processes: std::mem::take(&mut self.processes),
            may_fail: std::mem::take(&mut self.may_fail),
            own_group: self.own_group,
            told_stop: AtomicUsize::new(usize::MAX),
            _pipes: std::mem::take(&mut self.pipes),
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        Arc::new(self.take_stages()).release(true);
    }
}
