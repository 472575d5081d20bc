//! The stages of a pipeline end together, with what they started.

use std::{path::PathBuf, time::Duration};

use process_io::{Command, ErrorKind, Ladder, ProcessIo, Signal, Source, Stage, Step};
use tempfile::TempDir;
use tokio::time::Instant;

use super::steps;
use crate::support::{GENEROUS, child, eventually, exists, is_alive, was_killed, within};

/// Stages that tell their pids, and each that of a process which it has started.
struct Family {
    dir: TempDir,
    len: usize,
}

impl Family {
    fn new(len: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir, len }
    }

    fn file(&self, name: &str, stage: usize) -> PathBuf {
        self.dir.path().join(format!("{name}-{stage}"))
    }

    fn stage(&self, stage: usize) -> Command {
        let [own, other] = ["stage", "grandchild"].map(|name| self.file(name, stage));
        let [own, other] = [own, other].map(|path| path.into_os_string().into_string().unwrap());
        steps(&["pid-into", &own, "grandchild-into", &other, "wait"])
    }

    fn spawn(&self) -> ProcessIo {
        let mut run = ProcessIo::builder(self.stage(0)).pipe(self.stage(1));
        for stage in 2..self.len {
            run = run.pipe(self.stage(stage));
        }
        run.spawn().unwrap()
    }

    /// The pids of the stages, and those of what they started, once all are there.
    async fn pids(&self) -> [Vec<u32>; 2] {
        let mut all = [Vec::new(), Vec::new()];
        for (pids, name) in all.iter_mut().zip(["stage", "grandchild"]) {
            for stage in 0..self.len {
                let file = self.file(name, stage);
                eventually("a stage has started", || file.exists()).await;
                pids.push(std::fs::read_to_string(file).unwrap().parse().unwrap());
            }
        }
        assert!(all.iter().flatten().all(|&pid| is_alive(pid)), "{all:?}");
        all
    }
}

/// The stages are reaped; the others are not ours to reap.
async fn are_gone([stages, others]: [Vec<u32>; 2]) {
    for pid in stages {
        eventually("the stage is gone", || !exists(pid)).await;
    }
    for pid in others {
        eventually("what it started is killed", || !is_alive(pid)).await;
    }
}

#[tokio::test]
async fn a_stage_that_cannot_start_takes_the_others_with_it() {
    let family = Family::new(1);
    let start = Instant::now();
    let run = ProcessIo::builder(family.stage(0))
        .pipe(Command::new("/no/such"))
        .pipe(child(&["cat"]));
    let error = within(run).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProgramNotFound, "{error}");
    assert_eq!(error.stage(), Some("/no/such"));
    assert!(start.elapsed() < GENEROUS / 2);
    // It may have been killed before it could tell.
    for name in ["stage", "grandchild"] {
        let told = std::fs::read_to_string(family.file(name, 0));
        if let Some(pid) = told.ok().and_then(|pid| pid.parse().ok()) {
            eventually("it is killed", || !is_alive(pid)).await;
        }
    }
}

/// What it holds open tells, also of a stage that was killed before it could say anything.
#[cfg(windows)] // A file there cannot be deleted while somebody has it open.
#[tokio::test]
async fn a_stage_that_cannot_start_leaves_none_of_the_others() {
    use std::os::windows::fs::OpenOptionsExt;
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..20 {
        let file = dir.path().join("input");
        std::fs::write(&file, "text").unwrap();
        let open = std::fs::OpenOptions::new()
            .read(true)
            .share_mode(1)
            .open(&file);
        let run = ProcessIo::builder(steps(&["wait"]))
            .stdin(open.unwrap())
            .pipe(steps(&["wait"]))
            .pipe(Command::new("no-such-program"));
        assert_eq!(
            within(run).await.unwrap_err().kind(),
            ErrorKind::ProgramNotFound
        );
        eventually("the first is killed", || {
            std::fs::remove_file(&file).is_ok()
        })
        .await;
    }
}

#[tokio::test]
async fn a_time_out_ends_all_stages_and_what_they_started() {
    let family = Family::new(3);
    let mut io = family.spawn();
    let pids = family.pids().await;
    io.set_timeout(Duration::from_millis(1));
    let error = within(io.output()).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let output = error.into_output().unwrap();
    for stage in &output.stages {
        assert!(was_killed(stage.status.unwrap()), "{stage:?}");
    }
    are_gone(pids).await;
}

#[tokio::test]
async fn so_does_a_drop() {
    let family = Family::new(3);
    let io = family.spawn();
    let pids = family.pids().await;
    drop(io);
    are_gone(pids).await;
}

#[tokio::test]
async fn so_does_a_kill_which_all_statuses_tell() {
    let family = Family::new(3);
    let mut io = family.spawn();
    let pids = family.pids().await;
    io.control().kill_tree().unwrap();
    let output = within(io.output()).await.unwrap();
    for stage in &output.stages {
        assert!(was_killed(stage.status.unwrap()), "{stage:?}");
    }
    are_gone(pids).await;
}

#[tokio::test]
async fn so_does_a_shutdown() {
    let family = Family::new(3);
    let mut io = family.spawn();
    let pids = family.pids().await;
    // Wine cannot send what `TERM` is on Windows.
    let (ladder, end) = match cfg!(unix) {
        true => (Ladder::new().signal(Signal::TERM, GENEROUS), Signal::TERM),
        false => (Ladder::kill(), Signal::KILL),
    };
    let report = within(io.shutdown(ladder)).await.unwrap();
    assert_eq!(report.ended_by(), Some(Step::Signal(end)));
    are_gone(pids).await;
}

/// The group is that of the first stage, and outlives it.
#[tokio::test]
async fn the_first_stage_may_be_gone_before() {
    let family = Family::new(2);
    let file = family.file("first", 0);
    let mut io = ProcessIo::builder(steps(&["pid-into", file.to_str().unwrap()]))
        .pipe(family.stage(0))
        .pipe(family.stage(1))
        .spawn()
        .unwrap();
    let pids = family.pids().await;
    let first = std::fs::read_to_string(file).unwrap().parse().unwrap();
    eventually("the first has exited", || !is_alive(first)).await;
    io.control().kill_tree().unwrap();
    let output = within(io.output()).await.unwrap();
    let killed: Vec<_> = (output.stages.iter())
        .map(|stage| was_killed(stage.status.unwrap()))
        .collect();
    assert_eq!(killed, [false, true, true]);
    are_gone(pids).await;
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;
    use crate::support::sh;

    const ANNOUNCE: &str = "(trap '' TERM; echo pid $$ >&2; sleep 60; true) & wait";

    /// Whether any process is in the group.
    fn group_lives(group: u32) -> bool {
        let group = rustix::process::Pid::from_raw(group as i32).unwrap();
        rustix::process::test_kill_process_group(group).is_ok()
    }

    async fn told_pid(io: &mut ProcessIo) -> u32 {
        let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
        let line = line.to_str().unwrap();
        line.strip_prefix("pid ").unwrap().parse().unwrap()
    }

    /// Of the group there is, at the end, only what its new parent has not reaped yet.
    #[tokio::test]
    async fn what_does_not_listen_is_killed() {
        let spawn = || {
            ProcessIo::builder(sh(ANNOUNCE))
                .merge_stderr()
                .pipe(Stage::new(sh("cat; sleep 60; true")))
                .spawn()
                .unwrap()
        };
        let mut io = spawn();
        let pid = told_pid(&mut io).await;
        assert!(is_alive(pid) && group_lives(pid));
        drop(io);
        eventually("the group is gone", || !group_lives(pid)).await;

        let mut io = spawn();
        let pid = told_pid(&mut io).await;
        let ladder = Ladder::new().signal(Signal::TERM, Duration::from_millis(100));
        let report = within(io.shutdown(ladder)).await.unwrap();
        // The stages have ended at the first step, and one that they have started has not.
        assert_eq!(report.ended_by(), Some(Step::Signal(Signal::KILL)));
        eventually("the group is gone", || !group_lives(pid)).await;
    }

    #[tokio::test]
    async fn a_stage_that_leaves_the_group_is_killed_too() {
        let mut leaver = Command::new("setsid");
        leaver.args(["sh", "-c", "echo pid $$; sleep 60; true"]);
        let mut io = ProcessIo::builder(sh("sleep 60; true"))
            .pipe(leaver)
            .spawn()
            .unwrap();
        let pid = told_pid(&mut io).await;
        drop(io);
        eventually("the stage is gone", || !exists(pid)).await;
    }

    /// The first stage, whose id is that of the group, has been reaped by then.
    #[tokio::test]
    async fn a_pipeline_that_was_let_go_can_still_be_killed() {
        let mut io = ProcessIo::builder(sh("exit"))
            .pipe(sh("echo pid $$; sleep 300 & echo pid $!; wait"))
            .pipe(child(&["cat"]))
            .spawn()
            .unwrap();
        let first = io.id().unwrap();
        let alive = [told_pid(&mut io).await, told_pid(&mut io).await];
        let control = io.detach();
        eventually("the first stage is reaped", || !exists(first)).await;
        assert!(alive.iter().all(|pid| is_alive(*pid)));
        control.kill_tree().unwrap();
        eventually("all are gone", || !alive.iter().any(|pid| exists(*pid))).await;
    }
}
