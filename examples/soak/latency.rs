//! How long things take: beside sleepers, with many children, in a large process.

use std::{
    hint::black_box,
    io, thread,
    time::{Duration, Instant},
};

use process_io::{Drain, ProcessIo, Recv, Source};

use crate::{
    children::{Fault, check},
    left::{available, command, descriptors},
};

const HANG: Duration = Duration::from_secs(60);
const BATCHES: usize = 10;
const BATCH: usize = 50;

pub(crate) async fn siblings() -> Result<(), Fault> {
    const THREADS: usize = 32;
    const BOUND: Duration = Duration::from_millis(100);
    /// One in so many may be later: the machine may have other things to do.
    const LATE: usize = 1000;
    let all = tokio::task::spawn_blocking(|| {
        let threads: Vec<_> = (0..THREADS).map(|_| thread::spawn(sibling)).collect();
        let all = threads.into_iter().map(|thread| match thread.join() {
            Ok(result) => result,
            Err(_) => Err("a thread panicked".into()),
        });
        all.collect::<Result<Vec<_>, Fault>>()
    });
    // All sleepers sleep until here.
    let (lags, _sleepers): (Vec<_>, Vec<_>) = all.await??.into_iter().unzip();
    let mut lags = lags.concat();
    lags.sort_unstable();
    let at = |part: f64| lags[((lags.len() - 1) as f64 * part) as usize];
    let over = lags.iter().filter(|lag| **lag > BOUND).count();
    println!(
        "  {} children: half of the streams end within {:.1?} of the exit, 90 % within {:.1?}, 99 % within {:.1?}, the last {:.1?}; {over} over {BOUND:?}",
        lags.len(),
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0),
    );
    check(over <= lags.len() / LATE, || {
        format!("{over} over {BOUND:?}")
    })
}

/// Starts short children, and from time to time one that sleeps on; how long after its exit each stream ended.
fn sibling() -> Result<(Vec<Duration>, Vec<ProcessIo>), Fault> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build()?.block_on(async {
        let (mut sleepers, mut lags) = (Vec::new(), Vec::new());
        for round in 0..50 {
            if round % 5 == 0 {
                sleepers.push(ProcessIo::spawn(command("sleep", &["1000000"]))?);
            }
            // Nothing but the true end of the stream counts.
            let run = ProcessIo::builder(command("echo", &["hello"])).drain(Drain::UntilEof);
            let mut io = run.spawn()?;
            let control = io.control();
            let exit = async { control.wait().await.map(|_| Instant::now()) };
            let end = async {
                while let Recv::Data(_) = io.recv(Source::Stdout).await? {}
                Ok(Instant::now())
            };
            let both = tokio::time::timeout(HANG, futures::future::try_join(exit, end));
            let (exit, end) = both.await.map_err(|_| "a stream does not end")??;
            lags.push(end.saturating_duration_since(exit));
        }
        Ok((lags, sleepers))
    })
}

pub(crate) async fn many() -> Result<(), Fault> {
    const MANY: usize = 1000;
    let before = (typical(false).await?, of_std()?);
    let sleepers: Result<Vec<_>, _> = (0..MANY)
        .map(|_| ProcessIo::spawn(command("sleep", &["1000000"])))
        .collect();
    let sleepers = sleepers?;
    let open = descriptors().map_or("all".to_owned(), |open| open.to_string());
    let with = (typical(false).await?, of_std()?);
    drop(sleepers);
    let after = (typical(false).await?, of_std()?);

    let tell = |what: &str, of: fn(Measured) -> Duration| {
        let [before, with, after] = [before, with, after].map(of);
        let factor = 2.0 * with.as_secs_f64() / (before + after).as_secs_f64();
        println!(
            "  {what:28} {before:8.1?} before, {with:8.1?} with {MANY} others, {after:8.1?} after: {factor:.2} times"
        );
        factor
    };
    let spawn = tell("spawn", |(ours, _)| ours.spawn);
    let whole = tell("spawn and wait", |(ours, _)| ours.whole);
    let std = tell("spawn and wait, with std", |(_, std)| std);
    println!(
        "  Each new process is given {open} descriptors, and closes them: std's children too."
    );
    check(spawn <= 1.5, || format!("spawn: {spawn:.2} times"))?;
    check(whole <= 1.5 * std, || {
        format!("spawn and wait: {whole:.2} times")
    })
}

/// What a new process takes, ours and one that std starts.
type Measured = (Span, Duration);

pub(crate) async fn big_parent() -> Result<(), Fault> {
    let size = 4 << 30;
    let enough = available().is_none_or(|free| free > size as u64 * 5 / 4);
    check(enough, || "5 GiB of free memory are needed".to_owned())?;
    let mut small = Vec::new();
    for guarded in [false, true] {
        small.push(typical(guarded).await?.spawn);
    }
    let mut block = Vec::new();
    block.try_reserve_exact(size)?;
    block.resize(size, 1_u8);
    for (guarded, small) in [false, true].into_iter().zip(small) {
        let big = typical(guarded).await?.spawn;
        let factor = big.as_secs_f64() / small.as_secs_f64();
        let what = if guarded {
            "spawn with die_with_parent"
        } else {
            "spawn"
        };
        println!(
            "  {what}: {small:.1?} small, {big:.1?} with {} MiB: {factor:.2} times",
            size >> 20
        );
        check(factor <= 2.0, || format!("{what}: {factor:.2} times"))?;
    }
    black_box(&block);
    Ok(())
}

#[derive(Clone, Copy)]
struct Span {
    /// Until it has been started.
    spawn: Duration,
    /// Until it has been reaped.
    whole: Duration,
}

/// How long it takes to run `true`: medians of a batch, and the best of some batches, for the machine has other things
/// to do.
async fn typical(guarded: bool) -> Result<Span, Fault> {
    let (mut spawns, mut wholes) = (Vec::new(), Vec::new());
    for _ in 0..BATCHES {
        let (mut spawn, mut whole) = (Vec::new(), Vec::new());
        for _ in 0..BATCH {
            let run = ProcessIo::builder(command("true", &[])).die_with_parent(guarded);
            let start = Instant::now();
            let mut io = run.spawn()?;
            spawn.push(start.elapsed());
            io.wait().await?;
            whole.push(start.elapsed());
        }
        spawns.push(median(spawn));
        wholes.push(median(whole));
    }
    Ok(Span {
        spawn: least(spawns),
        whole: least(wholes),
    })
}

/// The same of std, to compare with: the whole of it.
fn of_std() -> io::Result<Duration> {
    let mut wholes = Vec::new();
    for _ in 0..BATCHES {
        let mut whole = Vec::new();
        for _ in 0..BATCH {
            let start = Instant::now();
            std::process::Command::new("true").status()?;
            whole.push(start.elapsed());
        }
        wholes.push(median(whole));
    }
    Ok(least(wholes))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn least(times: Vec<Duration>) -> Duration {
    times.into_iter().min().unwrap_or_default()
}
