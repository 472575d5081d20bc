//! Where the descendants of a child become ours, as in a container, they are reaped with it, and nobody else is.
#![cfg(target_os = "linux")]

use std::{process::Command, time::Duration};

use process_io::{Drain, Ladder, ProcessIo, Source};
use rustix::process::{getpid, set_child_subreaper};

use crate::support::{
    alone, alone_by, eventually,
    life::{childless, reapers},
    setup::first_process,
    sh, within,
};

const SHORT: Duration = Duration::from_millis(100);

/// What leaves a child behind, or more than one, in its group or out of it.
const TREES: [&str; 5] = [
    "sleep 300 & sleep 300; true",
    "(sleep 300 & sleep 300) & (sleep 300 | sleep 300)",
    "sh -c 'sleep 300 & sleep 300 & wait' & wait",
    "setsid sleep 300 & sleep 300; true",
    "timeout 300 sh -c 'sleep 300 & sleep 300; true'; true",
];

/// Others that run meanwhile: each has a status that somebody waits for.
async fn neighbours(round: u8) {
    use std::os::unix::process::CommandExt;
    let script = format!("sleep 0.0{round}; exit 1{round}");
    let std = Command::new("sh")
        .args(["-c", &script])
        .process_group(0)
        .spawn();
    let (mut std, mut ours) = (std.unwrap(), ProcessIo::spawn(sh(&script)).unwrap());
    let pipeline = ProcessIo::builder(sh(&script))
        .pipe(sh("cat"))
        .pipe(sh("exit 0"));
    let mut tokio = sh(&script).spawn().unwrap();
    let mut pipeline = pipeline.spawn().unwrap();
    let code = Some(10 + i32::from(round));
    assert_eq!(within(ours.wait()).await.unwrap().code(), code);
    assert_eq!(within(pipeline.wait()).await.unwrap().code(), code);
    assert_eq!(within(tokio.wait()).await.unwrap().code(), code);
    assert_eq!(std.wait().unwrap().code(), code);
}

async fn assert_nobody_is_left() {
    let stop = |script, round: u8| async move {
        let run = ProcessIo::builder(sh(&format!("echo ready; {script}")));
        let mut io = run.drain(Drain::Immediate).spawn().unwrap();
        within(io.recv(Source::Stdout)).await.unwrap();
        // As far as it gets: it may be in the middle of starting the others.
        io.set_timeout(SHORT / 4);
        match round % 4 {
            0 => drop(io),
            1 => assert!(within(io.wait()).await.unwrap_err().is_timeout()),
            2 => drop(within(io.shutdown(Ladder::kill())).await.unwrap()),
            _ => drop(within(io.output()).await.unwrap_err()),
        }
    };
    for round in 0..8 {
        let stops = TREES.map(|script| stop(script, round));
        tokio::join!(futures::future::join_all(stops), neighbours(round));
    }
    eventually("no zombie and no child", childless).await;
    eventually("the reaper ends", || reapers() == 0).await;
}

#[tokio::test]
async fn a_subreaper_has_no_zombies() {
    if !alone("subreaper::a_subreaper_has_no_zombies") {
        return;
    }
    set_child_subreaper(Some(getpid())).unwrap();
    assert_nobody_is_left().await;
}

#[tokio::test]
async fn the_first_process_has_no_zombies() {
    if !alone_by("subreaper::the_first_process_has_no_zombies", first_process) {
        return;
    }
    assert_eq!(getpid(), rustix::process::Pid::INIT);
    assert_nobody_is_left().await;
}

/// What a child has left lives on, is reaped when it ends, and keeps nobody busy until then.
#[tokio::test]
async fn what_was_left_is_reaped_later() {
    if !alone("subreaper::what_was_left_is_reaped_later") {
        return;
    }
    set_child_subreaper(Some(getpid())).unwrap();
    let run = ProcessIo::builder(sh("sleep 300 & echo $!")).drain(Drain::Immediate);
    let output = within(run).await.unwrap().check().unwrap();
    let left: u32 = output.stdout_lossy().trim().parse().unwrap();
    neighbours(1).await;
    assert!(crate::support::is_alive(left));
    crate::support::kill(left);
    eventually("no zombie and no child", childless).await;
    eventually("the reaper ends", || reapers() == 0).await;
}
