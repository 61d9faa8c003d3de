//! The largest payment that the rules allow goes into a block of a real node, with the exchange of all operators it pays.

use crate::world::{EPOCH_MS, FOUNDER, START, VERIFIER, World, account, secret};
use cairn_ledger::economics::netting::OfferTotals;
use cairn_ledger::tx::anchor_epoch::{AnchorEpoch, NetworkAnchor};
use cairn_ledger::tx::create_network::CreateNetwork;
use cairn_ledger::tx::pay::{Choices, PAY_LEAVES_MAX, Pay, choice_hash};
use cairn_ledger::tx::settle_epoch::{Exchange, ExchangeAttestation, SettleEpoch};
use cairn_ledger::tx::{Body, post_price::PostPrice};
use cairn_ledger::view;
use cairn_node::genesis::{Solo, solo};
use cairn_types::attestation::Totals;
use cairn_types::{
    AccountNumber, Attestation, BasisPoints, Credit, EpochNumber, EpochResult, Hash, MicroUsd, NetworkId, PayoutLeaf,
    Price, SecretKey, TimeMs, Token, hash, merkle,
};
use std::time::Duration;

/// Far more than a block takes on a machine with other work: without a bound the test would wait for ever.
const PATIENCE: Duration = Duration::from_secs(300);

fn operator(number: u32) -> SecretKey {
    SecretKey::ed25519(hash::domain("largest/operator", &[&number.to_be_bytes()]).0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_of_as_many_leaves_as_there_may_be_becomes_final() {
    let count = PAY_LEAVES_MAX as u32;
    let genesis = solo(&Solo {
        chain: "cairn-test".parse().unwrap(),
        start: START,
        epoch_ms: EPOCH_MS,
        founder: secret(FOUNDER).public(),
        verifier: secret(VERIFIER).public(),
        issuer: secret(3).public(),
        others: (0..count)
            .map(|number| (operator(number).public(), Token(1), MicroUsd(0)))
            .collect(),
    })
    .unwrap();
    let world = World::new(|config| config.genesis = genesis).await;
    let price = Price(50_000_000);
    world.send(VERIFIER, Body::PostPrice(PostPrice { price })).await;
    let create = CreateNetwork {
        name: "large".into(),
        vertical: "kind1".into(),
        resolution: 8,
        parameters: Vec::new(),
        price_micro_usd: 2_000,
        bond: Token(1_000_000_000),
        allowance: Token(0),
        treasurer: account(FOUNDER),
    };
    world.send(FOUNDER, Body::CreateNetwork(create)).await;
    let chain: cairn_types::ChainId = "cairn-test".parse().unwrap();
    let (network, epoch) = (NetworkId::of(&chain, &account(FOUNDER), "large"), EpochNumber(0));
    let end = TimeMs(START.0 + EPOCH_MS + 1_000);
    world.node.advance(&world.clock, end).await.unwrap();
    world.send(VERIFIER, Body::PostPrice(PostPrice { price })).await;
    let anchor = NetworkAnchor {
        network,
        root: merkle::root(Vec::new()),
        count: 0,
        reports_hash: Hash::default(),
    };
    let anchors = vec![anchor];
    world
        .send(VERIFIER, Body::AnchorEpoch(AnchorEpoch { epoch, anchors }))
        .await;
    let book = world.node.look(|store| view::anchor_book(store, &network, epoch)).await;

    // Genesis numbers its accounts in order: founder, verifier and issuer come first.
    let leaf = |number| PayoutLeaf {
        operator: AccountNumber(3 + number),
        units: 1 << 53,
        availability: Token(0),
        usage: Token(0),
        cash: MicroUsd(0),
        customers_paid: Credit(0),
    };
    let leaves: Vec<PayoutLeaf> = (0..count).map(leaf).collect();
    let wants = vec![BasisPoints::new(9_999); leaves.len()];
    let tree = merkle::Tree::new(leaves.iter().map(PayoutLeaf::hash).collect());
    let choices = merkle::Tree::new(wants.iter().map(|wants| choice_hash(*wants)).collect());
    let result = EpochResult {
        chain,
        network,
        epoch,
        inputs: Hash::default(),
        archive: merkle::root(Vec::new()),
        findings: Hash::default(),
        memory: Hash::default(),
        payouts: tree.root(),
        leaves: count,
        totals: leaves
            .iter()
            .try_fold(Totals::default(), |sum, leaf| sum.plus(leaf))
            .unwrap(),
        anchors: book.unwrap().1.digest,
        previous: Hash::default(),
        without: Vec::new(),
    };
    let exchange = Exchange {
        result: result.hash(),
        offers: OfferTotals::default(),
        choices: choices.root(),
    };
    let key = secret(VERIFIER);
    let settle = SettleEpoch {
        exchange: Some(ExchangeAttestation {
            exchange,
            signatures: vec![key.sign(&exchange.signed_bytes())],
        }),
        attestation: Attestation {
            signatures: vec![(account(VERIFIER), result.sign(&key))],
            result,
        },
    };
    world.send(VERIFIER, Body::SettleEpoch(settle)).await;
    let pay = Pay {
        network,
        epoch,
        leaves,
        proof: tree.prove(0, count.into()).unwrap(),
        choices: Some(Choices {
            wants,
            proof: choices.prove(0, count.into()).unwrap(),
        }),
    };
    tokio::time::timeout(PATIENCE, world.send(VERIFIER, Body::Pay(pay)))
        .await
        .expect("a block takes it");
    let settlement = world.node.look(|store| view::settlement(store, &network, epoch)).await;
    assert_eq!(settlement.unwrap().1.unwrap().cursor, count);
}
