//! A network's parameters in words. Each vertical's list is here only as names and sentences; the numbers are what it decodes.

mod sensors;
mod wireless;

use crate::words::signed_decimal;
use cairn_types::Reason;
use cairn_verticals::kit::reasons::EXCLUDED;
use cairn_verticals::kit::{QuantityText, Rules};
use cairn_verticals::{sensors::params::Params as Sensors, wireless::params::Params as Wireless};
use serde_json::{Value, json};

/// Name, value, unit and sentence of a parameter.
struct Said {
    name: &'static str,
    value: String,
    unit: &'static str,
    sentence: &'static str,
}

fn said(name: &'static str, value: impl ToString, unit: &'static str, sentence: &'static str) -> Said {
    Said {
        name,
        value: value.to_string(),
        unit,
        sentence,
    }
}

/// A value in a quantity's own unit.
fn scaled(value: i64, text: &QuantityText) -> String {
    signed_decimal(value, text.decimals)
}

/// What a vertical's bytes say. A new vertical has a place here, or its networks have no words for their numbers.
enum Known {
    Sensors(Box<Sensors>),
    Wireless(Wireless),
}

impl Known {
    fn of(vertical: &str, bytes: &[u8]) -> Option<Self> {
        match vertical {
            "sensors" => Sensors::decode(bytes)
                .ok()
                .map(|params| Self::Sensors(Box::new(params))),
            "wireless" => Wireless::decode(bytes).ok().map(Self::Wireless),
            _ => None,
        }
    }
}

/// Name, value, unit and sentence of each parameter; bytes that cannot be read are said to be so.
pub fn in_words(vertical: &str, bytes: &[u8]) -> Value {
    let Some(kind) = cairn_verticals::by_name(vertical) else {
        return json!([]);
    };
    if let Err(error) = kind.check_params(bytes) {
        return json!([{ "name": "unreadable", "value": error.to_string(), "unit": "", "sentence": "The parameters are not of this kind of network." }]);
    }
    let mut all = match Known::of(vertical, bytes) {
        Some(Known::Sensors(params)) => sensors::all(&params),
        Some(Known::Wireless(params)) => wireless::all(&params),
        None => Vec::new(),
    };
    if let Ok(rules) = kind.reputation(bytes) {
        all.extend(reputation(&rules));
    }
    let face =
        |said: Said| json!({ "name": said.name, "value": said.value, "unit": said.unit, "sentence": said.sentence });
    all.into_iter().map(face).collect()
}

/// Parts of 10,000 in percent.
fn percent(parts: u16) -> String {
    signed_decimal(parts.into(), 2)
}

#[rustfmt::skip]
fn reputation(rules: &Rules) -> [Said; 6] {
    [
        said("reputation.memory_epochs", rules.memory_epochs, "epochs", "Reputation forgets one part in so many each epoch, and knows so many at most."),
        said("reputation.doubt_epochs", rules.doubt_epochs, "epochs", "The benefit of the doubt: so many epochs count as known beforehand, nineteen in twenty of them good."),
        said("reputation.full", percent(rules.full), "%", "A score of this and above is paid in full; a new device has more."),
        said("reputation.line", percent(rules.line), "%", "A score below this excludes the device for a time; 0 excludes nobody."),
        said("reputation.floor", percent(rules.floor), "%", "Of its units a device is paid this part at least."),
        said("reputation.exclude_epochs", rules.exclude_epochs, "epochs", "How long an exclusion lasts."),
    ]
}

/// What a rule holds a report against and its unit, where the parameters fix that.
pub fn limit(vertical: &str, bytes: &[u8], rule: Reason) -> Option<(String, &'static str)> {
    if rule == EXCLUDED {
        let rules = cairn_verticals::by_name(vertical)?.reputation(bytes).ok()?;
        return Some((percent(rules.line), "% reputation"));
    }
    match Known::of(vertical, bytes)? {
        Known::Sensors(params) => sensors::limit(&params, rule),
        Known::Wireless(params) => wireless::limit(&params, rule),
    }
}

/// Whether a network pays for a quantity, where its parameters say so.
pub fn is_paid(vertical: &str, bytes: &[u8], quantity: u16) -> Option<bool> {
    match Known::of(vertical, bytes)? {
        Known::Sensors(params) => Some(params.is_paid(quantity)),
        Known::Wireless(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_and_every_limit_of_every_vertical_has_words() {
        for vertical in cairn_verticals::ALL {
            let params = vertical.default_params();
            let said = in_words(vertical.name(), &params);
            let said = said.as_array().unwrap();
            // Those of reputation, and at least as many of its own.
            assert!(said.len() > 12, "{}", vertical.name());
            for one in said {
                assert!(!one["value"].as_str().unwrap().is_empty(), "{one}");
                assert!(one["sentence"].as_str().unwrap().ends_with('.'), "{one}");
            }
            let limits = vertical.reasons().iter();
            let limits = limits.filter(|text| limit(vertical.name(), &params, text.reason).is_some());
            assert!(limits.count() > 8, "{}", vertical.name());
        }
        let params = Sensors::default().encode();
        let (limit, unit) = limit("sensors", &params, Reason(102)).unwrap();
        assert_eq!((limit.as_str(), unit), ("rain: 0 to 50 mm", ""));
        assert_eq!(in_words("sensors", &[0x80])[0]["name"], "unreadable");
    }
}
