//! Epochs that wait for their release: how many there may be, and that none is lost for it.

mod world;

use cairn_ledger::{Reject, records};
use cairn_types::*;
use world::*;

/// Closes an epoch and has it anchored and settled.
fn settle_next(world: &mut World, epoch: u64) -> String {
    world.line("block 3_600_000");
    world.line("block 1");
    assert_eq!(
        world.line(&format!("vera anchor_epoch {epoch} red")),
        "ok EpochAnchored"
    );
    world.line(&format!("vera settle_epoch red {epoch}"))
}

#[test]
fn only_so_many_epochs_wait_and_the_others_do_not_expire_for_it() {
    let mut genesis = genesis(&[("vera", 5_000_000)], Default::default());
    genesis.limits.dispute_window_ms = 100 * HOUR_MS;
    genesis.limits.unbond_epochs = 200;
    let mut world = World::new(genesis);
    world.line("alice create_network red");
    for epoch in 0..256 {
        assert_eq!(settle_next(&mut world, epoch), "ok EpochSettled", "{epoch}");
    }
    let refused = |reject: Reject| format!("refused {} {reject:?}", reject.code());
    let too_many = refused(Reject::UnreleasedTooMany);
    assert_eq!(settle_next(&mut world, 256), too_many);
    // Far longer than an unsettled epoch may be, it waits for the release of the others.
    for epoch in 257..270 {
        assert_eq!(settle_next(&mut world, epoch), refused(Reject::EpochNotNext));
    }
    assert_eq!(world.line("bob pay red 0 0 0"), "ok EpochReleased");
    assert_eq!(world.line("vera settle_epoch red 256"), "ok EpochSettled");
    assert_eq!(world.line("vera settle_epoch red 257"), too_many);
    let network: records::Network = world
        .record(&NetworkId::of(&chain(), &id("alice"), "red"))
        .expect("created");
    assert_eq!(
        (network.unreleased, network.unsettled),
        (EpochNumber(1), EpochNumber(257))
    );
}
