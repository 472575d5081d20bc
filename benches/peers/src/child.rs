//! The children: `process-io-peers child WHAT SIZE`.

use std::io::{self, Read, Write};

use crate::{
    Result,
    work::{LINE, READY},
};

/// Whole lines, so that one block follows another: a little less than the peers' buffers.
const BLOCK: usize = 64_800;
/// What goes to one stream before it is the other's turn.
const TURN: usize = 50;

pub(crate) fn run(args: &[String]) -> Result<()> {
    let [what, size] = args else {
        return Err("child WHAT SIZE".into());
    };
    let size = size.parse()?;
    match what.as_str() {
        "text" => text(size)?,
        "both" => both(size)?,
        "pattern" => pattern(size)?,
        _ => return Err(format!("no such child: {what}").into()),
    }
    Ok(())
}

/// Straight to the pipe: `println!` would look for the end of each line.
fn out() -> io::Result<std::fs::File> {
    use std::os::fd::AsFd;
    Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
}

fn text(mut bytes: usize) -> io::Result<()> {
    let block = LINE.repeat(BLOCK / LINE.len());
    let mut out = out()?;
    while bytes > 0 {
        let piece = &block[..bytes.min(block.len())];
        out.write_all(piece)?;
        bytes -= piece.len();
    }
    Ok(())
}

/// Half of the lines to each stream, in turns.
fn both(lines: usize) -> io::Result<()> {
    let block = LINE.repeat(TURN);
    let mut out = out()?;
    let mut err = io::stderr();
    let mut left = lines / 2;
    while left > 0 {
        let turn = left.min(TURN);
        out.write_all(&block[..turn * LINE.len()])?;
        err.write_all(&block[..turn * LINE.len()])?;
        left -= turn;
    }
    Ok(())
}

/// Waits after it, as what says that it is ready does.
fn pattern(bytes: usize) -> io::Result<()> {
    let whole = bytes / LINE.len() * LINE.len();
    text(whole)?;
    let rest = bytes - whole;
    let mut out = out()?;
    if rest > 0 {
        out.write_all(&LINE[LINE.len() - rest..])?;
    }
    writeln!(out, "{READY}")?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
