//! A foreign library (Python's pycose, cbor2, cryptography) makes envelopes that we accept, reads ours, and checks our receipts.
//! Needs a Python with those packages, named by `CAIRN_PYTHON`; `cargo xtask test` makes one.

use cairn_types::codec::encode;
use cairn_types::receipt::{self, Promise};
use cairn_types::{AccountId, Envelope, EpochNumber, NetworkId, PublicKey, Report, ReportId, SecretKey, TimeMs};
use std::io::Write;
use std::process::{Command, Stdio};

/// The stranger's answers, a line each; `None` where there is no such Python.
fn ask(questions: &[String]) -> Option<Vec<String>> {
    let Some(python) = std::env::var_os("CAIRN_PYTHON") else {
        println!("SKIPPED: envelopes of a foreign library: CAIRN_PYTHON names no Python with pycose");
        return None;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("CAIRN_PYTHON can be run");
    let mut input = child.stdin.take().expect("piped");
    input
        .write_all(questions.join("\n").as_bytes())
        .expect("the script reads");
    drop(input);
    let output = child.wait_with_output().expect("the script ends");
    assert!(output.status.success(), "the script failed");
    Some(
        String::from_utf8(output.stdout)
            .expect("text")
            .lines()
            .map(str::to_owned)
            .collect(),
    )
}

fn report() -> Report {
    Report {
        network: NetworkId([3; 32]),
        time: TimeMs(1_500_076_800_000),
        sequence: 900,
        body: b"readings".to_vec(),
    }
}

#[test]
fn we_accept_what_a_foreign_library_seals() {
    let payload = hex::encode(encode(&report()));
    let questions: Vec<String> = ["EdDSA", "ES256"]
        .iter()
        .map(|alg| format!("seal {alg} {} {payload}", "07".repeat(32)))
        .collect();
    for answer in ask(&questions).into_iter().flatten() {
        let (public, envelope) = answer.split_once(' ').expect("two words");
        let public: PublicKey = public.parse().expect("a key");
        let envelope = Envelope::parse(&hex::decode(envelope).expect("hex")).expect("an envelope");
        assert!(envelope.verify(&public), "{public}");
        assert_eq!(envelope.report, report());
    }
}

#[test]
fn a_foreign_library_reads_ours() {
    let keys = [SecretKey::ed25519([8; 32]), SecretKey::p256([8; 32]).expect("a scalar")];
    let questions: Vec<String> = keys
        .iter()
        .map(|key| format!("read {} {}", key.public(), hex::encode(Envelope::seal(&report(), key))))
        .collect();
    let expected = format!("{} 1500076800000 900 {}", "03".repeat(32), hex::encode(b"readings"));
    for answer in ask(&questions).into_iter().flatten() {
        assert_eq!(answer, expected);
    }
}

/// What a stranger must know to hold a verifier to its word: leaf, path, root and what is signed.
#[test]
fn a_foreign_library_checks_our_receipts() {
    let keys = [SecretKey::ed25519([8; 32]), SecretKey::p256([8; 32]).expect("a scalar")];
    let promises: Vec<Promise> = (0..5)
        .map(|report| Promise {
            report: ReportId([report; 32]),
            network: NetworkId([3; 32]),
            epoch: EpochNumber(1_151),
        })
        .collect();
    let mut questions = Vec::new();
    for key in &keys {
        let receipts = receipt::issue(AccountId([9; 32]), key, TimeMs(1_500_080_400_000), &promises);
        let line = |receipt| format!("receipt {} {}", key.public(), hex::encode(encode(receipt)));
        questions.extend(receipts.iter().map(line));
    }
    let expected = |report: u8| {
        let [report, network, verifier] = [report, 3, 9].map(|byte| hex::encode([byte; 32]));
        format!("{report} {network} 1151 {verifier} 1500080400000")
    };
    for (at, answer) in ask(&questions).into_iter().flatten().enumerate() {
        assert_eq!(answer, expected((at % 5) as u8));
    }
}
