//! `cancel_on`: a token stops the run, whatever is going on and whoever cancels it.

use std::{thread, time::Duration};

use bytes::Bytes;
use futures::{FutureExt, StreamExt, stream};
use process_io::{
    CancellationToken, Event, Input, Limits, Overflow, ProcessIOWrapper, ProcessIo, Source,
};
use tokio::io::AsyncReadExt;

use crate::support::{assert_bytes, child, pattern, within};

const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_token_that_is_cancelled_before_anything_is_awaited() {
    let token = CancellationToken::new();
    let run = || ProcessIo::builder(child(&["deaf"])).cancel_on(token.clone());
    let ios = [run().spawn().unwrap(), run().spawn().unwrap()];
    token.cancel();
    let [mut collected, io] = ios;
    let error = within(collected.output()).await.unwrap_err();
    assert!(error.is_cancelled() && !error.is_timeout(), "{error}");
    let output = error.output().unwrap();
    assert!(!output.timed_out);
    assert!(!output.status.unwrap().success());

    let items: Vec<_> = within(io.collect()).await;
    let [.., Err(error), Ok(Event::Exit(_))] = &items[..] else {
        panic!("{items:?}");
    };
    assert!(error.is_cancelled());
}

#[tokio::test]
async fn another_thread_wakes_whoever_waits() {
    let token = CancellationToken::new();
    let run = ProcessIo::builder(child(&["deaf"])).cancel_on(token.clone());
    let mut io = run.spawn().unwrap();
    let ready = within(io.recv(Source::Stdout)).await.unwrap();
    assert_eq!(ready.data().unwrap(), "ready\n");
    // Nothing else will ever wake this task.
    let canceller = thread::spawn(move || {
        thread::sleep(SHORT);
        token.cancel();
    });
    let error = within(io.recv(Source::Stdout)).await.unwrap_err();
    assert!(error.is_cancelled());
    canceller.join().unwrap();
}

#[tokio::test]
async fn in_the_middle_of_feeding() {
    let token = CancellationToken::new();
    let mut fed = 0;
    let cancel = token.clone();
    let input = stream::repeat_with(move || {
        fed += 1;
        if fed == 100 {
            cancel.cancel();
        }
        Bytes::from_static(&[0; 10_000])
    });
    let run = ProcessIo::builder(child(&["echo"]))
        .input(Input::stream(input))
        .limits(Limits::default().stdout(1000, Overflow::KeepTail))
        .cancel_on(token);
    let error = within(run).await.unwrap_err();
    assert!(error.is_cancelled());
    assert!(error.output().unwrap().stdin_written > 0);
}

#[tokio::test]
async fn one_token_for_many() {
    let token = CancellationToken::new();
    let runs = (0..5).map(|_| {
        let run = ProcessIo::builder(child(&["deaf"])).cancel_on(token.child_token());
        run.into_future()
    });
    let runs: Vec<_> = runs.collect();
    let cancel = async {
        tokio::time::sleep(SHORT).await;
        token.cancel();
    };
    let all = futures::future::join_all(runs);
    let (ended, ()) = within(async { tokio::join!(all, cancel) }).await;
    assert_eq!(ended.len(), 5);
    for ended in ended {
        assert!(ended.unwrap_err().is_cancelled());
    }
}

#[tokio::test]
async fn a_token_that_is_dropped_cancels_nothing() {
    let token = CancellationToken::new();
    let run = ProcessIo::builder(child(&["slow", "2", "200"])).cancel_on(token.clone());
    let mut io = run.spawn().unwrap();
    within(io.recv(Source::Stdout)).await.unwrap();
    drop(token);
    assert!(within(io.output()).await.unwrap().success());
}

#[tokio::test]
async fn it_reads_as_what_it_is() {
    let token = CancellationToken::new();
    let run = ProcessIo::builder(child(&["deaf"])).cancel_on(token.clone());
    let mut file = ProcessIOWrapper::from(run.spawn().unwrap());
    token.cancel();
    let error = within(file.read_to_end(&mut Vec::new())).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::Other);
    #[cfg(unix)]
    {
        let message = error.to_string();
        assert!(
            message.ends_with(": cancelled (killed by SIGKILL)"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn too_late_it_changes_nothing() {
    let token = CancellationToken::new();
    let run = ProcessIo::builder(child(&["write", "out", "10"])).cancel_on(token.clone());
    let mut io = run.spawn().unwrap();
    assert!(within(io.wait()).await.unwrap().success());
    token.cancel();
    assert!(within(io.wait()).await.unwrap().success());
    assert_eq!(within(io.output()).await.unwrap().stdout.len(), 10);
}

#[tokio::test]
async fn a_loop_that_never_yields_sees_it_at_once() {
    let token = CancellationToken::new();
    let run = ProcessIo::builder(child(&["deaf"])).cancel_on(token.clone());
    let mut io = run.spawn().unwrap();
    while io.recv_nowait(Source::Stdout).unwrap().data().is_none() {}
    token.cancel();
    // The child may take a moment to die.
    let error = loop {
        match io.recv_nowait(Source::Stdout) {
            Ok(received) => assert!(!received.is_eof()),
            Err(error) => break error,
        }
    };
    assert!(error.is_cancelled());
    assert!(io.wait().now_or_never().is_some(), "it is over");
}

/// The words that a child says when it is asked to end are in what the error carries.
#[cfg(unix)]
mod by_a_ladder {
    use process_io::{Ladder, Signal};

    use super::*;
    use crate::support::{GRACE, sh};

    const POLITE: &str = "trap 'echo goodbye; exit 3' TERM; echo ready; sleep 60 & wait";

    #[tokio::test]
    async fn collected() {
        let token = CancellationToken::new();
        let run = ProcessIo::builder(sh(POLITE))
            .cancel_on(token.clone())
            .ladder(Ladder::kill().signal(Signal::TERM, GRACE));
        let mut io = run.spawn().unwrap();
        let ready = within(io.recv_line(Source::Stdout)).await.unwrap();
        assert_eq!(ready.unwrap().to_string(), "ready");
        token.cancel();
        let error = within(io.output()).await.unwrap_err();
        assert!(error.is_cancelled());
        assert_eq!(error.status().unwrap().code(), Some(3));
        assert_eq!(error.output().unwrap().stdout, "goodbye\n");
    }

    #[tokio::test]
    async fn more_than_a_pipe_holds() {
        let n = 1_000_000;
        let command = child(&[]);
        let program = command.as_std().get_program().to_string_lossy();
        let script =
            format!("trap \"'{program}' write out {n}; exit 3\" TERM; echo ready; sleep 60 & wait");
        // Collected, taken in pieces, and while something else is awaited.
        for way in ["output", "recv", "send"] {
            let mut io = (ProcessIo::builder(sh(&script)))
                .ladder(Ladder::kill().signal(Signal::TERM, GRACE))
                .spawn()
                .unwrap();
            let ready = within(io.recv_line(Source::Stdout)).await.unwrap();
            assert_eq!(ready.unwrap().to_string(), "ready");
            let token = CancellationToken::new();
            token.cancel();
            io.set_cancel_on(token);
            let mut got = Vec::new();
            let error = match way {
                "output" => within(io.output()).await.unwrap_err(),
                "recv" => loop {
                    match within(io.recv(Source::Stdout)).await {
                        Ok(piece) => got.extend_from_slice(&piece.data().expect("an error")),
                        Err(error) => break error,
                    }
                },
                _ => within(io.send(vec![0; 10 << 20])).await.unwrap_err(),
            };
            assert!(error.is_cancelled(), "{way}");
            assert_eq!(error.status().unwrap().code(), Some(3), "{way}");
            got.extend_from_slice(&error.output().unwrap().stdout);
            assert_bytes(got, pattern(n));
        }
    }

    #[tokio::test]
    async fn as_lines_in_time() {
        let run = ProcessIo::builder(sh(POLITE)).ladder(Ladder::default());
        let mut io = run.spawn().unwrap();
        let ready = within(io.recv_line(Source::Stdout)).await.unwrap();
        assert_eq!(ready.unwrap().to_string(), "ready");
        io.set_deadline(tokio::time::Instant::now() + SHORT);
        let line = within(io.recv_line(Source::Stdout)).await.unwrap();
        assert_eq!(line.unwrap().to_string(), "goodbye");
        let error = within(io.recv_line(Source::Stdout)).await.unwrap_err();
        assert!(error.is_timeout());
        assert_eq!(error.status().unwrap().code(), Some(3));
    }

    #[tokio::test]
    async fn a_child_that_does_not_listen_is_killed_all_the_same() {
        let run = ProcessIo::builder(child(&["trap-term"]))
            .ladder(Ladder::kill().signal(Signal::TERM, SHORT));
        let mut io = run.spawn().unwrap();
        let ready = within(io.recv_line(Source::Stdout)).await.unwrap();
        assert_eq!(ready.unwrap().to_string(), "ready");
        let start = tokio::time::Instant::now();
        io.set_deadline(start);
        let error = within(io.wait()).await.unwrap_err();
        assert!(error.is_timeout());
        assert!(start.elapsed() >= SHORT);
        assert!(error.to_string().contains("killed by SIGKILL"), "{error}");
    }
}
