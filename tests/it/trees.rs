//! Every member of the child's process group dies, whatever the tree looks like and whichever way it is killed.
//!
//! `promise_07_own_group` has whom a kill is to reach, and whom not; here are the shapes that are easy to miss.
#![cfg(target_os = "linux")] // `/proc` tells who is in a group, and a process that runs from one that has ended.

use std::{fs, os::unix::process::ExitStatusExt, time::Duration};

use process_io::{Command, Drain, Ladder, ProcessIo, Signal, Source};
use rustix::process::{Pid, kill_process};
use tokio::time::Instant;

use crate::support::{alone, child, eventually, is_alive, sh, within};

const NEVER: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(100);
const HELD: Drain = Drain::Linger {
    idle: NEVER,
    cap: NEVER,
};

/// A script, and the programs of the members of its group once it has got to where it stays.
type Shape = (&'static str, &'static [&'static str]);

const SHAPES: [Shape; 7] = [
    ("sleep 300; true", &["sh", "sleep"]),
    ("sleep 300 & wait", &["sh", "sleep"]),
    ("sleep 300 | cat", &["cat", "sh", "sleep"]),
    // The parent of the first sleep is gone.
    ("(sleep 300 &); sleep 300; true", &["sh", "sleep", "sleep"]),
    // The leader ends at SIGTERM and leaves one that does not.
    ("(trap '' TERM; exec sleep 300) & wait", &["sh", "sleep"]),
    (
        "sh -c 'sh -c \"sleep 300 & wait\" & wait' & wait",
        &["sh", "sh", "sh", "sleep"],
    ),
    // A member that is stopped gets no signal but SIGKILL.
    ("sh -c 'kill -STOP $$; true' & wait", &["sh", "sh"]),
];

/// The leader has exited by itself, and the parent is gone too.
const LEFT: Shape = ("((trap '' TERM; exec sleep 300) &); exit 0", &["sleep"]);

/// How a tree is made to end.
#[derive(Debug, Clone, Copy)]
enum Way {
    Drop,
    KillTree,
    Shutdown,
    TimeOut,
    TimeOutThatAsks,
}

impl Way {
    /// Gives the handle back, so that it is not its drop that kills.
    async fn end(self, mut io: ProcessIo) -> Option<ProcessIo> {
        // Some ignore it.
        let ask = Ladder::new().signal(Signal::TERM, SHORT);
        match self {
            Self::Drop => return None,
            Self::KillTree => io.control().kill_tree().unwrap(),
            Self::Shutdown => {
                // However long it would be waited for a member that holds the pipes, none is left to do so.
                io.set_drain(HELD);
                within(io.shutdown(ask)).await.unwrap();
                assert!(!io.pipes_held());
            }
            Self::TimeOut | Self::TimeOutThatAsks => {
                if let Self::TimeOutThatAsks = self {
                    io.set_ladder(ask);
                }
                io.set_deadline(Instant::now());
                // A leader that has exited has done its part, and only its pipes are let go of.
                let _ = within(io.wait()).await;
            }
        }
        Some(io)
    }
}

/// Who is in this group, apart from zombies: program and pid.
fn members(group: u32) -> Vec<(String, u32)> {
    let all = fs::read_dir("/proc").unwrap();
    let mut found: Vec<_> = all
        .filter_map(|entry| {
            let name = entry.ok()?.file_name();
            let pid = name.to_str()?.parse().ok()?;
            // It may end between the listing and the look.
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let (program, fields) = stat.split_once(" (")?.1.rsplit_once(") ")?;
            let mut fields = fields.split(' ');
            let (state, its_group) = (fields.next()?, fields.nth(1)?);
            let member = state != "Z" && its_group.parse() == Ok(group);
            member.then(|| (program.to_owned(), pid))
        })
        .collect();
    found.sort();
    found
}

fn programs(members: &[(String, u32)]) -> Vec<&str> {
    members
        .iter()
        .map(|(program, _)| program.as_str())
        .collect()
}

/// Starts a tree and waits until it is complete; the pids of its members.
async fn start(script: &str, programs_of: &[&str]) -> (ProcessIo, Vec<u32>) {
    // What holds the pipes must not be what ends it.
    let run = ProcessIo::builder(sh(script)).drain(Drain::UntilEof);
    let io = run.spawn().unwrap();
    let group = io.id().unwrap();
    let complete = || programs(&members(group)) == programs_of;
    eventually(&format!("{script:?} is complete"), complete).await;
    let pids = members(group).into_iter().map(|(_, pid)| pid).collect();
    (io, pids)
}

async fn assert_dies(way: Way) {
    for (script, programs) in SHAPES {
        let (io, pids) = start(script, programs).await;
        let group = io.id().unwrap();
        let kept = way.end(io).await;
        let dead = || !pids.iter().any(|&pid| is_alive(pid)) && members(group).is_empty();
        eventually(&format!("{way:?} of {script:?}"), dead).await;
        drop(kept);
    }
}

/// What a child leaves that exits by itself is its own affair, whatever comes after.
#[tokio::test]
async fn what_was_left_lives_on_unless_it_is_asked_for() {
    for way in [Way::Drop, Way::TimeOut, Way::TimeOutThatAsks] {
        let (io, pids) = start(LEFT.0, LEFT.1).await;
        let kept = way.end(io).await;
        run_to_the_end(child(&["exit", "0"])).await;
        assert!(pids.iter().all(|&pid| is_alive(pid)), "{way:?}");
        drop(kept);
        pids.into_iter().for_each(kill);
    }
    let (mut io, pids) = start(LEFT.0, LEFT.1).await;
    io.set_drain(Drain::Immediate);
    within(io.shutdown(Ladder::kill())).await.unwrap();
    assert!(pids.iter().all(|&pid| is_alive(pid)));
    pids.into_iter().for_each(kill);

    let (io, pids) = start(LEFT.0, LEFT.1).await;
    io.control().kill_tree().unwrap();
    eventually("it is dead", || !pids.iter().any(|&pid| is_alive(pid))).await;
}

/// Nobody is in its group any more, and ours is not to be killed.
#[tokio::test]
async fn a_leader_that_has_joined_our_group_dies_alone() {
    for way in [Way::Drop, Way::KillTree, Way::Shutdown, Way::TimeOut] {
        let mut io = ProcessIo::spawn(child(&["join-parent"])).unwrap();
        let said = within(io.recv(Source::Stdout)).await.unwrap();
        assert_eq!(said.data().unwrap(), "joined\n");
        let pid = io.id().unwrap();
        let kept = way.end(io).await;
        eventually(&format!("{way:?}"), || !is_alive(pid)).await;
        drop(kept);
    }
}

#[tokio::test]
async fn a_drop_kills_them_all() {
    assert_dies(Way::Drop).await;
}

#[tokio::test]
async fn kill_tree_kills_them_all() {
    assert_dies(Way::KillTree).await;
}

#[tokio::test]
async fn a_shutdown_kills_them_all() {
    assert_dies(Way::Shutdown).await;
}

#[tokio::test]
async fn a_time_out_kills_them_all() {
    assert_dies(Way::TimeOut).await;
}

#[tokio::test]
async fn a_time_out_that_asks_first_kills_them_all() {
    assert_dies(Way::TimeOutThatAsks).await;
}

/// A member that came when the others were about to be killed is in the group too, and so is one that comes late.
#[tokio::test]
async fn a_tree_that_grows_is_killed() {
    let script = "for i in $(seq 300); do (sleep 300 &); done; wait";
    for way in [Way::Drop, Way::KillTree, Way::Shutdown, Way::TimeOut] {
        let io = ProcessIo::spawn(sh(script)).unwrap();
        let group = io.id().unwrap();
        eventually("it has grown", || members(group).len() > 5).await;
        let kept = way.end(io).await;
        eventually(&format!("{way:?}"), || members(group).is_empty()).await;
        drop(kept);
    }
}

#[tokio::test]
async fn the_neighbours_live_on() {
    for way in [Way::Drop, Way::KillTree, Way::Shutdown, Way::TimeOut] {
        let (io, _) = start(SHAPES[0].0, SHAPES[0].1).await;
        let (neighbour, theirs) = start(SHAPES[0].0, SHAPES[0].1).await;
        let group = io.id().unwrap();
        let kept = way.end(io).await;
        eventually(&format!("{way:?}"), || members(group).is_empty()).await;
        assert!(theirs.iter().all(|&pid| is_alive(pid)), "{way:?}");
        assert_eq!(neighbour.control().try_wait().unwrap(), None);
        drop(kept);
    }
}

#[tokio::test]
async fn a_tree_can_be_killed_again_and_again() {
    for (script, programs) in SHAPES {
        let (mut io, _) = start(script, programs).await;
        let control = io.control();
        for _ in 0..3 {
            control.kill_tree().unwrap();
        }
        within(io.wait()).await.unwrap();
        control.kill_tree().unwrap();
        drop(io);
        control.kill_tree().unwrap();
        assert!(control.try_wait().unwrap().is_some());
    }
}

/// The group outlives its leader here. The number of the group is still in use, and nothing is sent to it all the same: it could
/// be another's.
#[tokio::test]
async fn a_group_whose_leader_has_been_reaped_is_left_alone() {
    let run = ProcessIo::builder(sh("sleep 300 & echo $!; exit 4"));
    let run = run.kill_on_drop(false).drain(Drain::Immediate);
    let mut io = run.spawn().unwrap();
    let group = io.id().unwrap();
    assert_eq!(within(io.wait()).await.unwrap().code(), Some(4));
    let report = within(io.shutdown(Ladder::default())).await.unwrap();
    assert_eq!(report.status.code(), Some(4));
    io.control().kill_tree().unwrap();
    io.control().signal_tree(Signal::TERM).unwrap();
    drop(io);
    // A kill would have been seen by the time that this is.
    run_to_the_end(child(&["exit", "0"])).await;
    eventually("it lives", || programs(&members(group)) == ["sleep"]).await;
    kill(members(group)[0].1);
}

/// Descendants are held by descriptors while signals are sent to them, and no longer.
#[tokio::test]
async fn a_control_that_is_kept_holds_no_descendant() {
    if !alone("trees::a_control_that_is_kept_holds_no_descendant") {
        return;
    }
    let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
    let mut controls = Vec::new();
    let mut counts = Vec::new();
    for _ in 0..5 {
        let (mut io, _) = start(SHAPES[5].0, SHAPES[5].1).await;
        io.control().signal_tree(Signal::TERM).unwrap();
        within(io.wait()).await.unwrap();
        controls.push(io.control());
        drop(io);
        counts.push(descriptors());
    }
    // One for each child.
    assert_eq!(counts[4] - counts[0], 4, "{counts:?}");
}

async fn run_to_the_end(command: Command) {
    assert!(within(ProcessIo::builder(command)).await.unwrap().success());
}

fn kill(pid: u32) {
    let pid = Pid::from_raw(pid as i32).unwrap();
    kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

// ---- Without a group of its own ----

/// A shell in our own group that has started another process, whose pid it tells.
async fn in_our_group() -> (ProcessIo, u32) {
    let run = ProcessIo::builder(sh("sleep 300 & echo $!; wait")).process_group(false);
    let mut io = run.spawn().unwrap();
    let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
    (io, line.to_string().parse().unwrap())
}

#[tokio::test]
async fn without_a_group_a_shutdown_ends_the_descendants_too() {
    for ladder in [Ladder::kill(), Ladder::new().signal(Signal::TERM, NEVER)] {
        let (mut io, grandchild) = in_our_group().await;
        let asked = ladder != Ladder::kill();
        let report = within(io.shutdown(ladder)).await.unwrap();
        assert_eq!(report.status.signal(), Some(if asked { 15 } else { 9 }));
        assert!(!io.pipes_held());
        assert!(!is_alive(grandchild));
    }
}

#[tokio::test]
async fn without_a_group_a_time_out_ends_the_descendants_too() {
    for ladder in [Ladder::kill(), Ladder::new().signal(Signal::TERM, NEVER)] {
        let (mut io, grandchild) = in_our_group().await;
        io.set_ladder(ladder);
        io.set_deadline(Instant::now());
        let error = within(io.wait()).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert!(error.status().unwrap().signal().is_some());
        assert!(!is_alive(grandchild));
    }
}
