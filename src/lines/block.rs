//! [`LineBlock`]: many lines in one piece.

use bytes::Bytes;

use super::{Ends, Terminator};

/// Complete lines of one stream in one buffer, to be iterated as `&[u8]` without a reference count for each.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
/// # if cfg!(unix) {
/// use futures::TryStreamExt;
/// use process_io::ProcessIo;
///
/// let mut io = ProcessIo::command("seq").arg("1000").spawn()?;
/// let mut blocks = io.line_blocks(process_io::Source::Stdout);
/// let mut sum = 0;
/// while let Some(block) = blocks.try_next().await? {
///     for line in &block {
///         sum += std::str::from_utf8(line).unwrap().parse::<u32>().unwrap();
///     }
/// }
/// assert_eq!(sum, 500_500);
/// # }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineBlock {
    bytes: Bytes,
    /// So many bytes at the front belong to the terminator of the line before.
    skipped: usize,
    terminator: Terminator,
}

impl LineBlock {
    pub(crate) fn new(bytes: Bytes, skipped: usize, terminator: Terminator) -> Self {
        Self {
            bytes,
            skipped,
            terminator,
        }
    }

    /// Returns the lines with their terminators: the blocks, concatenated, are the output, byte for byte.
    ///
    /// With [`Terminator::CarriageReturn`] a block may begin with the `\n` of a `\r\n` that was read in two pieces.
    /// It belongs to the block before, and is no line of this one.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Converts the block into its lines with their terminators.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Returns an iterator over the lines, without their terminators.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> process_io::Result<()> {
    /// # if cfg!(unix) {
    /// use futures::TryStreamExt;
    /// use process_io::{ProcessIo, Source};
    ///
    /// let mut io = ProcessIo::shell("echo one; echo two").spawn()?;
    /// io.wait().await?;
    /// let block = io.line_blocks(Source::Stdout).try_next().await?.unwrap();
    /// assert_eq!(block.iter().collect::<Vec<_>>(), [b"one", b"two"]);
    /// assert_eq!(block.as_bytes(), b"one\ntwo\n");
    /// # }
    /// # Ok(()) }
    /// ```
    pub fn iter(&self) -> BlockLines<'_> {
        BlockLines {
            bytes: &self.bytes,
            taken: self.skipped,
            ends: Ends::after(self.skipped, self.terminator),
        }
    }
}

impl<'a> IntoIterator for &'a LineBlock {
    type Item = &'a [u8];
    type IntoIter = BlockLines<'a>;

    fn into_iter(self) -> BlockLines<'a> {
        self.iter()
    }
}

/// An iterator over the lines of a [`LineBlock`], without their terminators; created by [`LineBlock::iter`].
#[derive(Debug, Clone)]
pub struct BlockLines<'a> {
    bytes: &'a [u8],
    taken: usize,
    ends: Ends,
}

impl<'a> Iterator for BlockLines<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let Some(at) = self.ends.peek(self.bytes) else {
            return self.last();
        };
        self.ends.pass();
        let line = &self.bytes[self.taken..at];
        self.taken = at + 1;
        Some(self.ends.strip(line))
    }
}

impl<'a> BlockLines<'a> {
    /// What has no terminator.
    fn last(&mut self) -> Option<&'a [u8]> {
        let line = self.ends.strip_start(&self.bytes[self.taken..]);
        self.taken = self.bytes.len();
        Some(line).filter(|line| !line.is_empty())
    }
}

impl std::iter::FusedIterator for BlockLines<'_> {}
