//! Receipts mean disk: restarts, resends, full and failing disks, crashes at any moment.

use super::*;
use crate::disk::SimulatedDisk;
use crate::world::{self, HOUR, START, World, account, after, device_key, key, plain, sealed};
use cairn_types::Receipt;
use std::collections::BTreeSet;

fn now() -> TimeMs {
    START.plus_ms(HOUR / 2)
}

fn take(collector: &mut Collector, envelopes: &[Vec<u8>]) -> Vec<IntakeAnswer> {
    take_at(collector, now(), envelopes)
}

fn take_at(collector: &mut Collector, now: TimeMs, envelopes: &[Vec<u8>]) -> Vec<IntakeAnswer> {
    let slices: Vec<&[u8]> = envelopes.iter().map(Vec::as_slice).collect();
    collector.take(now, &slices).answers
}

fn receipts(answers: &[IntakeAnswer]) -> Vec<&Receipt> {
    fn receipt(answer: &IntakeAnswer) -> Option<&Receipt> {
        match answer {
            IntakeAnswer::Receipt(receipt) => Some(receipt),
            IntakeAnswer::Refused { .. } => None,
        }
    }
    answers.iter().filter_map(receipt).collect()
}

fn code(answer: &IntakeAnswer) -> Option<IntakeRefusal> {
    match answer {
        IntakeAnswer::Refused { code, .. } => IntakeRefusal::of(*code),
        IntakeAnswer::Receipt(_) => None,
    }
}

fn id(envelope: &[u8]) -> ReportId {
    Envelope::parse(envelope).unwrap().id()
}

#[test]
fn receipts_are_for_the_reports_sent_and_signed_by_the_verifier() {
    let world = World::new(1);
    let mut collector = world.collector();
    let envelopes: Vec<_> = (0..9).map(|at| sealed(world.network, at, now(), 1)).collect();
    let answers = take(&mut collector, &envelopes);
    let receipts = receipts(&answers);
    assert_eq!(receipts.len(), 9);
    for (receipt, envelope) in receipts.iter().zip(&envelopes) {
        assert_eq!(receipt.report, id(envelope));
        assert_eq!((receipt.network, receipt.epoch), (world.network, EpochNumber(0)));
        assert_eq!(
            (receipt.group.verifier, receipt.group.received),
            (account(world::VERIFIER).account, now())
        );
        assert!(receipt.verify(&key(world::VERIFIER).public()));
        assert_eq!(receipt.signature, receipts[0].signature, "one signature for the group");
    }
}

#[test]
fn a_resend_gets_its_receipt_again_also_after_a_restart_and_after_the_seal() {
    let world = World::new(1);
    let mut collector = world.collector();
    let envelopes = [sealed(world.network, 0, now(), 1), sealed(world.network, 1, now(), 4)];
    take(&mut collector, &envelopes);
    let again = |collector: &mut Collector, now| {
        let answers = take_at(collector, now, &envelopes);
        assert_eq!(receipts(&answers).len(), 2, "{answers:?}");
        let stale = [sealed(world.network, 1, now, 3)];
        assert_eq!(
            code(&take_at(collector, now, &stale)[0]),
            Some(IntakeRefusal::SequenceUsed)
        );
    };
    again(&mut collector, now());
    let mut collector = world.collector();
    again(&mut collector, now());
    collector.seal(now(), &world.network, EpochNumber(0)).unwrap();
    again(&mut collector, after(0));
    let mut collector = world.collector();
    again(&mut collector, after(0));
    assert_eq!(collector.sealed(&world.network, EpochNumber(0)).unwrap().len(), 2);
}

#[test]
fn forgotten_epochs_leave_used_sequences_and_space() {
    let world = World::new(1);
    let mut collector = world.collector();
    let mut sent = Vec::new();
    for hour in 0..40 {
        let now = after(hour).plus_ms(1);
        let time = TimeMs(after(hour).0 - 1);
        let envelopes: Vec<_> = (0..9)
            .flat_map(|at| (0..20).map(move |nth| (at, nth)))
            .map(|(at, nth)| sealed(world.network, at, TimeMs(time.0 - 19 + nth), hour * 20 + nth))
            .collect();
        assert_eq!(receipts(&take_at(&mut collector, now, &envelopes)).len(), 180);
        sent.push(envelopes);
        collector.seal(now, &world.network, EpochNumber(hour)).unwrap();
        if hour >= 2 {
            collector.forget(&world.network, EpochNumber(hour - 2)).unwrap();
        }
    }
    assert!(collector.log_segments() <= 4, "{} segments", collector.log_segments());
    let mut collector = world.collector();
    let now = after(39).plus_ms(1);
    assert_eq!(
        code(&take_at(&mut collector, now, &sent[3][..1])[0]),
        Some(IntakeRefusal::TooLate)
    );
    assert_eq!(receipts(&take_at(&mut collector, now, &sent[39][..5])).len(), 5);
    let reused = sealed(world.network, 0, now, 100);
    assert_eq!(
        code(&take_at(&mut collector, now, &[reused])[0]),
        Some(IntakeRefusal::SequenceUsed)
    );
    let next = sealed(world.network, 0, now, 800);
    assert_eq!(receipts(&take_at(&mut collector, now, &[next])).len(), 1);
}

#[test]
fn a_full_disk_says_so_takes_nothing_and_goes_on_when_there_is_space() {
    let world = World::new(1);
    let mut collector = world.collector();
    let first = [sealed(world.network, 0, now(), 1)];
    take(&mut collector, &first);
    world.disk.set_space(0);
    let mut sequence = 2;
    let refused = loop {
        let answers = take(&mut collector, &[sealed(world.network, 0, now(), sequence)]);
        match code(&answers[0]) {
            Some(refusal) => break refusal,
            None => sequence += 1,
        }
    };
    assert_eq!(refused, IntakeRefusal::Unavailable);
    assert!(IntakeAnswer::refused(refused, "").is_temporary());
    let known = take(&mut collector, &first);
    assert_eq!(receipts(&known).len(), 1, "what is on disk is on disk");
    world.disk.set_space(1 << 28);
    let same = [sealed(world.network, 0, now(), sequence)];
    assert_eq!(receipts(&take(&mut collector, &same)).len(), 1);
    assert_eq!(receipts(&take(&mut world.collector(), &same)).len(), 1);
}

#[test]
fn twice_in_a_group_that_fails_is_no_receipt_at_all() {
    let world = World::new(1);
    let mut collector = world.collector();
    world.disk.fail_syncs(true);
    let one = sealed(world.network, 0, now(), 1);
    let answers = take(&mut collector, &[one.clone(), one]);
    assert!(
        answers
            .iter()
            .all(|answer| code(answer) == Some(IntakeRefusal::Unavailable)),
        "{answers:?}"
    );
}

#[test]
fn after_any_crash_every_receipt_given_is_in_the_log() {
    for seed in 1..40u64 {
        let world = World {
            disk: SimulatedDisk::new(1 << 22),
            ..shared_world()
        };
        let mut state = seed;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut promised = BTreeSet::new();
        let mut sequence = 0;
        let mut collector = world.collector();
        for _ in 0..12 {
            world.disk.fail_syncs(random() % 4 == 0);
            let envelopes: Vec<_> = (0..1 + random() % 9)
                .map(|_| {
                    sequence += 1;
                    sealed(world.network, (random() % 9) as usize, now(), sequence)
                })
                .collect();
            let answers = take(&mut collector, &envelopes);
            promised.extend(receipts(&answers).iter().map(|receipt| receipt.report));
            let ends = random() % 6;
            if ends < 3 {
                // The power goes, or only the process ends.
                if ends > 0 {
                    world.disk.crash(|| random() % 2 == 0);
                }
                world.disk.fail_syncs(false);
                collector = world.collector();
                let kept = collector.sealed(&world.network, EpochNumber(0)).unwrap();
                let kept: BTreeSet<ReportId> = kept.into_iter().map(|report| report.id).collect();
                assert!(promised.is_subset(&kept), "seed {seed}");
            }
        }
    }
}

#[test]
fn a_report_whose_sync_failed_has_no_receipt_after_a_restart_that_a_power_loss_breaks() {
    let world = World::new(1);
    let mut collector = world.collector();
    world.disk.fail_syncs(true);
    let one = [sealed(world.network, 0, now(), 1)];
    assert_eq!(code(&take(&mut collector, &one)[0]), Some(IntakeRefusal::Unavailable));
    world.disk.fail_syncs(false);
    let mut collector = world.collector();
    assert_eq!(receipts(&take(&mut collector, &one)).len(), 1);
    world.disk.crash(|| false);
    let kept = world.collector().sealed(&world.network, EpochNumber(0)).unwrap();
    assert_eq!(kept.len(), 1);
}

#[test]
fn a_checkpoint_that_does_not_hold_together_is_refused() {
    let (one, two) = (NetworkId([1; 32]), NetworkId([2; 32]));
    let of = |networks: &[NetworkId], forgotten| {
        let mut checkpoint = Checkpoint::default();
        networks
            .iter()
            .for_each(|id| checkpoint.update(id, EpochNumber(3), Some((EpochNumber(forgotten), &[1, 2]))));
        codec::encode(&checkpoint)
    };
    let swapped = {
        let mut bytes = of(&[one, two], 1);
        let at = |bytes: &[u8], byte| bytes.windows(32).position(|window| window == [byte; 32]).unwrap();
        let (first, second) = (at(&bytes, 1), at(&bytes, 2));
        bytes[first..first + 32].fill(2);
        bytes[second..second + 32].fill(1);
        bytes
    };
    let world = World::new(1);
    for (bytes, holds) in [
        (of(&[one, two], 2), true),
        (swapped, false),
        (of(&[one], 3), false),
        (vec![], false),
    ] {
        world.disk.tamper("checkpoint", bytes);
        let loaded = Checkpoint::load(&mut world.disk.clone());
        assert_eq!(loaded.is_ok(), holds, "{loaded:?}");
    }
}

#[test]
fn an_epoch_whose_seal_could_not_be_written_is_not_sealed() {
    let world = World::new(1);
    let mut collector = world.collector();
    world.disk.fail_syncs(true);
    assert!(collector.seal(now(), &world.network, EpochNumber(0)).is_err());
    assert!(
        collector.seal(now(), &world.network, EpochNumber(0)).is_err(),
        "nor is it the second time"
    );
    world.disk.fail_syncs(false);
    collector.seal(now(), &world.network, EpochNumber(0)).unwrap();
    world.disk.crash(|| false);
    let open = world.collector().intake().network(&world.network).unwrap().open();
    assert_eq!(open, EpochNumber(1));
}

#[test]
fn what_could_not_be_forgotten_is_forgotten_the_next_time_with_its_space() {
    let world = World::new(1);
    let mut collector = world.collector();
    let many: Vec<_> = (0..9).map(|at| sealed(world.network, at, now(), 1)).collect();
    take(&mut collector, &many);
    collector.seal(now(), &world.network, EpochNumber(0)).unwrap();
    world.disk.fail_syncs(true);
    assert!(collector.forget(&world.network, EpochNumber(0)).is_err());
    assert_eq!(collector.sealed(&world.network, EpochNumber(0)).unwrap().len(), 9);
    world.disk.fail_syncs(false);
    collector.forget(&world.network, EpochNumber(0)).unwrap();
    assert!(collector.sealed(&world.network, EpochNumber(0)).unwrap().is_empty());
}

/// One ledger for all the crashes: making it takes longer than they do.
fn shared_world() -> World {
    thread_local! {
        static WORLD: World = World::new(1);
    }
    WORLD.with(|world| World {
        chain: world.chain.clone(),
        network: world.network,
        city: cairn_verticals::sensors::cast::city(7, 12, true, 1),
        disk: world.disk.clone(),
        objects: world.objects.clone(),
    })
}

#[test]
fn a_device_that_joins_meanwhile_is_heard() {
    let world = World::new(1);
    let mut collector = world.collector();
    take(&mut collector, &[sealed(world.network, 0, now(), 1)]);
    let newcomer = device_key(500);
    let report = Envelope::seal(&plain(world.network, now(), 1), &newcomer);
    assert_eq!(
        code(&take(&mut collector, std::slice::from_ref(&report))[0]),
        Some(IntakeRefusal::UnknownDevice)
    );
    world.join(&account(world::FOUNDER), &newcomer);
    assert_eq!(receipts(&take(&mut collector, &[report])).len(), 1);
}
