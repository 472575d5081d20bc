//! `copy_to`: all that a stream says into any writer.

use std::{io, time::Duration};

use process_io::{ProcessIo, Source};
use tokio::io::{AsyncReadExt, duplex, sink};

use crate::support::{assert_bytes, child, pattern, within};

const SIZE: usize = 3_000_000;

fn writes(stream: &str) -> ProcessIo {
    ProcessIo::spawn(child(&["write", stream, &SIZE.to_string()])).unwrap()
}

#[tokio::test]
async fn all_of_a_stream_is_copied() {
    for (name, source) in [("out", Source::Stdout), ("err", Source::Stderr)] {
        let mut copy = Vec::new();
        let mut io = writes(name);
        let copied = within(io.copy_to(source, &mut copy)).await.unwrap();
        assert_eq!(copied, SIZE as u64);
        assert_bytes(&copy, pattern(SIZE));
        assert!(within(io.wait()).await.unwrap().success());
    }
}

#[tokio::test]
async fn the_input_is_fed_and_the_other_stream_kept_meanwhile() {
    let data = pattern(SIZE);
    let mut io = ProcessIo::builder(child(&["cat"]))
        .input(data.clone())
        .spawn()
        .unwrap();
    let mut copy = Vec::new();
    within(io.copy_to(Source::Stdout, &mut copy)).await.unwrap();
    assert_bytes(&copy, &data);

    let mut io = ProcessIo::spawn(child(&["both", "500000"])).unwrap();
    let mut copy = Vec::new();
    within(io.copy_to(Source::Stdout, &mut copy)).await.unwrap();
    assert_bytes(&copy, pattern(500_000));
    let rest = within(io.output()).await.unwrap();
    assert_bytes(&rest.stderr, pattern(500_000));
}

/// A writer that is full holds the child back, and not the other stream: a child that writes to stdout first, and more than
/// any pipe holds to stderr then, comes to its end.
#[tokio::test]
async fn a_slow_writer_is_back_pressure_for_its_stream_alone() {
    let args = ["write", "out", "200000", "err", "1000000"];
    let mut io = ProcessIo::spawn(child(&args)).unwrap();
    let (mut slow, mut other_end) = duplex(1000);
    let read = async {
        let mut all = vec![0; 200_000];
        other_end.read_exact(&mut all).await.unwrap();
        all
    };
    let (copied, all) =
        within(async { tokio::join!(io.copy_to(Source::Stdout, &mut slow), read) }).await;
    assert_eq!(copied.unwrap(), 200_000);
    assert_bytes(&all, pattern(200_000));
    assert_bytes(
        within(io.output()).await.unwrap().stderr,
        pattern(1_000_000),
    );
}

#[tokio::test]
async fn a_copy_that_is_dropped_half_way_loses_nothing() {
    let mut io = writes("out");
    let (mut slow, mut other_end) = duplex(10_000);
    let mut all = vec![0; 15_000];
    tokio::select! {
        biased;
        done = io.copy_to(Source::Stdout, &mut slow) => panic!("{done:?}"),
        read = within(other_end.read_exact(&mut all)) => drop(read.unwrap()),
    }
    drop(slow);
    within(other_end.read_to_end(&mut all)).await.unwrap();
    assert!(all.len() < SIZE);
    within(io.copy_to(Source::Stdout, &mut all)).await.unwrap();
    assert_bytes(&all, pattern(SIZE));
}

#[tokio::test]
async fn a_writer_that_fails_is_told_and_the_rest_is_still_there() {
    let mut io = writes("out");
    let (mut broken, other_end) = duplex(10_000);
    drop(other_end);
    let error = within(io.copy_to(Source::Stdout, &mut broken))
        .await
        .unwrap_err();
    assert!(error.is_output(), "{error}");
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::BrokenPipe);
    let mut all = Vec::new();
    within(io.copy_to(Source::Stdout, &mut all)).await.unwrap();
    assert_bytes(&all, pattern(SIZE));
}

#[tokio::test]
async fn a_time_out_ends_a_copy_also_when_the_writer_takes_nothing() {
    let builder = || ProcessIo::builder(child(&["flood"])).timeout(Duration::from_millis(200));
    let mut io = builder().spawn().unwrap();
    let error = within(io.copy_to(Source::Stdout, &mut sink()))
        .await
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");

    let (mut stuck, _other_end) = duplex(1000);
    let mut io = builder().spawn().unwrap();
    let error = within(io.copy_to(Source::Stdout, &mut stuck))
        .await
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
}
