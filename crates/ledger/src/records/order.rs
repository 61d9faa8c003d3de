//! Orders: a customer's request to a network, with the credits held for it.

use crate::economics::credits::CreditBalance;
use crate::tables::{Record, Table};
use cairn_types::{AccountId, Credit, EpochNumber, Hash, NetworkId, OrderId, PublicKey, TimeMs};
use minicbor::{CborLen, Decode, Encode};

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum OrderState {
    #[n(0)]
    Open,
    #[n(1)]
    Closed,
    #[n(2)]
    Expired,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Order {
    #[n(0)]
    pub state: OrderState,
    #[n(1)]
    pub customer: AccountId,
    /// Who serves it and settles vouchers.
    #[n(2)]
    pub provider: AccountId,
    #[n(3)]
    pub network: NetworkId,
    /// Query, stream, lease, task or trade: a tag to the ledger.
    #[n(4)]
    pub shape: u8,
    /// Hash of what was agreed.
    #[n(5)]
    pub terms: Hash,
    /// Credits still in escrow.
    #[n(6)]
    pub held: CreditBalance,
    /// Credits paid by vouchers so far.
    #[n(7)]
    pub settled: Credit,
    /// From then on it is for nothing new. By the clock.
    #[n(8)]
    pub expires: TimeMs,
    #[n(9)]
    pub opened: EpochNumber,
    /// The key that signs vouchers: it may sit in a program, and can lose no more than what is held.
    #[n(10)]
    pub voucher_key: PublicKey,
    /// At this uptime of the chain it ends; until then vouchers are settled. As far off as `expires` when it was opened: while the chain
    /// halts nobody can settle what the customer signed, and no time for that passes.
    #[n(11)]
    pub ends_uptime_ms: u64,
}

impl Order {
    /// Whether its time is over.
    pub fn is_over(&self, uptime_ms: u64) -> bool {
        uptime_ms >= self.ends_uptime_ms
    }
}

impl Record for Order {
    const TABLE: Table = Table::Order;
    type Id = OrderId;
}

/// A voucher that was settled: so much of an order was paid, for what has this root. By network, epoch, and place in the order of settling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct SettledOrder {
    #[n(0)]
    pub order: OrderId,
    /// Above the voucher before it.
    #[n(1)]
    pub paid: Credit,
    #[n(2)]
    pub meters: Hash,
}

impl Record for SettledOrder {
    const TABLE: Table = Table::SettledOrder;
    type Id = (NetworkId, EpochNumber, u32);
}
