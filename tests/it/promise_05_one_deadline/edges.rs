//! No time, too much time, and too late.

use std::{thread, time::Duration};

use futures::{FutureExt, StreamExt};
use process_io::{CancellationToken, ErrorKind, Event, ProcessIOWrapper, ProcessIo, Recv, Source};
use tokio::{
    io::AsyncReadExt,
    time::{Instant, sleep, sleep_until},
};

use super::{Cause, SHORT, said};
use crate::support::{GENEROUS, Way, assert_bytes, child, next_but_ends, pattern, within};

#[tokio::test]
async fn no_time_at_all() {
    let set: [fn(&mut ProcessIo); 3] = [
        |io| io.set_timeout(Duration::ZERO),
        |io| io.set_deadline(Instant::now()),
        |io| io.set_inactivity_timeout(Duration::ZERO),
    ];
    for set in set {
        let mut io = ProcessIo::spawn(child(&["deaf"])).unwrap();
        set(&mut io);
        let error = within(io.output()).await.unwrap_err();
        assert!(error.is_timeout());
        assert!(error.output().unwrap().timed_out);
        assert!(!error.status().unwrap().success());
    }
}

#[tokio::test]
async fn a_deadline_that_has_passed_ends_it_at_once() {
    let mut io = ProcessIo::spawn(child(&["say", "out", "so far"])).unwrap();
    said(&mut io, b"so far", b"").await;
    io.set_deadline(Instant::now() - Duration::from_millis(1));
    let error = within(io.output()).await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(error.output().unwrap().stdout, "so far");
}

/// How the clock of a run can be set to what never comes.
fn never() -> Vec<process_io::Builder> {
    let run = || ProcessIo::builder(child(&["echo"])).input("ping");
    // tokio's timers know some two years.
    let century = Duration::from_secs(100 * 365 * 24 * 3600);
    vec![
        run().timeout(Duration::MAX),
        run().timeout(century),
        run().deadline(Instant::now() + century),
        run().inactivity_timeout(Duration::MAX),
        run().inactivity_timeout(century),
        run().cancel_on(CancellationToken::new()),
        run()
            .timeout(Duration::MAX)
            .inactivity_timeout(Duration::MAX)
            .deadline(Instant::now() + century),
    ]
}

#[cfg(unix)] // The shell closes its streams.
#[tokio::test]
async fn a_prompt_that_can_never_come_is_not_why_it_ended() {
    let script = "exec >&- 2>&-; exec sleep 60";
    let mut io = ProcessIo::spawn(crate::support::sh(script)).unwrap();
    for source in [Source::Stdout, Source::Stderr] {
        assert_eq!(within(io.recv(source)).await.unwrap(), Recv::Eof);
    }
    io.set_deadline(Instant::now());
    let error = within(io.expect("never")).await.unwrap_err();
    assert!(
        error.is_timeout() && error.kind() != ErrorKind::Eof,
        "{error}"
    );
}

#[tokio::test]
async fn all_the_time_there_is() {
    for run in never() {
        let output = within(run).await.unwrap();
        assert!(output.success() && !output.timed_out);
        assert_eq!(output.stdout, "ping");
    }
}

#[tokio::test]
async fn a_deadline_in_time_beats_one_that_never_comes() {
    for run in never() {
        let mut io = run.spawn().unwrap();
        io.set_deadline(Instant::now() + GENEROUS);
        assert!(within(io.output()).await.unwrap().success());
    }
    let run = ProcessIo::builder(child(&["deaf"]))
        .timeout(SHORT)
        .inactivity_timeout(Duration::MAX);
    assert!(within(run).await.unwrap_err().is_timeout());
    let run = ProcessIo::builder(child(&["deaf"]))
        .timeout(Duration::MAX)
        .inactivity_timeout(SHORT);
    assert!(within(run).await.unwrap_err().is_timeout());
}

/// A child that has ended by itself, unseen, before it was to be stopped.
async fn ended_in_time(cause: Cause, args: &[&str]) -> ProcessIo {
    let mut io = ProcessIo::spawn(child(args)).unwrap();
    let token = CancellationToken::new();
    let deadline = Instant::now() + SHORT;
    match cause {
        Cause::Deadline => io.set_deadline(deadline),
        Cause::Silence => io.set_inactivity_timeout(SHORT),
        Cause::Cancel => io.set_cancel_on(token.clone()),
    }
    // Moves no pipe and looks at no clock.
    within(io.control().wait()).await.unwrap();
    token.cancel();
    sleep_until(deadline + Duration::from_millis(1)).await;
    io
}

#[tokio::test]
async fn too_late_a_look_at_a_child_that_has_ended_is_no_time_out() {
    let n = 20_000;
    for cause in Cause::ALL {
        for way in Way::ALL {
            let io = ended_in_time(cause, &["both", &n.to_string()]).await;
            let (left, mut io) = way.read(io).await;
            assert!(left.status.success(), "{cause:?} {way:?}");
            assert_bytes(left.stdout, pattern(n));
            assert_bytes(left.stderr, pattern(n));
            let output = within(io.output()).await.unwrap();
            assert!(!output.timed_out && !output.pipes_held, "{cause:?} {way:?}");
        }
    }
}

#[tokio::test]
async fn too_late_a_look_by_a_thread_that_was_busy_is_no_time_out() {
    for cause in Cause::ALL {
        let mut io = ProcessIo::spawn(child(&["both", "20000"])).unwrap();
        // The reactor is told to watch, but while the thread is busy it cannot tell of anything.
        let _ = io.wait().now_or_never();
        cause.set(&mut io);
        let start = std::time::Instant::now();
        thread::sleep(SHORT * 2);
        while io.control().try_wait().unwrap().is_none() {
            thread::sleep(SHORT / 10);
            assert!(start.elapsed() < GENEROUS);
        }
        let output = within(io.output()).await.unwrap();
        assert!(output.success() && !output.timed_out, "{cause:?}");
        assert_bytes(output.stdout, pattern(20_000));
        assert_bytes(output.stderr, pattern(20_000));
    }
}

#[tokio::test]
async fn too_late_a_look_at_lines_is_no_time_out() {
    for cause in Cause::ALL {
        let io = ended_in_time(cause, &["lines", "3", "5"]).await;
        let lines: Vec<_> = within(io.into_lines().collect()).await;
        let texts: Vec<_> = lines
            .into_iter()
            .map(|line| line.unwrap().to_string())
            .collect();
        assert_eq!(texts, ["0 xxx", "1 xxx", "2 xxx"], "{cause:?}");
    }
}

#[tokio::test]
async fn too_late_a_message_finds_the_pipe_broken() {
    for cause in Cause::ALL {
        let mut io = ended_in_time(cause, &["write", "out", "10"]).await;
        let error = within(io.send("too late")).await.unwrap_err();
        assert!(error.is_broken_pipe(), "{cause:?}: {error}");
        let output = within(io.output()).await.unwrap();
        assert_bytes(output.stdout, pattern(10));
    }
}

#[tokio::test]
async fn nothing_comes_after_a_normal_end() {
    for cause in Cause::ALL {
        let mut io = ProcessIo::spawn(child(&["write", "out", "10"])).unwrap();
        within(io.wait()).await.unwrap();
        cause.set(&mut io);
        sleep(SHORT + Duration::from_millis(10)).await;
        assert!(within(io.wait()).await.unwrap().success(), "{cause:?}");
        assert!(matches!(io.recv_nowait(Source::Stdout), Ok(Recv::Data(_))));
        assert_eq!(io.recv_nowait(Source::Stdout).unwrap(), Recv::Eof);
        assert!(io.send_nowait("x").unwrap_err().is_broken_pipe());
        let event = next_but_ends(&mut io).await.unwrap().unwrap();
        assert!(matches!(event, Event::Exit(_)), "{event:?}");
        assert!(within(io.next()).await.is_none());
        let output = within(io.output()).await.unwrap();
        assert!(output.success() && !output.timed_out);
    }
}

#[tokio::test]
async fn a_file_that_has_ended_stays_so() {
    for cause in Cause::ALL {
        let mut io = ProcessIo::spawn(child(&["write", "out", "10"])).unwrap();
        cause.set(&mut io);
        let mut file = ProcessIOWrapper::from(io).check_exit(true);
        let mut got = Vec::new();
        within(file.read_to_end(&mut got)).await.unwrap();
        assert_bytes(got, pattern(10));
        sleep(SHORT + Duration::from_millis(10)).await;
        assert_eq!(within(file.read(&mut [0])).await.unwrap(), 0, "{cause:?}");
    }
}

#[tokio::test]
async fn a_time_out_can_be_taken_off_again() {
    let start = Instant::now();
    let run = ProcessIo::builder(child(&["after", "500", "done"]))
        .timeout(SHORT)
        .deadline(Instant::now() + SHORT)
        .inactivity_timeout(SHORT);
    let mut io = run.spawn().unwrap();
    io.set_timeout(None);
    io.set_deadline(None);
    io.set_inactivity_timeout(None);
    let output = within(io.output()).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(500));
    assert_eq!(output.stdout, "done\n");
}

#[tokio::test]
async fn a_time_out_can_be_put_off() {
    let run = ProcessIo::builder(child(&["after", "500", "done"])).timeout(SHORT);
    let mut io = run.spawn().unwrap();
    io.set_timeout(GENEROUS);
    assert_eq!(within(io.output()).await.unwrap().stdout, "done\n");
}

#[tokio::test]
async fn a_handle_that_nobody_polls_stops_nobody() {
    let run = ProcessIo::builder(child(&["echo"])).timeout(SHORT);
    let mut io = run.spawn().unwrap();
    sleep(SHORT * 2).await;
    assert_eq!(io.control().try_wait().unwrap(), None);
    let error = within(io.wait()).await.unwrap_err();
    Cause::Deadline.assert_is(&error);
    let elapsed = error.output().unwrap().elapsed;
    assert!(elapsed >= SHORT * 2, "{elapsed:?}");
}

#[tokio::test]
async fn a_call_that_is_dropped_takes_no_deadline_along() {
    let mut io = ProcessIo::spawn(child(&["deaf"])).unwrap();
    within(io.recv(Source::Stdout)).await.unwrap();
    io.set_deadline(Instant::now() + SHORT * 20);
    // Each is dropped long before the deadline.
    for _ in 0..5 {
        let dropped = tokio::time::timeout(Duration::from_millis(1), io.recv(Source::Stdout)).await;
        assert!(dropped.is_err());
    }
    Cause::Deadline.assert_is(&within(io.recv(Source::Stdout)).await.unwrap_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_goes_along_to_another_task() {
    for cause in Cause::ALL {
        let mut io = ProcessIo::spawn(child(&["deaf"])).unwrap();
        within(io.recv(Source::Stdout)).await.unwrap();
        cause.set(&mut io);
        // Its timer, and its place with the token, are now this task's.
        assert!(futures::poll!(std::pin::pin!(io.wait())).is_pending());
        let error = tokio::spawn(async move { within(io.wait()).await.unwrap_err() }).await;
        cause.assert_is(&error.unwrap());
    }
}
