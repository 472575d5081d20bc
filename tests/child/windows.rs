//! Windows only: how a test can see, without `unsafe`, that a process is alive.

use std::{
    fs::{File, OpenOptions},
    os::windows::fs::OpenOptionsExt,
    path::PathBuf,
    process, thread,
    time::Duration,
};

use crate::stdio::or_fail;

const FILE_FLAG_DELETE_ON_CLOSE: u32 = 0x0400_0000;
const FILE_SHARE_DELETE: u32 = 4;

/// A file that is there as long as the process is.
fn path(pid: u32) -> PathBuf {
    std::env::temp_dir().join(format!("process-io-child-{pid}"))
}

/// Makes it. The system deletes it when the process ends, however it ends.
pub(crate) fn mark() -> File {
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create(true)
        .share_mode(FILE_SHARE_DELETE);
    or_fail(
        options
            .custom_flags(FILE_FLAG_DELETE_ON_CLOSE)
            .open(path(process::id())),
    )
}

pub(crate) fn until_marked(pid: u32) {
    while !path(pid).exists() {
        thread::sleep(Duration::from_millis(2));
    }
}
