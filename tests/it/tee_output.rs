//! `Builder::tee_stdout` and `tee_stderr`: what comes from the child goes into a writer as well.

use std::{io, time::Duration};

use futures::{StreamExt, TryStreamExt};
use process_io::{
    Builder, Drain, ErrorKind, Event, Ladder, Limits, Overflow, ProcessIo, Recv, Redirect, Source,
    Stage,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, BufWriter, DuplexStream, duplex},
    join,
};

use crate::support::{GENEROUS, assert_bytes, child, pattern, within};

const SIZE: usize = 1_000_000;
/// Less than one piece.
const NARROW: usize = 10_000;

fn writes() -> Builder {
    ProcessIo::builder(child(&["write", "out", &SIZE.to_string(), "err", "1000"]))
}

async fn all_of(mut from: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut all = Vec::new();
    from.read_to_end(&mut all).await.unwrap();
    all
}

/// A writer that fails.
fn broken() -> DuplexStream {
    duplex(NARROW).0
}

#[tokio::test]
async fn all_is_captured_and_copied() {
    let (out, from_out) = duplex(NARROW);
    let (err, from_err) = duplex(1);
    let run = writes().tee_stdout(out).tee_stderr(err).into_future();
    let (output, out, err) = within(async { join!(run, all_of(from_out), all_of(from_err)) }).await;
    let output = output.unwrap().check().unwrap();
    assert_bytes(&output.stdout, pattern(SIZE));
    assert_bytes(&output.stderr, pattern(1000));
    assert_bytes(out, pattern(SIZE));
    assert_bytes(err, pattern(1000));
    assert!(!output.pipes_held);
}

#[tokio::test]
async fn into_a_file_that_is_flushed_at_the_end() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let copy = tokio::fs::File::from_std(file.reopen().unwrap());
    let run = writes().tee_stdout(BufWriter::with_capacity(1 << 22, copy));
    let output = within(run).await.unwrap().check().unwrap();
    assert_bytes(&output.stdout, pattern(SIZE));
    assert_bytes(std::fs::read(file.path()).unwrap(), pattern(SIZE));
}

#[tokio::test]
async fn a_prompt_is_copied_at_once() {
    let (copy, mut from) = duplex(NARROW);
    let run = ProcessIo::builder(child(&["echo"])).tee_stdout(BufWriter::new(copy));
    let mut io = run.spawn().unwrap();
    for word in ["one> ", "two> "] {
        within(io.send(word)).await.unwrap();
        let mut copied = vec![0; word.len()];
        let copying = async { from.read_exact(&mut copied).await.unwrap() };
        let piece = async {
            let piece = io.recv(Source::Stdout).await.unwrap().data().unwrap();
            // What was received is copied by what is awaited next.
            let next = io.recv_timeout(Source::Stdout, Duration::from_millis(50));
            assert_eq!(next.await.unwrap(), Recv::Empty);
            piece
        };
        let (piece, _) = within(async { join!(piece, copying) }).await;
        assert_eq!(
            (&piece[..], &copied[..]),
            (word.as_bytes(), word.as_bytes())
        );
    }
}

#[tokio::test]
async fn whatever_way_it_is_read() {
    async fn check<F: Future>(read: impl FnOnce(ProcessIo) -> F) {
        let (copy, from) = duplex(NARROW);
        let io = writes().tee_stdout(copy).spawn().unwrap();
        let (_, copied) = within(async { join!(read(io), all_of(from)) }).await;
        assert_bytes(copied, pattern(SIZE));
    }
    check(|mut io| async move {
        let mut bytes = 0;
        while let Recv::Data(piece) = io.recv(Source::Stdout).await.unwrap() {
            bytes += piece.len();
        }
        assert_eq!(bytes, SIZE);
        io.wait().await.unwrap();
    })
    .await;
    check(|io| async move { io.try_collect::<Vec<_>>().await.unwrap() }).await;
    check(|mut io| async move {
        let file = tempfile::tempfile().unwrap();
        #[cfg(unix)]
        let to = std::os::fd::AsFd::as_fd(&file);
        #[cfg(windows)]
        let to = std::os::windows::io::AsHandle::as_handle(&file);
        let moved = io.splice_to(Source::Stdout, to).await.unwrap();
        assert_eq!(moved, SIZE as u64);
        io.wait().await.unwrap();
    })
    .await;
    check(|io| async move {
        let (mut send, recv) = io.into_split();
        send.close_stdin();
        recv.map(Result::unwrap).collect::<Vec<_>>().await
    })
    .await;
    check(|mut io| async move {
        let (start, mut bytes) = (std::time::Instant::now(), 0);
        while bytes < SIZE {
            assert!(start.elapsed() < GENEROUS);
            match io.recv_nowait(Source::Stdout).unwrap() {
                Recv::Data(piece) => bytes += piece.len(),
                _ => tokio::task::yield_now().await,
            }
        }
        io.wait().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_a_limit_drops_is_copied() {
    let (copy, from) = duplex(NARROW);
    let run = writes()
        .limits(Limits::default().stdout(10, Overflow::KeepBoth))
        .tee_stdout(copy)
        .into_future();
    let (output, copied) = within(async { join!(run, all_of(from)) }).await;
    assert_eq!(output.unwrap().stdout.len(), 10);
    assert_bytes(copied, pattern(SIZE));
}

/// The child has long exited by then.
#[tokio::test]
async fn a_slow_writer_gets_all() {
    let (copy, from) = duplex(10);
    let run = ProcessIo::builder(child(&["write", "out", "50000"]))
        .drain(Drain::Immediate)
        .tee_stdout(copy);
    let mut io = run.spawn().unwrap();
    let control = io.control();
    let copied = async {
        control.wait().await.unwrap();
        all_of(from).await
    };
    let (output, copied) = within(async { join!(io.output(), copied) }).await;
    assert_bytes(output.unwrap().stdout, pattern(50_000));
    assert_bytes(copied, pattern(50_000));
}

#[tokio::test]
async fn a_writer_that_takes_nothing_holds_back_and_is_in_no_way_of_a_time_out() {
    let (copy, mut from) = duplex(NARROW);
    let run = ProcessIo::builder(child(&["flood"]))
        .timeout(Duration::from_millis(300))
        .tee_stdout(copy);
    let error = within(run).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let stdout = error.into_output().unwrap().stdout;
    assert_bytes(&stdout, pattern(stdout.len()));
    // One piece before the writer was full, and what the pipe held then.
    assert!(stdout.len() <= 1 << 19, "{}", stdout.len());
    let mut copied = vec![0; NARROW];
    within(from.read_exact(&mut copied)).await.unwrap();
    assert_bytes(&copied, pattern(NARROW));
}

#[tokio::test]
async fn a_time_out_after_the_exit_is_one_too() {
    let (copy, _from) = duplex(10);
    let run = ProcessIo::builder(child(&["write", "out", "1000"]))
        .timeout(Duration::from_millis(500))
        .tee_stdout(copy);
    let error = within(run).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_bytes(error.into_output().unwrap().stdout, pattern(1000));
}

/// A log is read above all of what did not end by itself.
#[tokio::test]
async fn the_last_words_of_what_is_cut_short_are_copied() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let copy = || tokio::fs::File::from_std(file.reopen().unwrap());
    let stays = || ProcessIo::builder(child(&["stay", "out", "200000"])).tee_stdout(copy());
    let error = within(stays().timeout(Duration::from_secs(1)))
        .await
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_bytes(
        std::fs::read(file.path()).unwrap(),
        error.output().unwrap().stdout.clone(),
    );

    let mut io = stays().spawn().unwrap();
    let mut received = 0;
    while received < 200_000 {
        received += within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap()
            .len();
    }
    within(io.shutdown(Ladder::kill())).await.unwrap();
    assert_bytes(std::fs::read(file.path()).unwrap(), pattern(200_000));
}

/// The writer is far behind when the child is killed.
#[tokio::test]
async fn a_writer_is_waited_for_a_moment_after_the_kill() {
    let (copy, from) = duplex(1000);
    // No more than a pipe holds.
    let run = ProcessIo::builder(child(&["stay", "out", "50000"]))
        .timeout(Duration::from_millis(500))
        .tee_stdout(copy);
    let mut io = run.spawn().unwrap();
    let control = io.control();
    let copied = async {
        control.wait().await.unwrap();
        all_of(from).await
    };
    let (output, copied) = within(async { join!(io.output(), copied) }).await;
    let error = output.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_bytes(error.into_output().unwrap().stdout, pattern(50_000));
    assert_bytes(copied, pattern(50_000));
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_stuck_writer() {
    let (copy, _from) = duplex(10);
    let run = ProcessIo::builder(child(&["stay", "out", "1000"])).tee_stdout(copy);
    let mut io = run.spawn().unwrap();
    let piece = within(io.recv(Source::Stdout))
        .await
        .unwrap()
        .data()
        .unwrap();
    within(io.shutdown(Ladder::kill())).await.unwrap();
    let rest = within(io.output()).await.unwrap().stdout;
    assert_bytes([piece, rest].concat(), pattern(1000));
}

#[tokio::test]
async fn a_writer_that_fails_is_told_at_the_end() {
    let error = within(writes().tee_stdout(broken())).await.unwrap_err();
    assert!(
        error.kind() == ErrorKind::Output && error.stage().is_none(),
        "{error}"
    );
    assert!(
        error.to_string().contains("its stdout could not be"),
        "{error}"
    );
    assert_bytes(&error.output().unwrap().stdout, pattern(SIZE));
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::BrokenPipe);

    // Each is told.
    let run = writes().tee_stdout(broken()).tee_stderr(broken());
    let mut io = run.spawn().unwrap();
    let (mut bytes, mut told) = (0, Vec::new());
    while let Some(event) = within(io.next()).await {
        match event {
            Ok(Event::Stdout(piece)) => bytes += piece.len(),
            Ok(_) => {}
            Err(error) => told.push(error.to_string()),
        }
    }
    assert_eq!((bytes, told.len()), (SIZE, 2), "{told:?}");
    assert!(
        told[0].contains("stdout") && told[1].contains("stderr"),
        "{told:?}"
    );
}

#[tokio::test]
async fn of_a_pipeline_the_last_stdout_and_the_first_stderr() {
    let (out, from_out) = duplex(NARROW);
    let (err, from_err) = duplex(NARROW);
    let run = writes()
        .tee_stdout(out)
        .tee_stderr(err)
        .pipe(child(&["cat"]))
        .pipe(child(&["do", "err", "last", "copy"]))
        .into_future();
    let (output, out, err) = within(async { join!(run, all_of(from_out), all_of(from_err)) }).await;
    let output = output.unwrap().check().unwrap();
    assert_bytes(out, pattern(SIZE));
    assert_bytes(&output.stages[0].stderr, pattern(1000));
    assert_bytes(err, pattern(1000));
    assert_eq!(output.stderr, "last");

    let run = writes().tee_stderr(broken()).pipe(child(&["sink"]));
    let error = within(run).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Output, "{error}");
    assert!(error.stage().unwrap().contains("write out"), "{error}");
}

#[tokio::test]
async fn there_has_to_be_a_pipe() {
    let runs: [&dyn Fn() -> Builder; 5] = [
        &|| writes().tee_stdout(broken()).stdout(Redirect::Null),
        &|| writes().stderr(Redirect::Null).tee_stderr(broken()),
        &|| writes().tee_stderr(broken()).merge_stderr(),
        &|| writes().tee_stdout(broken()).merge_stdout(),
        &|| writes().tee_stdout(broken()).stdout(Redirect::Inherit),
    ];
    for run in runs {
        let error = run().spawn().unwrap_err();
        assert!(error.to_string().contains("`tee_std"), "{error}");
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::InvalidInput);
    }
    let error = runs[2]()
        .pipe(Stage::new(child(&["cat"])))
        .spawn()
        .unwrap_err();
    assert!(error.to_string().contains("`tee_stderr`"), "{error}");
    // Both go into the one pipe that there is.
    let (copy, from) = duplex(NARROW);
    let run = ProcessIo::builder(child(&["alternate", "1"]));
    let run = run.merge_stderr().tee_stdout(copy).into_future();
    let (output, copied) = within(async { join!(run, all_of(from)) }).await;
    assert_eq!(output.unwrap().stdout, copied);
    assert_eq!(copied, b"out 0\nerr 0\n");
}

#[tokio::test]
async fn a_builder_with_a_writer_cannot_be_cloned() {
    let run = ProcessIo::command("echo").tee_stdout(broken());
    assert!(run.try_clone().is_none());
}

/// What a stage says that says it to something else cannot be copied; it is told which.
#[tokio::test]
async fn of_a_pipeline_there_has_to_be_a_pipe() {
    let first = ProcessIo::builder(child(&["do", "out", "x"])).stderr(Redirect::Null);
    let run = first.tee_stderr(tokio::io::sink()).pipe(child(&["cat"]));
    let error = within(run).await.unwrap_err();
    assert!(
        error.is_spawn() && error.stage().unwrap().contains(" do "),
        "{error}"
    );
    let first = ProcessIo::builder(child(&["do", "out", "x"])).tee_stdout(tokio::io::sink());
    let run = first.pipe(child(&["cat"])).stdout(Redirect::Null);
    let error = within(run).await.unwrap_err();
    assert!(
        error.is_spawn() && error.stage().unwrap().ends_with("cat"),
        "{error}"
    );
}
