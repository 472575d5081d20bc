//! The line scanner against one that has all of the output at hand: whatever the pieces in which the output
//! arrives, the lines, how they end, what is dropped and what is left are the same.
//!
//! ```text
//! RUSTC_BOOTSTRAP=1 cargo fuzz run -s none lines -- -max_total_time=600
//! ```
//!
//! `RUSTC_BOOTSTRAP=1` is not needed with a nightly toolchain. Without `-s none` an address sanitizer looks too,
//! at a quarter of the speed.
#![no_main]

mod child;

use arbitrary::Arbitrary;
use futures::{FutureExt, StreamExt, TryStreamExt};
use libfuzzer_sys::fuzz_target;
use process_io::{LineEnd, LineOptions, LongLine, ProcessIo, Source, Terminator};

#[derive(Debug, Arbitrary)]
struct Input {
    terminator: End,
    max: u8,
    long_line: Long,
    way: Way,
    exited: bool,
    /// The data is made of few bytes, all of which mean something.
    dense: bool,
    repeat: u8,
    sizes: Vec<u8>,
    data: Vec<u8>,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum End {
    Newline,
    CarriageReturn,
    Byte(u8),
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Long {
    Cut,
    Split,
    Fail,
    Never,
}

/// How the lines are asked for.
#[derive(Debug, Clone, Copy, Arbitrary)]
enum Way {
    Stream(Stream),
    /// Some lines, and then the rest as it is.
    Rest(Stream, u8),
    /// By calls of which every other one is dropped before it has an answer.
    Dropped(Stream),
    /// Both streams at once.
    Both,
    Blocks(Stream),
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    fn source(self) -> Source {
        match self {
            Self::Stdout => Source::Stdout,
            Self::Stderr => Source::Stderr,
        }
    }
}

/// A line, or that there is one which is too long.
type Item = Option<(Vec<u8>, LineEnd)>;

/// An item, and where the output goes on that nobody has taken or dropped yet.
#[derive(Debug)]
struct Expected {
    item: Item,
    rest: usize,
}

/// All the lines of `data`, and how many bytes are dropped.
fn reference(data: &[u8], options: &LineOptions) -> (Vec<Expected>, u64) {
    let max = options.max_line_length;
    let (mut lines, mut dropped) = (Vec::new(), 0);
    let mut at = 0;
    while at < data.len() {
        let front = &data[at..];
        let is_end = |byte: &u8| match options.terminator {
            Terminator::Newline => *byte == b'\n',
            Terminator::CarriageReturn => matches!(*byte, b'\r' | b'\n'),
            Terminator::Byte(end) => *byte == end,
        };
        let found = front.iter().position(is_end);
        let crlf = |n: usize| n > 0 && front[n - 1] == b'\r';
        let len = match found {
            Some(n) if options.terminator == Terminator::Newline && crlf(n) => n - 1,
            Some(n) => n,
            None => front.len(),
        };
        // The line with its terminator, and with the `\n` of a `\r\n` that ends by its `\r`.
        let whole = found.map_or(front.len(), |n| n + 1);
        let returned = options.terminator == Terminator::CarriageReturn
            && found.is_some_and(|n| front[n] == b'\r' && front.get(n + 1) == Some(&b'\n'));
        let next = at + whole + usize::from(returned);
        let mut push = |item: Item, rest: usize| lines.push(Expected { item, rest });
        if len <= max {
            let end = match found {
                Some(_) => LineEnd::Terminator,
                None => LineEnd::Eof,
            };
            push(Some((front[..len].to_vec(), end)), at + whole);
            at = next;
            continue;
        }
        let head = Some((front[..max].to_vec(), LineEnd::Limit));
        match options.long_line {
            LongLine::Split => {
                push(head, at + max);
                at += max;
            }
            LongLine::Cut => {
                push(head, at + max);
                dropped += whole - max;
                at = next;
            }
            LongLine::Fail => {
                push(None, at);
                dropped += whole;
                at = next;
            }
        }
    }
    (lines, dropped as u64)
}

fn item(line: Option<process_io::Result<process_io::Line>>) -> Option<Item> {
    Some(match line? {
        Ok(line) => Some((line.as_bytes().to_vec(), line.end())),
        Err(error) => {
            assert!(error.is_limit(), "{error}");
            None
        }
    })
}

async fn rest(io: &mut ProcessIo, source: Source) -> Vec<u8> {
    let mut rest = Vec::new();
    while let process_io::Recv::Data(piece) = io.recv(source).await.expect("no error") {
        rest.extend_from_slice(&piece);
    }
    rest
}

async fn compare(input: &Input, data: &[u8], options: LineOptions) {
    let (expected, dropped) = reference(data, &options);
    let (stdout, stderr) = match input.way {
        Way::Both => (data, data),
        Way::Stream(Stream::Stdout)
        | Way::Rest(Stream::Stdout, _)
        | Way::Dropped(Stream::Stdout)
        | Way::Blocks(Stream::Stdout) => (data, &b"other"[..]),
        _ => (&b"other"[..], data),
    };
    let mut io = child::child(stdout, stderr, &input.sizes, input.exited);
    io.set_line_options(options);
    match input.way {
        Way::Stream(Stream::Stdout) => {
            let mut lines = io.stdout_lines();
            for expected in &expected {
                assert_eq!(item(lines.next().await).as_ref(), Some(&expected.item));
            }
            assert_eq!(item(lines.next().await), None);
            assert_eq!(io.omitted(Source::Stdout), dropped);
            assert_eq!(rest(&mut io, Source::Stderr).await, b"other");
        }
        Way::Stream(stream) => {
            let source = stream.source();
            for expected in &expected {
                let line = io.recv_line(source).await.transpose();
                assert_eq!(item(line).as_ref(), Some(&expected.item));
            }
            assert_eq!(item(io.recv_line(source).await.transpose()), None);
            assert_eq!(io.omitted(source), dropped);
        }
        Way::Rest(stream, count) => {
            let source = stream.source();
            let mut at = 0;
            for expected in expected.iter().take(count.into()) {
                let line = io.recv_line(source).await.transpose();
                assert_eq!(item(line).as_ref(), Some(&expected.item));
                at = expected.rest;
            }
            let pending = io.pending(source).to_vec();
            assert!(data[at..].starts_with(&pending));
            assert!(rest(&mut io, source).await == data[at..], "the rest");
        }
        Way::Dropped(stream) => {
            let source = stream.source();
            let mut items = Vec::new();
            loop {
                let line = match io.recv_line(source).now_or_never() {
                    Some(line) => line,
                    None => io.recv_line(source).await,
                };
                match item(line.transpose()) {
                    Some(item) => items.push(item),
                    None => break,
                }
            }
            assert!(items.iter().eq(expected.iter().map(|line| &line.item)));
            assert_eq!(io.omitted(source), dropped);
        }
        Way::Both => {
            let mut items = [Vec::new(), Vec::new()];
            let mut errors = 0;
            let mut lines = io.into_lines();
            while let Some(line) = lines.next().await {
                match line {
                    Ok(line) => items[usize::from(line.source() == Source::Stderr)]
                        .push((line.as_bytes().to_vec(), line.end())),
                    Err(_) => errors += 1,
                }
            }
            for items in items {
                assert!(
                    items
                        .iter()
                        .eq(expected.iter().filter_map(|line| line.item.as_ref()))
                );
            }
            assert_eq!(
                errors,
                2 * expected.iter().filter(|line| line.item.is_none()).count()
            );
            let io = lines.into_inner();
            assert_eq!(io.omitted(Source::Stdout), dropped);
            assert_eq!(io.omitted(Source::Stderr), dropped);
        }
        Way::Blocks(stream) => {
            let blocks = io.line_blocks(stream.source());
            let blocks: Vec<_> = blocks.try_collect().await.expect("no error");
            assert!(blocks.iter().all(|block| !block.as_bytes().is_empty()));
            let bytes: Vec<_> = blocks.iter().map(|block| block.as_bytes()).collect();
            assert!(bytes.concat() == data, "the bytes");
            if expected
                .iter()
                .all(|line| (line.item.as_ref()).is_some_and(|(_, end)| *end != LineEnd::Limit))
            {
                let lines = blocks.iter().flatten();
                let expected = expected.iter().filter_map(|line| line.item.as_ref());
                assert!(lines.eq(expected.map(|(line, _)| &line[..])), "the lines");
            }
        }
    }
}

fuzz_target!(|input: Input| {
    let terminator = match input.terminator {
        End::Newline => Terminator::Newline,
        End::CarriageReturn => Terminator::CarriageReturn,
        End::Byte(byte) => Terminator::Byte(byte),
    };
    let options = LineOptions::default().terminator(terminator);
    let max = usize::from(input.max);
    let options = match input.long_line {
        Long::Cut => options.max_line_length(max, LongLine::Cut),
        Long::Split => options.max_line_length(max, LongLine::Split),
        Long::Fail => options.max_line_length(max, LongLine::Fail),
        Long::Never => options,
    };
    let mut data = input.data.repeat(1 + usize::from(input.repeat % 8));
    if input.dense {
        let other = match terminator {
            Terminator::Byte(byte) => byte,
            _ => b'c',
        };
        let alphabet = [b'\r', b'\n', b'a', b'b', 0, b'\n', b'\r', other];
        for byte in &mut data {
            *byte = alphabet[usize::from(*byte % 8)];
        }
    }
    child::run(compare(&input, &data, options));
});
