//! Dropping a handle kills the child, leaves no zombie, never blocks and never panics, whatever the runtime is doing.
#![cfg(target_os = "linux")] // `/proc` tells a process that runs from a zombie and from one that is gone.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use futures::{StreamExt, poll};
use process_io::{ProcessIOWrapper, ProcessIo, Redirect, Source};
use tokio::{io::AsyncReadExt, runtime::Runtime};

use crate::support::{
    GENEROUS, alone, child, eventually, exists, is_alive,
    life::{assert_drop, assert_gone, childless, reapers, runtimes, stubborn},
    pattern, sh, within,
};

#[tokio::test]
async fn dropped_when_idle() {
    let (io, pid) = stubborn().await;
    assert_drop(io, pid);
}

#[tokio::test]
async fn dropped_in_the_middle_of_a_read() {
    let (mut io, pid) = stubborn().await;
    let mut reading = Box::pin(async move { io.recv(Source::Stdout).await });
    assert!(poll!(&mut reading).is_pending());
    assert_drop(reading, pid);
}

#[tokio::test]
async fn dropped_in_the_middle_of_a_send() {
    let (mut io, pid) = stubborn().await;
    let mut sending = Box::pin(async move { io.send(pattern(8 << 20)).await });
    assert!(poll!(&mut sending).is_pending());
    assert_drop(sending, pid);
}

#[tokio::test]
async fn dropped_in_the_middle_of_a_wait() {
    let (mut io, pid) = stubborn().await;
    let mut waiting = Box::pin(async move { io.wait().await });
    assert!(poll!(&mut waiting).is_pending());
    assert_drop(waiting, pid);
}

#[tokio::test]
async fn dropped_while_collecting() {
    let (io, pid) = stubborn().await;
    let mut collecting = IntoFuture::into_future(io);
    assert!(poll!(&mut collecting).is_pending());
    assert_drop(collecting, pid);
}

#[tokio::test]
async fn dropped_in_the_middle_of_a_stream() {
    let (mut io, pid) = stubborn().await;
    assert!(poll!(io.next()).is_pending());
    assert_drop(io, pid);
}

#[tokio::test]
async fn dropped_as_a_wrapper() {
    let (io, pid) = stubborn().await;
    let mut file = ProcessIOWrapper::from(io);
    assert!(poll!(Box::pin(file.read_u8())).is_pending());
    assert_drop(file, pid);
}

#[tokio::test]
async fn dropped_as_halves() {
    for send_first in [false, true] {
        let (io, pid) = stubborn().await;
        let (send, recv) = io.into_split();
        if send_first {
            drop(send);
            assert_drop(recv, pid);
        } else {
            drop(recv);
            assert_drop(send, pid);
        }
    }
}

#[tokio::test]
async fn dropped_by_a_time_out() {
    let script = child(&["trap-term"]);
    let io = ProcessIo::spawn(script).unwrap();
    let pid = io.id().unwrap();
    let run = tokio::time::timeout(Duration::from_millis(20), io);
    assert!(run.await.is_err());
    assert_gone(pid);
}

#[tokio::test]
async fn dropped_after_the_exit_was_seen() {
    let io = ProcessIo::spawn(child(&["exit", "3"])).unwrap();
    let pid = io.id().unwrap();
    assert_eq!(within(io.control().wait()).await.unwrap().code(), Some(3));
    assert!(exists(pid) && !is_alive(pid), "seen, and not reaped");
    drop(io);
    assert!(!exists(pid), "nothing is left to wait for");
}

#[tokio::test]
async fn reaped_at_the_end_of_the_run_and_not_at_the_drop() {
    let mut io = ProcessIo::spawn(child(&["exit", "3"])).unwrap();
    let pid = io.id().unwrap();
    within(io.wait()).await.unwrap();
    assert!(!exists(pid));
}

#[test]
fn dropped_outside_any_runtime() {
    for runtime in runtimes() {
        let (io, pid) = runtime.block_on(stubborn());
        assert_drop(io, pid);
    }
}

#[test]
fn dropped_when_the_runtime_is_gone() {
    for runtime in runtimes() {
        let (io, pid) = runtime.block_on(stubborn());
        drop(runtime);
        assert_drop(io, pid);
    }
}

#[test]
fn dropped_in_the_middle_of_everything_when_the_runtime_is_gone() {
    for runtime in runtimes() {
        let (mut io, pid) = runtime.block_on(stubborn());
        let mut sending = Box::pin(async move {
            let _ = io.send(pattern(8 << 20)).await;
        });
        runtime.block_on(async { assert!(poll!(&mut sending).is_pending()) });
        drop(runtime);
        assert_drop(sending, pid);
    }
}

#[test]
fn dropped_by_a_runtime_that_shuts_down() {
    let ways: [fn(Runtime); 3] = [
        drop,
        |runtime| runtime.shutdown_background(),
        |runtime| runtime.shutdown_timeout(Duration::from_millis(10)),
    ];
    for shut_down in ways {
        for runtime in runtimes() {
            let pid = runtime.block_on(async {
                let (mut io, pid) = stubborn().await;
                tokio::spawn(async move { io.wait().await });
                tokio::task::yield_now().await;
                pid
            });
            assert!(is_alive(pid));
            shut_down(runtime);
            assert_gone(pid);
        }
    }
}

#[test]
fn dropped_by_a_panic() {
    for runtime in runtimes() {
        let mut pid = 0;
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async {
                let (_io, id) = stubborn().await;
                pid = id;
                panic!("as the test wants");
            })
        }));
        assert!(panicked.is_err());
        assert_gone(pid);
    }
}

#[tokio::test]
async fn dropped_by_a_task_that_panics() {
    let (mut io, pid) = stubborn().await;
    let task = tokio::spawn(async move {
        assert!(poll!(Box::pin(io.wait())).is_pending());
        panic!("as the test wants");
    });
    assert!(within(task).await.unwrap_err().is_panic());
    assert_gone(pid);
}

#[tokio::test]
async fn dropped_by_a_task_that_is_aborted() {
    let (io, pid) = stubborn().await;
    let task = tokio::spawn(IntoFuture::into_future(io));
    tokio::task::yield_now().await;
    task.abort();
    assert!(within(task).await.unwrap_err().is_cancelled());
    assert_gone(pid);
}

#[tokio::test]
async fn a_collecting_future_that_was_never_polled_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (never, proof) = (folder.path().join("never"), folder.path().join("proof"));
    let touch = |path: &std::path::Path| sh(&format!("touch '{}'", path.display()));
    drop(ProcessIo::builder(touch(&never)).into_future());
    within(ProcessIo::builder(touch(&proof))).await.unwrap();
    assert_eq!((never.exists(), proof.exists()), (false, true));
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[tokio::test]
async fn a_burst_leaves_nothing() {
    if !alone("drop_and_runtime::a_burst_leaves_nothing") {
        return;
    }
    drop(stubborn().await);
    eventually("the first is reaped", || childless() && reapers() == 0).await;
    let before = descriptors();
    for round in 0..300 {
        let command = child(&[["deaf"], ["cat"], ["flood"]][round % 3]);
        let mut io = ProcessIo::spawn(command).unwrap();
        match round % 4 {
            0 => drop(poll!(Box::pin(io.send(pattern(100_000))))),
            1 => drop(poll!(Box::pin(io.recv(Source::Stdout)))),
            2 => drop(poll!(Box::pin(io.wait()))),
            _ => {}
        }
    }
    eventually("no zombie", childless).await;
    eventually("the reaper ends", || reapers() == 0).await;
    assert_eq!(descriptors(), before);
}

#[tokio::test]
async fn a_burst_of_many_at_once_leaves_nothing() {
    if !alone("drop_and_runtime::a_burst_of_many_at_once_leaves_nothing") {
        return;
    }
    let before = descriptors();
    let many: Vec<_> = (0..60).map(|_| stubborn_now()).collect();
    assert!(descriptors() > before);
    drop(many);
    eventually("no zombie", childless).await;
    eventually("the reaper ends", || reapers() == 0).await;
    assert_eq!(descriptors(), before);
}

fn stubborn_now() -> ProcessIo {
    ProcessIo::spawn(child(&["trap-term"])).expect("the child starts")
}

#[test]
fn threads_that_drop_at_once_leave_nothing() {
    if !alone("drop_and_runtime::threads_that_drop_at_once_leave_nothing") {
        return;
    }
    // What a first runtime opens for the whole process stays open.
    drop(Runtime::new().unwrap());
    let before = descriptors();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let runtime = Runtime::new().unwrap();
                    let io = runtime.block_on(async { stubborn_now() });
                    drop(runtime);
                    drop(io);
                }
            });
        }
    });
    let start = Instant::now();
    loop {
        let left = (childless(), reapers(), descriptors());
        if left == (true, 0, before) {
            break;
        }
        assert!(start.elapsed() < GENEROUS, "{left:?}, {before} before");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// With a descriptor for each process no handler is installed that a user's own could replace.
#[tokio::test]
async fn sigchld_is_not_needed() {
    if !alone("drop_and_runtime::sigchld_is_not_needed") {
        return;
    }
    use rustix::process::{PidfdFlags, getpid, pidfd_open};
    if pidfd_open(getpid(), PidfdFlags::empty()).is_err() {
        return; // An old kernel, where it is.
    }
    let output = within(ProcessIo::builder(child(&["write", "out", "10"]))).await;
    assert!(output.unwrap().success());
    let (io, pid) = stubborn().await;
    assert_drop(io, pid);

    const SIGCHLD: u32 = 17;
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
    assert_eq!(caught >> (SIGCHLD - 1) & 1, 0, "{caught:x}");
}

#[test]
fn a_runtime_without_io_starts_no_child() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    starts_no_child(runtime.enable_time().build().unwrap());
}

#[test]
fn a_runtime_without_time_starts_no_child() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    starts_no_child(runtime.enable_io().build().unwrap());
}

/// It panics instead, before there is a child.
fn starts_no_child(runtime: Runtime) {
    let marker = tempfile::tempdir().unwrap();
    let file = marker.path().join("started");
    let spawned = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let mut touch = process_io::Command::new("touch");
            touch.arg(&file);
            let touch = ProcessIo::builder(touch).stdin(Redirect::Null);
            touch.stdout(Redirect::Null).stderr(Redirect::Null).spawn()
        })
    }));
    assert!(spawned.is_err());
    // By the time that a later one has run to its end, so would one that was started by mistake.
    let proof = marker.path().join("proof");
    let later = std::process::Command::new("touch").arg(&proof).status();
    assert!(later.unwrap().success() && proof.exists());
    assert!(!file.exists());
}
