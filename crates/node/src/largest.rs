//! The largest transaction of each kind, and the most it may announce, against every limit on its way into a block. The engine's own tests
//! show that whatever keeps the engine's limits goes into a block that is otherwise empty, and that others read it.

use crate::machine::signed;
use crate::mempool::{Candidate, Limits, Origin, SharedPool};
use crate::serve::HttpLimits;
use cairn_engine::limits::{BEGIN_BYTES_MAX, READ_KEYS_MAX, RECEIPT_BYTES_MAX};
use cairn_engine::{Tx, TxSource as _};
use cairn_ledger::account::{KEYS_MAX, Rule};
use cairn_ledger::economics::netting::OfferTotals;
use cairn_ledger::event::{Event, LeafPaid};
use cairn_ledger::genesis::{CLOSINGS_MAX, Limits as Rules, VERIFIERS_MAX};
use cairn_ledger::records::UNRELEASED_MAX;
use cairn_ledger::tx::*;
use cairn_ledger::{Reject, Transaction, check, reads};
use cairn_types::attestation::{Totals, WITHOUT_MAX};
use cairn_types::merkle::{AbsenceProof, RangeProof};
use cairn_types::receipt::Group;
use cairn_types::*;

const MOST: u64 = u64::MAX;
const ID: [u8; 32] = [0xff; 32];
const HASH: Hash = Hash(ID);
const NETWORK: NetworkId = NetworkId(ID);
const EPOCH: EpochNumber = EpochNumber(MOST);
const ACCOUNT: AccountId = AccountId(ID);
const TOTALS: Totals = Totals {
    units: MOST,
    availability: Token(MOST),
    usage: Token(MOST),
    cash: MicroUsd(MOST),
    customers_paid: Credit(MOST),
};
/// Bytes of what every transaction announces of its fee, at most.
const FEE: Event = Event::FeePaid {
    payer: ACCOUNT,
    fee: Token(MOST),
};

fn chain() -> ChainId {
    "a-chain-of-the-longest-name-32by".parse().unwrap()
}

fn p256(seed: u8) -> SecretKey {
    SecretKey::p256([seed; 32]).unwrap()
}

fn cell() -> CellId {
    "881969c9b7fffff".parse().unwrap()
}

fn exchange() -> settle_epoch::Exchange {
    settle_epoch::Exchange {
        result: HASH,
        offers: OfferTotals {
            tokens: Token(MOST),
            cash: MicroUsd(MOST),
        },
        choices: HASH,
    }
}

fn result() -> EpochResult {
    let last = u32::from(u16::MAX);
    EpochResult {
        chain: chain(),
        network: NETWORK,
        epoch: EPOCH,
        inputs: HASH,
        archive: HASH,
        findings: HASH,
        memory: HASH,
        payouts: HASH,
        leaves: u32::MAX,
        totals: TOTALS,
        anchors: HASH,
        previous: HASH,
        without: (last - WITHOUT_MAX as u32..last).collect(),
    }
}

/// Of a tree of `2^depth` leaves, at one or both ends of a range.
fn proof(depth: usize, ends: usize) -> RangeProof {
    RangeProof {
        start: 1 << (depth - 1),
        count: (1 << depth) - 1,
        siblings: vec![HASH; ends * depth],
    }
}

/// Depth of the tree over all leaves there may be of an epoch, and over all its reports.
const LEAVES_DEPTH: usize = 32;
const REPORTS_DEPTH: usize = 40;

fn broken_receipt() -> Receipt {
    Receipt {
        report: ReportId(ID),
        network: NETWORK,
        epoch: EPOCH,
        group: Group {
            verifier: ACCOUNT,
            received: TimeMs(MOST),
            root: HASH,
        },
        path: proof(REPORTS_DEPTH, 1),
        signature: Signature([0xff; 64]),
    }
}

fn largest_pay() -> pay::Pay {
    let leaf = |number: usize| PayoutLeaf {
        operator: AccountNumber(u32::MAX - number as u32),
        units: MOST,
        availability: Token(MOST),
        usage: Token(MOST),
        cash: MicroUsd(MOST),
        customers_paid: Credit(MOST),
    };
    pay::Pay {
        network: NETWORK,
        epoch: EPOCH,
        leaves: (0..pay::PAY_LEAVES_MAX).map(leaf).collect(),
        proof: proof(LEAVES_DEPTH, 2),
        choices: Some(pay::Choices {
            wants: vec![BasisPoints::new(10_000); pay::PAY_LEAVES_MAX],
            proof: proof(LEAVES_DEPTH, 2),
        }),
    }
}

/// Each kind at its largest. The order does not matter; a kind that is missing fails a test below.
fn largest(account: &AccountId) -> Vec<Body> {
    let asset = Asset::Stable(MicroUsd(MOST));
    let (device, network) = (DeviceId(ID), NETWORK);
    let anchor = anchor_epoch::NetworkAnchor {
        network,
        root: HASH,
        count: MOST,
        reports_hash: HASH,
    };
    let rule = Rule::any_of(
        KEYS_MAX as u8,
        (50..50 + KEYS_MAX as u8).map(|seed| p256(seed).public()).collect(),
    );
    let (result, exchange) = (result(), exchange());
    let voucher = settle_order::Voucher {
        order: OrderId(ID),
        credits: Credit(MOST),
        meters: HASH,
    };
    let signature = Signature([0xff; 64]);
    vec![
        Body::OpenAccount(open_account::OpenAccount {}),
        Body::RotateKeys(rotate_keys::RotateKeys { rule }),
        Body::SetPayoutChoice(set_payout_choice::SetPayoutChoice {
            wants: BasisPoints::new(10_000),
        }),
        Body::Transfer(transfer::Transfer {
            to: ACCOUNT,
            amount: asset,
        }),
        Body::IssueStable(issue_stable::IssueStable {
            to: ACCOUNT,
            amount: MicroUsd(MOST),
        }),
        Body::RedeemStable(redeem_stable::RedeemStable {
            issuer: ACCOUNT,
            amount: MicroUsd(MOST),
            reference: vec![0xff; redeem_stable::REFERENCE_BYTES_MAX],
        }),
        Body::BuyCredits(buy_credits::BuyCredits {
            payment: buy_credits::Payment::Burn(Token(MOST), Credit(MOST)),
        }),
        Body::RefundCredits(refund_credits::RefundCredits { credits: Credit(MOST) }),
        Body::SellToken(sell_token::SellToken {
            tokens: Token(MOST),
            paid_min: MicroUsd(MOST),
        }),
        Body::BondVerifier(bond_verifier::BondVerifier {
            key: p256(1).public(),
            amount: Token(MOST),
        }),
        Body::UnbondVerifier(unbond_verifier::UnbondVerifier { amount: Token(MOST) }),
        Body::SlashVerifier(slash_verifier::SlashVerifier {
            verifier: ACCOUNT,
            first: result.clone(),
            first_signature: signature,
            second: result.clone(),
            second_signature: Some(signature),
        }),
        Body::PostPrice(post_price::PostPrice { price: Price(MOST) }),
        Body::SlashReceipt(slash_receipt::SlashReceipt {
            receipt: broken_receipt(),
            evidence: slash_receipt::Evidence::NotAnchored(AbsenceProof {
                neighbours: vec![HASH; 2],
                range: Some(proof(REPORTS_DEPTH, 2)),
            }),
        }),
        Body::SetVerifierUrl(set_verifier_url::SetVerifierUrl {
            url: "u".repeat(set_verifier_url::URL_BYTES_MAX),
        }),
        Body::CreateNetwork(create_network::CreateNetwork {
            name: "n".repeat(create_network::NAME_BYTES_MAX),
            vertical: "v".repeat(create_network::VERTICAL_BYTES_MAX),
            resolution: 10,
            parameters: vec![0xff; cairn_ledger::records::PARAMETERS_BYTES_MAX],
            price_micro_usd: MOST,
            bond: Token(MOST),
            allowance: Token(MOST),
            treasurer: ACCOUNT,
        }),
        Body::SetParameters(set_parameters::SetParameters {
            network,
            parameters: vec![0xff; cairn_ledger::records::PARAMETERS_BYTES_MAX],
            price_micro_usd: MOST,
        }),
        Body::FundTreasury(fund_treasury::FundTreasury {
            network,
            amount: asset,
            allowance: true,
        }),
        Body::WithdrawTreasury(withdraw_treasury::WithdrawTreasury { network, amount: asset }),
        Body::CloseNetwork(close_network::CloseNetwork { network }),
        Body::RegisterDevice(register_device::RegisterDevice::by_device(&chain(), account, &p256(2))),
        Body::JoinNetwork(join_network::JoinNetwork {
            device,
            network,
            cell: cell(),
        }),
        Body::LeaveNetwork(leave_network::LeaveNetwork { device, network }),
        Body::MoveDevice(move_device::MoveDevice {
            device,
            network,
            cell: cell(),
        }),
        Body::RetireDevice(retire_device::RetireDevice { device }),
        Body::BarDevice(bar_device::BarDevice {
            first: vec![0xff; envelope::ENVELOPE_BYTES_MAX],
            second: vec![0xff; envelope::ENVELOPE_BYTES_MAX],
        }),
        Body::SettleEpoch(settle_epoch::SettleEpoch {
            attestation: Attestation {
                result: result.clone(),
                signatures: vec![(ACCOUNT, signature); VERIFIERS_MAX.into()],
            },
            exchange: Some(settle_epoch::ExchangeAttestation {
                exchange,
                signatures: vec![signature; VERIFIERS_MAX.into()],
            }),
        }),
        Body::Pay(largest_pay()),
        Body::AnchorEpoch(anchor_epoch::AnchorEpoch {
            epoch: EPOCH,
            anchors: vec![anchor; anchor_epoch::ANCHORS_MAX],
        }),
        Body::OpenDispute(open_dispute::OpenDispute {
            claimed: result.clone(),
            exchange: Some(exchange),
        }),
        Body::VoteDispute(vote_dispute::VoteDispute {
            result,
            exchange: Some(exchange),
            blame: true,
        }),
        Body::OpenOrder(open_order::OpenOrder {
            network,
            provider: ACCOUNT,
            shape: u8::MAX,
            terms: HASH,
            hold: Credit(MOST),
            expires: TimeMs(MOST),
            voucher_key: p256(3).public(),
        }),
        Body::SettleOrder(voucher.sign(&chain(), &p256(3))),
        Body::CloseOrder(close_order::CloseOrder { order: OrderId(ID) }),
        Body::ExpireOrder(expire_order::ExpireOrder { order: OrderId(ID) }),
        Body::VoteValidator(vote_validator::VoteValidator {
            key: ValidatorKey(ID),
            change: vote_validator::Change::Add(ACCOUNT, "a".repeat(vote_validator::ADDRESS_BYTES_MAX)),
        }),
        Body::VoteUpgrade(vote_upgrade::VoteUpgrade {
            version: u16::MAX,
            height: Some(MOST),
        }),
    ]
}

/// What a release announces at most.
fn release() -> Vec<Event> {
    let paid = Event::VerifierPaid {
        network: NETWORK,
        epoch: EPOCH,
        verifier: ACCOUNT,
        amount: MicroUsd(MOST),
    };
    let mut events = vec![paid; VERIFIERS_MAX.into()];
    events.push(Event::EpochReleased {
        network: NETWORK,
        epoch: EPOCH,
        verifiers: MicroUsd(MOST),
        unpaid_token: Token(MOST),
        unpaid_stable: MicroUsd(MOST),
    });
    events
}

fn bond_returned() -> Event {
    Event::DisputeBondReturned {
        network: NETWORK,
        epoch: EPOCH,
        to: ACCOUNT,
        amount: Token(MOST),
    }
}

fn settled() -> Event {
    Event::EpochSettled {
        network: NETWORK,
        epoch: EPOCH,
        result: HASH,
        leaves: u32::MAX,
        totals: TOTALS,
        unpaid_token: Token(MOST),
        unpaid_stable: MicroUsd(MOST),
    }
}

fn paid() -> Vec<Event> {
    let leaf = LeafPaid {
        operator: AccountNumber(u32::MAX),
        token: Token(MOST),
        stable: MicroUsd(MOST),
    };
    vec![
        Event::LeavesPaid {
            network: NETWORK,
            epoch: EPOCH,
            start: u32::MAX,
            end: u32::MAX,
            sums: TOTALS,
            leaves: vec![leaf; pay::PAY_LEAVES_MAX],
        },
        Event::PayoutsCompleted {
            network: NETWORK,
            epoch: EPOCH,
        },
    ]
}

/// What a decided dispute announces at most: every verifier slashed, every later epoch withdrawn, all that follows from a release.
fn decided() -> Vec<Event> {
    let voted = Event::DisputeVoted {
        network: NETWORK,
        epoch: EPOCH,
        validator: ACCOUNT,
        choice: HASH,
    };
    let decided = Event::DisputeDecided {
        network: NETWORK,
        epoch: EPOCH,
        upheld: true,
        result: HASH,
        blame: true,
    };
    let slashed = Event::VerifierSlashed {
        verifier: ACCOUNT,
        burned: Token(MOST),
        cover: Token(MOST),
        reporter: ACCOUNT,
        rewarded: Token(MOST),
    };
    let withdrawn = Event::SettlementWithdrawn {
        network: NETWORK,
        epoch: EPOCH,
    };
    let mut events = vec![voted, decided, settled(), bond_returned()];
    events.extend(vec![slashed; VERIFIERS_MAX.into()]);
    events.extend(vec![withdrawn; UNRELEASED_MAX as usize]);
    events.extend(vec![bond_returned(); UNRELEASED_MAX as usize]);
    events.extend(release());
    events
}

/// The most a kind announces, if it may announce more than a few things of one name or number each.
fn announces(body: &Body) -> Vec<Event> {
    let anchored = Event::EpochAnchored {
        network: NETWORK,
        epoch: EPOCH,
        verifier: ACCOUNT,
        root: HASH,
        count: MOST,
    };
    match body {
        Body::Pay(_) => [release(), paid()].concat(),
        Body::SettleEpoch(_) => [vec![bond_returned(), settled()], release()].concat(),
        Body::AnchorEpoch(_) => vec![anchored; anchor_epoch::ANCHORS_MAX],
        Body::VoteDispute(_) => decided(),
        _ => Vec::new(),
    }
}

#[test]
fn the_largest_of_every_kind_is_taken_told_on_and_handed_out_for_a_block() {
    let secrets: Vec<SecretKey> = (1..=KEYS_MAX as u8).map(p256).collect();
    let rule = Rule::any_of(KEYS_MAX as u8, secrets.iter().map(SecretKey::public).collect());
    let pool = SharedPool::new(Limits::default());
    for (nonce, body) in (1..).zip(largest(&rule.account_id())) {
        let transaction = Transaction {
            chain: chain(),
            account: rule.account_id(),
            nonce: MOST - 1_000 + nonce,
            fee_max: Token(MOST),
            sponsor: Some(Sponsor::Account(rule.account_id())),
            body,
        };
        let signed = transaction.clone().sign_by(&rule, &secrets);
        let bytes = signed.sponsored_by(&rule, &secrets).bytes();
        let kind = format!("{:?}", transaction.body).split('(').next().unwrap().to_owned();
        assert!(bytes.len() <= TX_BYTES_MAX, "{kind}: {} bytes", bytes.len());
        let checked = check(&[&bytes]).pop().unwrap();
        assert!(checked.is_ok(), "{kind}: {checked:?}");
        let reads = reads(&checked.unwrap()).len();
        assert!(
            2 * reads <= READ_KEYS_MAX,
            "{kind} reads {reads} records, and as many that those name"
        );
        let events = [vec![FEE], announces(&transaction.body)].concat();
        let receipt = codec::encode(&events);
        assert!(
            receipt.len() <= RECEIPT_BYTES_MAX,
            "{kind} announces {} bytes",
            receipt.len()
        );

        let tx = Tx::new(bytes);
        let candidate = Candidate {
            id: transaction.id(),
            account: transaction.account,
            nonce: transaction.nonce,
            fee_max: transaction.fee_max,
            tx: tx.clone(),
        };
        assert_eq!(pool.add(candidate, Some(0), 0, Origin::Here), Some(Ok(())), "{kind}");
        // As much as one message to other nodes carries, and one block.
        assert_eq!(
            pool.outgoing(1, cairn_engine::limits::TX_BYTES_MAX),
            std::slice::from_ref(&tx),
            "{kind}"
        );
        let is_handed_out = |hash: &cairn_engine::TxHash| *hash != tx.hash;
        let handed_out = pool.peek(1, cairn_engine::limits::BLOCK_BYTES_MAX, &is_handed_out);
        assert_eq!(handed_out, [tx], "{kind}");
    }
}

#[test]
fn no_kind_is_missing_above() {
    let of = |body: &Body| codec::encode(body)[1];
    let listed: std::collections::BTreeSet<u8> = largest(&ACCOUNT)
        .iter()
        .map(|body| number(&codec::encode(body), of(body)))
        .collect();
    // A number that names no kind is said to be unknown; one that does lacks its fields.
    let known = |number: &u8| {
        let mut bytes = vec![0x82];
        bytes.extend(codec::encode(number));
        bytes.push(0x81);
        minicbor::decode::<Body>(&bytes)
            .err()
            .is_none_or(|error| !error.is_unknown_variant())
    };
    assert_eq!(
        (0..=u8::MAX).filter(known).collect::<std::collections::BTreeSet<_>>(),
        listed
    );
}

/// The number of a kind out of its bytes: one byte, or two from 24 on.
fn number(bytes: &[u8], first: u8) -> u8 {
    if first < 24 { first } else { bytes[2] }
}

#[test]
fn a_chain_of_the_largest_limits_announces_all_that_its_epochs_come_to() {
    let fixed = Event::PoolFixed {
        network: NETWORK,
        epoch: EPOCH,
        availability: Token(MOST),
        usage: Token(MOST),
        cash: MicroUsd(MOST),
        customers_paid: Credit(MOST),
    };
    let expired = Event::EpochExpired {
        network: NETWORK,
        epoch: EPOCH,
        unpaid_token: Token(MOST),
        unpaid_stable: MicroUsd(MOST),
    };
    let bytes = |event: &Event| codec::encode(event).len();
    let rules = Rules::daily(6);
    assert!(u64::from(rules.networks_max) * u64::from(rules.closes_per_block) <= CLOSINGS_MAX);
    // Each network has one case at most before the validators, one bond and each verifier one.
    let network_bond = Event::BondReturned {
        network: NETWORK,
        to: ACCOUNT,
        amount: Token(MOST),
    };
    let verifier_bond = Event::VerifierUnbonded {
        verifier: ACCOUNT,
        amount: Token(MOST),
    };
    let once = usize::try_from(rules.networks_max).unwrap() * (bytes(&bond_returned()) + bytes(&network_bond));
    let closings = CLOSINGS_MAX as usize * (bytes(&fixed) + bytes(&expired));
    let largest = closings + once + usize::from(VERIFIERS_MAX) * bytes(&verifier_bond);
    assert!(largest <= BEGIN_BYTES_MAX, "{largest}");
}

#[test]
fn what_may_be_handed_in_may_also_be_sent_and_held() {
    // In hexadecimal digits within JSON.
    assert!(2 * TX_BYTES_MAX + 1_024 <= HttpLimits::default().body_bytes_max);
    const { assert!(TX_BYTES_MAX <= cairn_engine::limits::TX_BYTES_MAX) };
    let pool = Limits::default();
    assert!(
        pool.account_count_max * TX_BYTES_MAX <= pool.bytes_max,
        "one account alone does not fill the pool"
    );
    let too_long = vec![0; TX_BYTES_MAX + 1];
    assert_eq!(check(&[&too_long]).pop().unwrap().err(), Some(Reject::TooLong));
    assert!(signed(&too_long).is_none());
}
