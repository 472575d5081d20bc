//! Promise 5: one deadline covers everything, and what it cuts short is not lost.

use std::time::Duration;

use futures::StreamExt;
use process_io::{CancellationToken, Error, Ladder, ProcessIo, Source};

use crate::support::{child, sh, within};

const SHORT: Duration = Duration::from_millis(300);

/// The error of a run that was cut short.
#[track_caller]
fn assert_timed_out(error: &Error) {
    assert!(error.is_timeout(), "{error}");
    assert!(error.output().expect("the partial output").timed_out);
}

#[tokio::test]
async fn collecting_ends_in_time_with_what_there_was() {
    let io = ProcessIo::builder(sh("echo so far; echo oops >&2; sleep 60; true")).timeout(SHORT);
    let error = within(io).await.unwrap_err();
    assert_timed_out(&error);
    let message = error.to_string();
    assert!(
        message.contains("timed out after 300.0ms (killed by SIGKILL); stderr:\noops"),
        "{message}"
    );
    let output = error.into_output().unwrap();
    assert_eq!(output.stdout, "so far\n");
    eprintln!("{output:?}");
}

#[tokio::test]
async fn a_stream_delivers_what_there_was_then_the_error_then_the_exit() {
    let mut io = ProcessIo::builder(sh("echo so far; sleep 60; true"))
        .timeout(SHORT)
        .spawn()
        .unwrap();
    let items: Vec<_> = within(io.by_ref().collect()).await;
    eprintln!("{items:?}");
    assert_eq!(items.len(), 3);
    assert_timed_out(items[1].as_ref().unwrap_err());
    let error = within(io.wait()).await.unwrap_err();
    assert_timed_out(&error);
    assert_timed_out(&within(io.wait()).await.unwrap_err());
}

#[tokio::test]
async fn lines_end_with_the_error() {
    for both in [false, true] {
        let mut io = ProcessIo::builder(sh("echo so far; printf half; sleep 60; true"))
            .timeout(SHORT)
            .spawn()
            .unwrap();
        let lines = if both { io.lines() } else { io.stdout_lines() };
        let items: Vec<_> = within(lines.collect()).await;
        assert_eq!(items.len(), 3);
        assert_timed_out(items[2].as_ref().unwrap_err());
    }
}

#[tokio::test]
async fn silence() {
    let mut io = ProcessIo::builder(child(&["pulse", "out", "5", "100"]))
        .inactivity_timeout(SHORT)
        .spawn()
        .unwrap();
    let output = within(io.output()).await;
    eprintln!("{output:?}");
    let mut io = ProcessIo::builder(child(&["deaf"]))
        .inactivity_timeout(SHORT)
        .spawn()
        .unwrap();
    let error = within(io.send(vec![0; 1_000_000])).await.unwrap_err();
    eprintln!("{error:?}");
    assert_timed_out(&error);
}

#[tokio::test]
async fn cancel() {
    let token = CancellationToken::new();
    let mut io = ProcessIo::builder(sh("trap '' TERM; echo ready; sleep 60; true"))
        .cancel_on(token.clone())
        .ladder(Ladder::default())
        .spawn()
        .unwrap();
    io.recv_line(Source::Stdout).await.unwrap();
    token.cancel();
    let error = within(io.wait()).await.unwrap_err();
    assert!(error.is_cancelled());
    eprintln!("{error:?}");
}

#[tokio::test]
async fn shutdown() {
    let mut io = ProcessIo::builder(sh("trap '' TERM; echo ready; while true; do sleep 1; done"))
        .spawn()
        .unwrap();
    io.recv_line(Source::Stdout).await.unwrap();
    let report = within(
        io.shutdown(
            Ladder::kill()
                .close_stdin(SHORT)
                .signal(process_io::Signal::TERM, SHORT),
        ),
    )
    .await
    .unwrap();
    eprintln!("{report} {report:?}");
    let mut io = ProcessIo::builder(sh("echo x; exit 3")).spawn().unwrap();
    within(io.control().wait()).await.unwrap();
    let report = within(io.shutdown(Ladder::default())).await.unwrap();
    eprintln!("{report} {report:?}");
    assert_eq!(report.ended_by(), None);
    assert_eq!(io.output().await.unwrap().stdout, "x\n");
}

#[tokio::test]
async fn die() {
    let io = ProcessIo::builder(sh("sleep 1; exit 4"))
        .die_with_parent(true)
        .spawn()
        .unwrap();
    let output = within(io).await.unwrap();
    eprintln!("{output:?}");
}
