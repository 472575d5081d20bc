//! `shutdown` of a child in memory, by a clock that stands still: when each step comes, and what is left of a descent that is
//! broken off.

use std::time::Duration;

use futures::{FutureExt, poll};
use process_io::{
    CancellationToken, Ladder, Limits, Overflow, ProcessIo, Report, Signal, Source, Step,
    transport::{
        exit_status,
        memory::{self, Child, PIPE_CAPACITY},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, advance, sleep},
};

use crate::support::{assert_bytes, pattern, within};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn start() -> (ProcessIo, Child) {
    let (parts, child) = memory::child();
    (ProcessIo::from_parts(parts), child)
}

/// Reads to end-of-file.
async fn hear(child: &mut Child) -> Vec<u8> {
    let mut heard = Vec::new();
    child.stdin.read_to_end(&mut heard).await.unwrap();
    heard
}

fn steps(report: &Report) -> Vec<Step> {
    report.steps.iter().map(|taken| taken.step).collect()
}

/// Not by the helper for real time: no wait of these is longer than an hour.
async fn stop(io: &mut ProcessIo, ladder: Ladder) -> process_io::Result<Report> {
    let shutdown = io.shutdown(ladder);
    tokio::time::timeout(2 * HOUR, shutdown)
        .await
        .expect("it hangs")
}

#[test]
fn the_default_is_to_close_stdin_then_sigterm_then_sigkill() {
    let spelled_out = Ladder::new()
        .close_stdin(SECOND)
        .signal(Signal::TERM, 5 * SECOND);
    assert_eq!(Ladder::default(), spelled_out);
    assert_ne!(Ladder::default(), Ladder::kill());
}

#[tokio::test(start_paused = true)]
async fn each_step_comes_in_its_time() {
    let (mut io, mut child) = start();
    let began = Instant::now();
    let (report, times) = tokio::join!(stop(&mut io, Ladder::default()), async move {
        hear(&mut child).await;
        let closed = began.elapsed();
        assert_eq!(child.signalled().await, Signal::TERM);
        let asked = began.elapsed();
        assert_eq!(child.signalled().await, Signal::KILL);
        let killed = began.elapsed();
        child.exit(9);
        [closed, asked, killed]
    });
    assert_eq!(times, [Duration::ZERO, SECOND, 6 * SECOND]);
    let report = report.unwrap();
    let took: Vec<_> = report.steps.iter().map(|taken| taken.took).collect();
    assert_eq!(took, [SECOND, 5 * SECOND, Duration::ZERO]);
    assert_eq!(report.elapsed, 6 * SECOND);
    assert_eq!(report.status, exit_status(9));
    assert_eq!(report.ended_by(), Some(Step::Signal(Signal::KILL)));
}

#[tokio::test(start_paused = true)]
async fn the_exit_ends_it_at_once_and_no_further_step_is_taken() {
    let (mut io, mut child) = start();
    let control = io.control();
    let (report, ()) = tokio::join!(stop(&mut io, Ladder::default()), async move {
        assert_eq!(child.signalled().await, Signal::TERM);
        sleep(SECOND / 2).await;
        child.exit(7);
    });
    let report = report.unwrap();
    assert_eq!(report.elapsed, SECOND + SECOND / 2);
    assert_eq!(report.steps[1].took, SECOND / 2);
    assert_eq!(steps(&report).len(), 2);
    #[cfg(unix)]
    assert_eq!(report.to_string(), "exit status: 7, 500.0ms after SIGTERM");
    assert_eq!(control.wait().await.unwrap(), report.status);
}

#[test]
fn steps_read_like_words() {
    let said = [
        Step::CloseStdin,
        Step::Signal(Signal::INT),
        Step::Signal(Signal::QUIT),
        Step::SignalChild(Signal::TERM),
        Step::Send,
        Step::Call,
    ]
    .map(|step| step.to_string());
    let words = [
        "closing stdin",
        "SIGINT",
        "SIGQUIT",
        "SIGTERM to the child alone",
        "sending to stdin",
        "calling a function",
    ];
    assert_eq!(said, words);
}

#[tokio::test(start_paused = true)]
async fn signals_arrive_in_the_order_of_the_ladder() {
    let (mut io, mut child) = start();
    let ladder = Ladder::new()
        .signal(Signal::INT, SECOND)
        .signal_child(Signal::HUP, SECOND)
        .signal(Signal::QUIT, Duration::ZERO)
        .signal(Signal::TERM, SECOND);
    let (report, signals) = tokio::join!(stop(&mut io, ladder), async move {
        let mut signals = Vec::new();
        while signals.last() != Some(&Signal::KILL) {
            signals.push(child.signalled().await);
        }
        child.exit(0);
        signals
    });
    use Signal as S;
    assert_eq!(signals, [S::INT, S::HUP, S::QUIT, S::TERM, S::KILL]);
    let report = report.unwrap();
    assert_eq!(steps(&report)[1], Step::SignalChild(Signal::HUP));
    assert_eq!(report.elapsed, 3 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_is_written_while_there_is_time() {
    let (mut io, mut child) = start();
    let data = pattern(3 * PIPE_CAPACITY);
    assert!(io.send(data.clone()).now_or_never().is_none());
    let ladder = Ladder::new().close_stdin(HOUR);
    let (report, heard) = tokio::join!(stop(&mut io, ladder), async move {
        sleep(HOUR / 2).await;
        let heard = hear(&mut child).await;
        child.exit(0);
        heard
    });
    assert_bytes(heard, data);
    let report = report.unwrap();
    assert_eq!(report.elapsed, HOUR / 2);
    assert_eq!(report.ended_by(), Some(Step::CloseStdin));
}

#[tokio::test(start_paused = true)]
async fn a_stdin_that_nobody_reads_does_not_hold_up_the_next_step() {
    let (mut io, mut child) = start();
    assert!(io.send(pattern(3 * PIPE_CAPACITY)).now_or_never().is_none());
    let (report, ()) = tokio::join!(stop(&mut io, Ladder::default()), async move {
        assert_eq!(child.signalled().await, Signal::TERM);
        child.exit(0);
    });
    let report = report.unwrap();
    assert_eq!(
        steps(&report),
        [Step::CloseStdin, Step::Signal(Signal::TERM)]
    );
    assert_eq!(report.steps[0].error, None);
}

#[tokio::test(start_paused = true)]
async fn what_it_writes_meanwhile_is_kept() {
    let (mut io, mut child) = start();
    let data = pattern(20 * PIPE_CAPACITY);
    let said = data.clone();
    let (report, ()) = tokio::join!(stop(&mut io, Ladder::default()), async move {
        assert_eq!(child.signalled().await, Signal::TERM);
        child.stdout.write_all(&said).await.unwrap();
        child.stderr.write_all(b"bye").await.unwrap();
        child.exit(0);
    });
    report.unwrap();
    let output = io.output().await.unwrap();
    assert_bytes(output.stdout, data);
    assert_eq!(output.stderr, "bye");
}

#[tokio::test(start_paused = true)]
async fn pipes_that_are_held_are_let_go_of() {
    let (mut io, child) = start();
    io.set_drain(process_io::Drain::UntilEof);
    let mut held = None;
    let began = Instant::now();
    let (report, ()) = tokio::join!(stop(&mut io, Ladder::default()), async {
        let mut child = child;
        hear(&mut child).await;
        child.stdout.write_all(b"last words").await.unwrap();
        held = Some(child.exit_holding(0));
    });
    assert_eq!(report.unwrap().elapsed, Duration::ZERO);
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
    assert!(io.pipes_held());
    let said = io.recv(Source::Stdout).await.unwrap().data().unwrap();
    assert_eq!(said, "last words");
    drop(held);
}

/// A limit is for who goes on with the run.
#[tokio::test(start_paused = true)]
async fn a_limit_is_no_error_of_a_shutdown() {
    let (mut io, mut child) = start();
    io.set_drain(process_io::Drain::UntilEof);
    child.stdout.write_all(&[0; 20]).await.unwrap();
    let [stdout, stderr] = child.exit_holding(3);
    drop(stdout);
    assert!(poll!(Box::pin(io.wait())).is_pending());
    io.set_limits(Limits::default().stdout(10, Overflow::Fail));
    let report = stop(&mut io, Ladder::kill()).await.unwrap();
    assert_eq!(report.status.code(), Some(3));
    drop(stderr);
}

/// Nothing helps against a process that the system itself holds.
#[tokio::test(start_paused = true)]
async fn a_child_that_outlives_sigkill_is_given_up() {
    let (mut io, mut child) = start();
    child.stdout.write_all(b"still here").await.unwrap();
    let began = Instant::now();
    let error = stop(&mut io, Ladder::default()).await.unwrap_err();
    let took = began.elapsed();
    assert!((11 * SECOND..HOUR).contains(&took), "{took:?}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("has not exited"), "{source}");
    assert!(io.wait().now_or_never().unwrap().is_err());
    let said = io.recv(Source::Stdout).await.unwrap().data().unwrap();
    assert_eq!(said, "still here");
    assert_eq!(child.signalled().await, Signal::TERM);
    assert_eq!(child.signalled().await, Signal::KILL);
    let control = io.control();
    child.exit(0);
    assert!(control.wait().await.unwrap().success());
}

// ---- Time-outs ----

#[tokio::test(start_paused = true)]
async fn time_outs_and_tokens_have_no_effect_any_more() {
    let token = CancellationToken::new();
    let arms: [&dyn Fn(&mut ProcessIo); 3] = [
        &|io| io.set_deadline(Instant::now() + SECOND),
        &|io| io.set_inactivity_timeout(SECOND),
        &|io| io.set_cancel_on(token.clone()),
    ];
    for arm in arms {
        let (mut io, mut child) = start();
        arm(&mut io);
        let began = Instant::now();
        let ladder = Ladder::new().close_stdin(HOUR);
        let (report, ()) = tokio::join!(stop(&mut io, ladder), async {
            hear(&mut child).await;
            sleep(2 * SECOND).await;
            token.cancel();
            sleep(2 * SECOND).await;
            child.exit(5);
        });
        assert_eq!(report.unwrap().ended_by(), Some(Step::CloseStdin));
        assert_eq!(began.elapsed(), 4 * SECOND);
        assert_eq!(io.wait().await.unwrap(), exit_status(5));
        assert!(!io.output().await.unwrap().timed_out);
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_unseen_does_not_forestall_it() {
    let (mut io, mut child) = start();
    io.set_deadline(Instant::now() + SECOND);
    advance(2 * SECOND).await;
    let (report, ()) = tokio::join!(stop(&mut io, Ladder::default()), async move {
        hear(&mut child).await;
        child.exit(5);
    });
    assert_eq!(steps(&report.unwrap()), [Step::CloseStdin]);
    assert_eq!(io.wait().await.unwrap(), exit_status(5));
}

/// Its own ladder does: somebody knows better now.
#[tokio::test(start_paused = true)]
async fn it_takes_over_from_a_time_out_that_is_on_its_way_down() {
    let (mut io, mut child) = start();
    io.set_deadline(Instant::now());
    io.set_ladder(Ladder::new().signal(Signal::INT, HOUR));
    assert!(poll!(Box::pin(io.wait())).is_pending());
    assert_eq!(within(child.signalled()).await, Signal::INT);
    let ladder = Ladder::new().signal(Signal::TERM, HOUR);
    let (report, ()) = tokio::join!(stop(&mut io, ladder), async move {
        assert_eq!(child.signalled().await, Signal::TERM);
        child.exit(5);
    });
    assert_eq!(steps(&report.unwrap()), [Step::Signal(Signal::TERM)]);
    assert!(io.wait().await.unwrap_err().is_timeout());
}

// ---- Dropped half-way ----

#[tokio::test(start_paused = true)]
async fn dropped_half_way_it_kills_at_once() {
    let ladder = Ladder::new()
        .close_stdin(SECOND)
        .signal(Signal::TERM, HOUR)
        .signal(Signal::INT, HOUR);
    // After the first step, after the second, after the third.
    for patience in [Duration::ZERO, 2 * SECOND, HOUR + 2 * SECOND] {
        let (mut io, mut child) = start();
        child.stdout.write_all(b"half").await.unwrap();
        let shutdown = tokio::time::timeout(patience, io.shutdown(ladder.clone()));
        assert!(shutdown.await.is_err());
        let mut last = Signal::HUP;
        while let Some(signal) = child.signalled().now_or_never() {
            last = signal;
        }
        assert_eq!(last, Signal::KILL, "after {patience:?}");
        // And the handle is as good as ever.
        child.stdout.write_all(b" and half").await.unwrap();
        child.exit(9);
        let output = io.output().await.unwrap();
        assert_eq!(output.stdout, "half and half");
        assert_eq!(output.status, Some(exit_status(9)));
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_before_it_was_polled_it_does_nothing() {
    let (mut io, mut child) = start();
    drop(io.shutdown(Ladder::kill()));
    assert!(child.signalled().now_or_never().is_none());
    io.send("as before").await.unwrap();
    let mut heard = [0; 9];
    child.stdin.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"as before");
}

#[tokio::test(start_paused = true)]
async fn dropped_half_way_it_can_be_called_again() {
    let (mut io, mut child) = start();
    assert!(poll!(Box::pin(io.shutdown(Ladder::default()))).is_pending());
    assert_eq!(within(child.signalled()).await, Signal::KILL);
    child.exit(9);
    let report = stop(&mut io, Ladder::default()).await.unwrap();
    assert_eq!(report.status, exit_status(9));
    assert_eq!(report.elapsed, Duration::ZERO);
}
