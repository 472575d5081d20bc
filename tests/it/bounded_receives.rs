//! So many bytes at most, and so many exactly.

use futures::FutureExt;
use process_io::{ErrorKind, Limits, Overflow, ProcessIo, Recv, Source, transport::memory};
use tokio::io::AsyncWriteExt;

use crate::support::{child, pattern, within};

const OUT: Source = Source::Stdout;

fn data(recv: process_io::Result<Recv>) -> Vec<u8> {
    recv.unwrap().data().expect("data").to_vec()
}

#[tokio::test]
async fn no_more_than_is_asked_for() {
    let mut io = ProcessIo::spawn(child(&["write", "out", "100000"])).unwrap();
    let mut got = Vec::new();
    let mut max = 1;
    while let Recv::Data(piece) = within(io.recv_max(OUT, max)).await.unwrap() {
        assert!(!piece.is_empty() && piece.len() <= max);
        got.extend_from_slice(&piece);
        max = max * 2 % 5000 + 1;
    }
    assert_eq!(got, pattern(100_000));
    assert_eq!(within(io.recv_max(OUT, 1)).await.unwrap(), Recv::Eof);
}

#[tokio::test]
async fn none_at_all_does_not_wait() {
    let (parts, child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    assert_eq!(
        io.recv_max(OUT, 0).now_or_never().unwrap().unwrap(),
        Recv::Empty
    );
    assert_eq!(data(io.recv_exact(OUT, 0).now_or_never().unwrap()), b"");
    drop(child);
}

/// However it is cut in pieces on the way.
#[tokio::test]
async fn a_message_comes_whole() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    let writes = tokio::spawn(async move {
        for piece in pattern(70_000).chunks(999) {
            child.stdout.write_all(piece).await.unwrap();
        }
        child
    });
    let mut got = Vec::new();
    for n in [1, 10_000, 9_999, 50_000] {
        let message = data(within(io.recv_exact(OUT, n)).await);
        assert_eq!(message.len(), n);
        got.extend(message);
    }
    assert_eq!(got, pattern(70_000));
    drop(writes.await.unwrap());
}

#[tokio::test]
async fn a_message_that_ends_early_is_an_error_and_stays() {
    let mut io = ProcessIo::spawn(child(&["write", "out", "10"])).unwrap();
    assert_eq!(data(within(io.recv_exact(OUT, 4)).await), &pattern(10)[..4]);
    let error = within(io.recv_exact(OUT, 7)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Eof, "{error}");
    assert_eq!(data(within(io.recv_exact(OUT, 6)).await), &pattern(10)[4..]);
    assert_eq!(within(io.recv_exact(OUT, 1)).await.unwrap(), Recv::Eof);
}

/// A limit is for what is kept unasked.
#[tokio::test]
async fn a_message_may_be_longer_than_the_limit() {
    for overflow in [Overflow::Fail, Overflow::Block, Overflow::KeepTail] {
        let mut io = ProcessIo::builder(child(&["write", "out", "5000"]))
            .limits(Limits::default().stdout(10, overflow))
            .spawn()
            .unwrap();
        assert_eq!(
            data(within(io.recv_exact(OUT, 5000)).await),
            pattern(5000),
            "{overflow:?}"
        );
    }
}

#[tokio::test]
async fn what_is_dropped_half_way_loses_nothing() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    child.stdout.write_all(b"hel").await.unwrap();
    assert!(io.recv_exact(OUT, 5).now_or_never().is_none());
    child.stdout.write_all(b"lo").await.unwrap();
    assert_eq!(data(within(io.recv_exact(OUT, 5)).await), b"hello");
}

/// The other stream is received meanwhile: the child is not held up by it.
#[tokio::test]
async fn the_other_stream_moves() {
    let mut io = ProcessIo::spawn(child(&["write", "err", "1000000", "out", "5"])).unwrap();
    assert_eq!(data(within(io.recv_exact(OUT, 5)).await), pattern(5));
    assert_eq!(within(io.output()).await.unwrap().stderr.len(), 1_000_000);
}

/// Where something was dropped in between no message is made of what is on both sides.
#[tokio::test]
async fn a_message_does_not_span_a_gap() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    io.set_limits(Limits::default().stdout(20, Overflow::KeepBoth));
    let all = [[b'a'; 10], [b'b'; 10], [b'b'; 10], [b'c'; 10]].concat();
    child.stdout.write_all(&all).await.unwrap();
    child.exit(0);
    within(io.wait()).await.unwrap();
    assert_eq!(data(within(io.recv_exact(OUT, 3)).await), b"aaa");
    assert!(within(io.recv_exact(OUT, 8)).await.unwrap_err().is_limit());
    assert_eq!(data(within(io.recv_max(OUT, 100)).await), b"aaaaaaa");
    assert_eq!(data(within(io.recv_exact(OUT, 10)).await), b"cccccccccc");
    assert_eq!(within(io.recv_exact(OUT, 1)).await.unwrap(), Recv::Eof);
}

/// Nor is it told wrong where that was.
#[tokio::test]
async fn a_gap_stays_where_it_is() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    io.set_limits(Limits::default().stdout(20, Overflow::KeepBoth));
    child.stdout.write_all(&[b'x'; 40]).await.unwrap();
    child.exit(0);
    within(io.wait()).await.unwrap();
    within(io.recv_exact(OUT, 3)).await.unwrap();
    assert_eq!(within(io.output()).await.unwrap().stdout_gap, Some(7));
}
