//! A process that has closed its own stdin, stdout or stderr: no descriptor of this crate takes their place, where what is
//! printed would become the child's input.
#![cfg(target_os = "linux")]

use std::{
    io,
    os::fd::{AsFd, FromRawFd, OwnedFd},
    time::{Duration, Instant},
};

use futures::poll;
use process_io::{ProcessIo, Redirect, Source};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use crate::support::{alone, child, within};

/// Longer than a file is open here that is only looked at.
const MOMENT: Duration = Duration::from_secs(5);

/// They are open again when it is dropped.
struct Closed(Vec<(i32, OwnedFd)>);

impl Closed {
    fn new(which: &[i32]) -> Self {
        let saved = which.iter().map(|&fd| {
            let saved = match fd {
                0 => io::stdin().as_fd().try_clone_to_owned(),
                1 => io::stdout().as_fd().try_clone_to_owned(),
                _ => io::stderr().as_fd().try_clone_to_owned(),
            };
            (fd, saved.unwrap())
        });
        let saved = saved.collect();
        for &fd in which {
            // SAFETY: it is open, and no code of this process relies on its number: what std reads and writes there fails.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
        }
        Self(saved)
    }

    /// Which of them are open on something else.
    fn taken(&self) -> Vec<String> {
        let opened = |(fd, _): &(i32, OwnedFd)| {
            let target = std::fs::read_link(format!("/proc/self/fd/{fd}")).ok()?;
            Some(format!("{fd} {}", target.display()))
        };
        self.0.iter().filter_map(opened).collect()
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        for (fd, saved) in &self.0 {
            let restored = match fd {
                0 => dup2_stdin(saved),
                1 => dup2_stdout(saved),
                _ => dup2_stderr(saved),
            };
            restored.unwrap();
        }
    }
}

/// What each step left open there, and what it read.
async fn steps(which: &[i32]) -> Vec<(&'static str, Vec<String>, String)> {
    let file = tempfile::tempfile().unwrap();
    let closed = Closed::new(which);
    let mut seen = Vec::new();
    let mut see = async |step, closed: &Closed, output: &[u8]| {
        // Something that is read at once may be open there for a moment.
        let start = Instant::now();
        let mut taken = closed.taken();
        while !taken.is_empty() && start.elapsed() < MOMENT {
            tokio::task::yield_now().await;
            taken = closed.taken();
        }
        let output = String::from_utf8_lossy(output).into_owned();
        seen.push((step, taken, output));
    };

    let mut io = ProcessIo::spawn(child(&["cat"])).unwrap();
    within(io.send("text")).await.unwrap();
    let answer = within(io.recv(Source::Stdout))
        .await
        .unwrap()
        .data()
        .unwrap();
    see("pipes", &closed, &answer).await;
    within(io.send("text")).await.unwrap();
    let mut splicing = Box::pin(io.splice_to(Source::Stdout, file.as_fd()));
    assert!(poll!(&mut splicing).is_pending());
    see("an outlet", &closed, b"text").await;
    drop(splicing);
    drop(io);

    let mut io = ProcessIo::builder(child(&["cat"]))
        .die_with_parent(true)
        .pipe(child(&["cat"]))
        .spawn()
        .unwrap();
    within(io.send("text")).await.unwrap();
    io.close_stdin();
    see("a guarded pipeline", &closed, b"text").await;
    let output = within(io.output()).await.unwrap();
    see("its output", &closed, &output.stdout).await;

    let sleeper = ProcessIo::builder(child(&["sleep"])).kill_on_drop(false);
    let sleeper = sleeper.spawn().unwrap();
    let control = sleeper.control();
    drop(sleeper);
    see("a child that is let go", &closed, b"text").await;
    control.kill().unwrap();

    let say = ProcessIo::builder(child(&["say", "err", "wrong", "out", "text"]));
    let mut io = say.stderr(Redirect::Null).spawn().unwrap();
    let text = within(io.recv(Source::Stdout))
        .await
        .unwrap()
        .data()
        .unwrap();
    see("an output to nowhere", &closed, &text).await;
    seen
}

#[tokio::test]
async fn none_of_ours_takes_their_place() {
    if !alone("standard_descriptors_closed::none_of_ours_takes_their_place") {
        return;
    }
    for which in [&[0][..], &[1], &[2], &[0, 1, 2]] {
        for (step, taken, output) in steps(which).await {
            assert!(taken.is_empty(), "{step} with {which:?} closed: {taken:?}");
            assert_eq!(output, "text", "{step} with {which:?} closed");
        }
    }
}
