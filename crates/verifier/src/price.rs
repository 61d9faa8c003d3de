//! What the verifier says the token is worth, once in every round. Where the number comes from is a trait; a fixed one serves
//! until there is a market.

use crate::chain::{Chain, ChainError};
use crate::submit::{SubmitError, Submitter};
use cairn_ledger::Reject;
use cairn_ledger::tx::Body;
use cairn_ledger::tx::post_price::PostPrice;
use cairn_types::{Price, TimeMs};

/// A source of prices.
pub trait PriceFeed: Send + Sync {
    /// The price now; `None` when nobody knows, and then none is posted.
    fn price(&self, now: TimeMs) -> Option<Price>;
}

/// A price that does not move.
#[derive(Clone, Copy, Debug)]
pub struct FixedPrice(pub Price);

impl PriceFeed for FixedPrice {
    fn price(&self, _: TimeMs) -> Option<Price> {
        Some(self.0)
    }
}

/// Posts the feed's price for the round that runs. Whether it was the first of ours in this round.
pub fn post(chain: &dyn Chain, submitter: &Submitter, feed: &dyn PriceFeed, now: TimeMs) -> Result<bool, SubmitError> {
    let Some(price) = feed.price(now) else {
        return Ok(false);
    };
    match submitter.submit(chain, Body::PostPrice(PostPrice { price })) {
        Ok(()) => Ok(true),
        Err(SubmitError::Chain(ChainError::Refused { code, .. })) if code == Reject::PricePosted as u16 => Ok(false),
        Err(error) => Err(error),
    }
}
