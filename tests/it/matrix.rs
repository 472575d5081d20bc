//! Every hazard by every way to consume: large output on both pipes, a descendant that holds the pipe, a limit that
//! is reached, a future that is cancelled; by collecting, as events, by `recv` and as a file.

use std::{future::Future, pin::pin, task::Poll, time::Duration};

use futures::{StreamExt, poll};
use process_io::{Event, Limits, Overflow, ProcessIOWrapper, ProcessIo, ReadSource, Recv, Source};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};

use crate::support::{GENEROUS, assert_bytes, child, pattern, within};

const LARGE: usize = 8 << 20;
const LIMIT: usize = 100_000;
/// More than is kept and the largest pipe holds together, so that a child that is held back there writes nothing else.
const MORE: usize = 600_000;

fn spawn(args: &[&str]) -> ProcessIo {
    ProcessIo::spawn(child(args)).expect("the child starts")
}

/// What the event stream gives, to its end.
async fn events(io: &mut ProcessIo) -> [Vec<u8>; 2] {
    let mut got = [Vec::new(), Vec::new()];
    loop {
        match within(io.next()).await.expect("an exit").unwrap() {
            Event::Stdout(piece) => got[0].extend_from_slice(&piece),
            Event::Stderr(piece) => got[1].extend_from_slice(&piece),
            Event::Exit(_) => return got,
            _ => {}
        }
    }
}

async fn received(io: &mut ProcessIo, source: Source) -> Vec<u8> {
    let mut got = Vec::new();
    while let Recv::Data(piece) = within(io.recv(source)).await.unwrap() {
        got.extend_from_slice(&piece);
    }
    got
}

async fn read(file: &mut ProcessIOWrapper) -> Vec<u8> {
    let mut got = Vec::new();
    within(file.read_to_end(&mut got)).await.unwrap();
    got
}

async fn assert_ended(io: &mut ProcessIo, code: i32, held: bool) {
    assert_eq!(within(io.wait()).await.unwrap().code(), Some(code));
    assert_eq!(io.pipes_held(), held);
    assert_eq!(io.omitted(Source::Stdout), 0);
    assert_eq!(io.omitted(Source::Stderr), 0);
}

mod large_output_on_both_pipes {
    use super::*;

    fn run() -> ProcessIo {
        spawn(&["both", &LARGE.to_string()])
    }

    #[tokio::test]
    async fn collected() {
        let output = within(run()).await.unwrap();
        assert!(output.success() && !output.pipes_held);
        assert_eq!((output.stdout_omitted, output.stderr_omitted), (0, 0));
        assert_bytes(output.stdout, pattern(LARGE));
        assert_bytes(output.stderr, pattern(LARGE));
    }

    #[tokio::test]
    async fn as_events() {
        let mut io = run();
        for got in events(&mut io).await {
            assert_bytes(got, pattern(LARGE));
        }
        assert_ended(&mut io, 0, false).await;
    }

    #[tokio::test]
    async fn by_recv() {
        let mut io = run();
        for source in [Source::Stdout, Source::Stderr] {
            assert_bytes(received(&mut io, source).await, pattern(LARGE));
        }
        assert_ended(&mut io, 0, false).await;
    }

    #[tokio::test]
    async fn as_a_file() {
        let mut file = ProcessIOWrapper::from(run());
        assert_bytes(read(&mut file).await, pattern(LARGE));
        let mut io = file.into_inner();
        assert_ended(&mut io, 0, false).await;
        assert_bytes(received(&mut io, Source::Stderr).await, pattern(LARGE));
    }
}

mod a_descendant_holds_the_pipe {
    use super::*;

    /// What the child writes to each stream, and leaves behind for a minute.
    const N: usize = 60_000;

    fn run() -> ProcessIo {
        spawn(&["hold-write", "60000", &N.to_string()])
    }

    #[tokio::test]
    async fn collected() {
        let output = within(run()).await.unwrap();
        assert!(output.success() && output.pipes_held);
        assert!(output.elapsed < Duration::from_secs(30));
        assert_bytes(output.stdout, pattern(N));
        assert_bytes(output.stderr, pattern(N));
    }

    #[tokio::test]
    async fn as_events() {
        let mut io = run();
        for got in events(&mut io).await {
            assert_bytes(got, pattern(N));
        }
        assert_ended(&mut io, 0, true).await;
    }

    #[tokio::test]
    async fn by_recv() {
        let mut io = run();
        for source in [Source::Stderr, Source::Stdout] {
            assert_bytes(received(&mut io, source).await, pattern(N));
        }
        assert_ended(&mut io, 0, true).await;
    }

    #[tokio::test]
    async fn as_a_file() {
        let mut file = ProcessIOWrapper::from(run());
        assert_bytes(read(&mut file).await, pattern(N));
        assert_bytes(file.take_unread(), pattern(N));
        assert_ended(file.get_mut(), 0, true).await;
    }
}

mod a_limit_is_reached {
    use super::*;

    fn run(args: &[&str], overflow: Overflow) -> ProcessIo {
        let limits = Limits::default()
            .stdout(LIMIT, overflow)
            .stderr(LIMIT, Overflow::KeepBoth);
        let run = ProcessIo::builder(child(args)).limits(limits);
        run.spawn().expect("the child starts")
    }

    fn both(overflow: Overflow) -> ProcessIo {
        let n = MORE.to_string();
        run(&["write", "out", &n, "err", &n], overflow)
    }

    /// What is kept of stderr.
    fn ends() -> Vec<u8> {
        let all = pattern(MORE);
        [&all[..LIMIT / 2], &all[MORE - LIMIT / 2..]].concat()
    }

    #[tokio::test]
    async fn collected() {
        let mut io = run(
            &["write", "out", &MORE.to_string(), "err", "50"],
            Overflow::Fail,
        );
        let (mut got, mut messages) = (Vec::new(), Vec::new());
        let output = loop {
            match within(io.output()).await {
                Ok(output) => break output,
                Err(error) => {
                    assert!(error.is_limit(), "{error}");
                    let partial = error.into_output().unwrap();
                    assert_eq!(partial.stdout.len(), LIMIT);
                    got.extend_from_slice(&partial.stdout);
                    messages.extend_from_slice(&partial.stderr);
                }
            }
        };
        assert!(output.success() && !output.pipes_held);
        assert_eq!((output.stdout_omitted, output.stderr_omitted), (0, 0));
        got.extend_from_slice(&output.stdout);
        messages.extend_from_slice(&output.stderr);
        assert_bytes(got, pattern(MORE));
        assert_bytes(messages, pattern(50));
    }

    #[tokio::test]
    async fn collected_in_part() {
        let output = within(both(Overflow::KeepHead)).await.unwrap();
        assert!(output.success() && !output.pipes_held);
        assert_eq!(output.stdout_omitted, (MORE - LIMIT) as u64);
        assert_eq!(output.stderr_omitted, (MORE - LIMIT) as u64);
        assert_bytes(output.stdout, &pattern(MORE)[..LIMIT]);
        assert_bytes(output.stderr, ends());
    }

    #[tokio::test]
    async fn as_events() {
        let mut io = both(Overflow::Fail);
        assert!(within(io.wait()).await.unwrap_err().is_limit());
        for got in events(&mut io).await {
            assert_bytes(got, pattern(MORE));
        }
        assert_ended(&mut io, 0, false).await;
    }

    #[tokio::test]
    async fn by_recv() {
        let mut io = both(Overflow::KeepTail);
        let stderr = received(&mut io, Source::Stderr).await;
        assert_bytes(stderr, pattern(MORE));
        let stdout = received(&mut io, Source::Stdout).await;
        assert_bytes(stdout, &pattern(MORE)[MORE - LIMIT..]);
        assert_eq!(io.omitted(Source::Stdout), (MORE - LIMIT) as u64);
        assert_eq!(io.omitted(Source::Stderr), 0);
        assert!(within(io.wait()).await.unwrap().success());
        assert!(!io.pipes_held());
    }

    #[tokio::test]
    async fn as_a_file() {
        let mut file = ProcessIOWrapper::from(both(Overflow::Fail));
        assert_bytes(read(&mut file).await, pattern(MORE));
        assert!(within(file.get_mut().wait()).await.unwrap().success());
        // What is not read keeps its tail.
        let tail = &pattern(MORE)[MORE - LIMIT..];
        assert_bytes(file.take_unread(), tail);
        let io = file.into_inner();
        assert_eq!(io.omitted(Source::Stdout), 0);
        assert_eq!(io.omitted(Source::Stderr), (MORE - LIMIT) as u64);
        assert!(!io.pipes_held());
    }
}

mod a_future_is_cancelled {
    use super::*;

    /// Polls a new future a few times and drops it, with some progress between the polls. What it came to, if it
    /// was that fast.
    async fn cancel<T>(future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        for _ in 0..3 {
            if let Poll::Ready(value) = poll!(&mut future) {
                return Some(value);
            }
            tokio::task::yield_now().await;
        }
        None
    }

    /// A child that echoes what it is sent until its input ends.
    async fn echo() -> ProcessIo {
        let mut io = spawn(&["echo"]);
        cancel(io.send(pattern(LARGE))).await;
        io
    }

    #[tokio::test]
    async fn collected() {
        let mut io = echo().await;
        let mut early = None;
        for _ in 0..5 {
            if early.is_none() {
                early = cancel(io.output()).await;
            }
        }
        let output = match early {
            Some(output) => output.unwrap(),
            None => within(io.output()).await.unwrap(),
        };
        assert!(output.success() && !output.pipes_held);
        assert_eq!(output.stdin_written, LARGE as u64);
        assert_bytes(output.stdout, pattern(LARGE));
    }

    #[tokio::test]
    async fn as_events() {
        let mut io = echo().await;
        for _ in 0..5 {
            assert!(cancel(io.wait()).await.is_none());
        }
        io.close_stdin();
        let mut got = Vec::new();
        loop {
            // Most of these find nothing at once and are dropped.
            match poll!(io.next()) {
                Poll::Ready(event) => match event.expect("an exit").unwrap() {
                    Event::Stdout(piece) => got.extend_from_slice(&piece),
                    Event::Stderr(piece) => panic!("{piece:?}"),
                    Event::Exit(status) => break assert!(status.success()),
                    _ => {}
                },
                Poll::Pending => tokio::task::yield_now().await,
            }
        }
        assert_bytes(got, pattern(LARGE));
        assert_ended(&mut io, 0, false).await;
    }

    #[tokio::test]
    async fn by_recv() {
        let mut io = echo().await;
        assert!(cancel(io.recv(Source::Stderr)).await.is_none());
        assert!(
            cancel(io.recv_timeout(Source::Stderr, GENEROUS))
                .await
                .is_none()
        );
        assert!(
            cancel(io.recv_for(Source::Stdout, GENEROUS))
                .await
                .is_none()
        );
        assert!(
            cancel(io.recv_until_quiet(Source::Stdout, GENEROUS, GENEROUS))
                .await
                .is_none()
        );
        assert!(cancel(io.exchange("last", GENEROUS)).await.is_none());
        io.close_stdin();
        let got = received(&mut io, Source::Stdout).await;
        assert_bytes(got, [&pattern(LARGE)[..], b"last"].concat());
        assert_ended(&mut io, 0, false).await;
    }

    #[tokio::test]
    async fn as_a_file() {
        let io = echo().await;
        let mut file = ProcessIOWrapper::from(io).read_from(ReadSource::Stdout);
        cancel(file.flush()).await;
        cancel(file.shutdown()).await;
        let mut got = Vec::new();
        loop {
            let before = got.len();
            let read = tokio::select! {
                biased;
                read = file.read_until(0, &mut got) => Some(read.unwrap()),
                () = tokio::task::yield_now() => None,
            };
            if read == Some(0) && got.len() == before {
                break;
            }
        }
        assert_bytes(&got, pattern(LARGE));
        assert_eq!(file.position(), LARGE as u64);
        assert_ended(&mut file.into_inner(), 0, false).await;
    }
}
