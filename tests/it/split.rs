//! The two directions apart, lent or owned, and put together again.

use futures::{SinkExt, StreamExt, TryStreamExt, stream};
use process_io::{Event, ProcessIo, Recv, Source, transport::memory};
use tokio::io::AsyncReadExt;

use crate::support::{GENEROUS, assert_bytes, child, child_line, pattern, within};

fn spawn(args: &[&str]) -> ProcessIo {
    ProcessIo::spawn(child(args)).unwrap()
}

#[tokio::test]
async fn lent_halves_work_at_the_same_time() {
    let mut io = spawn(&["echo"]);
    let data = pattern(8_000_000);
    let (send, recv) = ProcessIo::split(&mut io);
    let mut heard = Vec::new();
    let writer = async {
        send.send(data.clone()).await.unwrap();
        assert_eq!(send.queued(), 0);
        send.close_stdin();
    };
    let reader = async {
        while let Some(piece) = recv.recv(Source::Stdout).await.unwrap() {
            heard.extend_from_slice(&piece);
        }
    };
    within(async { tokio::join!(writer, reader) }).await;
    assert_bytes(heard, data);
    assert!(within(io.wait()).await.unwrap().success());
    assert_eq!(io.written(), 8_000_000);
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
    let answer = within(recv.recv(Source::Stdout)).await.unwrap().unwrap();
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
            within(io.recv(Source::Stdout)).await.unwrap().unwrap(),
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
