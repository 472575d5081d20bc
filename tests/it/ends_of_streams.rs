//! Each stream has an end of its own, on either side, and a stream that is no pipe says so.

use futures::StreamExt;
use process_io::{Drain, ErrorKind, Event, ProcessIo, Recv, Redirect, Source, transport::memory};
use tokio::io::AsyncWriteExt;

use crate::support::{child, within};

async fn events(io: &mut ProcessIo) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(event) = within(io.next()).await {
        events.push(event.unwrap());
    }
    events
}

#[tokio::test]
async fn is_told_while_the_child_runs() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    child.stdout.write_all(b"last words").await.unwrap();
    child.stdout.shutdown().await.unwrap();
    assert_eq!(
        within(io.next()).await.unwrap().unwrap(),
        Event::Stdout("last words".into())
    );
    assert_eq!(
        within(io.next()).await.unwrap().unwrap(),
        Event::Eof(Source::Stdout)
    );
    child.stderr.write_all(b"more").await.unwrap();
    assert_eq!(
        within(io.next()).await.unwrap().unwrap(),
        Event::Stderr("more".into())
    );
    child.exit(3);
    let rest = events(&mut io).await;
    assert_eq!(rest[0], Event::Eof(Source::Stderr));
    assert!(
        matches!(rest[1..], [Event::Exit(status)] if status.code() == Some(3)),
        "{rest:?}"
    );
}

#[tokio::test]
async fn is_not_told_of_what_is_no_pipe() {
    let mut io = ProcessIo::builder(child(&["write", "out", "3"]))
        .stderr(Redirect::Null)
        .spawn()
        .unwrap();
    let events = events(&mut io).await;
    let eofs: Vec<_> = events
        .iter()
        .filter(|event| matches!(event, Event::Eof(_)))
        .collect();
    assert_eq!(eofs, [&Event::Eof(Source::Stdout)]);
}

#[tokio::test]
async fn is_not_told_of_a_stream_that_was_cut_short() {
    let mut io = ProcessIo::builder(child(&["sleep"]))
        .drain(Drain::Immediate)
        .spawn()
        .unwrap();
    io.set_deadline(tokio::time::Instant::now());
    let error = within(io.next()).await.unwrap().unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let rest = events(&mut io).await;
    assert!(matches!(rest[..], [Event::Exit(_)]), "{rest:?}");
}

/// Each stage has its own stderr; taken as one stream they end once, with the last of them.
#[tokio::test]
async fn of_a_pipeline() {
    let start = || {
        let tail = child(&["cat"]);
        ProcessIo::builder(child(&["write", "out", "3"]))
            .pipe(tail)
            .spawn()
            .unwrap()
    };
    let told = |events: &[Event], source| {
        events
            .iter()
            .filter(|event| **event == Event::Eof(source))
            .count()
    };
    let all = events(&mut start()).await;
    assert_eq!(
        (told(&all, Source::Stdout), told(&all, Source::Stderr)),
        (1, 1),
        "{all:?}"
    );
    let mut ends = Vec::new();
    let mut io = start();
    let mut staged = io.stage_events();
    while let Some(event) = within(staged.next()).await {
        if let (stage, Event::Eof(source)) = event.unwrap() {
            ends.push((stage, source));
        }
    }
    ends.sort();
    assert_eq!(
        ends,
        [
            (0, Source::Stderr),
            (1, Source::Stdout),
            (1, Source::Stderr)
        ]
    );
}

#[tokio::test]
async fn closed_here_is_a_failed_write_there() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    child.stdout.write_all(b"kept").await.unwrap();
    within(io.recv_exact(Source::Stdout, 2)).await.unwrap();
    io.close_output(Source::Stdout);
    assert!(child.stdout.write_all(b"more").await.is_err());
    // What came before is still there, and the other stream goes on.
    assert_eq!(
        within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap(),
        "pt"
    );
    assert_eq!(within(io.recv(Source::Stdout)).await.unwrap(), Recv::Eof);
    child.stderr.write_all(b"still here").await.unwrap();
    assert_eq!(
        within(io.recv(Source::Stderr))
            .await
            .unwrap()
            .data()
            .unwrap(),
        "still here"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn closed_here_ends_a_real_child_too() {
    let (send, mut recv) = ProcessIo::command("yes").spawn().unwrap().into_split();
    within(recv.recv(Source::Stdout)).await.unwrap();
    recv.close_output(Source::Stdout);
    assert!(!within(recv.wait()).await.unwrap().success());
    drop(send);
}

#[tokio::test]
async fn what_is_no_pipe_cannot_be_received() {
    let start = || {
        ProcessIo::builder(child(&["write", "err", "3"]))
            .stdout(Redirect::Null)
            .spawn()
            .unwrap()
    };
    let is_it = |error: process_io::Error| {
        assert_eq!(error.kind(), ErrorKind::NotPiped, "{error}");
    };
    let second = std::time::Duration::from_secs(1);
    let out = Source::Stdout;
    is_it(within(start().recv(out)).await.unwrap_err());
    is_it(within(start().recv_exact(out, 1)).await.unwrap_err());
    is_it(within(start().recv_timeout(out, second)).await.unwrap_err());
    is_it(within(start().recv_for(out, second)).await.unwrap_err());
    is_it(
        within(start().recv_until_quiet(out, second, second))
            .await
            .unwrap_err(),
    );
    is_it(start().recv_nowait(out).unwrap_err());
    is_it(within(start().recv_line(out)).await.unwrap_err());
    is_it(
        within(start().stdout_lines().next())
            .await
            .unwrap()
            .unwrap_err(),
    );
    is_it(
        within(start().line_blocks(out).next())
            .await
            .unwrap()
            .unwrap_err(),
    );
    is_it(
        within(start().bytes(out).next())
            .await
            .unwrap()
            .unwrap_err(),
    );
    is_it(
        within(start().copy_to(out, &mut tokio::io::sink()))
            .await
            .unwrap_err(),
    );
    // What is not about that stream alone goes on.
    assert_eq!(within(start().output()).await.unwrap().stderr.len(), 3);
    assert!(within(start().exchange("", second)).await.is_ok());
    assert!(within(start().wait()).await.is_ok());
}
