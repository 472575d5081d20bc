//! Where SIGCHLD is ignored the system throws the status of every child away: nothing is started then, and the error says why.
#![cfg(target_os = "linux")] // The wrapper is a program that CI has there.

use process_io::{Command, Error, ProcessIo};

use crate::support::{alone, alone_by, setup::after};

#[tokio::test]
async fn nothing_is_started() {
    let ignored = || after("signal.signal(signal.SIGCHLD, signal.SIG_IGN)");
    if alone_by("sigchld_ignored::nothing_is_started", ignored) {
        assert_refused().await;
    }
}

/// The signal has its default, and the statuses are thrown away by a flag.
#[tokio::test]
async fn nothing_is_started_where_no_child_becomes_a_zombie() {
    if !alone("sigchld_ignored::nothing_is_started_where_no_child_becomes_a_zombie") {
        return;
    }
    // SAFETY: all zeros are a valid `sigaction`, with the default action, and nothing is written.
    unsafe {
        let mut action = std::mem::zeroed::<libc::sigaction>();
        action.sa_flags = libc::SA_NOCLDWAIT;
        assert_eq!(
            libc::sigaction(libc::SIGCHLD, &action, std::ptr::null_mut()),
            0
        );
    }
    assert_refused().await;
}

async fn assert_refused() {
    let folder = tempfile::tempdir().unwrap();
    let touch = |name: &str| {
        let mut touch = Command::new("touch");
        touch.arg(folder.path().join(name));
        touch
    };
    let runs: [Result<_, Error>; 4] = [
        ProcessIo::spawn(touch("a")).map(drop),
        ProcessIo::builder(touch("b")).await.map(drop),
        ProcessIo::builder(touch("c"))
            .die_with_parent(true)
            .spawn()
            .map(drop),
        ProcessIo::builder(touch("d"))
            .pipe(touch("e"))
            .spawn()
            .map(drop),
    ];
    for run in runs {
        let text = run.unwrap_err().to_string();
        assert!(text.contains("SIGCHLD is ignored"), "{text}");
    }
    // std starts it all the same, and it is after all the others.
    let _ = std::process::Command::new("touch")
        .arg(folder.path().join("z"))
        .status();
    let all: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(all.len(), 1, "{all:?}");
}
