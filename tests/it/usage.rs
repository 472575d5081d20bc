//! What a run cost: processor time, memory, how long it took, and when its first byte came.
#![cfg(unix)] // `getrusage(2)`; what Windows tells is tested with the rest of its own.

use std::time::{Duration, Instant};

use futures::StreamExt;
use process_io::{Event, Ladder, Limits, Overflow, ProcessIo, Source, Usage, transport::memory};

use crate::support::{Way, alone, child, eventually, sh, within};

/// What `burn 50` uses at the very least, also on a processor that does six steps in a nanosecond.
const BURNT: Duration = Duration::from_millis(20);
/// A clock of the system is no finer than its tick.
const TICKS: Duration = Duration::from_secs(1);

const MIB: u64 = 1 << 20;

fn processor(usage: &Usage) -> Duration {
    usage.user + usage.system
}

#[tokio::test]
async fn processor_time_of_a_child_that_computes() {
    let output = within(ProcessIo::builder(child(&["burn", "50"])))
        .await
        .unwrap();
    let usage = output.usage.unwrap();
    assert!(usage.user >= BURNT, "{usage:?}");
    assert!(processor(&usage) <= output.elapsed + TICKS, "{usage:?}");
}

#[tokio::test]
async fn processor_time_in_the_system() {
    let script = "dd if=/dev/zero of=/dev/null bs=1 count=400000 2>/dev/null";
    let output = within(ProcessIo::builder(sh(script))).await.unwrap();
    let usage = output.usage.unwrap();
    // So many calls of the system cannot take less.
    assert!(usage.system >= Duration::from_millis(10), "{usage:?}");
    assert!(processor(&usage) <= output.elapsed + TICKS, "{usage:?}");
}

#[tokio::test]
async fn descendants_that_were_waited_for_count() {
    let script = format!("'{}' burn 50; exit 3", env!("CARGO_BIN_EXE_child"));
    let output = within(ProcessIo::builder(sh(&script))).await.unwrap();
    assert_eq!(output.code(), Some(3));
    let usage = output.usage.unwrap();
    assert!(usage.user >= BURNT, "{usage:?}");
}

#[tokio::test]
async fn every_way_to_the_end_tells_the_same() {
    for way in Way::ALL {
        let io = ProcessIo::spawn(child(&["burn", "50"])).unwrap();
        let control = io.control();
        let (_, mut io) = way.read(io).await;
        let usage = control.usage().unwrap();
        assert!(usage.user >= BURNT, "{way:?}: {usage:?}");
        let output = within(io.output()).await.unwrap();
        assert_eq!(output.usage, Some(usage), "{way:?}");
    }
}

#[tokio::test]
async fn is_known_of_a_child_that_was_dropped() {
    let io = ProcessIo::spawn(child(&["burn", "50"])).unwrap();
    let control = io.detach();
    eventually("it is reaped", || control.usage().is_some()).await;
    assert!(control.usage().unwrap().user >= BURNT);
}

#[tokio::test]
async fn a_child_that_still_runs_has_none_in_the_output_of_an_error() {
    let limits = Limits::default().stdout(1000, Overflow::Fail);
    let run = ProcessIo::builder(child(&["flood"])).limits(limits);
    let mut io = run.spawn().unwrap();
    let error = within(io.output()).await.unwrap_err();
    assert!(error.is_limit(), "{error}");
    let output = error.into_output().unwrap();
    assert_eq!((output.status, output.usage), (None, None));
    assert!(
        output
            .first_byte
            .is_some_and(|first| first <= output.elapsed)
    );
}

#[tokio::test]
async fn a_time_out_tells_what_was_used_until_then() {
    let command = child(&["burn", "10000000"]);
    let run = ProcessIo::builder(command).timeout(Duration::from_millis(300));
    let error = within(run).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let output = error.into_output().unwrap();
    let usage = output.usage.unwrap();
    // Of its 300 ms another process may have had most.
    assert!(processor(&usage) > Duration::ZERO, "{usage:?}");
    assert!(output.elapsed >= Duration::from_millis(300));
    assert_eq!(output.first_byte, None);
}

#[tokio::test]
async fn a_shutdown_tells_it_too() {
    let mut io = ProcessIo::spawn(child(&["deaf"])).unwrap();
    within(io.recv(Source::Stdout)).await.unwrap();
    within(io.shutdown(Ladder::kill())).await.unwrap();
    assert!(io.control().usage().is_some());
}

#[tokio::test]
async fn a_child_in_memory_uses_nothing_that_is_known() {
    let (parts, child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    child.exit(0);
    let output = within(io.output()).await.unwrap();
    assert_eq!((output.usage, io.control().usage()), (None, None));
    assert_eq!(output.first_byte, None);
}

/// Alone, for what this process has had itself hides what a child had below that.
#[cfg(target_os = "linux")]
mod resident {
    use super::*;

    async fn max_resident(args: &[&str]) -> Option<u64> {
        let output = within(ProcessIo::builder(child(args))).await.unwrap();
        assert!(output.success());
        output.usage.unwrap().max_resident
    }

    #[tokio::test]
    async fn memory_of_a_child_that_takes_much() {
        if !alone("usage::resident::memory_of_a_child_that_takes_much") {
            return;
        }
        let most = max_resident(&["allocate", "300"]).await.unwrap();
        assert!((300 * MIB..600 * MIB).contains(&most), "{most}");
        let more = max_resident(&["allocate", "700"]).await.unwrap();
        assert!((700 * MIB..1200 * MIB).contains(&more), "{more}");
    }

    #[tokio::test]
    async fn memory_of_a_descendant_that_takes_much() {
        if !alone("usage::resident::memory_of_a_descendant_that_takes_much") {
            return;
        }
        let script = format!("'{}' allocate 300; exit", env!("CARGO_BIN_EXE_child"));
        let output = within(ProcessIo::builder(sh(&script))).await.unwrap();
        let most = output.usage.unwrap().max_resident.unwrap();
        assert!((300 * MIB..600 * MIB).contains(&most), "{most}");
    }

    /// It starts out with our own peak in its account.
    #[tokio::test]
    async fn our_own_memory_is_not_told_as_the_childs() {
        if !alone("usage::resident::our_own_memory_is_not_told_as_the_childs") {
            return;
        }
        let ours = vec![1_u8; 300 << 20];
        for _ in 0..50 {
            let most = max_resident(&["exit", "0"]).await;
            assert!(most.is_none_or(|most| most < 100 * MIB), "{most:?}");
        }
        drop(ours);
        // A peak stays one.
        let most = max_resident(&["exit", "0"]).await;
        assert!(most.is_none_or(|most| most < 100 * MIB), "{most:?}");
        let most = max_resident(&["allocate", "700"]).await.unwrap();
        assert!((700 * MIB..1200 * MIB).contains(&most), "{most}");
    }
}

#[tokio::test]
async fn the_time_is_that_of_the_run() {
    let begun = Instant::now();
    let mut io = ProcessIo::spawn(child(&["after", "150", "done"])).unwrap();
    within(io.wait()).await.unwrap();
    let took = begun.elapsed();
    // What is asked for later has not taken longer.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let elapsed = within(io.output()).await.unwrap().elapsed;
    assert!(elapsed >= Duration::from_millis(150), "{elapsed:?}");
    assert!(elapsed <= took, "{elapsed:?} of {took:?}");
}

#[tokio::test]
async fn a_silent_child_has_no_first_byte() {
    let output = within(ProcessIo::builder(child(&["sink"])).input("x")).await;
    assert!(output.unwrap().first_byte.is_some());
    let output = within(ProcessIo::builder(child(&["exit", "0"])))
        .await
        .unwrap();
    assert_eq!(output.first_byte, None);
}

#[tokio::test]
async fn the_first_byte_comes_after_the_childs_own_delay() {
    let delay = Duration::from_millis(150);
    let run = ProcessIo::builder(child(&["after", "150", "done"]));
    let output = within(run).await.unwrap();
    let first = output.first_byte.unwrap();
    assert!(first >= delay && first <= output.elapsed, "{first:?}");
}

#[tokio::test]
async fn the_first_byte_is_that_of_the_stream_that_is_first() {
    for (first, second) in [("", " >&2"), (" >&2", "")] {
        let script = format!("echo first{first}; read line; echo second{second}");
        let mut io = ProcessIo::spawn(sh(&script)).unwrap();
        let begun = Instant::now();
        let event = within(io.next()).await.unwrap().unwrap();
        let bound = begun.elapsed() + Duration::from_secs(1);
        assert!(!matches!(event, Event::Exit(_)));
        tokio::time::sleep(bound).await;
        within(io.send("go on\n")).await.unwrap();
        let output = within(io.output()).await.unwrap();
        let first = output.first_byte.unwrap();
        assert!(first <= bound, "{first:?} of {bound:?}");
        assert!(output.elapsed >= bound);
    }
}

#[tokio::test]
async fn the_first_byte_of_merged_streams() {
    let run = ProcessIo::builder(sh("sleep 0.1; echo e >&2")).merge_stderr();
    let output = within(run).await.unwrap();
    let first = output.first_byte.unwrap();
    assert!(first >= Duration::from_millis(100) && first <= output.elapsed);
}
