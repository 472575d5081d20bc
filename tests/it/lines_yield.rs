//! A task that reads lines as fast as they come lets others run, and loses nothing by it.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use process_io::{
    Line, LineOptions, LongLine, ProcessIOWrapper, ProcessIo, Result, Source, Terminator,
    transport::memory,
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt};
use tokio_util::{codec::LinesCodec, io::StreamReader};

use crate::support::{assert_bytes, within};

/// A quarter of what tokio's own `lines` read between two yields: a unit of the budget, of which there are 128, is a read of
/// 8 KiB.
const QUARTER: usize = 128 * (8 << 10) / 4;
/// What may be handed out without a look at the budget: a read.
const READ: usize = 128 << 10;

/// What was handed out so far.
type Heard = Rc<RefCell<Vec<u8>>>;
type Run = Pin<Box<dyn Future<Output = ()>>>;

/// A child that has said all this and exited, and whose pipes never keep a reader waiting.
fn saying(text: &Bytes) -> ProcessIo {
    let (parts, child) = memory::child();
    drop(child);
    let text = stream::iter([Ok::<_, std::io::Error>(text.clone())]);
    ProcessIo::from_parts(parts.stdout(StreamReader::new(text)))
}

fn numbers(count: usize) -> Bytes {
    (0..count)
        .map(|i| format!("{i}\n"))
        .collect::<String>()
        .into()
}

/// Lines of this many bytes with their terminators.
fn lines_of(len: usize) -> Bytes {
    let line = [&vec![b'x'; len - 1][..], b"\n"].concat();
    line.repeat((512 << 10) / len).into()
}

fn hear(heard: &Heard, line: &[u8]) {
    let mut heard = heard.borrow_mut();
    heard.extend_from_slice(line);
    heard.push(b'\n');
}

async fn hear_all(mut lines: impl Stream<Item = Result<Line>> + Unpin, heard: Heard) {
    while let Some(line) = lines.try_next().await.unwrap() {
        hear(&heard, line.as_bytes());
    }
}

/// Polls it to its end, and has it yield whenever it wants to; how much was handed out at most between two yields.
async fn most_at_once(mut run: Run, heard: &Heard) -> usize {
    let mut most = 0;
    loop {
        let before = heard.borrow().len();
        let poll = poll_fn(|cx| std::task::Poll::Ready(run.as_mut().poll(cx))).await;
        most = most.max(heard.borrow().len() - before);
        if poll.is_ready() {
            return most;
        }
        tokio::task::yield_now().await;
    }
}

/// `text` is handed out whole by this way of lines, and no more of it between two yields than it may be.
async fn check(text: Bytes, way: impl FnOnce(ProcessIo, Heard) -> Run) {
    let heard = Heard::default();
    let run = way(saying(&text), heard.clone());
    let most = within(most_at_once(run, &heard)).await;
    assert_bytes(&heard.borrow()[..], &text);
    let longest = text.split(|&byte| byte == b'\n').map(<[u8]>::len).max();
    assert!(
        most <= QUARTER + READ.max(longest.unwrap_or(0)),
        "{most} of {} bytes without a yield",
        text.len()
    );
}

async fn check_all(way: impl Fn(ProcessIo, Heard) -> Run) {
    // Empty, very short, usual and long ones, and such as need many reads.
    for text in [
        lines_of(1),
        numbers(100_000),
        lines_of(80),
        lines_of(10_000),
        lines_of(250_000),
    ] {
        check(text, &way).await;
    }
}

#[tokio::test]
async fn stdout_lines_yield() {
    check_all(|mut io, heard| Box::pin(async move { hear_all(io.stdout_lines(), heard).await }))
        .await;
}

#[tokio::test]
async fn lines_of_both_streams_yield() {
    check_all(|mut io, heard| Box::pin(async move { hear_all(io.lines(), heard).await })).await;
    check_all(|io, heard| Box::pin(hear_all(io.into_lines(), heard))).await;
}

#[tokio::test]
async fn recv_line_yields() {
    check_all(|mut io, heard| {
        Box::pin(async move {
            while let Some(line) = io.recv_line(Source::Stdout).await.unwrap() {
                hear(&heard, line.as_bytes());
            }
        })
    })
    .await;
}

#[tokio::test]
async fn lines_of_a_half_yield() {
    check_all(|io, heard| Box::pin(hear_all(io.into_split().1.into_lines(), heard))).await;
    check_all(|io, heard| {
        Box::pin(async move {
            let mut half = io.into_split().1;
            while let Some(line) = half.recv_line(Source::Stdout).await.unwrap() {
                hear(&heard, line.as_bytes());
            }
        })
    })
    .await;
}

#[tokio::test]
async fn line_blocks_yield() {
    check_all(|mut io, heard| {
        Box::pin(async move {
            let mut blocks = io.line_blocks(Source::Stdout);
            while let Some(block) = blocks.try_next().await.unwrap() {
                block.iter().for_each(|line| hear(&heard, line));
            }
        })
    })
    .await;
}

#[tokio::test]
async fn lines_by_other_rules_yield() {
    for options in [
        LineOptions::default().terminator(Terminator::CarriageReturn),
        LineOptions::default().terminator(Terminator::Byte(b'\n')),
        LineOptions::default().max_line_length(1, LongLine::Split),
    ] {
        check(lines_of(2), |mut io, heard| {
            Box::pin(async move {
                hear_all(io.stdout_lines().with_options(options), heard).await;
            })
        })
        .await;
    }
}

/// A loop of `expect` is a way of lines too.
#[tokio::test]
async fn expect_yields() {
    for text in [lines_of(1), lines_of(80)] {
        check(text, |mut io, heard| {
            Box::pin(async move {
                while let Ok(found) = io.expect("\n").await {
                    hear(&heard, &found.before);
                }
            })
        })
        .await;
    }
}

#[tokio::test]
async fn lines_of_the_wrapper_yield() {
    check_all(|io, heard| {
        Box::pin(async move {
            let mut lines = ProcessIOWrapper::from(io).lines();
            while let Some(line) = lines.next_line().await.unwrap() {
                hear(&heard, line.as_bytes());
            }
        })
    })
    .await;
}

#[tokio::test]
async fn reads_of_the_wrapper_yield() {
    check(lines_of(2), |io, heard| {
        Box::pin(async move {
            let mut file = ProcessIOWrapper::from(io);
            while let Ok(byte) = file.read_u8().await {
                heard.borrow_mut().push(byte);
            }
        })
    })
    .await;
}

#[tokio::test]
async fn frames_yield() {
    check_all(|io, heard| {
        Box::pin(async move {
            let mut frames = io.framed(LinesCodec::new());
            while let Some(line) = frames.next().await {
                hear(&heard, line.unwrap().as_bytes());
            }
        })
    })
    .await;
}

/// The lines themselves cost, and not only the bytes in them.
#[tokio::test]
async fn short_lines_count() {
    let text = lines_of(2);
    let heard = Heard::default();
    let (mut io, to) = (saying(&text), heard.clone());
    let run = Box::pin(async move { hear_all(io.stdout_lines(), to).await });
    let most = within(most_at_once(run, &heard)).await / 2;
    assert!(most <= 20_000, "{most} lines without a yield");
    assert_bytes(&heard.borrow()[..], &text);
}

/// A codec takes the lines apart where they are not counted, and costs more than our own lines.
#[tokio::test]
async fn short_frames_count_twice() {
    let text = lines_of(2);
    let heard = Heard::default();
    let (io, to) = (saying(&text), heard.clone());
    let run = Box::pin(async move {
        let mut frames = io.framed(LinesCodec::new());
        while let Some(line) = frames.next().await {
            hear(&to, line.unwrap().as_bytes());
        }
    });
    let most = within(most_at_once(run, &heard)).await;
    // A buffer of the codec has 8 KiB.
    assert!(
        most <= QUARTER / 2 + (16 << 10),
        "{most} bytes without a yield"
    );
    assert_bytes(&heard.borrow()[..], &text);
}

/// What is there already is found however short the time is, and whatever the task has used up of its budget.
#[tokio::test]
async fn a_yield_is_no_timeout() {
    let mut io = saying(&lines_of(8));
    for i in 0..(512 << 10) / 8 {
        let found = io.expect_timeout("\n", Duration::ZERO).await;
        assert!(found.is_ok(), "{i}: {found:?}");
    }
}
