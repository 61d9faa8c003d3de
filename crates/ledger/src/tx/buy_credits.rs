//! Buys service credits: with stablecoin, one for each micro-dollar, or by burning token at the low price within the burn limit.

use crate::context::{Context, Step, ensure};
use crate::economics::credits::{BurnAsked, burn};
use crate::event::Event;
use crate::records::{CreditSupply, Emission, Prices, StableSupply};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::{AccountId, Credit, MicroUsd, Token};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct BuyCredits {
    #[n(0)]
    pub payment: Payment,
}

/// What is paid; the bounds protect against a price that moved meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum Payment {
    #[n(0)]
    Stable(#[n(0)] MicroUsd),
    /// Burn these tokens, for at least so many credits.
    #[n(1)]
    Burn(#[n(0)] Token, #[n(1)] Credit),
    /// Burn for these credits, at most so many tokens.
    #[n(2)]
    BurnFor(#[n(0)] Credit, #[n(1)] Token),
}

impl BuyCredits {
    pub(crate) fn reads(&self) -> Vec<Key> {
        vec![CreditSupply::key(&()), StableSupply::key(&()), Prices::key(&())]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        match self.payment {
            Payment::Stable(paid) => with_stable(paid, sender, context),
            Payment::Burn(tokens, credits_min) => {
                let (burned, credits) = by_burning(BurnAsked::Tokens(tokens), sender, context)?;
                ensure(burned == tokens && credits >= credits_min, Reject::PriceMoved)?;
                Ok(())
            }
            Payment::BurnFor(credits, tokens_max) => {
                let (burned, _) = by_burning(BurnAsked::Credits(credits), sender, context)?;
                ensure(burned <= tokens_max, Reject::PriceMoved)?;
                Ok(())
            }
        }
    }
}

fn with_stable(paid: MicroUsd, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
    let mut account = context.sender(sender)?;
    let mut stable: Loaded<StableSupply> = context.single()?;
    let mut supply: Loaded<CreditSupply> = context.single()?;
    ensure(paid > MicroUsd::ZERO, Reject::AmountZero)?;
    account.take_stable(paid)?;
    account.credits = account.credits.with_stable(paid)?;
    stable.reserve = stable.reserve.checked_add(paid).ok_or(Reject::AmountTooLarge)?;
    let credits = Credit(paid.0);
    supply.stable_bought = supply
        .stable_bought
        .checked_add(credits)
        .ok_or(Reject::AmountTooLarge)?;

    context.save(&account);
    context.save(&stable);
    context.save(&supply);
    context.emit(Event::CreditsBought {
        account: *sender,
        credits,
        paid,
        burned: Token::ZERO,
    });
    Ok(())
}

fn by_burning(asked: BurnAsked, sender: &AccountId, context: &mut Context<'_>) -> Step<(Token, Credit)> {
    let parameters = &context.genesis.economics;
    let mut account = context.sender(sender)?;
    let mut supply: Loaded<CreditSupply> = context.single()?;
    let mut emission: Loaded<Emission> = context.single()?;
    let round = context.chain()?.round;
    let prices: Loaded<Prices> = context.single()?;
    let low = prices.0.quote(round, parameters).map(|quote| quote.low);
    let existing = emission.supply.existing()?;
    let burn = burn(asked, low, supply.burn_count, existing, context.block.time, parameters)?;
    account.take_token(burn.tokens)?;
    account.credits = account.credits.with_burned(burn.credits)?;
    emission.supply.burned = emission
        .supply
        .burned
        .checked_add(burn.tokens)
        .ok_or(Reject::AmountTooLarge)?;
    supply.burn_count = burn.count;
    supply.burned_bought = supply
        .burned_bought
        .checked_add(burn.credits)
        .ok_or(Reject::AmountTooLarge)?;
    supply.tokens_burned = supply
        .tokens_burned
        .checked_add(burn.tokens)
        .ok_or(Reject::AmountTooLarge)?;

    context.save(&account);
    context.save(&emission);
    context.save(&supply);
    context.emit(Event::CreditsBought {
        account: *sender,
        credits: burn.credits,
        paid: MicroUsd::ZERO,
        burned: burn.tokens,
    });
    Ok((burn.tokens, burn.credits))
}
