//! A verifier's word on the token's price for the round that runs now.

use crate::context::{Context, Step, ensure};
use crate::economics::price::{PRICE_MAX, PRICE_MIN};
use crate::event::Event;
use crate::records::Verifier;
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::{AccountId, Price, Token};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct PostPrice {
    #[n(0)]
    pub price: Price,
}

impl PostPrice {
    pub(crate) fn reads(&self, sender: &AccountId) -> Vec<Key> {
        vec![Verifier::key(sender)]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let round = context.chain()?.round;
        let mut verifier: Loaded<Verifier> = context.load(sender)?.ok_or(Reject::NotAVerifier)?;
        ensure(verifier.bond > Token::ZERO, Reject::NotAVerifier)?;
        ensure((PRICE_MIN..=PRICE_MAX).contains(&self.price), Reject::PriceOutOfRange)?;
        ensure(
            verifier.price.is_none_or(|(_, posted)| posted < round),
            Reject::PricePosted,
        )?;
        verifier.price = Some((self.price, round));

        context.save(&verifier);
        context.emit(Event::PricePosted {
            verifier: *sender,
            price: self.price,
            round,
        });
        Ok(())
    }
}
