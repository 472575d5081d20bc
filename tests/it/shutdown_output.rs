//! What a child writes while it is being stopped is kept, and what was queued for it is written.
#![cfg(unix)] // The children listen to signals.

use std::{os::unix::process::ExitStatusExt, time::Duration};

use futures::{FutureExt, StreamExt, poll, stream};
use process_io::{
    Command, Drain, Input, Ladder, Limits, Overflow, ProcessIo, Recv, Report, Signal, Source, Step,
};
use tokio::task::yield_now;

use crate::support::{Way, assert_bytes, child, pattern, sh, within};

/// A wait that is to run out.
const SHORT: Duration = Duration::from_millis(300);
/// A wait that must not.
const NEVER: Duration = Duration::from_secs(3600);
/// More than any pipe holds.
const LARGE: usize = 3 << 20;
const LIMIT: usize = 1 << 20;

const TERM: Step = Step::Signal(Signal::TERM);

/// A shell with the helper child as `$0`.
fn sh_with_child(script: &str) -> Command {
    let mut command = sh(script);
    command.arg(env!("CARGO_BIN_EXE_child"));
    command
}

/// Writes `N` bytes to each stream when its input ends.
fn writes_at_the_end(n: usize) -> Command {
    sh_with_child(&format!("cat > /dev/null; exec \"$0\" both {n}"))
}

/// Writes `n` bytes to each stream at SIGTERM.
fn writes_at_sigterm(n: usize) -> Command {
    sh_with_child(&format!(
        "trap 'exec \"$0\" both {n}' TERM; echo ready; while :; do sleep 0.02; done"
    ))
}

fn gentle() -> Ladder {
    Ladder::new().close_stdin(NEVER).signal(Signal::TERM, NEVER)
}

async fn shutdown(io: &mut ProcessIo, ladder: Ladder) -> Report {
    within(io.shutdown(ladder)).await.unwrap()
}

async fn line(io: &mut ProcessIo) -> Option<String> {
    let line = within(io.recv_line(Source::Stdout)).await.unwrap();
    line.map(|line| line.to_string())
}

/// Takes all of a stream, to its end.
async fn rest(io: &mut ProcessIo, source: Source) -> Vec<u8> {
    let mut all = Vec::new();
    while let Recv::Data(piece) = within(io.recv(source)).await.unwrap() {
        all.extend_from_slice(&piece);
    }
    all
}

#[track_caller]
fn assert_begins(got: &[u8], at_least: usize) {
    assert!(got.len() >= at_least, "only {} bytes", got.len());
    assert_bytes(got, pattern(got.len()));
}

#[tokio::test]
async fn what_it_writes_at_the_end_of_its_input_is_there_whichever_way_it_is_read() {
    for way in Way::ALL {
        let mut io = ProcessIo::spawn(writes_at_the_end(LARGE)).unwrap();
        let report = shutdown(&mut io, gentle()).await;
        assert_eq!(report.ended_by(), Some(Step::CloseStdin), "{way:?}");
        let (left, _) = way.read(io).await;
        assert_eq!(left.status, report.status, "{way:?}");
        assert_eq!(left.status.code(), Some(0), "{way:?}");
        assert_bytes(left.stdout, pattern(LARGE));
        assert_bytes(left.stderr, pattern(LARGE));
    }
}

#[tokio::test]
async fn what_it_writes_at_a_signal_is_there() {
    let mut io = ProcessIo::spawn(writes_at_sigterm(LARGE)).unwrap();
    assert_eq!(line(&mut io).await.unwrap(), "ready");
    // To the shell alone, which would have its own word to say of a `sleep` that is terminated.
    let report = shutdown(&mut io, Ladder::new().signal_child(Signal::TERM, NEVER)).await;
    assert_eq!(report.status.code(), Some(0));
    assert_eq!(report.ended_by(), Some(Step::SignalChild(Signal::TERM)));
    let output = within(io.output()).await.unwrap();
    assert_bytes(output.stdout, pattern(LARGE));
    assert_bytes(output.stderr, pattern(LARGE));
    assert!(!output.timed_out && !output.pipes_held);
}

#[tokio::test]
async fn what_it_wrote_before_it_was_killed_is_there() {
    let n = 200_000;
    let script = format!("trap '' TERM; \"$0\" write out {n} err {n}; exec sleep 300");
    let mut io = ProcessIo::spawn(sh_with_child(&script)).unwrap();
    // The rest has to be read before it can come to its sleep.
    let first = within(io.recv(Source::Stderr))
        .await
        .unwrap()
        .data()
        .unwrap();
    let report = shutdown(&mut io, Ladder::new().signal(Signal::TERM, SHORT)).await;
    assert_eq!(report.status.signal(), Some(9));
    assert_bytes(rest(&mut io, Source::Stdout).await, pattern(n));
    let stderr = [first.to_vec(), rest(&mut io, Source::Stderr).await].concat();
    assert_begins(&stderr, first.len());
}

#[tokio::test]
async fn what_is_queued_is_written_before_stdin_is_closed() {
    let mut io = ProcessIo::spawn(child(&["cat"])).unwrap();
    assert!(poll!(Box::pin(io.send(pattern(LARGE)))).is_pending());
    assert!(io.queued() > 0);
    let report = shutdown(&mut io, gentle()).await;
    assert_eq!(report.ended_by(), Some(Step::CloseStdin));
    assert_eq!(report.status.code(), Some(0));
    assert_eq!((io.queued(), io.written()), (0, LARGE as u64));
    assert_bytes(rest(&mut io, Source::Stdout).await, pattern(LARGE));
}

/// A stdin that is to be closed, and has not been yet because the child is slow to read, is not "closed already".
#[tokio::test]
async fn a_stdin_that_is_still_being_written_is_waited_for() {
    let ways: [fn() -> ProcessIo; 2] = [
        || {
            let run = ProcessIo::builder(child(&["cat"]));
            run.input(pattern(LARGE)).spawn().unwrap()
        },
        || {
            let mut io = ProcessIo::spawn(child(&["cat"])).unwrap();
            assert!(io.send(pattern(LARGE)).now_or_never().is_none());
            io.close_stdin();
            io
        },
    ];
    for start in ways {
        let mut io = start();
        let report = shutdown(&mut io, gentle()).await;
        assert_eq!(report.ended_by(), Some(Step::CloseStdin), "{report}");
        assert_eq!(report.status.code(), Some(0));
        assert_bytes(rest(&mut io, Source::Stdout).await, pattern(LARGE));
    }
}

/// Whoever shuts down wants no more of a source that may never end.
#[tokio::test]
async fn an_input_without_end_is_cut_when_stdin_is_closed() {
    let input = Input::stream(stream::iter(["one chunk"]).chain(stream::pending()));
    let run = ProcessIo::builder(child(&["cat"])).input(input);
    let mut io = run.spawn().unwrap();
    let said = within(io.recv(Source::Stdout))
        .await
        .unwrap()
        .data()
        .unwrap();
    assert_eq!(said, "one chunk");
    let report = shutdown(&mut io, gentle()).await;
    assert_eq!(report.ended_by(), Some(Step::CloseStdin), "{report}");
    assert_eq!(report.status.code(), Some(0));
}

// ---- Limits ----

fn limited(command: Command, overflow: Overflow) -> ProcessIo {
    let limits = Limits::default().stdout(LIMIT, overflow);
    let run = ProcessIo::builder(command).limits(limits);
    run.spawn().unwrap()
}

/// A limit that makes the child wait is no reason to fail, nor to wait for ever.
#[tokio::test]
async fn a_child_that_writes_more_than_the_limit_gets_the_next_step() {
    for overflow in [Overflow::Fail, Overflow::Block] {
        let mut io = limited(writes_at_the_end(2 * LARGE), overflow);
        let ladder = Ladder::new().close_stdin(SHORT).signal(Signal::TERM, NEVER);
        let report = shutdown(&mut io, ladder).await;
        assert_eq!(report.ended_by(), Some(TERM), "{overflow:?}");
        assert_eq!(report.status.signal(), Some(15), "{overflow:?}");
        let stdout = rest(&mut io, Source::Stdout).await;
        // The limit, and what was in the pipe.
        assert_begins(&stdout, LIMIT + 1);
        assert!(stdout.len() < LARGE, "{} bytes", stdout.len());
        assert_eq!(within(io.wait()).await.unwrap(), report.status);
    }
}

/// What is over the limit is in the pipe when the child exits. It is there as soon as there is room.
#[tokio::test]
async fn a_child_that_ends_with_more_than_the_limit_leaves_all_of_it() {
    let n = LIMIT + 40_000;
    for overflow in [Overflow::Fail, Overflow::Block] {
        for n in [LIMIT - 1, LIMIT, LIMIT + 1, n] {
            let mut io = limited(writes_at_the_end(n), overflow);
            let report = shutdown(&mut io, gentle()).await;
            assert_eq!(report.ended_by(), Some(Step::CloseStdin), "{overflow:?}");
            assert_eq!(report.status.code(), Some(0), "{overflow:?}");
            assert_bytes(rest(&mut io, Source::Stdout).await, pattern(n));
            assert_bytes(rest(&mut io, Source::Stderr).await, pattern(n));
            assert_eq!(within(io.wait()).await.unwrap(), report.status);
        }
    }
}

/// Output that waits for room is no reason to leave a zombie.
#[tokio::test]
async fn a_child_that_has_reached_the_limit_is_reaped() {
    for overflow in [Overflow::Fail, Overflow::Block] {
        for n in [LIMIT, LIMIT + 40_000] {
            let mut io = limited(writes_at_the_end(n), overflow);
            shutdown(&mut io, gentle()).await;
            assert!(io.control().usage().is_some(), "{overflow:?}, {n} bytes");
        }
    }
}

#[tokio::test]
async fn a_limit_that_has_been_hit_before_changes_nothing() {
    let mut io = limited(child(&["write", "out", "9000000"]), Overflow::Fail);
    assert!(within(io.wait()).await.unwrap_err().is_limit());
    let ladder = Ladder::new().signal(Signal::TERM, NEVER);
    let report = shutdown(&mut io, ladder).await;
    assert_eq!(report.status.signal(), Some(15));
    assert_begins(&rest(&mut io, Source::Stdout).await, LIMIT + 1);
}

#[tokio::test]
async fn a_limit_that_drops_holds_nobody_back() {
    for overflow in [Overflow::KeepHead, Overflow::KeepTail] {
        let mut io = limited(writes_at_the_end(LARGE), overflow);
        let report = shutdown(&mut io, gentle()).await;
        assert_eq!(report.ended_by(), Some(Step::CloseStdin), "{overflow:?}");
        let output = within(io.output()).await.unwrap();
        let all = pattern(LARGE);
        let kept = match overflow {
            Overflow::KeepHead => &all[..LIMIT],
            _ => &all[LARGE - LIMIT..],
        };
        assert_bytes(output.stdout, kept);
        assert_eq!(output.stdout_omitted, (LARGE - LIMIT) as u64);
    }
}

// ---- Afterwards ----

#[tokio::test]
async fn half_a_line_before_and_half_after_are_one() {
    let script = "printf 'half a '; read -r line; echo line; echo last";
    let mut io = ProcessIo::spawn(sh(script)).unwrap();
    let half = async {
        while io.pending(Source::Stdout).is_empty() {
            assert!(poll!(Box::pin(io.recv_line(Source::Stdout))).is_pending());
            yield_now().await;
        }
    };
    within(half).await;
    shutdown(&mut io, gentle()).await;
    assert_eq!(line(&mut io).await.unwrap(), "half a line");
    assert_eq!(line(&mut io).await.unwrap(), "last");
    assert_eq!(line(&mut io).await, None);
}

#[tokio::test]
async fn no_more_input_is_taken() {
    let mut io = ProcessIo::spawn(child(&["deaf"])).unwrap();
    assert!(poll!(Box::pin(io.send(pattern(LARGE)))).is_pending());
    let ladder = Ladder::new().signal(Signal::TERM, NEVER);
    assert_eq!(shutdown(&mut io, ladder).await.status.signal(), Some(15));
    assert_eq!(io.queued(), 0);
    let error = within(io.send("more")).await.unwrap_err();
    assert!(error.is_broken_pipe(), "{error}");
}

/// What has left the group lives on, and holds the pipes: the report comes all the same.
#[cfg(target_os = "linux")] // There is no `setsid` program elsewhere.
#[tokio::test]
async fn a_descendant_out_of_reach_that_holds_the_pipes_is_not_waited_for() {
    use crate::support::is_alive;

    let run = ProcessIo::builder(child(&["hold-apart", "600000", "quiet"]));
    let mut io = run.drain(Drain::UntilEof).spawn().unwrap();
    let said = line(&mut io).await.unwrap();
    let escaped: u32 = said.split(' ').next_back().unwrap().parse().unwrap();

    let report = shutdown(&mut io, Ladder::new().signal(Signal::TERM, NEVER)).await;
    assert_eq!(report.status.signal(), Some(15));
    assert!(io.pipes_held());
    assert!(is_alive(escaped));
    let pid = rustix::process::Pid::from_raw(escaped as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
