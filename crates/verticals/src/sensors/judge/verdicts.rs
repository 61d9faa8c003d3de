//! What became of each reading: believed, or refused for the first reason it met. It never changes a verdict.

use cairn_types::Reason;

/// Why a reading is refused, with what was measured and the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub reason: Reason,
    pub measured: i64,
    pub limit: i64,
}

impl Refusal {
    pub fn new(reason: Reason, measured: i64, limit: i64) -> Self {
        Self {
            reason,
            measured,
            limit,
        }
    }
}

/// For each reading of the survey the first refusal it met.
#[derive(Clone, Debug)]
pub struct Verdicts {
    /// 0: believed; else one more than the place in `refusals`.
    of_reading: Vec<u32>,
    refusals: Vec<Refusal>,
}

impl Verdicts {
    pub fn new(readings: usize) -> Self {
        Self {
            of_reading: vec![0; readings],
            refusals: Vec::new(),
        }
    }

    /// Refuses a reading unless it is refused already.
    pub fn refuse(&mut self, reading: usize, reason: Reason, measured: i64, limit: i64) {
        if self.of_reading[reading] != 0 {
            return;
        }
        let refusal = Refusal {
            reason,
            measured,
            limit,
        };
        if self.refusals.last() != Some(&refusal) {
            self.refusals.push(refusal);
        }
        self.of_reading[reading] = u32::try_from(self.refusals.len()).expect("at most one refusal per reading");
    }

    /// `None`: believed.
    pub fn get(&self, reading: usize) -> Option<Refusal> {
        let place = self.of_reading[reading].checked_sub(1)?;
        Some(self.refusals[place as usize])
    }
}
