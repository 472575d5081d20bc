//! Puts lines through the combinators of `futures`: a line stream is a `Stream` like any other.
//!
//! `cargo run --example combinators`
#![cfg_attr(not(unix), allow(dead_code, unused_imports))]

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, future::ready, stream};
use process_io::{Line, ProcessIo, Result, Source};

#[cfg(unix)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    filter_map_take().await?;
    merge_two_children().await?;
    send_while_lines_are_read().await
}

#[cfg(not(unix))]
fn main() {
    println!("This example runs `sh`, `seq` and `cat`, which are not here.");
}

/// The first few that pass. `seq` has a million lines to say, and is not read to its end: it is killed with the handle.
async fn filter_map_take() -> Result<()> {
    let mut seq = ProcessIo::command("seq").arg("1000000").spawn()?;
    let squares: Vec<u64> = seq
        .stdout_lines()
        .try_filter_map(|line| ready(Ok(line.to_str().ok().and_then(|text| text.parse().ok()))))
        .try_filter(|number: &u64| ready(number % 7 == 0))
        .map_ok(|number| number * number)
        .take(5)
        .try_collect()
        .await?;
    println!("squares of multiples of seven: {squares:?}");
    Ok(())
}

/// The lines of two children, each with its name, in the order in which they come.
async fn merge_two_children() -> Result<()> {
    let children = [
        ("tick", "for i in 1 2 3 4; do echo $i; sleep 0.1; done"),
        (
            "tock",
            "sleep 0.05; for i in 1 2 3; do echo $i; echo odd >&2; sleep 0.1; done",
        ),
    ];
    let mut streams = Vec::new();
    for (name, script) in children {
        let lines = ProcessIo::shell(script).spawn()?.into_lines();
        streams.push(lines.map_ok(move |line| (name, line)));
    }
    let mut merged = stream::select_all(streams);
    while let Some((name, line)) = merged.try_next().await? {
        println!("{name} {} {line}", mark(&line));
    }
    Ok(())
}

/// Each answer is the next question: the lines are borrowed from the handle, which can still send.
async fn send_while_lines_are_read() -> Result<()> {
    let mut cat = ProcessIo::command("cat").spawn()?;
    cat.send_line("once").await?;
    let mut lines = cat.stdout_lines();
    while let Some(line) = lines.try_next().await? {
        println!("cat says {line}");
        match line.as_bytes().len() {
            0..20 => lines.get_mut().send_line(format!("{line} more")).await?,
            _ => lines.get_mut().close_stdin(),
        }
    }
    // `tokio_stream` and `futures` have more of them: `throttle`, `timeout`, `chunks`, `zip`.
    let late = tokio::time::timeout(Duration::from_secs(1), lines.next()).await;
    println!(
        "after the end: {late:?}, and cat ended: {}",
        cat.wait().await?
    );
    Ok(())
}

fn mark(line: &Line) -> char {
    match line.source() {
        Source::Stdout => '<',
        Source::Stderr => '!',
    }
}
