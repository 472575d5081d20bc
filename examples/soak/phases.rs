//! The phases: each proves one property, with numbers.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{FutureExt, StreamExt, future::BoxFuture, poll, stream};
use process_io::{ErrorKind, ProcessIo};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::task::JoinSet;

use crate::{
    children::{Fault, check, late},
    latency,
    left::{Before, command, descriptors, sh},
    progress::Progress,
};

pub(crate) struct Phase {
    pub(crate) name: &'static str,
    pub(crate) promise: &'static str,
    run: fn() -> BoxFuture<'static, Result<(), Fault>>,
}

const PHASES: [Phase; 6] = [
    Phase {
        name: "late-reader",
        promise: "10,000 times a child writes 1 MiB and exits at once, and the reader comes late: every byte is there",
        run: || late_reader().boxed(),
    },
    Phase {
        name: "spawn-drop",
        promise: "10,000 children are started and dropped: no descriptor and no child is left",
        run: || spawn_drop().boxed(),
    },
    Phase {
        name: "siblings",
        promise: "32 threads start children beside long sleepers: each stream ends within 100 ms of its own child's exit",
        run: || latency::siblings().boxed(),
    },
    Phase {
        name: "many",
        promise: "1,000 children that live on do not slow spawning by more than 1.5",
        run: || latency::many().boxed(),
    },
    Phase {
        name: "descriptors",
        promise: "descriptors run out in the middle of a storm: a typed error, no leak, and all works again",
        run: || run_out().boxed(),
    },
    Phase {
        name: "big-parent",
        promise: "spawning takes a parent of 4 GiB at most twice as long as a small one",
        run: || latency::big_parent().boxed(),
    },
];

/// The phase of this name, or all of them.
pub(crate) fn named(name: &str) -> Vec<&'static Phase> {
    (PHASES.iter())
        .filter(|phase| name == "all" || name == phase.name)
        .collect()
}

/// What went wrong.
pub(crate) async fn run(phase: &Phase) -> Vec<String> {
    let before = Before::now();
    let start = Instant::now();
    let result = (phase.run)().await;
    let left = before.restored().await;
    if let (Some(first), Some(last)) = (before.descriptors, descriptors()) {
        println!("  descriptors: {first} before, {last} after");
    }
    println!("  {:.1} s", start.elapsed().as_secs_f64());
    let fault = result.err().map(|fault| fault.to_string());
    fault.into_iter().chain(left).collect()
}

async fn late_reader() -> Result<(), Fault> {
    const ROUNDS: u64 = 10_000;
    const AT_ONCE: usize = 4;
    let mut progress = Progress::new();
    let mut runs = stream::iter(0..ROUNDS).map(late).buffer_unordered(AT_ONCE);
    let (mut done, mut bytes) = (0, 0);
    while let Some(checked) = runs.next().await {
        bytes += checked.map_err(|fault| format!("after {done} that were right: {fault}"))?;
        done += 1;
        progress.show(|| format!("  {done} of {ROUNDS}"));
    }
    drop(progress);
    println!("  {done} of {ROUNDS} exact, {} MiB", bytes >> 20);
    Ok(())
}

async fn spawn_drop() -> Result<(), Fault> {
    const ROUNDS: usize = 10_000;
    let mut progress = Progress::new();
    let mut most = 0;
    for round in 0..ROUNDS {
        let mut io = ProcessIo::spawn(match round % 4 {
            0 => command("sleep", &["1000000"]),
            1 => command("true", &[]),
            2 => command("yes", &[]),
            _ => sh("sleep 1000000 | cat"),
        })?;
        match round / 4 % 3 {
            0 => drop(poll!(Box::pin(io.wait()))),
            1 => drop(poll!(io.next())),
            _ => {}
        }
        drop(io);
        most = most.max(descriptors().unwrap_or_default());
        progress.show(|| format!("  {round} of {ROUNDS}"));
    }
    drop(progress);
    println!("  {ROUNDS} started and dropped, {most} descriptors at most");
    Ok(())
}

async fn run_out() -> Result<(), Fault> {
    let usual = getrlimit(Resource::Nofile);
    let result = storm_with_few(usual).await;
    setrlimit(Resource::Nofile, usual)?;
    result
}

/// Descriptors are plenty at first, then few, then plenty again.
async fn storm_with_few(usual: Rlimit) -> Result<(), Fault> {
    const AT_ONCE: usize = 64;
    const ENOUGH: usize = 1000;
    let mut progress = Progress::new();
    let mut running = JoinSet::new();
    let (mut fine, mut refused) = ([0; 3], 0);
    for act in 0..3 {
        let few = act == 1;
        let limit = Rlimit {
            current: match few {
                true => Some(descriptors().unwrap_or(100) as u64 / 2),
                false => usual.current,
            },
            maximum: usual.maximum,
        };
        setrlimit(Resource::Nofile, limit)?;
        for finished in 0..ENOUGH {
            while running.len() < AT_ONCE {
                running.spawn(echo_or_refuse());
            }
            match running.join_next().await.ok_or("none is running")?? {
                Ok(true) => fine[act] += 1,
                // Those that were started when there were few may be told so later.
                Ok(false) if few || finished < AT_ONCE => refused += 1,
                Ok(false) => return Err("refused with descriptors to spare".into()),
                Err(fault) => return Err(fault),
            }
            progress.show(|| format!("  {fine:?} fine, {refused} refused"));
        }
    }
    running.shutdown().await;
    drop(progress);
    println!("  fine before, while and after descriptors are few: {fine:?}; {refused} refused");
    check(refused > 0, || "none was refused".to_owned())
}

/// Whether it could be started; if so every byte is right.
async fn echo_or_refuse() -> Result<bool, Fault> {
    let input = Bytes::from(vec![b'.'; 100_000]);
    let run = ProcessIo::builder(command("cat", &[])).input(input.clone());
    let mut io = match run.spawn() {
        Ok(io) => io,
        Err(error) if error.kind() == ErrorKind::TooManyFiles => {
            // The others need a moment to finish.
            tokio::time::sleep(Duration::from_millis(1)).await;
            return Ok(false);
        }
        Err(error) => return Err(error.into()),
    };
    let output = io.output().await?.check()?;
    check(output.stdout == input, || "wrong bytes".to_owned())?;
    Ok(true)
}
