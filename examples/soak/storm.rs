//! The soak itself: all shapes at once, for as long as one likes.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use crate::{
    children::{Checked, SHAPES},
    left::{Before, descriptors, resident},
    progress::Progress,
};

/// Nothing takes so long; what does, hangs.
const HANG: Duration = Duration::from_secs(60);
const SAMPLE: Duration = Duration::from_millis(250);
/// How much more memory may be resident in the last quarter of the time than in the second, as medians: a tenth of it
/// and so much.
const GROWTH: u64 = 4 << 20;
/// Samples in a quarter, for the first one to see all at work.
const MIN_QUARTER: usize = 16;
const MAX_FAULTS: usize = 20;

#[derive(Default)]
struct Tally {
    /// How many children of each shape, and how many of them were wrong.
    counts: Vec<(u64, u64)>,
    bytes: u64,
    faults: Vec<String>,
    memory: Vec<u64>,
    most_descriptors: usize,
}

impl Tally {
    fn note(&mut self, shape: usize, checked: Checked) {
        let (count, wrong) = &mut self.counts[shape];
        *count += 1;
        match checked {
            Ok(bytes) => self.bytes += bytes,
            Err(fault) => {
                *wrong += 1;
                self.faults.push(format!("{}: {fault}", SHAPES[shape].0));
            }
        }
    }

    fn sample(&mut self) {
        self.memory.extend(resident());
        self.most_descriptors = self.most_descriptors.max(descriptors().unwrap_or_default());
    }

    fn children(&self) -> u64 {
        self.counts.iter().map(|(count, _)| count).sum()
    }

    fn line(&self, elapsed: Duration, running: usize) -> String {
        let children = self.children();
        format!(
            "{:4.0} s {children:8} children, {:4.0} a second {running:5} running {:8.1} MiB checked {:6.1} MiB resident {:5} descriptors {:3} wrong",
            elapsed.as_secs_f64(),
            children as f64 / elapsed.as_secs_f64(),
            mebibytes(self.bytes),
            mebibytes(self.memory.last().copied().unwrap_or_default()),
            descriptors().unwrap_or_default(),
            self.faults.len(),
        )
    }

    fn summary(&self, elapsed: Duration) {
        println!();
        for ((name, _), (count, wrong)) in SHAPES.iter().zip(&self.counts) {
            match wrong {
                0 => println!("  {name:20} {count:7}"),
                wrong => println!("  {name:20} {count:7}, {wrong} WRONG"),
            }
        }
        println!(
            "{:.1} s: {} children, {:.1} MiB checked",
            elapsed.as_secs_f64(),
            self.children(),
            mebibytes(self.bytes),
        );
    }

    /// Whether memory stayed as it was, once all had been at work.
    fn memory_fault(&self) -> Option<String> {
        let quarter = self.memory.len() / 4;
        if quarter < MIN_QUARTER {
            println!("memory: too short to tell");
            return None;
        }
        let early = median(&self.memory[quarter..2 * quarter]);
        let late = median(&self.memory[3 * quarter..]);
        let allowed = early + early / 10 + GROWTH;
        println!(
            "memory: {:.1} MiB resident early, {:.1} MiB late; up to {:.1} MiB is flat",
            mebibytes(early),
            mebibytes(late),
            mebibytes(allowed),
        );
        (late > allowed).then(|| "memory grew".to_owned())
    }
}

/// Runs children for `seconds`, `parallel` at a time; what went wrong.
pub(crate) async fn run(seconds: u64, parallel: usize) -> Vec<String> {
    println!(
        "{} shapes, {parallel} at once, {seconds} s; Ctrl-C ends it sooner",
        SHAPES.len()
    );
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    let before = Before::now();
    let mut tally = Tally {
        counts: vec![(0, 0); SHAPES.len()],
        ..Tally::default()
    };
    let start = Instant::now();
    let mut running = JoinSet::new();
    let mut numbers = 0..;
    let mut tick = tokio::time::interval(SAMPLE);
    let mut progress = Progress::new();
    loop {
        let time_left = start.elapsed() < Duration::from_secs(seconds);
        while time_left && running.len() < parallel {
            running.spawn(one(numbers.next().unwrap_or_default()));
        }
        tokio::select! {
            done = running.join_next() => match done {
                Some(Ok((shape, checked))) => tally.note(shape, checked),
                Some(Err(panic)) => tally.faults.push(panic.to_string()),
                None => break,
            },
            _ = tick.tick() => {
                if time_left {
                    tally.sample();
                }
                progress.show(|| tally.line(start.elapsed(), running.len()));
            }
            _ = &mut interrupt => break,
        }
    }
    // After Ctrl-C this drops them all in the middle of their work.
    running.shutdown().await;
    drop(progress);
    tally.summary(start.elapsed());
    let left = before.restored().await;
    if let (Some(first), Some(last)) = (before.descriptors, descriptors()) {
        let most = tally.most_descriptors;
        println!("descriptors: {first} at the start, {most} at most, {last} at the end");
    }
    if left.is_empty() {
        println!("left: no process, no zombie");
    }
    let grown = tally.memory_fault();
    let more = tally.faults.len().saturating_sub(MAX_FAULTS);
    let more = (more > 0).then(|| format!("and {more} more of that kind"));
    let faults = tally.faults.into_iter().take(MAX_FAULTS);
    faults.chain(more).chain(grown).chain(left).collect()
}

async fn one(number: usize) -> (usize, Checked) {
    let shape = number % SHAPES.len();
    let run = SHAPES[shape].1((number / SHAPES.len()) as u64);
    let checked = tokio::time::timeout(HANG, run).await;
    (shape, checked.unwrap_or_else(|_| Err("it hangs".into())))
}

fn median(values: &[u64]) -> u64 {
    let mut values = values.to_vec();
    values.sort_unstable();
    values[values.len() / 2]
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1 << 20) as f64
}
