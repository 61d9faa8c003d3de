//! Everybody's keys, the genesis they begin with, and the transactions that set the network up. Keys follow from roles; nobody
//! outside a simulation may use them.

use crate::{CLOCK, HOUR_MS, START, VERTICAL};
use cairn_ledger::account::Rule;
use cairn_ledger::economics::{Parameters, Step};
use cairn_ledger::genesis::{Allocation, Fees, GenesisIssuer, GenesisVerifier, Limits};
use cairn_ledger::tx::Signed;
use cairn_ledger::tx::buy_credits::{BuyCredits, Payment};
use cairn_ledger::tx::create_network::CreateNetwork;
use cairn_ledger::tx::join_network::JoinNetwork;
use cairn_ledger::tx::open_account::OpenAccount;
use cairn_ledger::tx::register_device::RegisterDevice;
use cairn_ledger::{Body, Genesis, Transaction};
use cairn_types::{AccountId, ChainId, EpochNumber, MicroUsd, NetworkId, SecretKey, Token, hash};
use cairn_verifier::chain::local::LocalChain;
use cairn_verifier::chain::{Chain, ChainView};
use cairn_verifier::submit::Submitter;
use cairn_verticals::Vertical;
use cairn_verticals::kit::CastDevice;

const WHOLE: u64 = 1_000_000;
pub const NETWORK: &str = "rain";
/// What the customer puts into credits.
pub const CREDITS_BOUGHT: MicroUsd = MicroUsd(500_000_000);

/// Who plays besides devices and their operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Founder,
    Verifier,
    Gateway,
    Customer,
    /// Signs the customer's vouchers.
    Vouchers,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Founder => "founder",
            Self::Verifier => "verifier",
            Self::Gateway => "gateway",
            Self::Customer => "customer",
            Self::Vouchers => "vouchers",
        }
    }

    pub fn key(self) -> SecretKey {
        secret(self.name(), 0)
    }

    pub fn submitter(self) -> Submitter {
        Submitter::single(self.key())
    }

    pub fn account(self) -> AccountId {
        self.submitter().account
    }
}

/// A key that follows from a name and a number.
pub fn secret(role: &str, number: u64) -> SecretKey {
    SecretKey::ed25519(hash::domain("cairn/harness-key/1", &[role.as_bytes(), &number.to_be_bytes()]).0)
}

/// The key of the cast's device at a place.
pub fn device_key(place: usize) -> SecretKey {
    secret("device", place as u64)
}

/// The account of the cast's operator with a number.
pub fn operator(number: u32) -> Submitter {
    Submitter::single(secret("operator", number.into()))
}

pub fn chain_id() -> ChainId {
    "harness".parse().expect("the constant is a chain's name")
}

pub fn network_id() -> NetworkId {
    NetworkId::of(&chain_id(), &Role::Founder.account(), NETWORK)
}

pub fn genesis() -> Genesis {
    let roles = [Role::Founder, Role::Verifier, Role::Gateway, Role::Customer];
    let allocation = |role: &Role| Allocation {
        rule: Rule::single(role.key().public()),
        token: Token(100_000 * WHOLE),
        stable: MicroUsd(1_000_000_000),
    };
    let bond = Token(10_000 * WHOLE);
    let premine = Token(roles.len() as u64 * 100_000 * WHOLE + 2 * bond.0);
    let step = |from, per_epoch| Step {
        from: EpochNumber(from),
        per_epoch: Token(per_epoch),
    };
    Genesis {
        chain: chain_id(),
        start: START,
        epoch_ms: HOUR_MS,
        round_ms: HOUR_MS,
        economics: Parameters::with_epochs_per_day(24, 6, Token(1_000_000_000 * WHOLE), premine),
        // Not divisible by anything, so that every division has a remainder.
        schedule: vec![step(0, 1_000 * WHOLE + 7), step(10_000, 0)],
        limits: Limits {
            // From block to block whole steps pass, hours where nobody speaks.
            gap_ms_max: 24 * HOUR_MS,
            ..Limits::daily(6)
        },
        fees: Fees::default(),
        allocations: roles.iter().map(allocation).collect(),
        verifiers: vec![GenesisVerifier {
            account: Role::Verifier.account(),
            key: Role::Verifier.key().public(),
            bond,
        }],
        issuers: vec![GenesisIssuer {
            account: Role::Founder.account(),
            bond,
            limit: MicroUsd(1 << 40),
        }],
        validators: Vec::new(),
    }
}

/// Sends a transaction of an account that may not be open yet.
pub fn send(chain: &LocalChain, who: &Submitter, body: Body) -> Signed {
    let account = ChainView::account(chain, &who.account).expect("a chain in memory answers");
    let transaction = Transaction {
        chain: chain_id(),
        account: who.account,
        nonce: account.map_or(0, |account| account.nonce) + 1,
        fee_max: Token::ZERO,
        sponsor: None,
        body,
    };
    let signed = transaction.sign_by(&who.rule, &who.keys);
    chain
        .submit(&signed)
        .expect("the world is set up by what the rules allow");
    signed
}

/// A ledger with one network, whose members are the cast's devices in their order, and a customer with credits.
pub fn settle_in(devices: &[CastDevice]) -> LocalChain {
    let chain = LocalChain::start(genesis(), CLOCK.genesis).expect("the genesis is sound");
    let create = CreateNetwork {
        name: NETWORK.to_owned(),
        vertical: VERTICAL.name().to_owned(),
        resolution: 8,
        parameters: VERTICAL.default_params(),
        price_micro_usd: 1_000_000,
        bond: Token(1_000 * WHOLE),
        allowance: Token::ZERO,
        treasurer: Role::Founder.account(),
    };
    send(&chain, &Role::Founder.submitter(), Body::CreateNetwork(create));
    let payment = Payment::Stable(CREDITS_BOUGHT);
    send(
        &chain,
        &Role::Customer.submitter(),
        Body::BuyCredits(BuyCredits { payment }),
    );
    for (place, device) in devices.iter().enumerate() {
        let operator = operator(device.operator.0);
        let known = ChainView::account(&chain, &operator.account).expect("a chain in memory answers");
        if known.is_none() {
            send(&chain, &operator, Body::OpenAccount(OpenAccount {}));
        }
        let key = device_key(place);
        let register = RegisterDevice::by_device(&chain_id(), &operator.account, &key);
        send(&chain, &operator, Body::RegisterDevice(register));
        let join = JoinNetwork {
            device: key.public().device_id(),
            network: network_id(),
            cell: device.cell,
        };
        send(&chain, &operator, Body::JoinNetwork(join));
    }
    chain
}
