//! Bulk read, feed-and-collect, round trip and spawn, each beside plain `tokio::process`, on every platform.
//!
//! `cargo bench --bench throughput` runs criterion's groups, for comparison with an earlier run, and then the
//! side-by-side rounds, for comparison with tokio: those alternate, so that both see the same machine.
//! `-- sides` runs only the latter, `-- sides NAME` only one of them.

use std::{
    env, fs,
    hint::black_box,
    process::Stdio,
    time::{Duration, Instant},
};

use bytes::Bytes;
use criterion::{Criterion, Throughput};
use futures::TryStreamExt;
use process_io::{Command, Event, Limits, Overflow, ProcessIo, Recv, Source};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    runtime::{self, Runtime},
};

/// What every side reads with: as much as ours does.
const READ: usize = 64 << 10;
/// The message of a round trip.
const MESSAGE: &[u8; 62] = b"a line of sixty-two bytes, which goes to a child and returns.\n";

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// How much work a run does.
#[derive(Clone, Copy)]
struct Size {
    bulk: usize,
    feed: usize,
    trips: usize,
    spawns: usize,
    rounds: usize,
}

/// Elsewhere it may be Wine, where all that is piped goes through one server.
const FULL: Size = if cfg!(unix) {
    Size {
        bulk: 1 << 30,
        feed: 128 << 20,
        trips: 10_000,
        spawns: 200,
        rounds: 9,
    }
} else {
    Size {
        bulk: 64 << 20,
        feed: 16 << 20,
        trips: 1_000,
        spawns: 10,
        rounds: 9,
    }
};
const QUICK: Size = Size {
    bulk: 4 << 20,
    feed: 1 << 20,
    trips: 10,
    spawns: 1,
    rounds: 1,
};

/// The ways to do one job.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    /// `ProcessIo` as a stream of events.
    Events,
    /// `ProcessIo::recv`, or whatever the job asks for.
    Ours,
    /// `tokio::process`.
    Tokio,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Events => "ours, events",
            Self::Ours => "ours",
            Self::Tokio => "tokio",
        }
    }
}

// ---- The jobs ----

/// The helper program of the tests, which is the same on every platform.
fn child(args: &[&str]) -> Command {
    let mut child = Command::new(env!("CARGO_BIN_EXE_child"));
    child.args(args);
    child
}

fn piped(command: &mut Command) -> &mut Command {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(Stdio::piped())
}

/// Takes each piece as it comes, and lets it go.
async fn bulk_read(side: Side, bytes: usize) -> Result<()> {
    let mut command = child(&["write", "out", &bytes.to_string()]);
    let mut received = 0;
    match side {
        Side::Events => {
            let mut io = ProcessIo::spawn(command)?;
            while let Some(event) = io.try_next().await? {
                if let Event::Stdout(piece) = event {
                    received += black_box(piece).len();
                }
            }
        }
        Side::Ours => {
            let mut io = ProcessIo::spawn(command)?;
            while let Recv::Data(piece) = io.recv(Source::Stdout).await? {
                received += black_box(piece).len();
            }
            io.wait().await?;
        }
        Side::Tokio => {
            let mut child = piped(&mut command).spawn()?;
            let mut stdout = child.stdout.take().ok_or("no stdout")?;
            let mut buffer = vec![0; READ];
            loop {
                match stdout.read(&mut buffer).await? {
                    0 => break,
                    n => received += black_box(&buffer[..n]).len(),
                }
            }
            child.wait().await?;
        }
    }
    assert_eq!(received, bytes);
    Ok(())
}

/// Writes all of `input` to a child that returns it, and collects what returns.
async fn feed_and_collect(side: Side, input: Bytes) -> Result<()> {
    let bytes = input.len();
    let mut cat = child(&["cat"]);
    let received = if side == Side::Tokio {
        let mut child = piped(&mut cat).spawn()?;
        let mut stdin = child.stdin.take().ok_or("no stdin")?;
        let feed = async move {
            stdin.write_all(&input).await?;
            stdin.shutdown().await
        };
        let (fed, output) = tokio::join!(feed, child.wait_with_output());
        fed?;
        black_box(output?.stdout).len()
    } else {
        let limits = Limits::default().stdout(bytes, Overflow::Fail);
        let run = ProcessIo::builder(cat).input(input).limits(limits);
        black_box(run.await?.stdout).len()
    };
    assert_eq!(received, bytes);
    Ok(())
}

/// Sends a message to such a child and waits for it to return, `trips` times; only that is measured.
async fn round_trips(side: Side, trips: usize) -> Result<Duration> {
    let mut cat = child(&["cat"]);
    if side == Side::Tokio {
        let mut child = piped(&mut cat).spawn()?;
        let mut stdin = child.stdin.take().ok_or("no stdin")?;
        let mut stdout = child.stdout.take().ok_or("no stdout")?;
        let mut buffer = vec![0; READ];
        let began = Instant::now();
        for _ in 0..trips {
            stdin.write_all(MESSAGE).await?;
            // On Windows a thread of the pool writes.
            stdin.flush().await?;
            let n = stdout.read(&mut buffer).await?;
            assert_eq!(black_box(&buffer[..n]), MESSAGE);
        }
        let elapsed = began.elapsed();
        drop(stdin);
        child.wait().await?;
        Ok(elapsed)
    } else {
        let mut io = ProcessIo::spawn(cat)?;
        let began = Instant::now();
        for _ in 0..trips {
            io.send(&MESSAGE[..]).await?;
            let piece = io.recv(Source::Stdout).await?;
            assert_eq!(black_box(piece).data().as_deref(), Some(&MESSAGE[..]));
        }
        let elapsed = began.elapsed();
        io.close_stdin();
        io.wait().await?;
        Ok(elapsed)
    }
}

/// Starts a child that does nothing and collects what it said.
async fn collect_nothing(side: Side) -> Result<()> {
    let mut nothing = child(&["write", "out", "0"]);
    let stdout = if side == Side::Tokio {
        nothing.stdin(Stdio::null()).output().await?.stdout.len()
    } else {
        ProcessIo::builder(nothing).await?.check()?.stdout.len()
    };
    assert_eq!(stdout, 0);
    Ok(())
}

/// Does so `spawns` times, one after another.
async fn spawn_and_collect(side: Side, spawns: usize) -> Result<()> {
    for _ in 0..spawns {
        collect_nothing(side).await?;
    }
    Ok(())
}

/// Does so `spawns` times, each in a task of its own.
async fn spawn_in_tasks(side: Side, spawns: usize) -> Result<()> {
    let collect = || async move { collect_nothing(side).await.expect("spawn") };
    let tasks: Vec<_> = (0..spawns).map(|_| tokio::spawn(collect())).collect();
    for task in tasks {
        task.await?;
    }
    Ok(())
}

// ---- Criterion ----

fn groups(criterion: &mut Criterion, runtime: &Runtime, size: Size) {
    let mut group = criterion.benchmark_group("bulk_read");
    group.throughput(Throughput::Bytes(size.bulk as u64));
    group.sample_size(10);
    for side in [Side::Ours, Side::Events, Side::Tokio] {
        group.bench_function(side.name(), |bencher| {
            let job = || async { bulk_read(side, size.bulk).await.expect("bulk read") };
            bencher.to_async(runtime).iter(job);
        });
    }
    group.finish();

    let input = Bytes::from(vec![7; size.feed]);
    let mut group = criterion.benchmark_group("feed_and_collect");
    group.throughput(Throughput::Bytes(size.feed as u64));
    group.sample_size(10);
    for side in [Side::Ours, Side::Tokio] {
        group.bench_function(side.name(), |bencher| {
            let job = || async { feed_and_collect(side, input.clone()).await.expect("feed") };
            bencher.to_async(runtime).iter(job);
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("round_trip");
    group.throughput(Throughput::Elements(1));
    group.sample_size(20);
    for side in [Side::Ours, Side::Tokio] {
        group.bench_function(side.name(), |bencher| {
            bencher.to_async(runtime).iter_custom(|trips| async move {
                let trips = usize::try_from(trips).expect("fewer trips");
                round_trips(side, trips).await.expect("round trips")
            });
        });
    }
    group.finish();
}

// ---- Side by side ----

/// What one run cost.
#[derive(Clone, Copy)]
struct Cost {
    elapsed: f64,
    /// Processor time of this thread, the kernel's share included, in seconds; 0 where it cannot be told.
    cpu: f64,
}

/// Runs the sides in turn, round after round, and prints what each took. The last one is tokio.
fn compare<const N: usize>(
    name: &str,
    unit: &str,
    per_unit: f64,
    rounds: usize,
    sides: [Side; N],
    mut run: impl FnMut(Side) -> Result<Duration>,
) -> Result<()> {
    let mut costs = sides.map(|_| Vec::with_capacity(rounds));
    for round in 0..=rounds {
        for turn in 0..N {
            // Each side comes first as often as the others.
            let index = (turn + round) % N;
            let cpu = cpu_time();
            let elapsed = run(sides[index])?.as_secs_f64();
            let cpu = cpu_time() - cpu;
            // The first round warms up.
            if round > 0 {
                costs[index].push(Cost { elapsed, cpu });
            }
        }
    }
    println!("{name}: medians of {rounds} alternating rounds, in {unit}");
    println!(
        "  {:<14}{:>9}{:>18}{:>9}{:>12}{:>12}",
        "", "elapsed", "lowest-highest", "cpu", "elapsed, x", "cpu, x"
    );
    let tokio = &costs[N - 1];
    for (side, own) in sides.iter().zip(&costs) {
        let elapsed = |cost: &Cost| cost.elapsed * per_unit;
        let lowest = own.iter().map(elapsed).fold(f64::INFINITY, f64::min);
        let highest = own.iter().map(elapsed).fold(0.0, f64::max);
        let pairs = || own.iter().zip(tokio);
        println!(
            "  {:<14}{:>9.2}{:>18}{:>9.2}{:>12.3}{:>12.3}",
            side.name(),
            median(own.iter().map(elapsed)),
            format!("{lowest:.2}-{highest:.2}"),
            median(own.iter().map(|cost| cost.cpu * per_unit)),
            // Of each round, for what slows down a round slows down all of it.
            median(pairs().map(|(own, tokio)| own.elapsed / tokio.elapsed)),
            median(pairs().map(|(own, tokio)| own.cpu / tokio.cpu)),
        );
    }
    println!();
    Ok(())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Linux counts it in nanoseconds.
fn cpu_time() -> f64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat.split(' ').next().and_then(|nanos| nanos.parse().ok());
    nanos.unwrap_or(0.0) / 1e9
}

fn timed(runtime: &Runtime, job: impl Future<Output = Result<()>>) -> Result<Duration> {
    let began = Instant::now();
    runtime.block_on(job)?;
    Ok(began.elapsed())
}

fn side_by_side(runtime: &Runtime, size: Size, only: Option<&str>, label: &str) -> Result<()> {
    let wanted = |name: &str| only.is_none_or(|only| only == name);
    let mib = |bytes: usize| bytes >> 20;
    if wanted("bulk_read") {
        let name = format!("bulk_read, {} MiB, {label}", mib(size.bulk));
        let sides = [Side::Ours, Side::Events, Side::Tokio];
        compare(&name, "ms", 1e3, size.rounds, sides, |side| {
            timed(runtime, bulk_read(side, size.bulk))
        })?;
    }
    if wanted("feed_and_collect") {
        let name = format!("feed_and_collect, {} MiB, {label}", mib(size.feed));
        let input = Bytes::from(vec![7; size.feed]);
        let sides = [Side::Ours, Side::Tokio];
        compare(&name, "ms", 1e3, size.rounds, sides, |side| {
            timed(runtime, feed_and_collect(side, input.clone()))
        })?;
    }
    if wanted("round_trip") {
        let name = format!("round_trip, 62 bytes, {label}");
        let sides = [Side::Ours, Side::Tokio];
        let per_trip = 1e6 / size.trips as f64;
        compare(&name, "µs", per_trip, size.rounds, sides, |side| {
            runtime.block_on(round_trips(side, size.trips))
        })?;
    }
    if wanted("spawn") {
        let name = format!("spawn and collect, {label}");
        let sides = [Side::Ours, Side::Tokio];
        let per_spawn = 1e3 / size.spawns as f64;
        compare(&name, "ms", per_spawn, size.rounds, sides, |side| {
            timed(runtime, spawn_and_collect(side, size.spawns))
        })?;
    }
    if wanted("spawn_in_tasks") {
        let spawns = size.spawns * 15;
        let name = format!("spawn and collect, {spawns} tasks, {label}");
        let sides = [Side::Ours, Side::Tokio];
        let per_spawn = 1e3 / spawns as f64;
        compare(&name, "ms", per_spawn, size.rounds, sides, |side| {
            timed(runtime, spawn_in_tasks(side, spawns))
        })?;
    }
    Ok(())
}

/// What else this machine is busy with decides more than the code does.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let model = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    format!("{cores} cores, load {load}, {model}")
}

fn run() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    // Cargo passes `--bench` to benches only when it benchmarks; criterion tests otherwise.
    let measure = args.iter().any(|arg| arg == "--bench") && !args.iter().any(|a| a == "--test");
    let list = args.iter().any(|arg| arg == "--list");
    let size = if measure { FULL } else { QUICK };
    let sides = args.iter().position(|arg| arg == "sides");
    let current = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;

    if sides.is_none() {
        let mut criterion = Criterion::default()
            .warm_up_time(Duration::from_secs(1))
            .measurement_time(Duration::from_secs(5))
            .configure_from_args();
        groups(&mut criterion, &current, size);
        criterion.final_summary();
    }
    let filtered = sides.is_none() && args.iter().any(|arg| !arg.starts_with('-'));
    if list || filtered {
        return Ok(());
    }
    println!("\n{}", machine());
    let only = sides.and_then(|at| args.get(at + 1));
    let only = only.map(String::as_str).filter(|arg| !arg.starts_with('-'));
    side_by_side(&current, size, only, "current_thread")?;
    let multi = runtime::Builder::new_multi_thread().enable_all().build()?;
    side_by_side(&multi, size, only, "multi_thread")?;
    println!("{}", machine());
    Ok(())
}

fn main() {
    if let Err(error) = run() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}
