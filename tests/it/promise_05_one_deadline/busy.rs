//! A consumer that never has to wait, because there is always more: the clock is looked at all the same.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::{FutureExt, SinkExt, StreamExt};
use process_io::{
    Error, Event, ProcessIOWrapper, ProcessIo, Recv, Result, Source, transport::memory,
};
use tokio::io::{AsyncBufReadExt, AsyncWrite, AsyncWriteExt};

use super::{Cause, said};
use crate::support::{GENEROUS, assert_bytes, child, eventually, pattern, within};

/// Bytes keep moving, so silence is none of these.
const CAUSES: [Cause; 2] = [Cause::Deadline, Cause::Cancel];
/// The pattern comes round after so many bytes.
const PERIOD: usize = 251 * 251;

/// A child that writes all the time, and soon is stopped.
async fn flood(cause: Cause) -> ProcessIo {
    let mut io = ProcessIo::spawn(child(&["flood"])).unwrap();
    eventually("the child writes", || {
        let _ = io.wait().now_or_never();
        !io.pending(Source::Stdout).is_empty()
    })
    .await;
    cause.set(&mut io);
    io
}

/// A child that reads all the time, and soon is stopped.
async fn sink(cause: Cause) -> ProcessIo {
    let mut io = ProcessIo::spawn(child(&["sink"])).unwrap();
    // More than the pipe holds: by the end of it the child is reading.
    within(io.send(vec![0; 1 << 20])).await.unwrap();
    cause.set(&mut io);
    io
}

/// Checks that the pieces of a flood follow on each other, without keeping them.
struct Check {
    pattern: Vec<u8>,
    at: usize,
}

impl Check {
    fn new() -> Self {
        let pattern = pattern(2 * PERIOD);
        Self { pattern, at: 0 }
    }

    #[track_caller]
    fn next(&mut self, piece: &[u8]) {
        for part in piece.chunks(PERIOD) {
            assert_bytes(part, &self.pattern[self.at..][..part.len()]);
            self.at = (self.at + part.len()) % PERIOD;
        }
    }
}

/// The error that ends it.
async fn until_error(mut step: impl AsyncFnMut() -> Result<()>) -> Error {
    within(async {
        loop {
            if let Err(error) = step().await {
                return error;
            }
        }
    })
    .await
}

#[tokio::test]
async fn events() {
    for cause in CAUSES {
        let (mut io, mut check) = (flood(cause).await, Check::new());
        let error = until_error(async || {
            match io.next().await.expect("an error")? {
                Event::Stdout(piece) => check.next(&piece),
                other => panic!("{other:?}"),
            }
            Ok(())
        });
        cause.assert_is(&error.await);
        let exit = within(io.next()).await.unwrap().unwrap();
        assert!(matches!(exit, Event::Exit(_)), "{exit:?}");
    }
}

#[tokio::test]
async fn pieces() {
    for cause in CAUSES {
        let (mut io, mut check) = (flood(cause).await, Check::new());
        let error = until_error(async || {
            check.next(&io.recv(Source::Stdout).await?.data().expect("an error"));
            Ok(())
        });
        cause.assert_is(&error.await);
    }
}

#[tokio::test]
async fn pieces_without_waiting() {
    for cause in CAUSES {
        let (mut io, mut check) = (flood(cause).await, Check::new());
        let start = Instant::now();
        let error = loop {
            match io.recv_nowait(Source::Stdout) {
                Ok(Recv::Data(piece)) => {
                    check.next(&piece);
                    // Time for the child to fill the pipe again.
                    thread::sleep(Duration::from_millis(1));
                }
                Ok(Recv::Empty) => {}
                Ok(Recv::Eof) => panic!("the end before the error"),
                Err(error) => break error,
            }
            assert!(start.elapsed() < GENEROUS);
        };
        cause.assert_is(&error);
    }
}

#[tokio::test]
async fn bytes_that_were_received_before() {
    for cause in CAUSES {
        let n = 10_000;
        let mut io = ProcessIo::spawn(child(&["stay", "out", &n.to_string()])).unwrap();
        said(&mut io, &pattern(n), b"").await;
        cause.set(&mut io);
        let mut taken = 0;
        // It ends long before all of them are taken.
        while io.control().try_wait().unwrap().is_none() {
            let byte = io.recv_nowait_max(Source::Stdout, 1).unwrap();
            assert!(byte.data().is_some(), "the child lives on after {taken}");
            taken += 1;
            thread::sleep(Duration::from_millis(1));
        }
    }
}

#[tokio::test]
async fn lines() {
    for cause in CAUSES {
        let mut io = flood(cause).await;
        let error = until_error(async || {
            io.recv_line(Source::Stdout).await?.expect("an error");
            Ok(())
        });
        cause.assert_is(&error.await);

        let mut lines = flood(cause).await.into_lines();
        let error = until_error(async || lines.next().await.expect("an error").map(drop));
        cause.assert_is(&error.await);
    }
}

#[tokio::test]
async fn blocks_of_lines() {
    for cause in CAUSES {
        let (mut io, mut check) = (flood(cause).await, Check::new());
        let mut blocks = io.line_blocks(Source::Stdout);
        let error = until_error(async || {
            check.next(blocks.next().await.expect("an error")?.as_bytes());
            Ok(())
        });
        cause.assert_is(&error.await);
    }
}

#[tokio::test]
async fn a_file_that_is_read() {
    for cause in CAUSES {
        let mut file = ProcessIOWrapper::from(flood(cause).await);
        let mut check = Check::new();
        let error = until_error(async || {
            let piece = file.fill_buf().await?;
            check.next(piece);
            let n = piece.len();
            assert!(n > 0, "the end before the error");
            file.consume(n);
            Ok(())
        });
        cause.assert_is(&error.await);
    }
}

#[tokio::test]
async fn messages() {
    for cause in CAUSES {
        let mut io = sink(cause).await;
        let error = until_error(async || io.send_line("a line").await);
        cause.assert_is(&error.await);
        let mut io = sink(cause).await;
        let error = until_error(async || io.send(vec![0; 10_000]).await);
        cause.assert_is(&error.await);
    }
}

#[tokio::test]
async fn messages_without_waiting() {
    for cause in CAUSES {
        let mut io = sink(cause).await;
        let start = Instant::now();
        let error = loop {
            if let Err(error) = io.send_nowait("a line\n") {
                break error;
            }
            assert!(start.elapsed() < GENEROUS);
        };
        cause.assert_is(&error);
    }
}

#[tokio::test]
async fn a_sink() {
    for cause in CAUSES {
        let mut io = sink(cause).await;
        let line = Bytes::from_static(b"a line\n");
        let error = until_error(async || SinkExt::feed(&mut io, line.clone()).await);
        cause.assert_is(&error.await);
    }
}

#[tokio::test]
async fn a_file_that_is_written() {
    for cause in CAUSES {
        let mut file = ProcessIOWrapper::from(sink(cause).await);
        let error = until_error(async || Ok(file.write_all(b"a line\n").await?));
        cause.assert_is(&error.await);
    }
}

/// Takes all that it is given, and leaves the task no reason to rest, as tokio's own pipes do from time to time.
struct Greedy;

impl AsyncWrite for Greedy {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn messages_to_a_stdin_that_takes_everything_at_once() {
    for cause in CAUSES {
        for file in [false, true] {
            let (parts, child) = memory::child();
            let mut io = ProcessIo::from_parts(parts.stdin(Greedy));
            cause.set(&mut io);
            // It exits when it is killed, as soon as this task lets it.
            let killed = tokio::spawn(async move {
                let mut child = child;
                child.signalled().await;
                child.exit(9);
            });
            let start = Instant::now();
            let error = if file {
                let mut file = ProcessIOWrapper::from(io);
                loop {
                    if let Err(error) = file.write_all(b"a line\n").await {
                        break error.into();
                    }
                    assert!(start.elapsed() < GENEROUS);
                }
            } else {
                loop {
                    if let Err(error) = io.send_line("a line").await {
                        break error;
                    }
                    assert!(start.elapsed() < GENEROUS);
                }
            };
            cause.assert_is(&error);
            killed.await.unwrap();
        }
    }
}
