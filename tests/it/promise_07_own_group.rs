//! Own process group by default: a kill, and dropping the handle, reach what the child has started.

use process_io::{ProcessIo, Source};

use crate::support::{child, within};

/// A process group has a number on Unix only.
#[cfg(unix)]
mod number {
    use rustix::process::getpgrp;

    use super::*;

    /// The two numbers of `pid P pgid G`, which the child says first.
    async fn ids(io: &mut ProcessIo) -> (u32, u32) {
        let said = within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap();
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
}

/// Where a process that has ended can be told from one that runs.
#[cfg(any(target_os = "linux", windows))]
mod tree {
    use process_io::{Control, Drain};

    use super::*;
    use crate::support::{eventually, is_alive, kill, was_killed};

    /// Starts a child of its own, whose pid it tells, and stays.
    const WAITING: [&str; 3] = ["do", "grandchild", "wait"];
    /// The same, but it does not stay.
    const GONE: [&str; 4] = ["do", "grandchild", "exit", "4"];

    async fn grandchild(io: &mut ProcessIo) -> u32 {
        let said = within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap();
        let said = String::from_utf8(said.into()).unwrap();
        let pid = said.trim().parse().unwrap();
        assert!(is_alive(pid));
        pid
    }

    async fn dies(pid: u32) {
        eventually("the grandchild is killed", || !is_alive(pid)).await;
    }

    #[tokio::test]
    async fn kill_tree_reaches_the_grandchild() {
        let mut io = ProcessIo::spawn(child(&WAITING)).unwrap();
        let grandchild = grandchild(&mut io).await;
        io.control().kill_tree().unwrap();
        dies(grandchild).await;
        killed(&io.control()).await;
    }

    #[tokio::test]
    async fn kill_reaches_the_child_alone() {
        let run = ProcessIo::builder(child(&WAITING)).drain(Drain::UntilEof);
        let mut io = run.spawn().unwrap();
        let grandchild = grandchild(&mut io).await;
        io.control().kill().unwrap();
        killed(&io.control()).await;
        assert!(is_alive(grandchild));
        io.control().kill_tree().unwrap();
        dies(grandchild).await;
    }

    #[tokio::test]
    async fn drop_reaches_the_grandchild() {
        let mut io = ProcessIo::spawn(child(&WAITING)).unwrap();
        let grandchild = grandchild(&mut io).await;
        drop(io);
        dies(grandchild).await;
    }

    #[tokio::test]
    async fn drop_of_halves_reaches_the_grandchild() {
        let mut io = ProcessIo::spawn(child(&WAITING)).unwrap();
        let grandchild = grandchild(&mut io).await;
        let (send, recv) = io.into_split();
        drop(send);
        assert!(is_alive(grandchild));
        drop(recv);
        dies(grandchild).await;
    }

    #[cfg(unix)] // The shell is the point.
    #[tokio::test]
    async fn a_shell_that_waits_in_the_foreground_is_reached_too() {
        let sh = crate::support::sh("echo ready; sleep 300; true");
        let mut io = ProcessIo::spawn(sh).unwrap();
        within(io.recv(Source::Stdout)).await.unwrap();
        io.control().kill_tree().unwrap();
        // Nobody holds the pipes any more, so this ends by itself.
        io.set_drain(Drain::UntilEof);
        let output = within(io.output()).await.unwrap();
        assert!(!output.pipes_held);
    }

    #[tokio::test]
    async fn kill_tree_reaches_the_grandchild_of_a_child_that_has_exited() {
        let run = ProcessIo::builder(child(&GONE)).drain(Drain::UntilEof);
        let mut io = run.spawn().unwrap();
        let grandchild = grandchild(&mut io).await;
        within(io.control().wait()).await.unwrap();
        io.control().kill_tree().unwrap();
        dies(grandchild).await;
        assert_eq!(within(io.wait()).await.unwrap().code(), Some(4));
    }

    /// Only on Unix is a descendant known without a group.
    #[tokio::test]
    async fn in_our_group_the_child_is_killed_with_its_descendants() {
        for by_drop in [false, true] {
            let run = ProcessIo::builder(child(&WAITING)).process_group(false);
            let mut io = run.spawn().unwrap();
            let grandchild = grandchild(&mut io).await;
            let control = io.control();
            if by_drop {
                drop(io);
            } else {
                control.kill_tree().unwrap();
            }
            killed(&control).await;
            if cfg!(unix) {
                dies(grandchild).await;
            } else {
                assert!(is_alive(grandchild));
                kill(grandchild);
            }
        }
    }

    #[tokio::test]
    async fn a_collecting_future_that_is_dropped_reaches_the_grandchild() {
        let folder = tempfile::tempdir().unwrap();
        let note = folder.path().join("pid");
        let path = note.to_str().unwrap();
        let run = ProcessIo::builder(child(&["do", "grandchild-into", path, "wait"]));
        let collecting = tokio::spawn(run.into_future());
        eventually("the child has told", || note.exists()).await;
        let grandchild = std::fs::read_to_string(&note)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        assert!(is_alive(grandchild));
        collecting.abort();
        dies(grandchild).await;
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn what_left_the_group_and_lost_its_parent_is_not_reached() {
        let mut io = ProcessIo::spawn(child(&["hold-apart", "600000", "quiet"])).unwrap();
        let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
        let line = line.to_string();
        let grandchild = line.split(' ').next_back().unwrap().parse().unwrap();
        io.control().kill_tree().unwrap();
        killed(&io.control()).await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        assert!(is_alive(grandchild));
        kill(grandchild);
    }

    async fn killed(control: &Control) {
        let status = within(control.wait()).await.unwrap();
        assert!(was_killed(status), "{status}");
    }
}
