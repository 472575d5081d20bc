//! `parent`: has the library start children that are to die with this process.

use std::ffi::OsString;
use std::process;
use std::thread;

use process_io::{Command, ProcessIo, Result, Source};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::stdio::{Out, or_fail};
use crate::{Args, usage, wait_for_eof};

/// Runs each `SCRIPT` by `sh -c` and passes on its first line, then says `ready`. At the end of its input it exits
/// without dropping anything.
///
/// A child is started by the main thread, by a thread that has ended since, or by one of the pool for blocking work
/// that has. Its handle is kept, or dropped with `kill_on_drop(false)`, or detached; with `outlive` it is kept, but
/// the child is not to die with us. With `copy` it is kept, and there is a copy of this process that outlives it.
pub(crate) fn parent(args: &mut Args) {
    let (place, what) = (args.text(), args.text());
    let runtime = runtime();
    let (mut kept, mut stdout) = (Vec::new(), Out::stdout());
    let (dies, kill) = (what != "outlive", what != "let-go");
    for script in &mut args.0 {
        let handle = runtime.handle().clone();
        let start = move || start(&handle, script, dies, kill);
        let started = match place.as_str() {
            "here" => start(),
            "thread" => thread::spawn(start).join().expect("no panic"),
            "blocking" => {
                // Dropping its runtime waits for the thread to end.
                let pool = self::runtime();
                let started = pool.spawn_blocking(start);
                pool.block_on(started).expect("no panic")
            }
            other => usage(&format!("{other:?} is not one of here, thread, blocking")),
        };
        let mut io = or_fail(started.map_err(Into::into));
        let line = runtime.block_on(io.recv_line(Source::Stdout));
        let line = or_fail(line.map_err(Into::into));
        stdout.put(line.map_or_else(String::new, |line| format!("{line}\n")));
        match what.as_str() {
            "let-go" => drop(io),
            "detach" => drop(io.detach()),
            _ => kept.push(io),
        }
    }
    if what == "copy" {
        // SAFETY: the copy makes no other call than the one that waits for its end.
        unsafe {
            if libc::fork() == 0 {
                loop {
                    libc::pause();
                }
            }
        }
    }
    stdout.put("ready\n");
    wait_for_eof();
    process::exit(0)
}

fn start(runtime: &Handle, script: OsString, dies: bool, kill: bool) -> Result<ProcessIo> {
    let _inside = runtime.enter();
    let mut command = Command::new("sh");
    command.arg("-c").arg(script);
    ProcessIo::builder(command)
        .die_with_parent(dies)
        .kill_on_drop(kill)
        .spawn()
}

fn runtime() -> Runtime {
    or_fail(Builder::new_current_thread().enable_all().build())
}
