//! Starts a child in a job of its own, with pipes of our own making.

use std::{
    io,
    os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle},
    process::Stdio,
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::process::{Child, Command};
use windows_sys::Win32::{
    Foundation::{ERROR_INTERNAL_ERROR, ERROR_SHARING_VIOLATION},
    System::Threading::{
        CREATE_NEW_CONSOLE, CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW, CREATE_SUSPENDED,
        DETACHED_PROCESS,
    },
};

use super::{
    super::{BUSY_PAUSES, Ends, Group, Spawned, merged_both_ways, not_its_own_group},
    PipeReader, PipeWriter, Process, code,
    job::Job,
    program,
};
use crate::stdio::Redirect;

/// How often a child is started again that has died before it ran.
const MAX_SPAWN_RETRIES: u32 = 3;
/// With any of these the child does not share our console.
const OTHER_CONSOLE: u32 = CREATE_NEW_CONSOLE | CREATE_NO_WINDOW | DETACHED_PROCESS;

pub(crate) fn spawn(command: &mut Command, ends: Ends<'_>) -> io::Result<Spawned> {
    if ends.die_with_parent && !matches!(ends.group, Group::Own) {
        return Err(not_its_own_group());
    }
    let job = match ends.group {
        Group::Own => Some(Arc::new(Job::new(ends.die_with_parent)?)),
        Group::Of(other) => other.job(),
        Group::Shared => None,
    };
    let leads = matches!(ends.group, Group::Own);
    let (stdin, theirs_in) = connect(ends.stdin, PipeWriter::pair)?;
    let (mut stdout, mut stderr) = (None, None);
    let (theirs_out, theirs_err);
    match (ends.stdout, ends.stderr) {
        (Some(to), Some(other)) => {
            (stdout, theirs_out) = connect(to, PipeReader::pair)?;
            (stderr, theirs_err) = connect(other, PipeReader::pair)?;
        }
        (Some(to), None) => {
            (stdout, theirs_out) = connect(to, PipeReader::pair)?;
            theirs_err = theirs_out.merged(io::stdout().as_handle())?;
        }
        (None, Some(to)) => {
            (stderr, theirs_err) = connect(to, PipeReader::pair)?;
            theirs_out = theirs_err.merged(io::stderr().as_handle())?;
        }
        (None, None) => return Err(merged_both_ways()),
    }
    let theirs = [theirs_in, theirs_out, theirs_err];
    let flags = ends.creation_flags;
    let all_flags = match job {
        // Suspended, so that what it starts first is in the job too.
        Some(_) => flags | CREATE_SUSPENDED | CREATE_NEW_PROCESS_GROUP,
        None => flags,
    };

    let spawned = exec(command, &theirs, all_flags, ends.retry_busy, ends.may_start);
    // The command still holds the child's ends, and with them the pipes open.
    (command.stdin(Stdio::null()).stdout(Stdio::null())).stderr(Stdio::null());
    let mut child = spawned?;
    let group = all_flags & (CREATE_NEW_PROCESS_GROUP | OTHER_CONSOLE) == CREATE_NEW_PROCESS_GROUP;
    let process = Process::new(&child, job, leads, group).and_then(|process| {
        process.enter_job(flags & CREATE_SUSPENDED == 0)?;
        Ok(process)
    });
    if process.is_err() {
        // If it cannot be killed either, there is nothing left to try.
        let _ = child.start_kill();
    }
    Ok(Spawned {
        siblings: None,
        process: process?,
        stdin,
        stdout,
        stderr,
    })
}

/// Starts the child. With `retry` it waits a moment for a program whose file is open for writing.
fn exec(
    command: &mut Command,
    [stdin, stdout, stderr]: &[Theirs; 3],
    flags: u32,
    retry: bool,
    may_start: &dyn Fn() -> io::Result<()>,
) -> io::Result<Child> {
    let (mut pauses, mut retries) = (BUSY_PAUSES.iter(), 0..MAX_SPAWN_RETRIES);
    loop {
        may_start()?;
        command.kill_on_drop(false).stdin(stdin.stdio()?);
        command.stdout(stdout.stdio()?).stderr(stderr.stdio()?);
        if flags != 0 {
            command.creation_flags(flags);
        }
        let spawned = command.spawn();
        let Err(error) = &spawned else { return spawned };
        if error.kind() == io::ErrorKind::NotFound {
            if let Some(found) = program::by_extension(command.as_std_mut()) {
                *command = found.into();
                continue;
            }
        }
        // What Wine's `CreateProcess` says of a new process that has died before it ran, as about one in a thousand does there.
        if code(error) == Some(ERROR_INTERNAL_ERROR) && retries.next().is_some() {
            continue;
        }
        match pauses.next() {
            Some(&ms) if retry && code(error) == Some(ERROR_SHARING_VIOLATION) => {
                thread::sleep(Duration::from_millis(ms));
            }
            _ => return spawned,
        }
    }
}

/// The child's end of a stream, for as many attempts to start it as it takes.
enum Theirs {
    Null,
    Inherit,
    Handle(OwnedHandle),
}

impl Theirs {
    fn stdio(&self) -> io::Result<Stdio> {
        Ok(match self {
            Self::Null => Stdio::null(),
            Self::Inherit => Stdio::inherit(),
            Self::Handle(handle) => handle.try_clone()?.into(),
        })
    }

    /// For the other output to go there too. `ours` is what they inherit.
    fn merged(&self, ours: BorrowedHandle<'_>) -> io::Result<Self> {
        Ok(match self {
            Self::Null => Self::Null,
            Self::Inherit => Self::Handle(ours.try_clone_to_owned()?),
            Self::Handle(handle) => Self::Handle(handle.try_clone()?),
        })
    }
}

/// Our end, if there is one, and the child's.
fn connect<P>(
    redirect: Redirect,
    pair: fn() -> io::Result<(P, OwnedHandle)>,
) -> io::Result<(Option<P>, Theirs)> {
    let theirs = match redirect {
        Redirect::Pipe => {
            let (ours, theirs) = pair()?;
            return Ok((Some(ours), Theirs::Handle(theirs)));
        }
        Redirect::Null => Theirs::Null,
        Redirect::Inherit => Theirs::Inherit,
        Redirect::Descriptor(file) => Theirs::Handle(file.into()),
    };
    Ok((None, theirs))
}
