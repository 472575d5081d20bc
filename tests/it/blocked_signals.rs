//! A child starts with no signal blocked, whatever this process blocks.
#![cfg(target_os = "linux")] // `/proc` tells what a process blocks.

use std::{mem::MaybeUninit, os::unix::process::ExitStatusExt, ptr::null_mut};

use process_io::{Builder, Command, ProcessIo, Signal};

use crate::support::{alone, child, within};

/// Blocks these and no other in this thread.
fn block(signals: &[i32]) {
    // SAFETY: the first call initialises the set; nothing here relies on a signal that is blocked.
    unsafe {
        let mut set = MaybeUninit::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        for &signal in signals {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        assert_eq!(
            libc::pthread_sigmask(libc::SIG_SETMASK, set.as_ptr(), null_mut()),
            0
        );
    }
}

/// Tells what it blocks: a bit for each signal, in hexadecimal.
fn teller() -> Builder {
    let mut grep = Command::new("grep");
    grep.args(["SigBlk", "/proc/self/status"]);
    ProcessIo::builder(grep)
}

async fn blocked(run: Builder) -> String {
    let output = within(run).await.unwrap().check().unwrap();
    output.stdout_lossy()["SigBlk:".len()..].trim().into()
}

const NONE: &str = "0000000000000000";
/// `SIGTERM` is 15, `SIGUSR1` is 10.
const TERM_AND_USR1: &str = "0000000000004200";

#[tokio::test]
async fn a_child_starts_with_none_blocked() {
    if !alone("blocked_signals::a_child_starts_with_none_blocked") {
        return;
    }
    assert_eq!(blocked(teller()).await, NONE);
    block(&[libc::SIGTERM, libc::SIGUSR1]);
    assert_eq!(blocked(teller()).await, NONE);
    assert_eq!(blocked(teller().die_with_parent(true)).await, NONE);
    let mut io = ProcessIo::spawn(child(&["sleep"])).unwrap();
    io.control().signal(Signal::TERM).unwrap();
    let status = within(io.wait()).await.unwrap();
    assert_eq!(status.signal(), Some(libc::SIGTERM));
}

#[tokio::test]
async fn so_does_every_stage_of_a_pipeline() {
    if !alone("blocked_signals::so_does_every_stage_of_a_pipeline") {
        return;
    }
    block(&[libc::SIGTERM]);
    let mut second = Command::new("sh");
    second.args(["-c", "cat; grep SigBlk /proc/self/status"]);
    let output = within(teller().pipe(second)).await.unwrap();
    assert_eq!(output.stdout_lossy().matches(NONE).count(), 2, "{output:?}");
}

#[tokio::test]
async fn it_inherits_them_if_it_is_to() {
    if !alone("blocked_signals::it_inherits_them_if_it_is_to") {
        return;
    }
    block(&[libc::SIGTERM, libc::SIGUSR1]);
    assert_eq!(blocked(teller().inherit_signals(true)).await, TERM_AND_USR1);
}

/// One that is blocked and pending stays so: the program waits for it in its own way.
#[tokio::test]
async fn none_is_delivered_to_us_meanwhile() {
    if !alone("blocked_signals::none_is_delivered_to_us_meanwhile") {
        return;
    }
    block(&[libc::SIGTERM]);
    // SAFETY: it is for this thread, which blocks it.
    assert_eq!(unsafe { libc::raise(libc::SIGTERM) }, 0);
    assert_eq!(blocked(teller()).await, NONE);
    assert_eq!(blocked(teller().die_with_parent(true)).await, NONE);
}
