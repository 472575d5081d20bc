//! What a child leaves behind when it exits by itself is its own affair, unless it is to be killed.
#![cfg(target_os = "linux")] // `/proc` tells who is still there.

use std::time::{Duration, Instant};

use futures::{TryStreamExt, future::join_all};
use process_io::{
    Builder, Command, DEFAULT_DRAIN_CAP, DEFAULT_DRAIN_IDLE, Drain, Limits, Overflow, ProcessIo,
    Source,
};

use crate::support::{Mark, child, sh, within};

const DAEMONS: [&str; 4] = [
    "setsid sleep 600 </dev/null >/dev/null 2>&1 &",
    "(setsid sleep 600 </dev/null >/dev/null 2>&1 &)",
    // Not in a session of its own yet when the shell exits, or never.
    "(timeout 0.2 tail -f /dev/null; exec setsid sleep 600) </dev/null >/dev/null 2>&1 &",
    "sleep 600 </dev/null >/dev/null 2>&1 &",
];

/// How a run comes to its end.
#[derive(Debug, Clone, Copy)]
enum End {
    Await,
    Wait,
    Events,
}

impl End {
    const ALL: [Self; 3] = [Self::Await, Self::Wait, Self::Events];

    async fn of(self, run: Builder) {
        match self {
            Self::Await => drop(within(run).await.unwrap().check().unwrap()),
            Self::Wait => {
                let mut io = run.spawn().unwrap();
                assert!(within(io.wait()).await.unwrap().success());
            }
            Self::Events => {
                let io = run.spawn().unwrap();
                let events: Vec<_> = within(io.try_collect()).await.unwrap();
                assert_eq!(events.len(), 3, "two ends and the exit: {events:?}");
            }
        }
    }
}

/// A kill would have been seen by the time that this is.
async fn a_moment() {
    for _ in 0..3 {
        let run = ProcessIo::builder(child(&["exit", "0"]));
        assert!(within(run).await.unwrap().success());
    }
}

#[tokio::test]
async fn a_daemon_lives() {
    const ROUNDS: usize = 10;
    for script in DAEMONS {
        for end in End::ALL {
            let mark = Mark::new();
            for _ in 0..ROUNDS {
                end.of(ProcessIo::builder(mark.on(sh(script)))).await;
            }
            mark.has("sleep", ROUNDS).await;
            a_moment().await;
            assert_eq!(mark.count("sleep"), ROUNDS, "{end:?} {script}");
        }
    }
}

#[tokio::test]
async fn a_daemon_of_a_pipeline_lives() {
    const ROUNDS: usize = 5;
    for script in DAEMONS {
        let mark = Mark::new();
        for _ in 0..ROUNDS {
            let run = ProcessIo::builder(mark.on(sh(script))).pipe(mark.on(sh(script)));
            assert!(within(run).await.unwrap().success());
        }
        mark.has("sleep", 2 * ROUNDS).await;
        a_moment().await;
        assert_eq!(mark.count("sleep"), 2 * ROUNDS, "{script}");
    }
}

/// Also by those that lead no group of their own, or have a guardian.
#[tokio::test]
async fn a_daemon_of_any_child_lives() {
    let ways: [fn(Builder) -> Builder; 4] = [
        |run| run.process_group(false),
        |run| run.die_with_parent(true),
        |run| run.timeout(Duration::from_secs(300)),
        |run| run.kill_on_drop(false),
    ];
    for (number, way) in ways.into_iter().enumerate() {
        // What becomes a daemon later is still in the guardian's group, which it holds.
        for script in &DAEMONS[..2] {
            let mark = Mark::new();
            for _ in 0..5 {
                End::Await
                    .of(way(ProcessIo::builder(mark.on(sh(script)))))
                    .await;
            }
            mark.has("sleep", 5).await;
            a_moment().await;
            assert_eq!(mark.count("sleep"), 5, "{number} {script}");
        }
    }
}

#[tokio::test]
async fn a_daemon_of_a_failure_lives_too() {
    let mark = Mark::new();
    let script = format!("{} exit 3", DAEMONS[0]);
    let output = within(ProcessIo::builder(mark.on(sh(&script))))
        .await
        .unwrap();
    assert_eq!(output.code(), Some(3));
    mark.has("sleep", 1).await;
    a_moment().await;
    assert_eq!(mark.count("sleep"), 1);
}

// ---- `kill_leftovers` ----

/// One in the group, and one that has become a daemon before the shell exits. The pipes are held by nobody, or by the first.
fn leaves_both(folder: &std::path::Path, holds: bool) -> Command {
    let ready = folder.join("ready");
    let redirect = if holds { "" } else { ">/dev/null 2>&1" };
    let script = format!(
        "setsid sh -c ': > {0}; exec tail -f /dev/null' </dev/null >/dev/null 2>&1 &
        sleep 600 </dev/null {redirect} &
        until [ -e {0} ]; do sleep 0.01; done",
        ready.display()
    );
    sh(&script)
}

#[tokio::test]
async fn leftovers_are_killed_and_a_daemon_is_not() {
    for holds in [false, true] {
        for end in End::ALL {
            let (mark, folder) = (Mark::new(), tempfile::tempdir().unwrap());
            let run = ProcessIo::builder(mark.on(leaves_both(folder.path(), holds)));
            end.of(run.kill_leftovers(true)).await;
            mark.has("sleep", 0).await;
            a_moment().await;
            assert_eq!(mark.count("tail"), 1, "{end:?} {holds}");
        }
    }
}

#[tokio::test]
async fn leftovers_of_a_pipeline_are_killed_and_a_daemon_is_not() {
    for holds in [false, true] {
        let mark = Mark::new();
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let [first, second] =
            (folders.each_ref()).map(|folder| mark.on(leaves_both(folder.path(), holds)));
        let run = ProcessIo::builder(first).kill_leftovers(true).pipe(second);
        assert!(within(run).await.unwrap().success());
        mark.has("sleep", 0).await;
        a_moment().await;
        assert_eq!(mark.count("tail"), 2, "{holds}");
    }
}

#[tokio::test]
async fn leftovers_in_a_guarded_group_are_killed() {
    let (mark, folder) = (Mark::new(), tempfile::tempdir().unwrap());
    let run = ProcessIo::builder(mark.on(leaves_both(folder.path(), false)));
    let run = run.die_with_parent(true).kill_leftovers(true);
    End::Await.of(run).await;
    mark.has("sleep", 0).await;
    a_moment().await;
    assert_eq!(mark.count("tail"), 1);
}

/// Who holds the pipes does not put that off, however the output is drained: silent, or talking.
#[tokio::test]
async fn leftovers_are_killed_in_time_although_they_hold_the_pipes() {
    for (program, script) in [
        ("sleep", "sleep 600 & exit 0"),
        ("yes", "(exec yes) & exit 0"),
        (
            "sh",
            "sh -c 'while :; do echo x; sleep 0.05; done' & exit 0",
        ),
    ] {
        for drain in [Drain::default(), Drain::UntilEof, Drain::Immediate] {
            let mark = Mark::new();
            let limits = Limits::default().stdout(1 << 20, Overflow::KeepTail);
            let run = ProcessIo::builder(mark.on(sh(script))).limits(limits);
            let output = within(run.drain(drain).kill_leftovers(true)).await.unwrap();
            assert!(output.success());
            assert!(
                output.elapsed < DEFAULT_DRAIN_CAP / 2,
                "{drain:?} {output:?}"
            );
            mark.has(program, 0).await;
        }
    }
}

#[tokio::test]
async fn leftovers_are_killed_when_the_handle_is_dropped_after_the_exit() {
    for drain in [Drain::default(), Drain::UntilEof] {
        for leave in [false, true] {
            let mark = Mark::new();
            let script = "sleep 600 & echo ready; exit 0";
            let run = ProcessIo::builder(mark.on(sh(script))).drain(drain);
            let run = run.kill_on_drop(!leave).kill_leftovers(true);
            let mut io = run.spawn().unwrap();
            within(io.recv(Source::Stdout)).await.unwrap();
            within(io.control().wait()).await.unwrap();
            mark.has("sleep", 1).await;
            drop(io);
            mark.is_gone("dropped").await;
        }
    }
}

/// Nor does the end of the time spare them, which finds that there is no room for what the child wrote.
#[tokio::test]
async fn leftovers_are_killed_when_the_time_is_up() {
    for room in [1000, 1 << 20] {
        let mark = Mark::new();
        let script = "head -c 60000 /dev/zero; sleep 600 & exit 0";
        let limits = Limits::default().stdout(room, Overflow::Block);
        let run = ProcessIo::builder(mark.on(sh(script))).limits(limits);
        let mut io = run.kill_leftovers(true).spawn().unwrap();
        within(io.control().wait()).await.unwrap();
        mark.has("sleep", 1).await;
        io.set_deadline(tokio::time::Instant::now());
        let _ = within(io.wait()).await;
        mark.is_gone("the time is up").await;
        drop(io);
    }
}

/// What ends in time is not killed.
#[tokio::test]
async fn leftovers_have_a_moment_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("written");
    for _ in 0..20 {
        let script = format!("(sleep 0.02; : > {}) >/dev/null 2>&1 &", mark.display());
        End::Await
            .of(ProcessIo::builder(sh(&script)).kill_leftovers(true))
            .await;
        if mark.exists() {
            return;
        }
    }
    panic!("never in time");
}

/// The fastest of many, for any one may be held up by other things.
#[tokio::test]
async fn without_leftovers_there_is_no_delay() {
    let mut fastest = Duration::MAX;
    for _ in 0..20 {
        let start = Instant::now();
        End::Await
            .of(ProcessIo::builder(sh("exit 0")).kill_leftovers(true))
            .await;
        fastest = fastest.min(start.elapsed());
    }
    assert!(fastest < DEFAULT_DRAIN_IDLE / 2, "{fastest:?}");
}

#[tokio::test]
async fn many_with_leftovers_at_once() {
    let mark = Mark::new();
    let runs = (0..30).map(|_| {
        let script = "sleep 600 >/dev/null 2>&1 & sleep 600 & exit 0";
        End::Await.of(ProcessIo::builder(mark.on(sh(script))).kill_leftovers(true))
    });
    join_all(runs).await;
    mark.is_gone("leftovers").await;
}
