//! `recv_nowait` and `send_nowait` are true: they ask the kernel, in loops that never yield to the runtime.

use std::{thread, time::Instant};

use process_io::{Builder, ProcessIOWrapper, ProcessIo, Recv, Source, transport::memory};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{GENEROUS, assert_bytes, child, pattern, within};

/// Runs `test` on one thread, in a task that never awaits: the reactor stands still all the time.
fn without_await(builder: Builder, test: impl FnOnce(&mut ProcessIo)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut io = builder.spawn().unwrap();
        test(&mut io);
    });
}

fn builder(args: &[&str]) -> Builder {
    ProcessIo::builder(child(args))
}

/// Tries until there is an answer.
#[track_caller]
fn spin<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = attempt() {
            return answer;
        }
        assert!(start.elapsed() < GENEROUS, "it hangs");
        thread::yield_now();
    }
}

/// The next piece; `None` at the end.
#[track_caller]
fn piece(io: &mut ProcessIo, source: Source) -> Option<bytes::Bytes> {
    spin(|| match io.recv_nowait(source).unwrap() {
        Recv::Data(data) => {
            assert!(!data.is_empty());
            Some(Some(data))
        }
        Recv::Empty => None,
        Recv::Eof => Some(None),
    })
}

#[track_caller]
fn rest(io: &mut ProcessIo, source: Source) -> Vec<u8> {
    let mut rest = Vec::new();
    while let Some(data) = piece(io, source) {
        rest.extend_from_slice(&data);
    }
    rest
}

/// Receives until `text` has come.
#[track_caller]
fn expect(io: &mut ProcessIo, text: &str) {
    let mut heard = Vec::new();
    while heard.len() < text.len() {
        heard.extend_from_slice(&piece(io, Source::Stdout).expect("more before the end"));
    }
    assert_eq!(String::from_utf8(heard).unwrap(), text);
}

#[test]
fn three_states() {
    without_await(builder(&["echo"]), |io| {
        assert_eq!(io.recv_nowait(Source::Stdout).unwrap(), Recv::Empty);
        assert_eq!(io.recv_nowait(Source::Stderr).unwrap(), Recv::Empty);
        assert_eq!(io.send_nowait("ping\n").unwrap(), 5);
        expect(io, "ping\n");
        assert_eq!(io.recv_nowait(Source::Stdout).unwrap(), Recv::Empty);
        io.close_stdin();
        for source in [Source::Stdout, Source::Stderr] {
            assert_eq!(piece(io, source), None);
            assert_eq!(io.recv_nowait(source).unwrap(), Recv::Eof);
        }
    });
}

#[test]
fn a_conversation() {
    without_await(builder(&["prompt"]), |io| {
        expect(io, "> ");
        for word in ["one", "two", "three"] {
            let line = format!("{word}\n");
            assert_eq!(io.send_nowait(&line).unwrap(), line.len());
            expect(io, &format!("you said: {word}\n> "));
        }
        assert_eq!(io.send_nowait("quit\n").unwrap(), 5);
        assert_eq!(piece(io, Source::Stdout), None);
        let status = spin(|| io.control().try_wait().unwrap());
        assert!(status.success());
    });
}

#[test]
fn megabytes_both_ways() {
    without_await(builder(&["echo"]), |io| {
        let data = pattern(2_000_000);
        let (mut sent, mut heard) = (0, Vec::new());
        spin(|| {
            sent += io.send_nowait(&data[sent..]).unwrap();
            if let Recv::Data(data) = io.recv_nowait(Source::Stdout).unwrap() {
                heard.extend_from_slice(&data);
            }
            (heard.len() == data.len()).then_some(())
        });
        assert_eq!(io.written(), 2_000_000);
        assert_bytes(heard, data);
    });
}

#[test]
fn all_that_a_child_wrote_is_seen() {
    without_await(
        builder(&["write", "out", "500000", "err", "300000"]),
        |io| {
            assert_bytes(rest(io, Source::Stdout), pattern(500_000));
            assert_bytes(rest(io, Source::Stderr), pattern(300_000));
        },
    );
}

#[test]
fn a_maximum_keeps_the_rest() {
    without_await(builder(&["write", "out", "100"]), |io| {
        let mut heard = Vec::new();
        spin(|| match io.recv_nowait_max(Source::Stdout, 7).unwrap() {
            Recv::Data(data) => {
                assert!((1..=7).contains(&data.len()));
                heard.extend_from_slice(&data);
                None
            }
            Recv::Empty => None,
            Recv::Eof => Some(()),
        });
        assert_eq!(heard, pattern(100));
    });
}

#[tokio::test]
async fn a_maximum_of_nothing_is_neither_data_nor_the_end() {
    let mut io = builder(&["write", "out", "100"]).spawn().unwrap();
    within(io.wait()).await.unwrap();
    for kept in [100, 99] {
        assert_eq!(
            io.recv_nowait_max(Source::Stdout, 0).unwrap(),
            Recv::Empty,
            "{kept} bytes are kept"
        );
        let mut file = ProcessIOWrapper::from(io);
        let mut byte = [0];
        within(file.read_exact(&mut byte)).await.unwrap();
        assert_eq!(byte[0], pattern(100)[100 - kept]);
        io = file.into_inner();
    }
    assert_eq!(rest(&mut io, Source::Stdout), pattern(100)[2..]);
    assert_eq!(io.recv_nowait_max(Source::Stdout, 0).unwrap(), Recv::Eof);
}

#[test]
fn a_full_pipe_takes_nothing() {
    without_await(builder(&["deaf"]), |io| {
        let data = pattern(100_000);
        let mut sent = 0;
        loop {
            match io.send_nowait(&data).unwrap() {
                0 => break,
                n => sent += n,
            }
            assert!(sent < 100_000_000, "no pipe is that large");
        }
        assert!(sent >= 4096, "{sent}");
        assert_eq!(io.written(), sent as u64);
        assert_eq!(io.send_nowait("x").unwrap(), 0);
        assert_eq!(io.send_nowait("").unwrap(), 0);
        assert_eq!(io.queued(), 0);
    });
}

#[cfg(unix)] // The mode is for Unix only.
#[test]
fn a_closed_pipe_is_an_error() {
    without_await(builder(&["close-stdin"]), |io| {
        expect(io, "closed\n");
        for _ in 0..2 {
            let error = io.send_nowait("x").unwrap_err();
            assert!(error.is_broken_pipe(), "{error:?}");
        }
        assert_eq!(io.written(), 0);
    });
}

#[test]
fn a_pipe_that_we_closed_is_an_error() {
    without_await(builder(&["echo"]), |io| {
        io.close_stdin();
        assert!(io.send_nowait("x").unwrap_err().is_broken_pipe());
    });
}

#[test]
fn the_other_stream_is_drained_meanwhile() {
    let n = 5_000_000;
    for (first, source, other) in [
        ("err", Source::Stdout, Source::Stderr),
        ("out", Source::Stderr, Source::Stdout),
    ] {
        let second = if first == "err" { "out" } else { "err" };
        without_await(
            builder(&["write", first, &n.to_string(), second, "4"]),
            |io| {
                assert_eq!(rest(io, source), pattern(4));
                assert_bytes(rest(io, other), pattern(n));
            },
        );
    }
}

#[test]
fn input_given_to_the_builder_is_written() {
    let input = pattern(1_000_000);
    without_await(builder(&["echo"]).input(input.clone()), |io| {
        assert_bytes(rest(io, Source::Stdout), input);
        assert_eq!(io.written(), 1_000_000);
    });
}

#[test]
fn input_from_a_stream_is_written() {
    let pieces = (0..500).map(|_| pattern(2000));
    let input = process_io::Input::stream(futures::stream::iter(pieces));
    without_await(builder(&["echo"]).input(input), |io| {
        assert_bytes(rest(io, Source::Stdout), pattern(2000).repeat(500));
    });
}

#[test]
fn what_was_queued_is_written_before_stdin_closes() {
    without_await(builder(&["echo"]), |io| {
        let data = pattern(1_000_000);
        let send = futures::FutureExt::now_or_never(io.send(data.clone()));
        assert!(send.is_none());
        assert!(io.queued() > 0);
        io.close_stdin();
        assert_bytes(rest(io, Source::Stdout), data);
        assert_eq!(io.queued(), 0);
    });
}

#[test]
fn what_was_queued_is_written_before_what_is_sent() {
    without_await(builder(&["echo"]), |io| {
        let data = pattern(1_000_000);
        assert!(futures::FutureExt::now_or_never(io.send(data.clone())).is_none());
        let mut heard = Vec::new();
        spin(|| {
            if let Recv::Data(data) = io.recv_nowait(Source::Stdout).unwrap() {
                heard.extend_from_slice(&data);
            }
            (io.send_nowait("!").unwrap() == 1).then_some(())
        });
        io.close_stdin();
        heard.extend(rest(io, Source::Stdout));
        assert_bytes(heard, [&data[..], b"!"].concat());
    });
}

#[test]
fn a_loop_that_only_sends_gets_through() {
    without_await(builder(&["echo"]), |io| {
        let data = pattern(2_000_000);
        let mut sent = 0;
        spin(|| {
            sent += io.send_nowait(&data[sent..]).unwrap();
            (sent == data.len()).then_some(())
        });
        io.close_stdin();
        assert_bytes(rest(io, Source::Stdout), data);
    });
}

#[test]
fn a_descendant_that_holds_the_pipes_does_not_keep_the_end_away() {
    let long = GENEROUS.as_millis() * 2;
    without_await(builder(&["hold", &long.to_string(), "quiet"]), |io| {
        let said = rest(io, Source::Stdout);
        assert!(said.starts_with(b"parent "), "{said:?}");
        assert_eq!(rest(io, Source::Stderr), b"");
        assert!(io.pipes_held());
    });
}

#[test]
fn the_receiving_half_asks_the_kernel_too() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let io = builder(&["echo"]).spawn().unwrap();
        let (mut send, mut recv) = io.into_split();
        assert_eq!(send.send_nowait("ping").unwrap(), 4);
        let heard = spin(|| recv.recv_nowait(Source::Stdout).unwrap().data());
        assert_eq!(heard, "ping");
        drop(send);
        spin(|| {
            recv.recv_nowait(Source::Stdout)
                .unwrap()
                .is_eof()
                .then_some(())
        });
    });
}

#[tokio::test]
async fn it_does_not_take_away_the_wake_up_of_one_that_waits() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    let speaker = async move {
        tokio::task::yield_now().await;
        child.stdout.write_all(b"hello").await.unwrap();
        std::future::pending::<()>().await;
    };
    let listener = std::future::poll_fn(|cx| {
        let heard = io.poll_recv(cx, Source::Stdout);
        if heard.is_pending() {
            assert_eq!(io.recv_nowait(Source::Stderr).unwrap(), Recv::Empty);
            assert_eq!(io.send_nowait(b"").unwrap(), 0);
        }
        heard
    });
    let heard = within(async {
        tokio::select! {
            heard = tokio::spawn(speaker) => unreachable!("{heard:?}"),
            heard = listener => heard,
        }
    });
    assert_eq!(heard.await.unwrap().data().unwrap(), "hello");
}
