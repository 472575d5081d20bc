//! Finds a program by the extensions of `PATHEXT`, as a shell does: std knows only of `.exe`, and `npx` is `npx.cmd`.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::Command,
};

/// What Windows has when `PATHEXT` is not set.
const DEFAULT_EXTENSIONS: &str = ".COM;.EXE;.BAT;.CMD";
/// A variable that is never set.
const PROBE: &str = "PROCESS_IO_IS_THE_ENVIRONMENT_CLEARED";

/// The same command with the full path of a program that std did not find. Batch files are run by std, which knows how to
/// quote for them.
///
/// What a command does not tell is lost: that an argument is a `raw_arg`.
pub(super) fn by_extension(command: &mut Command) -> Option<Command> {
    let program = Path::new(command.get_program());
    if program.extension().is_some_and(is_executable) || program.file_name().is_none() {
        return None;
    }
    let found = find(command, program)?;
    // A command whose environment is cleared does not remember what is removed from it.
    command.env_remove(PROBE);
    let cleared = !command
        .get_envs()
        .any(|(name, _)| name == OsStr::new(PROBE));
    let mut same = Command::new(found);
    same.args(command.get_args());
    if cleared {
        same.env_clear();
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => same.env(name, value),
            None => same.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        same.current_dir(directory);
    }
    Some(same)
}

fn find(command: &Command, program: &Path) -> Option<PathBuf> {
    let extensions = variable(command, "PATHEXT").unwrap_or_else(|| DEFAULT_EXTENSIONS.into());
    let extensions = extensions.to_string_lossy();
    let with_extension = |directory: &Path| {
        let extensions = extensions
            .split(';')
            .filter(|extension| extension.starts_with('.'));
        let mut paths = extensions.map(|extension| {
            let mut path = directory.join(program).into_os_string();
            path.push(extension);
            PathBuf::from(path)
        });
        paths.find(|path| path.is_file())
    };
    if program.components().count() > 1 || program.has_root() {
        return with_extension(Path::new(""));
    }
    // Not the current directory: what lies there by chance is not to be run.
    env::split_paths(&variable(command, "PATH")?)
        .filter(|directory| directory.is_absolute())
        .find_map(|directory| with_extension(&directory))
}

/// A variable of the child's environment, or else of ours: what the child has of ours can be cleared, but then it is for us to
/// find it.
fn variable(command: &Command, name: &str) -> Option<OsString> {
    let own = command
        .get_envs()
        .find(|(key, _)| key.eq_ignore_ascii_case(name));
    match own {
        Some((_, value)) => value.map(OsStr::to_os_string),
        None => env::var_os(name),
    }
}

/// std looks for such a file itself.
fn is_executable(extension: &OsStr) -> bool {
    ["exe", "com", "bat", "cmd"]
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known))
}
