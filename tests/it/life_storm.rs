//! In a storm, what holds for one child holds for all: every byte is delivered, every stream ends with its own child, and
//! nothing is left behind. `examples/soak` shows the same at length.
#![cfg(target_os = "linux")] // `/proc` lists descriptors, and a pipe can be made to hold a whole output.

use std::{path::Path, sync::Barrier, thread};

use futures::{StreamExt, poll, stream};
use process_io::{Command, Drain, ErrorKind, ProcessIOWrapper, ProcessIo, Source};
use rustix::{
    io::Errno,
    process::{Resource, Rlimit, WaitId, WaitIdOptions, getrlimit, setrlimit, waitid},
};
use tokio::{runtime, task::JoinSet};

use crate::support::{GENEROUS, Way, alone, assert_bytes, child, eventually, pattern, sh, within};

const MEBIBYTE: usize = 1 << 20;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Whether this process has no child at all, not even one that waits to be reaped.
fn childless() -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::All, look), Err(Errno::CHILD))
}

/// A child that has written 1 MiB and exited before anything reads. Where a user may not have a pipe so large the child
/// waits for the reader.
async fn written_and_gone(data: &Path) -> ProcessIo {
    // It writes whole pages; of others the pipe would hold fewer bytes.
    let mut cat = Command::new("cat");
    cat.arg(data);
    let run = ProcessIo::builder(cat).pipe_capacity(MEBIBYTE);
    let file = ProcessIOWrapper::from(run.spawn().unwrap());
    let pipe = file.read_descriptor().unwrap();
    let holds_all = rustix::pipe::fcntl_getpipe_size(pipe).unwrap() >= MEBIBYTE;
    let io = file.into_inner();
    if holds_all {
        let status = within(io.control().wait()).await.unwrap();
        assert!(status.success(), "{status}");
    }
    io
}

#[tokio::test]
async fn a_mebibyte_waits_for_a_late_reader() {
    let folder = tempfile::tempdir().unwrap();
    let (data, expected) = (folder.path().join("data"), pattern(MEBIBYTE));
    std::fs::write(&data, &expected).unwrap();
    let rounds = stream::iter(0..200).map(|round| {
        let (data, expected) = (&data, &expected);
        async move {
            let way = Way::ALL[round % Way::ALL.len()];
            let (left, _) = way.read(written_and_gone(data).await).await;
            assert!(left.status.success(), "round {round} {way:?}");
            assert_bytes(left.stdout, expected);
        }
    });
    // Every user may have a few pipes of that size.
    rounds.buffer_unordered(4).collect::<Vec<()>>().await;
}

/// What blocks a thread cannot be ended by a time-out. For a test that is alone in its process.
fn abort_if_it_hangs() {
    thread::spawn(|| {
        thread::sleep(2 * GENEROUS);
        eprintln!("it hangs");
        std::process::abort();
    });
}

/// Children that are let go in all their states: not yet executed, running, gone, with descendants, with a guardian.
async fn spawn_and_drop(round: usize) {
    let run = match round % 5 {
        0 => ProcessIo::builder(child(&["deaf"])),
        1 => ProcessIo::builder(child(&["flood", "both"])),
        2 => ProcessIo::builder(child(&["exit", "3"])),
        3 => ProcessIo::builder(sh("sleep 1000 & (sleep 1000 &); sleep 1000 | cat")),
        _ => ProcessIo::builder(child(&["echo"])).die_with_parent(true),
    };
    let mut io = run.spawn().unwrap();
    match round / 5 % 4 {
        0 => {}
        1 => drop(poll!(Box::pin(io.recv(Source::Stdout)))),
        2 => drop(poll!(Box::pin(io.send(pattern(100_000))))),
        // It finds the end of its input, or nobody who reads its output; it may also be one that never ends.
        _ => {
            let control = io.detach();
            tokio::task::yield_now().await;
            control.kill_tree().unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_that_are_dropped_leave_nothing() {
    if !alone("life_storm::five_hundred_that_are_dropped_leave_nothing") {
        return;
    }
    abort_if_it_hangs();
    let before = descriptors();
    for batch in 0..5 {
        let mut storm = JoinSet::new();
        for round in 0..100 {
            storm.spawn(spawn_and_drop(batch * 100 + round));
        }
        within(storm.join_all()).await;
    }
    eventually("no child, no zombie", childless).await;
    eventually("no descriptor", || descriptors() == before).await;
}

/// When the child of a guardian is reaped by the reaper, the guardian is handed to it too.
#[tokio::test]
async fn a_guarded_child_that_is_let_go_does_not_stop_the_reaper() {
    if !alone("life_storm::a_guarded_child_that_is_let_go_does_not_stop_the_reaper") {
        return;
    }
    abort_if_it_hangs();
    for _ in 0..20 {
        let run = ProcessIo::builder(child(&["pid"])).die_with_parent(true);
        let mut io = run.spawn().unwrap();
        within(io.recv(Source::Stdout)).await.unwrap();
        let control = io.detach();
        within(control.wait()).await.unwrap();
    }
    drop(ProcessIo::spawn(child(&["deaf"])).unwrap());
    eventually("no child, no zombie", childless).await;
}

/// Starts children in pairs: a sleeper, and one that ends and whose stream no sleeper must keep open. Gives the sleepers.
fn beside_sleepers(start: &Barrier) -> Vec<ProcessIo> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(async {
        start.wait();
        let mut sleepers = Vec::new();
        for _ in 0..20 {
            sleepers.push(ProcessIo::spawn(child(&["deaf"])).unwrap());
            // Nothing but the true end of the stream ends it.
            let run = ProcessIo::builder(child(&["write", "out", "9"])).drain(Drain::UntilEof);
            assert_bytes(within(run).await.unwrap().stdout, pattern(9));
        }
        sleepers
    })
}

#[test]
fn a_stream_ends_with_its_own_child_whatever_other_threads_start() {
    let start = Barrier::new(8);
    let sleepers = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| beside_sleepers(&start)))
            .collect();
        let sleepers = threads.into_iter().map(|thread| thread.join().unwrap());
        sleepers.collect::<Vec<_>>()
    });
    for sleeper in sleepers.iter().flatten() {
        assert_eq!(sleeper.control().try_wait().unwrap(), None);
    }
}

/// Whether it could be started; if so every byte comes back.
async fn echo_or_refuse(number: usize) -> bool {
    let input = pattern(50_000 + number);
    let run = ProcessIo::builder(child(&["echo"])).input(input.clone());
    let mut io = match run.spawn() {
        Ok(io) => io,
        Err(error) if error.kind() == ErrorKind::TooManyFiles => return false,
        Err(error) => panic!("{error:?}"),
    };
    let output = within(io.output()).await.unwrap();
    assert!(output.success(), "{output:?}");
    assert_bytes(output.stdout, input);
    true
}

/// How many of so many at once could be started.
async fn storm(count: usize) -> usize {
    let mut storm = JoinSet::new();
    for number in 0..count {
        storm.spawn(echo_or_refuse(number));
    }
    storm
        .join_all()
        .await
        .into_iter()
        .filter(|ran| *ran)
        .count()
}

/// The limit comes and goes while children run, on two threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_that_runs_out_of_descriptors_recovers() {
    if !alone("life_storm::a_storm_that_runs_out_of_descriptors_recovers") {
        return;
    }
    let usual = getrlimit(Resource::Nofile);
    assert_eq!(storm(8).await, 8);
    eventually("no child, no zombie", childless).await;
    let before = descriptors();
    for spare in [0, 4, 8, 16, 32] {
        let early = tokio::spawn(storm(16));
        let few = Rlimit {
            current: Some(before as u64 + spare),
            ..usual
        };
        setrlimit(Resource::Nofile, few).unwrap();
        let started = storm(64).await;
        assert!(spare > 0 || started == 0, "{started}");
        early.await.unwrap();
        setrlimit(Resource::Nofile, usual).unwrap();
        assert_eq!(storm(16).await, 16);
    }
    eventually("no child, no zombie", childless).await;
    eventually("no descriptor", || descriptors() == before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_at_once_keep_their_bytes_apart() {
    let mut running = JoinSet::new();
    for number in 0..64 {
        running.spawn(async move {
            // Each its own, so that a byte of another child would be seen.
            let input = pattern(200_000 + number).split_off(number * 997);
            let run = ProcessIo::builder(child(&["echo"])).input(input.clone());
            let output = within(run).await.unwrap();
            assert!(output.success());
            assert_eq!(output.stdin_written, input.len() as u64);
            assert_bytes(output.stdout, input);
        });
    }
    within(running.join_all()).await;
}
