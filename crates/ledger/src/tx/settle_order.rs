//! The provider shows the customer's latest voucher: what it is above the one before is paid, stable-backed credits first, and counts
//! as usage of the network in the open epoch.

use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::{CreditSupply, Network, Order, OrderState, SettledOrder, Usage};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::{AccountId, ChainId, Credit, Hash, OrderId, PublicKey, SecretKey, Signature, hash};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct SettleOrder {
    #[n(0)]
    pub voucher: Voucher,
    /// The order's voucher key; its signature is checked with the transaction's own.
    #[n(1)]
    pub key: PublicKey,
    #[n(2)]
    pub signature: Signature,
}

/// A customer's promise: so much of the order is used, all in all. A later one replaces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Voucher {
    #[n(0)]
    pub order: OrderId,
    /// Cumulative.
    #[n(1)]
    pub credits: Credit,
    /// Root over what was delivered for it, so that verifiers' division can be checked.
    #[n(2)]
    pub meters: Hash,
}

impl Voucher {
    /// What the voucher key signs.
    pub fn message(&self, chain: &ChainId) -> [u8; 32] {
        let credits = self.credits.0.to_be_bytes();
        let parts = [chain.as_str().as_bytes(), &self.order.0, &credits, &self.meters.0];
        hash::domain("cairn/voucher/1", &parts).0
    }

    pub fn sign(self, chain: &ChainId, key: &SecretKey) -> SettleOrder {
        SettleOrder {
            voucher: self,
            key: key.public(),
            signature: key.sign(&self.message(chain)),
        }
    }
}

/// The chain of hashes over the vouchers settled in an epoch, with one more. It begins with the zero hash.
pub fn chain_meters(before: &Hash, order: &OrderId, paid: Credit, meters: &Hash) -> Hash {
    hash::domain(
        "cairn/meters/1",
        &[&before.0, &order.0, &paid.0.to_be_bytes(), &meters.0],
    )
}

impl SettleOrder {
    pub(crate) fn reads(&self) -> Vec<Key> {
        vec![Order::key(&self.voucher.order), CreditSupply::key(&())]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let voucher = &self.voucher;
        let mut order: Loaded<Order> = context.load(&voucher.order)?.ok_or(Reject::OrderUnknown)?;
        let network: Loaded<Network> = context.network(&order.network)?;
        let mut usage: Loaded<Usage> = context.load(&order.network)?.ok_or(Reject::NetworkUnknown)?;
        let mut supply: Loaded<CreditSupply> = context.single()?;
        let (open, uptime_ms) = (context.chain()?.epoch, context.chain()?.uptime_ms);
        ensure(network.closes.is_none_or(|last| open <= last), Reject::NetworkClosing)?;
        ensure(order.state == OrderState::Open, Reject::OrderNotOpen)?;
        ensure(!order.is_over(uptime_ms), Reject::OrderExpired)?;
        ensure(order.provider == *sender, Reject::NotProvider)?;
        ensure(order.voucher_key == self.key, Reject::VoucherSignatureWrong)?;
        let paid = voucher
            .credits
            .checked_sub(order.settled)
            .ok_or(Reject::VoucherNotAbove)?;
        ensure(paid > Credit::ZERO, Reject::VoucherNotAbove)?;
        let (left, spent) = order.held.spend(paid).map_err(|_| Reject::VoucherAboveHeld)?;

        order.held = left;
        order.settled = voucher.credits;
        usage.stable = usage.stable.checked_add(spent.stable).ok_or(Reject::AmountTooLarge)?;
        usage.burned = usage.burned.checked_add(spent.burned).ok_or(Reject::AmountTooLarge)?;
        usage.stable.checked_add(usage.burned).ok_or(Reject::AmountTooLarge)?;
        usage.meters = chain_meters(&usage.meters, &voucher.order, paid, &voucher.meters);
        let place = usage.settled;
        usage.settled = usage.settled.checked_add(1).ok_or(Reject::AmountTooLarge)?;
        supply.stable_spent = supply
            .stable_spent
            .checked_add(spent.stable)
            .ok_or(Reject::AmountTooLarge)?;
        supply.burned_spent = supply
            .burned_spent
            .checked_add(spent.burned)
            .ok_or(Reject::AmountTooLarge)?;
        context.save(&order);
        context.save(&usage);
        context.save(&supply);
        let (cumulative, meters) = (voucher.credits, voucher.meters);
        let settled = SettledOrder {
            order: voucher.order,
            paid,
            meters,
        };
        context.insert(&(order.network, open, place), &settled);
        context.emit(Event::OrderSettled {
            order: voucher.order,
            paid,
            cumulative,
            meters,
        });
        Ok(())
    }
}
