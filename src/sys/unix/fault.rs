//! Why a child could not be started: `exec(2)` has one ENOENT and one EACCES for many causes.

use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::Command,
};

use rustix::{
    fs::{Access, access},
    io::Errno,
};

use crate::error::Kind;

/// Longest first line of a script that the kernel looks at: `BINPRM_BUF_SIZE` of Linux.
const SHEBANG_MAX: u64 = 256;

pub(crate) fn fault(command: &Command, error: &io::Error) -> Kind {
    if error.kind() == io::ErrorKind::InvalidInput && error.raw_os_error().is_none() {
        return Kind::NulByte;
    }
    let directory = command.get_current_dir();
    match Errno::from_io_error(error) {
        Some(Errno::TOOBIG) => Kind::ArgumentListTooLong,
        Some(Errno::MFILE | Errno::NFILE) => Kind::TooManyFiles,
        Some(Errno::AGAIN) => Kind::TooManyProcesses,
        Some(Errno::TXTBSY) => Kind::TextFileBusy,
        Some(Errno::NOEXEC) => Kind::BadFormat,
        Some(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS)
            if directory.is_some_and(|path| !enterable(path)) =>
        {
            Kind::DirectoryNotFound
        }
        Some(Errno::NOENT | Errno::NOTDIR) => match find(command) {
            Some(program) => Kind::BadInterpreter(interpreter(&program)),
            None => Kind::ProgramNotFound,
        },
        Some(Errno::ACCESS) => match find(command) {
            Some(program) if program.is_dir() => Kind::ProgramIsDirectory,
            // It was not found in a directory of the path that may be looked into.
            None if !has_slash(command) => Kind::ProgramNotFound,
            _ => Kind::NotExecutable,
        },
        _ => Kind::Spawn,
    }
}

fn enterable(directory: &Path) -> bool {
    directory.is_dir() && access(directory, Access::EXEC_OK).is_ok()
}

fn has_slash(command: &Command) -> bool {
    command.get_program().as_encoded_bytes().contains(&b'/')
}

/// The file that was to be executed, if it exists.
fn find(command: &Command) -> Option<PathBuf> {
    let program = Path::new(command.get_program());
    let base = command.get_current_dir().unwrap_or(Path::new(""));
    if has_slash(command) {
        return Some(base.join(program)).filter(|path| path.exists());
    }
    let path = command
        .get_envs()
        .find(|(name, _)| *name == OsStr::new("PATH"))
        .map_or_else(|| env::var_os("PATH"), |(_, value)| value.map(Into::into))?;
    env::split_paths(&path)
        .map(|directory| base.join(directory).join(program))
        .find(|path| fs::metadata(path).is_ok_and(|file| file.is_file()))
}

/// What the `#!` line of a script names.
fn interpreter(script: &Path) -> Option<String> {
    let mut line = Vec::new();
    BufReader::new(File::open(script).ok()?.take(SHEBANG_MAX))
        .read_until(b'\n', &mut line)
        .ok()?;
    let rest = line.strip_prefix(b"#!")?.trim_ascii();
    let name = rest.split(u8::is_ascii_whitespace).next()?;
    Some(String::from_utf8_lossy(name).into_owned())
}
