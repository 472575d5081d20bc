//! Why a child could not be started.

use std::{io, path::Path, process::Command};

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_BAD_EXE_FORMAT, ERROR_DIRECTORY, ERROR_EXE_MACHINE_TYPE_MISMATCH,
    ERROR_FILENAME_EXCED_RANGE, ERROR_NO_SYSTEM_RESOURCES, ERROR_SHARING_VIOLATION,
    ERROR_TOO_MANY_OPEN_FILES,
};

use super::code;
use crate::{error::Kind, secrets::Secrets};

pub(crate) fn fault(command: &Command, secrets: &Secrets, error: &io::Error) -> Kind {
    let directory = command.get_current_dir();
    let program = || secrets.show(command.get_program());
    let code = code(error);
    match (error.kind(), code) {
        // The other cause is an argument that cannot be quoted for a batch file.
        (io::ErrorKind::InvalidInput, None) if has_nul(command) => Kind::NulByte,
        (_, code)
            if directory.is_some_and(|path| code == Some(ERROR_DIRECTORY) || !path.is_dir()) =>
        {
            Kind::DirectoryNotFound(directory.map(|path| secrets.show(path)).unwrap_or_default())
        }
        (io::ErrorKind::NotFound, _) => Kind::ProgramNotFound(None),
        _ if Path::new(command.get_program()).is_dir() => Kind::ProgramIsDirectory(program()),
        (_, Some(ERROR_ACCESS_DENIED)) => Kind::NotExecutable(program(), None),
        (_, Some(ERROR_BAD_EXE_FORMAT | ERROR_EXE_MACHINE_TYPE_MISMATCH)) => {
            Kind::BadFormat(program())
        }
        (_, Some(ERROR_FILENAME_EXCED_RANGE)) => Kind::ArgumentListTooLong,
        (_, Some(ERROR_SHARING_VIOLATION)) => Kind::TextFileBusy(program()),
        (_, Some(ERROR_TOO_MANY_OPEN_FILES)) => Kind::TooManyFiles,
        (_, Some(ERROR_NO_SYSTEM_RESOURCES)) => Kind::TooManyProcesses,
        _ => Kind::Spawn,
    }
}

fn has_nul(command: &Command) -> bool {
    let envs = (command.get_envs()).flat_map(|(name, value)| [Some(name), value]);
    [command.get_program()]
        .into_iter()
        .chain(command.get_args())
        .chain(command.get_current_dir().map(Path::as_os_str))
        .chain(envs.flatten())
        .any(|text| text.as_encoded_bytes().contains(&0))
}
