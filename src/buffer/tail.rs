//! [`Tail`]: the last bytes of a stream, whoever has received them.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::{Buf, Bytes, BytesMut};

use crate::limits::ERROR_TAIL;

/// At most [`ERROR_TAIL`] bytes, to be asked from elsewhere.
#[derive(Clone, Default)]
pub(crate) struct Tail(Arc<Mutex<BytesMut>>);

impl Tail {
    pub(crate) fn push(&self, bytes: &[u8]) {
        let mut kept = self.lock();
        let more = &bytes[bytes.len().saturating_sub(ERROR_TAIL)..];
        let excess = (kept.len() + more.len()).saturating_sub(ERROR_TAIL);
        kept.advance(excess);
        kept.extend_from_slice(more);
    }

    pub(crate) fn get(&self) -> Bytes {
        Bytes::copy_from_slice(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, BytesMut> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tail").field(&self.lock().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_end_of_all_that_was_pushed() {
        let (tail, mut all) = (Tail::default(), Vec::new());
        for len in [
            0,
            1,
            ERROR_TAIL - 2,
            1,
            1,
            7,
            ERROR_TAIL,
            3,
            3 * ERROR_TAIL,
            5,
        ] {
            let piece: Vec<_> = (0..len).map(|at| (at % 251) as u8 ^ len as u8).collect();
            tail.push(&piece);
            all.extend(piece);
            assert_eq!(tail.get(), all[all.len().saturating_sub(ERROR_TAIL)..]);
        }
    }
}
