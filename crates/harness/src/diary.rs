//! What an onlooker who sees every wire writes down: which reports were sent, what the verifier said to each, what agents heard. It
//! belongs to nobody in the network, survives every kill, and decides nothing.

use crate::CLOCK;
use cairn_agent::agent::Delivered;
use cairn_types::intake::{IntakeAnswer, split_sequence};
use cairn_types::{DeviceId, Envelope, EpochNumber, Receipt, ReportId, TimeMs};
use std::collections::{BTreeMap, BTreeSet};

/// What became of one report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub device: DeviceId,
    pub epoch: EpochNumber,
    /// How often an agent sent it.
    pub sent: u32,
    /// The first receipt the verifier gave, heard or not.
    pub receipt: Option<Receipt>,
    /// Final refusals the verifier gave: when, and by which code.
    pub refusals: Vec<(TimeMs, u16)>,
    /// Whether an agent heard a receipt or a final refusal.
    pub heard: bool,
}

/// The diary.
#[derive(Clone, Debug, Default)]
pub struct Diary {
    pub told: BTreeMap<ReportId, Told>,
    /// Devices and epochs of which a message was not taken by an agent: nobody promised anything about it.
    pub not_taken: BTreeSet<(DeviceId, EpochNumber)>,
    /// Agents and verifiers that died.
    pub kills: u32,
}

/// The envelopes of a batch, in order.
fn envelopes(body: &[u8]) -> Vec<Envelope> {
    let items = split_sequence(body, usize::MAX).expect("an agent sends sequences");
    let parse = |item: &[u8]| Envelope::parse(item).expect("an agent sends envelopes");
    items.into_iter().map(parse).collect()
}

impl Diary {
    pub fn sent(&mut self, body: &[u8]) {
        for envelope in envelopes(body) {
            let told = self.told.entry(envelope.id()).or_insert_with(|| Told {
                device: envelope.device,
                epoch: CLOCK.epoch_of(envelope.report.time).unwrap_or_default(),
                sent: 0,
                receipt: None,
                refusals: Vec::new(),
                heard: false,
            });
            told.sent += 1;
        }
    }

    /// The verifier's answers left it, whether they arrive or not.
    pub fn answered(&mut self, now: TimeMs, body: &[u8], answers: &[IntakeAnswer]) {
        for (envelope, answer) in envelopes(body).iter().zip(answers) {
            let Some(told) = self.told.get_mut(&envelope.id()) else {
                continue;
            };
            match answer {
                IntakeAnswer::Receipt(receipt) => {
                    told.receipt.get_or_insert_with(|| receipt.clone());
                }
                IntakeAnswer::Refused { code, .. } if !answer.is_temporary() => told.refusals.push((now, *code)),
                IntakeAnswer::Refused { .. } => {}
            }
        }
    }

    pub fn heard(&mut self, delivered: &Delivered) {
        let receipts = delivered.receipts.iter().map(|receipt| receipt.report);
        for report in receipts.chain(delivered.refused.iter().map(|refused| refused.report)) {
            if let Some(told) = self.told.get_mut(&report) {
                told.heard = true;
            }
        }
    }
}
