//! Starts a child on std's `posix_spawn` path, with pipes of our own making.
//!
//! Our ends are on the reactor before the child exists, so that nothing can fail after it does.

use std::{
    fs::OpenOptions,
    io,
    mem::MaybeUninit,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal};

use super::{
    super::{BUSY_PAUSES, Ends, Group, Spawned, merged_both_ways, not_its_own_group},
    ABOVE_STDIO, PipeReader, PipeWriter, Process, above_stdio,
    fault::may_be_busy,
    group::Group as ProcessGroup,
    pipe::pipe,
    process::has_terminal,
    raw, reaper, send,
    siblings::{Starting, clones},
    signals,
};
use crate::stdio::Redirect;

/// Of `setpgid(2)`: a new group, whose id is the process id.
const LEADER: i32 = 0;

pub(crate) fn spawn(command: &mut tokio::process::Command, ends: Ends<'_>) -> io::Result<Spawned> {
    let command = command.as_std_mut();
    check_child_signal()?;
    reaper::retry();
    let starting = Starting::begin();
    let capacity = ends.pipe_capacity;
    let (stdin, child_stdin) = match ends.stdin {
        Redirect::Pipe => {
            let (theirs, ours) = pipe()?;
            (Some(PipeWriter::new(ours, capacity)?), theirs.into())
        }
        Redirect::Null => (None, null(OpenOptions::new().read(true))?.into()),
        redirect => (None, direct(redirect)?),
    };
    command.stdin(child_stdin);

    let (mut stdout, mut stderr) = (None, None);
    match (ends.stdout, ends.stderr) {
        (Some(to), Some(other)) => {
            let (child_stdout, child_stderr);
            (stdout, child_stdout) = connect(to, capacity)?;
            (stderr, child_stderr) = connect(other, capacity)?;
            command.stdout(child_stdout).stderr(child_stderr);
        }
        (Some(to), None) => stdout = connect_both(to, rustix::stdio::stdout(), capacity, command)?,
        (None, Some(to)) => stderr = connect_both(to, rustix::stdio::stderr(), capacity, command)?,
        (None, None) => return Err(merged_both_ways()),
    }
    if stdin.is_none() && stdout.is_none() && stderr.is_none() {
        // A runtime without I/O panics when it is asked for it: better now than when there is a child.
        PipeReader::new(pipe()?.0, None)?;
    }
    let joined = match ends.group {
        Group::Shared if ends.die_with_parent => return Err(not_its_own_group()),
        Group::Own if ends.die_with_parent => Some(Arc::new(ProcessGroup::guarded()?)),
        Group::Of(other) => other.group(),
        Group::Shared | Group::Own => None,
    };
    let leads = joined.is_none() && matches!(ends.group, Group::Own);
    let group = joined.as_ref().map(|joined| raw(joined.id()));
    if let Some(group) = group.or(leads.then_some(LEADER)) {
        command.process_group(group);
    }

    if !ends.inherit_signals && signals::any_blocked()? {
        signals::unblock_in(command);
    }
    let mut exec = || exec(command, ends.retry_busy, ends.may_start);
    let spawned = match (ends.group, &joined) {
        (Group::Of(_), Some(joined)) if has_terminal() => continuing(joined.id(), &mut exec),
        _ => exec(),
    };
    // The command still holds the child's ends, and with them the pipes open.
    (command.stdin(Stdio::null()).stdout(Stdio::null())).stderr(Stdio::null());
    let siblings = starting.siblings();
    drop(starting);
    let pid = Pid::from_child(&spawned?);
    let group = joined.or_else(|| leads.then(|| Arc::new(ProcessGroup::led_by(pid))));
    Ok(Spawned {
        process: Process::new(pid, group)?,
        stdin,
        stdout,
        stderr,
        siblings,
    })
}

/// Where SIGCHLD is ignored (`SIG_IGN`, `SA_NOCLDWAIT`) the system throws the status of a child away, and its number may be
/// another's at once: it could neither be waited for nor signalled.
fn check_child_signal() -> io::Result<()> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: nothing is set, and what is in force is written to memory of ours. All zeros are a valid `sigaction`.
    let action = unsafe {
        libc::sigaction(libc::SIGCHLD, std::ptr::null(), action.as_mut_ptr());
        action.assume_init()
    };
    if action.sa_sigaction == libc::SIG_IGN || action.sa_flags & libc::SA_NOCLDWAIT != 0 {
        return Err(io::Error::other(
            "SIGCHLD is ignored in this process, so that the status of its children is lost",
        ));
    }
    Ok(())
}

/// Starts the child. With `retry` it waits a moment for a program whose file is open for writing: when it has just
/// been written, a child that another thread is starting holds the file open until its own `execve(2)`. If it fails twice
/// and no process has the file open, that was either closed just then or is not what the error is about: the next attempt is
/// the last.
fn exec(
    command: &mut Command,
    retry: bool,
    may_start: &dyn Fn() -> io::Result<()>,
) -> io::Result<Child> {
    let mut pauses = BUSY_PAUSES.iter();
    let mut attempts = 0;
    loop {
        may_start()?;
        let spawned = clones::run(|| command.spawn());
        match (&spawned, pauses.next()) {
            (Err(error), Some(&ms))
                if retry && error.kind() == io::ErrorKind::ExecutableFileBusy =>
            {
                attempts += 1;
                if attempts == 2 && !may_be_busy(command) {
                    pauses = Default::default();
                }
                thread::sleep(Duration::from_millis(ms));
            }
            _ => return spawned,
        }
    }
}

/// What `spawn` comes to, which starts a child in this group. Meanwhile the group is continued from time to time: another
/// member that wants the terminal has all of it stopped, and a child that is stopped before its `execve(2)` would keep this
/// thread from going on.
fn continuing<T>(group: Pid, spawn: impl FnOnce() -> T) -> T {
    const PAUSE: Duration = Duration::from_millis(10);
    thread::scope(|scope| {
        let (done, spawning) = mpsc::channel::<()>();
        // Where no thread can be had it mostly goes well without.
        let _ = thread::Builder::new().spawn_scoped(scope, move || {
            while spawning.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                let _ = send::to_group(group, Signal::CONT.as_raw());
            }
        });
        let spawned = spawn();
        drop(done);
        spawned
    })
}

/// Our end, if there is one, and the child's.
fn connect(redirect: Redirect, capacity: Option<usize>) -> io::Result<(Option<PipeReader>, Stdio)> {
    match redirect {
        Redirect::Pipe => {
            let (ours, theirs) = pipe()?;
            Ok((Some(PipeReader::new(ours, capacity)?), theirs.into()))
        }
        redirect => Ok((None, direct(redirect)?)),
    }
}

/// Connects stdout and stderr to the same open file. `ours` is what they inherit.
fn connect_both(
    redirect: Redirect,
    ours: BorrowedFd<'_>,
    capacity: Option<usize>,
    command: &mut Command,
) -> io::Result<Option<PipeReader>> {
    let (reader, theirs) = match redirect {
        Redirect::Pipe => {
            let (ours, theirs) = pipe()?;
            (Some(PipeReader::new(ours, capacity)?), theirs)
        }
        Redirect::Descriptor(file) => (None, OwnedFd::from(file)),
        Redirect::Inherit => (None, rustix::io::fcntl_dupfd_cloexec(ours, ABOVE_STDIO)?),
        Redirect::Null => (None, null(OpenOptions::new().write(true))?),
    };
    command.stderr(theirs.try_clone()?).stdout(theirs);
    Ok(reader)
}

/// `/dev/null`, by std's own means, could land on the number of a stream of ours that is closed, where the child's next
/// stream would replace it.
fn null(how: &OpenOptions) -> io::Result<OwnedFd> {
    above_stdio(how.open("/dev/null")?.into())
}

fn direct(redirect: Redirect) -> io::Result<Stdio> {
    Ok(match redirect {
        Redirect::Null => null(OpenOptions::new().write(true))?.into(),
        Redirect::Inherit => Stdio::inherit(),
        Redirect::Descriptor(file) => file.into(),
        Redirect::Pipe => unreachable!("our pipes are made by the callers"),
    })
}
