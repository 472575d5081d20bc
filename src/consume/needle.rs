//! [`Needle`]: what `expect` searches for.

use bytes::Bytes;
use memchr::memmem;

/// A pattern that [`expect`](crate::ProcessIo::expect) searches for in a child's output.
///
/// Implemented for bytes and text, for [`Eof`], for `regex::bytes::Regex` (feature `regex`), and for arrays, slices
/// and `Vec`s of needles, of which the match that ends first is returned. Sets of different types are made of
/// `Box<dyn Needle>`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use process_io::{Eof, Needle, ProcessIo};
///
/// let mut io = ProcessIo::shell("echo error: no such user").spawn()?;
/// let needles: [Box<dyn Needle>; 3] = [Box::new("welcome"), Box::new("error: "), Box::new(Eof)];
/// let found = io.expect(needles).await?;
/// assert_eq!(found.index, 1);
/// # }
/// # Ok(()) }
/// ```
///
/// # The rule
///
/// A needle matches at the shortest beginning of the output that contains a match. That depends on
/// the output alone and not on the pieces in which it arrives (except for very long matches of a regex, see `REGEX_WINDOW`), and a
/// match is never delayed until more output comes. End a regex with what follows the match (`version (\d+)\n`), because it
/// ends as soon as it can: `\d+` matches one digit. Do not use an assertion at the end of a regex (`$`, `\z`, `\b`): it sees the
/// output that has arrived so far only.
pub trait Needle: Send + Sync {
    /// Returns the match in `output` that ends first; among those that end at the same byte, the longest.
    ///
    /// The first `searched` bytes contain no match: they have been searched by an earlier call.
    ///
    /// The match must be a range of `output`, and its captures ranges of the match, or `expect` fails.
    fn find(&self, output: &[u8], searched: usize) -> Option<Found>;

    /// Returns the index of the match at the end of the output, when `find` has found none; `None` if the end is no match.
    fn find_at_eof(&self) -> Option<usize> {
        None
    }
}

/// The place of a match of a [`Needle`] in the output.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The start of the match, in bytes from the start of the output.
    pub start: usize,
    /// The end of the match, exclusive.
    pub end: usize,
    /// The index of the needle in a set; 0 for a single one.
    pub index: usize,
    /// The ranges of the groups of a regex, the whole match first; empty for other needles.
    pub captures: Vec<Option<std::ops::Range<usize>>>,
}

impl Found {
    /// Creates a match without captures.
    ///
    /// ```
    /// use process_io::{Found, Needle};
    ///
    /// /// The first byte that is a digit.
    /// struct Digit;
    ///
    /// impl Needle for Digit {
    ///     fn find(&self, output: &[u8], searched: usize) -> Option<Found> {
    ///         let at = output[searched..].iter().position(u8::is_ascii_digit)?;
    ///         Some(Found::new(searched + at, searched + at + 1))
    ///     }
    /// }
    ///
    /// assert_eq!(Digit.find(b"id=42", 0), Some(Found::new(3, 4)));
    /// ```
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

/// A [`Needle`] that matches at the end of the output.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use process_io::{Eof, ProcessIo};
///
/// let mut io = ProcessIo::shell("echo hello").spawn()?;
/// assert_eq!(io.expect(Eof).await?.before, "hello\n");
/// # }
/// # Ok(()) }
/// ```
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

/// The needle whose match ends first; among those that end at the same byte the longest match, and of equal ones the first needle.
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

/// How many bytes before new output a regex searches again, 64 KiB: a longer match that arrives in pieces can be
/// missed.
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
