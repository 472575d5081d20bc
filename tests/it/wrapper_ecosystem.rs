//! What tokio and tokio-util make of readers and writers works on `ProcessIOWrapper`.

use futures::{SinkExt, StreamExt, TryStreamExt};
use process_io::{ErrorKind, ProcessIOWrapper};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio_util::{
    codec::{BytesCodec, Decoder, Framed, FramedRead, LengthDelimitedCodec, LinesCodec},
    io::{ReaderStream, SyncIoBridge},
};

use crate::support::{assert_bytes, child, pattern, within};

fn open(args: &[&str]) -> ProcessIOWrapper {
    ProcessIOWrapper::new(child(args)).unwrap()
}

#[tokio::test]
async fn copy_bidirectional() {
    let mut file = open(&["echo"]);
    let (mut ours, mut theirs) = tokio::io::duplex(10_000);
    let data = pattern(2_000_000);
    let proxy = tokio::spawn(async move {
        tokio::io::copy_bidirectional(&mut file, &mut theirs)
            .await
            .unwrap()
    });
    let mut heard = vec![0; data.len()];
    let (mut read, mut write) = tokio::io::split(&mut ours);
    let (sent, received) = within(async {
        tokio::join!(
            async {
                write.write_all(&data).await?;
                write.shutdown().await
            },
            read.read_exact(&mut heard)
        )
    })
    .await;
    sent.unwrap();
    received.unwrap();
    assert_bytes(heard, data);
    assert_eq!(within(proxy).await.unwrap(), (2_000_000, 2_000_000));
    assert_eq!(within(ours.read(&mut [0])).await.unwrap(), 0);
}

async fn split_in_two_tasks() {
    let data = pattern(8_000_000);
    let (mut read, mut write) = tokio::io::split(open(&["echo"]));
    let sent = data.clone();
    let writer = tokio::spawn(async move {
        write.write_all(&sent).await.unwrap();
        write.shutdown().await.unwrap();
        write
    });
    let reader = tokio::spawn(async move {
        let mut heard = Vec::new();
        read.read_to_end(&mut heard).await.unwrap();
        (read, heard)
    });
    let (write, read) = within(async { tokio::join!(writer, reader) }).await;
    let (read, heard) = read.unwrap();
    assert_bytes(heard, data);
    let file = read.unsplit(write.unwrap());
    assert!(file.closed());
    assert_eq!(file.position(), 8_000_000);
}

#[tokio::test]
async fn io_split_on_one_thread() {
    split_in_two_tasks().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn io_split_on_two_threads() {
    split_in_two_tasks().await;
}

#[tokio::test]
async fn framed_lines_both_ways() {
    let mut lines = Framed::new(open(&["echo"]), LinesCodec::new());
    for line in ["one", "", "three ä"] {
        within(lines.send(line)).await.unwrap();
        assert_eq!(within(lines.next()).await.unwrap().unwrap(), line);
    }
    for i in 0..20_000 {
        within(lines.feed(format!("line {i}"))).await.unwrap();
    }
    within(SinkExt::<&str>::close(&mut lines)).await.unwrap();
    let mut count = 0;
    while let Some(line) = within(lines.try_next()).await.unwrap() {
        assert_eq!(line, format!("line {count}"));
        count += 1;
    }
    assert_eq!(count, 20_000);
    assert!(lines.into_inner().closed());
}

#[tokio::test]
async fn framed_split_in_two_tasks() {
    let frames = LengthDelimitedCodec::new().framed(open(&["echo"]));
    let (mut sink, mut stream) = frames.split::<bytes::Bytes>();
    let writer = tokio::spawn(async move {
        for n in 0..300 {
            sink.send(pattern(n * 100).into()).await.unwrap();
        }
        sink.close().await.unwrap();
    });
    for n in 0..300 {
        let frame = within(stream.next()).await.unwrap().unwrap();
        assert_bytes(frame, pattern(n * 100));
    }
    assert!(within(stream.next()).await.is_none());
    writer.await.unwrap();
}

#[tokio::test]
async fn framed_read_of_what_fails_at_the_end() {
    let file = open(&["exit", "3"]).check_exit(true);
    let mut frames = FramedRead::new(file, BytesCodec::new());
    let error = within(frames.next()).await.unwrap().unwrap_err();
    assert_eq!(process_io::Error::from(error).kind(), ErrorKind::Failed);
}

#[tokio::test]
async fn reader_stream() {
    let pieces = ReaderStream::new(open(&["write", "out", "1000000"]));
    let pieces: Vec<_> = within(pieces.try_collect()).await.unwrap();
    assert_bytes(pieces.concat(), pattern(1_000_000));
}

#[tokio::test]
async fn lines_without_another_buffer() {
    let mut lines = open(&["lines", "3", "5"]).lines();
    for expected in ["0 xxx", "1 xxx", "2 xxx"] {
        assert_eq!(within(lines.next_line()).await.unwrap().unwrap(), expected);
    }
    assert_eq!(within(lines.next_line()).await.unwrap(), None);
}

#[tokio::test]
async fn buf_reader_and_take() {
    let file = BufReader::with_capacity(100, open(&["write", "out", "10000"]));
    let mut start = Vec::new();
    let mut start_of = file.take(777);
    within(start_of.read_to_end(&mut start)).await.unwrap();
    assert_eq!(start, pattern(777));
    let mut rest = Vec::new();
    within(start_of.into_inner().read_to_end(&mut rest))
        .await
        .unwrap();
    assert_eq!(rest, pattern(10_000)[777..]);
}

#[tokio::test]
async fn copy_from_one_child_into_another() {
    let mut from = open(&["write", "out", "3000000"]);
    let mut into = open(&["sink"]);
    let copied = within(tokio::io::copy_buf(&mut from, &mut into))
        .await
        .unwrap();
    assert_eq!(copied, 3_000_000);
    within(into.shutdown()).await.unwrap();
    let mut answer = String::new();
    within(into.read_to_string(&mut answer)).await.unwrap();
    let hash = pattern(3_000_000)
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    assert_eq!(answer, format!("3000000 {hash:016x}\n"));
}

#[tokio::test]
async fn sync_io_bridge() {
    use std::io::{BufRead, Read, Write};
    let file = open(&["echo"]);
    let done = tokio::task::spawn_blocking(move || {
        let mut file = SyncIoBridge::new(file);
        file.write_all(b"one\ntwo\n").unwrap();
        file.flush().unwrap();
        let mut line = String::new();
        file.read_line(&mut line).unwrap();
        assert_eq!(line, "one\n");
        file.write_all(b"three").unwrap();
        file.shutdown().unwrap();
        let mut rest = String::new();
        file.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "two\nthree");
    });
    within(done).await.unwrap();
}
