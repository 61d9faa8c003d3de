//! SenML in JSON (RFC 8428 §4): an array of flat records. Numbers are read from their text, so that no value passes through
//! a float. Records resolve to readings as the RFC says; only what concerns readings is understood, the rest is refused.

use crate::kit::decimal::{scaled, text};
use crate::kit::json::Text;
use crate::kit::{DriverError, QuantityText, Reading};
use crate::sensors::report;
use cairn_types::TimeMs;

/// The most records of one message.
const RECORDS_MAX: usize = 4_096;

/// Times below this are relative to now (RFC 8428 §4.5.3).
const RELATIVE_BELOW: i64 = 1 << 28;

const SHAPE: DriverError = DriverError::Malformed("not an array of SenML records");

/// The readings of a pack.
pub fn read(text: &str, now: TimeMs) -> Result<Vec<Reading>, DriverError> {
    let mut rest = Text::new(text);
    let many = rest.take(b'[');
    let mut base = Base::default();
    let mut readings = Vec::new();
    loop {
        if readings.len() >= RECORDS_MAX {
            return Err(DriverError::TooLong);
        }
        readings.push(record(&mut rest, &mut base, now)?);
        if !many || !rest.take(b',') {
            break;
        }
    }
    let closed = !many || rest.take(b']');
    if closed && rest.is_empty() {
        Ok(readings)
    } else {
        Err(SHAPE)
    }
}

/// Readings as a pack in JSON, for ports that speak it.
pub fn senml(readings: &[Reading]) -> String {
    let record = |reading: &Reading| {
        let quantity = report::QUANTITIES.get(usize::from(reading.quantity))?;
        let (name, unit, seconds) = (quantity.name, quantity.unit, reading.time.0 / 1_000);
        Some(format!(
            r#"{{"n":"{name}","u":"{unit}","t":{seconds},"v":{}}}"#,
            text(reading.value, quantity.decimals)
        ))
    };
    format!("[{}]", readings.iter().filter_map(record).collect::<Vec<_>>().join(","))
}

/// Base fields, which hold until they are said again.
#[derive(Default)]
struct Base<'a> {
    name: &'a str,
    unit: Option<&'a str>,
    time: i64,
}

fn record<'a>(rest: &mut Text<'a>, base: &mut Base<'a>, now: TimeMs) -> Result<Reading, DriverError> {
    if !rest.take(b'{') {
        return Err(SHAPE);
    }
    let (mut name, mut unit, mut time, mut value) = ("", None, 0, None);
    loop {
        let label = rest.string()?;
        if !rest.take(b':') {
            return Err(SHAPE);
        }
        match label {
            "bn" => base.name = rest.string()?,
            "bu" => base.unit = Some(rest.string()?),
            "bt" => base.time = milliseconds(rest.number()?)?,
            "bver" => drop(rest.number()?),
            "n" => name = rest.string()?,
            "u" => unit = Some(rest.string()?),
            "t" => time = milliseconds(rest.number()?)?,
            "v" => value = Some(rest.number()?),
            _ => return Err(DriverError::Malformed("a label that is not of a reading")),
        }
        if !rest.take(b',') {
            break;
        }
    }
    if !rest.take(b'}') {
        return Err(SHAPE);
    }
    let text = resolve(base.name, name)?;
    let value = value.ok_or(DriverError::Malformed("a record without a value"))?;
    let value = convert(text, unit.or(base.unit), value)?;
    let time = base.time.checked_add(time).ok_or(SHAPE)?;
    let time = if time < RELATIVE_BELOW * 1_000 {
        i64::try_from(now.0).ok().and_then(|now| now.checked_add(time))
    } else {
        Some(time)
    };
    let time = time
        .and_then(|time| u64::try_from(time).ok())
        .ok_or(DriverError::Malformed("a time before 1970"))?;
    Ok(Reading {
        quantity: text.quantity,
        time: TimeMs(time),
        value,
    })
}

/// The quantity of a base name and a name: what follows the last colon or slash of both together.
fn resolve(base: &str, name: &str) -> Result<&'static QuantityText, DriverError> {
    let whole = format!("{base}{name}");
    let last = whole.rsplit([':', '/']).next().unwrap_or("");
    report::quantity(last).ok_or_else(|| DriverError::Unknown(last.chars().take(32).collect()))
}

/// A value in its quantity's fixed unit, from the units stations use.
fn convert(quantity: &QuantityText, unit: Option<&str>, value: &str) -> Result<i64, DriverError> {
    let (mul, div) = match (quantity.quantity, unit.unwrap_or(quantity.unit)) {
        (_, unit) if unit == quantity.unit => (1, 1),
        (report::RAIN, "m") => (1_000, 1),
        (report::TEMPERATURE, "K") => {
            let kelvin = scaled(value, 3, 1, 1).and_then(|kelvin| kelvin.checked_sub(273_150));
            return kelvin.ok_or(DriverError::Malformed("a value is a decimal number"));
        }
        (report::HUMIDITY, "/") => (100, 1),
        (report::PRESSURE, "hPa") => (100, 1),
        (report::WIND, "km/h") => (10, 36),
        (report::PM25 | report::PM10, "kg/m3") => (1_000_000_000, 1),
        (report::NOISE, "dBA") => (1, 1),
        (_, unit) => return Err(DriverError::Unknown(unit.chars().take(32).collect())),
    };
    scaled(value, quantity.decimals, mul, div).ok_or(DriverError::Malformed("a value is a decimal number"))
}

fn milliseconds(seconds: &str) -> Result<i64, DriverError> {
    scaled(seconds, 3, 1, 1).ok_or(DriverError::Malformed("a time is a number of seconds"))
}
