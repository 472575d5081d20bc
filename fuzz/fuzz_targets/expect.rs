//! The expect scanner against one that has all of the output at hand: whatever the pieces in which the output
//! arrives, the same needle matches at the same place, and nothing is lost.
//!
//! ```text
//! RUSTC_BOOTSTRAP=1 cargo fuzz run -s none expect -- -max_total_time=600
//! ```
//!
//! `RUSTC_BOOTSTRAP=1` is not needed with a nightly toolchain. Without `-s none` an address sanitizer looks too,
//! at a quarter of the speed.
#![no_main]

mod child;

use std::{sync::LazyLock, time::Duration};

use arbitrary::Arbitrary;
use futures::FutureExt;
use libfuzzer_sys::fuzz_target;
use process_io::{ErrorKind, Eof, Match, Needle, ProcessIo, ReadSource, Source};
use regex::bytes::Regex;

#[derive(Debug, Arbitrary)]
struct Input {
    stderr: bool,
    way: Way,
    exited: bool,
    /// Output and needles are made of two letters, so that there are many matches.
    dense: bool,
    sizes: Vec<u8>,
    /// One set for each call.
    sets: Vec<Vec<Pattern>>,
    data: Vec<u8>,
}

#[derive(Debug, Clone, Arbitrary)]
enum Pattern {
    Literal(Vec<u8>),
    Regex(u8),
    Eof,
}

/// How it is asked for.
#[derive(Debug, Clone, Copy, Arbitrary)]
enum Way {
    Wait,
    /// By calls that are dropped after one look, then by one that waits.
    Drop(u8),
    /// By calls whose time is up at once, then by one that waits.
    TimeOut(u8),
}

static REGEXES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let patterns = [
        "a",
        "ab|ba",
        "a+b",
        "(a|b)*c",
        "b(a*)b",
        "[^a]",
        "(?s).b",
        "(a)|(b)",
        "aab|ab",
        "",
        "^b",
        "(?-u)[\\x80-\\xff]a",
    ];
    let compile = |pattern: &&str| Regex::new(pattern).expect("a regex");
    patterns.iter().map(compile).collect()
});

fn regex(index: u8) -> &'static Regex {
    &REGEXES[usize::from(index) % REGEXES.len()]
}

fn needle(pattern: &Pattern) -> Box<dyn Needle> {
    match pattern {
        Pattern::Literal(bytes) => Box::new(bytes.clone()),
        Pattern::Regex(index) => Box::new(regex(*index).clone()),
        Pattern::Eof => Box::new(Eof),
    }
}

/// Where a match begins in `data` that ends at `end` and not before, and which needle it is of.
fn ends_at(set: &[Pattern], data: &[u8], end: usize) -> Option<(usize, usize)> {
    let starts = set.iter().enumerate().filter_map(|(index, pattern)| {
        let data = &data[..end];
        let start = match pattern {
            Pattern::Literal(bytes) => data.ends_with(bytes).then(|| end - bytes.len()),
            Pattern::Regex(index) => regex(*index).find(data).map(|found| found.start()),
            Pattern::Eof => None,
        };
        Some((start?, index))
    });
    starts.min()
}

async fn expect(io: &mut ProcessIo, input: &Input, set: &[Pattern]) -> process_io::Result<Match> {
    let needles: Vec<_> = set.iter().map(needle).collect();
    let source = match input.stderr {
        true => ReadSource::Stderr,
        false => ReadSource::Stdout,
    };
    let long = Duration::from_secs(3600);
    match input.way {
        Way::Wait => {}
        Way::Drop(times) => {
            for _ in 0..times {
                if let Some(found) = io.expect_from(source, &needles, long).now_or_never() {
                    return found;
                }
            }
        }
        Way::TimeOut(times) => {
            for _ in 0..times {
                match io.expect_from(source, &needles, Duration::ZERO).await {
                    Err(error) if error.is_timeout() => {}
                    found => return found,
                }
            }
        }
    }
    io.expect_from(source, &needles, long).await
}

async fn compare(input: &Input, data: &[u8]) {
    let (stdout, stderr) = match input.stderr {
        true => (&b"other"[..], data),
        false => (data, &b"other"[..]),
    };
    let mut io = child::child(stdout, stderr, &input.sizes, input.exited);
    let mut at = 0;
    for set in &input.sets {
        let rest = &data[at..];
        let found = expect(&mut io, input, set).await;
        let ends = (0..=rest.len()).find_map(|end| Some((end, ends_at(set, rest, end)?)));
        if let Some((end, (start, index))) = ends {
            let found = found.expect("a match");
            assert_eq!(found.index, index);
            assert_eq!(found.before, rest[..start]);
            assert_eq!(found.matched, rest[start..end]);
            if let Pattern::Regex(index) = set[index] {
                let captures = regex(index).captures(&rest[..end]).expect("a match");
                let groups = captures.iter().map(|group| Some(group?.as_bytes()));
                assert!(
                    groups.eq(found.captures.iter().map(Option::as_deref)),
                    "groups"
                );
            }
            at += end;
        } else if let Some(index) = set.iter().position(|it| matches!(it, Pattern::Eof)) {
            let found = found.expect("a match");
            assert_eq!(found.index, index);
            assert_eq!(found.before, *rest);
            assert_eq!(found.matched, "");
            at = data.len();
        } else {
            let error = found.expect_err("no match");
            assert_eq!(error.kind(), ErrorKind::Eof, "{error}");
            let output = error.into_output().expect("the output");
            let (asked, other) = match input.stderr {
                true => (output.stderr, output.stdout),
                false => (output.stdout, output.stderr),
            };
            assert_eq!(asked, *rest);
            // What the other one has left is there as far as it has come.
            assert!(b"other".starts_with(&other));
            return;
        }
    }
    let source = match input.stderr {
        true => Source::Stderr,
        false => Source::Stdout,
    };
    let mut rest = Vec::new();
    while let process_io::Recv::Data(piece) = io.recv(source).await.expect("no error") {
        rest.extend_from_slice(&piece);
    }
    assert_eq!(rest, data[at..]);
}

fuzz_target!(|input: Input| {
    let mut input = input;
    let letter = |byte: &mut u8| *byte = b"aaabbbbc"[usize::from(*byte % 8)];
    if input.dense {
        input.data.iter_mut().for_each(letter);
        for pattern in input.sets.iter_mut().flatten() {
            if let Pattern::Literal(bytes) = pattern {
                bytes.iter_mut().for_each(letter);
            }
        }
    }
    let data = std::mem::take(&mut input.data);
    // The reference takes quadratic time for regexes.
    let regexes = (input.sets.iter().flatten()).any(|it| matches!(it, Pattern::Regex(_)));
    let data = match regexes {
        true => &data[..data.len().min(64)],
        false => &data[..],
    };
    child::run(compare(&input, data));
});
