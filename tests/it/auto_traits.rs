//! Which public types and futures are `Send`, `Sync` and `Unpin`. Most of it is proven by compiling.

use std::{
    error, io,
    panic::{RefUnwindSafe, UnwindSafe},
    time::Duration,
};

use futures::{Sink, Stream, stream::FusedStream};
use process_io::{
    Background, Builder, Collect, Control, Drain, Error, ErrorKind, Event, Exchange, Input, Ladder,
    Limit, Limits, Line, LineBlock, LineBlocks, Lines, OnDrop, Output, Overflow, Pipeline,
    ProcessIOWrapper, ProcessIo, ReadSource, Recv, RecvHalf, Redirect, Report, SendHalf, Signal,
    Source, Stage, StageEvents, Step, UnsplitError,
    transport::{Parts, Process, memory},
};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite};

fn moves_and_is_shared<T: Send + Sync + Unpin + 'static>() {}

#[test]
fn handles_move_to_other_threads_and_are_shared() {
    moves_and_is_shared::<ProcessIo>();
    moves_and_is_shared::<ProcessIOWrapper>();
    moves_and_is_shared::<SendHalf>();
    moves_and_is_shared::<RecvHalf>();
    moves_and_is_shared::<Background>();
    moves_and_is_shared::<Builder>();
    moves_and_is_shared::<Stage>();
    moves_and_is_shared::<Pipeline>();
    moves_and_is_shared::<Collect>();
    moves_and_is_shared::<Input>();
    moves_and_is_shared::<Parts>();
    moves_and_is_shared::<UnsplitError>();
    moves_and_is_shared::<memory::Child>();
    moves_and_is_shared::<Lines<ProcessIo>>();
    moves_and_is_shared::<Lines<RecvHalf>>();
    moves_and_is_shared::<LineBlocks<ProcessIo>>();
    moves_and_is_shared::<StageEvents<'static>>();
}

#[test]
fn values_can_be_shared_too() {
    moves_and_is_shared::<Control>();
    moves_and_is_shared::<Error>();
    moves_and_is_shared::<ErrorKind>();
    moves_and_is_shared::<Ladder>();
    moves_and_is_shared::<OnDrop>();
    moves_and_is_shared::<Report>();
    moves_and_is_shared::<Step>();
    moves_and_is_shared::<Event>();
    moves_and_is_shared::<Recv>();
    moves_and_is_shared::<Source>();
    moves_and_is_shared::<Output>();
    moves_and_is_shared::<Exchange>();
    moves_and_is_shared::<Limits>();
    moves_and_is_shared::<Limit>();
    moves_and_is_shared::<Overflow>();
    moves_and_is_shared::<Drain>();
    moves_and_is_shared::<Signal>();
    moves_and_is_shared::<ReadSource>();
    moves_and_is_shared::<Redirect>();
    moves_and_is_shared::<Line>();
    moves_and_is_shared::<LineBlock>();
}

#[test]
fn lines_may_cross_a_caught_panic_as_bytes_may() {
    fn crosses<T: UnwindSafe + RefUnwindSafe>() {}
    crosses::<Line>();
    crosses::<LineBlock>();
}

#[test]
fn handles_are_what_the_combinators_ask_for() {
    fn stream<T: Stream<Item = process_io::Result<Event>> + FusedStream>() {}
    fn sink<T: Sink<bytes::Bytes, Error = Error>>() {}
    fn file<T: AsyncRead + AsyncBufRead + AsyncWrite>() {}
    fn future<T: IntoFuture<Output = process_io::Result<Output>, IntoFuture = Collect>>() {}
    stream::<ProcessIo>();
    stream::<RecvHalf>();
    sink::<ProcessIo>();
    sink::<SendHalf>();
    file::<ProcessIOWrapper>();
    future::<ProcessIo>();
    future::<Builder>();
    future::<Pipeline>();
}

#[test]
fn an_error_goes_where_errors_go() {
    fn boxed<T: Into<Box<dyn error::Error + Send + Sync>>>() {}
    fn boxed_here<T: Into<Box<dyn error::Error>>>() {}
    fn both_ways<T: Into<io::Error> + From<io::Error>>() {}
    boxed::<Error>();
    boxed_here::<UnsplitError>();
    both_ways::<Error>();
}

#[test]
fn a_process_is_an_object() {
    moves_and_is_shared::<std::sync::Arc<dyn Process>>();
}

#[tokio::test]
async fn every_future_is_send() {
    fn check<T: Send>(_: T) {}
    let second = Duration::from_secs(1);
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    check(io.send(""));
    check(io.send_line(""));
    check(io.send_timeout("", second));
    check(io.recv(Source::Stdout));
    check(io.recv_timeout(Source::Stdout, second));
    check(io.recv_for(Source::Stdout, second));
    check(io.recv_until_quiet(Source::Stdout, second, second));
    check(io.exchange("", second));
    check(io.wait());
    check(io.output());
    check(io.control().wait());
    check(child.signalled());

    let (mut send, mut recv) = io.into_split();
    check(send.send(""));
    check(send.send_timeout("", second));
    check(recv.recv_for(Source::Stdout, second));
    check(recv.recv_until_quiet(Source::Stdout, second, second));
    check(recv.recv_line(Source::Stdout));
    check(recv.expect(""));
    check(recv.copy_to(Source::Stdout, &mut tokio::io::sink()));
    check(recv.shutdown(Ladder::kill()));
    check(recv.recv(Source::Stdout));
    check(recv.recv_timeout(Source::Stdout, second));
    check(recv.wait());

    let io = ProcessIo::unsplit(send, recv).unwrap();
    let mut file = ProcessIOWrapper::from(io);
    check(file.skip(1));
    check(file.into_inner().into_future());
}
