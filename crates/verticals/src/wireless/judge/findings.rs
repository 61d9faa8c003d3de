//! Verdicts on beacons and receptions as findings of reports: units, or one reason, and what became of each. An epoch's
//! coverage is paid once, with the device's first report.

use super::memory::Memory;
use super::reasons::{COUNTED, CROWDED, NO_COVERAGE};
use super::said::{Refusal, Said};
use super::witnesses::Proven;
use crate::kit::{Judgement, Survey};
use crate::wireless::report::{BEACON, HEARD};
use cairn_types::{Finding, Reason, Span, TimeMs, codec};

/// A judged epoch.
pub struct Judged<'a> {
    pub survey: &'a Survey,
    pub said: Said,
    /// For each report of the survey its place among those that can be judged.
    pub spoken: Vec<Option<usize>>,
    /// By member.
    pub proven: Vec<Proven>,
    /// By member: the report it is paid with.
    pub first: Vec<Option<usize>>,
    pub memory: Memory,
}

impl Judged<'_> {
    fn spans(&self, spoken: usize) -> Vec<Span> {
        let spoken = &self.said.spoken[spoken];
        let sent = self.said.sent[spoken.sent.clone()].iter();
        let sent = sent.map(|sent| span(BEACON, sent.beacon.time, sent.refusal));
        let heard = self.said.heard[spoken.heard.clone()].iter();
        let heard = heard.map(|reception| span(HEARD, reception.heard.time, reception.refusal));
        sent.chain(heard).collect()
    }

    /// Whether anything in a report proves coverage.
    fn proves(&self, spoken: usize) -> bool {
        let spoken = &self.said.spoken[spoken];
        let sent = self.said.sent[spoken.sent.clone()]
            .iter()
            .any(|sent| sent.refusal.is_none());
        let heard = self.said.heard[spoken.heard.clone()].iter();
        sent || heard
            .filter(|reception| reception.beacon.is_some() || reception.proves)
            .any(|reception| reception.stands())
    }

    /// The first report of a device that proves coverage is the one it is paid with.
    fn is_first(&self, spoken: usize) -> bool {
        self.first[self.said.spoken[spoken].row] == Some(spoken)
    }

    /// Finds each member's first report that proves coverage.
    pub fn find_first(&mut self) {
        self.first = vec![None; self.proven.len()];
        for spoken in 0..self.said.spoken.len() {
            let row = self.said.spoken[spoken].row;
            if self.first[row].is_none() && self.proves(spoken) {
                self.first[row] = Some(spoken);
            }
        }
    }

    /// Why a report earned nothing: the reason of most of what is in it, the smallest among equals.
    fn reason(&self, spoken: usize) -> Reason {
        if self.proves(spoken) {
            return if self.is_first(spoken) { CROWDED } else { COUNTED };
        }
        let mut reasons: Vec<Reason> = self.spans(spoken).iter().filter_map(|span| span.reason).collect();
        reasons.sort_unstable();
        let runs = reasons.chunk_by(|one, next| one == next).rev();
        let most = runs.max_by_key(|run| run.len()).map(|run| run[0]);
        most.unwrap_or(NO_COVERAGE)
    }
}

fn span(quantity: u16, time: TimeMs, refusal: Option<Refusal>) -> Span {
    Span {
        start: time,
        end: time.plus_ms(1),
        quantity,
        reason: refusal.map(|refusal| refusal.reason),
        measured: refusal.map_or(0, |refusal| refusal.measured),
        limit: refusal.map_or(0, |refusal| refusal.limit),
    }
}

impl Judgement for Judged<'_> {
    fn finding(&self, place: usize) -> Finding {
        let report = &self.survey.reports[place];
        let spoken = self.spoken[place].expect("the kit answers whoever is no member");
        let row = self.said.spoken[spoken].row;
        let pays = self.proves(spoken) && self.is_first(spoken);
        let units = if pays { self.proven[row].units() } else { 0 };
        Finding {
            report: report.id,
            device: report.device,
            units,
            reason: (units == 0).then(|| self.reason(spoken)),
            spans: self.spans(spoken),
        }
    }

    fn memory(&self) -> Vec<u8> {
        codec::encode(&self.memory)
    }
}
