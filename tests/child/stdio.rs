//! The child's three pipes as bare descriptors, and how it ends when one of them fails.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::process;

/// The pattern comes round only after this many bytes. No buffer has such a length, so a block that
/// was lost, doubled or swapped always shows.
pub(crate) static PERIOD: [u8; 251 * 251] = {
    let mut bytes = [0; 251 * 251];
    let mut i = 0;
    while i < bytes.len() {
        bytes[i] = ((i * 31 + i / 251) % 251) as u8;
        i += 1;
    }
    bytes
};

/// stdout or stderr without std's line buffer: one `put` is one `write` unless the pipe is full.
pub(crate) struct Out(pub(crate) File);

impl Out {
    pub(crate) fn stdout() -> Self {
        Self(or_fail(duplicate(&io::stdout())))
    }

    pub(crate) fn stderr() -> Self {
        Self(or_fail(duplicate(&io::stderr())))
    }

    pub(crate) fn put(&mut self, bytes: impl AsRef<[u8]>) {
        or_fail(self.0.write_all(bytes.as_ref()));
    }

    pub(crate) fn pattern(&mut self, mut n: usize) {
        while n > 0 {
            let now = n.min(PERIOD.len());
            self.put(&PERIOD[..now]);
            n -= now;
        }
    }
}

pub(crate) fn or_fail<T>(result: io::Result<T>) -> T {
    result.unwrap_or_else(|error| fail(&error))
}

/// stdin without std's buffer, so that a read takes no more than it is asked to.
pub(crate) fn stdin() -> File {
    or_fail(duplicate(&io::stdin()))
}

pub(crate) fn read(from: &mut File, into: &mut [u8]) -> usize {
    loop {
        match from.read(into) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return or_fail(other),
        }
    }
}

/// Ends the program: silently when the reader went away, for that is what many tests provoke.
fn fail(error: &io::Error) -> ! {
    if error.kind() == ErrorKind::BrokenPipe {
        process::exit(32);
    }
    // `eprintln!` would panic when stderr is the pipe that failed.
    let _ = io::stderr().write_all(format!("child: {error}\n").as_bytes());
    process::exit(74)
}

#[cfg(unix)]
fn duplicate(stream: &impl std::os::fd::AsFd) -> io::Result<File> {
    Ok(stream.as_fd().try_clone_to_owned()?.into())
}

#[cfg(windows)]
fn duplicate(stream: &impl std::os::windows::io::AsHandle) -> io::Result<File> {
    Ok(stream.as_handle().try_clone_to_owned()?.into())
}
