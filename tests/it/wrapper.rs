//! `ProcessIOWrapper`: a running child is a file.

use std::io::{ErrorKind, IoSlice};

use futures::FutureExt;
use process_io::{
    Error, Limits, Overflow, ProcessIOWrapper, ProcessIo, ReadSource, Source,
    transport::{Parts, memory},
};
use std::io::SeekFrom;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};

use crate::support::{assert_bytes, child, child_line, next_but_ends, pattern, within};

fn open(args: &[&str]) -> ProcessIOWrapper {
    ProcessIOWrapper::new(child(args)).unwrap()
}

async fn read_all(file: &mut ProcessIOWrapper) -> Vec<u8> {
    let mut all = Vec::new();
    within(file.read_to_end(&mut all)).await.unwrap();
    all
}

#[tokio::test]
async fn it_is_read_and_written() {
    let mut file = open(&["echo"]);
    let mut word = [0; 4];
    for text in [b"one ", b"two "] {
        within(file.write_all(text)).await.unwrap();
        within(file.flush()).await.unwrap();
        within(file.read_exact(&mut word)).await.unwrap();
        assert_eq!(&word, text);
    }
    within(file.write_all(b"the rest")).await.unwrap();
    within(file.shutdown()).await.unwrap();
    assert_eq!(read_all(&mut file).await, b"the rest");
    assert_eq!(within(file.read(&mut word)).await.unwrap(), 0);
}

#[tokio::test]
async fn lines_are_read_from_its_own_buffer() {
    let mut file = open(&["lines", "1000", "50"]);
    let mut line = String::new();
    for i in 0..1000 {
        line.clear();
        assert_eq!(within(file.read_line(&mut line)).await.unwrap(), 51);
        assert!(line.starts_with(&format!("{i} ")), "{line}");
        assert_eq!(file.position(), (i + 1) * 51);
    }
    assert_eq!(within(file.read_line(&mut line)).await.unwrap(), 0);
}

#[tokio::test]
async fn the_buffer_is_taken_bit_by_bit() {
    let mut file = open(&["write", "out", "1000"]);
    let mut all = Vec::new();
    loop {
        let piece = within(file.fill_buf()).await.unwrap();
        if piece.is_empty() {
            break;
        }
        all.push(piece[0]);
        file.consume(1);
    }
    assert_eq!(all, pattern(1000));
    assert_eq!(within(file.read(&mut [])).await.unwrap(), 0);
}

#[tokio::test]
async fn vectored_writes_keep_their_order() {
    let mut file = open(&["echo"]);
    assert!(tokio::io::AsyncWrite::is_write_vectored(&file));
    let slices = [&b""[..], b"ab", b"", b"cd", b"e"].map(IoSlice::new);
    assert_eq!(within(file.write_vectored(&slices)).await.unwrap(), 5);
    assert_eq!(within(file.write_vectored(&[])).await.unwrap(), 0);

    let data = pattern(3_000);
    let many: Vec<_> = data.chunks(1).map(IoSlice::new).collect();
    let mut sent = 0;
    while sent < many.len() {
        let n = within(file.write_vectored(&many[sent..])).await.unwrap();
        assert!(n > 0);
        sent += n;
    }
    within(file.shutdown()).await.unwrap();
    assert_eq!(read_all(&mut file).await, [b"abcde", &data[..]].concat());
}

#[tokio::test]
async fn shutdown_closes_the_childs_stdin() {
    let mut file = open(&["sink"]);
    within(file.write_all(b"four")).await.unwrap();
    assert!(!file.closed());
    within(file.shutdown()).await.unwrap();
    assert!(file.closed());
    let answer = read_all(&mut file).await;
    assert!(answer.starts_with(b"4 "), "{answer:?}");
    let error = within(file.write_all(b"more")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    within(file.shutdown()).await.unwrap();
}

#[tokio::test]
async fn a_write_to_a_child_that_ended_is_a_broken_pipe() {
    let mut file = open(&["exit", "0"]);
    assert_eq!(read_all(&mut file).await, b"");
    within(file.get_mut().wait()).await.unwrap();
    let error = within(file.write_all(b"x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    assert!(Error::from(error).is_broken_pipe());
}

#[tokio::test]
async fn stdout_is_read_and_stderr_is_kept() {
    let mut file = open(&["write", "err", "3000", "out", "1000"]);
    assert_eq!(read_all(&mut file).await, pattern(1000));
    within(file.get_mut().wait()).await.unwrap();
    assert_bytes(file.take_unread(), pattern(3000));
    assert!(file.take_unread().is_empty());
}

#[tokio::test]
async fn stderr_is_read_and_stdout_is_kept() {
    let file = open(&["write", "out", "3000", "err", "1000"]);
    let mut file = file.read_from(ReadSource::Stderr);
    assert_eq!(read_all(&mut file).await, pattern(1000));
    within(file.get_mut().wait()).await.unwrap();
    assert_bytes(file.take_unread(), pattern(3000));
}

#[tokio::test]
async fn both_are_read_in_the_order_of_their_coming() {
    let (parts, mut child) = memory::child();
    let io = ProcessIo::from_parts(parts);
    let mut file = ProcessIOWrapper::from(io).read_from(ReadSource::Both);
    let mut read = Vec::new();
    for i in 0..10 {
        let word = format!("{i} ");
        let stream = if i % 3 == 0 {
            &mut child.stderr
        } else {
            &mut child.stdout
        };
        stream.write_all(word.as_bytes()).await.unwrap();
        within(file.read_buf(&mut read)).await.unwrap();
    }
    assert_eq!(read, b"0 1 2 3 4 5 6 7 8 9 ");
    child.exit(0);
    assert_eq!(within(file.read_buf(&mut read)).await.unwrap(), 0);
    assert_eq!(file.position(), 20);
    assert!(file.take_unread().is_empty());
}

#[tokio::test]
async fn both_are_read_whole() {
    let file = open(&["both", "500000"]);
    let mut file = file.read_from(ReadSource::Both);
    let mut all = read_all(&mut file).await;
    all.sort_unstable();
    let mut expected = pattern(500_000).repeat(2);
    expected.sort_unstable();
    assert_bytes(all, expected);
}

/// A handle that keeps little of what nobody reads.
fn small(args: &[&str]) -> ProcessIo {
    ProcessIo::builder(child(args))
        .limits(
            Limits::default()
                .stdout(1000, Overflow::Fail)
                .stderr(1000, Overflow::Fail),
        )
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn of_the_unread_stream_the_tail_is_kept() {
    let io = small(&["write", "err", "3000000", "out", "500"]);
    let mut file = ProcessIOWrapper::from(io);
    assert_eq!(read_all(&mut file).await, pattern(500));
    within(file.get_mut().wait()).await.unwrap();
    // The child writes its pattern in periods of 251 * 251 bytes.
    assert_bytes(file.take_unread(), &pattern(3_000_000)[2_999_000..]);
    assert_eq!(file.get_ref().omitted(Source::Stderr), 2_999_000);
}

#[tokio::test]
async fn the_unread_stream_is_drained_while_a_write_waits() {
    let io = ProcessIo::builder(child(&["do", "write", "err", "3000000", "sink"]))
        .limits(Limits::default().stderr(1000, Overflow::KeepTail))
        .spawn()
        .unwrap();
    let mut file = ProcessIOWrapper::from(io);
    within(file.write_all(&pattern(1_000_000))).await.unwrap();
    within(file.shutdown()).await.unwrap();
    let answer = read_all(&mut file).await;
    assert!(answer.starts_with(b"1000000 "), "{answer:?}");
    assert_bytes(file.take_unread(), &pattern(3_000_000)[2_999_000..]);
}

#[tokio::test]
async fn megabytes_are_written_with_nobody_reading() {
    let mut file = open(&["echo"]);
    let data = pattern(8 << 20);
    within(file.write_all(&data)).await.unwrap();
    within(file.shutdown()).await.unwrap();
    assert_bytes(read_all(&mut file).await, data);
}

#[tokio::test]
async fn a_failed_exit_is_an_error_only_when_asked_for() {
    let mut file = open(&["exit", "3"]);
    assert_eq!(read_all(&mut file).await, b"");

    for source in [ReadSource::Stdout, ReadSource::Stderr, ReadSource::Both] {
        let mut file = open(&["exit", "0"]).read_from(source).check_exit(true);
        assert_eq!(read_all(&mut file).await, b"");

        let mut file = open(&["exit", "3"]).read_from(source).check_exit(true);
        let error = within(file.read(&mut [0])).await.unwrap_err();
        let inner = error.get_ref().unwrap().downcast_ref::<Error>().unwrap();
        assert_eq!(inner.kind(), process_io::ErrorKind::Failed, "{inner:?}");
        assert_eq!(inner.status().unwrap().code(), Some(3));
        assert!(
            inner.command().unwrap().ends_with(&child_line("exit 3")),
            "{inner}"
        );
        assert!(within(file.read(&mut [0])).await.is_err());
    }
}

#[tokio::test]
async fn before_the_error_all_is_read_and_it_shows_stderr() {
    let (parts, mut child) = memory::child();
    child.stdout.write_all(b"nearly done").await.unwrap();
    child.stderr.write_all(b"no space left\n").await.unwrap();
    child.exit(1);
    let io = ProcessIo::from_parts(parts);
    let mut file = ProcessIOWrapper::from(io).check_exit(true);
    let mut all = Vec::new();
    let error = within(file.read_to_end(&mut all)).await.unwrap_err();
    assert_eq!(all, b"nearly done");
    assert!(error.to_string().contains("no space left"), "{error}");
    assert_eq!(Error::from(error).stderr_tail(), b"no space left\n");
    assert_eq!(file.take_unread(), "no space left\n");
}

#[tokio::test]
async fn a_limit_that_fails_is_no_obstacle_to_a_reader() {
    let mut file = ProcessIOWrapper::from(small(&["write", "out", "300000"]));
    assert_bytes(read_all(&mut file).await, pattern(300_000));
}

#[tokio::test]
async fn position_and_skip() {
    let mut file = open(&["write", "out", "300000"]);
    assert_eq!(file.position(), 0);
    assert_eq!(within(file.skip(0)).await.unwrap(), 0);
    assert_eq!(within(file.skip(200_001)).await.unwrap(), 200_001);
    assert_eq!(file.position(), 200_001);
    let mut next = [0; 100];
    within(file.read_exact(&mut next)).await.unwrap();
    assert_eq!(next, pattern(300_000)[200_001..200_101]);
    assert_eq!(file.position(), 200_101);
    assert_eq!(within(file.skip(u64::MAX)).await.unwrap(), 99_899);
    assert_eq!(file.position(), 300_000);
    assert_eq!(within(file.skip(1)).await.unwrap(), 0);
}

#[tokio::test]
async fn its_name_is_the_command() {
    let mut file = open(&["exit", "0", "a b"]);
    assert_eq!(
        file.name(),
        format!("{} exit 0 'a b'", env!("CARGO_BIN_EXE_child"))
    );
    assert!(!file.is_terminal());
    assert!(format!("{file:?}").contains("exit 0"));
    read_all(&mut file).await;

    let (parts, _child) = memory::child();
    let file = ProcessIOWrapper::from(ProcessIo::from_parts(parts));
    assert_eq!(file.name(), "");
}

#[cfg(unix)] // A pipe there is a file descriptor.
#[tokio::test]
async fn its_descriptors_are_the_pipes() {
    let mut file = open(&["echo"]);
    let write = file.write_descriptor().unwrap();
    rustix::io::write(write, b"past the wrapper").unwrap();
    within(file.fill_buf()).await.unwrap();
    let stdout = rustix::fs::fstat(file.read_descriptor().unwrap())
        .unwrap()
        .st_ino;
    within(file.shutdown()).await.unwrap();
    assert!(file.write_descriptor().is_none());
    let mut file = file.read_from(ReadSource::Stderr);
    let stderr = rustix::fs::fstat(file.read_descriptor().unwrap())
        .unwrap()
        .st_ino;
    assert_ne!(stdout, stderr);
    file = file.read_from(ReadSource::Both);
    assert!(file.read_descriptor().is_none());
    assert_eq!(read_all(&mut file).await, b"past the wrapper");
    assert!(
        file.read_from(ReadSource::Stdout)
            .read_descriptor()
            .is_none()
    );

    let (parts, _child) = memory::child();
    let file = ProcessIOWrapper::from(ProcessIo::from_parts(parts));
    assert!(file.read_descriptor().is_none());
    assert!(file.write_descriptor().is_none());
}

#[tokio::test]
async fn it_gives_the_handle_back_with_what_was_not_read() {
    let mut file = open(&["write", "out", "1000"]);
    let mut start = [0; 10];
    within(file.read_exact(&mut start)).await.unwrap();
    assert_eq!(start, pattern(10)[..]);
    let mut io = file.into_inner();
    let next = within(io.recv(Source::Stdout))
        .await
        .unwrap()
        .data()
        .unwrap();
    assert_eq!(next[..5], pattern(1000)[10..15]);
    let mut file = ProcessIOWrapper::from(io);
    let rest = [&next[..], &read_all(&mut file).await].concat();
    assert_eq!(rest, pattern(1000)[10..]);
}

#[tokio::test]
async fn given_back_it_still_tells_the_exit() {
    for source in [ReadSource::Stdout, ReadSource::Stderr, ReadSource::Both] {
        let mut file = open(&["exit", "3"]).read_from(source);
        assert_eq!(read_all(&mut file).await, b"");
        let mut io = file.into_inner();
        let event = next_but_ends(&mut io).await;
        let Some(Ok(process_io::Event::Exit(status))) = event else {
            panic!("{event:?} after {source:?}");
        };
        assert_eq!(status.code(), Some(3));
    }
}

#[tokio::test]
async fn given_back_it_has_the_limits_it_had() {
    let data = pattern(3000);
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    io.set_limits(Limits::default().stderr(1000, Overflow::Fail));
    let mut io = ProcessIOWrapper::from(io).into_inner();
    child.stderr.write_all(&data).await.unwrap();
    child.exit(0);
    let error = within(io.wait()).await.unwrap_err();
    assert!(error.is_limit(), "{error:?}");
    assert_eq!(
        within(io.recv(Source::Stderr))
            .await
            .unwrap()
            .data()
            .unwrap(),
        data[..1001]
    );
}

#[tokio::test]
async fn a_piece_read_in_part_stays_with_its_stream() {
    let (parts, mut child) = memory::child();
    child.stderr.write_all(b"from stderr").await.unwrap();
    let io = ProcessIo::from_parts(parts);
    let mut file = ProcessIOWrapper::from(io).read_from(ReadSource::Both);
    let mut start = [0; 5];
    within(file.read_exact(&mut start)).await.unwrap();
    assert_eq!(&start, b"from ");
    child.stdout.write_all(b"from stdout").await.unwrap();
    child.exit(0);
    let mut file = file.read_from(ReadSource::Stdout);
    assert_eq!(read_all(&mut file).await, b"from stdout");
    let mut io = file.into_inner();
    assert_eq!(
        within(io.recv(Source::Stderr))
            .await
            .unwrap()
            .data()
            .unwrap(),
        "stderr"
    );
}

#[tokio::test]
async fn a_read_dropped_half_way_loses_nothing() {
    let (parts, mut child) = memory::child();
    let mut file = ProcessIOWrapper::from(ProcessIo::from_parts(parts));
    let mut line = Vec::new();
    for piece in ["one ", "two ", "three"] {
        assert!(file.read_until(b'\n', &mut line).now_or_never().is_none());
        child.stdout.write_all(piece.as_bytes()).await.unwrap();
        assert!(file.read_until(b'\n', &mut line).now_or_never().is_none());
    }
    child.stdout.write_all(b"\nnext").await.unwrap();
    within(file.read_until(b'\n', &mut line)).await.unwrap();
    assert_eq!(line, b"one two three\n");
    assert!(file.skip(100).now_or_never().is_none());
    assert_eq!(file.position(), 18);
}

#[tokio::test]
async fn a_child_of_parts_without_pipes_says_so_and_is_an_empty_file() {
    struct Gone;
    impl process_io::transport::Process for Gone {
        fn wait(
            self: std::sync::Arc<Self>,
        ) -> futures::future::BoxFuture<'static, std::io::Result<std::process::ExitStatus>>
        {
            async { Ok(process_io::transport::exit_status(0)) }.boxed()
        }
        fn signal(&self, _: process_io::Signal) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut file = ProcessIOWrapper::from(ProcessIo::from_parts(Parts::new(Gone)));
    let error = within(file.read(&mut [0])).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    assert_eq!(read_all(&mut file).await, b"");
    assert!(within(file.write(b"x")).await.is_err());
}

/// Forward as far as there is something; never back, and not from an end that is not known.
#[tokio::test]
async fn it_can_be_sought_forward() {
    let mut file = open(&["write", "out", "1000"]);
    let mut next = [0; 3];
    assert_eq!(within(file.seek(SeekFrom::Start(10))).await.unwrap(), 10);
    within(file.read_exact(&mut next)).await.unwrap();
    assert_eq!(next, pattern(1000)[10..13]);
    assert_eq!(within(file.seek(SeekFrom::Current(7))).await.unwrap(), 20);
    assert_eq!(within(file.seek(SeekFrom::Current(0))).await.unwrap(), 20);
    for to in [SeekFrom::Start(19), SeekFrom::Current(-1), SeekFrom::End(0)] {
        let error = within(file.seek(to)).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::NotSeekable, "{to:?}");
    }
    within(file.read_exact(&mut next)).await.unwrap();
    assert_eq!(next, pattern(1000)[20..23]);
    assert_eq!(
        within(file.seek(SeekFrom::Start(5000))).await.unwrap(),
        1000
    );
}

/// Reads and lines take turns, and nothing is lost between them.
#[tokio::test]
async fn it_is_read_by_lines_of_any_kind() {
    let io = ProcessIo::builder(child(&["do", "out", "one\ntwo\r\nthr", "out", "ee\rfour"]))
        .line_options(
            process_io::LineOptions::default().terminator(process_io::Terminator::CarriageReturn),
        )
        .spawn()
        .unwrap();
    let mut file = ProcessIOWrapper::from(io);
    let mut first = [0; 1];
    within(file.read_exact(&mut first)).await.unwrap();
    let mut lines = Vec::new();
    while let Some(line) = within(file.next_line()).await.unwrap() {
        lines.push(line.to_string());
    }
    assert_eq!(
        (first, &lines[..]),
        (*b"o", &["ne", "two", "three", "four"].map(String::from)[..])
    );
    assert_eq!(file.position(), "one\ntwo\r\nthree\rfour".len() as u64);
}

#[tokio::test]
async fn lines_of_both_streams_and_an_exit_that_is_checked() {
    let run = child(&["do", "out", "a\n", "err", "b\n", "out", "c"]);
    let mut file = ProcessIOWrapper::new(run)
        .unwrap()
        .read_from(ReadSource::Both);
    let mut lines = Vec::new();
    while let Some(line) = within(file.next_line()).await.unwrap() {
        lines.push(line.to_string());
    }
    lines.sort();
    assert_eq!(lines, ["a", "b", "c"]);
    assert_eq!(file.position(), 5);
    let mut file = open(&["exit", "3"]).check_exit(true);
    let error = within(file.next_line()).await.unwrap_err();
    let error = error.downcast::<process_io::Error>().unwrap();
    assert_eq!(error.status().unwrap().code(), Some(3));
}
