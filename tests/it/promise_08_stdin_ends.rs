//! stdin ends for real: every way to close it closes the descriptor, and a child need not read all of it.

use bytes::Bytes;
use futures::SinkExt;
use process_io::{Limits, Overflow, ProcessIOWrapper, ProcessIo, Source};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{assert_bytes, child, pattern, within};

const LARGE: usize = 8 << 20;

/// What the child `sink` says of `bytes`, once it has come to their end.
fn report(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{} {hash:016x}\n", bytes.len())
}

fn spawn(args: &[&str]) -> ProcessIo {
    ProcessIo::spawn(child(args)).expect("the child starts")
}

/// The child has come to the end of its input, and this is what it got.
async fn assert_heard(mut io: ProcessIo, bytes: &[u8]) {
    let said = within(io.recv(Source::Stdout))
        .await
        .unwrap()
        .data()
        .unwrap();
    assert_eq!(said, report(bytes));
    assert!(within(io.wait()).await.unwrap().success());
}

#[tokio::test]
async fn close_stdin_is_seen_at_once() {
    let mut io = spawn(&["sink"]);
    io.close_stdin();
    // Nothing is polled that could close it later.
    assert!(within(io.control().wait()).await.unwrap().success());
    assert_heard(io, b"").await;
}

#[tokio::test]
async fn close_stdin_after_a_send() {
    let mut io = spawn(&["sink"]);
    within(io.send(pattern(300_000))).await.unwrap();
    io.close_stdin();
    assert!(within(io.control().wait()).await.unwrap().success());
    assert_heard(io, &pattern(300_000)).await;
}

#[tokio::test]
async fn close_stdin_lets_what_is_queued_go_first() {
    let mut io = spawn(&["sink"]);
    io.feed(pattern(1 << 20).into()).await.unwrap();
    assert_eq!(io.queued(), 1 << 20);
    io.close_stdin();
    assert!(within(io.send("more")).await.unwrap_err().is_broken_pipe());
    assert!(within(io.wait()).await.unwrap().success());
    assert_eq!(io.written(), 1 << 20);
    assert_heard(io, &pattern(1 << 20)).await;
}

#[tokio::test]
async fn a_wrapper_shutdown_closes_it() {
    let mut file = ProcessIOWrapper::new(child(&["sink"])).unwrap();
    within(file.write_all(&pattern(300_000))).await.unwrap();
    assert!(!file.closed());
    within(file.shutdown()).await.unwrap();
    assert!(file.closed());
    assert!(file.write_descriptor().is_none());
    let mut said = String::new();
    within(file.read_to_string(&mut said)).await.unwrap();
    assert_eq!(said, report(&pattern(300_000)));
    let error = within(file.write_all(b"more")).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn a_sink_close_closes_it() {
    let mut io = spawn(&["sink"]);
    within(io.feed(pattern(300_000).into())).await.unwrap();
    within(SinkExt::<Bytes>::close(&mut io)).await.unwrap();
    assert_eq!(io.queued(), 0);
    assert!(within(io.control().wait()).await.unwrap().success());
    assert_heard(io, &pattern(300_000)).await;
}

#[tokio::test]
async fn a_half_closes_it() {
    let (mut send, recv) = spawn(&["sink"]).into_split();
    within(send.send("abc")).await.unwrap();
    send.close_stdin();
    assert!(within(send.control().wait()).await.unwrap().success());
    let io = ProcessIo::unsplit(send, recv).unwrap();
    assert_heard(io, b"abc").await;
}

#[tokio::test]
async fn dropping_the_sending_half_closes_it() {
    let (mut send, mut recv) = spawn(&["sink"]).into_split();
    within(send.send("abc")).await.unwrap();
    drop(send);
    let said = within(recv.recv(Source::Stdout))
        .await
        .unwrap()
        .data()
        .unwrap();
    assert_eq!(said, report(b"abc"));
    assert!(within(recv.wait()).await.unwrap().success());
}

#[tokio::test]
async fn without_input_the_end_comes_at_once() {
    let output = within(ProcessIo::builder(child(&["sink"]))).await.unwrap();
    assert_eq!(output.stdout, report(b""));
    let output = within(spawn(&["sink"])).await.unwrap();
    assert_eq!(output.stdout, report(b""));
    let output = within(spawn(&["sink"]).output()).await.unwrap();
    assert_eq!(output.stdout, report(b""));
    assert_eq!(output.stdin_written, 0);
}

#[tokio::test]
async fn the_end_comes_after_the_input() {
    let run = ProcessIo::builder(child(&["sink"])).input(pattern(300_000));
    let output = within(run).await.unwrap();
    assert_eq!(output.stdout, report(&pattern(300_000)));
    assert_eq!(output.stdin_written, 300_000);
}

#[tokio::test]
async fn an_empty_input_is_an_end() {
    for empty in [Bytes::new(), Bytes::from_static(b"")] {
        let run = ProcessIo::builder(child(&["sink"])).input(empty).spawn();
        let mut io = run.unwrap();
        assert!(within(io.wait()).await.unwrap().success());
        assert_heard(io, b"").await;
    }
}

#[tokio::test]
async fn input_that_is_not_read_is_no_error() {
    let run = ProcessIo::builder(child(&["ignore-input", "1000"])).input(pattern(LARGE));
    let output = within(run).await.unwrap().check().unwrap();
    assert_bytes(&output.stdout, pattern(1000));
    assert!(output.stdin_written < LARGE as u64);
}

#[tokio::test]
async fn what_was_queued_and_not_read_is_no_error_of_the_run() {
    let mut io = spawn(&["ignore-input", "60000"]);
    io.feed(pattern(LARGE).into()).await.unwrap();
    let output = within(io.output()).await.unwrap().check().unwrap();
    assert_bytes(&output.stdout, pattern(60_000));
    assert!(output.stdin_written < LARGE as u64);
}

#[tokio::test]
async fn a_child_that_dies_while_it_is_sent_to_breaks_the_pipe_and_its_output_stays() {
    let mut io = spawn(&["ignore-input", "60000"]);
    let error = within(io.send(pattern(LARGE))).await.unwrap_err();
    assert!(error.is_broken_pipe(), "{error}");
    assert!(error.command().unwrap().contains("ignore-input"));
    let output = within(io.output()).await.unwrap();
    assert!(output.success());
    assert_bytes(output.stdout, pattern(60_000));
}

#[tokio::test]
async fn sending_to_a_child_that_has_ended_tells_how_it_ended() {
    let mut io = spawn(&["exit", "3"]);
    within(io.wait()).await.unwrap();
    let mut errors = vec![
        within(io.send("x")).await.unwrap_err(),
        within(io.send_line("x")).await.unwrap_err(),
        io.send_nowait("x").unwrap_err(),
        within(io.feed(Bytes::from("x"))).await.unwrap_err(),
        within(io.send_timeout("x", crate::support::GENEROUS))
            .await
            .unwrap_err(),
    ];
    let mut file = ProcessIOWrapper::from(io);
    errors.push(within(file.write(b"x")).await.unwrap_err().into());
    for error in errors {
        assert!(error.is_broken_pipe(), "{error}");
        assert_eq!(error.status().and_then(|status| status.code()), Some(3));
        assert!(error.to_string().contains("exit 3`"), "{error}");
    }
}

#[tokio::test]
async fn a_limit_does_not_keep_stdin_open() {
    let run = ProcessIo::builder(child(&["echo"])).input(pattern(LARGE));
    let limits = Limits::default().stdout(1000, Overflow::KeepTail);
    let output = within(run.limits(limits)).await.unwrap();
    assert!(output.success());
    assert_eq!(output.stdin_written, LARGE as u64);
    assert_bytes(output.stdout, &pattern(LARGE)[LARGE - 1000..]);
}

/// Only on Unix a child can close a stream that the system set up for it and live on.
#[cfg(unix)]
mod closed_by_the_child {
    use super::*;
    use crate::support::sh;

    #[tokio::test]
    async fn sending_to_it_breaks_the_pipe() {
        let mut io = spawn(&["close-stdin"]);
        let said = within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap();
        assert_eq!(said, "closed\n");
        // A child that another test is just starting may hold the pipe for a moment.
        let error = within(async {
            loop {
                if let Err(error) = io.send("x").await {
                    break error;
                }
            }
        })
        .await;
        assert!(error.is_broken_pipe(), "{error}");
        assert_eq!(error.status(), None);
        assert!(io.send_nowait("x").unwrap_err().is_broken_pipe());
        assert!(io.control().try_wait().unwrap().is_none());
    }

    #[tokio::test]
    async fn its_output_goes_on() {
        let script = "exec 0<&-; echo closed; sleep 0.1; echo more; echo err >&2; exit 3";
        let mut io = ProcessIo::spawn(sh(script)).unwrap();
        let said = within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap();
        assert_eq!(said, "closed\n");
        let error = within(io.send(pattern(LARGE))).await.unwrap_err();
        assert!(error.is_broken_pipe(), "{error}");
        let output = within(io.output()).await.unwrap();
        assert_eq!(output.code(), Some(3));
        assert_eq!(output.stdout, "more\n");
        assert_eq!(output.stderr, "err\n");
    }

    #[tokio::test]
    async fn input_for_it_is_dropped_and_the_run_succeeds() {
        let run = ProcessIo::builder(sh("exec 0<&-; sleep 0.05; echo done"));
        let output = within(run.input(pattern(LARGE))).await.unwrap();
        assert!(output.success());
        assert_eq!(output.stdout, "done\n");
        assert!(output.stdin_written < LARGE as u64);
    }
}
