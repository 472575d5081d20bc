//! Nothing is started for a run that is cancelled, or out of time, before its start.

use std::time::Duration;

use process_io::{Builder, CancellationToken, Command, Error, ErrorKind, ProcessIo};
use tokio::time::Instant;

use crate::support::{child, within};

/// Every way for a run to be over before it begins, and whether that is a cancellation.
fn over() -> [(Builder, bool); 4] {
    // To try to start it would be another error.
    let run = || ProcessIo::builder(Command::new("/no/such/program"));
    let token = CancellationToken::new();
    token.cancel();
    [
        (run().cancel_on(token), true),
        (run().timeout(Duration::ZERO), false),
        (run().deadline(Instant::now()), false),
        (run().inactivity_timeout(Duration::ZERO), false),
    ]
}

#[track_caller]
fn assert_not_started(error: Error, cancelled: bool, stages: usize) {
    assert!(error.kind() != ErrorKind::ProgramNotFound, "{error}");
    assert_eq!(error.is_cancelled(), cancelled, "{error}");
    assert_eq!(error.is_timeout(), !cancelled, "{error}");
    assert_eq!(error.status(), None);
    let message = error.to_string();
    assert!(message.ends_with(" before it was started"), "{message}");
    let output = error.into_output().expect("the partial output");
    assert_eq!(output.timed_out, !cancelled);
    assert_eq!(output.status, None);
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
    assert_eq!(output.stages.len(), stages);
    assert!(output.stages.iter().all(|stage| stage.status.is_none()));
}

#[tokio::test]
async fn a_child() {
    for (run, cancelled) in over() {
        assert_not_started(run.spawn().unwrap_err(), cancelled, 0);
    }
    for (run, cancelled) in over() {
        assert_not_started(within(run).await.unwrap_err(), cancelled, 0);
    }
}

#[tokio::test]
async fn a_pipeline() {
    for (run, cancelled) in over() {
        let run = run.pipe(child(&["sink"])).pipe(child(&["sink"]));
        assert_not_started(run.spawn().unwrap_err(), cancelled, 3);
    }
    for (run, cancelled) in over() {
        let run = run.pipe(child(&["sink"]));
        assert_not_started(within(run).await.unwrap_err(), cancelled, 2);
    }
}

/// The time, or the token, may run out while others start their children, or in the middle of a pipeline.
#[cfg(target_os = "linux")]
mod in_the_middle {
    use std::{fs::File, os::unix::fs::PermissionsExt, thread};

    use super::*;
    use crate::support::{alone, eventually, life::childless};

    const SHORT: Duration = Duration::from_millis(50);

    /// A child whose `execve(2)` comes after a while.
    fn slow(args: &[&str]) -> Command {
        let mut command = child(args);
        let pause = || {
            thread::sleep(SHORT * 4);
            Ok(())
        };
        // SAFETY: it allocates nothing and takes no lock.
        unsafe { command.pre_exec(pause) };
        command
    }

    #[tokio::test]
    async fn of_a_pipeline() {
        if !alone("not_started::in_the_middle::of_a_pipeline") {
            return;
        }
        let token = CancellationToken::new();
        let canceller = token.clone();
        let canceller = thread::spawn(move || {
            thread::sleep(SHORT);
            canceller.cancel();
        });
        let run = || ProcessIo::builder(slow(&["sleep"]));
        for (run, cancelled) in [
            (run().cancel_on(token), true),
            (run().timeout(SHORT), false),
        ] {
            let run = run.pipe(Command::new("/no/such/program"));
            assert_not_started(within(run).await.unwrap_err(), cancelled, 2);
            eventually("the first stage is killed and reaped", childless).await;
        }
        canceller.join().unwrap();
    }

    #[tokio::test]
    async fn while_the_program_is_busy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("busy");
        std::fs::copy("/bin/true", &path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        let _writer = File::options().append(true).open(&path).unwrap();
        let run = ProcessIo::builder(Command::new(&path)).timeout(Duration::from_millis(5));
        assert_not_started(run.spawn().unwrap_err(), false, 0);
    }
}
