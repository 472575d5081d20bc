//! `Control` acts on the child from anywhere, whatever the handle is doing, and on nobody else after the end.

use std::time::Duration;

use process_io::{Control, Drain, ProcessIo, Recv, Source};
use tokio::task::JoinSet;

use crate::support::{child, eventually, within};

fn spawn(args: &[&str]) -> ProcessIo {
    ProcessIo::spawn(child(args)).expect("the child starts")
}

/// A child that is there, and stays.
async fn deaf() -> ProcessIo {
    let mut io = spawn(&["deaf"]);
    let said = within(io.recv(Source::Stdout))
        .await
        .unwrap()
        .data()
        .unwrap();
    assert_eq!(said, "ready\n");
    io
}

#[tokio::test]
async fn the_id_is_the_childs() {
    let mut io = spawn(&["pid"]);
    let said = within(io.recv(Source::Stdout))
        .await
        .unwrap()
        .data()
        .unwrap();
    let id = format!("pid {}", io.control().id().unwrap());
    assert!(said.starts_with(id.as_bytes()), "{said:?}");
    assert_eq!(io.id(), io.control().id());
}

#[tokio::test]
async fn many_tasks_wait_at_once() {
    let io = spawn(&["exit", "5"]);
    let mut waiting = JoinSet::new();
    for task in 0..20 {
        let control = io.control();
        waiting.spawn(async move {
            if task % 5 == 0 {
                let _ = futures::poll!(Box::pin(control.wait()));
            }
            control.wait().await
        });
    }
    for status in within(waiting.join_all()).await {
        assert_eq!(status.unwrap().code(), Some(5));
    }
    drop(io);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_wait_at_once_on_many_threads() {
    let mut io = deaf().await;
    let mut waiting = JoinSet::new();
    for _ in 0..20 {
        let control = io.control();
        waiting.spawn(async move { control.wait().await });
    }
    let killer = io.control();
    waiting.spawn(async move {
        killer.kill()?;
        killer.wait().await
    });
    let own = within(io.wait()).await.unwrap();
    for status in within(waiting.join_all()).await {
        assert_eq!(status.unwrap(), own);
    }
}

#[tokio::test]
async fn it_needs_nobody_to_poll_the_handle() {
    let io = spawn(&["exit", "5"]);
    let control = io.control();
    assert_eq!(within(control.wait()).await.unwrap().code(), Some(5));
    assert_eq!(control.try_wait().unwrap().unwrap().code(), Some(5));
    drop(io);
    assert_eq!(within(control.wait()).await.unwrap().code(), Some(5));
}

#[tokio::test]
async fn try_wait_tells_running_from_ended() {
    let mut io = deaf().await;
    let control = io.control();
    assert_eq!(control.try_wait().unwrap(), None);
    control.kill().unwrap();
    let status = within(io.wait()).await.unwrap();
    assert_eq!(control.try_wait().unwrap(), Some(status));
}

/// The account is closed when the child is reaped, and not when its exit is seen.
#[cfg(unix)]
#[tokio::test]
async fn usage_is_known_when_the_run_is_over() {
    let mut io = deaf().await;
    let control = io.control();
    assert_eq!(control.usage(), None);
    control.kill().unwrap();
    within(control.wait()).await.unwrap();
    assert_eq!(control.usage(), None);
    within(io.wait()).await.unwrap();
    let usage = control.usage().expect("it has been reaped");
    assert_eq!(io.control().usage(), Some(usage));
    assert_eq!(within(io.output()).await.unwrap().usage, Some(usage));
}

#[cfg(unix)]
#[tokio::test]
async fn usage_is_known_also_when_the_handle_was_dropped() {
    let io = deaf().await;
    let control = io.control();
    drop(io);
    eventually("it is reaped", || control.usage().is_some()).await;
}

#[cfg(unix)]
#[tokio::test]
async fn usage_tells_who_worked() {
    let mut io = spawn(&["flood"]);
    let control = io.control();
    let mut seen = 0;
    while seen < 64 << 20 {
        seen += within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap()
            .len();
    }
    control.kill().unwrap();
    while let Recv::Data(_) = within(io.recv(Source::Stdout)).await.unwrap() {}
    within(io.wait()).await.unwrap();
    let usage = control.usage().unwrap();
    // To write so much cannot be done in no time.
    assert!(usage.user + usage.system > Duration::ZERO, "{usage:?}");
}

#[tokio::test]
async fn it_outlives_the_handle() {
    let io = deaf().await;
    let control = io.control();
    drop(io);
    assert!(!within(control.wait()).await.unwrap().success());
    assert!(control.try_wait().unwrap().is_some());
}

#[tokio::test]
async fn after_the_end_every_call_answers_at_once() {
    let mut io = spawn(&["exit", "5"]);
    let control = io.control();
    within(io.wait()).await.unwrap();
    for control in [control, io.control()] {
        control.kill().unwrap();
        control.kill_tree().unwrap();
        control.terminate().unwrap();
        control.signal(process_io::Signal::TERM).unwrap();
        control.signal_tree(process_io::Signal::TERM).unwrap();
        let status = futures::FutureExt::now_or_never(control.wait());
        assert_eq!(status.unwrap().unwrap().code(), Some(5));
        assert_eq!(control.try_wait().unwrap().unwrap().code(), Some(5));
        assert!(control.id().is_some());
    }
}

#[tokio::test]
async fn a_wait_that_began_before_the_end_survives_it() {
    let mut io = deaf().await;
    let control = io.control();
    let mut waiting = Box::pin(control.wait());
    assert!(futures::poll!(&mut waiting).is_pending());
    control.kill().unwrap();
    let status = within(io.wait()).await.unwrap();
    drop(io);
    assert_eq!(within(waiting).await.unwrap(), status);
}

#[test]
fn it_works_on_a_thread_without_a_runtime() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut io = runtime.block_on(deaf());
    let control = io.control();
    let thread = std::thread::spawn(move || {
        assert_eq!(control.try_wait().unwrap(), None);
        control.kill().unwrap();
        while control.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
    });
    thread.join().unwrap();
    let status = runtime.block_on(async { within(io.wait()).await });
    assert!(!status.unwrap().success());
}

#[tokio::test]
async fn a_child_in_memory_is_signalled_too() {
    let (parts, mut child) = process_io::transport::memory::child();
    let io = ProcessIo::from_parts(parts);
    let control = io.control();
    assert_eq!(control.id(), None);
    assert_eq!(control.try_wait().unwrap(), None);
    control.terminate().unwrap();
    control.kill_tree().unwrap();
    assert_eq!(within(child.signalled()).await, process_io::Signal::TERM);
    assert_eq!(within(child.signalled()).await, process_io::Signal::KILL);
    child.exit(9);
    assert_eq!(within(control.wait()).await.unwrap().code(), Some(9));
}

/// Signals are Unix's own.
#[cfg(unix)]
mod signals {
    use std::os::unix::process::ExitStatusExt;

    use process_io::Signal;

    use super::*;
    use crate::support::sh;

    async fn signal_of(control: &Control) -> Option<i32> {
        within(control.wait()).await.unwrap().signal()
    }

    #[tokio::test]
    async fn each_reaches_the_child_while_another_task_reads() {
        for signal in [
            Signal::HUP,
            Signal::INT,
            Signal::QUIT,
            Signal::KILL,
            Signal::TERM,
        ] {
            let mut io = deaf().await;
            let control = io.control();
            let reading = tokio::spawn(async move {
                let end = io.recv(Source::Stdout).await.unwrap();
                (end, io.wait().await.unwrap())
            });
            control.signal(signal).unwrap();
            let (end, status) = within(reading).await.unwrap();
            assert_eq!(end, Recv::Eof);
            assert_eq!(status.signal(), Some(signal.as_raw()));
            assert_eq!(signal_of(&control).await, Some(signal.as_raw()));
        }
    }

    #[tokio::test]
    async fn terminate_can_be_ignored_and_kill_cannot() {
        let mut io = spawn(&["trap-term"]);
        within(io.recv(Source::Stdout)).await.unwrap();
        let control = io.control();
        control.terminate().unwrap();
        control.kill().unwrap();
        assert_eq!(within(io.wait()).await.unwrap().signal(), Some(9));
    }

    #[tokio::test]
    async fn a_trap_in_the_child_runs() {
        let script = "trap 'echo got it; exit 6' TERM; echo ready; while :; do sleep 0.01; done";
        let mut io = ProcessIo::spawn(sh(script)).unwrap();
        within(io.recv(Source::Stdout)).await.unwrap();
        io.control().terminate().unwrap();
        let output = within(io.output()).await.unwrap();
        assert_eq!(output.code(), Some(6));
        assert_eq!(output.stdout, "got it\n");
    }

    /// Says who it is at SIGTERM, and ends with that.
    const TELLTALES: &str = "trap 'wait $!; echo outer; exit 0' TERM
        (trap 'echo inner; exit 0' TERM; echo ready
        while :; do sleep 0.02; done) & wait";

    #[tokio::test]
    async fn signal_tree_reaches_the_group_and_terminate_the_child_alone() {
        for tree in [false, true] {
            let mut io = ProcessIo::spawn(sh(TELLTALES)).unwrap();
            within(io.recv(Source::Stdout)).await.unwrap();
            let control = io.control();
            if tree {
                control.signal_tree(Signal::TERM).unwrap();
            } else {
                control.terminate().unwrap();
                // The outer one waits for the inner one, which knows of nothing.
                let said = io.recv_for(Source::Stdout, Duration::from_millis(200));
                assert_eq!(within(said).await.unwrap(), Recv::Empty);
                control.signal_tree(Signal::TERM).unwrap();
            }
            let output = within(io.output()).await.unwrap();
            assert_eq!(output.stdout, "inner\nouter\n");
            assert_eq!(output.code(), Some(0));
        }
    }

    #[tokio::test]
    async fn it_acts_while_another_task_reads_a_flood() {
        let acts: [fn(&Control); 3] = [
            |control| control.terminate().unwrap(),
            |control| control.kill().unwrap(),
            |control| control.kill_tree().unwrap(),
        ];
        for act in acts {
            let mut io = spawn(&["flood", "both"]);
            let control = io.control();
            let reading = tokio::spawn(async move {
                let mut seen = 0;
                while let Recv::Data(piece) = io.recv(Source::Stdout).await.unwrap() {
                    seen += piece.len();
                }
                (seen, io.wait().await.unwrap())
            });
            let acting = control.clone();
            std::thread::spawn(move || act(&acting)).join().unwrap();
            let (_, status) = within(reading).await.unwrap();
            assert!(matches!(status.signal(), Some(9 | 15)), "{status}");
            assert_eq!(within(control.wait()).await.unwrap(), status);
        }
    }

    /// Each clone asks for itself, and one that goes away takes nothing with it.
    #[tokio::test]
    async fn a_clone_is_as_good_as_the_first() {
        let mut io = deaf().await;
        let first = io.control();
        let second = first.clone();
        drop(first);
        assert_eq!(second.id(), io.id());
        second.clone().terminate().unwrap();
        assert_eq!(signal_of(&second).await, Some(15));
        assert_eq!(within(io.wait()).await.unwrap().signal(), Some(15));
    }

    #[tokio::test]
    async fn it_waits_while_a_shutdown_is_under_way() {
        let mut io = deaf().await;
        let control = io.control();
        let waiting = tokio::spawn(async move { control.wait().await });
        let ladder = process_io::Ladder::new().signal(Signal::TERM, Duration::from_secs(3600));
        let report = within(io.shutdown(ladder)).await.unwrap();
        assert_eq!(within(waiting).await.unwrap().unwrap(), report.status);
    }

    #[tokio::test]
    async fn a_number_that_is_no_signal_is_an_error() {
        let mut io = deaf().await;
        let error = io.control().signal(Signal::from_raw(12345)).unwrap_err();
        assert!(error.to_string().contains("cannot be signalled"), "{error}");
        assert!(error.command().unwrap().ends_with("deaf"));
        io.control().kill().unwrap();
        assert_eq!(within(io.wait()).await.unwrap().signal(), Some(9));
    }

    /// The group's id is free once its leader is reaped, so nothing may be sent there any more. A member that is
    /// still there would notice. `/proc` tells, so this is for Linux.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn after_the_end_nothing_is_sent() {
        use rustix::process::{Pid, kill_process};

        let run = ProcessIo::builder(sh("sleep 300 & echo $!"));
        let run = run.kill_on_drop(false).drain(Drain::Immediate);
        let mut io = run.spawn().unwrap();
        let control = io.control();
        let output = within(io.output()).await.unwrap();
        let grandchild: u32 = output.stdout_lossy().trim().parse().unwrap();
        control.kill_tree().unwrap();
        control.signal_tree(Signal::TERM).unwrap();
        control.terminate().unwrap();
        control.kill().unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(crate::support::is_alive(grandchild));
        let pid = Pid::from_raw(grandchild as i32).unwrap();
        kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
}

#[test]
fn it_waits_in_another_runtime_when_that_of_the_spawn_is_gone() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let first = runtime();
    let (over, running, io) = first.block_on(async {
        let mut over = ProcessIo::spawn(child(&["exit", "3"])).unwrap();
        within(over.wait()).await.unwrap();
        let running = ProcessIo::spawn(child(&["deaf"])).unwrap();
        (over.control(), running.control(), running)
    });
    drop(first);
    runtime().block_on(async {
        assert_eq!(within(over.wait()).await.unwrap().code(), Some(3));
        let (status, ()) = tokio::join!(within(running.wait()), async { drop(io) });
        assert!(!status.unwrap().success());
    });
}

/// Also what has been taken, and when the handle is gone.
#[tokio::test]
async fn the_end_of_stderr_is_there_for_the_one_who_asks() {
    let mut io = ProcessIo::spawn(child(&["write", "err", "10000", "out", "7"])).unwrap();
    let control = io.control();
    assert!(control.stderr_tail().len() <= 4096);
    let mut err = Vec::new();
    while let Recv::Data(piece) = within(io.recv(Source::Stderr)).await.unwrap() {
        err.extend_from_slice(&piece);
        assert_eq!(control.stderr_tail(), err[err.len().saturating_sub(4096)..]);
    }
    drop(io);
    assert_eq!(control.stderr_tail(), err[10_000 - 4096..]);
}

#[tokio::test]
async fn of_a_wrapper_that_was_given_away() {
    let io = ProcessIo::spawn(child(&["write", "err", "100", "out", "7"])).unwrap();
    let control = io.control();
    let mut file = process_io::ProcessIOWrapper::from(io).check_exit(true);
    let given = tokio::spawn(async move {
        tokio::io::copy(&mut file, &mut tokio::io::sink())
            .await
            .unwrap()
    });
    assert_eq!(within(given).await.unwrap(), 7);
    assert!(within(control.wait()).await.unwrap().success());
    assert_eq!(control.stderr_tail(), crate::support::pattern(100));
}
