//! What operators with opposite choices exchange among themselves: what is attested of it, and each leaf's part. Pure; the ledger's own
//! functions do the counting, and the auditor calls the same. Sets no price and pays nobody.
//!
//! ```text
//! leaves, choices when the epoch closed ─▶ offers ─▶ sums + root of the choices: attested beside the result, if anybody chose
//!                                             └────▶ terms ─▶ each leaf's part, in the order of the leaves
//! ```

#[cfg(test)]
mod tests;

use crate::archive::Inputs;
use cairn_ledger::economics::netting::{self, Earned, Offer, OfferTotals, Running};
use cairn_ledger::economics::{Error, Scale};
use cairn_ledger::tx::pay::choice_hash;
use cairn_ledger::tx::settle_epoch::Exchange;
use cairn_types::{BasisPoints, EpochResult, Hash, PayoutLeaf, Price, merkle};

/// An operator's choice: the part of its income it wants in dollars; `None`: as earned.
pub type Choice = Option<BasisPoints>;

/// Root of the tree over the choices of the leaves' operators.
pub fn choices_root(choices: &[Choice]) -> Hash {
    merkle::root(choices.iter().map(|wants| choice_hash(*wants)).collect())
}

/// What is attested beside a result, one choice for each of its leaves. `None`: everybody is paid as earned, because nobody chose or
/// there was no price when the epoch closed.
pub fn attested(
    inputs: &Inputs,
    result: &EpochResult,
    leaves: &[PayoutLeaf],
    choices: &[Choice],
) -> Result<Option<Exchange>, Error> {
    let price = inputs.pool.exchange_price;
    if price.is_none() || choices.iter().all(Option::is_none) {
        return Ok(None);
    }
    Ok(Some(Exchange {
        result: result.hash(),
        offers: offered(inputs.economics.scale()?, price, leaves, choices)?,
        choices: choices_root(choices),
    }))
}

/// The sums of what the operators of all leaves offer.
pub fn offered(
    scale: Scale,
    price: Option<Price>,
    leaves: &[PayoutLeaf],
    choices: &[Choice],
) -> Result<OfferTotals, Error> {
    netting::offer_totals(offers(scale, price, leaves, choices)?)
}

/// What each leaf gives and receives when its epoch is paid with these choices.
pub fn steps(
    scale: Scale,
    price: Option<Price>,
    leaves: &[PayoutLeaf],
    choices: &[Choice],
) -> Result<Vec<netting::Exchange>, Error> {
    let offers = offers(scale, price, leaves, choices)?;
    let totals = netting::offer_totals(offers.iter().copied())?;
    let terms = netting::terms(scale, price, totals)?;
    let mut running = Running::default();
    let mut steps = Vec::with_capacity(offers.len());
    for offer in offers {
        let (step, after) = netting::leaf_exchange(&terms, running, offer)?;
        running = after;
        steps.push(step);
    }
    Ok(steps)
}

/// What the operator of each leaf offers.
fn offers(scale: Scale, price: Option<Price>, leaves: &[PayoutLeaf], choices: &[Choice]) -> Result<Vec<Offer>, Error> {
    let offer = |(leaf, wants): (&PayoutLeaf, &Choice)| {
        let earned = Earned::of(leaf).ok_or(Error::Overflow)?;
        Ok(netting::offer(scale, price, earned, *wants))
    };
    leaves.iter().zip(choices).map(offer).collect()
}
