//! duct. It blocks, and captures with a thread for each pipe.

use std::{
    io::{self, BufRead, BufReader, Read},
    thread,
    time::Instant,
};

use duct::{Expression, Handle, cmd};

use super::{SETTLE, cannot, done, len, line_len, memory};
use crate::{
    Result,
    work::{BUFFER, Done, Job, Kind, READY, counted},
};

pub(super) fn run(job: &Job) -> Result {
    let expression = expression(&job.argv());
    match job.kind {
        Kind::Bulk => {
            let began = Instant::now();
            let mut stdout = expression.reader()?;
            let mut buffer = vec![0; BUFFER];
            let mut bytes = 0;
            loop {
                match stdout.read(&mut buffer)? {
                    0 => break,
                    n => bytes += len(&buffer[..n]),
                }
            }
            done(began, bytes)
        }
        Kind::Capture | Kind::Held => {
            let began = Instant::now();
            let output = expression.stdout_capture().stderr_capture().run()?;
            done(began, len(&output.stdout))
        }
        Kind::Feed => {
            let input = job.input();
            let began = Instant::now();
            let run = expression.stdin_bytes(input).stdout_capture();
            done(began, len(&run.stderr_capture().run()?.stdout))
        }
        Kind::Lines => {
            let began = Instant::now();
            let mut bytes = 0;
            for line in BufReader::with_capacity(BUFFER, expression.reader()?).lines() {
                bytes += line_len(line?);
            }
            done(began, bytes)
        }
        Kind::Tagged => cannot("it reads one stream, or both as one"),
        Kind::RoundTrip => cannot("it has no way to write to a running child"),
        Kind::Pattern => {
            let began = Instant::now();
            let mut lines = BufReader::with_capacity(BUFFER, expression.reader()?).lines();
            let mut bytes = 0;
            while let Some(line) = lines.next().transpose()? {
                if line.contains(READY) {
                    break;
                }
                bytes += line_len(line);
            }
            done(began, bytes)
        }
        Kind::AtOnce => {
            let began = Instant::now();
            let expression = expression.stdout_capture().stderr_capture();
            let start = |_| expression.start();
            let running: Vec<Handle> = (0..job.size).map(start).collect::<io::Result<_>>()?;
            let mut bytes = 0;
            for one in running {
                bytes += len(&one.into_output()?.stdout);
            }
            done(began, bytes)
        }
        Kind::Idle => idle(job, expression),
        Kind::Pipeline => {
            let [first, second, third] = job.stages().map(|argv| self::expression(&argv));
            let began = Instant::now();
            let output = first.pipe(second).pipe(third).stdout_capture().run()?;
            done(began, counted(&output.stdout)?)
        }
    }
}

fn expression(argv: &[String]) -> Expression {
    cmd(&argv[0], &argv[1..])
}

/// It gives no stdin to hold open, so all children get the same one.
fn idle(job: &Job, expression: Expression) -> Result {
    let (stdin, held) = os_pipe::pipe()?;
    let expression = expression.stdin_file(stdin);
    let before = memory()?;
    for _ in 0..job.size {
        let stdout = expression.reader()?;
        thread::spawn(move || BufReader::new(stdout).lines().next());
    }
    thread::sleep(SETTLE);
    let cost = memory()? - before;
    drop(held);
    Ok(Done {
        cost,
        stdout: job.size,
        stderr: 0,
    })
}
