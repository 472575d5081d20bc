//! Descendants that hold the pipes, and buffers that are full: neither is the child's fault, neither stalls us.

use std::time::Duration;

use futures::{FutureExt, StreamExt};
use process_io::{
    DEFAULT_DRAIN_CAP, Drain, Event, Limits, Overflow, ProcessIOWrapper, ProcessIo, Recv, Source,
};
use tokio::{io::AsyncReadExt, time::Instant};

use super::{Cause, SHORT};
use crate::support::{GENEROUS, Way, assert_bytes, child, eventually, pattern, within};

const LINGER_FOR_EVER: Drain = Drain::Linger {
    idle: Duration::MAX,
    cap: Duration::MAX,
};

/// A child that has exited, whose grandchild holds the pipes for ten minutes.
async fn holding(mode: &str, drain: Drain) -> ProcessIo {
    // A flood soon reaches the default limit, which is another promise.
    let limits = Limits::default().stdout(1 << 20, Overflow::KeepHead);
    let run = ProcessIo::builder(child(&["hold", "600000", mode]))
        .drain(drain)
        .limits(limits);
    let io = run.spawn().unwrap();
    within(io.control().wait()).await.unwrap();
    io
}

/// The child's own line, which is all that is certain.
#[track_caller]
fn assert_line(stdout: &[u8], context: &str) {
    let line = stdout.split(|&byte| byte == b'\n').next().unwrap();
    let line = std::str::from_utf8(line).unwrap();
    let words: Vec<_> = line.split(' ').collect();
    assert!(
        matches!(words[..], ["parent", _, "grandchild", _]),
        "{context}: {line}"
    );
}

async fn a_slow_drain_is_cut_short(mode: &str) {
    for cause in Cause::ALL {
        for (drain, way) in [Drain::UntilEof, LINGER_FOR_EVER]
            .into_iter()
            .cycle()
            .zip(Way::ALL)
        {
            if cause == Cause::Silence && mode != "quiet" {
                continue;
            }
            let context = format!("{cause:?} {way:?} {mode}");
            let mut io = holding(mode, drain).await;
            let start = Instant::now();
            cause.set(&mut io);
            let (left, mut io) = way.read(io).await;
            assert!(start.elapsed() >= SHORT, "{context}");
            assert_eq!(left.status.code(), Some(7), "{context}");
            assert_line(&left.stdout, &context);
            assert!(io.pipes_held(), "{context}");
            // It stays a good end.
            let output = within(io.output()).await.unwrap();
            assert!(output.pipes_held && !output.timed_out, "{context}");
        }
    }
}

#[tokio::test]
async fn a_slow_drain_of_a_quiet_descendant_is_no_time_out_of_the_child() {
    a_slow_drain_is_cut_short("quiet").await;
}

#[tokio::test]
async fn a_slow_drain_of_a_chatty_descendant_is_no_time_out_of_the_child() {
    a_slow_drain_is_cut_short("chatty").await;
}

#[tokio::test]
async fn a_slow_drain_of_a_flooding_descendant_is_no_time_out_of_the_child() {
    a_slow_drain_is_cut_short("flood").await;
}

#[tokio::test]
async fn a_slow_drain_of_lines_is_no_time_out_of_the_child() {
    for mode in ["quiet", "chatty"] {
        let mut io = holding(mode, Drain::UntilEof).await;
        Cause::Deadline.set(&mut io);
        let lines: Vec<_> = within(io.lines().collect()).await;
        let texts: Vec<_> = lines
            .into_iter()
            .map(|line| line.unwrap().to_string())
            .collect();
        assert_line(texts[0].as_bytes(), mode);
        assert!(texts[1..].iter().all(|text| text == "tick"), "{mode}");
        assert_eq!(within(io.wait()).await.unwrap().code(), Some(7));
        assert!(io.pipes_held());
    }
}

#[tokio::test]
async fn all_that_the_child_wrote_is_complete_when_a_slow_drain_is_cut_short() {
    // As much as a pipe holds, so that the child can exit before anybody reads.
    let n = 60_000;
    for cause in Cause::ALL {
        let run = ProcessIo::builder(child(&["hold-write", "600000", &n.to_string()]));
        let mut io = run.drain(Drain::UntilEof).spawn().unwrap();
        within(io.control().wait()).await.unwrap();
        // There is no time left to read any of it.
        match cause {
            Cause::Deadline => io.set_deadline(Instant::now()),
            Cause::Silence => io.set_inactivity_timeout(Duration::ZERO),
            Cause::Cancel => {
                let token = process_io::CancellationToken::new();
                token.cancel();
                io.set_cancel_on(token);
            }
        }
        let output = within(io.output()).await.unwrap();
        assert_bytes(&output.stdout, pattern(n));
        assert_bytes(&output.stderr, pattern(n));
        assert!(output.pipes_held && output.success(), "{cause:?}");
    }
}

/// One byte more than the limit tells that there is more.
const FULL: usize = 100_001;

/// A child that is held back because nobody takes what it writes to stdout, and soon is stopped.
async fn held_back(cause: Cause) -> ProcessIo {
    let limits = Limits::default().stdout(FULL - 1, Overflow::Block);
    let run = ProcessIo::builder(child(&["flood"])).limits(limits);
    let mut io = run.spawn().unwrap();
    eventually("the buffer is full", || {
        let _ = io.wait().now_or_never();
        io.pending(Source::Stdout).len() == FULL
    })
    .await;
    cause.set(&mut io);
    io
}

#[tokio::test]
async fn output_that_is_held_back_is_stopped_in_time() {
    for cause in Cause::ALL {
        let mut io = held_back(cause).await;
        let error = within(io.output()).await.unwrap_err();
        cause.assert_is(&error);
        assert_bytes(&error.output().unwrap().stdout, pattern(FULL));
    }
}

#[tokio::test]
async fn a_wait_that_is_held_back_is_stopped_in_time() {
    for cause in Cause::ALL {
        let mut io = held_back(cause).await;
        assert!(io.send(vec![0; 10 << 20]).now_or_never().is_none());
        let error = within(io.wait()).await.unwrap_err();
        cause.assert_is(&error);
        assert_eq!(io.queued(), 0, "nobody will ever take it");
        // It can all be had, with what was in the pipe, and then the error once.
        let mut got = Vec::new();
        let error = loop {
            match within(io.recv(Source::Stdout)).await {
                Ok(piece) => got.extend_from_slice(&piece.data().expect("an error")),
                Err(error) => break error,
            }
        };
        cause.assert_is(&error);
        assert!(got.len() > FULL);
        assert_bytes(&got, pattern(got.len()));
        assert_eq!(within(io.recv(Source::Stdout)).await.unwrap(), Recv::Eof);
    }
}

#[tokio::test]
async fn a_full_buffer_of_the_other_stream_keeps_nobody() {
    for cause in Cause::ALL {
        let mut io = held_back(cause).await;
        cause.assert_is(&within(io.recv(Source::Stderr)).await.unwrap_err());
        assert_eq!(within(io.recv(Source::Stderr)).await.unwrap(), Recv::Eof);
    }
}

/// The error tells how a run ended that was cut short, so it is not told while something is still being stopped.
#[cfg(target_os = "linux")] // Whether the grandchild lives is told by /proc.
#[tokio::test]
async fn a_full_buffer_hides_nobody_who_is_still_being_stopped() {
    use process_io::{Ladder, Signal};

    // Only the grandchild ignores the first signal.
    let script = "(trap '' TERM; exec sleep 1000 >&- 2>&-) & echo $! >&2; exec yes";
    for output in [false, true] {
        let limits = Limits::default().stdout(FULL - 1, Overflow::Block);
        let run = ProcessIo::builder(crate::support::sh(script)).limits(limits);
        let mut io = run.spawn().unwrap();
        let said = within(io.recv(Source::Stderr))
            .await
            .unwrap()
            .data()
            .unwrap();
        let grandchild = std::str::from_utf8(&said).unwrap().trim().parse().unwrap();
        eventually("the buffer is full", || {
            let _ = io.wait().now_or_never();
            io.pending(Source::Stdout).len() == FULL
        })
        .await;
        io.set_ladder(Ladder::new().signal(Signal::TERM, 3 * SHORT));
        io.set_deadline(Instant::now());
        let error = match output {
            true => within(io.output()).await.unwrap_err(),
            false => within(io.wait()).await.unwrap_err(),
        };
        assert!(error.is_timeout(), "{error}");
        assert!(!crate::support::is_alive(grandchild), "{error}");
        assert!(!error.has_survivors(), "{error}");
    }
}

/// A child that lives on, and whose grandchild holds the pipes and is out of reach of a signal to the child's group.
#[cfg(target_os = "linux")] // Whether the grandchild lives is told by /proc.
mod out_of_reach {
    use rustix::process::{Pid, Signal, kill_process};

    use super::*;
    use crate::support::is_alive;

    /// Kills the grandchild, which the run must not have reached.
    struct Outsider(u32);

    impl Outsider {
        fn new(line: &[u8]) -> Self {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let pid = std::str::from_utf8(line).unwrap().split(' ').next_back();
            Self(pid.unwrap().parse().unwrap())
        }
    }

    impl Drop for Outsider {
        fn drop(&mut self) {
            let pid = Pid::from_raw(self.0 as i32).unwrap();
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    /// The line is taken, the child lives, and soon is stopped.
    async fn start(mode: &str, drain: Drain, cause: Cause) -> (ProcessIo, Outsider) {
        let limits = Limits::default().stdout(1 << 20, Overflow::KeepHead);
        let run = ProcessIo::builder(child(&["hold-apart", "600000", mode]))
            .drain(drain)
            .limits(limits);
        let mut io = run.spawn().unwrap();
        let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
        let outsider = Outsider::new(line.as_bytes());
        assert!(is_alive(outsider.0));
        cause.set(&mut io);
        (io, outsider)
    }

    const BRIEF: Drain = Drain::Linger {
        idle: Duration::from_millis(200),
        cap: Duration::from_millis(400),
    };

    /// The clock cannot represent when that ends.
    const ENDLESS: Drain = Drain::Linger {
        idle: Duration::MAX,
        cap: Duration::MAX,
    };

    #[tokio::test]
    async fn collecting_ends_all_the_same() {
        for cause in Cause::ALL {
            for (mode, drain) in [
                ("quiet", Drain::UntilEof),
                ("quiet", ENDLESS),
                ("quiet", Drain::Immediate),
                ("chatty", BRIEF),
                ("flood", BRIEF),
            ] {
                let (mut io, outsider) = start(mode, drain, cause).await;
                let error = within(io.output()).await.unwrap_err();
                cause.assert_is(&error);
                let output = error.output().unwrap();
                assert!(output.pipes_held, "{cause:?} {mode}");
                if mode == "quiet" {
                    assert!(is_alive(outsider.0), "it was to be out of reach");
                }
                match mode {
                    "quiet" => assert_eq!(output.stdout, ""),
                    "chatty" => assert!(output.stdout.chunks(5).all(|tick| tick == b"tick\n")),
                    _ => assert_bytes(&output.stdout, pattern(output.stdout.len())),
                }
            }
        }
    }

    #[tokio::test]
    async fn every_other_way_ends_all_the_same() {
        let cause = Cause::Deadline;
        for (mode, drain) in [
            ("quiet", Drain::UntilEof),
            ("chatty", BRIEF),
            ("flood", BRIEF),
        ] {
            let (mut io, _outsider) = start(mode, drain, cause).await;
            cause.assert_is(&within(io.wait()).await.unwrap_err());
            assert!(io.pipes_held(), "{mode}");

            let (mut io, _outsider) = start(mode, drain, cause).await;
            let items: Vec<_> = within(io.by_ref().collect()).await;
            let [.., Err(error), Ok(Event::Exit(_))] = &items[..] else {
                panic!("{mode}: {:?}", items.last());
            };
            cause.assert_is(error);
            assert!(items[..items.len() - 2].iter().all(|item| item.is_ok()));

            let (mut io, _outsider) = start(mode, drain, cause).await;
            let error = within(async {
                loop {
                    match io.recv(Source::Stdout).await {
                        Ok(piece) => assert!(piece.data().is_some(), "the end before the error"),
                        Err(error) => break error,
                    }
                }
            });
            cause.assert_is(&error.await);

            let (mut io, _outsider) = start(mode, drain, cause).await;
            let mut lines: Vec<_> = within(io.lines().collect()).await;
            cause.assert_is(&lines.pop().unwrap().unwrap_err());
            assert!(lines.iter().all(|line| line.is_ok()));

            let (io, _outsider) = start(mode, drain, cause).await;
            let mut file = ProcessIOWrapper::from(io);
            let mut got = Vec::new();
            let error = within(file.read_to_end(&mut got)).await.unwrap_err();
            cause.assert_is(&error.into());

            let (mut io, _outsider) = start(mode, drain, cause).await;
            let error = within(io.send(vec![0; 10 << 20])).await.unwrap_err();
            cause.assert_is(&error);
        }
    }

    /// Only what the child itself has written is read when its time is up, however long the drain is.
    #[tokio::test]
    async fn a_drain_adds_nothing_to_the_time() {
        for drain in [Drain::UntilEof, ENDLESS, Drain::default()] {
            for cause in [Cause::Deadline, Cause::Cancel] {
                let (mut io, _outsider) = start("chatty", drain, cause).await;
                let error = within(io.output()).await.unwrap_err();
                cause.assert_is(&error);
                let output = error.output().unwrap();
                assert!(output.pipes_held);
                assert!(output.elapsed < DEFAULT_DRAIN_CAP, "{:?}", output.elapsed);
            }
        }
    }

    #[tokio::test]
    async fn a_window_closes_all_the_same() {
        let (mut io, _outsider) = start("quiet", Drain::UntilEof, Cause::Deadline).await;
        let received = within(io.recv_for(Source::Stdout, GENEROUS * 2)).await;
        Cause::Deadline.assert_is(&received.unwrap_err());
        let end = within(io.recv_for(Source::Stdout, GENEROUS * 2)).await;
        assert_eq!(end.unwrap(), Recv::Eof);
    }
}
