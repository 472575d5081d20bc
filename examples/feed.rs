//! Feeds 64 MiB through a child while its output is read, in little memory: the source is asked for more only
//! when the child has taken what it gave.
//!
//! `cargo run --example feed`
#![cfg_attr(not(unix), allow(dead_code, unused_imports))]

use std::{fs, iter, time::Instant};

use bytes::{BufMut, BytesMut};
use futures::{TryStreamExt, stream};
use process_io::{Event, Input, ProcessIo, Result};

/// What one item of the source holds.
const CHUNK: usize = 64 << 10;
/// How many items there are: 64 MiB in all.
const CHUNKS: usize = 1024;

#[cfg(unix)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    println!("MiB in  MiB out   MiB/s  in flight, at most");
    feed("cat").await?;
    feed("gzip -1 -c | gzip -dc").await?;
    match peak_memory() {
        Some(peak) => println!("peak memory of this process: {peak}"),
        None => println!("this system does not tell a process its peak memory"),
    }
    Ok(())
}

#[cfg(not(unix))]
fn main() {
    println!("This example runs `sh`, `cat` and `gzip`, which are not here.");
}

async fn feed(script: &str) -> Result<()> {
    let began = Instant::now();
    let mut io = ProcessIo::shell(script).input(source()).spawn()?;

    let (mut received, mut in_flight) = (0, 0);
    while let Some(event) = io.try_next().await? {
        match event {
            Event::Stdout(bytes) => received += bytes.len() as u64,
            Event::Stderr(bytes) => eprint!("{}", String::from_utf8_lossy(&bytes)),
            Event::Exit(status) => assert!(status.success(), "{script}: {status}"),
            _ => {}
        }
        in_flight = in_flight.max(io.written().saturating_sub(received));
    }

    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!(
        "{:>6.1} {:>8.1} {:>7.0} {:>10} KiB         {script}",
        mib(io.written()),
        mib(received),
        mib(received) / began.elapsed().as_secs_f64(),
        in_flight >> 10,
    );
    Ok(())
}

/// Noise, which no compressor makes smaller: one chunk, again and again, never copied.
fn source() -> Input {
    let mut chunk = BytesMut::with_capacity(CHUNK);
    let mut state: u64 = 1;
    while chunk.len() < CHUNK {
        // xorshift64, by George Marsaglia.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        chunk.put_u64_ne(state);
    }
    Input::stream(stream::iter(iter::repeat_n(chunk.freeze(), CHUNKS)))
}

/// What Linux says of us.
fn peak_memory() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map(|peak| peak.trim().to_owned())
}
