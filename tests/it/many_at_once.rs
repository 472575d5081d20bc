//! Children that many threads start at once hold each other's pipes for a moment, which must not be seen.
#![cfg(target_os = "linux")] // Where a test can have a process of its own.

use std::{future::IntoFuture, thread};
#[cfg(unix)]
use std::{os::fd::OwnedFd, time::Duration};

use process_io::{Drain, ProcessIo};
#[cfg(unix)]
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{read, write},
    pipe::{PipeFlags, pipe_with},
};
#[cfg(unix)]
use tokio::process::Command;
use tokio::runtime::Runtime;

use crate::support::{alone, child};

/// More by hand: `PROCESS_IO_TEST_ROUNDS=100000`.
fn children() -> usize {
    let rounds = std::env::var("PROCESS_IO_TEST_ROUNDS");
    rounds.map_or(2000, |rounds| rounds.parse().expect("a number"))
}

#[test]
fn no_pipe_seems_to_be_held() {
    // Of a child that other tests start by other means nothing is known, and it has copies of the pipes too.
    if !alone("many_at_once::no_pipe_seems_to_be_held") {
        return;
    }
    const THREADS: usize = 16;
    let runtime = Runtime::new().unwrap();
    let held: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|at| {
                let runtime = &runtime;
                scope.spawn(move || {
                    let drain = [Drain::Immediate, Drain::default()][at % 2];
                    let run = || ProcessIo::builder(child(&["exit", "0"])).drain(drain);
                    let outputs =
                        (0..children() / THREADS).map(|_| runtime.block_on(run().into_future()));
                    outputs
                        .filter(|output| output.as_ref().unwrap().pipes_held)
                        .count()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!(held, 0, "of {}", children());
}

/// A command whose child, before it runs the program, tells that it is there and waits for a byte.
#[cfg(unix)]
fn pausing(args: &[&str]) -> std::io::Result<(Command, OwnedFd, OwnedFd)> {
    const PATIENCE: Timespec = Timespec {
        tv_sec: 20,
        tv_nsec: 0,
    };
    let (told, tell) = pipe_with(PipeFlags::CLOEXEC)?;
    let (gone_on, go) = pipe_with(PipeFlags::CLOEXEC)?;
    let pause = move || {
        write(&tell, b".")?;
        let mut fds = [PollFd::new(&gone_on, PollFlags::IN)];
        poll(&mut fds, Some(&PATIENCE))?;
        Ok(())
    };
    let mut command = child(args);
    // SAFETY: the calls may be made between fork and exec.
    unsafe { command.pre_exec(pause) };
    Ok((command, told, go))
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_sibling_that_is_slow_to_start_is_no_holder() {
    // It gets copies of the pipes of other tests, too.
    if !alone("many_at_once::a_sibling_that_is_slow_to_start_is_no_holder") {
        return;
    }
    let (command, started, go) = pausing(&["exit", "0"]).unwrap();
    let run = ProcessIo::builder(command).drain(Drain::Immediate);
    let starting = tokio::spawn(run.start());
    read(&started, &mut [0]).unwrap();

    // It gets copies of the first one's pipes.
    let (command, started, go_sibling) = pausing(&["exit", "0"]).unwrap();
    let sibling = tokio::spawn(ProcessIo::builder(command).start());
    read(&started, &mut [0]).unwrap();

    write(&go, b".").unwrap();
    let go_on = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        write(&go_sibling, b".").unwrap();
    };
    let run = async { starting.await.unwrap()?.output().await };
    let (output, ()) = tokio::join!(run, go_on);
    assert!(!output.unwrap().pipes_held);
    assert!(sibling.await.unwrap().unwrap().output().await.is_ok());
}
