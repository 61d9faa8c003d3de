//! What a station may send where: bands, power and time on the air of downlinks and beacons, by region. Tables only; which channels
//! and rates uplinks and beacons have is in the vertical (`cairn_verticals::wireless::region`).
//!
//! Sources: LoRaWAN Regional Parameters RP002-1.0.4, sections 2.4 to 2.13 (downlink channels and rates); for Europe the bands of
//! ERC Recommendation 70-03, annex 1 (June 2024), which ETSI EN 300 220-2 repeats: radiated power there is ERP, 2.15 dB less than
//! EIRP.

use cairn_verticals::wireless::region::{self, Rate, Region, airtime_us};

/// A piece of spectrum with one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    pub from_hz: u32,
    pub to_hz: u32,
    /// The highest radiated power (EIRP), in tenths of a dBm.
    pub power_ddbm: i64,
    /// The part of an hour a station may be on the air here, of 10,000.
    pub duty_of_ten_thousand: u16,
}

/// How a downlink is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modulation {
    Lora(Rate),
    Fsk { bits_a_second: u32, deviation_hz: u32 },
}

/// The one rate of FSK that LoRaWAN has: RP002-1.0.4, data rate 7 of most regions.
const FSK: Modulation = Modulation::Fsk {
    bits_a_second: 50_000,
    deviation_hz: 25_000,
};

impl Modulation {
    /// The spectrum it needs; of FSK by Carson's rule.
    pub fn bandwidth_hz(self) -> u32 {
        match self {
            Self::Lora(rate) => rate.bandwidth_hz,
            Self::Fsk {
                bits_a_second,
                deviation_hz,
            } => deviation_hz.saturating_mul(2).saturating_add(bits_a_second),
        }
    }

    /// How long a frame of so many bytes is on the air, in microseconds, rounded up. Around a frame of FSK stand five bytes of
    /// preamble, three by which it is known, its length and two of checksum (RP002-1.0.4, section 4).
    pub fn airtime_us(self, bytes: u32) -> u64 {
        match self {
            Self::Lora(rate) => airtime_us(rate, bytes),
            Self::Fsk { bits_a_second, .. } => {
                ((u64::from(bytes) + 11) * 8_000_000).div_ceil(bits_a_second.max(1).into())
            }
        }
    }
}

/// Downlinks of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub region: &'static Region,
    pub bands: &'static [Band],
    /// Where beacons are sent beside them: on channels of uplinks, so that other stations hear them.
    pub beacons: &'static [Band],
    pub bandwidths_hz: &'static [u32],
    /// Whether it has the rate of FSK.
    pub fsk: bool,
    /// The longest transmission, in milliseconds; 0: any.
    pub dwell_ms: u16,
}

const fn band(from_khz: u32, to_khz: u32, power_ddbm: i64, duty_of_ten_thousand: u16) -> Band {
    Band {
        from_hz: from_khz * 1_000,
        to_hz: to_khz * 1_000,
        power_ddbm,
        duty_of_ten_thousand,
    }
}

const ANY: u16 = 10_000;
const NARROW: &[u32] = &[125_000, 250_000];
const WIDE: &[u32] = &[500_000];

const EUROPE: &[Band] = &[
    band(863_000, 865_000, 162, 10),
    band(865_000, 868_000, 162, 100),
    band(868_000, 868_600, 162, 100),
    band(868_700, 869_200, 162, 10),
    band(869_400, 869_650, 292, 1_000),
    band(869_700, 870_000, 162, 100),
];
const AMERICA: &[Band] = &[band(923_000, 928_000, 360, ANY)];
const AUSTRALIA: &[Band] = &[band(923_000, 928_000, 300, ANY)];
const ASIA: &[Band] = &[band(915_000, 928_000, 160, 100)];
const CHINA: &[Band] = &[band(500_000, 510_000, 192, ANY)];
const INDIA: &[Band] = &[band(865_000, 867_000, 300, ANY)];
const KOREA: &[Band] = &[band(920_800, 922_000, 140, ANY), band(922_000, 923_400, 230, ANY)];
const RUSSIA: &[Band] = &[
    band(864_000, 865_000, 160, 10),
    band(866_000, 868_000, 160, 100),
    band(868_700, 869_200, 160, 100),
];
const EUROPE_433: &[Band] = &[band(433_050, 434_790, 122, 1_000)];

/// Regions that keep uplinks and downlinks apart.
const AMERICA_UP: &[Band] = &[band(902_000, 923_000, 360, ANY)];
const AUSTRALIA_UP: &[Band] = &[band(915_000, 923_000, 300, ANY)];
const CHINA_UP: &[Band] = &[band(470_000, 500_000, 192, ANY)];

/// The plan of a region by its name; `None` where nobody wrote one.
pub fn of(name: &str) -> Option<Plan> {
    let (bands, bandwidths_hz, dwell_ms) = match name {
        "EU868" => (EUROPE, NARROW, 0),
        "US915" => (AMERICA, WIDE, 0),
        "AU915" => (AUSTRALIA, WIDE, 0),
        "AS923-1" => (ASIA, NARROW, 400),
        "CN470" => (CHINA, NARROW, 0),
        "IN865" => (INDIA, NARROW, 0),
        "KR920" => (KOREA, NARROW, 0),
        "RU864" => (RUSSIA, NARROW, 0),
        "EU433" => (EUROPE_433, NARROW, 0),
        _ => return None,
    };
    let beacons = match name {
        "US915" => AMERICA_UP,
        "AU915" => AUSTRALIA_UP,
        "CN470" => CHINA_UP,
        _ => &[],
    };
    Some(Plan {
        region: region::by_number(region::number(name)?)?,
        bands,
        beacons,
        bandwidths_hz,
        fsk: bandwidths_hz == NARROW && name != "KR920",
        dwell_ms,
    })
}

impl Band {
    /// Whether a transmission lies wholly in it.
    fn has(&self, frequency_hz: u32, modulation: Modulation) -> bool {
        let half = modulation.bandwidth_hz() / 2;
        frequency_hz.checked_sub(half).is_some_and(|low| low >= self.from_hz)
            && frequency_hz.checked_add(half).is_some_and(|high| high <= self.to_hz)
    }
}

impl Plan {
    /// The place of the band in which a transmission lies wholly.
    pub fn band_of(&self, frequency_hz: u32, modulation: Modulation) -> Option<usize> {
        self.bands.iter().position(|band| band.has(frequency_hz, modulation))
    }

    /// The place of the band of a beacon; those of downlinks come first.
    pub fn beacon_band_of(&self, frequency_hz: u32, modulation: Modulation) -> Option<usize> {
        let mut all = self.bands.iter().chain(self.beacons);
        all.position(|band| band.has(frequency_hz, modulation))
    }

    /// The band at a place.
    pub fn band(&self, place: usize) -> Option<&'static Band> {
        self.bands.iter().chain(self.beacons).nth(place)
    }

    pub fn has(&self, modulation: Modulation) -> bool {
        match modulation {
            Modulation::Lora(rate) => {
                (7..=12).contains(&rate.spreading) && self.bandwidths_hz.contains(&rate.bandwidth_hz)
            }
            fsk => self.fsk && fsk == FSK,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Modulation = Modulation::Lora(Rate {
        spreading: 12,
        bandwidth_hz: 125_000,
    });

    #[test]
    fn every_region_has_a_plan_of_its_own_and_answers_where_it_hears() {
        for region in region::REGIONS {
            let plan = of(region.name).unwrap();
            assert_eq!(plan.region.name, region.name);
            assert!(plan.bands.iter().all(|band| band.from_hz < band.to_hz));
            assert!(plan.bands.is_sorted_by(|one, next| one.to_hz <= next.from_hz));
            // In most regions the first answer comes on the channel of the question.
            if plan.bandwidths_hz == NARROW && region.name != "CN470" {
                for channel in region.channels_hz {
                    assert!(plan.band_of(*channel, SLOW).is_some(), "{} {channel}", region.name);
                }
            }
        }
        assert_eq!(of("MOON"), None);
    }

    #[test]
    fn every_beacon_that_may_be_asked_for_has_its_band() {
        for region in region::REGIONS {
            let plan = of(region.name).unwrap();
            for (channel, rate) in region.channels_hz.iter().flat_map(|channel| {
                let rates = region.beacon_rates.iter();
                rates.map(move |rate| (*channel, region.rate(*rate).unwrap()))
            }) {
                let band = plan
                    .beacon_band_of(channel, Modulation::Lora(rate))
                    .and_then(|place| plan.band(place));
                assert!(band.is_some(), "{} {channel}", region.name);
            }
        }
    }

    #[test]
    fn second_answers_have_their_place() {
        let wide = Modulation::Lora(Rate {
            spreading: 12,
            bandwidth_hz: 500_000,
        });
        for (name, frequency_hz, rate) in [
            ("EU868", 869_525_000, SLOW),
            ("US915", 923_300_000, wide),
            ("US915", 927_500_000, wide),
            ("AU915", 923_300_000, wide),
            ("AS923-1", 923_200_000, SLOW),
            ("CN470", 505_300_000, SLOW),
            ("IN865", 866_550_000, SLOW),
            ("KR920", 921_900_000, SLOW),
            ("RU864", 869_100_000, SLOW),
            ("EU433", 434_665_000, SLOW),
        ] {
            let plan = of(name).unwrap();
            assert!(plan.has(rate) && plan.band_of(frequency_hz, rate).is_some(), "{name}");
        }
        let europe = of("EU868").unwrap();
        for outside in [862_990_000, 868_650_000, 869_640_000, 870_000_000, 0, u32::MAX] {
            assert_eq!(europe.band_of(outside, SLOW), None, "{outside}");
        }
        assert!(!europe.has(wide) && !of("US915").unwrap().has(SLOW));
    }

    #[test]
    fn fsk_is_sent_at_its_one_rate_where_the_region_has_it() {
        let regions = region::REGIONS.iter().map(|region| region.name);
        let with: Vec<_> = regions.filter(|name| of(name).unwrap().has(FSK)).collect();
        assert_eq!(with, ["EU868", "AS923-1", "CN470", "IN865", "RU864", "EU433"]);
        let europe = of("EU868").unwrap();
        for (bits_a_second, deviation_hz) in [(50_000, 50_000), (100_000, 25_000), (0, 0), (u32::MAX, u32::MAX)] {
            let other = Modulation::Fsk {
                bits_a_second,
                deviation_hz,
            };
            assert!(!europe.has(other), "{other:?}");
            assert!(other.airtime_us(u32::MAX) > 0);
        }
        // 100 kHz wide.
        assert_eq!(europe.band_of(868_800_000, FSK), Some(3));
        assert_eq!(europe.band_of(868_749_999, FSK), None);
        // 31 bytes at 50,000 bits a second.
        assert_eq!(FSK.airtime_us(20), 4_960);
    }
}
