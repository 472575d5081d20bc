//! A child that a tracer holds is a zombie that nobody else can reap: it is waited for without taking the processor.
#![cfg(target_os = "linux")]

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use process_io::{Ladder, ProcessIo};

use crate::support::{
    alone, child, eventually, exists, is_alive,
    life::{childless, reapers},
    sh, within,
};

const TRACER: &str = "
import ctypes, os, sys
PTRACE_SEIZE = 0x4206
libc = ctypes.CDLL(None, use_errno=True)
if libc.ptrace(PTRACE_SEIZE, int(sys.argv[1]), None, None):
    sys.exit(os.strerror(ctypes.get_errno()))
print('held', flush=True)
sys.stdin.read()
";

/// A tracer of this process, which lets it go when its stdin is closed. None where that is not allowed; it must be in CI.
fn hold(pid: u32) -> Option<Child> {
    let mut tracer = Command::new("python3");
    tracer
        .args(["-c", TRACER, &pid.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let started = tracer.spawn().map(|mut tracer| {
        let mut said = String::new();
        let stdout = tracer.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut said).unwrap();
        (tracer, said)
    });
    match started {
        Ok((tracer, said)) if said == "held\n" => Some(tracer),
        refused if env::var_os("CI").is_none() => {
            eprintln!("skipped: {refused:?}");
            None
        }
        refused => panic!("{refused:?}"),
    }
}

fn let_go(mut tracer: Child) {
    drop(tracer.stdin.take());
    tracer.wait().unwrap();
}

/// What this whole process has taken of the processor.
fn used() -> Duration {
    let [user, system] = {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        [11, 12].map(|at| fields[at].parse::<u64>().unwrap())
    };
    // The system counts in hundredths of a second.
    Duration::from_millis((user + system) * 10)
}

/// How long the zombie is held, and the most that the processor may take meanwhile.
const HELD: Duration = Duration::from_millis(1500);
const MOST: Duration = Duration::from_millis(200);

#[tokio::test]
async fn dropped_it_is_reaped_when_it_is_let_go() {
    if !alone("held_by_a_tracer::dropped_it_is_reaped_when_it_is_let_go") {
        return;
    }
    let io = ProcessIo::spawn(child(&["sleep"])).unwrap();
    let pid = io.id().unwrap();
    let Some(tracer) = hold(pid) else { return };
    drop(io);
    eventually("it is a zombie", || !is_alive(pid)).await;
    let before = used();
    tokio::time::sleep(HELD).await;
    let took = used() - before;
    assert!(exists(pid) && reapers() == 1);
    assert!(took < MOST, "{took:?}");
    // Meanwhile others are reaped as ever.
    drop(ProcessIo::spawn(child(&["sleep"])).unwrap());
    let_go(tracer);
    eventually("it is reaped", || !exists(pid) && childless()).await;
    eventually("the reaper ends", || reapers() == 0).await;
}

#[tokio::test]
async fn waited_for_it_blocks_nobody() {
    if !alone("held_by_a_tracer::waited_for_it_blocks_nobody") {
        return;
    }
    let mut io = ProcessIo::spawn(child(&["sleep"])).unwrap();
    let (control, pid) = (io.control(), io.id().unwrap());
    let Some(tracer) = hold(pid) else { return };
    control.kill().unwrap();
    eventually("it is a zombie", || !is_alive(pid)).await;
    // On this one thread, beside others.
    let waiter = control.clone();
    let waiting = tokio::spawn(async move { waiter.wait().await });
    let before = used();
    assert!(tokio::time::timeout(HELD, io.wait()).await.is_err());
    let took = used() - before;
    assert!(took < MOST, "{took:?}");
    assert_eq!(control.try_wait().unwrap(), None);
    let_go(tracer);
    assert_eq!(within(io.wait()).await.unwrap().code(), None);
    assert_eq!(within(waiting).await.unwrap().unwrap().code(), None);
    assert!(!exists(pid));
}

/// A time-out kills, and the exit comes when the tracer lets it.
#[tokio::test]
async fn a_time_out_ends_it() {
    if !alone("held_by_a_tracer::a_time_out_ends_it") {
        return;
    }
    let mut io = ProcessIo::builder(sh("echo said; sleep 300; true"))
        .spawn()
        .unwrap();
    let pid = io.id().unwrap();
    let Some(tracer) = hold(pid) else { return };
    io.set_timeout(Duration::from_millis(50));
    let task = tokio::spawn(async move { io.output().await });
    eventually("it is a zombie", || !is_alive(pid)).await;
    let before = used();
    tokio::time::sleep(HELD).await;
    let took = used() - before;
    assert!(took < MOST, "{took:?}");
    assert!(!task.is_finished());
    let_go(tracer);
    let error = within(task).await.unwrap().unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(error.output().unwrap().stdout, "said\n");
    eventually("it is reaped", || !exists(pid)).await;
}

#[tokio::test]
async fn a_shutdown_ends_it() {
    if !alone("held_by_a_tracer::a_shutdown_ends_it") {
        return;
    }
    let mut io = ProcessIo::spawn(child(&["sleep"])).unwrap();
    let pid = io.id().unwrap();
    let Some(tracer) = hold(pid) else { return };
    let task = tokio::spawn(async move { io.shutdown(Ladder::kill()).await });
    eventually("it is a zombie", || !is_alive(pid)).await;
    let before = used();
    tokio::time::sleep(HELD).await;
    assert!(used() - before < MOST);
    let_go(tracer);
    assert_eq!(within(task).await.unwrap().unwrap().status.code(), None);
}
