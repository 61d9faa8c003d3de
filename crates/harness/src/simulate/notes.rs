//! What an onlooker who sees every wire writes down: which reports were sent, what each verifier said to them. It belongs to nobody,
//! survives every kill, and decides nothing.

use crate::CLOCK;
use cairn_types::intake::{IntakeAnswer, split_sequence};
use cairn_types::{DeviceId, Envelope, EpochNumber, Receipt, ReportId, TimeMs};
use std::collections::{BTreeMap, BTreeSet};

/// What became of one report.
#[derive(Clone, Debug)]
pub struct Told {
    pub device: DeviceId,
    pub epoch: EpochNumber,
    /// The first receipt each verifier gave, by its place, heard or not.
    pub receipts: BTreeMap<usize, Receipt>,
    /// Final refusals: when, by whom, under which code.
    pub refusals: Vec<(TimeMs, usize, u16)>,
}

/// The notes.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    pub told: BTreeMap<ReportId, Told>,
    /// Devices and epochs of which a message was not taken by an agent: nobody promised anything about it.
    pub not_taken: BTreeSet<(DeviceId, EpochNumber)>,
    pub receipts: u64,
}

impl Notes {
    /// A verifier's answers leave it, whether they arrive or not.
    pub fn answered(&mut self, now: TimeMs, house: usize, envelopes: &[&[u8]], answers: &[IntakeAnswer]) {
        for (envelope, answer) in envelopes.iter().zip(answers) {
            let envelope = Envelope::parse(envelope).expect("an agent sends envelopes");
            let told = self.told.entry(envelope.id()).or_insert_with(|| Told {
                device: envelope.device,
                epoch: CLOCK.epoch_of(envelope.report.time).unwrap_or_default(),
                receipts: BTreeMap::new(),
                refusals: Vec::new(),
            });
            match answer {
                IntakeAnswer::Receipt(receipt) => {
                    self.receipts += u64::from(!told.receipts.contains_key(&house));
                    told.receipts.entry(house).or_insert_with(|| receipt.clone());
                }
                IntakeAnswer::Refused { code, .. } if !answer.is_temporary() => {
                    told.refusals.push((now, house, *code));
                }
                IntakeAnswer::Refused { .. } => {}
            }
        }
    }
}

/// The envelopes of a batch.
pub fn envelopes(body: &[u8]) -> Vec<&[u8]> {
    split_sequence(body, usize::MAX).expect("an agent sends sequences")
}
