//! What a router decides: which copies of a frame are bought, what is owed to whom, and the voucher for it. Pure: it is told the time
//! and draws nothing by lot.
//!
//! A bought copy that does not come in time loses its place to the next best; it is paid all the same if it comes after all, as the
//! device was told that it is bought. Who does so is asked last for a while.

use self::choice::{DELIVER_MS, Frame, Said, Step};
use cairn_agent::carry::wire::{Claim, ENTRIES_MAX, Entry, Offer, Promise, Verdict};
use cairn_types::{ChainId, Credit, DeviceNumber, Hash, SecretKey, TimeMs};
use cairn_verticals::wireless::params::Params;
use cairn_verticals::wireless::service::{may_deliver, meter, pieces};
use std::collections::btree_map::Entry as Place;
use std::collections::{BTreeMap, VecDeque};

mod choice;

/// Frames that are remembered at once, so that no copy too many is bought; the oldest is forgotten for a new one.
const FRAMES_MAX: usize = 16_384;
/// So long a frame is remembered. Senders repeat some frames on purpose: those are bought again later.
const FRAME_MS: u64 = 30_000;
/// A copy that comes later than this after the first, and after the choice, is of no use to any network server.
const LATE_MS: u64 = 2_000;
/// A bought packet that does not come by then is not paid.
const WAIT_MS: u64 = 10_000;
/// So long a device that did not deliver in time comes after all others.
const SLOW_MS: u64 = 600_000;

/// A device's line.
pub type LineId = u64;

/// What a router stands on.
#[derive(Clone)]
pub struct Terms {
    pub chain: ChainId,
    pub claim: Claim,
    /// Signs vouchers.
    pub secret: SecretKey,
    /// What the order holds.
    pub held: Credit,
    pub params: Params,
    /// How long copies are waited for before the best are bought; 0: whoever comes first.
    pub collect_ms: u64,
}

/// What a line is told of its offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub line: LineId,
    pub number: u64,
    pub verdict: Verdict,
}

/// A bought packet on its way.
struct Coming {
    frame: Hash,
    device: DeviceNumber,
    price: Credit,
    since: TimeMs,
}

#[derive(Clone, Copy, Default)]
struct Owed {
    delivered: Credit,
    coming: Credit,
    signed: Credit,
}

/// What was counted, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub offers: u64,
    pub verdicts: BTreeMap<&'static str, u64>,
    pub packets: u64,
}

pub struct Desk {
    terms: Terms,
    frames: BTreeMap<Hash, Frame>,
    ages: VecDeque<(TimeMs, Hash)>,
    undecided: VecDeque<(TimeMs, Hash)>,
    /// When it is looked whether a bought copy came.
    awaited: VecDeque<(TimeMs, Hash)>,
    /// Answers that nobody has heard yet.
    answers: Vec<Answer>,
    /// Devices that did not deliver in time, and until when they come last.
    slow: BTreeMap<DeviceNumber, TimeMs>,
    coming: BTreeMap<(LineId, u64), Coming>,
    owed: BTreeMap<DeviceNumber, Owed>,
    /// All that is delivered or coming.
    spent: Credit,
    pub counts: Counts,
}

impl Desk {
    /// Goes on from the last promise that was made.
    pub fn new(terms: Terms, before: Option<&Promise>) -> Self {
        let entries = before.map(|promise| promise.entries.as_slice()).unwrap_or_default();
        let owed = entries.iter().map(|entry| {
            let (delivered, coming) = (entry.credits, Credit::ZERO);
            let signed = entry.credits;
            (
                entry.device,
                Owed {
                    delivered,
                    coming,
                    signed,
                },
            )
        });
        Self {
            owed: owed.collect(),
            spent: before.map_or(Credit::ZERO, |promise| promise.settle.voucher.credits),
            terms,
            frames: BTreeMap::new(),
            ages: VecDeque::new(),
            undecided: VecDeque::new(),
            awaited: VecDeque::new(),
            answers: Vec::new(),
            slow: BTreeMap::new(),
            coming: BTreeMap::new(),
            counts: Counts::default(),
        }
    }

    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// What is left to buy for.
    pub fn left(&self) -> Credit {
        self.terms.held.saturating_sub(self.spent)
    }

    /// What a device was never signed for yet.
    pub fn unsigned(&self) -> Credit {
        let open = |owed: &Owed| owed.delivered.saturating_sub(owed.signed);
        self.owed.values().map(open).max().unwrap_or(Credit::ZERO)
    }

    /// A device has a frame. The answer comes now, or with `due`.
    pub fn offer(&mut self, line: LineId, device: DeviceNumber, offer: Offer, now: TimeMs) -> Option<Answer> {
        self.counts.offers += 1;
        self.forget(now);
        let number = offer.number;
        let verdict = self.judge(line, device, offer, now)?;
        Some(self.answer(line, number, verdict))
    }

    fn judge(&mut self, line: LineId, device: DeviceNumber, offer: Offer, now: TimeMs) -> Option<Verdict> {
        if !self.terms.claim.wants(&offer.sender) {
            return Some(Verdict::Unwanted);
        }
        let (collect_ms, copies) = (self.terms.collect_ms, self.copies());
        let slow = self.slow.get(&device).is_some_and(|until| *until > now);
        let frame = match self.frames.entry(offer.frame) {
            Place::Occupied(known) => known.into_mut(),
            Place::Vacant(place) => {
                self.ages.push_back((now, offer.frame));
                if collect_ms > 0 {
                    self.undecided.push_back((now.plus_ms(collect_ms), offer.frame));
                }
                place.insert(Frame::new(now, collect_ms == 0))
            }
        };
        if now.since_ms(frame.first) > collect_ms.saturating_add(LATE_MS) {
            return Some(Verdict::Unwanted);
        }
        let said = Said {
            line,
            device,
            offer,
            received: now,
            slow,
        };
        match frame.offered(said, copies) {
            Step::Buy => Some(self.buy(&said, now)),
            Step::Refuse(verdict) => Some(verdict),
            Step::Wait => {
                self.settle(offer.frame, now);
                None
            }
        }
    }

    fn copies(&self) -> usize {
        usize::from(self.terms.claim.copies)
    }

    /// Takes what the passing of time decides: choices that are due, and bought copies that did not come. Says all answers that wait.
    pub fn due(&mut self, now: TimeMs) -> Vec<Answer> {
        let late_ms = self.terms.collect_ms.saturating_add(LATE_MS);
        while let Some((_, hash)) = self.undecided.pop_front_if(|(due, _)| *due <= now) {
            let refused = self.frames.get_mut(&hash).map(|frame| frame.decide(late_ms));
            for (said, verdict) in refused.into_iter().flatten() {
                self.reply(&said, verdict);
            }
            self.settle(hash, now);
        }
        while let Some((_, hash)) = self.awaited.pop_front_if(|(due, _)| *due <= now) {
            let whose = self.frames.get_mut(&hash).map(|frame| frame.give_away(now, None));
            whose.into_iter().flatten().for_each(|device| self.is_slow(device, now));
            self.settle(hash, now);
        }
        std::mem::take(&mut self.answers)
    }

    /// When `due` has something to say.
    pub fn next_due(&self) -> Option<TimeMs> {
        let waits = [&self.undecided, &self.awaited].map(|waits| waits.front().map(|(due, _)| *due));
        let now = (!self.answers.is_empty()).then_some(TimeMs(0));
        waits.into_iter().chain([now]).flatten().min()
    }

    /// Buys while a frame has a place and somebody who waits for it; answers those nobody will ask any more.
    fn settle(&mut self, hash: Hash, now: TimeMs) {
        let (copies, late_ms) = (self.copies(), self.terms.collect_ms.saturating_add(LATE_MS));
        let Some(frame) = self.frames.get(&hash) else { return };
        let too_late = now.since_ms(frame.first) > late_ms;
        while !too_late && let Some(said) = self.frames.get_mut(&hash).and_then(|frame| frame.next(copies)) {
            let verdict = self.buy(&said, now);
            self.reply(&said, verdict);
        }
        let left = self.frames.get_mut(&hash).map(|frame| frame.left_over(too_late));
        for said in left.into_iter().flatten() {
            self.reply(&said, Verdict::Enough);
        }
    }

    fn reply(&mut self, said: &Said, verdict: Verdict) {
        let answer = self.answer(said.line, said.offer.number, verdict);
        self.answers.push(answer);
    }

    fn is_slow(&mut self, device: DeviceNumber, now: TimeMs) {
        if self.slow.len() >= ENTRIES_MAX {
            self.slow.retain(|_, until| *until > now);
        }
        if self.slow.len() < ENTRIES_MAX || self.slow.contains_key(&device) {
            self.slow.insert(device, now.plus_ms(SLOW_MS));
        }
    }

    fn buy(&mut self, said: &Said, now: TimeMs) -> Verdict {
        let Said {
            line, device, offer, ..
        } = said;
        let (device, frame) = (*device, offer.frame);
        // Two offers of one name: the packet could be of either.
        if self.coming.contains_key(&(*line, offer.number)) {
            return Verdict::Unwanted;
        }
        let price = meter(&self.terms.params, pieces(offer.size.into())).credits;
        let is_new = !self.owed.contains_key(&device);
        let owed = self.owed.get(&device).copied().unwrap_or_default();
        let beyond = owed.delivered.checked_add(owed.coming);
        let exposed = beyond.is_none_or(|open| !may_deliver(owed.signed, open, price, self.terms.claim.exposure));
        let spent = self.spent.checked_add(price).filter(|spent| *spent <= self.terms.held);
        let full = is_new && self.owed.len() >= ENTRIES_MAX;
        let Some(spent) = spent.filter(|_| !exposed && !full) else {
            return Verdict::Spent;
        };
        self.spent = spent;
        let owed = self.owed.entry(device).or_default();
        owed.coming = owed
            .coming
            .checked_add(price)
            .expect("it is within what the order holds");
        let coming = Coming {
            frame,
            device,
            price,
            since: now,
        };
        self.coming.insert((*line, offer.number), coming);
        if let Some(frame) = self.frames.get_mut(&frame) {
            frame.bought(said, now);
            self.awaited.push_back((now.plus_ms(DELIVER_MS), offer.frame));
        }
        Verdict::Bought(price)
    }

    /// A bought packet is here, whole and signed. Says whether it was waited for.
    pub fn packet(&mut self, line: LineId, number: u64) -> bool {
        let Some(coming) = self.coming.remove(&(line, number)) else {
            return false;
        };
        let owed = self.owed.entry(coming.device).or_default();
        owed.coming = owed.coming.saturating_sub(coming.price);
        owed.delivered = owed
            .delivered
            .checked_add(coming.price)
            .expect("it is within what the order holds");
        self.counts.packets += 1;
        if let Some(frame) = self.frames.get_mut(&coming.frame) {
            frame.came(line, number);
            let left = frame.left_over(false);
            left.iter().for_each(|said| self.reply(said, Verdict::Enough));
        }
        true
    }

    /// A line ended: what it was to bring is not waited for.
    pub fn gone(&mut self, line: LineId, now: TimeMs) {
        let frames: Vec<Hash> = self.give_up(|of, _| of == line);
        for hash in frames {
            let whose = self.frames.get_mut(&hash).map(|frame| frame.give_away(now, Some(line)));
            whose.into_iter().flatten().for_each(|device| self.is_slow(device, now));
            self.settle(hash, now);
        }
    }

    fn forget(&mut self, now: TimeMs) {
        while self.ages.len() > FRAMES_MAX || self.ages.front().is_some_and(|(at, _)| now.since_ms(*at) > FRAME_MS) {
            let forgotten = self.ages.pop_front().and_then(|(_, hash)| self.frames.remove(&hash));
            for said in forgotten.into_iter().flat_map(Frame::forgotten) {
                self.reply(&said, Verdict::Unwanted);
            }
        }
        self.give_up(|_, coming| now.since_ms(coming.since) > WAIT_MS);
    }

    /// Frees the money of packets that will not come; says of which frames they were.
    fn give_up(&mut self, which: impl Fn(LineId, &Coming) -> bool) -> Vec<Hash> {
        let mut frames = Vec::new();
        let (owed, spent) = (&mut self.owed, &mut self.spent);
        self.coming.retain(|(line, _), coming| {
            let given_up = which(*line, coming);
            if given_up {
                *spent = spent.saturating_sub(coming.price);
                let owed = owed.entry(coming.device).or_default();
                owed.coming = owed.coming.saturating_sub(coming.price);
                frames.push(coming.frame);
            }
            !given_up
        });
        frames
    }

    /// The voucher over all that was delivered, if that is more than the last one says; and whom it promises more.
    pub fn sign(&mut self) -> Option<(Promise, Vec<DeviceNumber>)> {
        let more = self.owed.iter().filter(|(_, owed)| owed.delivered > owed.signed);
        let more: Vec<DeviceNumber> = more.map(|(device, _)| *device).collect();
        if more.is_empty() {
            return None;
        }
        let delivered = self.owed.iter().filter(|(_, owed)| owed.delivered > Credit::ZERO);
        let entry = |(device, owed): (&DeviceNumber, &Owed)| Entry {
            device: *device,
            credits: owed.delivered,
        };
        let entries = delivered.map(entry).collect();
        let Terms {
            chain, secret, claim, ..
        } = &self.terms;
        let promise = Promise::sign(claim.order, entries, chain, secret)?;
        self.owed.values_mut().for_each(|owed| owed.signed = owed.delivered);
        Some((promise, more))
    }

    fn answer(&mut self, line: LineId, number: u64, verdict: Verdict) -> Answer {
        *self.counts.verdicts.entry(verdict.name()).or_default() += 1;
        Answer { line, number, verdict }
    }
}

#[cfg(test)]
pub(crate) mod tests;
