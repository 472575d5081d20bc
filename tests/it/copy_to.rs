//! `copy_to`: all that a stream says into any writer.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use process_io::{DEFAULT_DRAIN_IDLE, ErrorKind, ProcessIo, Source, transport::memory};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex, sink};

use crate::support::{assert_bytes, child, pattern, within};

const SIZE: usize = 3_000_000;

fn writes(stream: &str) -> ProcessIo {
    ProcessIo::spawn(child(&["write", stream, &SIZE.to_string()])).unwrap()
}

#[tokio::test]
async fn all_of_a_stream_is_copied() {
    for (name, source) in [("out", Source::Stdout), ("err", Source::Stderr)] {
        let mut copy = Vec::new();
        let mut io = writes(name);
        let copied = within(io.copy_to(source, &mut copy)).await.unwrap();
        assert_eq!(copied, SIZE as u64);
        assert_bytes(&copy, pattern(SIZE));
        assert!(within(io.wait()).await.unwrap().success());
    }
}

#[tokio::test]
async fn the_input_is_fed_and_the_other_stream_kept_meanwhile() {
    let data = pattern(SIZE);
    let mut io = ProcessIo::builder(child(&["cat"]))
        .input(data.clone())
        .spawn()
        .unwrap();
    let mut copy = Vec::new();
    within(io.copy_to(Source::Stdout, &mut copy)).await.unwrap();
    assert_bytes(&copy, &data);

    let mut io = ProcessIo::spawn(child(&["both", "500000"])).unwrap();
    let mut copy = Vec::new();
    within(io.copy_to(Source::Stdout, &mut copy)).await.unwrap();
    assert_bytes(&copy, pattern(500_000));
    let rest = within(io.output()).await.unwrap();
    assert_bytes(&rest.stderr, pattern(500_000));
}

/// A writer that is full holds the child back, and not the other stream: a child that writes to stdout first, and more than
/// any pipe holds to stderr then, comes to its end.
#[tokio::test]
async fn a_slow_writer_is_back_pressure_for_its_stream_alone() {
    let args = ["write", "out", "200000", "err", "1000000"];
    let mut io = ProcessIo::spawn(child(&args)).unwrap();
    let (mut slow, mut other_end) = duplex(1000);
    let read = async {
        let mut all = vec![0; 200_000];
        other_end.read_exact(&mut all).await.unwrap();
        all
    };
    let (copied, all) =
        within(async { tokio::join!(io.copy_to(Source::Stdout, &mut slow), read) }).await;
    assert_eq!(copied.unwrap(), 200_000);
    assert_bytes(&all, pattern(200_000));
    assert_bytes(
        within(io.output()).await.unwrap().stderr,
        pattern(1_000_000),
    );
}

#[tokio::test]
async fn a_copy_that_is_dropped_half_way_loses_nothing() {
    let mut io = writes("out");
    let (mut slow, mut other_end) = duplex(10_000);
    let mut all = vec![0; 15_000];
    tokio::select! {
        biased;
        done = io.copy_to(Source::Stdout, &mut slow) => panic!("{done:?}"),
        read = within(other_end.read_exact(&mut all)) => drop(read.unwrap()),
    }
    drop(slow);
    within(other_end.read_to_end(&mut all)).await.unwrap();
    assert!(all.len() < SIZE);
    within(io.copy_to(Source::Stdout, &mut all)).await.unwrap();
    assert_bytes(&all, pattern(SIZE));
}

#[tokio::test]
async fn a_writer_that_fails_is_told_and_the_rest_is_still_there() {
    let mut io = writes("out");
    let (mut broken, other_end) = duplex(10_000);
    drop(other_end);
    let error = within(io.copy_to(Source::Stdout, &mut broken))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), process_io::ErrorKind::Output, "{error}");
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::BrokenPipe);
    let mut all = Vec::new();
    within(io.copy_to(Source::Stdout, &mut all)).await.unwrap();
    assert_bytes(&all, pattern(SIZE));
}

#[tokio::test]
async fn a_time_out_ends_a_copy_also_when_the_writer_takes_nothing() {
    let builder = || ProcessIo::builder(child(&["flood"])).timeout(Duration::from_millis(200));
    let mut io = builder().spawn().unwrap();
    let error = within(io.copy_to(Source::Stdout, &mut sink()))
        .await
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");

    let (mut stuck, _other_end) = duplex(1000);
    let mut io = builder().spawn().unwrap();
    let error = within(io.copy_to(Source::Stdout, &mut stuck))
        .await
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
}

/// Takes everything, and is never done with passing it on.
struct NeverFlushed;

impl AsyncWrite for NeverFlushed {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[cfg(unix)] // The shell closes its stdout.
#[tokio::test]
async fn a_time_out_ends_a_copy_also_when_the_writer_does_not_flush() {
    let script = "echo all; exec >&-; sleep 300; true";
    let run = ProcessIo::builder(crate::support::sh(script));
    let mut io = run.timeout(Duration::from_millis(200)).spawn().unwrap();
    let error = within(io.copy_to(Source::Stdout, &mut NeverFlushed)).await;
    assert!(error.unwrap_err().is_timeout());
}

/// The child has done its part, and what it wrote has no place to go.
#[tokio::test]
async fn a_time_out_ends_a_copy_also_when_the_child_has_exited() {
    let (mut stuck, _other_end) = duplex(1000);
    let run = ProcessIo::builder(child(&["write", "out", "40000"]));
    let mut io = run.timeout(Duration::from_millis(500)).spawn().unwrap();
    let error = within(io.copy_to(Source::Stdout, &mut stuck)).await;
    assert!(error.unwrap_err().is_timeout());
}

/// A writer that is slow is no silence of the child's pipe: what a descendant writes meanwhile is not lost.
#[tokio::test]
async fn a_slow_writer_does_not_end_the_drain() {
    let (parts, child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    let [mut stdout, stderr] = child.exit_holding(0);
    stdout.write_all(&pattern(4000)).await.unwrap();
    let (mut slow, mut other_end) = duplex(1000);
    let mut all = Vec::new();
    let read = async {
        tokio::time::sleep(DEFAULT_DRAIN_IDLE * 3).await;
        stdout.write_all(b"late").await.unwrap();
        drop((stdout, stderr));
        let mut buffer = vec![0; 4004];
        other_end.read_exact(&mut buffer).await.unwrap();
        all = buffer;
    };
    let (copied, ()) =
        within(async { tokio::join!(io.copy_to(Source::Stdout, &mut slow), read) }).await;
    assert_eq!(copied.unwrap(), 4004);
    assert_bytes(&all[..4000], pattern(4000));
    assert_eq!(&all[4000..], b"late");
}

#[tokio::test]
async fn both_streams_are_copied_at_once() {
    let mut io = ProcessIo::spawn(child(&["both", "500000"])).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let copied = within(io.copy_both_to(&mut out, &mut err)).await.unwrap();
    assert_eq!(copied, [500_000, 500_000]);
    assert_bytes(&out, pattern(500_000));
    assert_bytes(&err, pattern(500_000));
    assert!(within(io.wait()).await.unwrap().success());
}

/// Each is held up by its own writer alone: all of stderr is there before any of stdout has been taken.
#[tokio::test]
async fn of_both_one_may_be_slow() {
    let (_send, mut recv) = ProcessIo::spawn(child(&["both", "1000000"]))
        .unwrap()
        .into_split();
    let (mut slow, mut slow_end) = duplex(1000);
    let (mut quick, mut quick_end) = duplex(2_000_000);
    let read = async {
        let [mut out, mut err] = [vec![0; 1_000_000], vec![0; 1_000_000]];
        quick_end.read_exact(&mut err).await.unwrap();
        slow_end.read_exact(&mut out).await.unwrap();
        [out, err]
    };
    let copied = recv.copy_both_to(&mut slow, &mut quick);
    let (copied, read) = within(async { tokio::join!(copied, read) }).await;
    assert_eq!(copied.unwrap(), [1_000_000, 1_000_000]);
    for bytes in read {
        assert_bytes(bytes, pattern(1_000_000));
    }
}

#[tokio::test]
async fn of_both_a_writer_that_fails_is_told_and_nothing_is_lost() {
    let mut io = ProcessIo::spawn(child(&["write", "err", "5000", "out", "5000"])).unwrap();
    let mut out = Vec::new();
    let mut broken = duplex(1).0;
    let copied = within(io.copy_both_to(&mut out, &mut broken)).await;
    let error = copied.unwrap_err();
    assert!(
        error.kind() == ErrorKind::Output && error.to_string().contains("stderr"),
        "{error}"
    );
    let rest = within(io.output()).await.unwrap();
    assert_bytes([out, rest.stdout.to_vec()].concat(), pattern(5000));
    assert_bytes(&rest.stderr, pattern(5000));
}

#[tokio::test]
async fn of_both_a_cut_is_told() {
    let mut io = ProcessIo::builder(child(&["flood", "both"]))
        .timeout(Duration::from_millis(50))
        .spawn()
        .unwrap();
    // One of the writers takes nothing.
    let mut full = duplex(1);
    let error = within(io.copy_both_to(&mut full.0, &mut sink()))
        .await
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
}

/// Neither what is read nor what is written to counts in tokio's budget.
#[tokio::test]
async fn what_never_has_to_wait_lets_others_run() {
    let endless = || {
        process_io::transport::Parts::new(Lives)
            .stdout(tokio::io::repeat(1))
            .stderr(tokio::io::repeat(2))
    };
    let mut io = ProcessIo::from_parts(endless());
    let mut nowhere = sink();
    let copied = io.copy_to(Source::Stdout, &mut nowhere);
    let copied = tokio::time::timeout(Duration::from_millis(20), copied);
    assert!(within(copied).await.is_err());
    // And both have their turns.
    let mut io = ProcessIo::from_parts(endless());
    let mut counts = [Count(0), Count(0)];
    let [out, err] = &mut counts;
    let copied = tokio::time::timeout(Duration::from_millis(20), io.copy_both_to(out, err));
    assert!(within(copied).await.is_err());
    let [out, err] = counts.map(|count| count.0);
    assert!(out < err * 4 && err < out * 4, "{out} {err}");
}

struct Lives;

impl process_io::transport::Process for Lives {
    fn wait(
        self: std::sync::Arc<Self>,
    ) -> futures::future::BoxFuture<'static, io::Result<std::process::ExitStatus>> {
        Box::pin(std::future::pending())
    }

    fn signal(&self, _: process_io::Signal) -> io::Result<()> {
        Ok(())
    }
}

struct Count(usize);

impl AsyncWrite for Count {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0 += data.len();
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
