//! async-process, of the smol family.

use std::{process::Stdio, time::Instant};

use async_io::Timer;
use async_process::{Child, Command};
use futures::{future::try_join_all, stream::select};
use futures_lite::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, StreamExt, future,
    io::{BufReader, Lines},
};

use super::{SETTLE, done, len, line_len, memory, memory_of};
use crate::{
    Result,
    work::{BUFFER, Done, Job, Kind, MESSAGE, READY, command, counted},
};

pub(super) async fn run(job: &Job) -> Result {
    match job.kind {
        Kind::Bulk => bulk(job).await,
        Kind::Capture | Kind::Held => {
            let began = Instant::now();
            let output = Command::from(job.command()).output().await?;
            done(began, len(&output.stdout))
        }
        Kind::Feed => {
            let input = job.input();
            let began = Instant::now();
            let mut child = spawn(job)?;
            let mut stdin = child.stdin.take().ok_or("no stdin")?;
            let feed = async move { stdin.write_all(&input).await };
            let ((), output) = future::try_zip(feed, child.output()).await?;
            done(began, len(&output.stdout))
        }
        Kind::Lines => {
            let began = Instant::now();
            let mut child = spawn(job)?;
            let mut lines = lines_of(child.stdout.take())?;
            let mut bytes = 0;
            while let Some(line) = lines.next().await {
                bytes += line_len(line?);
            }
            child.status().await?;
            done(began, bytes)
        }
        Kind::Tagged => tagged(job).await,
        Kind::RoundTrip => round_trips(job).await,
        Kind::Pattern => {
            let began = Instant::now();
            let mut child = spawn(job)?;
            let mut lines = lines_of(child.stdout.take())?;
            let mut bytes = 0;
            while let Some(line) = lines.try_next().await? {
                if line.contains(READY) {
                    break;
                }
                bytes += line_len(line);
            }
            done(began, bytes)
        }
        Kind::AtOnce => {
            let began = Instant::now();
            let run = |_| Command::from(job.command()).output();
            let outputs = try_join_all((0..job.size).map(run)).await?;
            done(
                began,
                outputs.iter().map(|output| len(&output.stdout)).sum(),
            )
        }
        Kind::Idle => {
            let before = memory()?;
            let mut waiting = Vec::new();
            for _ in 0..job.size {
                let mut child = spawn(job)?;
                let mut lines = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
                waiting.push(async move { (lines.next().await, child) });
            }
            memory_of(before, waiting, Timer::after(SETTLE)).await
        }
        Kind::Pipeline => pipeline(job).await,
    }
}

fn spawn(job: &Job) -> Result<Child> {
    Ok(Command::from(job.command())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?)
}

fn lines_of<R: AsyncRead + Unpin>(pipe: Option<R>) -> Result<Lines<BufReader<R>>> {
    let pipe = pipe.ok_or("no pipe")?;
    Ok(BufReader::with_capacity(BUFFER, pipe).lines())
}

async fn bulk(job: &Job) -> Result {
    let began = Instant::now();
    let mut child = spawn(job)?;
    let mut stdout = child.stdout.take().ok_or("no stdout")?;
    let mut buffer = vec![0; BUFFER];
    let mut bytes = 0;
    loop {
        match stdout.read(&mut buffer).await? {
            0 => break,
            n => bytes += len(&buffer[..n]),
        }
    }
    child.status().await?;
    done(began, bytes)
}

async fn tagged(job: &Job) -> Result {
    let began = Instant::now();
    let mut child = spawn(job)?;
    let out = lines_of(child.stdout.take())?.map(|line| (true, line));
    let err = lines_of(child.stderr.take())?.map(|line| (false, line));
    let mut both = select(out, err);
    let (mut stdout, mut stderr) = (0, 0);
    while let Some((is_stdout, line)) = both.next().await {
        let bytes = line_len(line?);
        if is_stdout {
            stdout += bytes;
        } else {
            stderr += bytes;
        }
    }
    child.status().await?;
    let cost = began.elapsed().as_secs_f64();
    Ok(Done {
        cost,
        stdout,
        stderr,
    })
}

async fn round_trips(job: &Job) -> Result {
    let mut child = spawn(job)?;
    let mut stdin = child.stdin.take().ok_or("no stdin")?;
    let mut stdout = child.stdout.take().ok_or("no stdout")?;
    let mut buffer = vec![0; BUFFER];
    let mut bytes = 0;
    let began = Instant::now();
    for _ in 0..job.size {
        stdin.write_all(MESSAGE.as_bytes()).await?;
        let n = stdout.read(&mut buffer).await?;
        bytes += len(&buffer[..n]);
    }
    done(began, bytes)
}

async fn pipeline(job: &Job) -> Result {
    let [first, second, third] = job.stages().map(|argv| Command::from(command(&argv)));
    let began = Instant::now();
    let mut first = { first }.stdout(Stdio::piped()).spawn()?;
    let pipe = first.stdout.take().ok_or("no stdout")?.into_stdio().await?;
    let mut second = { second }.stdin(pipe).stdout(Stdio::piped()).spawn()?;
    let pipe = second.stdout.take().ok_or("no stdout")?;
    let pipe = pipe.into_stdio().await?;
    let third = { third }.stdin(pipe).stdout(Stdio::piped()).spawn()?;
    let output = third.output().await?;
    first.status().await?;
    second.status().await?;
    done(began, counted(&output.stdout)?)
}
