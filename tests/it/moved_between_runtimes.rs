//! A handle whose runtime has shut down goes on in another. Where there is none it hands over what is there, and then fails.
#![cfg(target_os = "linux")] // Elsewhere an exit is not seen in another runtime, or nothing can be read there.

use std::{
    io::{Read, Seek},
    time::Instant,
};

use futures::executor::block_on;
use process_io::{Error, ErrorKind, ProcessIOWrapper, ProcessIo, Recv, Source};
use rustix::io::ioctl_fionread;
use tokio::runtime::Runtime;

use crate::support::{
    GENEROUS, assert_bytes, child, eventually, is_alive, life::runtimes, pattern, within,
};

const SIZE: usize = 300_000;
/// More than all pipes hold.
const LARGE: usize = 8 << 20;

/// Started in a runtime that is gone.
fn moved(runtime: Runtime, args: &[&str]) -> ProcessIo {
    let io = runtime.block_on(async { ProcessIo::spawn(child(args)).unwrap() });
    drop(runtime);
    io
}

const TALK: &[&str] = &[
    "do", "out", "one\n", "read", "out", "two\n", "err", "three\n", "exit", "3",
];

#[test]
fn it_goes_on_to_talk() {
    for runtime in runtimes() {
        let mut io = moved(runtime, TALK);
        for runtime in runtimes() {
            let received = runtime.block_on(async { io.recv_nowait(Source::Stderr) });
            assert_eq!(received.unwrap(), Recv::Empty);
        }
        let [there, then] = runtimes();
        let line = there
            .block_on(within(io.recv_line(Source::Stdout)))
            .unwrap();
        assert_eq!(line.unwrap().as_bytes(), b"one");
        drop(there);
        let output = then.block_on(async {
            within(io.send_line("go on")).await.unwrap();
            within(io.output()).await.unwrap()
        });
        assert_eq!(
            (&output.stdout[..], &output.stderr[..]),
            (&b"two\n"[..], &b"three\n"[..])
        );
        assert_eq!(output.status.unwrap().code(), Some(3));
    }
}

#[test]
fn it_goes_on_to_collect() {
    for runtime in runtimes() {
        let io = moved(
            runtime,
            &["write", "out", &SIZE.to_string(), "err", &SIZE.to_string()],
        );
        let [_, then] = runtimes();
        let output = then.block_on(within(io)).unwrap().check().unwrap();
        assert_bytes(output.stdout, pattern(SIZE));
        assert_bytes(output.stderr, pattern(SIZE));
    }
}

#[test]
fn it_goes_on_to_feed() {
    for runtime in runtimes() {
        let mut io = moved(runtime, &["cat"]);
        let [there, then] = runtimes();
        there.block_on(async {
            let mut sending = Box::pin(io.send(pattern(LARGE)));
            assert!(futures::poll!(&mut sending).is_pending());
        });
        drop(there);
        let output = then.block_on(within(io)).unwrap().check().unwrap();
        assert_bytes(output.stdout, pattern(LARGE));
    }
}

#[test]
fn it_goes_on_to_splice() {
    for runtime in runtimes() {
        let mut io = moved(runtime, &["write", "out", &SIZE.to_string()]);
        let mut file = tempfile::tempfile().unwrap();
        let [_, then] = runtimes();
        let descriptor = std::os::fd::AsFd::as_fd(&file);
        then.block_on(within(io.splice_to(Source::Stdout, descriptor)))
            .unwrap();
        let mut all = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut all).unwrap();
        assert_bytes(all, pattern(SIZE));
    }
}

/// Never the end of the stream, which the child has not reached.
fn assert_without_runtime(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::NoRuntime, "{error:?}");
    assert!(error.to_string().contains("no tokio runtime"), "{error}");
}

#[test]
fn without_a_runtime_what_is_there_is_read_and_then_it_fails() {
    for runtime in runtimes() {
        let mut io = runtime.block_on(async { ProcessIo::spawn(child(&["prompt"])).unwrap() });
        runtime.block_on(async {
            assert_eq!(
                within(io.recv(Source::Stdout))
                    .await
                    .unwrap()
                    .data()
                    .unwrap(),
                "> "
            );
            within(io.send_line("hello")).await.unwrap();
        });
        drop(runtime);
        let answer = b"you said: hello\n> ";
        let file = ProcessIOWrapper::from(io);
        let start = Instant::now();
        while ioctl_fionread(file.read_descriptor().unwrap()).unwrap() < answer.len() as u64 {
            assert!(start.elapsed() < GENEROUS, "the child never answered");
            std::thread::yield_now();
        }
        io = file.into_inner();
        let received = block_on(io.recv(Source::Stdout)).unwrap().data().unwrap();
        assert_eq!(received, &answer[..]);
        assert_without_runtime(&block_on(io.recv(Source::Stdout)).unwrap_err());
    }
}

#[test]
fn without_a_runtime_nothing_is_waited_for() {
    for runtime in runtimes() {
        let io = moved(runtime, &["cat"]);
        let control = io.control();
        assert_without_runtime(&block_on(control.wait()).unwrap_err());
        assert!(control.try_wait().unwrap().is_none(), "it lives");
        let pid = io.id().unwrap();
        control.kill().unwrap();
        let [runtime, _] = runtimes();
        runtime.block_on(eventually("it ends", || !is_alive(pid)));
        drop(runtime);
        assert!(!block_on(control.wait()).unwrap().success());
    }
}
