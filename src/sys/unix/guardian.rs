//! [`Guardian`]: kills a process group when this process ends, however it ends.
//!
//! `PR_SET_PDEATHSIG` would not do: it fires when the *thread* that spawned ends, it reaches the child alone, it needs
//! `fork(2)`, and only Linux has it. So a shell leads the child's group and reads from a pipe whose other end only we
//! hold. The kernel closes that when we end, even by `SIGKILL`; the shell reads end-of-file and kills the group it is in.
//! It is there before the child is, and no group can be mistaken for another: the shell itself is a member.
//!
//! That takes a shell for each child or pipeline: about 110 KiB of memory of its own (dash), and as much processor time as
//! starting a small program, 1 ms or less. One guardian for all children of this process would be cheaper, and could not keep
//! two promises:
//!
//! 1. *No child without a guardian, at any time.* It would have to be told of each child after that has been started, for no
//!    group exists before its first member. A child would outlive us if we are killed between the two. To start it in the
//!    guardian's own group, and to move it later, is not possible: `setpgid(2)` refuses that after the child's `execve(2)`.
//! 2. *No stranger is killed.* The guardian of all would know groups by number. When we end, our zombies are reaped by init, and the
//!    numbers of their groups may be others' by the time at which the guardian acts.

use std::{
    ffi::CStr,
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    ptr,
    time::Duration,
};

use libc::{c_int, posix_spawn_file_actions_t, posix_spawnattr_t};

use rustix::process::{Pid, Signal};

use super::{
    child::{Child, open_pidfd},
    fork::{self, Private},
    pipe::pipe,
    reaper::{self, Orphan},
};

const SHELL: &CStr = c"/bin/sh";

const SCRIPT: &CStr = c"cd /
read -r line
kill -KILL 0";

/// How long it is waited for the end of a guardian that has been killed, before that is left to the reaper.
const END: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) struct Guardian {
    shell: Shell,
    /// The process that this is the guardian of, see [`fork`].
    generation: u32,
    _lifeline: Private,
}

#[derive(Debug)]
struct Shell {
    pid: Pid,
    pidfd: Option<OwnedFd>,
}

impl Guardian {
    pub(super) fn start() -> io::Result<Self> {
        let (theirs, lifeline) = pipe()?;
        let lifeline = Private::new(lifeline);
        let pid = start_shell(&theirs).map_err(explain)?;
        let pidfd = open_pidfd(pid);
        Ok(Self {
            shell: Shell { pid, pidfd },
            generation: fork::generation(),
            _lifeline: lifeline,
        })
    }

    /// Its process id, and that of the group that it leads.
    pub(super) fn id(&self) -> Pid {
        self.shell.pid
    }

    /// Ends it, and it alone. Then the group's id is free.
    pub(super) fn end(self) {
        if fork::is_copy_of(self.generation) {
            return;
        }
        let child = self.shell.child();
        if let Ok(None) = child.observe() {
            // A child of ours can always be killed; if not, the closed pipe ends it.
            let _ = child.signal(Signal::KILL.as_raw());
            child.await_exit(END);
        }
        reaper::adopt(self.shell);
    }
}

impl Shell {
    fn child(&self) -> Child<'_> {
        Child {
            pid: self.pid,
            pidfd: self.pidfd.as_ref().map(AsFd::as_fd),
        }
    }
}

impl Orphan for Shell {
    fn reap(&mut self) -> bool {
        !matches!(self.child().reap(), Ok(None))
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.child().pidfd
    }
}

/// Starts the shell in a group of its own, with nothing but its input, and with all signals blocked: what is sent to the
/// group cannot end its guardian, from its first instruction on, except `KILL` and `STOP`.
///
/// The standard library's `Command` would hand on every descriptor that is not close-on-exec, which a child that signals
/// something by closing one would wait for in vain.
fn start_shell(stdin: &OwnedFd) -> io::Result<Pid> {
    let null = c"/dev/null".as_ptr();
    let (mut actions, mut attributes) = (Actions::new()?, Attributes::new()?);
    let mut all = MaybeUninit::uninit();
    let flags = libc::POSIX_SPAWN_SETPGROUP | libc::POSIX_SPAWN_SETSIGMASK;
    #[cfg(target_vendor = "apple")]
    let flags = flags | libc::POSIX_SPAWN_CLOEXEC_DEFAULT;
    // SAFETY: both objects are initialised, and live until the end of this function; what they are given outlives them, too.
    // `sigfillset` initialises the set.
    unsafe {
        check(libc::posix_spawn_file_actions_adddup2(
            &mut actions.0,
            stdin.as_raw_fd(),
            0,
        ))?;
        for output in [1, 2] {
            let (file, mode) = (&mut actions.0, libc::O_WRONLY);
            check(libc::posix_spawn_file_actions_addopen(
                file, output, null, mode, 0,
            ))?;
        }
        libc::sigfillset(all.as_mut_ptr());
        check(libc::posix_spawnattr_setsigmask(
            &mut attributes.0,
            all.as_ptr(),
        ))?;
        check(libc::posix_spawnattr_setpgroup(&mut attributes.0, 0))?;
        check(libc::posix_spawnattr_setflags(
            &mut attributes.0,
            flags as _,
        ))?;
    }
    actions.close_from(3)?;
    let arguments = [SHELL.as_ptr(), c"-c".as_ptr(), SCRIPT.as_ptr(), ptr::null()];
    let (environment, mut pid) = ([ptr::null_mut()], 0);
    // SAFETY: the path and the arguments are C strings, both arrays end with a null, and nothing is written through them.
    check(unsafe {
        libc::posix_spawn(
            &mut pid,
            SHELL.as_ptr(),
            &actions.0,
            &attributes.0,
            arguments.as_ptr().cast(),
            environment.as_ptr(),
        )
    })?;
    Pid::from_raw(pid).ok_or_else(|| io::ErrorKind::Other.into())
}

fn check(error: c_int) -> io::Result<()> {
    match error {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

struct Actions(posix_spawn_file_actions_t);

impl Actions {
    fn new() -> io::Result<Self> {
        let mut actions = MaybeUninit::uninit();
        // SAFETY: it initialises what it is given, unless it fails.
        unsafe {
            check(libc::posix_spawn_file_actions_init(actions.as_mut_ptr()))?;
            Ok(Self(actions.assume_init()))
        }
    }

    /// POSIX_SPAWN_CLOEXEC_DEFAULT does it.
    #[cfg(target_vendor = "apple")]
    fn close_from(&mut self, _: RawFd) -> io::Result<()> {
        Ok(())
    }

    /// Closes all from this one on: in one go with glibc 2.34 and FreeBSD 13.1 or newer; elsewhere those that are open now and
    /// would be inherited.
    #[cfg(not(target_vendor = "apple"))]
    fn close_from(&mut self, first: RawFd) -> io::Result<()> {
        type CloseFrom = unsafe extern "C" fn(*mut posix_spawn_file_actions_t, c_int) -> c_int;
        let name = c"posix_spawn_file_actions_addclosefrom_np";
        // SAFETY: the name is a C string.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        if !found.is_null() {
            // SAFETY: the function of that name has this type on every system that has it.
            let close_from: CloseFrom = unsafe { std::mem::transmute(found) };
            // SAFETY: the object is initialised.
            return check(unsafe { close_from(&mut self.0, first) });
        }
        for fd in inherited()?.into_iter().filter(|&fd| fd >= first) {
            // SAFETY: the object is initialised.
            check(unsafe { libc::posix_spawn_file_actions_addclose(&mut self.0, fd) })?;
        }
        Ok(())
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: it is initialised, and not used again.
        unsafe { libc::posix_spawn_file_actions_destroy(&mut self.0) };
    }
}

struct Attributes(posix_spawnattr_t);

impl Attributes {
    fn new() -> io::Result<Self> {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: it initialises what it is given, unless it fails.
        unsafe {
            check(libc::posix_spawnattr_init(attributes.as_mut_ptr()))?;
            Ok(Self(attributes.assume_init()))
        }
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: it is initialised, and not used again.
        unsafe { libc::posix_spawnattr_destroy(&mut self.0) };
    }
}

/// The open descriptors of this process that a child inherits.
#[cfg(not(target_vendor = "apple"))]
fn inherited() -> io::Result<Vec<RawFd>> {
    let open: Vec<RawFd> = std::fs::read_dir("/dev/fd")
        .map_err(|error| match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE) => error,
            _ => io::Error::other(format!("/dev/fd: {error}")),
        })?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    let is_inherited = |&fd: &RawFd| {
        // SAFETY: borrowed for a question only. That the number may have been closed by now, as that of the listing
        // itself has been, is part of the answer.
        let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
        rustix::io::fcntl_getfd(fd).is_ok_and(|flags| !flags.contains(rustix::io::FdFlags::CLOEXEC))
    };
    Ok(open.into_iter().filter(is_inherited).collect())
}

/// The trouble is with the shell and not with the program that was asked for, unless it would be the same with that.
fn explain(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => io::Error::other(format!(
            "{}, its guardian: {error}",
            SHELL.to_string_lossy()
        )),
        _ => error,
    }
}

#[cfg(all(test, not(target_vendor = "apple")))]
mod tests {
    use rustix::pipe::{PipeFlags, pipe, pipe_with};

    use super::*;

    #[test]
    fn what_is_not_close_on_exec_is_inherited() {
        let (open, closed) = (pipe().unwrap().0, pipe_with(PipeFlags::CLOEXEC).unwrap().0);
        let inherited = inherited().unwrap();
        assert!(inherited.contains(&open.as_raw_fd()), "{inherited:?}");
        assert!(!inherited.contains(&closed.as_raw_fd()), "{inherited:?}");
    }
}
