//! The combinators of futures work on `ProcessIo` with its whole prelude imported.

use std::{collections::BTreeMap, convert::Infallible};

use bytes::Bytes;
use futures::prelude::*;
use process_io::{Error, Event, ProcessIo, Result};

use crate::support::{assert_bytes, child, next_but_ends, pattern, within};

fn spawn(args: &[&str]) -> ProcessIo {
    ProcessIo::spawn(child(args)).unwrap()
}

fn stdout_of(event: Result<Event>) -> Option<Bytes> {
    match event.unwrap() {
        Event::Stdout(bytes) => Some(bytes),
        _ => None,
    }
}

fn exit_code_of(event: &Event) -> Option<i32> {
    match event {
        Event::Exit(status) => status.code(),
        _ => None,
    }
}

fn pieces(data: &[u8]) -> Vec<Result<Bytes>> {
    (data.chunks(10_000))
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect()
}

#[tokio::test]
async fn map_and_filter_map() {
    let lengths = spawn(&["both", "100000"])
        .filter_map(|event| future::ready(stdout_of(event)))
        .map(|bytes| bytes.len());
    let total = within(lengths.fold(0, |sum, n| future::ready(sum + n))).await;
    assert_eq!(total, 100_000);
}

#[tokio::test]
async fn take_while_ends_an_endless_child() {
    let mut seen = 0;
    let start = spawn(&["flood"])
        .filter_map(|event| future::ready(stdout_of(event)))
        .take_while(|bytes| {
            seen += bytes.len();
            future::ready(seen < 1_000_000)
        });
    let start = within(start.collect::<Vec<_>>()).await.concat();
    assert_bytes(&start, pattern(start.len()));
    assert!(seen >= 1_000_000);
}

#[tokio::test]
async fn fuse_and_boxed() {
    let mut fused = spawn(&["exit", "3"]).fuse();
    let event = next_but_ends(&mut fused).await.unwrap().unwrap();
    assert_eq!(exit_code_of(&event), Some(3));
    assert!(fused.next().await.is_none());

    let boxed: stream::BoxStream<'static, Result<Event>> = spawn(&["exit", "4"]).boxed();
    let events: Vec<_> = within(boxed.try_collect()).await.unwrap();
    assert_eq!(
        events.iter().map(exit_code_of).collect::<Vec<_>>(),
        [None, None, Some(4)]
    );
}

#[tokio::test]
async fn collect_and_try_collect() {
    let all: Vec<_> = within(spawn(&["write", "out", "5"]).collect()).await;
    assert!(all.iter().all(|event| event.is_ok()));
    let all: Vec<Event> = within(spawn(&["write", "err", "5"]).try_collect())
        .await
        .unwrap();
    let err = all.iter().filter_map(|event| match event {
        Event::Stderr(bytes) => Some(&bytes[..]),
        _ => None,
    });
    assert_eq!(err.collect::<Vec<_>>().concat(), pattern(5));
    assert_eq!(exit_code_of(all.last().unwrap()), Some(0));
}

#[tokio::test]
async fn try_fold_and_try_for_each() {
    let add = |sums: [usize; 2], event| {
        future::ok::<_, Error>(match event {
            Event::Stdout(bytes) => [sums[0] + bytes.len(), sums[1]],
            Event::Stderr(bytes) => [sums[0], sums[1] + bytes.len()],
            _ => sums,
        })
    };
    let io = spawn(&["write", "out", "200000", "err", "100000"]);
    assert_eq!(
        within(io.try_fold([0, 0], add)).await.unwrap(),
        [200_000, 100_000]
    );

    let mut exits = Vec::new();
    let io = spawn(&["exit", "6"]);
    let each = io.try_for_each(|event| {
        exits.extend(exit_code_of(&event));
        future::ok(())
    });
    within(each).await.unwrap();
    assert_eq!(exits, [6]);
}

#[tokio::test]
async fn forward_into_the_child() {
    let data = pattern(1_000_000);
    let mut io = spawn(&["echo"]);
    within(stream::iter(pieces(&data)).forward(&mut io))
        .await
        .unwrap();
    // `forward` has closed the sink, and with it the child's stdin.
    let output = within(io.output()).await.unwrap();
    assert_bytes(output.stdout, data);
    assert_eq!(output.stdin_written, 1_000_000);
}

#[tokio::test]
async fn forward_out_of_the_child() {
    let out = spawn(&["write", "out", "300000"])
        .filter_map(|event| future::ready(stdout_of(event)))
        .map(Ok::<_, Infallible>);
    let (sink, received) = futures::channel::mpsc::unbounded();
    within(out.forward(sink.sink_map_err(|_| unreachable!())))
        .await
        .unwrap();
    assert_bytes(
        received.collect::<Vec<_>>().await.concat(),
        pattern(300_000),
    );
}

#[tokio::test]
async fn send_all_feed_and_close() {
    let data = pattern(1_000_000);
    let mut io = spawn(&["echo"]);
    within(io.send_all(&mut stream::iter(pieces(&data))))
        .await
        .unwrap();
    within(io.feed(Bytes::from("the end"))).await.unwrap();
    within(io.flush()).await.unwrap();
    assert_eq!(io.written(), 1_000_007);
    within(io.close()).await.unwrap();
    let output = within(io).await.unwrap();
    assert_bytes(output.stdout, [&data[..], b"the end"].concat());
}

#[tokio::test]
async fn sink_adapters() {
    let mut io = spawn(&["echo"]);
    let lines =
        (&mut io).with(|line: &str| future::ok::<_, Error>(Bytes::from(format!("{line}\n"))));
    let mut lines = Box::pin(lines);
    within(lines.send("one")).await.unwrap();
    within(lines.send("two")).await.unwrap();
    drop(lines);
    assert_eq!(within(io).await.unwrap().stdout, "one\ntwo\n");
}

/// Tens of megabytes through a child, one task for each direction.
async fn two_tasks() {
    const PIECES: usize = 512;
    let piece = Bytes::from(pattern(63_001));
    let (mut sink, mut stream) = spawn(&["echo"]).split();
    let sent = piece.clone();
    let writer = tokio::spawn(async move {
        for _ in 0..PIECES {
            sink.send(sent.clone()).await.unwrap();
        }
        sink.close().await.unwrap();
        sink
    });
    let reader = tokio::spawn(async move {
        let (mut at, mut exits) = (0, 0);
        while let Some(event) = stream.try_next().await.unwrap() {
            exits += usize::from(exit_code_of(&event) == Some(0));
            let Event::Stdout(bytes) = event else {
                continue;
            };
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let expected = &piece[at % piece.len()..];
                let n = expected.len().min(rest.len());
                assert!(rest[..n] == expected[..n], "wrong bytes after {at}");
                (at, rest) = (at + n, &rest[n..]);
            }
        }
        assert_eq!((at, exits), (PIECES * piece.len(), 1));
        stream
    });
    let (sink, stream) = within(async { tokio::join!(writer, reader) }).await;
    let io = stream.unwrap().reunite(sink.unwrap()).unwrap();
    assert_eq!(io.written(), PIECES as u64 * 63_001);
}

#[tokio::test]
async fn split_into_two_tasks_on_one_thread() {
    two_tasks().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn split_into_two_tasks_on_two_threads() {
    two_tasks().await;
}

#[tokio::test]
async fn select_of_two_children() {
    let tagged = |name: &'static str, io: ProcessIo| io.map_ok(move |event| (name, event));
    let both = stream::select(
        tagged("a", spawn(&["write", "out", "100000"])),
        tagged("b", spawn(&["write", "out", "50000"])),
    );
    let mut out = BTreeMap::<_, Vec<u8>>::new();
    let mut exits = Vec::new();
    let each = both.try_for_each(|(name, event)| {
        match event {
            Event::Stdout(bytes) => out.entry(name).or_default().extend_from_slice(&bytes),
            Event::Stderr(bytes) => panic!("{bytes:?}"),
            Event::Exit(_) => exits.push(name),
            _ => {}
        }
        future::ok(())
    });
    within(each).await.unwrap();
    exits.sort_unstable();
    assert_eq!(exits, ["a", "b"]);
    assert_bytes(&out["a"], pattern(100_000));
    assert_bytes(&out["b"], pattern(50_000));
}

#[tokio::test]
async fn select_macro_and_await_in_the_same_scope() {
    let mut a = spawn(&["write", "out", "5"]);
    let mut b = spawn(&["deaf"]);
    let (mut from_a, mut from_b) = (Vec::new(), Vec::new());
    within(async {
        while from_a != pattern(5) || from_b != b"ready\n" {
            futures::select! {
                event = a.select_next_some() => from_a.extend(stdout_of(event).into_iter().flatten()),
                event = b.select_next_some() => from_b.extend(stdout_of(event).into_iter().flatten()),
            }
        }
    })
    .await;
    b.control().kill().unwrap();
    within(async {
        assert!(!b.await.unwrap().success());
        let builder = ProcessIo::builder(child(&["exit", "0"]));
        assert!(builder.await.unwrap().success());
    })
    .await;
}
