//! tokio-process-stream.

use std::{process::Stdio, time::Instant};

use futures::{StreamExt, future::try_join_all};
use tokio::{
    io::AsyncWriteExt,
    process::{ChildStdin, Command},
};
use tokio_process_stream::{Item, ProcessChunkStream, ProcessLineStream};

use super::{SETTLE, cannot, done, len, line_len, memory, memory_of};
use crate::{
    Result,
    work::{Done, Job, Kind, MESSAGE, READY},
};

pub(super) async fn run(job: &Job) -> Result {
    match job.kind {
        Kind::Bulk => {
            let began = Instant::now();
            let mut stream = chunks(job)?;
            let mut bytes = 0;
            while let Some(item) = stream.next().await {
                bytes += item.stdout().map_or(0, len);
            }
            done(began, bytes)
        }
        Kind::Capture | Kind::Held => {
            let began = Instant::now();
            let stdout = collect(chunks(job)?).await?;
            done(began, len(&stdout))
        }
        Kind::Feed => {
            let input = job.input();
            let began = Instant::now();
            let mut stream = chunks(job)?;
            let mut stdin = stdin(stream.child_mut())?;
            let feed = async move { Ok(stdin.write_all(&input).await?) };
            let ((), stdout) = tokio::try_join!(feed, collect(stream))?;
            done(began, len(&stdout))
        }
        Kind::Lines | Kind::Tagged => lines(job).await,
        Kind::RoundTrip => {
            let mut stream = chunks(job)?;
            let mut stdin = stdin(stream.child_mut())?;
            let mut bytes = 0;
            let began = Instant::now();
            for _ in 0..job.size {
                stdin.write_all(MESSAGE.as_bytes()).await?;
                let item = stream.next().await.ok_or("no answer")?;
                bytes += item.stdout().map_or(0, len);
            }
            done(began, bytes)
        }
        Kind::Pattern => {
            let began = Instant::now();
            let mut stream = ProcessLineStream::try_from(command(job))?;
            let mut bytes = 0;
            while let Some(item) = stream.next().await {
                match item.stdout() {
                    Some(line) if line.contains(READY) => break,
                    Some(line) => bytes += line_len(line),
                    None => {}
                }
            }
            done(began, bytes)
        }
        Kind::AtOnce => {
            let began = Instant::now();
            let run = |_| async { collect(chunks(job)?).await };
            let outputs = try_join_all((0..job.size).map(run)).await?;
            done(began, outputs.iter().map(len).sum())
        }
        Kind::Idle => {
            let before = memory()?;
            let mut waiting = Vec::new();
            for _ in 0..job.size {
                let mut stream = ProcessLineStream::try_from(command(job))?;
                waiting.push(async move { (stream.next().await, stream) });
            }
            memory_of(before, waiting, tokio::time::sleep(SETTLE)).await
        }
        Kind::Pipeline => cannot("it has no pipelines, and takes the pipe of each child"),
    }
}

fn command(job: &Job) -> Command {
    let mut command = Command::from(job.command());
    command.stdin(Stdio::piped());
    command
}

fn chunks(job: &Job) -> Result<ProcessChunkStream> {
    Ok(ProcessChunkStream::try_from(command(job))?)
}

fn stdin(child: Option<&mut tokio::process::Child>) -> Result<ChildStdin> {
    let stdin = child.and_then(|child| child.stdin.take());
    Ok(stdin.ok_or("no stdin")?)
}

async fn collect(mut stream: ProcessChunkStream) -> Result<Vec<u8>> {
    let mut stdout = Vec::new();
    while let Some(item) = stream.next().await {
        match item {
            Item::Stdout(piece) => stdout.extend_from_slice(&piece),
            Item::Stderr(_) => {}
            Item::Done(status) => {
                status?;
            }
        }
    }
    Ok(stdout)
}

async fn lines(job: &Job) -> Result {
    let began = Instant::now();
    let mut stream = ProcessLineStream::try_from(command(job))?;
    let (mut stdout, mut stderr) = (0, 0);
    while let Some(item) = stream.next().await {
        match item {
            Item::Stdout(line) => stdout += line_len(line),
            Item::Stderr(line) => stderr += line_len(line),
            Item::Done(status) => {
                status?;
            }
        }
    }
    let cost = began.elapsed().as_secs_f64();
    Ok(Done {
        cost,
        stdout,
        stderr,
    })
}
