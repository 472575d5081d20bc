//! How a run was stopped is told by its error and its output.

use std::time::Duration;

use process_io::{CancellationToken, Error, ErrorKind, Ladder, ProcessIo, Signal, Source, Step};

use crate::support::{child, within};

const KILL: Step = Step::Signal(Signal::KILL);
const SHORT: Duration = Duration::from_millis(50);
const NEVER: Duration = Duration::from_secs(3600);

#[track_caller]
fn assert_stopped_by(error: &Error, steps: &[Step]) {
    let report = error.report().expect("a report");
    let taken: Vec<_> = report.steps.iter().map(|taken| taken.step).collect();
    assert_eq!(taken, steps);
    assert_eq!(Some(report.status), error.status());
    assert_eq!(error.output().unwrap().report.as_ref(), Some(report));
}

#[tokio::test]
async fn after_a_time_out() {
    let run = || ProcessIo::builder(child(&["deaf"])).timeout(SHORT);
    assert_stopped_by(&within(run()).await.unwrap_err(), &[KILL]);
    let mut io = run().spawn().unwrap();
    assert_stopped_by(&within(io.wait()).await.unwrap_err(), &[KILL]);
    let mut io = run().spawn().unwrap();
    let error = loop {
        match within(io.recv(Source::Stdout)).await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_stopped_by(&error, &[KILL]);
}

/// It does not end by itself before that.
#[tokio::test]
async fn after_a_cancellation_with_a_ladder() {
    let token = CancellationToken::new();
    let mut io = ProcessIo::builder(child(&["sink"]))
        .cancel_on(token.clone())
        .ladder(Ladder::new().close_stdin(NEVER))
        .spawn()
        .unwrap();
    token.cancel();
    let error = within(io.wait()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_stopped_by(&error, &[Step::CloseStdin]);
    assert!(error.report().unwrap().status.success());
}

#[tokio::test]
async fn after_a_shutdown() {
    let mut io = ProcessIo::spawn(child(&["sink"])).unwrap();
    let ladder = Ladder::new().close_stdin(NEVER);
    let report = within(io.shutdown(ladder)).await.unwrap();
    let output = within(io.output()).await.unwrap();
    assert_eq!(output.report, Some(report));
}

#[tokio::test]
async fn not_of_a_run_that_was_not_stopped() {
    let output = within(ProcessIo::builder(child(&["exit", "3"])))
        .await
        .unwrap();
    assert_eq!(output.report, None);
    assert!(output.check().unwrap_err().report().is_none());
    let run = ProcessIo::builder(child(&["exit", "3"])).timeout(Duration::ZERO);
    let error = within(run).await.unwrap_err();
    assert!(error.is_timeout() && error.report().is_none());
}

/// What comes too late is of no message.
#[tokio::test]
async fn a_message_to_what_was_stopped_was_not_written() {
    let run = ProcessIo::builder(child(&["deaf"])).timeout(SHORT);
    let mut io = run.spawn().unwrap();
    within(io.wait()).await.unwrap_err();
    let error = within(io.send("too late")).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(error.written(), Some(0));
}
