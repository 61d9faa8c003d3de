//! Sells token to the buy-back pot at the low price, rounded down against the seller; the tokens are burned.

use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::{Emission, Prices, StableSupply};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::{AccountId, MicroUsd, Token};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct SellToken {
    #[n(0)]
    pub tokens: Token,
    /// At least so much, or not at all.
    #[n(1)]
    pub paid_min: MicroUsd,
}

impl SellToken {
    pub(crate) fn reads(&self) -> Vec<Key> {
        vec![StableSupply::key(&()), Prices::key(&())]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let parameters = &context.genesis.economics;
        let mut account = context.sender(sender)?;
        let mut emission: Loaded<Emission> = context.single()?;
        let mut stable: Loaded<StableSupply> = context.single()?;
        let round = context.chain()?.round;
        let prices: Loaded<Prices> = context.single()?;
        ensure(self.tokens > Token::ZERO, Reject::AmountZero)?;
        account.take_token(self.tokens)?;
        let quote = prices.0.quote(round, parameters).ok_or(Reject::PriceHalted)?;
        let paid = parameters.scale()?.worth_at_least(self.tokens, quote.low)?;
        stable.buy_back = stable.buy_back.checked_sub(paid).ok_or(Reject::PotInsufficient)?;
        ensure(paid > MicroUsd::ZERO && paid >= self.paid_min, Reject::PriceMoved)?;
        account.give_stable(paid)?;
        emission.supply.burned = emission
            .supply
            .burned
            .checked_add(self.tokens)
            .ok_or(Reject::AmountTooLarge)?;

        context.save(&account);
        context.save(&emission);
        context.save(&stable);
        context.emit(Event::TokenSoldBack {
            account: *sender,
            burned: self.tokens,
            paid,
        });
        Ok(())
    }
}
