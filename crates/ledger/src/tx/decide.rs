//! What follows when the validators have decided a dispute. A false one costs its bond: half burned, half cover. A right one replaces
//! the result and withdraws what later epochs of the network were settled to on top of it, so that verifiers attest them anew. If those
//! who signed are to blame, it takes all that they have at stake, and gives the disputer its bond and a part of that. If they only
//! left out what nobody gave them then, they keep it, and their part of the pool, and the disputer gets its bond.

use super::release::{load_signers, skip_expired};
use super::result::{Claim, standing};
use super::settle_epoch::load_profiles;
use super::slash::{BURNED, slash};
use super::stalled::lapse;
use super::without;
use crate::context::{Context, Step};
use crate::event::Event;
use crate::records::{
    Account, AccountIndex, Dispute, DisputeState, Emission, ExchangeBook, Network, Pool, PoolState, Roots, Settlement,
    Signer, SignerPage, Verifier, Whose,
};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::{AccountId, AccountNumber, EpochNumber, NetworkId, Token};
use std::collections::BTreeMap;

type At = (NetworkId, EpochNumber);

/// A dispute about to be decided.
pub(super) struct Decision {
    pub at: At,
    pub network: Loaded<Network>,
    pub settlement: Loaded<Settlement>,
    pub dispute: Loaded<Dispute>,
}

impl Decision {
    pub fn apply(mut self, right: &Claim<'_>, blame: bool, context: &mut Context<'_>) -> Step<()> {
        let at = self.at;
        let signers = load_signers(at, self.settlement.signers, context)?;
        let_go(&signers, context)?;
        let upheld = right.hash() != standing(at, &self.settlement, context)?;
        context.emit(Event::DisputeDecided {
            network: at.0,
            epoch: at.1,
            upheld,
            result: right.result.hash(),
            blame,
        });
        let bond = std::mem::take(&mut self.dispute.bond);
        let claimed = std::mem::take(&mut self.dispute.without);
        without::delete(at, Whose::Claimed, claimed, context);
        self.dispute.state = match (upheld, blame) {
            (true, true) => DisputeState::Upheld,
            (true, false) => DisputeState::Completed,
            (false, _) => DisputeState::Rejected,
        };
        context.save(&self.dispute);
        if !upheld {
            return forfeit(bond, context);
        }
        let (reward, signers_left) = if blame {
            let reward = punish(&signers, &self.dispute.disputer, context)?;
            delete_signers(at, self.settlement.signers, context);
            (reward, 0)
        } else {
            (Token::ZERO, self.settlement.signers)
        };
        return_bond(at, &self.dispute.disputer, bond, context)?;
        give(&self.dispute.disputer, reward, context)?;
        self.replace(right, signers_left, context)
    }

    /// Puts the right result in the place of the attested one, and withdraws what was built on that. `signers`: so many of the attested
    /// one's stay.
    fn replace(mut self, right: &Claim<'_>, signers: u16, context: &mut Context<'_>) -> Step<()> {
        let (at, result) = (self.at, right.result);
        let is_other_result = self.settlement.result != result.hash();
        without::delete(at, Whose::Settled, self.settlement.without, context);
        // The pool stays settled, to another end; its window is the one that was opened with it.
        let settled = self.settlement.settled();
        *self.settlement = Settlement::of(result, right.exchange.is_some(), settled, signers);
        context.save(&self.settlement);
        without::write(at, Whose::Settled, result, context);
        context.insert(&at, &Roots::of(result));
        match right.exchange {
            Some(exchange) => context.insert(&at, &ExchangeBook::of(exchange)),
            None => context.delete::<ExchangeBook>(&at),
        }
        if is_other_result {
            self.withdraw_later(context)?;
        }
        Ok(())
    }

    fn withdraw_later(&mut self, context: &mut Context<'_>) -> Step<()> {
        let (id, epoch) = self.at;
        let later: Vec<At> = (epoch.next().0..self.network.unsettled.0)
            .map(|epoch| (id, EpochNumber(epoch)))
            .collect();
        let (pools, settlements, disputes) = (
            context.load_many::<Pool>(&later),
            context.load_many::<Settlement>(&later),
            context.load_many::<Dispute>(&later),
        );
        let (pools, settlements, disputes) = (pools?, settlements?, disputes?);
        let ended = settlements.iter().zip(&disputes).zip(&later);
        let ended: Vec<(At, u16, &Dispute)> = ended
            .filter_map(|((settlement, dispute), at)| Some((*at, settlement.as_ref()?.signers, &**dispute.as_ref()?)))
            .filter(|(_, _, dispute)| dispute.state == DisputeState::Open)
            .collect();
        end(&ended, context)?;
        for (((at, pool), settlement), dispute) in later.into_iter().zip(pools).zip(settlements).zip(disputes) {
            let (Some(mut pool), Some(settlement)) = (pool, settlement) else {
                continue; // it expired: its money was carried on, whatever it would have come to
            };
            pool.state = PoolState::Closed;
            context.save(&pool);
            delete_signers(at, settlement.signers, context);
            without::delete(at, Whose::Settled, settlement.without, context);
            without::delete(
                at,
                Whose::Claimed,
                dispute.map_or(0, |dispute| dispute.without),
                context,
            );
            context.delete::<Dispute>(&at);
            context.delete::<Settlement>(&at);
            context.delete::<Roots>(&at);
            context.delete::<ExchangeBook>(&at);
            context.emit(Event::SettlementWithdrawn {
                network: id,
                epoch: at.1,
            });
        }
        let open = context.chain()?.epoch;
        // What is not settled and was put before the validators builds on another result now: verifiers have their time anew.
        let due = (id, skip_expired(&id, self.network.unsettled, open, context)?);
        if let Some(case) = context.load::<Dispute>(&due)? {
            lapse(due, &case, context)?;
        }
        self.network.unsettled = skip_expired(&id, epoch.next(), open, context)?;
        self.network.held = open;
        context.save(&self.network);
        Ok(())
    }
}

/// Disputes of what is withdrawn end without a decision: bonds return, nobody is held for them any more.
fn end(disputes: &[(At, u16, &Dispute)], context: &mut Context<'_>) -> Step<()> {
    let of = |(at, signers, _): &(At, u16, &Dispute)| {
        let at = *at;
        (0..SignerPage::pages(*signers)).map(move |page| (at.0, at.1, page))
    };
    let pages: Vec<_> = disputes.iter().flat_map(of).collect();
    let disputers: Vec<Key> = disputes
        .iter()
        .map(|(_, _, dispute)| Account::key(&dispute.disputer))
        .collect();
    let touched = context.touch(&disputers);
    let pages = context.load_many::<SignerPage>(&pages)?.into_iter().flatten();
    touched?;
    let signers: Vec<Signer> = pages.flat_map(|page| page.into_value().signers).collect();
    let_go(&signers, context)?;
    for (at, _, dispute) in disputes {
        return_bond(*at, &dispute.disputer, dispute.bond, context)?;
    }
    Ok(())
}

/// A dispute was opened: while a result they signed is disputed, verifiers' stake does not leave.
pub(super) fn hold(signers: &[Signer], context: &mut Context<'_>) -> Step<()> {
    for (_, mut verifier) in verifiers(&numbers(signers), context)? {
        verifier.held = verifier.held.checked_add(1).ok_or(Reject::AmountTooLarge)?;
        context.save(&verifier);
    }
    Ok(())
}

/// Disputes ended: those who signed what was disputed, each as often as it did.
fn let_go(signers: &[Signer], context: &mut Context<'_>) -> Step<()> {
    let mut counts: BTreeMap<AccountNumber, u32> = BTreeMap::new();
    for signer in signers {
        let count = counts.entry(signer.account).or_default();
        *count = count.saturating_add(1);
    }
    let numbers: Vec<AccountNumber> = counts.keys().copied().collect();
    for (_, mut verifier) in verifiers(&numbers, context)? {
        let count = counts.get(&verifier.number).copied().unwrap_or_default();
        verifier.held = verifier.held.saturating_sub(count);
        context.save(&verifier);
    }
    Ok(())
}

fn numbers(signers: &[Signer]) -> Vec<AccountNumber> {
    signers.iter().map(|signer| signer.account).collect()
}

/// Takes all that the signers of a wrong result have at stake. Returns the disputer's part.
fn punish(signers: &[Signer], disputer: &AccountId, context: &mut Context<'_>) -> Step<Token> {
    let mut reward = Token::ZERO;
    let (chain, half) = (context.chain()?, context.genesis.limits.score_half_epochs);
    let verifiers = verifiers(&numbers(signers), context)?;
    let ids: Vec<AccountId> = verifiers.iter().map(|(id, _)| *id).collect();
    for mut profile in load_profiles(&ids, context)? {
        profile.score = profile.score.at(chain.settlements, chain.epoch, half).overturned();
        context.save(&profile);
    }
    for (id, verifier) in verifiers {
        let at_stake = verifier.at_stake();
        if at_stake > Token::ZERO {
            let part = slash(&id, verifier, at_stake, disputer, context)?;
            reward = reward.checked_add(part).ok_or(Reject::AmountTooLarge)?;
        }
    }
    Ok(reward)
}

/// Those of these accounts that are verifiers still.
fn verifiers(numbers: &[AccountNumber], context: &mut Context<'_>) -> Step<Vec<(AccountId, Loaded<Verifier>)>> {
    let ids = context.load_many::<AccountIndex>(numbers)?;
    let ids: Vec<AccountId> = ids.into_iter().flatten().map(|index| index.id).collect();
    let verifiers = context.load_many::<Verifier>(&ids)?;
    Ok(ids
        .into_iter()
        .zip(verifiers)
        .filter_map(|(id, verifier)| Some((id, verifier?)))
        .collect())
}

fn give(id: &AccountId, amount: Token, context: &mut Context<'_>) -> Step<()> {
    let mut account: Loaded<Account> = context.account(id, Reject::AccountUnknown)?;
    account.give_token(amount)?;
    context.save(&account);
    Ok(())
}

/// The bond of a dispute is its account's again.
pub(super) fn return_bond(at: At, to: &AccountId, bond: Token, context: &mut Context<'_>) -> Step<()> {
    give(to, bond, context)?;
    context.emit(Event::DisputeBondReturned {
        network: at.0,
        epoch: at.1,
        to: *to,
        amount: bond,
    });
    Ok(())
}

/// Half of a lost bond is burned, the rest is cover.
pub(super) fn forfeit(bond: Token, context: &mut Context<'_>) -> Step<()> {
    let burned = bond.part(BURNED);
    context.burn(burned)?;
    let mut emission: Loaded<Emission> = context.single()?;
    emission.cover = emission
        .cover
        .checked_add(bond.saturating_sub(burned))
        .ok_or(Reject::AmountTooLarge)?;
    emission.slashed = emission.slashed.checked_add(bond).ok_or(Reject::AmountTooLarge)?;
    context.save(&emission);
    Ok(())
}

fn delete_signers(at: At, signers: u16, context: &mut Context<'_>) {
    for page in 0..SignerPage::pages(signers) {
        context.delete::<SignerPage>(&(at.0, at.1, page));
    }
}
