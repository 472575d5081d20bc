//! Memory for much output, before it is read into.

use std::mem::MaybeUninit;

/// How much memory is asked for at a time: 1 MiB. A buffer that holds less than that is left alone.
pub(super) const POPULATED: usize = 1 << 20;

/// Lets the kernel put memory behind the next part of a buffer that fills up, if the next `n` bytes reach it.
///
/// Otherwise each page of it is a fault in the middle of the read, which costs more and, what is worse, holds the lock
/// of the pipe: the child cannot write meanwhile. Linux has this call since 5.14; a kernel that has not fails it.
#[cfg(target_os = "linux")]
pub(super) fn populate(spare: &mut [MaybeUninit<u8>], n: usize) {
    use rustix::mm::{Advice, madvise};
    let until_part = spare.as_ptr().align_offset(POPULATED);
    if until_part < n {
        let part = &mut spare[until_part..];
        let len = part.len().min(POPULATED);
        // SAFETY: this is our memory, and the call does not change what is in it.
        let _ = unsafe { madvise(part.as_mut_ptr().cast(), len, Advice::LinuxPopulateWrite) };
    }
}

/// There is no such call here.
#[cfg(not(target_os = "linux"))]
pub(super) fn populate(_: &mut [MaybeUninit<u8>], _: usize) {}
