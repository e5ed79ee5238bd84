//! A bounded cache: each number has one place, the newest stays. A look-up is one lock and one comparison,
//! and nothing is ever searched for a victim.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_a_place_stays() {
        let slots = Slots::new(8);
        for number in (0..1000).map(|number| number << 14) {
            slots.keep(number, &Arc::new(number));
            assert_eq!(slots.find(number).as_deref(), Some(&number));
        }
        let kept = (0..1000).filter(|number| slots.find(number << 14).is_some()).count();
        assert!((2..=8).contains(&kept), "{kept}");
    }
}
