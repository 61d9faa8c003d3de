//! Frames of senders that the network itself set up at places it surveyed: whoever hears them proves coverage by hearing, as of a
//! beacon. A frame counts when devices of two operators heard it and both are believed. Nobody is blamed here, and no packet is
//! refused: what the lot passes over is only not coverage.

use super::said::Said;
use crate::kit::Epoch;
use crate::kit::witness::choose;
use crate::wireless::params::Params;
use std::collections::BTreeMap;

/// Notes the receptions that prove coverage, and adds what each member proved so, in percent of a witness: that of one that
/// repeats itself, as a reference never moves.
pub fn count(epoch: &Epoch, params: &Params, ranks: &[u32], said: &mut Said, percents: &mut [u64]) {
    let mut frames: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (place, reception) in said.heard.iter().enumerate() {
        let source = reception
            .heard
            .source
            .filter(|_| reception.stands() && reception.beacon.is_none());
        let known = source.is_some_and(|source| source.place.is_some() && params.references.contains(&source.id));
        if known && !said.spoken[reception.spoken].excluded {
            frames.entry(reception.heard.frame).or_default().push(place);
        }
    }
    for (frame, places) in frames {
        let operator = |place: &usize| epoch.roster[said.heard[*place].row].operator;
        if places.iter().all(|place| operator(place) == operator(&places[0])) {
            continue;
        }
        let key = |place: &usize| {
            let row = said.heard[*place].row;
            (epoch.roster[row].cell.get(), ranks[row])
        };
        let keys: Vec<(u64, u32)> = places.iter().map(key).collect();
        let chosen = choose(&epoch.beacon, frame, &keys, params.witness_max.into());
        for place in places
            .iter()
            .zip(chosen)
            .filter_map(|(place, chosen)| chosen.then_some(*place))
        {
            said.heard[place].proves = true;
            percents[said.heard[place].row] += u64::from(params.repeat_floor);
        }
    }
}
