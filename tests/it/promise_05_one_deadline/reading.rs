//! Every way to read: what there is, then the error, then the end.

use futures::{Stream, StreamExt};
use process_io::{
    Eof, Error, Event, ProcessIOWrapper, ProcessIo, ReadSource, Recv, RecvHalf, Result, Source,
};
use std::io;
use tokio::io::AsyncReadExt;
use tokio_util::codec::{LinesCodec, LinesCodecError};

use super::{Cause, SHORT, said};
use crate::support::{GENEROUS, child, next_but_ends, within};

const OUT: &str = "so far\nhalf";
const ERR: &str = "oops\n";

/// A child that has said something and lives on, and soon is stopped.
async fn start(cause: Cause) -> ProcessIo {
    let mut io = ProcessIo::spawn(child(&["say", "out", OUT, "err", ERR])).unwrap();
    said(&mut io, OUT.as_bytes(), ERR.as_bytes()).await;
    cause.set(&mut io);
    io
}

async fn start_split(cause: Cause) -> (process_io::SendHalf, RecvHalf) {
    start(cause).await.into_split()
}

/// Both streams, then one error, then the exit, then nothing more.
async fn assert_events(cause: Cause, mut stream: impl Stream<Item = Result<Event>> + Unpin) {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let error = loop {
        match within(stream.next()).await.expect("an error") {
            Ok(Event::Stdout(piece)) => stdout.extend_from_slice(&piece),
            Ok(Event::Stderr(piece)) => stderr.extend_from_slice(&piece),
            Ok(event) => panic!("{event:?} before the error"),
            Err(error) => break error,
        }
    };
    cause.assert_is(&error);
    assert_eq!((stdout, stderr), (OUT.into(), ERR.into()), "{cause:?}");
    let output = error.output().unwrap();
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
    match within(stream.next()).await {
        Some(Ok(Event::Exit(status))) => assert_eq!(Some(status), error.status()),
        other => panic!("{other:?}"),
    }
    assert!(within(stream.next()).await.is_none());
}

/// The texts that a stream gives before its error, after which it has to end.
async fn texts_before<T: AsRef<[u8]>>(
    cause: Cause,
    mut stream: impl Stream<Item = Result<T>> + Unpin,
) -> Vec<String> {
    let mut texts = Vec::new();
    let error = loop {
        match within(stream.next()).await.expect("an error") {
            Ok(text) => texts.push(String::from_utf8(text.as_ref().to_vec()).unwrap()),
            Err(error) => break error,
        }
    };
    cause.assert_is(&error);
    assert!(within(stream.next()).await.is_none());
    texts
}

/// What a file gives before its error.
async fn read_before(cause: Cause, file: &mut ProcessIOWrapper) -> Vec<u8> {
    let mut got = Vec::new();
    let error = within(file.read_to_end(&mut got)).await.unwrap_err();
    assert_io(cause, error);
    got
}

#[track_caller]
fn assert_io(cause: Cause, error: io::Error) {
    let kind = match cause {
        Cause::Cancel => io::ErrorKind::Other,
        _ => io::ErrorKind::TimedOut,
    };
    assert_eq!(error.kind(), kind);
    cause.assert_is(&Error::from(error));
}

#[tokio::test]
async fn events() {
    for cause in Cause::ALL {
        let mut io = start(cause).await;
        assert_events(cause, &mut io).await;
        cause.assert_is(&within(io.wait()).await.unwrap_err());
    }
}

#[tokio::test]
async fn events_of_a_half() {
    for cause in Cause::ALL {
        let (_send, recv) = start_split(cause).await;
        assert_events(cause, recv).await;
    }
}

#[tokio::test]
async fn events_that_are_taken_when_it_is_over() {
    for cause in Cause::ALL {
        let mut io = start(cause).await;
        cause.assert_is(&within(io.wait()).await.unwrap_err());
        assert_events(cause, &mut io).await;
    }
}

#[cfg(unix)] // The shell closes its streams.
#[tokio::test]
async fn events_when_the_outputs_have_ended() {
    for cause in Cause::ALL {
        // Its streams end, and it does not.
        let mut io = ProcessIo::spawn(crate::support::sh("exec >&- 2>&-; exec sleep 60")).unwrap();
        cause.set(&mut io);
        let error = next_but_ends(&mut io).await.unwrap().unwrap_err();
        cause.assert_is(&error);
        let exit = within(io.next()).await.unwrap().unwrap();
        assert!(matches!(exit, Event::Exit(_)), "{exit:?}");
        assert!(within(io.next()).await.is_none());
    }
}

#[tokio::test]
async fn recv() {
    for cause in Cause::ALL {
        let mut io = start(cause).await;
        for (source, text) in [(Source::Stdout, OUT), (Source::Stderr, ERR)] {
            assert_eq!(within(io.recv(source)).await.unwrap().data().unwrap(), text);
            let error = within(io.recv(source)).await.unwrap_err();
            cause.assert_is(&error);
            for _ in 0..2 {
                assert_eq!(within(io.recv(source)).await.unwrap(), Recv::Eof);
            }
        }
    }
}

#[tokio::test]
async fn recv_of_a_half() {
    for cause in Cause::ALL {
        let (_send, mut half) = start_split(cause).await;
        let received = within(half.recv(Source::Stdout)).await.unwrap();
        assert_eq!(received.data().unwrap(), OUT);
        cause.assert_is(&within(half.recv(Source::Stdout)).await.unwrap_err());
        assert_eq!(within(half.recv(Source::Stdout)).await.unwrap(), Recv::Eof);
        cause.assert_is(&within(half.wait()).await.unwrap_err());
    }
}

#[tokio::test]
async fn recv_timeout() {
    for cause in Cause::ALL {
        let mut io = start(cause).await;
        let first = within(io.recv_timeout(Source::Stdout, GENEROUS)).await;
        assert_eq!(first.unwrap(), Recv::Data(OUT.into()));
        let error = within(io.recv_timeout(Source::Stdout, GENEROUS)).await;
        cause.assert_is(&error.unwrap_err());
        let last = within(io.recv_timeout(Source::Stdout, GENEROUS)).await;
        assert_eq!(last.unwrap(), Recv::Eof);
    }
}

#[tokio::test]
async fn the_time_of_a_call_is_not_that_of_the_run() {
    let mut io = ProcessIo::spawn(child(&["deaf"])).unwrap();
    said(&mut io, b"ready\n", b"").await;
    io.set_deadline(tokio::time::Instant::now() + GENEROUS);
    let error = within(io.expect_timeout("never", SHORT)).await.unwrap_err();
    assert!(error.is_timeout());
    assert!(error.output().is_none(), "the run goes on");
    assert!(error.status().is_none());
}

#[tokio::test]
async fn recv_nowait_in_a_loop_that_never_yields() {
    for cause in Cause::ALL {
        let mut io = start(cause).await;
        let start = std::time::Instant::now();
        let mut got = Vec::new();
        let error = loop {
            match io.recv_nowait(Source::Stdout) {
                Ok(Recv::Data(piece)) => got.extend_from_slice(&piece),
                Ok(Recv::Empty) => std::thread::sleep(std::time::Duration::from_millis(1)),
                Ok(Recv::Eof) => panic!("the end before the error"),
                Err(error) => break error,
            }
            assert!(start.elapsed() < GENEROUS);
        };
        cause.assert_is(&error);
        assert_eq!(got, OUT.as_bytes());
        assert_eq!(io.recv_nowait(Source::Stdout).unwrap(), Recv::Eof);
    }
}

#[tokio::test]
async fn recv_for() {
    for cause in Cause::ALL {
        let mut io = start(cause).await;
        let all = within(io.recv_for(Source::Stdout, GENEROUS * 2)).await;
        assert_eq!(all.unwrap(), Recv::Data(OUT.into()));
        let error = within(io.recv_for(Source::Stdout, GENEROUS * 2)).await;
        cause.assert_is(&error.unwrap_err());
        let end = within(io.recv_for(Source::Stdout, GENEROUS * 2)).await;
        assert_eq!(end.unwrap(), Recv::Eof);
    }
}

#[tokio::test]
async fn recv_until_quiet() {
    for cause in Cause::ALL {
        let mut io = start(cause).await;
        let long = GENEROUS * 2;
        let all = within(io.recv_until_quiet(Source::Stdout, long, long)).await;
        assert_eq!(all.unwrap(), Recv::Data(OUT.into()));
        let error = within(io.recv_until_quiet(Source::Stdout, long, long)).await;
        cause.assert_is(&error.unwrap_err());
        let end = within(io.recv_until_quiet(Source::Stdout, long, long)).await;
        assert_eq!(end.unwrap(), Recv::Eof);
    }
}

#[tokio::test]
async fn exchange() {
    for cause in Cause::ALL {
        let mut io = start(cause).await;
        let got = within(io.exchange("ping", GENEROUS * 2)).await.unwrap();
        assert_eq!(got.stdout, OUT);
        assert_eq!(got.stderr, ERR);
        assert_eq!(got.written, 4);
        let error = within(io.recv(Source::Stdout)).await.unwrap_err();
        cause.assert_is(&error);
        assert_eq!(error.output().unwrap().stdin_written, 4);
    }
}

#[tokio::test]
async fn an_exchange_that_fails_keeps_what_came() {
    for cause in Cause::ALL {
        let mut io = ProcessIo::spawn(child(&["say", "out", OUT])).unwrap();
        said(&mut io, OUT.as_bytes(), b"").await;
        cause.set(&mut io);
        let error = within(io.exchange("ping", GENEROUS * 2)).await.unwrap_err();
        cause.assert_is(&error);
        assert_eq!(error.output().unwrap().stdout, OUT);
        let kept = within(io.recv(Source::Stdout)).await.unwrap();
        assert_eq!(kept.data().unwrap(), OUT);
    }
}

#[tokio::test]
async fn recv_line() {
    for cause in Cause::ALL {
        let mut io = start(cause).await;
        for text in ["so far", "half"] {
            let line = within(io.recv_line(Source::Stdout)).await.unwrap();
            assert_eq!(line.unwrap().to_string(), text);
        }
        let error = within(io.recv_line(Source::Stdout)).await.unwrap_err();
        cause.assert_is(&error);
        assert!(
            within(io.recv_line(Source::Stdout))
                .await
                .unwrap()
                .is_none()
        );
    }
}

#[tokio::test]
async fn lines() {
    for cause in Cause::ALL {
        let mut io = start(cause).await;
        let mut texts = texts_before(cause, io.lines()).await;
        texts.sort();
        assert_eq!(texts, ["half", "oops", "so far"]);
        cause.assert_is(&within(io.wait()).await.unwrap_err());

        let mut texts = texts_before(cause, start(cause).await.into_lines()).await;
        texts.sort();
        assert_eq!(texts, ["half", "oops", "so far"]);
    }
}

#[tokio::test]
async fn lines_of_a_half() {
    for cause in Cause::ALL {
        let (_send, mut half) = start_split(cause).await;
        let line = within(half.recv_line(Source::Stdout)).await.unwrap();
        assert_eq!(line.unwrap().to_string(), "so far");
        let mut texts = texts_before(cause, half.into_lines()).await;
        texts.sort();
        assert_eq!(texts, ["half", "oops"]);
    }
}

#[tokio::test]
async fn lines_of_one_stream() {
    for cause in Cause::ALL {
        let mut io = start(cause).await;
        let texts = texts_before(cause, io.stdout_lines()).await;
        assert_eq!(texts, ["so far", "half"]);
    }
}

#[tokio::test]
async fn lines_in_blocks() {
    for cause in Cause::ALL {
        let mut io = start(cause).await;
        let blocks = io.line_blocks(Source::Stdout);
        let texts = texts_before(cause, blocks.map(|block| Ok(block?.into_bytes()))).await;
        assert_eq!(texts.concat(), OUT);
    }
}

#[tokio::test]
async fn expect() {
    for cause in Cause::ALL {
        for source in [ReadSource::Stdout, ReadSource::Stderr, ReadSource::Both] {
            let mut io = start(cause).await;
            let error = within(io.expect_from(source, "never", GENEROUS * 2)).await;
            cause.assert_is(&error.unwrap_err());
        }
        let mut io = start(cause).await;
        assert_eq!(within(io.expect("so ")).await.unwrap().matched, "so ");
        let error = within(io.expect("never")).await.unwrap_err();
        cause.assert_is(&error);
        assert_eq!(error.output().unwrap().stdout, "far\nhalf");
        // And it is still there.
        let kept = within(io.recv(Source::Stdout)).await.unwrap();
        assert_eq!(kept.data().unwrap(), "far\nhalf");
    }
}

#[tokio::test]
async fn expect_the_end() {
    for cause in Cause::ALL {
        let mut io = start(cause).await;
        let error = within(io.expect(Eof)).await.unwrap_err();
        cause.assert_is(&error);
        // It was told.
        let end = within(io.expect(Eof)).await.unwrap();
        assert_eq!(end.before, OUT);
    }
}

#[tokio::test]
async fn frames() {
    for cause in Cause::ALL {
        let mut frames = start(cause).await.framed(LinesCodec::new());
        let first = within(frames.next()).await.unwrap().unwrap();
        assert_eq!(first, "so far");
        match within(frames.next()).await.unwrap() {
            Err(LinesCodecError::Io(error)) => assert_io(cause, error),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_file() {
    for cause in Cause::ALL {
        let mut file = ProcessIOWrapper::from(start(cause).await);
        assert_eq!(read_before(cause, &mut file).await, OUT.as_bytes());
        // It was told once; then this is how the file ends.
        assert_eq!(within(file.read(&mut [0])).await.unwrap(), 0);
        assert_eq!(file.take_unread(), ERR);
        cause.assert_is(&within(file.get_mut().wait()).await.unwrap_err());
    }
}

#[tokio::test]
async fn a_file_of_stderr_and_of_both() {
    for cause in Cause::ALL {
        for (source, len) in [
            (ReadSource::Stderr, ERR.len()),
            (ReadSource::Both, OUT.len() + ERR.len()),
        ] {
            let mut file = ProcessIOWrapper::from(start(cause).await).read_from(source);
            assert_eq!(read_before(cause, &mut file).await.len(), len);
            assert_eq!(within(file.read(&mut [0])).await.unwrap(), 0);
        }
    }
}

#[tokio::test]
async fn a_file_that_checks_the_exit() {
    for cause in Cause::ALL {
        let mut file = ProcessIOWrapper::from(start(cause).await).check_exit(true);
        assert_eq!(read_before(cause, &mut file).await, OUT.as_bytes());
        // It never looks like the end of a good file.
        for _ in 0..2 {
            assert_io(cause, within(file.read(&mut [0])).await.unwrap_err());
        }
    }
}
