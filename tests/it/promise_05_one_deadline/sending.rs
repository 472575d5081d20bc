//! Every way to send, and the input of a run: a child that does not read cannot stall us.

use std::{io, time::Duration};

use bytes::Bytes;
use futures::{FutureExt, SinkExt, stream};
use process_io::{Error, Input, Ladder, Limits, Overflow, ProcessIOWrapper, ProcessIo, Source};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Cause, SHORT, said};
use crate::support::{GENEROUS, child, pattern, within};

/// Far more than a pipe holds.
const LARGE: usize = 10 << 20;

/// What the pipe takes in any case, however late the rest is sent.
const FIRST: usize = 4096;

/// A child that never reads.
fn deaf() -> ProcessIo {
    let mut io = ProcessIo::spawn(child(&["deaf"])).unwrap();
    assert_eq!(io.send_nowait([0; FIRST]).unwrap(), FIRST);
    io
}

/// One that soon is stopped.
fn deaf_until(cause: Cause) -> ProcessIo {
    let mut io = deaf();
    cause.set(&mut io);
    io
}

/// A part of it was taken, and the error says how much.
#[track_caller]
fn assert_taken_in_part(cause: Cause, error: &Error) {
    cause.assert_is(error);
    let written = error.output().unwrap().stdin_written;
    assert!((FIRST as u64..LARGE as u64).contains(&written), "{written}");
}

#[track_caller]
fn assert_io(cause: Cause, error: io::Error) -> Error {
    let timed_out = error.kind() == io::ErrorKind::TimedOut;
    assert_eq!(timed_out, cause != Cause::Cancel, "{error}");
    let error = Error::from(error);
    cause.assert_is(&error);
    error
}

#[tokio::test]
async fn send() {
    for cause in Cause::ALL {
        let mut io = deaf();
        said(&mut io, b"ready\n", b"").await;
        cause.set(&mut io);
        let error = within(io.send(pattern(LARGE))).await.unwrap_err();
        assert_taken_in_part(cause, &error);
        assert_eq!(error.output().unwrap().stdin_written, io.written());
        assert_eq!(io.queued(), 0, "nobody will ever take it");
        // Not taken: it is still there to be read.
        let said = within(io.recv(Source::Stdout)).await.unwrap();
        assert_eq!(said.data().unwrap(), "ready\n");
    }
}

#[tokio::test]
async fn send_line() {
    for cause in Cause::ALL {
        let error = within(deaf_until(cause).send_line(pattern(LARGE))).await;
        assert_taken_in_part(cause, &error.unwrap_err());
    }
}

#[tokio::test]
async fn send_timeout() {
    for cause in Cause::ALL {
        let error = within(deaf_until(cause).send_timeout(pattern(LARGE), GENEROUS * 2)).await;
        assert_taken_in_part(cause, &error.unwrap_err());
    }
}

#[tokio::test]
async fn a_sink() {
    for cause in Cause::ALL {
        let mut io = deaf_until(cause);
        let error = within(SinkExt::send(&mut io, Bytes::from(pattern(LARGE)))).await;
        assert_taken_in_part(cause, &error.unwrap_err());
        let mut io = deaf_until(cause);
        let mut items = stream::repeat_with(|| Ok(Bytes::from_static(&[0; 1000])));
        let error = within(io.send_all(&mut items)).await.unwrap_err();
        assert_taken_in_part(cause, &error);
        let closed = within(SinkExt::close(&mut io)).await;
        cause.assert_is(&closed.unwrap_err());
    }
}

#[tokio::test]
async fn send_nowait_in_a_loop_that_never_yields() {
    for cause in Cause::ALL {
        let mut io = deaf_until(cause);
        let start = std::time::Instant::now();
        let error = loop {
            match io.send_nowait([0; 1000]) {
                Ok(0) => std::thread::sleep(Duration::from_millis(1)),
                Ok(_) => {}
                Err(error) => break error,
            }
            assert!(start.elapsed() < GENEROUS);
        };
        assert_taken_in_part(cause, &error);
    }
}

#[tokio::test]
async fn exchange() {
    for cause in Cause::ALL {
        let error = within(deaf_until(cause).exchange(pattern(LARGE), GENEROUS * 2)).await;
        assert_taken_in_part(cause, &error.unwrap_err());
    }
}

#[tokio::test]
async fn a_file() {
    for cause in Cause::ALL {
        for check in [false, true] {
            let mut file = ProcessIOWrapper::from(deaf_until(cause)).check_exit(check);
            let error = within(file.write_all(&pattern(LARGE))).await.unwrap_err();
            assert_taken_in_part(cause, &assert_io(cause, error));
            // It does not turn into success later.
            assert_io(cause, within(file.write(b"x")).await.unwrap_err());
            assert_io(cause, within(file.flush()).await.unwrap_err());
            assert_io(cause, within(file.shutdown()).await.unwrap_err());
        }
    }
}

#[tokio::test]
async fn closing_a_file_whose_queue_the_child_does_not_take() {
    for cause in Cause::ALL {
        let mut io = ProcessIo::spawn(child(&["deaf"])).unwrap();
        // Half of it stays in the handle.
        assert!(io.send(pattern(LARGE)).now_or_never().is_none());
        cause.set(&mut io);
        let mut file = ProcessIOWrapper::from(io);
        let error = within(file.shutdown()).await.unwrap_err();
        assert_taken_in_part(cause, &assert_io(cause, error));
    }
}

#[tokio::test]
async fn a_file_that_is_held_back_by_output_nobody_reads() {
    for cause in [Cause::Deadline, Cause::Cancel] {
        let limits = Limits::default().stdout(100_000, Overflow::Fail);
        let mut io = (ProcessIo::builder(child(&["flood"])).limits(limits))
            .spawn()
            .unwrap();
        assert_eq!(io.send_nowait([0; FIRST]).unwrap(), FIRST);
        cause.set(&mut io);
        let mut file = ProcessIOWrapper::from(io);
        let error = within(file.write_all(&pattern(LARGE))).await.unwrap_err();
        assert_taken_in_part(cause, &assert_io(cause, error));
    }
}

#[tokio::test]
async fn both_sides_of_a_file_that_was_split() {
    for cause in Cause::ALL {
        let mut io = deaf();
        said(&mut io, b"ready\n", b"").await;
        cause.set(&mut io);
        let file = ProcessIOWrapper::from(io);
        let (mut read, mut write) = tokio::io::split(file);
        let reader = tokio::spawn(async move {
            let mut got = Vec::new();
            let error = read.read_to_end(&mut got).await.unwrap_err();
            (got, error)
        });
        let writer = tokio::spawn(async move { write.write_all(&pattern(LARGE)).await });
        let (got, error) = within(reader).await.unwrap();
        assert_io(cause, error);
        assert_eq!(got, b"ready\n");
        assert_io(cause, within(writer).await.unwrap().unwrap_err());
    }
}

#[tokio::test]
async fn every_way_to_send_tells_it_again() {
    for cause in Cause::ALL {
        let mut io = deaf_until(cause);
        cause.assert_is(&within(io.wait()).await.unwrap_err());
        cause.assert_is(&io.send_nowait("x").unwrap_err());
        let error = within(SinkExt::send(&mut io, Bytes::from("x"))).await;
        cause.assert_is(&error.unwrap_err());
        let mut file = ProcessIOWrapper::from(io);
        assert_io(cause, within(file.write(b"x")).await.unwrap_err());
    }
}

#[tokio::test]
async fn send_tells_it_again() {
    for cause in Cause::ALL {
        let mut io = deaf_until(cause);
        cause.assert_is(&within(io.wait()).await.unwrap_err());
        cause.assert_is(&within(io.send("x")).await.unwrap_err());
        cause.assert_is(&within(io.send_line("x")).await.unwrap_err());
        let error = within(io.send_timeout("x", GENEROUS)).await.unwrap_err();
        cause.assert_is(&error);
        let error = within(io.exchange("x", GENEROUS)).await.unwrap_err();
        cause.assert_is(&error);
    }
}

#[tokio::test]
async fn both_halves() {
    for cause in Cause::ALL {
        let (mut send, mut recv) = deaf_until(cause).into_split();
        let (sent, ended) =
            within(async { tokio::join!(send.send(pattern(LARGE)), recv.wait()) }).await;
        cause.assert_is(&ended.unwrap_err());
        cause.assert_is(&sent.unwrap_err());
    }
}

/// The input of a run that is awaited.
async fn feed(mode: &str, input: impl Into<Input>) -> Error {
    let run = ProcessIo::builder(child(&[mode]))
        .input(input)
        .limits(Limits::default().stdout(1000, Overflow::KeepTail))
        .timeout(SHORT);
    let error = within(run).await.unwrap_err();
    Cause::Deadline.assert_is(&error);
    error
}

#[tokio::test]
async fn input_that_the_child_does_not_read() {
    let error = feed("deaf", pattern(LARGE)).await;
    assert_taken_in_part(Cause::Deadline, &error);
}

#[tokio::test]
async fn input_that_never_ends() {
    let pieces = stream::repeat(Bytes::from_static(&[7; 10_000]));
    let output = feed("echo", Input::stream(pieces))
        .await
        .into_output()
        .unwrap();
    assert!(output.stdout.iter().all(|&byte| byte == 7));
    assert!(output.stdin_written >= output.stdout.len() as u64);
    feed("echo", Input::reader(tokio::io::repeat(7))).await;
    // This one is never held back.
    feed("sink", Input::reader(tokio::io::repeat(7))).await;
}

#[tokio::test]
async fn input_that_never_comes() {
    let error = feed("echo", Input::stream(stream::pending::<Bytes>())).await;
    assert_eq!(error.output().unwrap().stdin_written, 0);
}

#[tokio::test]
async fn input_that_never_ends_can_be_cut_by_the_first_step() {
    // It would end by itself at the end of its input.
    let ladder = Ladder::kill().close_stdin(GENEROUS);
    let never = stream::pending::<Bytes>();
    let run = ProcessIo::builder(child(&["echo"]))
        .input(Input::stream(never))
        .timeout(SHORT)
        .ladder(ladder);
    let error = within(run).await.unwrap_err();
    assert!(error.is_timeout());
    let status = error.status().unwrap();
    assert!(
        status.success(),
        "stdin was open and could be closed: {error}"
    );
}
