//! What a network of hotspots may tune: its regions, its clocks, what physics is given beyond the textbook, how coverage is
//! counted, and the price of a packet. Every number has bounds.

use super::region::REGIONS;
use crate::kit::density::Level;
use crate::kit::{ParamsError, Rules};
use cairn_types::codec;
use minicbor::{Decode, Encode};

/// Density is counted from this H3 resolution to the fourth finer one.
pub const COARSEST: u8 = 4;
pub const LEVELS: usize = 5;

/// The most senders of its own a network names.
pub const REFERENCES_MAX: usize = 32;

/// The parameters of a network of hotspots, as an array on the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Params {
    /// Regions the network runs in: bit `r` is region number `r`.
    #[n(0)]
    pub regions: u16,
    /// No beacon is asked for so early in an epoch: the seed must reach the devices first.
    #[n(1)]
    pub beacon_after_ms: u32,
    /// How far from its time a beacon may be sent.
    #[n(2)]
    pub beacon_off_ms: u32,
    /// How far a device's clock may be off.
    #[n(3)]
    pub clock_ms: u32,
    /// A frame delivered later than this after it was heard is of no use to the customer.
    #[n(4)]
    pub late_ms: u32,
    /// Receptions of a frame nearer to each other than this are of one transmission.
    #[n(5)]
    pub same_ms: u32,
    /// A sender may repeat a frame for so long; whoever hears it later hears a replay.
    #[n(6)]
    pub repeat_ms: u32,
    /// Frames are remembered for so many epochs.
    #[n(7)]
    pub replay_epochs: u16,
    /// How far a place may be off by itself, besides the size of its cell, in metres.
    #[n(8)]
    pub place_off_m: u32,
    /// Where a height is not known it is taken to be this, in metres above the sea.
    #[n(9)]
    pub height_m: i16,
    /// The antenna of a device that says nothing of its own, in tenths of a dBi: a half-wave dipole.
    #[n(10)]
    pub gain_ddbi: i16,
    /// The best antenna anybody is believed to have.
    #[n(11)]
    pub gain_max_ddbi: i16,
    /// How much stronger than in free space a signal may be: a reflection as strong as the direct wave adds 6 dB.
    #[n(12)]
    pub stronger_ddb: i16,
    /// How much weaker than readable a signal may be: better receivers than the table's, and error near the noise.
    #[n(13)]
    pub weaker_ddb: i16,
    /// Witnesses count from so many steps away; 1: from another cell.
    #[n(14)]
    pub apart_steps: u8,
    /// So many witnesses, and so many beacons witnessed, prove the whole of an hour's coverage.
    #[n(15)]
    pub witness_target: u8,
    /// At most so many of the valid witnesses of a beacon count, drawn by lot.
    #[n(16)]
    pub witness_max: u8,
    /// A witness of the same device is worth so many percent less each epoch it repeats itself.
    #[n(17)]
    pub repeat_percent: u8,
    /// …but never less than this, in percent.
    #[n(18)]
    pub repeat_floor: u8,
    /// Who has not both sent and witnessed for so many epochs is not believed to have a radio that does.
    #[n(19)]
    pub both_ways_epochs: u8,
    /// So many receptions of one transmission with signal and noise alike are the least that prove one radio.
    #[n(20)]
    pub twin_min: u8,
    /// …if in so many percent of all common receptions they are alike.
    #[n(21)]
    pub twin_percent: u8,
    /// So many common receptions with the same signal, whatever the noise, are the least that prove one radio.
    #[n(22)]
    pub twin_long_min: u8,
    /// …if the signal is the same in so many percent of them.
    #[n(23)]
    pub twin_long_percent: u8,
    /// Signals no further apart than this are the same, in tenths of a decibel.
    #[n(24)]
    pub twin_ddb: i16,
    /// What places hold, from resolution 4 to 8.
    #[n(25)]
    pub density: [Level; LEVELS],
    /// Credits for a million pieces of 24 bytes.
    #[n(26)]
    pub price_credits: u64,
    /// How reputation is counted, where it is not as the kit does by itself.
    #[n(27)]
    pub reputation: Option<Rules>,
    /// Senders the network set up itself at surveyed places, by the number their customer gives them, rising: their frames
    /// prove coverage to whoever hears them. None unless the network names some.
    #[n(28)]
    pub references: Vec<u64>,
}

impl Default for Params {
    fn default() -> Self {
        let level = |neighbours, target, max| Level {
            neighbours,
            target,
            max,
        };
        Self {
            regions: (1 << REGIONS.len()) - 1,
            beacon_after_ms: 600_000,
            beacon_off_ms: 10_000,
            clock_ms: 5_000,
            late_ms: 900_000,
            same_ms: 1_500,
            repeat_ms: 3_000_000,
            replay_epochs: 1_080,
            place_off_m: 1_400,
            height_m: 300,
            gain_ddbi: 21,
            gain_max_ddbi: 150,
            stronger_ddb: 60,
            weaker_ddb: 60,
            apart_steps: 1,
            witness_target: 4,
            witness_max: 14,
            repeat_percent: 5,
            repeat_floor: 50,
            both_ways_epochs: 48,
            twin_min: 3,
            twin_percent: 80,
            twin_long_min: 24,
            twin_long_percent: 95,
            twin_ddb: 10,
            density: [
                level(2, 500, 1_000),
                level(4, 100, 200),
                level(4, 25, 50),
                level(4, 5, 10),
                level(2, 1, 1),
            ],
            price_credits: 10_000_000,
            reputation: None,
            references: Vec::new(),
        }
    }
}

impl Params {
    /// Of a network whose epochs are days: what is counted in epochs lasts as long as by hours, as far as its bounds go.
    pub fn daily() -> Self {
        let reputation = Rules {
            memory_epochs: 8,
            doubt_epochs: 8,
            exclude_epochs: 3,
            ..Rules::default()
        };
        Self {
            replay_epochs: 45,
            reputation: Some(reputation),
            ..Self::default()
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, ParamsError> {
        let params: Self = codec::decode_canonical(bytes).map_err(|error| ParamsError::Malformed(error.to_string()))?;
        params.check()?;
        Ok(params)
    }

    pub fn rules(&self) -> Rules {
        self.reputation.unwrap_or_default()
    }

    pub fn has_region(&self, number: u8) -> bool {
        usize::from(number) < REGIONS.len() && self.regions >> number & 1 == 1
    }

    /// Each number within its bounds.
    pub fn check(&self) -> Result<(), ParamsError> {
        const DAY_MS: i64 = 86_400_000;
        let every = (1i64 << REGIONS.len()) - 1;
        let bounds = [
            ("regions", i64::from(self.regions), 1, every),
            ("beacon_after_ms", self.beacon_after_ms.into(), 0, DAY_MS),
            ("beacon_off_ms", self.beacon_off_ms.into(), 100, 600_000),
            ("clock_ms", self.clock_ms.into(), 100, 600_000),
            ("late_ms", self.late_ms.into(), 1_000, DAY_MS),
            ("same_ms", self.same_ms.into(), 10, 10_000),
            ("repeat_ms", self.repeat_ms.into(), 1_000, DAY_MS),
            ("replay_epochs", self.replay_epochs.into(), 1, 8_760),
            ("place_off_m", self.place_off_m.into(), 0, 100_000),
            ("height_m", self.height_m.into(), 2, 9_000),
            ("gain_ddbi", self.gain_ddbi.into(), 0, 300),
            ("gain_max_ddbi", self.gain_max_ddbi.into(), 0, 300),
            ("stronger_ddb", self.stronger_ddb.into(), 0, 300),
            ("weaker_ddb", self.weaker_ddb.into(), 0, 300),
            ("apart_steps", self.apart_steps.into(), 0, 64),
            ("witness_target", self.witness_target.into(), 1, 64),
            ("witness_max", self.witness_max.into(), 1, 64),
            ("repeat_percent", self.repeat_percent.into(), 0, 100),
            ("repeat_floor", self.repeat_floor.into(), 0, 100),
            ("both_ways_epochs", self.both_ways_epochs.into(), 1, 255),
            ("twin_min", self.twin_min.into(), 2, 100),
            ("twin_percent", self.twin_percent.into(), 50, 100),
            ("twin_long_min", self.twin_long_min.into(), 8, 100),
            ("twin_long_percent", self.twin_long_percent.into(), 50, 100),
            ("twin_ddb", self.twin_ddb.into(), 0, 50),
            (
                "price_credits",
                self.price_credits.try_into().unwrap_or(i64::MAX),
                0,
                1_000_000_000_000_000,
            ),
            (
                "references",
                self.references.len().try_into().unwrap_or(i64::MAX),
                0,
                REFERENCES_MAX as i64,
            ),
        ];
        let levels = self.density.iter().flat_map(|level| {
            [
                ("density.neighbours", i64::from(level.neighbours), 1, 7),
                ("density.target", level.target.into(), 1, 10_000),
                ("density.max", level.max.into(), i64::from(level.target), 10_000),
            ]
        });
        let outside = bounds
            .into_iter()
            .chain(levels)
            .find(|(_, value, min, max)| !(min..=max).contains(&value));
        if let Some((name, value, min, max)) = outside {
            return Err(ParamsError::OutOfBounds { name, value, min, max });
        }
        if !self.references.is_sorted_by(|one, next| one < next) {
            return Err(ParamsError::Malformed("references rise, each once".to_owned()));
        }
        self.rules().check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::vertical::PARAMS_BYTES_MAX;

    #[test]
    fn parameters_read_back_and_fit_the_ledger() {
        let tuned = Params {
            reputation: Some(Rules {
                line: 0,
                ..Rules::default()
            }),
            regions: 1,
            references: (u64::MAX - 31..=u64::MAX).collect(),
            ..Params::default()
        };
        for params in [Params::default(), Params::daily(), tuned] {
            let bytes = params.encode();
            assert!(bytes.len() <= PARAMS_BYTES_MAX, "{} bytes", bytes.len());
            assert_eq!(Params::decode(&bytes), Ok(params));
        }
    }

    #[test]
    fn a_number_out_of_bounds_is_named() {
        type Case = (&'static str, fn(&mut Params));
        let cases: [Case; 6] = [
            ("regions", |params| params.regions = 0),
            ("regions", |params| params.regions = 1 << REGIONS.len()),
            ("witness_target", |params| params.witness_target = 0),
            ("density.target", |params| params.density[2].target = 0),
            ("density.max", |params| params.density[2].max = 1),
            ("reputation.floor", |params| {
                params.reputation = Some(Rules {
                    floor: 0,
                    ..Rules::default()
                });
            }),
        ];
        for (name, change) in cases {
            let mut params = Params::default();
            change(&mut params);
            let refused = Params::decode(&params.encode());
            assert!(
                matches!(refused, Err(ParamsError::OutOfBounds { name: said, .. }) if said == name),
                "{name}: {refused:?}"
            );
        }
        for references in [vec![2, 1], vec![1, 1]] {
            let params = Params {
                references,
                ..Params::default()
            };
            assert!(matches!(
                Params::decode(&params.encode()),
                Err(ParamsError::Malformed(_))
            ));
        }
        assert!(matches!(Params::decode(&[0x80]), Err(ParamsError::Malformed(_))));
    }
}
