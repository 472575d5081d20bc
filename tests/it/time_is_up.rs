//! When the time of a run is up it is over: whoever holds the pipes and keeps talking adds nothing to it.
#![cfg(target_os = "linux")] // The tools, and `/proc`.

use std::time::Duration;

use futures::StreamExt;
use process_io::{
    CancellationToken, DEFAULT_DRAIN_CAP, Drain, Error, Ladder, ProcessIo, Signal, Source, Stage,
};
use tokio::{io::duplex, time::Instant};

use crate::support::{Mark, child, eventually, sh, within};

const TALKERS: [&str; 3] = [
    // In another session, and still a descendant.
    "setsid sh -c 'while :; do echo x; sleep 0.05; done' & wait",
    // Out of reach.
    "(setsid sh -c 'while :; do echo x; sleep 0.05; done' &); sleep 300; true",
    "(setsid yes &); sleep 300; true",
];

async fn assert_over(script: &str, cancelled: bool, drain: Drain, ladder: Ladder) {
    let context = format!("{script} {cancelled} {drain:?} {ladder:?}");
    let mark = Mark::new();
    let limits = process_io::Limits::default();
    let limits = limits.stdout(1 << 20, process_io::Overflow::KeepTail);
    let run = ProcessIo::builder(mark.on(sh(script)))
        .limits(limits)
        .drain(drain);
    let mut io = run.ladder(ladder).spawn().unwrap();
    let said = within(io.recv(Source::Stdout)).await.unwrap();
    assert!(said.data().is_some());
    let start = Instant::now();
    match cancelled {
        true => {
            let token = CancellationToken::new();
            token.cancel();
            io.set_cancel_on(token);
        }
        false => io.set_deadline(start),
    }
    let error: Error = within(io.output()).await.unwrap_err();
    assert_eq!(
        (error.is_cancelled(), error.is_timeout()),
        (cancelled, !cancelled)
    );
    let took = start.elapsed();
    // No tight bound: to drain would take longer.
    assert!(
        took < DEFAULT_DRAIN_CAP - Duration::from_millis(500),
        "{context}: {took:?}"
    );
}

#[tokio::test]
async fn a_talker_adds_nothing() {
    for script in TALKERS {
        for cancelled in [false, true] {
            for drain in [Drain::default(), Drain::UntilEof] {
                assert_over(script, cancelled, drain, Ladder::kill()).await;
            }
            let ladder = Ladder::new().signal(Signal::TERM, Duration::from_secs(60));
            assert_over(script, cancelled, Drain::default(), ladder).await;
        }
    }
}

/// As it is written most of the time.
#[tokio::test]
async fn a_time_out_of_an_awaited_run() {
    let mark = Mark::new();
    let start = Instant::now();
    let run = ProcessIo::builder(mark.on(sh(TALKERS[1])));
    let error = within(run.timeout(Duration::from_millis(300)))
        .await
        .unwrap_err();
    assert!(error.is_timeout());
    assert!(start.elapsed() < DEFAULT_DRAIN_CAP - Duration::from_millis(500));
    let output = error.into_output().unwrap();
    assert!(output.stdout.starts_with(b"x\n"));
    assert!(output.pipes_held);
}

/// What the child itself wrote is all there.
#[tokio::test]
async fn what_the_child_wrote_is_read_all_the_same() {
    let size = 60_000;
    for cancelled in [false, true] {
        let mark = Mark::new();
        let mut io = ProcessIo::spawn(mark.on(child(&["stay", "out", &size.to_string()]))).unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        eventually("it has written", || {
            let _ = futures::FutureExt::now_or_never(io.wait());
            io.pending(Source::Stdout).len() == size
        })
        .await;
        match cancelled {
            true => {
                let token = CancellationToken::new();
                token.cancel();
                io.set_cancel_on(token);
            }
            false => io.set_deadline(Instant::now()),
        }
        let output = within(io.output())
            .await
            .unwrap_err()
            .into_output()
            .unwrap();
        assert_eq!(output.stdout.len(), size);
    }
}

// ---- A tee whose writer takes nothing ----

fn stuck() -> (ProcessIo, tokio::io::DuplexStream) {
    let (writer, reader) = duplex(10);
    let cat = Stage::new(child(&["cat"])).tee(writer);
    let io = ProcessIo::builder(child(&["flood"]))
        .pipe(cat)
        .spawn()
        .unwrap();
    (io, reader)
}

#[tokio::test]
async fn a_tee_that_takes_nothing_does_not_hold_up_a_shutdown() {
    for ladder in [
        Ladder::kill(),
        Ladder::new().signal(Signal::TERM, Duration::from_secs(60)),
    ] {
        let (mut io, reader) = stuck();
        // It is full by then.
        let said = within(io.next()).await;
        assert!(said.is_some());
        let report = within(io.shutdown(ladder)).await.unwrap();
        assert!(report.steps.len() == 1 && !report.survivors, "{report}");
        drop(reader);
    }
}

#[tokio::test]
async fn a_tee_that_takes_nothing_does_not_hold_up_a_time_out() {
    let (mut io, reader) = stuck();
    assert!(within(io.next()).await.is_some());
    io.set_deadline(Instant::now());
    assert!(within(io.output()).await.unwrap_err().is_timeout());
    drop(reader);
}
