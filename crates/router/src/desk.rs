//! What a router decides: which copies of a frame are bought, what is owed to whom, and the voucher for it. Pure: it is told the time
//! and draws nothing by lot.

use cairn_agent::carry::wire::{Claim, ENTRIES_MAX, Entry, Offer, Promise, Verdict};
use cairn_types::{ChainId, Credit, DeviceNumber, Hash, SecretKey, TimeMs};
use cairn_verticals::wireless::params::Params;
use cairn_verticals::wireless::service::{Bought, Copy, choose, may_deliver, meter, pieces};
use std::collections::btree_map::Entry as Place;
use std::collections::{BTreeMap, VecDeque};

/// Frames that are remembered at once, so that no copy too many is bought; the oldest is forgotten for a new one.
const FRAMES_MAX: usize = 16_384;
/// So long a frame is remembered. Senders repeat some frames on purpose: those are bought again later.
const FRAME_MS: u64 = 30_000;
/// A copy that comes later than this after the first, and after the choice, is of no use to any network server.
const LATE_MS: u64 = 2_000;
/// Copies of one frame that are compared.
const COPIES_COMPARED_MAX: usize = 256;
/// A bought packet that does not come by then is not waited for.
const WAIT_MS: u64 = 10_000;

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

struct Frame {
    first: TimeMs,
    /// Until the choice: who offered it.
    offers: Vec<(LineId, DeviceNumber, Offer, TimeMs)>,
    decided: bool,
    bought_of: Vec<DeviceNumber>,
}

/// A bought packet on its way.
struct Coming {
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
        if !self.terms.claim.wants(&offer.sender) || self.coming.contains_key(&(line, offer.number)) {
            return Some(Verdict::Unwanted);
        }
        let collect_ms = self.terms.collect_ms;
        let copies = usize::from(self.terms.claim.copies);
        let frame = match self.frames.entry(offer.frame) {
            Place::Occupied(known) => known.into_mut(),
            Place::Vacant(place) => {
                self.ages.push_back((now, offer.frame));
                if collect_ms > 0 {
                    self.undecided.push_back((now.plus_ms(collect_ms), offer.frame));
                }
                place.insert(Frame {
                    first: now,
                    offers: Vec::new(),
                    decided: collect_ms == 0,
                    bought_of: Vec::new(),
                })
            }
        };
        if now.since_ms(frame.first) > collect_ms.saturating_add(LATE_MS) {
            return Some(Verdict::Unwanted);
        }
        if frame.bought_of.contains(&device) {
            return Some(Verdict::Twice);
        }
        if !frame.decided {
            if frame.offers.len() >= COPIES_COMPARED_MAX {
                return Some(Verdict::Enough);
            }
            frame.offers.push((line, device, offer, now));
            return None;
        }
        if frame.bought_of.len() >= copies {
            return Some(Verdict::Enough);
        }
        Some(self.buy(line, device, &offer, now))
    }

    /// The choices whose time has come.
    pub fn due(&mut self, now: TimeMs) -> Vec<Answer> {
        let mut answers = Vec::new();
        while let Some((_, hash)) = self.undecided.pop_front_if(|(due, _)| *due <= now) {
            let Some(frame) = self.frames.get_mut(&hash) else {
                continue;
            };
            frame.decided = true;
            let (first, offers) = (frame.first, std::mem::take(&mut frame.offers));
            let copy = |(_, device, offer, received): &(LineId, DeviceNumber, Offer, TimeMs)| Copy {
                device: *device,
                snr_ddb: offer.snr_ddb,
                rssi_ddbm: offer.rssi_ddbm,
                received: *received,
            };
            let copies: Vec<Copy> = offers.iter().map(copy).collect();
            let wanted = usize::from(self.terms.claim.copies);
            let chosen = choose(&copies, wanted, first, self.terms.collect_ms.saturating_add(LATE_MS));
            for ((line, device, offer, _), bought) in offers.into_iter().zip(chosen) {
                let verdict = match bought {
                    Bought::Yes => self.buy(line, device, &offer, now),
                    Bought::Enough => Verdict::Enough,
                    Bought::Twice => Verdict::Twice,
                    Bought::Unwanted => Verdict::Unwanted,
                };
                answers.push(self.answer(line, offer.number, verdict));
            }
        }
        answers
    }

    /// When `due` has something to say.
    pub fn next_due(&self) -> Option<TimeMs> {
        self.undecided.front().map(|(due, _)| *due)
    }

    fn buy(&mut self, line: LineId, device: DeviceNumber, offer: &Offer, now: TimeMs) -> Verdict {
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
            device,
            price,
            since: now,
        };
        self.coming.insert((line, offer.number), coming);
        if let Some(frame) = self.frames.get_mut(&offer.frame) {
            frame.bought_of.push(device);
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
        true
    }

    /// A line ended: what it was to bring is not waited for.
    pub fn gone(&mut self, line: LineId) {
        self.give_up(|of, _| of == line);
    }

    fn forget(&mut self, now: TimeMs) {
        while self.ages.len() > FRAMES_MAX || self.ages.front().is_some_and(|(at, _)| now.since_ms(*at) > FRAME_MS) {
            if let Some((_, hash)) = self.ages.pop_front() {
                self.frames.remove(&hash);
            }
        }
        self.give_up(|_, coming| now.since_ms(coming.since) > WAIT_MS);
    }

    fn give_up(&mut self, which: impl Fn(LineId, &Coming) -> bool) {
        let (owed, spent) = (&mut self.owed, &mut self.spent);
        self.coming.retain(|(line, _), coming| {
            let given_up = which(*line, coming);
            if given_up {
                *spent = spent.saturating_sub(coming.price);
                let owed = owed.entry(coming.device).or_default();
                owed.coming = owed.coming.saturating_sub(coming.price);
            }
            !given_up
        });
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
