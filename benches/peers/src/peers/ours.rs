//! process-io.

use std::time::Instant;

use futures::{StreamExt, TryStreamExt, future::try_join_all};
use process_io::{Event, Limits, Overflow, ProcessIo, Recv, Source};

use super::{SETTLE, done, len, line_len, memory, memory_of};
use crate::{
    Result,
    work::{Done, Job, Kind, MESSAGE, READY, command, counted},
};

pub(super) async fn run(job: &Job, way: &str) -> Result {
    let command = job.command();
    match job.kind {
        Kind::Bulk if way.is_empty() => read(job).await,
        Kind::Bulk => events(job).await,
        Kind::Capture => {
            let began = Instant::now();
            let limits = Limits::default().stdout(usize::MAX, Overflow::Fail);
            let output = ProcessIo::builder(command).limits(limits).await?.check()?;
            done(began, len(&output.stdout))
        }
        Kind::Feed => {
            let input = job.input();
            let began = Instant::now();
            let limits = Limits::default().stdout(usize::MAX, Overflow::Fail);
            let run = ProcessIo::builder(command).limits(limits).input(input);
            let output = run.await?.check()?;
            done(began, len(&output.stdout))
        }
        Kind::Lines => lines(job, way).await,
        Kind::Tagged => tagged(job).await,
        Kind::RoundTrip => round_trips(job).await,
        Kind::Pattern if way.is_empty() => {
            let began = Instant::now();
            let mut io = ProcessIo::spawn(command)?;
            let found = io.expect(READY).await?;
            done(began, len(&found.before))
        }
        // Without input the child ends by itself.
        Kind::Pattern if way == "collecting" => {
            let began = Instant::now();
            let output = ProcessIo::builder(command).await?.check()?;
            done(began, len(&output.stdout) - READY.len() as u64 - 1)
        }
        Kind::Pattern => read(job).await,
        Kind::AtOnce => {
            let began = Instant::now();
            let run = |_| ProcessIo::builder(job.command()).into_future();
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
                let mut io = ProcessIo::spawn(job.command())?;
                waiting.push(async move { io.recv_line(Source::Stdout).await });
            }
            memory_of(before, waiting, tokio::time::sleep(SETTLE)).await
        }
        Kind::Pipeline => {
            let [first, second, third] = job.stages().map(|argv| command_of(&argv));
            let began = Instant::now();
            let pipeline = ProcessIo::builder(first).pipe(second).pipe(third);
            let output = pipeline.await?.check()?;
            done(began, counted(&output.stdout)?)
        }
        Kind::Held => {
            let began = Instant::now();
            let output = ProcessIo::builder(command).await?.check()?;
            done(began, len(&output.stdout))
        }
    }
}

fn command_of(argv: &[String]) -> process_io::Command {
    command(argv).into()
}

/// Until so many bytes have come: the child that says it is ready does not end.
async fn read(job: &Job) -> Result {
    let began = Instant::now();
    let mut io = ProcessIo::spawn(job.command())?;
    let mut bytes = 0;
    while bytes < job.size {
        let Recv::Data(piece) = io.recv(Source::Stdout).await? else {
            break;
        };
        bytes += len(&piece);
    }
    if job.kind == Kind::Bulk {
        io.wait().await?;
    }
    done(began, bytes.min(job.size))
}

async fn events(job: &Job) -> Result {
    let began = Instant::now();
    let mut io = ProcessIo::spawn(job.command())?;
    let mut bytes = 0;
    while let Some(event) = io.try_next().await? {
        if let Event::Stdout(piece) = event {
            bytes += len(&piece);
        }
    }
    done(began, bytes)
}

async fn lines(job: &Job, way: &str) -> Result {
    let began = Instant::now();
    let mut io = ProcessIo::spawn(job.command())?;
    let mut bytes = 0;
    if way == "blocks" {
        let mut blocks = io.line_blocks(Source::Stdout);
        while let Some(block) = blocks.try_next().await? {
            bytes += block.iter().map(line_len).sum::<u64>();
        }
    } else {
        let mut lines = io.stdout_lines();
        while let Some(line) = lines.next().await {
            bytes += line_len(line?.as_bytes());
        }
    }
    io.wait().await?;
    done(began, bytes)
}

async fn tagged(job: &Job) -> Result {
    let began = Instant::now();
    let mut io = ProcessIo::spawn(job.command())?;
    let (mut stdout, mut stderr) = (0, 0);
    let mut lines = io.lines();
    while let Some(line) = lines.try_next().await? {
        match line.source() {
            Source::Stdout => stdout += line_len(line.as_bytes()),
            Source::Stderr => stderr += line_len(line.as_bytes()),
        }
    }
    io.wait().await?;
    let cost = began.elapsed().as_secs_f64();
    Ok(Done {
        cost,
        stdout,
        stderr,
    })
}

async fn round_trips(job: &Job) -> Result {
    let mut io = ProcessIo::spawn(job.command())?;
    let mut bytes = 0;
    let began = Instant::now();
    for _ in 0..job.size {
        io.send(MESSAGE).await?;
        let answer = io.recv(Source::Stdout).await?;
        bytes += len(answer.data().ok_or("no answer")?);
    }
    done(began, bytes)
}
