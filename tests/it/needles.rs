//! What `expect` finds depends on the output alone and not on the pieces it comes in: the match that is complete first.

use bytes::Bytes;
use futures::stream;
use process_io::{Eof, Found, Match, Needle, ProcessIo, ReadSource, transport::memory};
use proptest::{collection::vec, prelude::*, sample::select};
use tokio::io::AsyncWriteExt;
use tokio_util::io::StreamReader;

use crate::support::{GENEROUS, within};

/// A match as it should be: what came before, the match, which needle, the groups.
type Expected = (Vec<u8>, Vec<u8>, usize, Vec<Option<Vec<u8>>>);

fn shown(found: Match) -> Expected {
    let groups = (found.captures.iter())
        .map(|group| group.as_ref().map(|bytes| bytes.to_vec()))
        .collect();
    (
        found.before.to_vec(),
        found.matched.to_vec(),
        found.index,
        groups,
    )
}

/// All the matches in an output that comes in pieces of the lengths given, and what is left.
fn matches(
    data: &[u8],
    lengths: &[usize],
    source: ReadSource,
    needle: &impl Needle,
) -> (Vec<Expected>, Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut rest = Bytes::copy_from_slice(data);
        let mut pieces = Vec::new();
        let mut lengths = lengths.iter().cycle();
        while !rest.is_empty() {
            let n = lengths.next().map_or(rest.len(), |n| *n);
            pieces.push(Ok::<_, std::io::Error>(
                rest.split_to(n.clamp(1, rest.len())),
            ));
        }
        let reader = StreamReader::new(stream::iter(pieces));
        let (parts, child) = memory::child();
        drop(child);
        let mut io = ProcessIo::from_parts(match source {
            ReadSource::Stderr => parts.stderr(reader),
            _ => parts.stdout(reader),
        });
        let mut found = Vec::new();
        let error = loop {
            match within(io.expect_from(source, needle, GENEROUS)).await {
                Ok(one) => found.push(shown(one)),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), process_io::ErrorKind::Eof, "{error}");
        let output = error.into_output().unwrap();
        let left = match source {
            ReadSource::Stderr => output.stderr,
            _ => output.stdout,
        };
        (found, left.to_vec())
    })
}

/// Tries every beginning of the output, shortest first.
fn reference(
    mut data: &[u8],
    ends_here: impl Fn(&[u8]) -> Option<(usize, usize, Vec<Option<Vec<u8>>>)>,
) -> (Vec<Expected>, Vec<u8>) {
    let mut found = Vec::new();
    'next: loop {
        for end in 1..=data.len() {
            if let Some((start, index, groups)) = ends_here(&data[..end]) {
                found.push((
                    data[..start].to_vec(),
                    data[start..end].to_vec(),
                    index,
                    groups,
                ));
                data = &data[end..];
                continue 'next;
            }
        }
        return (found, data.to_vec());
    }
}

/// The longest of the needles that end here, and of equals the first.
fn longest_at_end(output: &[u8], needles: &[Vec<u8>]) -> Option<(usize, usize)> {
    (needles.iter().enumerate())
        .filter(|(_, needle)| output.ends_with(needle))
        .map(|(index, needle)| (output.len() - needle.len(), index))
        .min()
}

fn output() -> impl Strategy<Value = Vec<u8>> {
    vec(select(b"aabbc\n\xff".as_slice()), 0..60)
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    vec(1usize..8, 0..12)
}

fn literal() -> impl Strategy<Value = Vec<u8>> {
    vec(select(b"aabbc\n\xff".as_slice()), 1..5)
}

fn source() -> impl Strategy<Value = ReadSource> {
    select(vec![
        ReadSource::Stdout,
        ReadSource::Stderr,
        ReadSource::Both,
    ])
}

/// A byte that comes twice in a row.
struct Twice;

impl Needle for Twice {
    fn find(&self, output: &[u8], searched: usize) -> Option<Found> {
        (searched.max(1)..output.len())
            .find(|&at| output[at] == output[at - 1])
            .map(|at| Found::new(at - 1, at + 1))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_literal(data in output(), lengths in lengths(), needle in literal(), source in source()) {
        let expected = reference(&data, |output| {
            let start = output.len().checked_sub(needle.len())?;
            output.ends_with(&needle).then_some((start, 0, Vec::new()))
        });
        prop_assert_eq!(matches(&data, &lengths, source, &needle), expected);
    }

    #[test]
    fn a_set(
        data in output(),
        lengths in lengths(),
        needles in vec(literal(), 1..5),
        source in source(),
    ) {
        let expected = reference(&data, |output| {
            longest_at_end(output, &needles).map(|(start, index)| (start, index, Vec::new()))
        });
        prop_assert_eq!(matches(&data, &lengths, source, &needles), expected);
    }

    #[test]
    fn a_needle_of_ones_own(data in output(), lengths in lengths(), source in source()) {
        let expected = reference(&data, |output| match output {
            [.., a, b] if a == b => Some((output.len() - 2, 0, Vec::new())),
            _ => None,
        });
        prop_assert_eq!(matches(&data, &lengths, source, &Twice), expected);
    }

    #[test]
    fn a_set_of_several_kinds(
        data in output(),
        lengths in lengths(),
        literals in vec(literal(), 1..3),
    ) {
        let mut needles: Vec<Box<dyn Needle>> = vec![Box::new(Twice)];
        for literal in &literals {
            needles.push(Box::new(literal.clone()));
        }
        let expected = reference(&data, |output| {
            let twice = match output {
                [.., a, b] if a == b => Some((output.len() - 2, 0)),
                _ => None,
            };
            let literal = longest_at_end(output, &literals).map(|(start, i)| (start, i + 1));
            let (start, index) = twice.into_iter().chain(literal).min()?;
            Some((start, index, Vec::new()))
        });
        prop_assert_eq!(matches(&data, &lengths, ReadSource::Stdout, &needles), expected);
    }
}

#[cfg(feature = "regex")]
mod regex {
    use ::regex::bytes::Regex;

    use super::*;

    const PATTERNS: &[&str] = &[
        "a+b",
        "(a|b)c?b",
        "ab|b",
        "b|ab",
        "(?s-u)a.*b",
        "(?s-u)(a)(b)?.",
        "(a)(b)?c",
        "[^a]a{2}",
        "^b",
        "(?m)^a",
        "(?-u)\\xff",
        "a\n",
        "(?P<x>a*)c",
        "a+?b*c",
    ];

    fn groups(regex: &Regex, output: &[u8]) -> Option<(usize, Vec<Option<Vec<u8>>>)> {
        let captures = regex.captures(output)?;
        let groups = (captures.iter())
            .map(|group| group.map(|group| group.as_bytes().to_vec()))
            .collect();
        Some((captures.get(0)?.start(), groups))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn a_regex(
            data in output(),
            lengths in lengths(),
            pattern in select(PATTERNS),
            source in source(),
        ) {
            let regex = Regex::new(pattern).unwrap();
            let expected = reference(&data, |output| {
                groups(&regex, output).map(|(start, groups)| (start, 0, groups))
            });
            prop_assert_eq!(matches(&data, &lengths, source, &regex), expected);
        }

        #[test]
        fn a_set_of_regexes(
            data in output(),
            lengths in lengths(),
            patterns in vec(select(PATTERNS), 1..4),
        ) {
            let regexes: Vec<Regex> =
                patterns.iter().map(|pattern| Regex::new(pattern).unwrap()).collect();
            let expected = reference(&data, |output| {
                (regexes.iter().enumerate())
                    .filter_map(|(index, regex)| {
                        let (start, groups) = groups(regex, output)?;
                        Some((start, index, groups))
                    })
                    .min_by_key(|(start, index, _)| (*start, *index))
            });
            prop_assert_eq!(matches(&data, &lengths, ReadSource::Stdout, &regexes), expected);
        }
    }
}

/// Sets of different kinds are made of boxes.
#[tokio::test]
async fn a_boxed_set_with_the_end_of_the_output() {
    let (parts, child) = memory::child();
    drop(child);
    let mut io = ProcessIo::from_parts(parts.stdout(&b"all there is"[..]));
    let needles: [Box<dyn Needle>; 2] = [Box::new("more"), Box::new(Eof)];
    let found = within(io.expect(needles)).await.unwrap();
    assert_eq!(found.index, 1);
    assert_eq!(found.before, "all there is");
    assert_eq!(found.matched, "");
}

/// A dialog with such a set can run in a task.
#[tokio::test]
async fn waiting_for_a_boxed_set_can_be_spawned() {
    let (parts, child) = memory::child();
    drop(child);
    let mut io = ProcessIo::from_parts(parts.stdout(&b"1, 2"[..]));
    let needles: Vec<Box<dyn Needle>> = vec![Box::new(Eof), Box::new(", ")];
    let task = tokio::spawn(async move { io.expect(&needles).await });
    assert_eq!(within(task).await.unwrap().unwrap().before, "1");
}

/// Says that it has found what it cannot have.
struct Wrong(std::ops::Range<usize>, Vec<Option<std::ops::Range<usize>>>);

impl Needle for Wrong {
    fn find(&self, output: &[u8], _: usize) -> Option<Found> {
        let mut found = Found::new(self.0.start, self.0.end);
        found.captures = self.1.clone();
        (output.len() == 6).then_some(found)
    }
}

#[tokio::test]
#[allow(clippy::reversed_empty_ranges)] // They are what is wrong.
async fn a_needle_that_is_wrong_is_an_error_and_takes_nothing() {
    let wrong = [
        Wrong(2..7, vec![]),
        Wrong(7..8, vec![]),
        Wrong(4..2, vec![]),
        Wrong(usize::MAX..usize::MAX, vec![]),
        Wrong(2..4, vec![Some(1..3)]),
        Wrong(2..4, vec![None, Some(3..5)]),
        Wrong(2..4, vec![Some(4..3)]),
    ];
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    child.stdout.write_all(b"output").await.unwrap();
    for needle in wrong {
        for source in [ReadSource::Stdout, ReadSource::Both] {
            let found = io.expect_from(source, &needle, GENEROUS);
            let error = within(found).await.unwrap_err();
            assert!(error.to_string().contains("needle"), "{error}");
            let kind = std::io::Error::from(error).kind();
            assert_eq!(kind, std::io::ErrorKind::InvalidInput);
        }
    }
    let right = Wrong(2..4, vec![None, Some(2..4), Some(3..3)]);
    let found = within(io.expect(right)).await.unwrap();
    assert_eq!(
        (&found.before[..], &found.matched[..]),
        (&b"ou"[..], &b"tp"[..])
    );
    assert_eq!(io.pending(process_io::Source::Stdout), b"ut");
}
