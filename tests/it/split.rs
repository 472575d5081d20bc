//! The two directions apart, and put together again.

use futures::{SinkExt, StreamExt, TryStreamExt, stream};
use process_io::{Event, Limits, Overflow, ProcessIo, Recv, Source, transport::memory};
use tokio::io::AsyncReadExt;

use crate::support::{GENEROUS, assert_bytes, child, child_line, pattern, within};

fn spawn(args: &[&str]) -> ProcessIo {
    ProcessIo::spawn(child(args)).unwrap()
}

#[tokio::test]
async fn halves_work_at_the_same_time_in_one_task() {
    let data = pattern(8_000_000);
    let (mut send, mut recv) = spawn(&["echo"]).into_split();
    let mut heard = Vec::new();
    let writer = async {
        send.send(data.clone()).await.unwrap();
        assert_eq!(send.queued(), 0);
        send.close_stdin();
    };
    let reader = async {
        while let Recv::Data(piece) = recv.recv(Source::Stdout).await.unwrap() {
            heard.extend_from_slice(&piece);
        }
    };
    within(async { tokio::join!(writer, reader) }).await;
    assert_bytes(heard, data);
    assert!(within(recv.wait()).await.unwrap().success());
    assert_eq!(send.written(), 8_000_000);
}

async fn two_tasks() {
    let data = pattern(8_000_000);
    let (mut send, mut recv) = spawn(&["echo"]).into_split();
    assert_eq!(send.control().id(), recv.control().id());
    let pieces: Vec<_> = data
        .chunks(100_000)
        .map(|p| Ok(p.to_vec().into()))
        .collect();
    let writer = tokio::spawn(async move {
        send.send_all(&mut stream::iter(pieces)).await.unwrap();
        send.close().await.unwrap();
        send
    });
    let reader = tokio::spawn(async move {
        let mut heard = Vec::new();
        while let Some(event) = recv.try_next().await.unwrap() {
            match event {
                Event::Stdout(bytes) => heard.extend_from_slice(&bytes),
                Event::Stderr(bytes) => panic!("{bytes:?}"),
                Event::Exit(status) => assert!(status.success()),
                _ => {}
            }
        }
        (recv, heard)
    });
    let (send, read) = within(async { tokio::join!(writer, reader) }).await;
    let (recv, heard) = read.unwrap();
    assert_bytes(heard, data);
    let mut io = ProcessIo::unsplit(send.unwrap(), recv).unwrap();
    assert!(within(io.wait()).await.unwrap().success());
    assert!(within(io.next()).await.is_none());
}

#[tokio::test]
async fn owned_halves_in_two_tasks_on_one_thread() {
    two_tasks().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn owned_halves_in_two_tasks_on_two_threads() {
    two_tasks().await;
}

#[tokio::test]
async fn put_together_again_the_conversation_goes_on() {
    let mut io = spawn(&["echo"]);
    within(io.send("one")).await.unwrap();
    let (mut send, mut recv) = io.into_split();
    within(send.send("two")).await.unwrap();
    let mut heard = Vec::new();
    while heard.len() < 6 {
        match within(recv.recv_timeout(Source::Stdout, GENEROUS))
            .await
            .unwrap()
        {
            Recv::Data(data) => heard.extend_from_slice(&data),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(heard, b"onetwo");
    let mut io = ProcessIo::unsplit(send, recv).unwrap();
    within(io.send("three")).await.unwrap();
    let output = within(io.output()).await.unwrap();
    assert_eq!(output.stdout, "three");
    assert_eq!(output.stdin_written, 11);
}

#[tokio::test]
async fn halves_of_two_children_do_not_fit() {
    let (send_a, recv_a) = spawn(&["echo"]).into_split();
    let (send_b, recv_b) = spawn(&["echo"]).into_split();
    let error = ProcessIo::unsplit(send_a, recv_b).unwrap_err();
    assert_eq!(error.to_string(), "the halves are not of the same child");
    let (send_a, recv_b) = *error.0;
    for (word, send, recv) in [("a", send_a, recv_a), ("b", send_b, recv_b)] {
        let mut io = ProcessIo::unsplit(send, recv).unwrap();
        within(io.send(word)).await.unwrap();
        assert_eq!(within(io.output()).await.unwrap().stdout, word);
    }
}

#[tokio::test]
async fn dropping_the_sending_half_closes_stdin() {
    let (mut send, mut recv) = spawn(&["sink"]).into_split();
    within(send.send("four")).await.unwrap();
    drop(send);
    let answer = within(recv.recv(Source::Stdout))
        .await
        .unwrap()
        .data()
        .unwrap();
    assert!(answer.starts_with(b"4 "), "{answer:?}");
    assert!(within(recv.wait()).await.unwrap().success());
}

#[tokio::test]
async fn a_half_tells_which_child_takes_no_more() {
    let (mut send, mut recv) = spawn(&["exit", "0"]).into_split();
    assert!(within(recv.wait()).await.unwrap().success());
    let error = within(send.send(pattern(1_000_000))).await.unwrap_err();
    assert!(error.is_broken_pipe(), "{error:?}");
    assert!(
        error.command().unwrap().ends_with(&child_line("exit 0")),
        "{error:?}"
    );
    assert!(send.send_nowait("x").unwrap_err().is_broken_pipe());
}

#[cfg(any(target_os = "linux", windows))] // Where it can be told whether a process lives.
#[tokio::test]
async fn the_child_is_killed_with_the_second_half() {
    use crate::support::{eventually, exists, is_alive};
    for send_first in [true, false] {
        let mut io = spawn(&["deaf"]);
        assert_eq!(
            within(io.recv(Source::Stdout))
                .await
                .unwrap()
                .data()
                .unwrap(),
            "ready\n"
        );
        let pid = io.id().unwrap();
        let (send, recv) = io.into_split();
        let other: Box<dyn std::any::Any> = if send_first {
            drop(send);
            Box::new(recv)
        } else {
            drop(recv);
            Box::new(send)
        };
        assert!(is_alive(pid));
        drop(other);
        eventually("the child is gone", || !exists(pid)).await;
    }
}

#[tokio::test]
async fn a_half_closes_the_stdin_of_any_transport() {
    let (parts, mut child) = memory::child();
    let (mut send, _recv) = ProcessIo::from_parts(parts).into_split();
    send.close_stdin();
    let mut heard = Vec::new();
    within(child.stdin.read_to_end(&mut heard)).await.unwrap();
    assert_eq!(heard, b"");
    drop(send);
}

/// Whatever is awaited, all the pipes move: neither half needs the other to be polled.
#[tokio::test]
async fn either_half_moves_all_the_pipes() {
    let data = pattern(1_000_000);
    let (mut send, mut recv) = spawn(&["echo"]).into_split();
    // The child takes no more input until its output is read.
    within(send.send(data.clone())).await.unwrap();
    within(send.send(data.clone())).await.unwrap();
    send.close_stdin();
    let mut heard = Vec::new();
    while let Recv::Data(piece) = within(recv.recv(Source::Stdout)).await.unwrap() {
        heard.extend_from_slice(&piece);
    }
    assert_bytes(heard, [data.clone(), data.clone()].concat());

    let (mut send, mut recv) = spawn(&["echo"]).into_split();
    within(send.feed(data.clone().into())).await.unwrap();
    let (mut heard, mut len) = (Vec::new(), data.len());
    while heard.len() < len {
        let piece = within(recv.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap();
        if heard.is_empty() {
            // What is queued from here on is written by the other half.
            send.start_send_unpin("the end".into()).unwrap();
            len += 7;
        }
        heard.extend_from_slice(&piece);
    }
    assert!(heard.ends_with(b"the end"));
}

/// What is queued is written first, and the child sees the end of its input also if nothing is awaited.
#[tokio::test]
async fn a_sending_half_that_is_dropped_closes_stdin_after_what_is_queued() {
    let data = pattern(1_000_000);
    let (mut send, mut recv) = spawn(&["sink"]).into_split();
    within(send.feed(data.into())).await.unwrap();
    drop(send);
    let answer = within(recv.recv(Source::Stdout))
        .await
        .unwrap()
        .data()
        .unwrap();
    assert!(answer.starts_with(b"1000000 "), "{answer:?}");

    let (mut send, recv) = spawn(&["sink"]).into_split();
    within(send.send("four")).await.unwrap();
    let control = recv.control();
    drop(send);
    assert!(within(control.wait()).await.unwrap().success());
}

#[tokio::test]
async fn a_receiving_half_that_is_dropped_closes_the_outputs() {
    let (mut send, recv) = spawn(&["flood", "both"]).into_split();
    drop(recv);
    let control = send.control();
    // Whether it is killed by the pipe or fails.
    assert!(!within(control.wait()).await.unwrap().success());
    let error = within(send.send(pattern(1_000_000))).await.unwrap_err();
    assert!(error.is_broken_pipe(), "{error:?}");
}

/// An output that nobody takes is back-pressure for the sending half: the other half may still come for it.
#[tokio::test]
async fn a_limit_of_the_output_does_not_fail_the_sending_half() {
    let io = ProcessIo::builder(child(&["echo"]));
    let limits = Limits::default().stdout(100_000, Overflow::Fail);
    let (mut send, mut recv) = io.limits(limits).spawn().unwrap().into_split();
    let data = pattern(2_000_000);
    let writer = async {
        within(send.send(data.clone())).await.unwrap();
        send.close_stdin();
    };
    let reader = async {
        let mut heard = Vec::new();
        while heard.len() < data.len() {
            // Not at once, so that there is more than the limit allows.
            tokio::task::yield_now().await;
            heard.extend_from_slice(
                &within(recv.recv(Source::Stdout))
                    .await
                    .unwrap()
                    .data()
                    .unwrap(),
            );
        }
        heard
    };
    let ((), heard) = tokio::join!(writer, reader);
    assert_bytes(heard, data.clone());
}
