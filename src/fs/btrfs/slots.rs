//! A bounded cache: each number has one place, the newest stays. A look-up is one lock and one comparison, and nothing
//! is ever searched for a victim.

use std::sync::{Arc, Mutex, PoisonError};

use crate::num;

/// Things by their numbers.
pub(super) struct Slots<T>(Vec<Slot<T>>);

type Slot<T> = Mutex<Option<(u64, Arc<T>)>>;

impl<T> Slots<T> {
    /// At most `count` things.
    pub(super) fn new(count: usize) -> Self {
        Self((0..count.max(1)).map(|_| Mutex::new(None)).collect())
    }

    /// The thing of a number, if it is kept.
    pub(super) fn find(&self, number: u64) -> Option<Arc<T>> {
        let slot = self.slot(number)?.lock().unwrap_or_else(PoisonError::into_inner);
        slot.as_ref().filter(|(kept, _)| *kept == number).map(|(_, thing)| Arc::clone(thing))
    }

    /// Keeps the thing of a number.
    pub(super) fn keep(&self, number: u64, thing: &Arc<T>) {
        if let Some(slot) = self.slot(number) {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some((number, Arc::clone(thing)));
        }
    }

    fn slot(&self, number: u64) -> Option<&Slot<T>> {
        // Fibonacci hashing: addresses are multiples of powers of two.
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        self.0.get(num::to_usize(mixed.checked_rem(num::to_u64(self.0.len()))?))
    }
}
