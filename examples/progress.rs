//! Draws a progress bar of one's own from the `\r` output of a live command: `git clone --progress`.
//!
//! `cargo run --example progress`

use std::{
    error::Error,
    fmt::Write as _,
    io::{self, IsTerminal, Write as _},
    path::Path,
};

use futures::TryStreamExt;
use process_io::{ErrorKind, LineOptions, ProcessIo, Source, Terminator};

const FILES: usize = 5_000;
const WIDTH: usize = 40;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let (original, copy) = (scratch.path().join("original"), scratch.path().join("copy"));
    if let Err(error) = make_repository(&original).await {
        if error.kind() == ErrorKind::ProgramNotFound {
            println!("This example watches `git`, which is not here: {error}");
            return Ok(());
        }
        return Err(error.into());
    }

    let clone = ProcessIo::command("git").args(["clone", "--no-local", "--progress"]);
    let mut io = clone.args([original, copy]).spawn()?;
    let mut bar = Bar::default();
    // Each redraw is a line, as soon as its `\r` has come.
    let options = LineOptions::default().terminator(Terminator::CarriageReturn);
    let mut lines = io.lines().with_options(options);
    while let Some(line) = lines.try_next().await? {
        let text = line.to_str_lossy();
        match parse(&text) {
            Some((task, percent)) if line.source() == Source::Stderr => bar.draw(task, percent)?,
            _ => {}
        }
    }
    println!("git ended: {}", io.wait().await?);
    Ok(())
}

/// `Receiving objects:  42% (2100/5001), 1.00 MiB | 2.00 MiB/s`
fn parse(line: &str) -> Option<(&str, usize)> {
    let (task, rest) = line.trim_start_matches("remote: ").split_once(':')?;
    let (percent, _) = rest.split_once('%')?;
    Some((task, percent.trim().parse().ok()?))
}

#[derive(Default)]
struct Bar {
    task: String,
    percent: usize,
}

impl Bar {
    /// Draws over itself on a terminal; elsewhere prints what is done.
    fn draw(&mut self, task: &str, percent: usize) -> io::Result<()> {
        if (self.task.as_str(), self.percent) == (task, percent) {
            return Ok(());
        }
        (self.task, self.percent) = (task.into(), percent);
        let full = percent.min(100) * WIDTH / 100;
        let bar = "#".repeat(full) + &"-".repeat(WIDTH - full);
        let mut out = io::stdout();
        match (out.is_terminal(), percent) {
            (true, 100) => writeln!(out, "\r{task:<20} [{bar}] {percent:>3} %"),
            (true, _) => write!(out, "\r{task:<20} [{bar}] {percent:>3} %"),
            (false, 25 | 50 | 75 | 100) => writeln!(out, "{task:<20} [{bar}] {percent:>3} %"),
            (false, _) => Ok(()),
        }?;
        out.flush()
    }
}

/// One commit with many small files, by way of `git fast-import`.
async fn make_repository(folder: &Path) -> process_io::Result<()> {
    let git = |args: &[&str]| ProcessIo::command("git").arg("-C").arg(folder).args(args);
    std::fs::create_dir(folder)?;
    git(&["init", "-q"]).await?.check()?;
    let mut stream = String::from(
        "commit refs/heads/main\ncommitter nobody <nobody@localhost> 0 +0000\ndata 3\nall\n",
    );
    for number in 0..FILES {
        let data = format!("This is file {number}.\n").repeat(20);
        let size = data.len();
        let _ = write!(stream, "M 644 inline {number:04}\ndata {size}\n{data}\n");
    }
    let import = git(&["fast-import", "--quiet"]).input(stream);
    import.await?.check()?;
    let head = ["symbolic-ref", "HEAD", "refs/heads/main"];
    git(&head).await?.check()?;
    Ok(())
}
