//! The beacon a device is asked for in an epoch: when, on which channel, at which rate, and what is in it. Both the device,
//! which sends it, and whoever judges, know it from the same seed. It sends nothing.
//!
//! The seed of an epoch is the beacon of the epoch judged before, which nobody knows before that epoch ended. What is sent
//! follows from it and from a number the device draws just before it sends: nobody else knows that until it is reported.

use super::params::Params;
use super::region::Region;
use super::report::frame;
use crate::kit::challenge::Challenge;
use cairn_types::{CellId, DeviceNumber, EpochNumber, TimeMs};
use std::collections::BTreeMap;

/// The bytes of a beacon on the air.
pub const BEACON_BYTES: usize = 24;

/// What a device is asked for.
#[derive(Clone, Debug)]
pub struct Due {
    pub time: TimeMs,
    pub frequency_hz: u32,
    pub rate: u8,
    challenge: Challenge,
}

/// The time in which beacons of an epoch may be asked for: from the first to before the second.
fn window(params: &Params, start: TimeMs, end: TimeMs) -> (TimeMs, u64) {
    let length = end.since_ms(start);
    let after = u64::from(params.beacon_after_ms).min(length / 2);
    let margin = u64::from(params.beacon_off_ms).saturating_add(1_000).min(length / 4);
    (start.plus_ms(after), length - after - margin)
}

/// The rank of each member among those of its cell, in the order in which they joined, then of their numbers. Whoever joins later
/// comes after those who are there, so that nobody changes in an epoch what others are asked for in it.
pub fn ranks(members: &[(CellId, EpochNumber, DeviceNumber)]) -> Vec<u32> {
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_unstable_by_key(|place| members[*place]);
    let mut ranks = vec![0; members.len()];
    let mut next: BTreeMap<CellId, u32> = BTreeMap::new();
    for place in order {
        let next = next.entry(members[place].0).or_default();
        ranks[place] = *next;
        *next += 1;
    }
    ranks
}

/// The beacon of the device of this rank in its cell.
pub fn due(
    params: &Params,
    region: &Region,
    seed: &[u8; 32],
    (epoch, start, end): (EpochNumber, TimeMs, TimeMs),
    (cell, nth): (CellId, u32),
) -> Due {
    let mut challenge = Challenge::of("cairn/wireless/beacon/1", seed, epoch, cell, nth);
    let (from, length) = window(params, start, end);
    let time = from.plus_ms(challenge.below(length));
    let mut pick = |count: usize| challenge.below(count as u64) as usize;
    Due {
        time,
        frequency_hz: region.channels_hz[pick(region.channels_hz.len())],
        rate: region.beacon_rates[pick(region.beacon_rates.len())],
        challenge,
    }
}

impl Due {
    /// The bytes to send.
    pub fn payload(&self, nonce: u64) -> [u8; BEACON_BYTES] {
        let answer = self.challenge.answer(nonce);
        std::array::from_fn(|at| answer[at])
    }

    /// What whoever hears it reports.
    pub fn frame(&self, nonce: u64) -> u64 {
        frame(&self.payload(nonce))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wireless::region::REGIONS;

    #[test]
    fn beacons_are_asked_for_within_the_epoch_and_the_region() {
        let cell = "881969c9b7fffff".parse().expect("a cell");
        let hour = (EpochNumber(5), TimeMs(3_600_000), TimeMs(7_200_000));
        let params = Params::default();
        let ask = |seed: u8, region: &Region| due(&params, region, &[seed; 32], hour, (cell, 0));
        for region in REGIONS {
            let mut times = Vec::new();
            for seed in 0..50 {
                let due = ask(seed, region);
                assert!(due.time >= TimeMs(4_200_000) && due.time.plus_ms(10_000) < hour.2);
                assert!(region.channels_hz.contains(&due.frequency_hz) && region.beacon_rates.contains(&due.rate));
                times.push(due.time);
            }
            times.sort_unstable();
            times.dedup();
            assert!(times.len() > 40, "{}", region.name);
        }
        let due = ask(1, &REGIONS[0]);
        assert_ne!(due.frame(1), due.frame(2));
        assert_eq!(due.frame(1), ask(1, &REGIONS[0]).frame(1));
    }

    #[test]
    fn whoever_joins_later_changes_nothing_for_those_who_are_there() {
        let cell = |text: &str| text.parse::<CellId>().expect("a cell");
        let (here, there) = (cell("881969c9b7fffff"), cell("881969c9b1fffff"));
        let member = |cell, joined, number| (cell, EpochNumber(joined), DeviceNumber(number));
        let mut members = vec![member(here, 4, 1), member(there, 4, 2), member(here, 4, 3)];
        assert_eq!(ranks(&members), [0, 0, 1]);
        members.insert(0, member(here, 5, 0));
        assert_eq!(ranks(&members), [2, 0, 0, 1]);
    }

    #[test]
    fn a_short_epoch_still_has_a_beacon() {
        let cell = "881969c9b7fffff".parse().expect("a cell");
        for length in [1u64, 2, 10, 1_000, 60_000] {
            let hour = (EpochNumber(0), TimeMs(0), TimeMs(length));
            let due = due(&Params::default(), &REGIONS[0], &[0; 32], hour, (cell, 0));
            assert!(due.time <= TimeMs(length), "{length}");
        }
    }
}
