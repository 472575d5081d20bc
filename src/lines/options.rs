//! [`LineOptions`]: how output is split into lines.

use memchr::{memchr, memchr2, memrchr, memrchr2};

/// The default of the longest line: 16 MiB.
pub const DEFAULT_MAX_LINE_LENGTH: usize = 16 << 20;

/// What ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Terminator {
    /// `\n` or `\r\n`: the default.
    #[default]
    Newline,
    /// `\r`, `\n` or `\r\n`: each redraw of a progress display is a line, as soon as its `\r` has come.
    CarriageReturn,
    /// This byte and no other, such as the `0` of `find -print0`.
    Byte(u8),
}

impl Terminator {
    /// Where in `data` the first byte is that ends a line.
    pub(super) fn find(self, data: &[u8]) -> Option<usize> {
        match self {
            Self::Newline => memchr(b'\n', data),
            Self::CarriageReturn => memchr2(b'\r', b'\n', data),
            Self::Byte(byte) => memchr(byte, data),
        }
    }

    /// Where the last one is.
    pub(super) fn find_last(self, data: &[u8]) -> Option<usize> {
        match self {
            Self::Newline => memrchr(b'\n', data),
            Self::CarriageReturn => memrchr2(b'\r', b'\n', data),
            Self::Byte(byte) => memrchr(byte, data),
        }
    }

    /// The byte that belongs to a terminator if it comes before the one that ends the line, and the byte that does if it comes
    /// after. Where there is none, it is one that cannot be there.
    pub(super) const fn halves(self) -> (u8, u8) {
        match self {
            Self::Newline | Self::CarriageReturn => (b'\r', b'\n'),
            Self::Byte(byte) => (byte, byte),
        }
    }

    /// Whether a `\n` that comes next belongs to the terminator that `data` ends with.
    pub(super) fn is_half(self, data: &[u8]) -> bool {
        self == Self::CarriageReturn && data.ends_with(b"\r")
    }
}

/// What happens to a line that is longer than [`LineOptions::max_line_length`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LongLine {
    /// Its first bytes are a line that ends in [`LineEnd::Limit`](crate::LineEnd::Limit); the rest is dropped, and counted in
    /// [`omitted`](crate::ProcessIo::omitted).
    Cut,
    /// It comes in pieces, of which all but the last end in [`LineEnd::Limit`](crate::LineEnd::Limit).
    Split,
    /// It is an error for which [`is_limit`](crate::Error::is_limit) holds. The default.
    ///
    /// What has come of the line is kept:
    /// [`set_line_options`](crate::ProcessIo::set_line_options) with [`Cut`](LongLine::Cut) or [`Split`](LongLine::Split) makes the
    /// next call return it as that says, and [`recv`](crate::ProcessIo::recv) and similar methods return it as bytes. If the next line is
    /// requested with the same options, the long one is dropped and counted in [`omitted`](crate::ProcessIo::omitted).
    #[default]
    Fail,
}

/// Options that say how output is split into lines.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use process_io::{LineOptions, LongLine, ProcessIo, Source, Terminator};
///
/// let options = LineOptions::default()
///     .terminator(Terminator::CarriageReturn)
///     .max_line_length(1 << 10, LongLine::Cut);
/// let mut io = ProcessIo::shell(r"printf '10%%\r20%%\r\n'").line_options(options).spawn()?;
/// assert_eq!(io.recv_line(Source::Stdout).await?.unwrap().as_bytes(), b"10%");
/// assert_eq!(io.recv_line(Source::Stdout).await?.unwrap().as_bytes(), b"20%");
/// # }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct LineOptions {
    /// What ends a line.
    pub terminator: Terminator,
    /// The largest number of bytes in a line, without its terminator; at least 1.
    pub max_line_length: usize,
    /// What happens to a longer line. The line after it always arrives whole.
    pub long_line: LongLine,
}

impl Default for LineOptions {
    /// `\n` or `\r\n`, [`DEFAULT_MAX_LINE_LENGTH`], [`LongLine::Fail`].
    fn default() -> Self {
        Self {
            terminator: Terminator::default(),
            max_line_length: DEFAULT_MAX_LINE_LENGTH,
            long_line: LongLine::default(),
        }
    }
}

impl LineOptions {
    /// Sets what ends a line.
    ///
    /// ```
    /// use process_io::{LineOptions, Terminator};
    ///
    /// // The names that `find -print0` prints.
    /// let options = LineOptions::default().terminator(Terminator::Byte(0));
    /// assert_eq!(options.terminator, Terminator::Byte(0));
    /// ```
    pub fn terminator(mut self, terminator: Terminator) -> Self {
        self.terminator = terminator;
        self
    }

    /// Sets how many bytes a line may have, at least 1, and what happens to a longer one.
    ///
    /// ```
    /// use process_io::{LineOptions, LongLine};
    ///
    /// let options = LineOptions::default().max_line_length(64 << 10, LongLine::Split);
    /// assert_eq!(options.long_line, LongLine::Split);
    /// ```
    pub fn max_line_length(mut self, bytes: usize, long_line: LongLine) -> Self {
        self.max_line_length = bytes.max(1);
        self.long_line = long_line;
        self
    }
}
