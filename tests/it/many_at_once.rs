//! Children that many threads start at once hold each other's pipes for a moment, which must not be seen.
#![cfg(target_os = "linux")] // Where a test can have a process of its own.

use std::{future::IntoFuture, thread};

use process_io::{Drain, ProcessIo};
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
