//! The two plain texts of stations: lines of `name=value` pairs, and the query strings sent to weather sites.
//!
//! Query strings are in inches, Fahrenheit and miles an hour; their rain counts up since midnight, so a reading is what was
//! added since the last one. Unknown names of a query string are passed over (it carries passwords and battery states);
//! in a line they are an error.

use crate::kit::decimal::scaled;
use crate::kit::{DriverError, Reading};
use crate::sensors::report;
use cairn_types::TimeMs;

/// The most lines of one message.
const LINES_MAX: usize = 1_024;

/// Lines of an optional time and pairs: `2017-07-15T00:00:00Z rain=0.101,temperature=19.5`. Separators are blanks, commas
/// or semicolons; `#` begins a comment.
pub fn read_lines(text: &str, now: TimeMs) -> Result<Vec<Reading>, DriverError> {
    let mut readings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if number >= LINES_MAX {
            return Err(DriverError::TooLong);
        }
        let line = line.split('#').next().unwrap_or("").trim();
        let mut time = now;
        for (place, word) in line
            .split([' ', ',', ';', '\t'])
            .filter(|word| !word.is_empty())
            .enumerate()
        {
            match word.split_once('=') {
                None if place == 0 => {
                    time = word
                        .parse()
                        .map_err(|_| DriverError::Malformed("a line starts with its time"))?
                }
                None => return Err(DriverError::Malformed("a line has a time and name=value pairs")),
                Some((name, value)) => readings.push(pair(name, value, time)?),
            }
        }
    }
    if readings.is_empty() {
        Err(DriverError::Malformed("no readings"))
    } else {
        Ok(readings)
    }
}

fn pair(name: &str, value: &str, time: TimeMs) -> Result<Reading, DriverError> {
    let text = report::quantity(name).ok_or_else(|| DriverError::Unknown(name.chars().take(32).collect()))?;
    let value = scaled(value, text.decimals, 1, 1).ok_or(DriverError::Malformed("a value is a decimal number"))?;
    Ok(Reading {
        quantity: text.quantity,
        time,
        value,
    })
}

/// Names of a query string: quantity, and the factor to its unit as a fraction.
const FIELDS: &[(&str, u16, i64, i64)] = &[
    ("humidity", report::HUMIDITY, 1, 1),
    ("baromin", report::PRESSURE, 3_386_389, 1_000), // inches of mercury to pascal
    ("windspeedmph", report::WIND, 44_704, 100_000), // miles an hour to metres a second
    ("AqPM2.5", report::PM25, 1, 1),
    ("AqPM10", report::PM10, 1, 1),
];

/// A query string; `counter` is the rain counter of the message before, in micrometres.
pub fn read_query(text: &str, now: TimeMs, counter: &mut Option<i64>) -> Result<Vec<Reading>, DriverError> {
    const NUMBER: DriverError = DriverError::Malformed("a value is a decimal number");
    let query = text.rsplit_once('?').map_or(text, |(_, query)| query);
    let query = query.split_whitespace().next().unwrap_or("");
    let mut time = now;
    let mut found: Vec<(u16, i64)> = Vec::new();
    let mut rain = None;
    for (name, value) in query.split('&').filter_map(|field| field.split_once('=')) {
        let decimals = |quantity: u16| report::QUANTITIES[usize::from(quantity)].decimals;
        match name {
            "dateutc" if value != "now" => {
                let value = value
                    .replace('+', " ")
                    .replace("%20", " ")
                    .replace("%3A", ":")
                    .replace("%3a", ":");
                time = value
                    .parse()
                    .map_err(|_| DriverError::Malformed("dateutc is no time"))?;
            }
            "tempf" => {
                let tenths_of_milli = scaled(value, 4, 1, 1).ok_or(NUMBER)?;
                let above = tenths_of_milli
                    .checked_sub(320_000)
                    .and_then(|f| f.checked_mul(5))
                    .ok_or(NUMBER)?;
                found.push((report::TEMPERATURE, scaled(&above.to_string(), 0, 1, 90).ok_or(NUMBER)?));
            }
            "dailyrainin" => rain = Some(scaled(value, 3, 254, 10).ok_or(NUMBER)?),
            _ => {
                if let Some((_, quantity, mul, div)) = FIELDS.iter().find(|(known, ..)| *known == name) {
                    found.push((*quantity, scaled(value, decimals(*quantity), *mul, *div).ok_or(NUMBER)?));
                }
            }
        }
    }
    if let Some(now) = rain {
        match counter.replace(now) {
            Some(before) if now >= before => found.push((report::RAIN, now - before)),
            Some(_) => found.push((report::RAIN, now)),
            None => {}
        }
    }
    if found.is_empty() && rain.is_none() {
        return Err(DriverError::Malformed("no field of the query string is a quantity"));
    }
    Ok(found
        .into_iter()
        .map(|(quantity, value)| Reading { quantity, time, value })
        .collect())
}
