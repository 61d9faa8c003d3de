//! Counts what happened, each number from its own source: reports from the agent's receipts, findings from the archive, money from
//! the ledger. Nothing is derived that could be read.

use super::carried::Carried;
use super::city::Station;
use super::findings::{Verdict, reason_name};
use super::people;
use cairn_agent::drive::Flushed;
use cairn_ledger::economics::netting::Exchange;
use cairn_ledger::records::{Pool, Roots, Settlement};
use cairn_types::intake::IntakeRefusal;
use cairn_types::{CellId, Credit, DeviceId, Finding, Hash, PayoutLeaf, hash};
use cairn_verifier::roster::RosterMember;
use cairn_verticals::Vertical;
use cairn_verticals::kit::reasons::STANDING;
use cairn_verticals::wireless::report::{BEACON, Body};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What a customer's daily order came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct DayOrder {
    pub rows: u64,
    pub credits: Credit,
}

/// One station over all hours.
#[derive(Clone, Debug, Default)]
pub struct StationTally {
    pub device: DeviceId,
    pub name: String,
    pub cell: Option<CellId>,
    pub cheat: Option<&'static str>,
    pub reports: u64,
    /// Micro-units earned.
    pub units: u64,
    /// Reports or readings refused, by reason.
    pub reasons: BTreeMap<String, u64>,
    /// What its operator was paid: token for units, token and micro-dollars for what customers paid.
    pub availability: u64,
    pub usage: u64,
    pub cash: u64,
    pub heard: HeardTally,
}

/// What a hotspot heard and carried.
#[derive(Clone, Debug, Default)]
pub struct HeardTally {
    pub receptions: u64,
    pub believed: u64,
    pub refused: BTreeMap<&'static str, u64>,
    /// An example of each: measured value and limit.
    pub examples: BTreeMap<&'static str, (i64, i64)>,
    pub beacons: u64,
    pub beacons_believed: u64,
    pub packets: u64,
    pub credits: u64,
}

/// What operators exchanged among themselves. Each asset is counted where it was given and where it was received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExchangeTally {
    /// Epochs in which somebody exchanged.
    pub epochs: u64,
    pub operators: BTreeSet<u32>,
    pub token_given: u64,
    pub token_received: u64,
    pub cash_given: u64,
    pub cash_received: u64,
}

/// Everything counted.
#[derive(Clone)]
pub struct Tally {
    vertical: &'static dyn Vertical,
    pub readings: u64,
    /// Messages of ports that no driver understood.
    pub not_understood: u64,
    pub received: u64,
    pub accepted: u64,
    pub refused: BTreeMap<String, u64>,
    pub epochs: u64,
    pub operators: BTreeSet<u32>,
    /// Token base units.
    pub pool: u64,
    pub paid: u64,
    pub unpaid: u64,
    /// Micro-USD of stablecoin.
    pub cash_pool: u64,
    pub cash_paid: u64,
    pub exchange: ExchangeTally,
    pub orders: Vec<DayOrder>,
    pub last_root: Hash,
    pub history: Hash,
    pub stations: Vec<StationTally>,
    /// All packets that were paid, of hotspots.
    pub carried: Carried,
}

impl Tally {
    pub fn new(vertical: &'static dyn Vertical, stations: &[Station]) -> Self {
        let stations = stations
            .iter()
            .map(|station| StationTally {
                device: people::device(&station.name).public().device_id(),
                name: station.shown().to_owned(),
                cell: Some(station.cell),
                cheat: station.cheat,
                ..StationTally::default()
            })
            .collect();
        Self {
            vertical,
            readings: 0,
            not_understood: 0,
            received: 0,
            accepted: 0,
            refused: BTreeMap::new(),
            epochs: 0,
            operators: BTreeSet::new(),
            pool: 0,
            paid: 0,
            unpaid: 0,
            cash_pool: 0,
            cash_paid: 0,
            exchange: ExchangeTally::default(),
            orders: Vec::new(),
            last_root: Hash::default(),
            history: Hash::default(),
            stations,
            carried: Carried::default(),
        }
    }

    /// What the stations' operators were paid; each has one station.
    pub fn earned(&mut self, roster: &[RosterMember], leaves: &[PayoutLeaf]) {
        for leaf in leaves {
            let member = roster.iter().find(|member| member.operator == leaf.operator);
            let Some(station) = member.and_then(|member| self.stations.get_mut(member.number.index())) else {
                continue;
            };
            station.availability += leaf.availability.0;
            station.usage += leaf.usage.0;
            station.cash += leaf.cash.0;
        }
    }

    /// What hotspots heard and sent in an epoch, and what of it was bought.
    pub fn heard(&mut self, verdicts: &[Verdict<'_>], said: &[(Body, &Finding)], bought: &Carried) {
        for verdict in verdicts {
            let Some(station) = self.stations.get_mut(verdict.station) else {
                continue;
            };
            let heard = &mut station.heard;
            heard.receptions += 1;
            match verdict.reason {
                None => heard.believed += 1,
                Some(reason) => {
                    *heard.refused.entry(reason).or_default() += 1;
                    heard
                        .examples
                        .entry(reason)
                        .or_insert((verdict.measured, verdict.limit));
                }
            }
        }
        for (_, finding) in said {
            let Some(station) = self.stations.get_mut(finding.device.index()) else {
                continue;
            };
            for span in finding
                .spans
                .iter()
                .filter(|span| span.quantity == BEACON && span.quantity != STANDING)
            {
                station.heard.beacons += 1;
                match span.reason {
                    None => station.heard.beacons_believed += 1,
                    Some(reason) => {
                        let name = reason_name(self.vertical, reason);
                        *station.heard.refused.entry(name).or_default() += 1;
                        station
                            .heard
                            .examples
                            .entry(name)
                            .or_insert((span.measured, span.limit));
                    }
                }
            }
        }
        for (station, (packets, credits)) in &bought.by_station {
            let Some(station) = self.stations.get_mut(*station) else {
                continue;
            };
            station.heard.packets += packets;
            station.heard.credits += credits.0;
        }
        self.carried.copies += bought.copies;
        self.carried.unwanted += bought.unwanted;
        self.carried.pieces += bought.pieces;
        self.carried.credits = Credit(self.carried.credits.0 + bought.credits.0);
    }

    /// What the verifier answered to the reports of an hour. Accepted ones are counted when they are judged.
    pub fn sent(&mut self, flushed: &Flushed) {
        self.received += flushed.receipts.len() as u64 + flushed.refused.len() as u64;
        for refused in &flushed.refused {
            let name = intake_name(refused.code);
            if let Some(station) = self
                .stations
                .iter_mut()
                .find(|station| station.device == refused.device)
            {
                station.reports += 1;
                *station.reasons.entry(name.clone()).or_default() += 1;
            }
            *self.refused.entry(name).or_default() += 1;
        }
    }

    /// A paid epoch.
    pub fn epoch(
        &mut self,
        pool: &Pool,
        settlement: &Settlement,
        roots: &Roots,
        findings: &[Finding],
        leaves: &[PayoutLeaf],
    ) {
        self.epochs += 1;
        for finding in findings {
            let station = self.stations.get_mut(finding.device.index());
            match finding.reason {
                None => self.accepted += 1,
                Some(reason) => {
                    *self
                        .refused
                        .entry(reason_name(self.vertical, reason).to_owned())
                        .or_default() += 1
                }
            }
            let Some(station) = station else { continue };
            station.reports += 1;
            station.units += finding.units;
            if let Some(reason) = finding.reason {
                *station
                    .reasons
                    .entry(reason_name(self.vertical, reason).to_owned())
                    .or_default() += 1;
            }
        }
        self.pool += pool.availability.0 + pool.usage.0;
        self.paid += settlement.paid.availability.0 + settlement.paid.usage.0;
        let attested = settlement.totals.availability.0 + settlement.totals.usage.0;
        self.unpaid += pool.availability.0 + pool.usage.0 - attested;
        self.cash_pool += pool.cash.0;
        self.cash_paid += settlement.paid.cash.0;
        self.operators.extend(
            leaves
                .iter()
                .filter(|leaf| leaf.units > 0 || leaf.cash.0 > 0)
                .map(|leaf| leaf.operator.0),
        );
        self.last_root = settlement.payouts;
        let parts = [
            &self.history.0[..],
            &roots.archive.0,
            &roots.findings.0,
            &roots.memory.0,
            &settlement.payouts.0,
        ];
        self.history = hash::domain("cairn/demo-history/1", &parts);
    }

    /// What the leaves of a paid epoch exchanged, in their order.
    pub fn exchanged(&mut self, leaves: &[PayoutLeaf], steps: &[Exchange]) {
        let sums = &mut self.exchange;
        let who = leaves
            .iter()
            .zip(steps)
            .filter(|(_, step)| **step != Exchange::default());
        sums.operators.extend(who.map(|(leaf, _)| leaf.operator.0));
        sums.epochs += u64::from(steps.iter().any(|step| *step != Exchange::default()));
        for step in steps {
            sums.token_given += step.tokens_given.0;
            sums.token_received += step.tokens_received.0;
            sums.cash_given += step.cash_given.0;
            sums.cash_received += step.cash_received.0;
        }
    }

    pub fn order(&mut self, order: DayOrder) {
        self.orders.push(order);
    }

    /// The object that `--json` prints, without audit and duration.
    pub fn json(&self) -> Value {
        json!({
            "reports": { "received": self.received, "accepted": self.accepted, "refused_by_reason": self.refused },
            "readings": self.readings,
            "messages_not_understood": self.not_understood,
            "epochs": self.epochs,
            "operators_paid": self.operators.len(),
            "pool": self.pool,
            "paid": self.paid,
            "unpaid_remainder": self.unpaid,
            "cash": { "pool_micro_usd": self.cash_pool, "paid_micro_usd": self.cash_paid },
            "exchange": {
                "epochs": self.exchange.epochs,
                "operators": self.exchange.operators.len(),
                "token_given": self.exchange.token_given,
                "token_received": self.exchange.token_received,
                "cash_given_micro_usd": self.exchange.cash_given,
                "cash_received_micro_usd": self.exchange.cash_received,
            },
            "credits_of_orders": self.orders.iter().map(|order| order.credits.0).sum::<u64>(),
            "rows_bought": self.orders.iter().map(|order| order.rows).sum::<u64>(),
            "last_root": self.last_root.to_string(),
            "history_root": self.history.to_string(),
        })
    }
}

/// A refusal at the verifier's door, named as the vertical's reasons are: `too_early` for `TooEarly`.
fn intake_name(code: u16) -> String {
    let Some(refusal) = IntakeRefusal::of(code) else {
        return format!("code_{code}");
    };
    let mut name = String::new();
    for letter in refusal.name().chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_at_the_door_is_named_like_a_reason() {
        assert_eq!(intake_name(IntakeRefusal::TooEarly.code()), "too_early");
        assert_eq!(intake_name(9_999), "code_9999");
    }
    #[test]
    fn what_is_given_is_received_and_who_exchanged_is_counted_once() {
        let (settled, leaves, choices) = crate::exchanged::tests::settled();
        let steps = settled.steps(&leaves, &choices).unwrap();
        let mut tally = Tally::new(&cairn_verticals::sensors::Sensors, &[]);
        tally.exchanged(&leaves, &steps);
        tally.exchanged(&leaves, &steps);
        tally.exchanged(&leaves, &[Exchange::default(); 3]);
        let expected = ExchangeTally {
            epochs: 2,
            operators: [1, 5].into(),
            token_given: 400,
            token_received: 400,
            cash_given: 200,
            cash_received: 200,
        };
        assert_eq!(tally.exchange, expected);
        assert_eq!(tally.json()["exchange"]["token_received"], 400);
    }
}
