//! A running handle gives up its end of a pipe, to another child or to whoever wants it.

use std::io;

use process_io::{ProcessIo, Source, transport::memory};

use crate::support::{child, within};

fn kind(error: process_io::Error) -> io::ErrorKind {
    io::Error::from(error).kind()
}

#[cfg(unix)]
mod on_unix {
    use std::{fs::File, io::Read};

    use process_io::{Event, Recv, Redirect};
    use rustix::fs::{OFlags, fcntl_getfl};

    use super::*;
    use crate::support::{assert_bytes, pattern};

    #[tokio::test]
    async fn the_stdout_of_one_child_is_the_stdin_of_another() {
        let mut from = ProcessIo::spawn(child(&["echo"])).unwrap();
        let to = ProcessIo::builder(child(&["echo"])).stdin(from.take_stdout().unwrap());
        let mut to = to.spawn().unwrap();
        // It waits for its input, in a read that must not fail, before there is any.
        let waits = to.recv_timeout(Source::Stdout, std::time::Duration::from_millis(100));
        assert_eq!(within(waits).await.unwrap(), Recv::Empty);
        let data = pattern(1_000_000);
        let (sent, output) = within(async {
            tokio::join!(
                async {
                    from.send(data.clone()).await.unwrap();
                    from.close_stdin();
                    from.wait().await.unwrap()
                },
                to.output()
            )
        })
        .await;
        assert!(sent.success());
        let output = output.unwrap().check().unwrap();
        assert_bytes(output.stdout, data);
    }

    #[tokio::test]
    async fn each_end_is_in_blocking_mode_and_has_ended_here() {
        let mut io = ProcessIo::spawn(child(&["both", "1000"])).unwrap();
        let ends = [
            io.take_stdin().unwrap(),
            io.take_stdout().unwrap(),
            io.take_stderr().unwrap(),
        ];
        for end in &ends {
            assert!(!fcntl_getfl(end).unwrap().contains(OFlags::NONBLOCK));
        }
        assert_eq!(within(io.recv(Source::Stdout)).await.unwrap(), Recv::Eof);
        assert_eq!(within(io.recv(Source::Stderr)).await.unwrap(), Recv::Eof);
        assert!(within(io.send("x")).await.unwrap_err().is_broken_pipe());
        let taken = [io.take_stdin(), io.take_stdout(), io.take_stderr()];
        for again in taken {
            assert_eq!(kind(again.unwrap_err()), io::ErrorKind::NotConnected);
        }
        let [_, out, err] = ends.map(File::from);
        let read = |mut file: File| {
            let mut all = Vec::new();
            file.read_to_end(&mut all).map(|_| all)
        };
        let reading = tokio::task::spawn_blocking(move || (read(out).unwrap(), read(err).unwrap()));
        assert!(within(io.wait()).await.unwrap().success());
        let (out, err) = within(reading).await.unwrap();
        assert_bytes(out, pattern(1000));
        assert_bytes(err, pattern(1000));
    }

    #[tokio::test]
    async fn what_has_been_read_ahead_is_received_first() {
        let mut io = ProcessIo::spawn(child(&["do", "out", "one\ntwo\n"])).unwrap();
        let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
        assert_eq!(line.to_str().unwrap(), "one");
        let error = io.take_stdout().unwrap_err();
        assert!(
            error.to_string().contains("has not been received"),
            "{error}"
        );
        assert_eq!(kind(error), io::ErrorKind::ResourceBusy);
        assert_eq!(
            io.recv_nowait(Source::Stdout).unwrap(),
            Recv::Data("two\n".into())
        );
        let rest = io.take_stdout().unwrap();
        let output = within(ProcessIo::builder(child(&["echo"])).stdin(rest)).await;
        assert_eq!(output.unwrap().stdout, "");
    }

    #[tokio::test]
    async fn what_is_queued_is_written_first() {
        let mut io = ProcessIo::spawn(child(&["deaf"])).unwrap();
        let sending = tokio::time::timeout(
            std::time::Duration::from_millis(50),
            io.send(vec![0; 1 << 20]),
        );
        assert!(sending.await.is_err());
        let error = io.take_stdin().unwrap_err();
        assert!(
            error.to_string().contains("has not been written"),
            "{error}"
        );
        assert_eq!(kind(error), io::ErrorKind::ResourceBusy);
    }

    #[tokio::test]
    async fn the_child_finds_the_end_of_its_stdin_when_the_last_copy_is_closed() {
        let mut to = ProcessIo::spawn(child(&["echo"])).unwrap();
        let stdin = to.take_stdin().unwrap();
        to.close_stdin();
        let from = ProcessIo::builder(child(&["do", "out", "words"])).stdout(stdin);
        assert!(within(from).await.unwrap().success());
        let output = within(to.output()).await.unwrap();
        assert_eq!(output.stdout, "words");
    }

    #[tokio::test]
    async fn the_events_of_the_other_streams_go_on() {
        let mut io = ProcessIo::spawn(child(&["write", "out", "100000", "err", "3"])).unwrap();
        let out = io.take_stdout().unwrap();
        let sink = ProcessIo::builder(child(&["sink"])).stdin(out);
        let (sunk, events) = within(async {
            tokio::join!(sink, async {
                let mut events = Vec::new();
                while let Some(event) = futures::TryStreamExt::try_next(&mut io).await.unwrap() {
                    events.push(event);
                }
                events
            })
        })
        .await;
        assert!(sunk.unwrap().stdout.starts_with(b"100000 "));
        let [
            Event::Stderr(err),
            Event::Eof(Source::Stderr),
            Event::Exit(status),
        ] = &events[..]
        else {
            panic!("{events:?}");
        };
        assert_bytes(err, pattern(3));
        assert!(status.success());
    }

    /// What is given to one child must not be held by the next.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn no_child_has_it_under_its_own_number() {
        if !crate::support::alone("taken_pipes::on_unix::no_child_has_it_under_its_own_number") {
            return;
        }
        let count = || ProcessIo::builder(child(&["fd-count"]));
        let none = within(count()).await.unwrap().stdout;
        let mut io = ProcessIo::spawn(child(&["echo"])).unwrap();
        let out = io.take_stdout().unwrap();
        assert_eq!(within(count()).await.unwrap().stdout, none);
        let redirect = Redirect::from(out);
        assert_eq!(within(count().stdin(redirect)).await.unwrap().stdout, none);
    }
}

#[cfg(windows)]
#[tokio::test]
async fn an_overlapped_handle_stays() {
    let mut io = ProcessIo::spawn(child(&["do", "out", "words"])).unwrap();
    assert_eq!(
        kind(io.take_stdout().unwrap_err()),
        io::ErrorKind::Unsupported
    );
    assert_eq!(
        kind(io.take_stdin().unwrap_err()),
        io::ErrorKind::Unsupported
    );
    assert_eq!(within(io.output()).await.unwrap().stdout, "words");
}

#[tokio::test]
async fn what_is_no_pipe_cannot_be_taken() {
    let (parts, _child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    for taken in [io.take_stdin(), io.take_stdout(), io.take_stderr()] {
        assert_eq!(kind(taken.unwrap_err()), io::ErrorKind::NotConnected);
    }
    let run = ProcessIo::builder(child(&["sleep"])).stdout(process_io::Redirect::Null);
    let mut io = run.spawn().unwrap();
    assert_eq!(
        kind(io.take_stdout().unwrap_err()),
        io::ErrorKind::NotConnected
    );
}
