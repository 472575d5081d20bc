//! Bounded memory: each limit keeps exactly what it says, counts what it drops, and nothing is lost in silence.

use process_io::{
    DEFAULT_STDERR_LIMIT, DEFAULT_STDOUT_LIMIT, Error, Limits, Output, Overflow, ProcessIo, Result,
    Source,
};

use crate::support::{Way, assert_bytes, child, pattern, within};

const LIMIT: usize = 100_000;
/// More than the limit and all pipes on the way, which grow, together.
const MORE: usize = 950_000;

fn limited(args: &[&str], limits: Limits) -> ProcessIo {
    let run = ProcessIo::builder(child(args)).limits(limits);
    run.spawn().expect("the child starts")
}

/// A run that writes `n` bytes to both streams, of which both keep `LIMIT`.
async fn both(n: usize, overflow: Overflow) -> Result<Output> {
    let limits = Limits::default()
        .stdout(LIMIT, overflow)
        .stderr(LIMIT, overflow);
    let n = n.to_string();
    let run = ProcessIo::builder(child(&["write", "out", &n, "err", &n])).limits(limits);
    within(run).await
}

fn kept(n: usize, overflow: Overflow) -> Vec<u8> {
    let all = pattern(n);
    let half = LIMIT / 2;
    match overflow {
        _ if n <= LIMIT => all,
        Overflow::KeepHead => all[..LIMIT].to_vec(),
        Overflow::KeepTail => all[n - LIMIT..].to_vec(),
        Overflow::KeepBoth => [&all[..half], &all[n - half..]].concat(),
        Overflow::Block | Overflow::Fail => unreachable!("these keep everything"),
    }
}

const KEEP: [Overflow; 3] = [Overflow::KeepHead, Overflow::KeepTail, Overflow::KeepBoth];

#[tokio::test]
async fn each_way_to_keep_is_exact_and_counts_the_rest() {
    for overflow in KEEP {
        for n in [0, LIMIT - 1, LIMIT, LIMIT + 1, MORE] {
            let output = both(n, overflow).await.unwrap();
            assert!(output.success());
            let omitted = n.saturating_sub(LIMIT) as u64;
            assert_eq!(output.stdout_omitted, omitted, "{overflow:?} of {n}");
            assert_eq!(output.stderr_omitted, omitted, "{overflow:?} of {n}");
            assert_bytes(output.stdout, kept(n, overflow));
            assert_bytes(output.stderr, kept(n, overflow));
        }
    }
}

#[tokio::test]
async fn what_is_kept_by_a_wait_is_exact_too() {
    for overflow in KEEP {
        let limits = Limits::default().stdout(LIMIT, overflow);
        let mut io = limited(&["write", "out", &MORE.to_string()], limits);
        within(io.wait()).await.unwrap();
        assert_eq!(io.omitted(Source::Stdout), (MORE - LIMIT) as u64);
        assert_eq!(io.omitted(Source::Stderr), 0);
        let (left, _) = Way::Recv.read(io).await;
        assert_bytes(left.stdout, kept(MORE, overflow));
    }
}

#[tokio::test]
async fn a_reader_that_takes_each_piece_never_meets_a_limit() {
    for overflow in KEEP.into_iter().chain([Overflow::Fail, Overflow::Block]) {
        for way in [Way::Events, Way::Recv, Way::Wrapper, Way::Halves] {
            let limits = Limits::default().stdout(10, overflow);
            let io = limited(&["write", "out", &MORE.to_string()], limits);
            let (left, io) = way.read(io).await;
            assert_bytes(left.stdout, pattern(MORE));
            assert_eq!(io.omitted(Source::Stdout), 0, "{way:?} {overflow:?}");
        }
    }
}

#[tokio::test]
async fn exactly_at_the_limit_is_no_error() {
    for n in [LIMIT - 1, LIMIT] {
        let output = both(n, Overflow::Fail).await.unwrap();
        assert_bytes(output.stdout, pattern(n));
        assert_bytes(output.stderr, pattern(n));
        assert_eq!((output.stdout_omitted, output.stderr_omitted), (0, 0));
    }
    let error = both(LIMIT + 1, Overflow::Fail).await.unwrap_err();
    assert!(error.is_limit(), "{error}");
}

#[tokio::test]
async fn block_that_is_exactly_at_the_limit_is_read_to_the_end() {
    for n in [LIMIT - 1, LIMIT] {
        let output = both(n, Overflow::Block).await.unwrap();
        assert_bytes(output.stdout, pattern(n));
        assert_bytes(output.stderr, pattern(n));
        assert!(!output.pipes_held, "{n}");
    }
}

fn failing(args: &[&str], limit: usize) -> ProcessIo {
    limited(args, Limits::default().stdout(limit, Overflow::Fail))
}

fn assert_limit(error: &Error) {
    assert!(error.is_limit(), "{error}");
    assert!(error.to_string().contains("stdout"), "{error}");
    assert!(error.to_string().contains(&LIMIT.to_string()), "{error}");
    assert!(error.command().unwrap().contains("child"), "{error}");
}

#[tokio::test]
async fn fail_carries_what_was_kept_and_loses_nothing() {
    let mut io = failing(&["write", "out", &MORE.to_string(), "err", "50"], LIMIT);
    let (mut got, mut messages, mut errors) = (Vec::new(), Vec::new(), 0);
    let last = loop {
        match within(io.output()).await {
            Ok(output) => break output,
            Err(error) => {
                assert_limit(&error);
                errors += 1;
                let partial = error.into_output().unwrap();
                assert_eq!(partial.stdout.len(), LIMIT);
                got.extend_from_slice(&partial.stdout);
                messages.extend_from_slice(&partial.stderr);
            }
        }
    };
    assert_eq!(errors, MORE / LIMIT);
    assert!(last.success());
    got.extend_from_slice(&last.stdout);
    messages.extend_from_slice(&last.stderr);
    assert_bytes(got, pattern(MORE));
    assert_bytes(messages, pattern(50));
}

#[tokio::test]
async fn after_a_wait_that_failed_everything_can_be_read() {
    for way in [Way::Events, Way::Recv, Way::Wrapper, Way::Halves] {
        let mut io = failing(&["write", "out", &MORE.to_string()], LIMIT);
        let error = within(io.wait()).await.unwrap_err();
        assert_limit(&error);
        assert!(error.output().is_none());
        let again = within(io.wait()).await.unwrap_err();
        assert_limit(&again);
        let (left, _) = way.read(io).await;
        assert!(left.status.success(), "{way:?}");
        assert_bytes(left.stdout, pattern(MORE));
    }
}

#[tokio::test]
async fn a_send_that_fails_at_the_limit_goes_on_once_there_is_room() {
    let mut io = failing(&["echo"], LIMIT);
    let mut sent = within(io.send(pattern(MORE))).await;
    let (mut got, mut errors) = (Vec::new(), 0);
    while let Err(error) = sent {
        assert_limit(&error);
        errors += 1;
        got.extend_from_slice(
            &within(io.recv(Source::Stdout))
                .await
                .unwrap()
                .data()
                .unwrap(),
        );
        sent = within(io.send("")).await;
    }
    assert!(errors > 0);
    io.close_stdin();
    let (left, _) = Way::Recv.read(io).await;
    got.extend_from_slice(&left.stdout);
    assert_bytes(got, pattern(MORE));
}

#[tokio::test]
async fn a_recv_of_one_stream_fails_at_the_limit_of_the_other() {
    let mut io = failing(&["write", "out", &MORE.to_string(), "err", "50"], LIMIT);
    let (mut got, mut errors) = (Vec::new(), 0);
    let first = loop {
        match within(io.recv(Source::Stderr)).await {
            Ok(piece) => break piece.data().unwrap(),
            Err(error) => {
                assert_limit(&error);
                errors += 1;
                got.extend_from_slice(
                    &within(io.recv(Source::Stdout))
                        .await
                        .unwrap()
                        .data()
                        .unwrap(),
                );
            }
        }
    };
    assert!(errors > 0);
    assert_bytes(first, pattern(50));
    let (left, _) = Way::Recv.read(io).await;
    got.extend_from_slice(&left.stdout);
    assert_bytes(got, pattern(MORE));
}

#[tokio::test]
async fn the_defaults_are_what_the_constants_say() {
    let over = DEFAULT_STDERR_LIMIT + 1000;
    let run = ProcessIo::builder(child(&["write", "err", &over.to_string()]));
    let output = within(run).await.unwrap();
    assert!(output.success());
    assert_eq!(output.stderr_omitted, 1000);
    assert_bytes(output.stderr, &pattern(over)[1000..]);

    let over = DEFAULT_STDOUT_LIMIT + 1;
    let run = ProcessIo::builder(child(&["write", "out", &over.to_string()]));
    let error = within(run).await.unwrap_err();
    assert!(error.is_limit(), "{error}");
    assert_bytes(&error.output().unwrap().stdout, &pattern(over)[..over - 1]);
}

#[tokio::test]
async fn a_limit_of_nothing_keeps_nothing() {
    for (overflow, fails) in [
        (Overflow::KeepHead, false),
        (Overflow::KeepTail, false),
        (Overflow::KeepBoth, false),
        (Overflow::Fail, true),
    ] {
        let limits = Limits::default().stdout(0, overflow);
        let run = ProcessIo::builder(child(&["write", "out", "5000"])).limits(limits);
        match within(run).await {
            Ok(output) => {
                assert!(!fails);
                assert_eq!(output.stdout, "");
                assert_eq!(output.stdout_omitted, 5000, "{overflow:?}");
            }
            Err(error) => assert!(fails && error.is_limit(), "{overflow:?}: {error}"),
        }
    }
}

/// `/proc` says how much memory a process ever had, so this is for Linux. Other tests must not share the process.
#[cfg(target_os = "linux")]
mod memory {
    use std::time::Duration;

    use futures::StreamExt;
    use process_io::{Event, ProcessIOWrapper};
    use tokio::{io::AsyncWriteExt, time::timeout};

    use super::*;
    use crate::support::alone;

    /// Much more than may be kept.
    const FLOOD: u64 = 400 << 20;

    /// The most that was ever resident, in bytes.
    fn peak() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.unwrap().trim().trim_end_matches(" kB");
        kib.parse::<usize>().unwrap() << 10
    }

    #[tokio::test]
    async fn a_flood_on_stderr_stays_within_its_limit() {
        if !alone("promise_03_bounded_memory::memory::a_flood_on_stderr_stays_within_its_limit") {
            return;
        }
        let before = peak();
        let mut io = ProcessIo::spawn(child(&["flood", "err"])).unwrap();
        within(async {
            while io.omitted(Source::Stderr) < FLOOD {
                assert!(timeout(Duration::from_millis(50), io.wait()).await.is_err());
            }
        })
        .await;
        let grown = peak() - before;
        assert!(grown > DEFAULT_STDERR_LIMIT, "{grown} bytes: is it kept?");
        // Twice the limit, as `Limit::bytes` says, and what else a process needs.
        let most = 2 * DEFAULT_STDERR_LIMIT + (8 << 20);
        assert!(grown < most, "{grown} bytes");
    }

    #[tokio::test]
    async fn a_flood_that_is_read_piece_by_piece_takes_no_memory() {
        if !alone(
            "promise_03_bounded_memory::memory::a_flood_that_is_read_piece_by_piece_takes_no_memory",
        ) {
            return;
        }
        let before = peak();
        let mut io = ProcessIo::spawn(child(&["flood"])).unwrap();
        let mut got = 0;
        while got < FLOOD {
            match within(io.next()).await.unwrap().unwrap() {
                Event::Stdout(piece) => got += piece.len() as u64,
                other => panic!("{other:?}"),
            }
        }
        let grown = peak() - before;
        assert!(grown < 8 << 20, "{grown} bytes");
    }

    #[tokio::test]
    async fn a_wrapper_that_only_writes_keeps_up_to_the_limit() {
        if !alone(
            "promise_03_bounded_memory::memory::a_wrapper_that_only_writes_keeps_up_to_the_limit",
        ) {
            return;
        }
        let limits = Limits::default().stdout(1 << 20, Overflow::Fail);
        let io = limited(&["echo"], limits);
        let mut file = ProcessIOWrapper::from(io);
        let chunk = vec![7; 1 << 20];
        let before = peak();
        let writes = async {
            loop {
                file.write_all(&chunk).await.unwrap();
            }
        };
        assert!(timeout(Duration::from_millis(500), writes).await.is_err());
        let (grown, written) = (peak() - before, file.get_ref().written());
        assert!(grown < 16 << 20, "{grown} bytes");
        assert!(1 << 20 < written && written < 16 << 20, "{written} bytes");
    }
}
