//! When the ledger is asked who belongs to the epochs that take reports, and what holds while it does not answer: whoever was a
//! member last is heard, and nobody is turned away for not being known. Decides about no report.

#[cfg(test)]
mod tests;

use super::Collector;
use crate::chain::ChainError;
use cairn_types::{EpochNumber, NetworkId, TimeMs};
use std::collections::BTreeSet;

/// The longest wait before a ledger that does not answer is asked again.
const AWAY_MS_MAX: u64 = 60_000;

/// How the asking went so far.
#[derive(Default)]
pub(super) struct Asking {
    /// When all rosters were last read because of a device that was not known.
    again: Option<TimeMs>,
    /// While the ledger does not answer: when it was asked, and for how long it is left alone then.
    away: Option<(TimeMs, u64)>,
}

/// Whether less than a time has passed. Never so for a clock that went back: who waits for it would wait too long.
fn is_sooner(now: TimeMs, since: TimeMs, ms: u64) -> bool {
    now >= since && now.since_ms(since) < ms
}

impl Collector {
    /// Reads the rosters that are not here of the epochs that take reports now.
    pub(super) fn read_rosters(&mut self, now: TimeMs) {
        self.read_all(now, false);
    }

    /// Reads all rosters of the epochs that take reports now, but not too often. Whether they are now as the ledger has them.
    pub(super) fn read_rosters_again(&mut self, now: TimeMs) -> bool {
        let too_soon = |read| is_sooner(now, read, self.settings.roster_ms_min);
        if self.asking.again.is_some_and(too_soon) || !self.read_all(now, true) {
            return false;
        }
        self.asking.again = Some(now);
        true
    }

    /// Of an epoch whose roster could not be read at first: whether it is here now, and has been for the time of grace.
    pub(super) fn is_late_over(&mut self, now: TimeMs, id: &NetworkId, epoch: EpochNumber) -> bool {
        let is_read = |collector: &Self| {
            let network = collector.intake.network(id);
            network.is_some_and(|network| network.is_roster_read(epoch))
        };
        if !is_read(self) {
            self.read(now, id, epoch);
        }
        let network = self.intake.network(id);
        network.is_some_and(|network| self.intake.is_over(network, epoch, now))
    }

    /// Reads rosters until the ledger does not answer; presumes those that it was not asked for then.
    fn read_all(&mut self, now: TimeMs, again: bool) -> bool {
        let is_left_alone = |(asked, wait_ms)| is_sooner(now, asked, wait_ms);
        let mut answers = !self.asking.away.is_some_and(is_left_alone);
        for (id, epoch) in self.taking(now) {
            let is_read = self
                .intake
                .network(&id)
                .is_some_and(|network| network.is_roster_read(epoch));
            if again || !is_read {
                answers = answers && self.read(now, &id, epoch);
            }
            if let Some(network) = self.intake.network_mut(&id).filter(|_| !answers) {
                network.presume_roster(epoch);
            }
        }
        answers
    }

    /// Reads a roster. Whether the ledger answered.
    fn read(&mut self, now: TimeMs, id: &NetworkId, epoch: EpochNumber) -> bool {
        match self.chain.network(id, epoch) {
            Ok(view) => {
                if let Some(network) = self.intake.network_mut(id) {
                    network.set_roster(epoch, &view.roster, now);
                }
                if self.asking.away.take().is_some() {
                    tracing::info!("the ledger answers again");
                }
                true
            }
            Err(error @ ChainError::Unreachable(_)) => {
                let wait_ms = self.asking.away.map_or(0, |(_, wait_ms)| wait_ms * 2);
                let wait_ms = wait_ms.clamp(self.settings.roster_ms_min.min(AWAY_MS_MAX), AWAY_MS_MAX);
                tracing::warn!(%error, network = %id, %epoch, wait_ms, "no roster from the chain: who was a member last is heard");
                self.asking.away = Some((now, wait_ms));
                false
            }
            Err(error) => {
                tracing::warn!(%error, network = %id, %epoch, "no roster from the chain");
                true
            }
        }
    }

    /// The epochs of each network that take reports at a time.
    fn taking(&self, now: TimeMs) -> Vec<(NetworkId, EpochNumber)> {
        let newest = now.plus_ms(self.settings.windows.ahead_ms_max);
        let Some(newest) = self.intake.clock().epoch_of(newest) else {
            return Vec::new();
        };
        let mut taking = Vec::new();
        for (id, network) in self.intake.networks() {
            let is_taken = |epoch: &EpochNumber| *epoch >= network.open() && !self.intake.is_over(network, *epoch, now);
            let recent = (0..=newest.0).rev().map(EpochNumber).take_while(is_taken);
            let late = network.late().filter(is_taken);
            let epochs: BTreeSet<EpochNumber> = recent.chain(late).collect();
            taking.extend(epochs.into_iter().map(|epoch| (*id, epoch)));
        }
        taking
    }
}
