//! Why stdin takes no more: only a reader that is gone is the child's choice, all else is an error of the run. Either way it is
//! told how much of a message went.

use std::{
    io::{self, ErrorKind},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt, Sink};
use process_io::{
    ProcessIo,
    transport::memory::{self, Child},
};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::support::{GENEROUS, within};

/// Takes so many bytes, and then fails so.
struct Takes(usize, ErrorKind);

impl AsyncWrite for Takes {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let n = data.len().min(self.0);
        self.0 -= n;
        Poll::Ready(match n {
            0 => Err(io::Error::new(self.1, "what the system says")),
            n => Ok(n),
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn taking(n: usize, kind: ErrorKind) -> (ProcessIo, Child) {
    let (parts, child) = memory::child();
    (ProcessIo::from_parts(parts.stdin(Takes(n, kind))), child)
}

const TEN: &[u8] = b"0123456789";

#[tokio::test]
async fn how_much_of_a_message_went_to_a_broken_pipe() {
    let (mut io, _child) = taking(14, ErrorKind::BrokenPipe);
    within(io.send(TEN)).await.unwrap();
    let error = within(io.send(TEN)).await.unwrap_err();
    assert!(error.is_broken_pipe(), "{error}");
    assert_eq!(error.written(), Some(4));
    let error = within(io.send(TEN)).await.unwrap_err();
    assert!(error.is_broken_pipe(), "{error}");
    assert_eq!(error.written(), Some(0));
    assert_eq!(io.send_nowait(TEN).unwrap_err().written(), Some(0));
}

#[tokio::test]
async fn how_much_went_in_the_time() {
    let (mut io, _child) = taking(4, ErrorKind::BrokenPipe);
    let error = within(io.send_timeout(TEN, GENEROUS)).await.unwrap_err();
    assert!(error.is_broken_pipe(), "{error}");
    assert_eq!(error.written(), Some(4));
}

#[tokio::test]
async fn how_much_went_by_a_half() {
    let (io, _child) = taking(14, ErrorKind::BrokenPipe);
    let (mut send, _recv) = io.into_split();
    within(send.send(TEN)).await.unwrap();
    let error = within(send.send(TEN)).await.unwrap_err();
    assert_eq!(error.written(), Some(4));
    let error = within(send.send(TEN)).await.unwrap_err();
    assert_eq!(error.written(), Some(0));
}

#[tokio::test]
async fn how_much_went_to_a_stdin_that_was_closed_here() {
    let (mut io, _child) = taking(100, ErrorKind::BrokenPipe);
    io.close_stdin();
    let error = within(io.send(TEN)).await.unwrap_err();
    assert!(error.is_broken_pipe(), "{error}");
    assert_eq!(error.written(), Some(0));
}

#[cfg(unix)]
#[tokio::test]
async fn how_much_a_real_child_took() {
    let mut io = ProcessIo::spawn(crate::support::sh("read line; exit 0")).unwrap();
    let message = [b"line\n".to_vec(), vec![b'x'; 1 << 20]].concat();
    let error = within(io.send(message)).await.unwrap_err();
    assert!(error.is_broken_pipe(), "{error}");
    assert_eq!(error.written().map(|n| n as u64), Some(io.written()));
}

/// Queues ten bytes of input and end-of-file.
fn feed(io: &mut ProcessIo) {
    Pin::new(&mut *io).start_send(TEN.into()).unwrap();
    io.close_stdin();
}

#[tokio::test]
async fn a_child_that_takes_no_more_input_fails_no_run() {
    let (mut io, mut child) = taking(4, ErrorKind::BrokenPipe);
    feed(&mut io);
    child.stdout.write_all(b"done").await.unwrap();
    child.exit(0);
    let output = within(io.output()).await.unwrap();
    assert_eq!(
        (&output.stdout[..], output.stdin_written),
        (&b"done"[..], 4)
    );
}

#[tokio::test]
async fn any_other_error_of_stdin_fails_the_run_with_all_there_was() {
    let (mut io, mut child) = taking(4, ErrorKind::StorageFull);
    feed(&mut io);
    child.stdout.write_all(b"done").await.unwrap();
    child.exit(0);
    let error = within(io.output()).await.unwrap_err();
    assert!(
        error.kind() == process_io::ErrorKind::Stdin
            && error.kind() != process_io::ErrorKind::Input,
        "{error}"
    );
    assert!(
        error.to_string().contains("what the system says"),
        "{error}"
    );
    assert!(error.to_string().contains("stdin"), "{error}");
    assert_eq!(error.status().unwrap().code(), Some(0));
    let output = error.output().unwrap();
    assert_eq!(
        (&output.stdout[..], output.stdin_written),
        (&b"done"[..], 4)
    );
    assert_eq!(io::Error::from(error).kind(), ErrorKind::StorageFull);
}

#[tokio::test]
async fn waiting_tells_it_once() {
    let (mut io, child) = taking(4, ErrorKind::StorageFull);
    feed(&mut io);
    child.exit(0);
    let error = within(io.wait()).await.unwrap_err();
    assert!(
        error.to_string().contains("what the system says"),
        "{error}"
    );
    assert!(within(io.wait()).await.unwrap().success());
}

#[tokio::test]
async fn a_message_that_any_other_error_stops_is_no_broken_pipe() {
    let (mut io, _child) = taking(4, ErrorKind::StorageFull);
    let error = within(io.send(TEN)).await.unwrap_err();
    assert!(
        error.kind() == process_io::ErrorKind::Stdin && !error.is_broken_pipe(),
        "{error}"
    );
    assert_eq!(error.written(), Some(4));
    assert!(
        error.to_string().contains("what the system says"),
        "{error}"
    );
    let error = within(io.send(TEN)).await.unwrap_err();
    assert!(
        error.kind() == process_io::ErrorKind::Stdin && !error.is_broken_pipe(),
        "{error}"
    );
    assert_eq!(error.written(), Some(0));
}

#[tokio::test(start_paused = true)]
async fn an_exchange_fails_with_it() {
    let window = Duration::from_millis(10);
    let (mut io, _child) = taking(4, ErrorKind::BrokenPipe);
    assert_eq!(io.exchange(TEN, window).await.unwrap().written, 4);
    let (mut io, mut child) = taking(4, ErrorKind::StorageFull);
    child.stdout.write_all(b"what came").await.unwrap();
    let error = io.exchange(TEN, window).await.unwrap_err();
    assert!(
        error.kind() == process_io::ErrorKind::Stdin && !error.is_broken_pipe(),
        "{error}"
    );
    assert!(
        error.to_string().contains("what the system says"),
        "{error}"
    );
    let kept = io.recv(process_io::Source::Stdout).now_or_never();
    assert_eq!(kept.unwrap().unwrap().data().unwrap(), "what came");
}

/// A flush that fails loses what the writer had taken.
#[tokio::test]
async fn a_flush_that_fails_is_told() {
    struct Holds;
    impl AsyncWrite for Holds {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            data: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(data.len()))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Err(ErrorKind::ConnectionReset.into()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
    let (parts, _child) = memory::child();
    let mut io = ProcessIo::from_parts(parts.stdin(Holds));
    let error = within(io.send(TEN)).await.unwrap_err();
    assert!(
        error.kind() == process_io::ErrorKind::Stdin && !error.is_broken_pipe(),
        "{error}"
    );
}
