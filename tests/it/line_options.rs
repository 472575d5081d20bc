//! Terminators, the limit on a line's length, and bytes that are no text.

use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use process_io::{
    DEFAULT_MAX_LINE_LENGTH, Drain, Limits, Line, LineEnd, LineOptions, LongLine, Overflow,
    ProcessIo, Source, Terminator,
    transport::memory::{self, Child},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::io::StreamReader;

use crate::support::{child, within};

fn start(options: LineOptions) -> (ProcessIo, Child) {
    let (parts, child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    io.set_line_options(options);
    (io, child)
}

/// A child that says these pieces, one in each read, and has exited.
fn saying(pieces: &[&[u8]], options: LineOptions) -> ProcessIo {
    let pieces: Vec<_> = (pieces.iter())
        .map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)))
        .collect();
    let (parts, child) = memory::child();
    drop(child);
    let mut io = ProcessIo::from_parts(parts.stdout(StreamReader::new(stream::iter(pieces))));
    io.set_line_options(options);
    io
}

async fn all(io: &mut ProcessIo) -> Vec<(Vec<u8>, LineEnd)> {
    within(io.stdout_lines().try_collect::<Vec<Line>>())
        .await
        .unwrap()
        .iter()
        .map(|line| (line.as_bytes().to_vec(), line.end()))
        .collect()
}

fn ended(lines: &[&str]) -> Vec<(Vec<u8>, LineEnd)> {
    (lines.iter())
        .map(|line| (line.as_bytes().to_vec(), LineEnd::Terminator))
        .collect()
}

fn terminator(terminator: Terminator) -> LineOptions {
    LineOptions::default().terminator(terminator)
}

fn at_most(bytes: usize, long_line: LongLine) -> LineOptions {
    LineOptions::default().max_line_length(bytes, long_line)
}

#[tokio::test]
async fn a_return_before_the_newline_is_part_of_the_terminator() {
    let pieces: &[&[u8]] = &[b"a\r\nb\r", b"\nc\r\rd\n\r", b"\n\re\n"];
    let mut io = saying(pieces, LineOptions::default());
    assert_eq!(all(&mut io).await, ended(&["a", "b", "c\r\rd", "", "\re"]));
}

#[tokio::test]
async fn a_return_at_the_end_of_the_output_is_a_byte_of_the_line() {
    let mut io = saying(&[b"a\r"], LineOptions::default());
    assert_eq!(all(&mut io).await, [(b"a\r".to_vec(), LineEnd::Eof)]);
}

#[tokio::test]
async fn each_redraw_is_a_line_as_soon_as_it_is_ended() {
    let (mut io, mut child) = start(terminator(Terminator::CarriageReturn));
    for percent in 0..=100 {
        let text = format!("{percent} %");
        child
            .stdout
            .write_all(format!("{text}\r").as_bytes())
            .await
            .unwrap();
        let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
        assert_eq!(line.to_str().unwrap(), text);
        assert_eq!(line.end(), LineEnd::Terminator);
    }
    child.stdout.write_all(b"\ndone\n").await.unwrap();
    let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
    assert_eq!(line.as_bytes(), b"done");
}

#[tokio::test]
async fn return_and_newline_are_one_terminator_also_in_two_reads() {
    let pieces: &[&[u8]] = &[b"a\r\nb\r", b"\nc\r", b"\r", b"\n", b"\n", b"d\n", b"\re"];
    let mut io = saying(pieces, terminator(Terminator::CarriageReturn));
    let mut expected = ended(&["a", "b", "c", "", "", "d", ""]);
    expected.push((b"e".to_vec(), LineEnd::Eof));
    assert_eq!(all(&mut io).await, expected);
}

/// The return has ended its line before it was known what comes next.
#[tokio::test]
async fn the_newline_after_a_return_is_left_and_is_no_line() {
    for taken in 1..=3 {
        let start = async || {
            let pieces: &[&[u8]] = &[b"x\r\ny\r\nz\r\nb\r\nc"];
            let mut io = saying(pieces, terminator(Terminator::CarriageReturn));
            for _ in 0..taken {
                within(io.recv_line(Source::Stdout)).await.unwrap();
            }
            let rest = &b"\ny\r\nz\r\nb\r\nc"[3 * (taken - 1)..];
            assert_eq!(io.pending(Source::Stdout), rest);
            (io, rest)
        };
        let lines: Vec<_> = ["y", "z", "b"][taken - 1..].to_vec();
        let mut expected = ended(&lines);
        expected.push((b"c".to_vec(), LineEnd::Eof));

        let (mut io, _) = start().await;
        assert_eq!(all(&mut io).await, expected);

        let (mut io, _) = start().await;
        io.set_line_options(LineOptions::default());
        assert_eq!(all(&mut io).await, expected);

        let (mut io, rest) = start().await;
        let blocks: Vec<_> = within(io.line_blocks(Source::Stdout).try_collect())
            .await
            .unwrap();
        let bytes: Vec<_> = blocks.iter().map(|block| block.as_bytes()).collect();
        assert_eq!(bytes.concat(), rest);
        let lines = blocks.iter().flatten();
        assert!(lines.eq(expected.iter().map(|(line, _)| &line[..])));

        let (mut io, rest) = start().await;
        let piece = within(io.recv(Source::Stdout))
            .await
            .unwrap()
            .data()
            .unwrap();
        assert_eq!(piece, rest);
    }
}

#[tokio::test]
async fn any_byte_can_end_a_line() {
    let mut io = saying(&[b"a\nb;", b";c\r\n;d"], terminator(Terminator::Byte(b';')));
    let mut expected = ended(&["a\nb", "", "c\r\n"]);
    expected.push((b"d".to_vec(), LineEnd::Eof));
    assert_eq!(all(&mut io).await, expected);
}

#[cfg(unix)] // Names with newlines are.
#[tokio::test]
async fn find_print0_gives_names_with_newlines() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let names = ["plain", "with\nnewline", "with\rreturn", "ünïcödé", " "];
    for name in names {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    let mut find = process_io::Command::new("find");
    find.arg(folder.path()).args(["-type", "f", "-print0"]);
    let mut io = ProcessIo::spawn(find).unwrap();
    let lines = io
        .stdout_lines()
        .with_options(terminator(Terminator::Byte(0)))
        .try_collect::<Vec<Line>>();
    let mut found: Vec<Vec<u8>> = (within(lines).await.unwrap().into_iter())
        .map(|line| {
            assert_eq!(line.end(), LineEnd::Terminator);
            line.into_bytes().to_vec()
        })
        .collect();
    found.sort();
    let mut expected = names.map(|name| folder.path().join(name).as_os_str().as_bytes().to_vec());
    expected.sort();
    assert_eq!(found, expected);
}

/// What was looked through for one terminator is looked through again for another.
#[tokio::test]
async fn new_rules_hold_for_what_is_pending() {
    let (mut io, mut child) = start(LineOptions::default());
    child.stdout.write_all(b"a\0b\rc").await.unwrap();
    assert!(io.recv_line(Source::Stdout).now_or_never().is_none());
    io.set_line_options(terminator(Terminator::Byte(0)));
    let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
    assert_eq!(line.as_bytes(), b"a");
    assert!(io.recv_line(Source::Stdout).now_or_never().is_none());
    io.set_line_options(terminator(Terminator::CarriageReturn));
    let mut blocks = io.line_blocks(Source::Stdout);
    let block = within(blocks.next()).await.unwrap().unwrap();
    assert_eq!(block.as_bytes(), b"b\r");
    assert_eq!(block.iter().collect::<Vec<_>>(), [b"b"]);
}

#[tokio::test]
async fn a_long_line_is_cut_and_the_next_is_whole() {
    for pieces in [
        &[&b"12345678\r\n1234\r\n12345\nab"[..]][..],
        &[
            b"123",
            b"456",
            b"78\r",
            b"\n1234\r",
            b"\n123",
            b"45",
            b"\nab",
        ],
    ] {
        let mut io = saying(pieces, at_most(4, LongLine::Cut));
        let expected = [
            ("1234", LineEnd::Limit),
            ("1234", LineEnd::Terminator),
            ("1234", LineEnd::Limit),
            ("ab", LineEnd::Eof),
        ];
        assert_eq!(
            all(&mut io).await,
            expected.map(|(line, end)| (line.as_bytes().to_vec(), end))
        );
        assert_eq!(io.omitted(Source::Stdout), 6 + 2);
    }
}

/// Its head is there before its end is.
#[tokio::test]
async fn a_long_line_is_cut_before_it_ends() {
    let (mut io, mut child) = start(at_most(4, LongLine::Cut));
    child.stdout.write_all(b"12345").await.unwrap();
    let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
    assert_eq!(
        (line.as_bytes(), line.end()),
        (&b"1234"[..], LineEnd::Limit)
    );
    for _ in 0..3 {
        child.stdout.write_all(b"more").await.unwrap();
        assert!(io.recv_line(Source::Stdout).now_or_never().is_none());
    }
    assert_eq!(io.omitted(Source::Stdout), 13);
    child.stdout.write_all(b"\nnext\n").await.unwrap();
    let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
    assert_eq!(line.as_bytes(), b"next");
    assert_eq!(io.omitted(Source::Stdout), 14);
}

#[tokio::test]
async fn a_long_line_comes_in_pieces() {
    let mut io = saying(
        &[b"123", b"456789\n1234\n", b"12345"],
        at_most(4, LongLine::Split),
    );
    let expected = [
        ("1234", LineEnd::Limit),
        ("5678", LineEnd::Limit),
        ("9", LineEnd::Terminator),
        ("1234", LineEnd::Terminator),
        ("1234", LineEnd::Limit),
        ("5", LineEnd::Eof),
    ];
    assert_eq!(
        all(&mut io).await,
        expected.map(|(line, end)| (line.as_bytes().to_vec(), end))
    );
    assert_eq!(io.omitted(Source::Stdout), 0);
}

#[tokio::test]
async fn a_long_line_is_an_error_and_the_next_is_whole() {
    let mut io = saying(
        &[b"ab\n12", b"345", b"6\nnext\n"],
        at_most(4, LongLine::Fail),
    );
    let mut lines = io.stdout_lines();
    let line = within(lines.next()).await.unwrap().unwrap();
    assert_eq!(line.as_bytes(), b"ab");
    let error = within(lines.next()).await.unwrap().unwrap_err();
    assert!(error.is_limit(), "{error}");
    assert!(error.to_string().contains('4'), "{error}");
    let line = within(lines.next()).await.unwrap().unwrap();
    assert_eq!(
        (line.as_bytes(), line.end()),
        (&b"next"[..], LineEnd::Terminator)
    );
    assert!(within(lines.next()).await.is_none());
    assert_eq!(io.omitted(Source::Stdout), 7);
}

#[tokio::test]
async fn a_long_line_is_an_error_by_default_and_still_there() {
    let mut options = LineOptions::default();
    options.max_line_length = 4;
    let pieces: &[&[u8]] = &[b"ab\n12", b"345", b"6\nnext\n"];
    for long_line in [LongLine::Cut, LongLine::Split] {
        let mut io = saying(pieces, options);
        within(io.recv_line(Source::Stdout)).await.unwrap();
        let error = within(io.recv_line(Source::Stdout)).await.unwrap_err();
        assert!(error.is_limit(), "{error}");
        for way in ["set_line_options", "LongLine::Cut", "LongLine::Split"] {
            assert!(error.to_string().contains(way), "{error}");
        }
        assert_eq!(io.omitted(Source::Stdout), 0);
        io.set_line_options(at_most(4, long_line));
        let mut expected = vec![(b"1234".to_vec(), LineEnd::Limit)];
        if long_line == LongLine::Split {
            expected.push((b"56".to_vec(), LineEnd::Terminator));
        }
        expected.push((b"next".to_vec(), LineEnd::Terminator));
        assert_eq!(all(&mut io).await, expected);
    }
    let mut io = saying(pieces, options);
    within(io.recv_line(Source::Stdout)).await.unwrap();
    within(io.recv_line(Source::Stdout)).await.unwrap_err();
    assert_eq!(within(io.output()).await.unwrap().stdout, "123456\nnext\n");
}

#[cfg(unix)] // Shells.
#[tokio::test]
async fn a_line_of_twenty_megabytes_is_not_cut_silently() {
    use futures::TryStreamExt;
    let script = "head -c 20000000 /dev/zero | tr '\\0' x; echo; echo next";
    let mut io = ProcessIo::spawn(crate::support::sh(script)).unwrap();
    let lines = within(io.stdout_lines().try_collect::<Vec<_>>()).await;
    assert!(lines.unwrap_err().is_limit());
    io.set_line_options(at_most(DEFAULT_MAX_LINE_LENGTH, LongLine::Split));
    let lines: Vec<Line> = within(io.stdout_lines().try_collect()).await.unwrap();
    let bytes: usize = lines.iter().map(|line| line.as_bytes().len()).sum();
    assert_eq!(bytes, 20_000_000 + 4);
    assert_eq!(io.omitted(Source::Stdout), 0);
}

/// A limit on what is kept is not a limit on a line that is being awaited.
#[tokio::test]
async fn a_line_may_be_longer_than_what_is_kept() {
    for overflow in [
        Overflow::Block,
        Overflow::Fail,
        Overflow::KeepHead,
        Overflow::KeepTail,
        Overflow::KeepBoth,
    ] {
        let mut io = saying(
            &[b"one ", b"line ", b"in ", b"pieces\nnext"],
            LineOptions::default(),
        );
        io.set_limits(Limits::default().stdout(6, overflow));
        let mut expected = ended(&["one line in pieces"]);
        expected.push((b"next".to_vec(), LineEnd::Eof));
        assert_eq!(all(&mut io).await, expected, "{overflow:?}");
    }
}

/// What was dropped while nobody read lines is not looked for in what is there.
#[tokio::test]
async fn lines_go_on_behind_what_was_dropped() {
    let (mut io, mut child) = start(LineOptions::default());
    io.set_limits(Limits::default().stderr(8, Overflow::KeepTail));
    child.stderr.write_all(b"12345678").await.unwrap();
    assert!(io.recv_line(Source::Stderr).now_or_never().is_none());
    child.stderr.write_all(b"a\nb\nc\nde").await.unwrap();
    child.exit(0);
    within(io.wait()).await.unwrap();
    assert_eq!(io.omitted(Source::Stderr), 8);
    for expected in ["a", "b", "c", "de"] {
        let line = within(io.recv_line(Source::Stderr)).await.unwrap().unwrap();
        assert_eq!(line.to_str().unwrap(), expected);
    }
}

/// If it is to be cut, 16 MiB of it are a line, and the rest is dropped as it comes.
#[tokio::test]
async fn a_line_of_100_mebibytes() {
    #[cfg(target_os = "linux")]
    if !crate::support::alone("line_options::a_line_of_100_mebibytes") {
        return;
    }
    const LENGTH: u64 = 100 << 20;
    let (parts, child) = memory::child();
    drop(child);
    let long = tokio::io::repeat(b'x').take(LENGTH);
    let mut io = ProcessIo::from_parts(parts.stdout(long.chain(&b"\nnext\n"[..])));
    // It has exited, and a slow machine takes long.
    io.set_drain(Drain::UntilEof);
    io.set_line_options(at_most(DEFAULT_MAX_LINE_LENGTH, LongLine::Cut));
    let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
    assert_eq!(line.as_bytes().len(), DEFAULT_MAX_LINE_LENGTH);
    assert_eq!(line.end(), LineEnd::Limit);
    assert!(line.as_bytes().iter().all(|byte| *byte == b'x'));
    drop(line);
    let next = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
    assert_eq!(
        (next.as_bytes(), next.end()),
        (&b"next"[..], LineEnd::Terminator)
    );
    let head = DEFAULT_MAX_LINE_LENGTH as u64;
    assert_eq!(io.omitted(Source::Stdout), LENGTH + 1 - head);
    #[cfg(target_os = "linux")]
    {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let peak = status.split_once("VmHWM:").unwrap().1.trim_start();
        let kib: u64 = peak.split(' ').next().unwrap().parse().unwrap();
        assert!(kib < 90 << 10, "{kib} KiB");
    }
}

#[tokio::test]
async fn a_million_empty_lines() {
    let mut io = ProcessIo::spawn(child(&["lines", "1000000", "0"])).unwrap();
    let (mut lines, mut count) = (io.stdout_lines(), 0);
    within(async {
        while let Some(line) = lines.try_next().await.unwrap() {
            assert!(line.as_bytes().is_empty());
            assert_eq!(line.end(), LineEnd::Terminator);
            count += 1;
        }
    })
    .await;
    assert_eq!(count, 1_000_000);
}

#[tokio::test]
async fn a_million_empty_lines_in_blocks() {
    let mut io = ProcessIo::spawn(child(&["lines", "1000000", "0"])).unwrap();
    let blocks = io.line_blocks(Source::Stdout);
    let count = blocks.try_fold(0, |n, block| async move { Ok(n + block.iter().count()) });
    assert_eq!(within(count).await.unwrap(), 1_000_000);
}

#[tokio::test]
async fn nul_bytes_are_bytes_like_others() {
    let mut io = saying(&[b"\0a\0\0", b"\0\n\0"], LineOptions::default());
    let mut expected = ended(&["\0a\0\0\0"]);
    expected.push((b"\0".to_vec(), LineEnd::Eof));
    assert_eq!(all(&mut io).await, expected);
}

#[tokio::test]
async fn bytes_that_are_no_text_do_no_harm() {
    let mut io = saying(&[b"caf\xe9 \xff\nfine\n"], LineOptions::default());
    let lines: Vec<Line> = within(io.stdout_lines().try_collect()).await.unwrap();
    let [bad, good] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!(bad.as_bytes(), b"caf\xe9 \xff");
    assert_eq!(bad.to_str().unwrap_err().valid_up_to(), 3);
    assert_eq!(bad.to_str_lossy(), "caf\u{fffd} \u{fffd}");
    assert_eq!(bad.to_string(), "caf\u{fffd} \u{fffd}");
    assert!(matches!(
        good.to_str_lossy(),
        std::borrow::Cow::Borrowed("fine")
    ));
    assert_eq!(format!("{good:>6}|{good}"), "  fine|fine");
}

#[tokio::test]
async fn characters_may_be_split_over_reads() {
    let text = "häß€𝄞";
    let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).chain([&b"\n"[..]]).collect();
    let mut io = saying(&bytes, LineOptions::default());
    assert_eq!(all(&mut io).await, ended(&[text]));
    let mut io = ProcessIo::spawn(child(&["utf8-split"])).unwrap();
    assert_eq!(all(&mut io).await, ended(&[text]));
}

#[cfg(unix)] // A signal ends it.
#[tokio::test]
async fn a_child_that_dies_in_mid_line() {
    use std::os::unix::process::ExitStatusExt;
    let mut io =
        ProcessIo::spawn(crate::support::sh("echo whole; printf half; kill -KILL $$")).unwrap();
    let mut expected = ended(&["whole"]);
    expected.push((b"half".to_vec(), LineEnd::Eof));
    assert_eq!(all(&mut io).await, expected);
    assert_eq!(within(io.wait()).await.unwrap().signal(), Some(9));
}

#[tokio::test]
async fn rules_may_change_after_half_a_terminator() {
    for terminator in [Terminator::Byte(0), Terminator::Newline] {
        let (parts, mut child) = memory::child();
        let mut io = ProcessIo::from_parts(parts);
        io.set_line_options(LineOptions::default().terminator(Terminator::CarriageReturn));
        child.stdout.write_all(b"a\r").await.unwrap();
        let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
        assert_eq!(line.as_bytes(), b"a");
        io.set_line_options(LineOptions::default().terminator(terminator));
        child.stdout.write_all(b"\nxyz").await.unwrap();
        child.exit(0);
        let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
        assert_eq!(line.as_bytes(), b"xyz", "{terminator:?}");
    }
}

#[tokio::test]
async fn rules_may_change_after_half_a_terminator_of_a_block() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    io.set_line_options(LineOptions::default().terminator(Terminator::CarriageReturn));
    child.stdout.write_all(b"a\r").await.unwrap();
    let block = within(io.line_blocks(Source::Stdout).next()).await;
    assert_eq!(block.unwrap().unwrap().iter().collect::<Vec<_>>(), [b"a"]);
    io.set_line_options(LineOptions::default());
    child.stdout.write_all(b"\nx\n").await.unwrap();
    let block = within(io.line_blocks(Source::Stdout).next()).await;
    assert_eq!(block.unwrap().unwrap().iter().collect::<Vec<_>>(), [b"x"]);
}

#[tokio::test]
async fn blocks_end_what_a_cut_line_left_behind() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    io.set_line_options(LineOptions::default().max_line_length(3, LongLine::Cut));
    child.stdout.write_all(b"abcdef\nx\n").await.unwrap();
    let cut = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
    assert_eq!(cut.as_bytes(), b"abc");
    let block = within(io.line_blocks(Source::Stdout).next())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(block.as_bytes(), b"def\nx\n");
    child.stdout.write_all(b"y\n").await.unwrap();
    let line = within(io.recv_line(Source::Stdout)).await.unwrap().unwrap();
    assert_eq!(line.as_bytes(), b"y");
}

#[tokio::test]
async fn a_longest_line_of_nothing_is_one_byte() {
    let (parts, mut child) = memory::child();
    let mut io = ProcessIo::from_parts(parts);
    let mut options = LineOptions::default();
    options.max_line_length = 0;
    options.long_line = LongLine::Split;
    io.set_line_options(options);
    child.stdout.write_all(b"ab\n").await.unwrap();
    child.exit(0);
    let lines: Vec<_> = within(
        io.stdout_lines()
            .map_ok(|line| line.to_string())
            .try_collect(),
    )
    .await
    .unwrap();
    assert_eq!(lines, ["a", "b"]);
}

/// What gives nothing changes nothing, amid a `\r\n` or a line that is cut.
#[tokio::test]
async fn a_call_that_finds_nothing_does_not_disturb_the_lines() {
    use process_io::{Recv, transport::memory};
    use tokio::io::AsyncWriteExt;
    let out = Source::Stdout;
    for way in 0..3 {
        for (options, start, rest) in [
            (
                LineOptions::default().terminator(Terminator::CarriageReturn),
                "one\r",
                "\ntwo\r",
            ),
            (
                LineOptions::default().max_line_length(3, LongLine::Cut),
                "oneoneone",
                "one\ntwo\n",
            ),
        ] {
            let (parts, mut child) = memory::child();
            let mut io = ProcessIo::from_parts(parts);
            io.set_line_options(options);
            within(child.stdout.write_all(start.as_bytes()))
                .await
                .unwrap();
            assert_eq!(within(io.recv_line(out)).await.unwrap().unwrap(), "one");
            // What is known to belong to that is taken away.
            assert!(io.recv_line(out).now_or_never().is_none());
            match way {
                0 => assert_eq!(io.recv_nowait(out).unwrap(), Recv::Empty),
                1 => drop(io.bytes(out).next().now_or_never()),
                _ => drop(
                    io.copy_to(Source::Stderr, &mut tokio::io::sink())
                        .now_or_never(),
                ),
            }
            within(child.stdout.write_all(rest.as_bytes()))
                .await
                .unwrap();
            assert_eq!(
                within(io.recv_line(out)).await.unwrap().unwrap(),
                "two",
                "{way} {options:?}"
            );
        }
    }
}
