//! Closes the round of prices when its time is over, and says what the price is.

use crate::context::{Context, Step};
use crate::economics::price::{self, Post, Quote};
use crate::event::Event;
use crate::records::{Prices, Verifier, VerifierIndex};
use crate::tables::Loaded;
use cairn_types::AccountId;

/// Closes the running round if time has passed it. Rounds skipped entirely need no closing: prices age by their number.
pub(super) fn close_round(context: &mut Context<'_>) -> Step<()> {
    let mut chain = context.chain()?;
    let now = context.genesis.round_of(context.block.time);
    if now <= chain.round {
        return Ok(());
    }
    let round = chain.round;
    chain.round = now;
    let mut prices: Loaded<Prices> = context.single()?;
    let posts: Vec<Post> = verifiers(chain.verifiers, context)?
        .iter()
        .filter_map(|(_, verifier)| {
            let (price, round) = verifier.price?;
            Some(Post {
                verifier: verifier.number,
                price,
                round,
                weight: verifier.bond.0,
            })
        })
        .collect();
    let next = price::close_round(
        &prices.0,
        round,
        &posts,
        chain.bond_active.0,
        &context.genesis.economics,
    );
    if let Some(next) = next {
        let accepted = next.last();
        prices.0 = next;
        context.save(&prices);
        if let Some(price) = accepted {
            context.emit(Event::PriceAccepted { round, price });
        }
    }
    context.save(&chain);
    Ok(())
}

/// The prices in the running round; `None` while halted.
pub(super) fn quote(context: &mut Context<'_>) -> Step<Option<Quote>> {
    let round = context.chain()?.round;
    let prices: Loaded<Prices> = context.single()?;
    Ok(prices.0.quote(round, &context.genesis.economics))
}

/// All listed verifiers, in order of the list.
pub(super) fn verifiers(count: u16, context: &mut Context<'_>) -> Step<Vec<(AccountId, Loaded<Verifier>)>> {
    let places: Vec<u16> = (0..count).collect();
    let ids: Vec<AccountId> = context
        .load_many::<VerifierIndex>(&places)?
        .into_iter()
        .map(|index| index.expect("the list is dense").id)
        .collect();
    let verifiers = context.load_many::<Verifier>(&ids)?;
    Ok(ids
        .into_iter()
        .zip(
            verifiers
                .into_iter()
                .map(|verifier| verifier.expect("the list names verifiers")),
        )
        .collect())
}
