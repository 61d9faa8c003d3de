//! The release of a settled epoch: from here on its money moves. Until then whoever finds the result wrong may dispute it, and what
//! is disputed waits, together with all that builds on it: later epochs of the same network.

use crate::context::{Context, Step, ensure};
use crate::economics::{Carry, divide};
use crate::event::Event;
use crate::records::{
    Account, AccountIndex, Dispute, DisputeState, Network, Pool, PoolState, SIGNERS_PER_PAGE, Settlement, Signer,
    SignerPage,
};
use crate::reject::Reject;
use crate::tables::Loaded;
use cairn_types::{AccountId, AccountNumber, EpochNumber, EpochResult, MicroUsd, NetworkId, Token};

/// A release that may happen, with all it takes.
pub(super) struct Release {
    at: (NetworkId, EpochNumber),
    /// Verifiers who signed, and their parts of the pool.
    signers: Vec<(AccountId, Loaded<Account>, MicroUsd)>,
    /// What the leaves leave of the pool, and what nobody signed for: carried on.
    unpaid: (Token, MicroUsd),
    leaves: u32,
}

/// Tells that a result is in force that leaves `unpaid`, and releases it at once where nothing may be disputed.
pub(super) fn settled(
    result: &EpochResult,
    unpaid: Carry,
    settlement: &Settlement,
    (mut network, mut pool): (Loaded<Network>, Loaded<Pool>),
    context: &mut Context<'_>,
) -> Step<()> {
    let at = (result.network, result.epoch);
    context.emit(Event::EpochSettled {
        network: at.0,
        epoch: at.1,
        result: result.hash(),
        leaves: result.leaves,
        totals: result.totals,
        unpaid_token: unpaid.tokens,
        unpaid_stable: unpaid.micro_usd,
    });
    if context.genesis.limits.dispute_window_ms == 0 {
        let release = Release::check(at, &network, &pool, settlement, context)?;
        release.apply(&mut network, &mut pool, context)?;
    }
    context.save(&pool);
    context.save(&network);
    Ok(())
}

impl Release {
    /// Whether the window is over, no dispute is open, and all earlier epochs of the network are released.
    pub fn check(
        at: (NetworkId, EpochNumber),
        network: &Network,
        pool: &Pool,
        settlement: &Settlement,
        context: &mut Context<'_>,
    ) -> Step<Self> {
        let limits = context.genesis.limits;
        let due = limits.is_over(limits.dispute_window_ms, settlement.settled(), context.moment()?);
        ensure(due, Reject::ReleaseTooEarly)?;
        let first = skip_expired(&at.0, network.unreleased, network.unsettled, context)?;
        ensure(at.1 == first, Reject::ReleaseOutOfOrder)?;
        if limits.dispute_window_ms > 0 {
            let dispute = context.load::<Dispute>(&at)?;
            let open = dispute.is_some_and(|dispute| dispute.state == DisputeState::Open);
            ensure(!open, Reject::DisputeOpen)?;
        }
        let left = pool
            .pools()
            .remainder(&settlement.totals)
            .map_err(|_| Reject::TotalsAbovePool)?;
        let signers = signers(at, settlement.signers, pool.verifiers, context)?;
        let paid = MicroUsd::checked_sum(signers.iter().map(|(_, _, part)| *part)).ok_or(Reject::AmountTooLarge)?;
        let unsigned = pool.verifiers.checked_sub(paid).ok_or(Reject::AmountTooLarge)?;
        let dollars = left.micro_usd.checked_add(unsigned).ok_or(Reject::AmountTooLarge)?;
        Ok(Self {
            at,
            signers,
            unpaid: (left.tokens, dollars),
            leaves: settlement.leaves,
        })
    }

    /// Pays who signed, carries on what no leaf gets, and lets the leaves be paid. The caller saves network and pool.
    pub fn apply(self, network: &mut Network, pool: &mut Pool, context: &mut Context<'_>) -> Step<()> {
        let (tokens, dollars) = self.unpaid;
        let mut paid = MicroUsd::ZERO;
        let (id, epoch) = self.at;
        for (verifier, mut account, part) in self.signers {
            account.give_stable(part)?;
            context.save(&account);
            if part > MicroUsd::ZERO {
                context.emit(Event::VerifierPaid {
                    network: id,
                    epoch,
                    verifier,
                    amount: part,
                });
            }
            paid = paid.checked_add(part).ok_or(Reject::AmountTooLarge)?;
        }
        network.carry_token = network.carry_token.checked_add(tokens).ok_or(Reject::AmountTooLarge)?;
        network.carry_stable = network
            .carry_stable
            .checked_add(dollars)
            .ok_or(Reject::AmountTooLarge)?;
        context.pool_token(Token::ZERO, tokens)?;
        context.pool_stable(MicroUsd::ZERO, dollars.checked_add(paid).ok_or(Reject::AmountTooLarge)?)?;
        pool.state = if self.leaves == 0 {
            PoolState::Paid
        } else {
            PoolState::Released
        };
        network.unreleased = skip_expired(&id, epoch.next(), network.unsettled, context)?;
        context.emit(Event::EpochReleased {
            network: id,
            epoch,
            verifiers: paid,
            unpaid_token: tokens,
            unpaid_stable: dollars,
        });
        Ok(())
    }
}

/// The first epoch of a network from here on that did not expire, and `end` at the latest: those that expired wait for nothing.
pub(super) fn skip_expired(
    network: &NetworkId,
    from: EpochNumber,
    end: EpochNumber,
    context: &mut Context<'_>,
) -> Step<EpochNumber> {
    let (mut epoch, mut count) = (from, 1u64);
    while epoch < end {
        // Twice as many each time: few rounds of loading however many expired, and one record where none did.
        let after = EpochNumber(epoch.0.saturating_add(count)).min(end);
        let ids: Vec<_> = (epoch.0..after.0).map(|at| (*network, EpochNumber(at))).collect();
        let pools = context.load_many::<Pool>(&ids)?;
        let waits = |pool: &Option<Loaded<Pool>>| pool.as_ref().is_none_or(|pool| pool.state != PoolState::Expired);
        if let Some(at) = pools.iter().position(waits) {
            return Ok(ids[at].1);
        }
        (epoch, count) = (after, count.saturating_mul(2));
    }
    Ok(epoch)
}

/// The accounts of those who signed, with the verifiers' part divided by the bonds they signed with, to the last unit.
fn signers(
    at: (NetworkId, EpochNumber),
    count: u16,
    part: MicroUsd,
    context: &mut Context<'_>,
) -> Step<Vec<(AccountId, Loaded<Account>, MicroUsd)>> {
    if part == MicroUsd::ZERO || count == 0 {
        return Ok(Vec::new());
    }
    let signers = load_signers(at, count, context)?;
    let bonds: Vec<u64> = signers.iter().map(|signer| signer.bond.0).collect();
    let shares = divide(part.0, &bonds)?;
    let numbers: Vec<AccountNumber> = signers.iter().map(|signer| signer.account).collect();
    let ids = context.load_many::<AccountIndex>(&numbers)?;
    let ids: Option<Vec<AccountId>> = ids.into_iter().map(|index| index.map(|index| index.id)).collect();
    let ids = ids.ok_or(Reject::AccountUnknown)?;
    let accounts = context.load_many::<Account>(&ids)?;
    let accounts: Option<Vec<Loaded<Account>>> = accounts.into_iter().collect();
    let accounts = accounts.ok_or(Reject::AccountUnknown)?;
    let parts = ids.into_iter().zip(accounts).zip(shares);
    Ok(parts
        .map(|((id, account), share)| (id, account, MicroUsd(share)))
        .collect())
}

/// Who signed a settled result, in order.
pub(super) fn load_signers(at: (NetworkId, EpochNumber), count: u16, context: &mut Context<'_>) -> Step<Vec<Signer>> {
    let pages: Vec<_> = (0..SignerPage::pages(count)).map(|page| (at.0, at.1, page)).collect();
    let pages = context.load_many::<SignerPage>(&pages)?;
    let signers: Vec<Signer> = pages
        .into_iter()
        .flat_map(|page| page.expect("written with the settlement").into_value().signers)
        .collect();
    Ok(signers)
}

/// Writes who signed.
pub(super) fn write_signers(at: (NetworkId, EpochNumber), signers: &[Signer], context: &mut Context<'_>) {
    for (page, signers) in (0u8..).zip(signers.chunks(SIGNERS_PER_PAGE)) {
        let signers = signers.to_vec();
        context.insert(&(at.0, at.1, page), &SignerPage { signers });
    }
}
