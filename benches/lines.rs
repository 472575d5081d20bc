//! Lines per second: ours beside tokio's, and beside a bare `memchr` loop over the same kind of pipe.
//!
//! `cargo bench --bench lines`. All ways run in turn, round by round, on the same file from `cat`; medians, spread
//! and ratios are printed, and the CPU time (user and system), ours and that of `cat`.

use std::{
    fs::read_to_string, future::Future, hint::black_box, io::Write, path::Path, pin::Pin,
    process::Stdio, time::Instant,
};

use futures::{StreamExt, TryStreamExt};
use process_io::{Command, ProcessIo, Source};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::Command as TokioCommand,
};
use tokio_util::codec::{FramedRead, LinesCodec};

type Run = fn(&Path) -> Pin<Box<dyn Future<Output = (u64, u64)> + '_>>;

/// Each gives the number of lines and of bytes in them.
const WAYS: &[(&str, Run)] = &[
    ("memchr, borrowed (the limit)", |path| {
        Box::pin(borrowed(path))
    }),
    ("process-io LineBlocks", |path| Box::pin(blocks(path))),
    ("process-io Lines", |path| Box::pin(lines(path))),
    ("process-io recv_line", |path| Box::pin(recv_line(path))),
    ("tokio BufReader::lines", |path| Box::pin(tokio_lines(path))),
    ("tokio-util LinesCodec", |path| Box::pin(codec(path))),
];

fn cat(path: &Path) -> Command {
    let mut command = Command::new("cat");
    command.arg(path);
    command
}

fn spawn(path: &Path) -> tokio::process::Child {
    let mut command: TokioCommand = cat(path);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    child.expect("cat is there")
}

async fn lines(path: &Path) -> (u64, u64) {
    let mut io = ProcessIo::spawn(cat(path)).expect("cat is there");
    let mut lines = io.stdout_lines();
    let (mut n, mut bytes) = (0, 0);
    while let Some(line) = lines.next().await {
        n += 1;
        bytes += black_box(line.expect("a line").as_bytes()).len() as u64;
    }
    io.wait().await.expect("an exit");
    (n, bytes)
}

async fn recv_line(path: &Path) -> (u64, u64) {
    let mut io = ProcessIo::spawn(cat(path)).expect("cat is there");
    let (mut n, mut bytes) = (0, 0);
    while let Some(line) = io.recv_line(Source::Stdout).await.expect("a line") {
        n += 1;
        bytes += black_box(line.as_bytes()).len() as u64;
    }
    io.wait().await.expect("an exit");
    (n, bytes)
}

async fn blocks(path: &Path) -> (u64, u64) {
    let mut io = ProcessIo::spawn(cat(path)).expect("cat is there");
    let mut blocks = io.line_blocks(Source::Stdout);
    let (mut n, mut bytes) = (0, 0);
    while let Some(block) = blocks.try_next().await.expect("a block") {
        for line in &block {
            n += 1;
            bytes += black_box(line).len() as u64;
        }
    }
    io.wait().await.expect("an exit");
    (n, bytes)
}

async fn borrowed(path: &Path) -> (u64, u64) {
    let mut child = spawn(path);
    let mut stdout = child.stdout.take().expect("a pipe");
    // The same pipe as ours, or it would not be the limit.
    #[cfg(target_os = "linux")]
    rustix::pipe::fcntl_setpipe_size(&stdout, 256 << 10).expect("a larger pipe");
    let mut buffer = vec![0; 128 << 10];
    let (mut start, mut n, mut bytes) = (0, 0, 0);
    loop {
        let read = stdout.read(&mut buffer[start..]).await.expect("a read");
        if read == 0 {
            break;
        }
        let end = start + read;
        let mut from = 0;
        for at in memchr::memchr_iter(b'\n', &buffer[..end]) {
            n += 1;
            bytes += black_box(&buffer[from..at]).len() as u64;
            from = at + 1;
        }
        buffer.copy_within(from..end, 0);
        start = end - from;
    }
    child.wait().await.expect("an exit");
    (n, bytes)
}

async fn tokio_lines(path: &Path) -> (u64, u64) {
    let mut child = spawn(path);
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let (mut n, mut bytes) = (0, 0);
    while let Some(line) = lines.next_line().await.expect("a line") {
        n += 1;
        bytes += black_box(line.as_bytes()).len() as u64;
    }
    child.wait().await.expect("an exit");
    (n, bytes)
}

async fn codec(path: &Path) -> (u64, u64) {
    let mut child = spawn(path);
    let mut lines = FramedRead::new(child.stdout.take().expect("a pipe"), LinesCodec::new());
    let (mut n, mut bytes) = (0, 0);
    while let Some(line) = lines.next().await {
        n += 1;
        bytes += black_box(line.expect("a line").as_bytes()).len() as u64;
    }
    child.wait().await.expect("an exit");
    (n, bytes)
}

/// User and system time of this thread so far, and of the children that it has waited for, in seconds; 0 where it
/// cannot be told.
fn cpu_time() -> (f64, f64) {
    // Linux counts the one in nanoseconds, the other in ticks: USER_HZ is 100 on every Linux there is.
    let number = |text: &str, at| text.split(' ').nth(at).and_then(|n| n.parse::<f64>().ok());
    let own = read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let own = number(&own, 0).unwrap_or(0.0) / 1e9;
    let stat = read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let children = [13, 14].map(|at| number(fields, at).unwrap_or(0.0));
    (own, children.iter().sum::<f64>() / 100.0)
}

fn median(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (
        values[values.len() / 2],
        values[0],
        values[values.len() - 1],
    )
}

fn main() {
    let quick = std::env::args().any(|arg| arg == "--test" || arg == "--quick");
    let (count, rounds) = if quick { (100_000, 1) } else { (8_000_000, 11) };
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    let mut writer = std::io::BufWriter::new(&mut file);
    for i in 0..count {
        writeln!(
            writer,
            "2026-11-23T03:53:15.{:06}Z INFO worker-{:02} request {i:08} took {:05} us, ok",
            i % 1_000_000,
            i % 16,
            i * 7919 % 100_000,
        )
        .expect("a write");
    }
    drop(writer);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{count} lines, {rounds} rounds in turn, {cores} cores");

    let mut rates = vec![Vec::new(); WAYS.len()];
    let mut cpu = vec![Vec::new(); WAYS.len()];
    let mut child_cpu = vec![Vec::new(); WAYS.len()];
    let mut expected = None;
    for _ in 0..rounds {
        for (way, (name, run)) in WAYS.iter().enumerate() {
            let before = cpu_time();
            let start = Instant::now();
            let result = runtime.block_on(run(file.path()));
            rates[way].push(count as f64 / start.elapsed().as_secs_f64() / 1e6);
            let after = cpu_time();
            cpu[way].push(after.0 - before.0);
            child_cpu[way].push(after.1 - before.1);
            assert_eq!(
                *expected.get_or_insert(result),
                result,
                "{name} lost something"
            );
        }
    }
    let limit = median(rates[0].clone()).0;
    let base = median(rates[4].clone()).0;
    let base_cpu = median(cpu[4].clone()).0;
    println!(
        "{:30} {:>22} {:>10} {:>10} {:>8} {:>10} {:>10}",
        "", "M lines/s (min-max)", "of limit", "of tokio", "CPU s", "of tokio", "cat, s"
    );
    for (way, (name, _)) in WAYS.iter().enumerate() {
        let (mid, min, max) = median(rates[way].clone());
        let own = median(cpu[way].clone()).0;
        let child = median(child_cpu[way].clone()).0;
        println!(
            "{name:30} {mid:8.1} ({min:4.1}-{max:4.1}) {:10.2} {:10.2} {own:8.2} {:10.2} {child:10.2}",
            mid / limit,
            mid / base,
            own / base_cpu,
        );
    }
}
