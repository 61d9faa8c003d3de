//! What a network of sensors may tune: its slots, what it pays for, and how strictly it believes. Every number has bounds.

use super::report::{HUMIDITY, QUANTITIES_MAX, RAIN, TEMPERATURE, VALUE_MAX};
use crate::kit::range::Limits;
use crate::kit::{ParamsError, Rules};
use cairn_types::codec;
use minicbor::{Decode, Encode};

/// The parameters of a network of sensors, as an array on the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Params {
    /// Time is cut into slots from the start of the epoch; a slot has one reading of a quantity.
    #[n(0)]
    pub slot_ms: u32,
    /// Quantities the network pays for: bit `q` is quantity number `q`.
    #[n(1)]
    pub paid: u16,
    /// How far ahead of the verifier's clock a device's may be.
    #[n(2)]
    pub ahead_ms: u32,
    /// Places are compared in cells of this H3 resolution.
    #[n(3)]
    pub near_resolution: u8,
    /// Neighbours are so many steps away or nearer: 13 steps at resolution 8 are about 10 km where cells are as large as in Europe.
    #[n(4)]
    pub near_steps: u8,
    /// At most so many neighbours are asked, the nearest first.
    #[n(5)]
    pub near_max: u16,
    /// Fewer neighbours than this prove nothing (`n_stat`).
    #[n(6)]
    pub near_min: u8,
    /// Zeros in more slots than this one after another, with rain around in each, are faulty (`nint`).
    #[n(7)]
    pub zero_slots: u8,
    /// Below this median of the neighbours it hardly rains (`a`), in micrometres.
    #[n(8)]
    pub influx_low: u32,
    /// More than this is too much where it hardly rains (`b`), in micrometres; elsewhere `b/a` times the median is.
    #[n(9)]
    pub influx_high: u32,
    /// Values so many times the neighbours' median, or their so-manieth part, look like another unit.
    #[n(10)]
    pub unit_factor: u16,
    /// The least number of wet slots that prove another unit.
    #[n(11)]
    pub unit_slots: u8,
    /// The least number of compared epochs that prove a wrong place.
    #[n(12)]
    pub place_epochs: u16,
    /// The least number of wet epochs, here and around, that prove a wrong place.
    #[n(13)]
    pub place_wet: u16,
    /// A correlation of wet and dry epochs with the neighbours' below this, in percent, is none.
    #[n(14)]
    pub place_percent: u8,
    /// A series equal to another device's in so many changes of value is a copy.
    #[n(15)]
    pub copy_changes: u8,
    /// Of equal series the one received earlier by more than this is the original; else the one that joined earlier.
    #[n(16)]
    pub copy_lead_ms: u32,
    /// A series equal to the device's own earlier one in so many changes of value is a replay.
    #[n(17)]
    pub replay_changes: u8,
    /// Devices crowd in cells of this H3 resolution.
    #[n(18)]
    pub crowd_resolution: u8,
    /// More devices than this in one cell share what this many earn.
    #[n(19)]
    pub crowd_target: u16,
    /// Credits for a million rows.
    #[n(20)]
    pub price_credits: u64,
    /// What each quantity may do, by its number.
    #[n(21)]
    pub limits: [Limits; QUANTITIES_MAX],
    /// How reputation is counted, where it is not as the kit does by itself.
    #[n(22)]
    pub reputation: Option<Rules>,
}

impl Default for Params {
    fn default() -> Self {
        let limits = |min, max, jump, stuck, rest, apart| Limits {
            min,
            max,
            jump,
            stuck,
            rest,
            apart,
        };
        Self {
            slot_ms: 300_000,
            paid: 1 << RAIN,
            ahead_ms: 600_000,
            near_resolution: 8,
            near_steps: 13,
            near_max: 128,
            near_min: 5,
            zero_slots: 6,
            influx_low: 400,
            influx_high: 10_000,
            unit_factor: 8,
            unit_slots: 24,
            place_epochs: 24,
            place_wet: 12,
            place_percent: 5,
            copy_changes: 12,
            copy_lead_ms: 300_000,
            replay_changes: 16,
            crowd_resolution: 8,
            crowd_target: 2,
            price_credits: 100_000_000,
            limits: [
                limits(0, 50_000, 0, 24, 0, 0), // rain: 50 mm in a slot is beyond every record
                limits(-60_000, 60_000, 5_000, 72, i64::MIN, 8_000), // temperature
                limits(0, 100_000, 30_000, 288, 100_000, 40_000), // humidity: may stand at 100 % in fog
                limits(50_000, 110_000, 500, 144, i64::MIN, 0), // pressure at the place, so height counts
                limits(0, 115_000, 0, 144, 0, 0), // wind
                limits(0, 2_000_000, 0, 288, 0, 0), // pm25
                limits(0, 5_000_000, 0, 288, 0, 0), // pm10
                limits(0, 140_000, 0, 288, i64::MIN, 0), // noise
            ],
            reputation: None,
        }
    }
}

impl Params {
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, ParamsError> {
        let params: Self = codec::decode_canonical(bytes).map_err(|error| ParamsError::Malformed(error.to_string()))?;
        params.check()?;
        Ok(params)
    }

    /// How many quantities the network pays for.
    pub fn paid_count(&self) -> u32 {
        self.paid.count_ones()
    }

    pub fn is_paid(&self, quantity: u16) -> bool {
        self.paid.checked_shr(quantity.into()).is_some_and(|bits| bits & 1 == 1)
    }

    pub fn rules(&self) -> Rules {
        self.reputation.unwrap_or_default()
    }

    /// Each number within its bounds.
    pub fn check(&self) -> Result<(), ParamsError> {
        let every = (1i64 << QUANTITIES_MAX) - 1;
        let bounds = [
            ("slot_ms", i64::from(self.slot_ms), 1_000, 86_400_000),
            ("paid", self.paid.into(), 1, every),
            ("ahead_ms", self.ahead_ms.into(), 0, 86_400_000),
            ("near_resolution", self.near_resolution.into(), 0, 15),
            ("near_steps", self.near_steps.into(), 0, 64),
            ("near_max", self.near_max.into(), 1, 1_024),
            ("near_min", self.near_min.into(), 3, 255),
            ("zero_slots", self.zero_slots.into(), 2, 255),
            ("influx_low", self.influx_low.into(), 1, 1_000_000),
            ("influx_high", self.influx_high.into(), 1, 1_000_000),
            ("unit_factor", self.unit_factor.into(), 4, 1_000),
            ("unit_slots", self.unit_slots.into(), 8, 100),
            ("place_epochs", self.place_epochs.into(), 12, 256),
            ("place_wet", self.place_wet.into(), 6, 64),
            ("place_percent", self.place_percent.into(), 0, 50),
            ("copy_changes", self.copy_changes.into(), 6, 255),
            ("copy_lead_ms", self.copy_lead_ms.into(), 0, 86_400_000),
            ("replay_changes", self.replay_changes.into(), 6, 255),
            ("crowd_resolution", self.crowd_resolution.into(), 0, 15),
            ("crowd_target", self.crowd_target.into(), 1, 1_000),
            (
                "price_credits",
                self.price_credits.try_into().unwrap_or(i64::MAX),
                0,
                1_000_000_000_000_000,
            ),
        ];
        let outside = bounds
            .into_iter()
            .find(|(_, value, min, max)| !(min..=max).contains(&value));
        if let Some((name, value, min, max)) = outside {
            return Err(ParamsError::OutOfBounds { name, value, min, max });
        }
        self.rules().check()?;
        for limits in &self.limits {
            let bounds = [
                ("limits.min", limits.min, -VALUE_MAX, limits.max),
                ("limits.max", limits.max, limits.min, VALUE_MAX),
                ("limits.jump", limits.jump, 0, VALUE_MAX),
                ("limits.apart", limits.apart, 0, VALUE_MAX),
            ];
            if let Some((name, value, min, max)) = bounds
                .into_iter()
                .find(|(_, value, min, max)| !(min..=max).contains(&value))
            {
                return Err(ParamsError::OutOfBounds { name, value, min, max });
            }
        }
        Ok(())
    }
}

/// Parameters of a network that pays for rain, temperature and humidity alike.
pub fn weather() -> Params {
    Params {
        paid: 1 << RAIN | 1 << TEMPERATURE | 1 << HUMIDITY,
        ..Params::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Vertical;
    use crate::kit::vertical::PARAMS_BYTES_MAX;
    use crate::sensors::Sensors;

    #[test]
    fn parameters_read_back_and_fit_the_ledger() {
        let tuned = Params {
            reputation: Some(Rules {
                line: 0,
                ..Rules::default()
            }),
            ..weather()
        };
        for params in [Params::default(), weather(), tuned] {
            let bytes = params.encode();
            assert!(bytes.len() <= PARAMS_BYTES_MAX, "{} bytes", bytes.len());
            assert_eq!(Sensors.reputation(&bytes), Ok(params.reputation.unwrap_or_default()));
            assert_eq!(Params::decode(&bytes), Ok(params));
        }
    }

    #[test]
    fn a_number_out_of_bounds_is_named() {
        for (name, params) in [
            (
                "slot_ms",
                Params {
                    slot_ms: 0,
                    ..Params::default()
                },
            ),
            (
                "paid",
                Params {
                    paid: 0,
                    ..Params::default()
                },
            ),
            (
                "paid",
                Params {
                    paid: 1 << 8,
                    ..Params::default()
                },
            ),
            (
                "near_min",
                Params {
                    near_min: 1,
                    ..Params::default()
                },
            ),
            (
                "reputation.floor",
                Params {
                    reputation: Some(Rules {
                        floor: 0,
                        ..Rules::default()
                    }),
                    ..Params::default()
                },
            ),
            (
                "crowd_target",
                Params {
                    crowd_target: 0,
                    ..Params::default()
                },
            ),
        ] {
            let refused = Params::decode(&params.encode());
            assert!(
                matches!(refused, Err(ParamsError::OutOfBounds { name: said, .. }) if said == name),
                "{refused:?}"
            );
        }
        assert!(matches!(Params::decode(&[0x80]), Err(ParamsError::Malformed(_))));
    }
}
