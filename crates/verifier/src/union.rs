//! All verifiers' anchored reports of an epoch as one list, each report once, in the order of its id: what everybody judges. Believes no
//! byte of another verifier that does not follow from a device's signature or the ledger. Decides on bytes and the ledger alone, so
//! that all who have the same files come to the same list.
//!
//! ```text
//! a file   counts when its hash, its number of rows and the root of its ids are as anchored; else it counts as empty
//! a row    counts when its envelope is a report of this network and epoch, signed by the device; else it is left out
//! a report that several verifiers have counts once, received when the first of them says
//! too much: the shortest files are taken first, as many as fit into UNION_BYTES_MAX
//! ```
//! When a report was received is its verifier's word; nobody else can know.

#[cfg(test)]
mod tests;

use crate::archive::{OrderMeters, reports};
use crate::attest;
use crate::chain::{ChainError, ChainView, DeviceAt, SettledOrder};
use crate::collector::Sealed;
use crate::limits::{LEFT_DEVICES_MAX, UNION_BYTES_MAX};
use crate::meters::{self, MeterEntry};
use crate::roster::RosterMember;
use cairn_ledger::records::Anchor;
use cairn_types::batch::{self, Signed};
use cairn_types::{AccountId, DeviceId, DeviceNumber, Envelope, EpochClock, EpochNumber, NetworkId, PublicKey, hash};
use std::collections::{BTreeMap, HashMap};

/// Pairs of reports that are kept as evidence of one epoch.
pub const CONFLICTS_MAX: usize = 64;

/// What the files are held against.
pub struct Held<'a> {
    pub chain: &'a dyn ChainView,
    pub network: NetworkId,
    pub epoch: EpochNumber,
    pub clock: EpochClock,
    /// The members of the epoch, sorted by number.
    pub roster: &'a [RosterMember],
    /// The vouchers settled in the epoch, in the ledger's order.
    pub settled: &'a [SettledOrder],
    /// Our own file needs no second check of its signatures.
    pub own: AccountId,
}

/// Two different reports that a device signed under one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    pub first: Vec<u8>,
    pub second: Vec<u8>,
}

/// What everybody judges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Union {
    /// Sorted by id, each once.
    pub rows: Vec<Sealed>,
    /// One for each settled voucher, in the ledger's order.
    pub meters: Vec<OrderMeters>,
    /// Verifiers whose file or rows do not count, and why.
    pub faults: Vec<(AccountId, String)>,
    pub conflicts: Vec<Conflict>,
}

/// One verifier's file, once all of it is checked.
struct Checked {
    bytes: u64,
    rows: Vec<Sealed>,
    meters: Vec<OrderMeters>,
}

/// The union of the files of these anchors, in the order in which the ledger has them.
pub fn of(held: &Held<'_>, files: Vec<(Anchor, Vec<u8>)>) -> Result<Union, ChainError> {
    let mut union = Union::default();
    let mut checked = Vec::with_capacity(files.len());
    let keys: HashMap<DeviceId, (DeviceNumber, PublicKey)> = held
        .roster
        .iter()
        .map(|member| (member.device(), (member.number, member.key)))
        .collect();
    for (anchor, bytes) in files {
        match file(&anchor, bytes) {
            Ok((rows, meters)) => {
                let (rows, out) = held.rows(&keys, rows, anchor.verifier == held.own)?;
                if let Some(why) = out {
                    union.faults.push((anchor.verifier, why));
                }
                let bytes = rows.iter().map(|row| row.envelope.len() as u64).sum();
                checked.push((bytes, anchor, Checked { bytes, rows, meters }));
            }
            Err(why) => union.faults.push((anchor.verifier, why)),
        }
    }
    checked.sort_by_key(|(bytes, anchor, _)| (*bytes, anchor.reports_hash));
    let (mut room, mut said) = (UNION_BYTES_MAX, BTreeMap::new());
    for (_, anchor, file) in checked {
        match room.checked_sub(file.bytes) {
            Some(left) => {
                room = left;
                union.rows.extend(file.rows);
                said.extend(file.meters.into_iter().filter_map(entries));
            }
            None => {
                let why = format!("{} bytes of reports, which is too much", file.bytes);
                union.faults.push((anchor.verifier, why));
            }
        }
    }
    // Of one report the row that was received first stands first and stays. Two envelopes may carry different signatures of one report.
    union.rows.sort_unstable_by(|one, other| {
        (one.id, one.received, &one.envelope).cmp(&(other.id, other.received, &other.envelope))
    });
    union.rows.dedup_by_key(|row| row.id);
    union.conflicts = conflicts(&union.rows);
    let order = |settled: &SettledOrder| OrderMeters {
        settled: *settled,
        entries: said.get(settled).cloned().unwrap_or_default(),
    };
    union.meters = held.settled.iter().map(order).collect();
    Ok(union)
}

/// Rows and meters of a file that is as it was anchored.
fn file(anchor: &Anchor, bytes: Vec<u8>) -> Result<(Vec<Sealed>, Vec<OrderMeters>), String> {
    if hash::sha256(&bytes) != anchor.reports_hash {
        return Err("another file than the anchored one".to_owned());
    }
    let (rows, meters) = reports::read_all(bytes)?;
    if rows.len() as u64 != anchor.count {
        return Err(format!("{} reports, {} were anchored", rows.len(), anchor.count));
    }
    if !rows.is_sorted_by(|one, next| one.id < next.id) || attest::archive_root(&rows) != anchor.root {
        return Err("reports under another root than the anchored one".to_owned());
    }
    Ok((rows, meters))
}

/// What was said of a voucher, if it is what the voucher was for.
fn entries(order: OrderMeters) -> Option<(SettledOrder, Vec<MeterEntry>)> {
    let is_sorted = order.entries.is_sorted_by(|one, next| one.device < next.device);
    let holds = is_sorted && order.entries.len() <= meters::ENTRIES_MAX;
    (holds && meters::root(&order.entries) == order.settled.meters).then_some((order.settled, order.entries))
}

impl Held<'_> {
    /// The rows that count, as the ledger and their envelopes have them, and what is wrong with the others.
    fn rows(
        &self,
        keys: &HashMap<DeviceId, (DeviceNumber, PublicKey)>,
        rows: Vec<Sealed>,
        is_own: bool,
    ) -> Result<(Vec<Sealed>, Option<String>), ChainError> {
        let before = rows.len();
        let mut left: BTreeMap<DeviceId, Option<DeviceAt>> = BTreeMap::new();
        let mut known = Vec::with_capacity(rows.len());
        for row in rows {
            let Ok(envelope) = Envelope::parse(&row.envelope) else {
                continue;
            };
            let report = &envelope.report;
            let is_of = report.network == self.network && self.clock.epoch_of(report.time) == Some(self.epoch);
            if !is_of || envelope.id() != row.id {
                continue;
            }
            let device = match keys.get(&envelope.device) {
                Some(member) => Some(*member),
                None => self.left(&mut left, &envelope.device)?,
            };
            if let Some((number, key)) = device.filter(|(_, key)| envelope.is_of(key)) {
                let row = Sealed {
                    device: number,
                    time: report.time,
                    sequence: report.sequence,
                    ..row
                };
                known.push((key, envelope, row));
            }
        }
        let holds = if is_own {
            vec![true; known.len()]
        } else {
            let signed = known
                .iter()
                .map(|(key, envelope, _)| Signed::plain(*key, envelope.signed_bytes(), envelope.signature));
            batch::verify(&signed.collect::<Vec<_>>())
        };
        let rows: Vec<Sealed> = known
            .into_iter()
            .zip(holds)
            .filter_map(|((.., row), holds)| holds.then_some(row))
            .collect();
        let out = before - rows.len();
        let why = (out > 0).then(|| format!("{out} of {before} reports are no device's reports of this epoch"));
        Ok((rows, why))
    }

    /// A device that was registered once and is no member any more.
    fn left(
        &self,
        left: &mut BTreeMap<DeviceId, Option<DeviceAt>>,
        device: &DeviceId,
    ) -> Result<Option<(DeviceNumber, PublicKey)>, ChainError> {
        let found = match left.get(device) {
            Some(known) => *known,
            None if left.len() >= LEFT_DEVICES_MAX => None,
            None => *left.entry(*device).or_insert(self.chain.device(device)?),
        };
        Ok(found.map(|found| (found.number, found.key)))
    }
}

/// Reports that share device and number with another, two and two.
fn conflicts(rows: &[Sealed]) -> Vec<Conflict> {
    let mut order: Vec<&Sealed> = rows.iter().collect();
    order.sort_unstable_by_key(|row| (row.device, row.sequence, row.id));
    let pairs = order.chunk_by(|one, next| (one.device, one.sequence) == (next.device, next.sequence));
    let conflict = |same: &[&Sealed]| match same {
        [first, second, ..] => Some(Conflict {
            first: first.envelope.clone(),
            second: second.envelope.clone(),
        }),
        _ => None,
    };
    pairs.filter_map(conflict).take(CONFLICTS_MAX).collect()
}
