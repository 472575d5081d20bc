//! [`Needle`]: what `expect` looks for.

use bytes::Bytes;
use memchr::memmem;

/// Something to look for in a child's output.
///
/// Implemented for bytes and text, for [`Eof`], for `regex::bytes::Regex` (feature `regex`), and for arrays, slices
/// and `Vec`s of needles, of which the first one that is complete wins. Sets of different kinds are made of
/// `Box<dyn Needle>`.
///
/// # The rule
///
/// A needle matches as soon as it can: at the shortest beginning of the output that holds a match. That depends on
/// the output alone and not on the pieces in which it arrives (but see `REGEX_WINDOW` for very long matches of a
/// regex), and nothing has to wait for what might come next. End a regex with what follows the match (`version (\d+)\n`), or it stops as soon as it may: `\d+`
/// matches one digit. An assertion at the end of a regex (`$`, `\z`, `\b`) sees what has arrived so far and no
/// further: do without.
pub trait Needle: Send + Sync {
    /// The match in `output` that is complete first. Where several are at the same byte, the longest.
    ///
    /// The first `searched` bytes hold none; they have been asked about before.
    ///
    /// The match must be a range of `output`, and its captures ranges of the match, or `expect` fails.
    fn find(&self, output: &[u8], searched: usize) -> Option<Found>;

    /// The match at the end of the output, when it has not come to another.
    fn find_at_eof(&self) -> Option<usize> {
        None
    }
}

/// Where a [`Needle`] matches.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// Where the match begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// Which needle of a set it was.
    pub index: usize,
    /// What the groups of a regex matched, the whole match first; empty for other needles.
    pub captures: Vec<Option<std::ops::Range<usize>>>,
}

impl Found {
    /// A match without captures.
    pub fn new(start: usize, end: usize) -> Self {
        Self {
            start,
            end,
            index: 0,
            captures: Vec::new(),
        }
    }

    /// The match is in an output of `len` bytes, and its captures are in the match.
    pub(super) fn is_within(&self, len: usize) -> bool {
        let within = |start, end, range: &std::ops::Range<usize>| {
            start <= range.start && range.start <= range.end && range.end <= end
        };
        within(0, len, &(self.start..self.end))
            && (self.captures.iter().flatten()).all(|group| within(self.start, self.end, group))
    }
}

/// The end of the output, as a [`Needle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Eof;

impl Needle for Eof {
    fn find(&self, _: &[u8], _: usize) -> Option<Found> {
        None
    }

    fn find_at_eof(&self) -> Option<usize> {
        Some(0)
    }
}

impl Needle for [u8] {
    fn find(&self, output: &[u8], searched: usize) -> Option<Found> {
        // A match may begin in what was searched, but not end there.
        let from = searched.saturating_sub(self.len().saturating_sub(1));
        let at = memmem::find(&output[from..], self)?;
        Some(Found::new(from + at, from + at + self.len()))
    }
}

macro_rules! bytes_needle {
    ($($needle:ty),*) => {$(
        impl Needle for $needle {
            fn find(&self, output: &[u8], searched: usize) -> Option<Found> {
                let bytes: &[u8] = self.as_ref();
                bytes.find(output, searched)
            }
        }
    )*};
}

bytes_needle!(str, String, Bytes, Vec<u8>);

impl<const N: usize> Needle for [u8; N] {
    fn find(&self, output: &[u8], searched: usize) -> Option<Found> {
        self.as_slice().find(output, searched)
    }
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<T: Needle + ?Sized> Needle for $pointer {
            fn find(&self, output: &[u8], searched: usize) -> Option<Found> {
                (**self).find(output, searched)
            }

            fn find_at_eof(&self) -> Option<usize> {
                (**self).find_at_eof()
            }
        }
    )*};
}

forward!(&T, Box<T>);

/// The needle that is complete first; where several are at the same byte the longest, and of equals the first.
impl<N: Needle> Needle for [N] {
    fn find(&self, output: &[u8], searched: usize) -> Option<Found> {
        (self.iter().enumerate())
            .filter_map(|(index, needle)| {
                let found = needle.find(output, searched)?;
                Some(Found { index, ..found })
            })
            .min_by_key(|found| (found.end, found.start, found.index))
    }

    fn find_at_eof(&self) -> Option<usize> {
        self.iter()
            .position(|needle| needle.find_at_eof().is_some())
    }
}

impl<N: Needle> Needle for Vec<N> {
    fn find(&self, output: &[u8], searched: usize) -> Option<Found> {
        self.as_slice().find(output, searched)
    }

    fn find_at_eof(&self) -> Option<usize> {
        self.as_slice().find_at_eof()
    }
}

impl<N: Needle, const K: usize> Needle for [N; K] {
    fn find(&self, output: &[u8], searched: usize) -> Option<Found> {
        self.as_slice().find(output, searched)
    }

    fn find_at_eof(&self) -> Option<usize> {
        self.as_slice().find_at_eof()
    }
}

/// How far back a regex looks when more output has come: a match that is longer, and arrives in pieces, can be
/// missed. 64 KiB.
#[cfg(feature = "regex")]
pub const REGEX_WINDOW: usize = 64 << 10;

#[cfg(feature = "regex")]
impl Needle for regex::bytes::Regex {
    fn find(&self, output: &[u8], searched: usize) -> Option<Found> {
        let from = searched.saturating_sub(REGEX_WINDOW);
        // Some end of some match; the engine does not promise the first.
        let mut end = self.shortest_match_at(output, from)?;
        let mut without = searched.min(end);
        while without + 1 < end {
            let middle = without + (end - without) / 2;
            if self.is_match_at(&output[..middle], from) {
                end = middle;
            } else {
                without = middle;
            }
        }
        let captures = self.captures_at(&output[..end], from)?;
        let whole = captures.get(0)?;
        Some(Found {
            start: whole.start(),
            end: whole.end(),
            index: 0,
            captures: (captures.iter().map(|group| Some(group?.range()))).collect(),
        })
    }
}
