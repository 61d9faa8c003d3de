//! Epochs: what closing fixed for everybody and for each network, what verifiers attested, how far it is paid.

use super::{Anchors, Moment};
use crate::economics::netting::{OfferTotals, Running};
use crate::economics::{Pools, Spent};
use crate::genesis::Limits;
use crate::tables::{Record, Table};
use crate::tx::settle_epoch::Exchange;
use cairn_types::attestation::Totals;
use cairn_types::{AccountNumber, Credit, EpochNumber, EpochResult, Hash, MicroUsd, NetworkId, Price, TimeMs, Token};
use minicbor::{Decode, Encode};

/// A closed epoch, the same for all networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Epoch {
    #[n(0)]
    pub start: TimeMs,
    #[n(1)]
    pub end: TimeMs,
    /// The block whose begin closed it.
    #[n(2)]
    pub closed_height: u64,
    /// Prices at closing; `None` while halted.
    #[n(3)]
    pub price_low: Option<Price>,
    #[n(4)]
    pub price_mid: Option<Price>,
    #[n(5)]
    pub price_high: Option<Price>,
    /// What the schedule and re-emission allowed.
    #[n(6)]
    pub emission: Token,
    /// How many networks were closed with it.
    #[n(7)]
    pub networks: u32,
    /// The public seed: bound by the closing, revealed by a later block.
    #[n(8)]
    pub beacon: Option<Hash>,
    /// The time of the block whose begin closed it.
    #[n(9)]
    pub closed_time: TimeMs,
    /// Verifiers with something at stake once it was closed: when all of them have anchored a network's reports, anchoring ends.
    #[n(10)]
    pub verifiers: u16,
    /// The chain's uptime then: from here on its windows are counted.
    #[n(11)]
    pub closed_uptime_ms: u64,
}

impl Epoch {
    /// When it was closed.
    pub fn closed(&self) -> Moment {
        Moment {
            time: self.closed_time,
            uptime_ms: self.closed_uptime_ms,
            height: self.closed_height,
        }
    }

    /// Whether anchoring a network's reports of it has ended: all verifiers did that could, or its window is over.
    pub fn is_anchored(&self, anchors: &Anchors, limits: &Limits, now: Moment) -> bool {
        (anchors.listed > 0 && anchors.listed >= self.verifiers)
            || limits.is_over(limits.anchor_window_ms, self.closed(), now)
    }
}

impl Record for Epoch {
    const TABLE: Table = Table::Epoch;
    type Id = EpochNumber;
}

/// What became of a network's pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum PoolState {
    /// Waiting for verifiers.
    #[n(0)]
    Closed,
    /// Attested; nothing moves before its release.
    #[n(1)]
    Settled,
    /// Every leaf is paid.
    #[n(2)]
    Paid,
    /// Never attested in time; all of it was carried on.
    #[n(3)]
    Expired,
    /// Not disputed, or decided; leaves are being paid.
    #[n(4)]
    Released,
}

/// What one network pays out for one epoch, fixed when the epoch closed: verifiers only divide it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Pool {
    #[n(0)]
    pub state: PoolState,
    #[n(1)]
    pub availability: Token,
    #[n(2)]
    pub usage: Token,
    #[n(3)]
    pub cash: MicroUsd,
    /// For the verifiers who attest.
    #[n(4)]
    pub verifiers: MicroUsd,
    #[n(5)]
    pub spent_stable: Credit,
    #[n(6)]
    pub spent_burned: Credit,
    #[n(7)]
    pub usage_price: Option<Price>,
    #[n(8)]
    pub exchange_price: Option<Price>,
    /// Chain of hashes over the vouchers settled in the epoch, and how many.
    #[n(9)]
    pub meters: Hash,
    #[n(10)]
    pub settled: u32,
    /// Version and hash of the parameters in force.
    #[n(11)]
    pub terms: u32,
    #[n(12)]
    pub parameters: Hash,
    /// The roster's entries at closing; later ones do not count.
    #[n(13)]
    pub roster: u32,
}

impl Pool {
    /// The economics' view of it, as far as dividing and checking leaves needs it.
    pub fn pools(&self) -> Pools {
        Pools {
            availability: self.availability,
            usage: self.usage,
            cash: self.cash,
            customers_paid: self.customers_paid(),
            usage_price: self.usage_price,
            exchange_price: self.exchange_price,
            verifiers: self.verifiers,
            ..Pools::default()
        }
    }

    /// What customers paid for the epoch's service.
    pub fn customers_paid(&self) -> Credit {
        Spent {
            stable: self.spent_stable,
            burned: self.spent_burned,
        }
        .total()
        .expect("summed when the epoch closed")
    }
}

impl Record for Pool {
    const TABLE: Table = Table::Pool;
    type Id = (NetworkId, EpochNumber);
}

/// What verifiers attested for a network's epoch, and how far it is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Settlement {
    /// Hash of the attested result.
    #[n(0)]
    pub result: Hash,
    /// Root of the tree over the payout leaves.
    #[n(1)]
    pub payouts: Hash,
    #[n(2)]
    pub leaves: u32,
    /// Leaves paid: the next chunk starts here.
    #[n(3)]
    pub cursor: u32,
    #[n(4)]
    pub totals: Totals,
    /// Sums over the leaves paid.
    #[n(5)]
    pub paid: Totals,
    /// The last operator paid: leaves are sorted, each operator once.
    #[n(6)]
    pub operator: Option<AccountNumber>,
    /// The block that settled it.
    #[n(7)]
    pub height: u64,
    /// Whether operators exchange among themselves: then there is an `ExchangeBook`.
    #[n(8)]
    pub exchanged: bool,
    /// The time of that block.
    #[n(9)]
    pub time: TimeMs,
    /// How many verifiers signed it; see [`SignerPage`].
    #[n(10)]
    pub signers: u16,
    /// How many anchors it leaves out; see [`super::WithoutPage`].
    #[n(11)]
    pub without: u16,
    /// The chain's uptime in that block: from here on the window for disputes is counted.
    #[n(12)]
    pub uptime_ms: u64,
}

impl Settlement {
    /// Of a result settled at a moment by so many signers; nothing is paid yet.
    pub fn of(result: &EpochResult, exchanged: bool, settled: Moment, signers: u16) -> Self {
        Self {
            result: result.hash(),
            payouts: result.payouts,
            leaves: result.leaves,
            cursor: 0,
            totals: result.totals,
            paid: Totals::default(),
            operator: None,
            height: settled.height,
            exchanged,
            time: settled.time,
            signers,
            without: u16::try_from(result.without.len())
                .expect("a checked result leaves out at most WITHOUT_MAX anchors"),
            uptime_ms: settled.uptime_ms,
        }
    }

    /// When it was settled.
    pub fn settled(&self) -> Moment {
        Moment {
            time: self.time,
            uptime_ms: self.uptime_ms,
            height: self.height,
        }
    }
}

impl Record for Settlement {
    const TABLE: Table = Table::Settlement;
    type Id = (NetworkId, EpochNumber);
}

/// Signers on one page.
pub const SIGNERS_PER_PAGE: usize = 16;

/// A verifier who signed a settled result, and the bond it had then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Signer {
    #[n(0)]
    pub account: AccountNumber,
    #[n(1)]
    pub bond: Token,
}

/// Who signed a settled result: (network, epoch, page), each page but the last full; sorted by account id, or in the order in which they
/// signed what validators decided.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SignerPage {
    #[n(0)]
    pub signers: Vec<Signer>,
}

impl SignerPage {
    /// Pages of so many signers.
    pub fn pages(signers: u16) -> u8 {
        let pages = usize::from(signers).div_ceil(SIGNERS_PER_PAGE);
        u8::try_from(pages).expect("a chain has at most 1,024 verifiers")
    }
}

impl Record for SignerPage {
    const TABLE: Table = Table::SignerPage;
    type Id = (NetworkId, EpochNumber, u8);
}

/// The roots of an attested result, for proofs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Roots {
    #[n(0)]
    pub inputs: Hash,
    #[n(1)]
    pub archive: Hash,
    #[n(2)]
    pub findings: Hash,
    #[n(3)]
    pub memory: Hash,
    /// The anchors whose reports were judged.
    #[n(4)]
    pub anchors: Hash,
    /// The result in force for the epoch before.
    #[n(5)]
    pub previous: Hash,
}

impl Roots {
    pub fn of(result: &EpochResult) -> Self {
        Self {
            inputs: result.inputs,
            archive: result.archive,
            findings: result.findings,
            memory: result.memory,
            anchors: result.anchors,
            previous: result.previous,
        }
    }
}

impl Record for Roots {
    const TABLE: Table = Table::Roots;
    type Id = (NetworkId, EpochNumber);
}

/// The exchange among operators of one settled epoch: what verifiers attested of it, and the offers of the leaves paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ExchangeBook {
    #[n(0)]
    pub offers: OfferTotals,
    /// Root of the tree over the choices, in the order of the leaves.
    #[n(1)]
    pub choices: Hash,
    #[n(2)]
    pub running: Running,
}

impl ExchangeBook {
    /// Of an exchange of which no leaf is paid yet.
    pub fn of(exchange: &Exchange) -> Self {
        Self {
            offers: exchange.offers,
            choices: exchange.choices,
            running: Running::default(),
        }
    }
}

impl Record for ExchangeBook {
    const TABLE: Table = Table::ExchangeBook;
    type Id = (NetworkId, EpochNumber);
}
