//! The slow model's second half: anchors, settlements that wait, their release, disputes, votes and what is slashed.

use super::*;

/// Choices of results in a workload: what two operators get of the pool in hundredths; the last one pays nobody.
pub const VARIANTS: [Option<u128>; 4] = [Some(30), Some(55), Some(100), None];
pub const VALIDATORS_MAX: usize = 5;
/// What results of a workload leave out, by places; the last one only where enough is anchored.
pub const WITHOUTS: [&[u32]; 4] = [&[], &[0], &[0, 1], &[2]];
const WINDOW: u128 = 4_800_000;
pub const DISPUTE_BOND: u128 = 3_000_001;
/// Until an unsettled epoch may be put before the validators.
pub const STALL: u128 = 3_600_000;
const DISPUTE_FEE: u128 = FEE;

/// How far an epoch of a network is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    #[default]
    Closed,
    Settled,
    Released,
    Expired,
}

/// A result of a workload: which leaves it has, and what it leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub variant: usize,
    pub without: usize,
}

impl Said {
    fn places(&self) -> &'static [u32] {
        WITHOUTS[self.without]
    }

    /// Whether it leaves out what another one does (`Some(true)`) or less.
    fn leaves_out(&self, other: &Self) -> Option<bool> {
        let (own, others) = (self.places(), other.places());
        let is_inside = own.iter().all(|place| others.contains(place));
        is_inside.then_some(own.len() == others.len())
    }
}

/// What was settled of an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    pub said: Said,
    uptime: u128,
    height: u64,
    /// Who signed it, with the bonds they had.
    signers: Vec<(usize, u128)>,
    pub cursor: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    pub open: bool,
    /// Nothing was settled in time: what validators decide is the result.
    settles: bool,
    claim: Said,
    disputer: usize,
    votes: BTreeMap<usize, (Said, bool)>,
}

/// A leaf: units of token for being there and for usage, dollars, and what customers paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    pub availability: u128,
    pub usage: u128,
    pub cash: u128,
    pub paid: u128,
}

/// What is shown of a broken receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    NoAnchor,
    NotAnchored,
    NotJudged,
}

impl Pool {
    pub fn is_anchored(&self, uptime: u128, height: u64) -> bool {
        let is_over = uptime >= self.closed_uptime + HOUR_MS / 2 && height >= self.closed_height + WINDOW_BLOCKS;
        is_over || (self.done > 0 && self.done >= self.listed)
    }

    pub fn reports(&self) -> u128 {
        self.anchored.iter().map(|(_, count)| count).sum()
    }

    /// Whether a result leaves out what was anchored.
    fn holds(&self, said: Said) -> bool {
        said.places()
            .iter()
            .all(|place| (*place as usize) < self.anchored.len())
    }

    /// The leaves of a variant; they leave a few units of the pool.
    pub fn leaves(&self, variant: usize) -> Vec<Leaf> {
        let Some(percent) = VARIANTS[variant] else {
            return Vec::new();
        };
        let left = (variant as u128).min(self.availability / 3);
        let first = [self.availability * percent / 100, self.paid * percent / 100];
        let second = [
            (self.availability - first[0]).saturating_sub(left),
            self.paid - first[1],
        ];
        let leaf = |[availability, paid]: [u128; 2]| {
            let (cash, usage) = Model::usage_share(self, paid);
            Leaf {
                availability,
                usage,
                cash,
                paid,
            }
        };
        vec![leaf(first), leaf(second)]
    }

    /// Availability, usage, cash over all leaves.
    fn totals(&self, variant: usize) -> [u128; 3] {
        self.leaves(variant).iter().fold([0; 3], |sum, leaf| {
            [sum[0] + leaf.availability, sum[1] + leaf.usage, sum[2] + leaf.cash]
        })
    }
}

impl Network {
    /// The epoch that may be settled next, in an open epoch.
    pub fn due(&self, open: u64) -> u64 {
        self.skip(self.unsettled, open)
    }

    /// The first epoch from here on that did not expire.
    fn skip(&self, mut epoch: u64, end: u64) -> u64 {
        while epoch < end && self.pools.get(&epoch).is_some_and(|pool| pool.stage == Stage::Expired) {
            epoch += 1;
        }
        epoch
    }
}

impl Model {
    pub fn anchor(&mut self, by: usize, network: usize, epoch: u64, count: u128) -> Answer {
        self.paid(by, 0, |model| {
            let verifier = model.verifiers.get(&by).filter(|verifier| verifier.at_stake() > 0);
            let since = verifier.ok_or(Reject::NotAVerifier)?.since;
            ensure(epoch < model.epoch, Reject::EpochOpen)?;
            let (uptime, height) = (model.uptime, model.height);
            let pool = model
                .networks
                .get_mut(network)
                .and_then(|network| network.pools.get_mut(&epoch))
                .ok_or(Reject::NoPool)?;
            ensure(pool.anchored.iter().all(|(who, _)| *who != by), Reject::AnchorExists)?;
            ensure(!pool.is_anchored(uptime, height), Reject::AnchorsClosed)?;
            pool.anchored.push((by, count));
            pool.done += usize::from(since <= epoch);
            Ok(())
        })
    }

    /// Settles with vera's signature alone. Beacons are known one block after closing.
    pub fn settle(&mut self, by: usize, at: usize, said: Said, wrong: Wrong) -> Answer {
        self.paid(by, 0, |model| {
            let (epoch, height, uptime) = (model.epoch, model.height, model.uptime);
            let bonds: u128 = model.verifiers.values().map(|verifier| verifier.bond).sum();
            let vera = model.verifiers.get(&5).map_or(0, |verifier| verifier.bond);
            let network = model.networks.get_mut(at).ok_or(Reject::NetworkUnknown)?;
            let due = network.due(epoch);
            ensure(due < epoch, Reject::EpochOpen)?;
            let pool = network.pools.get_mut(&due).expect("closed");
            ensure(height > pool.closed_height, Reject::BeaconPending)?;
            ensure(vera > 0, Reject::SignerNotAVerifier)?;
            ensure(3 * vera > 2 * bonds, Reject::QuorumMissing)?;
            ensure(wrong != Wrong::Totals, Reject::TotalsAbovePool)?;
            ensure(pool.is_anchored(uptime, height), Reject::AnchorsOpen)?;
            ensure(wrong != Wrong::Anchors, Reject::AnchorsDiffer)?;
            ensure(
                wrong != Wrong::Archive || pool.reports() > 0,
                Reject::ReportsNotAnchored,
            )?;
            ensure(wrong != Wrong::Previous, Reject::PreviousDiffers)?;
            ensure(pool.holds(said), Reject::WithoutInvalid)?;
            pool.stage = Stage::Settled;
            pool.settled = Some(Settled {
                said,
                uptime,
                height,
                signers: vec![(5, vera)],
                cursor: 0,
            });
            network.unsettled = network.skip(due + 1, epoch);
            model.lapse(at, due);
            Ok(())
        })
    }

    fn settled_pool(&mut self, network: usize, epoch: u64) -> Result<&mut Pool, Reject> {
        let network = self.networks.get_mut(network).ok_or(Reject::NotSettled)?;
        let pool = network.pools.get_mut(&epoch).ok_or(Reject::NotSettled)?;
        ensure(pool.settled.is_some(), Reject::NotSettled)?;
        Ok(pool)
    }

    /// Pays a leaf, or only releases.
    pub fn pay(&mut self, by: usize, network: usize, epoch: u64, place: Option<usize>) -> Answer {
        self.paid(by, 0, |model| {
            let pool = model.settled_pool(network, epoch)?.clone();
            let settled = pool.settled.clone().expect("checked");
            let leaves = pool.leaves(settled.said.variant);
            let Some(place) = place else {
                if pool.stage == Stage::Settled {
                    return model.release(network, epoch);
                }
                ensure(settled.cursor < leaves.len(), Reject::PayoutsDone)?;
                return Err(Reject::ChunkEmpty);
            };
            ensure(settled.cursor < leaves.len(), Reject::PayoutsDone)?;
            ensure(place < leaves.len(), Reject::ChunkEmpty)?;
            ensure(place == settled.cursor, Reject::ChunkNotAtCursor)?;
            if pool.stage == Stage::Settled {
                model.release(network, epoch)?;
            }
            let leaf = leaves[place];
            model.give(place, 0, leaf.availability + leaf.usage);
            model.give(place, 1, leaf.cash);
            let settled = model.settled_pool(network, epoch)?.settled.as_mut();
            settled.expect("checked").cursor += 1;
            Ok(())
        })
    }

    fn release(&mut self, network: usize, epoch: u64) -> Answer {
        let (uptime, height) = (self.uptime, self.height);
        let network = &mut self.networks[network];
        let settled = network.pools[&epoch].settled.as_ref().expect("settled");
        let over = uptime >= settled.uptime + WINDOW && height >= settled.height + WINDOW_BLOCKS;
        ensure(over, Reject::ReleaseTooEarly)?;
        let first = network.skip(network.unreleased, network.unsettled);
        ensure(epoch == first, Reject::ReleaseOutOfOrder)?;
        let pool = network.pools.get_mut(&epoch).expect("settled");
        let settled = pool.settled.as_ref().expect("settled");
        let disputed = pool.dispute.as_ref().is_some_and(|dispute| dispute.open);
        ensure(!disputed, Reject::DisputeOpen)?;
        let totals = pool.totals(settled.said.variant);
        let signers = settled.signers.clone();
        pool.stage = Stage::Released;
        let bonds: Vec<u128> = signers.iter().map(|(_, bond)| *bond).collect();
        let shares = divide(pool.verifiers, &bonds);
        let unsigned = pool.verifiers - shares.iter().sum::<u128>();
        network.carry[0] += pool.availability - totals[0] + pool.usage - totals[1];
        network.carry[1] += pool.cash - totals[2] + unsigned;
        network.unreleased = network.skip(epoch + 1, network.unsettled);
        for ((who, _), share) in signers.into_iter().zip(shares) {
            self.give(who, 1, share);
        }
        Ok(())
    }

    pub fn expire(&mut self) {
        let mut lapsed = Vec::new();
        for (at, network) in self.networks.iter_mut().enumerate() {
            let due = network.unsettled;
            let recently = network.held + SETTLE_EPOCHS > self.epoch;
            let since = network.pools.get(&due.max(network.held));
            let since = since.map_or((0, 0), |pool| (pool.closed_uptime, pool.closed_height));
            let Some(pool) = network
                .pools
                .get_mut(&due)
                .filter(|_| due + SETTLE_EPOCHS <= self.epoch)
            else {
                continue;
            };
            let was_up = self.uptime >= since.0 + u128::from(SETTLE_EPOCHS) * HOUR_MS;
            if recently || !was_up || self.height < since.1 + SETTLE_EPOCHS {
                continue;
            }
            if pool.stage != Stage::Expired {
                pool.stage = Stage::Expired;
                lapsed.push((at, due));
                network.carry[0] += pool.availability + pool.usage;
                network.carry[1] += pool.cash + pool.verifiers;
            }
            if network.unreleased == due {
                network.unreleased = due + 1;
            }
            network.unsettled = due + 1;
        }
        for (at, due) in lapsed {
            self.lapse(at, due);
        }
    }

    /// What dispute and vote have in common: an epoch of a network that is settled.
    fn disputable(&mut self, network: usize, epoch: u64) -> Result<&mut Pool, Reject> {
        ensure(network < self.networks.len(), Reject::NetworkUnknown)?;
        ensure(epoch < self.epoch, Reject::EpochOpen)?;
        self.settled_pool(network, epoch)
    }

    pub fn open_dispute(&mut self, by: usize, network: usize, epoch: u64, said: Said) -> Answer {
        self.paid(by, DISPUTE_FEE, |model| {
            model.take(by, 0, DISPUTE_BOND)?;
            if model.is_unsettled(network, epoch) {
                return model.open_stalled(by, network, epoch, said);
            }
            let (uptime, height) = (model.uptime, model.height);
            let pool = model.disputable(network, epoch)?;
            let settled = pool.settled.clone().expect("checked");
            ensure(pool.holds(said), Reject::WithoutInvalid)?;
            ensure(pool.dispute.is_none(), Reject::DisputeExists)?;
            let over = uptime >= settled.uptime + WINDOW && height >= settled.height + WINDOW_BLOCKS;
            ensure(pool.stage == Stage::Settled && !over, Reject::DisputeTooLate)?;
            ensure(said != settled.said, Reject::ClaimIsSettled)?;
            ensure(said.leaves_out(&settled.said).is_some(), Reject::WithoutNotLess)?;
            pool.dispute = Some(Dispute {
                open: true,
                settles: false,
                claim: said,
                disputer: by,
                votes: BTreeMap::new(),
            });
            model.hold(&settled.signers, true);
            Ok(())
        })
    }

    pub fn vote_dispute(&mut self, by: usize, network: usize, epoch: u64, said: Said, blame: bool) -> Answer {
        self.paid(by, 0, |model| {
            let members: Vec<usize> = model.validators.values().copied().collect();
            if model.is_unsettled(network, epoch) {
                return model.vote_stalled((by, &members), network, epoch, said, blame);
            }
            let bond = model.verifiers.get(&by).map_or(0, |verifier| verifier.bond);
            let pool = model.disputable(network, epoch)?;
            ensure(pool.holds(said), Reject::WithoutInvalid)?;
            let settled = pool.settled.as_ref().expect("checked").said;
            let dispute = pool.dispute.as_mut().ok_or(Reject::DisputeUnknown)?;
            if dispute.settles {
                let signers = &mut pool.settled.as_mut().expect("decided").signers;
                ensure(pool.stage == Stage::Settled, Reject::DisputeDecided)?;
                ensure(bond > 0, Reject::NotAVerifier)?;
                ensure(signers.iter().all(|(who, _)| *who != by), Reject::VoteGiven)?;
                ensure(said == settled && !blame, Reject::BlameWrong)?;
                signers.push((by, bond));
                return Ok(());
            }
            ensure(dispute.open, Reject::DisputeDecided)?;
            ensure(members.contains(&by), Reject::NotAValidator)?;
            let is_again = dispute.votes.insert(by, (said, blame)) == Some((said, blame));
            let votes = members.iter().filter_map(|who| dispute.votes.get(who));
            let same = votes.filter(|vote| **vote == (said, blame)).count();
            let decides = 3 * same > 2 * members.len();
            ensure(!is_again || decides, Reject::VoteGiven)?;
            let is_by_the_same = said.leaves_out(&settled).ok_or(Reject::WithoutNotLess)?;
            ensure(
                blame == (is_by_the_same && said.variant != settled.variant),
                Reject::BlameWrong,
            )?;
            if decides {
                model.decide(network, epoch, said);
            }
            Ok(())
        })
    }

    fn is_unsettled(&self, network: usize, epoch: u64) -> bool {
        let pool = self.networks.get(network).and_then(|network| network.pools.get(&epoch));
        pool.is_some_and(|pool| pool.stage == Stage::Closed)
    }

    /// Whether verifiers had their time: since the later of its closing and of that of the last epoch in which a dispute kept them, and half an
    /// epoch since the result before.
    fn is_stalled(&self, network: &Network, due: u64) -> bool {
        let is_over = |uptime, height, window| self.uptime >= uptime + window && self.height >= height + WINDOW_BLOCKS;
        let since = network.pools.get(&due.max(network.held));
        let before = due
            .checked_sub(1)
            .and_then(|before| network.pools.get(&before)?.settled.as_ref());
        since.is_some_and(|since| is_over(since.closed_uptime, since.closed_height, STALL))
            && before.is_none_or(|before| is_over(before.uptime, before.height, HOUR_MS / 2))
    }

    fn open_stalled(&mut self, by: usize, at: usize, epoch: u64, said: Said) -> Answer {
        let network = &self.networks[at];
        ensure(epoch == network.due(self.epoch), Reject::EpochNotNext)?;
        let pool = &network.pools[&epoch];
        ensure(self.height > pool.closed_height, Reject::BeaconPending)?;
        ensure(pool.is_anchored(self.uptime, self.height), Reject::AnchorsOpen)?;
        ensure(pool.holds(said), Reject::WithoutInvalid)?;
        ensure(pool.dispute.is_none(), Reject::DisputeExists)?;
        ensure(self.is_stalled(network, epoch), Reject::NotStalled)?;
        let pool = self.networks[at].pools.get_mut(&epoch).expect("it is due");
        pool.dispute = Some(Dispute {
            open: true,
            settles: true,
            claim: said,
            disputer: by,
            votes: BTreeMap::new(),
        });
        Ok(())
    }

    fn vote_stalled(
        &mut self,
        (by, members): (usize, &[usize]),
        at: usize,
        epoch: u64,
        said: Said,
        blame: bool,
    ) -> Answer {
        let (open, uptime, height) = (self.epoch, self.uptime, self.height);
        let network = &mut self.networks[at];
        let pool = network.pools.get_mut(&epoch).expect("closed");
        ensure(pool.dispute.is_some(), Reject::NotSettled)?;
        ensure(pool.holds(said), Reject::WithoutInvalid)?;
        let case = pool.dispute.as_mut().expect("checked");
        ensure(members.contains(&by), Reject::NotAValidator)?;
        let is_again = case.votes.insert(by, (said, false)) == Some((said, false));
        let votes = members.iter().filter_map(|who| case.votes.get(who));
        let decides = 3 * votes.filter(|vote| vote.0 == said).count() > 2 * members.len();
        ensure(!is_again || decides, Reject::VoteGiven)?;
        ensure(!blame, Reject::BlameWrong)?;
        if !decides {
            return Ok(());
        }
        case.open = false;
        let (opener, is_false) = (case.disputer, said != case.claim && said.without == case.claim.without);
        pool.stage = Stage::Settled;
        pool.settled = Some(Settled {
            said,
            uptime,
            height,
            signers: Vec::new(),
            cursor: 0,
        });
        network.unsettled = network.skip(epoch + 1, open);
        if is_false {
            self.books.burned += DISPUTE_BOND / 2;
            self.books.kept += DISPUTE_BOND - DISPUTE_BOND / 2;
        } else {
            self.give(opener, 0, DISPUTE_BOND);
        }
        Ok(())
    }

    /// A case that ends without a decision.
    fn lapse(&mut self, at: usize, epoch: u64) {
        let pool = self.networks[at].pools.get_mut(&epoch);
        if let Some(case) = pool.and_then(|pool| pool.dispute.take()) {
            self.give(case.disputer, 0, DISPUTE_BOND);
        }
    }

    /// Whether who votes for this blames those who signed.
    pub fn is_blamed(&self, network: usize, epoch: u64, said: Said) -> bool {
        let pool = self.networks.get(network).and_then(|network| network.pools.get(&epoch));
        let settled = pool.and_then(|pool| pool.settled.as_ref());
        settled.is_some_and(|settled| settled.said.without == said.without && settled.said.variant != said.variant)
    }

    fn decide(&mut self, at: usize, epoch: u64, said: Said) {
        let pool = self.networks[at].pools.get_mut(&epoch).expect("disputed");
        let dispute = pool.dispute.as_mut().expect("disputed");
        let settled = pool.settled.as_mut().expect("disputed");
        dispute.open = false;
        let disputer = dispute.disputer;
        let signers = settled.signers.clone();
        let before = std::mem::replace(&mut settled.said, said);
        let is_blamed = said.without == before.without;
        if said != before && is_blamed {
            settled.signers.clear();
        }
        if said == before {
            self.hold(&signers, false);
            self.books.burned += DISPUTE_BOND / 2;
            self.books.kept += DISPUTE_BOND - DISPUTE_BOND / 2;
            return;
        }
        self.hold(&signers, false);
        let mut reward = DISPUTE_BOND;
        for (who, _) in signers.into_iter().filter(|_| is_blamed) {
            let stake = self.verifiers.get(&who).map_or(0, Verifier::at_stake);
            if stake > 0 {
                reward += self.slash(who, stake, disputer);
            }
        }
        self.give(disputer, 0, reward);
        // Whatever was built on it is attested anew.
        let open = self.epoch;
        let mut refunds = Vec::new();
        for (_, pool) in self.networks[at].pools.range_mut(epoch + 1..) {
            if pool.stage != Stage::Settled {
                continue;
            }
            pool.stage = Stage::Closed;
            let settled = pool.settled.take().expect("settled");
            if let Some(dispute) = pool.dispute.take().filter(|dispute| dispute.open) {
                refunds.push((dispute.disputer, settled.signers));
            }
        }
        for (disputer, signers) in refunds {
            self.give(disputer, 0, DISPUTE_BOND);
            self.hold(&signers, false);
        }
        self.lapse(at, self.networks[at].due(open));
        let network = &mut self.networks[at];
        network.unsettled = network.skip(epoch + 1, open);
        network.held = open;
    }

    fn hold(&mut self, signers: &[(usize, u128)], on: bool) {
        for (who, _) in signers {
            let verifier = self.verifiers.get_mut(who).expect("who is held stays");
            verifier.held = if on { verifier.held + 1 } else { verifier.held - 1 };
        }
    }

    /// Takes stake, what leaves first and the bond last; returns the reporter's part.
    fn slash(&mut self, who: usize, amount: u128, reporter: usize) -> u128 {
        let (until, until_uptime) = self.liable_until();
        let verifier = self.verifiers.get_mut(&who).expect("it has a stake");
        let mut left = amount;
        let mut take = |held: u128| {
            let taken = held.min(left);
            left -= taken;
            held - taken
        };
        let leaving = verifier
            .unbonding
            .map(|(amount, until, uptime)| (take(amount), until, uptime));
        verifier.joining = take(verifier.joining);
        verifier.bond = take(verifier.bond);
        verifier.unbonding = leaving.filter(|(amount, _, _)| *amount > 0);
        if verifier.bond == 0 && verifier.unbonding.is_none() {
            verifier.unbonding = Some((0, until, until_uptime));
        }
        assert_eq!(left, 0, "no more is slashed than is at stake");
        let burned = amount / 2;
        let rewarded = if reporter == who { 0 } else { amount.min(BOND_MIN) / 5 };
        self.books.burned += burned;
        self.books.kept += amount - burned - rewarded;
        rewarded
    }

    /// Two results of one epoch, on the same one before or on different ones.
    pub fn slash_verifier(&mut self, by: usize, who: usize, same_previous: bool) -> Answer {
        self.paid(by, 0, |model| {
            let stake = model.verifiers.get(&who).map_or(0, Verifier::at_stake);
            ensure(stake > 0, Reject::NotAVerifier)?;
            ensure(same_previous, Reject::EvidenceNotTwo)?;
            let reward = model.slash(who, stake, by);
            model.give(by, 0, reward);
            Ok(())
        })
    }

    /// A receipt of a report that the verifier anchored (`present`), if it anchored any, or of another one.
    pub fn slash_receipt(
        &mut self,
        by: usize,
        who: usize,
        at: (usize, u64),
        evidence: Evidence,
        present: bool,
    ) -> Answer {
        self.paid(by, 0, |model| {
            let stake = model.verifiers.get(&who).map_or(0, Verifier::at_stake);
            ensure(stake > 0, Reject::NotAVerifier)?;
            ensure(at.1 < model.epoch, Reject::EpochOpen)?;
            let (uptime, height) = (model.uptime, model.height);
            let network = model.networks.get_mut(at.0);
            let pool = network.and_then(|network| network.pools.get_mut(&at.1));
            let pool = pool.ok_or(Reject::NoPool)?;
            ensure(pool.is_anchored(uptime, height), Reject::AnchorsOpen)?;
            ensure(!pool.punished.contains(&who), Reject::OmissionPunished)?;
            let anchored = pool.anchored.iter().find(|(verifier, _)| *verifier == who);
            let missing = match evidence {
                Evidence::NoAnchor => anchored.is_none(),
                Evidence::NotAnchored => anchored.is_some_and(|(_, count)| *count == 0 || !present),
                Evidence::NotJudged => pool.stage == Stage::Released && (pool.reports() == 0 || !present),
            };
            ensure(missing, Reject::ReportNotMissing)?;
            pool.punished.push(who);
            let reward = model.slash(who, (stake * 1_000).div_ceil(10_000), by);
            model.give(by, 0, reward);
            Ok(())
        })
    }

    /// `joins`: the account of a validator that would join; `None`: the one with the key leaves.
    pub fn vote_validator(&mut self, by: usize, key: usize, joins: Option<usize>) -> Answer {
        self.paid(by, FEE, |model| {
            ensure(joins.is_none_or(|account| account < 6), Reject::RecipientUnknown)?;
            let members: Vec<usize> = model.validators.values().copied().collect();
            ensure(members.contains(&by), Reject::NotAValidator)?;
            let is_there = model.validators.contains_key(&key);
            match joins {
                Some(account) => {
                    ensure(!is_there && !members.contains(&account), Reject::ValidatorExists)?;
                    ensure(members.len() < VALIDATORS_MAX, Reject::ValidatorsFull)?;
                }
                None => {
                    ensure(is_there, Reject::ValidatorUnknown)?;
                    ensure(members.len() > 1, Reject::ValidatorsTooFew)?;
                }
            }
            let votes = model.wishes.entry(key).or_default();
            let is_same = votes.insert(by, joins) == Some(joins);
            let same = members.iter().filter(|who| votes.get(who) == Some(&joins)).count();
            let decides = 3 * same > 2 * members.len();
            ensure(!is_same || decides, Reject::VoteGiven)?;
            if decides {
                model.wishes.remove(&key);
                match joins {
                    Some(account) => model.validators.insert(key, account),
                    None => model.validators.remove(&key),
                };
            }
            Ok(())
        })
    }
}

impl Verifier {
    pub fn at_stake(&self) -> u128 {
        self.bond + self.joining + self.unbonding.map_or(0, |(amount, _, _)| amount)
    }
}
