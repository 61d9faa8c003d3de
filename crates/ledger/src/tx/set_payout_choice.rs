//! Sets the part of its income an operator wants in stablecoin, from the next epoch on; other operators take the other side.

use crate::context::{Context, Step};
use crate::event::Event;
use cairn_types::{AccountId, BasisPoints};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct SetPayoutChoice {
    /// Of the value of its income; `None`: as earned.
    #[n(0)]
    pub wants: Option<BasisPoints>,
}

impl SetPayoutChoice {
    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let open = context.chain()?.epoch;
        let mut account = context.sender(sender)?;
        let place = account.payout_choice.past;
        let (choice, ended) = account.payout_choice.changed(self.wants, open);
        if let Some(ended) = ended {
            context.insert(&(*sender, place), &ended);
        }
        account.payout_choice = choice;
        context.save(&account);
        context.emit(Event::PayoutChoiceSet {
            account: *sender,
            wants: self.wants,
            from: open.next(),
        });
        Ok(())
    }
}
