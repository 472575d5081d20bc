//! The modes that make sense on Unix only. Elsewhere they are unknown, and exit 64 says so.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{self, Command, Stdio};

use rustix::process::{Pid, Signal, getpgid, getpgrp, getpid, getppid, kill_process, setpgid};
use rustix::stdio::dup2_stdin;

use crate::stdio::{Out, or_fail};
use crate::{Args, heir_command, sleep_until_killed, usage, wait_for_eof};

pub(crate) fn ids() -> String {
    let [pid, group] = [getpid(), getpgrp()].map(Pid::as_raw_nonzero);
    format!("pid {pid} pgid {group}")
}

pub(crate) fn abort_by(args: &mut Args) {
    let Some(signal) = Signal::from_named_raw(args.number()) else {
        usage("no such signal");
    };
    // Rust's own handler swallows the first SEGV or BUS and gives way to the second.
    for _ in 0..2 {
        or_fail(kill_process(getpid(), signal).map_err(Into::into));
    }
    process::exit(65);
}

/// By way of a process that ends before this one says so: the grandchild has lost its parent, so that it is no more known whose
/// it was.
pub(crate) fn hold_apart(args: &mut Args) {
    let mut between = Command::new(or_fail(std::env::current_exe()));
    between.args(["leave-apart", &args.text(), &args.text()]);
    between.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut between = or_fail(between.spawn());
    // The grandchild's gate, which opens when this process ends.
    let gate = between.stdin.take();
    let said = or_fail(between.wait_with_output()).stderr;
    let grandchild = String::from_utf8_lossy(&said);
    let parent = process::id();
    Out::stdout().put(format!("parent {parent} grandchild {grandchild}"));
    sleep_until_killed();
    drop(gate);
}

/// The grandchild's stderr is none of ours: there this process says which it is.
#[expect(clippy::zombie_processes, reason = "it outlives this process")]
pub(crate) fn leave_apart(args: &mut Args) {
    let mut heir = heir_command(&args.text(), &args.text());
    heir.stdin(Stdio::inherit()).stderr(Stdio::null());
    let heir = or_fail(heir.process_group(0).spawn());
    eprintln!("{}", heir.id());
}

pub(crate) fn join_parent(_: &mut Args) {
    let joined = getpgid(getppid()).and_then(|group| setpgid(None, Some(group)));
    or_fail(joined.map_err(Into::into));
    Out::stdout().put("joined\n");
    sleep_until_killed();
}

pub(crate) fn close_stdin(_: &mut Args) {
    // A closed descriptor 0 would be taken by the next `open`; /dev/null closes the pipe just as well.
    let null = or_fail(File::open("/dev/null"));
    or_fail(dup2_stdin(&null).map_err(Into::into));
    Out::stdout().put("closed\n");
    sleep_until_killed();
}

pub(crate) fn ppid(_: &mut Args) {
    let parent = getppid().map_or(0, |parent| parent.as_raw_nonzero().get());
    Out::stdout().put(format!("{} ppid {parent}\n", ids()));
    wait_for_eof();
}

pub(crate) fn trap_term(_: &mut Args) {
    // std cannot ignore a signal without `unsafe`, but an ignored signal stays so across `exec`.
    let script = "trap '' TERM; echo ready; exec sleep 3600";
    or_fail(Err(Command::new("sh").args(["-c", script]).exec()))
}

/// The count and then, one a line, each number with what it is open on.
#[cfg(target_os = "linux")]
pub(crate) fn fd_count(_: &mut Args) {
    let all = or_fail(std::fs::read_dir("/proc/self/fd"));
    let paths: Vec<_> = all.map(|entry| or_fail(entry).path()).collect();
    let mut open = Vec::new();
    for path in paths {
        let fd = path.file_name().and_then(|name| name.to_str());
        let Some(fd) = fd.and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // The descriptor of the listing itself is gone by now, and with it its link.
        if let (3.., Ok(target)) = (fd, path.read_link()) {
            open.push(format!("{fd} {}\n", target.display()));
        }
    }
    Out::stdout().put(format!("{}\n{}", open.len(), open.concat()));
}

/// All texts at each line of stdin, each as a packet of its own, see O_DIRECT in `pipe(2)`.
#[cfg(target_os = "linux")]
pub(crate) fn packets(args: &mut Args) {
    use rustix::fs::{OFlags, fcntl_setfl};

    let mut out = args.stream();
    or_fail(fcntl_setfl(&out.0, OFlags::DIRECT).map_err(Into::into));
    let mut texts = Vec::new();
    while args.peek().is_some() {
        texts.push(args.text());
    }
    let mut stdin = crate::stdio::stdin();
    while crate::stdio::read(&mut stdin, &mut [0; 1]) > 0 {
        for text in &texts {
            out.put(text);
        }
    }
}
