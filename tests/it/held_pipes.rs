//! Promise 4 on the other paths: a descendant that holds the pipes cannot stall whoever reads lines, waits for a
//! prompt, speaks a protocol, asks for a while, or holds one half. (`promise_04_no_hang_after_exit` has the rest.)

use std::time::{Duration, Instant};

use futures::{Stream, StreamExt, future::join_all};
use process_io::{
    DEFAULT_DRAIN_CAP, DEFAULT_DRAIN_IDLE, Drain, Error, ErrorKind, Event, Limits, Line, LineEnd,
    Overflow, ProcessIOWrapper, ProcessIo, ReadSource, Recv, Result, Source, transport::memory,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::codec::BytesCodec;

use crate::support::{assert_bytes, child, pattern, tick, within};

/// How long the grandchild lives, in milliseconds, unless it is killed.
const LIFETIME: &str = "60000";
/// Well below that, and far above what it takes.
const IN_TIME: Duration = Duration::from_secs(30);
/// For a window that only the end of the stream closes.
const LONG: Duration = Duration::from_secs(3600);

/// A way to read stdout to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Path {
    Lines,
    StdoutLines,
    IntoLines,
    RecvLine,
    Blocks,
    Expect,
    CheckedFile,
    FileOfBoth,
    Frames,
    RecvTimeout,
    RecvFor,
    RecvUntilQuiet,
    Exchange,
    EventsOfHalf,
    LinesOfHalf,
}

const PATHS: [Path; 15] = [
    Path::Lines,
    Path::StdoutLines,
    Path::IntoLines,
    Path::RecvLine,
    Path::Blocks,
    Path::Expect,
    Path::CheckedFile,
    Path::FileOfBoth,
    Path::Frames,
    Path::RecvTimeout,
    Path::RecvFor,
    Path::RecvUntilQuiet,
    Path::Exchange,
    Path::EventsOfHalf,
    Path::LinesOfHalf,
];

fn put(stdout: &mut Vec<u8>, line: Line) {
    stdout.extend_from_slice(line.as_bytes());
    if line.end() == LineEnd::Terminator {
        stdout.push(b'\n');
    }
}

async fn join(mut lines: impl Stream<Item = Result<Line>> + Unpin) -> Result<Vec<u8>> {
    let mut stdout = Vec::new();
    while let Some(line) = lines.next().await {
        put(&mut stdout, line?);
    }
    Ok(stdout)
}

/// The child has exited with code 7, and this says so.
fn assert_failed(error: Error) {
    assert_eq!(error.kind(), ErrorKind::Failed, "{error}");
    assert_eq!(error.status().unwrap().code(), Some(7));
}

impl Path {
    async fn read(self, io: ProcessIo) -> (Vec<u8>, ProcessIo) {
        within(self.try_read(io))
            .await
            .unwrap_or_else(|error| panic!("{self:?}: {error}"))
    }

    async fn try_read(self, mut io: ProcessIo) -> Result<(Vec<u8>, ProcessIo)> {
        let source = Source::Stdout;
        let mut stdout = Vec::new();
        match self {
            Self::Lines => stdout = join(io.lines()).await?,
            Self::StdoutLines => stdout = join(io.stdout_lines()).await?,
            Self::IntoLines => {
                let mut lines = io.into_lines();
                stdout = join(&mut lines).await?;
                io = lines.into_inner();
            }
            Self::RecvLine => {
                while let Some(line) = io.recv_line(source).await? {
                    put(&mut stdout, line);
                }
            }
            Self::Blocks => {
                let mut blocks = io.line_blocks(source);
                while let Some(block) = blocks.next().await {
                    stdout.extend_from_slice(block?.as_bytes());
                }
            }
            Self::Expect => {
                // On stderr, for a flood on stdout is no place to look for what never comes.
                let found = io.expect_from(ReadSource::Stderr, "never", LONG).await;
                let error = found.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Eof, "{error}");
                assert_eq!(error.status().unwrap().code(), Some(7));
                stdout = error.into_output().unwrap().stdout.into();
            }
            Self::CheckedFile => {
                let mut file = ProcessIOWrapper::from(io).check_exit(true);
                let error = file.read_to_end(&mut stdout).await.unwrap_err();
                assert_failed(error.into());
                io = file.into_inner();
            }
            Self::FileOfBoth => {
                let mut file = ProcessIOWrapper::from(io).read_from(ReadSource::Both);
                file.read_to_end(&mut stdout).await?;
                io = file.into_inner();
            }
            Self::Frames => {
                let mut frames = io.framed(BytesCodec::new());
                loop {
                    match frames.next().await.expect("an error before the end") {
                        Ok(frame) => stdout.extend_from_slice(&frame),
                        Err(error) => break assert_failed(error.into()),
                    }
                }
                io = frames.into_inner().into_inner();
            }
            Self::RecvTimeout | Self::RecvFor | Self::RecvUntilQuiet => loop {
                let received = match self {
                    Self::RecvTimeout => io.recv_timeout(source, LONG).await?,
                    Self::RecvFor => io.recv_for(source, LONG).await?,
                    _ => io.recv_until_quiet(source, LONG, LONG).await?,
                };
                match received {
                    Recv::Data(data) => stdout.extend_from_slice(&data),
                    Recv::Eof => break,
                    Recv::Empty => panic!("{self:?} ended early"),
                }
            },
            Self::Exchange => loop {
                match io.exchange("", LONG).await {
                    Ok(got) => stdout.extend_from_slice(&got.stdout),
                    // The run is over.
                    Err(error) if error.is_broken_pipe() => break,
                    Err(error) => return Err(error),
                }
            },
            Self::EventsOfHalf => {
                let (send, mut recv) = io.into_split();
                loop {
                    match recv.next().await.expect("the exit before the end")? {
                        Event::Stdout(piece) => stdout.extend_from_slice(&piece),
                        Event::Stderr(piece) => panic!("{piece:?}"),
                        Event::Exit(status) => break assert_eq!(status.code(), Some(7)),
                        _ => {}
                    }
                }
                io = ProcessIo::unsplit(send, recv).expect("halves of one child");
            }
            Self::LinesOfHalf => {
                let (send, recv) = io.into_split();
                let mut lines = recv.into_lines();
                stdout = join(&mut lines).await?;
                io = ProcessIo::unsplit(send, lines.into_inner()).expect("halves of one child");
            }
        }
        assert_eq!(io.wait().await?.code(), Some(7), "{self:?}");
        Ok((stdout, io))
    }
}

struct Run {
    path: Path,
    stdout: Vec<u8>,
    held: bool,
    took: Duration,
}

impl Run {
    /// What comes after the child's own line.
    fn rest(&self) -> &[u8] {
        let end = self.stdout.iter().position(|byte| *byte == b'\n');
        &self.stdout[end.expect("a line") + 1..]
    }
}

async fn hold(lifetime: &str, mode: &str, drain: Drain, path: Path) -> Run {
    let start = Instant::now();
    // A flood soon reaches the default limit, which is another promise.
    let limits = Limits::default().stdout(1 << 20, Overflow::KeepHead);
    let run = ProcessIo::builder(child(&["hold", lifetime, mode]));
    let io = run.drain(drain).limits(limits).spawn().unwrap();
    let (stdout, io) = path.read(io).await;
    let run = Run {
        path,
        stdout,
        held: io.pipes_held(),
        took: start.elapsed(),
    };
    assert!(run.stdout.starts_with(b"parent "), "{path:?} {mode}");
    let rest = run.rest();
    match mode {
        "quiet" => assert_eq!(rest, b"", "{path:?}"),
        "chatty" => assert_eq!(rest, b"tick\n".repeat(rest.len() / 5), "{path:?}"),
        // Some of these paths leave out what is beyond the limit.
        _ => {
            let n = rest.len().min(1 << 19);
            assert_bytes(&rest[..n], pattern(n));
        }
    }
    run
}

/// On all paths at once, with a grandchild that lives long.
async fn hold_long(mode: &str, drain: Drain) -> Vec<Run> {
    let runs = join_all(PATHS.map(|path| hold(LIFETIME, mode, drain, path))).await;
    for Run {
        path, held, took, ..
    } in &runs
    {
        assert!(*held, "{path:?} {mode}");
        assert!(*took < IN_TIME, "{path:?} {mode} took {took:?}");
    }
    runs
}

#[tokio::test]
async fn quiet_by_default() {
    for run in hold_long("quiet", Drain::default()).await {
        assert!(run.took >= DEFAULT_DRAIN_IDLE, "{:?}", run.path);
    }
}

#[tokio::test]
async fn chatty_by_default() {
    for run in hold_long("chatty", Drain::default()).await {
        assert!(run.rest().starts_with(b"tick\n"), "{:?}", run.path);
    }
}

#[tokio::test]
async fn no_longer_than_the_cap() {
    let (idle, cap) = (IN_TIME, Duration::from_millis(300));
    for mode in ["quiet", "chatty", "flood"] {
        for run in hold_long(mode, Drain::Linger { idle, cap }).await {
            assert!(run.took >= cap, "{:?} {mode}: {:?}", run.path, run.took);
        }
    }
}

#[tokio::test]
async fn no_longer_than_the_silence() {
    let (idle, cap) = (Duration::from_millis(300), Duration::MAX);
    for run in hold_long("quiet", Drain::Linger { idle, cap }).await {
        assert!(run.took >= idle, "{:?}: {:?}", run.path, run.took);
    }
}

#[tokio::test]
async fn nobody_is_waited_for_with_immediate() {
    for mode in ["quiet", "chatty", "flood"] {
        hold_long(mode, Drain::Immediate).await;
    }
}

#[tokio::test]
async fn until_eof_hears_the_grandchild_out() {
    for mode in ["quiet", "chatty", "flood"] {
        let lifetime = Duration::from_millis(300);
        let runs = PATHS.map(|path| hold("300", mode, Drain::UntilEof, path));
        for run in join_all(runs).await {
            let path = run.path;
            assert!(!run.held, "{path:?} {mode}");
            assert!(run.took >= lifetime, "{path:?} {mode}: {:?}", run.took);
            assert_eq!(run.rest().is_empty(), mode == "quiet", "{path:?} {mode}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_lingers_while_data_still_comes_and_no_longer() {
    for path in PATHS {
        // With the cap, and without it.
        for (ticks, expected) in [(4, DEFAULT_DRAIN_IDLE * 3), (1000, DEFAULT_DRAIN_CAP)] {
            let (parts, child) = memory::child();
            let io = ProcessIo::from_parts(parts);
            let holder = tick(child.exit_holding(7), ticks);
            let start = tokio::time::Instant::now();
            let (got, io) = path.read(io).await;
            let took = start.elapsed();
            holder.abort();
            assert!(io.pipes_held(), "{path:?}");
            assert_eq!(got, b"tick\n".repeat(got.len() / 5), "{path:?}");
            assert!(ticks == 1000 || got.len() == 5 * ticks as usize, "{path:?}");
            // A timer's grain.
            let late = expected + Duration::from_millis(5);
            assert!((expected..=late).contains(&took), "{path:?}: {took:?}");
        }
    }
}

/// The descendant holds stdin too, and does not read it.
#[cfg(unix)] // The shell moves descriptors.
mod stdin {
    use bytes::Bytes;
    use futures::{FutureExt, SinkExt};

    use super::*;
    use crate::support::sh;

    const LARGE: usize = 10 << 20;
    /// It holds all three, or stdin alone.
    const SCRIPTS: [&str; 2] = [
        "exec 3<&0; sleep 60 <&3 & exit 7",
        "exec 3<&0; sleep 60 <&3 >/dev/null 2>&1 & exit 7",
    ];

    fn assert_broken(error: &Error) {
        assert!(error.is_broken_pipe(), "{error}");
        assert_eq!(error.status().expect("the exit").code(), Some(7));
    }

    #[tokio::test]
    async fn a_message_is_not_waited_for() {
        for script in SCRIPTS {
            let mut io = ProcessIo::spawn(sh(script)).unwrap();
            assert_broken(&within(io.send(vec![0; LARGE])).await.unwrap_err());
            let mut io = ProcessIo::spawn(sh(script)).unwrap();
            let sent = within(SinkExt::send(&mut io, Bytes::from(vec![0; LARGE]))).await;
            assert_broken(&sent.unwrap_err());
        }
    }

    #[tokio::test]
    async fn a_file_is_not_written_for_ever() {
        for script in SCRIPTS {
            for check in [false, true] {
                let io = ProcessIo::spawn(sh(script)).unwrap();
                let mut file = ProcessIOWrapper::from(io).check_exit(check);
                let error = within(file.write_all(&vec![0; LARGE])).await.unwrap_err();
                assert_broken(&error.into());
            }
        }
    }

    #[tokio::test]
    async fn the_input_of_a_run_is_not_waited_for() {
        for script in SCRIPTS {
            let run = ProcessIo::builder(sh(script)).input(vec![0; LARGE]);
            let output = within(run).await.unwrap();
            assert_eq!(output.code(), Some(7));
            assert!((1..LARGE as u64).contains(&output.stdin_written));
        }
    }

    #[tokio::test]
    async fn what_was_queued_is_dropped_at_the_end() {
        for script in SCRIPTS {
            let mut io = ProcessIo::spawn(sh(script)).unwrap();
            assert!(io.send(vec![0; LARGE]).now_or_never().is_none());
            assert_eq!(within(io.wait()).await.unwrap().code(), Some(7));
            assert_eq!(io.queued(), 0);
            assert!(io.written() < LARGE as u64);
        }
    }
}
