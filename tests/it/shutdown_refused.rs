//! `shutdown` of a child whose transport does not do what it is asked.

use std::{
    io,
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{
    FutureExt,
    future::{BoxFuture, pending, ready},
};
use process_io::{
    Ladder, ProcessIo, Report, Signal,
    transport::{Parts, Process, exit_status},
};
use tokio::time::Instant;

const HOUR: Duration = Duration::from_secs(3600);

/// By the clock of the test, which goes on by itself when nobody has anything to do.
async fn stop(io: &mut ProcessIo, ladder: Ladder) -> process_io::Result<Report> {
    let shutdown = tokio::time::timeout(HOUR / 2, io.shutdown(ladder));
    shutdown.await.expect("it hangs")
}

/// A child whose transport refuses to signal it, and that exits as it is told; never, if it is told nothing.
struct Refusing {
    asked: Arc<AtomicUsize>,
    exit: Option<Result<i32, io::ErrorKind>>,
}

impl Process for Refusing {
    fn wait(self: Arc<Self>) -> BoxFuture<'static, io::Result<ExitStatus>> {
        match self.exit {
            Some(exit) => ready(exit.map(exit_status).map_err(Into::into)).boxed(),
            None => pending().boxed(),
        }
    }

    fn signal(&self, _: Signal) -> io::Result<()> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

fn refusing(exit: Option<Result<i32, io::ErrorKind>>) -> (ProcessIo, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let process = Refusing {
        asked: asked.clone(),
        exit,
    };
    (ProcessIo::from_parts(Parts::new(process)), asked)
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_not_waited_for() {
    let (mut io, asked) = refusing(None);
    let began = Instant::now();
    let ladder = Ladder::new()
        .close_stdin(HOUR)
        .signal(Signal::TERM, HOUR)
        .signal_child(Signal::INT, HOUR);
    let error = stop(&mut io, ladder).await.unwrap_err();
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(error.to_string().contains("exit status"), "{error}");
    assert!(asked.load(Ordering::Relaxed) >= 3, "each was tried");
}

#[tokio::test(start_paused = true)]
async fn a_status_that_is_not_to_be_had_is_an_error() {
    let (mut io, _) = refusing(Some(Err(io::ErrorKind::ConnectionReset)));
    let error = stop(&mut io, Ladder::default()).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    let source: &io::Error = source.downcast_ref().unwrap();
    assert_eq!(source.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_refuses_does_not_spoil_the_end() {
    let (mut io, _) = refusing(Some(Ok(4)));
    let report = stop(&mut io, Ladder::default()).await.unwrap();
    assert_eq!(report.status, exit_status(4));
    assert_eq!(report.ended_by(), None);
}
