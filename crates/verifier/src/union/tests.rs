//! Files that are not what was anchored, reports of several hands, and two words of one device.

use super::*;
use crate::world::{CLOCK, HOUR, START, World, account, sealed};
use cairn_types::{Hash, TimeMs};

const ME: u8 = 1;
const OTHER: u8 = 2;

fn row(world: &World, device: usize, sequence: u64, received: u64) -> Sealed {
    let time = START.plus_ms(HOUR / 2 + sequence);
    let envelope = sealed(world.network, device, time, sequence);
    Sealed {
        id: Envelope::parse(&envelope).unwrap().id(),
        device: DeviceNumber(0),
        time,
        received: TimeMs(received),
        sequence,
        envelope,
    }
}

/// A file of these rows and its anchor.
fn anchored(role: u8, mut rows: Vec<Sealed>) -> (Anchor, Vec<u8>) {
    rows.sort_by_key(|row| row.id);
    let file = reports::write(&rows, &[]);
    let anchor = Anchor {
        verifier: account(role).account,
        root: attest::archive_root(&rows),
        count: rows.len() as u64,
        reports_hash: hash::sha256(&file),
    };
    (anchor, file)
}

fn union(world: &World, files: Vec<(Anchor, Vec<u8>)>) -> Union {
    let network = world.chain.network(&world.network, EpochNumber(0)).unwrap();
    let held = Held {
        chain: &world.chain,
        network: world.network,
        epoch: EpochNumber(0),
        clock: CLOCK,
        roster: &network.roster,
        settled: &[],
        own: account(ME).account,
    };
    of(&held, files).unwrap()
}

#[test]
fn a_file_that_is_not_what_was_anchored_counts_as_empty() {
    let world = World::new(1);
    let (anchor, file) = anchored(OTHER, vec![row(&world, 0, 1, 5), row(&world, 1, 1, 5)]);
    assert_eq!(union(&world, vec![(anchor, file.clone())]).rows.len(), 2);
    let (count, root) = (
        Anchor { count: 3, ..anchor },
        Anchor {
            root: Hash([1; 32]),
            ..anchor
        },
    );
    let mut broken = file.clone();
    broken[40] ^= 1;
    for (anchor, file) in [(count, file.clone()), (root, file), (anchor, broken)] {
        let found = union(&world, vec![(anchor, file)]);
        assert_eq!((found.rows.len(), found.faults.len()), (0, 1), "{:?}", found.faults);
    }
    let garbage = vec![7; 100];
    let of_garbage = Anchor {
        reports_hash: hash::sha256(&garbage),
        ..anchor
    };
    assert_eq!(union(&world, vec![(of_garbage, garbage)]).faults.len(), 1);
}

#[test]
fn rows_of_another_epoch_network_or_stranger_are_left_out() {
    let world = World::new(1);
    let mut later = row(&world, 0, 1, 5);
    later.envelope = sealed(world.network, 0, START.plus_ms(HOUR), 1);
    let mut elsewhere = row(&world, 0, 2, 5);
    elsewhere.envelope = sealed(NetworkId([9; 32]), 0, START.plus_ms(5), 2);
    let mut rows = vec![row(&world, 3, 1, 5), later, elsewhere, row(&world, 900, 1, 5)];
    for row in &mut rows {
        row.id = Envelope::parse(&row.envelope).unwrap().id();
    }
    let mut misnamed = row(&world, 1, 1, 5);
    misnamed.id.0[0] ^= 1;
    rows.push(misnamed);
    let found = union(&world, vec![anchored(OTHER, rows)]);
    assert_eq!(found.rows.len(), 1);
    assert_eq!(found.rows[0].device, DeviceNumber(3), "as the ledger numbers it");
    assert_eq!(found.faults.len(), 1);
}

#[test]
fn of_a_report_that_two_took_the_first_receipt_counts_whoever_is_named_first() {
    let world = World::new(1);
    let (early, late) = (row(&world, 0, 1, 5), row(&world, 0, 1, 900));
    let one = anchored(ME, vec![late, row(&world, 1, 1, 7)]);
    let two = anchored(OTHER, vec![early]);
    let found = union(&world, vec![one.clone(), two.clone()]);
    assert_eq!(found, union(&world, vec![two, one]));
    assert_eq!(found.rows.len(), 2);
    assert!(found.rows.iter().any(|row| row.received == TimeMs(5)));
    assert_eq!(found.conflicts, []);
}

#[test]
fn two_reports_of_one_device_under_one_number_are_kept_as_evidence() {
    let world = World::new(1);
    let mut second = row(&world, 4, 1, 5);
    second.envelope = sealed(world.network, 4, START.plus_ms(HOUR / 3), 1);
    second.id = Envelope::parse(&second.envelope).unwrap().id();
    let one = anchored(ME, vec![row(&world, 4, 1, 5), row(&world, 5, 1, 5)]);
    let two = anchored(OTHER, vec![second, row(&world, 5, 2, 5)]);
    let found = union(&world, vec![one, two]);
    assert_eq!(found.conflicts.len(), 1);
    let device = |bytes: &[u8]| Envelope::parse(bytes).unwrap().device;
    let Conflict { first, second } = &found.conflicts[0];
    assert_ne!(first, second);
    assert_eq!(device(first), device(second));
}
