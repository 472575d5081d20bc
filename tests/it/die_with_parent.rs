//! Die with the parent: when this process is gone, however it ended, so are its children and all they started.
#![cfg(target_os = "linux")] // `/proc` tells who is in a process group, and who is a zombie.

mod guardian;

use std::time::Duration;

use process_io::{ProcessIo, Source};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::support::{GENEROUS, child, eventually, within};

/// A member of a process group, and its state: `S` sleeps, `Z` is a zombie.
fn members(group: u32) -> Vec<(u32, char)> {
    let stat = |entry: std::io::Result<std::fs::DirEntry>| {
        let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let (of, state) = group_and_state(pid)?;
        (of == group).then_some((pid, state))
    };
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(stat)
        .collect()
}

fn group_and_state(pid: u32) -> Option<(u32, char)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    Some((fields[2].parse().ok()?, fields[0].chars().next()?))
}

fn alive(group: u32) -> usize {
    let members = members(group).into_iter();
    members.filter(|(_, state)| *state != 'Z').count()
}

fn signal(group: u32, signal: Signal) {
    let group = Pid::from_raw(group as i32).unwrap();
    kill_process_group(group, signal).unwrap();
}

/// A process that has the library start children, see `parent` of the helper child.
struct Parent {
    io: ProcessIo,
    /// The process groups of its children.
    groups: Vec<u32>,
}

impl Parent {
    /// Each script is run after it has told its pid.
    async fn new(place: &str, what: &str, scripts: &[&str]) -> Self {
        let scripts: Vec<String> = (scripts.iter())
            .map(|script| format!("echo $$; {script}"))
            .collect();
        let mut args = vec!["parent", place, what];
        args.extend(scripts.iter().map(String::as_str));
        let io = ProcessIo::spawn(child(&args)).unwrap();
        let mut parent = Self {
            io,
            groups: Vec::new(),
        };
        loop {
            let line = within(parent.io.recv_line(Source::Stdout)).await.unwrap();
            let line = line.expect("the parent goes on").to_string();
            if line == "ready" {
                break;
            }
            let (group, _) = group_and_state(line.parse().unwrap()).expect("the child runs");
            assert_ne!(Some(group), parent.io.id(), "its own group");
            parent.groups.push(group);
        }
        assert_eq!(parent.groups.len(), scripts.len());
        parent
    }

    /// `SIGKILL` for it, and for nobody else.
    async fn kill(&mut self) {
        self.io.control().kill().unwrap();
        within(self.io.control().wait()).await.unwrap();
    }

    async fn all_die(&self) {
        for &group in &self.groups {
            eventually("the tree dies", || alive(group) == 0).await;
        }
    }
}

impl Drop for Parent {
    /// A test that fails leaves nobody behind either.
    fn drop(&mut self) {
        for &group in self.groups.iter().filter(|&&group| alive(group) > 0) {
            signal(group, Signal::KILL);
        }
    }
}

/// Kills the parent once its only child's group has come to so many members, the guardian included.
async fn killed_with(place: &str, what: &str, script: &str, count: usize) {
    let mut parent = Parent::new(place, what, &[script]).await;
    let group = parent.groups[0];
    eventually("all have started", || alive(group) == count).await;
    parent.kill().await;
    parent.all_die().await;
}

#[tokio::test]
async fn a_shell_and_what_it_waits_for() {
    killed_with("here", "keep", "sleep 300; true", 3).await;
}

#[tokio::test]
async fn a_pipeline() {
    killed_with("here", "keep", "sleep 300 | cat", 4).await;
}

#[tokio::test]
async fn a_child_in_the_background() {
    killed_with("here", "keep", "sleep 300 & wait", 3).await;
}

#[tokio::test]
async fn a_descendant_whose_own_parents_are_gone() {
    killed_with("here", "keep", "(sleep 300 & exit) & exit", 2).await;
}

#[tokio::test]
async fn a_tree_that_ignores_what_can_be_ignored() {
    killed_with("here", "keep", "trap '' HUP INT TERM; sleep 300; true", 3).await;
}

#[tokio::test]
async fn the_thread_that_spawned_may_end() {
    killed_with("thread", "keep", "sleep 300; true", 3).await;
}

#[tokio::test]
async fn the_thread_of_the_pool_that_spawned_may_end() {
    killed_with("blocking", "keep", "sleep 300; true", 3).await;
}

#[tokio::test]
async fn a_child_that_was_let_go_lives_on_until_then() {
    killed_with("here", "let-go", "sleep 300; true", 3).await;
}

#[tokio::test]
async fn a_child_that_was_detached_lives_on_until_then() {
    killed_with("here", "detach", "sleep 300; true", 3).await;
}

/// A copy of the parent, by `fork(2)`, is not the parent.
#[tokio::test]
async fn a_copy_of_the_parent_may_live_on() {
    killed_with("here", "copy", "sleep 300; true", 3).await;
}

#[tokio::test]
async fn many_children_at_once() {
    let mut parent = Parent::new("here", "keep", &["sleep 300; true"; 20]).await;
    for &group in &parent.groups {
        eventually("all have started", || alive(group) == 3).await;
    }
    parent.kill().await;
    parent.all_die().await;
}

/// Neither is there a signal, nor is anything dropped.
#[tokio::test]
async fn a_parent_that_exits_without_dropping() {
    let mut parent = Parent::new("here", "keep", &["sleep 300; true"]).await;
    let group = parent.groups[0];
    eventually("all have started", || alive(group) == 3).await;
    assert!(within(parent.io.output()).await.unwrap().success());
    parent.all_die().await;
}

/// What the others prove is due to the option.
#[tokio::test]
async fn without_it_children_outlive_us() {
    let mut parent = Parent::new("here", "outlive", &["sleep 300; true"]).await;
    let group = parent.groups[0];
    eventually("all have started", || alive(group) == 2).await;
    parent.kill().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(alive(group), 2);
}

/// Ignores this signal and that the group gets it; then the parent is killed.
async fn guards_after(number: i32) {
    let script = format!("trap '' {number}; echo ignoring; while :; do sleep 300; done");
    let mut parent = Parent::new("here", "keep", &[&script]).await;
    let group = parent.groups[0];
    // Its sleep is there once it ignores the signal. That is ignored by all it starts.
    eventually("all have started", || alive(group) == 3).await;
    // A shell that has just been started has not come to ignoring anything, and that is another test.
    eventually("the guardian sleeps", || {
        group_and_state(group).is_some_and(|(_, state)| state == 'S')
    })
    .await;
    signal(group, Signal::from_named_raw(number).unwrap());
    parent.kill().await;
    let start = std::time::Instant::now();
    while alive(group) > 0 {
        assert!(
            start.elapsed() < GENEROUS,
            "signal {number} ended the guard"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn signals_that_ask_for_an_end_do_not_end_the_guard() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT] {
        guards_after(signal.as_raw()).await;
    }
}

#[tokio::test]
async fn signals_for_the_program_itself_do_not_end_the_guard() {
    for signal in [Signal::USR1, Signal::USR2, Signal::ALARM, Signal::PIPE] {
        guards_after(signal.as_raw()).await;
    }
}
