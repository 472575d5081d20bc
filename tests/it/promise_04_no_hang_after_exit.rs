//! No hang after exit: a descendant that holds the pipes cannot stall us, and status and bytes are kept.

use std::time::{Duration, Instant};

use futures::future::join_all;
use process_io::{
    DEFAULT_DRAIN_CAP, DEFAULT_DRAIN_IDLE, Drain, Limits, Overflow, ProcessIo, transport::memory,
};
use tokio::io::AsyncWriteExt;

use crate::support::{Left, Way, child, pattern, tick, within};

/// How long the grandchild lives, in milliseconds, unless it is killed.
const LIFETIME: &str = "60000";
/// Well below that, and far above what it takes.
const IN_TIME: Duration = Duration::from_secs(30);

const WAYS: [Way; 6] = [
    Way::Output,
    Way::Events,
    Way::Recv,
    Way::Wrapper,
    Way::Wait,
    Way::Nowait,
];

struct Run {
    left: Left,
    held: bool,
    took: Duration,
}

impl Run {
    /// The child's own line, and what the grandchild wrote after it.
    fn split(&self) -> (&str, &[u8]) {
        let end = self.left.stdout.iter().position(|byte| *byte == b'\n');
        let (line, rest) = self.left.stdout.split_at(end.expect("a line") + 1);
        (std::str::from_utf8(line).unwrap(), rest)
    }

    fn grandchild(&self) -> u32 {
        self.split()
            .0
            .split_whitespace()
            .last()
            .unwrap()
            .parse()
            .unwrap()
    }
}

async fn hold(lifetime: &str, mode: &str, drain: Drain, way: Way) -> Run {
    let start = Instant::now();
    // A flood soon reaches the default limit, which is another promise.
    let limits = Limits::default().stdout(1 << 20, Overflow::KeepHead);
    let run = ProcessIo::builder(child(&["hold", lifetime, mode]));
    let io = run.drain(drain).limits(limits).spawn().unwrap();
    let (left, io) = way.read(io).await;
    let run = Run {
        left,
        held: io.pipes_held(),
        took: start.elapsed(),
    };
    let (line, rest) = run.split();
    assert!(line.starts_with("parent "), "{way:?}: {line}");
    assert_eq!(run.left.status.code(), Some(7), "{way:?}");
    assert_eq!(run.left.stderr, b"", "{way:?}");
    match mode {
        "quiet" => assert_eq!(rest, b"", "{way:?}"),
        "chatty" => assert_eq!(rest, b"tick\n".repeat(rest.len() / 5), "{way:?}"),
        _ => assert!(pattern(rest.len().min(1000)).starts_with(&rest[..rest.len().min(1000)])),
    }
    run
}

/// All ways at once, with a grandchild that lives long.
async fn hold_long(mode: &str, drain: Drain) -> Vec<Run> {
    let runs = join_all(WAYS.map(|way| hold(LIFETIME, mode, drain, way))).await;
    for (run, way) in runs.iter().zip(WAYS) {
        assert!(run.held, "{way:?}");
        assert!(run.took < IN_TIME, "{way:?} took {:?}", run.took);
    }
    kill_those_that_were_left(&runs, mode);
    runs
}

/// What the child has left when it exited is its own affair, and lives on, unless it still writes: nobody reads any more.
fn kill_those_that_were_left(runs: &[Run], mode: &str) {
    for run in runs.iter().filter(|_| mode == "quiet") {
        let grandchild = run.grandchild();
        assert!(grandchild > 0);
        #[cfg(any(target_os = "linux", windows))]
        {
            assert!(crate::support::is_alive(grandchild));
            crate::support::kill(grandchild);
        }
    }
}

#[tokio::test]
async fn quiet_by_default() {
    for run in hold_long("quiet", Drain::default()).await {
        assert!(run.took >= DEFAULT_DRAIN_IDLE, "{:?}", run.took);
    }
}

#[tokio::test]
async fn chatty_by_default() {
    hold_long("chatty", Drain::default()).await;
}

#[tokio::test]
async fn flood_by_default() {
    let run = hold(LIFETIME, "flood", Drain::default(), Way::Output).await;
    assert!(run.held);
    assert!(run.took < IN_TIME, "{:?}", run.took);
}

#[tokio::test]
async fn quiet_with_a_custom_idle_time() {
    let idle = Duration::from_millis(300);
    let cap = Duration::MAX;
    for run in hold_long("quiet", Drain::Linger { idle, cap }).await {
        assert!(run.took >= idle, "{:?}", run.took);
    }
}

#[tokio::test]
async fn quiet_with_a_custom_cap() {
    let (idle, cap) = (Duration::MAX, Duration::from_millis(300));
    for run in hold_long("quiet", Drain::Linger { idle, cap }).await {
        assert!(run.took >= cap, "{:?}", run.took);
    }
}

#[tokio::test]
async fn chatty_with_a_custom_cap() {
    let (idle, cap) = (IN_TIME, Duration::from_millis(300));
    for run in hold_long("chatty", Drain::Linger { idle, cap }).await {
        assert!(run.took >= cap, "{:?}", run.took);
    }
}

#[tokio::test]
async fn flood_with_a_custom_cap() {
    let (idle, cap) = (IN_TIME, Duration::from_millis(100));
    for run in hold_long("flood", Drain::Linger { idle, cap }).await {
        assert!(run.took >= cap, "{:?}", run.took);
    }
}

#[tokio::test]
async fn nobody_is_waited_for_with_immediate() {
    for mode in ["quiet", "chatty", "flood"] {
        hold_long(mode, Drain::Immediate).await;
    }
}

#[tokio::test]
async fn until_eof_hears_the_grandchild_out() {
    for mode in ["quiet", "chatty", "flood"] {
        let lifetime = Duration::from_millis(300);
        let runs = join_all(WAYS.map(|way| hold("300", mode, Drain::UntilEof, way))).await;
        for (run, way) in runs.iter().zip(WAYS) {
            assert!(!run.held, "{way:?} {mode}");
            assert!(run.took >= lifetime, "{way:?} {mode}: {:?}", run.took);
            assert_eq!(run.split().1.is_empty(), mode == "quiet", "{way:?} {mode}");
        }
    }
}

#[tokio::test]
async fn until_eof_waits_as_long_as_the_grandchild_lives() {
    let run = ProcessIo::builder(child(&["hold", LIFETIME, "quiet"]));
    let mut io = run.drain(Drain::UntilEof).spawn().unwrap();
    let control = io.control();
    let status = within(control.wait()).await.unwrap();
    assert_eq!(status.code(), Some(7));
    let longer = DEFAULT_DRAIN_IDLE * 3;
    assert!(tokio::time::timeout(longer, io.wait()).await.is_err());
    control.kill_tree().unwrap();
    assert_eq!(within(io.wait()).await.unwrap().code(), Some(7));
    assert!(!io.pipes_held());
}

#[tokio::test]
async fn a_descendant_that_ends_soon_is_no_holder() {
    let (idle, cap) = (IN_TIME, IN_TIME);
    let run = hold("50", "quiet", Drain::Linger { idle, cap }, Way::Output).await;
    assert!(!run.held);
    assert!(run.took < IN_TIME, "{:?}", run.took);
}

#[tokio::test]
async fn a_handle_can_be_told_to_stop_lingering() {
    let run = ProcessIo::builder(child(&["hold", LIFETIME, "chatty"]));
    let mut io = run.drain(Drain::UntilEof).spawn().unwrap();
    within(io.control().wait()).await.unwrap();
    io.set_drain(Drain::Immediate);
    let output = within(io.output()).await.unwrap();
    assert_eq!(output.code(), Some(7));
    assert!(output.pipes_held);
    assert!(output.stdout.starts_with(b"parent "));
    assert!(output.elapsed < IN_TIME);
}

#[tokio::test]
async fn a_grandchild_may_live_on_without_its_pipes() {
    let run = ProcessIo::builder(child(&["hold", LIFETIME, "quiet"]));
    let io = run.kill_on_drop(false).spawn().unwrap();
    let (left, io) = Way::Output.read(io).await;
    assert!(io.pipes_held());
    let line = String::from_utf8(left.stdout).unwrap();
    let grandchild: u32 = line.split_whitespace().last().unwrap().parse().unwrap();
    drop(io);
    assert!(grandchild > 0);
    #[cfg(any(target_os = "linux", windows))]
    {
        assert!(crate::support::is_alive(grandchild));
        crate::support::kill(grandchild);
    }
}

/// A descendant in memory that writes so many ticks, one in every half of the idle time, and then is silent. The
/// clock is the test's, so the times are exact. What was read, and how long it took.
async fn linger(ticks: u32, way: Way) -> (usize, Duration) {
    let (parts, child) = memory::child();
    let io = ProcessIo::from_parts(parts);
    let holder = tick(child.exit_holding(7), ticks);
    let start = tokio::time::Instant::now();
    let (left, io) = way.read(io).await;
    let took = start.elapsed();
    holder.abort();
    assert_eq!(left.status.code(), Some(7), "{way:?}");
    assert!(io.pipes_held(), "{way:?}");
    let count = left.stdout.len() / 5;
    assert_eq!(left.stdout, b"tick\n".repeat(count), "{way:?}");
    (count, took)
}

/// A timer's grain, and the step in which `Way::Nowait` looks.
const GRAIN: Duration = Duration::from_millis(5);

#[tokio::test(start_paused = true)]
async fn it_lingers_while_data_still_comes() {
    for way in Way::ALL {
        let (count, took) = linger(10, way).await;
        assert_eq!(count, 10, "{way:?} in {took:?}");
        let expected = DEFAULT_DRAIN_IDLE * 6;
        assert!(
            took >= expected && took <= expected + GRAIN * 4,
            "{way:?}: {took:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn it_lingers_no_longer_than_the_cap() {
    for way in Way::ALL {
        let (count, took) = linger(1000, way).await;
        let most = DEFAULT_DRAIN_CAP.as_millis() * 2 / DEFAULT_DRAIN_IDLE.as_millis();
        assert!(
            (most - 2..=most).contains(&(count as u128)),
            "{way:?}: {count}"
        );
        let cap = DEFAULT_DRAIN_CAP;
        assert!(took >= cap && took <= cap + GRAIN, "{way:?}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_descendant_in_memory_says_late_is_heard() {
    for way in Way::ALL {
        let (parts, child) = memory::child();
        let mut io = ProcessIo::from_parts(parts);
        io.set_drain(Drain::UntilEof);
        let [mut stdout, stderr] = child.exit_holding(7);
        let holder = tokio::spawn(async move {
            for word in ["late", " and ", "later"] {
                tokio::time::sleep(DEFAULT_DRAIN_CAP).await;
                stdout.write_all(word.as_bytes()).await.unwrap();
            }
            drop((stdout, stderr));
        });
        let (left, io) = way.read(io).await;
        assert_eq!(left.stdout, b"late and later", "{way:?}");
        assert_eq!(left.status.code(), Some(7));
        assert!(!io.pipes_held(), "{way:?}");
        holder.await.unwrap();
    }
}
