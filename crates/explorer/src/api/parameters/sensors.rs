//! Parameters of networks of sensors in words, and what they hold readings against.

use super::{Said, said, scaled};
use cairn_types::Reason;
use cairn_verticals::kit::QuantityText;
use cairn_verticals::kit::range::Limits;
use cairn_verticals::sensors::judge::reasons::*;
use cairn_verticals::sensors::params::Params;
use cairn_verticals::sensors::report::QUANTITIES;

#[rustfmt::skip]
pub fn all(params: &Params) -> Vec<Said> {
    let paid: Vec<&str> = paid(params).map(|text| text.name).collect();
    vec![
        said("slot_ms", params.slot_ms, "ms", "Time is cut into slots; a slot has one reading of a quantity."),
        said("paid", paid.join(", "), "", "Quantities the network pays for."),
        said("ahead_ms", params.ahead_ms, "ms", "How far ahead of the verifier's clock a device's may be."),
        said("near_steps", params.near_steps, "cells", "Neighbours are so many cells away or nearer."),
        said("near_resolution", params.near_resolution, "H3 resolution", "Cells in which neighbours are counted."),
        said("near_min", params.near_min, "devices", "Fewer neighbours than this prove nothing."),
        said("near_max", params.near_max, "devices", "At most so many neighbours are asked, the nearest first."),
        said("zero_slots", params.zero_slots, "slots", "Zeros in more slots than this, with rain all around, are faulty."),
        said("influx_low", params.influx_low, "µm", "Below this median of the neighbours it hardly rains."),
        said("influx_high", params.influx_high, "µm", "More than this is too much where it hardly rains."),
        said("unit_factor", params.unit_factor, "times", "Values so many times the neighbours' median look like another unit."),
        said("unit_slots", params.unit_slots, "slots", "The least number of wet slots that prove another unit."),
        said("place_epochs", params.place_epochs, "epochs", "The least number of compared epochs that prove a wrong place."),
        said("place_wet", params.place_wet, "epochs", "The least number of wet epochs that prove a wrong place."),
        said("place_percent", params.place_percent, "%", "A lower correlation with the neighbours is none."),
        said("copy_changes", params.copy_changes, "changes", "Series equal to another device's in so many changes of value are copies."),
        said("copy_lead_ms", params.copy_lead_ms, "ms", "Of equal series the one received earlier by more than this is the original."),
        said("replay_changes", params.replay_changes, "changes", "Series equal to the device's own earlier one in so many changes are replays."),
        said("crowd_target", params.crowd_target, "devices", "More devices than this in one cell share what this many earn."),
        said("crowd_resolution", params.crowd_resolution, "H3 resolution", "Cells in which devices crowd."),
        said("price_credits", params.price_credits, "credits", "The price of a million rows; a credit is a millionth of a US dollar."),
    ]
}

fn paid(params: &Params) -> impl Iterator<Item = &'static QuantityText> {
    QUANTITIES.iter().filter(|text| params.is_paid(text.quantity))
}

/// What a rule holds a reading against, with its unit, where the parameters fix that.
pub fn limit(params: &Params, rule: Reason) -> Option<(String, &'static str)> {
    let seconds = || (u64::from(params.ahead_ms) / 1_000).to_string();
    let text = QUANTITIES.first();
    let rain = |value: u32| text.map(|text| (scaled(value.into(), text), text.unit));
    Some(match rule {
        AHEAD => (seconds(), "s"),
        OUTSIDE_EPOCH => ("0".to_owned(), "s"),
        DUPLICATE | RATE => ("1".to_owned(), "readings"),
        COPIED => (params.copy_changes.to_string(), "equal changes of value"),
        REPLAYED => (params.replay_changes.to_string(), "equal changes of value"),
        WRONG_PLACE => (params.place_percent.to_string(), "% correlation"),
        FAULTY_ZERO => (params.zero_slots.to_string(), "slots"),
        HIGH_INFLUX => return rain(params.influx_high),
        CROWDED => (params.crowd_target.to_string(), "devices"),
        RANGE => (
            each(params, |limits, text| {
                Some(format!("{} to {}", scaled(limits.min, text), scaled(limits.max, text)))
            })?,
            "",
        ),
        JUMP => (each(params, |limits, text| within(limits.jump, text))?, ""),
        APART => (each(params, |limits, text| within(limits.apart, text))?, ""),
        STUCK => {
            let slots = |limits: &Limits| (limits.stuck > 0).then(|| format!("{} slots", limits.stuck));
            let each = paid(params).filter_map(|text| Some(format!("{}: {}", text.name, slots(of(params, text)?)?)));
            (joined(each)?, "")
        }
        _ => return None,
    })
}

fn of<'a>(params: &'a Params, text: &QuantityText) -> Option<&'a Limits> {
    params.limits.get(usize::from(text.quantity))
}

/// A limit of each quantity that is paid for.
fn each(params: &Params, limit: impl Fn(&Limits, &QuantityText) -> Option<String>) -> Option<String> {
    joined(paid(params).filter_map(|text| {
        let limit = limit(of(params, text)?, text)?;
        Some(format!("{}: {limit} {}", text.name, text.unit))
    }))
}

fn joined(limits: impl Iterator<Item = String>) -> Option<String> {
    Some(limits.collect::<Vec<_>>().join("; ")).filter(|all| !all.is_empty())
}

/// No limit where it is zero.
fn within(limit: i64, text: &QuantityText) -> Option<String> {
    (limit > 0).then(|| scaled(limit, text))
}
