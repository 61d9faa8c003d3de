//! Holds a customer's credits for a service: stable-backed ones first. What is not settled returns.

use super::Signed;
use crate::context::{Context, Step, ensure};
use crate::economics::credits::CreditBalance;
use crate::event::Event;
use crate::records::{Account, Network, Order, OrderState};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::Record;
use cairn_types::{AccountId, Credit, Hash, NetworkId, OrderId, PublicKey, TimeMs};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct OpenOrder {
    #[n(0)]
    pub network: NetworkId,
    /// Who serves it and settles vouchers.
    #[n(1)]
    pub provider: AccountId,
    /// Query, stream, lease, task or trade: a tag to the ledger.
    #[n(2)]
    pub shape: u8,
    /// Hash of what was agreed.
    #[n(3)]
    pub terms: Hash,
    /// Held until settled, closed or expired.
    #[n(4)]
    pub hold: Credit,
    /// By the clock; later by as long as the chain halts meanwhile.
    #[n(5)]
    pub expires: TimeMs,
    /// Signs vouchers; it can lose no more than what is held.
    #[n(6)]
    pub voucher_key: PublicKey,
}

/// The id of the order a transaction opens.
pub fn order_id(signed: &Signed) -> OrderId {
    OrderId(signed.transaction.id().0)
}

impl OpenOrder {
    pub(crate) fn reads(&self, signed: &Signed) -> Vec<Key> {
        vec![
            Network::key(&self.network),
            Account::key(&self.provider),
            Order::key(&order_id(signed)),
        ]
    }

    pub(crate) fn apply(&self, signed: &Signed, context: &mut Context<'_>) -> Step<()> {
        let id = order_id(signed);
        let sender = signed.transaction.account;
        let mut customer = context.sender(&sender)?;
        let mut chain = context.chain()?;
        ensure(self.hold > Credit::ZERO, Reject::AmountZero)?;
        ensure(
            context.load::<Account>(&self.provider)?.is_some(),
            Reject::RecipientUnknown,
        )?;
        let (left, held) = customer.credits.spend(self.hold)?;
        context.open_network(&self.network)?;
        ensure(self.provider != sender, Reject::ProviderIsCustomer)?;
        let now = context.block.time;
        let latest = now.plus_ms(context.genesis.limits.order_ms_max);
        ensure(now < self.expires && self.expires <= latest, Reject::ExpiryInvalid)?;
        ensure(context.load::<Order>(&id)?.is_none(), Reject::OrderExists)?;

        customer.credits = left;
        chain.orders_open = chain.orders_open.checked_add(1).ok_or(Reject::AmountTooLarge)?;
        let order = Order {
            state: OrderState::Open,
            customer: sender,
            provider: self.provider,
            network: self.network,
            shape: self.shape,
            terms: self.terms,
            held: CreditBalance {
                stable: held.stable,
                burned: held.burned,
            },
            settled: Credit::ZERO,
            expires: self.expires,
            opened: chain.epoch,
            voucher_key: self.voucher_key,
            ends_uptime_ms: chain.uptime_ms.saturating_add(self.expires.since_ms(now)),
        };
        context.save(&customer);
        context.save(&chain);
        context.insert(&id, &order);
        let (network, provider, held) = (self.network, self.provider, self.hold);
        context.emit(Event::OrderOpened {
            order: id,
            network,
            customer: sender,
            provider,
            held,
        });
        Ok(())
    }
}
