//! What the outbox promises, held against crashes at every byte, full disks and damage.

use super::record::{Kept, Mark, Message, Sealed};
use super::*;
use crate::disk::MemoryDisk;
use cairn_types::{DeviceId, TimeMs};

const SMALL: Limits = Limits {
    bytes_max: 40_000,
    file_bytes: 1_000,
};
const DEVICE: DeviceId = DeviceId([7; 32]);

fn open(disk: &MemoryDisk) -> (Outbox, BTreeMap<DeviceId, Vec<Kept>>) {
    Outbox::open(Box::new(disk.clone()), SMALL).unwrap()
}

fn message(outbox: &mut Outbox, group: &mut Group, text: &str) -> u64 {
    let entry = outbox.next_entry();
    group.message(Message {
        entry,
        device: DEVICE,
        now: TimeMs(entry),
        first_end: TimeMs(100),
        last_end: TimeMs(100),
        readings: 1,
        bytes: text.into(),
    });
    entry
}

fn sealed(outbox: &mut Outbox, group: &mut Group, text: &str, upto: u64) -> u64 {
    let entry = outbox.next_entry();
    let sequence = outbox.mark(&DEVICE, group).map_or(0, |mark| mark.sequence) + 1;
    group.sealed(Sealed {
        entry,
        at: TimeMs(entry),
        mark: Some(Mark {
            device: DEVICE,
            sequence,
            upto,
            until: TimeMs(100),
            whole: 0,
        }),
        envelope: text.into(),
    });
    entry
}

fn waiting(outbox: &mut Outbox) -> Vec<String> {
    let entries: Vec<u64> = outbox.sealed().collect();
    let read = |entry| String::from_utf8(outbox.read_sealed(entry).unwrap().unwrap().envelope).unwrap();
    entries.into_iter().map(read).collect()
}

/// A day in the life of an outbox: after every commit, the disk, what waits, which messages are kept and the last sequence.
fn story() -> Vec<(MemoryDisk, Vec<String>, Vec<u64>, u64)> {
    let disk = MemoryDisk::default();
    let (mut outbox, _) = open(&disk);
    let mut kept: Vec<u64> = Vec::new();
    let mut steps = Vec::new();
    for step in 0..24 {
        let mut group = Group::default();
        for part in 0..step % 3 + 1 {
            kept.push(message(&mut outbox, &mut group, &format!("message {step}.{part}")));
        }
        if step % 2 == 1 {
            let upto = kept[kept.len() - 1];
            sealed(&mut outbox, &mut group, &format!("envelope {step}"), upto);
            kept.drain(..kept.len() - 1).for_each(|entry| group.consumed(entry));
        }
        outbox.commit(group).unwrap();
        if step % 5 == 4 {
            let oldest = outbox.sealed().next().unwrap();
            outbox.settle(oldest);
            outbox.tidy(true).unwrap();
        }
        let sequence = outbox.mark(&DEVICE, &Group::default()).map_or(0, |mark| mark.sequence);
        steps.push((disk.after_crash(0), waiting(&mut outbox), kept.clone(), sequence));
    }
    steps
}

#[test]
fn everything_committed_is_there_after_a_restart() {
    for (disk, envelopes, messages, sequence) in story() {
        let (mut outbox, kept) = open(&disk);
        assert_eq!(waiting(&mut outbox), envelopes);
        let found: Vec<u64> = kept.get(&DEVICE).into_iter().flatten().map(|one| one.entry).collect();
        assert_eq!(found, messages);
        assert_eq!(
            outbox.mark(&DEVICE, &Group::default()).map_or(0, |mark| mark.sequence),
            sequence
        );
        assert_eq!(outbox.torn_bytes(), 0);
        for entry in messages {
            assert!(outbox.read_message(entry).unwrap().is_some());
            assert!(outbox.next_entry() > entry);
        }
    }
}

#[test]
fn killed_at_any_byte_it_keeps_what_was_committed_and_nothing_half() {
    let steps = story();
    for pair in steps.windows(2) {
        let (before, after) = (&pair[0], &pair[1]);
        for name in after.0.list().unwrap() {
            let old = before.0.length(&name).unwrap_or(0);
            let new = after.0.length(&name).unwrap();
            for length in old + 1..new {
                // Files that the step removed are still there when the last write is cut.
                let mut cut = before.0.clone().with("", |_| {});
                let bytes = after.0.clone().read(&name, old, (length - old) as usize).unwrap();
                cut.append(&name, &bytes).unwrap();
                let (mut outbox, kept) = open(&cut);
                let found: Vec<u64> = kept.get(&DEVICE).into_iter().flatten().map(|one| one.entry).collect();
                let sequence = outbox.mark(&DEVICE, &Group::default()).map_or(0, |mark| mark.sequence);
                let state = (waiting(&mut outbox), found, sequence);
                let (old_state, new_state) = (
                    (before.1.clone(), before.2.clone(), before.3),
                    (after.1.clone(), after.2.clone(), after.3),
                );
                // A step may write two frames: the commit, then what was settled.
                let between = (after.1.len() + 1 == state.0.len()).then(|| (state.0.clone(), after.2.clone(), after.3));
                assert!(
                    state == old_state || state == new_state || Some(state.clone()) == between,
                    "{name} cut at {length}: {state:?}"
                );
                // And it goes on from there.
                let mut group = Group::default();
                sealed(&mut outbox, &mut group, "next", 0);
                outbox.commit(group).unwrap();
                let (mut again, _) = open(&cut.after_crash(0));
                assert_eq!(waiting(&mut again).last().unwrap(), "next");
                assert!(again.mark(&DEVICE, &Group::default()).unwrap().sequence > state.2);
            }
        }
    }
}

#[test]
fn sequence_numbers_outlive_the_files_they_were_used_in() {
    let disk = MemoryDisk::default();
    let (mut outbox, _) = open(&disk);
    for _ in 0..200 {
        let mut group = Group::default();
        let entry = sealed(&mut outbox, &mut group, &"x".repeat(100), 0);
        outbox.commit(group).unwrap();
        outbox.settle(entry);
    }
    outbox.tidy(true).unwrap();
    assert!(disk.list().unwrap().len() <= 2, "{:?}", disk.list());
    let (outbox, _) = open(&disk.after_crash(0));
    assert_eq!(outbox.mark(&DEVICE, &Group::default()).unwrap().sequence, 200);
    assert_eq!(outbox.alive_bytes(), 0);
}

#[test]
fn one_that_waits_long_does_not_hold_the_files_behind_it() {
    let disk = MemoryDisk::default();
    let (mut outbox, _) = open(&disk);
    let mut group = Group::default();
    let kept = message(&mut outbox, &mut group, "still open");
    sealed(&mut outbox, &mut group, "stuck", 0);
    outbox.commit(group).unwrap();
    for _ in 0..200 {
        let mut group = Group::default();
        let entry = sealed(&mut outbox, &mut group, &"x".repeat(100), 0);
        outbox.commit(group).unwrap();
        outbox.settle(entry);
        outbox.tidy(false).unwrap();
        assert!(outbox.disk_bytes() <= 2 * outbox.alive_bytes() + 3 * SMALL.file_bytes);
    }
    assert_eq!(waiting(&mut outbox), ["stuck"]);
    outbox.tidy(true).unwrap();
    let (mut outbox, found) = open(&disk.after_crash(0));
    assert_eq!(waiting(&mut outbox), ["stuck"]);
    assert_eq!(found[&DEVICE][0].entry, kept);
    assert_eq!(outbox.read_message(kept).unwrap().unwrap().bytes, b"still open");
    assert_eq!(outbox.mark(&DEVICE, &Group::default()).unwrap().sequence, 201);
}

#[test]
fn a_full_disk_takes_nothing_and_loses_nothing() {
    let disk = MemoryDisk::default();
    let (mut outbox, _) = open(&disk);
    let mut group = Group::default();
    let first = sealed(&mut outbox, &mut group, "first", 0);
    outbox.commit(group).unwrap();
    for free in 0..60 {
        disk.limit(Some(free));
        let mut group = Group::default();
        sealed(&mut outbox, &mut group, "second", 0);
        assert!(
            matches!(outbox.commit(group), Err(OutboxError::DiskFull)),
            "{free} bytes free"
        );
        assert_eq!(waiting(&mut outbox), ["first"]);
        assert_eq!(waiting(&mut open(&disk.after_crash(0)).0), ["first"]);
    }
    disk.limit(None);
    outbox.settle(first);
    let mut group = Group::default();
    sealed(&mut outbox, &mut group, "second", 0);
    outbox.commit(group).unwrap();
    assert_eq!(waiting(&mut open(&disk.after_crash(0)).0), ["second"]);
}

#[test]
fn after_a_failed_sync_nothing_more_is_promised() {
    let disk = MemoryDisk::default();
    let (mut outbox, _) = open(&disk);
    disk.fail_syncs(true);
    let mut group = Group::default();
    sealed(&mut outbox, &mut group, "first", 0);
    assert!(matches!(outbox.commit(group), Err(OutboxError::Disk(_))));
    disk.fail_syncs(false);
    assert!(matches!(outbox.commit(Group::default()), Err(OutboxError::Stopped)));
}

#[test]
fn it_says_when_it_is_full() {
    let (mut outbox, _) = open(&MemoryDisk::default());
    let mut group = Group::default();
    let mut puts = 0;
    while outbox.has_room(&group, 1_100) {
        sealed(&mut outbox, &mut group, &"x".repeat(1_000), 0);
        outbox.commit(std::mem::take(&mut group)).unwrap();
        puts += 1;
    }
    assert!((15..=18).contains(&puts), "{puts}");
    assert!(outbox.disk_bytes() <= SMALL.bytes_max);
}

#[test]
fn damage_in_an_older_file_is_an_error_and_not_a_loss() {
    let (disk, ..) = story().pop().unwrap();
    let names = disk.list().unwrap();
    assert!(names.len() > 1);
    let broken = disk.with(&names[0], |bytes| bytes[40] ^= 1);
    let error = Outbox::open(Box::new(broken), SMALL).map(|_| ()).unwrap_err();
    assert!(matches!(error, OutboxError::Damaged { file, place: 0 } if file == names[0]));
}

#[test]
fn a_mark_is_as_short_as_it_is_counted() {
    let mark = Mark {
        device: DEVICE,
        sequence: u64::MAX,
        upto: u64::MAX,
        until: TimeMs(u64::MAX),
        whole: u64::MAX,
    };
    assert!(codec::encode(&record::Record::Mark(mark)).len() <= MARK_BYTES_MAX);
}

#[test]
fn many_devices_do_not_fill_the_disk_with_their_marks() {
    let disk = MemoryDisk::default();
    let (mut outbox, _) = open(&disk);
    for round in 0..20 {
        for device in 0..100 {
            let mut group = Group::default();
            let entry = outbox.next_entry();
            group.sealed(Sealed {
                entry,
                at: TimeMs(0),
                mark: Some(Mark {
                    sequence: round + 1,
                    ..Mark::new(DeviceId([device; 32]))
                }),
                envelope: vec![0; 300],
            });
            outbox.commit(group).unwrap();
            outbox.settle(entry);
        }
    }
    assert!(
        outbox.disk_bytes() <= 3 * 4 * 100 * MARK_BYTES_MAX as u64,
        "{}",
        outbox.disk_bytes()
    );
    let (outbox, _) = open(&disk.after_crash(0));
    assert!((0..100).all(|device| {
        outbox
            .mark(&DeviceId([device; 32]), &Group::default())
            .unwrap()
            .sequence
            == 20
    }));
}
