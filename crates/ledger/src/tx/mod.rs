//! Transactions: their one byte form, who signs, what they cost, and the list of what can be asked. One file for each.
//!
//! ```text
//! bytes ─▶ check (form, signatures; no state) ─▶ Signed ─▶ authorize (chain, keys, nonce, fee) ─▶ the body's own file ─▶ write
//! ```
//! Each file declares what it reads, then: load, check in the order of `reject.rs`, compute, write.

mod authorize;
mod ballot;
mod check;
mod decide;
mod fee;
mod release;
mod result;
mod slash;
mod stalled;
mod without;

pub mod open_account;
pub mod rotate_keys;
pub mod set_payout_choice;
pub mod transfer;

pub mod buy_credits;
pub mod issue_stable;
pub mod redeem_stable;
pub mod refund_credits;
pub mod sell_token;

pub mod bond_verifier;
pub mod post_price;
pub mod set_verifier_url;
pub mod slash_receipt;
pub mod slash_verifier;
pub mod unbond_verifier;

pub mod close_network;
pub mod create_network;
pub mod fund_treasury;
pub mod set_parameters;
pub mod withdraw_treasury;

pub mod bar_device;
pub mod join_network;
pub mod leave_network;
pub mod move_device;
pub mod register_device;
pub mod retire_device;

pub mod anchor_epoch;
pub mod open_dispute;
pub mod pay;
pub mod settle_epoch;
pub mod vote_dispute;

pub mod close_order;
pub mod expire_order;
pub mod open_order;
pub mod settle_order;

pub mod vote_upgrade;
pub mod vote_validator;

pub(crate) use authorize::authorize;
pub(crate) use bond_verifier::begin_score;
pub use check::check;
pub use fee::fee;
pub use result::{claim_hash, vote_hash};
pub(crate) use stalled::lapse;

use crate::account::Witness;
use crate::context::{Context, Step};
use crate::records::{Account, Chain, Emission, Network};
use crate::store::Key;
use crate::tables::Record;
use cairn_types::{AccountId, ChainId, Hash, MicroUsd, NetworkId, SecretKey, Token, codec, hash};
use minicbor::{CborLen, Decode, Encode};

/// Bytes of one transaction at most; the engine allows twice as many, so whatever is taken here fits into a block.
pub const TX_BYTES_MAX: usize = 64 * 1024;

/// What an account asks for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Transaction {
    #[n(0)]
    pub chain: ChainId,
    /// Who asks.
    #[n(1)]
    pub account: AccountId,
    /// Above the last one this account used.
    #[n(2)]
    pub nonce: u64,
    /// The most the fee may be.
    #[n(3)]
    pub fee_max: Token,
    /// Who pays the fee, if not who asks.
    #[n(4)]
    pub sponsor: Option<Sponsor>,
    #[n(5)]
    pub body: Body,
}

/// Who pays a fee for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum Sponsor {
    /// An account; it signs as well.
    #[n(0)]
    Account(#[n(0)] AccountId),
    /// A network, from the allowance its founder set aside: for opening accounts and for its devices.
    #[n(1)]
    Network(#[n(0)] NetworkId),
}

/// A transaction with the signatures it needs.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Signed {
    #[n(0)]
    pub transaction: Transaction,
    #[n(1)]
    pub witness: Witness,
    /// Of the sponsoring account.
    #[n(2)]
    pub sponsor: Option<Witness>,
}

/// An amount of something that accounts may give each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum Asset {
    #[n(0)]
    Token(#[n(0)] Token),
    #[n(1)]
    Stable(#[n(0)] MicroUsd),
}

/// Everything that can be asked. A number is never used for anything else.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[expect(clippy::large_enum_variant, reason = "one at a time is alive; a box would cost every transaction an allocation")]
#[rustfmt::skip]
pub enum Body {
    #[n(0)] OpenAccount(#[n(0)] open_account::OpenAccount),
    #[n(1)] RotateKeys(#[n(0)] rotate_keys::RotateKeys),
    #[n(2)] SetPayoutChoice(#[n(0)] set_payout_choice::SetPayoutChoice),
    #[n(3)] Transfer(#[n(0)] transfer::Transfer),

    #[n(10)] IssueStable(#[n(0)] issue_stable::IssueStable),
    #[n(11)] RedeemStable(#[n(0)] redeem_stable::RedeemStable),
    #[n(12)] BuyCredits(#[n(0)] buy_credits::BuyCredits),
    #[n(13)] RefundCredits(#[n(0)] refund_credits::RefundCredits),
    #[n(14)] SellToken(#[n(0)] sell_token::SellToken),

    #[n(20)] BondVerifier(#[n(0)] bond_verifier::BondVerifier),
    #[n(21)] UnbondVerifier(#[n(0)] unbond_verifier::UnbondVerifier),
    #[n(22)] SlashVerifier(#[n(0)] slash_verifier::SlashVerifier),
    #[n(23)] PostPrice(#[n(0)] post_price::PostPrice),
    #[n(24)] SlashReceipt(#[n(0)] slash_receipt::SlashReceipt),
    #[n(25)] SetVerifierUrl(#[n(0)] set_verifier_url::SetVerifierUrl),

    #[n(30)] CreateNetwork(#[n(0)] create_network::CreateNetwork),
    #[n(31)] SetParameters(#[n(0)] set_parameters::SetParameters),
    #[n(32)] FundTreasury(#[n(0)] fund_treasury::FundTreasury),
    #[n(33)] WithdrawTreasury(#[n(0)] withdraw_treasury::WithdrawTreasury),
    #[n(34)] CloseNetwork(#[n(0)] close_network::CloseNetwork),

    #[n(40)] RegisterDevice(#[n(0)] register_device::RegisterDevice),
    #[n(41)] JoinNetwork(#[n(0)] join_network::JoinNetwork),
    #[n(42)] LeaveNetwork(#[n(0)] leave_network::LeaveNetwork),
    #[n(43)] MoveDevice(#[n(0)] move_device::MoveDevice),
    #[n(44)] RetireDevice(#[n(0)] retire_device::RetireDevice),
    #[n(45)] BarDevice(#[n(0)] bar_device::BarDevice),

    #[n(50)] SettleEpoch(#[n(0)] settle_epoch::SettleEpoch),
    #[n(51)] Pay(#[n(0)] pay::Pay),
    #[n(52)] AnchorEpoch(#[n(0)] anchor_epoch::AnchorEpoch),
    #[n(53)] OpenDispute(#[n(0)] open_dispute::OpenDispute),
    #[n(54)] VoteDispute(#[n(0)] vote_dispute::VoteDispute),

    #[n(60)] OpenOrder(#[n(0)] open_order::OpenOrder),
    #[n(61)] SettleOrder(#[n(0)] settle_order::SettleOrder),
    #[n(62)] CloseOrder(#[n(0)] close_order::CloseOrder),
    #[n(63)] ExpireOrder(#[n(0)] expire_order::ExpireOrder),

    #[n(70)] VoteValidator(#[n(0)] vote_validator::VoteValidator),
    #[n(71)] VoteUpgrade(#[n(0)] vote_upgrade::VoteUpgrade),
}

impl Transaction {
    /// What is signed, and the transaction's name.
    pub fn id(&self) -> Hash {
        Self::id_of(&codec::encode(self))
    }

    /// As `id`, from the transaction's one byte form.
    pub(crate) fn id_of(bytes: &[u8]) -> Hash {
        hash::domain("cairn/transaction/1", &[bytes])
    }

    /// Signed by an account with one key.
    pub fn sign(self, key: &SecretKey) -> Signed {
        self.sign_by(&crate::account::Rule::single(key.public()), std::slice::from_ref(key))
    }

    /// Signed by an account's rule in force.
    pub fn sign_by(self, rule: &crate::account::Rule, secrets: &[SecretKey]) -> Signed {
        let witness = rule.witness(&self.id().0, secrets);
        Signed {
            transaction: self,
            witness,
            sponsor: None,
        }
    }
}

impl Signed {
    /// With the signatures of the sponsoring account.
    pub fn sponsored_by(mut self, rule: &crate::account::Rule, secrets: &[SecretKey]) -> Self {
        self.sponsor = Some(rule.witness(&self.transaction.id().0, secrets));
        self
    }

    /// The one byte form, as it is submitted.
    pub fn bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }
}

/// The records a transaction surely reads, so that they are loaded together.
pub fn reads(signed: &Signed) -> Vec<Key> {
    let Transaction {
        account, sponsor, body, ..
    } = &signed.transaction;
    let mut keys = vec![Account::key(account)];
    match sponsor {
        Some(Sponsor::Account(id)) => keys.push(Account::key(id)),
        Some(Sponsor::Network(id)) => keys.push(Network::key(id)),
        None => {}
    }
    keys.extend([Chain::key(&()), Emission::key(&())]);
    keys.extend(match body {
        Body::OpenAccount(_) | Body::RotateKeys(_) | Body::SetPayoutChoice(_) => Vec::new(),
        Body::Transfer(body) => body.reads(),
        Body::IssueStable(body) => body.reads(account),
        Body::RedeemStable(body) => body.reads(),
        Body::BuyCredits(body) => body.reads(),
        Body::RefundCredits(body) => body.reads(),
        Body::SellToken(body) => body.reads(),
        Body::BondVerifier(body) => body.reads(account),
        Body::UnbondVerifier(body) => body.reads(account),
        Body::SlashVerifier(body) => body.reads(),
        Body::PostPrice(body) => body.reads(account),
        Body::SlashReceipt(body) => body.reads(),
        Body::SetVerifierUrl(body) => body.reads(account),
        Body::CreateNetwork(body) => body.reads(&signed.transaction.chain, account),
        Body::SetParameters(body) => body.reads(),
        Body::FundTreasury(body) => body.reads(),
        Body::WithdrawTreasury(body) => body.reads(),
        Body::CloseNetwork(body) => body.reads(),
        Body::RegisterDevice(body) => body.reads(),
        Body::JoinNetwork(body) => body.reads(),
        Body::LeaveNetwork(body) => body.reads(),
        Body::MoveDevice(body) => body.reads(),
        Body::RetireDevice(body) => body.reads(),
        Body::BarDevice(body) => body.reads(),
        Body::SettleEpoch(body) => body.reads(),
        Body::Pay(body) => body.reads(),
        Body::AnchorEpoch(body) => body.reads(account),
        Body::OpenDispute(body) => body.reads(),
        Body::VoteDispute(body) => body.reads(),
        Body::OpenOrder(body) => body.reads(signed),
        Body::SettleOrder(body) => body.reads(),
        Body::CloseOrder(body) => body.reads(),
        Body::ExpireOrder(body) => body.reads(),
        Body::VoteValidator(body) => body.reads(),
        Body::VoteUpgrade(body) => body.reads(),
    });
    keys
}

/// Runs the body of an authorized transaction.
pub(crate) fn run(signed: &Signed, context: &mut Context<'_>) -> Step<()> {
    let Transaction { account, body, .. } = &signed.transaction;
    match body {
        Body::OpenAccount(body) => body.apply(signed, context),
        Body::RotateKeys(body) => body.apply(account, context),
        Body::SetPayoutChoice(body) => body.apply(account, context),
        Body::Transfer(body) => body.apply(account, context),
        Body::IssueStable(body) => body.apply(account, context),
        Body::RedeemStable(body) => body.apply(account, context),
        Body::BuyCredits(body) => body.apply(account, context),
        Body::RefundCredits(body) => body.apply(account, context),
        Body::SellToken(body) => body.apply(account, context),
        Body::BondVerifier(body) => body.apply(account, context),
        Body::UnbondVerifier(body) => body.apply(account, context),
        Body::SlashVerifier(body) => body.apply(account, context),
        Body::PostPrice(body) => body.apply(account, context),
        Body::SlashReceipt(body) => body.apply(account, context),
        Body::SetVerifierUrl(body) => body.apply(account, context),
        Body::CreateNetwork(body) => body.apply(account, context),
        Body::SetParameters(body) => body.apply(account, context),
        Body::FundTreasury(body) => body.apply(account, context),
        Body::WithdrawTreasury(body) => body.apply(account, context),
        Body::CloseNetwork(body) => body.apply(account, context),
        Body::RegisterDevice(body) => body.apply(account, context),
        Body::JoinNetwork(body) => body.apply(account, context),
        Body::LeaveNetwork(body) => body.apply(account, context),
        Body::MoveDevice(body) => body.apply(account, context),
        Body::RetireDevice(body) => body.apply(account, context),
        Body::BarDevice(body) => body.apply(account, context),
        Body::SettleEpoch(body) => body.apply(context),
        Body::Pay(body) => body.apply(context),
        Body::AnchorEpoch(body) => body.apply(account, context),
        Body::OpenDispute(body) => body.apply(account, context),
        Body::VoteDispute(body) => body.apply(account, context),
        Body::OpenOrder(body) => body.apply(signed, context),
        Body::SettleOrder(body) => body.apply(account, context),
        Body::CloseOrder(body) => body.apply(account, context),
        Body::ExpireOrder(body) => body.apply(context),
        Body::VoteValidator(body) => body.apply(account, context),
        Body::VoteUpgrade(body) => body.apply(account, context),
    }
}
