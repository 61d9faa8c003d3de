//! A city's hours from reports to payouts, with kills at every write and every transaction.

use super::*;
use crate::audit::{audit, settled_epochs};
use crate::chain::ChainView;
use crate::world::{World, after};
use cairn_ledger::records::PoolState;
use cairn_types::Hash;

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
        |world, kills| world.objects.stop_after(Some(kills % 7)),
        |world, kills| world.chain.hear(Some(kills % 4)),
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
