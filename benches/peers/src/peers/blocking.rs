//! `std::process`, and the shell: what blocks is a floor, and the shell is what a pipeline is held against.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Stdio},
    thread,
    time::Instant,
};

use super::{cannot, done, len, line_len};
use crate::{
    Result,
    work::{BUFFER, Job, Kind, MESSAGE, command, counted},
};

/// The best that was measured for a reader that blocks; where it cannot be had, the usual one does.
const PIPE: usize = 1 << 20;

pub(super) fn run(job: &Job) -> Result {
    let mut command = job.command();
    match job.kind {
        Kind::Bulk => bulk(job),
        Kind::Capture | Kind::Held => {
            let began = Instant::now();
            let output = command.output()?;
            done(began, len(&output.stdout))
        }
        Kind::Feed => {
            let input = job.input();
            let began = Instant::now();
            let mut child = spawn(job)?;
            let mut stdin = child.stdin.take().ok_or("no stdin")?;
            let feed = thread::spawn(move || stdin.write_all(&input));
            let output = child.wait_with_output()?;
            feed.join().map_err(|_| "the writer panicked")??;
            done(began, len(&output.stdout))
        }
        Kind::Lines => {
            let began = Instant::now();
            let mut child = spawn(job)?;
            let stdout = child.stdout.take().ok_or("no stdout")?;
            let mut bytes = 0;
            for line in BufReader::with_capacity(BUFFER, stdout).lines() {
                bytes += line_len(line?);
            }
            child.wait()?;
            done(began, bytes)
        }
        Kind::RoundTrip => round_trips(job),
        Kind::AtOnce => {
            let began = Instant::now();
            let start = |_| spawn(job);
            let running: Vec<Child> = (0..job.size).map(start).collect::<Result<_>>()?;
            let mut bytes = 0;
            for child in running {
                bytes += len(&child.wait_with_output()?.stdout);
            }
            done(began, bytes)
        }
        Kind::Pipeline => pipeline(job),
        Kind::Tagged | Kind::Pattern | Kind::Idle => cannot("it blocks"),
    }
}

/// `sh -c 'a | b | c'`.
pub(super) fn shell(job: &Job) -> Result {
    let line = job.stages().map(|argv| format!("'{}'", argv.join("' '")));
    let began = Instant::now();
    let output = Command::new("sh")
        .args(["-c", &line.join(" | ")])
        .output()?;
    done(began, counted(&output.stdout)?)
}

fn spawn(job: &Job) -> Result<Child> {
    Ok(job
        .command()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?)
}

fn bulk(job: &Job) -> Result {
    let began = Instant::now();
    let mut child = spawn(job)?;
    let mut stdout = child.stdout.take().ok_or("no stdout")?;
    #[cfg(target_os = "linux")]
    let _ = rustix::pipe::fcntl_setpipe_size(&stdout, PIPE);
    let mut buffer = vec![0; BUFFER];
    let mut bytes = 0;
    loop {
        match stdout.read(&mut buffer)? {
            0 => break,
            n => bytes += len(&buffer[..n]),
        }
    }
    child.wait()?;
    done(began, bytes)
}

fn round_trips(job: &Job) -> Result {
    let mut child = spawn(job)?;
    let mut stdin = child.stdin.take().ok_or("no stdin")?;
    let mut stdout = child.stdout.take().ok_or("no stdout")?;
    let mut buffer = vec![0; BUFFER];
    let mut bytes = 0;
    let began = Instant::now();
    for _ in 0..job.size {
        stdin.write_all(MESSAGE.as_bytes())?;
        let n = stdout.read(&mut buffer)?;
        bytes += len(&buffer[..n]);
    }
    done(began, bytes)
}

fn pipeline(job: &Job) -> Result {
    let [mut first, mut second, mut third] = job.stages().map(|argv| command(&argv));
    let began = Instant::now();
    let mut first = first.stdout(Stdio::piped()).spawn()?;
    let pipe = first.stdout.take().ok_or("no stdout")?;
    let mut second = second.stdin(pipe).stdout(Stdio::piped()).spawn()?;
    let pipe = second.stdout.take().ok_or("no stdout")?;
    let output = third.stdin(pipe).stderr(Stdio::inherit()).output()?;
    first.wait()?;
    second.wait()?;
    done(began, counted(&output.stdout)?)
}
