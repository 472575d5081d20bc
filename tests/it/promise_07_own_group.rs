//! Own process group by default: a kill, and dropping the handle, reach what the child has started.
#![cfg(unix)] // Windows has no process groups, and its Job Objects are not there yet.

use process_io::{Control, Drain, ProcessIo, Source};
use rustix::process::getpgrp;

use crate::support::{child, within};

/// The two numbers of `pid P pgid G`, which the child says first.
async fn ids(io: &mut ProcessIo) -> (u32, u32) {
    let said = within(io.recv(Source::Stdout)).await.unwrap().unwrap();
    let said = String::from_utf8(said.into()).unwrap();
    let words: Vec<&str> = said.split_whitespace().collect();
    assert_eq!((words[0], words[2]), ("pid", "pgid"), "{said}");
    (words[1].parse().unwrap(), words[3].parse().unwrap())
}

fn own_group() -> u32 {
    getpgrp().as_raw_nonzero().get().unsigned_abs()
}

#[tokio::test]
async fn the_child_leads_a_group_of_its_own() {
    let mut io = ProcessIo::spawn(child(&["pid"])).unwrap();
    let (pid, group) = ids(&mut io).await;
    assert_eq!(io.id(), Some(pid));
    assert_eq!(group, pid);
    assert_ne!(group, own_group());
}

#[tokio::test]
async fn without_it_the_child_shares_ours() {
    let run = ProcessIo::builder(child(&["pid"])).process_group(false);
    let mut io = run.spawn().unwrap();
    let (pid, group) = ids(&mut io).await;
    assert_eq!(io.id(), Some(pid));
    assert_ne!(group, pid);
    assert_eq!(group, own_group());
}

#[tokio::test]
async fn a_command_with_a_group_of_its_own_choice_keeps_it() {
    let mut command = child(&["pid"]);
    command.process_group(0);
    let run = ProcessIo::builder(command).process_group(false);
    let mut io = run.spawn().unwrap();
    let (pid, group) = ids(&mut io).await;
    assert_eq!(group, pid);
}

/// `/proc` tells a process that has ended from one that runs, so these are for Linux.
#[cfg(target_os = "linux")]
mod tree {
    use std::time::Duration;

    use rustix::process::{Pid, Signal, kill_process};

    use super::*;
    use crate::support::{eventually, is_alive, sh};

    /// A shell that waits for its own child, whose pid it tells.
    const WAITING: &str = "sleep 300 & echo $!; wait";
    /// The same, but it does not wait.
    const GONE: &str = "sleep 300 & echo $!; exit 4";

    async fn grandchild(io: &mut ProcessIo) -> u32 {
        let said = within(io.recv(Source::Stdout)).await.unwrap().unwrap();
        let said = String::from_utf8(said.into()).unwrap();
        let pid = said.trim().parse().unwrap();
        assert!(is_alive(pid));
        pid
    }

    async fn dies(pid: u32) {
        eventually("the grandchild is killed", || !is_alive(pid)).await;
    }

    fn kill(pid: u32) {
        kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).unwrap();
    }

    #[tokio::test]
    async fn kill_tree_reaches_the_grandchild() {
        let mut io = ProcessIo::spawn(sh(WAITING)).unwrap();
        let grandchild = grandchild(&mut io).await;
        io.control().kill_tree().unwrap();
        dies(grandchild).await;
        assert_eq!(signal_of(&io.control()).await, Some(9));
    }

    #[tokio::test]
    async fn kill_reaches_the_child_alone() {
        let run = ProcessIo::builder(sh(WAITING)).drain(Drain::UntilEof);
        let mut io = run.spawn().unwrap();
        let grandchild = grandchild(&mut io).await;
        io.control().kill().unwrap();
        assert_eq!(signal_of(&io.control()).await, Some(9));
        assert!(is_alive(grandchild));
        drop(io);
        dies(grandchild).await;
    }

    #[tokio::test]
    async fn drop_reaches_the_grandchild() {
        let mut io = ProcessIo::spawn(sh(WAITING)).unwrap();
        let grandchild = grandchild(&mut io).await;
        drop(io);
        dies(grandchild).await;
    }

    #[tokio::test]
    async fn drop_of_halves_reaches_the_grandchild() {
        let mut io = ProcessIo::spawn(sh(WAITING)).unwrap();
        let grandchild = grandchild(&mut io).await;
        let (send, recv) = io.into_split();
        drop(send);
        assert!(is_alive(grandchild));
        drop(recv);
        dies(grandchild).await;
    }

    #[tokio::test]
    async fn a_shell_that_waits_in_the_foreground_is_reached_too() {
        let mut io = ProcessIo::spawn(sh("echo ready; sleep 300; true")).unwrap();
        within(io.recv(Source::Stdout)).await.unwrap();
        io.control().kill_tree().unwrap();
        // Nobody holds the pipes any more, so this ends by itself.
        io.set_drain(Drain::UntilEof);
        let output = within(io.output()).await.unwrap();
        assert!(!output.pipes_held);
    }

    #[tokio::test]
    async fn drop_reaches_the_grandchild_of_a_child_that_has_exited() {
        let mut io = ProcessIo::spawn(sh(GONE)).unwrap();
        let grandchild = grandchild(&mut io).await;
        let status = within(io.control().wait()).await.unwrap();
        assert_eq!(status.code(), Some(4));
        assert!(is_alive(grandchild));
        drop(io);
        dies(grandchild).await;
    }

    #[tokio::test]
    async fn kill_tree_reaches_the_grandchild_of_a_child_that_has_exited() {
        let run = ProcessIo::builder(sh(GONE)).drain(Drain::UntilEof);
        let mut io = run.spawn().unwrap();
        let grandchild = grandchild(&mut io).await;
        within(io.control().wait()).await.unwrap();
        io.control().kill_tree().unwrap();
        dies(grandchild).await;
        assert_eq!(within(io.wait()).await.unwrap().code(), Some(4));
    }

    #[tokio::test]
    async fn the_end_of_the_run_is_the_end_of_the_group() {
        let mut io = ProcessIo::spawn(sh(GONE)).unwrap();
        let grandchild = grandchild(&mut io).await;
        assert_eq!(within(io.wait()).await.unwrap().code(), Some(4));
        dies(grandchild).await;
    }

    #[tokio::test]
    async fn in_our_group_only_the_child_is_killed() {
        for by_drop in [false, true] {
            let run = ProcessIo::builder(sh(WAITING)).process_group(false);
            let mut io = run.spawn().unwrap();
            let grandchild = grandchild(&mut io).await;
            let control = io.control();
            if by_drop {
                drop(io);
            } else {
                control.kill_tree().unwrap();
            }
            assert_eq!(signal_of(&control).await, Some(9));
            assert!(is_alive(grandchild));
            kill(grandchild);
        }
    }

    #[tokio::test]
    async fn a_collecting_future_that_is_dropped_reaches_the_grandchild() {
        let folder = tempfile::tempdir().unwrap();
        let note = folder.path().join("pid");
        let script = format!(
            "sleep 300 & echo $! > '{0}.new'; mv '{0}.new' '{0}'; wait",
            note.display()
        );
        let collecting = tokio::spawn(ProcessIo::builder(sh(&script)).into_future());
        eventually("the shell has told", || note.exists()).await;
        let grandchild = std::fs::read_to_string(&note)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        assert!(is_alive(grandchild));
        collecting.abort();
        dies(grandchild).await;
    }

    #[tokio::test]
    async fn what_left_the_group_is_not_reached() {
        let mut io = ProcessIo::spawn(sh("setsid sleep 300 & echo $!; wait")).unwrap();
        let grandchild = grandchild(&mut io).await;
        let in_its_own = || {
            let stat = std::fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap();
            let fields = stat.rsplit_once(") ").unwrap().1;
            fields.split_whitespace().nth(2) == Some(&grandchild.to_string())
        };
        eventually("it leads a session", in_its_own).await;
        io.control().kill_tree().unwrap();
        assert_eq!(signal_of(&io.control()).await, Some(9));
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(is_alive(grandchild));
        kill(grandchild);
    }

    async fn signal_of(control: &Control) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt;
        within(control.wait()).await.unwrap().signal()
    }
}
