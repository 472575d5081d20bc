//! [`Ends`]: the end of one line after the other.

use super::Terminator;
use crate::sys::equal_to;

/// So many bytes are looked through at once.
const WINDOW: usize = 64;
/// After so many windows without an end the line is a long one, for which `memchr` is the faster way.
const LONG: usize = 4;

/// A cursor over the ends of lines in bytes that are given with every call, and stay the same.
#[derive(Debug, Clone)]
pub(crate) struct Ends {
    pub(crate) terminator: Terminator,
    /// See [`Terminator::halves`].
    halves: (u8, u8),
    /// The end of the last window that has been looked through.
    end: usize,
    /// Where lines end in that window that have not been passed, the lowest bit for its first byte.
    found: u64,
}

impl Ends {
    /// Those from `start` on.
    pub(crate) const fn after(start: usize, terminator: Terminator) -> Self {
        Self {
            terminator,
            halves: terminator.halves(),
            end: start,
            found: 0,
        }
    }

    /// The byte that ends the next line.
    #[inline(always)]
    pub(crate) fn peek(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.found == 0 {
            self.look(bytes)?;
        }
        Some(self.end - WINDOW + self.found.trailing_zeros() as usize)
    }

    /// The line between two bytes that end one.
    #[inline(always)]
    pub(crate) fn strip<'a>(&self, line: &'a [u8]) -> &'a [u8] {
        match self.strip_start(line) {
            [line @ .., last] if *last == self.halves.0 => line,
            line => line,
        }
    }

    /// What comes after a byte that has ended a line.
    #[inline(always)]
    pub(super) fn strip_start<'a>(&self, line: &'a [u8]) -> &'a [u8] {
        match line {
            [first, line @ ..] if *first == self.halves.1 => line,
            line => line,
        }
    }

    /// Passes what [`peek`](Ends::peek) has found.
    #[inline(always)]
    pub(crate) fn pass(&mut self) {
        self.found &= self.found.wrapping_sub(1);
    }

    /// A loop for each kind of terminator, so that what is compared is known where it is compiled.
    fn look(&mut self, bytes: &[u8]) -> Option<()> {
        match self.terminator {
            Terminator::Newline => self.look_for(bytes, |window, _| equal_to(window, b'\n')),
            Terminator::CarriageReturn => self.look_for(bytes, returns),
            Terminator::Byte(byte) => self.look_for(bytes, |window, _| equal_to(window, byte)),
        }
    }

    /// `ends` is where lines end in a window, by what comes before it.
    #[inline(always)]
    fn look_for(&mut self, bytes: &[u8], ends: impl Fn(&[u8; WINDOW], &[u8]) -> u64) -> Option<()> {
        for _ in 0..LONG {
            let (before, rest) = bytes.split_at_checked(self.end)?;
            self.end += WINDOW;
            let Some(window) = rest.first_chunk() else {
                return self.look_at_rest(rest, |window| ends(window, before));
            };
            self.found = ends(window, before);
            if self.found != 0 {
                return Some(());
            }
        }
        self.look_far(bytes)
    }

    /// The last window is not a whole one.
    #[inline(never)]
    fn look_at_rest(&mut self, rest: &[u8], ends: impl Fn(&[u8; WINDOW]) -> u64) -> Option<()> {
        let mut window = [0; WINDOW];
        window[..rest.len()].copy_from_slice(rest);
        self.found = ends(&window) & ((1 << rest.len()) - 1);
        (self.found != 0).then_some(())
    }

    /// The next byte of a terminator, however far it is. No return comes right before it, so it ends a line.
    #[inline(never)]
    fn look_far(&mut self, bytes: &[u8]) -> Option<()> {
        let rest = bytes.get(self.end..)?;
        let at = self.terminator.find(rest);
        self.end += at.unwrap_or(rest.len()) + 1;
        self.found = u64::from(at.is_some()) << (WINDOW - 1);
        at.map(|_| ())
    }
}

/// Where lines end that end with a `\r`, or with a `\n` that comes after none.
fn returns(window: &[u8; WINDOW], before: &[u8]) -> u64 {
    let returns = equal_to(window, b'\r');
    let halves = returns << 1 | u64::from(before.ends_with(b"\r"));
    returns | equal_to(window, b'\n') & !halves
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn finds_all_in_order(
            pieces in proptest::collection::vec((0usize..700, 0usize..4), 0..40),
            start in 0usize..3,
        ) {
            let mut bytes = Vec::new();
            for (len, end) in pieces {
                // What is a newline, a return or a zero but for one bit is none.
                bytes.extend((0..len).map(|i| b"x\x0b\x8a\x0c\x8d\x80\x01"[i % 7]));
                bytes.extend_from_slice([&b"\n"[..], b"\r", b"\r\n", b"\0"][end]);
            }
            let half = |at: usize| bytes[at] == b'\n' && bytes[..at].ends_with(b"\r");
            for terminator in [Terminator::Newline, Terminator::CarriageReturn, Terminator::Byte(0)] {
                let is_end = |at: &usize| match terminator {
                    Terminator::CarriageReturn => b"\r\n".contains(&bytes[*at]) && !half(*at),
                    Terminator::Newline => bytes[*at] == b'\n',
                    Terminator::Byte(byte) => bytes[*at] == byte,
                };
                let mut ends = Ends::after(start, terminator);
                let found: Vec<_> = std::iter::from_fn(|| {
                    let at = ends.peek(&bytes)?;
                    assert_eq!(ends.peek(&bytes), Some(at));
                    ends.pass();
                    Some(at)
                })
                .collect();
                prop_assert_eq!(found, (start..bytes.len()).filter(is_end).collect::<Vec<_>>());
            }
        }
    }
}
