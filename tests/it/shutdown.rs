//! `shutdown` asks a child to end, step by step, and makes it end if it does not. The report tells how that went.
#![cfg(unix)] // The steps are signals.

use std::{io, os::unix::process::ExitStatusExt, time::Duration};

use futures::FutureExt;
use process_io::{
    Command, Ladder, Limits, Overflow, ProcessIo, Redirect, Report, Signal, Source, Step,
};

use crate::support::{GENEROUS, child, sh, within};

/// A wait that is to run out.
const SHORT: Duration = Duration::from_millis(200);
/// A wait that must not: a test that sees its end fails as one that hangs.
const NEVER: Duration = Duration::from_secs(3600);

const TERM: Step = Step::Signal(Signal::TERM);
const KILL: Step = Step::Signal(Signal::KILL);

/// SIGUSR1 has another number on each platform, and so has no name here.
fn usr1() -> Signal {
    Signal::from_raw(rustix::process::Signal::USR1.as_raw())
}

/// A shell that sets these traps, says so, and stays.
fn traps(traps: &str) -> Command {
    sh(&format!(
        "{traps}; echo ready; while :; do sleep 0.02; done"
    ))
}

/// A child that says when it is ready.
async fn ready(command: Command) -> ProcessIo {
    ready_in(ProcessIo::spawn(command).expect("the child starts")).await
}

async fn ready_in(mut io: ProcessIo) -> ProcessIo {
    let said = within(io.recv(Source::Stdout))
        .await
        .unwrap()
        .data()
        .unwrap();
    assert_eq!(said, "ready\n");
    io
}

async fn shutdown(io: &mut ProcessIo, ladder: Ladder) -> Report {
    within(io.shutdown(ladder)).await.unwrap()
}

fn steps(report: &Report) -> Vec<Step> {
    report.steps.iter().map(|taken| taken.step).collect()
}

fn errors(report: &Report) -> Vec<Option<io::ErrorKind>> {
    report.steps.iter().map(|taken| taken.error).collect()
}

async fn text(io: &mut ProcessIo) -> String {
    let output = within(io.output()).await.unwrap();
    output.stdout_lossy().into_owned()
}

// ---- Which step works ----

#[tokio::test]
async fn a_child_that_ends_with_its_input_needs_no_signal() {
    let mut io = ProcessIo::spawn(child(&["sink"])).unwrap();
    let ladder = Ladder::new().close_stdin(NEVER).signal(Signal::TERM, NEVER);
    let report = shutdown(&mut io, ladder).await;
    assert_eq!(report.status.code(), Some(0));
    assert_eq!(report.ended_by(), Some(Step::CloseStdin));
    assert_eq!(steps(&report), [Step::CloseStdin]);
    assert_eq!(errors(&report), [None]);
    assert!(text(&mut io).await.starts_with("0 "), "it saw end-of-file");
}

#[tokio::test]
async fn a_child_that_reads_nothing_ends_by_sigterm() {
    let mut io = ready(child(&["deaf"])).await;
    let ladder = Ladder::new().close_stdin(SHORT).signal(Signal::TERM, NEVER);
    let report = shutdown(&mut io, ladder).await;
    assert_eq!(report.status.signal(), Some(15));
    assert_eq!(report.ended_by(), Some(TERM));
    assert_eq!(steps(&report), [Step::CloseStdin, TERM]);
    assert_eq!(errors(&report), [None, None]);
    assert!(report.steps[0].took >= SHORT, "{report:?}");
}

#[tokio::test]
async fn a_child_that_ignores_sigterm_ends_by_sigkill() {
    let mut io = ready(child(&["trap-term"])).await;
    let ladder = Ladder::new()
        .close_stdin(SHORT)
        .signal(Signal::TERM, 2 * SHORT);
    let report = shutdown(&mut io, ladder).await;
    assert_eq!(report.status.signal(), Some(9));
    assert_eq!(report.ended_by(), Some(KILL));
    assert_eq!(steps(&report), [Step::CloseStdin, TERM, KILL]);
    assert_eq!(errors(&report), [None; 3]);
    assert!(report.steps[0].took >= SHORT, "{report:?}");
    assert!(report.steps[1].took >= 2 * SHORT, "{report:?}");
    let sum = report.steps.iter().map(|taken| taken.took).sum();
    assert!(report.elapsed >= sum, "{report:?}");
}

#[tokio::test]
async fn the_default_ladder_gets_there_too() {
    let mut io = ready(child(&["deaf"])).await;
    let report = shutdown(&mut io, Ladder::default()).await;
    assert_eq!(steps(&report), [Step::CloseStdin, TERM]);
    assert!(report.steps[0].took >= Duration::from_secs(1), "{report:?}");
    assert_eq!(report.status.signal(), Some(15));
}

#[tokio::test]
async fn the_shortest_ladder_asks_nobody() {
    let mut io = ready(traps("trap 'echo asked; exit 1' TERM")).await;
    let report = shutdown(&mut io, Ladder::kill()).await;
    assert_eq!(steps(&report), [KILL]);
    assert_eq!(report.status.signal(), Some(9));
    assert_eq!(text(&mut io).await, "");
}

#[tokio::test]
async fn a_wait_may_be_longer_than_the_clock_can_say() {
    let mut io = ready(traps("trap 'exit 4' TERM")).await;
    let ladder = Ladder::new().signal(Signal::TERM, Duration::MAX);
    let report = shutdown(&mut io, ladder).await;
    assert_eq!(report.status.code(), Some(4));
    assert_eq!(report.ended_by(), Some(TERM));
}

#[cfg(target_os = "linux")] // `/proc` tells that it is stopped.
#[tokio::test]
async fn a_stopped_child_is_continued_to_act_on_the_signal() {
    let mut io = ready(sh("echo ready; kill -STOP $$; echo never")).await;
    let stat = format!("/proc/{}/stat", io.id().unwrap());
    let stopped = || std::fs::read_to_string(&stat).unwrap().contains(") T ");
    crate::support::eventually("it is stopped", stopped).await;
    assert_eq!(io.control().stopped().unwrap().to_string(), "SIGSTOP");
    let ladder = Ladder::new()
        .close_stdin(SHORT)
        .signal(Signal::TERM, GENEROUS);
    let report = shutdown(&mut io, ladder).await;
    assert_eq!(report.ended_by(), Some(TERM));
    assert_eq!(report.status.signal(), Some(15));
    assert_eq!(text(&mut io).await, "");
}

/// The clock is looked at also while there is always something to read.
#[tokio::test]
async fn a_flood_does_not_hold_up_the_next_step() {
    let run = ProcessIo::builder(child(&["flood", "both"]));
    let limits = Limits::default().stdout(1 << 20, Overflow::KeepTail);
    let mut io = run.limits(limits).spawn().unwrap();
    let ladder = Ladder::new().close_stdin(SHORT).signal(Signal::TERM, NEVER);
    let report = shutdown(&mut io, ladder).await;
    assert_eq!(steps(&report), [Step::CloseStdin, TERM]);
    assert_eq!(report.status.signal(), Some(15));
    assert!(io.omitted(Source::Stdout) > 0, "it was read meanwhile");
}

// ---- Any signal, in any order, to the group or to the child ----

#[tokio::test]
async fn signals_come_in_the_order_of_the_ladder() {
    // Ascending, for a shell that is slow to look finds several and takes the lowest first.
    let said = "trap 'echo int' INT; trap 'echo quit' QUIT; trap 'echo term; exit 3' TERM";
    let mut io = ready(traps(said)).await;
    let ladder = Ladder::new()
        .signal(Signal::INT, SHORT)
        .signal(Signal::QUIT, SHORT)
        .signal(Signal::TERM, NEVER);
    let report = shutdown(&mut io, ladder).await;
    assert_eq!(
        steps(&report),
        [Signal::INT, Signal::QUIT, Signal::TERM].map(Step::Signal)
    );
    assert!(report.steps[..2].iter().all(|taken| taken.took >= SHORT));
    assert_eq!(report.status.code(), Some(3));
    assert_eq!(text(&mut io).await, "int\nquit\nterm\n");
}

#[tokio::test]
async fn any_signal_can_be_a_step() {
    for (name, signal) in [("HUP", Signal::HUP), ("INT", Signal::INT), ("USR1", usr1())] {
        let mut io = ready(traps(&format!("trap 'echo {name}; exit 6' {name}"))).await;
        let report = shutdown(&mut io, Ladder::new().signal(signal, NEVER)).await;
        assert_eq!(report.ended_by(), Some(Step::Signal(signal)));
        assert_eq!(report.status.code(), Some(6));
        assert_eq!(text(&mut io).await, format!("{name}\n"));
    }
}

/// These have no name at all.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_real_time_signal_can_be_a_step() {
    let signal = Signal::from_raw(40);
    let mut io = ready(child(&["deaf"])).await;
    let report = shutdown(&mut io, Ladder::new().signal(signal, NEVER)).await;
    assert_eq!(report.ended_by(), Some(Step::Signal(signal)));
    assert_eq!(report.status.signal(), Some(40));
}

/// Says that SIGUSR1 has reached it, and ends at SIGTERM.
const INNER: &str = "(trap 'echo inner' USR1; trap 'exit 0' TERM; echo ready
    while :; do sleep 0.02; done) &";

#[tokio::test]
async fn a_signal_reaches_the_whole_group() {
    let script = format!("trap 'wait $!; echo outer; exit 0' USR1; {INNER} wait");
    // The inner one ends at SIGUSR1 here, for the outer one is not to come before it.
    let script = script.replace("'echo inner'", "'echo inner; exit 0'");
    let mut io = ready(sh(&script)).await;
    let report = shutdown(&mut io, Ladder::new().signal(usr1(), NEVER)).await;
    assert_eq!(report.status.code(), Some(0));
    assert_eq!(text(&mut io).await, "inner\nouter\n");
}

#[tokio::test]
async fn a_signal_to_the_child_alone_reaches_nobody_else() {
    // The inner one would have said so by the time that it ends.
    let script = format!("trap 'echo outer; kill -TERM $!; wait $!; exit 0' USR1; {INNER} wait");
    let mut io = ready(sh(&script)).await;
    let report = shutdown(&mut io, Ladder::new().signal_child(usr1(), NEVER)).await;
    assert_eq!(report.ended_by(), Some(Step::SignalChild(usr1())));
    assert_eq!(report.status.code(), Some(0));
    assert_eq!(text(&mut io).await, "outer\n");
}

// ---- Steps that cannot be delivered ----

#[tokio::test]
async fn a_stdin_that_is_no_pipe_is_passed_over() {
    let run = ProcessIo::builder(child(&["deaf"])).stdin(Redirect::Null);
    let mut io = ready_in(run.spawn().unwrap()).await;
    let ladder = Ladder::new().close_stdin(NEVER).signal(Signal::TERM, NEVER);
    let report = shutdown(&mut io, ladder).await;
    assert_eq!(steps(&report), [Step::CloseStdin, TERM]);
    assert_eq!(errors(&report), [Some(io::ErrorKind::NotConnected), None]);
    assert_eq!(report.status.signal(), Some(15));
}

#[tokio::test]
async fn a_stdin_that_is_closed_already_is_passed_over() {
    let mut io = ready(child(&["deaf"])).await;
    io.close_stdin();
    let ladder = Ladder::new().close_stdin(NEVER).signal(Signal::TERM, NEVER);
    let report = shutdown(&mut io, ladder).await;
    assert_eq!(errors(&report), [Some(io::ErrorKind::NotConnected), None]);
    assert_eq!(report.status.signal(), Some(15));
}

#[tokio::test]
async fn a_stdin_can_be_closed_once_only() {
    let mut io = ready(child(&["deaf"])).await;
    let ladder = Ladder::new().close_stdin(SHORT).close_stdin(NEVER);
    let report = shutdown(&mut io, ladder).await;
    assert_eq!(steps(&report), [Step::CloseStdin, Step::CloseStdin, KILL]);
    let closed = Some(io::ErrorKind::NotConnected);
    assert_eq!(errors(&report), [None, closed, None]);
}

#[tokio::test]
async fn a_number_that_is_no_signal_is_passed_over() {
    let mut io = ready(child(&["deaf"])).await;
    let (none, negative) = (Signal::from_raw(12345), Signal::from_raw(-15));
    let nothing = Signal::from_raw(0);
    let ladder = Ladder::new()
        .signal(none, NEVER)
        .signal(negative, NEVER)
        .signal_child(nothing, NEVER);
    let report = shutdown(&mut io, ladder).await;
    let invalid = Some(io::ErrorKind::InvalidInput);
    assert_eq!(errors(&report), [invalid, invalid, invalid, None]);
    assert_eq!(report.ended_by(), Some(KILL));
    assert_eq!(report.status.signal(), Some(9));
}

// ---- Children that have ended ----

#[tokio::test]
async fn a_child_that_has_exited_needs_no_step() {
    let mut io = ProcessIo::spawn(child(&["exit", "3"])).unwrap();
    // Asked of the system, so that the reactor does not know of it yet.
    let control = io.control();
    while control.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    let report = shutdown(&mut io, Ladder::default()).await;
    assert_eq!(report.status.code(), Some(3));
    assert_eq!(steps(&report), []);
    assert_eq!(report.ended_by(), None);
    assert_eq!(report.elapsed, Duration::ZERO);
    assert_eq!(report.to_string(), "exit status: 3, before the first step");
}

#[tokio::test]
async fn a_run_that_is_over_needs_no_step() {
    let mut io = ProcessIo::spawn(child(&["exit", "3"])).unwrap();
    within(io.wait()).await.unwrap();
    // It does not even have to wait for that.
    let report = io.shutdown(Ladder::default()).now_or_never().unwrap();
    let report = report.unwrap();
    assert_eq!(report.status.code(), Some(3));
    assert_eq!(report.ended_by(), None);
}

#[tokio::test]
async fn a_second_shutdown_sends_nothing_and_tells_the_same_end() {
    let mut io = ready(child(&["deaf"])).await;
    let ladder = Ladder::new().signal(Signal::TERM, NEVER);
    let first = shutdown(&mut io, ladder).await;
    let again = Ladder::new().signal(Signal::INT, NEVER);
    let second = io.shutdown(again).now_or_never().unwrap().unwrap();
    assert_eq!(second.status, first.status);
    assert!(!steps(&second).contains(&Step::Signal(Signal::INT)));
    assert_eq!(within(io.wait()).await.unwrap(), first.status);
}

#[tokio::test]
async fn a_child_that_somebody_kills_meanwhile_ends_it() {
    let mut io = ready(child(&["trap-term"])).await;
    let control = io.control();
    let mut descent = Box::pin(io.shutdown(Ladder::new().signal(Signal::TERM, NEVER)));
    assert!(futures::poll!(&mut descent).is_pending());
    control.kill().unwrap();
    let report = within(descent).await.unwrap();
    assert_eq!(report.ended_by(), Some(TERM));
    assert_eq!(report.status.signal(), Some(9));
    assert_eq!(within(control.wait()).await.unwrap(), report.status);
}

#[tokio::test]
async fn it_reads_like_a_sentence() {
    let mut io = ready(child(&["deaf"])).await;
    let report = shutdown(&mut io, Ladder::new().signal(Signal::TERM, NEVER)).await;
    let said = report.to_string();
    assert!(said.starts_with("signal: 15 (SIGTERM), "), "{said}");
    assert!(said.ends_with("s after SIGTERM"), "{said}");
}
