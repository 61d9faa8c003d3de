//! Each refusal, in the batch with good reports around it; order, suspects, and any bytes at all.

use super::*;
use crate::world::{self, CLOCK, START, WINDOWS, device_key, key, plain, sealed};
use cairn_types::{AccountNumber, CellId, PublicKey, Report, SecretKey};

const NETWORK: NetworkId = NetworkId([5; 32]);
const OTHER: NetworkId = NetworkId([6; 32]);

fn now() -> TimeMs {
    START.plus_ms(world::HOUR * 10 + 600_000)
}

fn member(number: u32, key: PublicKey) -> RosterMember {
    RosterMember {
        number: DeviceNumber(number),
        key,
        operator: AccountNumber(0),
        cell: "881969c9b7fffff".parse::<CellId>().unwrap(),
        joined: EpochNumber(0),
        barred_until: None,
    }
}

/// Devices 0..4 are members in hour 10, device 0 in hours 9 and 11 too, device 4 in hour 11 alone; 8 is a P-256 device; 9 is a member of the other network.
fn intake() -> Intake {
    let mut intake = Intake::new(CLOCK, WINDOWS);
    intake.serve(NETWORK, &world::SENSORS, EpochNumber(9));
    intake.serve(OTHER, &world::SENSORS, EpochNumber(9));
    let mut roster: Vec<_> = (0..4).map(|at| member(at, device_key(at as usize).public())).collect();
    roster.push(member(8, p256().public()));
    let network = intake.network_mut(&NETWORK).unwrap();
    network.set_roster(EpochNumber(9), &roster[..1], TimeMs(0));
    network.set_roster(EpochNumber(10), &roster, TimeMs(0));
    network.set_roster(
        EpochNumber(11),
        &[roster[0], member(4, device_key(4).public())],
        TimeMs(0),
    );
    let other = intake.network_mut(&OTHER).unwrap();
    other.set_roster(EpochNumber(10), &[member(9, device_key(9).public())], TimeMs(0));
    intake
}

fn p256() -> SecretKey {
    SecretKey::p256([3; 32]).unwrap()
}

fn check(intake: &mut Intake, envelopes: &[Vec<u8>]) -> Vec<Verdict> {
    let slices: Vec<&[u8]> = envelopes.iter().map(Vec::as_slice).collect();
    intake.check(now(), &slices)
}

fn refusal(verdict: &Verdict) -> Option<IntakeRefusal> {
    match verdict {
        Verdict::Refused(refusal, _) => Some(*refusal),
        _ => None,
    }
}

fn record(intake: &mut Intake, verdict: &Verdict) {
    let Verdict::Accepted(new) = verdict else {
        panic!("{verdict:?}")
    };
    let location = crate::log::Location {
        segment: 0,
        offset: 0,
        bytes: 0,
    };
    let seen = Seen {
        id: new.id,
        device: new.device,
        sequence: new.sequence,
        received: now(),
        location,
    };
    assert!(intake.network_mut(&new.network).unwrap().record(new.epoch, seen));
}

#[test]
fn the_table_of_refusals() {
    use IntakeRefusal as R;
    let good = sealed(NETWORK, 0, now(), 7);
    let at = |time: TimeMs| sealed(NETWORK, 0, time, 9);
    let with = |change: &dyn Fn(&mut Report)| {
        let mut report = plain(NETWORK, now(), 9);
        change(&mut report);
        Envelope::seal(&report, &device_key(1))
    };
    let broken = |at_end: usize| {
        let mut bytes = sealed(NETWORK, 1, now(), 9);
        let at = bytes.len() - at_end;
        bytes[at] ^= 1;
        bytes
    };
    let hour = |number: u64| CLOCK.start(EpochNumber(number));
    let table: Vec<(&str, Vec<u8>, Option<R>)> = vec![
        ("good", sealed(NETWORK, 1, now(), 9), None),
        ("good, P-256", Envelope::seal(&plain(NETWORK, now(), 9), &p256()), None),
        ("empty", vec![], Some(R::Malformed)),
        ("random", vec![0xd2, 0x84, 0x43], Some(R::Malformed)),
        ("truncated", good[..good.len() - 1].to_vec(), Some(R::Malformed)),
        ("padded", [good.as_slice(), &[0]].concat(), Some(R::Malformed)),
        ("too long", vec![0; 16 * 1024 + 1], Some(R::TooLong)),
        (
            "foreign network",
            sealed(NetworkId([9; 32]), 1, now(), 9),
            Some(R::OtherNetwork),
        ),
        ("unknown device", sealed(NETWORK, 77, now(), 9), Some(R::UnknownDevice)),
        (
            "member of another network",
            sealed(NETWORK, 9, now(), 9),
            Some(R::NotMember),
        ),
        (
            "member in another hour",
            sealed(NETWORK, 4, now(), 9),
            Some(R::NotMember),
        ),
        ("signature of other bytes", broken(1), Some(R::WrongSignature)),
        ("a little ahead", at(now().plus_ms(WINDOWS.ahead_ms_max)), None),
        ("ahead", at(now().plus_ms(WINDOWS.ahead_ms_max + 1)), Some(R::TooEarly)),
        ("far ahead", at(TimeMs(u64::MAX)), Some(R::TooEarly)),
        ("an hour that is over", at(TimeMs(hour(10).0 - 1)), Some(R::TooLate)),
        ("before genesis", at(TimeMs(START.0 - 1)), Some(R::TooLate)),
        ("time zero", at(TimeMs(0)), Some(R::TooLate)),
        (
            "no body of the vertical",
            with(&|report| report.body = vec![0xff]),
            Some(R::BadBody),
        ),
        ("empty body", with(&|report| report.body = vec![]), Some(R::BadBody)),
    ];
    for (what, bytes, expected) in table {
        let verdicts = check(
            &mut intake(),
            &[sealed(NETWORK, 3, now(), 1), bytes, sealed(NETWORK, 3, now(), 2)],
        );
        assert_eq!(refusal(&verdicts[1]), expected, "{what}: {:?}", verdicts[1]);
        assert!(
            matches!(verdicts[0], Verdict::Accepted(_)) && matches!(verdicts[2], Verdict::Accepted(_)),
            "{what}"
        );
    }
}

#[test]
fn a_key_of_the_other_kind_is_refused() {
    let mut intake = intake();
    let mut envelope = Envelope::seal(&plain(NETWORK, now(), 9), &p256());
    // EdDSA (-8) in place of ES256 (-7), in the protected header.
    let at = envelope.windows(2).position(|pair| pair == [0x01, 0x26]).unwrap();
    envelope[at + 1] = 0x27;
    assert_eq!(
        refusal(&check(&mut intake, &[envelope])[0]),
        Some(IntakeRefusal::WrongKey)
    );
}

#[test]
fn the_hour_before_takes_reports_until_its_grace_is_over() {
    let mut intake = intake();
    let late = sealed(NETWORK, 0, TimeMs(CLOCK.start(EpochNumber(10)).0 - 1), 9);
    let grace_ends = CLOCK.start(EpochNumber(10)).plus_ms(WINDOWS.grace_ms);
    let in_time = intake.check(TimeMs(grace_ends.0 - 1), &[&late]);
    assert!(
        matches!(
            in_time[0],
            Verdict::Accepted(Accepted {
                epoch: EpochNumber(9),
                ..
            })
        ),
        "{in_time:?}"
    );
    assert_eq!(
        refusal(&intake.check(grace_ends, &[&late])[0]),
        Some(IntakeRefusal::TooLate)
    );
    intake.network_mut(&NETWORK).unwrap().seal(EpochNumber(9));
    let sealed = intake.check(TimeMs(grace_ends.0 - 1), &[&late]);
    assert_eq!(refusal(&sealed[0]), Some(IntakeRefusal::TooLate));
}

#[test]
fn a_roster_not_loaded_is_a_reason_to_come_back() {
    let mut intake = Intake::new(CLOCK, WINDOWS);
    intake.serve(NETWORK, &world::SENSORS, EpochNumber(0));
    assert_eq!(
        refusal(&check(&mut intake, &[sealed(NETWORK, 0, now(), 1)])[0]),
        Some(IntakeRefusal::Unavailable)
    );
}

#[test]
fn sequences_rise_and_a_report_on_disk_is_known_again() {
    let mut intake = intake();
    let (five, six) = (sealed(NETWORK, 1, now(), 5), sealed(NETWORK, 1, now(), 6));
    let verdicts = check(&mut intake, &[six.clone(), five.clone(), six.clone()]);
    assert!(
        matches!(
            verdicts[..],
            [Verdict::Accepted(_), Verdict::Accepted(_), Verdict::Again(_)]
        ),
        "{verdicts:?}"
    );
    record(&mut intake, &verdicts[1]);
    record(&mut intake, &verdicts[0]);
    let again = check(&mut intake, &[five, six]);
    assert!(matches!(again[..], [Verdict::Known(_), Verdict::Known(_)]), "{again:?}");
    for sequence in [0, 5, 6] {
        let other = sealed(NETWORK, 1, now().plus_ms(1), sequence);
        assert_eq!(
            refusal(&check(&mut intake, &[other])[0]),
            Some(IntakeRefusal::SequenceUsed)
        );
    }
    let two_at_once = [sealed(NETWORK, 1, now(), 8), sealed(NETWORK, 1, now().plus_ms(1), 8)];
    let verdicts = check(&mut intake, &two_at_once);
    assert_eq!(refusal(&verdicts[1]), Some(IntakeRefusal::SequenceUsed));
    assert!(matches!(verdicts[0], Verdict::Accepted(_)));
}

#[test]
fn another_signature_over_a_known_report_is_the_same_report() {
    let mut intake = intake();
    let first = Envelope::seal(&plain(NETWORK, now(), 5), &p256());
    let second = Envelope::seal(&plain(NETWORK, now(), 5), &p256());
    let verdicts = check(&mut intake, &[first.clone(), second.clone()]);
    assert!(
        matches!(verdicts[..], [Verdict::Accepted(_), Verdict::Again(_)]),
        "{verdicts:?}"
    );
    record(&mut intake, &verdicts[0]);
    assert!(matches!(check(&mut intake, &[second])[..], [Verdict::Known(_)]));
}

#[test]
fn a_device_under_whose_name_bad_signatures_come_is_checked_apart_and_still_heard() {
    let mut intake = intake();
    let mut forged = Envelope::parse(&sealed(NETWORK, 1, now(), 50)).unwrap();
    forged.signature = key(9).sign(b"else");
    let bytes = sealed(NETWORK, 1, now(), 50);
    let forged = [&bytes[..bytes.len() - 64], &forged.signature.0].concat();
    for round in 0..u64::from(STRIKES) + 2 {
        let honest = sealed(NETWORK, 1, now(), round + 1);
        let verdicts = if round == 0 {
            check(&mut intake, &[forged.clone(), honest])
        } else {
            check(&mut intake, &[honest])
        };
        let last = verdicts.last().unwrap();
        assert!(matches!(last, Verdict::Accepted(_)), "{last:?}");
        record(&mut intake, last);
        assert_eq!(
            intake.suspects(),
            usize::from(round < u64::from(STRIKES)),
            "round {round}"
        );
    }
}

#[test]
fn any_bytes_get_a_verdict() {
    let mut intake = intake();
    let good = sealed(NETWORK, 0, now(), 7);
    let mut state = 9u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..300 {
        let envelopes: Vec<Vec<u8>> = (0..8)
            .map(|_| {
                let mut bytes = good.clone();
                for _ in 0..random() % 4 {
                    let at = random() as usize % bytes.len();
                    bytes[at] = random() as u8;
                }
                bytes.truncate(random() as usize % (2 * bytes.len()));
                bytes
            })
            .collect();
        let verdicts = check(&mut intake, &envelopes);
        assert_eq!(verdicts.len(), envelopes.len());
        for (verdict, bytes) in verdicts.iter().zip(&envelopes) {
            assert!(refusal(verdict).is_some() || *bytes == good);
        }
    }
}
