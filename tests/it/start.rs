//! `start`: a child is started on another thread, so that nothing that holds up its start holds up this one.

use std::time::Duration;

use process_io::{Command, ErrorKind, ProcessIo};

use crate::support::{child, within};

#[tokio::test]
async fn a_child() {
    let run = ProcessIo::builder(child(&["cat"])).input("hello");
    let mut io = within(run.start()).await.unwrap();
    let output = within(io.output()).await.unwrap();
    assert!(output.success());
    assert_eq!(output.stdout, "hello");
}

#[tokio::test]
async fn a_pipeline() {
    let run = ProcessIo::builder(child(&["cat"])).input("hello");
    let run = run.pipe(child(&["cat"]));
    let mut io = within(run.start()).await.unwrap();
    let output = within(io.output()).await.unwrap();
    assert_eq!(output.stdout, "hello");
    assert_eq!(output.stages.len(), 2);
}

#[tokio::test]
async fn what_cannot_be_started() {
    let run = || ProcessIo::builder(Command::new("/no/such/program"));
    assert_eq!(
        within(run().start()).await.unwrap_err().kind(),
        ErrorKind::ProgramNotFound
    );
    let piped = run().pipe(child(&["sink"]));
    assert_eq!(
        within(piped.start()).await.unwrap_err().kind(),
        ErrorKind::ProgramNotFound
    );
    let late = within(run().timeout(Duration::ZERO).start()).await;
    assert!(late.unwrap_err().is_timeout());
}

#[test]
fn without_a_runtime() {
    let run = ProcessIo::builder(child(&["cat"])).timeout(Duration::from_secs(3600));
    let error = futures::executor::block_on(run.start()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoRuntime);
}

#[test]
fn it_moves_to_other_threads() {
    fn moves(_: impl Send + 'static) {}
    moves(ProcessIo::builder(child(&["cat"])).start());
    moves(
        ProcessIo::builder(child(&["cat"]))
            .pipe(child(&["cat"]))
            .start(),
    );
}

/// A child that cannot get to its program before it is let.
#[cfg(target_os = "linux")]
mod held_up {
    use std::os::fd::{AsRawFd, OwnedFd};

    use process_io::{Builder, CancellationToken};
    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;
    use crate::support::{alone, eventually, life::childless};

    /// A run, and what lets it start when it is dropped.
    fn held_up(args: &[&str]) -> (Builder, OwnedFd) {
        let (gate, open) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let mut command = child(args);
        let ours = open.as_raw_fd();
        let wait = move || {
            // SAFETY: two calls that a signal handler may make, on descriptors of the forked process.
            unsafe { libc::close(ours) };
            let _ = rustix::io::read(&gate, &mut [0; 1]);
            Ok(())
        };
        // SAFETY: it allocates nothing and takes no lock.
        unsafe { command.pre_exec(wait) };
        (ProcessIo::builder(command), open)
    }

    #[tokio::test]
    async fn others_go_on() {
        let (run, gate) = held_up(&["exit", "3"]);
        let others = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            drop(gate);
        };
        let (started, ()) = within(async { tokio::join!(run.start(), others) }).await;
        assert_eq!(
            within(started.unwrap().wait()).await.unwrap().code(),
            Some(3)
        );
    }

    #[tokio::test]
    async fn its_time_is_kept() {
        if !alone("start::held_up::its_time_is_kept") {
            return;
        }
        let token = CancellationToken::new();
        let (run, gate) = held_up(&["sleep"]);
        let timed = run.timeout(Duration::from_millis(50)).start();
        let error = within(timed).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert_eq!(error.output().unwrap().status, None);
        drop(gate);
        eventually("it is killed and reaped", childless).await;

        let (run, gate) = held_up(&["sleep"]);
        let cancelled = run.cancel_on(token.clone()).pipe(child(&["sleep"]));
        let cancel = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            token.cancel();
        };
        let (error, ()) = within(async { tokio::join!(cancelled.start(), cancel) }).await;
        assert!(error.unwrap_err().is_cancelled());
        drop(gate);
        eventually("it is killed and reaped", childless).await;
    }

    #[tokio::test]
    async fn dropped_half_way_it_leaves_no_child() {
        if !alone("start::held_up::dropped_half_way_it_leaves_no_child") {
            return;
        }
        for kill_on_drop in [true, false] {
            let (run, gate) = held_up(&["sleep"]);
            let start = run.kill_on_drop(kill_on_drop).start();
            // By then it has been forked, as a rule; if not it is not to be.
            let dropped = tokio::time::timeout(Duration::from_millis(100), start).await;
            assert!(dropped.is_err());
            drop(gate);
            eventually("it is killed and reaped", childless).await;
        }
    }
}
