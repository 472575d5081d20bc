//! `Error::kind` tells the cause; the few `is_*` methods hold for the same.

use std::{io, process::ExitStatus, sync::Arc};

use futures::{FutureExt, future::BoxFuture};
use process_io::{
    Error, ErrorKind, Found, LineOptions, LongLine, Needle, ProcessIo, Signal, Source,
    transport::{
        Parts, Process,
        memory::{self, Child},
    },
};
use tokio::io::AsyncWriteExt;

use crate::support::{child, within};

fn start() -> (ProcessIo, Child) {
    let (parts, child) = memory::child();
    (ProcessIo::from_parts(parts), child)
}

/// Which of the methods hold.
fn holds(error: &Error) -> Vec<&'static str> {
    let all = [
        ("spawn", error.is_spawn()),
        ("timeout", error.is_timeout()),
        ("cancelled", error.is_cancelled()),
        ("limit", error.is_limit()),
        ("broken pipe", error.is_broken_pipe()),
    ];
    let hold = all.into_iter().filter(|(_, holds)| *holds);
    hold.map(|(name, _)| name).collect()
}

#[tokio::test]
async fn of_a_line_that_is_too_long() {
    let (mut io, mut child) = start();
    io.set_line_options(LineOptions::default().max_line_length(4, LongLine::Fail));
    child.stdout.write_all(b"longer\n").await.unwrap();
    let error = within(io.recv_line(Source::Stdout)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LongLine);
    assert_eq!(holds(&error), ["limit"]);
}

#[tokio::test]
async fn of_a_stdin_that_was_closed_here_or_there() {
    let (mut io, _child) = start();
    io.close_stdin();
    let error = within(io.send("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StdinClosed);
    assert_eq!(holds(&error), ["broken pipe"]);

    let (mut io, child) = start();
    child.exit(0);
    within(io.wait()).await.unwrap();
    let error = within(io.send("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    assert_eq!(holds(&error), ["broken pipe"]);
}

/// A child of which nothing can be had.
struct Lost;

impl Process for Lost {
    fn wait(self: Arc<Self>) -> BoxFuture<'static, io::Result<ExitStatus>> {
        async { Err(io::ErrorKind::ConnectionReset.into()) }.boxed()
    }

    fn signal(&self, _: Signal) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

#[tokio::test]
async fn of_a_process_that_is_out_of_reach() {
    let io = ProcessIo::from_parts(Parts::new(Lost));
    let control = io.control();
    let error = within(control.wait()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StatusUnavailable);
    assert_eq!(holds(&error), [""; 0]);
    let error = control.terminate().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Signal);
    assert_eq!(holds(&error), [""; 0]);
}

#[tokio::test]
async fn of_a_needle_that_finds_what_is_not_there() {
    struct Wrong;
    impl Needle for Wrong {
        fn find(&self, _: &[u8], _: usize) -> Option<Found> {
            Some(Found::new(1, 100))
        }
    }
    let (mut io, mut child) = start();
    child.stdout.write_all(b"some").await.unwrap();
    let error = within(io.expect(Wrong)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Needle);
}

#[tokio::test]
async fn of_what_cannot_be_done_together() {
    let run = ProcessIo::builder(child(&["cat"])).process_group(false);
    let error = run.die_with_parent(true).spawn().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(holds(&error), ["spawn"]);
}

#[test]
fn of_what_was_an_io_error() {
    let error = Error::from(io::Error::from(io::ErrorKind::NotFound));
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(holds(&error), [""; 0]);
    // One that was ours before is so again.
    let spawn = ProcessIo::builder(child(&["cat"])).spawn().unwrap_err();
    let error = Error::from(io::Error::from(spawn));
    assert_eq!(error.kind(), ErrorKind::NoRuntime);
    assert_eq!(holds(&error), ["spawn"]);
}
