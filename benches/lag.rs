//! How long a task that reads lines keeps others from running: each way of lines beside tokio's.
//!
//! `cargo bench --bench lag`. On a runtime of one thread a timer is to ring every millisecond while the shortest lines that there
//! are, those of `yes`, come as fast as they can be read. Printed is the worst and the median lateness of the timer, without
//! and with 250 ns of work for each line, and how many lines that were. The ways run in turn, round by round; of the rounds the
//! best counts, for on a machine that does something else the timer is late anyway.

use std::{
    cell::Cell,
    future::Future,
    hint::black_box,
    pin::Pin,
    process::Stdio,
    rc::Rc,
    time::{Duration, Instant},
};

use futures::{StreamExt, TryStreamExt};
use process_io::{Command, ProcessIOWrapper, ProcessIo, Recv, Source};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio_util::codec::LinesCodec;

/// Reads lines for ever, and has each worked on.
type Run = fn(Work) -> Pin<Box<dyn Future<Output = ()>>>;

const WAYS: &[(&str, Run)] = &[
    ("tokio BufReader::lines", |work| Box::pin(tokio_lines(work))),
    ("stdout_lines", |work| Box::pin(stdout_lines(work))),
    ("lines", |work| Box::pin(lines(work))),
    ("recv_line", |work| Box::pin(recv_line(work))),
    ("RecvHalf::lines", |work| Box::pin(half(work))),
    ("line_blocks", |work| Box::pin(blocks(work))),
    ("expect", |work| Box::pin(expect(work))),
    ("ProcessIOWrapper, lines", |work| Box::pin(wrapper(work))),
    ("framed, LinesCodec", |work| Box::pin(framed(work))),
    // For comparison: not taken apart.
    ("recv", |work| Box::pin(recv(work))),
];

const PERIOD: Duration = Duration::from_millis(1);

/// What is done for each line.
#[derive(Clone)]
struct Work {
    time: Duration,
    lines: Rc<Cell<u64>>,
}

impl Work {
    fn on(&self, line: &[u8]) {
        black_box(line);
        self.lines.set(self.lines.get() + 1);
        if !self.time.is_zero() {
            let start = Instant::now();
            while start.elapsed() < self.time {}
        }
    }
}

fn yes() -> ProcessIo {
    ProcessIo::spawn(Command::new("yes")).expect("yes is there")
}

async fn tokio_lines(work: Work) {
    let mut command = Command::new("yes");
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().expect("yes is there");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    while let Some(line) = lines.next_line().await.expect("a line") {
        work.on(line.as_bytes());
    }
}

async fn stdout_lines(work: Work) {
    let mut io = yes();
    let mut lines = io.stdout_lines();
    while let Some(line) = lines.try_next().await.expect("a line") {
        work.on(line.as_bytes());
    }
}

async fn lines(work: Work) {
    let mut lines = yes().into_lines();
    while let Some(line) = lines.try_next().await.expect("a line") {
        work.on(line.as_bytes());
    }
}

async fn recv_line(work: Work) {
    let mut io = yes();
    while let Some(line) = io.recv_line(Source::Stdout).await.expect("a line") {
        work.on(line.as_bytes());
    }
}

async fn half(work: Work) {
    let (_send, recv) = yes().into_split();
    let mut lines = recv.into_lines();
    while let Some(line) = lines.try_next().await.expect("a line") {
        work.on(line.as_bytes());
    }
}

async fn blocks(work: Work) {
    let mut io = yes();
    let mut blocks = io.line_blocks(Source::Stdout);
    while let Some(block) = blocks.try_next().await.expect("a block") {
        block.iter().for_each(|line| work.on(line));
    }
}

async fn expect(work: Work) {
    let mut io = yes();
    loop {
        work.on(&io.expect("\n").await.expect("a line").before);
    }
}

async fn wrapper(work: Work) {
    let mut lines = ProcessIOWrapper::from(yes()).lines();
    while let Some(line) = lines.next_line().await.expect("a line") {
        work.on(line.as_bytes());
    }
}

async fn framed(work: Work) {
    let mut frames = yes().framed(LinesCodec::new());
    while let Some(line) = frames.next().await {
        work.on(line.expect("a line").as_bytes());
    }
}

async fn recv(work: Work) {
    let mut io = yes();
    while let Recv::Data(piece) = io.recv(Source::Stdout).await.expect("a piece") {
        work.on(&piece);
    }
}

/// How late a timer is beside `run`: the worst and the median.
async fn lateness(run: Pin<Box<dyn Future<Output = ()>>>, time: Duration) -> [Duration; 2] {
    let local = tokio::task::LocalSet::new();
    let reader = local.spawn_local(run);
    let mut late = local
        .run_until(async {
            let mut late = Vec::new();
            let start = Instant::now();
            while start.elapsed() < time {
                let due = Instant::now() + PERIOD;
                tokio::time::sleep_until(due.into()).await;
                late.push(due.elapsed());
            }
            late
        })
        .await;
    reader.abort();
    late.sort();
    [late[late.len() - 1], late[late.len() / 2]]
}

fn main() {
    let quick = std::env::args().any(|arg| arg == "--test" || arg == "--quick");
    let (time, rounds) = match quick {
        true => (Duration::from_millis(50), 1),
        false => (Duration::from_secs(1), 5),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!(
        "worst and median lateness of a timer of 1 ms, the best of {rounds} rounds, {cores} cores"
    );
    for nanos in [0, 250] {
        let mut best = vec![[Duration::MAX; 2]; WAYS.len()];
        let mut lines = vec![0; WAYS.len()];
        for _ in 0..rounds {
            for (way, (_, run)) in WAYS.iter().enumerate() {
                let work = Work {
                    time: Duration::from_nanos(nanos),
                    lines: Rc::default(),
                };
                let late = runtime.block_on(lateness(run(work.clone()), time));
                best[way] = [0, 1].map(|i| best[way][i].min(late[i]));
                lines[way] = lines[way].max(work.lines.get());
            }
        }
        println!("\n{nanos} ns of work a line");
        println!(
            "{:26} {:>10} {:>10} {:>10} {:>12}",
            "", "worst, ms", "of tokio", "median, ms", "M lines/s"
        );
        for (way, (name, _)) in WAYS.iter().enumerate() {
            let [worst, median] = best[way].map(|late| late.as_secs_f64() * 1e3);
            println!(
                "{name:26} {worst:10.2} {:10.3} {median:10.2} {:12.1}",
                worst / 1e3 / best[0][0].as_secs_f64(),
                lines[way] as f64 / time.as_secs_f64() / 1e6,
            );
        }
    }
}
