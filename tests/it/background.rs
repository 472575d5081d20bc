//! A child whose handle is not used goes on.

use process_io::{ErrorKind, Limits, Overflow, ProcessIo, Recv, Source, transport::memory};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{child, eventually, pattern, within};

/// Many times what its pipes hold, on both.
#[tokio::test]
async fn is_never_held_up_by_its_pipes() {
    let io = ProcessIo::spawn(child(&["both", "3000000"])).unwrap();
    let mut background = io.into_background().unwrap();
    assert!(within(background.control().wait()).await.unwrap().success());
    assert!(within(background.wait()).await.unwrap().success());
    assert!(within(background.wait()).await.unwrap().success());
}

#[tokio::test]
async fn keeps_the_end_of_what_it_says() {
    let io = ProcessIo::builder(child(&["write", "out", "100000", "err", "100000"]))
        .limits(
            Limits::default()
                .stdout(1000, Overflow::Fail)
                .stderr(500, Overflow::KeepTail),
        )
        .spawn()
        .unwrap();
    let mut background = io.into_background().unwrap();
    within(background.wait()).await.unwrap();
    let mut io = background.into_inner();
    let all = pattern(100_000);
    for (source, kept) in [(Source::Stdout, 1000), (Source::Stderr, 500)] {
        assert_eq!(io.pending(source), &all[100_000 - kept..]);
        assert_eq!(io.omitted(source), 100_000 - kept as u64);
    }
}

/// Its limits are what they were: one that is an error is one again.
#[tokio::test]
async fn gives_the_handle_back_as_it_was() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    io.set_limits(Limits::default().stdout(10, Overflow::Fail));
    let background = io.into_background().unwrap();
    child.stdout.write_all(&[1; 5]).await.unwrap();
    let mut io = background.into_inner();
    child.stdout.write_all(&[2; 20]).await.unwrap();
    child.exit(0);
    let error = within(io.wait()).await.unwrap_err();
    assert!(error.is_limit(), "{error}");
    assert_eq!(
        within(io.recv_exact(Source::Stdout, 25))
            .await
            .unwrap()
            .data()
            .unwrap()[..6],
        [1, 1, 1, 1, 1, 2]
    );
}

#[tokio::test]
async fn can_be_talked_to() {
    let (parts, mut child) = memory::child();
    let mut background = ProcessIo::from_parts(parts).into_background().unwrap();
    child.stdout.write_all(b"hello").await.unwrap();
    eventually("it has said hello", || {
        background.with(|io| io.pending(Source::Stdout) == b"hello")
    })
    .await;
    let hello = background
        .with(|io| io.recv_nowait(Source::Stdout))
        .unwrap();
    assert_eq!(hello, Recv::Data("hello".into()));
    // More than goes at once: the task sends the rest.
    let message = vec![7; memory::PIPE_CAPACITY * 2];
    background.with(|io| {
        use futures::SinkExt;
        assert!(
            futures::FutureExt::now_or_never(io.feed(message.clone().into()))
                .unwrap()
                .is_ok()
        );
    });
    let mut got = vec![0; message.len()];
    within(child.stdin.read_exact(&mut got)).await.unwrap();
    assert!(got == message);
}

#[tokio::test]
async fn is_killed_with_its_handle() {
    let background = ProcessIo::spawn(child(&["sleep"]))
        .unwrap()
        .into_background()
        .unwrap();
    let control = background.control();
    drop(background);
    assert!(!within(control.wait()).await.unwrap().success());
}

#[test]
fn needs_a_runtime() {
    let (parts, _child) = memory::child();
    let error = ProcessIo::from_parts(parts).into_background().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoRuntime, "{error}");
}
