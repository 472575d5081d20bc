//! [`Sliced`] and [`Slice`]: bytes that many hold parts of, for less than a `Bytes` for each part would cost.
//!
//! `Bytes` counts a part when it is made and discounts it when it is dropped: two atomic operations, which cost as much as
//! all else that is done for a line. Here all parts are counted beforehand, and a thread that drops what it has cut itself
//! keeps that to itself until it is done with the whole: a few atomic operations for a thousand lines.

use std::{
    cell::Cell,
    ptr::{self, NonNull},
    slice,
    sync::atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;

/// Of bytes that are longer than this every slice is discounted at once: a thread that has not yet done so keeps them alive.
const MAX_DEFERRED: usize = 1 << 20;

/// Where bytes and the count of their holders are. Each [`Slice`] is one, and [`Sliced`] is as many as are left
/// of `usize::MAX`: the count never rises, and whoever takes it to zero frees all.
struct Shared {
    holders: AtomicUsize,
    bytes: Bytes,
}

impl Shared {
    fn may_be_deferred(&self) -> bool {
        self.bytes.len() <= MAX_DEFERRED
    }
}

/// Bytes that are cut into slices.
#[derive(Debug)]
pub(crate) struct Sliced {
    shared: NonNull<Shared>,
    /// So many slices may be cut before more are granted.
    granted: usize,
    /// As so many holders it counts besides, at least one.
    reserve: usize,
}

/// A part of some bytes, which keeps all of them alive.
pub(crate) struct Slice {
    shared: NonNull<Shared>,
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: what is shared is a `Bytes` that nobody changes, and an atomic count.
unsafe impl Send for Sliced {}
// SAFETY: as above; `&Sliced` does nothing.
unsafe impl Sync for Sliced {}
// SAFETY: as above; whoever drops the last one has seen all that the others did.
unsafe impl Send for Slice {}
// SAFETY: as above; `&Slice` only reads the bytes.
unsafe impl Sync for Slice {}

impl Sliced {
    pub(crate) fn new(bytes: Bytes) -> Self {
        let shared = Box::new(Shared {
            holders: AtomicUsize::new(usize::MAX),
            bytes,
        });
        let deferred = shared.may_be_deferred();
        let shared = NonNull::from(Box::leak(shared));
        let next = match deferred {
            true => shared.as_ptr(),
            false => ptr::null_mut(),
        };
        let _ = DROPPED.try_with(|dropped| dropped.turn_to(next));
        Self {
            shared,
            granted: 0,
            reserve: usize::MAX,
        }
    }

    /// Lets `max` slices be cut from here on.
    pub(crate) fn grant(&mut self, max: usize) {
        let all = self.granted + self.reserve;
        self.granted = max.min(all - 1);
        self.reserve = all - self.granted;
    }

    /// So many slices may be cut before more are granted.
    pub(crate) fn granted(&self) -> usize {
        self.granted
    }

    /// Those from `start` to before `end`; `None` if no more slices are granted.
    #[inline(always)]
    pub(crate) fn try_slice(&mut self, start: usize, end: usize) -> Option<Slice> {
        let granted = self.granted.checked_sub(1)?;
        // SAFETY: `self` is a holder, so it is still there.
        let bytes = unsafe { &self.shared.as_ref().bytes };
        let part = &bytes[start..end];
        self.granted = granted;
        Some(Slice {
            shared: self.shared,
            start: NonNull::from(part).cast(),
            len: part.len(),
        })
    }
}

impl Drop for Sliced {
    fn drop(&mut self) {
        let deferred = DROPPED.try_with(|dropped| {
            if dropped.next.get() != self.shared.as_ptr() {
                return 0;
            }
            dropped.next.set(ptr::null_mut());
            dropped.of.set(ptr::null_mut());
            dropped.count.take()
        });
        let holders = self.granted + self.reserve + deferred.unwrap_or(0);
        // SAFETY: it is all those that it has not given away, and ceases to be; those that were deferred are no more either.
        unsafe { discount(self.shared, holders) }
    }
}

impl Slice {
    #[inline(always)]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        // SAFETY: that is where they were when they were cut, and they neither move nor change as long as there is a holder.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        // SAFETY: `self` is a holder, so it is still there.
        let shared = unsafe { self.shared.as_ref() };
        shared.bytes.slice_ref(self.as_bytes())
    }
}

impl Drop for Slice {
    #[inline(always)]
    fn drop(&mut self) {
        let deferred = DROPPED.try_with(|dropped| {
            let ours = dropped.of.get() == self.shared.as_ptr();
            if ours {
                dropped.count.set(dropped.count.get() + 1);
            }
            ours
        });
        if !matches!(deferred, Ok(true)) {
            // SAFETY: it is one holder, and ceases to be.
            unsafe { drop_other(self.shared) }
        }
    }
}

/// The slices that this thread has dropped and not discounted yet.
struct Dropped {
    /// Whose: null if there are none, so that it is still there.
    of: Cell<*mut Shared>,
    /// So many of its holders.
    count: Cell<usize>,
    /// Whose slices are counted here from the first one on. It may be gone, and something else be at the same address: its
    /// slices are counted just as well, unless it is too long for that.
    next: Cell<*mut Shared>,
}

thread_local! {
    // Clippy does not see the `const` where a target has no thread-local variables of its own.
    #[allow(clippy::missing_const_for_thread_local)]
    static DROPPED: Dropped = const {
        Dropped {
            of: Cell::new(ptr::null_mut()),
            count: Cell::new(0),
            next: Cell::new(ptr::null_mut()),
        }
    };
}

impl Dropped {
    /// Counts the first one of what is [`next`](Dropped::next), if `shared` is that.
    ///
    /// # Safety
    ///
    /// `shared` is still there.
    unsafe fn begin(&self, shared: NonNull<Shared>) -> bool {
        // SAFETY: the caller says so.
        let may_be_deferred = || unsafe { shared.as_ref() }.may_be_deferred();
        let begun = self.next.get() == shared.as_ptr() && may_be_deferred();
        if begun {
            self.of.set(shared.as_ptr());
            self.count.set(1);
        }
        begun
    }

    /// Discounts what has been dropped so far, and counts those of `next` from here on.
    fn turn_to(&self, next: *mut Shared) {
        let of = self.of.replace(ptr::null_mut());
        let count = self.count.take();
        self.next.set(next);
        if let Some(shared) = NonNull::new(of) {
            // SAFETY: `count` holders were dropped and are still counted, so it is still there.
            unsafe { discount(shared, count) }
        }
    }
}

impl Drop for Dropped {
    fn drop(&mut self) {
        self.turn_to(ptr::null_mut());
    }
}

/// Takes away a holder that this thread does not count yet. By value: with a reference to its slice each line would have to be
/// in memory.
///
/// # Safety
///
/// As that of [`discount`].
#[inline(never)]
unsafe fn drop_other(shared: NonNull<Shared>) {
    // SAFETY: the caller is a holder, so it is still there.
    let deferred = DROPPED.try_with(|dropped| unsafe { dropped.begin(shared) });
    if !matches!(deferred, Ok(true)) {
        // SAFETY: as the caller says.
        unsafe { discount(shared, 1) }
    }
}

/// Takes away `count` holders, and frees what is shared if they were the last ones.
///
/// # Safety
///
/// So many holders are still counted for the caller, and are not used again.
#[inline(never)]
unsafe fn discount(shared: NonNull<Shared>, count: usize) {
    // SAFETY: the caller is a holder, so it is still there.
    let holders = &unsafe { shared.as_ref() }.holders;
    if holders.fetch_sub(count, Ordering::Release) == count {
        // What the other holders did comes before, as in `Arc`.
        holders.load(Ordering::Acquire);
        // SAFETY: it came from a `Box`, and nobody else is there any more.
        drop(unsafe { Box::from_raw(shared.as_ptr()) });
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex, mpsc},
        thread,
    };

    use proptest::prelude::*;

    use super::*;

    /// Bytes that tell how often they have been freed.
    struct Owner(Vec<u8>, Arc<AtomicUsize>);

    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    impl Drop for Owner {
        fn drop(&mut self) {
            self.0.fill(b'-');
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn sliced(bytes: &[u8]) -> (Sliced, Arc<AtomicUsize>) {
        let freed = Arc::default();
        let owner = Owner(bytes.to_vec(), Arc::clone(&freed));
        (all_granted(Bytes::from_owner(owner)), freed)
    }

    fn all_granted(bytes: Bytes) -> Sliced {
        let mut whole = Sliced::new(bytes);
        whole.grant(usize::MAX);
        whole
    }

    impl Sliced {
        fn slice(&mut self, start: usize, end: usize) -> Slice {
            self.try_slice(start, end).unwrap()
        }
    }

    fn elsewhere<T: Send>(work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| scope.spawn(work).join().unwrap())
    }

    fn freed(count: &AtomicUsize) -> usize {
        count.load(Ordering::Relaxed)
    }

    #[test]
    fn slices_are_there_until_they_are_dropped() {
        let (mut whole, count) = sliced(b"one two");
        let (one, two) = (whole.slice(0, 3), whole.slice(4, 7));
        drop(whole);
        assert_eq!(one.as_bytes(), b"one");
        let bytes = one.to_bytes();
        assert_eq!(bytes.as_ptr(), one.as_bytes().as_ptr());
        drop(one);
        assert_eq!(two.as_bytes(), b"two");
        drop(two);
        assert_eq!((freed(&count), &bytes[..]), (0, &b"one"[..]));
        drop(bytes);
        assert_eq!(freed(&count), 1);
    }

    #[test]
    fn no_more_are_cut_than_are_granted() {
        let (mut whole, count) = sliced(b"one two");
        whole.grant(2);
        let first = whole.slice(0, 3);
        whole.grant(1);
        let second = whole.slice(4, 7);
        assert_eq!(whole.granted(), 0);
        assert!(whole.try_slice(0, 1).is_none());
        drop((first, second, whole));
        assert_eq!(freed(&count), 1);
    }

    #[test]
    fn all_is_freed_with_the_whole() {
        let (mut whole, count) = sliced(b"one two");
        drop(whole.slice(0, 3));
        drop(whole.slice(4, 7));
        assert_eq!(freed(&count), 0);
        drop(whole);
        assert_eq!(freed(&count), 1);
    }

    #[test]
    fn a_thread_that_ends_keeps_nothing() {
        let (whole, count) = elsewhere(|| {
            let (mut whole, count) = sliced(b"one two");
            drop(whole.slice(0, 3));
            (whole, count)
        });
        drop(whole);
        assert_eq!(freed(&count), 1);
    }

    #[test]
    fn a_thread_keeps_the_last_whole_at_most_and_no_large_one() {
        let (mut first, first_count) = sliced(b"one two");
        let (mut second, second_count) = sliced(b"one two");
        drop([first.slice(0, 3), second.slice(0, 3)]);
        elsewhere(|| drop([first, second]));
        assert_eq!((freed(&first_count), freed(&second_count)), (1, 0));

        let (mut large, large_count) = sliced(&vec![0; MAX_DEFERRED + 1]);
        assert_eq!(freed(&second_count), 1);
        drop(large.slice(0, 3));
        elsewhere(|| drop(large));
        assert_eq!(freed(&large_count), 1);
    }

    #[test]
    fn a_stale_pointer_defers_small_ones_only() {
        for (len, deferred) in [(MAX_DEFERRED, true), (MAX_DEFERRED + 1, false)] {
            let (mut whole, count) = elsewhere(|| sliced(&vec![0; len]));
            // As if this thread had had one at the same address, which another thread has freed.
            DROPPED.with(|dropped| dropped.next.set(whole.shared.as_ptr()));
            drop([whole.slice(0, 3), whole.slice(0, 3)]);
            elsewhere(|| drop(whole));
            assert_eq!(freed(&count), usize::from(!deferred), "{len} bytes");
            drop(sliced(b""));
            assert_eq!(freed(&count), 1, "{len} bytes");
        }
    }

    #[test]
    fn a_whole_may_be_freed_by_that_of_another() {
        // What is freed at a count of zero may itself be the last holder of something.
        let (mut inner, count) = sliced(b"inner");
        let part = inner.slice(0, 5);
        drop(inner);
        struct Nested(Slice);
        impl AsRef<[u8]> for Nested {
            fn as_ref(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }
        let mut outer = all_granted(Bytes::from_owner(Nested(part)));
        let part = outer.slice(0, 2);
        drop(outer);
        assert_eq!((part.as_bytes(), freed(&count)), (&b"in"[..], 0));
        drop(part);
        assert_eq!(freed(&count), 1);
    }

    #[test]
    fn many_threads_drop_what_one_cuts() {
        let (slices, received) = mpsc::channel::<Slice>();
        let received = Mutex::new(received);
        let counts: Vec<_> = thread::scope(|scope| {
            let slices = slices;
            for _ in 0..3 {
                scope.spawn(|| {
                    // One of its own, so that it defers as well.
                    let (mut own, _) = sliced(b"own");
                    loop {
                        let slice = received.lock().unwrap().recv();
                        let Ok(slice) = slice else { break };
                        assert_eq!(slice.as_bytes(), b"abc");
                        drop(own.slice(0, 1));
                    }
                });
            }
            (0..300)
                .map(|_| {
                    let (mut whole, count) = sliced(&b"abc".repeat(100));
                    for at in (0..300).step_by(3) {
                        slices.send(whole.slice(at, at + 3)).unwrap();
                        assert_eq!(whole.slice(at, at + 1).as_bytes(), b"a");
                    }
                    count
                })
                .collect()
        });
        assert!(counts.iter().all(|count| freed(count) == 1));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Whole(bool),
        Slice(usize, bool),
        DropWhole(usize, bool),
        DropSlice(usize, bool),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step =
            (0..7u8, any::<usize>(), any::<bool>()).prop_map(|(kind, which, away)| match kind {
                0 => Step::Whole(away),
                1..=3 => Step::Slice(which, away),
                4 => Step::DropWhole(which, away),
                _ => Step::DropSlice(which, away),
            });
        proptest::collection::vec(step, 0..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn each_is_freed_once_and_not_before_its_last_holder(steps in steps()) {
            fn run<T: Send>(away: bool, work: impl FnOnce() -> T + Send) -> T {
                if away { elsewhere(work) } else { work() }
            }
            let mut wholes = Vec::new();
            let mut slices = Vec::new();
            let mut counts: Vec<Arc<AtomicUsize>> = Vec::new();
            for step in steps {
                match step {
                    Step::Whole(away) => {
                        let (whole, count) = run(away, || sliced(&[counts.len() as u8; 9]));
                        wholes.push((counts.len(), whole));
                        counts.push(count);
                    }
                    Step::Slice(which, away) if !wholes.is_empty() => {
                        let which = which % wholes.len();
                        let (of, whole) = &mut wholes[which];
                        slices.push((*of, run(away, || whole.slice(2, 5))));
                    }
                    Step::DropWhole(which, away) if !wholes.is_empty() => {
                        let whole = wholes.swap_remove(which % wholes.len());
                        run(away, || drop(whole));
                    }
                    Step::DropSlice(which, away) if !slices.is_empty() => {
                        let slice = slices.swap_remove(which % slices.len());
                        run(away, || drop(slice));
                    }
                    _ => {}
                }
                for (of, slice) in &slices {
                    prop_assert_eq!(slice.as_bytes(), [*of as u8; 3]);
                }
                let held = |of| wholes.iter().any(|(whole, _)| *whole == of) || slices.iter().any(|(slice, _)| *slice == of);
                for (of, count) in counts.iter().enumerate() {
                    prop_assert!(freed(count) <= usize::from(!held(of)));
                }
            }
            drop((wholes, slices));
            drop(sliced(b""));
            prop_assert!(counts.iter().all(|count| freed(count) == 1));
        }
    }
}
