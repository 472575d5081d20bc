//! The pieces of one stream, as a stream.

use futures::{StreamExt, TryStreamExt, stream::FusedStream};
use process_io::{ProcessIo, Source};

use crate::support::{assert_bytes, child, pattern, within};

#[tokio::test]
async fn gives_every_byte_and_then_ends() {
    let mut io = ProcessIo::spawn(child(&["write", "err", "5000", "out", "300000"])).unwrap();
    let mut stream = io.bytes(Source::Stdout);
    let mut got = Vec::new();
    while let Some(piece) = within(stream.try_next()).await.unwrap() {
        assert!(!piece.is_empty());
        got.extend_from_slice(&piece);
    }
    assert!(stream.is_terminated() && within(stream.next()).await.is_none());
    assert_bytes(got, pattern(300_000));
    assert_bytes(&within(io.output()).await.unwrap().stderr, pattern(5000));
}

#[tokio::test]
async fn goes_into_another_child() {
    let mut io = ProcessIo::spawn(child(&["write", "out", "300000"])).unwrap();
    let (to, from) = ProcessIo::spawn(child(&["cat"])).unwrap().into_split();
    let mut back = from.into_bytes(Source::Stdout);
    let both = async {
        tokio::join!(io.bytes(Source::Stdout).forward(to), async {
            let mut got = Vec::new();
            while let Some(piece) = back.try_next().await.unwrap() {
                got.extend_from_slice(&piece);
            }
            got
        })
    };
    let (forwarded, got) = within(both).await;
    forwarded.unwrap();
    assert_bytes(got, pattern(300_000));
    assert!(within(back.into_inner().wait()).await.unwrap().success());
}

/// What has not been handed out is not lost with it.
#[tokio::test]
async fn gives_the_handle_back() {
    let mut io = ProcessIo::spawn(child(&["write", "out", "100000"])).unwrap();
    let first = within(io.bytes(Source::Stdout).try_next())
        .await
        .unwrap()
        .unwrap();
    let rest = within(io.output()).await.unwrap().stdout;
    assert_bytes([first, rest].concat(), pattern(100_000));
}
