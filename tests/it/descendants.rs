//! What a child has started dies with it, also when it is in another process group or session.
//!
//! Out of reach is a daemon, which has lost its parent: `left_behind`.
#![cfg(target_os = "linux")] // `/proc` tells who is still there.

use std::{process::Stdio, time::Duration};

use futures::future::join_all;
use process_io::{Builder, CancellationToken, Ladder, ProcessIo, Signal, Source};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};

use crate::support::{
    Mark, alone, eventually,
    life::{childless, reapers},
    sh, within,
};

const NEVER: Duration = Duration::from_secs(3600);

/// Each starts one `sleep` that is in another group.
const SHAPES: [&str; 9] = [
    "timeout 300 sleep 300; true",
    "timeout 300 timeout 300 sleep 300; true",
    "timeout 300 sh -c 'timeout 300 sleep 300; true' & wait",
    "bash -c 'set -m; sleep 300 & wait'; true",
    "bash -c 'set -m; (set -m; sleep 300 & wait) & wait'; true",
    "perl -e 'unless (fork) { setpgrp; exec qw(sleep 300) } wait'; true",
    "setsid sleep 300; true",
    // By a thread that is not the first.
    "python3 -c 'import subprocess, threading
t = threading.Thread(target=lambda: subprocess.run([\"setsid\", \"sleep\", \"300\"]))
t.start(); t.join()'; true",
    "node -e 'require(`child_process`).spawn(`sleep`, [`300`], { detached: true, stdio: `ignore` })'; true",
];

/// Those whose programs are there.
fn shapes() -> Vec<&'static str> {
    let is_there = |program: &str| {
        let mut program = std::process::Command::new(program);
        program
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .is_ok()
    };
    let needs = ["bash", "perl", "python3", "node"].map(|program| (program, is_there(program)));
    let can_run = |shape: &&str| {
        !needs
            .iter()
            .any(|(program, is)| shape.starts_with(program) && !is)
    };
    SHAPES.into_iter().filter(can_run).collect()
}

/// How a tree is made to end.
#[derive(Debug, Clone, Copy)]
enum Way {
    Drop,
    KillTree,
    Shutdown,
    ShutdownThatAsks,
    TimeOut,
    Cancel,
}

impl Way {
    const ALL: [Self; 6] = [
        Self::Drop,
        Self::KillTree,
        Self::Shutdown,
        Self::ShutdownThatAsks,
        Self::TimeOut,
        Self::Cancel,
    ];

    /// Gives the handle back, so that it is not its drop that kills.
    async fn end(self, mut io: ProcessIo) -> Option<ProcessIo> {
        match self {
            Self::Drop => return None,
            Self::KillTree => io.control().kill_tree().unwrap(),
            Self::Shutdown => drop(within(io.shutdown(Ladder::kill())).await.unwrap()),
            Self::ShutdownThatAsks => {
                let ladder = Ladder::new().signal(Signal::TERM, NEVER);
                let report = within(io.shutdown(ladder)).await.unwrap();
                assert_eq!(report.steps.len(), 1, "{report}");
            }
            Self::TimeOut => {
                io.set_deadline(Instant::now());
                assert!(within(io.output()).await.unwrap_err().is_timeout());
            }
            Self::Cancel => {
                let token = CancellationToken::new();
                token.cancel();
                io.set_cancel_on(token);
                assert!(within(io.output()).await.unwrap_err().is_cancelled());
            }
        }
        Some(io)
    }
}

async fn assert_dies(way: Way, shape: &str, option: fn(Builder) -> Builder) {
    let context = format!("{way:?} of {shape}");
    let (mark, stranger) = (Mark::new(), Mark::new());
    let [io, neighbour] = [&mark, &stranger].map(|mark| {
        let run = option(ProcessIo::builder(mark.on(sh(shape))));
        run.spawn().unwrap()
    });
    mark.has("sleep", 1).await;
    stranger.has("sleep", 1).await;
    let before = stranger.alive();
    let kept = way.end(io).await;
    mark.is_gone(&context).await;
    drop(kept);
    assert_eq!(stranger.alive(), before, "{context}");
    assert_eq!(neighbour.control().try_wait().unwrap(), None, "{context}");
    drop(neighbour);
    stranger.is_gone(&context).await;
}

async fn all_die(option: fn(Builder) -> Builder) {
    let shapes = shapes();
    for way in Way::ALL {
        join_all(shapes.iter().map(|shape| assert_dies(way, shape, option))).await;
    }
}

#[tokio::test]
async fn in_other_groups() {
    all_die(|run| run).await;
}

#[tokio::test]
async fn in_other_groups_of_a_child_in_ours() {
    all_die(|run| run.process_group(false)).await;
}

#[tokio::test]
async fn in_other_groups_with_a_guardian() {
    all_die(|run| run.die_with_parent(true)).await;
}

#[tokio::test]
async fn in_other_groups_of_the_stages_of_a_pipeline() {
    let pairs = [
        (SHAPES[0], "cat"),
        ("cat", SHAPES[0]),
        (SHAPES[0], SHAPES[6]),
        // The first stage, which leads the group, is gone.
        ("exit", SHAPES[0]),
    ];
    for own in [true, false] {
        for way in Way::ALL {
            for (first, second) in pairs {
                let mark = Mark::new();
                let run = ProcessIo::builder(mark.on(sh(first))).process_group(own);
                let io = run.pipe(mark.on(sh(second))).spawn().unwrap();
                let sleeps = [first, second].map(|script| script.contains("sleep"));
                let count = sleeps.into_iter().filter(|sleeps| *sleeps).count();
                mark.has("sleep", count).await;
                let kept = way.end(io).await;
                mark.is_gone(&format!("{way:?} of {first} | {second}, {own}"))
                    .await;
                drop(kept);
            }
        }
    }
}

/// A child that leads a session although it was not put into a group of its own: those of its group that have lost their
/// parent are reached too.
#[tokio::test]
async fn in_the_group_that_a_child_in_ours_has_made() {
    for way in Way::ALL {
        let mark = Mark::new();
        let mut command = mark.on(process_io::Command::new("setsid"));
        command.args(["sh", "-c", "(sleep 300 &); timeout 300 sleep 300; true"]);
        let io = ProcessIo::builder(command)
            .process_group(false)
            .spawn()
            .unwrap();
        mark.has("sleep", 2).await;
        let kept = way.end(io).await;
        mark.is_gone(&format!("{way:?}")).await;
        drop(kept);
    }
}

#[tokio::test]
async fn a_hundred() {
    for way in Way::ALL {
        let mark = Mark::new();
        let script = "for i in $(seq 100); do timeout 300 sleep 300 & done; wait";
        let io = ProcessIo::spawn(mark.on(sh(script))).unwrap();
        mark.has("sleep", 100).await;
        let kept = way.end(io).await;
        mark.is_gone(&format!("{way:?}")).await;
        drop(kept);
    }
}

/// New ones come while they are looked for.
#[tokio::test]
async fn while_they_fork() {
    let scripts = [
        "for i in $(seq 300); do timeout 300 sleep 300 & done; wait",
        "timeout 300 sh -c 'for i in $(seq 300); do timeout 300 sleep 300 & done; wait'; true",
        "bash -c 'set -m; for i in $(seq 300); do (sleep 300; true) & done; wait'; true",
        "bash -c 'set -m; (for i in $(seq 300); do sleep 300 & done; wait) & wait'; true",
    ];
    for way in [Way::Drop, Way::KillTree, Way::Shutdown, Way::TimeOut] {
        for script in scripts {
            let mark = Mark::new();
            let io = ProcessIo::spawn(mark.on(sh(script))).unwrap();
            let what = "it has begun";
            eventually(what, || mark.count("sleep") > 3).await;
            let kept = way.end(io).await;
            mark.is_gone(&format!("{way:?} of {script}")).await;
            drop(kept);
        }
    }
}

/// Those that are stopped too, and those of a parent that is.
#[tokio::test]
async fn that_are_stopped() {
    let scripts = [
        "timeout 300 sh -c 'kill -STOP $$; sleep 300'; true",
        "bash -c 'set -m; sleep 300 & kill -STOP $$'; true",
        "timeout 300 sleep 300 & sleep 0.1; kill -STOP $!; kill -STOP $$",
    ];
    for way in Way::ALL {
        for script in scripts {
            let mark = Mark::new();
            let io = ProcessIo::spawn(mark.on(sh(script))).unwrap();
            let stopped = || {
                mark.alive().into_iter().any(|(_, pid)| {
                    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
                    stat.is_ok_and(|stat| stat.contains(") T "))
                })
            };
            eventually("one is stopped", stopped).await;
            let kept = way.end(io).await;
            mark.is_gone(&format!("{way:?} of {script}")).await;
            drop(kept);
        }
    }
}

/// The system continues a stopped group, after a `SIGHUP`, when the end of a process elsewhere makes it an orphan.
#[tokio::test]
async fn that_would_act_on_the_end_of_others() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..100 {
        let mark = Mark::new();
        let file = folder.path().join(round.to_string());
        let job = format!(
            "trap ': > {}' HUP CONT; echo ready; while :; do :; done",
            file.display()
        );
        let script = format!(
            "bash -c 'set -m; ({}) & wait'; true",
            job.replace('\'', "\"")
        );
        let mut io = ProcessIo::spawn(mark.on(sh(&script))).unwrap();
        assert!(
            within(io.recv(Source::Stdout))
                .await
                .unwrap()
                .data()
                .is_some()
        );
        match round % 2 {
            0 => drop(io),
            _ => drop(within(io.shutdown(Ladder::kill())).await.unwrap()),
        }
        mark.is_gone("a job").await;
        assert!(!file.exists(), "{round}");
    }
}

/// A signal that has a handler interrupts system calls, also those that do not wait.
#[tokio::test]
async fn while_signals_come() {
    if !alone("descendants::while_signals_come") {
        return;
    }
    let _handled = signal(SignalKind::child()).unwrap();
    // Of each stop of a child the thread is told that has started it: this one.
    let mut restless = std::process::Command::new("sleep")
        .arg("300")
        .spawn()
        .unwrap();
    let mut storm = std::process::Command::new("sh")
        .args([
            "-c",
            "while kill -STOP $1 && kill -CONT $1; do :; done",
            "sh",
        ])
        .arg(restless.id().to_string())
        .spawn()
        .unwrap();
    for _ in 0..50 {
        let mark = Mark::new();
        let io = ProcessIo::spawn(mark.on(sh("timeout 300 sleep 300; true"))).unwrap();
        mark.has("sleep", 1).await;
        drop(io);
        mark.is_gone("amid signals").await;
    }
    for child in [&mut storm, &mut restless] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// Each that is found takes a descriptor.
#[tokio::test]
async fn more_than_there_are_descriptors() {
    if !alone("descendants::more_than_there_are_descriptors") {
        return;
    }
    let mark = Mark::new();
    let script = "for i in $(seq 100); do timeout 300 sleep 300 & done; wait";
    let io = ProcessIo::spawn(mark.on(sh(script))).unwrap();
    mark.has("sleep", 100).await;
    let usual = getrlimit(Resource::Nofile);
    let few = Rlimit {
        current: Some(descriptors() as u64 + 30),
        ..usual
    };
    setrlimit(Resource::Nofile, few).unwrap();
    drop(io);
    setrlimit(Resource::Nofile, usual).unwrap();
    mark.is_gone("with few descriptors").await;
}

/// Nor are those kept for ever.
#[tokio::test]
async fn those_that_were_signalled_take_no_descriptor_in_the_end() {
    if !alone("descendants::those_that_were_signalled_take_no_descriptor_in_the_end") {
        return;
    }
    drop(ProcessIo::spawn(sh("cat")).unwrap());
    eventually("the first is gone", || childless() && reapers() == 0).await;
    let before = descriptors();
    let mark = Mark::new();
    let script = "for i in $(seq 20); do timeout 300 sleep 300 & done; wait";
    let mut io = ProcessIo::spawn(mark.on(sh(script))).unwrap();
    mark.has("sleep", 20).await;
    let control = io.control();
    control.signal_tree(Signal::from_raw(28)).unwrap();
    within(io.shutdown(Ladder::kill())).await.unwrap();
    drop(io);
    mark.is_gone("all").await;
    // That of the child itself belongs to the control.
    eventually("no descriptor", || descriptors() <= before + 1).await;
    drop(control);
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
