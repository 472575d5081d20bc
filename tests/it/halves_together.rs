//! What is done with one half of a handle never leaves the task that waits with the other one asleep, and never fails it.

use std::{
    pin::Pin,
    process::ExitStatus,
    sync::{Arc, mpsc},
    task::{Context, Poll},
};

use futures::future::{BoxFuture, FutureExt, pending};
use process_io::{
    Limits, Overflow, ProcessIo, Signal, Source,
    transport::{Parts, Process, memory},
};
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    runtime::Handle,
    task::yield_now,
};

use crate::support::within;

/// So often every task has had its turn, and waits.
async fn settle() {
    for _ in 0..1000 {
        yield_now().await;
    }
}

/// By the kernel, and so without the reactor: this thread never gives it a turn.
#[cfg(target_os = "linux")] // `/proc` tells who has ended.
mod without_waiting {
    use std::{fs, path::Path, thread, time::Duration};

    use process_io::SendHalf;

    use super::*;
    use crate::support::{GENEROUS, Mark, sh};

    fn wait_for(what: &str, check: impl Fn() -> bool) {
        let start = std::time::Instant::now();
        while !check() {
            assert!(start.elapsed() < GENEROUS, "{what}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Lets the child go on, which does not read its stdin; sees it in a call that does not wait.
    fn go_on(send: &mut SendHalf, gate: &Path, has_gone: impl Fn() -> bool) {
        while send.send_nowait([0; 4096]).unwrap() > 0 {}
        fs::write(gate, "\n").unwrap();
        wait_for("it goes on", has_gone);
        assert_eq!(send.send_nowait([0; 4096]).unwrap(), 0);
    }

    #[tokio::test]
    async fn output_that_is_seen_is_told_to_who_waits_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let [gate, said] = ["gate", "said"].map(|name| folder.path().join(name));
        let script = format!(
            "until [ -e {} ]; do sleep 0.01; done; echo hi; : > {}; sleep 300",
            gate.display(),
            said.display()
        );
        let (mut send, mut recv) = ProcessIo::spawn(sh(&script)).unwrap().into_split();
        let waits = tokio::spawn(async move { (recv.recv(Source::Stdout).await, recv) });
        settle().await;
        go_on(&mut send, &gate, || said.exists());
        let (heard, _recv) = within(waits).await.unwrap();
        assert_eq!(heard.unwrap().data().unwrap(), "hi\n");
    }

    #[tokio::test]
    async fn an_exit_that_is_seen_is_told_to_who_waits_for_it() {
        let (folder, mark) = (tempfile::tempdir().unwrap(), Mark::new());
        let gate = folder.path().join("gate");
        // What it leaves behind holds all three pipes.
        let script = format!(
            "exec 3<&0; sleep 300 <&3 & until [ -e {} ]; do sleep 0.01; done; exit 3",
            gate.display()
        );
        let (mut send, mut recv) = ProcessIo::spawn(mark.on(sh(&script))).unwrap().into_split();
        let control = recv.control();
        let waits = tokio::spawn(async move { (recv.wait().await, recv) });
        settle().await;
        go_on(&mut send, &gate, || control.try_wait().unwrap().is_some());
        let (status, _recv) = within(waits).await.unwrap();
        assert_eq!(status.unwrap().code(), Some(3));
    }
}

#[tokio::test]
async fn room_that_is_made_is_told_to_who_waits_for_it() {
    const LIMIT: usize = 20_000;
    for overflow in [Overflow::Block, Overflow::Fail] {
        for by_line in [false, true] {
            let (parts, mut child) = memory::child();
            let mut io = ProcessIo::from_parts(parts);
            io.set_limits(Limits::default().stdout(LIMIT, overflow));
            let (mut send, mut recv) = io.into_split();
            let child = tokio::spawn(async move {
                // More than is kept, and than its pipe holds.
                let said = vec![b'\n'; LIMIT + memory::PIPE_CAPACITY + LIMIT / 2];
                child.stdout.write_all(&said).await.unwrap();
                let mut heard = vec![0; 10 * LIMIT];
                child.stdin.read_exact(&mut heard).await.unwrap();
                child
            });
            let sends = tokio::spawn(async move { (send.send(vec![0; 10 * LIMIT]).await, send) });
            settle().await;
            assert!(!sends.is_finished());
            // From what is kept. Nothing of this half is awaited after it.
            match by_line {
                false => drop(
                    within(recv.recv(Source::Stdout))
                        .await
                        .unwrap()
                        .data()
                        .unwrap(),
                ),
                true => {
                    for _ in 0..LIMIT - 1 {
                        within(recv.recv_line(Source::Stdout))
                            .await
                            .unwrap()
                            .unwrap();
                    }
                }
            }
            let (sent, _send) = within(sends).await.unwrap();
            sent.unwrap();
            drop(within(child).await.unwrap());
        }
    }
}

/// The other half may still come for it.
#[tokio::test]
async fn a_limit_of_the_output_is_no_error_of_the_input() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    io.set_limits(Limits::default().stdout(1000, Overflow::Fail));
    let (mut send, mut recv) = io.into_split();
    within(child.stdout.write_all(&[0; 5000])).await.unwrap();
    while send.send_nowait([0; 4096]).unwrap() > 0 {}
    assert_eq!(send.send_nowait("more").unwrap(), 0);
    let kept = within(recv.recv(Source::Stdout))
        .await
        .unwrap()
        .data()
        .unwrap();
    assert!(kept.len() <= 1000, "{}", kept.len());
}

#[cfg(unix)]
#[tokio::test]
async fn nor_is_that_of_what_a_stage_says() {
    use crate::support::sh;
    let limits = Limits::default().stderr(1000, Overflow::Fail);
    let first = sh("head -c 5000 /dev/zero >&2; exec cat >/dev/null");
    let run = ProcessIo::builder(first).limits(limits).pipe(sh("cat"));
    let (mut send, _recv) = run.spawn().unwrap().into_split();
    within(send.send(vec![0; 2_000_000])).await.unwrap();
}

/// Its stdin can do nothing outside of a runtime.
struct NeedsRuntime(mpsc::Sender<()>);

impl AsyncWrite for NeedsRuntime {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let _ = Handle::current();
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let _ = Handle::current();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let _ = Handle::current();
        let _ = self.0.send(());
        Poll::Ready(Ok(()))
    }
}

struct Runs;

impl Process for Runs {
    fn wait(self: Arc<Self>) -> BoxFuture<'static, std::io::Result<ExitStatus>> {
        pending().boxed()
    }

    fn signal(&self, _: Signal) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_half_that_is_dropped_closes_stdin_within_the_runtime() {
    let (closed, is_closed) = mpsc::channel();
    let parts = Parts::new(Runs).stdin(NeedsRuntime(closed));
    let (send, _recv) = ProcessIo::from_parts(parts).into_split();
    drop(send);
    let closed = tokio::task::spawn_blocking(move || is_closed.recv());
    within(closed).await.unwrap().unwrap();
}

/// Room that is made without waiting lets the child go on.
#[cfg(unix)]
#[tokio::test]
async fn the_end_of_stdin_is_waited_for_by_a_task_that_was_held_up() {
    const LIMIT: usize = 100_000;
    let mut io = ProcessIo::builder(crate::support::sh(
        "head -c 175000 /dev/zero; exec <&-; sleep 300; true",
    ))
    .limits(Limits::default().stdout(LIMIT, Overflow::Block))
    .pipe_capacity(65_536)
    .spawn()
    .unwrap();
    crate::support::eventually("it is held back", || {
        assert!(io.stdin_closed().now_or_never().is_none());
        io.pending(Source::Stdout).len() >= LIMIT
    })
    .await;
    let (mut send, mut recv) = io.into_split();
    let waits = tokio::spawn(async move { send.stdin_closed().await });
    settle().await;
    assert!(!recv.recv_nowait(Source::Stdout).unwrap().is_empty());
    within(waits).await.unwrap().unwrap();
}

/// With the last of its outputs closed the run is over.
#[tokio::test]
async fn outputs_that_are_closed_are_told_to_who_sends() {
    let (parts, child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    io.set_drain(process_io::Drain::UntilEof);
    let (mut send, mut recv) = io.into_split();
    let sends = tokio::spawn(async move { send.send(vec![0; memory::PIPE_CAPACITY + 1]).await });
    let held = child.exit_holding(0);
    settle().await;
    for source in [Source::Stdout, Source::Stderr] {
        recv.close_output(source);
    }
    assert!(within(sends).await.unwrap().unwrap_err().is_broken_pipe());
    drop(held);
}
