//! Whoever judges needs what devices signed and the ledger, and nothing that a verifier says it came to.

use super::*;
use crate::archive::EpochArchive;
use crate::audit::audit;
use crate::collector::Sealed;
use crate::submit::{self, Payouts};
use crate::world::{CUSTOMER, FOUNDER, HOUR, VERIFIER, World, account, genesis, key};
use cairn_ledger::genesis::GenesisValidator;
use cairn_ledger::tx::open_dispute::OpenDispute;
use cairn_ledger::tx::settle_epoch::SettleEpoch;
use cairn_ledger::tx::vote_dispute::VoteDispute;
use cairn_ledger::{Body, view};
use cairn_types::{Hash, Token, ValidatorKey, codec};

const ONE: EpochNumber = EpochNumber(1);

fn judged(world: &World, epoch: EpochNumber) -> Result<Recomputed, RecomputeError> {
    recompute(&world.objects, &world.chain, &world.network, epoch, &[])
}

/// The field that makes an archive unfit.
fn unfit(world: &World) -> String {
    match judged(world, ONE) {
        Err(RecomputeError::Unfit(difference)) => difference.field,
        other => panic!("{other:?}"),
    }
}

fn settled(world: &World, epoch: EpochNumber) -> Hash {
    let settlement = world.chain.settlement(&world.network, epoch).unwrap();
    settlement.unwrap().result
}

#[test]
fn an_epoch_comes_to_the_same_whatever_its_archive_says_it_came_to() {
    let world = World::new(2);
    let (mut collector, mut epochs) = (world.collector(), world.epochs());
    for hour in 0..2 {
        world.feed(&mut collector, hour);
        let advanced = world.close(&mut epochs, &mut collector, hour);
        assert!(advanced.failed.is_empty(), "{:?}", advanced.failed);
    }
    let right = judged(&world, ONE).unwrap();
    assert_eq!(right.result.hash(), settled(&world, ONE));
    let archive = EpochArchive::of(&world.objects, &world.network, ONE);
    for file in [
        archive::FINDINGS,
        archive::MEMORY,
        archive::PAYOUTS,
        archive::CHOICES,
        archive::MANIFEST,
    ] {
        archive.put(file, b"anything").unwrap();
    }
    assert_eq!(judged(&world, ONE).unwrap(), right);

    // A report that its device did not sign so, and one that is missing.
    let file = archive.need(archive::REPORTS).unwrap();
    let mut rows: Vec<Sealed> = archive::reports::read(file.clone()).unwrap();
    rows[3].time = rows[3].time.plus_ms(1);
    archive
        .put(archive::REPORTS, &archive::reports::write(&rows, &[]))
        .unwrap();
    assert_eq!(unfit(&world), "time");
    let mut rows: Vec<Sealed> = archive::reports::read(file.clone()).unwrap();
    rows.remove(3);
    archive
        .put(archive::REPORTS, &archive::reports::write(&rows, &[]))
        .unwrap();
    assert_eq!(unfit(&world), "rows");
    archive.put(archive::REPORTS, &file).unwrap();

    // A memory that the result before did not leave, in both places where the archive has it.
    let before = EpochArchive::of(&world.objects, &world.network, EpochNumber(0));
    let mut inputs = archive.inputs().unwrap();
    inputs.memory.push(0);
    before
        .put(archive::MEMORY, &archive::memory_file(&inputs.memory))
        .unwrap();
    archive.put(archive::INPUTS, &codec::encode(&inputs)).unwrap();
    assert_eq!(unfit(&world), "memory");
}

/// A result of the first hour that pays other operators than it should, signed and settled by the verifier, under a window of two hours
/// and one validator.
fn wrongly_settled() -> (World, EpochResult) {
    let mut genesis = genesis();
    genesis.limits.dispute_window_ms = 2 * HOUR;
    genesis.limits.window_blocks = 2;
    genesis.validators.push(GenesisValidator {
        account: account(FOUNDER).account,
        key: ValidatorKey([5; 32]),
        address: "validator.example.org:9000".to_owned(),
    });
    let world = World::on(genesis, 1);
    let (mut collector, mut epochs) = (world.collector(), world.epochs_with(None));
    world.feed(&mut collector, 0);
    // It anchors, judges and signs; what it settles does not arrive.
    world.chain.hear(Some(1));
    world.close(&mut epochs, &mut collector, 0);
    world.chain.hear(None);
    let archive = EpochArchive::of(&world.objects, &world.network, EpochNumber(0));
    let right = archive.manifest().unwrap().unwrap().attestation.result;
    let wrong = EpochResult {
        payouts: Hash([6; 32]),
        ..right.clone()
    };
    let settle = Body::SettleEpoch(SettleEpoch {
        attestation: crate::attest::attest(wrong, account(VERIFIER).account, &key(VERIFIER)),
        exchange: None,
    });
    account(VERIFIER).submit(&world.chain, settle).unwrap();
    (world, right)
}

#[test]
fn a_wrong_result_is_replaced_by_what_a_validator_recomputes_and_paid() {
    let first = EpochNumber(0);
    let (world, right) = wrongly_settled();
    assert_ne!(settled(&world, first), right.hash());
    let found = audit(&world.objects, &world.chain, &world.network, first).unwrap();
    assert_eq!(found.difference.unwrap().file, "ledger");
    let Recomputed {
        result,
        exchange,
        leaves,
        ..
    } = judged(&world, first).unwrap();
    assert_eq!(result, right);
    let verdict = crate::audit::verdict(&world.objects, &world.chain, &world.network, first, None).unwrap();
    assert!(matches!(verdict, crate::audit::Verdict::Wrong(_)) && verdict.vote().blame);
    let stake = |world: &World| {
        let id = account(VERIFIER).account;
        let verifier = world.chain.read(|store| view::verifier(store, &id)).unwrap();
        verifier.unwrap().at_stake()
    };
    assert!(stake(&world) > Token::ZERO);
    let open = Body::OpenDispute(OpenDispute {
        claimed: result.clone(),
        exchange,
    });
    account(CUSTOMER).submit(&world.chain, open).unwrap();
    let submitter = account(VERIFIER);
    world.chain.advance(crate::world::after(3));
    let waits = submit::release(&world.chain, &submitter, &world.network, first).unwrap();
    assert!(!waits, "a disputed epoch is not released");
    let vote = Body::VoteDispute(VoteDispute {
        result,
        exchange,
        blame: true,
    });
    account(FOUNDER).submit(&world.chain, vote).unwrap();
    assert_eq!(settled(&world, first), right.hash());
    assert_eq!(stake(&world), Token::ZERO);

    assert!(submit::release(&world.chain, &submitter, &world.network, first).unwrap());
    let payouts = Payouts {
        network: world.network,
        epoch: first,
        leaves: &leaves,
        choices: None,
    };
    submit::pay(&world.chain, &submitter, &payouts).unwrap();
    let settlement = world.chain.settlement(&world.network, first).unwrap().unwrap();
    assert_eq!(settlement.cursor, settlement.leaves);
}
