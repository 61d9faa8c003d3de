//! Parameters of networks of hotspots in words, and what they hold receptions against.

use super::{Said, said};
use crate::words::signed_decimal;
use cairn_types::Reason;
use cairn_verticals::wireless::judge::reasons::*;
use cairn_verticals::wireless::params::{COARSEST, Params};
use cairn_verticals::wireless::region::REGIONS;

#[rustfmt::skip]
pub fn all(params: &Params) -> Vec<Said> {
    let regions = regions(params);
    let density = (COARSEST..).zip(&params.density);
    let density = density.map(|(resolution, level)| format!("{resolution}: {}, {}, {}", level.neighbours, level.target, level.max));
    let density = density.collect::<Vec<_>>().join("; ");
    vec![
        said("regions", regions, "", "Regions of the radio spectrum that the network runs in."),
        said("beacon_after_ms", params.beacon_after_ms, "ms", "No beacon is asked for so early in an epoch: its seed must reach the devices first."),
        said("beacon_off_ms", params.beacon_off_ms, "ms", "How far from its time a beacon may be sent."),
        said("clock_ms", params.clock_ms, "ms", "How far a device's clock may be off."),
        said("late_ms", params.late_ms, "ms", "A frame delivered later than this after it was heard is of no use to the customer."),
        said("same_ms", params.same_ms, "ms", "Receptions of a frame nearer to each other than this are of one transmission."),
        said("repeat_ms", params.repeat_ms, "ms", "A sender may repeat a frame for so long; whoever hears it later hears a replay."),
        said("replay_epochs", params.replay_epochs, "epochs", "Frames are remembered for so long."),
        said("place_off_m", params.place_off_m, "m", "How far a place may be off by itself, besides the size of its cell."),
        said("height_m", params.height_m, "m", "Height above the sea where it is not known."),
        said("gain_ddbi", tenth(params.gain_ddbi), "dBi", "The antenna of a device that says nothing of its own."),
        said("gain_max_ddbi", tenth(params.gain_max_ddbi), "dBi", "The best antenna anybody is believed to have."),
        said("stronger_ddb", tenth(params.stronger_ddb), "dB", "How much stronger than in free space a signal may be."),
        said("weaker_ddb", tenth(params.weaker_ddb), "dB", "How much weaker than readable a signal may be."),
        said("apart_steps", params.apart_steps, "cells", "Witnesses count from so many cells away."),
        said("witness_target", params.witness_target, "witnesses", "So many witnesses, and so many beacons witnessed, prove the whole of an epoch's coverage."),
        said("witness_max", params.witness_max, "witnesses", "At most so many of the valid witnesses of a beacon count, drawn by lot."),
        said("repeat_percent", params.repeat_percent, "%", "A witness of the same device is worth so much less each epoch it repeats itself."),
        said("repeat_floor", params.repeat_floor, "%", "A repeated witness is worth this at least."),
        said("both_ways_epochs", params.both_ways_epochs, "epochs", "Who has not both sent and witnessed for so long is not believed to have a radio that does."),
        said("twin_min", params.twin_min, "receptions", "So many receptions with signal and noise alike are the least that prove one radio."),
        said("twin_percent", params.twin_percent, "%", "They prove it if so many of all common receptions are alike."),
        said("twin_long_min", params.twin_long_min, "receptions", "So many common receptions with the same signal, whatever the noise, are the least that prove one radio."),
        said("twin_long_percent", params.twin_long_percent, "%", "They prove it if the signal is the same in so many of them."),
        said("twin_ddb", tenth(params.twin_ddb), "dB", "Signals no further apart than this are the same."),
        said("density", density, "H3 resolution: counted from neighbours, target, most", "How many devices a place holds before more of them share what it earns, from coarse to fine."),
        said("price_credits", params.price_credits, "credits", "The price of a million packets of 24 bytes; a credit is a millionth of a US dollar."),
        said("references", params.references.len(), "senders", "Senders the network set up itself at surveyed places: their frames prove coverage to whoever hears them."),
    ]
}

fn regions(params: &Params) -> String {
    let regions = (0u8..).zip(REGIONS).filter(|(number, _)| params.has_region(*number));
    let regions: Vec<&str> = regions.map(|(_, region)| region.name).collect();
    regions.join(", ")
}

fn tenth(value: i16) -> String {
    signed_decimal(value.into(), 1)
}

/// What a rule holds a reception against, with its unit, where the parameters fix that.
pub fn limit(params: &Params, rule: Reason) -> Option<(String, &'static str)> {
    Some(match rule {
        OUTSIDE_EPOCH => ("0".to_owned(), "ms"),
        CLOCK => (params.clock_ms.to_string(), "ms"),
        LATE => (params.late_ms.to_string(), "ms"),
        OFF_SCHEDULE => (params.beacon_off_ms.to_string(), "ms"),
        NOT_ASKED => ("1".to_owned(), "beacons"),
        UNHEARD => ("1".to_owned(), "witnesses"),
        DUPLICATE => ("1".to_owned(), "receptions"),
        REPLAYED => (params.repeat_ms.to_string(), "ms"),
        TOO_STRONG => (tenth(params.stronger_ddb), "dB above free space"),
        TOO_WEAK => (tenth(params.weaker_ddb), "dB below what can be read"),
        COPIED => (params.twin_min.to_string(), "receptions"),
        TOO_NEAR => (params.apart_steps.to_string(), "steps"),
        ONE_WAY => (params.both_ways_epochs.to_string(), "epochs"),
        NOT_DRAWN => (params.witness_max.to_string(), "witnesses"),
        WRONG_REGION => (regions(params), ""),
        _ => return None,
    })
}
