//! How an agent stands, for people and metrics. Counts are since the process started.

use cairn_types::IntakeRefusal;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    pub devices: usize,
    /// Messages taken and refused at the ports, and the readings in those taken.
    pub messages: u64,
    pub messages_refused: u64,
    /// Messages that were taken and could not be driven again. Not zero: a fault of the driver.
    pub messages_lost: u64,
    pub readings: u64,
    pub sealed: u64,
    /// Envelopes that wait for a receipt, and for how long the oldest does.
    pub waiting: usize,
    pub oldest_ms: Option<u64>,
    /// Envelopes sent, every try counted.
    pub sent: u64,
    pub receipted: u64,
    /// Refused for good, by the verifier's code.
    pub refused: BTreeMap<u16, u64>,
    pub put_off: u64,
    /// Batches that nobody took.
    pub failures: u64,
    pub wrong_answers: u64,
    /// Answers that came when the ledger said that the verifier has no bond any more: the reports were sent again.
    pub answers_unbonded: u64,
    /// Addresses of verifiers that reports may go to.
    pub verifiers: u64,
    /// Verifiers of the settings that have no bond, and are sent nothing.
    pub verifiers_skipped: u64,
    /// When the ledger last said who has a bond; `None`: not since the process started.
    pub ledger_heard_ms_ago: Option<u64>,
    pub last_error: String,
    /// How long nothing is sent yet, after failures.
    pub wait_ms: u64,
    pub alive_bytes: u64,
    pub disk_bytes: u64,
    pub torn_bytes: u64,
}

impl Status {
    /// Refusals by name, for people.
    pub fn refused_by_reason(&self) -> BTreeMap<String, u64> {
        let name =
            |code: u16| IntakeRefusal::of(code).map_or(format!("code {code}"), |refusal| refusal.name().to_owned());
        self.refused.iter().map(|(code, count)| (name(*code), *count)).collect()
    }
}
