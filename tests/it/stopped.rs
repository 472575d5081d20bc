//! A child that is stopped, in the sense of job control, acts on what asks it to end: it is continued.
#![cfg(target_os = "linux")] // `/proc` tells who is stopped.

use std::{os::unix::process::ExitStatusExt, time::Duration};

use process_io::{Command, Ladder, ProcessIo, Signal, Source, Step};
use tokio::time::Instant;

use crate::support::{Mark, eventually, sh, within};

/// A wait that must not run out: who sees its end fails as one that hangs.
const NEVER: Duration = Duration::from_secs(3600);

const STOPPED: &str = "trap 'echo asked; exit 3' HUP INT TERM; kill -STOP $$; sleep 300; true";

async fn stopped(command: Command) -> ProcessIo {
    let io = ProcessIo::spawn(command).unwrap();
    eventually("it is stopped", || is_stopped(io.id().unwrap())).await;
    io
}

fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.contains(") T ")
}

#[tokio::test]
async fn whatever_asks() {
    for signal in [Signal::HUP, Signal::INT, Signal::TERM] {
        for tree in [false, true] {
            let mut io = stopped(sh(STOPPED)).await;
            match tree {
                true => io.control().signal_tree(signal).unwrap(),
                false => io.control().signal(signal).unwrap(),
            }
            let output = within(io.output()).await.unwrap();
            assert_eq!(output.code(), Some(3), "{signal} {tree}");
            assert_eq!(output.stdout, "asked\n");
        }
    }
    let mut io = stopped(sh(STOPPED)).await;
    io.control().terminate().unwrap();
    assert_eq!(within(io.wait()).await.unwrap().code(), Some(3));
}

/// What asks for nothing of the kind does not continue it.
#[tokio::test]
async fn whatever_else_leaves_it_stopped() {
    let io = stopped(sh("trap : USR1; kill -STOP $$; sleep 300; true")).await;
    let usr1 = Signal::from_raw(rustix::process::Signal::USR1.as_raw());
    io.control().signal_tree(usr1).unwrap();
    io.control().signal(usr1).unwrap();
    assert!(is_stopped(io.id().unwrap()));
    assert_eq!(
        io.control().stopped().map(|stop| stop.to_string()),
        Some("SIGSTOP".into())
    );
}

#[tokio::test]
async fn by_a_ladder() {
    let to_all = Ladder::new().signal(Signal::TERM, NEVER);
    let to_child = Ladder::new().signal_child(Signal::TERM, NEVER);
    for (ladder, step) in [
        (to_all, Step::Signal(Signal::TERM)),
        (to_child, Step::SignalChild(Signal::TERM)),
    ] {
        let mut io = stopped(sh(STOPPED)).await;
        let report = within(io.shutdown(ladder)).await.unwrap();
        assert_eq!(
            (report.status.code(), report.ended_by()),
            (Some(3), Some(step))
        );
    }
}

#[tokio::test]
async fn by_a_ladder_after_a_time_out() {
    let mut io = stopped(sh(STOPPED)).await;
    io.set_ladder(Ladder::new().signal(Signal::TERM, NEVER));
    io.set_deadline(Instant::now());
    let error = within(io.output()).await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(error.status().unwrap().code(), Some(3));
    assert_eq!(
        error.stopped().map(|stop| stop.to_string()),
        Some("SIGSTOP".into())
    );
    assert!(error.to_string().contains("stopped by SIGSTOP"), "{error}");
}

#[tokio::test]
async fn in_a_pipeline() {
    for first in [true, false] {
        let mark = Mark::new();
        let own = mark.on(sh(STOPPED));
        let other = mark.on(sh("exec cat"));
        let (one, two) = if first { (own, other) } else { (other, own) };
        let mut io = ProcessIo::builder(one).pipe(two).spawn().unwrap();
        let one_is_stopped = || mark.alive().iter().any(|(_, pid)| is_stopped(*pid));
        eventually("it is stopped", one_is_stopped).await;
        let ladder = Ladder::new().signal(Signal::TERM, NEVER);
        let report = within(io.shutdown(ladder)).await.unwrap();
        assert_eq!(report.ended_by(), Some(Step::Signal(Signal::TERM)));
        mark.is_gone("the pipeline").await;
    }
}

/// In the group and outside of it.
#[tokio::test]
async fn what_it_has_started_too() {
    for before in ["", "timeout 300 "] {
        let mark = Mark::new();
        let script = format!(
            "{before}sh -c \"{}\" & wait; true",
            STOPPED.replace('$', "\\$")
        );
        let mut io = ProcessIo::spawn(mark.on(sh(&script))).unwrap();
        let one_is_stopped = || mark.alive().iter().any(|(_, pid)| is_stopped(*pid));
        eventually("it is stopped", one_is_stopped).await;
        let ladder = Ladder::new().signal(Signal::TERM, NEVER);
        let report = within(io.shutdown(ladder)).await.unwrap();
        assert_eq!(report.ended_by(), Some(Step::Signal(Signal::TERM)));
        let said = within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap();
        // `timeout` passes on what it gets, so that its child may be asked twice.
        assert!(said.starts_with(b"asked\n"), "{said:?}");
        mark.is_gone(before).await;
    }
}

#[tokio::test]
async fn a_kill_needs_no_help() {
    for drops in [false, true] {
        let mut io = stopped(sh(STOPPED)).await;
        let control = io.control();
        match drops {
            true => drop(io),
            false => {
                let report = within(io.shutdown(Ladder::kill())).await.unwrap();
                assert_eq!(report.status.signal(), Some(9));
            }
        }
        assert_eq!(within(control.wait()).await.unwrap().signal(), Some(9));
    }
}
