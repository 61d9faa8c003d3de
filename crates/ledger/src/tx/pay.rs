//! Pushes the next payout leaves of a settled epoch to their operators, in order, proven by a range of the attested tree. Anyone may;
//! nobody claims anything. One cursor for each (network, epoch) makes every leaf paid once. The first payment releases the epoch; one
//! without leaves only does that.

use super::release::Release;
use crate::context::{Context, Step, ensure};
use crate::economics::netting::{self, Earned, Offer, Running, Terms};
use crate::economics::{Parameters, no_wash};
use crate::event::{Event, LeafPaid};
use crate::records::{Account, AccountIndex, ExchangeBook, Network, Pool, PoolState, Settlement, StableSupply};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::attestation::Totals;
use cairn_types::merkle::{self, RangeProof};
use cairn_types::{
    AccountId, AccountNumber, BasisPoints, EpochNumber, Hash, MicroUsd, NetworkId, PayoutLeaf, Token, codec,
};
use minicbor::{CborLen, Decode, Encode};

/// Leaves of one chunk at most: 51 bytes each and 3 for a choice, so a chunk with its proofs and any signatures but passkeys' stays below
/// the bytes of a transaction.
pub const PAY_LEAVES_MAX: usize = 1_024;

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Pay {
    #[n(0)]
    pub network: NetworkId,
    #[n(1)]
    pub epoch: EpochNumber,
    #[n(2)]
    pub leaves: Vec<PayoutLeaf>,
    /// That they stand at the cursor of the attested tree.
    #[n(3)]
    pub proof: RangeProof,
    /// If operators exchange: their choices, one for each leaf.
    #[n(4)]
    pub choices: Option<Choices>,
}

/// What the operators of a chunk of leaves chose when the epoch closed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Choices {
    #[n(0)]
    pub wants: Vec<Option<BasisPoints>>,
    #[n(1)]
    pub proof: RangeProof,
}

/// The leaf hash of a choice.
pub fn choice_hash(wants: Option<BasisPoints>) -> Hash {
    merkle::leaf(&codec::encode(&wants))
}

impl Pay {
    pub(crate) fn reads(&self) -> Vec<Key> {
        let at = (self.network, self.epoch);
        let mut keys = vec![
            Settlement::key(&at),
            Pool::key(&at),
            StableSupply::key(&()),
            Network::key(&self.network),
        ];
        let leaves = self.leaves.iter().take(PAY_LEAVES_MAX); // more are refused before any operator is looked up
        keys.extend(leaves.map(|leaf| AccountIndex::key(&leaf.operator)));
        keys
    }

    pub(crate) fn apply(&self, context: &mut Context<'_>) -> Step<()> {
        let at = (self.network, self.epoch);
        let mut settlement: Loaded<Settlement> = context.load(&at)?.ok_or(Reject::NotSettled)?;
        let mut pool: Loaded<Pool> = context.load(&at)?.ok_or(Reject::NotSettled)?;
        if self.leaves.is_empty() && pool.state == PoolState::Settled {
            let only = Self::releasing(self.network, self.epoch);
            ensure(*self == only, Reject::ChunkProofWrong)?;
            return self.release(&settlement, pool, context);
        }
        self.check_place(&settlement)?;
        let sums = self.check_leaves(&settlement, &pool, &context.genesis.economics)?;
        let start = settlement.cursor;
        let end = start.checked_add(self.count()).ok_or(Reject::ChunkProofWrong)?;
        let done = end == settlement.leaves;
        ensure(!done || sums == settlement.totals, Reject::TotalsNotReached)?;
        let book: Option<Loaded<ExchangeBook>> = if settlement.exchanged { context.load(&at)? } else { None };
        let amounts = match book {
            None => {
                ensure(self.choices.is_none(), Reject::ChoicesWrong)?;
                self.leaves.iter().map(earned).collect::<Result<Vec<_>, _>>()?
            }
            Some(book) => self.exchange(&settlement, &pool, &sums, book, context)?,
        };

        if pool.state == PoolState::Settled {
            self.release(&settlement, pool, context)?;
            pool = context.load(&at)?.expect("it was released just now");
        }
        // Not before the release: that may pay the same accounts, for what they attested.
        let accounts = self.operators(context)?;
        let tokens = Token::checked_sum(amounts.iter().map(|amount| amount.tokens)).ok_or(Reject::AmountTooLarge)?;
        let cash = MicroUsd::checked_sum(amounts.iter().map(|amount| amount.cash)).ok_or(Reject::AmountTooLarge)?;
        context.pool_token(Token::ZERO, tokens)?;
        context.pool_stable(MicroUsd::ZERO, cash)?;
        let mut paid = Vec::with_capacity(amounts.len());
        for ((mut account, amount), leaf) in accounts.into_iter().zip(amounts).zip(&self.leaves) {
            account.give_token(amount.tokens)?;
            account.give_stable(amount.cash)?;
            context.save(&account);
            paid.push(LeafPaid {
                operator: leaf.operator,
                token: amount.tokens,
                stable: amount.cash,
            });
        }
        settlement.cursor = end;
        settlement.paid = sums;
        settlement.operator = self.leaves.last().map(|leaf| leaf.operator);
        context.save(&settlement);
        context.emit(Event::LeavesPaid {
            network: self.network,
            epoch: self.epoch,
            start,
            end,
            sums,
            leaves: paid,
        });
        if done {
            pool.state = PoolState::Paid;
            context.save(&pool);
            context.emit(Event::PayoutsCompleted {
                network: self.network,
                epoch: self.epoch,
            });
        }
        Ok(())
    }

    /// A payment of nothing: it only releases the epoch.
    pub fn releasing(network: NetworkId, epoch: EpochNumber) -> Self {
        let proof = RangeProof {
            start: 0,
            count: 0,
            siblings: Vec::new(),
        };
        Self {
            network,
            epoch,
            leaves: Vec::new(),
            proof,
            choices: None,
        }
    }

    /// Releases the epoch: the first payment does, one without leaves does nothing else.
    fn release(&self, settlement: &Settlement, mut pool: Loaded<Pool>, context: &mut Context<'_>) -> Step<()> {
        let at = (self.network, self.epoch);
        let mut network = context.network(&self.network)?;
        let release = Release::check(at, &network, &pool, settlement, context)?;
        release.apply(&mut network, &mut pool, context)?;
        context.save(&network);
        context.save(&pool);
        Ok(())
    }

    fn count(&self) -> u32 {
        u32::try_from(self.leaves.len()).unwrap_or(u32::MAX)
    }

    /// The chunk is the next one, bounded, and in the attested tree.
    fn check_place(&self, settlement: &Settlement) -> Result<(), Reject> {
        ensure(settlement.cursor < settlement.leaves, Reject::PayoutsDone)?;
        ensure(!self.leaves.is_empty(), Reject::ChunkEmpty)?;
        ensure(self.leaves.len() <= PAY_LEAVES_MAX, Reject::ChunkTooLong)?;
        ensure(
            self.proof.start == u64::from(settlement.cursor),
            Reject::ChunkNotAtCursor,
        )?;
        ensure(
            self.proof.count == u64::from(settlement.leaves),
            Reject::ChunkProofWrong,
        )?;
        let hashes: Vec<Hash> = self.leaves.iter().map(PayoutLeaf::hash).collect();
        ensure(self.proof.proves(&hashes, &settlement.payouts), Reject::ChunkProofWrong)?;
        let before = settlement.operator.map_or(-1, |operator| i64::from(operator.0));
        let rises = self.leaves.iter().try_fold(before, |last, leaf| {
            let operator = i64::from(leaf.operator.0);
            (operator > last).then_some(operator)
        });
        ensure(rises.is_some(), Reject::LeavesUnsorted)
    }

    /// The accounts of the leaves, in order.
    fn operators(&self, context: &mut Context<'_>) -> Step<Vec<Loaded<Account>>> {
        let numbers: Vec<AccountNumber> = self.leaves.iter().map(|leaf| leaf.operator).collect();
        let indexes = context.load_many::<AccountIndex>(&numbers)?;
        let ids: Option<Vec<AccountId>> = indexes.into_iter().map(|index| index.map(|index| index.id)).collect();
        let accounts = context.load_many::<Account>(&ids.ok_or(Reject::OperatorUnknown)?)?;
        let accounts: Option<Vec<Loaded<Account>>> = accounts.into_iter().collect();
        Ok(accounts.ok_or(Reject::OperatorUnknown)?)
    }

    /// No leaf returns too much of what customers paid, and the sums stay within what was attested. Returns the sums so far.
    fn check_leaves(&self, settlement: &Settlement, pool: &Pool, parameters: &Parameters) -> Result<Totals, Reject> {
        let scale = parameters.scale()?;
        let mut sums = settlement.paid;
        for leaf in &self.leaves {
            no_wash::check_leaf(
                scale,
                pool.usage_price,
                parameters.no_wash_bps,
                leaf.cash,
                leaf.usage,
                leaf.customers_paid,
            )?;
            sums = sums.plus(leaf).ok_or(Reject::TotalsExceeded)?;
        }
        let limit = &settlement.totals;
        let within = sums.units <= limit.units
            && sums.availability <= limit.availability
            && sums.usage <= limit.usage
            && sums.cash <= limit.cash
            && sums.customers_paid <= limit.customers_paid;
        ensure(within, Reject::TotalsExceeded)?;
        Ok(sums)
    }

    /// What each leaf pays after operators with opposite choices exchanged.
    fn exchange(
        &self,
        settlement: &Settlement,
        pool: &Pool,
        sums: &Totals,
        mut book: Loaded<ExchangeBook>,
        context: &mut Context<'_>,
    ) -> Step<Vec<Earned>> {
        let choices = self.choices.as_ref().ok_or(Reject::ChoicesWrong)?;
        let placed = choices.wants.len() == self.leaves.len()
            && choices.proof.start == u64::from(settlement.cursor)
            && choices.proof.count == u64::from(settlement.leaves);
        let hashes: Vec<Hash> = choices.wants.iter().map(|wants| choice_hash(*wants)).collect();
        ensure(
            placed && choices.proof.proves(&hashes, &book.choices),
            Reject::ChoicesWrong,
        )?;
        let scale = context.genesis.economics.scale()?;
        let price = pool.exchange_price;
        let terms: Terms = netting::terms(scale, price, book.offers)?;
        let mut amounts = Vec::with_capacity(self.leaves.len());
        for (leaf, wants) in self.leaves.iter().zip(&choices.wants) {
            let earned = earned(leaf)?;
            let offer = netting::offer(scale, price, earned, *wants);
            let (exchange, running) =
                netting::leaf_exchange(&terms, book.running, offer).map_err(|_| Reject::ExchangeDiffers)?;
            book.running = running;
            amounts.push(exchange.apply(earned)?);
        }
        ensure(stays_in_pool(&terms, &book, settlement, sums)?, Reject::ExchangeDiffers)?;
        if settlement.cursor.checked_add(self.count()) == Some(settlement.leaves) {
            netting::close_exchange(&terms, book.running).map_err(|_| Reject::ExchangeDiffers)?;
        }
        context.save(&book);
        Ok(amounts)
    }
}

/// Whether all that was paid, exchanges included, is within what this epoch's leaves come to: offers attested too high must not
/// be served from other pools before the last leaf shows it.
fn stays_in_pool(terms: &Terms, book: &ExchangeBook, settlement: &Settlement, sums: &Totals) -> Step<bool> {
    let so_far = Offer {
        tokens: book.running.tokens,
        cash: book.running.cash,
    };
    let (all, _) = netting::leaf_exchange(terms, Running::default(), so_far)?;
    let tokens = |totals: &Totals| u128::from(totals.availability.0) + u128::from(totals.usage.0);
    let tokens_out = tokens(sums) + u128::from(all.tokens_received.0);
    let cash_out = u128::from(sums.cash.0) + u128::from(all.cash_received.0);
    Ok(
        tokens_out <= tokens(&settlement.totals) + u128::from(all.tokens_given.0)
            && cash_out <= u128::from(settlement.totals.cash.0) + u128::from(all.cash_given.0),
    )
}

/// What a leaf pays as earned.
fn earned(leaf: &PayoutLeaf) -> Result<Earned, Reject> {
    Earned::of(leaf).ok_or(Reject::AmountTooLarge)
}
