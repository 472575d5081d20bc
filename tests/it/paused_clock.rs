//! With the runtime's clock paused a real child still gets the real time that it needs to end.
#![cfg(unix)] // The steps are signals.

use std::{os::unix::process::ExitStatusExt, time::Duration};

use process_io::{Builder, Ladder, ProcessIo, Signal, Source, Step};

use crate::support::{child, sh};

const HOUR: Duration = Duration::from_secs(3600);

// No `within` here: its time would be up at once. A test that fails so is one that hangs.

#[tokio::test(start_paused = true)]
async fn a_shutdown_of_a_child_that_listens() {
    for _ in 0..10 {
        let mut io = ProcessIo::spawn(child(&["cat"])).unwrap();
        let report = io.shutdown(Ladder::default()).await.unwrap();
        // The time of a step is the runtime's, and so may be up before the child sees the step.
        assert!(report.status.success() || report.status.signal().is_some());
        assert!(!report.survivors);
        assert_eq!(report.steps[0].step, Step::CloseStdin);
        assert_eq!(io.wait().await.unwrap(), report.status);
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_of_a_child_that_does_not() {
    for _ in 0..5 {
        let mut io = ProcessIo::spawn(child(&["trap-term"])).unwrap();
        assert_eq!(
            io.recv(Source::Stdout).await.unwrap().data().unwrap(),
            "ready\n"
        );
        let report = io.shutdown(Ladder::default()).await.unwrap();
        assert_eq!(report.ended_by(), Some(Step::Signal(Signal::KILL)));
        assert_eq!(report.status.signal(), Some(9));
        assert!(!report.survivors);
    }
}

#[tokio::test(start_paused = true)]
async fn a_kill() {
    for script in [
        "sleep 300",
        "sleep 300; true",
        "sleep 300 & sleep 300; true",
    ] {
        for option in [
            (|run| run) as fn(Builder) -> Builder,
            |run| run.die_with_parent(true),
            |run| run.process_group(false),
        ] {
            let mut io = option(ProcessIo::builder(sh(script))).spawn().unwrap();
            let report = io.shutdown(Ladder::kill()).await.unwrap();
            assert_eq!(report.status.signal(), Some(9), "{script}");
            assert!(!report.survivors, "{script}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_kill_of_a_pipeline() {
    let run = ProcessIo::builder(child(&["flood"])).pipe(sh("sleep 300; true"));
    let mut io = run.pipe(child(&["cat"])).spawn().unwrap();
    let report = io.shutdown(Ladder::kill()).await.unwrap();
    assert_eq!(report.status.signal(), Some(9));
    assert!(!report.survivors);
}

#[tokio::test(start_paused = true)]
async fn a_time_out() {
    for ladder in [Ladder::kill(), Ladder::default()] {
        let run = ProcessIo::builder(child(&["trap-term"])).timeout(HOUR);
        let error = run.ladder(ladder).await.unwrap_err();
        assert!(error.is_timeout() && !error.has_survivors(), "{error}");
        assert!(error.status().unwrap().signal().is_some(), "{error}");
    }
}

/// The steps of a shutdown are in the runtime's time: an hour's grace is over at once.
#[tokio::test(start_paused = true)]
async fn the_time_of_a_step_is_that_of_the_runtime() {
    let mut io = ProcessIo::spawn(child(&["trap-term"])).unwrap();
    assert_eq!(
        io.recv(Source::Stdout).await.unwrap().data().unwrap(),
        "ready\n"
    );
    let ladder = Ladder::new().signal(Signal::TERM, HOUR);
    let report = io.shutdown(ladder).await.unwrap();
    assert!(report.steps[0].took >= HOUR, "{report:?}");
    assert_eq!(report.status.signal(), Some(9));
}
