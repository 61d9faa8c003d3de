//! Payments cut anywhere, with the choices of those who exchange.

use super::*;
use crate::archive::EpochArchive;
use crate::chain::ChainView;
use crate::meters::MeterEntry;
use crate::world::{HOUR, START, VERIFIER, World, account, after};
use cairn_ledger::view;
use cairn_types::{Credit, DeviceNumber};

/// What every operator has after an hour whose leaves were paid so many at a time.
fn paid_in_chunks_of(chunk: usize) -> Vec<(Token, cairn_types::MicroUsd)> {
    let world = World::new(2);
    let (mut collector, mut epochs) = (world.collector(), world.epochs());
    epochs.advance(START.plus_ms(HOUR / 2), &mut collector);
    for (device, wants) in [(0, 0), (3, 2_500), (2, 10_000), (6, 10_000), (8, 10_000)] {
        world.choose(device, Some(wants));
    }
    world.close(&mut epochs, &mut collector, 0);
    world.feed(&mut collector, 1);
    let entry = |device| MeterEntry {
        device: DeviceNumber(device),
        credits: Credit(300_000),
    };
    world.sell(&mut collector, after(1), [0, 3].map(entry).to_vec());
    // A price, the anchor and the settlement are heard, the payment is not.
    world.chain.hear(Some(3));
    assert_eq!(world.close(&mut epochs, &mut collector, 1).failed.len(), 1);
    world.chain.hear(None);

    let epoch = EpochNumber(1);
    let archive = EpochArchive::of(&world.objects, &world.network, epoch);
    let (leaves, choices) = (archive.payouts().unwrap(), archive.choices().unwrap());
    let payouts = Payouts {
        network: world.network,
        epoch,
        leaves: &leaves,
        choices: Some(&choices),
    };
    let verifier = account(VERIFIER);
    let without = Payouts {
        choices: None,
        ..payouts
    };
    let refused = pay_in_chunks(&world.chain, &verifier, &without, chunk).unwrap_err();
    let SubmitError::Chain(ChainError::Refused { code, .. }) = refused else {
        panic!("{refused}");
    };
    assert_eq!(code, cairn_ledger::Reject::ChoicesWrong.code());
    let payments = pay_in_chunks(&world.chain, &verifier, &payouts, chunk).unwrap();
    assert_eq!(payments as usize, leaves.len().div_ceil(chunk));
    assert_eq!(pay_in_chunks(&world.chain, &verifier, &payouts, chunk), Ok(0));
    let settlement = world.chain.settlement(&world.network, epoch).unwrap().unwrap();
    assert_eq!((settlement.cursor, settlement.exchanged), (settlement.leaves, true));
    assert!(leaves.len() > 5);
    let holds = |leaf: &PayoutLeaf| {
        let account = world.chain.read(|store| view::account_by_number(store, leaf.operator));
        let (_, account) = account.unwrap().unwrap();
        (account.token, account.stable)
    };
    leaves.iter().map(holds).collect()
}

#[test]
fn wherever_payments_are_cut_everybody_has_the_same() {
    let whole = paid_in_chunks_of(CHUNK_LEAVES);
    for chunk in [1, 2, 3, 5] {
        assert_eq!(paid_in_chunks_of(chunk), whole, "chunks of {chunk}");
    }
}

#[test]
fn another_exchange_than_the_settled_one_is_an_error_and_pays_nobody() {
    let world = World::new(2);
    let (mut collector, mut epochs) = (world.collector(), world.epochs());
    world.choose(0, Some(0));
    world.close(&mut epochs, &mut collector, 0);
    world.feed(&mut collector, 1);
    world.close(&mut epochs, &mut collector, 1);
    let archive = EpochArchive::of(&world.objects, &world.network, EpochNumber(1));
    let manifest = archive.manifest().unwrap().unwrap();
    let ours = manifest.exchange.unwrap();
    let submit = |exchange| settle(&world.chain, &account(VERIFIER), &manifest.attestation, exchange);
    assert_eq!(submit(Some(&ours)), Ok(()));
    assert_eq!(submit(None), Err(SubmitError::OtherExchange));
    let mut other = ours.clone();
    other.exchange.offers.tokens = Token(other.exchange.offers.tokens.0 + 1);
    assert_eq!(submit(Some(&other)), Err(SubmitError::OtherExchange));
}
