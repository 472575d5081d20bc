//! `exchange`: sends and receives in one window, which is a hard bound.

use std::time::{Duration, Instant};

use futures::FutureExt;
use process_io::{
    Exchange, Limits, Overflow, ProcessIo, Recv, Source,
    transport::memory::{self, PIPE_CAPACITY},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{GENEROUS, assert_bytes, child, pattern, within};

const SHORT: Duration = Duration::from_millis(60);
const LATE: Duration = Duration::from_secs(10);
const QUIET: Duration = Duration::from_secs(1);

fn spawn(args: &[&str]) -> ProcessIo {
    ProcessIo::spawn(child(args)).unwrap()
}

#[tokio::test]
async fn megabytes_in_both_directions() {
    let mut io = spawn(&["echo"]);
    let data = pattern(4_000_000);
    let (mut sent, mut heard) = (0, Vec::new());
    within(async {
        while heard.len() < data.len() {
            let exchange = io.exchange(data[sent..].to_vec(), SHORT).await.unwrap();
            sent += exchange.written;
            heard.extend_from_slice(&exchange.stdout);
            assert!(exchange.stderr.is_empty());
            assert_eq!(io.queued(), 0);
        }
    })
    .await;
    assert_eq!(io.written(), 4_000_000);
    assert_bytes(heard, data);
}

#[tokio::test(start_paused = true)]
async fn the_window_is_over_when_it_is_over() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    let speaker = tokio::spawn(async move {
        let mut heard = [0; 4];
        child.stdin.read_exact(&mut heard).await.unwrap();
        for _ in 0..10 {
            child.stdout.write_all(b"o").await.unwrap();
            child.stderr.write_all(b"e").await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        (child, heard)
    });
    let start = tokio::time::Instant::now();
    let window = Duration::from_millis(250);
    let exchange = io.exchange("data", window).await.unwrap();
    assert_eq!(start.elapsed().as_millis(), 250);
    assert_eq!(exchange.written, 4);
    assert_eq!(
        (exchange.stdout, exchange.stderr),
        ("ooo".into(), "eee".into())
    );
    let (child, heard) = speaker.await.unwrap();
    assert_eq!(&heard, b"data");
    child.exit(0);
    let output = io.output().await.unwrap();
    assert_eq!(
        (output.stdout, output.stderr),
        ("ooooooo".into(), "eeeeeee".into())
    );
}

#[tokio::test]
async fn a_deaf_child_takes_what_its_pipe_holds() {
    let mut io = spawn(&["deaf"]);
    assert_eq!(
        within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap(),
        "ready\n"
    );
    let start = Instant::now();
    let Exchange {
        written,
        stdout,
        stderr,
        ..
    } = io.exchange(pattern(8_000_000), SHORT).await.unwrap();
    let took = start.elapsed();
    assert!((SHORT..SHORT + LATE).contains(&took), "{took:?}");
    assert!(0 < written && written < 8_000_000, "{written}");
    assert!(stdout.is_empty() && stderr.is_empty());
    assert_eq!(io.written(), written as u64);
    assert_eq!(io.queued(), 0);
}

#[tokio::test]
async fn it_is_early_when_both_streams_have_ended() {
    let mut io = spawn(&["write", "out", "100000", "err", "50000"]);
    let exchange = within(io.exchange("", GENEROUS * 10)).await.unwrap();
    assert_eq!(exchange.written, 0);
    assert_bytes(exchange.stdout, pattern(100_000));
    assert_bytes(exchange.stderr, pattern(50_000));
}

#[tokio::test]
async fn it_goes_on_when_one_stream_has_ended() {
    let (parts, mut child) = memory::child();
    child.stderr.shutdown().await.unwrap();
    let mut io = ProcessIo::from_parts(parts);
    let (exchange, ()) = within(async {
        tokio::join!(io.exchange("", GENEROUS * 10), async {
            tokio::task::yield_now().await;
            child.stdout.write_all(b"late").await.unwrap();
            tokio::task::yield_now().await;
            child.stdout.shutdown().await.unwrap();
        })
    })
    .await;
    assert_eq!(exchange.unwrap().stdout, "late");
}

#[tokio::test]
async fn a_child_that_takes_no_input_is_no_error() {
    let mut io = spawn(&["ignore-input", "1000"]);
    let exchange = within(io.exchange(pattern(8_000_000), GENEROUS * 10))
        .await
        .unwrap();
    assert!(exchange.written < 8_000_000);
    assert_bytes(exchange.stdout, pattern(1000));
    assert!(within(io.wait()).await.unwrap().success());
}

#[tokio::test]
async fn after_close_stdin_it_is_an_error() {
    let mut io = spawn(&["echo"]);
    io.close_stdin();
    let error = within(io.exchange("data", SHORT)).await.unwrap_err();
    assert!(error.is_broken_pipe(), "{error:?}");
}

#[tokio::test]
async fn dropped_half_way_it_loses_nothing() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    child.stdout.write_all(b"out").await.unwrap();
    child.stderr.write_all(b"err").await.unwrap();
    let data = pattern(PIPE_CAPACITY + 1000);
    let half_way = io.exchange(data.clone(), GENEROUS);
    assert!(tokio::time::timeout(SHORT, half_way).await.is_err());
    assert_eq!(io.queued(), 1000);
    let mut heard = vec![0; data.len()];
    let (read, exchange) =
        within(async { tokio::join!(child.stdin.read_exact(&mut heard), io.exchange("", SHORT)) })
            .await;
    read.unwrap();
    assert_bytes(heard, data);
    let exchange = exchange.unwrap();
    assert_eq!(
        (exchange.stdout, exchange.stderr),
        ("out".into(), "err".into())
    );
    assert_eq!(exchange.written, 0);
}

#[tokio::test]
async fn a_stream_that_fails_does_not_take_the_other_with_it() {
    let (parts, mut child) = memory::child();
    let broken = tokio_util::io::StreamReader::new(futures::stream::iter([Err::<&[u8], _>(
        std::io::Error::other("the line is dead"),
    )]));
    let mut io = ProcessIo::from_parts(parts.stderr(broken));
    child.stdout.write_all(b"precious").await.unwrap();
    child.exit(0);
    let error = within(io.exchange("", GENEROUS)).await.unwrap_err();
    assert!(error.to_string().contains("the line is dead"), "{error}");
    assert_eq!(within(io.output()).await.unwrap().stdout, "precious");
}

/// There is no output to wait for: the message goes all the same.
#[tokio::test]
async fn with_a_child_that_says_nothing_any_more() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    within(child.stdout.shutdown()).await.unwrap();
    within(child.stderr.shutdown()).await.unwrap();
    for source in [Source::Stdout, Source::Stderr] {
        assert_eq!(within(io.recv(source)).await.unwrap(), Recv::Eof);
    }
    assert_eq!(within(io.exchange("hello", LATE)).await.unwrap().written, 5);
    let mut heard = [0; 5];
    within(child.stdin.read_exact(&mut heard)).await.unwrap();
    assert_eq!(&heard, b"hello");
}

#[tokio::test]
async fn with_an_output_that_is_at_its_limit() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    io.set_limits(Limits::default().stdout(5, Overflow::Block));
    within(child.stdout.write_all(b"0123456789")).await.unwrap();
    for round in 0..2 {
        let exchange = within(io.exchange("hello", LATE)).await.unwrap();
        assert_eq!((exchange.written, exchange.stdout.len()), (5, 5), "{round}");
    }
}

/// It lasts as long as the answer, and not as long as it may.
#[tokio::test(start_paused = true)]
async fn until_the_child_has_answered() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    let answers = tokio::spawn(async move {
        let mut asked = [0; 2];
        child.stdin.read_exact(&mut asked).await.unwrap();
        // The pause before it is no end of it.
        tokio::time::sleep(LATE / 2).await;
        child.stdout.write_all(b"fo").await.unwrap();
        tokio::time::sleep(QUIET / 2).await;
        child.stderr.write_all(b"hm").await.unwrap();
        tokio::time::sleep(QUIET / 2).await;
        child.stdout.write_all(b"ur").await.unwrap();
        child
    });
    let start = tokio::time::Instant::now();
    let answer = io.exchange_until_quiet("2*", QUIET, LATE).await.unwrap();
    assert_eq!(
        (answer.written, &answer.stdout[..], &answer.stderr[..]),
        (2, &b"four"[..], &b"hm"[..])
    );
    let took = start.elapsed();
    assert!((LATE / 2 + QUIET * 2..LATE).contains(&took), "{took:?}");
    // A child that does not answer takes as long as it may, and what it has not taken is not queued.
    let child = answers.await.unwrap();
    let start = tokio::time::Instant::now();
    let message = vec![0; PIPE_CAPACITY + 1];
    let answer = io.exchange_until_quiet(message, QUIET, LATE).await.unwrap();
    assert_eq!(
        (answer.written, answer.stdout.len(), io.queued()),
        (PIPE_CAPACITY, 0, 0)
    );
    assert!(start.elapsed() >= LATE);
    drop(child);
}

/// What came before the message is no answer to it, and is not lost.
#[tokio::test(start_paused = true)]
async fn until_an_answer_that_comes_after_the_message() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    child.stdout.write_all(b"banner\n").await.unwrap();
    assert_eq!(
        io.recv_max(Source::Stdout, 0).await.unwrap(),
        process_io::Recv::Empty
    );
    while io.pending(Source::Stdout).is_empty() {
        assert!(io.wait().now_or_never().is_none());
    }
    let answers = tokio::spawn(async move {
        child.stdin.read_exact(&mut [0]).await.unwrap();
        tokio::time::sleep(QUIET * 2).await;
        child.stdout.write_all(b"answer\n").await.unwrap();
        child
    });
    let answer = io.exchange_until_quiet("?", QUIET, LATE).await.unwrap();
    assert_eq!(answer.stdout, "banner\nanswer\n");
    drop(answers.await.unwrap());
}
