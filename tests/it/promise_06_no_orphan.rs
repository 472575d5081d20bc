//! No orphan, no zombie: wherever a handle goes away, the tree dies and the child is reaped, and nobody has to call anything
//! for it. `drop_and_runtime` has the plain cases; here it is in the middle of things.
#![cfg(target_os = "linux")] // `/proc` tells a process that runs from a zombie and from one that is gone.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use futures::{FutureExt, StreamExt, poll, stream};
use process_io::{Found, Input, Ladder, Needle, ProcessIo, Signal, Source, Step};
use tokio::runtime::Runtime;

use crate::support::{
    GENEROUS, alone, child, eventually,
    life::{
        MIDDLES, Middle, assert_drop, assert_family_gone, assert_gone, childless, family, reapers,
        runtimes, stubborn,
    },
    sh, within,
};

const NEVER: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn dropped_in_the_middle() {
    for (what, middle) in MIDDLES {
        let (io, pids) = family().await;
        let mut future = middle(io);
        assert!(poll!(&mut future).is_pending(), "{what}");
        assert_drop(future, pids[0]);
        assert_family_gone(pids);
    }
}

/// The future is moved out of the runtime, and dropped where there is none.
#[test]
fn dropped_in_the_middle_outside_any_runtime() {
    for runtime in runtimes() {
        for (what, middle) in MIDDLES {
            let (future, pids) = runtime.block_on(async {
                let (io, pids) = family().await;
                let mut future = middle(io);
                assert!(poll!(&mut future).is_pending(), "{what}");
                (future, pids)
            });
            std::thread::spawn(move || assert_drop(future, pids[0]))
                .join()
                .unwrap();
            assert_family_gone(pids);
        }
    }
}

#[test]
fn dropped_in_the_middle_when_the_runtime_is_gone() {
    for (what, middle) in MIDDLES {
        for runtime in runtimes() {
            let (mut future, pids) = runtime.block_on(async {
                let (io, pids) = family().await;
                (middle(io), pids)
            });
            runtime.block_on(async { assert!(poll!(&mut future).is_pending(), "{what}") });
            drop(runtime);
            assert_drop(future, pids[0]);
            assert_family_gone(pids);
        }
    }
}

#[test]
fn dropped_in_the_middle_by_a_runtime_that_shuts_down() {
    let ways: [fn(Runtime); 2] = [drop, |runtime| runtime.shutdown_background()];
    for shut_down in ways {
        for (what, middle) in MIDDLES {
            for runtime in runtimes() {
                let pids = runtime.block_on(async {
                    let (io, pids) = family().await;
                    let mut future = middle(io);
                    assert!(poll!(&mut future).is_pending(), "{what}");
                    tokio::spawn(future);
                    pids
                });
                shut_down(runtime);
                assert_family_gone(pids);
            }
        }
    }
}

#[tokio::test]
async fn dropped_in_the_middle_by_a_panic() {
    for (what, middle) in MIDDLES {
        let (io, pids) = family().await;
        let mut future = middle(io);
        let task = tokio::spawn(async move {
            assert!(poll!(&mut future).is_pending());
            panic!("as the test wants");
        });
        assert!(within(task).await.unwrap_err().is_panic(), "{what}");
        assert_family_gone(pids);
    }
}

/// The time is up, and the child is being asked to end. Then that is what the drop does too, whatever it would have done.
#[tokio::test]
async fn dropped_while_a_time_out_is_on_its_way_down() {
    let script = "trap 'echo asked' TERM; echo ready; while :; do sleep 0.02; done";
    for kill_on_drop in [false, true] {
        let run = ProcessIo::builder(sh(script)).kill_on_drop(kill_on_drop);
        let mut io = run.spawn().unwrap();
        let ready = within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap();
        assert_eq!(ready, "ready\n");
        io.set_ladder(Ladder::new().signal(Signal::TERM, NEVER));
        io.set_deadline(tokio::time::Instant::now());
        let asked = within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap();
        assert_eq!(asked, "asked\n");
        let pid = io.id().unwrap();
        assert_drop(io, pid);
    }
}

// ---- Panics of what is called in between ----

/// A needle that does not work.
#[derive(Debug)]
struct Broken;

impl Needle for Broken {
    fn find(&self, _: &[u8], _: usize) -> Option<Found> {
        panic!("as the test wants")
    }
}

#[tokio::test]
async fn dropped_by_a_panic_of_its_own_input() {
    let pid = Arc::new(AtomicUsize::new(0));
    let known = pid.clone();
    let source = stream::once(async { "first" }).chain(stream::once(async move {
        // Until then nobody knows whom to look for.
        while known.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        panic!("as the test wants");
    }));
    let run = ProcessIo::builder(child(&["cat"])).input(Input::stream(source));
    let io = run.spawn().unwrap();
    let id = io.id().unwrap();
    let task = tokio::spawn(IntoFuture::into_future(io));
    pid.store(id as usize, Ordering::Relaxed);
    assert!(within(task).await.unwrap_err().is_panic());
    assert_gone(id);
}

#[tokio::test]
async fn a_panic_that_is_caught_leaves_a_handle_that_can_stop_the_child() {
    let mut io = ProcessIo::spawn(child(&["cat"])).unwrap();
    let pid = io.id().unwrap();
    within(io.send("something to look at")).await.unwrap();
    let caught = AssertUnwindSafe(within(io.expect(Broken)))
        .catch_unwind()
        .await;
    assert!(caught.is_err());
    let report = within(io.shutdown(Ladder::default())).await.unwrap();
    assert_eq!(report.ended_by(), Some(Step::CloseStdin));
    assert_gone(pid);
}

/// A panic while another is under way aborts the process: the drop must not have one of its own.
#[test]
fn dropped_while_unwinding() {
    struct Holder(Option<Middle>);
    impl Drop for Holder {
        fn drop(&mut self) {
            assert!(std::thread::panicking());
            drop(self.0.take());
        }
    }
    for (_, middle) in MIDDLES {
        for runtime in runtimes() {
            let (io, pids) = runtime.block_on(family());
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                let mut holder = Holder(Some(middle(io)));
                runtime.block_on(async {
                    assert!(poll!(holder.0.as_mut().unwrap()).is_pending());
                });
                panic!("as the test wants");
            }));
            assert!(panicked.is_err());
            assert_family_gone(pids);
        }
    }
}

#[test]
fn dropped_by_a_thread_that_ends() {
    thread_local!(static KEPT: RefCell<Option<ProcessIo>> = const { RefCell::new(None) });
    for runtime in runtimes() {
        let (tell, told) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let (io, pids) = runtime.block_on(family());
            tell.send(pids).unwrap();
            KEPT.set(Some(io));
        });
        thread.join().unwrap();
        assert_family_gone(told.recv().unwrap());
    }
}

// ---- In the middle of spawning ----

/// A run that is dropped at once may have got anywhere: not to its program yet, to the shell, to what that starts.
#[tokio::test]
async fn dropped_in_the_middle_of_spawning() {
    if !alone("promise_06_no_orphan::dropped_in_the_middle_of_spawning") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "cd {}; sleep 300 & sleep 300; true",
        folder.path().display()
    );
    let started = AtomicUsize::new(0);
    for round in 0..60 {
        match round % 4 {
            0 => drop(ProcessIo::builder(sh(&script)).into_future()),
            1 => drop(ProcessIo::spawn(sh(&script)).unwrap()),
            2 => {
                let mut run = ProcessIo::builder(sh(&script)).into_future();
                assert!(poll!(&mut run).is_pending());
                started.fetch_add(1, Ordering::Relaxed);
            }
            _ => {
                let task = tokio::spawn(ProcessIo::builder(sh(&script)).into_future());
                if round % 8 == 3 {
                    tokio::task::yield_now().await;
                }
                task.abort();
            }
        }
    }
    assert_eq!(started.into_inner(), 15);
    eventually("no child and no zombie", childless).await;
    // Whoever got as far as to start another is known by where that is.
    eventually("nobody is left", || at(folder.path()) == 0).await;
}

/// How many processes have this working directory.
fn at(folder: &std::path::Path) -> usize {
    let all = std::fs::read_dir("/proc").unwrap();
    let folders = all.filter_map(|entry| entry.ok()?.path().join("cwd").read_link().ok());
    folders.filter(|cwd| cwd == folder).count()
}

/// The reactor goes away under tasks that spawn as fast as they can.
#[test]
fn a_runtime_that_shuts_down_while_its_tasks_spawn_leaves_nobody() {
    if !alone("promise_06_no_orphan::a_runtime_that_shuts_down_while_its_tasks_spawn_leaves_nobody")
    {
        return;
    }
    for round in 0..20 {
        let [_, runtime] = runtimes();
        let spawned = Arc::new(AtomicUsize::new(0));
        let over = Arc::new(AtomicBool::new(false));
        for _ in 0..4 {
            let (spawned, over) = (spawned.clone(), over.clone());
            runtime.spawn(async move {
                let mut kept = Vec::new();
                // Without a point to be stopped at: the runtime cannot wait for it.
                while !over.load(Ordering::Relaxed) && kept.len() < 50 {
                    match ProcessIo::spawn(child(&["deaf"])) {
                        Ok(io) => kept.push(io),
                        Err(_) => break,
                    }
                    spawned.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while spawned.load(Ordering::Relaxed) < 5 {
            std::thread::yield_now();
        }
        if round % 2 == 0 {
            runtime.shutdown_background();
        } else {
            runtime.shutdown_timeout(Duration::from_millis(1));
        }
        over.store(true, Ordering::Relaxed);
        let start = Instant::now();
        while !childless() {
            assert!(start.elapsed() < GENEROUS, "somebody is left");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

#[tokio::test]
async fn a_storm_in_the_middle_of_everything_leaves_nothing() {
    if !alone("promise_06_no_orphan::a_storm_in_the_middle_of_everything_leaves_nothing") {
        return;
    }
    drop(stubborn().await);
    eventually("the first is reaped", || childless() && reapers() == 0).await;
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = descriptors();
    for round in 0..160 {
        let modes = ["trap-term", "cat", "flood", "deaf"];
        let io = ProcessIo::spawn(child(&[modes[round / 8 % 4]])).unwrap();
        let _ = poll!(&mut MIDDLES[round % 8].1(io));
    }
    eventually("no child and no zombie", childless).await;
    eventually("the reaper ends", || reapers() == 0).await;
    assert_eq!(descriptors(), before);
}
