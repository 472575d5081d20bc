//! `builder(command).input(source).await`: fed as the child takes it, collected to the end.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use futures::{StreamExt, stream};
use process_io::{ErrorKind, Input, ProcessIo};
use tokio_util::io::StreamReader;

use crate::support::{assert_bytes, child, pattern, within};

/// What `child echo` makes of the input.
async fn echoed(input: impl Into<Input>) -> Bytes {
    let run = ProcessIo::builder(child(&["echo"])).input(input);
    let output = within(run).await.unwrap().check().unwrap();
    assert_eq!(output.stdin_written, output.stdout.len() as u64);
    output.stdout
}

#[tokio::test]
async fn bytes_of_every_type() {
    assert_eq!(echoed("a str").await, "a str");
    assert_eq!(echoed(String::from("a string")).await, "a string");
    assert_eq!(echoed(b"an array").await, "an array");
    assert_eq!(echoed(&b"a slice"[..]).await, "a slice");
    assert_eq!(echoed(vec![0, 1, 255]).await, &[0, 1, 255][..]);
    assert_eq!(echoed(Bytes::from("bytes")).await, "bytes");
    assert_eq!(echoed("").await, "");
}

#[tokio::test]
async fn megabytes_both_ways() {
    let input = pattern(8_000_000);
    assert_bytes(echoed(input.clone()).await, input);
}

#[tokio::test]
async fn a_reader() {
    let input = pattern(3_000_000);
    let reader = io::Cursor::new(input.clone());
    assert_bytes(echoed(Input::reader(reader)).await, input);
}

#[tokio::test]
async fn a_stream_of_anything_that_becomes_bytes() {
    assert_eq!(
        echoed(Input::stream(stream::iter(["a", "", "b"]))).await,
        "ab"
    );
    let pieces: Vec<Vec<u8>> = pattern(3_000_000).chunks(7777).map(Vec::from).collect();
    assert_bytes(
        echoed(Input::stream(stream::iter(pieces))).await,
        pattern(3_000_000),
    );
    assert_eq!(echoed(Input::stream(stream::empty::<Bytes>())).await, "");
}

#[tokio::test]
async fn a_stream_that_comes_bit_by_bit() {
    let (sender, receiver) = futures::channel::mpsc::channel::<&str>(0);
    let mut io = ProcessIo::builder(child(&["echo"]))
        .input(Input::stream(receiver))
        .spawn()
        .unwrap();
    let mut sender = Some(sender);
    for word in ["one", "two", "three"] {
        let sender = sender.as_mut().unwrap();
        let (sent, heard) = within(async {
            tokio::join!(
                futures::SinkExt::send(sender, word),
                io.recv(process_io::Source::Stdout)
            )
        })
        .await;
        sent.unwrap();
        assert_eq!(heard.unwrap().data().unwrap(), word);
    }
    drop(sender.take());
    assert_eq!(within(io.output()).await.unwrap().stdin_written, 11);
}

fn broken() -> io::Error {
    io::Error::other("the disk is on fire")
}

fn tells_of_the_fire(error: &process_io::Error) {
    assert_eq!(error.kind(), ErrorKind::Input, "{error:?}");
    assert!(error.to_string().contains("the disk is on fire"), "{error}");
    assert!(error.command().unwrap().ends_with("echo"), "{error:?}");
}

#[tokio::test]
async fn a_source_that_fails_leaves_the_output_so_far() {
    let sources = [
        Input::try_stream(stream::iter([Ok("abc"), Err(broken())])),
        Input::reader(StreamReader::new(stream::iter([
            Ok(&b"abc"[..]),
            Err(broken()),
        ]))),
    ];
    for source in sources {
        let run = ProcessIo::builder(child(&["echo"])).input(source);
        let error = within(run).await.unwrap_err();
        tells_of_the_fire(&error);
        let output = error.into_output().unwrap();
        assert_eq!(output.stdout, "abc");
        assert_eq!(output.stdin_written, 3);
        assert!(output.success());
    }
}

#[tokio::test]
async fn a_source_that_fails_is_an_item_of_the_event_stream() {
    let source = Input::try_stream(stream::iter([Ok("abc"), Err(broken())]));
    let io = ProcessIo::builder(child(&["echo"]))
        .input(source)
        .spawn()
        .unwrap();
    let events: Vec<_> = within(io.collect()).await;
    let errors: Vec<_> = events
        .iter()
        .filter_map(|event| event.as_ref().err())
        .collect();
    assert_eq!(errors.len(), 1, "{events:?}");
    tells_of_the_fire(errors[0]);
    assert!(matches!(
        events.last(),
        Some(Ok(process_io::Event::Exit(_)))
    ));
}

/// Endless pieces, and how many have been asked for.
fn endless(piece: usize) -> (Input, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let piece = Bytes::from(vec![b'x'; piece]);
    let source = stream::repeat_with(move || {
        count.fetch_add(1, Ordering::Relaxed);
        piece.clone()
    });
    (Input::stream(source), asked)
}

#[tokio::test]
async fn a_source_is_not_read_ahead() {
    const TAKEN: usize = 1_000_000;
    const PIECE: usize = 4096;
    // A pipe of up to 1 MiB, and a queue.
    const AHEAD: usize = 2 << 20;
    let (source, asked) = endless(PIECE);
    let head = child(&["do", "take", &TAKEN.to_string()]);
    let output = within(ProcessIo::builder(head).input(source))
        .await
        .unwrap();
    assert_eq!(output.stdout_lossy().trim(), TAKEN.to_string());
    let asked = asked.load(Ordering::Relaxed) * PIECE;
    assert!((TAKEN..TAKEN + AHEAD).contains(&asked), "{asked} bytes");
    assert!(output.stdin_written <= asked as u64);
}

#[tokio::test]
async fn a_child_that_takes_nothing_of_an_endless_source_succeeds() {
    let (source, asked) = endless(100_000);
    let run = ProcessIo::builder(child(&["ignore-input", "5"])).input(source);
    let output = within(run).await.unwrap().check().unwrap();
    assert_eq!(output.stdout, pattern(5));
    assert!(asked.load(Ordering::Relaxed) < 100);
}

#[tokio::test]
async fn a_source_that_never_comes_does_not_hold_up_the_end() {
    let source = Input::stream(stream::pending::<Bytes>());
    let run = ProcessIo::builder(child(&["exit", "3"])).input(source);
    assert_eq!(within(run).await.unwrap().code(), Some(3));
}

#[tokio::test]
async fn a_source_of_nothings_does_not_hold_up_the_thread() {
    const NOTHINGS: usize = 1_000_000;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let nothings = stream::repeat_with(move || {
        count.fetch_add(1, Ordering::Relaxed);
        Bytes::new()
    });
    let mut io = ProcessIo::builder(child(&["echo"]))
        .input(Input::stream(nothings.take(NOTHINGS)))
        .spawn()
        .unwrap();
    assert!(futures::FutureExt::now_or_never(io.output()).is_none());
    let at_once = asked.load(Ordering::Relaxed);
    assert!(at_once < NOTHINGS / 2, "{at_once} in one poll");
    assert_eq!(within(io.output()).await.unwrap().stdin_written, 0);
}

#[cfg(target_os = "linux")] // The peak of the memory is in /proc.
mod a_gibibyte {
    use std::fs;

    use futures::TryStreamExt;
    use process_io::Event;

    use super::*;
    use crate::support::alone;

    const PIECE: usize = 64 << 10;
    const PIECES: usize = (1 << 30) / PIECE;
    const MOST_MIB: u64 = 64;

    fn peak_mib() -> u64 {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
            / 1024
    }

    #[tokio::test]
    async fn through_cat_is_exact_and_takes_little_memory() {
        if !alone("feed_and_collect::a_gibibyte::through_cat_is_exact_and_takes_little_memory") {
            return;
        }
        let before = peak_mib();
        let piece = Bytes::from(pattern(PIECE));
        let source = stream::repeat(piece.clone()).take(PIECES);
        let mut io = ProcessIo::builder(crate::support::sh("exec cat"))
            .input(Input::stream(source))
            .spawn()
            .unwrap();
        let mut at = 0;
        let mut exit = None;
        while let Some(event) = within(io.try_next()).await.unwrap() {
            let bytes = match event {
                Event::Stdout(bytes) => bytes,
                Event::Stderr(bytes) => panic!("{bytes:?}"),
                Event::Exit(status) => {
                    exit = Some(status);
                    continue;
                }
                _ => continue,
            };
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let expected = &piece[at % PIECE..];
                let n = expected.len().min(rest.len());
                assert!(rest[..n] == expected[..n], "wrong bytes after {at}");
                (at, rest) = (at + n, &rest[n..]);
            }
        }
        assert_eq!(at, 1 << 30);
        assert_eq!(io.written(), 1 << 30);
        assert!(exit.unwrap().success());
        let grown = peak_mib() - before;
        assert!(grown <= MOST_MIB, "grew by {grown} MiB");
    }
}
