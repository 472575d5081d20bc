//! Any number of stages, which of them may fail, and how each is while it runs.

use process_io::{ErrorKind, Pipeline, ProcessIo, Signal, Source, Stage};

use super::steps;
use crate::support::{child, within};

#[tokio::test]
async fn a_stage_that_may_fail_does_not_fail_the_pipeline() {
    let first = Stage::new(steps(&["exit", "3"])).may_fail();
    let run = Pipeline::from_stages([first, steps(&["copy", "out", "x", "exit", "0"]).into()]);
    let output = within(run.unwrap()).await.unwrap().check().unwrap();
    assert_eq!(output.stdout, "x");
    assert_eq!(output.stages[0].status.unwrap().code(), Some(3));

    let last = Stage::new(steps(&["copy", "exit", "4"])).may_fail();
    let run = ProcessIo::builder(steps(&["out", "x", "exit", "0"])).pipe(last);
    let mut io = run.spawn().unwrap();
    assert!(within(io.wait()).await.unwrap().success());
    let output = within(io.output()).await.unwrap().check().unwrap();
    assert_eq!(output.stages[1].status.unwrap().code(), Some(4));
}

#[tokio::test]
async fn one_that_may_not_is_named_although_another_ended_alike() {
    let first = Stage::new(steps(&["err", "excused", "exit", "3"])).may_fail();
    let second = Stage::new(steps(&["copy", "err", "guilty", "exit", "3"]));
    let run = Pipeline::from_stages([first, second]).unwrap();
    let error = within(run).await.unwrap().check().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed);
    assert!(error.stage().unwrap().contains("guilty"), "{error}");
    assert_eq!(error.stderr_tail(), b"guilty");
}

#[tokio::test]
async fn any_number_of_stages() {
    assert!(Pipeline::from_stages(Vec::<Stage>::new()).is_none());
    for n in [1, 2, 5] {
        let run = Pipeline::from_stages((0..n).map(|_| child(&["cat"])));
        let output = within(run.unwrap().input("through all")).await.unwrap();
        assert_eq!(output.stages.len(), n);
        assert_eq!(output.check().unwrap().stdout, "through all");
    }
}

#[tokio::test]
async fn one_stage_is_a_pipeline_too() {
    let run = Pipeline::from_stages([steps(&["out", "x", "err", "why", "exit", "3"])]);
    let output = within(run.unwrap()).await.unwrap();
    assert_eq!(
        (&output.stdout[..], &output.stderr[..]),
        (&b"x"[..], &b"why"[..])
    );
    assert_eq!(output.stages[0].stderr, "why");
    let error = output.check().unwrap_err();
    assert_eq!(error.stage(), error.command());
}

#[tokio::test]
async fn the_first_stage_has_nothing_to_copy() {
    let first = Stage::new(child(&["cat"])).tee(tokio::io::sink());
    let error = Pipeline::from_stages([first]).unwrap().spawn().unwrap_err();
    assert!(
        error.is_spawn() && error.to_string().contains("to copy from"),
        "{error}"
    );
}

#[tokio::test]
async fn each_stage_has_a_control_while_it_runs() {
    let mut io = ProcessIo::builder(steps(&["out", "x", "exit", "3"]))
        .pipe(child(&["cat"]))
        .pipe(steps(&["copy", "wait"]))
        .spawn()
        .unwrap();
    let stages = io.stage_controls();
    let [first, second, last] = &stages[..] else {
        panic!("{stages:?}")
    };
    assert_eq!(within(first.wait()).await.unwrap().code(), Some(3));
    assert_eq!(within(second.wait()).await.unwrap().code(), Some(0));
    assert_eq!(
        within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap(),
        "x"
    );
    assert!(last.try_wait().unwrap().is_none());
    assert!(io.try_wait().unwrap().is_none());
    assert_eq!(io.id(), first.id());
    assert_ne!(first.id(), last.id());
    last.signal(Signal::KILL).unwrap();
    assert!(!within(last.wait()).await.unwrap().success());
    assert_eq!(within(io.wait()).await.unwrap().code(), Some(3));
}

#[tokio::test]
async fn one_stage_is_ended_and_the_others_go_on() {
    let run = ProcessIo::builder(child(&["sleep"])).pipe(child(&["cat"]));
    let mut io = run.spawn().unwrap();
    let stages = io.stage_controls();
    stages[0].kill().unwrap();
    // It finds the end of its input.
    assert!(within(stages[1].wait()).await.unwrap().success());
    let error = within(io.output()).await.unwrap().check().unwrap_err();
    assert!(error.stage().unwrap().ends_with(" sleep"), "{error}");
}

#[tokio::test]
async fn a_single_child_is_its_only_stage() {
    let io = ProcessIo::spawn(child(&["sleep"])).unwrap();
    let stages = io.stage_controls();
    assert_eq!(stages.len(), 1);
    assert_eq!(stages[0].id(), io.id());
}

/// It is not the first that has the same status, which may have an excuse.
#[cfg(unix)]
#[tokio::test]
async fn who_failed_is_named() {
    let run = ProcessIo::command("yes").pipe(crate::support::sh("echo culprit >&2; kill -PIPE $$"));
    let error = within(run).await.unwrap().check().unwrap_err();
    assert!(error.stage().unwrap().contains("culprit"), "{error}");
    assert_eq!(error.stderr_tail(), b"culprit\n");
}

#[tokio::test]
async fn each_control_has_the_end_of_its_stderr() {
    let run = ProcessIo::builder(child(&["do", "err", "first", "out", "x"]))
        .pipe(child(&["do", "copy", "err", "last"]));
    let mut io = run.spawn().unwrap();
    let controls = io.stage_controls();
    within(io.wait()).await.unwrap();
    let tails: Vec<_> = controls
        .iter()
        .map(process_io::Control::stderr_tail)
        .collect();
    assert_eq!(tails, ["first", "last"]);
    assert_eq!(io.control().stderr_tail(), "last");
}
