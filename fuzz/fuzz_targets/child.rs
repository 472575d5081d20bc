//! The child of the fuzz targets: output that comes in the pieces the input asks for.

use std::{
    future::Future,
    io,
    pin::Pin,
    process::ExitStatus,
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::{self, BoxFuture, FutureExt};
use process_io::{
    ProcessIo, Signal,
    transport::{Parts, Process, exit_status},
};
use tokio::{
    io::{AsyncRead, ReadBuf},
    runtime::{Builder, Runtime},
};

thread_local! {
    // Paused: what waits for time does not, and time passes only when nothing else happens.
    static RUNTIME: Runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
}

/// Runs a future to its end.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// A child that says `stdout` and `stderr` in pieces of `sizes`. It has exited before that, or never does.
pub fn child(stdout: &[u8], stderr: &[u8], sizes: &[u8], exited: bool) -> ProcessIo {
    let pieces = |data: &[u8]| Pieces {
        data: data.to_vec(),
        at: 0,
        sizes: sizes.to_vec(),
        turn: 0,
        waited: false,
    };
    ProcessIo::from_parts(
        Parts::new(Child { exited })
            .stdout(pieces(stdout))
            .stderr(pieces(stderr)),
    )
}

struct Child {
    exited: bool,
}

impl Process for Child {
    fn wait(self: Arc<Self>) -> BoxFuture<'static, io::Result<ExitStatus>> {
        match self.exited {
            true => future::ready(Ok(exit_status(0))).boxed(),
            false => future::pending().boxed(),
        }
    }

    fn signal(&self, _: Signal) -> io::Result<()> {
        Ok(())
    }
}

/// Gives `data` in pieces of `sizes`, again and again; a size of 0 has the reader wait once.
struct Pieces {
    data: Vec<u8>,
    at: usize,
    sizes: Vec<u8>,
    turn: usize,
    waited: bool,
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let size = match self.sizes.len() {
            0 => usize::MAX,
            n => usize::from(self.sizes[self.turn % n]),
        };
        self.turn += 1;
        if size == 0 && !self.waited {
            self.waited = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.waited = false;
        let rest = &self.data[self.at..];
        let piece = &rest[..size.max(1).min(rest.len()).min(buf.remaining())];
        buf.put_slice(piece);
        self.at += piece.len();
        Poll::Ready(Ok(()))
    }
}
