//! Errors tell the cause: a spawn for which no descriptor or no process is left fails in its own way, leaves nothing
//! behind, and spoils nothing.
#![cfg(target_os = "linux")] // `/proc` lists what a process has open.
use std::{fs, io::ErrorKind, os::fd::AsRawFd};

use process_io::{Command, ProcessIo, Source};
use rustix::{
    io::Errno,
    process::{Resource, Rlimit, WaitId, WaitIdOptions, getrlimit, getuid, setrlimit, waitid},
};

use crate::support::{alone, assert_bytes, child, eventually, pattern, sh, within};

/// More than one spawn needs, with a guardian too.
const STEPS: u64 = 24;

/// Open descriptors, and the highest of them. The one that lists them is not counted.
fn open() -> (usize, u64) {
    let names = fs::read_dir("/proc/self/fd").unwrap();
    let fds: Vec<u64> = names
        .map(|entry| entry.unwrap().path())
        .filter(|path| fs::read_link(path).is_ok_and(|to| !to.ends_with("fd")))
        .map(|path| path.file_name().unwrap().to_str().unwrap().parse().unwrap())
        .collect();
    (fds.len(), fds.into_iter().max().unwrap())
}

/// Every number below the highest is in use, so that a limit above it says how many can be had.
fn fill_gaps() -> Vec<fs::File> {
    let (_, highest) = open();
    let mut files = Vec::new();
    loop {
        let file = fs::File::open("/dev/null").unwrap();
        let number = file.as_raw_fd();
        files.push(file);
        if number as u64 > highest {
            return files;
        }
    }
}

/// Whether this process has no child at all, not even one that waits to be reaped.
fn childless() -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::All, look), Err(Errno::CHILD))
}

/// Until this process is made to have another limit.
fn set_limit(resource: Resource, current: Option<u64>) {
    let maximum = getrlimit(resource).maximum;
    setrlimit(resource, Rlimit { current, maximum }).unwrap();
}

/// Spawns with ever so many more descriptors to be had, until there are enough; how often it failed.
async fn spawn_at_every_shortage(die_with_parent: bool) -> u64 {
    let usual = getrlimit(Resource::Nofile).current;
    let _no_gaps = fill_gaps();
    let (count, highest) = open();
    for spare in 0..STEPS {
        let run = ProcessIo::builder(child(&["write", "out", "1000", "err", "7"]));
        let run = run.die_with_parent(die_with_parent);
        set_limit(Resource::Nofile, Some(highest + 1 + spare));
        let spawned = run.spawn();
        set_limit(Resource::Nofile, usual);
        let mut io = match spawned {
            Ok(io) => io,
            Err(error) => {
                assert_eq!(
                    error.kind(),
                    process_io::ErrorKind::TooManyFiles,
                    "{error:?}"
                );
                let message = error.to_string();
                assert!(message.contains("no file descriptor left"), "{message}");
                eventually("no child is left", childless).await;
                eventually("no descriptor leaks", || open().0 <= count).await;
                continue;
            }
        };
        let output = within(io.output()).await.unwrap();
        assert!(output.success());
        assert_bytes(output.stdout, pattern(1000));
        assert_bytes(output.stderr, pattern(7));
        drop(io);
        return spare;
    }
    panic!("{STEPS} descriptors are not enough for one child");
}

/// Twice, for by the second time all that is opened once per process is open.
async fn leaves_nothing_at_any_step(die_with_parent: bool) {
    let failures = spawn_at_every_shortage(die_with_parent).await;
    assert!(failures > 3, "{failures}");
    let (count, _) = open();
    spawn_at_every_shortage(die_with_parent).await;
    eventually("nothing leaks", || open().0 <= count).await;
    eventually("no child is left", childless).await;
}

#[tokio::test]
async fn descriptors_run_out_at_any_step_of_a_spawn() {
    if alone("promise_10_nothing_left_to_spawn_with::descriptors_run_out_at_any_step_of_a_spawn") {
        leaves_nothing_at_any_step(false).await;
    }
}

#[tokio::test]
async fn descriptors_run_out_at_any_step_of_a_spawn_with_a_guardian() {
    if alone(
        "promise_10_nothing_left_to_spawn_with::descriptors_run_out_at_any_step_of_a_spawn_with_a_guardian",
    ) {
        leaves_nothing_at_any_step(true).await;
    }
}

#[tokio::test]
async fn descriptors_run_out_with_other_children_running() {
    if !alone(
        "promise_10_nothing_left_to_spawn_with::descriptors_run_out_with_other_children_running",
    ) {
        return;
    }
    let (before, highest) = open();
    let usual = getrlimit(Resource::Nofile).current;
    set_limit(Resource::Nofile, Some(highest + 60));
    let mut running = Vec::new();
    let error = loop {
        match ProcessIo::spawn(child(&["echo"])) {
            Ok(io) => running.push(io),
            Err(error) => break error,
        }
    };
    assert_eq!(
        error.kind(),
        process_io::ErrorKind::TooManyFiles,
        "{error:?}"
    );
    assert!(running.len() > 3);
    for io in &mut running {
        within(io.send("hello")).await.unwrap();
        let back = within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap();
        assert_eq!(back, "hello");
    }
    // Dropping children has to work without a descriptor to spare.
    drop(running);
    eventually("all are reaped", childless).await;
    set_limit(Resource::Nofile, usual);
    eventually("nothing leaks", || open().0 <= before + 1).await;
    let output = within(ProcessIo::builder(child(&["write", "out", "9"]))).await;
    assert_bytes(output.unwrap().stdout, pattern(9));
}

/// As a user for whom the limit holds. It does not for root, who is told only when the child has become another user, and
/// only if that user has a process already.
fn limited(script: &str) -> Command {
    let mut command = sh(script);
    if getuid().is_root() {
        command.uid(65534);
    }
    command
}

#[tokio::test]
async fn processes_run_out() {
    if !alone("promise_10_nothing_left_to_spawn_with::processes_run_out") {
        return;
    }
    let mut other = ProcessIo::spawn(limited("echo runs; read line")).unwrap();
    within(other.recv(Source::Stdout)).await.unwrap();
    let (count, usual) = (open().0, getrlimit(Resource::Nproc).current);
    let run = || ProcessIo::builder(limited("exit 3"));
    for dies in [false, true] {
        let run = run().die_with_parent(dies);
        set_limit(Resource::Nproc, Some(0));
        let spawned = run.spawn();
        set_limit(Resource::Nproc, usual);
        let error = spawned.unwrap_err();
        assert_eq!(
            error.kind(),
            process_io::ErrorKind::TooManyProcesses,
            "{error:?}"
        );
        let message = "`sh -c 'exit 3'`: too many processes to start another";
        assert_eq!(error.to_string(), message);
        assert_eq!(std::io::Error::from(error).kind(), ErrorKind::WouldBlock);
        eventually("no descriptor leaks", || open().0 <= count).await;
    }
    assert_eq!(within(run()).await.unwrap().code(), Some(3));
    drop(other);
    eventually("no child is left", childless).await;
}
