//! What a device's findings of one epoch come to: how much of it speaks for the device, and how much against it. It judges
//! nothing again: whoever has the published findings counts the same.

use super::EPOCH_WEIGHT;
use crate::kit::Vertical;
use crate::kit::reasons::{self, EQUIVOCATED, EXCLUDED, ReasonText, STANDING};
use cairn_types::{Finding, Reason};

/// An epoch of a device, in thousandths of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub good: u32,
    pub bad: u32,
    /// For what most was refused, where anything was.
    pub reason: Option<Reason>,
}

/// What each reason weighs, in percent, sorted by reason.
pub struct Blames(Vec<(Reason, u16)>);

impl Blames {
    pub fn of(vertical: &dyn Vertical) -> Self {
        let texts = reasons::REASONS.iter().chain(vertical.reasons());
        let mut blames: Vec<(Reason, u16)> = texts.map(|text: &ReasonText| (text.reason, text.blame)).collect();
        blames.sort_unstable();
        Self(blames)
    }

    fn get(&self, reason: Reason) -> u16 {
        let at = self.0.binary_search_by_key(&reason, |(reason, _)| *reason);
        at.map_or(0, |at| self.0[at].1)
    }
}

/// Parts of an epoch, weighed by how long they last.
#[derive(Default)]
struct Sums {
    all: u128,
    good: u128,
    /// For each reason the time refused, times its blame.
    bad: Vec<(Reason, u128)>,
}

impl Sums {
    /// What an excluded device says is believed where nothing else speaks against it: that is its way back.
    fn add(&mut self, ms: u64, reason: Option<Reason>, blames: &Blames) {
        let ms = u128::from(ms);
        self.all += ms;
        let Some(reason) = reason.filter(|reason| *reason != EXCLUDED) else {
            self.good += ms;
            return;
        };
        let weight = ms * u128::from(blames.get(reason));
        match self.bad.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, sum)) => *sum += weight,
            None => self.bad.push((reason, weight)),
        }
    }

    fn part(&self, weight: u128) -> u32 {
        let part = weight * u128::from(EPOCH_WEIGHT) / self.all.max(1);
        part.try_into().unwrap_or(u32::MAX)
    }
}

impl Outcome {
    /// Of one device's findings of an epoch of this length. Runs weigh as long as they last, a report without any as the
    /// whole epoch; together no more than one epoch. Equivocation is charged in full besides, and once.
    pub fn of(findings: &[Finding], epoch_ms: u64, blames: &Blames) -> Self {
        let mut sums = Sums::default();
        let mut charged = 0;
        for finding in findings {
            if finding.reason == Some(EQUIVOCATED) {
                charged = EPOCH_WEIGHT * u32::from(blames.get(EQUIVOCATED)) / 100;
                continue;
            }
            let mut runs = finding.spans.iter().filter(|span| span.quantity != STANDING).peekable();
            if runs.peek().is_none() {
                sums.add(epoch_ms, finding.reason, blames);
            }
            for run in runs {
                sums.add(run.end.since_ms(run.start), run.reason, blames);
            }
        }
        let bad = sums.part(sums.bad.iter().map(|(_, weight)| weight).sum::<u128>() / 100);
        sums.bad.sort_unstable();
        let most = sums.bad.iter().rev().max_by_key(|(_, weight)| *weight);
        let reason = match charged {
            0 => most.map(|(reason, _)| *reason),
            _ => Some(EQUIVOCATED),
        };
        let bad = bad.saturating_add(charged);
        Self {
            good: sums.part(sums.good),
            bad,
            reason: reason.filter(|_| bad > 0),
        }
    }
}
