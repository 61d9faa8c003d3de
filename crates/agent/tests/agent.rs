//! The agent's promises, with real keys, real drivers, real signatures, and a verifier that checks.

#![allow(clippy::unwrap_used)]

mod stand;

use cairn_agent::agent::{AgentError, TakeError};
use cairn_agent::clock::HandClock;
use cairn_agent::outbox::{Limits, OutboxError};
use cairn_agent::routes::Routes;
use cairn_types::{AccountId, IntakeRefusal, SecretKey};
use stand::*;

fn clock() -> HandClock {
    let clock = HandClock::default();
    clock.set(NOON);
    clock
}

#[tokio::test]
async fn an_hour_of_readings_is_one_report_with_a_receipt() {
    let stand = Stand::new(10);
    let mut agent = stand.open();
    for minute in (0..60).step_by(5) {
        for name in &stand.names {
            let at = NOON.plus_ms(minute * 60_000);
            let device = agent.find(name).unwrap();
            assert_eq!(agent.submit(device, &rain(at, "0.1"), at), Ok(1));
        }
    }
    agent.seal_due(NOON.plus_ms(HOUR_MS + 59_999)).unwrap();
    assert_eq!(agent.waiting(), 0, "grace is not over");
    assert_eq!(agent.next_due(), Some(NOON.plus_ms(HOUR_MS + 60_000)));
    agent.seal_due(NOON.plus_ms(HOUR_MS + 60_000)).unwrap();
    assert_eq!((agent.waiting(), agent.next_due()), (10, None));
    let flushed = agent.flush(&stand.verifier, &clock(), 1).await.unwrap();
    assert_eq!(
        (flushed.receipts.len(), flushed.refused.len(), flushed.waiting),
        (10, 0, 0)
    );
    let taken = stand.verifier.taken();
    assert_eq!(taken.len(), 10);
    for envelope in &taken {
        let expected: Vec<_> = (0..60).step_by(5).map(|minute| (minute, 100)).collect();
        assert_eq!(minutes(std::slice::from_ref(envelope)), expected);
        assert_eq!(envelope.report.time, NOON.plus_ms(55 * 60_000));
        assert_eq!(envelope.report.network, NETWORK);
    }
    let status = agent.status(NOON);
    assert_eq!((status.messages, status.readings, status.sealed), (120, 120, 10));
    assert_eq!((status.sent, status.receipted, status.waiting), (10, 10, 0));
}

/// Messages of one gauge over three hours, with crashes after some of them: minute said, minute it arrives.
const STORY: &[(u64, u64)] = &[
    (0, 0),
    (30, 30),
    (55, 60),
    (61, 61),
    (65, 65),
    (50, 66),
    (90, 90),
    (119, 120),
    (121, 121),
    (125, 125),
    (170, 170),
];

#[tokio::test]
async fn a_crash_between_any_two_steps_loses_no_reading_and_repeats_none() {
    let expected: Vec<u64> = {
        let mut said: Vec<u64> = STORY.iter().map(|(said, _)| *said).collect();
        said.sort_unstable();
        said
    };
    for crash_every in 1..=STORY.len() {
        let mut stand = Stand::new(1);
        let mut agent = stand.open();
        for (step, (said, arrives)) in STORY.iter().enumerate() {
            let (said, now) = (NOON.plus_ms(said * 60_000), NOON.plus_ms(arrives * 60_000));
            let device = agent.find("gauge-0").unwrap();
            agent.submit(device, &rain(said, "0.1"), now).unwrap();
            agent.commit().unwrap();
            if step % crash_every == 0 {
                agent = stand.crash();
            }
            agent.seal_due(now).unwrap();
            if (step + 1) % crash_every == 0 {
                agent = stand.crash();
            }
        }
        agent.seal_all(NOON.plus_ms(171 * 60_000)).unwrap();
        agent = stand.crash();
        agent.seal_all(NOON.plus_ms(172 * 60_000)).unwrap();
        agent.flush(&stand.verifier, &clock(), 1).await.unwrap();
        let taken = stand.verifier.taken();
        let mut said: Vec<u64> = minutes(&taken).into_iter().map(|(minute, _)| minute).collect();
        said.sort_unstable();
        assert_eq!(said, expected, "a crash every {crash_every} steps");
        let sequences: Vec<u64> = taken.iter().map(|envelope| envelope.report.sequence).collect();
        assert!(sequences.is_sorted_by(|a, b| a < b), "{sequences:?}");
    }
}

#[tokio::test]
async fn a_rain_counter_goes_on_over_hours_and_crashes() {
    let said = |minute: u64, inches: &str| {
        let time = NOON.plus_ms(minute * 60_000).to_string();
        let (day, clock) = (&time[..10], &time[11..19]);
        format!("ID=K&dateutc={day}+{clock}&tempf=67.1&dailyrainin={inches}").into_bytes()
    };
    let story = [
        (5, "0.10"),
        (55, "0.20"),
        (61, "0.30"),
        (119, "0.30"),
        (125, "0.50"),
        (170, "0.60"),
    ];
    let mut rains = Vec::new();
    for crashes in [false, true] {
        let mut stand = Stand::new(1);
        let mut agent = stand.open();
        for (minute, inches) in story {
            let now = NOON.plus_ms(minute * 60_000);
            agent.seal_due(now).unwrap();
            let device = agent.find("gauge-0").unwrap();
            agent.submit(device, &said(minute, inches), now).unwrap();
            agent.commit().unwrap();
            if crashes {
                agent = stand.crash();
            }
        }
        agent.seal_all(NOON).unwrap();
        agent.flush(&stand.verifier, &clock(), 1).await.unwrap();
        let rain: i64 = minutes(&stand.verifier.taken())
            .iter()
            .filter(|(_, value)| *value < 19_000)
            .map(|r| r.1)
            .sum();
        rains.push(rain);
    }
    assert_eq!(
        rains,
        [12_700, 12_700],
        "half an inch fell, the first tenth before the first message"
    );
}

#[tokio::test]
async fn a_late_reading_becomes_a_second_report_of_its_hour() {
    let stand = Stand::new(1);
    let mut agent = stand.open();
    let device = agent.find("gauge-0").unwrap();
    let at = |minute: u64| NOON.plus_ms(minute * 60_000);
    agent.submit(device, &rain(at(10), "0.1"), at(10)).unwrap();
    agent.seal_due(at(62)).unwrap();
    agent.submit(device, &rain(at(65), "0.1"), at(65)).unwrap();
    agent.submit(device, &rain(at(20), "0.2"), at(66)).unwrap();
    agent.commit().unwrap();
    agent.seal_due(at(67)).unwrap();
    agent.seal_due(at(130)).unwrap();
    agent.flush(&stand.verifier, &clock(), 1).await.unwrap();
    let taken = stand.verifier.taken();
    assert_eq!(minutes(&taken), [(10, 100), (20, 200), (65, 100)]);
    assert!(
        taken[1].report.sequence > taken[0].report.sequence,
        "although its time is earlier or later"
    );
}

#[tokio::test]
async fn plenty_of_readings_are_sealed_before_the_hour_ends() {
    let stand = Stand::new(1);
    let mut parts = stand.parts();
    parts.networks[0].readings_max = 4;
    let disks = (Box::new(stand.outbox.clone()), Box::new(stand.journal.clone()));
    let mut agent = cairn_agent::agent::Agent::open(parts, &stand.keys(), disks.0, disks.1).unwrap();
    let device = agent.find("gauge-0").unwrap();
    for minute in 0..10 {
        let at = NOON.plus_ms(minute * 60_000);
        agent.submit(device, &rain(at, "0.1"), at).unwrap();
    }
    agent.flush(&stand.verifier, &clock(), 1).await.unwrap();
    assert_eq!(stand.verifier.taken().len(), 2);
    agent.seal_all(NOON).unwrap();
    agent.flush(&stand.verifier, &clock(), 1).await.unwrap();
    let said: Vec<u64> = minutes(&stand.verifier.taken())
        .into_iter()
        .map(|(minute, _)| minute)
        .collect();
    assert_eq!(said, (0..10).collect::<Vec<_>>());
}

/// Ten envelopes and a verifier in some mood: all come through in the end, once each.
async fn check_mood(moods: &[Mood], wrong_answers: u64) -> TestVerifier {
    let stand = Stand::new(10);
    let mut agent = stand.open();
    for name in &stand.names {
        agent
            .submit(agent.find(name).unwrap(), &rain(NOON, "0.1"), NOON)
            .unwrap();
    }
    agent.seal_all(NOON).unwrap();
    stand.verifier.next_moods(moods.iter().cloned());
    let flushed = agent.flush(&stand.verifier, &clock(), 20).await.unwrap();
    assert_eq!((flushed.receipts.len(), flushed.waiting), (10, 0), "{moods:?}");
    assert_eq!(stand.verifier.taken().len(), 10);
    assert_eq!(agent.status(NOON).wrong_answers, wrong_answers, "{moods:?}");
    stand.verifier
}

#[tokio::test]
async fn a_verifier_that_is_down_or_busy_is_tried_again_later() {
    let verifier = check_mood(&[Mood::Down, Mood::Down, Mood::Busy(Some(30_000)), Mood::AnswerLost], 0).await;
    let pauses = verifier.pauses();
    assert_eq!(pauses.len(), 4, "{pauses:?}");
    assert!((250..=500).contains(&pauses[0]), "{pauses:?}");
    assert!((500..=1_000).contains(&pauses[1]), "{pauses:?}");
    assert_eq!(pauses[2], 30_000);
}

#[tokio::test]
async fn a_batch_too_long_is_sent_in_halves() {
    let verifier = check_mood(&[Mood::Unreadable, Mood::Unreadable], 0).await;
    assert!(verifier.batches() > 4, "{}", verifier.batches());
}

#[tokio::test]
async fn a_lying_verifier_gets_nothing_settled() {
    check_mood(&[Mood::WrongKey], 10).await;
    check_mood(&[Mood::OtherReports], 10).await;
    check_mood(&[Mood::Garbage], 1).await;
    check_mood(&[Mood::RefuseAll(IntakeRefusal::DeviceBusy)], 0).await;
}

#[tokio::test]
async fn the_next_verifier_gets_what_the_first_does_not_take_or_answers_wrongly() {
    for mood in [Mood::Down, Mood::WrongKey, Mood::Garbage] {
        let stand = Stand::new(1);
        let mut parts = stand.parts();
        parts.verifiers.push(TestVerifier::as_verifier("http://second"));
        let disks = (Box::new(stand.outbox.clone()), Box::new(stand.journal.clone()));
        let mut agent = cairn_agent::agent::Agent::open(parts, &stand.keys(), disks.0, disks.1).unwrap();
        agent
            .submit(agent.find("gauge-0").unwrap(), &rain(NOON, "0.1"), NOON)
            .unwrap();
        agent.seal_all(NOON).unwrap();
        stand.verifier.next_moods([mood]);
        agent.flush(&stand.verifier, &clock(), 9).await.unwrap();
        assert_eq!(stand.verifier.urls(), ["http://verifier", "http://second"]);
    }
}

#[tokio::test]
async fn a_refused_envelope_is_kept_with_its_reason_and_never_sent_again() {
    let mut stand = Stand::new(2);
    let mut agent = stand.open();
    let stranger = SecretKey::ed25519([77; 32]);
    let report = cairn_types::Report {
        network: NETWORK,
        time: NOON,
        sequence: 1,
        body: vec![0x80],
    };
    agent
        .submit_sealed(cairn_types::Envelope::seal(&report, &stranger), NOON)
        .unwrap();
    agent
        .submit(agent.find("gauge-1").unwrap(), &rain(NOON, "0.1"), NOON)
        .unwrap();
    agent.seal_all(NOON).unwrap();
    let flushed = agent.flush(&stand.verifier, &clock(), 1).await.unwrap();
    assert_eq!((flushed.receipts.len(), flushed.waiting), (1, 0));
    let code = IntakeRefusal::UnknownDevice.code();
    assert_eq!(flushed.refused_by_code().into_iter().collect::<Vec<_>>(), [(code, 1)]);
    assert_eq!(agent.status(NOON).refused_by_reason()["UnknownDevice"], 1);
    agent.finish().unwrap();
    let agent = stand.crash();
    let kept: Vec<_> = agent.refused().collect();
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].code, kept[0].device), (code, stranger.public().device_id()));
    assert_eq!(agent.waiting(), 0);
}

#[tokio::test]
async fn a_lost_answer_and_a_crash_send_again_and_settle_once() {
    let mut stand = Stand::new(3);
    let mut agent = stand.open();
    for name in &stand.names {
        agent
            .submit(agent.find(name).unwrap(), &rain(NOON, "0.1"), NOON)
            .unwrap();
    }
    agent.seal_all(NOON).unwrap();
    stand.verifier.next_moods([Mood::AnswerLost]);
    assert_eq!(agent.flush(&stand.verifier, &clock(), 1).await.unwrap().waiting, 3);
    let mut agent = stand.crash();
    assert_eq!(agent.waiting(), 3);
    assert_eq!(
        agent.flush(&stand.verifier, &clock(), 1).await.unwrap().receipts.len(),
        3
    );
    assert_eq!(stand.verifier.taken().len(), 3);
}

#[tokio::test]
async fn a_full_outbox_refuses_new_messages_and_takes_them_again_once_sent() {
    let mut stand = Stand::new(1);
    stand.limits = Limits {
        bytes_max: 20_000,
        file_bytes: 2_000,
    };
    let mut agent = stand.open();
    let device = agent.find("gauge-0").unwrap();
    let mut taken = 0;
    let error = loop {
        let at = NOON.plus_ms(taken * 1_000);
        match agent.submit(device, &rain(at, "0.1"), at) {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        agent.seal_all(at).unwrap();
    };
    assert_eq!(error, TakeError::OutboxFull);
    assert!(taken > 10, "{taken}");
    assert!(agent.status(NOON).disk_bytes <= 20_000);
    let flushed = agent.flush(&stand.verifier, &clock(), 1).await.unwrap();
    assert_eq!(flushed.receipts.len() as u64, taken);
    assert_eq!(
        agent.submit(device, &rain(NOON.plus_ms(HOUR_MS), "0"), NOON.plus_ms(HOUR_MS)),
        Ok(1)
    );
}

#[tokio::test]
async fn a_full_disk_acknowledges_nothing_and_loses_nothing() {
    let mut stand = Stand::new(1);
    let mut agent = stand.open();
    let device = agent.find("gauge-0").unwrap();
    agent.submit(device, &rain(NOON, "0.1"), NOON).unwrap();
    agent.commit().unwrap();
    stand.outbox.limit(Some(40));
    let later = NOON.plus_ms(60_000);
    agent.submit(device, &rain(later, "0.2"), later).unwrap();
    assert!(matches!(agent.commit(), Err(OutboxError::DiskFull)));
    assert!(matches!(
        agent.seal_due(NOON.plus_ms(2 * HOUR_MS)),
        Err(OutboxError::DiskFull)
    ));
    stand.outbox.limit(None);
    agent.submit(device, &rain(later, "0.3"), later).unwrap();
    agent.seal_due(NOON.plus_ms(2 * HOUR_MS)).unwrap();
    let mut agent = stand.crash();
    agent.flush(&stand.verifier, &clock(), 1).await.unwrap();
    assert_eq!(minutes(&stand.verifier.taken()), [(0, 100), (1, 300)]);
}

#[test]
fn strange_messages_are_refused_and_change_nothing() {
    let stand = Stand::new(1);
    let mut agent = stand.open();
    let device = agent.find("gauge-0").unwrap();
    assert_eq!(agent.find("gauge-9"), None);
    for message in [b"".as_slice(), b"snow=1", &[0xff; 10], b"[{\"n\":1}]"] {
        assert!(matches!(
            agent.submit(device, message, NOON),
            Err(TakeError::NotUnderstood(_))
        ));
    }
    assert_eq!(agent.submit(device, &vec![b' '; 70_000], NOON), Err(TakeError::TooLong));
    agent.seal_all(NOON).unwrap();
    let status = agent.status(NOON);
    assert_eq!((status.messages, status.messages_refused, status.waiting), (0, 5, 0));
}

#[test]
fn what_makes_no_agent_says_why() {
    let stand = Stand::new(2);
    let open = |change: fn(&mut cairn_agent::agent::Parts)| {
        let mut parts = stand.parts();
        change(&mut parts);
        let disks = (Box::new(stand.outbox.clone()), Box::new(stand.journal.clone()));
        cairn_agent::agent::Agent::open(parts, &stand.keys(), disks.0, disks.1)
            .map(|_| ())
            .unwrap_err()
    };
    assert!(matches!(
        open(|parts| parts.verifiers.clear()),
        AgentError::TooManyOrNone
    ));
    assert!(matches!(open(|parts| parts.devices.push(("x".into(), 0))), AgentError::NoKey(name) if name == "x"));
    assert!(matches!(
        open(|parts| parts.devices.push(("gauge-1".into(), 0))),
        AgentError::BadDevice(_)
    ));
    assert!(matches!(open(|parts| parts.devices[0].1 = 7), AgentError::BadDevice(_)));
    assert!(matches!(
        open(|parts| parts.networks[0].params = vec![1]),
        AgentError::BadParams { .. }
    ));
    assert!(matches!(
        open(|parts| parts.networks[0].clock.epoch_ms = 0),
        AgentError::BadClock(_)
    ));
}

/// Routes to these verifiers, all of which are the stand's.
fn routes(urls: &[&str]) -> Routes {
    Routes {
        verifiers: urls.iter().map(|url| TestVerifier::as_verifier(url)).collect(),
        skipped: Vec::new(),
    }
}

/// An agent with one envelope to send.
fn agent_with_one(stand: &Stand) -> cairn_agent::agent::Agent {
    let mut agent = stand.open();
    let gauge = agent.find("gauge-0").unwrap();
    agent.submit(gauge, &rain(NOON, "0.1"), NOON).unwrap();
    agent.seal_all(NOON).unwrap();
    agent
}

#[tokio::test]
async fn an_answer_of_a_verifier_that_lost_its_bond_lets_no_report_go() {
    for mood in [None, Some(Mood::RefuseAll(IntakeRefusal::UnknownDevice))] {
        let stand = Stand::new(1);
        let mut agent = agent_with_one(&stand);
        let batch = agent.outgoing(NOON).unwrap().unwrap();
        let mut other = TestVerifier::as_verifier("http://other");
        other.account = AccountId([8; 32]);
        let lost = Routes {
            verifiers: vec![other],
            skipped: vec![TestVerifier::as_verifier("").account],
        };
        agent.set_routes(lost, Some(NOON));
        stand.verifier.next_moods(mood);
        let answers = stand.verifier.receive(&batch.body);
        let delivered = agent.delivered(batch, answers, NOON);
        assert!(delivered.receipts.is_empty() && delivered.refused.is_empty());
        let status = agent.status(NOON.plus_ms(5));
        assert_eq!((status.waiting, status.receipted, status.answers_unbonded), (1, 0, 1));
        assert_eq!(
            (status.verifiers, status.verifiers_skipped, status.ledger_heard_ms_ago),
            (1, 1, Some(5))
        );
        let again = agent.outgoing(NOON).unwrap().unwrap();
        assert_eq!(
            (again.verifier, again.count()),
            (0, 1),
            "it goes to the other one, at once"
        );
    }
}

#[tokio::test]
async fn with_nobody_bonded_reports_wait_and_go_as_soon_as_somebody_is() {
    let stand = Stand::new(1);
    let mut agent = agent_with_one(&stand);
    agent.set_routes(Routes::default(), None);
    assert_eq!(agent.next_send(), None);
    let flushed = agent.flush(&stand.verifier, &clock(), 3).await.unwrap();
    assert_eq!((flushed.waiting, stand.verifier.batches()), (1, 0));
    assert_eq!(
        agent.status(NOON).ledger_heard_ms_ago,
        None,
        "a kept list is no word of the ledger"
    );
    agent.set_routes(routes(&["http://verifier"]), Some(NOON));
    assert_eq!(
        agent.flush(&stand.verifier, &clock(), 1).await.unwrap().receipts.len(),
        1
    );
}

#[tokio::test]
async fn a_longer_list_does_not_turn_an_agent_away_from_the_verifier_that_answers() {
    let stand = Stand::new(1);
    let mut agent = agent_with_one(&stand);
    agent.set_routes(routes(&["http://first", "http://verifier"]), None);
    agent.flush(&stand.verifier, &clock(), 1).await.unwrap();
    assert_eq!(stand.verifier.urls(), ["http://verifier"]);
    // A wait that a verifier asked for is not forgotten because another one joins.
    let gauge = agent.find("gauge-0").unwrap();
    agent.submit(gauge, &rain(NOON.plus_ms(60_000), "0.1"), NOON).unwrap();
    agent.seal_all(NOON).unwrap();
    stand.verifier.next_moods([Mood::Busy(Some(30_000))]);
    let batch = agent.outgoing(NOON).unwrap().unwrap();
    let busy = stand.verifier.receive(&batch.body);
    agent.delivered(batch, busy, NOON);
    assert!(agent.is_failing());
    agent.set_routes(routes(&["http://first", "http://verifier", "http://third"]), None);
    assert!(agent.outgoing(NOON).unwrap().is_none());
}
