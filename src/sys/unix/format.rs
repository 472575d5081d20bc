//! What a file that is to be executed says of itself: its interpreter, its loader, its format.

use std::{ffi::OsStr, fs::File, io::Read, os::unix::ffi::OsStrExt, path::Path};

/// As much of a file as is looked at: more than the kernel reads of a `#!` line, and enough for the headers of a binary.
const HEAD: u64 = 4096;
/// How the file begins; `None` if it may not be read.
pub(super) fn head(path: &Path) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)
        .ok()?
        .take(HEAD)
        .read_to_end(&mut head)
        .ok()?;
    Some(head)
}

/// What the `#!` line of a script names. Only blanks end the name, as in the kernel.
pub(super) fn interpreter(head: &[u8]) -> Option<&OsStr> {
    let line = head
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?;
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t'));
    words.find(|word| !word.is_empty()).map(OsStr::from_bytes)
}

/// What loads a dynamically linked ELF file of this byte order: its `PT_INTERP`.
pub(super) fn loader(head: &[u8]) -> Option<&Path> {
    let number = |at: usize, len: usize| {
        let bytes = head.get(at..at.checked_add(len)?)?;
        let mut number = [0; 8];
        let from = if cfg!(target_endian = "big") {
            8 - len
        } else {
            0
        };
        number[from..from + len].copy_from_slice(bytes);
        usize::try_from(u64::from_ne_bytes(number)).ok()
    };
    let native = if cfg!(target_endian = "big") { 2 } else { 1 };
    if !head.starts_with(b"\x7fELF") || *head.get(5)? != native {
        return None;
    }
    // Where the headers are, how long and how many; where a header says its segment is, and how long.
    let (headers, each, count, offset, size) = match head.get(4)? {
        1 => (
            number(28, 4)?,
            number(42, 2)?,
            number(44, 2)?,
            (4, 4),
            (16, 4),
        ),
        2 => (
            number(32, 8)?,
            number(54, 2)?,
            number(56, 2)?,
            (8, 8),
            (32, 8),
        ),
        _ => return None,
    };
    const PT_INTERP: usize = 3;
    for at in (0..count).map_while(|index| headers.checked_add(index.checked_mul(each)?)) {
        if number(at, 4)? == PT_INTERP {
            let start = number(at.checked_add(offset.0)?, offset.1)?;
            let len = number(at.checked_add(size.0)?, size.1)?;
            let name = head.get(start..start.checked_add(len)?)?;
            return Some(Path::new(OsStr::from_bytes(
                name.strip_suffix(b"\0").unwrap_or(name),
            )));
        }
    }
    None
}

/// Whether a file is a binary of the kind that we are: the same kind of ELF for the same machine, or the same magic.
pub(super) fn is_same_format(head: &[u8], ours: &[u8]) -> bool {
    /// The whole header of an ELF file of 64 bits, the least that a program has.
    const LEAST: usize = 64;
    let parts = match ours.starts_with(b"\x7fELF") {
        true => [0..6, 18..20],
        false => [0..4, 4..8],
    };
    head.len() >= LEAST
        && parts
            .into_iter()
            .all(|part| head.get(part.clone()) == ours.get(part))
}

#[cfg(test)]
mod tests {
    use std::env;

    use super::*;

    #[test]
    fn the_interpreter_is_what_the_kernel_takes() {
        let of =
            |head: &str| interpreter(head.as_bytes()).map(|name| name.to_str().unwrap().to_owned());
        assert_eq!(of("#!/bin/sh\necho").as_deref(), Some("/bin/sh"));
        assert_eq!(of("#! \t/bin/sh -x\n").as_deref(), Some("/bin/sh"));
        assert_eq!(of("#!/bin/sh\r\n").as_deref(), Some("/bin/sh\r"));
        assert_eq!(of("#!\n/bin/sh"), None);
        assert_eq!(of("# !/bin/sh\n"), None);
    }

    #[test]
    fn a_broken_binary_has_no_loader() {
        let ours = head(&env::current_exe().unwrap()).unwrap();
        for len in 0..ours.len().min(200) {
            loader(&ours[..len]);
        }
        for at in 0..ours.len().min(200) {
            let mut broken = ours.clone();
            broken[at] = 0xff;
            loader(&broken);
        }
        assert!(is_same_format(&ours, &ours) && !is_same_format(b"\x7fELF", &ours));
    }
}
