//! A child in a group of its own that wants our terminal is stopped by it, and whatever is awaited tells that at once.
#![cfg(target_os = "linux")] // The terminal is made by a program that CI has there.

use std::{io, os::unix::process::ExitStatusExt, pin::pin, time::Duration};

use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, poll};
use process_io::{Error, ErrorKind, Ladder, ProcessIOWrapper, ProcessIo, Recv, Signal, Source};
use tokio::io::AsyncReadExt;
use tokio_util::codec::{LinesCodec, LinesCodecError};

use crate::support::{alone_by, eventually, pattern, setup::terminal, sh, within};

const NEVER: Duration = Duration::from_secs(3600);

const READS: (&str, Signal) = (
    "read go; echo before; read x < /dev/tty; echo $x",
    Signal::from_raw(21),
);
const SETS: (&str, Signal) = (
    "read go; echo before; stty -echo < /dev/tty",
    Signal::from_raw(22),
);

/// Lets it go on. The first stage of a pipeline must not stop the group before the others have been started.
fn go(spawned: process_io::Result<ProcessIo>) -> ProcessIo {
    let mut io = spawned.unwrap();
    assert_eq!(io.send_nowait("go\n").unwrap(), 3);
    io
}

#[track_caller]
fn assert_tells(error: &Error, signal: Signal) {
    assert!(
        error.kind() == ErrorKind::Stopped && !error.is_timeout(),
        "{error}"
    );
    assert_eq!(error.stopped(), Some(signal));
    assert_eq!(error.status(), None);
    let text = format!("stopped by {signal}: it wants the terminal; see `process_group`");
    assert!(error.to_string().contains(&text), "{error}");
}

fn ours(error: io::Error) -> Error {
    let inner = error.into_inner().expect("what it is about");
    *inner.downcast().expect("an error of this crate")
}

/// Awaits something until it fails.
type Await = fn(ProcessIo) -> BoxFuture<'static, (Error, ProcessIo)>;

/// The first error of something that is awaited again and again.
macro_rules! until_error {
    ($io:ident, $next:expr) => {
        Box::pin(async move {
            loop {
                if let Err(error) = $next {
                    return (error, $io);
                }
            }
        })
    };
}

const WAYS: [(&str, Await); 16] = [
    ("recv", |mut io| {
        until_error!(io, io.recv(Source::Stdout).await)
    }),
    ("recv of the other stream", |mut io| {
        until_error!(io, io.recv(Source::Stderr).await)
    }),
    ("recv with a time-out", |mut io| {
        until_error!(io, io.recv_timeout(Source::Stdout, NEVER).await)
    }),
    ("recv until quiet", |mut io| {
        until_error!(io, io.recv_until_quiet(Source::Stdout, NEVER, NEVER).await)
    }),
    ("recv without waiting", |mut io| {
        until_error!(io, {
            tokio::time::sleep(Duration::from_millis(1)).await;
            io.recv_nowait(Source::Stdout)
        })
    }),
    ("wait", |mut io| until_error!(io, io.wait().await)),
    ("output", |mut io| until_error!(io, io.output().await)),
    ("events", |mut io| {
        until_error!(io, io.next().await.unwrap())
    }),
    ("a line", |mut io| {
        until_error!(io, io.recv_line(Source::Stdout).await)
    }),
    ("lines", |io| {
        Box::pin(async move {
            let mut lines = io.into_lines();
            loop {
                if let Err(error) = lines.next().await.unwrap() {
                    return (error, lines.into_inner());
                }
            }
        })
    }),
    ("blocks of lines", |mut io| {
        until_error!(io, {
            let blocks: Result<Vec<_>, _> = io.line_blocks(Source::Stdout).try_collect().await;
            blocks
        })
    }),
    ("expect", |mut io| {
        until_error!(io, io.expect("never said").await)
    }),
    ("a file", |io| {
        Box::pin(async move {
            let mut file = ProcessIOWrapper::from(io);
            let error = file.read_to_end(&mut Vec::new()).await.unwrap_err();
            (ours(error), file.into_inner())
        })
    }),
    ("frames", |io| {
        Box::pin(async move {
            let mut frames = io.framed(LinesCodec::new());
            let error = loop {
                match frames.next().await.unwrap() {
                    Ok(_) => {}
                    Err(LinesCodecError::Io(error)) => break ours(error),
                    Err(error) => panic!("{error}"),
                }
            };
            (error, frames.into_inner().into_inner())
        })
    }),
    ("send", |mut io| {
        until_error!(io, io.send(pattern(8 << 20)).await)
    }),
    ("copy", |mut io| {
        until_error!(io, io.copy_to(Source::Stdout, &mut Vec::new()).await)
    }),
];

/// Each way, on a child and on a pipeline.
#[tokio::test]
async fn all_that_is_awaited_fails_at_once() {
    if !alone_by(
        "wants_the_terminal::all_that_is_awaited_fails_at_once",
        terminal,
    ) {
        return;
    }
    for (name, way) in WAYS {
        for (script, signal) in [READS, SETS] {
            let pipeline = ProcessIo::builder(sh(script)).pipe(sh("cat"));
            let spawned = [ProcessIo::spawn(sh(script)), pipeline.spawn()];
            for io in spawned {
                println!("{name}: {script}");
                let (error, mut io) = within(way(go(io))).await;
                assert_tells(&error, signal);
                assert_eq!(io.control().stopped(), Some(signal));
                // It is still there, and can be stopped for good.
                let report = within(io.shutdown(Ladder::kill())).await.unwrap();
                assert_eq!(report.status.signal(), Some(9));
            }
        }
    }
}

#[tokio::test]
async fn a_run_fails_at_once_and_its_child_is_killed() {
    if !alone_by(
        "wants_the_terminal::a_run_fails_at_once_and_its_child_is_killed",
        terminal,
    ) {
        return;
    }
    let error = within(ProcessIo::builder(sh(READS.0)).input("go\n").timeout(NEVER))
        .await
        .unwrap_err();
    assert_tells(&error, READS.1);
    assert_eq!(error.output().unwrap().stdout, "before\n");
    assert_eq!(error.output().unwrap().status, None);
    eventually("no child is left", crate::support::life::childless).await;
}

/// Halves, each in its task.
#[tokio::test]
async fn a_half_tells() {
    if !alone_by("wants_the_terminal::a_half_tells", terminal) {
        return;
    }
    let (_send, mut recv) = go(ProcessIo::spawn(sh(READS.0))).into_split();
    let task = tokio::spawn(async move {
        while let Recv::Data(_) = recv.recv(Source::Stdout).await? {}
        Ok(())
    });
    assert_tells(&within(task).await.unwrap().unwrap_err(), READS.1);
}

async fn take(io: &mut ProcessIo) {
    let said = within(io.recv(Source::Stdout))
        .await
        .unwrap()
        .data()
        .unwrap();
    assert_eq!(said, "before\n");
}

/// Once per stop, however soon one follows the other: what is continued wants the terminal again at once.
#[tokio::test]
async fn each_stop_is_told_once() {
    if !alone_by("wants_the_terminal::each_stop_is_told_once", terminal) {
        return;
    }
    for _ in 0..30 {
        let mut io = go(ProcessIo::spawn(sh(READS.0)));
        let control = io.control();
        take(&mut io).await;
        for _ in 0..3 {
            let error = within(io.recv(Source::Stdout)).await.unwrap_err();
            assert_tells(&error, READS.1);
            for _ in 0..20 {
                assert!(poll!(pin!(io.recv(Source::Stdout))).is_pending());
                tokio::task::yield_now().await;
            }
            control.signal(Signal::from_raw(18)).unwrap();
        }
    }
}

/// All the stages are stopped by one wish, and that is told once.
#[tokio::test]
async fn each_stop_of_a_pipeline_is_told_once() {
    if !alone_by(
        "wants_the_terminal::each_stop_of_a_pipeline_is_told_once",
        terminal,
    ) {
        return;
    }
    for _ in 0..10 {
        let pipeline = ProcessIo::builder(sh(READS.0))
            .pipe(sh("cat"))
            .pipe(sh("cat"));
        let mut io = go(pipeline.spawn());
        let control = io.control();
        for _ in 0..3 {
            let error = within(io.wait()).await.unwrap_err();
            assert_tells(&error, READS.1);
            for _ in 0..20 {
                assert!(poll!(pin!(io.wait())).is_pending());
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            control.signal_tree(Signal::from_raw(18)).unwrap();
        }
    }
}

/// With time between: it is seen running before it stops again.
#[tokio::test]
async fn a_later_stop_is_told_too() {
    if !alone_by("wants_the_terminal::a_later_stop_is_told_too", terminal) {
        return;
    }
    let script =
        "trap 'echo continued' CONT; stty -echo < /dev/tty; read go; stty -echo < /dev/tty";
    let mut io = ProcessIo::spawn(sh(script)).unwrap();
    assert_tells(&within(io.wait()).await.unwrap_err(), SETS.1);
    // `stty` tries again as long as it is continued, so that it is ended.
    io.control().signal_tree(Signal::from_raw(18)).unwrap();
    assert_tells(&within(io.wait()).await.unwrap_err(), SETS.1);
}

#[tokio::test]
async fn in_our_group_it_may_use_the_terminal() {
    if !alone_by(
        "wants_the_terminal::in_our_group_it_may_use_the_terminal",
        terminal,
    ) {
        return;
    }
    for (script, expected) in [(READS.0, "before\ntyped\n"), (SETS.0, "before\n")] {
        let run = ProcessIo::builder(sh(script))
            .input("go\n")
            .process_group(false);
        let output = within(run).await.unwrap().check().unwrap();
        assert_eq!(output.stdout, expected);
    }
}

/// Who is stopped by somebody else is waited for, as ever, and a time-out tells it.
#[tokio::test]
async fn other_stops_are_told_by_a_time_out() {
    if !alone_by(
        "wants_the_terminal::other_stops_are_told_by_a_time_out",
        terminal,
    ) {
        return;
    }
    for (name, number) in [("STOP", 19), ("TSTP", 20)] {
        let mut io =
            ProcessIo::spawn(sh(&format!("echo before; kill -{name} $$; echo after"))).unwrap();
        let control = io.control();
        take(&mut io).await;
        let stopped = Some(Signal::from_raw(number));
        eventually("it is stopped", || control.stopped() == stopped).await;
        assert!(io.recv(Source::Stdout).now_or_never().is_none());
        io.set_timeout(Duration::from_millis(1));
        let error = within(io.wait()).await.unwrap_err();
        assert!(error.is_timeout() && error.kind() != ErrorKind::Stopped);
        assert_eq!(error.stopped(), stopped);
        assert!(
            error
                .to_string()
                .contains(&format!(", stopped by SIG{name}")),
            "{error}"
        );
        assert_eq!(control.stopped(), None);
    }
}

/// The handle is used where there is no runtime.
#[test]
fn outside_a_runtime_nothing_panics() {
    if !alone_by(
        "wants_the_terminal::outside_a_runtime_nothing_panics",
        terminal,
    ) {
        return;
    }
    for runtime in crate::support::life::runtimes() {
        let mut io = runtime.block_on(async { go(ProcessIo::spawn(sh(READS.0))) });
        let _ = io.recv_nowait(Source::Stdout);
        let _ = io.recv(Source::Stdout).now_or_never();
        let error = runtime.block_on(within(io.wait())).unwrap_err();
        assert_tells(&error, READS.1);
        drop(runtime);
        let _ = io.recv_nowait(Source::Stdout);
        let pid = io.id().unwrap();
        drop(io);
        crate::support::life::assert_gone(pid);
    }
}

#[tokio::test]
async fn who_ignores_the_signal_is_not_stopped() {
    if !alone_by(
        "wants_the_terminal::who_ignores_the_signal_is_not_stopped",
        terminal,
    ) {
        return;
    }
    let script = "trap '' TTIN; read x < /dev/tty || echo refused";
    let output = within(ProcessIo::builder(sh(script))).await.unwrap();
    assert_eq!(output.stdout, "refused\n");
}

/// The whole group is stopped then, and with it who is just being started in it.
#[tokio::test]
async fn a_stage_may_stop_the_group_while_the_next_is_started() {
    if !alone_by(
        "wants_the_terminal::a_stage_may_stop_the_group_while_the_next_is_started",
        terminal,
    ) {
        return;
    }
    for _ in 0..100 {
        let stages = (0..4).fold(
            ProcessIo::builder(sh("read x < /dev/tty")).pipe(sh("cat")),
            |pipeline, _| pipeline.pipe(sh("read x < /dev/tty")),
        );
        let error = within(async { stages.spawn().unwrap().wait().await }).await;
        assert_tells(&error.unwrap_err(), READS.1);
    }
}
