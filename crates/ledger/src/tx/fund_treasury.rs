//! Gives token or stablecoin to a network's treasury, or token to its allowance for fees. Anyone may.

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
pub struct FundTreasury {
    #[n(0)]
    pub network: NetworkId,
    #[n(1)]
    pub amount: Asset,
    /// Token for fees of those who join, instead of the treasury. Stablecoin always goes to the treasury.
    #[n(2)]
    pub allowance: bool,
}

impl FundTreasury {
    pub(crate) fn reads(&self) -> Vec<Key> {
        vec![Network::key(&self.network)]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let mut from = context.sender(sender)?;
        ensure(
            !matches!(self.amount, Asset::Token(Token(0)) | Asset::Stable(MicroUsd(0))),
            Reject::AmountZero,
        )?;
        let allowance = self.allowance && matches!(self.amount, Asset::Token(_));
        match self.amount {
            Asset::Token(amount) => from.take_token(amount)?,
            Asset::Stable(amount) => from.take_stable(amount)?,
        }
        let mut network = context.open_network(&self.network)?;
        match self.amount {
            Asset::Token(amount) if allowance => {
                network.allowance = network.allowance.checked_add(amount).ok_or(Reject::AmountTooLarge)?;
            }
            Asset::Token(amount) => {
                network.treasury_token = network
                    .treasury_token
                    .checked_add(amount)
                    .ok_or(Reject::AmountTooLarge)?;
            }
            Asset::Stable(amount) => {
                network.treasury_stable = network
                    .treasury_stable
                    .checked_add(amount)
                    .ok_or(Reject::AmountTooLarge)?;
            }
        }
        context.save(&from);
        context.save(&network);
        context.emit(Event::TreasuryFunded {
            network: self.network,
            by: *sender,
            amount: self.amount,
            allowance,
        });
        Ok(())
    }
}
