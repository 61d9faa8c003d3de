//! Whether a downlink or a beacon may go on the air: the region's bands, rates and power, the hour's time on the air, and what this radio
//! sends already. It knows no server: whoever comes first has the time. Its clock counts milliseconds from anywhere, and never back.

use super::packet::{Downlink, Heard, TxError, When};
use super::plan::{Modulation, Plan};
use std::collections::VecDeque;

/// Transmissions that wait or are under way at most.
const SLOTS_MAX: usize = 64;
/// What a radio needs between two transmissions (Semtech's own queue keeps as much).
const GAP_US: i64 = 3_000;
/// No downlink is taken further ahead: the time between two beacons of class B and a little.
const AHEAD_US_MAX: i64 = 130_000_000;
/// An hour in minutes, and the one under way.
const MINUTES: usize = 61;

/// A transmission that was let through; given back when it is not sent after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    from_us: i64,
    to_us: i64,
    band: usize,
    minute: u64,
}

/// The air around one radio.
pub struct Air {
    plan: Plan,
    dwell_ms: u16,
    slots: VecDeque<Slot>,
    /// By band: microseconds on the air in each of the last minutes, the newest last, and which that is.
    spent: Vec<(u64, VecDeque<u64>)>,
    /// The concentrator's counter, and when it was heard.
    counter: Option<(u32, u64)>,
    gps: bool,
}

impl Air {
    /// `dwell_ms`: the longest transmission, where the operator's country has another limit than the region.
    pub fn new(plan: Plan, dwell_ms: Option<u16>) -> Self {
        Self {
            dwell_ms: dwell_ms.unwrap_or(plan.dwell_ms),
            slots: VecDeque::new(),
            spent: vec![(0, VecDeque::new()); plan.bands.len() + plan.beacons.len()],
            counter: None,
            gps: false,
            plan,
        }
    }

    /// Learns the radio's clock from what it heard.
    pub fn heard(&mut self, heard: &Heard, now_ms: u64) {
        self.counter = heard.counter_us.map(|counter| (counter, now_ms)).or(self.counter);
        self.gps |= heard.gps;
    }

    /// Lets a downlink through, and keeps its time free; or says why not.
    pub fn book(&mut self, downlink: &Downlink, now_ms: u64) -> Result<Slot, TxError> {
        let modulation = downlink.modulation.filter(|modulation| self.plan.has(*modulation));
        let modulation = modulation.ok_or(TxError::TxFreq)?;
        let band = self.plan.band_of(downlink.frequency_hz, modulation);
        self.book_in(band.ok_or(TxError::TxFreq)?, self.dwell_ms, downlink, now_ms)
    }

    /// The same for a beacon of the radio's own, which is sent where uplinks are, and no longer than they may be.
    pub fn book_beacon(&mut self, beacon: &Downlink, now_ms: u64) -> Result<Slot, TxError> {
        let region = self.plan.region;
        let modulation = beacon.modulation.ok_or(TxError::TxFreq)?;
        let mut rates = region.beacon_rates.iter().filter_map(|rate| region.rate(*rate));
        if !rates.any(|rate| Modulation::Lora(rate) == modulation) {
            return Err(TxError::TxFreq);
        }
        let band = self.plan.beacon_band_of(beacon.frequency_hz, modulation);
        let dwell_ms = match self.dwell_ms {
            0 => region.dwell_ms,
            dwell_ms => dwell_ms,
        };
        self.book_in(band.ok_or(TxError::TxFreq)?, dwell_ms, beacon, now_ms)
    }

    fn book_in(&mut self, place: usize, dwell_ms: u16, downlink: &Downlink, now_ms: u64) -> Result<Slot, TxError> {
        let band = self.plan.band(place).ok_or(TxError::TxFreq)?;
        if downlink.power_ddbm > band.power_ddbm {
            return Err(TxError::TxPower);
        }
        let modulation = downlink.modulation.ok_or(TxError::TxFreq)?;
        let length_us = modulation.airtime_us(downlink.bytes);
        if dwell_ms > 0 && length_us > u64::from(dwell_ms) * 1_000 {
            return Err(TxError::DutyCycleOverflow);
        }
        let from_us = self.start_us(downlink.when, now_ms)?;
        let to_us = from_us.saturating_add_unsigned(length_us);
        let ended = i64::try_from(now_ms).unwrap_or(i64::MAX / 1_000) * 1_000 - 1_000_000;
        self.slots.retain(|slot| slot.to_us > ended);
        let meets = |slot: &Slot| from_us < slot.to_us + GAP_US && slot.from_us < to_us + GAP_US;
        if self.slots.len() >= SLOTS_MAX || self.slots.iter().any(meets) {
            return Err(TxError::CollisionPacket);
        }
        let minute = now_ms / 60_000;
        let limit_us = u64::from(band.duty_of_ten_thousand) * 360_000;
        if limit_us < 3_600_000_000 && self.spent_us(place, minute) + length_us > limit_us {
            return Err(TxError::DutyCycleOverflow);
        }
        if let Some(last) = self.spent[place].1.back_mut() {
            *last += length_us;
        }
        let slot = Slot {
            from_us,
            to_us,
            band: place,
            minute,
        };
        self.slots.push_back(slot);
        Ok(slot)
    }

    /// Gives back what was not sent.
    pub fn release(&mut self, slot: Slot) {
        self.slots.retain(|other| *other != slot);
        let length_us = slot.to_us.abs_diff(slot.from_us);
        let (last, minutes) = &mut self.spent[slot.band];
        let back = usize::try_from(last.saturating_sub(slot.minute)).unwrap_or(MINUTES);
        let place = minutes.len().checked_sub(1 + back);
        if let Some(spent) = place.and_then(|place| minutes.get_mut(place)) {
            *spent = spent.saturating_sub(length_us);
        }
    }

    /// What was sent in a band in the hour before, and the minute under way.
    fn spent_us(&mut self, band: usize, minute: u64) -> u64 {
        let (last, minutes) = &mut self.spent[band];
        let gone = usize::try_from(minute.saturating_sub(*last)).unwrap_or(MINUTES);
        if minutes.is_empty() || gone >= MINUTES {
            *minutes = VecDeque::from([0; MINUTES]);
        } else {
            minutes.rotate_left(gone);
            minutes.iter_mut().rev().take(gone).for_each(|minute| *minute = 0);
        }
        *last = minute.max(*last);
        minutes.iter().sum()
    }

    /// When it begins, by the mux's clock.
    fn start_us(&self, when: When, now_ms: u64) -> Result<i64, TxError> {
        let now_us = i64::try_from(now_ms).unwrap_or(i64::MAX / 1_000) * 1_000;
        match when {
            When::Immediately => Ok(now_us),
            When::Satellites if self.gps => Ok(now_us),
            When::Satellites => Err(TxError::GpsUnlocked),
            When::Counter(at) => {
                // Whoever was not heard has nothing to be answered.
                let (heard, then_ms) = self.counter.ok_or(TxError::TooLate)?;
                let passed_us = now_ms.saturating_sub(then_ms).wrapping_mul(1_000) as u32;
                let left_us = i64::from(at.wrapping_sub(heard.wrapping_add(passed_us)) as i32);
                match left_us {
                    ..=0 => Err(TxError::TooLate),
                    left if left > AHEAD_US_MAX => Err(TxError::TooEarly),
                    left => Ok(now_us + left),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gwmp::packet::pushed;
    use crate::gwmp::plan;
    use cairn_verticals::wireless::region::Rate;

    const FAST: Rate = Rate {
        spreading: 7,
        bandwidth_hz: 125_000,
    };
    const SLOW: Rate = Rate {
        spreading: 12,
        bandwidth_hz: 125_000,
    };

    fn heard(air: &mut Air, counter: u32, gps: bool, now_ms: u64) {
        let gps = if gps { r#","tmms":1"# } else { "" };
        let json = format!(
            r#"{{"rxpk":[{{"tmst":{counter}{gps},"freq":868.1,"stat":1,"datr":"SF7BW125","rssi":-35,"lsnr":5,"data":"AQID"}}]}}"#
        );
        air.heard(&pushed(json.as_bytes()).unwrap().heard[0], now_ms);
    }

    fn at(counter: u32) -> Downlink {
        Downlink {
            when: When::Counter(counter),
            frequency_hz: 868_100_000,
            modulation: Some(Modulation::Lora(FAST)),
            power_ddbm: 140,
            bytes: 20,
        }
    }

    fn europe() -> Air {
        Air::new(plan::of("EU868").unwrap(), None)
    }

    #[test]
    fn the_region_says_where_how_fast_and_how_loud() {
        let mut air = europe();
        heard(&mut air, 0, false, 0);
        let asked = at(1_000_000);
        for (downlink, error) in [
            (
                Downlink {
                    modulation: None,
                    ..asked
                },
                TxError::TxFreq,
            ),
            (
                Downlink {
                    frequency_hz: 868_650_000,
                    ..asked
                },
                TxError::TxFreq,
            ),
            (
                Downlink {
                    modulation: Some(Modulation::Lora(Rate {
                        bandwidth_hz: 500_000,
                        ..FAST
                    })),
                    ..asked
                },
                TxError::TxFreq,
            ),
            (
                Downlink {
                    power_ddbm: 163,
                    ..asked
                },
                TxError::TxPower,
            ),
            (
                Downlink {
                    when: When::Satellites,
                    ..asked
                },
                TxError::GpsUnlocked,
            ),
            (at(0), TxError::TooLate),
            (at(131_000_000), TxError::TooEarly),
        ] {
            assert_eq!(air.book(&downlink, 0), Err(error), "{downlink:?}");
        }
        assert!(air.book(&asked, 0).is_ok());
        // The strong band takes what others do not.
        let strong = Downlink {
            frequency_hz: 869_525_000,
            power_ddbm: 290,
            ..at(5_000_000)
        };
        assert!(air.book(&strong, 0).is_ok());
        heard(&mut air, 0, true, 0);
        let satellites = Downlink {
            when: When::Satellites,
            ..asked
        };
        assert!(air.book(&satellites, 0).is_ok());
    }

    #[test]
    fn nothing_is_answered_before_anything_was_heard() {
        assert_eq!(europe().book(&at(1_000_000), 0), Err(TxError::TooLate));
    }

    #[test]
    fn two_servers_do_not_get_the_same_moment_and_what_was_not_sent_is_free_again() {
        let mut air = europe();
        heard(&mut air, u32::MAX - 500_000, false, 0);
        // 56.6 ms long; the counter starts anew in between.
        let first = air.book(&at(499_999), 0).unwrap();
        for start in [499_999, 499_999 + 56_000, 499_999 - 59_000] {
            assert_eq!(air.book(&at(start), 0), Err(TxError::CollisionPacket), "{start}");
        }
        assert!(air.book(&at(499_999 + 60_000), 0).is_ok());
        assert!(air.book(&at(499_999 - 60_000), 0).is_ok());
        air.release(first);
        assert!(air.book(&at(499_999), 0).is_ok());
    }

    #[test]
    fn an_hour_has_so_much_time_on_the_air_and_no_more() {
        let mut air = europe();
        let long = |when| Downlink {
            when,
            modulation: Some(Modulation::Lora(SLOW)),
            ..at(0)
        };
        let mut sent = 0;
        let mut now_ms = 0;
        // 1.319 s each; 1 % of an hour are 36 s.
        let last = loop {
            match air.book(&long(When::Immediately), now_ms) {
                Ok(slot) => {
                    sent += 1;
                    now_ms += 60_000;
                    if sent == 27 {
                        break slot;
                    }
                }
                error => panic!("{error:?}"),
            }
        };
        assert_eq!(
            air.book(&long(When::Immediately), now_ms),
            Err(TxError::DutyCycleOverflow)
        );
        air.release(last);
        let again = air.book(&long(When::Immediately), now_ms);
        assert!(again.is_ok());
        // Another band has its own hour.
        let other = Downlink {
            frequency_hz: 869_525_000,
            ..long(When::Immediately)
        };
        assert!(air.book(&other, now_ms + 10_000).is_ok());
        assert!(air.book(&long(When::Immediately), 59 * 60_000).is_err());
        assert!(
            air.book(&long(When::Immediately), 62 * 60_000).is_ok(),
            "an hour later the first is forgotten"
        );
        assert!(air.book(&long(When::Immediately), 600 * 60_000).is_ok());
    }

    #[test]
    fn a_transmission_is_no_longer_than_the_country_allows() {
        let mut air = Air::new(plan::of("AS923-1").unwrap(), None);
        let slow = Downlink {
            when: When::Immediately,
            frequency_hz: 923_200_000,
            modulation: Some(Modulation::Lora(SLOW)),
            power_ddbm: 140,
            bytes: 20,
        };
        assert_eq!(air.book(&slow, 0), Err(TxError::DutyCycleOverflow));
        let mut free = Air::new(plan::of("AS923-1").unwrap(), Some(0));
        assert!(free.book(&slow, 0).is_ok());
    }

    #[test]
    fn fsk_goes_out_by_the_same_rules() {
        let mut air = europe();
        let fsk = Downlink {
            when: When::Immediately,
            frequency_hz: 868_800_000,
            modulation: Some(Modulation::Fsk {
                bits_a_second: 50_000,
                deviation_hz: 25_000,
            }),
            power_ddbm: 140,
            bytes: 200,
        };
        // 33.76 ms each; 0.1 % of an hour are 3.6 s.
        for minute in 0..106u64 {
            let told = air.book(&fsk, minute * 100);
            assert!(told.is_ok(), "{minute} {told:?}");
        }
        assert_eq!(air.book(&fsk, 20_000), Err(TxError::DutyCycleOverflow));
        let loud = Downlink { power_ddbm: 163, ..fsk };
        assert_eq!(air.book(&loud, 20_000), Err(TxError::TxPower));
        let mut korea = Air::new(plan::of("KR920").unwrap(), None);
        let elsewhere = Downlink {
            frequency_hz: 922_100_000,
            ..fsk
        };
        assert_eq!(korea.book(&elsewhere, 0), Err(TxError::TxFreq));
    }

    #[test]
    fn a_beacon_takes_its_time_from_the_same_hour_and_goes_where_uplinks_are() {
        let mut air = europe();
        let beacon = Downlink {
            when: When::Immediately,
            bytes: 24,
            ..at(0)
        };
        assert!(air.book_beacon(&beacon, 0).is_ok());
        assert_eq!(air.book(&beacon, 0), Err(TxError::CollisionPacket));
        let slow = Downlink {
            modulation: Some(Modulation::Lora(SLOW)),
            ..beacon
        };
        assert_eq!(
            air.book_beacon(&slow, 5_000),
            Err(TxError::TxFreq),
            "not a rate of beacons"
        );
        let loud = Downlink {
            power_ddbm: 163,
            ..beacon
        };
        assert_eq!(air.book_beacon(&loud, 5_000), Err(TxError::TxPower));
        let long = Downlink {
            modulation: Some(Modulation::Lora(Rate { spreading: 10, ..FAST })),
            ..beacon
        };
        let sent = (1..150).filter(|time| air.book_beacon(&long, time * 20_000).is_ok());
        assert!((90..100).contains(&sent.count()), "1 % of an hour");
        assert_eq!(air.book(&long, 3_000_000), Err(TxError::DutyCycleOverflow));

        let mut america = Air::new(plan::of("US915").unwrap(), None);
        let up = Downlink {
            frequency_hz: 903_900_000,
            power_ddbm: 300,
            ..beacon
        };
        assert_eq!(america.book(&up, 0), Err(TxError::TxFreq), "no downlink goes there");
        assert!(america.book_beacon(&up, 0).is_ok());
        let longer = Downlink {
            bytes: 255,
            modulation: Some(Modulation::Lora(Rate { spreading: 9, ..FAST })),
            ..up
        };
        assert_eq!(america.book_beacon(&longer, 9_000), Err(TxError::DutyCycleOverflow));
    }

    #[test]
    fn so_many_wait_at_most() {
        let mut air = Air::new(plan::of("US915").unwrap(), None);
        heard(&mut air, 0, false, 0);
        let wide = |counter| Downlink {
            frequency_hz: 923_300_000,
            modulation: Some(Modulation::Lora(Rate {
                bandwidth_hz: 500_000,
                ..FAST
            })),
            ..at(counter)
        };
        for place in 0..SLOTS_MAX as u32 {
            assert!(air.book(&wide(1_000_000 + place * 100_000), 0).is_ok());
        }
        assert_eq!(air.book(&wide(100_000_000), 0), Err(TxError::CollisionPacket));
        assert!(air.book(&wide(100_000_000), 60_000).is_ok());
    }
}
