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
fn what_a_sync_failed_for_is_on_disk_before_a_restarted_process_builds_on_it() {
    let disk = SimulatedDisk::new(1 << 20);
    let mut log = open(&disk).0.unwrap();
    append(&mut log, &group(0..9)).unwrap();
    disk.fail_syncs(true);
    assert!(append(&mut log, &group(9..18)).is_err());
    drop(log);
    assert!(
        open(&disk).0.is_err(),
        "a disk that does not sync is nothing to build on"
    );
    disk.fail_syncs(false);
    let (log, found) = open(&disk);
    assert_eq!(found, group(0..18), "the cache still shows it");
    append(&mut log.unwrap(), &group(18..20)).unwrap();
    disk.crash(|| false);
    assert_eq!(open(&disk).1, group(0..20));
}

#[test]
fn a_segment_whose_name_was_not_synced_keeps_it_after_a_restart() {
    let disk = SimulatedDisk::new(1 << 20);
    let mut log = open(&disk).0.unwrap();
    let locations = append(&mut log, &group(0..40)).unwrap();
    append(&mut log, &group(40..60)).unwrap();
    locations.into_iter().for_each(|location| log.release(location));
    assert_eq!(log.reclaim().unwrap(), 1, "there is a spare to be renamed");
    disk.fail_syncs(true);
    assert!(append(&mut log, &group(0..40)).is_err());
    disk.fail_syncs(false);
    drop(log);
    append(&mut open(&disk).0.unwrap(), &group(60..70)).unwrap();
    disk.crash(|| false);
    assert_eq!(open(&disk).1, group(40..70));
}

#[test]
fn opening_writes_no_more_than_the_newest_segment_again() {
    let disk = SimulatedDisk::new(1 << 20);
    let mut log = open(&disk).0.unwrap();
    for _ in 0..100 {
        append(&mut log, &group(0..20)).unwrap();
    }
    assert!(log.segments() > 9);
    let before = disk.written();
    assert!(open(&disk).0.is_ok());
    let again = disk.written() - before;
    assert!((1..=u64::from(SEGMENT)).contains(&again), "{again} bytes");
}

#[test]
fn segments_whose_seed_is_gone_or_damaged_are_not_taken_for_empty() {
    let disk = SimulatedDisk::new(1 << 20);
    append(&mut open(&disk).0.unwrap(), &group(0..3)).unwrap();
    let seed = disk.content("seed").unwrap();
    disk.tamper("seed", seed[1..].to_vec());
    assert!(matches!(open(&disk).0, Err(LogError::SeedLost)));
    Disk::remove(&mut disk.clone(), "seed").unwrap();
    assert!(matches!(open(&disk).0, Err(LogError::SeedLost)));
    disk.tamper("seed", seed);
    assert_eq!(open(&disk).1, group(0..3));
}

#[test]
fn a_segment_the_disk_does_not_give_up_is_given_up_at_the_next_start() {
    let disk = SimulatedDisk::new(1 << 20);
    let mut log = open(&disk).0.unwrap();
    let locations = append(&mut log, &group(0..40)).unwrap();
    append(&mut log, &group(40..60)).unwrap();
    locations.into_iter().for_each(|location| log.release(location));
    disk.fail_syncs(true);
    assert!(log.reclaim().is_err());
    disk.fail_syncs(false);
    assert_eq!((log.reclaim().unwrap(), log.segments()), (0, 1));
    disk.crash(|| false);
    assert_eq!(open(&disk).1, group(0..60));
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
fn a_spare_does_not_come_back_under_the_number_its_frames_were_written_for() {
    let disk = SimulatedDisk::new(1 << 20);
    let mut log = open(&disk).0.unwrap();
    let mut locations = append(&mut log, &group(0..1)).unwrap();
    locations.extend(append(&mut log, &group(1..30)).unwrap());
    disk.fail_syncs(true);
    assert!(append(&mut log, &group(40..41)).is_err());
    disk.fail_syncs(false);
    log.wipe_torn().unwrap();
    locations.into_iter().for_each(|location| log.release(location));
    assert_eq!((log.reclaim().unwrap(), log.segments()), (1, 0));
    append(&mut open(&disk).0.unwrap(), &group(0..1)).unwrap();
    assert_eq!(open(&disk).1, group(0..1));
}

#[test]
fn a_group_longer_than_a_segment_is_refused() {
    let mut log = open(&SimulatedDisk::new(1 << 20)).0.unwrap();
    let long = [(0, vec![0; SEGMENT as usize])];
    assert!(matches!(append(&mut log, &long), Err(LogError::GroupTooLong { .. })));
}

/// A group of one record, framed to exactly so many bytes.
fn framed(bytes: usize) -> Group {
    vec![(0, vec![7; bytes - frame::HEADER_BYTES - frame::payload_bytes(&[]) - 9])]
}

#[test]
fn the_longest_frame_is_written_and_read_and_a_longer_one_neither() {
    let disk = SimulatedDisk::new(1 << 25);
    let open = || {
        let mut found = 0;
        let mut each = |_: Location, _: TimeMs, record: Record<'_>| {
            found += record.bytes.len();
            true
        };
        let log = Log::open(Box::new(disk.clone()), 3 * FRAME_BYTES_MAX as u32, [7; 32], &mut each).unwrap();
        (log, found)
    };
    let mut log = open().0;
    let longest = framed(FRAME_BYTES_MAX);
    append(&mut log, &longest).unwrap();
    let refused = append(&mut log, &framed(FRAME_BYTES_MAX + 1)).unwrap_err();
    let LogError::GroupTooLong { bytes, limit } = refused else {
        panic!("{refused}")
    };
    assert_eq!((bytes, limit), (FRAME_BYTES_MAX + 1, FRAME_BYTES_MAX));
    assert_eq!(open().1, longest[0].1.len());

    // A frame that is whole but for its length.
    for (bytes, is_read) in [(FRAME_BYTES_MAX, true), (FRAME_BYTES_MAX + 1, false)] {
        let group = framed(bytes);
        let record = Record {
            kind: Kind::Report,
            tag: 0,
            bytes: &group[0].1,
        };
        let (written, _) = frame::write(&[7; 32], 1, 0, TimeMs(5), &[record]);
        assert_eq!(
            Frames::of([7; 32], 1, &written).read(0).is_some(),
            is_read,
            "{bytes} bytes"
        );
    }
}

/// A segment full of beginnings of frames, each of which claims as much of what follows as it can.
fn crafted(seed: [u8; 32], segment: u32, bytes: usize) -> Vec<u8> {
    let (frame, _) = frame::write(&seed, segment, 0, TimeMs(0), &[]);
    let mark = &frame[..frame::MARK_BYTES];
    let mut crafted = Vec::with_capacity(bytes);
    while crafted.len() + frame::HEADER_BYTES < bytes {
        let left = bytes - crafted.len() - frame::HEADER_BYTES;
        crafted.extend(mark);
        crafted.extend((left as u32).to_be_bytes());
    }
    crafted.resize(bytes, 0);
    crafted
}

#[test]
fn what_strangers_or_a_reused_segment_left_behind_a_torn_frame_is_never_hashed() {
    for (seed, segment) in [([8; 32], 3), ([7; 32], 2)] {
        let crafted = crafted(seed, segment, 1 << 14);
        let mut theirs = Frames::of(seed, segment, &crafted);
        assert!(!theirs.any_after(crafted.len() / 2));
        assert!(
            theirs.hashed() > 100 * crafted.len() as u64,
            "it would cost {}",
            theirs.hashed()
        );
        let mut frames = Frames::of([7; 32], 3, &crafted);
        assert!(!frames.any_after(0));
        assert_eq!(frames.hashed(), 0, "seed {seed:?}, segment {segment}");
    }
}

#[test]
fn looking_behind_damage_hashes_no_byte_twice() {
    let disk = SimulatedDisk::new(1 << 20);
    let mut log = open(&disk).0.unwrap();
    let mut ends = vec![0];
    for at in 0..9 {
        append(&mut log, &group(at..at + 3)).unwrap();
        ends.push(log.head.unwrap().1 as usize);
    }
    let mut bytes = disk.content("segment-0000000000.log").unwrap();
    ends.pop();
    ends.iter().for_each(|at| bytes[at + frame::HEADER_BYTES] ^= 1);
    let mut frames = Frames::of([7; 32], 0, &bytes);
    assert!(!frames.any_after(0));
    assert!(frames.hashed() > 0 && frames.hashed() <= bytes.len() as u64);
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
        disk.tamper("seed", vec![7; 32]);
        let (header, _) = frame::write(&[7; 32], 3, 0, TimeMs(5), &[]);
        bytes[..frame::MARK_BYTES].copy_from_slice(&header[..frame::MARK_BYTES]);
        bytes[frame::MARK_BYTES..][..4].copy_from_slice(&(random() as u32 % 5_000).to_be_bytes());
        disk.tamper("segment-0000000003.log", bytes);
        let (log, found) = open(&disk);
        assert!(log.is_ok() && found.is_empty());
    }
}
