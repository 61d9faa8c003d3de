//! A ledger that does not answer: members of old are heard, nobody is turned away, and who was put off can still come.

use super::*;
use crate::collector::Settings;
use crate::world::{self, START, WINDOWS, World, account, after, device_key, plain, sealed};
use cairn_types::Envelope;
use cairn_types::intake::{IntakeAnswer, IntakeRefusal};

const HOUR_2: EpochNumber = EpochNumber(2);

/// `None`: a receipt.
fn told(collector: &mut Collector, now: TimeMs, envelope: &[u8]) -> Option<IntakeRefusal> {
    match &collector.take(now, &[envelope]).answers[..] {
        [IntakeAnswer::Receipt(_)] => None,
        [IntakeAnswer::Refused { code, .. }] => Some(IntakeRefusal::of(*code).unwrap()),
        other => panic!("{other:?}"),
    }
}

/// A report of a device that is not of the city.
fn newcomers(world: &World, time: TimeMs, sequence: u64) -> Vec<u8> {
    Envelope::seal(&plain(world.network, time, sequence), &device_key(500))
}

/// A collector that knew everybody in hour 0; in hour 2 the ledger is away.
fn away() -> (World, Collector, TimeMs) {
    let world = World::new(1);
    let mut collector = world.collector();
    assert_eq!(told(&mut collector, START, &sealed(world.network, 0, START, 1)), None);
    world.chain.set_away(true);
    (world, collector, after(1).plus_ms(1))
}

#[test]
fn while_the_ledger_is_away_members_are_heard_and_strangers_put_off() {
    let (world, mut collector, now) = away();
    let of_member = sealed(world.network, 0, now, 2);
    assert_eq!(told(&mut collector, now, &of_member), None);
    let of_stranger = newcomers(&world, now, 1);
    let refusal = told(&mut collector, now, &of_stranger).unwrap();
    assert_eq!(refusal, IntakeRefusal::LedgerAway);
    assert!(IntakeAnswer::refused(refusal, "").is_temporary());
    // What a stranger cannot be is refused as ever.
    assert_eq!(
        told(&mut collector, now, b"no envelope"),
        Some(IntakeRefusal::Malformed)
    );

    // The process ends and comes back when the ledger does: what had its receipt is there.
    world.chain.set_away(false);
    let mut collector = world.collector();
    assert_eq!(told(&mut collector, now, &of_member), None);
    assert_eq!(
        told(&mut collector, now, &of_stranger),
        Some(IntakeRefusal::UnknownDevice)
    );
    assert!(collector.seal(after(2), &world.network, HOUR_2).unwrap());
    assert_eq!(collector.sealed(&world.network, HOUR_2).unwrap().len(), 1);
}

#[test]
fn an_hour_whose_roster_was_away_can_be_reported_in_until_the_grace_after_it_is_here() {
    let (world, mut collector, now) = away();
    assert_eq!(told(&mut collector, now, &sealed(world.network, 0, now, 2)), None);
    let late = after(4);
    let of_newcomer = newcomers(&world, now, 1);
    assert_eq!(
        told(&mut collector, late, &of_newcomer),
        Some(IntakeRefusal::LedgerAway)
    );
    assert!(
        !collector.seal(late, &world.network, HOUR_2).unwrap(),
        "nobody knows who belongs to it"
    );
    assert_eq!(told(&mut collector, late, &sealed(world.network, 1, now, 2)), None);

    world.chain.set_away(false);
    world.join(&account(world::FOUNDER), &device_key(500));
    assert!(
        !collector.seal(late, &world.network, HOUR_2).unwrap(),
        "who was put off may come now"
    );
    assert_eq!(
        told(&mut collector, late.plus_ms(WINDOWS.grace_ms - 1), &of_newcomer),
        None
    );
    let over = late.plus_ms(WINDOWS.grace_ms);
    assert_eq!(
        told(&mut collector, over, &newcomers(&world, now, 2)),
        Some(IntakeRefusal::TooLate)
    );
    assert!(collector.seal(over, &world.network, HOUR_2).unwrap());
    assert_eq!(collector.sealed(&world.network, HOUR_2).unwrap().len(), 3);
}

#[test]
fn an_hour_whose_roster_was_read_before_its_end_gets_no_more_time() {
    let (world, mut collector, now) = away();
    assert_eq!(told(&mut collector, now, &sealed(world.network, 0, now, 2)), None);
    world.chain.set_away(false);
    assert_eq!(
        told(&mut collector, now.plus_ms(1), &sealed(world.network, 0, now, 3)),
        None
    );
    let over = after(2).plus_ms(WINDOWS.grace_ms);
    assert_eq!(
        told(&mut collector, over, &sealed(world.network, 1, now, 2)),
        Some(IntakeRefusal::TooLate)
    );
    assert!(collector.seal(over, &world.network, HOUR_2).unwrap());
}

#[test]
fn a_ledger_that_does_not_answer_is_asked_ever_more_seldom_and_never_once_for_each_hour() {
    let world = World::new(1);
    let settings = Settings {
        roster_ms_min: 1_000,
        ..world.settings()
    };
    let mut collector = world.collector_of(settings);
    world.chain.set_away(true);
    let before = world.chain.asked();
    // Ten minutes, ten requests in each second.
    for at in 0..6_000 {
        let now = after(1).plus_ms(at * 100);
        assert_eq!(
            told(&mut collector, now, &newcomers(&world, now, 1)),
            Some(IntakeRefusal::LedgerAway)
        );
    }
    let asked = world.chain.asked() - before;
    assert!((10..=20).contains(&asked), "asked {asked} times");
}

#[test]
fn a_device_that_joined_since_the_rosters_were_read_is_not_turned_away() {
    let world = World::new(1);
    let settings = Settings {
        roster_ms_min: 1_000,
        ..world.settings()
    };
    let mut collector = world.collector_of(settings);
    let (early, late) = (newcomers(&world, START, 1), newcomers(&world, START, 2));
    assert_eq!(told(&mut collector, START, &early), Some(IntakeRefusal::UnknownDevice));
    world.join(&account(world::FOUNDER), &device_key(500));
    let soon = START.plus_ms(999);
    assert_eq!(told(&mut collector, soon, &late), Some(IntakeRefusal::LedgerAway));
    assert_eq!(told(&mut collector, START.plus_ms(1_000), &late), None);
}

#[test]
fn a_clock_that_went_back_does_not_keep_the_ledger_unasked() {
    let world = World::new(1);
    let settings = Settings {
        roster_ms_min: 60_000,
        ..world.settings()
    };
    let mut collector = world.collector_of(settings);
    let (early, late) = (START.plus_ms(1_000), START.plus_ms(30_000));
    world.chain.set_away(true);
    let one = sealed(world.network, 0, early, 1);
    assert_eq!(told(&mut collector, late, &one), Some(IntakeRefusal::LedgerAway));
    world.chain.set_away(false);
    assert_eq!(
        told(&mut collector, late, &one),
        Some(IntakeRefusal::LedgerAway),
        "it is left alone"
    );
    assert_eq!(told(&mut collector, early, &one), None);
}
