//! [`equal_to`]: where in 64 bytes one byte is.

/// A bit for each byte that is `byte`, the lowest for the first.
///
/// To search for the end of one line after the other costs more than the lines are long: this does it for all lines of 64
/// bytes at once.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn equal_to(bytes: &[u8; 64], byte: u8) -> u64 {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_set1_epi8};

    let mut found = 0;
    for (at, part) in bytes.chunks_exact(16).enumerate() {
        // SAFETY: every x86-64 has SSE2, and `part` is the 16 bytes that are loaded, from wherever they begin.
        let bits = unsafe {
            let part = _mm_loadu_si128(part.as_ptr().cast());
            _mm_movemask_epi8(_mm_cmpeq_epi8(part, _mm_set1_epi8(byte as i8)))
        };
        found |= (bits as u64) << (16 * at);
    }
    found
}

/// A bit for each byte that is `byte`, the lowest for the first.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(crate) fn equal_to(bytes: &[u8; 64], byte: u8) -> u64 {
    memchr::memchr_iter(byte, bytes).fold(0, |found, at| found | 1 << at)
}
