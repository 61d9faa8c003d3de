//! What a chain begins with. Its digest names the chain's start; block 1 writes it into the state.

use crate::account::Rule;
use crate::economics::{Error, Parameters, Schedule, Step};
use crate::records::{Moment, UNRELEASED_MAX};
use crate::tx::vote_validator::is_address;
use cairn_types::{
    AccountId, BasisPoints, ChainId, EpochClock, Hash, MicroUsd, PublicKey, TimeMs, Token, ValidatorKey, codec, hash,
};
use minicbor::{CborLen, Decode, Encode};
use std::collections::BTreeSet;

/// Entries of each list of a genesis at most: block 1 writes them all.
pub const LIST_MAX: usize = 10_000;
/// Verifiers at most: the signatures of all of them, under a result and its exchange, fit into one transaction.
pub const VERIFIERS_MAX: u16 = 256;
/// Epochs of networks that one block closes at most: what they come to is announced with the block's beginning, which has its limit.
pub const CLOSINGS_MAX: u64 = 4_096;
/// Validators at most: each vote goes through all of them.
pub const VALIDATORS_MAX: u16 = 128;
/// Blocks between two renewals of the validators' shares: every validator must lead in the second half of them, and what came before
/// must be kept by all.
pub const COMMITTEE_BLOCKS_MIN: u64 = 16;
pub const COMMITTEE_BLOCKS_MAX: u64 = 65_536;
/// Of them each validator that there may be needs so many.
const COMMITTEE_BLOCKS_PER_VALIDATOR: u64 = 4;
/// The least that may count of a gap between blocks: a healthy chain that is idle makes one every few seconds.
pub const GAP_MS_MIN: u64 = 10_000;
/// What counts of a gap unless the founders say otherwise: several turns of validators that are dead.
const GAP_MS_MAX: u64 = 60_000;
/// Of a shorter window for disputes one gap is not more than this part.
const GAPS_PER_WINDOW: u64 = 10;
/// Verifiers have three windows for anchors until an epoch counts as stalled, unless the founders say otherwise: one to anchor, one to
/// fetch what others anchored, one to agree.
const STALL_ANCHOR_WINDOWS: u64 = 3;
/// Issuers at most.
pub const ISSUERS_MAX: usize = 16;

/// Everything that fixes a chain's start and its numbers.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Genesis {
    #[n(0)]
    pub chain: ChainId,
    /// Epoch 0 begins.
    #[n(1)]
    pub start: TimeMs,
    #[n(2)]
    pub epoch_ms: u64,
    /// How long verifiers post prices before a round is closed.
    #[n(3)]
    pub round_ms: u64,
    #[n(4)]
    pub economics: Parameters,
    /// The emission; see `economics::Schedule`.
    #[n(5)]
    pub schedule: Vec<Step>,
    #[n(6)]
    pub limits: Limits,
    #[n(7)]
    pub fees: Fees,
    /// Accounts that exist from block 1. Tokens here and in bonds sum to `economics.premine`.
    #[n(8)]
    pub allocations: Vec<Allocation>,
    /// Verifiers from block 1; their accounts are among the allocations, their bonds beside what is allocated.
    #[n(9)]
    pub verifiers: Vec<GenesisVerifier>,
    /// Whose promise the stablecoin is; likewise.
    #[n(10)]
    pub issuers: Vec<GenesisIssuer>,
    /// Who runs consensus from block 1, as far as the ledger is to know: without any, nobody decides disputes.
    #[n(11)]
    pub validators: Vec<GenesisValidator>,
}

/// Numbers that are not economics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Limits {
    #[n(0)]
    pub networks_max: u32,
    #[n(1)]
    pub verifiers_max: u16,
    #[n(2)]
    pub network_bond_min: Token,
    #[n(3)]
    pub verifier_bond_min: Token,
    /// Closed epochs for which stake that leaves stays liable, and as much of the chain's uptime.
    #[n(4)]
    pub unbond_epochs: u64,
    /// An epoch not settled so many epochs of the chain's uptime, and as many blocks, after it was closed expires.
    #[n(5)]
    pub settle_epochs: u64,
    /// Epochs closed by one block at most; the next blocks catch up. The more networks there may be, the fewer.
    #[n(6)]
    pub closes_per_block: u32,
    /// Blocks between a close and the block whose beacon is its seed: at least 1.
    #[n(7)]
    pub beacon_blocks: u64,
    /// An order's longest life.
    #[n(8)]
    pub order_ms_max: u64,
    /// After an epoch was closed, for verifiers to anchor its reports, of the chain's uptime; less when all of them have.
    #[n(9)]
    pub anchor_window_ms: u64,
    /// A window lasts so many blocks as well: nobody misses one because the chain stood still.
    #[n(10)]
    pub window_blocks: u64,
    /// After an epoch was settled, for anyone to dispute the result, of the chain's uptime; 0: it is released at once and nobody can.
    #[n(11)]
    pub dispute_window_ms: u64,
    /// What a verifier loses of all it has at stake for receipts broken in one epoch of one network.
    #[n(12)]
    pub omission_bps: BasisPoints,
    /// For so many epochs the reports of a device earn nothing that signed two under one sequence number.
    #[n(13)]
    pub bar_epochs: u64,
    /// Held while a dispute is open; lost by who disputes what was right.
    #[n(14)]
    pub dispute_bond: Token,
    #[n(15)]
    pub validators_max: u16,
    /// Every so many epochs a verifier's score is halved.
    #[n(16)]
    pub score_half_epochs: u64,
    /// Every so many blocks the validators get fresh shares of their key, and those whom they voted in or out take effect on consensus.
    #[n(17)]
    pub committee_blocks: u64,
    /// What counts at most of the time between two blocks as the chain's uptime, in which windows are measured: a longer gap is a halt, and
    /// nobody could act. Longer than any gap of a healthy chain that is idle, much shorter than the windows.
    #[n(18)]
    pub gap_ms_max: u64,
    /// An epoch that verifiers have not settled so long after it was closed, of the chain's uptime, may be put before the validators; 0:
    /// never. Verifiers anchor, fetch and judge well within it, and it is well before the epoch expires.
    #[n(19)]
    pub stall_ms: u64,
}

/// Fees in token, burned. Transactions that can succeed only once and serve everybody are free: post_price, anchor_epoch,
/// settle_epoch, pay, expire_order, slash_verifier, slash_receipt, bar_device, vote_dispute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Fees {
    /// Every transaction that is not free.
    #[n(0)]
    pub base: Token,
    /// On top of it: an account, a device, a membership, a move, a network.
    #[n(1)]
    pub open_account: Token,
    #[n(2)]
    pub register_device: Token,
    #[n(3)]
    pub join_network: Token,
    #[n(4)]
    pub move_device: Token,
    #[n(5)]
    pub create_network: Token,
    /// For each page of parameters.
    #[n(6)]
    pub parameter_page: Token,
}

/// An account and what it begins with. Stablecoin needs an issuer: it is counted as owed by the first one.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Allocation {
    #[n(0)]
    pub rule: Rule,
    #[n(1)]
    pub token: Token,
    #[n(2)]
    pub stable: MicroUsd,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct GenesisVerifier {
    #[n(0)]
    pub account: AccountId,
    /// Signs attestations and receipts.
    #[n(1)]
    pub key: PublicKey,
    #[n(2)]
    pub bond: Token,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct GenesisIssuer {
    #[n(0)]
    pub account: AccountId,
    #[n(1)]
    pub bond: Token,
    /// More is never outstanding.
    #[n(2)]
    pub limit: MicroUsd,
}

/// A member of consensus; its account is among the allocations.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct GenesisValidator {
    #[n(0)]
    pub account: AccountId,
    /// By which its peers know it.
    #[n(1)]
    pub key: ValidatorKey,
    /// Where its peers reach it: `host:port`.
    #[n(2)]
    pub address: String,
}

/// A genesis no chain can begin with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    #[error("economics: {0}")]
    Economics(#[from] Error),
    #[error("{0} is out of its bounds")]
    OutOfBounds(&'static str),
    #[error("the rule of allocation {0} is not valid")]
    RuleInvalid(usize),
    #[error("{0} stands twice, or not among the allocations")]
    AccountWrong(AccountId),
    #[error("the key of verifier {0} is a passkey, which signs for accounts only")]
    PasskeyNotAllowed(AccountId),
    #[error("validator key {0} stands twice")]
    ValidatorTwice(ValidatorKey),
    #[error("tokens allocated and bonded sum to {found}, the premine is {premine}")]
    PremineDiffers { found: u128, premine: u64 },
    #[error("stablecoin is allocated and the first issuer cannot owe it")]
    StableUnbacked,
}

impl Limits {
    /// Limits for a chain of daily epochs whose whole token has `decimals` decimals.
    pub fn daily(decimals: u8) -> Self {
        let whole = 10u64.saturating_pow(decimals.into());
        Self {
            networks_max: 1_024,
            verifiers_max: 64,
            network_bond_min: Token(whole.saturating_mul(1_000)),
            verifier_bond_min: Token(whole.saturating_mul(1_000)),
            unbond_epochs: 28,
            settle_epochs: 28,
            closes_per_block: 4,
            beacon_blocks: 2,
            order_ms_max: 400 * 24 * 60 * 60 * 1_000,
            anchor_window_ms: 6 * 60 * 60 * 1_000,
            window_blocks: 10,
            dispute_window_ms: 0,
            omission_bps: BasisPoints::new(1_000).expect("below the whole"),
            bar_epochs: 28,
            dispute_bond: Token(whole.saturating_mul(100)),
            validators_max: VALIDATORS_MAX,
            score_half_epochs: 28,
            committee_blocks: 1_024,
            gap_ms_max: GAP_MS_MAX,
            stall_ms: STALL_ANCHOR_WINDOWS * 6 * 60 * 60 * 1_000,
        }
    }

    /// These limits with the time after which an unsettled epoch may be put before the validators that fits the others.
    pub fn with_stall(self, epoch_ms: u64) -> Self {
        let windows_ms = self.anchor_window_ms.saturating_mul(STALL_ANCHOR_WINDOWS);
        Self {
            stall_ms: windows_ms.min(self.stall_ms_max(epoch_ms)),
            ..self
        }
    }

    /// A quarter of the time until an unsettled epoch expires is left for the validators at least.
    fn stall_ms_max(&self, epoch_ms: u64) -> u64 {
        (self.settle_epochs.saturating_mul(epoch_ms) / 4).saturating_mul(3)
    }

    /// Whether verifiers had their time to settle an epoch: all of it since it was closed, and half an epoch since the result before it is in
    /// force, if there is one, as nobody can sign before that. Only half an epoch, so that where verifiers stall every epoch the
    /// validators decide faster than epochs close.
    pub fn is_stalled(&self, epoch_ms: u64, closed: Moment, before: Option<Moment>, now: Moment) -> bool {
        let half_ms = (epoch_ms / 2).min(self.stall_ms);
        self.stall_ms > 0
            && self.is_over(self.stall_ms, closed, now)
            && before.is_none_or(|before| self.is_over(half_ms, before, now))
    }

    /// These limits with a window for disputes: of a short one a halt must not take much either.
    pub fn with_dispute_window(self, dispute_window_ms: u64) -> Self {
        let part = match dispute_window_ms {
            0 => GAP_MS_MAX,
            window_ms => window_ms / GAPS_PER_WINDOW,
        };
        Self {
            dispute_window_ms,
            gap_ms_max: part.clamp(GAP_MS_MIN, GAP_MS_MAX),
            ..self
        }
    }

    /// These limits with the validators' shares renewed every so many blocks; where these are few, there is room for fewer validators.
    pub fn with_committee_blocks(self, committee_blocks: u64) -> Self {
        let room = u16::try_from(committee_blocks / COMMITTEE_BLOCKS_PER_VALIDATOR).unwrap_or(u16::MAX);
        Self {
            committee_blocks,
            validators_max: self.validators_max.min(room),
            ..self
        }
    }

    /// Whether a window that a moment opened is over; one of no time is never open.
    pub fn is_over(&self, window_ms: u64, opened: Moment, now: Moment) -> bool {
        window_ms == 0
            || self.left_ms(window_ms, opened, now) == 0
                && now.height >= opened.height.saturating_add(self.window_blocks)
    }

    /// How much of a window that a moment opened is left, of the chain's uptime: at least so long it is open still.
    pub fn left_ms(&self, window_ms: u64, opened: Moment, now: Moment) -> u64 {
        window_ms.saturating_sub(now.uptime_ms.saturating_sub(opened.uptime_ms))
    }
}

impl Genesis {
    pub fn clock(&self) -> EpochClock {
        EpochClock {
            genesis: self.start,
            epoch_ms: self.epoch_ms,
        }
    }

    /// The round of prices a moment falls in.
    pub fn round_of(&self, time: TimeMs) -> u64 {
        time.since_ms(self.start).checked_div(self.round_ms).unwrap_or(0)
    }

    /// The one byte form.
    pub fn bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Names everything that fixes the chain's start.
    pub fn digest(&self) -> Hash {
        hash::domain("cairn/genesis/1", &[&self.bytes()])
    }

    /// Reads the one byte form; `check` it before use.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, codec::CodecError> {
        codec::decode_canonical(bytes)
    }

    /// Refuses numbers out of bounds, accounts named twice or not at all, and sums that differ.
    pub fn check(&self) -> Result<(), GenesisError> {
        self.economics.check()?;
        let schedule = Schedule::new(self.schedule.clone())?;
        schedule.check_cap(self.economics.premine, self.economics.cap)?;
        self.check_bounds()?;
        let accounts = self.check_accounts()?;
        self.check_names(&accounts, self.verifiers.iter().map(|verifier| verifier.account))?;
        self.check_names(&accounts, self.issuers.iter().map(|issuer| issuer.account))?;
        self.check_names(&accounts, self.validators.iter().map(|validator| validator.account))?;
        if let Some(wrong) = self.verifiers.iter().find(|verifier| verifier.key.is_passkey()) {
            return Err(GenesisError::PasskeyNotAllowed(wrong.account));
        }
        let mut keys = BTreeSet::new();
        if let Some(twice) = self.validators.iter().find(|validator| !keys.insert(validator.key)) {
            return Err(GenesisError::ValidatorTwice(twice.key));
        }
        self.check_sums()
    }

    fn check_bounds(&self) -> Result<(), GenesisError> {
        let limits = &self.limits;
        let in_bounds = [
            ("start", self.start.0 < 1 << 53),
            ("epoch_ms", (1_000..1 << 40).contains(&self.epoch_ms)),
            ("round_ms", (1_000..1 << 40).contains(&self.round_ms)),
            ("networks_max", (1..=65_536).contains(&limits.networks_max)),
            ("verifiers_max", (1..=VERIFIERS_MAX).contains(&limits.verifiers_max)),
            ("verifier_bond_min", limits.verifier_bond_min > Token::ZERO),
            ("unbond_epochs", (1..1 << 32).contains(&limits.unbond_epochs)),
            ("settle_epochs", (1..1 << 32).contains(&limits.settle_epochs)),
            ("closes_per_block", (1..=1_024).contains(&limits.closes_per_block)),
            (
                "closes_per_block beside networks_max",
                u64::from(limits.networks_max) * u64::from(limits.closes_per_block) <= CLOSINGS_MAX,
            ),
            ("beacon_blocks", (1..=1_024).contains(&limits.beacon_blocks)),
            ("order_ms_max", (1..1 << 53).contains(&limits.order_ms_max)),
            ("anchor_window_ms", (1..1 << 53).contains(&limits.anchor_window_ms)),
            (
                "anchor_window_ms beside settle_epochs",
                limits.anchor_window_ms < limits.settle_epochs.saturating_mul(self.epoch_ms),
            ),
            ("dispute_window_ms", limits.dispute_window_ms < 1 << 53),
            (
                "dispute_window_ms beside epoch_ms",
                limits.dispute_window_ms / self.epoch_ms.max(1) < UNRELEASED_MAX / 2,
            ),
            // Who takes stake back stays liable until its receipts can be held against its anchors and its results are final.
            (
                "unbond_epochs beside anchor_window_ms and dispute_window_ms",
                limits.anchor_window_ms.saturating_add(limits.dispute_window_ms)
                    <= (limits.unbond_epochs.saturating_sub(1)).saturating_mul(self.epoch_ms),
            ),
            ("omission_bps", limits.omission_bps > BasisPoints::ZERO),
            ("bar_epochs", (1..1 << 32).contains(&limits.bar_epochs)),
            (
                "dispute_bond",
                (limits.dispute_window_ms == 0 && limits.stall_ms == 0) || limits.dispute_bond > Token::ZERO,
            ),
            (
                "stall_ms beside anchor_window_ms and settle_epochs",
                limits.stall_ms == 0
                    || (limits.anchor_window_ms < limits.stall_ms
                        && limits.stall_ms <= limits.stall_ms_max(self.epoch_ms)),
            ),
            ("score_half_epochs", (1..1 << 32).contains(&limits.score_half_epochs)),
            ("gap_ms_max", (GAP_MS_MIN..1 << 53).contains(&limits.gap_ms_max)),
            ("validators_max", (1..=VALIDATORS_MAX).contains(&limits.validators_max)),
            (
                "committee_blocks beside validators_max",
                (COMMITTEE_BLOCKS_PER_VALIDATOR * u64::from(limits.validators_max)).max(COMMITTEE_BLOCKS_MIN)
                    <= limits.committee_blocks
                    && limits.committee_blocks <= COMMITTEE_BLOCKS_MAX,
            ),
            (
                "validators",
                self.validators.len() <= usize::from(limits.validators_max),
            ),
            (
                "a validator's address",
                self.validators.iter().all(|validator| is_address(&validator.address)),
            ),
            ("window_blocks", (1..=1_024).contains(&limits.window_blocks)),
            ("allocations", self.allocations.len() <= LIST_MAX),
            (
                "verifiers",
                (1..=usize::from(limits.verifiers_max)).contains(&self.verifiers.len()),
            ),
            ("issuers", self.issuers.len() <= ISSUERS_MAX),
            (
                "a verifier's bond",
                self.verifiers
                    .iter()
                    .all(|verifier| verifier.bond >= limits.verifier_bond_min),
            ),
        ];
        in_bounds.into_iter().try_for_each(|(name, fits)| {
            if fits {
                Ok(())
            } else {
                Err(GenesisError::OutOfBounds(name))
            }
        })
    }

    fn check_accounts(&self) -> Result<BTreeSet<AccountId>, GenesisError> {
        let mut accounts = BTreeSet::new();
        for (at, allocation) in self.allocations.iter().enumerate() {
            if !allocation.rule.is_valid() {
                return Err(GenesisError::RuleInvalid(at));
            }
            let id = allocation.rule.account_id();
            if !accounts.insert(id) {
                return Err(GenesisError::AccountWrong(id));
            }
        }
        Ok(accounts)
    }

    fn check_names(
        &self,
        accounts: &BTreeSet<AccountId>,
        names: impl Iterator<Item = AccountId>,
    ) -> Result<(), GenesisError> {
        let mut seen = BTreeSet::new();
        for id in names {
            if !accounts.contains(&id) || !seen.insert(id) {
                return Err(GenesisError::AccountWrong(id));
            }
        }
        Ok(())
    }

    fn check_sums(&self) -> Result<(), GenesisError> {
        let allocated = self.allocations.iter().map(|allocation| allocation.token);
        let bonds = self
            .verifiers
            .iter()
            .map(|verifier| verifier.bond)
            .chain(self.issuers.iter().map(|issuer| issuer.bond));
        let found: u128 = allocated.chain(bonds).map(|token| u128::from(token.0)).sum();
        if found != u128::from(self.economics.premine.0) {
            return Err(GenesisError::PremineDiffers {
                found,
                premine: self.economics.premine.0,
            });
        }
        let stable: u128 = self
            .allocations
            .iter()
            .map(|allocation| u128::from(allocation.stable.0))
            .sum();
        let limit = self.issuers.first().map_or(0, |issuer| issuer.limit.0);
        if stable > u128::from(limit) {
            Err(GenesisError::StableUnbacked)
        } else {
            Ok(())
        }
    }
}
