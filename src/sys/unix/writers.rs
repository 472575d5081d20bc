//! Who has a file open for writing.

use std::{
    cmp::Reverse,
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

/// At so many descriptors it is looked for who has a file open, which takes some ten milliseconds: the caller may be a thread
/// of a runtime.
const SCAN_MAX: u32 = 10_000;

/// Whether a process has the file open for writing; `None` if that cannot be told of all of them, or there are too many.
/// Only Linux has such a `/proc`.
pub(super) fn is_open_for_writing(file: &Metadata) -> Option<bool> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let (mut all_seen, mut scanned) = (true, 0);
    let numbers = fs::read_dir("/proc").ok()?.flatten();
    let mut numbers: Vec<u32> = numbers
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    // Most likely it is us, or a child that has just been started.
    numbers.sort_by_key(|number| (*number != std::process::id(), Reverse(*number)));
    for number in numbers {
        let process = Path::new("/proc").join(number.to_string());
        let descriptors = match fs::read_dir(process.join("fd")) {
            Ok(descriptors) => descriptors,
            Err(error) => {
                all_seen &= error.kind() == io::ErrorKind::NotFound;
                continue;
            }
        };
        for descriptor in descriptors.flatten() {
            scanned += 1;
            if scanned > SCAN_MAX {
                return None;
            }
            let open = fs::metadata(descriptor.path());
            if open.is_ok_and(|open| (open.dev(), open.ino()) == (file.dev(), file.ino())) {
                let info = process.join("fdinfo").join(descriptor.file_name());
                let info = fs::read_to_string(info).unwrap_or_default();
                let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
                let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
                // O_WRONLY or O_RDWR; an O_PATH descriptor has neither.
                if flags.is_some_and(|flags| flags & 3 != 0) {
                    return Some(true);
                }
            }
        }
    }
    all_seen.then_some(false)
}
