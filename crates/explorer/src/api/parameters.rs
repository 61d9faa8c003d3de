//! A network's parameters in words. Each vertical's list is here only as names and sentences; the numbers are what it decodes.

use cairn_verticals::sensors;
use serde_json::{Value, json};

/// Name, value, unit and sentence of each parameter; bytes that cannot be read are said to be so.
pub fn in_words(vertical: &str, bytes: &[u8]) -> Value {
    let Some(known) = cairn_verticals::by_name(vertical) else {
        return json!([]);
    };
    if let Err(error) = known.check_params(bytes) {
        return json!([{ "name": "unreadable", "value": error.to_string(), "unit": "", "sentence": "The parameters are not of this kind of network." }]);
    }
    let mut all = match sensors::params::Params::decode(bytes) {
        Ok(params) if vertical == "sensors" => of_sensors(&params),
        _ => Vec::new(),
    };
    if let Ok(rules) = known.reputation(bytes) {
        let line = format!("{rules:?}");
        let line = line
            .trim_start_matches("Rules ")
            .trim_matches(|letter| " {}".contains(letter))
            .to_owned();
        all.push((
            "reputation",
            line,
            "",
            "How much of what a device said lately must be believed, and what follows if it is not.",
        ));
    }
    let face = |(name, value, unit, sentence): (&str, String, &str, &str)| json!({ "name": name, "value": value, "unit": unit, "sentence": sentence });
    all.into_iter().map(face).collect()
}

/// Whether a network pays for a quantity, where its parameters say so.
pub fn is_paid(vertical: &str, bytes: &[u8], quantity: u16) -> Option<bool> {
    match vertical {
        "sensors" => sensors::params::Params::decode(bytes)
            .ok()
            .map(|params| params.is_paid(quantity)),
        _ => None,
    }
}

fn of_sensors(params: &sensors::params::Params) -> Vec<(&'static str, String, &'static str, &'static str)> {
    let paid: Vec<&str> = sensors::report::QUANTITIES
        .iter()
        .filter(|text| params.is_paid(text.quantity))
        .map(|text| text.name)
        .collect();
    vec![
        (
            "slot_ms",
            params.slot_ms.to_string(),
            "ms",
            "Time is cut into slots; a slot has one reading of a quantity.",
        ),
        ("paid", paid.join(", "), "", "Quantities the network pays for."),
        (
            "ahead_ms",
            params.ahead_ms.to_string(),
            "ms",
            "How far ahead of the verifier's clock a device's may be.",
        ),
        (
            "near_steps",
            params.near_steps.to_string(),
            "cells",
            "Neighbours are so many cells away or nearer.",
        ),
        (
            "near_resolution",
            params.near_resolution.to_string(),
            "H3 resolution",
            "Cells in which neighbours are counted.",
        ),
        (
            "near_min",
            params.near_min.to_string(),
            "devices",
            "Fewer neighbours than this prove nothing.",
        ),
        (
            "near_max",
            params.near_max.to_string(),
            "devices",
            "At most so many neighbours are asked, the nearest first.",
        ),
        (
            "zero_slots",
            params.zero_slots.to_string(),
            "slots",
            "Zeros in more slots than this, with rain all around, are faulty.",
        ),
        (
            "influx_low",
            params.influx_low.to_string(),
            "µm",
            "Below this median of the neighbours it hardly rains.",
        ),
        (
            "influx_high",
            params.influx_high.to_string(),
            "µm",
            "More than this is too much where it hardly rains.",
        ),
        (
            "unit_factor",
            params.unit_factor.to_string(),
            "times",
            "Values so many times the neighbours' median look like another unit.",
        ),
        (
            "unit_slots",
            params.unit_slots.to_string(),
            "slots",
            "The least number of wet slots that prove another unit.",
        ),
        (
            "place_epochs",
            params.place_epochs.to_string(),
            "epochs",
            "The least number of compared epochs that prove a wrong place.",
        ),
        (
            "place_wet",
            params.place_wet.to_string(),
            "epochs",
            "The least number of wet epochs that prove a wrong place.",
        ),
        (
            "place_percent",
            params.place_percent.to_string(),
            "%",
            "A lower correlation with the neighbours is none.",
        ),
        (
            "copy_changes",
            params.copy_changes.to_string(),
            "changes",
            "Series equal to another device's in so many changes of value are copies.",
        ),
        (
            "copy_lead_ms",
            params.copy_lead_ms.to_string(),
            "ms",
            "Of equal series the one received earlier by more than this is the original.",
        ),
        (
            "replay_changes",
            params.replay_changes.to_string(),
            "changes",
            "Series equal to the device's own earlier one in so many changes are replays.",
        ),
        (
            "crowd_target",
            params.crowd_target.to_string(),
            "devices",
            "More devices than this in one cell share what this many earn.",
        ),
        (
            "crowd_resolution",
            params.crowd_resolution.to_string(),
            "H3 resolution",
            "Cells in which devices crowd.",
        ),
        (
            "price_credits",
            params.price_credits.to_string(),
            "credits",
            "The price of a million rows; a credit is a millionth of a US dollar.",
        ),
    ]
}
