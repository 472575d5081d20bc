//! A child as a file: whatever works on `AsyncRead` and `AsyncWrite` works on a `ProcessIOWrapper`.
//!
//! `cargo run --example wrapper`
#![cfg_attr(not(unix), allow(dead_code, unused_imports))]

use std::error::Error;

use futures::{SinkExt, TryStreamExt};
use process_io::{Command, ProcessIOWrapper, ProcessIo};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio_util::codec::{Framed, LinesCodec};

#[cfg(unix)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    write_then_read_lines().await?;
    exchange_frames().await?;
    fail_at_end_of_file().await
}

#[cfg(not(unix))]
fn main() {
    println!("This example runs `sort` and `cat`, which are not here.");
}

async fn write_then_read_lines() -> Result<(), Box<dyn Error>> {
    let mut file = ProcessIOWrapper::new(Command::new("sort"))?;
    file.write_all(b"pipe\nfork\nexec\n").await?;
    file.shutdown().await?; // closes the child's stdin, so that it sees end-of-file

    println!("{} says, line by line:", file.name());
    let mut lines = file.lines();
    while let Some(line) = lines.next_line().await? {
        println!("  {line}");
    }
    Ok(())
}

/// A protocol of lines in both directions.
async fn exchange_frames() -> Result<(), Box<dyn Error>> {
    let file = ProcessIOWrapper::new(Command::new("cat"))?;
    let mut frames = Framed::new(file, LinesCodec::new());
    for request in ["hello", "goodbye"] {
        frames.send(request).await?;
        println!("{request} -> {:?}", frames.try_next().await?);
    }

    // The handle is still in there: `lines` and `Framed` give the wrapper back, and that the handle.
    let mut io = frames.into_inner().into_inner();
    io.close_stdin();
    println!("cat ended: {}", io.wait().await?);
    Ok(())
}

/// A file that ends early looks like one that ends. A child need not: it can say that it failed.
async fn fail_at_end_of_file() -> Result<(), Box<dyn Error>> {
    let cat = ProcessIo::command("cat").arg("/no/such/file").spawn()?;
    let mut file = ProcessIOWrapper::from(cat).check_exit(true);
    match tokio::io::copy(&mut file, &mut tokio::io::stdout()).await {
        Ok(copied) => println!("{copied} bytes"),
        Err(error) => println!("not the end of a file, but: {error}"),
    }
    Ok(())
}
