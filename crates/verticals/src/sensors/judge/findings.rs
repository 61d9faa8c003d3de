//! Verdicts on readings as findings of reports: units, or one reason, and the runs of readings that were judged alike.

use super::crowd::Crowd;
use super::memory::Memory;
use super::reasons::{CROWDED, NOT_BOUGHT};
use super::verdicts::Verdicts;
use crate::kit::reasons::MALFORMED;
use crate::kit::{Judgement, Survey, Surveyed};
use crate::sensors::params::Params;
use cairn_types::money::mul_div_floor;
use cairn_types::{Finding, Reason, Span, TimeMs, codec};

const HOUR_MS: u64 = 3_600_000;

/// A judged epoch.
pub struct Judged<'a> {
    pub params: Params,
    pub survey: &'a Survey,
    pub slot_ms: u64,
    pub start: TimeMs,
    /// The member's row of each report, `None` for reports nobody judges.
    pub rows: Vec<Option<u32>>,
    pub verdicts: Verdicts,
    pub crowd: Crowd,
    pub memory: Memory,
}

impl Judged<'_> {
    /// The runs of a report's readings that were judged alike.
    fn spans(&self, report: &Surveyed) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        for place in report.span() {
            let reading = self.survey.readings[place];
            let refusal = self.verdicts.get(place);
            let end = reading.time.plus_ms(self.slot_ms);
            let span = Span {
                start: reading.time,
                end,
                quantity: reading.quantity,
                reason: refusal.map(|refusal| refusal.reason),
                measured: refusal.map_or(0, |refusal| refusal.measured),
                limit: refusal.map_or(0, |refusal| refusal.limit),
            };
            let alike = |last: &&mut Span| {
                (last.quantity, last.reason, last.measured, last.limit)
                    == (span.quantity, span.reason, span.measured, span.limit)
                    && span.start <= last.end
            };
            match spans.last_mut().filter(alike) {
                Some(last) => last.end = end,
                None => spans.push(span),
            }
        }
        spans
    }

    /// Micro-units of the believed readings, rounded down: the device loses the fraction.
    fn units(&self, report: &Surveyed, row: usize) -> u64 {
        let earned = |place: usize| {
            let reading = self.survey.readings[place];
            let paid = self.params.is_paid(reading.quantity) && self.verdicts.get(place).is_none();
            let slot = (reading.time.since_ms(self.start) / self.slot_ms) as usize;
            if paid {
                self.crowd.share(&self.params, row, reading.quantity, slot)
            } else {
                0
            }
        };
        let shares: u64 = report.span().map(earned).sum();
        mul_div_floor(shares, self.slot_ms, HOUR_MS * u64::from(self.params.paid_count())).unwrap_or(0)
    }

    /// Why a report earned nothing: the reason of most of its readings, the smallest among equals.
    fn reason(&self, report: &Surveyed) -> Reason {
        let mut reasons: Vec<Reason> = report
            .span()
            .filter_map(|place| self.verdicts.get(place))
            .map(|r| r.reason)
            .collect();
        reasons.sort_unstable();
        let most = reasons
            .chunk_by(|one, next| one == next)
            .rev()
            .max_by_key(|run| run.len())
            .map(|run| run[0]);
        let believed = |place: &usize| self.verdicts.get(*place).is_none();
        let bought = |place: usize| self.params.is_paid(self.survey.readings[place].quantity);
        match report.span().filter(believed).map(bought).max() {
            Some(true) => CROWDED,
            Some(false) => most.unwrap_or(NOT_BOUGHT),
            None => most.unwrap_or(MALFORMED),
        }
    }
}

impl Judgement for Judged<'_> {
    fn finding(&self, place: usize) -> Finding {
        let report = &self.survey.reports[place];
        let row = self.rows[place].expect("the kit answers whoever is no member");
        let units = self.units(report, row as usize);
        Finding {
            report: report.id,
            device: report.device,
            units,
            reason: (units == 0).then(|| self.reason(report)),
            spans: self.spans(report),
        }
    }

    fn memory(&self) -> Vec<u8> {
        codec::encode(&self.memory)
    }
}
