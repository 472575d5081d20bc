//! Tests one's own code against a child in memory: no program is started, and every fault can be had.
//!
//! `cargo run --example memory`

use std::time::Duration;

use process_io::{ProcessIo, Recv, Result, Source, transport::memory};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The code under test: asks a program that speaks lines for its version.
async fn version_of(program: &mut ProcessIo) -> Result<String> {
    program.send_line("version").await?;
    let answer = program.recv_timeout(Source::Stdout, Duration::from_millis(200));
    Ok(match answer.await? {
        Recv::Data(version) => String::from_utf8_lossy(&version).trim_end().to_owned(),
        Recv::Empty => "it does not answer".to_owned(),
        Recv::Eof => format!("it ended: {}", program.wait().await?),
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    a_program_that_answers().await?;
    a_program_that_hangs().await?;
    a_program_that_ends().await?;
    println!("all as it should be");
    Ok(())
}

async fn a_program_that_answers() -> Result<()> {
    let (parts, mut child) = memory::child();
    let mut program = ProcessIo::from_parts(parts);
    let play = async move {
        let mut request = [0; 8];
        child.stdin.read_exact(&mut request).await?;
        assert_eq!(&request, b"version\n");
        child.stdout.write_all(b"2.1\n").await
    };
    let (version, played) = tokio::join!(version_of(&mut program), play);
    played?;
    assert_eq!(version?, "2.1");
    Ok(())
}

async fn a_program_that_hangs() -> Result<()> {
    let (parts, _child) = memory::child();
    let mut program = ProcessIo::from_parts(parts);
    assert_eq!(version_of(&mut program).await?, "it does not answer");
    Ok(())
}

async fn a_program_that_ends() -> Result<()> {
    let (parts, child) = memory::child();
    let mut program = ProcessIo::from_parts(parts);
    let (version, ()) = tokio::join!(version_of(&mut program), async { child.exit(3) });
    assert!(version?.starts_with("it ended: exit"));
    Ok(())
}
