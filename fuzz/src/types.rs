//! Wire forms everyone agrees on: what `cairn-types` reads from strangers. What was read is used as its reader uses it: a proof is
//! followed, a key checks a signature, an id is hashed.

use cairn_types::{
    Attestation, CellId, DeviceId, EpochClock, EpochNumber, EpochResult, Finding, Hash, PayoutLeaf, PublicKey, Receipt,
    Report, SecretKey, Signature, TimeMs,
    batch::{self, Signed},
    codec::encode,
    envelope::Envelope,
    intake::{ENVELOPES_MAX, IntakeAnswer, split_sequence},
    merkle::{AbsenceProof, RangeProof, leaf},
    passkey::{Assertion, SoftPasskey},
};

use crate::{Target, golden, value};

/// Reads a golden file of the types.
macro_rules! golden {
    ($($name:literal),+) => { || vec![$(golden(include_str!(concat!("../../crates/types/golden/", $name, ".hex")))),+] };
}

const ENVELOPES: (&str, &str) = (
    include_str!("../../crates/types/golden/envelope_eddsa.hex"),
    include_str!("../../crates/types/golden/envelope_es256.hex"),
);

pub const TARGETS: &[Target] = &[
    Target {
        name: "envelope",
        run: envelope,
        seeds: golden!("envelope_eddsa", "envelope_es256"),
    },
    Target {
        name: "report",
        run: |bytes| value::<Report>(bytes).is_some(),
        seeds: golden!("report"),
    },
    Target {
        name: "receipt",
        run: receipt,
        seeds: golden!("receipt"),
    },
    Target {
        name: "finding",
        run: finding,
        seeds: golden!("finding"),
    },
    Target {
        name: "epoch_result",
        run: epoch_result,
        seeds: golden!("epoch_result"),
    },
    Target {
        name: "attestation",
        run: attestation,
        seeds: golden!("attestation"),
    },
    Target {
        name: "payout_leaf",
        run: payout_leaf,
        seeds: golden!("payout_leaf"),
    },
    Target {
        name: "range_proof",
        run: range_proof,
        seeds: golden!("range_proof"),
    },
    Target {
        name: "absence_proof",
        run: absence_proof,
        seeds: absences,
    },
    Target {
        name: "public_key",
        run: public_key,
        seeds: golden!("public_key_ed25519", "public_key_p256", "public_key_passkey"),
    },
    Target {
        name: "assertion",
        run: assertion,
        seeds: golden!("assertion"),
    },
    Target {
        name: "signature_batch",
        run: signature_batch,
        seeds: signatures,
    },
    Target {
        name: "epoch_clock",
        run: epoch_clock,
        seeds: || {
            vec![encode(&EpochClock {
                genesis: TimeMs(1_000),
                epoch_ms: 60,
            })]
        },
    },
    Target {
        name: "intake_request",
        run: intake_request,
        seeds: || vec![golden(ENVELOPES.0), [golden(ENVELOPES.0), golden(ENVELOPES.1)].concat()],
    },
    Target {
        name: "intake_answers",
        run: intake_answers,
        seeds: golden!("intake_receipt", "intake_refused"),
    },
    Target {
        name: "text",
        run: text,
        seeds: texts,
    },
];

/// One byte form: what is read is written back the same, and a signature of a known key holds or does not.
pub fn envelope(bytes: &[u8]) -> bool {
    let Ok(envelope) = Envelope::parse(bytes) else {
        return false;
    };
    let key = key(1).public();
    assert_eq!(
        envelope.verify(&key),
        envelope.is_of(&key) && key.verify(envelope.signed_bytes(), &envelope.signature)
    );
    assert_eq!(envelope.id(), Envelope::parse(bytes).expect("it was read before").id());
    true
}

pub fn receipt(bytes: &[u8]) -> bool {
    let Some(receipt) = value::<Receipt>(bytes) else {
        return false;
    };
    receipt.verify(&key(2).public());
    true
}

pub fn finding(bytes: &[u8]) -> bool {
    let Some(finding) = value::<Finding>(bytes) else {
        return false;
    };
    cairn_types::finding::root(&[finding]);
    true
}

pub fn epoch_result(bytes: &[u8]) -> bool {
    let Some(result) = value::<EpochResult>(bytes) else {
        return false;
    };
    result.hash();
    true
}

pub fn attestation(bytes: &[u8]) -> bool {
    let Some(attestation) = value::<Attestation>(bytes) else {
        return false;
    };
    let key = key(2).public();
    for (_, signature) in &attestation.signatures {
        attestation.result.verify(&key, signature);
    }
    true
}

/// Totals refuse to overflow instead of wrapping.
pub fn payout_leaf(bytes: &[u8]) -> bool {
    let Some(payout) = value::<PayoutLeaf>(bytes) else {
        return false;
    };
    let once = cairn_types::attestation::Totals::default()
        .plus(&payout)
        .expect("one leaf fits");
    if let Some(twice) = once.plus(&payout) {
        assert!(twice.units >= payout.units);
    }
    payout.hash();
    true
}

/// A proof of a tree it was not made for proves nothing, and takes no time that its own bytes did not pay for.
pub fn range_proof(bytes: &[u8]) -> bool {
    let Some(proof) = value::<RangeProof>(bytes) else {
        return false;
    };
    let leaves = [leaf(b"a"), leaf(b"b"), leaf(b"c")];
    for shown in 0..=leaves.len() {
        assert!(!proof.proves(&leaves[..shown], &Hash([0xee; 32])));
    }
    true
}

pub fn absence_proof(bytes: &[u8]) -> bool {
    let Some(proof) = value::<AbsenceProof>(bytes) else {
        return false;
    };
    for id in [Hash([0; 32]), Hash([15; 32]), Hash([0xff; 32])] {
        assert!(!proof.proves(&id, &Hash([0xee; 32])));
    }
    true
}

pub fn public_key(bytes: &[u8]) -> bool {
    let Some(key) = value::<PublicKey>(bytes) else {
        return false;
    };
    key.verify(b"message", &Signature([1; 64]));
    assert_eq!(key.to_string().parse(), Ok(key));
    true
}

/// What is out of its bounds, or over something else, is never signed by anybody.
pub fn assertion(bytes: &[u8]) -> bool {
    let Some(assertion) = value::<Assertion>(bytes) else {
        return false;
    };
    let passkey = SoftPasskey::new([1; 32]).expect("a scalar");
    let holds = |message: &[u8]| {
        let signature = passkey.sign_assertion(&assertion);
        passkey.public().verify_asserted(message, &signature, Some(&assertion))
    };
    let (message, other) = ([0x2a; 32], [0x2b; 32]);
    let may = assertion.is_bounded() && assertion.is_over(&message);
    assert_eq!(holds(&message), may);
    assert!(!may || !holds(&other));
    may
}

/// 96 bytes a signature: Ed25519 key, R, S. A batch says of each what a single check says.
pub fn signature_batch(bytes: &[u8]) -> bool {
    let signed: Vec<Signed<'_>> = bytes
        .chunks_exact(96)
        .take(64)
        .map(|chunk| {
            let (key, signature) = chunk.split_at(32);
            let key = PublicKey::Ed25519(key.try_into().expect("cut at 32"));
            let signature = Signature(signature.try_into().expect("64 are left"));
            Signed::plain(key, b"message", signature)
        })
        .collect();
    let together = batch::verify(&signed);
    let apart: Vec<bool> = signed.iter().map(Signed::holds).collect();
    assert_eq!(together, apart);
    together.contains(&true)
}

pub fn epoch_clock(bytes: &[u8]) -> bool {
    let Some(clock) = value::<EpochClock>(bytes) else {
        return false;
    };
    for time in [0, 1_000, u64::MAX] {
        if let Some(epoch) = clock.epoch_of(TimeMs(time)) {
            assert!(clock.start(epoch) <= TimeMs(time));
        }
    }
    clock.end(EpochNumber(u64::MAX));
    true
}

/// A request cut into items is the request again when they are put together.
pub fn intake_request(bytes: &[u8]) -> bool {
    let Ok(items) = split_sequence(bytes, ENVELOPES_MAX) else {
        return false;
    };
    assert!(items.len() <= ENVELOPES_MAX && items.concat() == bytes);
    items.into_iter().filter(|item| envelope(item)).count() > 0
}

pub fn intake_answers(bytes: &[u8]) -> bool {
    let Ok(answers) = IntakeAnswer::decode_sequence(bytes, ENVELOPES_MAX) else {
        return false;
    };
    assert!(IntakeAnswer::encode_sequence(&answers) == bytes);
    answers.iter().filter(|answer| answer.is_temporary()).count() < answers.len()
}

/// Everything that people type: ids, keys, times, cells, chain names. What is read is shown as it is read.
pub fn text(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let time = text.parse::<TimeMs>();
    if let Ok(time) = time {
        assert_eq!(time.to_string().parse(), Ok(time));
    }
    let cell = text.parse::<CellId>();
    if let Ok(cell) = &cell {
        cell.parent(3);
    }
    let named = text.parse::<cairn_types::ChainId>().is_ok()
        || text.parse::<DeviceId>().is_ok()
        || text.parse::<PublicKey>().is_ok();
    time.is_ok() || cell.is_ok() || named
}

fn absences() -> Vec<Vec<u8>> {
    let inside = golden(include_str!("../../crates/types/golden/absence_proof.hex"));
    let only = |start, count| AbsenceProof {
        neighbours: vec![Hash([9; 32])],
        range: Some(RangeProof {
            start,
            count,
            siblings: vec![Hash([1; 32])],
        }),
    };
    vec![
        inside,
        encode(&only(0, 2)),
        encode(&only(1, 2)),
        encode(&only(u64::MAX, 2)),
        encode(&AbsenceProof {
            neighbours: Vec::new(),
            range: None,
        }),
    ]
}

fn signatures() -> Vec<Vec<u8>> {
    let one = |seed: u8| {
        let signer = key(seed);
        [signer.public().parts().1, &signer.sign(b"message").0].concat()
    };
    vec![
        one(1),
        [one(1), one(2), one(2)].concat(),
        (0..40).flat_map(one).collect(),
    ]
}

fn texts() -> Vec<Vec<u8>> {
    let words = [
        "2017-07-15T00:00:00.007Z",
        "2000-02-29 23:59:59",
        "cairn-demo-1",
        "8a1fb46622dffff",
    ];
    let key = SecretKey::p256([1; 32]).expect("a scalar").public();
    words
        .into_iter()
        .map(str::to_owned)
        .chain([DeviceId([7; 32]).to_string(), key.to_string()])
        .map(String::into_bytes)
        .collect()
}

/// Somebody's key.
pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::ed25519([seed; 32])
}
