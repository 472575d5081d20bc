//! A copy of this process, made by `fork(2)` and without `execve(2)`, holds nothing of our children.
#![cfg(target_os = "linux")] // `/proc` tells what is open.

use process_io::{ProcessIo, Source};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::support::{alone, child, within};

/// A copy of this process that does nothing, until it is killed.
struct Copy(Pid);

impl Copy {
    fn new() -> Self {
        // SAFETY: the copy makes no other call than the one that waits for its end.
        let pid = unsafe {
            match libc::fork() {
                0 => loop {
                    libc::pause();
                },
                pid => pid,
            }
        };
        Self(Pid::from_raw(pid).expect("a copy"))
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        kill_process(self.0, Signal::KILL).unwrap();
        waitpid(Some(self.0), WaitOptions::empty()).unwrap();
    }
}

#[tokio::test]
async fn the_input_of_a_child_ends_all_the_same() {
    if !alone("forked_copies::the_input_of_a_child_ends_all_the_same") {
        return;
    }
    let mut io = ProcessIo::spawn(child(&["cat"])).unwrap();
    within(io.send("before\n")).await.unwrap();
    let copy = Copy::new();
    // It is still ours.
    within(io.send("after\n")).await.unwrap();
    let output = within(io.output()).await.unwrap();
    assert_eq!(output.stdout, "before\nafter\n");
    assert!(output.success());
    drop(copy);
}

#[tokio::test]
async fn a_child_learns_that_nobody_reads_its_output_any_more() {
    if !alone("forked_copies::a_child_learns_that_nobody_reads_its_output_any_more") {
        return;
    }
    let mut io = ProcessIo::spawn(child(&["flood"])).unwrap();
    within(io.recv(Source::Stdout)).await.unwrap();
    let copy = Copy::new();
    let control = io.detach();
    assert!(!within(control.wait()).await.unwrap().success());
    drop(copy);
}

/// Also where the number was that of a pipe to a child before.
#[tokio::test]
async fn what_is_not_ours_is_copied() {
    if !alone("forked_copies::what_is_not_ours_is_copied") {
        return;
    }
    drop(ProcessIo::spawn(child(&["cat"])).unwrap());
    let pipes: Vec<_> = (0..8).map(|_| rustix::pipe::pipe().unwrap()).collect();
    let _io = ProcessIo::spawn(child(&["cat"])).unwrap();
    let copy = Copy::new();
    for end in pipes.iter().flat_map(|(read, write)| [read, write]) {
        let number = std::os::fd::AsRawFd::as_raw_fd(end);
        let path = format!("/proc/{}/fd/{number}", copy.0.as_raw_nonzero());
        let target = std::fs::read_link(path).unwrap();
        assert!(target.to_string_lossy().starts_with("pipe:"), "{target:?}");
    }
}

/// It is no child of the copy's, and the two share a reactor.
#[tokio::test]
async fn a_copy_may_drop_a_handle() {
    if !alone("forked_copies::a_copy_may_drop_a_handle") {
        return;
    }
    let mut io = ProcessIo::spawn(child(&["cat"])).unwrap();
    within(io.send("all\n")).await.unwrap();
    // So that its exit is waited for already.
    assert_eq!(
        within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap(),
        "all\n"
    );
    // SAFETY: of the locks that the drop takes none is held by another thread: there is only the one that waits for this.
    let pid = match unsafe { libc::fork() } {
        0 => {
            drop(io);
            // SAFETY: it ends this process.
            unsafe { libc::_exit(7) }
        }
        pid => Pid::from_raw(pid).unwrap(),
    };
    let (_, status) = waitpid(Some(pid), WaitOptions::empty()).unwrap().unwrap();
    assert_eq!(status.exit_status(), Some(7));
    within(io.send("more\n")).await.unwrap();
    let output = within(io.output()).await.unwrap();
    assert_eq!(output.stdout, "more\n");
    assert!(output.success());
}
