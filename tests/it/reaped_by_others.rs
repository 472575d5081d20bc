//! Something else in this process reaps the child: that is told at once, and nobody that has its number then is signalled, reaped
//! or reported.
#![cfg(target_os = "linux")]

use std::{
    fs,
    os::unix::process::CommandExt,
    process::{Child, Command},
    time::Duration,
};

use process_io::{Control, Drain, Error, Ladder, ProcessIo, Recv, Signal, Source};
use rustix::process::{Pid, WaitOptions, wait, waitpid};

use crate::support::{
    alone, alone_by, child, eventually, is_alive,
    life::{childless, reapers},
    setup::first_process,
    sh, within,
};

/// Waits for the child as if it were its own, which a program may do that is the first process of a container.
fn steal(pid: u32) {
    let pid = Pid::from_raw(pid as i32);
    waitpid(pid, WaitOptions::empty()).unwrap().unwrap();
}

#[track_caller]
fn assert_lost(error: &Error) {
    let text = error.to_string();
    assert!(text.contains("waited for the child"), "{text}");
    assert_eq!(error.status(), None);
}

fn long() -> ProcessIo {
    ProcessIo::spawn(child(&["sleep"])).unwrap()
}

/// A child that has been killed, and reaped by somebody else; `seen` is whether its exit had been seen before.
async fn stolen(seen: bool) -> (ProcessIo, Control) {
    let io = long();
    let control = io.control();
    control.kill().unwrap();
    if seen {
        within(control.wait()).await.unwrap();
    }
    steal(control.id().unwrap());
    (io, control)
}

#[tokio::test]
async fn every_wait_tells_it() {
    if !alone("reaped_by_others::every_wait_tells_it") {
        return;
    }
    for seen in [false, true] {
        let (mut io, control) = stolen(seen).await;
        assert_lost(&within(control.wait()).await.unwrap_err());
        assert_lost(&control.try_wait().unwrap_err());
        assert_lost(&within(io.wait()).await.unwrap_err());
        assert_lost(&within(control.wait()).await.unwrap_err());
        assert!(control.usage().is_none() && control.stopped().is_none());

        let (io, _) = stolen(seen).await;
        assert_lost(&within(io).await.unwrap_err());

        let (mut io, _) = stolen(seen).await;
        assert_lost(&within(io.shutdown(Ladder::default())).await.unwrap_err());

        let (mut io, _) = stolen(seen).await;
        assert_eq!(within(io.recv(Source::Stdout)).await.unwrap(), Recv::Eof);
        assert_lost(&within(io.output()).await.unwrap_err());

        let (io, control) = stolen(seen).await;
        drop(io);
        control.kill_tree().unwrap();
        control.signal(Signal::TERM).unwrap();
    }
    eventually("no child", || childless() && reapers() == 0).await;
}

/// It was waited for when it happened.
#[tokio::test]
async fn a_wait_that_goes_on_tells_it() {
    if !alone("reaped_by_others::a_wait_that_goes_on_tells_it") {
        return;
    }
    let io = long();
    let (control, pid) = (io.control(), io.id().unwrap());
    let run = tokio::spawn(IntoFuture::into_future(io));
    tokio::task::yield_now().await;
    control.kill().unwrap();
    // This is the only thread that the run could be told on.
    steal(pid);
    assert_lost(&within(run).await.unwrap().unwrap_err());
}

/// The others run to their end, then it is told.
#[tokio::test]
async fn a_stage_that_is_lost_does_not_end_the_others() {
    if !alone("reaped_by_others::a_stage_that_is_lost_does_not_end_the_others") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let done = folder.path().join("done");
    let last = format!("cat; sleep 0.3; touch '{}'; echo done", done.display());
    for first in ["exit 0", "exit 3"] {
        let _ = fs::remove_file(&done);
        let pipeline = ProcessIo::builder(sh(first))
            .pipe(sh("cat"))
            .pipe(sh(&last));
        let mut io = pipeline.spawn().unwrap();
        // Nothing has been awaited yet. The number is that of the first stage.
        steal(io.id().unwrap());
        let error = within(io.output()).await.unwrap_err();
        assert_lost(&error);
        assert_eq!(error.output().unwrap().stdout, "done\n");
        assert!(done.exists());
    }
    eventually("no child", || childless() && reapers() == 0).await;
}

/// Another child of this process with the number that `pid` was, in a group of its own.
fn stranger(pid: u32) -> Child {
    loop {
        fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).unwrap();
        let mut sleep = Command::new("sh");
        let mut stranger = sleep
            .args(["-c", "sleep 300 & wait; exit 77"])
            .process_group(0)
            .spawn()
            .unwrap();
        if stranger.id() == pid {
            return stranger;
        }
        // A thread took it.
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }
}

/// In a PID namespace of its own, where a number can be given again at once.
#[tokio::test]
async fn who_has_its_number_then_is_left_alone() {
    if !alone_by(
        "reaped_by_others::who_has_its_number_then_is_left_alone",
        first_process,
    ) {
        return;
    }
    // Twelve ways, of which some end the handle.
    for way in 0..12 {
        for seen in [false, true] {
            let (mut io, control) = stolen(seen).await;
            let pid = control.id().unwrap();
            let mut stranger = stranger(pid);
            eventually("it has a child of its own", || members(pid) == 2).await;
            println!("{way} {seen}");
            match way {
                0 => drop(io),
                1 => drop(within(io.wait()).await.unwrap_err()),
                2 => drop(within(io.output()).await.unwrap_err()),
                3 => drop(within(io.shutdown(Ladder::default())).await.unwrap_err()),
                4 => control.kill_tree().unwrap(),
                5 => control.kill().unwrap(),
                6 => control.signal_tree(Signal::TERM).unwrap(),
                7 => assert_lost(&within(control.wait()).await.unwrap_err()),
                8 => assert_lost(&control.try_wait().unwrap_err()),
                9 => {
                    io.set_timeout(Duration::ZERO);
                    drop(within(io.wait()).await.unwrap_err());
                }
                10 => assert_eq!(control.stopped(), None),
                _ => drop(within(tokio::time::timeout(Duration::from_millis(50), io)).await),
            }
            assert!(is_alive(pid));
            assert_eq!(stranger.try_wait().unwrap(), None);
            // Neither has its own child been signalled. In a namespace of its own nobody else is there.
            let members = members(pid);
            assert_eq!(members, 2, "{way}");
            drop(control);
            stranger.kill().unwrap();
            stranger.wait().unwrap();
            rustix::process::kill_process_group(
                Pid::from_raw(pid as i32).unwrap(),
                rustix::process::Signal::KILL,
            )
            .unwrap();
            eventually("the stranger's child is ours now, and a zombie", || {
                self::members(pid) == 0
            })
            .await;
            while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        }
    }
    eventually("the reaper ends", || childless() && reapers() == 0).await;
}

/// Nor is one that a child of tokio's had, of which tokio does not know that it has been reaped.
#[tokio::test]
async fn who_has_the_number_of_a_child_of_tokios_is_left_alone() {
    if !alone_by(
        "reaped_by_others::who_has_the_number_of_a_child_of_tokios_is_left_alone",
        first_process,
    ) {
        return;
    }
    for way in 0..3 {
        let started = child(&["exit", "0"]).spawn().unwrap();
        let io = ProcessIo::from_parts(process_io::transport::Parts::from(started));
        let control = io.control();
        let pid = control.id().unwrap();
        steal(pid);
        let mut stranger = stranger(pid);
        match way {
            0 => drop(io),
            1 => control.kill_tree().unwrap(),
            _ => io.terminate().unwrap(),
        }
        assert_eq!(stranger.try_wait().unwrap(), None, "{way}");
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }
}

/// The members of a group that are not zombies.
fn members(group: u32) -> usize {
    let folders = fs::read_dir("/proc").unwrap();
    let stats =
        folders.filter_map(|folder| fs::read_to_string(folder.ok()?.path().join("stat")).ok());
    stats
        .filter(|stat| {
            let fields: Vec<_> = stat
                .rsplit_once(") ")
                .map_or(Vec::new(), |(_, fields)| fields.split(' ').collect());
            fields.first() != Some(&"Z") && fields.get(2) == Some(&group.to_string().as_str())
        })
        .count()
}

/// The child has been reaped, and what it left in its group is still there, so that the number is not free.
#[tokio::test]
async fn the_rest_of_its_group_can_still_be_killed() {
    if !alone("reaped_by_others::the_rest_of_its_group_can_still_be_killed") {
        return;
    }
    let run = ProcessIo::builder(sh("sleep 300 & echo $!; exit 0")).drain(Drain::UntilEof);
    let mut io = run.spawn().unwrap();
    let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
    let left: u32 = line.to_string().parse().unwrap();
    let control = io.control();
    within(control.wait()).await.unwrap();
    steal(control.id().unwrap());
    control.kill_tree().unwrap();
    // By the leader's descriptor, which Linux 6.9 can do.
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut version = release
        .split('.')
        .map(|number| number.parse::<u32>().unwrap_or(0));
    if (version.next(), version.next()) >= (Some(6), Some(9)) {
        eventually("it is dead", || !is_alive(left)).await;
    } else if is_alive(left) {
        crate::support::kill(left);
    }
}
