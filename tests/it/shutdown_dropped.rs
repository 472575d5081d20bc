//! A shutdown that is broken off: the tree dies at once although the handle is kept, and the handle is as good as ever.
#![cfg(target_os = "linux")] // `/proc` tells a process that runs from one that has ended.

use std::{os::unix::process::ExitStatusExt, time::Duration};

use futures::poll;
use process_io::{Ladder, ProcessIo, Recv, Signal, Source, Step};

use crate::support::{assert_bytes, child, eventually, is_alive, pattern, sh, within};

const SHORT: Duration = Duration::from_millis(100);
const NEVER: Duration = Duration::from_secs(3600);

/// A shell that ignores what asks it to end, and so do its children.
const STUBBORN: &str = "trap '' TERM INT; sleep 300 & echo $!; sleep 300; true";

/// The shell's handle, and the pids of the shell and of its first child.
async fn stubborn(kill_on_drop: bool) -> (ProcessIo, [u32; 2]) {
    let run = ProcessIo::builder(sh(STUBBORN)).kill_on_drop(kill_on_drop);
    let mut io = run.spawn().unwrap();
    let said = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
    let grandchild = said.to_string().parse().unwrap();
    let shell = io.id().unwrap();
    (io, [shell, grandchild])
}

async fn die(pids: [u32; 2]) {
    eventually("the tree dies", || !pids.iter().any(|&pid| is_alive(pid))).await;
}

/// Ladders that are still on their first step after a moment, on their second, on their third.
fn ladders() -> [Ladder; 3] {
    [
        Ladder::new().close_stdin(NEVER).signal(Signal::TERM, NEVER),
        Ladder::new()
            .signal(Signal::INT, Duration::ZERO)
            .signal(Signal::TERM, NEVER),
        Ladder::new()
            .signal_child(Signal::TERM, SHORT / 10)
            .signal(Signal::TERM, SHORT / 10)
            .close_stdin(NEVER),
    ]
}

#[tokio::test]
async fn the_tree_dies_at_once_although_the_handle_is_kept() {
    for ladder in ladders() {
        let (mut io, pids) = stubborn(true).await;
        let shutdown = tokio::time::timeout(SHORT, io.shutdown(ladder.clone()));
        assert!(shutdown.await.is_err(), "{ladder:?}");
        // Nothing polls the handle meanwhile.
        die(pids).await;
        drop(io);
    }
}

#[tokio::test]
async fn it_does_so_at_the_first_poll() {
    let (mut io, pids) = stubborn(true).await;
    assert!(poll!(Box::pin(io.shutdown(Ladder::default()))).is_pending());
    die(pids).await;
    assert_eq!(within(io.wait()).await.unwrap().signal(), Some(9));
}

#[tokio::test]
async fn it_does_so_where_a_drop_of_the_handle_would_not() {
    let (mut io, pids) = stubborn(false).await;
    assert!(poll!(Box::pin(io.shutdown(Ladder::default()))).is_pending());
    die(pids).await;
    drop(io);
}

#[tokio::test]
async fn without_a_poll_nobody_dies() {
    let (mut io, pids) = stubborn(true).await;
    drop(io.shutdown(Ladder::kill()));
    let mut waiting = Box::pin(io.wait());
    // A kill would have been seen by the time that this is.
    let later = ProcessIo::builder(child(&["exit", "0"]));
    assert!(within(later).await.unwrap().success());
    assert!(poll!(&mut waiting).is_pending());
    assert!(pids.iter().all(|&pid| is_alive(pid)));
}

/// Also what it wrote after the first step, more than a pipe holds.
#[tokio::test]
async fn the_handle_still_gives_output_and_status() {
    const LARGE: usize = 3 << 20;
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("written");
    let script = "cat > /dev/null; \"$0\" both $1; : > \"$2\"; sleep 300; true";
    for by_output in [false, true] {
        let mut command = sh(script);
        command.arg(env!("CARGO_BIN_EXE_child"));
        command.arg(LARGE.to_string()).arg(&mark);
        let mut io = ProcessIo::spawn(command).unwrap();
        let mut shutdown = Box::pin(io.shutdown(Ladder::new().close_stdin(NEVER)));
        tokio::select! {
            report = &mut shutdown => panic!("{report:?}"),
            () = eventually("it has written", || mark.exists()) => {}
        }
        drop(shutdown);
        std::fs::remove_file(&mark).unwrap();
        let status = if by_output {
            let output = within(io.output()).await.unwrap();
            assert_bytes(output.stdout, pattern(LARGE));
            assert_bytes(output.stderr, pattern(LARGE));
            output.status.unwrap()
        } else {
            let status = within(io.wait()).await.unwrap();
            for source in [Source::Stdout, Source::Stderr] {
                let mut all = Vec::new();
                while let Recv::Data(piece) = within(io.recv(source)).await.unwrap() {
                    all.extend_from_slice(&piece);
                }
                assert_bytes(all, pattern(LARGE));
            }
            status
        };
        assert_eq!(status.signal(), Some(9));
    }
}

#[tokio::test]
async fn a_second_attempt_ends_as_the_first_was_about_to() {
    let (mut io, pids) = stubborn(true).await;
    assert!(poll!(Box::pin(io.shutdown(Ladder::default()))).is_pending());
    let ladder = Ladder::new().signal(Signal::TERM, NEVER);
    let report = within(io.shutdown(ladder)).await.unwrap();
    assert_eq!(report.status.signal(), Some(9));
    die(pids).await;
}

/// Also by `select!`, and again and again: a shutdown that lost the race has killed.
#[tokio::test]
async fn a_race_that_it_loses_is_its_end() {
    let (mut io, pids) = stubborn(true).await;
    let control = io.control();
    tokio::select! {
        biased;
        report = io.shutdown(Ladder::default()) => panic!("{report:?}"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(within(control.wait()).await.unwrap().signal(), Some(9));
    die(pids).await;
}

#[tokio::test]
async fn kill_on_drop_false_does_not_keep_the_tree_from_a_shutdown() {
    let (mut io, pids) = stubborn(false).await;
    let ladder = Ladder::new().signal(Signal::TERM, SHORT);
    let report = within(io.shutdown(ladder)).await.unwrap();
    assert_eq!(report.ended_by(), Some(Step::Signal(Signal::KILL)));
    die(pids).await;
    assert_eq!(within(io.wait()).await.unwrap(), report.status);
}

/// The child ends when its input does, and what it leaves behind goes with it when the time of that step is up.
#[tokio::test]
async fn kill_on_drop_false_does_not_save_what_a_polite_child_leaves_behind() {
    let script = "(trap '' TERM; exec sleep 300) & echo $!; read -r line; exit 0";
    let run = ProcessIo::builder(sh(script)).kill_on_drop(false);
    let mut io = run.spawn().unwrap();
    let said = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
    let left: u32 = said.to_string().parse().unwrap();
    let report = within(io.shutdown(Ladder::new().close_stdin(SHORT)))
        .await
        .unwrap();
    assert_eq!(report.status.code(), Some(0));
    die([left, left]).await;
}
