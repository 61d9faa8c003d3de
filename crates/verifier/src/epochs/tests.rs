//! A city's hours from reports to payouts, with kills at every write and every transaction.

use super::*;
use crate::audit::{audit, settled_epochs};
use crate::chain::ChainView;
use crate::world::{CUSTOMER, FOUNDER, VERIFIER, WINDOWS, World, account, after, device_key, key, sealed};
use cairn_ledger::Body;
use cairn_ledger::genesis::GenesisValidator;
use cairn_ledger::records::PoolState;
use cairn_ledger::tx::bar_device::BarDevice;
use cairn_ledger::tx::bond_verifier::BondVerifier;
use cairn_ledger::tx::open_dispute::OpenDispute;
use cairn_ledger::tx::settle_epoch::SettleEpoch;
use cairn_ledger::tx::vote_dispute::VoteDispute;
use cairn_types::{Envelope, EpochResult, Hash, Reason, Token, ValidatorKey};
use cairn_verticals::kit::reasons::{BARRED, NOT_A_MEMBER};

fn leaves_of(world: &World, epoch: u64) -> Vec<PayoutLeaf> {
    EpochArchive::of(&world.objects, &world.network, EpochNumber(epoch))
        .payouts()
        .unwrap()
}

fn assert_paid(world: &World, epoch: u64) {
    let epoch = EpochNumber(epoch);
    let closed = world.chain.closed(&world.network, epoch).unwrap().unwrap();
    assert_eq!(closed.pool.state, PoolState::Paid);
    let settlement = world.chain.settlement(&world.network, epoch).unwrap().unwrap();
    assert_eq!(settlement.cursor, settlement.leaves);
    let audited = audit(&world.objects, &world.chain, &world.network, epoch).unwrap();
    assert_eq!(audited.difference, None);
    assert_eq!(audited.result, settlement.result);
}

#[test]
fn hours_are_judged_paid_to_the_last_unit_and_audited_equal() {
    let world = World::new(4);
    let (mut collector, mut epochs) = (world.collector(), world.epochs());
    for hour in 0..3 {
        assert!(world.feed(&mut collector, hour) > 12);
        let advanced = world.close(&mut epochs, &mut collector, hour);
        assert_eq!(advanced.failed.len(), 0, "{:?}", advanced.failed);
        assert_eq!(advanced.paid, [(world.network, EpochNumber(hour))]);
        assert_eq!(advanced.waits, [(world.network, EpochNumber(hour + 1), Waits::Time)]);
        assert_paid(&world, hour);
        let pool = world
            .chain
            .closed(&world.network, EpochNumber(hour))
            .unwrap()
            .unwrap()
            .pool;
        let leaves = leaves_of(&world, hour);
        assert!(leaves.len() > 5);
        assert_eq!(
            leaves.iter().map(|leaf| leaf.availability.0).sum::<u64>(),
            pool.availability.0
        );
        assert!(pool.availability.0 > 0);
    }
    assert_eq!(settled_epochs(&world.chain, &world.network).unwrap().len(), 3);
}

/// What became of the reports of one of the city's devices.
fn reasons_of(world: &World, epoch: u64, device: usize) -> Vec<Option<Reason>> {
    let archive = EpochArchive::of(&world.objects, &world.network, EpochNumber(epoch));
    let rows = archive::reports::read(archive.need(archive::REPORTS).unwrap()).unwrap();
    let device = device_key(device).public().device_id();
    let of_device = |row: &Sealed| Envelope::parse(&row.envelope).unwrap().device == device;
    let findings = archive.findings().unwrap();
    let pairs = rows.iter().zip(findings).filter(|(row, _)| of_device(row));
    pairs.map(|(_, finding)| finding.reason).collect()
}

#[test]
fn what_a_device_sent_that_had_left_meanwhile_is_archived_found_to_be_no_members_and_audited_equal() {
    for is_away in [false, true] {
        let world = World::new(3);
        let (mut collector, mut epochs) = (world.collector(), world.epochs());
        world.feed(&mut collector, 0);
        world.close(&mut epochs, &mut collector, 0);
        // Before its end the members of the next hour are read, or presumed while the ledger is away; then one leaves.
        world.chain.set_away(is_away);
        world.feed(&mut collector, 1);
        world.chain.set_away(false);
        world.leave(3);
        world.close(&mut epochs, &mut collector, 1);
        world.chain.set_away(is_away);
        let accepted = world.feed(&mut collector, 2);
        world.chain.set_away(false);
        let advanced = world.close(&mut epochs, &mut collector, 2);
        assert_eq!(
            advanced.paid.is_empty(),
            is_away,
            "a presumed roster is given time once it is here"
        );
        if is_away {
            let now = after(2).plus_ms(2 * WINDOWS.grace_ms);
            assert_eq!(
                epochs.advance(now, &mut collector).paid,
                [(world.network, EpochNumber(2))]
            );
        }
        assert_paid(&world, 2);
        let archived = collector.sealed(&world.network, EpochNumber(2)).unwrap();
        assert_eq!(archived.len(), accepted);
        assert_eq!(reasons_of(&world, 1, 3), [None]);
        assert_eq!(reasons_of(&world, 2, 3), [Some(NOT_A_MEMBER)]);
        assert_eq!(reasons_of(&world, 2, 4), [None]);
    }
}

#[test]
fn an_epoch_without_reports_is_settled_too() {
    let world = World::new(1);
    let (mut collector, mut epochs) = (world.collector(), world.epochs());
    let advanced = world.close(&mut epochs, &mut collector, 1);
    assert_eq!(advanced.failed.len(), 0, "{:?}", advanced.failed);
    assert_eq!(advanced.paid.len(), 2);
    assert_paid(&world, 0);
    assert_paid(&world, 1);
    assert_eq!(leaves_of(&world, 0), []);
}

#[test]
fn an_epoch_waits_for_its_grace_and_for_the_ledger() {
    let world = World::new(1);
    let (mut collector, mut epochs) = (world.collector(), world.epochs());
    let grace = crate::world::WINDOWS.grace_ms;
    let before = epochs.advance(TimeMs(after(0).0 + grace - 1), &mut collector);
    assert_eq!(before.waits, [(world.network, EpochNumber(0), Waits::Time)]);
    let due = epochs.advance(after(0).plus_ms(grace), &mut collector);
    assert_eq!(due.waits, [(world.network, EpochNumber(0), Waits::Ledger)]);
    assert_eq!(world.close(&mut epochs, &mut collector, 0).paid.len(), 1);
}

/// Runs three hours with a verifier that is killed and opened anew whenever something fails.
fn with_kills(stop: impl Fn(&World, u32)) -> (World, Vec<Hash>) {
    let world = World::new(3);
    let mut collector = world.collector();
    world.choose(0, Some(10_000));
    let mut kills = 0;
    for hour in 0..3 {
        world.feed(&mut collector, hour);
        let mut epochs = world.epochs();
        loop {
            stop(&world, kills);
            let advanced = world.close(&mut epochs, &mut collector, hour);
            if advanced.failed.is_empty() {
                break;
            }
            kills += 1;
            world.objects.stop_after(None);
            world.chain.hear(None);
            collector = world.collector();
            epochs = world.epochs();
        }
        world.objects.stop_after(None);
        world.chain.hear(None);
    }
    let result = |epoch| {
        world
            .chain
            .settlement(&world.network, EpochNumber(epoch))
            .unwrap()
            .unwrap()
            .result
    };
    let results = (0..3).map(result).collect();
    (world, results)
}

#[test]
fn a_verifier_killed_at_any_write_or_transaction_comes_to_the_same_results() {
    let (undisturbed, results) = with_kills(|_, _| {});
    let stops: [fn(&World, u32); 2] = [
        // Each time it gets one write further before it is killed; then it starts over, in every epoch.
        |world, kills| world.objects.stop_after(Some(kills % 10)),
        |world, kills| world.chain.hear(Some(kills % 5)),
    ];
    for stop in stops {
        let (world, again) = with_kills(stop);
        assert_eq!(again, results);
        assert_eq!(world.objects.paths(), undisturbed.objects.paths());
        for path in world.objects.paths() {
            assert_eq!(
                world.objects.get(&path).unwrap(),
                undisturbed.objects.get(&path).unwrap(),
                "{path}"
            );
        }
        (0..3).for_each(|epoch| assert_paid(&world, epoch));
    }
}

/// Hours whose results may be disputed for two of them.
fn with_window() -> World {
    let mut genesis = crate::world::genesis();
    genesis.limits.dispute_window_ms = 2 * crate::world::HOUR;
    genesis.limits.window_blocks = 2;
    World::on(genesis, 5)
}

fn state(world: &World, epoch: u64) -> PoolState {
    let closed = world.chain.closed(&world.network, EpochNumber(epoch)).unwrap();
    closed.unwrap().pool.state
}

#[test]
fn an_epoch_is_paid_when_its_window_is_over_and_the_next_ones_do_not_wait_for_it() {
    let world = with_window();
    let (mut collector, mut epochs) = (world.collector(), world.epochs());
    let waits = |epoch, why| (world.network, EpochNumber(epoch), why);
    for hour in 0..2 {
        world.feed(&mut collector, hour);
        let advanced = world.close(&mut epochs, &mut collector, hour);
        assert!(advanced.failed.is_empty(), "{:?}", advanced.failed);
        assert_eq!(advanced.paid, []);
        assert_eq!(state(&world, hour), PoolState::Settled);
        let audited = audit(&world.objects, &world.chain, &world.network, EpochNumber(hour)).unwrap();
        assert_eq!(audited.difference, None);
    }
    world.feed(&mut collector, 2);
    let advanced = world.close(&mut epochs, &mut collector, 2);
    assert_eq!(advanced.paid, [(world.network, EpochNumber(0))]);
    assert_eq!(advanced.waits, [waits(1, Waits::Release), waits(3, Waits::Time)]);
    assert_paid(&world, 0);
    // A verifier that starts anew finds what waits, an epoch without leaves among it.
    let (mut collector, mut epochs) = (world.collector(), world.epochs());
    let advanced = world.close(&mut epochs, &mut collector, 3);
    assert_eq!(advanced.paid, [(world.network, EpochNumber(1))]);
    assert_eq!(state(&world, 3), PoolState::Settled);
    let (mut collector, mut epochs) = (world.collector(), world.epochs());
    let advanced = world.close(&mut epochs, &mut collector, 5);
    assert!(advanced.failed.is_empty(), "{:?}", advanced.failed);
    assert_eq!(
        advanced.paid,
        [(world.network, EpochNumber(2)), (world.network, EpochNumber(3))]
    );
    assert_paid(&world, 3);
    assert_eq!(leaves_of(&world, 3), []);
}

#[test]
fn who_anchors_too_late_is_paid_nothing_for_its_reports_and_goes_on() {
    let mut genesis = crate::world::genesis();
    genesis.limits.anchor_window_ms = crate::world::HOUR;
    genesis.limits.window_blocks = 2;
    let world = World::on(genesis, 3);
    let (mut collector, mut epochs) = (world.collector(), world.epochs());
    world.feed(&mut collector, 0);
    world.chain.advance(after(0));
    // The verifier is away until the window is over.
    let advanced = world.close(&mut epochs, &mut collector, 2);
    assert!(advanced.failed.is_empty(), "{:?}", advanced.failed);
    assert_eq!(advanced.paid.len(), 3);
    let anchoring = world.chain.anchoring(&world.network, EpochNumber(0)).unwrap();
    assert_eq!((anchoring.anchors.len(), anchoring.has_ended), (0, true));
    assert_eq!(leaves_of(&world, 0), []);
    assert_paid(&world, 0);
}

#[test]
fn who_signs_two_reports_under_one_number_is_barred_by_the_ledger_and_earns_nothing() {
    let world = World::new(2);
    let (mut collector, mut epochs) = (world.collector(), world.epochs());
    let report = |minutes: u64| sealed(world.network, 0, TimeMs(after(0).0 - minutes * 60_000), 9_999);
    let bar = Body::BarDevice(BarDevice {
        first: report(20),
        second: report(10),
    });
    for hour in 0..2 {
        world.feed(&mut collector, hour);
        if hour == 1 {
            account(CUSTOMER).submit(&world.chain, bar.clone()).unwrap();
        }
        let advanced = world.close(&mut epochs, &mut collector, hour);
        assert!(advanced.failed.is_empty(), "{:?}", advanced.failed);
        assert_paid(&world, hour);
    }
    let barred = |hour, device| {
        let reasons = reasons_of(&world, hour, device);
        assert!(!reasons.is_empty());
        reasons.iter().all(|reason| *reason == Some(BARRED))
    };
    assert!(barred(1, 0));
    assert!(!barred(0, 0), "not before it was shown");
    assert!(!barred(1, 1), "nobody else");
}

#[test]
fn what_a_dispute_took_back_is_attested_anew_and_paid() {
    let mut genesis = crate::world::genesis();
    genesis.limits.dispute_window_ms = 4 * crate::world::HOUR;
    genesis.limits.window_blocks = 2;
    genesis.validators.push(GenesisValidator {
        account: account(FOUNDER).account,
        key: ValidatorKey([5; 32]),
        address: "validator.example.org:9000".to_owned(),
    });
    let world = World::on(genesis, 3);
    let (mut collector, mut epochs) = (world.collector(), world.epochs_with(None));
    let result = |epoch| {
        let settlement = world.chain.settlement(&world.network, EpochNumber(epoch)).unwrap();
        settlement.unwrap().result
    };
    // Its own word does not arrive: somebody with its key settles another one.
    world.feed(&mut collector, 0);
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
        attestation: attest::attest(wrong.clone(), account(VERIFIER).account, &key(VERIFIER)),
        exchange: None,
    });
    account(VERIFIER).submit(&world.chain, settle).unwrap();
    // The next hour builds on it.
    world.feed(&mut collector, 1);
    world.close(&mut epochs, &mut collector, 1);
    let (first, second) = (result(0), result(1));
    assert_eq!(first, wrong.hash());

    let open = Body::OpenDispute(OpenDispute {
        claimed: right.clone(),
        exchange: None,
    });
    account(CUSTOMER).submit(&world.chain, open).unwrap();
    let vote = Body::VoteDispute(VoteDispute {
        result: right.clone(),
        exchange: None,
        blame: true,
    });
    account(FOUNDER).submit(&world.chain, vote).unwrap();
    assert_eq!((result(0), state(&world, 1)), (right.hash(), PoolState::Closed));
    // All of the verifier's stake is gone; it begins anew, and what it bonds counts from the next hour on.
    let bond = Body::BondVerifier(BondVerifier {
        amount: Token(10_000 * crate::world::WHOLE),
        key: key(VERIFIER).public(),
    });
    account(VERIFIER).submit(&world.chain, bond).unwrap();
    world.feed(&mut collector, 2);
    let advanced = world.close(&mut epochs, &mut collector, 2);
    assert!(advanced.failed.is_empty(), "{:?}", advanced.failed);
    assert_eq!(state(&world, 1), PoolState::Settled);
    assert_ne!(result(1), second, "it builds on another result");
    let advanced = world.close(&mut epochs, &mut collector, 8);
    assert!(advanced.failed.is_empty(), "{:?}", advanced.failed);
    (0..3).for_each(|epoch| assert_paid(&world, epoch));
}
