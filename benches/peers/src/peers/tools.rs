//! tokio-process-tools.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::try_join_all;
use tokio::{io::AsyncWriteExt, process::Command, sync::mpsc};
use tokio_process_tools::{
    AutoName, CollectedBytes, Consumable, DEFAULT_MAX_BUFFERED_CHUNKS, DEFAULT_OUTPUT_EOF_TIMEOUT,
    DEFAULT_READ_CHUNK_SIZE, LineParsingOptions, Next, NumBytes, NumBytesExt, ParseLines, Process,
    ProcessHandle, RawCollectionOptions, RawOutputOptions, ReliableWithBackpressure, ReplayEnabled,
    SingleSubscriberOutputStream, StreamVisitor, WaitForLineResult,
    visitors::{collect::CollectChunks, inspect::InspectChunks},
};

use super::{SETTLE, cannot, done, len, line_len, memory, memory_of};
use crate::{
    Result,
    work::{BUFFER, Done, Job, Kind, MESSAGE, READY},
};

type Stream = SingleSubscriberOutputStream<ReliableWithBackpressure, ReplayEnabled>;
type Handle = ProcessHandle<Stream>;

/// Never reached: the harness has its own.
const LIMIT: Duration = Duration::from_secs(100);

pub(super) async fn run(job: &Job) -> Result {
    match job.kind {
        Kind::Bulk => {
            let bytes = Counter::default();
            let began = Instant::now();
            let mut process = spawn(job, BUFFER.bytes())?;
            let count = bytes.clone();
            let counter = InspectChunks::builder()
                .f(move |chunk| count.add(len(chunk)))
                .build();
            let consumer = process.stdout().consume(counter)?;
            process
                .wait_for_completion(LIMIT)
                .await?
                .expect_completed("it ends");
            consumer.wait().await?;
            done(began, bytes.get())
        }
        Kind::Capture | Kind::Held => {
            let began = Instant::now();
            let stdout = collect(spawn(job, BUFFER.bytes())?).await?;
            done(began, len(&stdout))
        }
        Kind::Feed => {
            let input = job.input();
            let began = Instant::now();
            let process = spawn(job, BUFFER.bytes())?;
            feed(process, &input, began).await
        }
        Kind::Lines | Kind::Tagged => lines(job).await,
        Kind::RoundTrip => round_trips(job).await,
        Kind::Pattern => {
            let bytes = Counter::default();
            let began = Instant::now();
            let mut process = spawn(job, BUFFER.bytes())?;
            process.must_not_be_terminated();
            let count = bytes.clone();
            let found = move |line: std::borrow::Cow<'_, str>| {
                let found = line.contains(READY);
                if !found {
                    count.add(line_len(&*line));
                }
                found
            };
            let options = LineParsingOptions::default();
            match process
                .stdout()
                .wait_for_line(LIMIT, found, options)?
                .await?
            {
                WaitForLineResult::Matched => done(began, bytes.get()),
                _ => Err("no such line".into()),
            }
        }
        Kind::AtOnce => {
            let began = Instant::now();
            let run = |_| async { collect(spawn(job, BUFFER.bytes())?).await };
            let outputs = try_join_all((0..job.size).map(run)).await?;
            done(began, outputs.iter().map(len).sum())
        }
        Kind::Idle => {
            let before = memory()?;
            let mut waiting = Vec::new();
            for _ in 0..job.size {
                let mut process = spawn(job, DEFAULT_READ_CHUNK_SIZE)?;
                process.must_not_be_terminated();
                let lines = count_lines(Counter::default());
                let consumer = process.stdout().consume(lines)?;
                waiting.push(async move { (consumer.wait().await, process) });
            }
            memory_of(before, waiting, tokio::time::sleep(SETTLE)).await
        }
        Kind::Pipeline => cannot("it has no pipelines, and takes the pipe of each child"),
    }
}

fn spawn(job: &Job, chunk: NumBytes) -> Result<Handle> {
    let process = Process::new(Command::from(job.command()))
        .name(AutoName::program_only())
        .stdout_and_stderr(|stream| {
            stream
                .single_subscriber()
                .reliable_with_backpressure()
                .replay_last_bytes(1.megabytes())
                .read_chunk_size(chunk)
                .max_buffered_chunks(DEFAULT_MAX_BUFFERED_CHUNKS)
        });
    Ok(process.spawn()?)
}

async fn collect(mut process: Handle) -> Result<Vec<u8>> {
    let options = RawOutputOptions::symmetric(RawCollectionOptions::TrustedUnbounded);
    let output = process
        .wait_for_completion(LIMIT)
        .with_raw_output(DEFAULT_OUTPUT_EOF_TIMEOUT, options)
        .await;
    // What could not be waited for must not panic on top of that.
    process.must_not_be_terminated();
    let output = output?.expect_completed("it ends");
    Ok(output.stdout.bytes)
}

/// Waiting closes stdin, so the input comes first, and its output meanwhile goes to a consumer.
async fn feed(mut process: Handle, input: &[u8], began: Instant) -> Result {
    let collector = CollectedBytes::collector(RawCollectionOptions::TrustedUnbounded);
    let collect = CollectChunks::fold(CollectedBytes::new(), collector);
    let stdout = process.stdout().consume(collect)?;
    let stdin = process.stdin().as_mut().ok_or("no stdin")?;
    stdin.write_all(input).await?;
    process
        .wait_for_completion(LIMIT)
        .await?
        .expect_completed("it ends");
    let stdout = stdout.wait().await?;
    done(began, len(&stdout.bytes))
}

async fn lines(job: &Job) -> Result {
    let (stdout, stderr) = (Counter::default(), Counter::default());
    let began = Instant::now();
    let mut process = spawn(job, BUFFER.bytes())?;
    let out = process.stdout().consume(count_lines(stdout.clone()))?;
    let err = process.stderr().consume(count_lines(stderr.clone()))?;
    process
        .wait_for_completion(LIMIT)
        .await?
        .expect_completed("it ends");
    out.wait().await?;
    err.wait().await?;
    let cost = began.elapsed().as_secs_f64();
    Ok(Done {
        cost,
        stdout: stdout.get(),
        stderr: stderr.get(),
    })
}

fn count_lines(count: Counter) -> impl StreamVisitor<Output = ()> {
    ParseLines::inspect(LineParsingOptions::default(), move |line| {
        count.add(line_len(&*line))
    })
}

async fn round_trips(job: &Job) -> Result {
    let mut process = spawn(job, BUFFER.bytes())?;
    process.must_not_be_terminated();
    let (send, mut answers) = mpsc::unbounded_channel();
    let _consumer = process.stdout().consume(
        InspectChunks::builder()
            .f(move |chunk| match send.send(chunk) {
                Ok(()) => Next::Continue,
                Err(_) => Next::Break,
            })
            .build(),
    )?;
    let stdin = process.stdin().as_mut().ok_or("no stdin")?;
    let mut bytes = 0;
    let began = Instant::now();
    for _ in 0..job.size {
        stdin.write_all(MESSAGE.as_bytes()).await?;
        bytes += len(answers.recv().await.ok_or("no answer")?);
    }
    done(began, bytes)
}

#[derive(Clone, Default)]
struct Counter(Arc<AtomicU64>);

impl Counter {
    fn add(&self, bytes: u64) -> Next {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Next::Continue
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
