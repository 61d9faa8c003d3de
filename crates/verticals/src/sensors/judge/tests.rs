//! Each rule on a small made network, just beyond its limit and just within: a row fails when its rule is removed, and
//! another when the rule is too strict.

use super::memory::Memory;
use super::reasons::*;
use crate::kit::reasons::{MALFORMED, NOT_A_MEMBER, STANDING};
use crate::kit::{self, Admitted, Assessment, Epoch, Member, Reading, assess};
use crate::sensors::Sensors;
use crate::sensors::params::{Params, weather};
use crate::sensors::report::{self, RAIN, TEMPERATURE};
use cairn_types::{
    AccountNumber, CellId, DeviceId, DeviceNumber, EpochNumber, NetworkId, Reason, ReportId, TimeMs, hash,
};

const START: u64 = 1_500_076_800_000;
const HOUR_MS: u64 = 3_600_000;
const SLOT_MS: u64 = 300_000;

fn members(count: u32, cell_of: impl Fn(u32) -> usize) -> Vec<Member> {
    let city = "881969c9b7fffff".parse::<CellId>().expect("a cell").disk(2);
    let member = |number| Member {
        number: DeviceNumber(number),
        device: DeviceId([number as u8; 32]),
        operator: AccountNumber(number),
        cell: city[cell_of(number)],
        joined: EpochNumber(0),
        barred_until: None,
    };
    (0..count).map(member).collect()
}

fn epoch<'a>(hour: u64, params: &'a [u8], roster: &'a [Member], memory: &'a [u8]) -> Epoch<'a> {
    let [start, end] = [hour, hour + 1].map(|hour| TimeMs(START + hour * HOUR_MS));
    Epoch {
        network: NetworkId([1; 32]),
        epoch: EpochNumber(hour),
        start,
        end,
        params,
        roster,
        memory,
        beacon: [0; 32],
    }
}

fn admitted(device: u32, sequence: u64, readings: &[Reading]) -> Admitted {
    let body = report::encode(readings).expect("a body");
    let time = readings.iter().map(|reading| reading.time).max().expect("readings");
    let id = ReportId(hash::domain("test", &[&device.to_be_bytes(), &sequence.to_be_bytes(), &body]).0);
    Admitted {
        id,
        device: DeviceNumber(device),
        time,
        received: time.plus_ms(60_000),
        sequence,
        body,
    }
}

/// What became of one device's slots over a story of full hours: `.` believed, else a letter of the reason.
fn verdicts(assessments: &[Assessment], device: u32) -> String {
    let letter = |reason: Option<Reason>| match reason {
        None => '.',
        Some(RANGE) => 'r',
        Some(COPIED) => 'c',
        Some(REPLAYED) => 'y',
        Some(WRONG_PLACE) => 'p',
        Some(WRONG_UNIT) => 'u',
        Some(FAULTY_ZERO) => 'z',
        Some(HIGH_INFLUX) => 'h',
        Some(APART) => 'a',
        Some(JUMP) => 'j',
        Some(STUCK) => 's',
        Some(_) => '?',
    };
    let findings = assessments.iter().flat_map(|assessment| &assessment.findings);
    let spans = findings
        .filter(|finding| finding.device.0 == device)
        .flat_map(|finding| &finding.spans);
    spans
        .filter(|span| span.quantity != STANDING)
        .flat_map(|span| (0..(span.end.0 - span.start.0) / SLOT_MS).map(move |_| letter(span.reason)))
        .collect()
}

/// Plays `hours` in which every device says `says(device, slot)` of one quantity.
fn play(devices: u32, quantity: u16, hours: u64, says: impl Fn(u32, u64) -> Option<i64>) -> Vec<Assessment> {
    let (params, roster) = (weather().encode(), members(devices, |number| number as usize % 19));
    let mut assessments: Vec<Assessment> = Vec::new();
    for hour in 0..hours {
        let report = |device| {
            let slots = hour * 12..(hour + 1) * 12;
            let readings: Vec<Reading> = slots
                .filter_map(|slot| {
                    Some(Reading {
                        quantity,
                        time: TimeMs(START + slot * SLOT_MS),
                        value: says(device, slot)?,
                    })
                })
                .collect();
            (!readings.is_empty()).then(|| admitted(device, hour, &readings))
        };
        let reports: Vec<Admitted> = (0..devices).filter_map(report).collect();
        let memory = assessments.last().map_or(&[][..], |before| &before.memory);
        assessments.push(assess(&Sensors, &epoch(hour, &params, &roster, memory), &reports, 2).expect("an epoch"));
    }
    assessments
}

/// Checks one device's verdicts, and that nobody else is refused anything.
#[track_caller]
fn check(name: &str, devices: u32, quantity: u16, says: impl Fn(u32, u64) -> Option<i64>, expected: &str) {
    let slots = expected.chars().filter(|c| !c.is_whitespace()).count() as u64;
    let assessments = play(devices, quantity, slots.div_ceil(12), |device, slot| {
        says(device, slot).filter(|_| slot < slots)
    });
    let expected: String = expected.split_whitespace().collect();
    assert_eq!(verdicts(&assessments, 0), expected, "{name}");
    for other in 1..devices {
        let verdicts = verdicts(&assessments, other);
        assert!(
            verdicts.chars().all(|verdict| verdict == '.'),
            "{name}: device {other} {verdicts}"
        );
    }
}

/// Rain that differs from gauge to gauge and slot to slot, never zero.
fn shower(device: u32, slot: u64) -> i64 {
    let hash = hash::domain("shower", &[&device.to_be_bytes(), &slot.to_be_bytes()]).0;
    101 * (2 + i64::from(hash[0] % 5))
}

#[test]
fn a_zero_is_faulty_after_six_slots_of_rain_around_until_rain_is_seen() {
    let wet_for = |wet: std::ops::Range<u64>, own: fn(u64) -> i64| {
        move |device: u32, slot: u64| {
            Some(if device == 0 {
                own(slot)
            } else if wet.contains(&slot) {
                shower(device, slot)
            } else {
                0
            })
        }
    };
    check("six slots", 6, RAIN, wet_for(0..6, |_| 0), "............ ............");
    check(
        "seven slots",
        6,
        RAIN,
        wet_for(0..7, |_| 0),
        "......zzzzzz zzzzzzzzzzzz",
    );
    check(
        "across the hour",
        6,
        RAIN,
        wet_for(8..15, |_| 0),
        "............ ..zzzzzzzzzz",
    );
    check(
        "until a tip",
        6,
        RAIN,
        wet_for(0..24, |slot| i64::from(slot == 14)),
        "......zzzzzz zz.......zzz",
    );
    check(
        "four neighbours prove nothing",
        5,
        RAIN,
        wet_for(0..24, |_| 0),
        "............ ............",
    );
    let silent = play(6, RAIN, 2, |device, slot| match device {
        0 => (slot >= 12).then_some(0),
        _ => Some(shower(device, slot)),
    });
    assert_eq!(
        verdicts(&silent, 0),
        "zzzzzzzzzzzz",
        "silence while it rains opens the verdict, as published"
    );
}

#[test]
fn an_influx_is_high_beyond_ten_millimetres_or_twenty_five_times_the_median() {
    let says = |around: i64, own: i64| {
        move |device: u32, slot: u64| {
            Some(if device > 0 {
                around
            } else if slot == 2 {
                own
            } else {
                around
            })
        }
    };
    for (around, own, expected) in [
        (0, 10_000, "............"),
        (0, 10_001, "..h........."),
        (399, 10_001, "..h........."),
        (400, 10_000, "............"),
        (400, 10_001, "..h........."),
        (800, 20_000, "............"),
        (800, 20_001, "..h........."),
    ] {
        check(&format!("{own} of {around}"), 6, RAIN, says(around, own), expected);
    }
    check(
        "four neighbours prove nothing",
        5,
        RAIN,
        says(0, 40_000),
        "............",
    );
}

#[test]
fn values_beyond_the_range_jumps_and_standing_values_are_refused() {
    let alone = |series: Vec<i64>| move |_: u32, slot: u64| series.get(slot as usize).copied();
    let temperature = |at: usize, value: i64| {
        let mut series: Vec<i64> = (0..12).map(|slot| 10_000 + 100 * slot).collect();
        series[at] = value;
        series
    };
    check(
        "rain below zero",
        1,
        RAIN,
        alone([vec![-1], vec![0; 11]].concat()),
        "r...........",
    );
    check(
        "rain beyond records",
        1,
        RAIN,
        alone([vec![50_001, 50_000], vec![0; 10]].concat()),
        "r...........",
    );
    check("a spike", 1, TEMPERATURE, alone(temperature(4, 16_000)), "....j.......");
    check(
        "a step within bounds",
        1,
        TEMPERATURE,
        alone(temperature(4, 15_000)),
        "............",
    );
    check(
        "two hours of one value",
        1,
        RAIN,
        alone(vec![202; 36]),
        "............ ............ ssssssssssss",
    );
    check(
        "dry for a day",
        1,
        RAIN,
        alone(vec![0; 36]),
        "............ ............ ............",
    );
}

#[test]
fn what_stands_apart_from_all_neighbours_is_refused() {
    let says = |own: i64| {
        move |device: u32, slot: u64| {
            Some(
                if device == 0 {
                    own
                } else {
                    10_000 + 100 * i64::from(device)
                } + slot as i64,
            )
        }
    };
    check("within", 7, TEMPERATURE, says(18_000), "............");
    check("beyond", 7, TEMPERATURE, says(20_000), "aaaaaaaaaaaa");
    check(
        "four neighbours prove nothing",
        5,
        TEMPERATURE,
        says(20_000),
        "............",
    );
}

#[test]
fn a_copy_is_refused_and_its_original_is_not() {
    let copies = |device: u32, slot: u64| Some(shower(if device == 5 { 2 } else { device }, slot));
    let assessments = play(6, RAIN, 3, copies);
    assert!(
        verdicts(&assessments, 5).ends_with("cccccccccccc"),
        "{}",
        verdicts(&assessments, 5)
    );
    assert!(!verdicts(&assessments, 2).contains('c'), "the original joined earlier");
    let apart = play(6, RAIN, 3, |device, slot| Some(shower(device, slot)));
    assert!((0..6).all(|device| !verdicts(&apart, device).contains('c')));
    let dry = play(6, RAIN, 3, |_, _| Some(0));
    assert!(
        (0..6).all(|device| !verdicts(&dry, device).contains('c')),
        "equal zeros prove nothing"
    );
}

#[test]
fn whoever_was_received_clearly_earlier_is_the_original() {
    let (params, roster) = (Params::default().encode(), members(2, |number| number as usize));
    for (lead_ms, copy) in [(SLOT_MS, 1), (SLOT_MS + 1, 0)] {
        let mut memory = Vec::new();
        let mut refused = Vec::new();
        for hour in 0..3 {
            let reading = |slot| Reading {
                quantity: RAIN,
                time: TimeMs(START + (hour * 12 + slot) * SLOT_MS),
                value: shower(0, hour * 12 + slot),
            };
            let mut reports = [0, 1].map(|device| admitted(device, hour, &(0..12).map(reading).collect::<Vec<_>>()));
            reports[0].received = reports[1].received.plus_ms(lead_ms);
            let assessment = assess(&Sensors, &epoch(hour, &params, &roster, &memory), &reports, 1).expect("an epoch");
            refused = assessment
                .findings
                .iter()
                .filter(|f| f.reason == Some(COPIED))
                .map(|f| f.device.0)
                .collect();
            memory = assessment.memory;
        }
        assert_eq!(refused, [copy], "lead of {lead_ms} ms");
    }
}

#[test]
fn an_original_that_was_once_late_is_not_taken_for_the_copy() {
    let (params, roster) = (Params::default().encode(), members(2, |number| number as usize));
    let mut memory = Vec::new();
    for hour in 0..12 {
        let reading = |slot| Reading {
            quantity: RAIN,
            time: TimeMs(START + (hour * 12 + slot) * SLOT_MS),
            value: shower(0, hour * 12 + slot),
        };
        let readings: Vec<Reading> = (0..12).map(reading).collect();
        let mut reports = [0, 1].map(|device| admitted(device, hour, &readings));
        let late = usize::from(hour != 0);
        reports[late].received = reports[late].received.plus_ms(2 * SLOT_MS);
        let assessment = assess(&Sensors, &epoch(hour, &params, &roster, &memory), &reports, 1).expect("an epoch");
        let refused = |device| {
            assessment
                .findings
                .iter()
                .any(|f| f.device.0 == device && f.reason == Some(COPIED))
        };
        assert!(!refused(0), "hour {hour}");
        assert_eq!(refused(1), hour >= 2, "hour {hour}");
        memory = assessment.memory;
    }
}

#[test]
fn a_repeated_day_is_refused_and_a_new_one_is_not() {
    let says =
        |lag: u64| move |device: u32, slot: u64| Some(shower(device, if slot >= lag { slot % lag } else { slot }));
    let replayed = play(1, RAIN, 30, says(24 * 12));
    assert!(verdicts(&replayed, 0)[..24 * 12].chars().all(|verdict| verdict == '.'));
    assert!(verdicts(&replayed, 0).ends_with("yyyyyyyyyyyyyyyyyyyyyyyy"));
    let new = play(1, RAIN, 30, says(u64::MAX));
    assert!(!verdicts(&new, 0).contains('y'));
}

#[test]
fn another_unit_is_refused_when_it_has_rained_enough() {
    let says = |mul: i64, div: i64| {
        move |device: u32, slot: u64| {
            Some(if device == 0 {
                shower(0, slot) * mul / div
            } else {
                shower(device, slot)
            })
        }
    };
    for (name, mul, div, found) in [
        ("inches", 10, 254, true),
        ("sixteenths", 16, 1, true),
        ("half blocked", 1, 2, false),
    ] {
        let verdicts = verdicts(&play(7, RAIN, 3, says(mul, div)), 0);
        assert_eq!(verdicts.ends_with("uuuuuuuuuuuu"), found, "{name}: {verdicts}");
        assert!(verdicts.starts_with("............"), "{name}: {verdicts}");
    }
}

#[test]
fn rain_at_other_hours_than_around_is_another_place() {
    let wet = |hour: u64| hour.is_multiple_of(3);
    let says = |shift: u64| {
        move |device: u32, slot: u64| {
            let hour = slot / 12 + if device == 0 { shift } else { 0 };
            Some(if wet(hour) { shower(device, slot) } else { 0 })
        }
    };
    assert!(verdicts(&play(7, RAIN, 72, says(1)), 0).ends_with("pppppppppppp"));
    assert!(!verdicts(&play(7, RAIN, 72, says(0)), 0).contains('p'));
}

/// Findings of one hour's reports in a network of two.
fn hour(params: &Params, reports: &[Admitted]) -> Vec<(u64, Option<Reason>, Vec<Option<Reason>>)> {
    let (params, roster) = (params.encode(), members(2, |number| number as usize));
    let assessment = assess(&Sensors, &epoch(0, &params, &roster, &[]), reports, 1).expect("an epoch");
    let finding = |report: &Admitted| {
        assessment
            .findings
            .iter()
            .find(|finding| finding.report == report.id)
            .expect("one each")
    };
    let reasons = |report| finding(report).spans.iter().map(|span| span.reason).collect();
    reports
        .iter()
        .map(|report| (finding(report).units, finding(report).reason, reasons(report)))
        .collect()
}

fn dry(ms: u64) -> Reading {
    Reading {
        quantity: RAIN,
        time: TimeMs(START + ms),
        value: 0,
    }
}

#[test]
fn time_slots_and_repetition_are_checked_reading_by_reading() {
    let params = Params::default();
    let full = 1_000_000 / 12;
    let late = |device, sequence, received: u64, readings: &[Reading]| Admitted {
        received: TimeMs(START + received),
        ..admitted(device, sequence, readings)
    };
    let first = admitted(0, 1, &[dry(0), dry(SLOT_MS)]);
    for (name, report, expected) in [
        (
            "the next slot",
            admitted(0, 2, &[dry(2 * SLOT_MS)]),
            (full, None, vec![None]),
        ),
        (
            "the same time again",
            admitted(0, 2, &[dry(SLOT_MS)]),
            (0, Some(DUPLICATE), vec![Some(DUPLICATE)]),
        ),
        (
            "the same slot again",
            admitted(0, 2, &[dry(SLOT_MS + 1_000)]),
            (0, Some(RATE), vec![Some(RATE)]),
        ),
        (
            "another device",
            admitted(1, 2, &[dry(SLOT_MS)]),
            (full, None, vec![None]),
        ),
        (
            "the hour before",
            late(
                0,
                2,
                0,
                &[Reading {
                    time: TimeMs(START - 1_000),
                    ..dry(0)
                }],
            ),
            (0, Some(OUTSIDE_EPOCH), vec![Some(OUTSIDE_EPOCH)]),
        ),
        (
            "the hour after",
            late(0, 2, HOUR_MS, &[dry(HOUR_MS)]),
            (0, Some(OUTSIDE_EPOCH), vec![Some(OUTSIDE_EPOCH)]),
        ),
        (
            "ten minutes ahead",
            late(0, 2, 0, &[dry(600_000)]),
            (full, None, vec![None]),
        ),
        (
            "more than ten minutes ahead",
            late(0, 2, 0, &[dry(601_000)]),
            (0, Some(AHEAD), vec![Some(AHEAD)]),
        ),
        (
            "later than its report",
            Admitted {
                time: TimeMs(START),
                ..admitted(0, 2, &[dry(600_000)])
            },
            (0, Some(AHEAD), vec![Some(AHEAD)]),
        ),
    ] {
        assert_eq!(hour(&params, &[first.clone(), report])[1], expected, "{name}");
    }
}

#[test]
fn strangers_and_nonsense_get_a_reason_too() {
    let good = admitted(0, 1, &[dry(0)]);
    let nonsense = Admitted {
        body: vec![0xff; 9],
        id: ReportId([9; 32]),
        sequence: 2,
        ..good.clone()
    };
    let stranger = admitted(7, 1, &[dry(0)]);
    let reasons: Vec<_> = hour(&Params::default(), &[good, nonsense, stranger])
        .into_iter()
        .map(|finding| finding.1)
        .collect();
    assert_eq!(reasons, [None, Some(MALFORMED), Some(NOT_A_MEMBER)]);
}

#[test]
fn only_bought_quantities_earn_and_each_is_an_equal_part() {
    let warm = |ms| Reading {
        quantity: TEMPERATURE,
        time: TimeMs(START + ms),
        value: 10_000 + ms as i64 / 1_000,
    };
    let hours = |reading: fn(u64) -> Reading| (0..12).map(|slot| reading(slot * SLOT_MS)).collect::<Vec<_>>();
    let both: Vec<Reading> = hours(dry)
        .into_iter()
        .chain((0..12).map(|slot| warm(slot * SLOT_MS)))
        .collect();
    let temperature = &both[12..];
    for (params, readings, units, reason) in [
        (Params::default(), &both[..12], 1_000_000, None),
        (Params::default(), &both[..6], 500_000, None),
        (Params::default(), &both[..], 1_000_000, None),
        (Params::default(), temperature, 0, Some(NOT_BOUGHT)),
        (weather(), &both[..12], 333_333, None),
        (weather(), &both[..], 666_666, None),
    ] {
        let finding = &hour(&params, &[admitted(0, 1, readings)])[0];
        assert_eq!((finding.0, finding.1), (units, reason));
    }
}

#[test]
fn a_crowd_in_one_cell_shares_what_its_target_earns() {
    let params = Params {
        slot_ms: 1_000,
        crowd_target: 2,
        ..Params::default()
    };
    for (devices, units, reason) in [(1, 277, None), (2, 277, None), (4, 138, None), (600, 0, Some(CROWDED))] {
        let (params, roster) = (params.encode(), members(devices, |_| 0));
        let reports: Vec<Admitted> = (0..devices).map(|device| admitted(device, 1, &[dry(0)])).collect();
        let assessment = assess(&Sensors, &epoch(0, &params, &roster, &[]), &reports, 3).expect("an epoch");
        assert!(
            assessment
                .findings
                .iter()
                .all(|finding| (finding.units, finding.reason) == (units, reason)),
            "{devices}"
        );
    }
}

#[test]
fn a_device_that_leaves_is_forgotten_and_one_that_joins_starts_anew() {
    let params = Params::default().encode();
    let roster = members(4, |number| number as usize);
    let reports: Vec<Admitted> = (0..4).map(|device| admitted(device, 1, &[dry(0)])).collect();
    let all = assess(&Sensors, &epoch(0, &params, &roster, &[]), &reports, 1)
        .expect("an epoch")
        .memory;
    let rest = assess(&Sensors, &epoch(1, &params, &roster[1..3], &all), &[], 1)
        .expect("an epoch")
        .memory;
    let numbers = |memory| {
        let memory = kit::memory::Memory::decode(memory).expect("the kit's");
        Memory::decode(memory.vertical)
            .expect("ours")
            .devices
            .iter()
            .map(|device| device.number.0)
            .collect::<Vec<_>>()
    };
    assert_eq!((numbers(&all), numbers(&rest)), (vec![0, 1, 2, 3], vec![1, 2]));
}
