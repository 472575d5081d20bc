//! What is kept stays when the limit changes, and what was dropped is not glued over.

use std::time::Duration;

use futures::FutureExt;
use process_io::{
    Limits, LineEnd, Overflow, ProcessIOWrapper, ProcessIo, ReadSource, Source, transport::memory,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};

use crate::support::{GENEROUS, within};

#[tokio::test]
async fn a_tail_becomes_the_start_of_what_may_fail() {
    for overflow in [Overflow::Fail, Overflow::Block, Overflow::KeepHead] {
        let (parts, mut child) = memory::child();
        let mut io = ProcessIo::from_parts(parts);
        child.stderr.write_all(b"one\n").await.unwrap();
        assert!(io.wait().now_or_never().is_none());
        io.set_limits(Limits::default().stderr(1 << 20, overflow));
        child.stderr.write_all(b"two\n").await.unwrap();
        child.exit(0);
        let output = within(io.output()).await.unwrap();
        assert_eq!(output.stderr, "one\ntwo\n", "{overflow:?}");
        assert_eq!(output.stderr_omitted, 0);
    }
}

#[tokio::test]
async fn a_wrapper_gives_back_what_it_did_not_read() {
    let (parts, mut child) = memory::child();
    let mut file = ProcessIOWrapper::from(ProcessIo::from_parts(parts));
    file = file.read_from(ReadSource::Stderr);
    child.stdout.write_all(b"one\n").await.unwrap();
    let mut line = String::new();
    assert!(file.read_line(&mut line).now_or_never().is_none());
    let mut io = file.into_inner();
    child.stdout.write_all(b"two\n").await.unwrap();
    child.exit(0);
    assert_eq!(within(io.output()).await.unwrap().stdout, "one\ntwo\n");
}

#[tokio::test]
async fn what_is_kept_stays_when_the_limit_is_lowered() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    child.stderr.write_all(b"abcdefgh").await.unwrap();
    child.exit(0);
    within(io.wait()).await.unwrap();
    io.set_limits(Limits::default().stderr(3, Overflow::KeepTail));
    let output = within(io.output()).await.unwrap();
    assert_eq!(
        (&output.stderr[..], output.stderr_omitted),
        (&b"abcdefgh"[..], 0)
    );
}

#[tokio::test]
async fn a_line_ends_where_something_was_dropped() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    io.set_limits(Limits::default().stdout(10, Overflow::KeepHead));
    child
        .stdout
        .write_all(b"ab\ncdefghiJKLMNOP\n")
        .await
        .unwrap();
    assert!(io.wait().now_or_never().is_none());
    let mut next = async || within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
    assert_eq!(next().await.as_bytes(), b"ab");
    let cut = next().await;
    assert_eq!(
        (cut.as_bytes(), cut.end()),
        (&b"cdefghi"[..], LineEnd::Limit)
    );
    child.stdout.write_all(b"new\n").await.unwrap();
    assert_eq!(next().await.as_bytes(), b"new");
    assert_eq!(io.omitted(Source::Stdout), 8);
}

#[tokio::test]
async fn a_prompt_behind_what_was_dropped_is_found() {
    for overflow in [Overflow::KeepBoth, Overflow::KeepHead, Overflow::KeepTail] {
        let (parts, mut child) = memory::child();
        let mut io = ProcessIo::from_parts(parts);
        io.set_limits(Limits::default().stdout(1024, overflow));
        child.stdout.write_all(&[b'x'; 5000]).await.unwrap();
        assert!(io.wait().now_or_never().is_none());
        child.stdout.write_all(b"ready>").await.unwrap();
        let found = within(io.expect_timeout("ready>", GENEROUS)).await;
        assert_eq!(found.unwrap().matched, "ready>", "{overflow:?}");
    }
}

#[tokio::test]
async fn lines_that_wait_in_a_block_count_against_the_limit() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    io.set_limits(Limits::default().stdout(1000, Overflow::Fail));
    child
        .stdout
        .write_all(&b"line\n".repeat(200))
        .await
        .unwrap();
    assert!(io.wait().now_or_never().is_none());
    within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
    child.stdout.write_all(b"more than 6").await.unwrap();
    let error = tokio::time::timeout(Duration::from_secs(60), io.wait()).await;
    assert!(error.unwrap().unwrap_err().is_limit());
}
