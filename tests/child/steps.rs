//! `child do STEP...`: what a test would else need a shell for.

use std::{
    env,
    process::{self, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use crate::stdio::{Out, or_fail, read, stdin};
use crate::{Args, echo, run, sleep_until_killed, until_marked, wait_for_eof};

/// Each step and its arguments; what is not here is a mode, which ends the list.
///
/// `out TEXT`, `err TEXT`, `write STREAM N`, `read` (a line of stdin), `take N` (bytes of stdin), `copy` (stdin to stdout),
/// `drain` (stdin to nowhere), `sleep MS`, `exit CODE`, `pid-into PATH` (tells its pid there),
/// `grandchild` (starts one that sleeps, and tells its pid), `grandchild-quietly` (without our pipes), `wait` (for ever),
/// `grandchild-into PATH` (tells its pid there), `until PATH` (that file exists).
pub(crate) fn steps(args: &mut Args) {
    while let Some(step) = args.peek() {
        match step.as_str() {
            "out" => Out::stdout().put(args.skip().text()),
            "err" => Out::stderr().put(args.skip().text()),
            "write" => args.skip().stream().pattern(args.number()),
            "read" => {
                args.skip();
                read_line();
            }
            "take" => take(args.skip().number()),
            "copy" => echo(args.skip()),
            "drain" => {
                args.skip();
                wait_for_eof();
            }
            "sleep" => sleep(args.skip().millis()),
            "exit" => process::exit(args.skip().number()),
            "grandchild" => {
                args.skip();
                Out::stdout().put(format!("{}\n", grandchild(Stdio::inherit).id()));
            }
            "grandchild-quietly" => {
                args.skip();
                Out::stdout().put(format!("{}\n", grandchild(Stdio::null).id()));
            }
            "wait" => sleep_until_killed(),
            "until" => {
                let path = args.skip().raw();
                while !std::path::Path::new(&path).exists() {
                    sleep(Duration::from_millis(5));
                }
            }
            "grandchild-into" => {
                let path = args.skip().text();
                tell_into(path, grandchild(Stdio::inherit).id());
            }
            "pid-into" => tell_into(args.skip().text(), process::id()),
            _ => return run(args),
        }
    }
}

/// Whoever sees the file sees all of it.
fn tell_into(path: String, pid: u32) {
    let new = format!("{path}.new");
    or_fail(std::fs::write(&new, pid.to_string()));
    or_fail(std::fs::rename(new, path));
}

fn grandchild(stdio: fn() -> Stdio) -> process::Child {
    let mut grandchild = Command::new(or_fail(env::current_exe()));
    grandchild
        .arg("sleep")
        .stdin(stdio())
        .stdout(stdio())
        .stderr(stdio());
    let grandchild = or_fail(grandchild.spawn());
    until_marked(grandchild.id());
    grandchild
}

fn read_line() {
    let (mut stdin, mut byte) = (stdin(), [0]);
    while read(&mut stdin, &mut byte) > 0 && byte != *b"\n" {}
}

fn take(n: usize) {
    let (mut stdin, mut chunk, mut left) = (stdin(), vec![0; 64 * 1024], n);
    while left > 0 {
        let most = left.min(chunk.len());
        match read(&mut stdin, &mut chunk[..most]) {
            0 => break,
            n => left -= n,
        }
    }
    Out::stdout().put(format!("{}\n", n - left));
}
