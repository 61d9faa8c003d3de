//! The copies of one frame: who offers one, whose is awaited, and who stands in when a bought one does not come. It knows no money and
//! sends nothing.

use super::LineId;
use cairn_agent::carry::wire::{Offer, Verdict};
use cairn_types::{DeviceNumber, TimeMs};
use cairn_verticals::wireless::service::{Bought, Copy, choose, ranked};

/// Copies of one frame that are compared.
const COPIES_COMPARED_MAX: usize = 256;
/// Copies that wait, once the best are bought, for the case that one of those does not come.
const SPARES_MAX: usize = 8;
/// A bought copy that has not come by then loses its place to the next best. Later there is no time left for the answer to a sender,
/// whose first window opens after a second.
pub const DELIVER_MS: u64 = 500;

/// A device's word that it has the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    pub line: LineId,
    pub device: DeviceNumber,
    pub offer: Offer,
    pub received: TimeMs,
    /// It kept the customer waiting lately: others come first.
    pub slow: bool,
}

impl Said {
    fn copy(&self) -> Copy {
        Copy {
            device: self.device,
            snr_ddb: self.offer.snr_ddb,
            rssi_ddbm: self.offer.rssi_ddbm,
            received: self.received,
        }
    }
}

/// What is to be done with a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Buy,
    Refuse(Verdict),
    /// It is answered later.
    Wait,
}

struct Awaited {
    line: LineId,
    number: u64,
    device: DeviceNumber,
    since: TimeMs,
}

pub struct Frame {
    pub first: TimeMs,
    decided: bool,
    /// Until the choice all that were offered; then the best of those that were passed over, the best first.
    waiting: Vec<Said>,
    awaited: Vec<Awaited>,
    delivered: usize,
    bought_of: Vec<DeviceNumber>,
}

impl Frame {
    /// `decided`: there is no choice to wait for, whoever is first is bought.
    pub fn new(first: TimeMs, decided: bool) -> Self {
        Self {
            first,
            decided,
            waiting: Vec::new(),
            awaited: Vec::new(),
            delivered: 0,
            bought_of: Vec::new(),
        }
    }

    fn has_place(&self, wanted: usize) -> bool {
        self.delivered + self.awaited.len() < wanted
    }

    /// One copy more.
    pub fn offered(&mut self, said: Said, wanted: usize) -> Step {
        if self.bought_of.contains(&said.device) {
            return Step::Refuse(Verdict::Twice);
        }
        if !self.decided {
            if self.waiting.len() >= COPIES_COMPARED_MAX {
                return Step::Refuse(Verdict::Enough);
            }
            self.waiting.push(said);
            return Step::Wait;
        }
        if self.waiting.iter().any(|waiting| waiting.device == said.device) {
            return Step::Refuse(Verdict::Twice);
        }
        if self.has_place(wanted) {
            return Step::Buy;
        }
        if self.awaited.is_empty() {
            return Step::Refuse(Verdict::Enough);
        }
        self.waiting.push(said);
        self.rank();
        Step::Wait
    }

    /// The time for the choice has come: ranks what waits, and answers what is out of the question.
    pub fn decide(&mut self, late_ms: u64) -> Vec<(Said, Verdict)> {
        self.decided = true;
        let said = std::mem::take(&mut self.waiting);
        let copies: Vec<Copy> = said.iter().map(Said::copy).collect();
        let mut refused = Vec::new();
        for (said, bought) in said.iter().zip(choose(&copies, usize::MAX, self.first, late_ms)) {
            match bought {
                Bought::Yes => self.waiting.push(*said),
                Bought::Enough => refused.push((*said, Verdict::Enough)),
                Bought::Twice => refused.push((*said, Verdict::Twice)),
                Bought::Unwanted => refused.push((*said, Verdict::Unwanted)),
            }
        }
        self.rank();
        refused
    }

    fn rank(&mut self) {
        let copies: Vec<Copy> = self.waiting.iter().map(Said::copy).collect();
        let mut order = ranked(&copies);
        order.sort_by_key(|place| self.waiting[*place].slow);
        self.waiting = order.into_iter().map(|place| self.waiting[place]).collect();
    }

    /// The next copy to buy, while there is a place for one.
    pub fn next(&mut self, wanted: usize) -> Option<Said> {
        let is_due = self.decided && self.has_place(wanted) && !self.waiting.is_empty();
        is_due.then(|| self.waiting.remove(0))
    }

    pub fn bought(&mut self, said: &Said, now: TimeMs) {
        self.bought_of.push(said.device);
        self.awaited.push(Awaited {
            line: said.line,
            number: said.offer.number,
            device: said.device,
            since: now,
        });
    }

    /// A bought copy is here. One whose place is given away already takes none.
    pub fn came(&mut self, line: LineId, number: u64) {
        let before = self.awaited.len();
        self.awaited
            .retain(|awaited| (awaited.line, awaited.number) != (line, number));
        self.delivered += before - self.awaited.len();
    }

    /// Gives away the places of copies that did not come in time, and of those whose line ended; says whose they were.
    pub fn give_away(&mut self, now: TimeMs, gone: Option<LineId>) -> Vec<DeviceNumber> {
        let mut whose = Vec::new();
        self.awaited.retain(|awaited| {
            let kept = now.since_ms(awaited.since) < DELIVER_MS && gone != Some(awaited.line);
            if !kept {
                whose.push(awaited.device);
            }
            kept
        });
        if let Some(line) = gone {
            self.waiting.retain(|said| said.line != line);
        }
        whose
    }

    /// Those that nobody will buy any more: there are better ones enough, or all that was wanted is here, or it is too late.
    pub fn left_over(&mut self, too_late: bool) -> Vec<Said> {
        let kept = match self.awaited.is_empty() || too_late {
            true => 0,
            false => SPARES_MAX,
        };
        match self.decided {
            true => self.waiting.split_off(kept.min(self.waiting.len())),
            false => Vec::new(),
        }
    }

    /// The frame is forgotten: all that were not answered.
    pub fn forgotten(self) -> Vec<Said> {
        self.waiting
    }
}
