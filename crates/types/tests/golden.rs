//! One golden file per wire form: bytes that change only on purpose (`UPDATE=1 cargo test -p cairn-types --test golden`).

use cairn_types::attestation::Totals;
use cairn_types::codec::{decode_canonical, encode};
use cairn_types::hash::Hash;
use cairn_types::merkle::{AbsenceProof, Tree, leaf};
use cairn_types::passkey::SoftPasskey;
use cairn_types::*;
use minicbor::{Decode, Encode};
use std::path::Path;

/// Holds `bytes` against `golden/<name>.hex`.
fn check_bytes(name: &str, bytes: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("golden")
        .join(format!("{name}.hex"));
    let text = format!("{}\n", hex::encode(bytes));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).expect("the golden folder is writable");
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text, golden,
        "{name} changed its bytes; if on purpose, run again with UPDATE=1"
    );
}

/// Holds the encoding of a value against its golden file and reads it back.
fn check<T: Encode<()> + for<'b> Decode<'b, ()> + PartialEq + std::fmt::Debug>(name: &str, value: &T) {
    let bytes = encode(value);
    check_bytes(name, &bytes);
    assert_eq!(&decode_canonical::<T>(&bytes).expect("our own bytes"), value);
    for end in 0..bytes.len() {
        assert!(
            decode_canonical::<T>(&bytes[..end]).is_err(),
            "{name} read from its first {end} bytes"
        );
    }
}

fn report() -> Report {
    Report {
        network: NetworkId([3; 32]),
        time: TimeMs(1_500_076_800_000),
        sequence: 9,
        body: vec![0x81, 0x18, 0x2a],
    }
}

fn result() -> EpochResult {
    EpochResult {
        chain: "cairn-golden".parse().expect("plain"),
        network: NetworkId([3; 32]),
        epoch: EpochNumber(1_151),
        inputs: Hash([1; 32]),
        archive: Hash([2; 32]),
        findings: Hash([3; 32]),
        memory: Hash([4; 32]),
        payouts: Hash([5; 32]),
        leaves: 1,
        totals: Totals::default().plus(&payout()).expect("small"),
        anchors: Hash([6; 32]),
        previous: Hash([7; 32]),
        without: vec![2, 300],
    }
}

fn payout() -> PayoutLeaf {
    PayoutLeaf {
        operator: AccountNumber(70_000),
        units: 1_000_000,
        availability: Token(123_456_789),
        usage: Token(55),
        cash: MicroUsd(7_000),
        customers_paid: Credit(10_000),
    }
}

#[test]
fn keys_and_signatures() {
    let (ed, p256) = (SecretKey::ed25519([1; 32]), SecretKey::p256([1; 32]).expect("a scalar"));
    check("public_key_ed25519", &ed.public());
    check("public_key_p256", &p256.public());
    check("signature", &ed.sign(b"golden"));
    let passkey = SoftPasskey::new([1; 32]).expect("a scalar");
    check("public_key_passkey", &passkey.public());
    check("assertion", &passkey.sign(&[0x2a; 32]).1);
}

#[test]
fn an_envelope() {
    let bytes = Envelope::seal(&report(), &SecretKey::ed25519([1; 32]));
    check_bytes("envelope_eddsa", &bytes);
    check("report", &report());
}

#[test]
fn an_es256_envelope_of_last_year_still_holds() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/envelope_es256.hex");
    let key = SecretKey::p256([1; 32]).expect("a scalar");
    if std::env::var_os("UPDATE").is_some() {
        let bytes = Envelope::seal(&report(), &key);
        std::fs::write(&path, format!("{}\n", hex::encode(bytes))).expect("the golden folder is writable");
    }
    let text = std::fs::read_to_string(&path).expect("the golden file");
    let envelope = Envelope::parse(&hex::decode(text.trim()).expect("hex")).expect("an envelope");
    assert!(envelope.verify(&key.public()));
    assert_eq!(envelope.report, report());
}

#[test]
fn a_receipt() {
    let promises = [1, 2, 3].map(|report| cairn_types::receipt::Promise {
        report: ReportId([report; 32]),
        network: NetworkId([3; 32]),
        epoch: EpochNumber(1_151),
    });
    let key = SecretKey::ed25519([2; 32]);
    let receipts = cairn_types::receipt::issue(AccountId([9; 32]), &key, TimeMs(1_500_080_400_000), &promises);
    check("receipt", &receipts[1]);
    check("intake_receipt", &IntakeAnswer::Receipt(receipts[1].clone()));
    check(
        "intake_refused",
        &IntakeAnswer::refused(IntakeRefusal::TooLate, "epoch 7"),
    );
}

#[test]
fn a_finding() {
    let span = Span {
        start: TimeMs(1_500_076_800_000),
        end: TimeMs(1_500_080_400_000),
        quantity: 1,
        reason: Some(Reason(7)),
        measured: -3,
        limit: 250,
    };
    let finding = Finding {
        report: ReportId([6; 32]),
        device: DeviceNumber(12),
        units: 0,
        reason: Some(Reason(7)),
        spans: vec![span],
    };
    check("finding", &finding);
}

#[test]
fn a_result_its_attestation_and_a_payout() {
    check("epoch_result", &result());
    check("payout_leaf", &payout());
    let signature = result().sign(&SecretKey::ed25519([2; 32]));
    check(
        "attestation",
        &Attestation {
            result: result(),
            signatures: vec![(AccountId([9; 32]), signature)],
        },
    );
}

#[test]
fn proofs() {
    let ids: Vec<Hash> = (0..5).map(|i| Hash([i * 10; 32])).collect();
    let tree = Tree::new(ids.iter().map(|id| leaf(&id.0)).collect());
    check("range_proof", &tree.prove(1, 3).expect("a range"));
    check(
        "absence_proof",
        &AbsenceProof::make(&tree, &ids, &Hash([15; 32])).expect("absent"),
    );
}
