//! Lines are those of the whole output, whatever the pieces it comes in, whatever the options.

use bytes::Bytes;
use futures::{FutureExt, StreamExt, stream};
use process_io::{
    Limits, LineEnd, LineOptions, LongLine, Overflow, ProcessIo, Source, Terminator,
    transport::memory,
};
use proptest::{collection::vec, prelude::*, sample::select};
use tokio::runtime::Runtime;
use tokio_util::io::StreamReader;

use crate::support::within;

#[derive(Debug, PartialEq)]
enum Item {
    Line(Vec<u8>, LineEnd),
    TooLong,
}

/// The lines of an output that is there as a whole.
#[derive(Debug, Default, PartialEq)]
struct Taken {
    items: Vec<Item>,
    terminators: usize,
    omitted: usize,
}

impl Taken {
    fn line(&mut self, bytes: &[u8], end: LineEnd) {
        self.items.push(Item::Line(bytes.to_vec(), end));
    }

    fn bytes(&self) -> usize {
        let length = |item: &Item| match item {
            Item::Line(bytes, _) => bytes.len(),
            Item::TooLong => 0,
        };
        self.items.iter().map(length).sum()
    }
}

/// The next line without its terminator, the terminator, and the rest.
fn split(data: &[u8], terminator: Terminator) -> (&[u8], &[u8], &[u8]) {
    let ends = |byte: &u8| match terminator {
        Terminator::Newline => *byte == b'\n',
        Terminator::CarriageReturn => matches!(byte, b'\r' | b'\n'),
        Terminator::Byte(only) => *byte == only,
    };
    let Some(at) = data.iter().position(ends) else {
        return (data, &[], &[]);
    };
    let (from, to) = match terminator {
        Terminator::Newline if data[..at].ends_with(b"\r") => (at - 1, at + 1),
        Terminator::CarriageReturn if data[at..].starts_with(b"\r\n") => (at, at + 2),
        _ => (at, at + 1),
    };
    (&data[..from], &data[from..to], &data[to..])
}

fn reference(mut data: &[u8], options: &LineOptions) -> Taken {
    let max = options.max_line_length;
    let mut taken = Taken::default();
    while !data.is_empty() {
        let (mut line, terminator, rest) = split(data, options.terminator);
        let end = match terminator {
            [] => LineEnd::Eof,
            _ => LineEnd::Terminator,
        };
        data = rest;
        if line.len() > max && options.long_line != LongLine::Split {
            // Of `\r\n` only the `\r` ends a line here.
            let swallowed =
                options.terminator == Terminator::CarriageReturn && terminator == b"\r\n";
            taken.omitted += line.len() + terminator.len() - usize::from(swallowed);
            taken.terminators += usize::from(swallowed);
            if options.long_line == LongLine::Fail {
                taken.items.push(Item::TooLong);
            } else {
                taken.line(&line[..max], LineEnd::Limit);
                taken.omitted -= max;
            }
            continue;
        }
        while line.len() > max {
            taken.line(&line[..max], LineEnd::Limit);
            line = &line[max..];
        }
        taken.line(line, end);
        taken.terminators += terminator.len();
    }
    taken
}

/// A child that says `data` in reads of the lengths given, and has exited.
fn saying(data: &[u8], lengths: &[usize]) -> ProcessIo {
    let (parts, child) = memory::child();
    drop(child);
    ProcessIo::from_parts(parts.stdout(StreamReader::new(stream::iter(
        cut(data, lengths).map(Ok::<Bytes, std::io::Error>),
    ))))
}

fn cut(data: &[u8], lengths: &[usize]) -> impl Iterator<Item = Bytes> + Send + use<> {
    let mut rest = Bytes::copy_from_slice(data);
    let mut pieces = Vec::new();
    let mut lengths = lengths.iter().cycle();
    while !rest.is_empty() {
        let n = lengths
            .next()
            .map_or(rest.len(), |n| *n)
            .clamp(1, rest.len());
        pieces.push(rest.split_to(n));
    }
    pieces.into_iter()
}

async fn received(mut io: ProcessIo, peek: bool) -> Taken {
    let mut taken = Taken::default();
    loop {
        if peek {
            io.pending(Source::Stdout);
        }
        match within(io.recv_line(Source::Stdout)).await {
            Ok(None) => break,
            Ok(Some(line)) => taken.line(line.as_bytes(), line.end()),
            Err(error) if error.is_limit() => taken.items.push(Item::TooLong),
            Err(error) => panic!("{error}"),
        }
    }
    taken.omitted = io.omitted(Source::Stdout) as usize;
    taken
}

async fn streamed(mut io: ProcessIo) -> Taken {
    let mut taken = Taken::default();
    let mut lines = io.lines();
    while let Some(line) = within(lines.next()).await {
        match line {
            Ok(line) => taken.line(line.as_bytes(), line.end()),
            Err(error) if error.is_limit() => taken.items.push(Item::TooLong),
            Err(error) => panic!("{error}"),
        }
    }
    taken.omitted = io.omitted(Source::Stdout) as usize;
    taken
}

fn output() -> impl Strategy<Value = Vec<u8>> {
    vec(select(b"ab\r\n\0\xff".as_slice()), 0..60)
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    vec(1usize..8, 0..12)
}

fn terminators() -> impl Strategy<Value = Terminator> {
    select(vec![
        Terminator::Newline,
        Terminator::CarriageReturn,
        Terminator::Byte(0),
        Terminator::Byte(b'a'),
    ])
}

fn options() -> impl Strategy<Value = LineOptions> {
    let long_line = select(vec![LongLine::Cut, LongLine::Split, LongLine::Fail]);
    (terminators(), 1usize..12, long_line).prop_map(|(terminator, max, long_line)| {
        LineOptions::default()
            .terminator(terminator)
            .max_line_length(max, long_line)
    })
}

fn overflows() -> impl Strategy<Value = Overflow> {
    select(vec![
        Overflow::Block,
        Overflow::Fail,
        Overflow::KeepHead,
        Overflow::KeepTail,
        Overflow::KeepBoth,
    ])
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn check(got: Taken, expected: Taken, data: &[u8], max: usize) -> Result<(), TestCaseError> {
    prop_assert_eq!(&got.items, &expected.items);
    prop_assert_eq!(got.omitted, expected.omitted);
    prop_assert_eq!(got.bytes() + expected.terminators + got.omitted, data.len());
    for item in &got.items {
        if let Item::Line(line, _) = item {
            prop_assert!(line.len() <= max);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn lines_are_those_of_the_whole(
        data in output(),
        lengths in lengths(),
        options in options(),
        peek: bool,
    ) {
        let got = runtime().block_on(async {
            let mut io = saying(&data, &lengths);
            io.set_line_options(options);
            received(io, peek).await
        });
        check(got, reference(&data, &options), &data, options.max_line_length)?;
    }

    #[test]
    fn streamed_lines_are_those_of_the_whole(
        data in output(),
        lengths in lengths(),
        options in options(),
    ) {
        let got = runtime().block_on(async {
            let mut io = saying(&data, &lengths);
            io.set_line_options(options);
            streamed(io).await
        });
        check(got, reference(&data, &options), &data, options.max_line_length)?;
    }

    #[test]
    fn a_limit_on_what_is_kept_does_not_touch_lines_that_are_taken(
        data in output(),
        lengths in lengths(),
        options in options(),
        limit in 0usize..30,
        overflow in overflows(),
    ) {
        let got = runtime().block_on(async {
            let mut io = saying(&data, &lengths);
            io.set_limits(Limits::default().stdout(limit, overflow));
            io.set_line_options(options);
            received(io, false).await
        });
        check(got, reference(&data, &options), &data, options.max_line_length)?;
    }

    #[test]
    fn lines_kept_while_something_else_was_awaited_are_the_same(
        data in output(),
        lengths in lengths(),
        options in options(),
        before in 0usize..4,
    ) {
        let got = runtime().block_on(async {
            let mut io = saying(&data, &lengths);
            io.set_line_options(options);
            let mut taken = Taken::default();
            for _ in 0..before {
                match io.recv_line(Source::Stdout).now_or_never() {
                    Some(Ok(Some(line))) => taken.line(line.as_bytes(), line.end()),
                    Some(Err(error)) if error.is_limit() => taken.items.push(Item::TooLong),
                    Some(Err(error)) => panic!("{error}"),
                    Some(Ok(None)) | None => {}
                }
            }
            within(io.wait()).await.unwrap();
            let rest = received(io, false).await;
            taken.items.extend(rest.items);
            taken.omitted = rest.omitted;
            taken
        });
        check(got, reference(&data, &options), &data, options.max_line_length)?;
    }

    #[test]
    fn rules_that_change_hold_from_there_on(
        data in output(),
        lengths in lengths(),
        first in terminators(),
        then in terminators(),
        lines in 0usize..4,
    ) {
        // Half of a `\r\n` may be taken or not, which the new rules would show.
        prop_assume!(first != Terminator::CarriageReturn);
        let (first, then) = (
            LineOptions::default().terminator(first),
            LineOptions::default().terminator(then),
        );
        let got = runtime().block_on(async {
            let mut io = saying(&data, &lengths);
            io.set_line_options(first);
            let mut taken = Taken::default();
            for _ in 0..lines {
                match within(io.recv_line(Source::Stdout)).await.unwrap() {
                    Some(line) => taken.line(line.as_bytes(), line.end()),
                    None => break,
                }
            }
            io.set_line_options(then);
            taken.items.extend(received(io, false).await.items);
            taken
        });
        let mut expected = Taken::default();
        let mut rest = &data[..];
        for _ in 0..lines {
            let (line, terminator, next) = split(rest, first.terminator);
            if rest.is_empty() {
                break;
            }
            let end = match terminator {
                [] => LineEnd::Eof,
                _ => LineEnd::Terminator,
            };
            expected.line(line, end);
            rest = next;
        }
        expected.items.extend(reference(rest, &then).items);
        prop_assert_eq!(got.items, expected.items);
    }

    #[test]
    fn blocks_hold_the_same_lines(
        data in output(),
        lengths in lengths(),
        terminator in terminators(),
        overflow in overflows(),
    ) {
        let options = LineOptions::default().terminator(terminator);
        let (bytes, lines) = runtime().block_on(async {
            let mut io = saying(&data, &lengths);
            io.set_limits(Limits::default().stdout(10, overflow));
            io.set_line_options(options);
            let (mut bytes, mut lines) = (Vec::new(), Vec::new());
            let mut blocks = io.line_blocks(Source::Stdout);
            while let Some(block) = within(blocks.next()).await {
                let block = block.unwrap();
                assert!(!block.as_bytes().is_empty());
                bytes.extend_from_slice(block.as_bytes());
                lines.extend(block.iter().map(<[u8]>::to_vec));
            }
            (bytes, lines)
        });
        let expected: Vec<Vec<u8>> = (reference(&data, &options).items.into_iter())
            .map(|item| match item {
                Item::Line(line, _) => line,
                Item::TooLong => unreachable!(),
            })
            .collect();
        prop_assert_eq!(lines, expected);
        prop_assert_eq!(bytes, data);
    }

    #[test]
    fn blocks_lose_nothing_of_lines_that_are_too_long(
        data in output(),
        lengths in lengths(),
        terminator in terminators(),
        max in 1usize..12,
    ) {
        let bytes = runtime().block_on(async {
            let mut io = saying(&data, &lengths);
            let options = LineOptions::default().terminator(terminator);
            io.set_line_options(options.max_line_length(max, LongLine::Cut));
            let mut bytes = Vec::new();
            let mut blocks = io.line_blocks(Source::Stdout);
            while let Some(block) = within(blocks.next()).await {
                bytes.extend_from_slice(block.unwrap().as_bytes());
            }
            bytes
        });
        prop_assert_eq!(bytes, data);
    }
}
