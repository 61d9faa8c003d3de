//! What every vertical must pass, whatever it measures: the cast plays its story, and the findings must be the right ones
//! for honest devices and cheats, in any order, in any number of shards, under any names; and no stranger's bytes panic.

mod golden;
mod play;
mod standing;

use super::reasons::{self, OWN_FROM};
use super::vertical::{BODY_BYTES_MAX, Draw, PARAMS_BYTES_MAX, QuantityText};
use super::{Role, Vertical, assess};
use crate::ALL;
use cairn_types::{CellId, EpochClock, Reason, TimeMs};
use play::{CLOCK, Scene, play, roster};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::collections::BTreeSet;

const SEED: u64 = 7;

/// The most bytes a vertical remembers of one device.
const MEMORY_BYTES_MAX: usize = 1_024;

fn bodies(vertical: &dyn Vertical) -> Vec<Vec<u8>> {
    let cast = vertical.cast(SEED);
    let epochs = (0..cast.epochs()).step_by(7);
    epochs
        .flat_map(|epoch| cast.reports(cairn_types::EpochNumber(epoch), &CLOCK))
        .map(|report| report.pack.body)
        .collect()
}

/// Bytes changed here and there, cut or made longer.
fn mutate(random: &mut ChaCha8Rng, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut below = |n: usize| (random.next_u64() % n.max(1) as u64) as usize;
    for _ in 0..=below(3) {
        let at = below(bytes.len());
        match below(4) {
            0 if !bytes.is_empty() => bytes[at] = below(256) as u8,
            1 if !bytes.is_empty() => bytes[at] ^= 1 << below(8),
            2 => bytes.truncate(at),
            _ => bytes.insert(at, below(256) as u8),
        }
    }
    bytes
}

#[test]
fn names_and_numbers_of_reasons_and_quantities_are_unique() {
    for vertical in ALL {
        let own = vertical.reasons();
        assert!(own.iter().all(|text| text.reason >= OWN_FROM), "{}", vertical.name());
        assert!(reasons::REASONS.iter().all(|text| text.reason < OWN_FROM));
        let all: Vec<_> = own.iter().chain(reasons::REASONS).collect();
        let names: BTreeSet<_> = all.iter().map(|text| text.name).collect();
        let numbers: BTreeSet<Reason> = all.iter().map(|text| text.reason).collect();
        assert_eq!(
            (names.len(), numbers.len()),
            (all.len(), all.len()),
            "{}",
            vertical.name()
        );
        assert!(all.iter().all(|text| !text.sentence.is_empty()));
        for text in &all {
            assert!(
                text.blame == 0 || !text.mend.is_empty(),
                "{}: what can be done?",
                text.name
            );
            assert!(text.mend.is_empty() || text.mend.ends_with('.'), "{}", text.name);
        }
        assert!(
            all.iter()
                .all(|text| reasons::text(*vertical, text.reason) == Some(*text))
        );
        let quantities: BTreeSet<_> = vertical
            .quantities()
            .iter()
            .map(|text| (text.quantity, text.name))
            .collect();
        assert_eq!(quantities.len(), vertical.quantities().len());
        assert!(vertical.quantities().iter().all(|text| !text.sentence.is_empty()));
        let is_drawn = |text: &QuantityText| text.draw != Draw::No;
        assert!(
            vertical.quantities().iter().any(is_drawn),
            "{}: nothing to show",
            vertical.name()
        );
        assert!(crate::by_name(vertical.name()).is_some());
    }
    assert!(crate::by_name("weather of the day").is_none());
}

#[test]
fn a_body_has_one_byte_form() {
    for vertical in ALL {
        let mut random = ChaCha8Rng::seed_from_u64(SEED);
        let read = |body: &[u8]| {
            let mut readings = Vec::new();
            vertical.read_body(body, &mut readings).map(|()| readings)
        };
        for body in bodies(*vertical) {
            let readings = read(&body).expect("a body of the cast");
            assert!(!readings.is_empty());
            for _ in 0..40 {
                let other = mutate(&mut random, &body);
                if other != body {
                    assert_ne!(
                        read(&other).as_ref(),
                        Ok(&readings),
                        "two forms of one body: {other:02x?}"
                    );
                }
            }
        }
    }
}

#[test]
fn sizes_are_bounded() {
    for vertical in ALL {
        assert!(vertical.check_body(&vec![0x80; BODY_BYTES_MAX + 1]).is_err());
        assert!(bodies(*vertical).iter().all(|body| body.len() <= BODY_BYTES_MAX));
        assert!(vertical.default_params().len() <= PARAMS_BYTES_MAX);
        assert_eq!(vertical.check_params(&vertical.default_params()), Ok(()));
        assert!(
            vertical
                .reputation(&vertical.default_params())
                .is_ok_and(|rules| rules.check().is_ok())
        );
        let story = play(*vertical, &Scene::default());
        let devices = vertical.cast(SEED).devices().len();
        assert!(
            story
                .memories
                .iter()
                .all(|memory| memory.len() <= devices * MEMORY_BYTES_MAX)
        );
    }
}

#[test]
fn strangers_bytes_never_panic() {
    for vertical in ALL {
        let mut random = ChaCha8Rng::seed_from_u64(SEED);
        let bodies = bodies(*vertical);
        let params = vertical.default_params();
        let memory = play(
            *vertical,
            &Scene {
                epochs: 40,
                ..Scene::default()
            },
        )
        .memories
        .pop()
        .expect("epochs");
        let members = roster(*vertical, &Scene::default());
        for round in 0..4_000 {
            let mut noise = vec![0; random.next_u64() as usize % 200];
            random.fill_bytes(&mut noise);
            let body = mutate(&mut random, &bodies[round % bodies.len()]);
            for bytes in [&noise, &body] {
                drop(vertical.check_body(bytes));
                drop(vertical.check_params(bytes));
                drop(vertical.read_body(bytes, &mut Vec::new()));
            }
            drop(vertical.check_params(&mutate(&mut random, &params)));
            let mut driver = vertical.driver(&params, CLOCK).expect("defaults");
            for message in [
                r#"[{"bn":"rain","bt":1,"v":1.5},{"t":3,"v":-2e3}]"#,
                "1970-01-02T00:00:00Z a=1 b=2",
                "a=1&b=2&dateutc=now",
            ] {
                drop(driver.push(&mutate(&mut random, message.as_bytes()), TimeMs(random.next_u64())));
            }
            for pack in driver.packs(TimeMs(u64::MAX)) {
                assert_eq!(
                    vertical.check_body(&pack.body),
                    Ok(()),
                    "a driver makes only good bodies"
                );
            }
            if round % 20 == 0 {
                let reports = play::strangers(&mut random, &body, &members);
                let epoch = play::epoch(3, &params, &members, &memory);
                let assessment = assess(*vertical, &epoch, &reports, 3).expect("strange reports are only refused");
                assert_eq!(assessment.findings.len(), reports.len());
                let (params, memory) = (mutate(&mut random, &params), mutate(&mut random, &memory));
                drop(assess(
                    *vertical,
                    &play::epoch(3, &params, &members, &memory),
                    &reports,
                    3,
                ));
            }
        }
    }
}

#[test]
fn every_report_has_units_or_one_known_reason() {
    for vertical in ALL {
        let known = |reason: Reason| reasons::text(*vertical, reason).is_some();
        let story = play(*vertical, &Scene::default());
        for finding in story.findings.iter().flatten() {
            assert_eq!(finding.units == 0, finding.reason.is_some());
            let spans = finding.spans.iter().filter_map(|span| span.reason);
            assert!(finding.reason.into_iter().chain(spans).all(known));
            assert!(finding.spans.iter().all(|span| span.start < span.end));
        }
    }
}

#[test]
fn honest_devices_earn_and_each_cheat_is_named() {
    for (vertical, seed) in ALL
        .iter()
        .flat_map(|vertical| [SEED, 1, 2, 3, 4].map(|seed| (vertical, seed)))
    {
        let story = play(
            *vertical,
            &Scene {
                seed,
                ..Scene::default()
            },
        );
        let cast = vertical.cast(seed);
        let whole = cast.epochs() * 1_000_000;
        for (device, (units, reasons)) in cast.devices().iter().zip(story.units.iter().zip(&story.reasons)) {
            let percent = units * 100 / whole;
            match device.role {
                Role::Honest => assert!(percent >= 90, "{} earned {percent} %: {reasons:?}", device.name),
                Role::Cheat { name, reason } => {
                    println!(
                        "{} seed {seed}: {name} earned {percent} %, refused {reasons:?}",
                        vertical.name()
                    );
                    assert!(
                        reasons.contains_key(&reason),
                        "{name} was never refused for {reason:?}: {reasons:?}"
                    );
                    assert!(percent <= 50, "{name} earned {percent} %");
                }
            }
        }
    }
}

#[test]
fn cheats_do_not_hurt_others() {
    for vertical in ALL {
        let cast = vertical.cast(SEED);
        let honest = |device: &super::CastDevice| device.role == Role::Honest;
        let alone = play(
            *vertical,
            &Scene {
                plays: &honest,
                ..Scene::default()
            },
        );
        let together = play(*vertical, &Scene::default());
        for (place, device) in cast.devices().iter().enumerate().filter(|(_, device)| honest(device)) {
            let (before, after) = (alone.units[place], together.units[place]);
            assert!(
                after * 100 >= before * 99,
                "{}: {before} units without cheats, {after} with them",
                device.name
            );
        }
    }
}

#[test]
fn order_shards_and_names_do_not_matter() {
    for vertical in ALL {
        let story = play(
            *vertical,
            &Scene {
                epochs: 48,
                ..Scene::default()
            },
        );
        for (shards, shuffle) in [(64, None), (1, Some(1)), (5, Some(2))] {
            let other = play(
                *vertical,
                &Scene {
                    epochs: 48,
                    shards,
                    shuffle,
                    ..Scene::default()
                },
            );
            assert!(
                other.findings == story.findings && other.memories == story.memories,
                "{shards} shards, {shuffle:?}"
            );
        }
        let renamed = play(
            *vertical,
            &Scene {
                epochs: 48,
                renamed: true,
                ..Scene::default()
            },
        );
        assert_eq!(renamed.units, story.units);
        assert_eq!(renamed.reasons, story.reasons);
    }
}

#[test]
fn yesterdays_answers_fail() {
    for vertical in ALL {
        for today_in_the_envelope in [false, true] {
            let late = play::late(*vertical, today_in_the_envelope);
            assert!(!late.is_empty());
            assert!(late.iter().all(|finding| finding.units == 0), "an old body was paid");
        }
    }
}

#[test]
fn bills_are_monotone() {
    for vertical in ALL {
        let params = vertical.default_params();
        let bill = |delivered| vertical.meter(&params, delivered).expect("defaults").credits;
        assert_eq!(bill(0).0, 0);
        let ladder = (0..64)
            .flat_map(|power| [1u64 << power, (1 << power) + 1])
            .chain([u64::MAX]);
        let bills: Vec<_> = ladder.map(bill).collect();
        assert!(bills.is_sorted() && bills[0].0 > 0);
    }
}

#[test]
fn a_device_that_earned_can_be_offered() {
    for vertical in ALL {
        let members = roster(*vertical, &Scene::default());
        let story = play(
            *vertical,
            &Scene {
                epochs: 3,
                ..Scene::default()
            },
        );
        for finding in story.findings.iter().flatten() {
            let member = members
                .iter()
                .find(|member| member.number == finding.device)
                .expect("a member");
            assert_eq!(vertical.offer(member, finding).is_some(), finding.units > 0);
        }
    }
}

#[test]
fn an_epoch_that_no_ledger_has_is_refused() {
    for vertical in ALL {
        let params = vertical.default_params();
        let mut members = roster(*vertical, &Scene::default());
        let none = play::epoch(0, &params, &[], &[]);
        assert_eq!(
            assess(*vertical, &none, &[], 0).map(|assessment| assessment.findings),
            Ok(Vec::new())
        );
        members.swap(0, 1);
        assert!(
            assess(*vertical, &play::epoch(0, &params, &members, &[]), &[], 1).is_err(),
            "unsorted roster"
        );
        let clock = EpochClock {
            genesis: CLOCK.genesis,
            epoch_ms: 0,
        };
        let empty = super::Epoch {
            end: clock.genesis,
            ..none
        };
        assert!(assess(*vertical, &empty, &[], 1).is_err(), "no time");
        let cell: CellId = members[0].cell;
        assert!(
            members
                .iter()
                .all(|member| member.cell.resolution() == cell.resolution())
        );
    }
}
