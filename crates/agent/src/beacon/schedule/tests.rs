//! One radio's beacon from the seed to the report, whatever happens in between; each act is played by hand.

use super::*;
use cairn_types::{CellId, DeviceNumber};
use cairn_verticals::kit::Driver as _;
use cairn_verticals::wireless::driver::HotspotDriver;
use cairn_verticals::wireless::report::{Beacon, Body};

const HOUR: EpochClock = EpochClock {
    genesis: TimeMs(0),
    epoch_ms: 3_600_000,
};
const EPOCH: EpochNumber = EpochNumber(7);
const SEED: [u8; 32] = [9; 32];
const NONCE: u64 = u64::MAX - 4;

fn standing(number: u32, cell: &str, joined: u64) -> Standing {
    Standing {
        device: DeviceId([number as u8; 32]),
        number: DeviceNumber(number),
        cell: cell.parse().unwrap(),
        joined: EpochNumber(joined),
    }
}

fn members() -> Vec<Standing> {
    vec![standing(1, "881969c9b7fffff", 0), standing(2, "881969c9b1fffff", 0)]
}

fn schedule(book: Option<Book>) -> Schedule {
    let net = Net {
        id: NetworkId([3; 32]),
        clock: HOUR,
        params: Params::default(),
    };
    let hotspot = Hotspot {
        forwarder: 5,
        network: 0,
        name: "roof".into(),
        device: DeviceId([1; 32]),
        region: region::by_number(0).unwrap(),
        station: json!({ "region": "EU868", "height": 240 }),
        power_dbm: None,
    };
    Schedule::new(vec![net], vec![hotspot], book)
}

/// What the radio is asked for, as the judge computes it.
fn asked() -> Due {
    let region = region::by_number(0).unwrap();
    let times = (EPOCH, HOUR.start(EPOCH), HOUR.end(EPOCH));
    let cell: CellId = "881969c9b7fffff".parse().unwrap();
    due(&Params::default(), region, &SEED, times, (cell, 0))
}

fn step(schedule: &mut Schedule, now: TimeMs) -> Vec<Act> {
    schedule.step(now, &mut || NONCE)
}

/// Until the radio waits for its time.
fn waiting() -> Schedule {
    let mut schedule = schedule(Some(Book::new()));
    let start = HOUR.start(EPOCH).plus_ms(1_000);
    let ask = Act::Ask {
        network: 0,
        epoch: EPOCH,
    };
    assert_eq!(step(&mut schedule, start), std::slice::from_ref(&ask));
    assert_eq!(step(&mut schedule, start.plus_ms(1)), [], "one question at a time");
    schedule.learn(0, EPOCH, Ok(None), start.plus_ms(2));
    assert_eq!(step(&mut schedule, start.plus_ms(3)), []);
    assert_eq!(schedule.status()[0].state, "asking");
    assert_eq!(step(&mut schedule, start.plus_ms(20_000)), [ask]);
    answer(&mut schedule, Some(SEED), members(), start.plus_ms(20_001));
    schedule
}

fn answer(schedule: &mut Schedule, seed: Option<[u8; 32]>, members: Vec<Standing>, now: TimeMs) {
    let challenge = Challenge {
        seed,
        members,
        params: None,
    };
    schedule.learn(0, EPOCH, Ok(Some(challenge)), now);
    assert_eq!(step(schedule, now), []);
}

/// Until the forwarder has it: its number, and the frame.
fn handed(schedule: &mut Schedule, now: TimeMs) -> (u32, Value) {
    let acts = step(schedule, now);
    let [Act::Send { forwarder: 5, id, json }] = acts.as_slice() else {
        panic!("{acts:?}")
    };
    let book = schedule.to_keep().expect("it is kept first");
    assert_eq!(book[&DeviceId([1; 32])].stage, Stage::Handed);
    (*id, serde_json::from_slice(json).unwrap())
}

fn reported(act: &Act, now: TimeMs) -> Beacon {
    let Act::Report { device, message, .. } = act else {
        panic!("{act:?}")
    };
    assert_eq!(device, "roof");
    let mut driver = HotspotDriver::new(HOUR, 3);
    assert_eq!(driver.push(message, now), Ok(1));
    let body = Body::decode(&driver.packs(TimeMs(u64::MAX))[0].body).unwrap();
    assert_eq!((body.station.region, body.station.height_m), (0, Some(240)));
    body.beacons[0]
}

/// The outbox has a report; what the book says then.
fn in_outbox(schedule: &mut Schedule, act: &Act) -> Option<Book> {
    let Act::Report { beacon, .. } = act else {
        panic!("{act:?}")
    };
    schedule.reported(*beacon, true);
    let book = schedule.to_keep();
    assert_eq!(book.as_ref().unwrap()[&DeviceId([1; 32])].stage, Stage::Reported);
    book
}

#[test]
fn a_beacon_goes_out_as_the_judge_asks_for_it_and_is_reported_once() {
    let (mut schedule, due) = (waiting(), asked());
    assert_eq!(schedule.status()[0].time, Some(due.time.to_string()));
    assert_eq!(step(&mut schedule, TimeMs(due.time.0 - 1)), []);
    let (id, json) = handed(&mut schedule, due.time.plus_ms(100));
    let txpk = &json["txpk"];
    assert_eq!(txpk["freq"], f64::from(due.frequency_hz) / 1e6);
    assert_eq!(txpk["data"], packet::encode(&due.payload(NONCE)));
    assert_eq!((&txpk["ipol"], &txpk["powe"]), (&json!(false), &json!(16)));
    let now = due.time.plus_ms(200);
    let act = schedule.told(id, "", now).expect("a report");
    assert_eq!(schedule.to_keep(), None, "the outbox has not taken it yet");
    assert_eq!(step(&mut schedule, now), [], "it is on its way");
    in_outbox(&mut schedule, &act);
    let beacon = reported(&act, now);
    assert_eq!(
        (beacon.time, beacon.nonce, beacon.power_ddbm),
        (due.time.plus_ms(100), NONCE, 160)
    );
    assert_eq!((beacon.frequency_hz, beacon.rate), (due.frequency_hz, due.rate));
    assert_eq!(schedule.told(id, "", now), None);
    assert_eq!(step(&mut schedule, due.time.plus_ms(60_000)), []);
    let status = &schedule.status()[0];
    assert_eq!((status.state, status.sent, status.power_dbm), ("sent", 1, Some(16)));
    // The next hour has its own.
    let acts = step(&mut schedule, HOUR.end(EPOCH));
    assert!(
        matches!(
            acts[..],
            [Act::Ask {
                epoch: EpochNumber(8),
                ..
            }]
        ),
        "{acts:?}"
    );
}

#[test]
fn whoever_is_killed_with_a_beacon_at_the_forwarder_reports_it_and_sends_no_other() {
    let (mut schedule, due) = (waiting(), asked());
    let acts = step(&mut schedule, due.time);
    let book = schedule.to_keep();
    assert!(matches!(acts[..], [Act::Send { .. }]));

    let mut again = self::schedule(book.clone());
    let now = due.time.plus_ms(30_000);
    let acts = step(&mut again, now);
    assert_eq!(reported(&acts[0], now).nonce, NONCE);
    assert_eq!(again.to_keep(), None);
    assert_eq!(step(&mut again, now), [], "it is on its way");
    // Killed before the outbox has it, or before the book says so: the very same once more.
    let mut killed = self::schedule(book);
    assert_eq!(step(&mut killed, now)[0], acts[0]);
    let book = in_outbox(&mut again, &acts[0]);
    answer(&mut again, Some(SEED), members(), now);
    assert_eq!(again.status()[0].state, "sent");
    // Killed after it, nothing again.
    let mut third = self::schedule(book);
    assert!(matches!(step(&mut third, now)[..], [Act::Ask { .. }]));
    // An outbox that had no room for long is asked again.
    let Act::Report { beacon, .. } = acts[0] else {
        panic!("{acts:?}")
    };
    killed.reported(beacon, false);
    assert_eq!(step(&mut killed, now), acts[..1]);

    // A clock that goes back makes no second one.
    let mut ahead = waiting();
    step(&mut ahead, due.time);
    let mut book = ahead.to_keep().unwrap();
    book.values_mut().for_each(|entry| entry.epoch = EPOCH.next());
    let mut back = self::schedule(Some(book));
    step(&mut back, HOUR.start(EPOCH));
    answer(&mut back, Some(SEED), members(), HOUR.start(EPOCH));
    assert_eq!((step(&mut back, due.time), back.status()[0].state), (vec![], "none"));

    // So long after, it would be reported to another epoch.
    let (mut schedule, later) = (waiting(), due.time.plus_ms(3_600_000));
    step(&mut schedule, due.time);
    let mut late = self::schedule(schedule.to_keep());
    assert!(matches!(
        step(&mut late, later)[..],
        [Act::Ask {
            epoch: EpochNumber(8),
            ..
        }]
    ));
}

#[test]
fn whoever_is_killed_after_the_radio_sent_and_before_the_outbox_has_it_reports_it() {
    let (mut schedule, due) = (waiting(), asked());
    let acts = step(&mut schedule, due.time);
    let on_disk = schedule.to_keep();
    let [Act::Send { id, .. }] = acts[..] else {
        panic!("{acts:?}")
    };
    let told = schedule.told(id, "", due.time.plus_ms(50)).expect("a report");
    // What is on disk when the process dies here is what was there before the radio had anything.
    let on_disk = schedule.to_keep().or(on_disk);
    let mut again = self::schedule(on_disk);
    assert_eq!(step(&mut again, due.time.plus_ms(900))[0], told);
}

#[test]
fn the_networks_parameters_are_those_of_the_epoch() {
    let mut schedule = schedule(Some(Book::new()));
    let start = HOUR.start(EPOCH);
    step(&mut schedule, start);
    let params = Params {
        beacon_after_ms: 1_800_000,
        ..Params::default()
    };
    let region = region::by_number(0).unwrap();
    let times = (EPOCH, start, HOUR.end(EPOCH));
    let asked = due(&params, region, &SEED, times, (members()[0].cell, 0));
    let challenge = Challenge {
        seed: Some(SEED),
        members: members(),
        params: Some(params),
    };
    schedule.learn(0, EPOCH, Ok(Some(challenge)), start);
    step(&mut schedule, start);
    assert_eq!(schedule.status()[0].time, Some(asked.time.to_string()));
    assert_ne!(asked.time, self::asked().time);
}

#[test]
fn without_the_book_nothing_is_sent_in_the_epoch_under_way() {
    let mut blind = schedule(None);
    let start = HOUR.start(EPOCH);
    assert_eq!(step(&mut blind, start).len(), 1);
    answer(&mut blind, Some(SEED), members(), start);
    assert_eq!(step(&mut blind, asked().time), []);
    assert_eq!(blind.status()[0].state, "none");
    step(&mut blind, HOUR.end(EPOCH));
    assert_eq!(blind.status()[0].state, "asking");
}

#[test]
fn a_forwarder_that_says_nothing_is_taken_to_have_sent() {
    let (mut schedule, due) = (waiting(), asked());
    handed(&mut schedule, due.time);
    assert_eq!(step(&mut schedule, due.time.plus_ms(ANSWER_MS)), []);
    let acts = step(&mut schedule, due.time.plus_ms(ANSWER_MS + 1));
    assert_eq!(reported(&acts[0], due.time).time, due.time);
}

#[test]
fn what_a_forwarder_refuses_is_tried_again_or_given_up_and_never_reported() {
    for (error, power) in [("COLLISION_PACKET", 16), ("TX_POWER", 14)] {
        let (mut schedule, due) = (waiting(), asked());
        let (id, first) = handed(&mut schedule, due.time);
        assert_eq!(schedule.told(id, error, due.time), None);
        assert_eq!(schedule.to_keep().unwrap()[&DeviceId([1; 32])].stage, Stage::Refused);
        assert_eq!(step(&mut schedule, due.time.plus_ms(RETRY_MS - 1)), []);
        let (id, second) = handed(&mut schedule, due.time.plus_ms(RETRY_MS));
        assert_eq!(second["txpk"]["powe"], power);
        assert_eq!(first["txpk"]["data"], second["txpk"]["data"], "it is the same beacon");
        assert!(schedule.told(id, "", due.time.plus_ms(1_100)).is_some());
        // As long as it is refused, until its time is over.
        let mut schedule = waiting();
        let mut now = due.time;
        let mut sent = 0;
        while now < due.time.plus_ms(60_000) {
            for act in step(&mut schedule, now) {
                let Act::Send { id, .. } = act else { panic!("{act:?}") };
                sent += 1;
                assert_eq!(schedule.told(id, error, now), None);
            }
            now = now.plus_ms(250);
        }
        assert!((2..=TRIES_MAX).contains(&sent), "{sent}");
        let status = &schedule.status()[0];
        assert_eq!((status.state, status.failed, status.why.as_str()), ("failed", 1, error));
    }
    let (mut schedule, due) = (waiting(), asked());
    let (id, _) = handed(&mut schedule, due.time);
    assert_eq!(schedule.told(id, "TX_FREQ", due.time), None);
    assert_eq!(schedule.status()[0].state, "failed");
    let book = schedule.to_keep();
    let mut again = self::schedule(book);
    assert!(matches!(step(&mut again, due.time)[..], [Act::Ask { .. }]));
    assert_eq!(again.status()[0].state, "failed");
}

#[test]
fn who_is_asked_for_nothing_says_why() {
    let start = HOUR.start(EPOCH);
    let mut newcomer = members();
    newcomer[0].joined = EPOCH;
    for (seed, members) in [
        (None, members()),
        (Some(SEED), members()[1..].to_vec()),
        (Some(SEED), newcomer),
    ] {
        let mut schedule = schedule(Some(Book::new()));
        step(&mut schedule, start);
        answer(&mut schedule, seed, members, start);
        let status = &schedule.status()[0];
        assert_eq!((status.state, status.why.is_empty()), ("none", false));
        assert_eq!(step(&mut schedule, asked().time), []);
    }
    // A seed that comes too late.
    let mut schedule = schedule(Some(Book::new()));
    step(&mut schedule, start);
    let late = asked().time.plus_ms(6_000);
    answer(&mut schedule, Some(SEED), members(), late);
    assert_eq!(schedule.status()[0].state, "failed");
    // An answer about another epoch is none about this one.
    let mut schedule = self::schedule(Some(Book::new()));
    step(&mut schedule, start);
    let challenge = Challenge {
        seed: Some(SEED),
        members: members(),
        params: None,
    };
    schedule.learn(0, EpochNumber(6), Ok(Some(challenge)), start);
    step(&mut schedule, start);
    assert_eq!(schedule.status()[0].state, "asking");
}

#[test]
fn beacons_of_others_are_recognised_among_frames() {
    let mut schedule = waiting();
    let region = region::by_number(0).unwrap();
    let times = (EPOCH, HOUR.start(EPOCH), HOUR.end(EPOCH));
    let cell: CellId = "881969c9b1fffff".parse().unwrap();
    let other = due(&Params::default(), region, &SEED, times, (cell, 0));
    let heard = |frequency_hz: u32, bytes: usize| {
        let rate = region.rate(other.rate).unwrap().text();
        let data = packet::encode(&other.payload(5)[..bytes]);
        let freq = f64::from(frequency_hz) / 1e6;
        let json =
            format!(r#"{{"rxpk":[{{"freq":{freq},"stat":1,"datr":"{rate}","rssi":-90,"lsnr":5,"data":"{data}"}}]}}"#);
        packet::pushed(json.as_bytes()).unwrap().heard
    };
    let count = |schedule: &Schedule| schedule.status()[0].heard_now;
    schedule.heard(5, &heard(other.frequency_hz, BEACON_BYTES), other.time.plus_ms(700));
    assert_eq!(count(&schedule), 1);
    schedule.heard(5, &heard(other.frequency_hz, 23), other.time);
    schedule.heard(5, &heard(other.frequency_hz + 200_000, BEACON_BYTES), other.time);
    schedule.heard(5, &heard(other.frequency_hz, BEACON_BYTES), other.time.plus_ms(60_000));
    schedule.heard(6, &heard(other.frequency_hz, BEACON_BYTES), other.time);
    assert_eq!(count(&schedule), 1);
}
