//! stderr merged into stdout, or stdout into stderr: one pipe, so the order in which the child wrote is kept.

use std::{fs::File, io::Read, io::Seek};

use futures::TryStreamExt;
use process_io::{Event, ProcessIo, Recv, Redirect, Source, Stage};

use crate::support::{child, within};

const LINES: usize = 5000;

fn alternating() -> process_io::Command {
    child(&["alternate", &LINES.to_string()])
}

fn in_order() -> String {
    (0..LINES).map(|i| format!("out {i}\nerr {i}\n")).collect()
}

#[tokio::test]
async fn the_order_is_kept() {
    let run = ProcessIo::builder(alternating()).merge_stderr();
    let output = within(run).await.unwrap();
    assert!(output.stdout == in_order());
    assert!(output.stderr.is_empty());
}

#[tokio::test]
async fn events_come_in_order_and_from_stdout() {
    let io = ProcessIo::builder(alternating())
        .merge_stderr()
        .spawn()
        .unwrap();
    let events: Vec<_> = within(io.try_collect()).await.unwrap();
    let pieces = events.iter().map(|event| match event {
        Event::Stdout(bytes) => &bytes[..],
        Event::Stderr(bytes) => panic!("{bytes:?}"),
        _ => &[],
    });
    assert!(pieces.collect::<Vec<_>>().concat() == in_order().as_bytes());
}

#[tokio::test]
async fn stderr_is_no_stream_of_its_own() {
    let mut io = ProcessIo::builder(child(&["deaf"]))
        .merge_stderr()
        .spawn()
        .unwrap();
    let error = within(io.recv(Source::Stderr)).await.unwrap_err();
    assert!(
        error.to_string().contains("its stderr is not a pipe"),
        "{error}"
    );
    // That is said once.
    assert_eq!(within(io.recv(Source::Stderr)).await.unwrap(), Recv::Eof);
    assert_eq!(io.recv_nowait(Source::Stderr).unwrap(), Recv::Eof);
    assert_eq!(
        within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap(),
        "ready\n"
    );
}

#[tokio::test]
async fn into_a_file() {
    let mut file = tempfile::tempfile().unwrap();
    let copy: File = file.try_clone().unwrap();
    let run = ProcessIo::builder(alternating())
        .stdout(copy)
        .merge_stderr();
    let output = within(run).await.unwrap().check().unwrap();
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
    let mut written = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut written).unwrap();
    assert!(written == in_order());
}

#[tokio::test]
async fn into_nothing() {
    let run = ProcessIo::builder(alternating())
        .merge_stderr()
        .stdout(Redirect::Null);
    let output = within(run).await.unwrap().check().unwrap();
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
}

#[tokio::test]
async fn the_last_word_on_stderr_counts() {
    let run = ProcessIo::builder(alternating())
        .merge_stderr()
        .stderr(Redirect::Pipe);
    let output = within(run).await.unwrap();
    assert_eq!(output.stdout.len(), output.stderr.len());
    let run = ProcessIo::builder(alternating())
        .stderr(Redirect::Null)
        .merge_stderr();
    let output = within(run).await.unwrap();
    assert!(output.stdout == in_order());
}

#[tokio::test]
async fn the_other_way_round() {
    let run = ProcessIo::builder(alternating()).merge_stdout();
    let output = within(run).await.unwrap();
    assert!(output.stderr == in_order());
    assert!(output.stdout.is_empty());

    let mut file = tempfile::tempfile().unwrap();
    let run = ProcessIo::builder(alternating())
        .merge_stdout()
        .stderr(file.try_clone().unwrap());
    let output = within(run).await.unwrap().check().unwrap();
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
    let mut written = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut written).unwrap();
    assert!(written == in_order());

    let run = ProcessIo::builder(alternating())
        .merge_stdout()
        .stdout(Redirect::Pipe);
    let output = within(run).await.unwrap();
    assert_eq!(output.stdout.len(), output.stderr.len());
}

#[tokio::test]
async fn of_the_last_stage() {
    let run = ProcessIo::builder(child(&["do", "out", "in", "err", "first"]))
        .merge_stdout()
        .pipe(child(&["echo"]));
    let output = within(run).await.unwrap().check().unwrap();
    assert_eq!(
        (&output.stdout[..], &output.stderr[..]),
        (&b""[..], &b"in"[..])
    );
    assert_eq!(output.stages[0].stderr, "first");
}

#[tokio::test]
async fn both_ways_is_an_error() {
    let run = || ProcessIo::builder(alternating()).merge_stdout();
    let error = run().merge_stderr().spawn().unwrap_err();
    assert!(error.to_string().contains("merged"), "{error}");
    let last = Stage::new(child(&["echo"])).merge_stderr();
    let error = run().pipe(last).spawn().unwrap_err();
    assert!(error.to_string().contains("merged"), "{error}");
    assert!(error.stage().is_some_and(|stage| stage.ends_with("echo")));
}
