//! [`Line`].

use std::{borrow::Cow, fmt, str};

use bytes::Bytes;

use crate::{event::Source, sys::Slice};

/// One line of a child's output, without its terminator.
///
/// The bytes are a slice of the buffer they were read into: they are not allocated or copied, unless the line began
/// in one read and ended in another. A line that is kept therefore keeps its buffer allocated: some 128 KiB, or all
/// that had been received unread. [`Bytes::copy_from_slice`] makes a copy that does not.
pub struct Line {
    data: Data,
    origin: Origin,
}

enum Data {
    /// Of a block of lines.
    Slice(Slice),
    Bytes(Bytes),
}

/// Source and end in one word: a line is moved about more often than it is asked for them.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
enum Origin {
    StdoutTerminator,
    StdoutEof,
    StdoutLimit,
    StderrTerminator,
    StderrEof,
    StderrLimit,
}

/// What ended a [`Line`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use process_io::{LineEnd, ProcessIo, Source};
///
/// let mut io = ProcessIo::shell("echo one; printf two").spawn()?;
/// let one = io.recv_line(Source::Stdout).await?.unwrap();
/// let two = io.recv_line(Source::Stdout).await?.unwrap();
/// assert_eq!((one.end(), two.end()), (LineEnd::Terminator, LineEnd::Eof));
/// # }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineEnd {
    /// Its terminator.
    Terminator,
    /// The end of the stream: the last line has no terminator.
    Eof,
    /// [`LineOptions::max_line_length`](crate::LineOptions::max_line_length): the line is longer.
    Limit,
}

impl Line {
    #[inline]
    pub(crate) fn new(bytes: Bytes, source: Source, end: LineEnd) -> Self {
        let origin = match (source, end) {
            (Source::Stdout, LineEnd::Terminator) => Origin::StdoutTerminator,
            (Source::Stdout, LineEnd::Eof) => Origin::StdoutEof,
            (Source::Stdout, LineEnd::Limit) => Origin::StdoutLimit,
            (Source::Stderr, LineEnd::Terminator) => Origin::StderrTerminator,
            (Source::Stderr, LineEnd::Eof) => Origin::StderrEof,
            (Source::Stderr, LineEnd::Limit) => Origin::StderrLimit,
        };
        let data = Data::Bytes(bytes);
        Self { data, origin }
    }

    /// One of a block of lines, with a terminator.
    #[inline(always)]
    pub(crate) fn of_block(slice: Slice, source: Source) -> Self {
        let data = Data::Slice(slice);
        let origin = match source {
            Source::Stdout => Origin::StdoutTerminator,
            Source::Stderr => Origin::StderrTerminator,
        };
        Self { data, origin }
    }

    /// Returns the line as bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.data {
            Data::Slice(slice) => slice.as_bytes(),
            Data::Bytes(bytes) => bytes,
        }
    }

    /// Converts the line into bytes.
    pub fn into_bytes(self) -> Bytes {
        match self.data {
            Data::Slice(slice) => slice.to_bytes(),
            Data::Bytes(bytes) => bytes,
        }
    }

    /// Returns the line as text.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut io = ProcessIo::shell("echo 42").spawn()?;
    /// let line = io.recv_line(Source::Stdout).await?.unwrap();
    /// assert_eq!(line.to_str().unwrap().parse(), Ok(42));
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// If it is not UTF-8.
    pub fn to_str(&self) -> Result<&str, str::Utf8Error> {
        str::from_utf8(self.as_bytes())
    }

    /// Returns the line as text, with U+FFFD for what is not UTF-8. Allocates only if there is such.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut io = ProcessIo::shell(r"printf 'caf\351\n'").spawn()?;
    /// let line = io.recv_line(Source::Stdout).await?.unwrap();
    /// assert!(line.to_str().is_err());
    /// assert_eq!(line.to_str_lossy(), "caf\u{FFFD}");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn to_str_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.as_bytes())
    }

    /// Returns the stream it came from.
    pub fn source(&self) -> Source {
        match self.origin {
            Origin::StdoutTerminator | Origin::StdoutEof | Origin::StdoutLimit => Source::Stdout,
            Origin::StderrTerminator | Origin::StderrEof | Origin::StderrLimit => Source::Stderr,
        }
    }

    /// Returns what ended it.
    pub fn end(&self) -> LineEnd {
        match self.origin {
            Origin::StdoutTerminator | Origin::StderrTerminator => LineEnd::Terminator,
            Origin::StdoutEof | Origin::StderrEof => LineEnd::Eof,
            Origin::StdoutLimit | Origin::StderrLimit => LineEnd::Limit,
        }
    }
}

impl PartialEq<[u8]> for Line {
    fn eq(&self, other: &[u8]) -> bool {
        self.as_bytes() == other
    }
}

impl PartialEq<str> for Line {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Line {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl AsRef<[u8]> for Line {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Clone for Line {
    fn clone(&self) -> Self {
        let data = Data::Bytes(match &self.data {
            Data::Slice(slice) => slice.to_bytes(),
            Data::Bytes(bytes) => bytes.clone(),
        });
        let origin = self.origin;
        Self { data, origin }
    }
}

impl PartialEq for Line {
    fn eq(&self, other: &Self) -> bool {
        (self.as_bytes(), self.origin) == (other.as_bytes(), other.origin)
    }
}

impl Eq for Line {}

/// Displays the line as text, with U+FFFD for what is not UTF-8.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_str_lossy())
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line")
            .field("bytes", &self.clone().into_bytes())
            .field("source", &self.source())
            .field("end", &self.end())
            .finish()
    }
}
