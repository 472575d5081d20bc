//! A window gives no more than the limit of the stream, however small that is, and returns as soon as it has that much.

use std::time::Duration;

use futures::FutureExt;
use process_io::{
    Exchange, Limits, Overflow, ProcessIo, Recv, Source,
    transport::memory::{self, Child},
};
use tokio::{io::AsyncWriteExt, time::Instant};

use crate::support::GENEROUS;

const ALL: [Overflow; 5] = [
    Overflow::Block,
    Overflow::Fail,
    Overflow::KeepHead,
    Overflow::KeepTail,
    Overflow::KeepBoth,
];

async fn saying(stdout: &str, limits: Limits) -> (ProcessIo, Child) {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    io.set_limits(limits);
    child.stdout.write_all(stdout.as_bytes()).await.unwrap();
    (io, child)
}

fn data(recv: Recv) -> bytes::Bytes {
    recv.data().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn recv_for_gives_no_more_than_the_limit() {
    for overflow in ALL {
        let limits = Limits::default().stdout(4, overflow);
        let (mut io, _child) = saying("0123456789", limits).await;
        let start = Instant::now();
        for expected in ["0123", "4567"] {
            let got = io.recv_for(Source::Stdout, GENEROUS).await.unwrap();
            assert_eq!(data(got), expected, "{overflow:?}");
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        let got = io.recv_for(Source::Stdout, GENEROUS).await.unwrap();
        assert_eq!(data(got), "89");
        assert_eq!(start.elapsed().as_secs(), GENEROUS.as_secs());
        assert_eq!(io.omitted(Source::Stdout), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn recv_until_quiet_gives_no_more_than_the_limit() {
    for overflow in ALL {
        let limits = Limits::default().stdout(4, overflow);
        let (mut io, _child) = saying("0123456789", limits).await;
        for expected in ["0123", "4567", "89"] {
            let got = io.recv_until_quiet(Source::Stdout, GENEROUS, GENEROUS);
            assert_eq!(data(got.await.unwrap()), expected, "{overflow:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn exchange_gives_no_more_than_the_limit() {
    for overflow in ALL {
        let limits = Limits::default().stdout(4, overflow);
        let (mut io, _child) = saying("0123456789", limits).await;
        for expected in ["0123", "4567", "89"] {
            let got = io.exchange("x", GENEROUS).await.unwrap();
            assert_eq!(got.stdout, expected, "{overflow:?}");
        }
    }
}

/// To tell that more came than the limit allows, one byte more is read; it is not part of the window.
#[tokio::test(start_paused = true)]
async fn what_another_call_kept_counts() {
    for overflow in [Overflow::Block, Overflow::Fail] {
        let limits = Limits::default().stdout(4, overflow);
        let (mut io, _child) = saying("0123456789", limits).await;
        let _ = io.wait().now_or_never();
        for expected in ["0123", "4567", "89"] {
            let got = io.recv_for(Source::Stdout, GENEROUS).await.unwrap();
            assert_eq!(data(got), expected, "{overflow:?}");
        }
    }
}

/// A stream of which nothing is kept does not end a window: that would be none.
#[tokio::test(start_paused = true)]
async fn a_limit_of_nothing_keeps_nothing_and_the_window_lasts() {
    for overflow in [Overflow::KeepHead, Overflow::KeepTail, Overflow::KeepBoth] {
        let limits = Limits::default().stderr(0, overflow);
        let (mut io, mut child) = saying("hello", limits).await;
        child.stderr.write_all(b"noise").await.unwrap();
        let start = Instant::now();
        let Exchange { stdout, stderr, .. } = io.exchange("x", GENEROUS).await.unwrap();
        assert_eq!((&stdout[..], &stderr[..]), (&b"hello"[..], &b""[..]));
        assert_eq!(start.elapsed().as_secs(), GENEROUS.as_secs());
        assert_eq!(io.omitted(Source::Stderr), 5);
    }
}
