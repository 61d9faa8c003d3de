//! ChirpStack's own message types (its package for Python) read what the router says, and write what it reads: uplinks, statistics,
//! connection states, downlinks and what became of them, in JSON and in protobuf. Needs a Python with `chirpstack-api`, named by
//! `CAIRN_PYTHON`; `cargo xtask test` makes one.

use crate::*;
use cairn_agent::gwmp::packet::{self, When};
use cairn_agent::gwmp::plan::Modulation as Sent;
use cairn_router::server::Uplink;
use cairn_router::server::chirpstack::{Marshaler, Stats, Status, down};
use cairn_types::TimeMs;
use cairn_verticals::wireless::region::Rate;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// ChirpStack's answers, a line each; `None` where there is no such Python.
fn ask(questions: &[String]) -> Option<Vec<String>> {
    let Some(python) = std::env::var_os("CAIRN_PYTHON") else {
        println!("SKIPPED: ChirpStack's own messages: CAIRN_PYTHON names no Python with chirpstack-api");
        return None;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/carry/chirpstack.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(questions.join("\n").as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the script failed");
    let answers = String::from_utf8(output.stdout).unwrap();
    Some(answers.lines().map(str::to_owned).collect())
}

fn uplink() -> Uplink {
    Uplink {
        eui: EUI.0,
        offer: Offer {
            number: 1,
            frame: hash::sha256(&JOIN),
            sender: Sender::of(&JOIN).unwrap(),
            size: JOIN.len() as u16,
            frequency_hz: 868_300_000,
            spreading: 9,
            bandwidth_hz: 125_000,
            rssi_ddbm: -1_135,
            snr_ddb: -35,
            heard: TimeMs(1_500_076_800_250),
            counter_us: Some(4_000_000_000),
        },
        frame: JOIN.to_vec(),
    }
}

#[test]
fn chirpstacks_own_types_read_what_the_router_says_and_write_what_it_reads() {
    let both = [("json", Marshaler::Json), ("protobuf", Marshaler::Protobuf)];
    let stats = Stats {
        received: 12,
        asked: 3,
        sent: 2,
    };
    let uplink = uplink();
    let mut questions = Vec::new();
    for (name, marshaler) in both {
        let mut ask = |kind: &str, bytes: Vec<u8>| questions.push(format!("{kind} {name} {}", hex::encode(bytes)));
        ask("up", marshaler.up(&uplink));
        ask("stats", marshaler.stats(EUI.0, TimeMs(1_500_076_800_250), stats));
        ask("conn", marshaler.connection(EUI.0, true));
        ask("conn", marshaler.connection(EUI.0, false));
        questions.push(format!("down {name}"));
    }
    let Some(answers) = ask(&questions) else { return };
    let expected = [
        format!(
            "{} 868300000 125000 9 CR_4_5 00800000a0000a5c {} 1500076800.250 -114 -3.5 ee6b2800 CRC_OK",
            hex::encode(JOIN),
            uplink.id()
        ),
        "00800000a0000a5c 1500076800.250 12 12 3 2".to_owned(),
        "00800000a0000a5c ONLINE".to_owned(),
        "00800000a0000a5c OFFLINE".to_owned(),
    ];
    let mut acks = Vec::new();
    for ((name, marshaler), answers) in both.into_iter().zip(answers.chunks(5)) {
        assert_eq!(answers[..4], expected, "{name}");
        // Two windows after an uplink, one over FSK at once, one at a time of the satellites.
        let mut downlink = down(&hex::decode(&answers[4]).unwrap()).unwrap();
        assert_eq!((downlink.id, downlink.tries.len()), (4_000_000_042, 4));
        let read: Vec<_> = downlink
            .tries
            .iter()
            .map(|json| packet::downlink(json).unwrap())
            .collect();
        let slow = Sent::Lora(Rate {
            spreading: 12,
            bandwidth_hz: 125_000,
        });
        let fsk = Sent::Fsk {
            bits_a_second: 50_000,
            deviation_hz: 25_000,
        };
        let whens = read
            .iter()
            .map(|read| (read.when, read.modulation, read.frequency_hz, read.power_ddbm));
        let expected = [
            (When::Counter(4_001_000_000), Some(slow), 868_300_000, 140),
            (When::Counter(4_002_500_000), Some(slow), 869_525_000, 270),
            (When::Immediately, Some(fsk), 868_800_000, 140),
            (When::Satellites, Some(slow), 869_525_000, 0),
        ];
        assert!(whens.eq(expected), "{name} {read:?}");
        downlink.statuses = vec![Status::of("TOO_LATE"), Status::of("")];
        downlink.tries.drain(..2);
        acks.push(format!("ack {name} {}", hex::encode(marshaler.ack(EUI.0, &downlink))));
    }
    for answer in ask(&acks).into_iter().flatten() {
        assert_eq!(answer, "00800000a0000a5c 4000000042 TOO_LATE OK IGNORED IGNORED");
    }
}
