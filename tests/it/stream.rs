//! `ProcessIo` as a stream of events, and `.await` on it.

use std::io;

use bytes::Bytes;
use futures::{
    FutureExt, StreamExt,
    stream::{self, FusedStream},
};
use process_io::{
    Event, ProcessIo,
    transport::{Parts, memory},
};
use tokio::io::AsyncWriteExt;
use tokio_util::io::StreamReader;

use crate::support::{assert_bytes, child, pattern, within};

/// Everything until `None`: stdout, stderr, and the exit code of each exit with its place.
async fn drain(io: &mut ProcessIo) -> (Vec<u8>, Vec<u8>, Vec<(usize, Option<i32>)>, usize) {
    let (mut out, mut err, mut exits, mut items) = (Vec::new(), Vec::new(), Vec::new(), 0);
    while let Some(event) = within(io.next()).await {
        items += 1;
        match event.unwrap() {
            Event::Stdout(bytes) => {
                assert!(!bytes.is_empty());
                out.extend_from_slice(&bytes);
            }
            Event::Stderr(bytes) => {
                assert!(!bytes.is_empty());
                err.extend_from_slice(&bytes);
            }
            Event::Eof(_) => items -= 1,
            Event::Exit(status) => exits.push((items, status.code())),
            _ => {}
        }
    }
    (out, err, exits, items)
}

#[tokio::test]
async fn exit_is_the_last_item_and_comes_once() {
    let mut io = ProcessIo::spawn(child(&["write", "out", "300000", "err", "200000"])).unwrap();
    let (out, err, exits, items) = drain(&mut io).await;
    assert_bytes(out, pattern(300_000));
    assert_bytes(err, pattern(200_000));
    assert_eq!(exits, [(items, Some(0))]);
}

#[tokio::test]
async fn a_silent_child_gives_nothing_but_its_exit() {
    let mut io = ProcessIo::spawn(child(&["exit", "9"])).unwrap();
    let (.., exits, _) = drain(&mut io).await;
    assert_eq!(exits, [(1, Some(9))]);
}

#[tokio::test]
async fn it_is_fused() {
    let mut io = ProcessIo::spawn(child(&["write", "out", "1"])).unwrap();
    assert!(!io.is_terminated());
    while let Some(event) = within(io.next()).await {
        assert_eq!(io.is_terminated(), matches!(event.unwrap(), Event::Exit(_)));
    }
    for _ in 0..3 {
        assert!(io.next().await.is_none());
        assert!(io.is_terminated());
    }
}

#[tokio::test]
async fn what_wait_received_is_still_streamed() {
    let mut io = ProcessIo::spawn(child(&["both", "300000"])).unwrap();
    assert!(within(io.wait()).await.unwrap().success());
    assert!(!io.is_terminated());
    let (out, err, exits, items) = drain(&mut io).await;
    assert_bytes(out, pattern(300_000));
    assert_bytes(err, pattern(300_000));
    assert_eq!(exits, [(items, Some(0))]);
    assert!(within(io.wait()).await.unwrap().success());
}

#[tokio::test]
async fn output_leaves_the_exit_to_the_stream() {
    let mut io = ProcessIo::spawn(child(&["exit", "5"])).unwrap();
    assert_eq!(within(io.output()).await.unwrap().code(), Some(5));
    let (.., exits, _) = drain(&mut io).await;
    assert_eq!(exits, [(1, Some(5))]);
}

/// A stream that gives `data` and then fails.
fn fails_after(data: &'static str) -> impl tokio::io::AsyncRead + Send + Unpin {
    let error = io::Error::other("the line is dead");
    StreamReader::new(stream::iter([Ok(Bytes::from(data)), Err(error)]))
}

#[tokio::test]
async fn an_error_is_an_item_and_not_the_end() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts.stderr(fails_after("half a mess")));
    assert_eq!(
        within(io.next()).await.unwrap().unwrap(),
        Event::Stderr("half a mess".into())
    );
    let error = within(io.next()).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("the line is dead"), "{error}");
    child.stdout.write_all(b"still here").await.unwrap();
    assert_eq!(
        within(io.next()).await.unwrap().unwrap(),
        Event::Stdout("still here".into())
    );
    child.exit(2);
    let (out, err, exits, _) = drain(&mut io).await;
    assert!(out.is_empty() && err.is_empty());
    assert_eq!(exits, [(1, Some(2))]);
}

#[tokio::test]
async fn awaited_it_gives_the_output_and_closes_stdin() {
    let mut io = ProcessIo::spawn(child(&["sink"])).unwrap();
    within(io.send("abc")).await.unwrap();
    let output = within(io).await.unwrap();
    assert!(output.success());
    assert!(output.stdout.starts_with(b"3 "), "{:?}", output.stdout);
    assert_eq!(output.stdin_written, 3);
}

#[tokio::test]
async fn output_dropped_half_way_is_called_again() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    child.stdout.write_all(b"first ").await.unwrap();
    assert!(io.output().now_or_never().is_none());
    child.stdout.write_all(b"second").await.unwrap();
    assert!(io.output().now_or_never().is_none());
    child.exit(0);
    assert_eq!(within(io.output()).await.unwrap().stdout, "first second");
}

#[tokio::test]
async fn output_dropped_at_every_step_is_complete() {
    let input = pattern(1_000_000);
    let mut io = ProcessIo::builder(child(&["echo"]))
        .input(input.clone())
        .spawn()
        .unwrap();
    let output = within(async {
        loop {
            if let Some(output) = io.output().now_or_never() {
                return output.unwrap();
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_bytes(output.stdout, input);
    assert_eq!(output.stdin_written, 1_000_000);
}

#[tokio::test]
async fn a_child_without_pipes_is_a_stream_too() {
    struct Done;
    impl process_io::transport::Process for Done {
        fn wait(
            self: std::sync::Arc<Self>,
        ) -> futures::future::BoxFuture<'static, io::Result<std::process::ExitStatus>> {
            async { Ok(process_io::transport::exit_status(4)) }.boxed()
        }
        fn signal(&self, _: process_io::Signal) -> io::Result<()> {
            Ok(())
        }
    }
    let mut io = ProcessIo::from_parts(Parts::new(Done));
    let (.., exits, _) = drain(&mut io).await;
    assert_eq!(exits, [(1, Some(4))]);
}
