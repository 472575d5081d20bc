//! No deadlock: whatever is awaited, all three pipes move, and only what asks for back-pressure gets it.

use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use process_io::{Event, Limits, Overflow, ProcessIOWrapper, ProcessIo, Recv, Source};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::support::{GENEROUS, Way, assert_bytes, child, pattern, within};

/// Far more than all pipes and buffers on the way.
const LARGE: usize = 8 << 20;
/// Long enough for a child that is not held back to write hundreds of megabytes.
const A_WHILE: Duration = Duration::from_millis(300);

fn spawn(args: &[&str]) -> ProcessIo {
    ProcessIo::spawn(child(args)).expect("the child starts")
}

/// A child that says nothing on stdout before all of its stderr has been read.
fn stderr_first() -> ProcessIo {
    spawn(&["write", "err", &LARGE.to_string(), "out", "5"])
}

/// What `stderr_first` wrote to stderr is all there.
async fn assert_stderr_kept(mut io: ProcessIo) {
    let output = within(io.output()).await.unwrap();
    assert!(output.success());
    assert_bytes(output.stderr, pattern(LARGE));
}

#[tokio::test]
async fn every_way_to_read_takes_a_flood_on_both_streams() {
    for way in Way::ALL {
        let (left, _) = way.read(spawn(&["both", &LARGE.to_string()])).await;
        assert!(left.status.success(), "{way:?}");
        assert_bytes(left.stdout, pattern(LARGE));
        assert_bytes(left.stderr, pattern(LARGE));
    }
}

#[tokio::test]
async fn wait_reads_both_streams() {
    let mut io = spawn(&["both", &LARGE.to_string()]);
    assert!(within(io.wait()).await.unwrap().success());
    for source in [Source::Stderr, Source::Stdout] {
        let mut got = Vec::new();
        while let Recv::Data(piece) = within(io.recv(source)).await.unwrap() {
            got.extend_from_slice(&piece);
        }
        assert_bytes(got, pattern(LARGE));
    }
}

#[tokio::test]
async fn send_needs_no_reader() {
    let mut io = spawn(&["echo"]);
    within(io.send(pattern(LARGE))).await.unwrap();
    assert_eq!(io.queued(), 0);
    let output = within(io.output()).await.unwrap();
    assert_bytes(output.stdout, pattern(LARGE));
    assert_eq!(output.stdin_written, LARGE as u64);
}

#[tokio::test]
async fn send_timeout_needs_no_reader() {
    let mut io = spawn(&["echo"]);
    let sending = io.send_timeout(pattern(LARGE), GENEROUS);
    within(sending).await.unwrap();
    assert_bytes(within(io.output()).await.unwrap().stdout, pattern(LARGE));
}

#[tokio::test]
async fn input_and_output_move_together() {
    let run = ProcessIo::builder(child(&["echo"])).input(pattern(LARGE));
    let output = within(run).await.unwrap();
    assert_bytes(output.stdout, pattern(LARGE));
    assert_eq!(output.stdin_written, LARGE as u64);
}

#[tokio::test]
async fn recv_drains_the_other_stream() {
    let mut io = stderr_first();
    let first = within(io.recv(Source::Stdout))
        .await
        .unwrap()
        .data()
        .unwrap();
    assert_eq!(first, pattern(5));
    assert_stderr_kept(io).await;
}

#[tokio::test]
async fn recv_of_stderr_drains_stdout() {
    let mut io = spawn(&["write", "out", &LARGE.to_string(), "err", "5"]);
    let first = within(io.recv(Source::Stderr))
        .await
        .unwrap()
        .data()
        .unwrap();
    assert_eq!(first, pattern(5));
    assert_bytes(within(io.output()).await.unwrap().stdout, pattern(LARGE));
}

#[tokio::test]
async fn timed_reads_drain_the_other_stream() {
    let five = Recv::Data(pattern(5).into());
    let mut io = stderr_first();
    let received = within(io.recv_timeout(Source::Stdout, GENEROUS)).await;
    assert_eq!(received.unwrap(), five);
    assert_stderr_kept(io).await;

    let mut io = stderr_first();
    let received = within(io.recv_for(Source::Stdout, GENEROUS)).await;
    assert_eq!(received.unwrap(), five);
    assert_stderr_kept(io).await;

    let mut io = stderr_first();
    let received = within(io.recv_until_quiet(Source::Stdout, GENEROUS, GENEROUS)).await;
    assert_eq!(received.unwrap(), five);
    assert_stderr_kept(io).await;
}

#[tokio::test]
async fn a_loop_that_never_yields_drains_the_other_stream() {
    let mut io = stderr_first();
    let start = std::time::Instant::now();
    let first = loop {
        match io.recv_nowait(Source::Stdout).unwrap() {
            Recv::Empty => assert!(start.elapsed() < GENEROUS, "it hangs"),
            other => break other,
        }
    };
    assert_eq!(first, Recv::Data(pattern(5).into()));
    assert_stderr_kept(io).await;
}

#[tokio::test]
async fn reads_write_what_is_queued() {
    let mut io = spawn(&["echo"]);
    io.feed(pattern(LARGE).into()).await.unwrap();
    assert_eq!(io.queued(), LARGE);
    io.close_stdin();
    let mut got = Vec::new();
    while let Recv::Data(piece) = within(io.recv(Source::Stdout)).await.unwrap() {
        got.extend_from_slice(&piece);
    }
    assert_bytes(got, pattern(LARGE));
}

#[tokio::test]
async fn exchange_moves_both_directions() {
    let mut io = spawn(&["echo"]);
    let all = Bytes::from(pattern(LARGE));
    let (mut sent, mut got) = (0, Vec::new());
    within(async {
        while got.len() < LARGE {
            let window = Duration::from_millis(50);
            let exchange = io.exchange(all.slice(sent..), window).await.unwrap();
            sent += exchange.written;
            got.extend_from_slice(&exchange.stdout);
            assert!(exchange.stderr.is_empty());
        }
    })
    .await;
    assert_eq!(sent, LARGE);
    assert_bytes(got, all);
}

#[tokio::test]
async fn exchange_reads_beyond_what_pipes_hold_before_it_can_write() {
    let mut io = spawn(&["both", &LARGE.to_string()]);
    let exchange = within(io.exchange(Bytes::from(pattern(LARGE)), GENEROUS)).await;
    let exchange = exchange.unwrap();
    assert_bytes(exchange.stdout, pattern(LARGE));
    assert_bytes(exchange.stderr, pattern(LARGE));
    assert!(exchange.written < LARGE);
}

#[tokio::test]
async fn a_flush_receives_up_to_the_limit() {
    let mut io = spawn(&["echo"]);
    within(io.feed(pattern(LARGE).into())).await.unwrap();
    within(SinkExt::<Bytes>::flush(&mut io)).await.unwrap();
    assert_eq!(io.queued(), 0);
    assert_bytes(within(io.output()).await.unwrap().stdout, pattern(LARGE));
}

#[tokio::test]
async fn a_flush_at_the_limit_is_held_back_and_goes_on_once_read() {
    let limits = Limits::default().stdout(1 << 20, Overflow::Fail);
    let io = ProcessIo::builder(child(&["echo"])).limits(limits);
    let mut io = io.spawn().unwrap();
    io.feed(pattern(LARGE).into()).await.unwrap();
    let held = timeout(A_WHILE, SinkExt::<Bytes>::flush(&mut io)).await;
    assert!(held.is_err(), "{held:?}");
    assert!(io.queued() > 0);

    let (mut sink, stream) = io.split();
    let collect = stream.fold(Vec::new(), async |mut got, event| {
        if let Event::Stdout(piece) = event.unwrap() {
            got.extend_from_slice(&piece);
        }
        got
    });
    let (closed, got) = within(async { tokio::join!(sink.close(), collect) }).await;
    closed.unwrap();
    assert_bytes(got, pattern(LARGE));
}

#[tokio::test]
async fn wrapper_writes_need_no_reader() {
    let mut file = ProcessIOWrapper::new(child(&["echo"])).unwrap();
    within(file.write_all(&pattern(LARGE))).await.unwrap();
    within(file.flush()).await.unwrap();
    within(file.shutdown()).await.unwrap();
    let mut got = Vec::new();
    within(file.read_to_end(&mut got)).await.unwrap();
    assert_bytes(got, pattern(LARGE));
}

#[tokio::test]
async fn wrapper_reads_drain_the_other_stream() {
    let mut file = ProcessIOWrapper::from(stderr_first());
    let mut got = Vec::new();
    within(file.read_to_end(&mut got)).await.unwrap();
    assert_bytes(got, pattern(5));
    assert_stderr_kept(file.into_inner()).await;
}

fn blocking(args: &[&str], limit: usize) -> ProcessIo {
    let limits = Limits::default().stdout(limit, Overflow::Block);
    let run = ProcessIo::builder(child(args)).limits(limits);
    run.spawn().expect("the child starts")
}

#[tokio::test]
async fn block_holds_the_child_back_until_it_is_read() {
    let mut io = blocking(&["write", "out", &LARGE.to_string()], 64 << 10);
    assert!(timeout(A_WHILE, io.wait()).await.is_err());
    assert!(io.control().try_wait().unwrap().is_none());
    let (left, _) = Way::Recv.read(io).await;
    assert!(left.status.success());
    assert_bytes(left.stdout, pattern(LARGE));
}

#[tokio::test]
async fn block_does_not_hide_the_exit_of_a_child_that_is_done() {
    let mut io = blocking(&["write", "out", "60000"], 1000);
    assert!(within(io.wait()).await.unwrap().success());
    let (left, _) = Way::Recv.read(io).await;
    assert_bytes(left.stdout, pattern(60_000));
}

#[tokio::test]
async fn block_on_one_stream_leaves_the_other_moving() {
    let mut io = blocking(&["both", &LARGE.to_string()], 1000);
    let mut got = Vec::new();
    within(async {
        while got.len() < LARGE {
            got.extend_from_slice(&io.recv(Source::Stderr).await.unwrap().data().unwrap());
        }
    })
    .await;
    assert_bytes(got, pattern(LARGE));
    let (left, _) = Way::Recv.read(io).await;
    assert_bytes(left.stdout, pattern(LARGE));
}

#[tokio::test]
async fn a_stream_nobody_polls_goes_on_where_it_was() {
    let mut io = spawn(&["write", "out", &LARGE.to_string()]);
    let Some(Ok(Event::Stdout(first))) = within(io.next()).await else {
        panic!("no output");
    };
    tokio::time::sleep(A_WHILE).await;
    assert!(io.control().try_wait().unwrap().is_none());
    let (left, _) = Way::Events.read(io).await;
    assert_bytes([&first[..], &left.stdout].concat(), pattern(LARGE));
}

/// `/proc` counts what a process writes, so these two are for Linux.
#[cfg(target_os = "linux")]
mod growth {
    use super::*;

    /// Any limit, all buffers and pipes on the way, and to spare.
    const HELD: u64 = 4 << 20;

    fn written_by(io: &ProcessIo) -> u64 {
        let counts = std::fs::read_to_string(format!("/proc/{}/io", io.id().unwrap())).unwrap();
        let line = counts.lines().find_map(|line| line.strip_prefix("wchar: "));
        line.unwrap().parse().unwrap()
    }

    #[tokio::test]
    async fn block_stops_a_flood() {
        let mut io = blocking(&["flood"], 64 << 10);
        assert!(timeout(A_WHILE, io.wait()).await.is_err());
        assert!(written_by(&io) < HELD, "{}", written_by(&io));

        let mut got = Vec::new();
        while (got.len() as u64) < 2 * HELD {
            got.extend_from_slice(
                &within(io.recv(Source::Stdout))
                    .await
                    .unwrap()
                    .data()
                    .unwrap(),
            );
        }
        assert_bytes(&got, pattern(got.len()));
    }

    #[tokio::test]
    async fn a_stream_nobody_polls_stops_a_flood() {
        let mut io = spawn(&["flood"]);
        assert!(within(io.next()).await.is_some());
        tokio::time::sleep(A_WHILE).await;
        assert!(written_by(&io) < HELD, "{}", written_by(&io));
    }
}
