//! The child in memory: what it says, how it ends, who holds its pipes, what signals reach it.

use std::time::Duration;

use futures::{FutureExt, StreamExt};
use process_io::{
    DEFAULT_DRAIN_CAP, DEFAULT_DRAIN_IDLE, Drain, Event, ProcessIo, Recv, Signal, Source,
    transport::memory::{self, Child, PIPE_CAPACITY},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep},
};

use crate::support::{assert_bytes, next_but_ends, pattern, within};

fn start() -> (ProcessIo, Child) {
    let (parts, child) = memory::child();
    (ProcessIo::from_parts(parts), child)
}

#[tokio::test]
async fn a_conversation() {
    let (mut io, mut child) = start();
    for i in 0..100 {
        let question = format!("what is {i}?");
        within(io.send(question.clone())).await.unwrap();
        let mut heard = vec![0; question.len()];
        within(child.stdin.read_exact(&mut heard)).await.unwrap();
        assert_eq!(heard, question.as_bytes());
        let (out, err) = (format!("it is {i}"), format!("asked for {i}"));
        child.stdout.write_all(out.as_bytes()).await.unwrap();
        child.stderr.write_all(err.as_bytes()).await.unwrap();
        assert_eq!(
            within(io.recv(Source::Stdout))
                .await
                .unwrap()
                .data()
                .unwrap(),
            out
        );
        assert_eq!(
            within(io.recv(Source::Stderr))
                .await
                .unwrap()
                .data()
                .unwrap(),
            err
        );
    }
    child.exit(0);
    assert_eq!(within(io.recv(Source::Stdout)).await.unwrap(), Recv::Eof);
    assert!(within(io.wait()).await.unwrap().success());
}

#[tokio::test]
async fn it_is_no_process_of_this_machine() {
    let (io, _child) = start();
    assert_eq!(io.id(), None);
    assert_eq!(io.control().try_wait().unwrap(), None);
}

#[tokio::test]
async fn it_sees_the_end_of_its_input() {
    let (mut io, mut child) = start();
    let mut heard = Vec::new();
    within(async {
        tokio::join!(
            async {
                io.send("all of it").await.unwrap();
                io.close_stdin();
                io.wait().await.unwrap();
            },
            async {
                child.stdin.read_to_end(&mut heard).await.unwrap();
                child.exit(0);
            }
        )
    })
    .await;
    assert_eq!(heard, b"all of it");
}

#[tokio::test]
async fn what_it_wrote_before_its_exit_is_there() {
    let (mut io, mut child) = start();
    child
        .stdout
        .write_all(&pattern(PIPE_CAPACITY))
        .await
        .unwrap();
    child.stderr.write_all(&pattern(1000)).await.unwrap();
    child.exit(300);
    let output = within(io.output()).await.unwrap();
    assert_bytes(output.stdout, pattern(PIPE_CAPACITY));
    assert_bytes(output.stderr, pattern(1000));
    assert!(!output.pipes_held);
    #[cfg(unix)] // Only the low eight bits are kept there.
    assert_eq!(output.status.unwrap().code(), Some(300 & 0xff));
}

#[tokio::test]
async fn dropped_it_has_exited() {
    let (mut io, child) = start();
    drop(child);
    assert!(within(io.wait()).await.unwrap().success());
    let event = next_but_ends(&mut io).await.unwrap().unwrap();
    assert!(matches!(event, Event::Exit(status) if status.success()));
    assert!(within(io.send("x")).await.unwrap_err().is_broken_pipe());
}

#[tokio::test]
async fn a_pipe_it_closes_ends_while_it_lives() {
    let (mut io, mut child) = start();
    child.stdout.shutdown().await.unwrap();
    assert_eq!(within(io.recv(Source::Stdout)).await.unwrap(), Recv::Eof);
    child.stderr.write_all(b"alive").await.unwrap();
    assert_eq!(
        within(io.recv(Source::Stderr))
            .await
            .unwrap()
            .data()
            .unwrap(),
        "alive"
    );
    assert!(io.wait().now_or_never().is_none());
}

#[tokio::test]
async fn a_full_pipe_makes_it_wait_until_we_read() {
    let (mut io, mut child) = start();
    let data = pattern(3 * PIPE_CAPACITY);
    assert!(child.stdout.write_all(&data).now_or_never().is_none());
    let speaker = tokio::spawn(async move {
        child
            .stdout
            .write_all(&pattern(3 * PIPE_CAPACITY)[PIPE_CAPACITY..])
            .await
            .unwrap();
        child.exit(0);
    });
    assert_bytes(within(io.output()).await.unwrap().stdout, data);
    speaker.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn pipes_held_in_silence_are_given_up_after_the_idle_time() {
    let (mut io, mut child) = start();
    child.stdout.write_all(b"last words").await.unwrap();
    let _held = child.exit_holding(7);
    let began = Instant::now();
    let output = within(io.output()).await.unwrap();
    assert_eq!(output.code(), Some(7));
    assert_eq!(output.stdout, "last words");
    assert!(output.pipes_held && io.pipes_held());
    assert!((DEFAULT_DRAIN_IDLE..DEFAULT_DRAIN_IDLE * 2).contains(&began.elapsed()));
}

#[tokio::test(start_paused = true)]
async fn pipes_held_by_a_chatterer_are_given_up_at_the_cap() {
    let (mut io, child) = start();
    let [mut stdout, _stderr] = child.exit_holding(0);
    let chatter = tokio::spawn(async move {
        while stdout.write_all(b".").await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    });
    let began = Instant::now();
    let output = within(io.output()).await.unwrap();
    assert!(output.pipes_held);
    let took = began.elapsed();
    assert!(
        (DEFAULT_DRAIN_CAP..DEFAULT_DRAIN_CAP + DEFAULT_DRAIN_IDLE).contains(&took),
        "{took:?}"
    );
    // One at the start, then one every 100 ms; the last may come as the time is up.
    assert!(
        (50..=51).contains(&output.stdout.len()),
        "{}",
        output.stdout.len()
    );
    // The pipe has been let go of.
    chatter.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn held_pipes_that_end_are_read_to_the_end() {
    let (mut io, child) = start();
    let [mut stdout, stderr] = child.exit_holding(0);
    tokio::spawn(async move {
        for _ in 0..3 {
            sleep(DEFAULT_DRAIN_IDLE / 2).await;
            stdout.write_all(b"late ").await.unwrap();
        }
        drop(stderr);
    });
    let output = within(io.output()).await.unwrap();
    assert_eq!(output.stdout, "late late late ");
    assert!(!output.pipes_held);
}

#[tokio::test(start_paused = true)]
async fn what_the_holder_says_comes_at_once() {
    let (mut io, child) = start();
    let [mut stdout, _stderr] = child.exit_holding(0);
    let began = Instant::now();
    let early = DEFAULT_DRAIN_IDLE / 4;
    let speaker = tokio::spawn(async move {
        sleep(early).await;
        stdout.write_all(b"late").await.unwrap();
        stdout
    });
    assert_eq!(
        within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap(),
        "late"
    );
    assert_eq!(began.elapsed(), early);
    drop(speaker.await);
}

#[tokio::test(start_paused = true)]
async fn until_eof_waits_for_the_holder() {
    let (mut io, child) = start();
    io.set_drain(Drain::UntilEof);
    let [mut stdout, stderr] = child.exit_holding(0);
    let began = Instant::now();
    let hour = Duration::from_secs(3600);
    tokio::spawn(async move {
        sleep(hour).await;
        stdout.write_all(b"an hour later").await.unwrap();
        drop(stderr);
    });
    let output = tokio::time::timeout(2 * hour, io.output()).await;
    let output = output.expect("it hangs").unwrap();
    assert_eq!(output.stdout, "an hour later");
    assert!(!output.pipes_held);
    assert!(began.elapsed() >= hour);
}

#[tokio::test(start_paused = true)]
async fn immediate_takes_what_is_there_and_no_more() {
    let (mut io, mut child) = start();
    io.set_drain(Drain::Immediate);
    child
        .stdout
        .write_all(&pattern(PIPE_CAPACITY))
        .await
        .unwrap();
    let [_stdout, mut stderr] = child.exit_holding(0);
    stderr.write_all(b"there").await.unwrap();
    let began = Instant::now();
    let output = within(io.output()).await.unwrap();
    assert_bytes(output.stdout, pattern(PIPE_CAPACITY));
    assert_eq!(output.stderr, "there");
    assert!(output.pipes_held);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_stream_and_recv_give_up_too() {
    let (mut io, child) = start();
    let _held = child.exit_holding(1);
    assert_eq!(within(io.recv(Source::Stdout)).await.unwrap(), Recv::Eof);
    assert_eq!(within(io.recv(Source::Stderr)).await.unwrap(), Recv::Eof);
    let event = next_but_ends(&mut io).await.unwrap().unwrap();
    assert!(matches!(event, Event::Exit(status) if status.code() == Some(1)));
    assert!(within(io.next()).await.is_none());
    assert!(io.pipes_held());
}

#[tokio::test]
async fn signals_come_in_order_and_do_nothing_by_themselves() {
    let (mut io, mut child) = start();
    let control = io.control();
    control.terminate().unwrap();
    control.signal(Signal::INT).unwrap();
    control.kill_tree().unwrap();
    assert_eq!(within(child.signalled()).await, Signal::TERM);
    assert_eq!(within(child.signalled()).await, Signal::INT);
    assert_eq!(within(child.signalled()).await, Signal::KILL);
    assert!(child.signalled().now_or_never().is_none());
    assert!(io.wait().now_or_never().is_none());
    let (signal, ()) = within(async {
        tokio::join!(child.signalled(), async {
            control.signal(Signal::HUP).unwrap()
        })
    })
    .await;
    assert_eq!(signal, Signal::HUP);
    child.exit(0);
    within(io.wait()).await.unwrap();
    control.kill().unwrap();
}

#[tokio::test]
async fn it_is_killed_when_the_handle_is_dropped() {
    let (io, mut child) = start();
    drop(io);
    assert_eq!(within(child.signalled()).await, Signal::KILL);
    assert!(child.stdout.write_all(b"x").await.is_err());
    assert_eq!(within(child.stdin.read(&mut [0])).await.unwrap(), 0);
}

#[tokio::test]
async fn detached_it_is_not_killed() {
    let (io, mut child) = start();
    let control = io.detach();
    assert!(child.signalled().now_or_never().is_none());
    child.exit(4);
    assert_eq!(within(control.wait()).await.unwrap().code(), Some(4));
}

#[tokio::test]
async fn many_wait_for_one_exit() {
    let (mut io, child) = start();
    let control = io.control();
    let waiters: Vec<_> = (0..4)
        .map(|_| {
            let control = control.clone();
            tokio::spawn(async move { control.wait().await.unwrap().code() })
        })
        .collect();
    child.exit(9);
    for waiter in waiters {
        assert_eq!(within(waiter).await.unwrap(), Some(9));
    }
    assert_eq!(within(io.wait()).await.unwrap().code(), Some(9));
    assert_eq!(control.try_wait().unwrap().unwrap().code(), Some(9));
}
