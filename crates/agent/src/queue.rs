//! Which waiting envelopes to send next: all that are due, oldest first. It holds numbers only and does no I/O.

use cairn_types::TimeMs;
use std::collections::BTreeSet;

#[derive(Debug, Default)]
pub struct Queue {
    ready: BTreeSet<u64>,
    later: BTreeSet<(TimeMs, u64)>,
}

impl Queue {
    pub fn push(&mut self, entry: u64) {
        self.ready.insert(entry);
    }

    /// To be tried again at a time.
    pub fn put_off(&mut self, entry: u64, until: TimeMs) {
        self.later.insert((until, entry));
    }

    /// Takes the oldest that are due, at most `count` and `bytes` of them but at least one.
    pub fn take(&mut self, now: TimeMs, count: usize, bytes: usize, bytes_of: impl Fn(u64) -> usize) -> Vec<u64> {
        while let Some(&(until, entry)) = self.later.first().filter(|(until, _)| *until <= now) {
            self.later.remove(&(until, entry));
            self.ready.insert(entry);
        }
        let mut taken = Vec::new();
        let mut left = bytes;
        while let Some(&entry) = self.ready.first().filter(|_| taken.len() < count) {
            let wanted = bytes_of(entry);
            if wanted > left && !taken.is_empty() {
                break;
            }
            left = left.saturating_sub(wanted);
            self.ready.remove(&entry);
            taken.push(entry);
        }
        taken
    }

    /// When there is something to take: `TimeMs(0)` for at once, `None` for never.
    pub fn next(&self) -> Option<TimeMs> {
        if self.ready.is_empty() {
            self.later.first().map(|(until, _)| *until)
        } else {
            Some(TimeMs(0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_goes_first_within_the_limits() {
        let mut queue = Queue::default();
        (1..=5).for_each(|entry| queue.push(entry));
        let bytes = |entry| if entry == 3 { 100 } else { 10 };
        assert_eq!(queue.take(TimeMs(0), 2, 1_000, bytes), [1, 2]);
        queue.put_off(1, TimeMs(50));
        queue.put_off(2, TimeMs(40));
        assert_eq!(queue.take(TimeMs(0), 9, 20, bytes), [3]);
        assert_eq!(queue.take(TimeMs(0), 9, 1_000, bytes), [4, 5]);
        assert_eq!(queue.next(), Some(TimeMs(40)));
        assert_eq!(queue.take(TimeMs(39), 9, 1_000, bytes), [0; 0]);
        assert_eq!(queue.take(TimeMs(50), 9, 1_000, bytes), [1, 2]);
        assert_eq!(queue.next(), None);
    }
}
