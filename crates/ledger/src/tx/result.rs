//! What must hold of a result of an epoch, whoever brings it: it stays within the pool, judges what was anchored, and builds on the
//! result in force before it. Whose word it is, is for the transaction to say.

use super::settle_epoch::Exchange;
use super::without;
use crate::context::{Context, Step, ensure};
use crate::economics::Carry;
use crate::economics::netting::OfferTotals;
use crate::records::{Anchors, Dispute, Epoch, ExchangeBook, Network, Pool, Settlement, Whose};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::attestation::{Totals, leaves_out_less};
use cairn_types::{EpochNumber, EpochResult, Hash, NetworkId, codec, hash, merkle};

/// A result, and the exchange among its operators, if there is one.
#[derive(Clone, Copy)]
pub(super) struct Claim<'a> {
    pub result: &'a EpochResult,
    pub exchange: Option<&'a Exchange>,
}

/// A settled epoch that somebody says something about.
pub(super) struct Settled {
    pub network: Loaded<Network>,
    pub settlement: Loaded<Settlement>,
    pub pool: Loaded<Pool>,
}

/// Hash of all that a result pays: two claims with one hash are the same. Votes and disputes name what they are for by it.
pub fn claim_hash(result: &Hash, exchange: Option<(OfferTotals, Hash)>) -> Hash {
    hash::domain("cairn/claim/1", &[&result.0, &codec::encode(&exchange)])
}

/// What a vote for a claim is counted by: the claim itself, or the claim with blame on those who signed what was settled.
pub fn vote_hash(claim: &Hash, blame: bool) -> Hash {
    if blame {
        hash::domain("cairn/blame/1", &[&claim.0])
    } else {
        *claim
    }
}

/// The hash of the claim that stands: what was settled.
pub(super) fn standing(at: (NetworkId, EpochNumber), settlement: &Settlement, context: &mut Context<'_>) -> Step<Hash> {
    let book = match settlement.exchanged {
        true => context.load::<ExchangeBook>(&at)?,
        false => None,
    };
    let exchange = book.map(|book| (book.offers, book.choices));
    Ok(claim_hash(&settlement.result, exchange))
}

impl Claim<'_> {
    pub fn hash(&self) -> Hash {
        let exchange = self.exchange.map(|exchange| (exchange.offers, exchange.choices));
        claim_hash(&self.result.hash(), exchange)
    }

    /// The records `check` reads besides network, epoch and pool.
    pub fn reads(result: &EpochResult) -> Vec<Key> {
        let before = EpochNumber(result.epoch.0.saturating_sub(1));
        vec![
            Anchors::key(&(result.network, result.epoch)),
            Settlement::key(&(result.network, before)),
        ]
    }

    /// All that a claim about a settled epoch reads.
    pub fn reads_settled(result: &EpochResult) -> Vec<Key> {
        let at = (result.network, result.epoch);
        let mut keys = vec![
            Network::key(&at.0),
            Epoch::key(&at.1),
            Pool::key(&at),
            Settlement::key(&at),
            Dispute::key(&at),
        ];
        keys.extend(Self::reads(result));
        keys
    }

    /// Checks a claim about a settled epoch.
    pub fn check_settled(&self, context: &mut Context<'_>) -> Step<Settled> {
        let at = (self.result.network, self.result.epoch);
        let network = context.network(&at.0)?;
        let epoch: Loaded<Epoch> = context.load(&at.1)?.ok_or(Reject::EpochOpen)?;
        let settlement: Loaded<Settlement> = context.load(&at)?.ok_or(Reject::NotSettled)?;
        let pool: Loaded<Pool> = context.load(&at)?.ok_or(Reject::NotSettled)?;
        self.check(&network, &epoch, &pool, context)?;
        Ok(Settled {
            network,
            settlement,
            pool,
        })
    }

    /// What the leaves will leave of the pool.
    pub fn check(&self, network: &Network, epoch: &Epoch, pool: &Pool, context: &mut Context<'_>) -> Step<Carry> {
        let unpaid = self.check_totals(pool)?;
        self.check_exchange(pool)?;
        let result = self.result;
        let book = context.load::<Anchors>(&(result.network, result.epoch))?;
        let book = book.map(|book| book.into_value()).unwrap_or_default();
        let ended = epoch.is_anchored(&book, &context.genesis.limits, context.moment()?);
        ensure(ended, Reject::AnchorsOpen)?;
        ensure(result.anchors == book.digest, Reject::AnchorsDiffer)?;
        let judged = book.reports > 0 || result.archive == merkle::root(Vec::new());
        ensure(judged, Reject::ReportsNotAnchored)?;
        ensure(
            result.previous == previous(result, network, context)?,
            Reject::PreviousDiffers,
        )?;
        ensure(result.leaves_out_of(book.count.into()), Reject::WithoutInvalid)?;
        Ok(unpaid)
    }

    /// Checks that the claim judges all that the settled result judged. Whether it leaves out the same.
    pub fn check_without(&self, settlement: &Settlement, context: &mut Context<'_>) -> Step<bool> {
        let at = (self.result.network, self.result.epoch);
        let settled = without::load(at, Whose::Settled, settlement.without, context)?;
        let is_same = self.result.without == settled;
        ensure(
            is_same || leaves_out_less(&self.result.without, &settled),
            Reject::WithoutNotLess,
        )?;
        Ok(is_same)
    }

    fn check_totals(&self, pool: &Pool) -> Result<Carry, Reject> {
        let result = self.result;
        let totals = &result.totals;
        let unpaid = pool.pools().remainder(totals).map_err(|_| Reject::TotalsAbovePool)?;
        let empty = *totals == Totals::default() && result.payouts == merkle::root(Vec::new());
        ensure(result.leaves > 0 || empty, Reject::TotalsNotEmpty)?;
        Ok(unpaid)
    }

    fn check_exchange(&self, pool: &Pool) -> Result<(), Reject> {
        let Some(exchange) = self.exchange else {
            return Ok(());
        };
        let result = self.result;
        let possible = pool.exchange_price.is_some() && result.leaves > 0 && exchange.result == result.hash();
        ensure(possible, Reject::ExchangeNotPossible)
    }
}

/// The result in force for the epoch before; zero where there is none: at the network's first, and after one that expired.
fn previous(result: &EpochResult, network: &Network, context: &mut Context<'_>) -> Step<Hash> {
    if result.epoch <= network.created {
        return Ok(Hash::default());
    }
    let before = EpochNumber(result.epoch.0.saturating_sub(1));
    let settlement = context.load::<Settlement>(&(result.network, before))?;
    Ok(settlement.map(|settlement| settlement.result).unwrap_or_default())
}
