//! Reputation in every vertical, played by its own cast: honest devices are never touched by it, each cheat ends excluded and
//! can see why, whoever turns honest comes back; two words under one number and barred devices are refused by name.

use super::SEED;
use super::play::{CLOCK, Scene, admitted, epoch, play, roster};
use crate::kit::assess::assess_by;
use crate::kit::memory::Memory;
use crate::kit::reasons::{BARRED, EQUIVOCATED, EXCLUDED, NOT_A_MEMBER, STANDING};
use crate::kit::reputation::record::RECORD_BYTES_MAX;
use crate::kit::reputation::{EPOCH_WEIGHT, Record};
use crate::kit::{Admitted, Role, Rules, assess};
use crate::{ALL, Vertical};
use cairn_types::{DeviceNumber, EpochNumber, Finding, ReportId};

/// So many epochs after the story begins each cheat of a cast is excluded.
const EXCLUDED_WITHIN: u64 = 96;

/// Quick enough for a story to have room for a fall and the way back.
const QUICK: Rules = Rules {
    memory_epochs: 24,
    doubt_epochs: 8,
    full: 8_000,
    line: 5_000,
    floor: 2_500,
    exclude_epochs: 6,
};

fn record(memory: &[u8], number: DeviceNumber) -> Option<Record> {
    let records = Memory::decode(memory).expect("ours").records;
    records.into_iter().find(|record| record.number == number)
}

fn of(findings: &[Finding], number: DeviceNumber) -> Vec<&Finding> {
    findings.iter().filter(|finding| finding.device == number).collect()
}

/// Whether reputation has a part in it.
fn is_touched(finding: &Finding) -> bool {
    finding.spans.iter().any(|span| span.quantity == STANDING)
}

#[test]
fn honest_devices_are_untouched_and_each_cheat_is_excluded() {
    for (vertical, seed) in ALL
        .iter()
        .flat_map(|vertical| [SEED, 1, 2, 3, 4].map(|seed| (vertical, seed)))
    {
        let scene = Scene {
            seed,
            ..Scene::default()
        };
        let story = play(*vertical, &scene);
        for (place, device) in (0..).zip(vertical.cast(seed).devices()) {
            let number = DeviceNumber(place);
            let findings = story.findings.iter().map(|findings| of(findings, number));
            if device.role == Role::Honest {
                assert!(!findings.flatten().any(is_touched), "{} seed {seed}", device.name);
                continue;
            }
            let exclusions = story.memories.iter().map(|memory| record(memory, number)?.exclusion);
            let exclusions: Vec<_> = exclusions.collect();
            let first = exclusions.iter().flatten().next();
            let first = first.unwrap_or_else(|| panic!("{} seed {seed} is never excluded", device.name));
            println!(
                "{} seed {seed}: {} excluded from {}",
                vertical.name(),
                device.name,
                first.from
            );
            assert!(
                first.from.0 <= EXCLUDED_WITHIN,
                "{} seed {seed}: {first:?}",
                device.name
            );
            for (epoch, (own, left)) in (1..).zip(findings.skip(1).zip(&exclusions)) {
                let within = left.as_ref().filter(|exclusion| exclusion.until > EpochNumber(epoch));
                let Some(exclusion) = within else { continue };
                for finding in own {
                    let run = &finding.spans[0];
                    let [start, end] = [exclusion.from, exclusion.until].map(|epoch| CLOCK.start(epoch));
                    assert_eq!(
                        (finding.units, run.reason, run.start, run.end),
                        (0, Some(EXCLUDED), start, end)
                    );
                    assert!(run.measured < run.limit);
                }
                // Whoever doubts it looks at the findings that speak against the device.
                assert!(!exclusion.evidence.is_empty());
                for mark in &exclusion.evidence {
                    let said = of(&story.findings[mark.epoch.0 as usize], number);
                    let reasons = |finding: &&Finding| {
                        let runs = finding.spans.iter().filter_map(|span| span.reason);
                        runs.chain(finding.reason).any(|reason| reason == mark.reason)
                    };
                    assert!(mark.epoch < exclusion.from && said.iter().any(reasons), "{mark:?}");
                }
            }
        }
    }
}

/// What an honest device is told that says what a cheat says until it is excluded, and then the truth.
fn turncoat(vertical: &dyn Vertical, cheat: usize) -> Vec<Vec<Finding>> {
    let cast = vertical.cast(SEED);
    let devices = cast.devices();
    let honest = (0..devices.len())
        .rev()
        .find(|place| devices[*place].role == Role::Honest)
        .expect("a cast has honest devices");
    let name = devices[cheat].name.clone();
    let without = |device: &crate::kit::CastDevice| device.name != name;
    let scene = Scene {
        plays: &without,
        ..Scene::default()
    };
    let (params, members) = (vertical.default_params(), roster(vertical, &scene));
    let [turncoat, cheat] = [honest, cheat].map(|place| DeviceNumber(place as u32));
    let (mut told, mut memory, mut honest) = (Vec::new(), Vec::new(), false);
    for number in 0..cast.epochs() {
        let mut reports = admitted(vertical, &scene, number);
        if !honest {
            let said = admitted(vertical, &Scene::default(), number);
            let lie = said.into_iter().find(|report| report.device == cheat);
            reports.retain(|report| report.device != turncoat);
            reports.extend(lie.map(|lie| Admitted {
                device: turncoat,
                ..lie
            }));
        }
        let assessment = assess_by(
            &QUICK,
            vertical,
            &epoch(number, &params, &members, &memory),
            &reports,
            1,
        )
        .expect("an epoch");
        told.push(of(&assessment.findings, turncoat).into_iter().cloned().collect());
        memory = assessment.memory;
        honest |= record(&memory, turncoat).is_some_and(|record| record.exclusion.is_some());
    }
    assert!(honest, "{name} is excluded");
    told
}

#[test]
fn whoever_turns_honest_comes_back_to_full_pay() {
    for vertical in ALL {
        let cast = vertical.cast(SEED);
        let cheats = cast
            .devices()
            .iter()
            .enumerate()
            .filter(|(_, device)| device.role != Role::Honest);
        for (place, cheat) in cheats {
            let told = turncoat(*vertical, place);
            let is_touched = |epoch: &usize| told[*epoch].iter().any(is_touched);
            let last = (0..told.len()).rev().find(is_touched);
            let last = last.unwrap_or_else(|| panic!("{} is never excluded", cheat.name));
            let after = &told[last + 1..];
            println!("{}: {} back in full from {}", vertical.name(), cheat.name, last + 1);
            assert!(after.len() >= 12, "{} is still touched in epoch {last}", cheat.name);
            assert!(
                after.iter().flatten().all(|finding| finding.units > 0),
                "{}",
                cheat.name
            );
        }
    }
}

/// The reports of the cast's first epoch, one of which a device also signed with another's words.
fn two_words(vertical: &dyn Vertical) -> (Vec<Admitted>, DeviceNumber) {
    let mut reports = admitted(vertical, &Scene::default(), 0);
    let (device, sequence) = (reports[0].device, reports[0].sequence);
    reports.push(Admitted {
        id: ReportId([0x77; 32]),
        device,
        sequence,
        ..reports[1].clone()
    });
    (reports, device)
}

#[test]
fn two_reports_under_one_sequence_number_are_refused_both() {
    for vertical in ALL {
        let (params, members) = (vertical.default_params(), roster(*vertical, &Scene::default()));
        let (mut reports, device) = two_words(*vertical);
        let judge = |reports: &[Admitted], shards| {
            assess(*vertical, &epoch(0, &params, &members, &[]), reports, shards).expect("an epoch")
        };
        let found = judge(&reports, 1);
        let own = of(&found.findings, device);
        assert_eq!(own.len(), 2);
        for finding in own {
            assert_eq!((finding.units, finding.reason), (0, Some(EQUIVOCATED)));
            assert_eq!((finding.spans[0].measured, finding.spans[0].limit), (2, 1));
        }
        let record = record(&found.memory, device).expect("remembered");
        assert!(
            record.reputation.bad >= 50 * EPOCH_WEIGHT,
            "it weighs heavily: {record:?}"
        );
        reports.reverse();
        assert_eq!(judge(&reports, 3), found, "whoever collected them, in whatever order");
        reports.retain(|report| report.device != device);
        let others = |findings: &[Finding]| -> Vec<Finding> {
            findings
                .iter()
                .filter(|finding| finding.device != device)
                .cloned()
                .collect()
        };
        assert_eq!(
            judge(&reports, 1).findings,
            others(&found.findings),
            "nobody else is hurt"
        );
    }
}

#[test]
fn a_barred_device_is_not_judged_until_its_epoch() {
    for vertical in ALL {
        let params = vertical.default_params();
        let mut members = roster(*vertical, &Scene::default());
        members[0].barred_until = Some(EpochNumber(2));
        let number = members[0].number;
        let mut memory = Vec::new();
        for now in 0..4 {
            let reports = admitted(*vertical, &Scene::default(), now);
            let found = assess(*vertical, &epoch(now, &params, &members, &memory), &reports, 1).expect("an epoch");
            for finding in of(&found.findings, number) {
                assert_eq!(finding.reason == Some(BARRED), now < 2, "epoch {now}");
                let Some(run) = finding.spans.first().filter(|_| now < 2) else {
                    continue;
                };
                assert_eq!(
                    (run.measured, run.limit, run.end),
                    (now as i64, 2, CLOCK.start(EpochNumber(2)))
                );
            }
            memory = found.memory;
            assert_eq!(
                record(&memory, number).is_some(),
                now >= 2,
                "a bar is no finding of its own"
            );
        }
    }
}

#[test]
fn a_number_used_twice_by_strangers_is_only_strange() {
    for vertical in ALL {
        let (params, members) = (vertical.default_params(), roster(*vertical, &Scene::default()));
        let (reports, device) = two_words(*vertical);
        let rest = &members[1..];
        assert!(rest.iter().all(|member| member.number != device));
        let found = assess(*vertical, &epoch(0, &params, rest, &[]), &reports, 2).expect("an epoch");
        let own = of(&found.findings, device);
        assert!(own.iter().all(|finding| finding.reason == Some(NOT_A_MEMBER)));
        assert_eq!(record(&found.memory, device), None, "strangers leave nothing in memory");
    }
}

#[test]
fn reputations_take_few_bytes() {
    for vertical in ALL {
        let story = play(*vertical, &Scene::default());
        let devices = vertical.cast(SEED).devices().len();
        for memory in &story.memories {
            let records = Memory::decode(memory).expect("ours").records;
            let alone = Memory { records, vertical: &[] };
            assert!(alone.encode().len() <= 8 + devices * RECORD_BYTES_MAX);
        }
    }
}
