//! Sending, decided: which envelopes go next, to whom, and what an answer changes. The bytes are moved by others.

use super::Agent;
use crate::answers::{self, Awaited, Verdict};
use crate::journal::Refused;
use crate::outbox::OutboxError;
use crate::uplink::Delivery;
use cairn_types::intake::{ENVELOPES_MAX, REQUEST_BYTES_MAX};
use cairn_types::{AccountId, DeviceId, Envelope, Receipt, TimeMs};
use rand_core::Rng;

/// How long an envelope waits that a verifier put off or answered wrongly.
const PUT_OFF_MS: u64 = 5_000;

/// Envelopes under way to a verifier.
#[derive(Debug)]
pub struct Batch {
    /// The place of the verifier among those that could be sent to when it was made.
    pub verifier: usize,
    pub body: Vec<u8>,
    account: AccountId,
    entries: Vec<u64>,
    reports: Vec<Awaited>,
    devices: Vec<DeviceId>,
}

impl Batch {
    pub fn count(&self) -> usize {
        self.entries.len()
    }
}

/// What a delivery came to.
#[derive(Debug, Default)]
pub struct Delivered {
    pub receipts: Vec<Receipt>,
    pub refused: Vec<Refused>,
}

impl Agent {
    /// Envelopes to send now, if any. Every batch must come back through `delivered`.
    pub fn outgoing(&mut self, now: TimeMs) -> Result<Option<Batch>, OutboxError> {
        let sent_to = self.verifiers.get(self.verifier).map(|verifier| verifier.account);
        let Some(account) = sent_to.filter(|_| now >= self.gate) else {
            return Ok(None);
        };
        let bytes_of = |entry| self.outbox.sealed_bytes(entry);
        let mut batch = Batch {
            verifier: self.verifier,
            body: Vec::new(),
            account,
            entries: self.queue.take(now, self.batch_max, REQUEST_BYTES_MAX, bytes_of),
            reports: Vec::new(),
            devices: Vec::new(),
        };
        for entry in &batch.entries {
            let read = self.outbox.read_sealed(*entry);
            let read = read.map(|sealed| sealed.map(|sealed| (Envelope::parse(&sealed.envelope), sealed.envelope)));
            match read {
                Ok(Some((Ok(envelope), bytes))) => {
                    batch.reports.push(self.awaited(&envelope));
                    batch.devices.push(envelope.device);
                    batch.body.extend(bytes);
                }
                other => {
                    batch
                        .entries
                        .iter()
                        .for_each(|entry| self.queue.put_off(*entry, now.plus_ms(PUT_OFF_MS)));
                    return other.and(Err(OutboxError::Disk(std::io::Error::other(
                        "an envelope reads back wrong",
                    ))));
                }
            }
        }
        self.status.sent += batch.entries.len() as u64;
        Ok((!batch.entries.is_empty()).then_some(batch))
    }

    /// What the receipt of an envelope must say.
    fn awaited(&self, envelope: &Envelope) -> Awaited {
        let report = &envelope.report;
        let network = self.networks.iter().find(|network| network.id == report.network);
        Awaited {
            report: envelope.id(),
            network: report.network,
            epoch: network.and_then(|network| network.clock.epoch_of(report.time)),
        }
    }

    /// Takes a batch back that was never sent.
    pub fn take_back(&mut self, batch: Batch) {
        self.status.sent -= batch.count() as u64;
        batch.entries.iter().for_each(|entry| self.queue.push(*entry));
    }

    /// Takes in what became of a batch.
    pub fn delivered(&mut self, batch: Batch, delivery: Delivery, now: TimeMs) -> Delivered {
        let sent_to = self.verifiers.iter().find(|verifier| verifier.account == batch.account);
        let Some(sent_to) = sent_to.cloned() else {
            // It has nothing to lose any more: neither its receipts nor its refusals let a report go.
            tracing::warn!(verifier = %batch.account, "an answer of a verifier without a bond does not count; the reports are kept");
            self.status.answers_unbonded += 1;
            batch.entries.iter().for_each(|entry| self.queue.push(*entry));
            return Delivered::default();
        };
        let body = match delivery {
            Delivery::Answers(body) => body,
            Delivery::Busy { retry_after_ms } => {
                self.failed(&batch, retry_after_ms, now);
                return Delivered::default();
            }
            Delivery::Unreachable(why) => {
                self.status.last_error = why;
                self.failed(&batch, None, now);
                return Delivered::default();
            }
            Delivery::Unreadable { status } if batch.count() > 1 => {
                tracing::warn!(
                    status,
                    envelopes = batch.count(),
                    "the verifier cannot read a batch; trying half"
                );
                self.batch_max = batch.count() / 2;
                batch.entries.iter().for_each(|entry| self.queue.push(*entry));
                return Delivered::default();
            }
            Delivery::Unreadable { status } => {
                let text = format!("the verifier answered with status {status}");
                return self.settle(batch, vec![Verdict::Refused { code: 0, text }], now);
            }
        };
        match answers::judge(&sent_to, &batch.reports, &body) {
            Ok(verdicts) => {
                self.batch_max = (self.batch_max * 2).min(ENVELOPES_MAX);
                if verdicts.iter().any(|verdict| matches!(verdict, Verdict::Wrong(_))) {
                    self.back_off(&batch, None, now);
                } else {
                    self.failures = 0;
                }
                self.settle(batch, verdicts, now)
            }
            Err(error) => {
                self.wrong(&format!("answers that cannot be read: {error}"));
                self.failed(&batch, None, now);
                Delivered::default()
            }
        }
    }

    /// Nothing of a batch was taken: all of it stays.
    fn failed(&mut self, batch: &Batch, asked_ms: Option<u64>, now: TimeMs) {
        batch.entries.iter().for_each(|entry| self.queue.push(*entry));
        self.back_off(batch, asked_ms, now);
    }

    /// The next verifier is next, after a wait.
    fn back_off(&mut self, batch: &Batch, asked_ms: Option<u64>, now: TimeMs) {
        self.failures = self.failures.saturating_add(1);
        self.status.failures += 1;
        // Unless the list changed meanwhile, and with it the one that is next.
        let tried = self.verifiers.get(batch.verifier);
        if tried.is_some_and(|tried| tried.account == batch.account) {
            self.verifier = (batch.verifier + 1) % self.verifiers.len();
        }
        let wait_ms = self.backoff.wait_ms(self.failures, asked_ms, self.random.next_u64());
        self.gate = now.plus_ms(wait_ms);
    }

    fn wrong(&mut self, what: &str) {
        tracing::warn!(what, "a verifier answers wrongly; the reports are kept");
        self.status.wrong_answers += 1;
        self.status.last_error = what.to_owned();
    }

    fn settle(&mut self, batch: Batch, verdicts: Vec<Verdict>, now: TimeMs) -> Delivered {
        let later = now.plus_ms(PUT_OFF_MS);
        let mut delivered = Delivered::default();
        let mut refused = Vec::new();
        let reports = batch.entries.iter().zip(&batch.reports).zip(&batch.devices);
        for (((entry, report), device), verdict) in reports.zip(verdicts) {
            match verdict {
                Verdict::Receipted(receipt) => {
                    self.outbox.settle(*entry);
                    self.status.receipted += 1;
                    delivered.receipts.push(*receipt);
                }
                Verdict::Refused { code, text } => {
                    let envelope = match self.outbox.read_sealed(*entry) {
                        Ok(sealed) => sealed.map(|sealed| sealed.envelope).unwrap_or_default(),
                        Err(_) => Vec::new(),
                    };
                    let item = Refused {
                        at: now,
                        device: *device,
                        report: report.report,
                        code,
                        text,
                        envelope,
                    };
                    refused.push(*entry);
                    delivered.refused.push(item);
                }
                Verdict::Later { code, text } => {
                    self.status.put_off += 1;
                    self.status.last_error = format!("{code}: {text}");
                    self.queue.put_off(*entry, later);
                }
                Verdict::Wrong(what) => {
                    self.wrong(what);
                    self.queue.put_off(*entry, later);
                }
            }
        }
        if let Err(error) = self.journal.receipts(delivered.receipts.iter()) {
            tracing::warn!(%error, "receipts could not be kept");
        }
        // A refused envelope leaves the outbox only once it is in the journal with its reason.
        match self.journal.refuse(delivered.refused.clone()) {
            Ok(()) => {
                refused.iter().for_each(|entry| self.outbox.settle(*entry));
                for item in &delivered.refused {
                    *self.status.refused.entry(item.code).or_default() += 1;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "refused envelopes could not be written down; they are kept");
                refused.iter().for_each(|entry| self.queue.put_off(*entry, later));
                delivered.refused.clear();
            }
        }
        delivered
    }
}
