//! Receiving and sending with a time limit: early when there is something, never much later than asked.

use std::time::{Duration, Instant};

use process_io::{
    Limits, Overflow, ProcessIo, Recv, Source,
    transport::memory::{self, PIPE_CAPACITY},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{GENEROUS, assert_bytes, child, pattern, within};

/// Long enough to be told from no time at all.
const SHORT: Duration = Duration::from_millis(60);
/// How much later than asked is still a bound, on a machine with other things to do.
const LATE: Duration = Duration::from_secs(10);

fn spawn(args: &[&str]) -> ProcessIo {
    ProcessIo::spawn(child(args)).unwrap()
}

#[track_caller]
fn took_about(start: Instant, time: Duration) {
    let took = start.elapsed();
    assert!((time..time + LATE).contains(&took), "{took:?} for {time:?}");
}

#[tokio::test]
async fn recv_timeout_is_early_with_data() {
    let mut io = spawn(&["echo"]);
    for limit in [GENEROUS, Duration::MAX] {
        within(io.send("ping")).await.unwrap();
        let received = within(io.recv_timeout(Source::Stdout, limit))
            .await
            .unwrap();
        assert_eq!(received, Recv::Data("ping".into()));
    }
}

#[tokio::test]
async fn recv_timeout_is_empty_when_the_time_is_up() {
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
    assert_eq!(
        io.recv_timeout(Source::Stdout, SHORT).await.unwrap(),
        Recv::Empty
    );
    took_about(start, SHORT);
}

#[tokio::test]
async fn recv_timeout_tells_the_end() {
    let mut io = spawn(&["exit", "0"]);
    let received = io.recv_timeout(Source::Stdout, GENEROUS).await.unwrap();
    assert_eq!(received, Recv::Eof);
    let received = io
        .recv_timeout(Source::Stdout, Duration::MAX)
        .await
        .unwrap();
    assert_eq!(received, Recv::Eof);
}

#[tokio::test]
async fn no_time_at_all_still_sees_what_is_there() {
    let mut io = spawn(&["write", "out", "100"]);
    // Waits for the exit and moves no pipe.
    within(io.control().wait()).await.unwrap();
    let received = io
        .recv_timeout(Source::Stdout, Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(received, Recv::Data(pattern(100).into()));
    // For a moment a child of another test, not yet executed, may hold this one's pipe too.
    let end = within(async {
        loop {
            match io.recv_timeout(Source::Stdout, Duration::ZERO).await {
                Ok(Recv::Empty) => tokio::task::yield_now().await,
                other => return other.unwrap(),
            }
        }
    });
    assert_eq!(end.await, Recv::Eof);

    let mut io = spawn(&["echo"]);
    let start = Instant::now();
    let received = io
        .recv_timeout(Source::Stdout, Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(received, Recv::Empty);
    took_about(start, Duration::ZERO);
}

#[tokio::test]
async fn no_time_at_all_for_a_window_too() {
    let mut io = spawn(&["write", "out", "100"]);
    within(io.control().wait()).await.unwrap();
    let received = io.recv_for(Source::Stdout, Duration::ZERO).await.unwrap();
    assert_eq!(received, Recv::Data(pattern(100).into()));
}

#[tokio::test]
async fn recv_for_is_a_hard_bound_on_a_flood() {
    let mut io = ProcessIo::builder(child(&["flood"]))
        // More than comes in that time.
        .limits(Limits::default().stdout(1 << 30, Overflow::Fail))
        .spawn()
        .unwrap();
    let first = within(io.recv(Source::Stdout))
        .await
        .unwrap()
        .data()
        .unwrap();
    let start = Instant::now();
    let received = io.recv_for(Source::Stdout, SHORT).await.unwrap();
    took_about(start, SHORT);
    let all = [first, received.data().unwrap()].concat();
    assert_bytes(&all, pattern(all.len()));
}

#[tokio::test]
async fn recv_for_gets_all_and_is_early_at_the_end() {
    let mut io = spawn(&["slow", "5", "5"]);
    for limit in [GENEROUS * 10, Duration::MAX] {
        let received = within(io.recv_for(Source::Stdout, limit)).await.unwrap();
        let expected = if limit == Duration::MAX {
            Recv::Eof
        } else {
            Recv::Data("line 0\nline 1\nline 2\nline 3\nline 4\n".into())
        };
        assert_eq!(received, expected);
    }
}

#[tokio::test]
async fn recv_for_is_early_when_enough_has_come() {
    for limit in [1_000_000, 1000] {
        for overflow in [Overflow::Fail, Overflow::Block, Overflow::KeepTail] {
            let mut io = ProcessIo::builder(child(&["flood"]))
                .limits(Limits::default().stdout(limit, overflow))
                .spawn()
                .unwrap();
            let mut all = Vec::new();
            while all.len() < limit * 3 {
                let received = within(io.recv_for(Source::Stdout, GENEROUS * 10)).await;
                let data = received.unwrap().data().unwrap();
                assert!(data.len() <= limit, "{} of {limit}", data.len());
                all.extend_from_slice(&data);
            }
            assert_bytes(&all, pattern(all.len()));
            assert_eq!(io.omitted(Source::Stdout), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_over_a_small_limit_is_no_error() {
    for overflow in [Overflow::Fail, Overflow::Block, Overflow::KeepHead] {
        let (parts, mut child) = memory::child();
        let mut io = ProcessIo::from_parts(parts);
        io.set_limits(Limits::default().stdout(1000, overflow));
        child.stdout.write_all(&pattern(5000)).await.unwrap();
        let mut all = Vec::new();
        while let Recv::Data(data) = io.recv_for(Source::Stdout, SHORT).await.unwrap() {
            all.extend_from_slice(&data);
        }
        assert_bytes(all, pattern(5000));
    }
}

#[tokio::test(start_paused = true)]
async fn recv_for_gets_what_comes_in_the_window_and_no_more() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    let speaker = tokio::spawn(async move {
        for i in 0..10 {
            child.stdout.write_all(&[b'0' + i]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        child
    });
    let start = tokio::time::Instant::now();
    let window = Duration::from_millis(330);
    let received = io.recv_for(Source::Stdout, window).await.unwrap();
    assert_eq!(received, Recv::Data("0123".into()));
    assert_eq!(start.elapsed(), window);
    let received = io.recv_for(Source::Stderr, window).await.unwrap();
    assert_eq!(received, Recv::Empty);
    let received = io.recv_for(Source::Stdout, Duration::ZERO).await.unwrap();
    assert_eq!(received, Recv::Data("456".into()));
    drop(speaker.await);
    assert_eq!(io.output().await.unwrap().stdout, "789");
}

#[tokio::test(start_paused = true)]
async fn recv_until_quiet_returns_after_the_silence() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    let speaker = tokio::spawn(async move {
        for word in ["a", "b", "c"] {
            child.stdout.write_all(word.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        child.stdout.write_all(b"d").await.unwrap();
        child
    });
    let quiet = Duration::from_millis(200);
    let start = tokio::time::Instant::now();
    let received = io
        .recv_until_quiet(Source::Stdout, quiet, GENEROUS)
        .await
        .unwrap();
    assert_eq!(received, Recv::Data("abc".into()));
    assert_eq!(start.elapsed().as_millis(), 500);
    // Silence counts only after something has been said, so here the other bound applies.
    let received = io
        .recv_until_quiet(Source::Stdout, quiet / 10, quiet)
        .await
        .unwrap();
    assert_eq!(received, Recv::Empty);
    assert_eq!(start.elapsed().as_millis(), 700);
    let received = io
        .recv_until_quiet(Source::Stdout, quiet, Duration::MAX)
        .await
        .unwrap();
    assert_eq!(received, Recv::Data("d".into()));
    assert_eq!(start.elapsed().as_millis(), 950);
    speaker.await.unwrap().exit(0);
    let received = io
        .recv_until_quiet(Source::Stdout, Duration::MAX, Duration::MAX)
        .await;
    assert_eq!(received.unwrap(), Recv::Eof);
}

#[tokio::test(start_paused = true)]
async fn recv_until_quiet_is_a_hard_bound_on_a_chatterer() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    tokio::spawn(async move {
        while child.stdout.write_all(b".").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let start = tokio::time::Instant::now();
    let (quiet, limit) = (Duration::from_millis(200), Duration::from_millis(1050));
    let received = io
        .recv_until_quiet(Source::Stdout, quiet, limit)
        .await
        .unwrap();
    assert_eq!(received, Recv::Data("...........".into()));
    assert_eq!(start.elapsed(), limit);
}

#[tokio::test]
async fn recv_until_quiet_is_a_hard_bound_on_a_flood() {
    let mut io = ProcessIo::builder(child(&["flood"]))
        .limits(Limits::default().stdout(1 << 30, Overflow::Fail))
        .spawn()
        .unwrap();
    let first = within(io.recv(Source::Stdout))
        .await
        .unwrap()
        .data()
        .unwrap();
    let start = Instant::now();
    let received = io
        .recv_until_quiet(Source::Stdout, GENEROUS, SHORT)
        .await
        .unwrap();
    took_about(start, SHORT);
    let all = [first, received.data().unwrap()].concat();
    assert_bytes(&all, pattern(all.len()));
}

#[tokio::test]
async fn receiving_dropped_half_way_keeps_the_bytes() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    let mut sent = String::new();
    for round in 0..12 {
        let word = format!("word {round} ");
        child.stdout.write_all(word.as_bytes()).await.unwrap();
        sent.push_str(&word);
        let limit = GENEROUS;
        let half_way = async {
            match round % 3 {
                0 => io.recv_for(Source::Stdout, limit).await,
                1 => io.recv_until_quiet(Source::Stdout, limit, limit).await,
                _ => io.recv_timeout(Source::Stderr, limit).await,
            }
        };
        let dropped = tokio::time::timeout(Duration::from_millis(5), half_way).await;
        assert!(dropped.is_err(), "{dropped:?}");
    }
    child.exit(0);
    let received = within(io.recv_for(Source::Stdout, GENEROUS)).await.unwrap();
    assert_eq!(received, Recv::Data(sent.into()));
}

#[tokio::test]
async fn send_timeout_in_time_is_a_send() {
    let mut io = spawn(&["echo"]);
    let data = pattern(1_000_000);
    within(io.send_timeout(data.clone(), GENEROUS))
        .await
        .unwrap();
    within(io.send_timeout("!", Duration::MAX)).await.unwrap();
    let output = within(io.output()).await.unwrap();
    assert_bytes(output.stdout, [&data[..], b"!"].concat());
}

#[tokio::test(start_paused = true)]
async fn send_timeout_tells_exactly_how_much_went() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    let data = pattern(3 * PIPE_CAPACITY);
    let start = tokio::time::Instant::now();
    let error = io.send_timeout(data.clone(), SHORT).await.unwrap_err();
    assert_eq!(start.elapsed(), SHORT);
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.written(), Some(PIPE_CAPACITY));
    assert_eq!(io.queued(), 0);

    let error = io.send_timeout("more", Duration::ZERO).await.unwrap_err();
    assert_eq!(error.written(), Some(0));
    let mut heard = vec![0; PIPE_CAPACITY];
    child.stdin.read_exact(&mut heard).await.unwrap();
    io.send_timeout("next", SHORT).await.unwrap();
    io.close_stdin();
    let (rest, output) = tokio::join!(
        async {
            child.stdin.read_to_end(&mut heard).await.unwrap();
            child.exit(0);
        },
        io.output()
    );
    let () = rest;
    assert_eq!(output.unwrap().stdin_written, PIPE_CAPACITY as u64 + 4);
    assert_bytes(heard, [&data[..PIPE_CAPACITY], b"next"].concat());
}

#[tokio::test]
async fn the_rest_after_a_send_timeout_can_be_sent_later() {
    let directory = tempfile::tempdir().unwrap();
    let gate = directory.path().join("open");
    let path = gate.to_str().unwrap();
    let mut io = ProcessIo::spawn(child(&["do", "until", path, "cat"])).unwrap();
    let data = pattern(3_000_000);

    let start = Instant::now();
    let error = within(io.send_timeout(data.clone(), SHORT))
        .await
        .unwrap_err();
    took_about(start, SHORT);
    assert!(error.is_timeout(), "{error:?}");
    let written = error.written().unwrap();
    assert!(0 < written && written < data.len(), "{written}");
    assert_eq!(io.queued(), 0);
    assert_eq!(io.written(), written as u64);

    std::fs::write(&gate, "").unwrap();
    within(io.send(data[written..].to_vec())).await.unwrap();
    let output = within(io.output()).await.unwrap().check().unwrap();
    assert_bytes(output.stdout, data);
}

#[tokio::test]
async fn send_timeout_leaves_what_was_queued_before_alone() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    let data = pattern(2 * PIPE_CAPACITY);
    assert!(futures::FutureExt::now_or_never(io.send(data.clone())).is_none());
    assert_eq!(io.queued(), PIPE_CAPACITY);
    let error = io.send_timeout("not this", SHORT).await.unwrap_err();
    assert_eq!(error.written(), Some(0));
    assert_eq!(io.queued(), PIPE_CAPACITY);
    let mut heard = Vec::new();
    io.close_stdin();
    within(async {
        tokio::join!(
            async {
                child.stdin.read_to_end(&mut heard).await.unwrap();
                child.exit(0);
            },
            async { io.output().await.unwrap() }
        )
    })
    .await;
    assert_bytes(heard, data);
}

#[tokio::test]
async fn send_timeout_dropped_half_way_leaves_the_rest_queued() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    let data = pattern(2 * PIPE_CAPACITY);
    let half_way = io.send_timeout(data.clone(), GENEROUS);
    assert!(tokio::time::timeout(SHORT, half_way).await.is_err());
    assert_eq!(io.queued(), PIPE_CAPACITY);
    let mut heard = vec![0; data.len()];
    within(async {
        let (heard, received) = tokio::join!(
            child.stdin.read_exact(&mut heard),
            io.recv_timeout(Source::Stdout, SHORT)
        );
        heard.unwrap();
        assert_eq!(received.unwrap(), Recv::Empty);
    })
    .await;
    assert_bytes(heard, data);
    assert_eq!(io.queued(), 0);
}

#[tokio::test]
async fn send_timeout_reads_what_the_child_writes_meanwhile() {
    let mut io = spawn(&["echo"]);
    let data = pattern(8_000_000);
    within(io.send_timeout(data.clone(), GENEROUS))
        .await
        .unwrap();
    assert_bytes(within(io.output()).await.unwrap().stdout, data);
}
