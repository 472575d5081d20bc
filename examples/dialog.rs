//! Holds a conversation by prompts, as pexpect does: asks Python, and tells an answer from an error.
//!
//! `cargo run --example dialog`

use std::time::Duration;

use process_io::{Eof, ErrorKind, Needle, ProcessIo, Result};

const PROMPT: &str = ">>> ";
/// Longest wait for an answer. None is expected to take that long.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let python = ProcessIo::command("python3").args(["-i", "-q", "-u"]);
    // It prompts on stderr and answers on stdout: one pipe for both keeps them in order.
    let mut python = match python.merge_stderr().spawn() {
        Err(error) if error.kind() == ErrorKind::ProgramNotFound => {
            println!("This example talks to `python3`, which is not here: {error}");
            return Ok(());
        }
        python => python?,
    };
    python.expect_timeout(PROMPT, PATIENCE).await?;

    for question in ["sum(range(101))", "'pipe'[::-1]", "1 / 0", "print('a\\nb')"] {
        match ask(&mut python, question).await? {
            Answer::Value(value) => println!("{question} = {value:?}"),
            Answer::Error(error) => println!("{question} fails: {error}"),
        }
    }
    answer_questions(&mut python).await?;
    lose_patience(&mut python).await?;
    see_it_end(python).await
}

enum Answer {
    Value(String),
    Error(String),
}

/// A set of needles: the one that is complete first in the output tells what has happened.
async fn ask(python: &mut ProcessIo, question: &str) -> Result<Answer> {
    python.send_line(question).await?;
    let needles = [PROMPT, "Traceback (most recent call last):\n"];
    let found = python.expect_timeout(needles, PATIENCE).await?;
    if found.index == 0 {
        return Ok(Answer::Value(text(&found.before)));
    }
    // What comes after a match is still there: the rest of the message, whose last line says it all.
    let message = python.expect_timeout(PROMPT, PATIENCE).await?;
    let message = text(&message.before);
    Ok(Answer::Error(message.lines().last().unwrap_or("").into()))
}

/// Prompts of a program's own.
async fn answer_questions(python: &mut ProcessIo) -> Result<()> {
    let program = "print('Hello', input('name? '), 'of', input('town? '))";
    python.send_line(program).await?;
    for (prompt, answer) in [("name? ", "Ada"), ("town? ", "London")] {
        python.expect_timeout(prompt, PATIENCE).await?;
        python.send_line(answer).await?;
        println!("{prompt}{answer}");
    }
    let found = python.expect_timeout(PROMPT, PATIENCE).await?;
    println!("{}", text(&found.before));
    Ok(())
}

/// A time-out takes nothing: what came stays for the next call.
async fn lose_patience(python: &mut ProcessIo) -> Result<()> {
    let program = "print('working'); import time; time.sleep(0.5); print('done')";
    python.send_line(program).await?;
    let early = python.expect_timeout(PROMPT, Duration::from_millis(100));
    match early.await {
        Ok(found) => println!("already: {:?}", text(&found.before)),
        Err(error) if error.is_timeout() => println!("not in 100 ms, so once more ..."),
        Err(error) => return Err(error),
    }
    let found = python.expect_timeout(PROMPT, PATIENCE).await?;
    println!("... and nothing was lost: {:?}", text(&found.before));
    Ok(())
}

/// The end of the output is a needle too. Where it is not asked for, it is an error that tells more.
async fn see_it_end(mut python: ProcessIo) -> Result<()> {
    python.send_line("print('bye'); exit(3)").await?;
    let needles: [Box<dyn Needle>; 2] = [Box::new(PROMPT), Box::new(Eof)];
    let found = python.expect_timeout(needles, PATIENCE).await?;
    println!("its last words: {:?}", text(&found.before));
    match python.expect_timeout(PROMPT, PATIENCE).await {
        Ok(_) => println!("still there"),
        Err(error) => println!("no more prompts: {error}"),
    }
    Ok(())
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).trim_end().to_owned()
}
