//! Who is still there: for tests of what a drop leaves behind.

use std::{
    future::pending,
    pin::Pin,
    time::{Duration, Instant},
};

use futures::StreamExt;
use process_io::{Ladder, ProcessIo, Signal, Source};
use tokio::runtime::{Builder, Runtime};

use super::{GENEROUS, child, exists, is_alive, pattern, sh, within};

const NEVER: Duration = Duration::from_secs(3600);

/// A drop that waited for anything would take for ever: nothing that it is used with ends by itself.
const AT_ONCE: Duration = Duration::from_secs(10);

/// One of each flavour.
pub(crate) fn runtimes() -> [Runtime; 2] {
    [Builder::new_current_thread(), Builder::new_multi_thread()]
        .map(|mut builder| builder.enable_all().build().expect("a runtime"))
}

/// A child that ignores SIGTERM and says so; its pid.
pub(crate) async fn stubborn() -> (ProcessIo, u32) {
    let mut io = ProcessIo::spawn(child(&["trap-term"])).expect("the child starts");
    let said = within(io.recv(Source::Stdout))
        .await
        .unwrap()
        .data()
        .unwrap();
    assert_eq!(said, "ready\n");
    let pid = io.id().unwrap();
    (io, pid)
}

/// Killed and reaped. Needs no runtime, and calls nothing of this crate.
#[track_caller]
pub(crate) fn assert_gone(pid: u32) {
    let start = Instant::now();
    while exists(pid) {
        assert!(start.elapsed() < GENEROUS, "{pid} is still there");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Drops it, which must not wait; then the child must go.
#[track_caller]
pub(crate) fn assert_drop<T>(value: T, pid: u32) {
    assert!(is_alive(pid));
    let start = Instant::now();
    drop(value);
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    assert_gone(pid);
}

/// Whether this process has no child, not even a zombie. For a test that runs [alone](super::alone).
pub(crate) fn childless() -> bool {
    use rustix::{
        io::Errno,
        process::{WaitId, WaitIdOptions, waitid},
    };
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::All, look), Err(Errno::CHILD))
}

/// How many of the threads that reap dropped children there are. For a test that runs [alone](super::alone).
pub(crate) fn reapers() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let names = threads.filter_map(|thread| {
        // A thread may end between the listing and the look.
        std::fs::read_to_string(thread.ok()?.path().join("comm")).ok()
    });
    // The system keeps 15 characters of a name.
    names
        .filter(|name| name.starts_with("process-io-reap"))
        .count()
}

/// A shell that ignores what asks it to end, with a child that does so too. The pids of both.
pub(crate) async fn family() -> (ProcessIo, [u32; 2]) {
    family_that_is_killed(true).await
}

pub(crate) async fn family_that_is_killed(kill_on_drop: bool) -> (ProcessIo, [u32; 2]) {
    let run = ProcessIo::builder(sh("trap '' TERM; sleep 300 & echo $!; wait"));
    let mut io = run.kill_on_drop(kill_on_drop).spawn().unwrap();
    let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
    let grandchild = line.to_string().parse().unwrap();
    let shell = io.id().unwrap();
    (io, [shell, grandchild])
}

/// The child is reaped, its own child is dead. That one is the system's to reap.
#[track_caller]
pub(crate) fn assert_family_gone([shell, grandchild]: [u32; 2]) {
    assert_gone(shell);
    let start = Instant::now();
    while is_alive(grandchild) {
        assert!(start.elapsed() < GENEROUS, "{grandchild} lives");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) type Middle = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Puts a handle into the middle of something.
type Begin = fn(ProcessIo) -> Middle;

/// What a handle can be in the middle of, and can be dropped with.
pub(crate) const MIDDLES: [(&str, Begin); 8] = [
    ("recv", |mut io| {
        Box::pin(async move { drop(io.recv(Source::Stdout).await) })
    }),
    ("expect", |mut io| {
        Box::pin(async move { drop(io.expect("never said").await) })
    }),
    ("lines", |io| {
        Box::pin(async move { io.into_lines().for_each(|_| pending()).await })
    }),
    ("send", |mut io| {
        Box::pin(async move { drop(io.send(pattern(8 << 20)).await) })
    }),
    ("wait", |mut io| {
        Box::pin(async move { drop(io.wait().await) })
    }),
    ("collect", |io| Box::pin(async move { drop(io.await) })),
    ("shutdown at its first step", |mut io| {
        let ladder = Ladder::new().close_stdin(NEVER);
        Box::pin(async move { drop(io.shutdown(ladder).await) })
    }),
    ("shutdown at its second step", |mut io| {
        let ladder = Ladder::new().close_stdin(Duration::ZERO);
        let ladder = ladder.signal_child(Signal::TERM, NEVER);
        Box::pin(async move { drop(io.shutdown(ladder).await) })
    }),
];
