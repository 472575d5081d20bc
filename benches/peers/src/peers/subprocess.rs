//! subprocess. It blocks: what it does at once it does with threads.

use std::{
    io::{BufRead, BufReader, Read, Write},
    sync::mpsc,
    thread,
    time::Instant,
};

use subprocess::{Exec, Job as Running, Redirection};

use super::{SETTLE, done, len, line_len, memory};
use crate::{
    Result,
    work::{BUFFER, Done, Job, Kind, MESSAGE, READY, counted},
};

pub(super) fn run(job: &Job) -> Result {
    match job.kind {
        Kind::Bulk => {
            let began = Instant::now();
            let mut stdout = exec(&job.argv()).stream_stdout()?;
            let mut buffer = vec![0; BUFFER];
            let mut bytes = 0;
            loop {
                match stdout.read(&mut buffer)? {
                    0 => break,
                    n => bytes += len(&buffer[..n]),
                }
            }
            drop(stdout);
            done(began, bytes)
        }
        Kind::Capture | Kind::Held => {
            let began = Instant::now();
            let output = exec(&job.argv()).capture()?;
            done(began, len(&output.stdout))
        }
        Kind::Feed => {
            let input = job.input();
            let began = Instant::now();
            let output = exec(&job.argv()).stdin(input).capture()?;
            done(began, len(&output.stdout))
        }
        Kind::Lines => {
            let began = Instant::now();
            let stdout = exec(&job.argv()).stream_stdout()?;
            let mut bytes = 0;
            for line in BufReader::with_capacity(BUFFER, stdout).lines() {
                bytes += line_len(line?);
            }
            done(began, bytes)
        }
        Kind::Pattern => {
            let began = Instant::now();
            let stdout = exec(&job.argv()).stream_stdout()?;
            let mut lines = BufReader::with_capacity(BUFFER, stdout).lines();
            let mut bytes = 0;
            while let Some(line) = lines.next().transpose()? {
                if line.contains(READY) {
                    break;
                }
                bytes += line_len(line);
            }
            done(began, bytes)
        }
        Kind::Tagged => tagged(job),
        Kind::RoundTrip => round_trips(job),
        Kind::AtOnce => {
            let began = Instant::now();
            let start = |_| start(job);
            let running: Vec<Running> = (0..job.size).map(start).collect::<Result<_>>()?;
            let mut bytes = 0;
            for one in running {
                bytes += len(&one.capture()?.stdout);
            }
            done(began, bytes)
        }
        Kind::Idle => {
            let before = memory()?;
            for _ in 0..job.size {
                let mut running = start(job)?;
                let stdout = running.stdout.take().ok_or("no stdout")?;
                thread::spawn(move || (BufReader::new(stdout).lines().next(), running));
            }
            thread::sleep(SETTLE);
            Ok(Done {
                cost: memory()? - before,
                stdout: job.size,
                stderr: 0,
            })
        }
        Kind::Pipeline => {
            let [first, second, third] = job.stages().map(|argv| exec(&argv));
            let began = Instant::now();
            let output = (first | second | third).capture()?;
            done(began, counted(&output.stdout)?)
        }
    }
}

fn exec(argv: &[String]) -> Exec {
    Exec::cmd(&argv[0]).args(&argv[1..])
}

fn start(job: &Job) -> Result<Running> {
    Ok(exec(&job.argv())
        .stdin(Redirection::Pipe)
        .stdout(Redirection::Pipe)
        .stderr(Redirection::Pipe)
        .start()?)
}

/// A thread for each stream, and a channel for the lines of both.
fn tagged(job: &Job) -> Result {
    let began = Instant::now();
    let mut running = start(job)?;
    let pipes = [running.stdout.take(), running.stderr.take()];
    let (send, lines) = mpsc::sync_channel(1024);
    for (source, pipe) in pipes.into_iter().enumerate() {
        let pipe = pipe.ok_or("no pipe")?;
        let send = send.clone();
        thread::spawn(move || {
            for line in BufReader::with_capacity(BUFFER, pipe).lines() {
                if send.send((source, line)).is_err() {
                    break;
                }
            }
        });
    }
    drop(send);
    let mut bytes = [0; 2];
    for (source, line) in lines {
        bytes[source] += line_len(line?);
    }
    running.wait()?;
    let cost = began.elapsed().as_secs_f64();
    Ok(Done {
        cost,
        stdout: bytes[0],
        stderr: bytes[1],
    })
}

fn round_trips(job: &Job) -> Result {
    let mut running = start(job)?;
    let mut stdin = running.stdin.take().ok_or("no stdin")?;
    let mut stdout = running.stdout.take().ok_or("no stdout")?;
    let mut buffer = vec![0; BUFFER];
    let mut bytes = 0;
    let began = Instant::now();
    for _ in 0..job.size {
        stdin.write_all(MESSAGE.as_bytes())?;
        let n = stdout.read(&mut buffer)?;
        bytes += len(&buffer[..n]);
    }
    let trips = done(began, bytes);
    drop(stdin);
    trips
}
