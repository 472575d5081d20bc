//! Pipelines: stages connected by kernel pipes, as one `ProcessIo`.

use std::time::Duration;

use futures::TryStreamExt;
use process_io::{Command, Event, Ladder, ProcessIo, Stage};

use crate::support::{assert_bytes, child, pattern, sh, within};

#[tokio::test]
async fn data_goes_through_all_stages() {
    let data = pattern(3_000_000);
    let run = ProcessIo::builder(child(&["cat"]))
        .input(data.clone())
        .pipe(child(&["cat"]))
        .pipe(child(&["cat"]));
    let output = within(run).await.unwrap().check().unwrap();
    assert_bytes(&output.stdout, &data);
    assert_eq!(output.stages.len(), 3);
    assert!(
        output
            .stages
            .iter()
            .all(|stage| stage.status.unwrap().success())
    );
    assert_eq!(output.stdin_written, 3_000_000);
    eprintln!("{:?}", output.usage);
}

#[tokio::test]
async fn the_first_failure_counts_and_is_named() {
    let run = ProcessIo::builder(sh("echo a"))
        .pipe(sh("cat >/dev/null; echo why >&2; exit 3"))
        .pipe(sh("echo last >&2; exit 4"));
    let error = within(run).await.unwrap().check().unwrap_err();
    eprintln!("{error}");
    assert_eq!(error.status().unwrap().code(), Some(3));
    assert_eq!(error.stderr_tail(), b"why\n");
}

#[tokio::test]
async fn a_stage_whose_reader_is_done_did_not_fail() {
    let run = ProcessIo::builder(Command::new("yes")).pipe(sh("head -1"));
    let output = within(run).await.unwrap().check().unwrap();
    assert_eq!(output.stdout, "y\n");
    eprintln!("{:?}", output.stages);
}

#[tokio::test]
async fn events_tell_their_stage() {
    let mut io = ProcessIo::builder(sh("echo zero >&2; echo x"))
        .pipe(sh("cat; echo one >&2; exit 1"))
        .pipe(sh("cat; echo two >&2"))
        .spawn()
        .unwrap();
    let all: Vec<_> = within(io.stage_events().try_collect::<Vec<_>>())
        .await
        .unwrap();
    eprintln!("{all:?}");
    assert!(all.contains(&(0, Event::Stderr("zero\n".into()))));
    assert!(all.contains(&(1, Event::Stderr("one\n".into()))));
    assert!(all.contains(&(2, Event::Stderr("two\n".into()))));
    assert!(all.contains(&(2, Event::Stdout("x\n".into()))));
}

#[tokio::test]
async fn a_stage_that_cannot_start_takes_the_others_with_it() {
    let run = ProcessIo::builder(sh("sleep 60; true"))
        .pipe(Command::new("/no/such"))
        .pipe(sh("cat"));
    let error = within(run).await.unwrap_err();
    eprintln!("{error}");
    assert!(error.is_not_found());
}

#[tokio::test]
async fn time_out() {
    let run = ProcessIo::builder(sh("sleep 60; true"))
        .timeout(Duration::from_millis(200))
        .pipe(sh("sleep 60; true"));
    let error = within(run).await.unwrap_err();
    eprintln!("{error}");
    let mut io = ProcessIo::builder(Command::new("cat"))
        .pipe(Stage::new(Command::new("cat")))
        .spawn()
        .unwrap();
    let report = within(io.shutdown(Ladder::default())).await.unwrap();
    eprintln!("{report}");
}
