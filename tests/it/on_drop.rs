//! `on_drop`: a child whose handle is dropped is stopped step by step, without a runtime, if that is wanted.
#![cfg(target_os = "linux")] // `/proc` tells a process that runs from a zombie and from one that is gone.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use futures::poll;
use process_io::{Command, Ladder, OnDrop, ProcessIo, Signal, Source};

use crate::support::{
    GENEROUS, Mark, alone, child, eventually, is_alive,
    life::{assert_gone, childless, reapers, runtimes},
    sh, within,
};

const SHORT: Duration = Duration::from_millis(100);
const NEVER: Duration = Duration::from_secs(3600);

/// Says that it is ready, and makes a file at the end of its input.
fn saver(file: &Path) -> Command {
    sh(&format!(
        "echo ready; cat >/dev/null; sleep 0.1; : > {}",
        file.display()
    ))
}

async fn started(command: Command, on_drop: impl Into<OnDrop>) -> ProcessIo {
    ready(
        ProcessIo::builder(command)
            .on_drop(on_drop)
            .spawn()
            .unwrap(),
    )
    .await
}

async fn ready(mut io: ProcessIo) -> ProcessIo {
    let said = within(io.recv(Source::Stdout))
        .await
        .unwrap()
        .data()
        .unwrap();
    assert_eq!(said, "ready\n");
    io
}

/// Needs no runtime.
#[track_caller]
fn assert_comes(file: &Path) {
    let start = Instant::now();
    while !file.exists() {
        assert!(start.elapsed() < GENEROUS, "it was not saved");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The threads that stop children.
fn stoppers() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let names =
        threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    names
        .filter(|name| name.starts_with("process-io-stop"))
        .count()
}

#[tokio::test]
async fn it_sees_the_end_of_its_input_and_has_time() {
    for ladder in [
        Ladder::new().close_stdin(NEVER),
        Ladder::new().close_stdin(GENEROUS),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("saved");
        let io = started(saver(&file), ladder).await;
        let pid = io.id().unwrap();
        let start = Instant::now();
        drop(io);
        assert!(start.elapsed() < GENEROUS);
        assert_gone(pid);
        assert_comes(&file);
    }
}

#[tokio::test]
async fn by_default_it_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("saved");
    for on_drop in [OnDrop::default(), OnDrop::Kill, Ladder::kill().into()] {
        let io = started(saver(&file), on_drop).await;
        let pid = io.id().unwrap();
        drop(io);
        assert_gone(pid);
        assert!(!file.exists());
    }
}

#[tokio::test]
async fn who_does_not_listen_is_killed_in_the_end() {
    let ladder = Ladder::new().close_stdin(SHORT).signal(Signal::TERM, SHORT);
    let mark = Mark::new();
    let script =
        "trap '' TERM; (trap '' TERM; exec timeout 300 sleep 300) & echo ready; sleep 300; true";
    let io = started(mark.on(sh(script)), ladder).await;
    mark.has("sleep", 2).await;
    drop(io);
    mark.is_gone("the ladder").await;
}

/// The shell would see the end of its input first.
#[tokio::test]
async fn a_signal_that_comes_first_is_sent_before_stdin_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..50 {
        let file = folder.path().join(round.to_string());
        let script = format!(
            "trap 'echo asked > {0}.new; mv {0}.new {0}; exit' TERM
            echo ready; read line; echo ended > {0}.new; mv {0}.new {0}",
            file.display()
        );
        let io = started(sh(&script), Ladder::new().signal(Signal::TERM, NEVER)).await;
        drop(io);
        assert_comes(&file);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "asked\n");
    }
}

#[tokio::test]
async fn a_signal_to_the_child_alone_leaves_the_others_their_time() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("saved");
    let script = format!("(sleep 0.3; : > {}) & echo ready; wait", file.display());
    let io = started(sh(&script), Ladder::new().signal_child(Signal::TERM, NEVER)).await;
    let pid = io.id().unwrap();
    drop(io);
    assert_comes(&file);
    assert_gone(pid);
}

/// A shell says on stderr that a signal has ended what it ran, and there is nobody to read that.
#[tokio::test]
async fn what_a_shell_started_has_its_time_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("saved");
    let script = format!(
        "sh -c 'trap \"sleep 0.3; : > {}; exit\" TERM; echo ready; while :; do sleep 0.02; done' 2>/dev/null; echo done",
        file.display()
    );
    let io = started(sh(&script), Ladder::new().signal(Signal::TERM, NEVER)).await;
    drop(io);
    assert_comes(&file);
}

#[tokio::test]
async fn left_it_lives_on() {
    for leave in [false, true] {
        let run = ProcessIo::builder(child(&["trap-term"]));
        let run = match leave {
            true => run.on_drop(OnDrop::Leave),
            false => run.kill_on_drop(false),
        };
        let io = ready(run.spawn().unwrap()).await;
        let (control, pid) = (io.control(), io.id().unwrap());
        drop(io);
        let later = ProcessIo::builder(child(&["exit", "0"]));
        assert!(within(later).await.unwrap().success());
        assert!(is_alive(pid));
        control.kill().unwrap();
        assert_gone(pid);
    }
}

#[test]
fn outside_any_runtime_and_without_one() {
    for gone in [false, true] {
        for runtime in runtimes() {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("saved");
            let io = runtime.block_on(started(saver(&file), Ladder::new().close_stdin(NEVER)));
            let other = runtime.block_on(started(
                child(&["trap-term"]),
                Ladder::new().close_stdin(SHORT).signal(Signal::TERM, SHORT),
            ));
            let pids = [&io, &other].map(|io| io.id().unwrap());
            let kept = (!gone).then_some(runtime);
            std::thread::spawn(move || drop((io, other)))
                .join()
                .unwrap();
            assert_comes(&file);
            pids.into_iter().for_each(assert_gone);
            drop(kept);
        }
    }
}

#[tokio::test]
async fn the_stages_of_a_pipeline() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["first", "second"].map(|name| folder.path().join(name));
    let [first, second] = files.each_ref().map(|file| {
        let script = "cat; sleep 0.1; : > ";
        sh(&format!("{script}{}", file.display()))
    });
    let run = ProcessIo::builder(first).on_drop(Ladder::new().close_stdin(NEVER));
    let mut io = run.pipe(second).spawn().unwrap();
    within(io.send("ready\n")).await.unwrap();
    let io = ready(io).await;
    let pid = io.id().unwrap();
    drop(io);
    files.iter().for_each(|file| assert_comes(file));
    assert_gone(pid);
}

#[tokio::test]
async fn the_stages_of_a_pipeline_that_do_not_listen() {
    let mark = Mark::new();
    let deaf = "trap '' TERM; echo ready; timeout 300 sleep 300; true";
    let ladder = Ladder::new().close_stdin(SHORT).signal(Signal::TERM, SHORT);
    let run = ProcessIo::builder(mark.on(sh(deaf))).on_drop(ladder);
    let io = ready(run.pipe(mark.on(sh(deaf))).spawn().unwrap()).await;
    mark.has("sleep", 2).await;
    drop(io);
    mark.is_gone("the ladder").await;
}

/// What it leaves behind then is its own affair.
#[tokio::test]
async fn who_has_exited_by_then_is_only_reaped() {
    let mark = Mark::new();
    let script = "sleep 300 >/dev/null 2>&1 & echo ready";
    let ladder = Ladder::new().signal(Signal::TERM, SHORT);
    let io = started(mark.on(sh(script)), ladder).await;
    let pid = io.id().unwrap();
    eventually("it has exited", || !is_alive(pid)).await;
    drop(io);
    assert_gone(pid);
    tokio::time::sleep(2 * SHORT).await;
    assert_eq!(mark.count("sleep"), 1);
}

#[tokio::test]
async fn a_shutdown_that_is_dropped_kills_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("saved");
    let mut io = started(saver(&file), Ladder::new().close_stdin(NEVER)).await;
    let pid = io.id().unwrap();
    let never = Ladder::new().signal_child(Signal::from_raw(28), NEVER);
    assert!(poll!(Box::pin(io.shutdown(never))).is_pending());
    assert_gone_or_zombie(pid).await;
    drop(io);
    assert_gone(pid);
    assert!(!file.exists());
}

async fn assert_gone_or_zombie(pid: u32) {
    eventually("it is killed", || !is_alive(pid)).await;
}

/// In the middle of anything; the ladder is that of the drop.
#[tokio::test]
async fn in_the_middle_of_things() {
    let folder = tempfile::tempdir().unwrap();
    for (number, (what, middle)) in crate::support::life::MIDDLES.into_iter().enumerate() {
        // Those are a wish to kill, and a child that takes much input reads it to its end.
        if what.starts_with("shutdown") {
            continue;
        }
        let file = folder.path().join(number.to_string());
        let io = started(saver(&file), Ladder::new().close_stdin(NEVER)).await;
        assert!(poll!(&mut middle(io)).is_pending(), "{what}");
        assert_comes(&file);
    }
}

/// The runtime's clock is not that of a child.
#[tokio::test(start_paused = true)]
async fn by_real_time() {
    let ladder = Ladder::new().signal(Signal::TERM, SHORT);
    let run = ProcessIo::builder(child(&["trap-term"])).on_drop(ladder);
    let mut io = run.spawn().unwrap();
    assert_eq!(
        io.recv(Source::Stdout).await.unwrap().data().unwrap(),
        "ready\n"
    );
    tokio::time::advance(NEVER).await;
    let pid = io.id().unwrap();
    drop(io);
    assert_gone(pid);
}

#[tokio::test]
async fn many_leave_nothing_behind() {
    if !alone("on_drop::many_leave_nothing_behind") {
        return;
    }
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    drop(ProcessIo::spawn(child(&["cat"])).unwrap());
    eventually("the first is gone", || childless() && reapers() == 0).await;
    let before = descriptors();
    for round in 0..60 {
        let modes = ["trap-term", "cat", "deaf", "flood"];
        let ladder = Ladder::new()
            .close_stdin(Duration::from_millis(round % 7 * 10))
            .signal(Signal::TERM, Duration::from_millis(round % 5 * 20));
        let run = ProcessIo::builder(child(&[modes[round as usize % 4]]));
        drop(run.on_drop(ladder).spawn().unwrap());
    }
    eventually("no child and no zombie", childless).await;
    eventually("no thread", || stoppers() == 0 && reapers() == 0).await;
    assert_eq!(descriptors(), before);
}

/// Panics when it is dropped, as what a callback has captured may.
struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[tokio::test]
async fn a_callback_whose_drop_panics_does_not_keep_others_from_being_stopped() {
    if !alone("on_drop::a_callback_whose_drop_panics_does_not_keep_others_from_being_stopped") {
        return;
    }
    let captured = PanicsOnDrop;
    let call = move |_: &process_io::Control| {
        let _ = &captured;
        Ok(())
    };
    let first = Ladder::new().close_stdin(SHORT).call(call, SHORT);
    for ladder in [first, Ladder::new().close_stdin(SHORT)] {
        let io = started(sh("echo ready; exec sleep 600"), ladder).await;
        let pid = io.id().unwrap();
        drop(io);
        assert_gone(pid);
        eventually("the thread has ended", || stoppers() == 0).await;
    }
}
