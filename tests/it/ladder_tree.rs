//! The time that a step of a ladder gives is that of the whole tree, not of its leader alone.
#![cfg(target_os = "linux")] // `/proc` tells who is still there.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use process_io::{
    Builder, CancellationToken, Command, Ladder, ProcessIo, Report, Signal, Source, Step,
};
use rustix::process::{Pid, getsid};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::support::{Mark, eventually, sh, within};

const SHORT: Duration = Duration::from_millis(200);
/// A wait that must not run out: who sees its end fails as one that hangs.
const NEVER: Duration = Duration::from_secs(3600);

const TERM: Step = Step::Signal(Signal::TERM);
const KILL: Step = Step::Signal(Signal::KILL);

struct Saved {
    folder: TempDir,
}

impl Saved {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("saved")
    }

    /// A shell that ends at `SIGTERM`, and a program of its that needs a while for that.
    fn at_term(&self) -> Command {
        sh(&format!("sh -c '{}'; echo done", writer(&self.file())))
    }

    /// A shell that ends when its input does, and a program of its that needs a while for that.
    fn at_eof(&self) -> Command {
        sh(&format!(
            "exec 3<&0; (cat <&3 >/dev/null; sleep 0.3; : > {}) & echo ready; read line; exit 0",
            self.file().display()
        ))
    }

    #[track_caller]
    fn assert(&self, context: &str) {
        assert!(self.file().exists(), "{context}: it had no time to save");
    }
}

fn writer(file: &Path) -> String {
    format!(
        "trap \"sleep 0.3; : > {}; exit\" TERM; echo ready; while :; do sleep 0.02; done",
        file.display()
    )
}

async fn ready(run: Builder) -> ProcessIo {
    ready_in(run.spawn().unwrap()).await
}

async fn ready_in(mut io: ProcessIo) -> ProcessIo {
    let said = within(io.recv(Source::Stdout))
        .await
        .unwrap()
        .data()
        .unwrap();
    assert_eq!(said, "ready\n");
    io
}

async fn shutdown(io: &mut ProcessIo, ladder: Ladder) -> Report {
    within(io.shutdown(ladder)).await.unwrap()
}

fn term() -> Ladder {
    Ladder::new().signal(Signal::TERM, NEVER)
}

const OPTIONS: [fn(Builder) -> Builder; 3] = [
    |run| run,
    |run| run.die_with_parent(true),
    |run| run.process_group(false),
];

#[tokio::test]
async fn a_program_that_a_shell_started_saves_its_work() {
    for (number, option) in OPTIONS.into_iter().enumerate() {
        let saved = Saved::new();
        let mut io = ready(option(ProcessIo::builder(saved.at_term()))).await;
        let report = shutdown(&mut io, term()).await;
        saved.assert(&number.to_string());
        assert_eq!(report.ended_by(), Some(TERM));
        assert!(!report.survivors);
        assert!(report.elapsed >= Duration::from_millis(300), "{report:?}");
    }
}

#[tokio::test]
async fn also_when_it_sees_the_end_of_the_input() {
    for (number, option) in OPTIONS.into_iter().enumerate().take(2) {
        let saved = Saved::new();
        let mut io = ready(option(ProcessIo::builder(saved.at_eof()))).await;
        let report = shutdown(&mut io, Ladder::new().close_stdin(NEVER)).await;
        saved.assert(&number.to_string());
        assert_eq!(report.status.code(), Some(0));
        assert_eq!(report.ended_by(), Some(Step::CloseStdin));
    }
}

#[tokio::test]
async fn also_at_a_time_out_and_when_cancelled() {
    for cancelled in [false, true] {
        for (number, option) in OPTIONS.into_iter().enumerate() {
            let saved = Saved::new();
            let mut io = ready(option(ProcessIo::builder(saved.at_term()))).await;
            io.set_ladder(term());
            if cancelled {
                let token = CancellationToken::new();
                token.cancel();
                io.set_cancel_on(token);
            } else {
                io.set_deadline(Instant::now());
            }
            let error = within(io.output()).await.unwrap_err();
            assert_eq!(error.is_cancelled(), cancelled, "{error}");
            assert!(!error.has_survivors());
            saved.assert(&format!("{cancelled} {number}"));
        }
    }
}

/// The tool's own time-out, in the group that it makes.
#[tokio::test]
async fn also_in_another_group() {
    let saved = Saved::new();
    let script = format!("timeout 300 sh -c '{}'; echo done", writer(&saved.file()));
    let mut io = ready(ProcessIo::builder(sh(&script))).await;
    let report = shutdown(&mut io, term()).await;
    saved.assert("timeout");
    assert_eq!(report.ended_by(), Some(TERM));
}

#[tokio::test]
async fn also_in_a_pipeline() {
    for (number, option) in OPTIONS.into_iter().enumerate() {
        // It may be any stage, and the others are gone by then.
        for first in [true, false] {
            let (saved, other) = (Saved::new(), sh("exec cat"));
            let run = match first {
                true => option(ProcessIo::builder(saved.at_term())).pipe(other),
                false => option(ProcessIo::builder(other)).pipe(saved.at_term()),
            };
            let mut io = ready_in(run.spawn().unwrap()).await;
            let report = shutdown(&mut io, term()).await;
            saved.assert(&format!("{first} {number}"));
            assert_eq!(report.ended_by(), Some(TERM));
        }
    }
}

#[tokio::test]
async fn the_end_of_the_time_is_the_end() {
    for (number, option) in OPTIONS.into_iter().enumerate() {
        let mark = Mark::new();
        let script = "(trap '' TERM; exec sleep 300) & echo ready; wait";
        let mut io = ready(option(ProcessIo::builder(mark.on(sh(script))))).await;
        mark.has("sleep", 1).await;
        let ladder = Ladder::new().signal(Signal::TERM, SHORT);
        let report = shutdown(&mut io, ladder).await;
        assert_eq!(report.ended_by(), Some(KILL), "{number}");
        assert!(report.steps[0].took >= SHORT, "{report:?}");
        assert!(!report.survivors);
        mark.is_gone(&number.to_string()).await;
    }
}

#[tokio::test]
async fn nothing_is_waited_for_when_nothing_is_left() {
    for (number, option) in OPTIONS.into_iter().enumerate() {
        for script in [
            "echo ready; sleep 300; true",
            "sleep 300 & echo ready; wait",
            "(sleep 300 &) ; echo ready; sleep 300; true",
            "echo ready; exec sleep 300",
        ] {
            let mut io = ready(option(ProcessIo::builder(sh(script)))).await;
            let report = shutdown(&mut io, term()).await;
            assert_eq!(report.ended_by(), Some(TERM), "{number} {script}");
        }
    }
}

/// A zombie in the group, whose parent is in another session, has lost its own parent, and does not reap.
#[tokio::test]
async fn a_zombie_is_not_waited_for() {
    let script = "perl -MPOSIX -e '
        exit if fork;
        my $zombie = fork // die;
        exit unless $zombie;
        setsid;
        open STDOUT, q(>/dev/null);
        open STDERR, q(>/dev/null);
        sleep 300' & echo ready; wait; sleep 300; true";
    for (number, option) in OPTIONS.into_iter().enumerate().take(2) {
        let mark = Mark::new();
        let mut io = ready(option(ProcessIo::builder(mark.on(sh(script))))).await;
        let pid = io.id().unwrap();
        let is_daemon = |pid: u32| {
            let pid = Pid::from_raw(pid as i32);
            getsid(pid).ok() == pid
        };
        eventually("there is a zombie in its group", || {
            let mut perl = mark.alive().into_iter();
            has_zombie(pid) && perl.any(|(name, pid)| name == "perl" && is_daemon(pid))
        })
        .await;
        let report = shutdown(&mut io, term()).await;
        assert_eq!(report.ended_by(), Some(TERM), "{number}");
        assert_eq!(mark.count("perl"), 1, "it is a daemon");
    }
}

/// Whether there is a zombie in the group of `pid`, apart from that.
fn has_zombie(pid: u32) -> bool {
    let fields = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<_> = stat
            .rsplit_once(") ")?
            .1
            .split(' ')
            .map(str::to_owned)
            .collect();
        Some((fields[0].clone(), fields[2].clone()))
    };
    let Some((_, group)) = fields(pid) else {
        return false;
    };
    let all = std::fs::read_dir("/proc").unwrap();
    all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .any(|other: u32| fields(other) == Some(("Z".to_owned(), group.clone())))
}

/// Each step is for the whole tree.
#[tokio::test]
async fn who_ignores_a_step_gets_the_next() {
    let saved = Saved::new();
    let script = format!("sh -c 'trap \"\" HUP; {}' & wait", writer(&saved.file()));
    let mut io = ready(ProcessIo::builder(sh(&script))).await;
    let ladder = Ladder::new()
        .signal(Signal::HUP, SHORT)
        .signal(Signal::TERM, NEVER);
    let report = shutdown(&mut io, ladder).await;
    saved.assert("the second step");
    let steps: Vec<_> = report.steps.iter().map(|taken| taken.step).collect();
    assert_eq!(steps, [Step::Signal(Signal::HUP), TERM]);
}
