//! Crashes at every byte, full and failing disks, damage, and reuse of segments.

use super::*;
use crate::disk::SimulatedDisk;

const SEGMENT: u32 = 4_096;

/// Records by tag.
type Group = Vec<(u32, Vec<u8>)>;

fn open(disk: &SimulatedDisk) -> (Result<Log, LogError>, Group) {
    let mut found = Vec::new();
    let log = Log::open(Box::new(disk.clone()), SEGMENT, [7; 32], &mut |_, _, record| {
        found.push((record.tag, record.bytes.to_vec()));
        true
    });
    (log, found)
}

fn group(tags: std::ops::Range<u32>) -> Group {
    tags.map(|tag| (tag, vec![tag as u8; 40 + tag as usize])).collect()
}

fn append(log: &mut Log, group: &[(u32, Vec<u8>)]) -> Result<Vec<Location>, LogError> {
    let records: Vec<_> = group
        .iter()
        .map(|(tag, bytes)| Record {
            kind: Kind::Report,
            tag: *tag,
            bytes,
        })
        .collect();
    log.append(TimeMs(5), &records)
}

#[test]
fn what_is_appended_is_read_back_at_its_place_and_after_a_restart() {
    let disk = SimulatedDisk::new(1 << 20);
    let mut log = open(&disk).0.unwrap();
    let all: Vec<_> = (0..60).map(|at| group(at * 3..at * 3 + 3)).collect();
    for group in &all {
        for (location, (_, bytes)) in append(&mut log, group).unwrap().into_iter().zip(group) {
            assert_eq!(log.read(location).unwrap(), *bytes);
        }
    }
    assert!(log.segments() > 1);
    let (log, found) = open(&disk);
    assert!(log.is_ok());
    assert_eq!(found, all.concat());
}

#[test]
fn a_log_torn_at_any_byte_keeps_every_whole_group_and_goes_on() {
    let disk = SimulatedDisk::new(1 << 20);
    let mut log = open(&disk).0.unwrap();
    let (first, second, third) = (group(0..3), group(3..5), group(5..6));
    append(&mut log, &first).unwrap();
    let kept = log.head.unwrap().1 as usize;
    append(&mut log, &second).unwrap();
    let whole = log.head.unwrap().1 as usize;
    let bytes = disk.content("segment-0000000000.log").unwrap();
    for end in kept..whole {
        let mut torn = bytes.clone();
        torn[end..].fill(0);
        disk.tamper("segment-0000000000.log", torn);
        let (log, found) = open(&disk);
        assert_eq!(found, first, "torn at {end}");
        append(&mut log.unwrap(), &third).unwrap();
        assert_eq!(open(&disk).1, [first.clone(), third.clone()].concat(), "torn at {end}");
    }
}

#[test]
fn sectors_lost_in_any_order_cost_only_what_was_not_synced() {
    for seed in 0..64u64 {
        let disk = SimulatedDisk::new(1 << 20);
        let mut log = open(&disk).0.unwrap();
        append(&mut log, &group(0..9)).unwrap();
        disk.fail_syncs(true);
        assert!(append(&mut log, &group(9..18)).is_err());
        let mut state = seed;
        disk.crash(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 63 == 1
        });
        disk.fail_syncs(false);
        let (log, found) = open(&disk);
        assert_eq!(found[..9], group(0..9));
        assert!(
            found.len() == 9 || found == group(0..18),
            "a group is there whole or not at all"
        );
        assert!(append(&mut log.unwrap(), &group(20..21)).is_ok());
    }
}

#[test]
fn damage_before_acknowledged_groups_is_not_taken_for_a_torn_end() {
    let disk = SimulatedDisk::new(1 << 20);
    let mut log = open(&disk).0.unwrap();
    append(&mut log, &group(0..3)).unwrap();
    let end = log.head.unwrap().1 as usize;
    append(&mut log, &group(3..5)).unwrap();
    let bytes = disk.content("segment-0000000000.log").unwrap();
    for at in 0..end {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        disk.tamper("segment-0000000000.log", damaged);
        assert!(
            matches!(open(&disk).0, Err(LogError::Damaged { offset: 0, .. })),
            "byte {at}"
        );
    }
}

#[test]
fn a_full_disk_refuses_and_recovers_when_there_is_space() {
    let disk = SimulatedDisk::new(u64::from(SEGMENT) + 100);
    let mut log = open(&disk).0.unwrap();
    let mut kept = Vec::new();
    let refused = loop {
        match append(&mut log, &group(0..9)) {
            Ok(_) => kept.extend(group(0..9)),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, LogError::Full));
    assert_eq!(open(&disk).1, kept);
    disk.set_space(1 << 20);
    append(&mut log, &group(30..33)).unwrap();
    kept.extend(group(30..33));
    assert_eq!(open(&disk).1, kept);
}

#[test]
fn released_segments_are_reused_and_their_old_content_means_nothing() {
    let disk = SimulatedDisk::new(u64::from(SEGMENT) * 3 + 100);
    let mut log = open(&disk).0.unwrap();
    let mut last = Vec::new();
    for round in 0..100 {
        let locations = append(&mut log, &group(0..20)).unwrap();
        if round < 99 {
            locations.into_iter().for_each(|location| log.release(location));
            log.reclaim().unwrap();
        } else {
            last = group(0..20);
        }
    }
    let (log, found) = open(&disk);
    assert!(log.is_ok());
    assert!(found.ends_with(&last));
    assert!(found.len() < 100);
}

#[test]
fn a_group_longer_than_a_segment_is_refused() {
    let mut log = open(&SimulatedDisk::new(1 << 20)).0.unwrap();
    let long = [(0, vec![0; SEGMENT as usize])];
    assert!(matches!(append(&mut log, &long), Err(LogError::GroupTooLong { .. })));
}

#[test]
fn random_segments_open_or_are_refused() {
    let mut state = 1u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..200 {
        let disk = SimulatedDisk::new(1 << 20);
        let mut bytes: Vec<u8> = (0..SEGMENT).map(|_| random() as u8).collect();
        bytes[..4].copy_from_slice(b"CGRP");
        bytes[4..8].copy_from_slice(&(random() as u32 % 5_000).to_be_bytes());
        disk.tamper("segment-0000000003.log", bytes);
        let (log, found) = open(&disk);
        assert!(log.is_ok() && found.is_empty());
    }
}
