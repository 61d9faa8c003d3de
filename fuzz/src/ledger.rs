//! Transactions and genesis files. A transaction is tried twice: as the bytes are, which mostly fails at the signature, and its
//! body again in the name of an account that may do much, signed anew, so that the rules behind the signature are attacked too.

use std::sync::LazyLock;

use cairn_ledger::{
    Block, Body, Genesis, Ledger, MemoryStore, Signed, Transaction,
    account::Rule,
    check,
    economics::{Parameters, Schedule},
    genesis::{Allocation, Fees, GenesisIssuer, GenesisValidator, GenesisVerifier, Limits},
    invariants, reads,
    tx::{
        Asset,
        anchor_epoch::{AnchorEpoch, NetworkAnchor},
        bar_device::BarDevice,
        bond_verifier::BondVerifier,
        buy_credits::BuyCredits,
        buy_credits::Payment,
        close_network::CloseNetwork,
        create_network::CreateNetwork,
        fund_treasury::FundTreasury,
        issue_stable::IssueStable,
        join_network::JoinNetwork,
        move_device::MoveDevice,
        open_account::OpenAccount,
        open_dispute::OpenDispute,
        open_order::OpenOrder,
        pay::Pay,
        post_price::PostPrice,
        register_device::{self, RegisterDevice},
        rotate_keys::RotateKeys,
        set_parameters::SetParameters,
        set_payout_choice::SetPayoutChoice,
        set_verifier_url::SetVerifierUrl,
        settle_epoch::SettleEpoch,
        slash_receipt::{Evidence, SlashReceipt},
        transfer::Transfer,
        unbond_verifier::UnbondVerifier,
        vote_dispute::VoteDispute,
        vote_upgrade::VoteUpgrade,
        vote_validator::{Change, VoteValidator},
        withdraw_treasury::WithdrawTreasury,
    },
};
use cairn_types::{
    AccountId, Attestation, CellId, ChainId, Credit, DeviceId, Envelope, EpochNumber, Hash, MicroUsd, NetworkId, Price,
    Receipt, Report, ReportId, TimeMs, Token, ValidatorKey, codec::decode_canonical, merkle::AbsenceProof, receipt,
};

use crate::{Target, golden, types::key, value};

const WHOLE: u64 = 1_000_000;
const START: TimeMs = TimeMs(1_500_076_800_000);
const HOUR_MS: u64 = 3_600_000;

pub const TARGETS: &[Target] = &[
    Target {
        name: "transaction",
        run: transaction,
        seeds: || {
            let by_passkeys = golden(include_str!("../../crates/ledger/golden/passkeys.hex"));
            let signed = signed_bodies();
            signed.iter().map(Signed::bytes).chain([by_passkeys]).collect()
        },
    },
    Target {
        name: "genesis",
        run: genesis,
        seeds: || vec![WORLD.ledger.genesis().bytes()],
    },
];

static WORLD: LazyLock<World> = LazyLock::new(World::new);

/// A chain on which one account founded a network, verifies, issues and buys.
struct World {
    ledger: Ledger,
    store: MemoryStore,
    block: Block,
    nonce: u64,
}

/// A refused transaction changes nothing; an accepted one leaves every invariant.
pub fn transaction(bytes: &[u8]) -> bool {
    let Ok(signed) = decode_canonical::<Signed>(bytes) else {
        assert!(check(&[bytes]).remove(0).is_err());
        return false;
    };
    let again = Transaction {
        chain: chain(),
        account: founder(),
        nonce: WORLD.nonce,
        fee_max: Token(u64::MAX),
        sponsor: None,
        ..signed.transaction
    };
    WORLD.try_out(&again.sign(&key(1)));
    let Ok(checked) = check(&[bytes]).remove(0) else {
        return false;
    };
    WORLD.try_out(&checked);
    true
}

/// A chain begins with every genesis that passes its check.
pub fn genesis(bytes: &[u8]) -> bool {
    let Some(genesis) = value::<Genesis>(bytes) else {
        return false;
    };
    let Ok(ledger) = Ledger::new(genesis) else { return false };
    let (mut store, mut events) = (MemoryStore::default(), Vec::new());
    let block = Block {
        height: 1,
        time: ledger.genesis().start,
        beacon: None,
    };
    ledger
        .begin_block(&mut store, &block, &mut events)
        .expect("everything is in memory");
    assert_eq!(invariants::check(&store, ledger.genesis()), []);
    true
}

impl World {
    fn new() -> World {
        let ledger = Ledger::new(founding()).expect("the numbers fit");
        let mut world = World {
            ledger,
            store: MemoryStore::default(),
            block: Block {
                height: 1,
                time: START,
                beacon: None,
            },
            nonce: 1,
        };
        world
            .ledger
            .begin_block(&mut world.store, &world.block, &mut Vec::new())
            .expect("everything is in memory");
        for body in story() {
            let signed = sign(body, world.nonce);
            let applied = world
                .ledger
                .apply(&mut world.store, &world.block, &signed, &mut Vec::new());
            applied
                .expect("everything is in memory")
                .unwrap_or_else(|reject| panic!("{reject}: {:?}", signed.transaction.body));
            world.nonce += 1;
        }
        world
    }

    fn try_out(&self, signed: &Signed) {
        let Ok(signed) = check(&[&signed.bytes()]).remove(0) else {
            return;
        };
        reads(&signed);
        let (mut store, mut events) = (self.store.clone(), Vec::new());
        match self
            .ledger
            .apply(&mut store, &self.block, &signed, &mut events)
            .expect("everything is in memory")
        {
            Ok(_) => assert_eq!(invariants::check(&store, self.ledger.genesis()), []),
            Err(_) => assert!(
                store == self.store && events.is_empty(),
                "a refused transaction changes nothing"
            ),
        }
    }
}

fn chain() -> ChainId {
    "cairn-fuzz".parse().expect("plain")
}

fn account(seed: u8) -> AccountId {
    Rule::single(key(seed).public()).account_id()
}

fn founder() -> AccountId {
    account(1)
}

fn network() -> NetworkId {
    NetworkId::of(&chain(), &founder(), "first")
}

fn device() -> DeviceId {
    key(2).public().device_id()
}

pub(crate) fn founding() -> Genesis {
    let whole = |tokens: u64| Token(tokens * WHOLE);
    let (premine, bond) = (whole(200_000_000), whole(1_000_000));
    let schedule = Schedule::halving(EpochNumber(0), 8_760, whole(100_000_000), 2, 16).expect("the notes' schedule");
    let economics = Parameters::with_epochs_per_day(24, 6, whole(1_000_000_000), premine);
    Genesis {
        chain: chain(),
        start: START,
        epoch_ms: HOUR_MS,
        round_ms: HOUR_MS,
        economics,
        schedule: schedule.steps().to_vec(),
        limits: Limits::daily(6),
        fees: Fees {
            base: Token(1_000),
            ..Fees::default()
        },
        allocations: vec![
            allocation(1, premine.0 - 2 * bond.0 - WHOLE, 1_000_000_000),
            allocation(4, WHOLE, 0),
        ],
        verifiers: vec![GenesisVerifier {
            account: founder(),
            key: key(1).public(),
            bond,
        }],
        issuers: vec![GenesisIssuer {
            account: founder(),
            bond,
            limit: MicroUsd(1 << 50),
        }],
        validators: vec![GenesisValidator {
            account: founder(),
            key: ValidatorKey([3; 32]),
            address: "validator.example.org:9000".to_owned(),
        }],
    }
}

fn allocation(seed: u8, token: u64, stable: u64) -> Allocation {
    Allocation {
        rule: Rule::single(key(seed).public()),
        token: Token(token),
        stable: MicroUsd(stable),
    }
}

/// What happened on the chain before strangers come.
fn story() -> Vec<Body> {
    let cell = cell(0x08a1_fb46_622d_ffff);
    let signature = key(2).sign(&register_device::message(&chain(), &founder(), &key(2).public()));
    vec![
        Body::CreateNetwork(CreateNetwork {
            name: "first".to_owned(),
            vertical: "any".to_owned(),
            resolution: 10,
            parameters: vec![0x80],
            price_micro_usd: 1_000_000,
            bond: Token(1_000 * WHOLE),
            allowance: Token(10 * WHOLE),
            treasurer: founder(),
        }),
        Body::RegisterDevice(RegisterDevice {
            key: key(2).public(),
            signature,
        }),
        Body::JoinNetwork(JoinNetwork {
            device: device(),
            network: network(),
            cell,
        }),
        Body::BuyCredits(BuyCredits {
            payment: Payment::Stable(MicroUsd(500_000_000)),
        }),
        Body::OpenOrder(OpenOrder {
            network: network(),
            provider: account(4),
            shape: 0,
            terms: Hash([5; 32]),
            hold: Credit(1_000_000),
            expires: START.plus_ms(24 * HOUR_MS),
            voucher_key: key(3).public(),
        }),
    ]
}

/// A transaction of every kind that a few lines can make, the story's own among them.
fn signed_bodies() -> Vec<Signed> {
    let attestation = golden(include_str!("../../crates/types/golden/attestation.hex"));
    let attestation: Attestation = decode_canonical(&attestation).expect("a golden attestation");
    let proof = golden(include_str!("../../crates/types/golden/range_proof.hex"));
    let leaf = golden(include_str!("../../crates/types/golden/payout_leaf.hex"));
    let asset = Asset::Token(Token(WHOLE));
    let mut bodies = story();
    bodies.extend([
        Body::OpenAccount(OpenAccount {}),
        Body::RotateKeys(RotateKeys {
            rule: Rule::any_of(2, vec![key(1).public(), key(2).public(), key(3).public()]),
        }),
        Body::SetPayoutChoice(SetPayoutChoice { wants: None }),
        Body::Transfer(Transfer {
            to: founder(),
            amount: asset,
        }),
        Body::IssueStable(IssueStable {
            to: founder(),
            amount: MicroUsd(1_000),
        }),
        Body::BuyCredits(BuyCredits {
            payment: Payment::Burn(Token(WHOLE), Credit(1)),
        }),
        Body::BondVerifier(BondVerifier {
            amount: Token(WHOLE),
            key: key(1).public(),
        }),
        Body::UnbondVerifier(UnbondVerifier { amount: Token(WHOLE) }),
        Body::SetVerifierUrl(SetVerifierUrl {
            url: "https://verifier.example.org".to_owned(),
        }),
        Body::SlashReceipt(SlashReceipt {
            receipt: broken_receipt(),
            evidence: Evidence::NotAnchored(AbsenceProof {
                neighbours: vec![Hash([1; 32])],
                range: Some(decode_canonical(&proof).expect("a golden proof")),
            }),
        }),
        Body::BarDevice(BarDevice {
            first: report_of(b"one"),
            second: report_of(b"two"),
        }),
        Body::PostPrice(PostPrice {
            price: Price(10_000_000),
        }),
        Body::SetParameters(SetParameters {
            network: network(),
            parameters: vec![7; 1_000],
            price_micro_usd: 5,
        }),
        Body::FundTreasury(FundTreasury {
            network: network(),
            amount: asset,
            allowance: false,
        }),
        Body::WithdrawTreasury(WithdrawTreasury {
            network: network(),
            amount: asset,
        }),
        Body::CloseNetwork(CloseNetwork { network: network() }),
        Body::MoveDevice(MoveDevice {
            device: device(),
            network: network(),
            cell: cell(0x08a1_fb46_622d_7fff),
        }),
        Body::VoteValidator(VoteValidator {
            key: ValidatorKey([4; 32]),
            change: Change::Add(founder(), "validator.example.org:9000".to_owned()),
        }),
        Body::VoteUpgrade(VoteUpgrade {
            version: 2,
            height: Some(1_000),
        }),
        Body::AnchorEpoch(AnchorEpoch {
            epoch: EpochNumber(0),
            anchors: vec![NetworkAnchor {
                network: network(),
                root: Hash([7; 32]),
                count: 3,
                reports_hash: Hash([8; 32]),
            }],
        }),
        Body::OpenDispute(OpenDispute {
            claimed: attestation.result.clone(),
            exchange: None,
        }),
        Body::VoteDispute(VoteDispute {
            result: attestation.result.clone(),
            exchange: None,
            blame: true,
        }),
        Body::SettleEpoch(SettleEpoch {
            attestation,
            exchange: None,
        }),
        Body::Pay(Pay {
            network: network(),
            epoch: EpochNumber(0),
            leaves: vec![decode_canonical(&leaf).expect("a golden leaf")],
            proof: decode_canonical(&proof).expect("a golden proof"),
            choices: None,
        }),
    ]);
    bodies.into_iter().map(|body| sign(body, 1_000)).collect()
}

/// A promise of the founder, who is a verifier.
fn broken_receipt() -> Receipt {
    let promise = receipt::Promise {
        report: ReportId([9; 32]),
        network: network(),
        epoch: EpochNumber(0),
    };
    receipt::issue(founder(), &key(1), START, &[promise]).remove(0)
}

/// What the device signs under one sequence number.
fn report_of(body: &[u8]) -> Vec<u8> {
    let report = Report {
        network: network(),
        time: START,
        sequence: 7,
        body: body.to_vec(),
    };
    Envelope::seal(&report, &key(2))
}

fn cell(index: u64) -> CellId {
    CellId::new(index).expect("a cell of Amsterdam")
}

fn sign(body: Body, nonce: u64) -> Signed {
    Transaction {
        chain: chain(),
        account: founder(),
        nonce,
        fee_max: Token(u64::MAX),
        sponsor: None,
        body,
    }
    .sign(&key(1))
}
