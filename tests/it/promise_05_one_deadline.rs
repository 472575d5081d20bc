//! Promise 5: one deadline covers everything, and what it cuts short is not lost.
//!
//! | file | holds |
//! |---|---|
//! | this one | runs that are collected, and what the error tells |
//! | `reading`, `sending` | all other ways to read and to send |
//! | `busy` | consumers that never have to wait |
//! | `edges` | no time, too much time, too late |
//! | `held` | descendants that hold the pipes, buffers that are full |
//! | `memory` | a child in memory: exact times |

mod busy;
mod edges;
mod held;
mod memory;
mod reading;
mod sending;

use std::{thread, time::Duration};

use futures::FutureExt;
use process_io::{CancellationToken, Error, Limits, Overflow, ProcessIo, Source};
use tokio::time::Instant;

use crate::support::{assert_bytes, child, eventually, pattern, within};

/// Long enough that what is to be cut short is being awaited by then.
const SHORT: Duration = Duration::from_millis(100);

/// What ends a run early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Deadline,
    Silence,
    Cancel,
}

impl Cause {
    const ALL: [Self; 3] = [Self::Deadline, Self::Silence, Self::Cancel];

    /// The run will be cut short after a short time.
    fn set(self, io: &mut ProcessIo) {
        match self {
            Self::Deadline => io.set_deadline(Instant::now() + SHORT),
            Self::Silence => io.set_inactivity_timeout(SHORT),
            Self::Cancel => {
                let token = CancellationToken::new();
                io.set_cancel_on(token.clone());
                // Not a task: some of the tests never let another one run.
                thread::spawn(move || {
                    thread::sleep(SHORT);
                    token.cancel();
                });
            }
        }
    }

    /// This is the error of a run that was cut short for this cause, and it tells all that there is to tell.
    #[track_caller]
    fn assert_is(self, error: &Error) {
        assert_eq!(error.is_cancelled(), self == Self::Cancel, "{error}");
        assert_eq!(error.is_timeout(), self != Self::Cancel, "{error}");
        let output = error.output().expect("the partial output");
        assert_eq!(output.timed_out, self != Self::Cancel, "{output:?}");
        assert!(output.elapsed >= SHORT, "{output:?}");
        assert_eq!(output.status, error.status());
        let status = error.status().expect("the child has been waited for");
        assert!(!status.success(), "it was killed: {status}");
    }
}

/// Waits until the child has said that, and leaves it in the handle.
async fn said(io: &mut ProcessIo, stdout: &[u8], stderr: &[u8]) {
    eventually("the child speaks", || {
        let _ = io.wait().now_or_never();
        io.pending(Source::Stdout) == stdout && io.pending(Source::Stderr) == stderr
    })
    .await;
}

#[tokio::test]
async fn a_run_that_is_awaited_ends_in_time() {
    let start = Instant::now();
    let run = ProcessIo::builder(child(&["deaf"])).timeout(SHORT);
    let error = within(run).await.unwrap_err();
    assert!(start.elapsed() >= SHORT);
    Cause::Deadline.assert_is(&error);
    let message = error.to_string();
    assert!(message.contains(": timed out after 100.0ms ("), "{message}");
    #[cfg(unix)]
    assert!(message.ends_with(" (killed by SIGKILL)"), "{message}");
}

#[tokio::test]
async fn a_deadline_is_a_point_in_time() {
    let deadline = std::time::Instant::now() + SHORT;
    let run = ProcessIo::builder(child(&["deaf"])).deadline(deadline);
    let error = within(run).await.unwrap_err();
    assert!(std::time::Instant::now() >= deadline);
    assert!(error.is_timeout(), "{error}");
}

#[tokio::test]
async fn the_earlier_of_time_out_and_deadline_counts() {
    let later = Duration::from_secs(3600);
    for (timeout, deadline) in [(SHORT, later), (later, SHORT)] {
        let run = ProcessIo::builder(child(&["deaf"]))
            .timeout(timeout)
            .deadline(Instant::now() + deadline);
        assert!(within(run).await.unwrap_err().is_timeout());
    }
}

#[tokio::test]
async fn the_error_carries_all_that_was_collected() {
    // More than the pipes hold.
    let (n, m) = (300_000, 200_000);
    for cause in Cause::ALL {
        let mut io = ProcessIo::spawn(child(&[
            "stay",
            "out",
            &n.to_string(),
            "err",
            &m.to_string(),
        ]))
        .unwrap();
        said(&mut io, &pattern(n), &pattern(m)).await;
        cause.set(&mut io);
        let error = within(io.output()).await.unwrap_err();
        cause.assert_is(&error);
        let output = error.into_output().unwrap();
        assert_bytes(&output.stdout, pattern(n));
        assert_bytes(&output.stderr, pattern(m));
        assert_eq!((output.stdout_omitted, output.stderr_omitted), (0, 0));
        assert!(!output.pipes_held);
        assert!(output.first_byte.unwrap() <= output.elapsed);
        #[cfg(target_os = "linux")]
        assert!(output.usage.is_some(), "it has been reaped");
    }
}

#[tokio::test]
async fn what_the_limit_leaves_out_is_counted() {
    let limits = Limits::default().stdout(1000, Overflow::KeepHead);
    let run = ProcessIo::builder(child(&["flood"])).limits(limits);
    let mut io = run.spawn().unwrap();
    eventually("more comes than is kept", || {
        let _ = io.wait().now_or_never();
        io.omitted(Source::Stdout) > 0
    })
    .await;
    Cause::Deadline.set(&mut io);
    let output = (within(io.output()).await.unwrap_err().into_output()).unwrap();
    assert_bytes(&output.stdout, pattern(1000));
    assert!(output.stdout_omitted > 0);
}

#[tokio::test]
async fn how_much_input_was_taken_is_told() {
    let mut io = ProcessIo::spawn(child(&["echo"])).unwrap();
    within(io.send("ping")).await.unwrap();
    said(&mut io, b"ping", b"").await;
    // It would end at the end of its input.
    Cause::Deadline.set(&mut io);
    let error = within(io.wait()).await.unwrap_err();
    assert_eq!(error.output().unwrap().stdin_written, 4);
}

#[cfg(unix)]
#[tokio::test]
async fn the_message_ends_with_the_end_of_stderr() {
    let mut io = ProcessIo::spawn(child(&["say", "err", "oops\n"])).unwrap();
    said(&mut io, b"", b"oops\n").await;
    io.set_inactivity_timeout(SHORT);
    let error = within(io.output()).await.unwrap_err();
    assert_eq!(error.stderr_tail(), b"oops\n");
    let message = error.to_string();
    let end = "timed out after 100.0ms of silence (killed by SIGKILL); stderr:\noops";
    assert!(message.ends_with(end), "{message}");
}

#[tokio::test]
async fn collecting_fails_every_time_and_hands_out_the_bytes_once() {
    let mut io = ProcessIo::spawn(child(&["say", "out", "so far"])).unwrap();
    said(&mut io, b"so far", b"").await;
    Cause::Deadline.set(&mut io);
    for bytes in ["so far", "", ""] {
        let error = within(io.output()).await.unwrap_err();
        Cause::Deadline.assert_is(&error);
        assert_eq!(error.output().unwrap().stdout, bytes);
    }
}

#[tokio::test]
async fn wait_fails_every_time_and_takes_nothing() {
    for cause in Cause::ALL {
        let mut io = ProcessIo::spawn(child(&["say", "out", "so far"])).unwrap();
        said(&mut io, b"so far", b"").await;
        cause.set(&mut io);
        for _ in 0..3 {
            let error = within(io.wait()).await.unwrap_err();
            cause.assert_is(&error);
            assert_eq!(error.output().unwrap().stdout, "so far");
        }
        let received = within(io.recv(Source::Stdout)).await.unwrap();
        assert_eq!(received.data().unwrap(), "so far");
    }
}

#[tokio::test]
async fn a_handle_that_is_awaited_ends_in_time() {
    let mut io = ProcessIo::spawn(child(&["say", "out", "so far"])).unwrap();
    said(&mut io, b"so far", b"").await;
    Cause::Deadline.set(&mut io);
    let error = within(io).await.unwrap_err();
    Cause::Deadline.assert_is(&error);
    assert_eq!(error.output().unwrap().stdout, "so far");
}

#[tokio::test]
async fn the_control_tells_how_it_ended() {
    let run = ProcessIo::builder(child(&["deaf"])).timeout(SHORT);
    let mut io = run.spawn().unwrap();
    let control = io.control();
    let error = within(io.wait()).await.unwrap_err();
    assert_eq!(control.try_wait().unwrap(), error.status());
    assert_eq!(within(control.wait()).await.ok(), error.status());
}

#[cfg(target_os = "linux")] // Whether a process lives is told by /proc.
#[tokio::test]
async fn all_that_the_child_has_started_goes_with_it() {
    use crate::support::{is_alive, sh};

    let run = || ProcessIo::builder(sh("sleep 300 & echo $!; wait"));
    for run in [
        run(),
        // This is about handles that are dropped and runs that end by themselves.
        run().kill_on_drop(false),
        run().die_with_parent(true),
    ] {
        let mut io = run.spawn().unwrap();
        let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
        let sleeper = line.to_string().parse().unwrap();
        assert!(is_alive(sleeper));
        Cause::Deadline.set(&mut io);
        let error = within(io.wait()).await.unwrap_err();
        Cause::Deadline.assert_is(&error);
        eventually("the grandchild is killed", || !is_alive(sleeper)).await;
    }
}
