//! The shapes of children that the soak is made of. Each runs one child, checks all that it leaves, and gives the number
//! of bytes checked.

use std::{
    error::Error,
    io,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, poll};
use process_io::{
    CancellationToken, Drain, ErrorKind, Event, Ladder, Output, ProcessIOWrapper, ProcessIo, Recv,
    Signal, Source, Step,
};
use rustix::process::Pid;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::left::{command, sh};

pub(crate) type Fault = Box<dyn Error + Send + Sync>;
pub(crate) type Checked = Result<u64, Fault>;
type Run = fn(u64) -> BoxFuture<'static, Checked>;

pub(crate) const SHAPES: &[(&str, Run)] = &[
    ("echo", |n| echo(n).boxed()),
    ("flood", |n| flood(n).boxed()),
    ("silent", |_| silent().boxed()),
    ("exit code", |n| exit_code(n).boxed()),
    ("killed", |_| killed().boxed()),
    ("obeys TERM", |_| obedient().boxed()),
    ("ignores TERM", |_| stubborn().boxed()),
    ("leaks a descendant", |_| leaky().boxed()),
    ("handle dropped", |n| dropped(n).boxed()),
    ("future cancelled", |n| cancelled(n).boxed()),
    ("time-out", |_| timed_out().boxed()),
    ("token cancelled", |_| token().boxed()),
    ("dies with parent", |n| guarded(n).boxed()),
    ("detached", |_| detached().boxed()),
    ("leaves a daemon", |_| daemon().boxed()),
    ("is stopped", |_| stopped().boxed()),
    ("is traced", |_| traced().boxed()),
    ("lines", |n| lines(n).boxed()),
    ("prompt", |n| prompt(n).boxed()),
    ("as a file", |n| as_a_file(n).boxed()),
    ("pipeline", |n| pipeline(n).boxed()),
    ("late reader", |n| late(n).boxed()),
];

pub(crate) const MEBIBYTE: usize = 1 << 20;

/// What a shape says of `sleep`: for ever, as far as the soak is concerned.
const FOR_EVER: &str = "1000000";

static DATA: OnceLock<(PathBuf, Bytes)> = OnceLock::new();

/// Writes 1 MiB that is nowhere like itself a page further on.
pub(crate) fn write_data(folder: &Path) -> io::Result<()> {
    let bytes: Vec<u8> = (0..MEBIBYTE)
        .map(|i| ((i * 31 + i / 251) % 251) as u8)
        .collect();
    let path = folder.join("data");
    std::fs::write(&path, &bytes)?;
    DATA.get_or_init(|| (path, bytes.into()));
    Ok(())
}

fn data() -> &'static (PathBuf, Bytes) {
    DATA.get().expect("it is written before anything else")
}

/// A different part of the data for each `n`, up to 256 KiB.
fn part(n: u64) -> Bytes {
    let n = n as usize;
    let start = n * 7919 % (MEBIBYTE / 2);
    data().1.slice(start..start + n * 104_729 % (MEBIBYTE / 4))
}

pub(crate) fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(what().into()) }
}

fn same(got: impl AsRef<[u8]>, expected: impl AsRef<[u8]>) -> Checked {
    let (got, expected) = (got.as_ref(), expected.as_ref());
    let good = got.iter().zip(expected).take_while(|(a, b)| a == b).count();
    let (got, all) = (got.len(), expected.len());
    check(good == all && got == all, || {
        format!("{got} bytes, {all} expected, the first {good} are right")
    })?;
    Ok(all as u64)
}

fn succeeded(output: &Output) -> Result<(), Fault> {
    check(output.success(), || {
        format!("it ended with {:?}", output.status)
    })
}

async fn echo(n: u64) -> Checked {
    let input = part(n);
    let run = ProcessIo::builder(command("cat", &[])).input(input.clone());
    let output = run.await?.check()?;
    same(output.stdout, input)
}

/// Read until there is enough; the child would go on for ever.
async fn flood(n: u64) -> Checked {
    let mut io = ProcessIo::spawn(command("yes", &["tirelessly"]))?;
    let (text, mut seen) = (b"tirelessly\n", 0);
    while seen < MEBIBYTE + n as usize % 1000 {
        let Some(Event::Stdout(piece)) = io.try_next().await? else {
            return Err("the flood ended".into());
        };
        for byte in piece {
            check(byte == text[seen % text.len()], || {
                format!("wrong byte at {seen}")
            })?;
            seen += 1;
        }
    }
    Ok(seen as u64)
}

async fn silent() -> Checked {
    let sleep = ProcessIo::builder(command("sleep", &[FOR_EVER]));
    let result = sleep.inactivity_timeout(Duration::from_millis(100)).await;
    let error = result.err().ok_or("it was not stopped")?;
    check(error.is_timeout(), || error.to_string())?;
    Ok(0)
}

async fn exit_code(n: u64) -> Checked {
    let code = n % 255 + 1;
    let output = ProcessIo::builder(sh(&format!("echo out; echo why >&2; exit {code}"))).await?;
    same(&output.stdout, "out\n")?;
    let error = output.check().err().ok_or("it succeeded")?;
    check(error.kind() == ErrorKind::Failed, || error.to_string())?;
    let got = error.status().and_then(|status| status.code());
    check(got == Some(code as i32), || {
        format!("exit code {got:?}, {code} expected")
    })?;
    Ok(4 + same(error.stderr_tail(), "why\n")?)
}

async fn killed() -> Checked {
    let output = ProcessIo::builder(sh("echo out; kill -KILL $$")).await?;
    let signal = output.status.and_then(|status| status.signal());
    check(signal == Some(9), || {
        format!("it ended with {:?}", output.status)
    })?;
    same(output.stdout, "out\n")
}

/// What it says when it is asked to end is not lost.
async fn obedient() -> Checked {
    let script = "trap 'echo bye; exit 0' TERM; sleep 1000000 & echo ready; wait";
    let mut io = ProcessIo::spawn(sh(script))?;
    io.expect("ready\n").await?;
    let ladder = Ladder::kill().signal(Signal::TERM, Duration::from_secs(60));
    let report = io.shutdown(ladder).await?;
    check(report.status.success(), || format!("{report}"))?;
    check(
        report.ended_by() == Some(Step::Signal(Signal::TERM)),
        || format!("{report}"),
    )?;
    same(io.output().await?.stdout, "bye\n")
}

async fn stubborn() -> Checked {
    let mut io = ProcessIo::spawn(sh("trap '' TERM; echo ready; sleep 1000000; true"))?;
    io.expect("ready\n").await?;
    let ladder = Ladder::kill()
        .close_stdin(Duration::from_millis(20))
        .signal(Signal::TERM, Duration::from_millis(50));
    let report = io.shutdown(ladder).await?;
    check(
        report.ended_by() == Some(Step::Signal(Signal::KILL)),
        || format!("{report}"),
    )?;
    check(report.steps.len() == 3, || format!("{:?}", report.steps))?;
    Ok(6)
}

/// The descendant holds the pipe, and would for ever.
async fn leaky() -> Checked {
    let run = ProcessIo::builder(sh("sleep 1000000 & echo done"));
    let output = run.kill_leftovers(true).await?;
    succeeded(&output)?;
    check(output.pipes_held, || {
        "nobody is said to hold the pipe".to_owned()
    })?;
    same(output.stdout, "done\n")
}

async fn dropped(n: u64) -> Checked {
    let mut io = ProcessIo::spawn(match n % 4 {
        0 => command("sleep", &[FOR_EVER]),
        1 => command("yes", &[]),
        2 => sh("(sleep 1000000 &); sleep 1000000 | cat"),
        _ => command("cat", &[]),
    })?;
    match n / 4 % 4 {
        0 => drop(poll!(Box::pin(io.send(data().1.clone())))),
        1 => drop(poll!(io.next())),
        2 => drop(poll!(Box::pin(io.wait()))),
        _ => {}
    }
    Ok(0)
}

/// Through `cat` and back, while every future is dropped half-way.
async fn cancelled(n: u64) -> Checked {
    const BRIEFLY: Duration = Duration::from_millis(1);
    let mut io = ProcessIo::spawn(command("cat", &[]))?;
    let (input, mut got) = (part(n), Vec::new());
    for at in (0..input.len()).step_by(10_000) {
        let piece = input.slice(at..input.len().min(at + 10_000));
        // Once it has been polled it is queued, and is not to be sent again.
        let _ = timeout(BRIEFLY, io.send(piece)).await;
        if let Ok(piece) = timeout(BRIEFLY, io.recv(Source::Stdout)).await {
            got.extend_from_slice(&piece?.data().unwrap_or_default());
        }
    }
    io.close_stdin();
    loop {
        match timeout(BRIEFLY, io.recv(Source::Stdout)).await {
            Ok(Ok(Recv::Data(piece))) => got.extend_from_slice(&piece),
            Ok(Ok(_)) => break,
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => {}
        }
    }
    check(io.wait().await?.success(), || "it failed".to_owned())?;
    same(got, input)
}

async fn timed_out() -> Checked {
    let sh = ProcessIo::builder(sh("echo so far; sleep 1000000; true"));
    let result = sh.timeout(Duration::from_millis(200)).await;
    let error = result.err().ok_or("it was not stopped")?;
    check(error.is_timeout(), || error.to_string())?;
    let output = error.output().ok_or("no partial output")?;
    // With hundreds at once it may not have come to say anything.
    match output.stdout.is_empty() {
        true => Ok(0),
        false => same(&output.stdout, "so far\n"),
    }
}

async fn token() -> Checked {
    let token = CancellationToken::new();
    let run = ProcessIo::builder(sh("echo up; sleep 1000000; true")).cancel_on(token.clone());
    let mut io = run.spawn()?;
    io.expect("up\n").await?;
    token.cancel();
    let error = io.wait().await.err().ok_or("it was not stopped")?;
    check(error.is_cancelled(), || error.to_string())?;
    Ok(3)
}

/// Its descendant holds no pipe, and goes with the group.
async fn guarded(n: u64) -> Checked {
    let input = part(n);
    let script = "sleep 1000000 </dev/null >/dev/null 2>&1 & exec cat";
    let run = ProcessIo::builder(sh(script)).die_with_parent(true);
    let run = run.kill_leftovers(true);
    let output = run.input(input.clone()).await?.check()?;
    same(output.stdout, input)
}

async fn detached() -> Checked {
    let io = ProcessIo::spawn(sh("read -r line; exit 5"))?;
    // Without its pipes it finds the end of its input.
    let status = io.detach().wait().await?;
    check(status.code() == Some(5), || {
        format!("it ended with {status}")
    })?;
    Ok(0)
}

/// What it leaves when it exits by itself lives on, at whatever moment the run is over.
async fn daemon() -> Checked {
    let script = "setsid sh -c 'echo $$; exec sleep 1000000 >/dev/null 2>&1' & exit 0";
    let output = ProcessIo::builder(sh(script))
        .drain(Drain::UntilEof)
        .await?;
    succeeded(&output)?;
    let text = output.stdout_lossy();
    let pid = text.trim().parse().ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| format!("no pid: {text:?}"))?;
    rustix::process::kill_process(pid, rustix::process::Signal::KILL)?;
    Ok(output.stdout.len() as u64)
}

/// It acts on a signal all the same.
async fn stopped() -> Checked {
    let mut io = ProcessIo::spawn(sh(
        "trap 'exit 9' TERM; echo ready; kill -STOP $$; sleep 1000000",
    ))?;
    io.expect("ready\n").await?;
    let ladder = Ladder::kill().signal(Signal::TERM, Duration::from_secs(60));
    let report = io.shutdown(ladder).await?;
    check(
        report.ended_by() == Some(Step::Signal(Signal::TERM)),
        || format!("{report}"),
    )?;
    Ok(6)
}

/// Its tracer, which needs Python, holds its zombie for a while.
async fn traced() -> Checked {
    const TRACER: &str = "\
import ctypes, sys
trace = ctypes.CDLL(None, use_errno=True).ptrace
trace.argtypes = [ctypes.c_long] * 4
SEIZE = 0x4206
print('seized' if trace(SEIZE, int(sys.argv[1]), 0, 0) == 0 else 'refused', flush=True)
sys.stdin.read()
";
    let io = ProcessIo::spawn(command("cat", &[]))?;
    let pid = io.id().ok_or("no pid")?.to_string();
    let mut tracer = match ProcessIo::spawn(command("python3", &["-c", TRACER, &pid])) {
        Ok(tracer) => tracer,
        Err(error) if error.kind() == ErrorKind::ProgramNotFound => return Ok(0),
        Err(error) => return Err(error.into()),
    };
    tracer.expect("\n").await?;
    drop(io);
    tokio::time::sleep(Duration::from_millis(20)).await;
    succeeded(&tracer.output().await?)?;
    Ok(0)
}

async fn lines(n: u64) -> Checked {
    let last = n % 20_000 + 1;
    let mut lines = ProcessIo::spawn(command("seq", &[&last.to_string()]))?.into_lines();
    let (mut count, mut bytes) = (0, 0);
    while let Some(line) = lines.try_next().await? {
        count += 1;
        bytes += line.as_bytes().len() as u64 + 1;
        check(line.to_str()? == count.to_string(), || {
            format!("line {count} is {line}")
        })?;
    }
    check(count == last, || format!("{count} lines, {last} expected"))?;
    Ok(bytes)
}

async fn prompt(n: u64) -> Checked {
    let mut io = ProcessIo::spawn(command("sh", &[]))?;
    let mut bytes = 0;
    for i in n..n + 3 {
        io.send_line(format!("echo $(({i} * 2)); printf 'ready> '"))
            .await?;
        let found = io.expect("ready> ").await?;
        bytes += same(found.before, format!("{}\n", i * 2))?;
    }
    Ok(bytes)
}

async fn as_a_file(n: u64) -> Checked {
    let input = part(n);
    let (mut read, mut write) = tokio::io::split(ProcessIOWrapper::new(command("cat", &[]))?);
    let writing = async {
        write.write_all(&input).await?;
        write.shutdown().await
    };
    let mut got = Vec::new();
    let (written, read) = tokio::join!(writing, read.read_to_end(&mut got));
    written?;
    read?;
    same(got, &input)
}

async fn pipeline(n: u64) -> Checked {
    let input = part(n);
    let first = ProcessIo::builder(command("cat", &[])).input(input.clone());
    let run = first.pipe(command("cat", &[])).pipe(command("cat", &[]));
    same(run.await?.check()?.stdout, input)
}

/// The child writes 1 MiB and exits at once; the reader comes later, each time another way.
pub(crate) async fn late(n: u64) -> Checked {
    let (path, expected) = data();
    let path = path.to_str().ok_or("a path that is not UTF-8")?;
    let run = ProcessIo::builder(command("cat", &[path])).pipe_capacity(MEBIBYTE);
    let file = ProcessIOWrapper::from(run.spawn()?);
    let holds_all = holds_all(&file);
    let mut io = file.into_inner();
    if holds_all {
        // This moves no byte: the pipe holds them all.
        let status = io.control().wait().await?;
        check(status.success(), || format!("it ended with {status}"))?;
    } else {
        io.wait().await?;
    }
    let mut got = Vec::with_capacity(MEBIBYTE);
    match n % 4 {
        0 => return same(io.output().await?.stdout, expected),
        1 => {
            while let Recv::Data(piece) = io.recv(Source::Stdout).await? {
                got.extend_from_slice(&piece);
            }
        }
        2 => {
            while let Some(event) = io.try_next().await? {
                if let Event::Stdout(piece) = event {
                    got.extend_from_slice(&piece);
                }
            }
        }
        _ => loop {
            match io.recv_nowait(Source::Stdout)? {
                Recv::Data(piece) => got.extend_from_slice(&piece),
                // A child that is just being started holds all pipes for a moment.
                Recv::Empty => tokio::task::yield_now().await,
                Recv::Eof => break,
            }
        },
    }
    same(got, expected)
}

/// Whether the pipe has room for all that the child writes. Not every user may have one so large.
#[cfg(target_os = "linux")]
fn holds_all(file: &ProcessIOWrapper) -> bool {
    (file.read_descriptor())
        .is_some_and(|pipe| rustix::pipe::fcntl_getpipe_size(pipe).is_ok_and(|n| n >= MEBIBYTE))
}

#[cfg(not(target_os = "linux"))]
fn holds_all(_: &ProcessIOWrapper) -> bool {
    false
}
