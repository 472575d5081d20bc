//! processkit.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures::{StreamExt, future::try_join_all};
use processkit::{
    Command, Finished, Outcome, OutputBufferPolicy, ProcessEvent, RunningProcess, Stdin,
};
use tokio::io::AsyncWrite;

use super::{SETTLE, done, len, line_len, memory, memory_of};
use crate::{
    Result,
    work::{BUFFER, Done, Job, Kind, MESSAGE, READY, counted},
};

pub(super) async fn run(job: &Job) -> Result {
    let command = command(&job.argv());
    match job.kind {
        Kind::Bulk => {
            // It has no stream of bytes; this is what it offers for bytes as they are.
            let counter = Counter::default();
            let began = Instant::now();
            let policy = OutputBufferPolicy::unbounded().with_max_bytes(BUFFER);
            let command = command.output_buffer(policy);
            let run = command.stdout_raw_tee(counter.clone()).start().await?;
            run.drain().await?;
            done(began, counter.0.load(Ordering::Relaxed))
        }
        Kind::Capture | Kind::Held => {
            let began = Instant::now();
            let output = command.output_bytes().await?;
            done(began, len(output.stdout()))
        }
        Kind::Feed => {
            let input = job.input();
            let began = Instant::now();
            let output = command.stdin(Stdin::from_bytes(input));
            let output = output.output_bytes().await?;
            done(began, len(output.stdout()))
        }
        Kind::Lines => {
            let began = Instant::now();
            let mut run = command.start().await?;
            let mut lines = run.stdout_lines()?;
            let mut bytes = 0;
            while let Some(line) = lines.next().await {
                bytes += line_len(line);
            }
            well(run.finish().await?)?;
            done(began, bytes)
        }
        Kind::Tagged => tagged(command).await,
        Kind::RoundTrip => round_trips(job, command).await,
        Kind::Pattern => {
            let bytes = AtomicU64::new(0);
            let began = Instant::now();
            let mut run = command.keep_stdin_open().start().await?;
            let found = |line: &str| {
                let found = line.contains(READY);
                if !found {
                    bytes.fetch_add(line_len(line), Ordering::Relaxed);
                }
                found
            };
            run.wait_for_line(found, Duration::from_secs(100)).await?;
            done(began, bytes.load(Ordering::Relaxed))
        }
        Kind::AtOnce => {
            let began = Instant::now();
            let run = |_| command.output_bytes();
            let outputs = try_join_all((0..job.size).map(run)).await?;
            let bytes = outputs.iter().map(|output| len(output.stdout())).sum();
            done(began, bytes)
        }
        Kind::Idle => {
            let before = memory()?;
            let mut waiting = Vec::new();
            for _ in 0..job.size {
                let mut run = command.clone().keep_stdin_open().start().await?;
                let mut lines = run.stdout_lines()?;
                waiting.push(async move { (lines.next().await, run) });
            }
            memory_of(before, waiting, tokio::time::sleep(SETTLE)).await
        }
        Kind::Pipeline => {
            let [first, second, third] = job.stages().map(|argv| self::command(&argv));
            let began = Instant::now();
            let output = first.pipe(second).pipe(third).output_bytes().await?;
            done(began, counted(output.stdout())?)
        }
    }
}

fn command(argv: &[String]) -> Command {
    Command::new(&argv[0]).args(&argv[1..])
}

fn well(finished: Finished) -> Result<()> {
    match finished.outcome {
        Outcome::Exited(0) => Ok(()),
        other => Err(format!("the child ended as {other:?}").into()),
    }
}

async fn tagged(command: Command) -> Result {
    let began = Instant::now();
    let mut run: RunningProcess = command.start().await?;
    let mut events = run.events()?;
    let (mut stdout, mut stderr) = (0, 0);
    let read = async {
        while let Some(event) = events.next().await {
            match event {
                ProcessEvent::Stdout(line) => stdout += line_len(line.text()),
                ProcessEvent::Stderr(line) => stderr += line_len(line.text()),
                _ => {}
            }
        }
    };
    let ((), finished) = tokio::join!(read, run.finish());
    well(finished?)?;
    let cost = began.elapsed().as_secs_f64();
    Ok(Done {
        cost,
        stdout,
        stderr,
    })
}

async fn round_trips(job: &Job, command: Command) -> Result {
    let mut run = command.keep_stdin_open().start().await?;
    let mut stdin = run.take_stdin().ok_or("no stdin")?;
    let mut lines = run.stdout_lines()?;
    let mut bytes = 0;
    let began = Instant::now();
    for _ in 0..job.size {
        stdin.write_line(MESSAGE.trim_end()).await?;
        bytes += line_len(lines.next().await.ok_or("no answer")?);
    }
    done(began, bytes)
}

/// Counts the bytes that are written to it.
#[derive(Clone, Default)]
struct Counter(Arc<AtomicU64>);

impl AsyncWrite for Counter {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context, piece: &[u8]) -> Poll<io::Result<usize>> {
        self.0.fetch_add(len(piece), Ordering::Relaxed);
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
