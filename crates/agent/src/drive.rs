//! An agent driven by hand: for the demo and deterministic networks, where whoever drives it owns the loop and the clock.

use crate::agent::{Agent, DeviceIndex, TakeError};
use crate::clock::Clock;
use crate::journal::Refused;
use crate::outbox::OutboxError;
use crate::uplink::Uplink;
use cairn_types::{Receipt, TimeMs};
use std::collections::BTreeMap;

/// What a flush came to.
#[derive(Debug, Default)]
pub struct Flushed {
    pub receipts: Vec<Receipt>,
    pub refused: Vec<Refused>,
    /// Envelopes that still wait, because too many tries failed.
    pub waiting: usize,
}

impl Flushed {
    /// How many were refused, by the verifier's code.
    pub fn refused_by_code(&self) -> BTreeMap<u16, u64> {
        let mut counts = BTreeMap::new();
        for item in &self.refused {
            *counts.entry(item.code).or_default() += 1;
        }
        counts
    }
}

impl Agent {
    /// Takes a message of a device, committing what was taken before whenever a group is full. Nothing is on disk for sure
    /// before `commit`, `seal_due`, `seal_all` or `flush` returns.
    pub fn submit(&mut self, device: DeviceIndex, message: &[u8], now: TimeMs) -> Result<usize, TakeError> {
        self.make_room()?;
        self.take(device, message, now)
    }

    /// Keeps an envelope that somebody else sealed: a cast's cheats seal their own.
    pub fn submit_sealed(&mut self, envelope: Vec<u8>, now: TimeMs) -> Result<(), TakeError> {
        self.make_room()?;
        self.keep(envelope, now)
    }

    fn make_room(&mut self) -> Result<(), TakeError> {
        if self.is_full() {
            self.commit().map_err(|_| TakeError::Disk)?;
        }
        Ok(())
    }

    /// Commits and sends until the outbox is empty, or until `failures_max` batches in a row were not taken.
    pub async fn flush(
        &mut self,
        uplink: &dyn Uplink,
        clock: &dyn Clock,
        failures_max: u32,
    ) -> Result<Flushed, OutboxError> {
        self.commit()?;
        let mut flushed = Flushed::default();
        let mut now = clock.now();
        let mut failures = 0;
        while let Some(next) = self.next_send() {
            let Some(batch) = self.outgoing(now)? else {
                let wait_ms = next.since_ms(now).max(1);
                uplink.pause(wait_ms).await;
                now = now.plus_ms(wait_ms);
                continue;
            };
            let waiting = self.waiting();
            let delivery = uplink.send(&self.verifiers()[batch.verifier], batch.body.clone()).await;
            let delivered = self.delivered(batch, delivery, now);
            failures = if self.waiting() < waiting { 0 } else { failures + 1 };
            flushed.receipts.extend(delivered.receipts);
            flushed.refused.extend(delivered.refused);
            if failures >= failures_max {
                break;
            }
        }
        flushed.waiting = self.waiting();
        Ok(flushed)
    }
}
