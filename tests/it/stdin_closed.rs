//! It is seen when the child closes its stdin, without writing to it.
#![cfg(unix)]

use futures::FutureExt;
use process_io::{ProcessIo, Source, transport::memory};

use crate::support::{child, sh, within};

#[tokio::test]
async fn while_the_child_runs() {
    let mut io = ProcessIo::spawn(sh("read line; exec <&-; echo closed; read line <&2")).unwrap();
    assert!(io.stdin_closed().now_or_never().is_none());
    within(io.send("go on\n")).await.unwrap();
    within(io.stdin_closed()).await.unwrap();
    within(io.stdin_closed()).await.unwrap();
    let error = within(io.send("more")).await.unwrap_err();
    assert!(error.is_broken_pipe(), "{error}");
}

#[tokio::test]
async fn or_when_it_ends() {
    let mut io = ProcessIo::spawn(child(&["exit", "0"])).unwrap();
    within(io.stdin_closed()).await.unwrap();
    within(io.wait()).await.unwrap();
    within(io.stdin_closed()).await.unwrap();
}

#[tokio::test]
async fn or_is_closed_here() {
    let mut io = ProcessIo::spawn(child(&["cat"])).unwrap();
    io.close_stdin();
    within(io.stdin_closed()).await.unwrap();
}

#[tokio::test]
async fn or_the_run_of_what_is_no_pipe_ends() {
    let (parts, child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    assert!(io.stdin_closed().now_or_never().is_none());
    child.exit(0);
    within(io.stdin_closed()).await.unwrap();
}

/// To have waited for it in vain takes nothing from what is sent after that, however often.
#[tokio::test]
async fn does_not_get_in_the_way_of_sending() {
    let (mut send, mut recv) = ProcessIo::spawn(child(&["cat"])).unwrap().into_split();
    let message = vec![7; 100_000];
    for _ in 0..20 {
        assert!(send.stdin_closed().now_or_never().is_none());
        let both = async {
            tokio::join!(
                send.send(message.clone()),
                recv.recv_exact(Source::Stdout, 100_000)
            )
        };
        let (sent, back) = within(both).await;
        sent.unwrap();
        assert_eq!(back.unwrap().data().unwrap().len(), 100_000);
    }
}

/// The child is not held up by its output meanwhile.
#[tokio::test]
async fn the_other_pipes_move() {
    let mut io =
        ProcessIo::spawn(sh("head -c 1000000 /dev/zero; exec <&-; sleep 300; true")).unwrap();
    within(io.stdin_closed()).await.unwrap();
    assert_eq!(
        within(io.recv_exact(Source::Stdout, 1_000_000))
            .await
            .unwrap()
            .data()
            .unwrap()
            .len(),
        1_000_000
    );
}
