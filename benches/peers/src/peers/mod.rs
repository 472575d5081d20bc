//! The peers. Each does the work in its documented best way, with buffers of the same size where it lets one choose.
//!
//! Ours, tokio and tokio-process-stream run on tokio's `current_thread` runtime, tokio-process-tools and processkit on
//! its `multi_thread` one, as their documentation has it; async-process on smol's `block_on`.

mod async_process;
mod blocking;
mod chunks;
mod duct;
mod ours;
mod processkit;
mod script;
mod subprocess;
mod tokio;
mod tools;

use std::{
    error::Error,
    fmt, fs,
    future::Future,
    pin::pin,
    time::{Duration, Instant},
};

use futures::future::{join_all, select};

pub(crate) use self::script::Scripts;
use crate::{
    Result,
    work::{Done, Job, Kind},
};

/// Who does the work: a peer, and which of its ways.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Contender {
    pub(crate) peer: Peer,
    pub(crate) way: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Peer {
    Ours,
    Tokio,
    AsyncProcess,
    TokioProcessStream,
    TokioProcessTools,
    Processkit,
    Subprocess,
    Duct,
    Std,
    Shell,
    Python,
    Go,
    Node,
}

pub(crate) const PEERS: [Peer; 13] = [
    Peer::Ours,
    Peer::Tokio,
    Peer::AsyncProcess,
    Peer::TokioProcessStream,
    Peer::TokioProcessTools,
    Peer::Processkit,
    Peer::Subprocess,
    Peer::Duct,
    Peer::Std,
    Peer::Shell,
    Peer::Python,
    Peer::Go,
    Peer::Node,
];

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "process-io",
            Self::Tokio => "tokio",
            Self::AsyncProcess => "async-process",
            Self::TokioProcessStream => "tokio-process-stream",
            Self::TokioProcessTools => "tokio-process-tools",
            Self::Processkit => "processkit",
            Self::Subprocess => "subprocess",
            Self::Duct => "duct",
            Self::Std => "std",
            Self::Shell => "sh",
            Self::Python => "asyncio",
            Self::Go => "go",
            Self::Node => "node",
        }
    }

    /// The ways in which it can do a work; the first is its usual one.
    pub(crate) fn ways(self, kind: Kind) -> &'static [&'static str] {
        match (self, kind) {
            (Self::Ours, Kind::Bulk) => &["", "events"],
            (Self::Ours, Kind::Lines) => &["", "blocks"],
            (Self::Ours, Kind::Pattern) => &["", "collecting", "dropping"],
            (Self::Tokio, Kind::Lines) => &["", "codec"],
            (Self::Shell, Kind::Pipeline) => &[""],
            (Self::Shell, _) => &[],
            // Blocking reads are a floor for these, and no way to do the others.
            (Self::Std, Kind::Tagged | Kind::Idle | Kind::Pattern) => &[],
            _ => &[""],
        }
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.peer.name())?;
        if !self.way.is_empty() {
            write!(f, ", {}", self.way)?;
        }
        Ok(())
    }
}

/// A work that a peer cannot do, and why.
#[derive(Debug)]
pub(crate) struct Cannot(&'static str);

impl fmt::Display for Cannot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Cannot {}

fn cannot(why: &'static str) -> Result {
    Err(Cannot(why).into())
}

/// Does a job so many times, and adds up.
pub(crate) fn run(contender: Contender, job: &Job, times: u64) -> Result {
    use ::tokio::runtime::Builder;

    let runtime = match contender.peer {
        Peer::TokioProcessTools | Peer::Processkit => Builder::new_multi_thread(),
        _ => Builder::new_current_thread(),
    }
    .enable_all()
    .build()?;
    let mut sum = Done::default();
    for _ in 0..times {
        let done = match contender.peer {
            Peer::Ours => runtime.block_on(ours::run(job, contender.way)),
            Peer::Tokio => runtime.block_on(tokio::run(job, contender.way)),
            Peer::AsyncProcess => async_io::block_on(async_process::run(job)),
            Peer::TokioProcessStream => runtime.block_on(chunks::run(job)),
            Peer::TokioProcessTools => runtime.block_on(tools::run(job)),
            Peer::Processkit => runtime.block_on(processkit::run(job)),
            Peer::Subprocess => subprocess::run(job),
            Peer::Duct => duct::run(job),
            Peer::Std => blocking::run(job),
            Peer::Shell => blocking::shell(job),
            Peer::Python | Peer::Go | Peer::Node => Err("it is a worker of its own".into()),
        }?;
        sum.cost += done.cost;
        sum.stdout += done.stdout;
        sum.stderr += done.stderr;
    }
    // What an idle worker's children hold must not hold it.
    std::mem::forget(runtime);
    Ok(sum)
}

/// What it took since then, and the bytes of stdout that came.
fn done(began: Instant, stdout: u64) -> Result {
    Ok(Done {
        cost: began.elapsed().as_secs_f64(),
        stdout,
        stderr: 0,
    })
}

/// The bytes of a line, its end included.
fn line_len(line: impl AsRef<[u8]>) -> u64 {
    std::hint::black_box(line).as_ref().len() as u64 + 1
}

fn len(piece: impl AsRef<[u8]>) -> u64 {
    std::hint::black_box(piece).as_ref().len() as u64
}

/// Memory of this process that is not of a file, in bytes.
fn memory() -> Result<f64> {
    status("RssAnon:")
}

/// The most memory that this process has had, in bytes.
pub(crate) fn peak() -> Result<f64> {
    status("VmHWM:")
}

fn status(field: &str) -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")
        .map_err(|_| Cannot("the system does not tell what memory a process has"))?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_suffix("kB"))
        .ok_or("no such field in the status")?;
    Ok(kib.trim().parse::<f64>()? * 1024.0)
}

/// What is done when memory is measured: long enough for all to be waiting.
const SETTLE: Duration = Duration::from_millis(300);

/// What memory there is more than before, while all these wait.
async fn memory_of<F: Future>(before: f64, waiting: Vec<F>, nap: impl Future) -> Result {
    let count = waiting.len() as u64;
    let all = pin!(join_all(waiting));
    let nap = pin!(nap);
    let all = select(all, nap).await;
    let cost = memory()? - before;
    drop(all);
    Ok(Done {
        cost,
        stdout: count,
        stderr: 0,
    })
}
