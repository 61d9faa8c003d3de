//! The body of a sensor's report: a SenML pack (RFC 8428) in deterministic CBOR, in one byte form; see `report.cddl`. It
//! says nothing about whether a reading is true.
//!
//! ```text
//! [{2: 0.101, -2: "rain", -3: 1500076800, -4: "mm"}, {2: 0, 6: 300}, {2: 19.5, -2: "temperature", -4: "Cel"}, …]
//!      value      name     seconds        unit            seconds later       the next quantity, same base time
//! ```
//! Quantities come in the order of their numbers, the readings of one in the order of time. The base time is the earliest
//! of all. A value is an integer or a decimal fraction (tag 4) without trailing zeros, never a float.

use crate::kit::vertical::BODY_BYTES_MAX;
use crate::kit::{BodyError, Draw, QuantityText, Reading};
use cairn_types::TimeMs;
use minicbor::data::Tag;
use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};

pub const RAIN: u16 = 0;
pub const TEMPERATURE: u16 = 1;
pub const HUMIDITY: u16 = 2;
pub const PRESSURE: u16 = 3;
pub const WIND: u16 = 4;
pub const PM25: u16 = 5;
pub const PM10: u16 = 6;
pub const NOISE: u16 = 7;

/// Every quantity, at the place of its number. Values are integers in `unit / 10^decimals`: rain in micrometres per slot.
pub const QUANTITIES: &[QuantityText] = &[
    QuantityText {
        quantity: RAIN,
        name: "rain",
        unit: "mm",
        decimals: 3,
        sentence: "rain since the reading before, as water on a level surface",
        draw: Draw::Bars,
    },
    QuantityText {
        quantity: TEMPERATURE,
        name: "temperature",
        unit: "Cel",
        decimals: 3,
        sentence: "temperature of the air, in degrees Celsius",
        draw: Draw::Line,
    },
    QuantityText {
        quantity: HUMIDITY,
        name: "humidity",
        unit: "%RH",
        decimals: 3,
        sentence: "relative humidity of the air",
        draw: Draw::Line,
    },
    QuantityText {
        quantity: PRESSURE,
        name: "pressure",
        unit: "Pa",
        decimals: 0,
        sentence: "pressure of the air at the sensor",
        draw: Draw::Line,
    },
    QuantityText {
        quantity: WIND,
        name: "wind",
        unit: "m/s",
        decimals: 3,
        sentence: "speed of the wind",
        draw: Draw::Line,
    },
    QuantityText {
        quantity: PM25,
        name: "pm25",
        unit: "ug/m3",
        decimals: 3,
        sentence: "fine dust up to 2.5 micrometres in a cubic metre of air",
        draw: Draw::Line,
    },
    QuantityText {
        quantity: PM10,
        name: "pm10",
        unit: "ug/m3",
        decimals: 3,
        sentence: "dust up to 10 micrometres in a cubic metre of air",
        draw: Draw::Line,
    },
    QuantityText {
        quantity: NOISE,
        name: "noise",
        unit: "dB",
        decimals: 3,
        sentence: "level of sound",
        draw: Draw::Line,
    },
];

/// How many quantities there are.
pub const QUANTITIES_MAX: usize = QUANTITIES.len();

/// The most readings of one quantity in one body.
pub const READINGS_MAX: usize = 64;

/// The largest magnitude of a value, in the quantity's fixed unit.
pub const VALUE_MAX: i64 = 1_000_000_000_000_000;

const VALUE: i64 = 2;
const TIME: i64 = 6;
const BASE_NAME: i64 = -2;
const BASE_TIME: i64 = -3;
const BASE_UNIT: i64 = -4;
const DECIMAL_FRACTION: Tag = Tag::new(4);

/// The body that says these readings, in any order given. Times are whole seconds; a quantity has one value at a time.
pub fn encode(readings: &[Reading]) -> Result<Vec<u8>, BodyError> {
    let mut sorted = readings.to_vec();
    sorted.sort_unstable_by_key(|reading| (reading.quantity, reading.time));
    check(&sorted)?;
    let mut body = Vec::with_capacity(16 * sorted.len() + 32);
    write(&sorted, &mut body).map_err(|_| BodyError::Malformed("it cannot be written"))?;
    Ok(body)
}

/// Appends the readings of a body to `out`, in the body's order; on an error `out` is as before.
pub fn decode(body: &[u8], out: &mut Vec<Reading>) -> Result<(), BodyError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(BodyError::TooLong);
    }
    let first = out.len();
    let checked = read(body, out).and_then(|()| {
        check(&out[first..])?;
        let mut same = Same(body);
        write(&out[first..], &mut same).map_err(|_| BodyError::NotCanonical)?;
        if same.0.is_empty() {
            Ok(())
        } else {
            Err(BodyError::NotCanonical)
        }
    });
    if checked.is_err() {
        out.truncate(first);
    }
    checked
}

/// The quantity of this name.
pub fn quantity(name: &str) -> Option<&'static QuantityText> {
    QUANTITIES.iter().find(|quantity| quantity.name == name)
}

fn check(sorted: &[Reading]) -> Result<(), BodyError> {
    let fail = |why| Err(BodyError::Malformed(why));
    if sorted.is_empty() {
        return fail("a pack has at least one record");
    }
    for reading in sorted {
        if usize::from(reading.quantity) >= QUANTITIES_MAX {
            return fail("no quantity has this number");
        }
        if reading.value.unsigned_abs() > VALUE_MAX.unsigned_abs() {
            return fail("a value is too large");
        }
        if reading.time.0 % 1_000 != 0 {
            return fail("times are whole seconds");
        }
    }
    if sorted
        .windows(2)
        .any(|pair| (pair[0].quantity, pair[0].time) >= (pair[1].quantity, pair[1].time))
    {
        return fail("readings stand in the order of quantity and time, each once");
    }
    let long = |run: &[Reading]| run.len() > READINGS_MAX;
    if sorted.chunk_by(|one, next| one.quantity == next.quantity).any(long) {
        return fail("at most 64 readings of a quantity");
    }
    Ok(())
}

fn write<W: Write>(sorted: &[Reading], out: W) -> Result<(), minicbor::encode::Error<W::Error>> {
    let base = sorted.iter().map(|reading| reading.time.0 / 1_000).min().unwrap_or(0);
    let mut e = Encoder::new(out);
    e.array(sorted.len() as u64)?;
    let mut before = None;
    for reading in sorted {
        let later = reading.time.0 / 1_000 - base;
        let named = before != Some(reading.quantity);
        let text = &QUANTITIES[usize::from(reading.quantity)];
        e.map(1 + u64::from(later > 0) + 2 * u64::from(named) + u64::from(before.is_none()))?;
        e.i64(VALUE)?;
        let (mantissa, places) = shortest(reading.value, text.decimals);
        if places > 0 {
            e.tag(DECIMAL_FRACTION)?.array(2)?.i64(-i64::from(places))?;
        }
        e.i64(mantissa)?;
        if later > 0 {
            e.i64(TIME)?.u64(later)?;
        }
        if named {
            e.i64(BASE_NAME)?.str(text.name)?;
            if before.is_none() {
                e.i64(BASE_TIME)?.u64(base)?;
            }
            e.i64(BASE_UNIT)?.str(text.unit)?;
        }
        before = Some(reading.quantity);
    }
    Ok(())
}

/// A value of so many decimals without trailing zeros.
fn shortest(mut value: i64, mut decimals: u8) -> (i64, u8) {
    while decimals > 0 && value % 10 == 0 {
        (value, decimals) = (value / 10, decimals - 1);
    }
    (value, decimals)
}

/// Reads records leniently; `decode` then holds them against the one form.
fn read(body: &[u8], out: &mut Vec<Reading>) -> Result<(), BodyError> {
    const SHAPE: BodyError = BodyError::Malformed("not an array of SenML records with integer labels");
    let mut d = Decoder::new(body);
    let count = d.array().map_err(|_| SHAPE)?.ok_or(BodyError::NotCanonical)?;
    if count > (READINGS_MAX * QUANTITIES_MAX) as u64 {
        return Err(BodyError::Malformed("more records than a pack may have"));
    }
    let mut base = 0u64;
    let mut text: Option<&QuantityText> = None;
    for _ in 0..count {
        let fields = d.map().map_err(|_| SHAPE)?.ok_or(BodyError::NotCanonical)?;
        let (mut value, mut later) = (None, 0u64);
        for _ in 0..fields {
            match d.i64().map_err(|_| SHAPE)? {
                VALUE => {
                    value = Some(
                        number(&mut d).ok_or(BodyError::Malformed("a value is an integer or a decimal fraction"))?,
                    )
                }
                TIME => later = d.u64().map_err(|_| SHAPE)?,
                BASE_TIME => base = d.u64().map_err(|_| SHAPE)?,
                BASE_NAME => {
                    let name = d.str().map_err(|_| SHAPE)?;
                    text = Some(quantity(name).ok_or(BodyError::Malformed("no quantity has this name"))?);
                }
                BASE_UNIT => {
                    let unit = d.str().map_err(|_| SHAPE)?;
                    if text.is_none_or(|text| text.unit != unit) {
                        return Err(BodyError::Malformed("a quantity has one unit"));
                    }
                }
                _ => return Err(BodyError::Malformed("a label that does not belong")),
            }
        }
        let text = text.ok_or(BodyError::Malformed("a record without a name"))?;
        let (mantissa, places) = value.ok_or(BodyError::Malformed("a record without a value"))?;
        let scale = text
            .decimals
            .checked_sub(places)
            .ok_or(BodyError::Malformed("more decimals than the quantity has"))?;
        let value = mantissa
            .checked_mul(10i64.pow(scale.into()))
            .ok_or(BodyError::Malformed("a value is too large"))?;
        let seconds = base.checked_add(later).and_then(|seconds| seconds.checked_mul(1_000));
        let time = TimeMs(seconds.ok_or(BodyError::Malformed("a time is too late"))?);
        out.push(Reading {
            quantity: text.quantity,
            time,
            value,
        });
    }
    if d.position() == body.len() {
        Ok(())
    } else {
        Err(BodyError::NotCanonical)
    }
}

/// Mantissa and number of decimal places.
fn number(d: &mut Decoder) -> Option<(i64, u8)> {
    if d.datatype().ok()? != minicbor::data::Type::Tag {
        return Some((d.i64().ok()?, 0));
    }
    if d.tag().ok()? != DECIMAL_FRACTION || d.array().ok()? != Some(2) {
        return None;
    }
    let exponent = d.i64().ok()?;
    let places = u8::try_from(exponent.checked_neg()?).ok()?;
    Some((d.i64().ok()?, places))
}

/// A place to write to that holds what must be written.
struct Same<'a>(&'a [u8]);

impl Write for Same<'_> {
    type Error = BodyError;
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), BodyError> {
        self.0 = self.0.strip_prefix(bytes).ok_or(BodyError::NotCanonical)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(quantity: u16, second: u64, value: i64) -> Reading {
        Reading {
            quantity,
            time: TimeMs(second * 1_000),
            value,
        }
    }

    fn read_back(body: &[u8]) -> Result<Vec<Reading>, BodyError> {
        let mut out = Vec::new();
        decode(body, &mut out).map(|()| out)
    }

    #[test]
    fn the_bytes_of_a_pack_are_these_for_ever() {
        let pack = [
            reading(RAIN, 1_500_076_800, 101),
            reading(RAIN, 1_500_077_100, 0),
            reading(TEMPERATURE, 1_500_076_800, 19_500),
            reading(TEMPERATURE, 1_500_077_100, -3_000),
        ];
        let body = encode(&pack).expect("a pack");
        let hex: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
        let expected = concat!(
            "84",
            "a402c48222186521647261696e221a59695b0023626d6d",
            "a20200",
            "0619012c",
            "a302c4822018c3216b74656d7065726174757265236343656c",
            "a20222",
            "0619012c",
        );
        assert_eq!(hex, expected);
        assert_eq!(read_back(&body), Ok(pack.to_vec()));
    }

    #[test]
    fn any_pack_reads_back_whatever_the_order_it_was_given_in() {
        for value in [0, 1, -1, 10, 100, 1_000, 999, 101_000, VALUE_MAX, -VALUE_MAX] {
            let mut pack: Vec<Reading> = (0..8)
                .flat_map(|q| (0..64).map(move |s| reading(q, 1_000 + 60 * s, value)))
                .collect();
            let sorted = encode(&pack).expect("a pack");
            pack.reverse();
            assert_eq!(encode(&pack).as_ref(), Ok(&sorted));
            pack.reverse();
            assert_eq!(read_back(&sorted), Ok(pack));
        }
    }

    #[test]
    fn what_cannot_be_a_pack_is_refused() {
        for (pack, why) in [
            (vec![], "nothing"),
            (vec![reading(8, 0, 0)], "no such quantity"),
            (vec![reading(0, 0, VALUE_MAX + 1)], "too large"),
            (vec![reading(0, 0, 0), reading(0, 0, 1)], "two values at a time"),
            (
                vec![Reading {
                    quantity: 0,
                    time: TimeMs(1),
                    value: 0,
                }],
                "a fraction of a second",
            ),
            ((0..65).map(|s| reading(0, s, 0)).collect(), "too many"),
        ] {
            assert!(encode(&pack).is_err(), "{why}");
        }
    }

    #[test]
    fn another_form_of_the_same_pack_is_refused() {
        for (hex, why) in [
            ("81a402c48222186521647261696e22190e1023626d6d", None),
            ("81a402c48222186521647261696e22190e1023626d6d00", Some("a byte follows")),
            (
                "9fa402c48222186521647261696e22190e1023626d6dff",
                Some("indefinite array"),
            ),
            (
                "81a421647261696e02c482221865 22190e1023626d6d",
                Some("keys in another order"),
            ),
            (
                "81a402c48222190065 21647261696e22190e1023626d6d",
                Some("a longer integer"),
            ),
            ("81a402c482211865 21647261696e22190e1023626d63", Some("another unit")),
            ("81a402c4822319 03f221647261696e22190e1023626d6d", Some("more decimals")),
            ("81a402c48221186421647261696e22190e1023626d6d", Some("trailing zero")),
            (
                "81a502c48222186506 0021647261696e22190e1023626d6d",
                Some("a zero time said"),
            ),
            ("81a402fb3fb99999 9999999a21647261696e22190e1023626d6d", Some("a float")),
            ("81a402c48222186521647261696f22190e1023626d6d", Some("no such name")),
        ] {
            let hex: String = hex.split_whitespace().collect();
            let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
            let body: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
            assert_eq!(read_back(&body).is_err(), why.is_some(), "{why:?}");
        }
    }
}
