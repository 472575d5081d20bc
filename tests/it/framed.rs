//! `framed` speaks any codec over the child, and says why when the child dies.

use bytes::Bytes;
use futures::{SinkExt, StreamExt, TryStreamExt};
use process_io::{ErrorKind, ProcessIo, transport::memory};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::codec::{LengthDelimitedCodec, LinesCodec, LinesCodecError};

use crate::support::{assert_bytes, child, pattern, within};

/// The crate's own error inside that of the codec.
#[track_caller]
fn cause(error: std::io::Error) -> process_io::Error {
    error
        .downcast::<process_io::Error>()
        .expect("an error of this crate inside")
}

#[track_caller]
fn cause_of_lines(error: LinesCodecError) -> process_io::Error {
    match error {
        LinesCodecError::Io(error) => cause(error),
        error => panic!("{error}"),
    }
}

#[tokio::test]
async fn lines_there_and_back() {
    let mut cat = ProcessIo::spawn(child(&["cat"]))
        .unwrap()
        .framed(LinesCodec::new());
    for i in 0..100 {
        within(cat.send(format!("request {i}"))).await.unwrap();
        let answer = within(cat.next()).await.unwrap().unwrap();
        assert_eq!(answer, format!("request {i}"));
    }
    within(SinkExt::<String>::close(&mut cat)).await.unwrap();
    assert!(within(cat.next()).await.is_none());
}

#[tokio::test]
async fn frames_in_flight_with_split() {
    let cat = ProcessIo::spawn(child(&["cat"]))
        .unwrap()
        .framed(LengthDelimitedCodec::new());
    let (mut sink, stream) = cat.split();
    let frame = |i: usize| Bytes::from(pattern(i * 37 % 3000));
    let sender = tokio::spawn(async move {
        for i in 0..3000 {
            sink.feed(frame(i)).await?;
        }
        sink.close().await
    });
    let frames = within(stream.try_collect::<Vec<_>>()).await.unwrap();
    within(sender).await.unwrap().unwrap();
    assert_eq!(frames.len(), 3000);
    for (i, got) in frames.into_iter().enumerate() {
        assert_bytes(got, frame(i));
    }
}

#[tokio::test]
async fn one_large_frame() {
    let mut codec = LengthDelimitedCodec::new();
    codec.set_max_frame_length(10_000_000);
    let (mut sink, mut stream) = ProcessIo::spawn(child(&["cat"]))
        .unwrap()
        .framed(codec)
        .split();
    let frame = Bytes::from(pattern(5_000_000));
    let (sent, got) = within(async { tokio::join!(sink.send(frame.clone()), stream.next()) }).await;
    sent.unwrap();
    assert_bytes(got.unwrap().unwrap(), frame);
}

#[tokio::test]
async fn a_clean_exit_ends_the_stream() {
    let mut lines = ProcessIo::spawn(child(&["lines", "2", "3"]))
        .unwrap()
        .framed(LinesCodec::new());
    for expected in ["0 x", "1 x"] {
        assert_eq!(within(lines.next()).await.unwrap().unwrap(), expected);
    }
    for _ in 0..3 {
        assert!(within(lines.next()).await.is_none());
    }
}

#[tokio::test]
async fn a_death_is_told_to_the_reader() {
    let steps = ["do", "out", "answer\n", "err", "out of luck\n", "exit", "3"];
    let mut lines = ProcessIo::spawn(child(&steps))
        .unwrap()
        .framed(LinesCodec::new());
    assert_eq!(within(lines.next()).await.unwrap().unwrap(), "answer");
    let error = within(lines.next()).await.unwrap().unwrap_err();
    let text = error.to_string();
    let error = cause_of_lines(error);
    assert_eq!(error.kind(), ErrorKind::Failed, "{error}");
    assert_eq!(error.status().unwrap().code(), Some(3));
    assert_eq!(error.stderr_tail(), b"out of luck\n");
    assert!(text.contains("out of luck") && text.contains('3'), "{text}");
    assert!(within(lines.next()).await.is_none());
}

#[cfg(unix)] // A signal ends it.
#[tokio::test]
async fn a_kill_in_the_middle_of_a_frame_is_told_to_the_reader() {
    use std::os::unix::process::ExitStatusExt;
    // The frame is to have five bytes.
    let sh = crate::support::sh(r"printf '\000\000\000\005ab'; echo crash >&2; kill -KILL $$");
    let mut frames = ProcessIo::spawn(sh)
        .unwrap()
        .framed(LengthDelimitedCodec::new());
    let error = cause(within(frames.next()).await.unwrap().unwrap_err());
    assert_eq!(error.status().unwrap().signal(), Some(9));
    assert_eq!(error.stderr_tail(), b"crash\n");
}

#[tokio::test]
async fn a_death_is_told_to_the_writer() {
    let steps = ["do", "read", "err", "out of luck\n", "exit", "3"];
    let mut lines = ProcessIo::spawn(child(&steps))
        .unwrap()
        .framed(LinesCodec::new());
    let error = within(async {
        loop {
            if let Err(error) = lines.send("request".repeat(100)).await {
                return error;
            }
        }
    })
    .await;
    let error = cause_of_lines(error);
    assert!(error.is_broken_pipe(), "{error}");
    assert_eq!(error.status().unwrap().code(), Some(3));
    assert_eq!(error.stderr_tail(), b"out of luck\n");
}

#[tokio::test]
async fn a_death_is_told_to_a_writer_and_a_reader_in_two_tasks() {
    let steps = ["do", "read", "err", "out of luck\n", "exit", "3"];
    let (mut sink, mut stream) = ProcessIo::spawn(child(&steps))
        .unwrap()
        .framed(LinesCodec::new())
        .split();
    let writer = tokio::spawn(async move {
        loop {
            if let Err(error) = sink.send("request".repeat(100)).await {
                return error;
            }
        }
    });
    let reader = tokio::spawn(async move { stream.next().await.unwrap().unwrap_err() });
    for task in [writer, reader] {
        let error = cause_of_lines(within(task).await.unwrap());
        assert_eq!(error.status().unwrap().code(), Some(3), "{error}");
        assert_eq!(error.stderr_tail(), b"out of luck\n", "{error}");
    }
}

#[tokio::test]
async fn what_was_received_before_a_death_comes_first() {
    let (parts, mut child) = memory::child();
    let io = ProcessIo::from_parts(parts);
    let mut frames = io.framed(LengthDelimitedCodec::new());
    within(frames.send(Bytes::from("ask"))).await.unwrap();
    let mut heard = [0; 7];
    within(child.stdin.read_exact(&mut heard)).await.unwrap();
    assert_eq!(heard, *b"\0\0\0\x03ask");
    child
        .stdout
        .write_all(b"\0\0\0\x02ok\0\0\0\x00")
        .await
        .unwrap();
    child.stderr.write_all(b"and out").await.unwrap();
    child.exit(1);
    assert_eq!(&within(frames.next()).await.unwrap().unwrap()[..], b"ok");
    assert_eq!(&within(frames.next()).await.unwrap().unwrap()[..], b"");
    let error = cause(within(frames.next()).await.unwrap().unwrap_err());
    assert_eq!(error.stderr_tail(), b"and out");
    assert_eq!(error.status().unwrap().code(), Some(1));
}

#[tokio::test]
async fn the_handle_comes_back_with_what_was_not_read() {
    let mut lines = ProcessIo::spawn(child(&["cat"]))
        .unwrap()
        .framed(LinesCodec::new());
    within(lines.send("one")).await.unwrap();
    assert_eq!(within(lines.next()).await.unwrap().unwrap(), "one");
    let parts = lines.into_parts();
    assert!(parts.read_buf.is_empty());
    let mut io = parts.io.into_inner();
    within(io.send_line("two")).await.unwrap();
    let output = within(io.output()).await.unwrap();
    assert_eq!(output.stdout, "two\n");
}
