//! Bytes first: every byte passes each way unchanged, whatever it means as text and wherever it is cut.

use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use process_io::{ErrorKind, Event, ProcessIOWrapper, ProcessIo, Recv, Source};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};

use crate::support::{Way, assert_bytes, child, within};

const SPLIT: &str = "häß€𝄞\n";

/// All byte values, sequences that are no UTF-8, NUL, all kinds of line ends, cut and whole characters.
fn hard() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..=255).collect();
    bytes.extend((0..=255).rev());
    for piece in [
        &b"\xff\xfe\x80\xc3\x28"[..],
        b"\0\0\n\0",
        b"\r\n\n\r\r\n",
        b"\xf0\x9d\x84",
        b"\xed\xa0\x80\xc0\x80",
        SPLIT.as_bytes(),
    ] {
        bytes.extend_from_slice(piece);
    }
    bytes
}

fn echo() -> ProcessIo {
    ProcessIo::spawn(child(&["echo"])).expect("the child starts")
}

#[tokio::test]
async fn input_and_output() {
    let run = ProcessIo::builder(child(&["echo"])).input(hard());
    let output = within(run).await.unwrap();
    assert_bytes(&output.stdout, hard());
    assert!(output.stdout_lossy().ends_with(SPLIT));
    assert!(output.stdout_lossy().contains('\u{fffd}'));
}

#[tokio::test]
async fn every_way_to_read() {
    for way in Way::ALL {
        let mut io = echo();
        within(io.send(hard())).await.unwrap();
        io.close_stdin();
        let (left, _) = way.read(io).await;
        assert_bytes(left.stdout, hard());
    }
}

#[tokio::test]
async fn one_byte_at_a_time() {
    let mut io = echo();
    for byte in hard() {
        within(io.send(vec![byte])).await.unwrap();
        let back = within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap();
        assert_eq!(back[..], [byte]);
    }
}

#[tokio::test]
async fn lines_that_are_no_text() {
    let mut io = echo();
    for line in hard().split(|byte| *byte == b'\n') {
        within(io.send_line(line)).await.unwrap();
    }
    io.close_stdin();
    let (left, _) = Way::Recv.read(io).await;
    assert_bytes(left.stdout, [hard(), b"\n".to_vec()].concat());
}

#[tokio::test]
async fn sink_and_stream() {
    let (mut sink, stream) = echo().split();
    let send = async {
        for piece in hard().chunks(7) {
            sink.send(Bytes::copy_from_slice(piece)).await.unwrap();
        }
        sink.close().await.unwrap();
    };
    let receive = stream.fold(Vec::new(), async |mut got, event| {
        if let Event::Stdout(piece) = event.unwrap() {
            got.extend_from_slice(&piece);
        }
        got
    });
    let ((), got) = within(async { tokio::join!(send, receive) }).await;
    assert_bytes(got, hard());
}

#[tokio::test]
async fn without_waiting() {
    let mut io = echo();
    let (all, mut sent, mut got) = (hard(), 0, Vec::new());
    within(async {
        while got.len() < all.len() {
            let end = all.len().min(sent + 5);
            sent += io.send_nowait(&all[sent..end]).unwrap();
            match io.recv_nowait_max(Source::Stdout, 3).unwrap() {
                Recv::Data(piece) => got.extend_from_slice(&piece),
                Recv::Empty => tokio::task::yield_now().await,
                Recv::Eof => break,
            }
        }
    })
    .await;
    assert_bytes(got, all);
}

#[tokio::test]
async fn exchange() {
    let mut io = echo();
    let window = Duration::from_millis(20);
    let mut got = within(io.exchange(hard(), window))
        .await
        .unwrap()
        .stdout
        .to_vec();
    within(async {
        while got.len() < hard().len() {
            got.extend_from_slice(&io.exchange("", window).await.unwrap().stdout);
        }
    })
    .await;
    assert_bytes(got, hard());
}

#[tokio::test]
async fn wrapper_both_ways() {
    let mut file = ProcessIOWrapper::new(child(&["echo"])).unwrap();
    within(file.write_all(&hard())).await.unwrap();
    within(file.shutdown()).await.unwrap();
    let mut got = Vec::new();
    while within(file.read_until(b'\n', &mut got)).await.unwrap() > 0 {}
    assert_bytes(&got, hard());
    assert_eq!(file.position(), got.len() as u64);
}

#[tokio::test]
async fn both_streams_of_a_wrapper() {
    let mut io = echo();
    within(io.send(hard())).await.unwrap();
    io.close_stdin();
    let mut file = ProcessIOWrapper::from(io).read_from(process_io::ReadSource::Both);
    let mut got = Vec::new();
    within(file.read_to_end(&mut got)).await.unwrap();
    assert_bytes(got, hard());
}

#[tokio::test]
async fn characters_that_come_in_parts() {
    for way in Way::ALL {
        let io = ProcessIo::spawn(child(&["utf8-split"])).unwrap();
        let (left, _) = way.read(io).await;
        assert_bytes(left.stdout, SPLIT);
    }
    let mut file = ProcessIOWrapper::new(child(&["utf8-split"])).unwrap();
    let mut line = String::new();
    within(file.read_line(&mut line)).await.unwrap();
    assert_eq!(line, SPLIT);
}

/// Only Unix has arguments that are bytes.
#[cfg(unix)]
mod arguments {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    use super::*;

    #[tokio::test]
    async fn that_are_no_text_reach_the_child_and_show_in_errors() {
        let mut command = child(&["args"]);
        command.arg(OsStr::from_bytes(b"a\xffb"));
        let output = within(ProcessIo::builder(command)).await.unwrap();
        assert_eq!(output.stdout, "\"a\\xFFb\"\n");

        let missing = process_io::Command::new(OsStr::from_bytes(b"/no/such/\xff\n"));
        let error = ProcessIo::spawn(missing).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ProgramNotFound, "{error}");
        assert!(error.to_string().contains("/no/such/\u{fffd}"), "{error}");
    }

    #[tokio::test]
    async fn messages_that_are_no_text_show_in_errors() {
        let script = crate::support::sh(r"printf 'bad \377 byte' >&2; exit 1");
        let output = within(ProcessIo::builder(script)).await.unwrap();
        let error = output.check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Failed);
        assert_eq!(error.stderr_tail(), b"bad \xff byte");
        assert!(error.to_string().contains("bad \u{fffd} byte"), "{error}");
    }
}
