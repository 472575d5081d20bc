//! [`LineBlock`]: many lines in one piece.

use bytes::Bytes;

use super::{Ends, Terminator};

/// Whole lines of one stream in one piece, to be iterated as `&[u8]` without a reference count for each.
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

    /// The lines, with their terminators: put together, the blocks are the output, byte for byte.
    ///
    /// With [`Terminator::CarriageReturn`] a block may begin with the `\n` of a `\r\n` that was read in two pieces.
    /// It belongs to the block before, and is no line of this one.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The lines, with their terminators, by value.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// The lines, without their terminators.
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

/// The lines of a [`LineBlock`].
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
