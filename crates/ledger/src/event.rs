//! Everything the ledger announces, past tense. Events change nothing: they tell followers what the state now says. Whatever moves the
//! balance of an account is told, to the last unit: who knows the genesis and follows events alone knows what everybody holds.

use crate::tx::Asset;
use cairn_types::attestation::Totals;
use cairn_types::{
    AccountId, AccountNumber, BasisPoints, CellId, Credit, DeviceId, DeviceNumber, EpochNumber, Hash, MicroUsd,
    NetworkId, NetworkNumber, OrderId, Price, ReportId, Token, ValidatorKey,
};
use minicbor::{CborLen, Decode, Encode};

/// What a leaf paid, after operators exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct LeafPaid {
    #[n(0)]
    pub operator: AccountNumber,
    #[n(1)]
    pub token: Token,
    #[n(2)]
    pub stable: MicroUsd,
}

/// What happened. A number is never used for anything else.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[rustfmt::skip]
pub enum Event {
    #[n(0)] GenesisWritten { #[n(0)] digest: Hash },
    #[n(1)] FeePaid { #[n(0)] payer: AccountId, #[n(1)] fee: Token },
    #[n(2)] AllowanceSpent { #[n(0)] network: NetworkId, #[n(1)] fee: Token },
    #[n(3)] AccountOpened { #[n(0)] account: AccountId, #[n(1)] number: AccountNumber },
    #[n(4)] KeysRotated { #[n(0)] account: AccountId, #[n(1)] rule: Hash },
    #[n(5)] Transferred { #[n(0)] from: AccountId, #[n(1)] to: AccountId, #[n(2)] amount: Asset },
    #[n(6)] PayoutChoiceSet { #[n(0)] account: AccountId, #[n(1)] wants: Option<BasisPoints>, #[n(2)] from: EpochNumber },

    #[n(10)] StableIssued { #[n(0)] issuer: AccountId, #[n(1)] to: AccountId, #[n(2)] amount: MicroUsd },
    #[n(11)] StableRedeemed {
        #[n(0)] issuer: AccountId, #[n(1)] from: AccountId, #[n(2)] amount: MicroUsd,
        #[cbor(n(3), with = "minicbor::bytes")] reference: Vec<u8>,
    },
    #[n(12)] CreditsBought {
        #[n(0)] account: AccountId, #[n(1)] credits: Credit, #[n(2)] paid: MicroUsd, #[n(3)] burned: Token,
    },
    #[n(13)] CreditsRefunded { #[n(0)] account: AccountId, #[n(1)] credits: Credit, #[n(2)] paid: MicroUsd, #[n(3)] fee: MicroUsd },
    #[n(14)] TokenSoldBack { #[n(0)] account: AccountId, #[n(1)] burned: Token, #[n(2)] paid: MicroUsd },

    #[n(20)] VerifierBonded { #[n(0)] verifier: AccountId, #[n(1)] amount: Token },
    #[n(21)] VerifierUnbonding { #[n(0)] verifier: AccountId, #[n(1)] amount: Token, #[n(2)] until: EpochNumber },
    #[n(22)] VerifierUnbonded { #[n(0)] verifier: AccountId, #[n(1)] amount: Token },
    #[n(23)] VerifierSlashed {
        #[n(0)] verifier: AccountId, #[n(1)] burned: Token, #[n(2)] cover: Token,
        #[n(3)] reporter: AccountId, #[n(4)] rewarded: Token,
    },
    #[n(24)] PricePosted { #[n(0)] verifier: AccountId, #[n(1)] price: Price, #[n(2)] round: u64 },
    #[n(25)] PriceAccepted { #[n(0)] round: u64, #[n(1)] price: Price },
    #[n(26)] ReceiptBroken {
        #[n(0)] verifier: AccountId, #[n(1)] network: NetworkId, #[n(2)] epoch: EpochNumber, #[n(3)] report: ReportId,
    },
    #[n(27)] VerifierUrlSet { #[n(0)] verifier: AccountId, #[n(1)] url: String },

    #[n(30)] NetworkCreated {
        #[n(0)] network: NetworkId, #[n(1)] number: NetworkNumber, #[n(2)] founder: AccountId, #[n(3)] name: String, #[n(4)] vertical: String,
        /// The founder gave these.
        #[n(5)] bond: Token, #[n(6)] allowance: Token,
    },
    #[n(31)] TermsSet { #[n(0)] network: NetworkId, #[n(1)] version: u32, #[n(2)] from: EpochNumber, #[n(3)] parameters: Hash },
    #[n(32)] TreasuryFunded { #[n(0)] network: NetworkId, #[n(1)] by: AccountId, #[n(2)] amount: Asset, #[n(3)] allowance: bool },
    #[n(33)] TreasuryDrawn { #[n(0)] network: NetworkId, #[n(1)] by: AccountId, #[n(2)] amount: Asset },
    #[n(34)] NetworkClosing { #[n(0)] network: NetworkId, #[n(1)] last: EpochNumber },
    #[n(35)] BondReturned { #[n(0)] network: NetworkId, #[n(1)] to: AccountId, #[n(2)] amount: Token },

    #[n(40)] DeviceRegistered { #[n(0)] device: DeviceId, #[n(1)] number: DeviceNumber, #[n(2)] owner: AccountId },
    #[n(41)] NetworkJoined {
        #[n(0)] network: NetworkId, #[n(1)] device: DeviceId, #[n(2)] entry: u32, #[n(3)] cell: CellId, #[n(4)] from: EpochNumber,
    },
    #[n(42)] NetworkLeft { #[n(0)] network: NetworkId, #[n(1)] device: DeviceId, #[n(2)] entry: u32, #[n(3)] last: EpochNumber },
    #[n(43)] DeviceMoved {
        #[n(0)] network: NetworkId, #[n(1)] device: DeviceId, #[n(2)] entry: u32, #[n(3)] cell: CellId, #[n(4)] from: EpochNumber,
    },
    #[n(44)] DeviceRetired { #[n(0)] device: DeviceId },
    #[n(45)] DeviceBarred {
        #[n(0)] device: DeviceId, #[n(1)] network: NetworkId, #[n(2)] sequence: u64, #[n(3)] from: EpochNumber,
        /// The first epoch in which its reports count again.
        #[n(4)] until: EpochNumber, #[n(5)] reporter: AccountId,
    },

    #[n(50)] EpochClosed { #[n(0)] epoch: EpochNumber, #[n(1)] networks: u32, #[n(2)] emission: Token },
    #[n(51)] PoolFixed {
        #[n(0)] network: NetworkId, #[n(1)] epoch: EpochNumber, #[n(2)] availability: Token, #[n(3)] usage: Token,
        #[n(4)] cash: MicroUsd, #[n(5)] customers_paid: Credit,
    },
    #[n(52)] BeaconRevealed { #[n(0)] epoch: EpochNumber, #[n(1)] beacon: Hash },
    #[n(53)] EpochSettled {
        #[n(0)] network: NetworkId, #[n(1)] epoch: EpochNumber, #[n(2)] result: Hash, #[n(3)] leaves: u32, #[n(4)] totals: Totals,
        /// Carried on to the network's next epoch once it is released.
        #[n(5)] unpaid_token: Token, #[n(6)] unpaid_stable: MicroUsd,
    },
    #[n(54)] EpochExpired { #[n(0)] network: NetworkId, #[n(1)] epoch: EpochNumber, #[n(2)] unpaid_token: Token, #[n(3)] unpaid_stable: MicroUsd },
    #[n(55)] LeavesPaid {
        #[n(0)] network: NetworkId, #[n(1)] epoch: EpochNumber, #[n(2)] start: u32, #[n(3)] end: u32, #[n(4)] sums: Totals,
        /// One for each leaf, in order.
        #[n(5)] leaves: Vec<LeafPaid>,
    },
    #[n(56)] PayoutsCompleted { #[n(0)] network: NetworkId, #[n(1)] epoch: EpochNumber },
    #[n(57)] EpochAnchored {
        #[n(0)] network: NetworkId, #[n(1)] epoch: EpochNumber, #[n(2)] verifier: AccountId, #[n(3)] root: Hash, #[n(4)] count: u64,
    },
    /// Money moves: the verifiers' part, and what is carried on to the network's next epoch.
    #[n(58)] EpochReleased {
        #[n(0)] network: NetworkId, #[n(1)] epoch: EpochNumber, #[n(2)] verifiers: MicroUsd,
        #[n(3)] unpaid_token: Token, #[n(4)] unpaid_stable: MicroUsd,
    },

    #[n(59)] DisputeOpened {
        #[n(0)] network: NetworkId, #[n(1)] epoch: EpochNumber, #[n(2)] disputer: AccountId, #[n(3)] bond: Token, #[n(4)] claim: Hash,
    },

    #[n(60)] OrderOpened {
        #[n(0)] order: OrderId, #[n(1)] network: NetworkId, #[n(2)] customer: AccountId, #[n(3)] provider: AccountId, #[n(4)] held: Credit,
    },
    #[n(61)] OrderSettled { #[n(0)] order: OrderId, #[n(1)] paid: Credit, #[n(2)] cumulative: Credit, #[n(3)] meters: Hash },
    #[n(62)] OrderClosed { #[n(0)] order: OrderId, #[n(1)] returned: Credit },
    #[n(63)] OrderExpired { #[n(0)] order: OrderId, #[n(1)] returned: Credit },

    /// A verifier's share of the verifiers' part, for a result it signed. One for each signer who gets something, before the release is told.
    #[n(64)] VerifierPaid { #[n(0)] network: NetworkId, #[n(1)] epoch: EpochNumber, #[n(2)] verifier: AccountId, #[n(3)] amount: MicroUsd },
    /// The bond of a dispute, or of a case of an epoch that nobody settled, is its account's again.
    #[n(65)] DisputeBondReturned { #[n(0)] network: NetworkId, #[n(1)] epoch: EpochNumber, #[n(2)] to: AccountId, #[n(3)] amount: Token },

    #[n(70)] ValidatorVoted { #[n(0)] key: ValidatorKey, #[n(1)] validator: AccountId, #[n(2)] choice: Hash },
    #[n(71)] ValidatorAdded { #[n(0)] key: ValidatorKey, #[n(1)] account: AccountId, #[n(2)] address: String },
    #[n(72)] ValidatorRemoved { #[n(0)] key: ValidatorKey },
    #[n(73)] DisputeVoted { #[n(0)] network: NetworkId, #[n(1)] epoch: EpochNumber, #[n(2)] validator: AccountId, #[n(3)] choice: Hash },
    /// By the validators: `result` is the one in force from now on. `upheld`: it is another than was settled; `blame`: who signed that
    /// was wrong.
    #[n(74)] DisputeDecided { #[n(0)] network: NetworkId, #[n(1)] epoch: EpochNumber, #[n(2)] upheld: bool, #[n(3)] result: Hash, #[n(4)] blame: bool },
    /// It built on a result that was replaced: verifiers attest the epoch anew.
    #[n(75)] SettlementWithdrawn { #[n(0)] network: NetworkId, #[n(1)] epoch: EpochNumber },
    #[n(76)] UpgradeVoted { #[n(0)] version: u16, #[n(1)] height: Option<u64>, #[n(2)] validator: AccountId },
    /// The rules are of this version from block `height` on.
    #[n(77)] UpgradeAnnounced { #[n(0)] version: u16, #[n(1)] height: u64 },
    #[n(78)] UpgradeWithdrawn { #[n(0)] version: u16 },
    #[n(79)] UpgradeTookEffect { #[n(0)] version: u16, #[n(1)] height: u64 },
}
