//! The ways out of "no orphan": `detach` and `kill_on_drop(false)`. Who is let go lives on, and is reaped when it ends.
#![cfg(target_os = "linux")] // `/proc` tells a process that runs from a zombie and from one that is gone.

use std::time::Duration;

use futures::poll;
use process_io::{Control, ProcessIo, Source};

use crate::support::{
    child, eventually, exists, is_alive,
    life::{
        MIDDLES, assert_drop, assert_family_gone, assert_gone, family_that_is_killed, runtimes,
        stubborn,
    },
    within,
};

/// Not only the child: what it has started lives on too.
#[tokio::test]
async fn a_family_that_is_let_go_lives_on() {
    for detach in [false, true] {
        let (io, pids) = family_that_is_killed(detach).await;
        let control = io.control();
        if detach {
            io.detach();
        } else {
            drop(io);
        }
        // A kill would have been seen by the time that this is.
        let later = ProcessIo::builder(child(&["exit", "0"]));
        assert!(within(later).await.unwrap().success());
        assert!(pids.iter().all(|&pid| is_alive(pid)), "{detach}");
        control.kill_tree().unwrap();
        assert_family_gone(pids);
    }
}

#[tokio::test]
async fn dropped_in_the_middle_without_kill_on_drop_nobody_is_killed() {
    for (what, middle) in MIDDLES {
        if what.starts_with("shutdown") {
            continue; // That is a wish to kill.
        }
        let (io, pids) = family_that_is_killed(false).await;
        let control = io.control();
        assert!(poll!(&mut middle(io)).is_pending(), "{what}");
        let later = ProcessIo::builder(child(&["exit", "0"]));
        assert!(within(later).await.unwrap().success());
        assert!(pids.iter().all(|&pid| is_alive(pid)), "{what}");
        control.kill_tree().unwrap();
        assert_family_gone(pids);
    }
}

#[test]
fn without_kill_on_drop_it_is_reaped_without_a_runtime() {
    for runtime in runtimes() {
        let io = runtime.block_on(async {
            // It ends when its input does, and that is when the handle is dropped.
            let run = ProcessIo::builder(child(&["pid"])).kill_on_drop(false);
            let mut io = run.spawn().unwrap();
            within(io.recv(Source::Stdout)).await.unwrap();
            io
        });
        drop(runtime);
        let pid = io.id().unwrap();
        assert_drop(io, pid);
    }
}

/// It goes on when the handle is gone, and is reaped when it ends.
async fn assert_lives_until_killed(control: Control, pid: u32) {
    // Long enough for a signal that must not be sent to arrive.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(is_alive(pid));
    assert_eq!(control.try_wait().unwrap(), None);
    control.kill().unwrap();
    assert!(!within(control.wait()).await.unwrap().success());
    eventually("it is reaped", || !exists(pid)).await;
}

#[tokio::test]
async fn without_kill_on_drop_it_lives_on_and_is_reaped() {
    let run = ProcessIo::builder(child(&["deaf"])).kill_on_drop(false);
    let mut io = run.spawn().unwrap();
    within(io.recv(Source::Stdout)).await.unwrap();
    let (control, pid) = (io.control(), io.id().unwrap());
    drop(io);
    assert_lives_until_killed(control, pid).await;
}

#[tokio::test]
async fn detached_it_lives_on_and_is_reaped() {
    let (io, pid) = stubborn().await;
    let control = io.detach();
    assert_eq!(control.id(), Some(pid));
    assert_lives_until_killed(control, pid).await;
}

#[tokio::test]
async fn detached_it_finds_the_end_of_its_input() {
    let mut io = ProcessIo::spawn(child(&["pid"])).unwrap();
    within(io.recv(Source::Stdout)).await.unwrap();
    let pid = io.id().unwrap();
    let control = io.detach();
    assert!(within(control.wait()).await.unwrap().success());
    eventually("it is reaped", || !exists(pid)).await;
}

#[test]
fn detached_it_is_reaped_without_a_runtime() {
    for runtime in runtimes() {
        let (io, pid) = runtime.block_on(stubborn());
        let control = io.detach();
        drop(runtime);
        assert!(is_alive(pid));
        control.kill().unwrap();
        assert_gone(pid);
    }
}
