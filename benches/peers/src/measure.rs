//! All measurements, in turn.

use std::{
    future::Future,
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use futures::future::join_all;
use process_io::{Output, ProcessIo};

use crate::{
    Result,
    args::Args,
    peers::{Contender, Peer, Scripts},
    work::{Amount, Job, Kind, Work},
    worker,
};

/// All that `--quick` may take, after Go's script has been compiled.
const QUICK: Duration = Duration::from_secs(150);
const QUICK_ROUNDS: usize = 9;
const FULL_ROUNDS: usize = 3;
/// After this a measurement is cut off.
const QUICK_LIMIT: Duration = Duration::from_secs(20);
const FULL_LIMIT: Duration = Duration::from_secs(90);

/// One measurement that came to its end.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    /// Seconds, or bytes of memory.
    pub(crate) cost: f64,
    /// Processor time of the worker and its children, in seconds.
    pub(crate) cpu: f64,
    /// The most memory that the worker had, in bytes; not a number where it cannot be told.
    pub(crate) peak: f64,
}

/// Why there is none.
pub(crate) enum Fault {
    Cannot(String),
    Failed(String),
    Hung(Duration),
}

/// A contender, and how it did.
pub(crate) struct Row {
    pub(crate) contender: Contender,
    pub(crate) samples: Vec<Sample>,
    pub(crate) fault: Option<Fault>,
}

/// A work, and how all did.
pub(crate) struct Block {
    pub(crate) work: &'static Work,
    pub(crate) amount: Amount,
    pub(crate) rows: Vec<Row>,
}

/// What runs the workers.
pub(crate) struct Harness<'a> {
    args: &'a Args,
    scripts: &'a Scripts,
    exe: String,
}

impl<'a> Harness<'a> {
    pub(crate) fn new(args: &'a Args, scripts: &'a Scripts) -> Result<Self> {
        raise_descriptors();
        Ok(Self {
            args,
            scripts,
            exe: worker::own_path()?,
        })
    }

    /// Does all works, and hands each over as soon as it is done.
    pub(crate) async fn run(&self, mut done: impl FnMut(&Block)) -> Result<Vec<Block>> {
        let began = Instant::now();
        let mut blocks = Vec::new();
        for (at, work) in self.args.works.iter().enumerate() {
            let left = QUICK.saturating_sub(began.elapsed());
            let share = left / (self.args.works.len() - at) as u32;
            let place = format!("[{}/{}] {}", at + 1, self.args.works.len(), work.name);
            let block = self.block(work, share, &place).await?;
            done(&block);
            blocks.push(block);
        }
        Ok(blocks)
    }

    async fn block(&self, work: &'static Work, share: Duration, place: &str) -> Result<Block> {
        let began = Instant::now();
        let amount = work.amount(self.args.full);
        let job = Job {
            kind: work.kind,
            size: amount.size,
            exe: self.exe.clone(),
        };
        let mut rows = self.rows(work.kind);
        // There the workers only wait, so all of them can at the same time.
        if work.kind == Kind::Held {
            progress(&format!("{place}: all at once"));
            let all = rows
                .iter()
                .map(|row| self.measure(work, &job, amount, row.contender));
            let results = join_all(all).await;
            for (row, result) in rows.iter_mut().zip(results) {
                row.add(result?);
            }
            progress("");
            return Ok(Block { work, amount, rows });
        }
        let rounds = if self.args.full {
            FULL_ROUNDS
        } else {
            QUICK_ROUNDS
        };
        for round in 0..rounds {
            let round_began = Instant::now();
            for turn in 0..rows.len() {
                // Each comes first as often as the others.
                let at = (turn + round) % rows.len();
                let row = &mut rows[at];
                if row.fault.is_none() {
                    progress(&format!("{place}, round {}: {}", round + 1, row.contender));
                    row.add(self.measure(work, &job, amount, row.contender).await?);
                }
            }
            let another = began.elapsed() + round_began.elapsed();
            if !self.args.full && another > share {
                break;
            }
        }
        progress("");
        Ok(Block { work, amount, rows })
    }

    fn rows(&self, kind: Kind) -> Vec<Row> {
        let is_there = |peer: &&Peer| {
            let is_script = matches!(peer, Peer::Python | Peer::Go | Peer::Node);
            !is_script || self.scripts.version(**peer).is_some()
        };
        let peers = self.args.peers.iter().filter(is_there);
        let contenders = peers.flat_map(|&peer| {
            let ways = peer.ways(kind).iter();
            ways.map(move |way| Contender { peer, way })
        });
        let row = |contender| Row {
            contender,
            samples: Vec::new(),
            fault: None,
        };
        contenders.map(row).collect()
    }

    /// Fails only if this program cannot start itself.
    fn measure(
        &self,
        work: &Work,
        job: &Job,
        amount: Amount,
        contender: Contender,
    ) -> impl Future<Output = Result<std::result::Result<Sample, Fault>>> {
        let script = self.scripts.worker(contender.peer, job, amount.times);
        let worker = script.unwrap_or_else(|| worker::command(&self.exe, work, amount, contender));
        let limit = if self.args.full {
            FULL_LIMIT
        } else {
            QUICK_LIMIT
        };
        let (stdout, stderr) = job.expected();
        let expected = (stdout * amount.times, stderr * amount.times);
        async move {
            let run = ProcessIo::builder(worker)
                .die_with_parent(true)
                .timeout(limit);
            match run.await {
                Ok(output) => Ok(judge(&output, expected)),
                Err(error) if error.is_timeout() => Ok(Err(Fault::Hung(limit))),
                Err(error) => Err(error.into()),
            }
        }
    }
}

impl Row {
    fn add(&mut self, result: std::result::Result<Sample, Fault>) {
        match result {
            Ok(sample) => self.samples.push(sample),
            Err(fault) => self.fault = Some(fault),
        }
    }
}

/// Reads what a worker printed, and checks that it got all there was.
fn judge(output: &Output, expected: (u64, u64)) -> std::result::Result<Sample, Fault> {
    let stdout = output.stdout_lossy();
    let (word, rest) = stdout.trim().split_once(' ').unwrap_or_default();
    if word == worker::CANNOT {
        return Err(Fault::Cannot(rest.to_owned()));
    }
    if word != worker::OK || !output.success() {
        let stderr = output.stderr_lossy();
        let last = stderr.lines().rfind(|line| !line.trim().is_empty());
        return Err(Fault::Failed(last.unwrap_or("it said nothing").to_owned()));
    }
    let numbers: Vec<f64> = rest.split(' ').flat_map(str::parse).collect();
    let &[cost, out, err, peak] = numbers.as_slice() else {
        return Err(Fault::Failed(format!("it said {rest}")));
    };
    let got = (out as u64, err as u64);
    if got != expected {
        let text = format!("{got:?} bytes came, and not {expected:?}");
        return Err(Fault::Failed(text));
    }
    Ok(Sample {
        cost,
        cpu: output
            .usage
            .map_or(f64::NAN, |usage| (usage.user + usage.system).as_secs_f64()),
        peak,
    })
}

/// One line, which the next one replaces. Nothing where nobody looks.
fn progress(text: &str) {
    let mut stderr = io::stderr();
    if stderr.is_terminal() {
        let _ = write!(stderr, "\r\x1b[K{text}");
        let _ = stderr.flush();
    }
}

/// A thousand children have three thousand pipes. The workers inherit it.
fn raise_descriptors() {
    use rustix::process::{Resource, getrlimit, setrlimit};

    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where it fails, a worker will say that it had too few.
    let _ = setrlimit(Resource::Nofile, limit);
}
