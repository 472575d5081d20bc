//! A child that tokio started is driven as one of ours, as far as that goes.

use std::{process::Stdio, time::Duration};

use process_io::{ErrorKind, Ladder, ProcessIo, Signal, Source, transport::Parts};
use tokio::process::Child;

use crate::support::{GENEROUS, child, within};

fn piped(args: &[&str]) -> Child {
    let mut command = child(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(Stdio::piped()).spawn().unwrap()
}

fn driven(args: &[&str]) -> ProcessIo {
    ProcessIo::from_parts(piped(args).into())
}

/// One that runs, and has said so.
async fn ready(args: &[&str]) -> ProcessIo {
    let mut io = driven(args);
    let word = within(io.recv(Source::Stdout)).await.unwrap();
    assert_eq!(word.data().unwrap(), "ready\n");
    io
}

#[tokio::test]
async fn its_output_and_its_status() {
    let run = driven(&["do", "out", "words", "err", "more", "exit", "3"]);
    let output = within(run).await.unwrap();
    assert_eq!(
        (&output.stdout[..], &output.stderr[..]),
        (&b"words"[..], &b"more"[..])
    );
    assert_eq!(output.code(), Some(3));
    let error = output.check().unwrap_err();
    assert!(error.kind() == ErrorKind::Failed && error.command().is_none());
}

#[tokio::test]
async fn pipes_that_are_not_there() {
    let mut command = child(&["do", "out", "words"]);
    command.stdin(Stdio::null()).stderr(Stdio::null());
    let mut only_stdout = command.stdout(Stdio::piped()).spawn().unwrap();
    let taken = only_stdout.stdout.take().unwrap();
    let mut io = ProcessIo::from_parts(Parts::from(only_stdout).stdout(taken));
    assert!(within(io.send("x")).await.unwrap_err().is_broken_pipe());
    let error = within(io.recv(Source::Stderr)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotPiped, "{error}");
    assert_eq!(within(io.output()).await.unwrap().stdout, "words");
}

#[tokio::test]
async fn every_task_that_waits_learns_of_its_exit() {
    let mut io = driven(&["echo"]);
    let id = io.id().unwrap();
    assert_eq!(io.try_wait().unwrap(), None);
    let waiters: Vec<_> = (0..5)
        .map(|_| {
            let control = io.control();
            tokio::spawn(async move { control.wait().await.unwrap() })
        })
        .collect();
    // All of them wait by now.
    tokio::task::yield_now().await;
    io.close_stdin();
    assert!(within(io.wait()).await.unwrap().success());
    for waiter in waiters {
        assert!(within(waiter).await.unwrap().success());
    }
    assert!(io.try_wait().unwrap().unwrap().success());
    assert_ne!(id, 0);
    assert_eq!(io.id(), None);
    // Its number may be another's.
    io.kill().unwrap();
}

/// The call that does not wait reaps the child, and nothing else tells of that.
#[tokio::test]
async fn a_status_that_was_looked_up_wakes_those_that_wait() {
    let mut io = driven(&["echo"]);
    let control = io.control();
    let waiter = tokio::spawn(async move { control.wait().await.unwrap() });
    tokio::task::yield_now().await;
    io.close_stdin();
    let start = std::time::Instant::now();
    // The runtime is kept from seeing anything meanwhile.
    while io.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < GENEROUS);
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(within(waiter).await.unwrap().success());
    assert!(within(io.wait()).await.unwrap().success());
}

#[tokio::test]
async fn a_kill_reaches_it() {
    let mut io = ready(&["deaf"]).await;
    io.kill().unwrap();
    assert!(!within(io.wait()).await.unwrap().success());
    let mut io = ready(&["deaf"]).await;
    io.control().kill_tree().unwrap();
    assert!(!within(io.wait()).await.unwrap().success());
}

#[tokio::test]
async fn it_is_shut_down() {
    let mut io = ready(&["deaf"]).await;
    let report = within(io.shutdown(Ladder::kill())).await.unwrap();
    assert!(!report.status.success());
}

#[cfg(unix)]
#[tokio::test]
async fn signals_reach_it() {
    use std::os::unix::process::ExitStatusExt;

    let mut io = ready(&["deaf"]).await;
    assert!(io.signal(Signal::from_raw(0)).is_err());
    io.signal(Signal::from_raw(libc::SIGSTOP)).unwrap();
    // One that is stopped is continued by what asks for its end.
    io.terminate().unwrap();
    let status = within(io.wait()).await.unwrap();
    assert_eq!(status.signal(), Some(libc::SIGTERM));
    io.terminate().unwrap();
}

#[cfg(windows)]
#[tokio::test]
async fn it_can_only_be_killed() {
    let io = ready(&["deaf"]).await;
    assert!(io.signal(Signal::TERM).is_err());
}

/// By tokio, when something of the runtime happens next.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn dropped_it_is_killed_and_reaped() {
    let io = ready(&["deaf"]).await;
    let pid = io.id().unwrap();
    drop(io);
    crate::support::eventually("it is reaped", || !crate::support::exists(pid)).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn let_go_it_runs_on() {
    let io = ready(&["deaf"]).await;
    let control = io.detach();
    let pid = control.id().unwrap();
    assert!(crate::support::is_alive(pid));
    control.signal(Signal::KILL).unwrap();
    let status = within(control.wait()).await.unwrap();
    assert!(crate::support::was_killed(status));
    assert!(!crate::support::exists(pid));
}
