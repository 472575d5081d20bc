//! Why a child could not be started. `exec(2)` has one ENOENT and one EACCES for many causes, and any error may also be that of a
//! `pre_exec`. So each cause is looked for, and claimed only if it explains the error.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs::{self, File, Metadata},
    io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
    process::Command,
};

use rustix::{
    fs::{Access, AtFlags, CWD, accessat},
    io::Errno,
    process::{Pid, getegid, geteuid, test_kill_process_group},
};

use super::{
    format::{head, interpreter, is_same_format, loader},
    session_of,
    writers::is_open_for_writing,
};
use crate::{error::Kind, secrets::Secrets};

/// As many scripts may be each other's interpreters: Linux allows 4.
const MAX_SCRIPTS: u32 = 8;
/// Any system takes arguments and environment of so many bytes together: the least of Linux, see `execve(2)`.
const ARG_MAX: usize = 128 << 10;
/// Where `execvp(3)` looks without a `PATH`.
const DEFAULT_PATH: &str = match cfg!(target_env = "musl") {
    true => "/usr/local/bin:/bin:/usr/bin",
    false => "/bin:/usr/bin",
};

/// What would make a start fail, and with which error.
type Cause = (Errno, Kind);

pub(crate) fn fault(command: &Command, secrets: &Secrets, error: &io::Error) -> Kind {
    if error.kind() == io::ErrorKind::InvalidInput && error.raw_os_error().is_none() {
        return Kind::NulByte;
    }
    let Some(errno) = Errno::from_io_error(error) else {
        return Kind::Spawn;
    };
    match errno {
        Errno::MFILE | Errno::NFILE => return Kind::TooManyFiles,
        Errno::AGAIN => return Kind::TooManyProcesses,
        _ => {}
    }
    let attempt = Attempt::new(command, secrets, errno);
    let explains = |cause: Option<Cause>| Some(cause.filter(|(would_be, _)| *would_be == errno)?.1);
    // In the order in which they are met; but that the command uses `/dev/null` at all is not known.
    explains(attempt.directory())
        .or_else(|| explains(attempt.group()))
        .or_else(|| explains(attempt.arguments()))
        .or_else(|| explains(attempt.program()))
        .or_else(|| explains(no_null_device()))
        .unwrap_or(Kind::Spawn)
}

/// An ETXTBSY may be about the program's file, or about that of an interpreter of it.
pub(super) fn may_be_busy(command: &Command) -> bool {
    let secrets = Secrets::default();
    let mut attempt = Attempt::new(command, &secrets, Errno::TXTBSY);
    attempt.assume_busy = true;
    attempt
        .program()
        .is_some_and(|(errno, _)| errno == Errno::TXTBSY)
}

/// How a command was to be started, as far as that can be told.
struct Attempt<'a> {
    command: &'a Command,
    secrets: &'a Secrets,
    /// What it failed with.
    errno: Errno,
    /// A file of which that cannot be told counts as open for writing.
    assume_busy: bool,
    /// The directory it starts in.
    base: &'a Path,
    /// Not as us.
    user: Option<User>,
    /// It inherits no variable.
    env_cleared: bool,
    /// The process group it is put in; 0 for one of its own.
    group: Option<i32>,
}

/// As whom a command is started.
struct User {
    uid: u32,
    groups: Vec<u32>,
}

impl<'a> Attempt<'a> {
    /// Some of it only the `Debug` output of a command tells, which has a field on a line.
    fn new(command: &'a Command, secrets: &'a Secrets, errno: Errno) -> Self {
        let shown = format!("{command:#?}");
        let numbers = |field: &str| -> Option<Vec<i64>> {
            let start = format!("    {field}: Some(");
            let lines = shown.lines().skip_while(|line| **line != *start).skip(1);
            let lines = lines.take_while(|line| *line != "    ),");
            let numbers: Vec<_> = lines
                .filter_map(|line| line.trim().trim_end_matches(',').parse().ok())
                .collect();
            shown.lines().any(|line| line == start).then_some(numbers)
        };
        let number = |field| numbers(field)?.first().copied();
        let id = |field| number(field).and_then(|id| u32::try_from(id).ok());
        let mut env = shown
            .lines()
            .skip_while(|line| *line != "    env: CommandEnv {");
        Self {
            command,
            secrets,
            errno,
            // Elsewhere it can never be told, and `execve(2)` has no other reason for its ETXTBSY.
            assume_busy: !cfg!(target_os = "linux"),
            base: command.get_current_dir().unwrap_or(Path::new("")),
            user: User::new(id("uid"), id("gid"), numbers("groups")),
            env_cleared: env.nth(1) == Some("        clear: true,"),
            group: number("pgroup").and_then(|group| i32::try_from(group).ok()),
        }
    }

    fn show(&self, path: impl AsRef<OsStr>) -> String {
        self.secrets.show(path)
    }

    fn uid(&self) -> Option<u32> {
        self.user.as_ref().map(|user| user.uid)
    }

    fn directory(&self) -> Option<Cause> {
        let directory = self.command.get_current_dir()?;
        let shown = self.show(directory);
        match self.stat(directory) {
            Err(Errno::ACCESS) => Some((Errno::ACCESS, Kind::DirectoryClosed(shown, self.uid()))),
            Err(errno @ (Errno::NOENT | Errno::NOTDIR)) => {
                Some((errno, Kind::DirectoryNotFound(shown)))
            }
            Err(_) => None,
            Ok(file) if !file.is_dir() => Some((Errno::NOTDIR, Kind::NotDirectory(shown))),
            Ok(file) if !self.may_execute(directory, &file) => {
                Some((Errno::ACCESS, Kind::DirectoryClosed(shown, self.uid())))
            }
            Ok(_) => None,
        }
    }

    fn group(&self) -> Option<Cause> {
        let group = self.group.filter(|group| *group >= 0)?;
        let Some(pid) = Pid::from_raw(group) else {
            return Some((Errno::PERM, Kind::Leader));
        };
        let refused = |why| Some((Errno::PERM, Kind::Group(why)));
        if test_kill_process_group(pid) == Err(Errno::SRCH) {
            return refused(format!("there is no process group {group} to join"));
        }
        match (session_of(Some(pid)), session_of(None)) {
            (Some(its), Some(ours)) if its != ours => {
                refused(format!("the process group {group} is of another session"))
            }
            _ => None,
        }
    }

    fn arguments(&self) -> Option<Cause> {
        let size = |text: &OsStr| text.len() + 1 + size_of::<usize>();
        let args = (self.command.get_args()).chain([self.command.get_program()]);
        let set =
            (self.command.get_envs()).filter_map(|(name, value)| Some(size(name) + value?.len()));
        let mut bytes = args.map(size).chain(set).sum::<usize>();
        if !self.env_cleared {
            bytes += env::vars_os()
                .map(|(name, value)| size(&name) + value.len())
                .sum::<usize>();
        }
        (bytes >= ARG_MAX).then_some((Errno::TOOBIG, Kind::ArgumentListTooLong))
    }

    fn program(&self) -> Option<Cause> {
        let program = Path::new(self.command.get_program());
        if program.as_os_str().as_bytes().contains(&b'/') {
            return self.file(&self.base.join(program), 0);
        }
        // As `execvp(3)` looks for it.
        let (mut denied, mut not_executable, mut broken) = (false, None, None);
        for directory in env::split_paths(&self.path()) {
            let (errno, kind) = self.file(&self.base.join(directory).join(program), 0)?;
            denied |= errno == Errno::ACCESS;
            match (errno, kind) {
                // Of a file that cannot be seen nothing is known.
                (_, Kind::ProgramNotFound(_) | Kind::ProgramHidden(..)) => {}
                (Errno::ACCESS, kind) => _ = not_executable.get_or_insert(kind),
                (Errno::NOENT | Errno::NOTDIR, kind) => _ = broken.get_or_insert(kind),
                cause => return Some(cause),
            }
        }
        let (errno, kind) = match denied {
            true => (Errno::ACCESS, not_executable),
            false => (Errno::NOENT, broken),
        };
        Some((errno, kind.unwrap_or(Kind::ProgramNotFound(None))))
    }

    /// The child looks for its program in its own path.
    fn path(&self) -> OsString {
        let mut envs = self.command.get_envs();
        let path = match envs.find(|(name, _)| *name == OsStr::new("PATH")) {
            Some((_, value)) => value.map(Into::into),
            None if self.env_cleared => None,
            None => env::var_os("PATH"),
        };
        path.unwrap_or_else(|| DEFAULT_PATH.into())
    }

    /// Why this file cannot be executed. `depth` is how many scripts it is the interpreter of.
    fn file(&self, path: &Path, depth: u32) -> Option<Cause> {
        let file = match self.stat(path) {
            Ok(file) => file,
            Err(Errno::ACCESS) => {
                return Some((
                    Errno::ACCESS,
                    Kind::ProgramHidden(self.show(path), self.uid()),
                ));
            }
            Err(errno @ (Errno::NOENT | Errno::NOTDIR)) => {
                return Some((errno, Kind::ProgramNotFound(Some(self.show(path)))));
            }
            Err(_) => return None,
        };
        if file.is_dir() {
            return Some((Errno::ACCESS, Kind::ProgramIsDirectory(self.show(path))));
        }
        if !file.is_file() || !self.may_execute(path, &file) {
            let kind = Kind::NotExecutable(self.show(path), self.uid());
            return Some((Errno::ACCESS, kind));
        }
        if self.errno == Errno::TXTBSY && is_open_for_writing(&file).unwrap_or(self.assume_busy) {
            return Some((Errno::TXTBSY, Kind::TextFileBusy(self.show(path))));
        }
        let content = head(path)?;
        if content.starts_with(b"#!") {
            return self.script(path, &content, depth);
        }
        if let Some(loader) = loader(&content) {
            if let Err(errno @ (Errno::NOENT | Errno::NOTDIR)) = self.stat(loader) {
                let loader = self.show(loader);
                let kind = Kind::BadInterpreter(format!("its loader {loader} does not exist"));
                if errno == self.errno {
                    return Some((errno, kind));
                }
            }
        }
        let ours = env::current_exe().ok().and_then(|path| head(&path))?;
        let foreign = !is_same_format(&content, &ours);
        foreign.then(|| (Errno::NOEXEC, Kind::BadFormat(self.show(path))))
    }

    fn script(&self, path: &Path, content: &[u8], depth: u32) -> Option<Cause> {
        let Some(name) = interpreter(content) else {
            return Some((Errno::NOEXEC, Kind::BadFormat(self.show(path))));
        };
        if depth == MAX_SCRIPTS {
            return None;
        }
        let (errno, kind) = self.file(&self.base.join(name), depth + 1)?;
        let shown = self.show(name);
        let its = match depth {
            0 => format!("its interpreter {shown}"),
            _ => format!("its interpreter {} needs {shown}, which", self.show(path)),
        };
        let why = match kind {
            Kind::ProgramNotFound(_) if name.as_bytes().ends_with(b"\r") => format!(
                "{its} does not exist: the first line of the script ends in a carriage return"
            ),
            Kind::ProgramNotFound(_) => format!("{its} does not exist"),
            Kind::NotExecutable(..) | Kind::ProgramHidden(..) => format!("{its} is not executable"),
            Kind::ProgramIsDirectory(_) => format!("{its} is a directory"),
            kind => return Some((errno, kind)),
        };
        Some((errno, Kind::BadInterpreter(why)))
    }

    /// As `stat(2)` of the child.
    fn stat(&self, path: &Path) -> Result<Metadata, Errno> {
        let errno = |error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
        if let Some(user) = &self.user {
            let absolute = std::path::absolute(path).map_err(errno)?;
            let real = fs::canonicalize(path).unwrap_or_default();
            let above = absolute.ancestors().skip(1).chain(real.ancestors().skip(1));
            let closed = |directory: &Path| {
                fs::metadata(directory).is_ok_and(|directory| !user.may_execute(&directory))
            };
            if above.into_iter().any(closed) {
                return Err(Errno::ACCESS);
            }
        }
        fs::metadata(path).map_err(errno)
    }

    /// Whether the child may execute a file, or enter a directory.
    fn may_execute(&self, path: &Path, file: &Metadata) -> bool {
        match &self.user {
            Some(user) => user.may_execute(file),
            None => accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS).is_ok(),
        }
    }
}

impl User {
    /// `None` if it is us. Without groups of its own it has none beside the first, as `CommandExt::uid` says, if we may drop
    /// ours.
    fn new(uid: Option<u32>, gid: Option<u32>, groups: Option<Vec<i64>>) -> Option<Self> {
        if uid.is_none() && gid.is_none() && groups.is_none() {
            return None;
        }
        let mut all = match groups {
            Some(groups) => groups
                .into_iter()
                .filter_map(|id| id.try_into().ok())
                .collect(),
            None if uid.is_some() && geteuid().is_root() => Vec::new(),
            None => our_groups(),
        };
        all.push(gid.unwrap_or(getegid().as_raw()));
        Some(Self {
            uid: uid.unwrap_or(geteuid().as_raw()),
            groups: all,
        })
    }

    /// By the mode; what an access control list says is not looked at.
    fn may_execute(&self, file: &Metadata) -> bool {
        if self.uid == 0 {
            return file.is_dir() || file.mode() & 0o111 != 0;
        }
        let class = if file.uid() == self.uid {
            6
        } else if self.groups.contains(&file.gid()) {
            3
        } else {
            0
        };
        (file.mode() >> class) & 1 == 1
    }
}

fn our_groups() -> Vec<u32> {
    let groups = rustix::process::getgroups().unwrap_or_default();
    groups.into_iter().map(|group| group.as_raw()).collect()
}

fn no_null_device() -> Option<Cause> {
    let null = File::options().read(true).write(true).open("/dev/null");
    let errno = Errno::from_io_error(&null.err()?)?;
    Some((errno, Kind::NullDevice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classes_of_a_mode() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let may = |mode, uid, group| {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
            fs::set_permissions(file.path(), mode).unwrap();
            let metadata = file.as_file().metadata().unwrap();
            let uid = if uid {
                metadata.uid()
            } else {
                metadata.uid() + 1
            };
            let gid = if group {
                metadata.gid()
            } else {
                metadata.gid() + 1
            };
            User {
                uid,
                groups: vec![gid],
            }
            .may_execute(&metadata)
        };
        assert!(may(0o010, false, true) && !may(0o101, false, true));
        assert!(may(0o001, false, false) && !may(0o110, false, false));
        // Root may execute what any user may.
        let is_root = file.as_file().metadata().unwrap().uid() == 0;
        assert!(may(0o100, true, false) && may(0o011, true, false) == is_root);
    }
}
