//! The treasury's account draws token or stablecoin from it, also after the network closed.

use super::Asset;
use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::Network;
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::Record;
use cairn_types::{AccountId, MicroUsd, NetworkId, Token};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct WithdrawTreasury {
    #[n(0)]
    pub network: NetworkId,
    #[n(1)]
    pub amount: Asset,
}

impl WithdrawTreasury {
    pub(crate) fn reads(&self) -> Vec<Key> {
        vec![Network::key(&self.network)]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let mut to = context.sender(sender)?;
        ensure(
            !matches!(self.amount, Asset::Token(Token(0)) | Asset::Stable(MicroUsd(0))),
            Reject::AmountZero,
        )?;
        let mut network = context.network(&self.network)?;
        ensure(network.treasurer == *sender, Reject::NotTreasurer)?;
        match self.amount {
            Asset::Token(amount) => {
                let left = network.treasury_token.checked_sub(amount);
                network.treasury_token = left.ok_or(Reject::TreasuryInsufficient)?;
                to.give_token(amount)?;
            }
            Asset::Stable(amount) => {
                let left = network.treasury_stable.checked_sub(amount);
                network.treasury_stable = left.ok_or(Reject::TreasuryInsufficient)?;
                to.give_stable(amount)?;
            }
        }
        context.save(&to);
        context.save(&network);
        context.emit(Event::TreasuryDrawn {
            network: self.network,
            by: *sender,
            amount: self.amount,
        });
        Ok(())
    }
}
