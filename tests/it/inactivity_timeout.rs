//! `inactivity_timeout`: what counts as a sign of life, and that a slow consumer is not a silent child.

use std::{
    future::IntoFuture,
    io,
    pin::pin,
    process::ExitStatus,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use futures::{FutureExt, StreamExt, future::BoxFuture, poll, stream};
use process_io::{
    Input, Limits, Overflow, ProcessIOWrapper, ProcessIo, Recv, Signal, Source,
    transport::{
        Parts, Process,
        memory::{self, Child},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep},
};

use crate::support::{GENEROUS, Way, child, within};

/// Of a clock that is the test's.
const SILENCE: Duration = Duration::from_millis(1000);
const NEARLY: Duration = Duration::from_millis(900);
/// Of a real one: no child that runs is kept from it for so long.
const LONGER: Duration = Duration::from_secs(1);

fn in_memory() -> (ProcessIo, Child) {
    let (parts, child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    io.set_inactivity_timeout(SILENCE);
    (io, child)
}

/// Exits when it is killed.
async fn die(mut child: Child) {
    child.signalled().await;
    child.exit(9);
}

#[track_caller]
fn assert_took(start: Instant, expected: Duration) {
    let took = start.elapsed();
    let grain = Duration::from_millis(50);
    assert!((expected..=expected + grain).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn output_on_either_stream_is_a_sign_of_life() {
    let (mut io, mut child) = in_memory();
    let start = Instant::now();
    let speaker = tokio::spawn(async move {
        for _ in 0..5 {
            sleep(NEARLY).await;
            child.stdout.write_all(b".").await.unwrap();
            sleep(NEARLY).await;
            child.stderr.write_all(b"!").await.unwrap();
        }
        die(child).await;
    });
    let error = within(io.output()).await.unwrap_err();
    assert!(error.is_timeout());
    let output = error.into_output().unwrap();
    assert_eq!(
        (&output.stdout[..], &output.stderr[..]),
        (&b"....."[..], &b"!!!!!"[..])
    );
    assert!(output.timed_out);
    // From the last byte.
    assert_took(start, NEARLY * 10 + SILENCE);
    speaker.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn input_that_is_taken_is_a_sign_of_life() {
    let (mut io, mut child) = in_memory();
    let start = Instant::now();
    let listener = tokio::spawn(async move {
        let mut chunk = vec![0; memory::PIPE_CAPACITY];
        for _ in 0..5 {
            sleep(NEARLY).await;
            child.stdin.read_exact(&mut chunk).await.unwrap();
        }
        die(child).await;
    });
    let error = within(io.send(vec![0; 20 * memory::PIPE_CAPACITY])).await;
    let error = error.unwrap_err();
    assert!(error.is_timeout());
    let written = error.output().unwrap().stdin_written;
    assert_eq!(written, 6 * memory::PIPE_CAPACITY as u64);
    assert_took(start, NEARLY * 5 + SILENCE);
    listener.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn every_way_to_read_waits_for_a_child_that_speaks_from_time_to_time() {
    for way in Way::ALL {
        // It wakes once a millisecond, for the whole time.
        if way == Way::Nowait {
            continue;
        }
        let (io, mut child) = in_memory();
        let speaker = tokio::spawn(async move {
            for _ in 0..5 {
                sleep(NEARLY).await;
                child.stdout.write_all(b".").await.unwrap();
            }
            sleep(NEARLY).await;
            child.exit(0);
        });
        let (left, _) = way.read(io).await;
        assert_eq!(left.stdout, b".....", "{way:?}");
        speaker.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn it_can_be_set_anew_and_counts_from_there() {
    let (mut io, child) = in_memory();
    let killed = tokio::spawn(die(child));
    let start = Instant::now();
    for _ in 0..3 {
        let early = io.recv_timeout(Source::Stdout, NEARLY).await.unwrap();
        assert_eq!(early, Recv::Empty);
        io.set_inactivity_timeout(SILENCE);
    }
    assert!(within(io.wait()).await.unwrap_err().is_timeout());
    assert_took(start, NEARLY * 3 + SILENCE);
    killed.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_the_other_half_sends_is_a_sign_of_life() {
    let (io, mut child) = in_memory();
    let (mut send, mut recv) = io.into_split();
    let listener = tokio::spawn(async move {
        let mut chunk = vec![0; memory::PIPE_CAPACITY];
        for _ in 0..5 {
            sleep(NEARLY).await;
            child.stdin.read_exact(&mut chunk).await.unwrap();
        }
        child.exit(0);
    });
    let message = vec![0; 5 * memory::PIPE_CAPACITY];
    let (sent, ended) = within(async { tokio::join!(send.send(message), recv.wait()) }).await;
    assert!(ended.unwrap().success());
    sent.unwrap();
    listener.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_pauses_is_not_a_silent_child() {
    let (mut io, mut child) = in_memory();
    for _ in 0..3 {
        child.stdout.write_all(b"out").await.unwrap();
        child.stderr.write_all(b"err").await.unwrap();
        sleep(SILENCE * 3).await;
        let received = within(io.recv(Source::Stdout)).await.unwrap();
        assert_eq!(received.data().unwrap(), "out");
        sleep(SILENCE * 3).await;
        child.stderr.write_all(b"err").await.unwrap();
        // There is nothing here, but it was not silent there.
        let none = io.recv_timeout(Source::Stdout, NEARLY).await.unwrap();
        assert_eq!(none, Recv::Empty);
    }
    child.exit(0);
    let output = within(io.output()).await.unwrap();
    assert_eq!(output.stderr, "err".repeat(6));
}

#[cfg(unix)] // How much is in a pipe is told by FIONREAD.
#[tokio::test]
async fn a_consumer_that_blocks_its_thread_is_not_a_silent_child() {
    let n = 20_000;
    for way in ["file", "recv", "events", "nowait"] {
        let run = ProcessIo::builder(child(&["stay", "out", &n.to_string()]));
        let mut io = run.inactivity_timeout(LONGER / 10).spawn().unwrap();
        // The reactor is told to watch, but while the thread is busy it cannot tell of anything.
        let _ = io.wait().now_or_never();
        let mut file = ProcessIOWrapper::from(io);
        let start = std::time::Instant::now();
        loop {
            thread::sleep(LONGER / 5);
            let in_pipe = rustix::io::ioctl_fionread(file.read_descriptor().unwrap()).unwrap();
            let received = file.get_mut().pending(Source::Stdout).len() as u64;
            if in_pipe + received == n {
                break;
            }
            assert!(start.elapsed() < GENEROUS, "{way}");
        }
        let io = file.get_mut();
        let came = match way {
            "recv" => within(io.recv(Source::Stdout)).await.map(drop),
            "events" => within(io.next()).await.unwrap().map(drop),
            "nowait" => io.recv_nowait(Source::Stdout).map(drop),
            _ => (within(file.read(&mut [0; 100])).await.map(drop)).map_err(Into::into),
        };
        came.unwrap_or_else(|error| panic!("{way}: {error}"));
        // What came would have come from a child that is stopped too.
        let io = file.get_mut();
        io.set_inactivity_timeout(None);
        let ended = tokio::time::timeout(LONGER / 5, io.control().wait()).await;
        assert!(ended.is_err(), "{way}: {ended:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_pauses_is_not_a_child_that_takes_nothing() {
    for way in ["send", "wait", "nowait", "file"] {
        let (mut io, mut child) = in_memory();
        // Most of it stays in the handle.
        let message = vec![0; 3 * memory::PIPE_CAPACITY];
        assert!(io.send(message).now_or_never().is_none());
        sleep(SILENCE * 2).await;
        let mut chunk = vec![0; memory::PIPE_CAPACITY];
        within(child.stdin.read_exact(&mut chunk)).await.unwrap();
        // There is room now, and the first look must find that out.
        let early = match way {
            "send" => within(io.send_timeout("", NEARLY)).await,
            "wait" => match tokio::time::timeout(NEARLY, io.wait()).await {
                Ok(ended) => ended.map(drop),
                Err(_) => Ok(()),
            },
            "nowait" => io.send_nowait("x").map(drop),
            _ => {
                let mut file = ProcessIOWrapper::from(io);
                let wrote = tokio::time::timeout(NEARLY, file.write(b"x")).await;
                io = file.into_inner();
                match wrote {
                    Ok(wrote) => wrote.map(drop).map_err(Into::into),
                    Err(_) => Ok(()),
                }
            }
        };
        match early {
            Err(error) if error.output().is_some() => panic!("{way}: {error}"),
            _ => {}
        }
        assert_eq!(io.control().try_wait().unwrap(), None, "{way}");
        assert!(child.signalled().now_or_never().is_none(), "{way}");
    }
}

#[tokio::test]
async fn a_feeder_that_blocks_its_thread_is_not_a_child_that_takes_nothing() {
    let n = 10 << 20;
    let mut io = ProcessIo::spawn(child(&["sink"])).unwrap();
    // More than the pipe holds: by the end of it the child is reading.
    within(io.send(vec![0; 1 << 20])).await.unwrap();
    io.set_inactivity_timeout(LONGER);
    assert!(io.send(vec![0; n - (1 << 20)]).now_or_never().is_none());
    let mut output = pin!(io.output());
    for _ in 0..2 {
        assert!(poll!(&mut output).is_pending());
        // Meanwhile the child takes what is in the pipe, and the reactor cannot tell.
        thread::sleep(LONGER * 5 / 4);
    }
    let output = within(output).await.unwrap();
    assert!(output.stdout.starts_with(n.to_string().as_bytes()));
    assert_eq!(output.stdin_written, n as u64);
}

#[tokio::test]
async fn a_flood_is_not_silence() {
    let limits = Limits::default().stdout(1000, Overflow::KeepTail);
    let run = ProcessIo::builder(child(&["flood", "both"])).limits(limits);
    let mut io = run.spawn().unwrap();
    within(io.recv(Source::Stdout)).await.unwrap();
    io.set_inactivity_timeout(LONGER);
    let early = tokio::time::timeout(LONGER * 3 / 2, io.wait()).await;
    assert!(early.is_err(), "{early:?}");
}

#[tokio::test]
async fn a_child_that_beats_is_not_silent() {
    let start = Instant::now();
    // Twice the time of silence in all, a thirtieth of it between the beats.
    let run = |stream| {
        ProcessIo::builder(child(&["pulse", stream, "60", "50"]))
            .inactivity_timeout(Duration::from_millis(1500))
            .into_future()
    };
    let (out, err) = within(async { tokio::join!(run("out"), run("err")) }).await;
    assert_eq!(out.unwrap().stdout.len(), 60);
    assert_eq!(err.unwrap().stderr.len(), 60);
    assert!(start.elapsed() >= Duration::from_secs(3));
}

#[tokio::test]
async fn input_that_comes_from_time_to_time_is_a_sign_of_life() {
    let beats = stream::unfold(0, |n| async move {
        sleep(Duration::from_millis(50)).await;
        (n < 60).then_some(("x", n + 1))
    });
    let run = ProcessIo::builder(child(&["sink"]))
        .input(Input::stream(beats.boxed()))
        .inactivity_timeout(Duration::from_millis(1500));
    let output = within(run).await.unwrap();
    assert_eq!(output.stdin_written, 60);
    assert!(output.elapsed >= Duration::from_secs(3));
}

/// A stream that always has more, and a process that never ends.
fn endless() -> ProcessIo {
    struct Endless;

    impl Process for Endless {
        fn wait(self: Arc<Self>) -> BoxFuture<'static, io::Result<ExitStatus>> {
            std::future::pending().boxed()
        }

        fn signal(&self, _: Signal) -> io::Result<()> {
            Ok(())
        }
    }

    let mut io = ProcessIo::from_parts(Parts::new(Endless).stdout(tokio::io::repeat(7)));
    io.set_limits(Limits::default().stdout(1000, Overflow::KeepTail));
    io
}

#[test]
fn a_look_at_a_stream_that_always_has_more_comes_to_an_end() {
    let (done, returned) = mpsc::channel();
    // A poll that does not return cannot be given up in its own thread.
    thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let mut io = endless();
            io.set_inactivity_timeout(Duration::ZERO);
            let _ = io.wait().now_or_never();
            let _ = done.send(());
        });
    });
    let returned = returned.recv_timeout(GENEROUS / 6);
    assert!(returned.is_ok(), "the poll does not return");
}
