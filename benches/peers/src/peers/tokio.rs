//! `tokio::process`.

use std::{process::Stdio, time::Instant};

use futures::{StreamExt, future::try_join_all};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, Command},
};
use tokio_util::codec::{FramedRead, LinesCodec};

use super::{SETTLE, done, len, line_len, memory, memory_of};
use crate::{
    Result,
    work::{BUFFER, Done, Job, Kind, MESSAGE, READY, command, counted},
};

pub(super) async fn run(job: &Job, way: &str) -> Result {
    let mut command = Command::from(job.command());
    match job.kind {
        Kind::Bulk => bulk(job).await,
        Kind::Capture | Kind::Held => {
            let began = Instant::now();
            let output = command.output().await?;
            done(began, len(&output.stdout))
        }
        Kind::Feed => {
            let input = job.input();
            let began = Instant::now();
            let mut child = spawn(job)?;
            let mut stdin = child.stdin.take().ok_or("no stdin")?;
            let feed = async move { stdin.write_all(&input).await };
            let ((), output) = tokio::try_join!(feed, child.wait_with_output())?;
            done(began, len(&output.stdout))
        }
        Kind::Lines => lines(job, way).await,
        Kind::Tagged => tagged(job).await,
        Kind::RoundTrip => round_trips(job).await,
        Kind::Pattern => pattern(job).await,
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
                waiting.push(async move { (lines.next_line().await, child) });
            }
            memory_of(before, waiting, tokio::time::sleep(SETTLE)).await
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

fn lines_of<R: AsyncRead>(pipe: Option<R>) -> Result<Lines<BufReader<R>>> {
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
    child.wait().await?;
    done(began, bytes)
}

async fn lines(job: &Job, way: &str) -> Result {
    let began = Instant::now();
    let mut child = spawn(job)?;
    let mut bytes = 0;
    if way == "codec" {
        let stdout = child.stdout.take().ok_or("no stdout")?;
        let mut lines = FramedRead::with_capacity(stdout, LinesCodec::new(), BUFFER);
        while let Some(line) = lines.next().await {
            bytes += line_len(line?);
        }
    } else {
        let mut lines = lines_of(child.stdout.take())?;
        while let Some(line) = lines.next_line().await? {
            bytes += line_len(line);
        }
    }
    child.wait().await?;
    done(began, bytes)
}

async fn tagged(job: &Job) -> Result {
    let began = Instant::now();
    let mut child = spawn(job)?;
    let mut out = lines_of(child.stdout.take())?;
    let mut err = lines_of(child.stderr.take())?;
    let (mut stdout, mut stderr) = (0, 0);
    let (mut out_open, mut err_open) = (true, true);
    while out_open || err_open {
        tokio::select! {
            line = out.next_line(), if out_open => match line? {
                Some(line) => stdout += line_len(line),
                None => out_open = false,
            },
            line = err.next_line(), if err_open => match line? {
                Some(line) => stderr += line_len(line),
                None => err_open = false,
            },
        }
    }
    child.wait().await?;
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

async fn pattern(job: &Job) -> Result {
    let began = Instant::now();
    let mut child = spawn(job)?;
    let mut lines = lines_of(child.stdout.take())?;
    let mut bytes = 0;
    while let Some(line) = lines.next_line().await? {
        if line.contains(READY) {
            break;
        }
        bytes += line_len(line);
    }
    done(began, bytes)
}

async fn pipeline(job: &Job) -> Result {
    let [first, second, third] = job.stages().map(|argv| Command::from(command(&argv)));
    let began = Instant::now();
    let mut first = { first }.stdout(Stdio::piped()).spawn()?;
    let pipe: Stdio = first.stdout.take().ok_or("no stdout")?.try_into()?;
    let mut second = { second }.stdin(pipe).stdout(Stdio::piped()).spawn()?;
    let pipe: Stdio = second.stdout.take().ok_or("no stdout")?.try_into()?;
    let third = { third }.stdin(pipe).stdout(Stdio::piped()).spawn()?;
    let (_, _, output) = tokio::try_join!(first.wait(), second.wait(), third.wait_with_output())?;
    done(began, counted(&output.stdout)?)
}
