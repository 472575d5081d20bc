//! Output line by line: every line once, whole and in order, and what is not a line yet stays in the handle.

use std::io;

use bytes::Bytes;
use futures::{FutureExt, prelude::*, stream};
use process_io::{
    Limits, Line, LineEnd, Lines, Overflow, ProcessIo, Source,
    transport::memory::{self, Child},
};
use tokio::{io::AsyncWriteExt, sync::mpsc};
use tokio_util::io::StreamReader;

use crate::support::{child, within};

fn start() -> (ProcessIo, Child) {
    let (parts, child) = memory::child();
    (ProcessIo::from_parts(parts), child)
}

async fn next(io: &mut ProcessIo) -> Option<Line> {
    within(io.recv_line(Source::Stdout)).await.unwrap()
}

fn shown(line: &Line) -> (Source, String, LineEnd) {
    (line.source(), line.to_string(), line.end())
}

fn whole(source: Source, text: impl Into<String>) -> (Source, String, LineEnd) {
    (source, text.into(), LineEnd::Terminator)
}

/// Each line on its own, of a real child.
#[tokio::test]
async fn recv_line_gives_one_at_a_time() {
    let mut io = ProcessIo::spawn(child(&["alternate", "100"])).unwrap();
    for i in 0..100 {
        for (source, name) in [(Source::Stderr, "err"), (Source::Stdout, "out")] {
            let line = within(io.recv_line(source)).await.unwrap().unwrap();
            assert_eq!(shown(&line), whole(source, format!("{name} {i}")));
        }
    }
    for source in [Source::Stdout, Source::Stderr, Source::Stdout] {
        assert_eq!(within(io.recv_line(source)).await.unwrap(), None);
    }
    assert!(within(io.wait()).await.unwrap().success());
}

#[tokio::test]
async fn stdout_lines_leave_stderr_for_later() {
    let mut io = ProcessIo::spawn(child(&["alternate", "1000"])).unwrap();
    let lines: Vec<Line> = within(io.stdout_lines().try_collect()).await.unwrap();
    let expected: Vec<_> = (0..1000)
        .map(|i| whole(Source::Stdout, format!("out {i}")))
        .collect();
    assert_eq!(lines.iter().map(shown).collect::<Vec<_>>(), expected);
    let stderr: String = (0..1000).map(|i| format!("err {i}\n")).collect();
    assert_eq!(within(io.output()).await.unwrap().stderr, stderr);
}

#[tokio::test]
async fn lines_tell_which_stream_they_came_from() {
    let mut io = ProcessIo::spawn(child(&["alternate", "1000"])).unwrap();
    let lines: Vec<Line> = within(io.lines().try_collect()).await.unwrap();
    for (source, name) in [(Source::Stdout, "out"), (Source::Stderr, "err")] {
        let of_it: Vec<_> = (lines.iter())
            .filter(|line| line.source() == source)
            .map(shown)
            .collect();
        let expected: Vec<_> = (0..1000)
            .map(|i| whole(source, format!("{name} {i}")))
            .collect();
        assert_eq!(of_it, expected);
    }
    assert_eq!(lines.len(), 2000);
}

#[tokio::test]
async fn two_streams_do_not_mix_within_a_line() {
    let (mut io, mut child) = start();
    child.stdout.write_all(b"half of").await.unwrap();
    child.stderr.write_all(b"a message\nand").await.unwrap();
    let mut lines = io.lines();
    let line = within(lines.next()).await.unwrap().unwrap();
    assert_eq!(shown(&line), whole(Source::Stderr, "a message"));
    assert!(lines.next().now_or_never().is_none());
    child.stdout.write_all(b" a line\n").await.unwrap();
    let line = within(lines.next()).await.unwrap().unwrap();
    assert_eq!(shown(&line), whole(Source::Stdout, "half of a line"));
    child.exit(0);
    let line = within(lines.next()).await.unwrap().unwrap();
    assert_eq!(
        shown(&line),
        (Source::Stderr, "and".to_owned(), LineEnd::Eof)
    );
    assert!(within(lines.next()).await.is_none());
}

#[tokio::test]
async fn into_inner_gives_back_what_was_not_consumed() {
    let (io, mut child) = start();
    child.stdout.write_all(b"1\n2\n3\nfour").await.unwrap();
    child.stderr.write_all(b"message\n").await.unwrap();
    let mut lines: Lines<ProcessIo> = io.into_lines();
    assert_eq!(lines.get_ref().written(), 0);
    let mut taken = Vec::new();
    for _ in 0..2 {
        taken.push(within(lines.next()).await.unwrap().unwrap());
    }
    lines.get_mut().send_nowait("x").unwrap();
    let mut io = lines.into_inner();
    assert_eq!(io.written(), 1);
    child.exit(0);
    let output = within(io.output()).await.unwrap();
    let mut of_stdout = Vec::new();
    let mut of_stderr = Vec::new();
    for line in &taken {
        let to = match line.source() {
            Source::Stdout => &mut of_stdout,
            Source::Stderr => &mut of_stderr,
        };
        to.extend_from_slice(&[line.as_bytes(), b"\n"].concat());
    }
    of_stdout.extend_from_slice(&output.stdout);
    of_stderr.extend_from_slice(&output.stderr);
    assert_eq!(of_stdout, b"1\n2\n3\nfour");
    assert_eq!(of_stderr, b"message\n");
}

#[tokio::test]
async fn the_rest_of_a_read_can_be_received_as_bytes() {
    let (mut io, mut child) = start();
    child.stdout.write_all(b"1\n2\n3\nfour").await.unwrap();
    assert_eq!(next(&mut io).await.unwrap().as_bytes(), b"1");
    let mut rest = Vec::new();
    while rest.len() < 8 {
        let piece = within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap();
        rest.extend_from_slice(&piece);
    }
    assert_eq!(rest, b"2\n3\nfour");
}

/// Lines of one read lie where they were read, one behind the other.
#[tokio::test]
async fn lines_of_one_read_lie_in_one_buffer() {
    let (mut io, mut child) = start();
    child
        .stdout
        .write_all(b"one\ntwo\r\n\nfour\n")
        .await
        .unwrap();
    let mut lines = Vec::new();
    for _ in 0..4 {
        lines.push(next(&mut io).await.unwrap());
    }
    let texts: Vec<_> = lines.iter().map(Line::as_bytes).collect();
    assert_eq!(texts, [&b"one"[..], b"two", b"", b"four"]);
    let start = lines[0].as_bytes().as_ptr() as usize;
    for (line, offset) in [(1, 4), (3, 10)] {
        assert_eq!(lines[line].as_bytes().as_ptr() as usize, start + offset);
    }
    let address = lines[3].as_bytes().as_ptr();
    assert_eq!(lines.remove(3).into_bytes().as_ptr(), address);
}

#[tokio::test]
async fn lines_of_a_real_pipe_lie_in_few_buffers() {
    let mut io = ProcessIo::spawn(child(&["lines", "10000", "80"])).unwrap();
    let lines: Vec<Line> = within(io.stdout_lines().try_collect()).await.unwrap();
    assert_eq!(lines.len(), 10_000);
    let neighbours = (lines.windows(2))
        .filter(|pair| {
            let [a, b] = [&pair[0], &pair[1]].map(|line| line.as_bytes().as_ptr() as usize);
            b == a + 81
        })
        .count();
    // Only where a read began the line, or ended in it, may it be elsewhere.
    assert!(neighbours > 8_000, "{neighbours}");
}

/// In whatever order, and on whatever thread: a line is as it was when it was taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn lines_may_be_kept_copied_and_dropped_anywhere() {
    const LINES: usize = 30_000;
    let check = |(at, line): (usize, Line)| {
        let text = line.to_str().unwrap();
        assert!(text.starts_with(&format!("{at} ")), "{at}: {text}");
        assert_eq!(text.len(), 80);
    };
    let (here, mut there) = mpsc::channel(100);
    let others = tokio::spawn(async move {
        let mut seen = 0;
        while let Some(line) = there.recv().await {
            check(line);
            seen += 1;
        }
        seen
    });
    let take = tokio::spawn(async move {
        let mut io = ProcessIo::spawn(child(&["lines", &LINES.to_string(), "80"])).unwrap();
        let mut lines = io.stdout_lines().enumerate();
        let mut kept = Vec::new();
        while let Some((at, line)) = lines.next().await {
            let line = line.unwrap();
            match at % 4 {
                0 => check((at, line)),
                1 => kept.push((at, line)),
                2 => here.send((at, line)).await.unwrap(),
                _ => {
                    kept.push((at, line.clone()));
                    here.send((at, line)).await.unwrap();
                }
            }
        }
        drop(io);
        kept
    });
    let kept = within(take).await.unwrap();
    assert_eq!(kept.len(), LINES / 2);
    kept.into_iter().rev().for_each(check);
    assert_eq!(within(others).await.unwrap(), LINES / 2);
}

#[tokio::test]
async fn combinators_work() {
    let mut io = ProcessIo::spawn(child(&["lines", "100", "5"])).unwrap();
    let numbers: Vec<usize> = within(
        io.stdout_lines()
            .map(|line| {
                let text = line.unwrap().to_string();
                text.trim_end_matches('x')
                    .trim_end()
                    .parse::<usize>()
                    .unwrap()
            })
            .filter(|number| future::ready(number % 7 == 0))
            .skip(1)
            .take(3)
            .collect(),
    )
    .await;
    assert_eq!(numbers, [7, 14, 21]);
    let rest = within(io.stdout_lines().try_fold(0, |n, _| future::ok(n + 1)));
    assert_eq!(rest.await.unwrap(), 100 - 22);
}

#[tokio::test]
async fn lines_of_two_children_merge() {
    let [a, b] = ["3", "5"].map(|n| {
        ProcessIo::spawn(child(&["lines", n, "4"]))
            .unwrap()
            .into_lines()
    });
    let merged = stream::select(a, b).try_collect::<Vec<Line>>();
    let mut texts: Vec<_> = (within(merged).await.unwrap().iter())
        .map(Line::to_string)
        .collect();
    texts.sort();
    assert_eq!(
        texts,
        [
            "0 xx", "0 xx", "1 xx", "1 xx", "2 xx", "2 xx", "3 xx", "4 xx"
        ]
    );
}

#[tokio::test]
async fn the_stream_ends_once_and_stays_ended() {
    use futures::stream::FusedStream;
    let mut io = ProcessIo::spawn(child(&["lines", "1", "3"])).unwrap();
    let mut lines = io.stdout_lines();
    assert!(within(lines.next()).await.is_some());
    assert!(!lines.is_terminated());
    for _ in 0..3 {
        assert!(within(lines.next()).await.is_none());
        assert!(lines.is_terminated());
    }
}

#[tokio::test]
async fn one_can_send_while_lines_are_read() {
    let mut lines = ProcessIo::spawn(child(&["cat"])).unwrap().into_lines();
    for i in 0..200 {
        let text = format!("question {i}");
        within(lines.get_mut().send_line(&text)).await.unwrap();
        let line = within(lines.next()).await.unwrap().unwrap();
        assert_eq!(shown(&line), whole(Source::Stdout, text));
    }
    lines.get_mut().close_stdin();
    assert!(within(lines.next()).await.is_none());
}

#[tokio::test]
async fn what_is_queued_is_sent_while_lines_are_read() {
    let text: String = (0..100_000).map(|i| format!("{i}\n")).collect();
    let mut io = ProcessIo::builder(child(&["cat"]))
        .input(text.clone())
        .spawn()
        .unwrap();
    let mut got = String::new();
    while let Some(line) = next(&mut io).await {
        got += line.to_str().unwrap();
        got.push('\n');
    }
    assert!(got == text, "{} bytes of {}", got.len(), text.len());
}

#[tokio::test]
async fn a_line_dropped_half_way_stays() {
    let (mut io, mut child) = start();
    for piece in ["a ", "line ", "in ", "pieces"] {
        child.stdout.write_all(piece.as_bytes()).await.unwrap();
        assert!(io.recv_line(Source::Stdout).now_or_never().is_none());
        assert!(io.stdout_lines().next().now_or_never().is_none());
        assert!(io.lines().next().now_or_never().is_none());
    }
    assert_eq!(io.pending(Source::Stdout), b"a line in pieces");
    child.stdout.write_all(b"\n").await.unwrap();
    assert_eq!(next(&mut io).await.unwrap().as_bytes(), b"a line in pieces");
    assert_eq!(io.pending(Source::Stdout), b"");
}

#[tokio::test]
async fn a_prompt_without_a_newline_can_be_seen() {
    let mut io = ProcessIo::spawn(child(&["prompt"])).unwrap();
    for name in ["Ann", "Bob"] {
        within(async {
            // The prompt is no line: waiting for one brings it in and leaves it there.
            while io.pending(Source::Stdout) != b"> " {
                let line = io.recv_line(Source::Stdout).now_or_never();
                assert!(line.is_none(), "{line:?}");
                tokio::task::yield_now().await;
            }
        })
        .await;
        within(io.send_line(name)).await.unwrap();
        let line = next(&mut io).await.unwrap();
        assert_eq!(line.to_str().unwrap(), format!("> you said: {name}"));
    }
}

#[tokio::test]
async fn what_lines_have_read_ahead_is_pending() {
    let (mut io, mut child) = start();
    child.stdout.write_all(b"1\n2\n> ").await.unwrap();
    next(&mut io).await.unwrap();
    assert_eq!(io.pending(Source::Stdout), b"2\n> ");
    assert_eq!(next(&mut io).await.unwrap().as_bytes(), b"2");
    assert_eq!(io.pending(Source::Stdout), b"> ");
    assert_eq!(io.pending(Source::Stderr), b"");
}

#[tokio::test]
async fn a_blank_line_is_not_the_end() {
    let (mut io, mut child) = start();
    child.stdout.write_all(b"\n\r\na\n\n").await.unwrap();
    child.exit(0);
    for expected in ["", "", "a", ""] {
        let line = next(&mut io).await.unwrap();
        assert_eq!(shown(&line), whole(Source::Stdout, expected));
    }
    assert_eq!(next(&mut io).await, None);
}

#[tokio::test]
async fn the_last_line_needs_no_newline() {
    let (mut io, mut child) = start();
    child.stdout.write_all(b"first\nlast").await.unwrap();
    child.exit(0);
    assert_eq!(
        shown(&next(&mut io).await.unwrap()),
        whole(Source::Stdout, "first")
    );
    assert_eq!(
        shown(&next(&mut io).await.unwrap()),
        (Source::Stdout, "last".to_owned(), LineEnd::Eof)
    );
    assert_eq!(next(&mut io).await, None);
}

fn failing() -> (ProcessIo, Child) {
    let pieces = [
        Ok(Bytes::from("whole\npar")),
        Ok(Bytes::from("tial")),
        Err(io::Error::new(io::ErrorKind::ConnectionReset, "unplugged")),
    ];
    let (parts, child) = memory::child();
    let parts = parts.stdout(StreamReader::new(stream::iter(pieces)));
    (ProcessIo::from_parts(parts), child)
}

#[tokio::test]
async fn an_error_comes_behind_the_partial_line() {
    let (mut io, _child) = failing();
    assert_eq!(next(&mut io).await.unwrap().as_bytes(), b"whole");
    let partial = next(&mut io).await.unwrap();
    assert_eq!(partial.as_bytes(), b"partial");
    assert_eq!(partial.end(), LineEnd::Eof);
    let error = within(io.recv_line(Source::Stdout)).await.unwrap_err();
    assert!(error.to_string().contains("unplugged"), "{error}");
    assert_eq!(next(&mut io).await, None);
}

#[tokio::test]
async fn an_error_on_one_stream_does_not_end_the_other() {
    let (mut io, mut child) = failing();
    let mut lines = io.lines();
    for expected in ["whole", "partial"] {
        assert_eq!(
            within(lines.next()).await.unwrap().unwrap().to_string(),
            expected
        );
    }
    let error = within(lines.next()).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("unplugged"), "{error}");
    child.stderr.write_all(b"still here\n").await.unwrap();
    let line = within(lines.next()).await.unwrap().unwrap();
    assert_eq!(shown(&line), whole(Source::Stderr, "still here"));
    child.exit(0);
    assert!(within(lines.next()).await.is_none());
}

#[tokio::test]
async fn a_task_reads_lines_while_another_sends() {
    let (mut send, recv) = ProcessIo::spawn(child(&["cat"])).unwrap().into_split();
    let reader = tokio::spawn(async move {
        let lines: Vec<Line> = recv.into_lines().try_collect().await?;
        Ok::<_, process_io::Error>(lines)
    });
    for i in 0..2000 {
        within(send.send(format!("{i} {}\n", "x".repeat(200))))
            .await
            .unwrap();
    }
    send.close_stdin();
    let lines = within(reader).await.unwrap().unwrap();
    assert_eq!(lines.len(), 2000);
    for (i, line) in lines.iter().enumerate() {
        assert_eq!(line.to_str().unwrap(), format!("{i} {}", "x".repeat(200)));
    }
}

#[tokio::test]
async fn a_half_gives_lines_one_at_a_time() {
    let io = ProcessIo::spawn(child(&["lines", "3", "4"])).unwrap();
    let (_send, mut recv) = io.into_split();
    let first = within(recv.recv_line(Source::Stdout)).await.unwrap();
    assert_eq!(first.unwrap().as_bytes(), b"0 xx");
    let second = within(recv.lines().next()).await.unwrap().unwrap();
    assert_eq!(second.as_bytes(), b"1 xx");
    let third = within(recv.recv_line(Source::Stdout)).await.unwrap();
    assert_eq!(third.unwrap().as_bytes(), b"2 xx");
    assert_eq!(within(recv.recv_line(Source::Stdout)).await.unwrap(), None);
}

/// stderr is always ready, without end and without a newline.
#[tokio::test]
async fn a_flood_on_stderr_does_not_starve_the_lines_of_stdout() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts.stderr(tokio::io::repeat(b'e')));
    io.set_limits(Limits::default().stderr(100_000, Overflow::KeepTail));
    for i in 0..50 {
        let text = format!("line {i}\n");
        let (line, written) = within(async {
            tokio::join!(
                io.recv_line(Source::Stdout),
                child.stdout.write_all(text.as_bytes())
            )
        })
        .await;
        written.unwrap();
        assert_eq!(line.unwrap().unwrap().to_str().unwrap(), text.trim_end());
    }
}

#[tokio::test]
async fn a_flood_of_lines_on_stderr_does_not_starve_those_of_stdout() {
    let flood = StreamReader::new(stream::repeat_with(|| {
        Ok::<_, io::Error>(Bytes::from_static(b"e\ne\ne\n"))
    }));
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts.stderr(flood));
    let mut lines = io.lines();
    for i in 0..50 {
        let text = format!("line {i}");
        child
            .stdout
            .write_all(format!("{text}\n").as_bytes())
            .await
            .unwrap();
        let mut between = 0;
        loop {
            let line = within(lines.next()).await.unwrap().unwrap();
            if line.source() == Source::Stdout {
                assert_eq!(line.to_str().unwrap(), text);
                break;
            }
            between += 1;
        }
        assert!(between < 1000, "{between}");
    }
}
