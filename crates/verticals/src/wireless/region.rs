//! Radio regions as tables: bands, channels, data rates, power. A table says what the law and the LoRaWAN alliance allow
//! anywhere in the region; it knows no network's own plan.
//!
//! Sources: channels of beacons and their power are the published `region_params` of the Helium network
//! (github.com/helium/lorawan-h3, Apache-2.0); bands, data rates, dwell time and duty cycle are LoRaWAN Regional Parameters
//! RP002-1.0.4, sections 2.4 to 2.13. Required signal-to-noise ratios are table 13 of Semtech's SX1276 data sheet.

/// A modulation: spreading factor and bandwidth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// 7 to 12.
    pub spreading: u8,
    pub bandwidth_hz: u32,
}

/// A region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    pub name: &'static str,
    /// The band, from first to last hertz.
    pub band_hz: (u32, u32),
    /// The channels beacons use.
    pub channels_hz: &'static [u32],
    /// Uplink data rates by their number; `None` is not LoRa or not defined.
    pub rates: &'static [Option<Rate>],
    /// The rates beacons may use.
    pub beacon_rates: &'static [u8],
    /// The highest radiated power (EIRP), in tenths of a dBm.
    pub power_ddbm: i16,
    /// The part of an hour a sender may be on the air, of 10,000; 10,000 where only dwell time is limited.
    pub duty_of_ten_thousand: u16,
    /// The longest transmission, in milliseconds; 0: any.
    pub dwell_ms: u16,
}

const fn lora(spreading: u8, bandwidth_khz: u32) -> Option<Rate> {
    Some(Rate {
        spreading,
        bandwidth_hz: bandwidth_khz * 1_000,
    })
}

/// SF12 to SF7 in 125 kHz, then SF7 in 250 kHz.
const DOWN_FROM_12: &[Option<Rate>] = &[
    lora(12, 125),
    lora(11, 125),
    lora(10, 125),
    lora(9, 125),
    lora(8, 125),
    lora(7, 125),
    lora(7, 250),
];
/// As above, and SF8 in 500 kHz as rate 6.
const AUSTRALIAN: &[Option<Rate>] = &[
    lora(12, 125),
    lora(11, 125),
    lora(10, 125),
    lora(9, 125),
    lora(8, 125),
    lora(7, 125),
    lora(8, 500),
];
/// SF10 to SF7 in 125 kHz, then SF8 in 500 kHz.
const AMERICAN: &[Option<Rate>] = &[lora(10, 125), lora(9, 125), lora(8, 125), lora(7, 125), lora(8, 500)];

const EUROPE_HZ: [u32; 8] = [
    867_100_000,
    867_300_000,
    867_500_000,
    867_700_000,
    867_900_000,
    868_100_000,
    868_300_000,
    868_500_000,
];

const fn steps<const N: usize>(first_hz: u32) -> [u32; N] {
    let mut channels = [first_hz; N];
    let mut place = 1;
    while place < N {
        channels[place] = channels[place - 1] + 200_000;
        place += 1;
    }
    channels
}

const AMERICA_HZ: [u32; 8] = steps(903_900_000);
const AUSTRALIA_HZ: [u32; 8] = steps(916_800_000);
const ASIA_HZ: [u32; 8] = steps(923_200_000);
const CHINA_HZ: [u32; 8] = steps(486_300_000);
const KOREA_HZ: [u32; 7] = steps(922_100_000);
const INDIA_HZ: [u32; 3] = [865_062_500, 865_402_500, 865_985_000];
const RUSSIA_HZ: [u32; 2] = [868_900_000, 869_100_000];
const EUROPE_433_HZ: [u32; 3] = [433_175_000, 433_375_000, 433_575_000];

const fn region(
    name: &'static str,
    band_hz: (u32, u32),
    channels_hz: &'static [u32],
    rates: &'static [Option<Rate>],
    beacon_rates: &'static [u8],
    power_ddbm: i16,
    limits: (u16, u16),
) -> Region {
    Region {
        name,
        band_hz,
        channels_hz,
        rates,
        beacon_rates,
        power_ddbm,
        duty_of_ten_thousand: limits.0,
        dwell_ms: limits.1,
    }
}

/// Every region, at the place of its number. A beacon has 24 bytes and uses every rate that carries them within the dwell
/// time but the slowest two, whose second on the air hinders others.
pub const REGIONS: &[Region] = &[
    region(
        "EU868",
        (863_000_000, 870_000_000),
        &EUROPE_HZ,
        DOWN_FROM_12,
        &[2, 3, 4, 5],
        161,
        (100, 0),
    ),
    region(
        "US915",
        (902_000_000, 928_000_000),
        &AMERICA_HZ,
        AMERICAN,
        &[1, 2, 3],
        360,
        (10_000, 400),
    ),
    region(
        "AU915",
        (915_000_000, 928_000_000),
        &AUSTRALIA_HZ,
        AUSTRALIAN,
        &[3, 4, 5],
        300,
        (10_000, 400),
    ),
    region(
        "AS923-1",
        (915_000_000, 928_000_000),
        &ASIA_HZ,
        DOWN_FROM_12,
        &[3, 4, 5],
        160,
        (100, 400),
    ),
    region(
        "CN470",
        (470_000_000, 510_000_000),
        &CHINA_HZ,
        DOWN_FROM_12,
        &[2, 3, 4, 5],
        191,
        (10_000, 0),
    ),
    region(
        "IN865",
        (865_000_000, 867_000_000),
        &INDIA_HZ,
        DOWN_FROM_12,
        &[2, 3, 4, 5],
        300,
        (10_000, 0),
    ),
    region(
        "KR920",
        (920_900_000, 923_300_000),
        &KOREA_HZ,
        DOWN_FROM_12,
        &[2, 3, 4, 5],
        140,
        (10_000, 0),
    ),
    region(
        "RU864",
        (864_000_000, 870_000_000),
        &RUSSIA_HZ,
        DOWN_FROM_12,
        &[2, 3, 4, 5],
        160,
        (100, 0),
    ),
    region(
        "EU433",
        (433_050_000, 434_790_000),
        &EUROPE_433_HZ,
        DOWN_FROM_12,
        &[2, 3, 4, 5],
        121,
        (1_000, 0),
    ),
];

/// How far a carrier may be from its channel and still be heard, in hertz: a quarter of 125 kHz.
pub const CARRIER_OFF_HZ: u32 = 31_250;

/// The region of this number.
pub fn by_number(number: u8) -> Option<&'static Region> {
    REGIONS.get(usize::from(number))
}

/// The number of the region of this name.
pub fn number(name: &str) -> Option<u8> {
    let place = REGIONS.iter().position(|region| region.name == name)?;
    u8::try_from(place).ok()
}

/// The first region in which this frequency, and the rate of this name, are used.
pub fn of(frequency_hz: u32, rate: &str) -> Option<(u8, u8)> {
    let known = |(number, region): (u8, &Region)| {
        let (low, high) = region.band_hz;
        let rate = (low..=high).contains(&frequency_hz).then(|| region.rate_of(rate))?;
        Some((number, rate?))
    };
    (0..).zip(REGIONS).find_map(known)
}

impl Region {
    pub fn rate(&self, number: u8) -> Option<Rate> {
        self.rates.get(usize::from(number)).copied().flatten()
    }

    /// The number of the rate a packet forwarder writes as `SF7BW125`.
    pub fn rate_of(&self, text: &str) -> Option<u8> {
        let (spreading, bandwidth) = text.strip_prefix("SF")?.split_once("BW")?;
        let (spreading, khz) = (spreading.parse::<u8>().ok()?, bandwidth.parse::<u32>().ok()?);
        let rate = Rate {
            spreading,
            bandwidth_hz: khz.checked_mul(1_000)?,
        };
        let place = self.rates.iter().position(|known| *known == Some(rate))?;
        u8::try_from(place).ok()
    }
}

impl Rate {
    /// As a packet forwarder writes it.
    pub fn text(self) -> String {
        format!("SF{}BW{}", self.spreading, self.bandwidth_hz / 1_000)
    }

    /// The least signal-to-noise ratio at which the modulation can be read, in tenths of a decibel.
    pub fn snr_min_ddb(self) -> i64 {
        100 - 25 * i64::from(self.spreading)
    }
}

/// How long a frame of so many bytes is on the air, in microseconds, rounded up (SX1276 data sheet, section 4.1.1.7: eight
/// symbols of preamble, explicit header, checksum, code rate 4/5).
pub fn airtime_us(rate: Rate, bytes: u32) -> u64 {
    let spreading = i64::from(rate.spreading);
    let symbol_ns = (1_000_000_000u64 << rate.spreading) / u64::from(rate.bandwidth_hz.max(1));
    let slow = i64::from(symbol_ns > 16_000_000);
    let bits = 8 * i64::from(bytes) - 4 * spreading + 44;
    let per = 4 * (spreading - 2 * slow);
    let blocks = (bits + per - 1).div_euclid(per.max(1)).max(0);
    let quarters = 4 * (8 + 8 + 5 * blocks.unsigned_abs()) + 17;
    (quarters * symbol_ns).div_ceil(4_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_within_itself() {
        for (place, region) in (0u8..).zip(REGIONS) {
            assert_eq!(number(region.name), Some(place));
            let within = |hz: &u32| (region.band_hz.0..=region.band_hz.1).contains(hz);
            assert!(region.channels_hz.iter().all(within), "{}", region.name);
            assert!(region.channels_hz.is_sorted());
            for rate in region.beacon_rates {
                let rate = region.rate(*rate).expect("a LoRa rate");
                let dwell = u64::from(region.dwell_ms) * 1_000;
                assert!(dwell == 0 || airtime_us(rate, 24) <= dwell, "{} {rate:?}", region.name);
            }
        }
        assert_eq!(by_number(REGIONS.len() as u8), None);
    }

    #[test]
    fn rates_are_known_by_the_forwarders_words() {
        let europe = &REGIONS[0];
        for (text, rate) in [
            ("SF12BW125", Some(0)),
            ("SF7BW125", Some(5)),
            ("SF7BW250", Some(6)),
            ("SF6BW125", None),
            ("50000", None),
            ("SF7BW99999999999", None),
        ] {
            assert_eq!(europe.rate_of(text), rate);
        }
    }

    #[test]
    fn airtime_is_what_the_data_sheet_says() {
        // Semtech's LoRa calculator: 20 bytes of PHY payload, 8 symbols of preamble, CR 4/5, explicit header, checksum.
        for (spreading, bytes, us) in [(7, 20, 56_576), (12, 20, 1_318_912), (10, 20, 370_688), (7, 0, 25_856)] {
            let rate = Rate {
                spreading,
                bandwidth_hz: 125_000,
            };
            assert_eq!(airtime_us(rate, bytes), us, "SF{spreading} {bytes}");
        }
    }
}
