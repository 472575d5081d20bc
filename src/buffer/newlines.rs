//! [`Newlines`]: one newline after the other.

use memchr::memchr;

use crate::sys::newlines;

/// So many bytes are looked through at once.
const WINDOW: usize = 64;
/// After so many windows without a newline the line is a long one, for which `memchr` is the faster way.
const LONG: usize = 4;

/// A cursor over the newlines of bytes that are given with every call, and stay the same.
#[derive(Debug, Clone)]
pub(crate) struct Newlines {
    /// The end of the last window that has been looked through.
    end: usize,
    /// Those of the last window that have not been passed, the lowest bit for its first byte.
    found: u64,
}

impl Newlines {
    /// Those from `start` on.
    pub(crate) const fn after(start: usize) -> Self {
        Self {
            end: start,
            found: 0,
        }
    }

    /// Where the next newline is.
    #[inline(always)]
    pub(crate) fn peek(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.found == 0 {
            self.look(bytes)?;
        }
        Some(self.end - WINDOW + self.found.trailing_zeros() as usize)
    }

    /// Passes the newline that [`peek`](Newlines::peek) has found.
    #[inline(always)]
    pub(crate) fn pass(&mut self) {
        self.found &= self.found.wrapping_sub(1);
    }

    fn look(&mut self, bytes: &[u8]) -> Option<()> {
        loop {
            for _ in 0..LONG {
                let Some(window) = bytes.get(self.end..).and_then(<[u8]>::first_chunk) else {
                    return self.look_at_rest(bytes);
                };
                self.found = newlines(window);
                self.end += WINDOW;
                if self.found != 0 {
                    return Some(());
                }
            }
            let rest = &bytes[self.end..];
            self.end += memchr(b'\n', rest).unwrap_or(rest.len());
        }
    }

    /// The last window is not a whole one.
    fn look_at_rest(&mut self, bytes: &[u8]) -> Option<()> {
        let rest = bytes.get(self.end..)?;
        let mut window = [0; WINDOW];
        window[..rest.len()].copy_from_slice(rest);
        self.found = newlines(&window);
        self.end += WINDOW;
        (self.found != 0).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn finds_all_in_order(
            pieces in proptest::collection::vec((0usize..700, any::<bool>()), 0..40),
        ) {
            let mut bytes = Vec::new();
            for (len, ended) in pieces {
                // What is a newline but for one bit is none.
                bytes.extend((0..len).map(|i| b"x\x0b\x8a\r\x00\x0e"[i % 6]));
                bytes.extend(ended.then_some(b'\n'));
            }
            let mut newlines = Newlines::after(0);
            let found: Vec<_> = std::iter::from_fn(|| {
                let at = newlines.peek(&bytes)?;
                assert_eq!(newlines.peek(&bytes), Some(at));
                newlines.pass();
                Some(at)
            })
            .collect();
            prop_assert_eq!(found, memchr::memchr_iter(b'\n', &bytes).collect::<Vec<_>>());
        }
    }
}
