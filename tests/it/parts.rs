//! A child made of any writer, two readers and a process is driven by the same code.

use std::{
    io,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{
    FutureExt, StreamExt,
    channel::oneshot,
    future::{BoxFuture, Shared},
    stream,
};
use process_io::{
    Drain, ErrorKind, Event, ProcessIo, Recv, Signal, Source, Usage,
    transport::{Parts, Process, exit_status},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufWriter, duplex};
use tokio_util::io::StreamReader;

use crate::support::{GENEROUS, assert_bytes, child, pattern, within};

/// A process that exits when it is told to, and remembers its signals.
struct Told {
    exit: Shared<oneshot::Receiver<i32>>,
    signals: Arc<Mutex<Vec<Signal>>>,
}

impl Process for Told {
    fn wait(self: Arc<Self>) -> BoxFuture<'static, io::Result<ExitStatus>> {
        let exit = self.exit.clone();
        exit.map(|code| Ok(exit_status(code.map_err(io::Error::other)?)))
            .boxed()
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        self.signals.lock().unwrap().push(signal);
        Ok(())
    }

    fn usage(&self) -> Option<Usage> {
        let of_signals = self.signals.lock().unwrap().len() as u64;
        Some(Usage::new(
            Duration::from_secs(of_signals),
            Duration::ZERO,
            Some(1),
        ))
    }
}

type Signals = Arc<Mutex<Vec<Signal>>>;

fn told() -> (Told, oneshot::Sender<i32>, Signals) {
    let (tell, exit) = oneshot::channel();
    let signals = Signals::default();
    let told = Told {
        exit: exit.shared(),
        signals: signals.clone(),
    };
    (told, tell, signals)
}

/// A process that exits with this code at once.
fn exits(code: i32) -> Told {
    let (told, tell, _) = told();
    tell.send(code).unwrap();
    told
}

fn fails(data: &'static [u8]) -> impl AsyncRead + Send + Unpin {
    let error = io::Error::new(io::ErrorKind::ConnectionReset, "the line is dead");
    StreamReader::new(stream::iter([Ok(data), Err(error)]))
}

#[tokio::test]
async fn over_a_duplex_of_tokio() {
    let (process, tell, signals) = told();
    let (stdin, mut child_stdin) = duplex(1000);
    let (mut child_stdout, stdout) = duplex(1000);
    let (mut child_stderr, stderr) = duplex(1000);
    let parts = Parts::new(process)
        .stdin(stdin)
        .stdout(stdout)
        .stderr(stderr);
    let mut io = ProcessIo::from_parts(parts);
    let data = pattern(300_000);
    let cat = tokio::spawn(async move {
        tokio::io::copy(&mut child_stdin, &mut child_stdout)
            .await
            .unwrap();
        child_stderr.write_all(b"done").await.unwrap();
        tell.send(3).unwrap();
    });
    within(io.send(data.clone())).await.unwrap();
    let output = within(io.output()).await.unwrap();
    assert_bytes(&output.stdout, data);
    assert_eq!(output.stderr, "done");
    assert_eq!(output.code(), Some(3));
    assert_eq!(output.stdin_written, 300_000);
    cat.await.unwrap();
    // It has exited by itself, and what it leaves is left.
    assert_eq!(*signals.lock().unwrap(), []);
    let usage = Usage::new(Duration::ZERO, Duration::ZERO, Some(1));
    assert_eq!(output.usage, Some(usage));
    assert_eq!(io.control().usage(), Some(usage));
    drop(io);
    assert!(signals.lock().unwrap().is_empty());
}

fn started_by_tokio(args: &[&str]) -> ProcessIo {
    let child = child(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    ProcessIo::from_parts(Parts::from(child).name("a child of tokio's"))
}

#[tokio::test]
async fn over_the_pipes_of_a_tokio_child() {
    let mut io = started_by_tokio(&["echo"]);
    let data = pattern(2_000_000);
    within(io.send(data.clone())).await.unwrap();
    let output = within(io.output()).await.unwrap();
    assert_bytes(&output.stdout, data);
    assert!(output.success());

    let mut io = started_by_tokio(&["write", "out", "300000", "err", "200000"]);
    let (mut out, mut err, mut code) = (Vec::new(), Vec::new(), None);
    while let Some(event) = within(io.next()).await {
        match event.unwrap() {
            Event::Stdout(bytes) => out.extend_from_slice(&bytes),
            Event::Stderr(bytes) => err.extend_from_slice(&bytes),
            Event::Exit(status) => code = status.code(),
            _ => {}
        }
    }
    assert_bytes(out, pattern(300_000));
    assert_bytes(err, pattern(200_000));
    assert_eq!(code, Some(0));
}

#[tokio::test]
async fn errors_call_it_by_its_name() {
    let output = within(started_by_tokio(&["exit", "2"])).await.unwrap();
    let error = output.check().unwrap_err();
    assert_eq!(error.command(), Some("a child of tokio's"));
    let mut io = started_by_tokio(&["exit", "2"]);
    within(io.wait()).await.unwrap();
    let error = within(io.send("x")).await.unwrap_err();
    assert!(error.is_broken_pipe(), "{error:?}");
    assert_eq!(error.command(), Some("a child of tokio's"));
}

#[cfg(any(target_os = "linux", windows))] // Where it can be told whether a process lives.
#[tokio::test]
async fn a_tokio_child_is_killed_on_drop() {
    let mut io = started_by_tokio(&["deaf"]);
    assert_eq!(
        within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap(),
        "ready\n"
    );
    let pid = io.id().unwrap();
    assert!(crate::support::is_alive(pid));
    drop(io);
    crate::support::eventually("the child is gone", || !crate::support::is_alive(pid)).await;
}

#[tokio::test]
async fn a_writer_that_holds_back_is_flushed() {
    let (process, tell, _) = told();
    let (stdin, mut heard) = duplex(1 << 20);
    let parts = Parts::new(process).stdin(BufWriter::with_capacity(1 << 20, stdin));
    let mut io = ProcessIo::from_parts(parts);
    let mut buffer = [0; 5];
    within(io.send("word1")).await.unwrap();
    within(heard.read_exact(&mut buffer)).await.unwrap();
    assert_eq!(&buffer, b"word1");

    assert_eq!(io.send_nowait("word2").unwrap(), 5);
    assert!(io.recv_nowait(Source::Stdout).is_err(), "there is none");
    let (read, _) = within(async {
        tokio::join!(heard.read_exact(&mut buffer), async {
            tell.send(0).unwrap();
            io.wait().await.unwrap()
        })
    })
    .await;
    read.unwrap();
    assert_eq!(&buffer, b"word2");
}

#[tokio::test]
async fn a_writer_that_holds_back_is_flushed_before_its_end() {
    let (stdin, mut heard) = duplex(100);
    let (process, tell, _) = told();
    let parts = Parts::new(process).stdin(BufWriter::with_capacity(1 << 20, stdin));
    let data = pattern(100_000);
    let mut io = ProcessIo::from_parts(parts);
    let mut all = Vec::new();
    let (output, ()) = within(async {
        tokio::join!(
            async {
                io.send(data.clone()).await.unwrap();
                io.output().await.unwrap()
            },
            async {
                heard.read_to_end(&mut all).await.unwrap();
                tell.send(0).unwrap();
            }
        )
    })
    .await;
    assert_bytes(all, data);
    assert_eq!(output.stdin_written, 100_000);
}

#[tokio::test]
async fn the_error_of_a_reader_surfaces_in_every_way_of_reading() {
    let broken =
        || ProcessIo::from_parts(Parts::new(exits(0)).stdout(fails(b"so far")).name("remote"));
    let is_it = |error: &process_io::Error| {
        let text = error.to_string();
        assert!(text.starts_with("`remote`: the line is dead"), "{text}");
        let source = std::error::Error::source(error).unwrap();
        let source = source.downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.kind(), io::ErrorKind::ConnectionReset);
    };

    let error = within(broken().output()).await.unwrap_err();
    is_it(&error);
    assert_eq!(error.output().unwrap().stdout, "so far");

    let mut io = broken();
    assert_eq!(
        within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap(),
        "so far"
    );
    is_it(&within(io.recv(Source::Stdout)).await.unwrap_err());
    assert_eq!(within(io.recv(Source::Stdout)).await.unwrap(), Recv::Eof);

    let mut io = broken();
    let received = within(io.recv_for(Source::Stdout, GENEROUS)).await.unwrap();
    assert_eq!(received, Recv::Data("so far".into()));
    is_it(
        &within(io.recv_for(Source::Stdout, GENEROUS))
            .await
            .unwrap_err(),
    );

    let events: Vec<_> = within(broken().collect()).await;
    assert_eq!(events.len(), 3, "{events:?}");
    assert_eq!(*events[0].as_ref().unwrap(), Event::Stdout("so far".into()));
    is_it(events[1].as_ref().unwrap_err());
    assert!(matches!(events[2], Ok(Event::Exit(_))));

    let mut file = process_io::ProcessIOWrapper::from(broken());
    let mut read = Vec::new();
    let error = within(file.read_to_end(&mut read)).await.unwrap_err();
    assert_eq!(read, b"so far");
    is_it(&process_io::Error::from(error));
}

#[tokio::test]
async fn the_error_of_a_writer_surfaces() {
    let (process, _tell, _) = told();
    let (stdin, heard) = duplex(10);
    drop(heard);
    let mut io = ProcessIo::from_parts(Parts::new(process).stdin(stdin).name("remote"));
    let error = within(io.send("data")).await.unwrap_err();
    assert!(error.is_broken_pipe(), "{error:?}");
    assert_eq!(error.command(), Some("remote"));
    assert_eq!(io.queued(), 0);
}

#[tokio::test]
async fn a_status_that_cannot_be_had_is_an_error() {
    let (process, tell, _) = told();
    drop(tell);
    let mut io = ProcessIo::from_parts(Parts::new(process).stdout(&b"all of it"[..]));
    let error = within(io.output()).await.unwrap_err();
    assert_eq!(error.output().unwrap().stdout, "all of it");
    assert_eq!(error.output().unwrap().status, None);
    assert!(
        error.to_string().contains("exit status is unavailable"),
        "{error}"
    );
}

#[tokio::test]
async fn dropped_it_is_killed_once() {
    let (process, _tell, signals) = told();
    let (send, recv) = ProcessIo::from_parts(Parts::new(process)).into_split();
    drop(send);
    assert!(signals.lock().unwrap().is_empty());
    drop(recv);
    assert_eq!(*signals.lock().unwrap(), [Signal::KILL]);
}

#[tokio::test]
async fn streams_that_are_not_given_are_no_pipes() {
    let (process, tell, _) = told();
    let mut io = ProcessIo::from_parts(Parts::new(process));
    let error = within(io.recv(Source::Stdout)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotPiped);
    assert_eq!(within(io.recv(Source::Stdout)).await.unwrap(), Recv::Eof);
    let error = io.recv_nowait(Source::Stderr).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotPiped);
    assert_eq!(io.recv_nowait(Source::Stderr).unwrap(), Recv::Eof);
    assert!(within(io.send("x")).await.unwrap_err().is_broken_pipe());
    tell.send(1).unwrap();
    assert_eq!(within(io.wait()).await.unwrap().code(), Some(1));
}

/// Uses up what tokio lets one task do before it has to yield.
async fn use_up_the_budget() {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let mut received = 0;
    while tokio::task::coop::has_budget_remaining() {
        sender.send(()).unwrap();
        receiver.recv().await.unwrap();
        received += 1;
    }
    assert!(received > 0);
}

#[tokio::test]
async fn a_task_that_has_used_up_its_budget_loses_nothing() {
    let (mut theirs, ours) = duplex(100);
    theirs.write_all(b"last words").await.unwrap();
    let mut io = ProcessIo::from_parts(Parts::new(exits(0)).stdout(ours));
    io.set_drain(Drain::Immediate);
    use_up_the_budget().await;
    assert_eq!(within(io.output()).await.unwrap().stdout, "last words");
}

#[test]
fn a_loop_that_never_yields_is_not_rationed() {
    const WORDS: usize = 1000;
    let (mut theirs, ours) = duplex(100);
    let parts = Parts::new(exits(0)).stdout(ours);
    let (told, hear) = std::sync::mpsc::channel();
    let speaker = std::thread::spawn(move || {
        for _ in 0..WORDS {
            hear.recv().unwrap();
            futures::executor::block_on(theirs.write_all(b"word")).unwrap();
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut io = ProcessIo::from_parts(parts);
        io.set_drain(Drain::UntilEof);
        let start = std::time::Instant::now();
        let mut next = || {
            loop {
                match io.recv_nowait(Source::Stdout).unwrap() {
                    Recv::Empty => std::thread::yield_now(),
                    other => return other.data(),
                }
                assert!(start.elapsed() < Duration::from_secs(20), "it hangs");
            }
        };
        for i in 0..WORDS {
            told.send(()).unwrap();
            assert_eq!(next().unwrap(), "word", "word {i}");
        }
        assert_eq!(next(), None);
    });
    speaker.join().unwrap();
}
