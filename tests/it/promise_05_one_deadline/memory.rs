//! A child in memory, and a clock that is the test's: the times are exact.

use std::time::Duration;

use futures::StreamExt;
use process_io::{
    CancellationToken, Event, Ladder, ProcessIOWrapper, ProcessIo, Recv, Signal, Source,
    transport::memory::{self, Child},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep},
};

use crate::support::{assert_bytes, pattern, within};

const TIME: Duration = Duration::from_secs(10);
/// A timer's grain.
const GRAIN: Duration = Duration::from_millis(2);

fn start() -> (ProcessIo, Child) {
    let (parts, child) = memory::child();
    (ProcessIo::from_parts(parts), child)
}

#[track_caller]
fn assert_took(start: Instant, expected: Duration) {
    let took = start.elapsed();
    assert!((expected..=expected + GRAIN).contains(&took), "{took:?}");
}

/// It writes its last words when it is killed, and takes its time.
async fn die(mut child: Child) {
    assert_eq!(child.signalled().await, Signal::KILL);
    sleep(Duration::from_secs(1)).await;
    child.stderr.write_all(b"last words").await.unwrap();
    child.exit(9);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_exact() {
    let (mut io, child) = start();
    let killed = tokio::spawn(die(child));
    let start = Instant::now();
    io.set_deadline(start + TIME);
    let error = within(io.output()).await.unwrap_err();
    assert_took(start, TIME + Duration::from_secs(1));
    assert!(error.is_timeout());
    assert_eq!(
        error.to_string(),
        "timed out after 10.0s (exit code 9); stderr:\nlast words"
    );
    let output = error.into_output().unwrap();
    assert!(output.timed_out);
    assert_eq!(output.code(), Some(9));
    assert_eq!(output.stderr, "last words");
    assert!(output.elapsed >= TIME + Duration::from_secs(1));
    killed.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_inactivity_time_out_is_exact() {
    let (mut io, child) = start();
    let killed = tokio::spawn(die(child));
    // It is counted from here.
    sleep(TIME * 3).await;
    let start = Instant::now();
    io.set_inactivity_timeout(TIME);
    let error = within(io.wait()).await.unwrap_err();
    assert_took(start, TIME + Duration::from_secs(1));
    assert!(
        error
            .to_string()
            .starts_with("timed out after 10.0s of silence")
    );
    killed.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_token_works_at_once() {
    let (mut io, child) = start();
    let killed = tokio::spawn(die(child));
    let token = CancellationToken::new();
    io.set_cancel_on(token.clone());
    let start = Instant::now();
    let cancel = async {
        sleep(TIME).await;
        token.cancel();
    };
    let (ended, ()) = within(async { tokio::join!(io.wait(), cancel) }).await;
    assert_took(start, TIME + Duration::from_secs(1));
    assert!(ended.unwrap_err().is_cancelled());
    killed.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_ladder_that_was_set_is_used() {
    let (mut io, mut child) = start();
    let (grace, goodbye) = (Duration::from_secs(3), Duration::from_secs(2));
    io.set_ladder(
        Ladder::kill()
            .close_stdin(grace)
            .signal(Signal::INT, grace)
            .signal(Signal::TERM, grace),
    );
    let begin = Instant::now();
    io.set_deadline(begin + TIME);
    let stops = tokio::spawn(async move {
        assert_eq!(child.stdin.read(&mut [0]).await.unwrap(), 0);
        assert_took(begin, TIME);
        assert_eq!(child.signalled().await, Signal::INT);
        assert_took(begin, TIME + grace);
        assert_eq!(child.signalled().await, Signal::TERM);
        assert_took(begin, TIME + grace * 2);
        sleep(goodbye).await;
        child.stdout.write_all(b"goodbye").await.unwrap();
        child.exit(3);
    });
    let error = within(io.recv_line(Source::Stderr)).await.unwrap_err();
    assert_took(begin, TIME + grace * 2 + goodbye);
    assert_eq!(error.status().unwrap().code(), Some(3));
    assert_eq!(error.output().unwrap().stdout, "goodbye");
    stops.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_child_that_cannot_be_killed_is_given_up() {
    let (mut io, mut child) = start();
    child.stdout.write_all(b"so far").await.unwrap();
    let start = Instant::now();
    io.set_deadline(start + TIME);
    let items: Vec<_> = within(io.by_ref().collect()).await;
    assert_took(start, TIME + Duration::from_secs(10));
    // There is no exit to tell of.
    let [Ok(Event::Stdout(said)), Err(stopped), Err(lost)] = &items[..] else {
        panic!("{items:?}");
    };
    assert_eq!(said, "so far");
    assert!(stopped.is_timeout() && stopped.output().unwrap().timed_out);
    assert_eq!(
        (stopped.status(), stopped.output().unwrap().status),
        (None, None)
    );
    assert_eq!(
        lost.to_string(),
        "its exit status is unavailable: it was killed, and has not exited"
    );
    assert!(within(io.wait()).await.unwrap_err().is_timeout());
    // The pipes are let go.
    assert!(child.stdout.write_all(b"more").await.is_err());
    assert_eq!(child.signalled().await, Signal::KILL);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_signalled_after_a_normal_end() {
    let (mut io, mut child) = start();
    io.set_deadline(Instant::now() + TIME);
    io.set_inactivity_timeout(TIME);
    let token = CancellationToken::new();
    io.set_cancel_on(token.clone());
    child.stdout.write_all(b"all of it").await.unwrap();
    child.exit(0);
    let output = within(io.output()).await.unwrap();
    assert_eq!(output.stdout, "all of it");
    token.cancel();
    sleep(TIME * 2).await;
    assert!(within(io.wait()).await.unwrap().success());
    assert!(!within(io.output()).await.unwrap().timed_out);
}

/// A run that is cancelled while 60,000 bytes are in the pipe, of which nobody has seen any.
async fn unseen() -> (ProcessIo, tokio::task::JoinHandle<()>) {
    let (mut io, mut child) = start();
    child.stdout.write_all(&pattern(60_000)).await.unwrap();
    let token = CancellationToken::new();
    token.cancel();
    io.set_cancel_on(token);
    (io, tokio::spawn(die(child)))
}

#[tokio::test(start_paused = true)]
async fn what_is_in_the_pipe_is_collected() {
    let (mut io, killed) = unseen().await;
    let error = within(io.output()).await.unwrap_err();
    assert!(error.is_cancelled());
    assert_bytes(&error.output().unwrap().stdout, pattern(60_000));
    assert_eq!(error.output().unwrap().stderr, "last words");
    killed.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_in_the_pipe_comes_before_the_error() {
    let (mut io, killed) = unseen().await;
    let mut got = Vec::new();
    let error = loop {
        match within(io.recv(Source::Stdout)).await {
            Ok(piece) => got.extend_from_slice(&piece.data().expect("an error")),
            Err(error) => break error,
        }
    };
    assert!(error.is_cancelled());
    assert_bytes(got, pattern(60_000));
    killed.await.unwrap();

    let (mut io, killed) = unseen().await;
    let mut got = Vec::new();
    let error = loop {
        match within(io.next()).await.unwrap() {
            Ok(Event::Stdout(piece)) => got.extend_from_slice(&piece),
            Ok(Event::Stderr(piece)) => assert_eq!(piece, "last words"),
            Ok(event) => panic!("{event:?} before the error"),
            Err(error) => break error,
        }
    };
    assert!(error.is_cancelled());
    assert_bytes(got, pattern(60_000));
    killed.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_in_the_pipe_is_read_from_a_file() {
    let (io, killed) = unseen().await;
    let mut file = ProcessIOWrapper::from(io);
    let mut got = Vec::new();
    let error = within(file.read_to_end(&mut got)).await.unwrap_err();
    assert!(process_io::Error::from(error).is_cancelled());
    assert_bytes(got, pattern(60_000));
    killed.await.unwrap();
}

/// On its way down a ladder a child is still running: a window that ends meanwhile is no time-out, and does not use it up.
#[tokio::test(start_paused = true)]
async fn a_window_that_ends_before_the_stop() {
    let asks = || Ladder::new().signal(Signal::TERM, TIME);
    for way in 0..3 {
        let (mut io, mut child) = start();
        io.set_ladder(asks());
        io.set_deadline(Instant::now());
        let window = TIME / 4;
        let heard = match way {
            0 => within(io.recv_for(Source::Stdout, window)).await.map(drop),
            1 => within(io.recv_until_quiet(Source::Stdout, window, window))
                .await
                .map(drop),
            _ => within(io.exchange("", window)).await.map(drop),
        };
        heard.unwrap_or_else(|error| panic!("{way}: {error}"));
        assert_eq!(child.signalled().await, Signal::TERM);
        child.exit(3);
        let error = within(io.recv(Source::Stdout)).await.unwrap_err();
        assert!(error.is_timeout(), "{way}: {error}");
        assert_eq!(error.status().unwrap().code(), Some(3), "{way}");
        assert_eq!(
            within(io.recv(Source::Stdout)).await.unwrap(),
            Recv::Eof,
            "{way}"
        );
    }
}

/// Nor does another time that is set then shorten the ladder, or change why it was begun.
#[tokio::test(start_paused = true)]
async fn a_time_that_is_set_when_it_is_stopped_already() {
    let (mut io, mut child) = start();
    let start = Instant::now();
    io.set_ladder(Ladder::new().signal(Signal::TERM, TIME));
    io.set_timeout(TIME / 10);
    let heard = within(io.recv_timeout(Source::Stdout, TIME / 5))
        .await
        .unwrap();
    assert_eq!(heard, process_io::Recv::Empty);
    io.set_timeout(TIME / 2);
    let killed = tokio::spawn(async move {
        assert_eq!(child.signalled().await, Signal::TERM);
        assert_eq!(child.signalled().await, Signal::KILL);
        let at = Instant::now();
        child.exit(9);
        at
    });
    let error = within(io.wait()).await.unwrap_err();
    assert!(
        error.to_string().starts_with("timed out after 1.0s"),
        "{error}"
    );
    let took = killed.await.unwrap() - start;
    assert!(
        (TIME / 10 + TIME..=TIME / 10 + TIME + GRAIN).contains(&took),
        "{took:?}"
    );
}
