//! The guardian of such a child does not get in anybody's way, and goes when the child goes.

use std::{os::fd::AsRawFd, sync::mpsc::channel, thread, time::Duration};

use process_io::{Command, Drain, Error, ErrorKind, Ladder, Signal, Step};
use rustix::{
    io::Errno,
    process::{WaitId, WaitIdOptions, waitid},
};

use super::*;
use crate::support::{alone, is_alive, sh};

fn spawn(command: Command) -> ProcessIo {
    let run = ProcessIo::builder(command).die_with_parent(true);
    run.spawn().expect("the child starts")
}

/// The group of a running child.
fn group_of(io: &ProcessIo) -> u32 {
    group_and_state(io.id().unwrap()).expect("the child runs").0
}

/// Nobody is left, not even a zombie.
async fn is_gone(group: u32) {
    eventually("the group is gone", || members(group).is_empty()).await;
}

/// Whether this process has no child at all, not even one that waits to be reaped.
fn childless() -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::All, look), Err(Errno::CHILD))
}

/// On a thread of its own: where it hangs it must not hang the test.
#[track_caller]
fn elsewhere<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = channel();
    thread::spawn(move || {
        let _ = done.send(run());
    });
    result.recv_timeout(GENEROUS).expect("it does not hang")
}

#[tokio::test]
async fn the_child_works_as_any_other() {
    let mut io = spawn(child(&["prompt"]));
    let group = group_of(&io);
    assert_ne!(Some(group), io.id(), "somebody else leads the group");
    assert_eq!(within(io.expect("> ")).await.unwrap().before, "");
    within(io.send_line("hello")).await.unwrap();
    let found = within(io.expect("> ")).await.unwrap();
    assert_eq!(found.before, "you said: hello\n");
    let output = within(io.output()).await.unwrap();
    assert!(output.success() && !output.pipes_held);
    is_gone(group).await;
}

#[tokio::test]
async fn the_end_of_the_run_leaves_nobody_if_leftovers_are_killed() {
    let run = ProcessIo::builder(sh("echo $$; read line; sleep 300 & exit 3"));
    let mut io = run
        .die_with_parent(true)
        .kill_leftovers(true)
        .spawn()
        .unwrap();
    within(io.recv(Source::Stdout)).await.unwrap();
    let group = group_of(&io);
    within(io.send("go on\n")).await.unwrap();
    assert_eq!(within(io.wait()).await.unwrap().code(), Some(3));
    is_gone(group).await;
}

#[tokio::test]
async fn the_guardian_holds_no_pipe() {
    let run = ProcessIo::builder(child(&["exit", "3"])).die_with_parent(true);
    let output = within(run.drain(Drain::UntilEof)).await.unwrap();
    assert_eq!(output.code(), Some(3));
    assert!(!output.pipes_held);
}

#[tokio::test]
async fn a_drop_kills_them_all() {
    let mut io = spawn(sh("trap '' TERM; echo ready; sleep 300; true"));
    within(io.recv(Source::Stdout)).await.unwrap();
    let group = group_of(&io);
    elsewhere(|| drop(io));
    is_gone(group).await;
}

#[tokio::test]
async fn a_kill_of_the_tree_reaches_them_all() {
    let mut io = spawn(sh("echo ready; sleep 300; true"));
    within(io.recv(Source::Stdout)).await.unwrap();
    let group = group_of(&io);
    io.control().kill_tree().unwrap();
    assert!(within(io.wait()).await.unwrap().code().is_none());
    is_gone(group).await;
}

#[tokio::test]
async fn a_kill_of_the_child_alone_leaves_the_guardian() {
    let mut io = spawn(sh("echo ready; sleep 300; true"));
    within(io.recv(Source::Stdout)).await.unwrap();
    let group = group_of(&io);
    io.control().kill().unwrap();
    within(io.control().wait()).await.unwrap();
    assert!(is_alive(group));
    io.control().kill_tree().unwrap();
    elsewhere(|| drop(io));
    is_gone(group).await;
}

#[tokio::test]
async fn a_ladder_ends_at_the_step_that_helps() {
    let mut io = spawn(child(&["deaf"]));
    within(io.recv(Source::Stdout)).await.unwrap();
    let group = group_of(&io);
    let ladder = Ladder::kill()
        .close_stdin(Duration::from_millis(1))
        .signal(Signal::TERM, GENEROUS);
    let report = within(io.shutdown(ladder)).await.unwrap();
    assert_eq!(report.ended_by(), Some(Step::Signal(Signal::TERM)));
    is_gone(group).await;
}

#[tokio::test]
async fn a_ladder_goes_to_its_end_if_it_must() {
    let mut io = spawn(child(&["trap-term"]));
    within(io.recv(Source::Stdout)).await.unwrap();
    let group = group_of(&io);
    let ladder = Ladder::kill().signal(Signal::TERM, Duration::from_millis(50));
    let report = within(io.shutdown(ladder)).await.unwrap();
    assert_eq!(report.ended_by(), Some(Step::Signal(Signal::KILL)));
    is_gone(group).await;
}

/// Its child has exited before, so that it is all that can die of the signal.
async fn survives(number: i32) -> bool {
    let io = spawn(child(&["exit", "0"]));
    within(io.control().wait()).await.unwrap();
    let group = group_of(&io);
    let sleeps = || group_and_state(group).is_some_and(|(_, state)| state == 'S');
    eventually("the guardian waits", sleeps).await;
    io.control().signal_tree(Signal::from_raw(number)).unwrap();
    // A signal that is not ignored keeps it from sleeping.
    let settled = || group_and_state(group).is_none_or(|(_, state)| "SZ".contains(state));
    eventually("it has had the signal", settled).await;
    let survived = sleeps();
    elsewhere(|| drop(io));
    is_gone(group).await;
    survived
}

/// Other than `SIGKILL` and `SIGSTOP`, which cannot be ignored, and those that do nothing by default.
#[tokio::test]
async fn the_guardian_ignores_all_signals_that_can_be_ignored() {
    let mut deadly = Vec::new();
    for number in (1..=31).filter(|number| ![9, 17, 18, 19, 23, 28].contains(number)) {
        if !survives(number).await {
            deadly.push(number);
        }
    }
    assert_eq!(deadly, [0; 0]);
}

/// It must not be a matter of time: a tree may be signalled when it has just been started.
#[tokio::test]
async fn the_guardian_ignores_signals_from_the_start() {
    for round in 0..30 {
        let io = spawn(child(&["deaf"]));
        let group = group_of(&io);
        io.control().signal_tree(Signal::TERM).unwrap();
        within(io.control().wait()).await.unwrap();
        let settled = || group_and_state(group).is_none_or(|(_, state)| "SZ".contains(state));
        eventually("the guardian waits or is dead", settled).await;
        assert!(is_alive(group), "round {round}");
        elsewhere(|| drop(io));
        is_gone(group).await;
    }
}

/// `PR_SET_PDEATHSIG` would kill it.
#[test]
fn the_end_of_the_runtime_that_spawned_is_not_the_end_of_the_child() {
    let other = tokio::runtime::Runtime::new().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let handle = runtime.handle().clone();
    let on_a_worker = other.spawn(async move {
        let _inside = handle.enter();
        spawn(child(&["prompt"]))
    });
    let mut io = other.block_on(on_a_worker).unwrap();
    drop(other);
    runtime.block_on(async {
        within(io.send_line("still here")).await.unwrap();
        let found = within(io.expect("still here\n")).await.unwrap();
        assert_eq!(found.before, "> you said: ");
        let group = group_of(&io);
        elsewhere(|| drop(io));
        is_gone(group).await;
    });
}

#[tokio::test]
async fn without_a_group_of_its_own_it_cannot_be_had() {
    if !alone("die_with_parent::guardian::without_a_group_of_its_own_it_cannot_be_had") {
        return;
    }
    let run = ProcessIo::builder(child(&["echo"])).process_group(false);
    let error: Error = run.die_with_parent(true).spawn().unwrap_err();
    assert!(childless());
    let message = error.to_string();
    assert!(message.contains("process group"), "{message}");
    assert!(
        error.kind() != ErrorKind::NulByte && error.kind() != ErrorKind::ProgramNotFound,
        "{message}"
    );
}

#[tokio::test]
async fn a_child_that_cannot_be_started_leaves_no_guardian() {
    if !alone("die_with_parent::guardian::a_child_that_cannot_be_started_leaves_no_guardian") {
        return;
    }
    for _ in 0..20 {
        let run = ProcessIo::builder(Command::new("/no/such/program"));
        let error = run.die_with_parent(true).spawn().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ProgramNotFound, "{error}");
        eventually("the guardian is reaped", childless).await;
    }
}

/// Whoever reaps the child dismisses its guardian, and that has to be reaped then.
#[tokio::test]
async fn children_that_are_dropped_one_after_the_other_are_all_reaped() {
    if !alone(
        "die_with_parent::guardian::children_that_are_dropped_one_after_the_other_are_all_reaped",
    ) {
        return;
    }
    for _ in 0..50 {
        let io = spawn(child(&["deaf"]));
        elsewhere(|| drop(io));
    }
    eventually("all are reaped", childless).await;
}

#[tokio::test]
async fn children_that_were_let_go_and_end_by_themselves_are_all_reaped() {
    if !alone(
        "die_with_parent::guardian::children_that_were_let_go_and_end_by_themselves_are_all_reaped",
    ) {
        return;
    }
    for _ in 0..20 {
        let io = spawn(child(&["echo"]));
        let (pid, group) = (io.id().unwrap(), group_of(&io));
        // The end of its input is the end of it, also while there is still somebody who may ask about it.
        let control = elsewhere(|| io.detach());
        eventually("it is reaped", || group_and_state(pid).is_none()).await;
        is_gone(group).await;
        assert!(within(control.wait()).await.unwrap().success());
    }
    eventually("all are reaped", childless).await;
}

#[tokio::test]
async fn two_hundred_in_turn_leave_no_descriptor() {
    if !alone("die_with_parent::guardian::two_hundred_in_turn_leave_no_descriptor") {
        return;
    }
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let mut before = 0;
    for round in 0..200 {
        let run = ProcessIo::builder(child(&["write", "out", "10"])).die_with_parent(true);
        assert!(within(run).await.unwrap().success());
        if round == 0 {
            eventually("nobody is left", childless).await;
            before = open();
        }
    }
    eventually("nobody is left", childless).await;
    eventually("no descriptor is left", || open() <= before).await;
}

/// A child may tell that it is ready by closing a descriptor that it has inherited. Whoever else holds that is in the way.
#[test]
fn the_guardian_inherits_no_descriptor() {
    if !alone("die_with_parent::guardian::the_guardian_inherits_no_descriptor") {
        return;
    }
    // Inherited by every child. A shell can close no number of two digits, so they come before those of the runtime.
    let (ready, theirs) = rustix::pipe::pipe().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let (close, keep) = (theirs.as_raw_fd(), ready.as_raw_fd());
    assert!(close < 10 && keep < 10);
    let io = spawn(sh(&format!("exec {close}>&- {keep}<&-; exec sleep 300")));
    drop(theirs);
    assert_eq!(
        elsewhere(move || rustix::io::read(ready, &mut [0; 1])),
        Ok(0)
    );
    let group = group_of(&io);
    let open = std::fs::read_dir(format!("/proc/{group}/fd")).unwrap();
    let mut open: Vec<_> = open.map(|entry| entry.unwrap().file_name()).collect();
    open.sort();
    assert_eq!(open, ["0", "1", "2"]);
}
