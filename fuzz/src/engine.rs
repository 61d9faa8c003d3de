//! What a light client reads: headers, certificates and proofs of records, from whoever serves them. Held against one real chain
//! (`golden/chain.hex`, made by `tests/fresh_chain.rs`): other bytes than its own must never prove something else about it.

use std::sync::LazyLock;

use cairn_engine::{
    Approval, Header, Key, Resolution,
    light::{self, Anchor, Finality, HandOver, Proof, Successor},
};
use cairn_types::Signature;
use cairn_types::codec::{decode_canonical, encode};

use crate::{Target, golden, value};

/// The key of a record that the chain of the golden file has, and of one that it has not.
pub const PRESENT: Key = [3; 33];
pub const ABSENT: Key = [4; 33];

pub const TARGETS: &[Target] = &[
    Target {
        name: "chain_header",
        run: header,
        seeds: || {
            CHAIN
                .present
                .finality
                .headers
                .iter()
                .map(|header| header.0.to_vec())
                .collect()
        },
    },
    Target {
        name: "chain_certificate",
        run: certificate,
        seeds: || vec![CHAIN.present.finality.certificate.clone()],
    },
    Target {
        name: "chain_anchor",
        run: anchor,
        seeds: || vec![encode(&CHAIN.anchor)],
    },
    Target {
        name: "chain_proof",
        run: proof,
        seeds: || vec![encode(&CHAIN.present), encode(&CHAIN.absent)],
    },
    Target {
        name: "chain_hand_over",
        run: hand_over,
        seeds: || {
            vec![encode(&HandOver {
                finality: CHAIN.present.finality.clone(),
                successor: successor(),
            })]
        },
    },
    Target {
        name: "chain_resolution",
        run: resolution,
        seeds: || {
            let approval = Approval {
                validator: [2; 32],
                signature: Signature([3; 64]),
            };
            vec![Resolution::new(&successor(), vec![approval]).encode()]
        },
    },
];

static CHAIN: LazyLock<Chain> = LazyLock::new(|| {
    Chain::read(include_str!("../golden/chain.hex")).expect("the golden file is made by tests/fresh_chain.rs")
});

/// What is known of a chain, and two things it proves.
pub struct Chain {
    pub anchor: Anchor,
    pub present: Proof,
    pub absent: Proof,
}

impl Chain {
    /// Three lines of hexadecimal digits.
    pub fn write(&self) -> String {
        let parts = [encode(&self.anchor), encode(&self.present), encode(&self.absent)];
        parts.map(|bytes| format!("{}\n", hex::encode(bytes))).concat()
    }

    pub fn read(text: &str) -> Option<Chain> {
        let mut lines = text.lines().map(golden);
        Some(Chain {
            anchor: decode_canonical(&lines.next()?).ok()?,
            present: decode_canonical(&lines.next()?).ok()?,
            absent: decode_canonical(&lines.next()?).ok()?,
        })
    }
}

pub fn header(bytes: &[u8]) -> bool {
    let Ok(header) = Header::decode(bytes) else {
        return false;
    };
    assert!(header.encode() == bytes, "a header has one byte form");
    header.digest();
    header.beacon();
    true
}

/// A certificate holds for the block it was made for and for no other.
pub fn certificate(bytes: &[u8]) -> bool {
    let Ok(certified) = light::verify_certificate(&CHAIN.anchor.chain, &CHAIN.anchor.group_key, bytes) else {
        return false;
    };
    let last = CHAIN.present.finality.headers.last().expect("finality has a header");
    assert_eq!(
        Ok(certified.digest),
        Header::decode(&last.0).map(|header| header.digest())
    );
    true
}

/// Another chain's anchor makes nothing of this one final.
pub fn anchor(bytes: &[u8]) -> bool {
    let Some(anchor) = value::<Anchor>(bytes) else {
        return false;
    };
    let believed = light::verify_finality(&anchor, &CHAIN.present.finality).is_ok();
    assert_eq!(believed, anchor == CHAIN.anchor);
    true
}

/// What is proven of a record is what the chain has; proofs are followed under an unproven header, too.
pub fn proof(bytes: &[u8]) -> bool {
    let Some(proof) = value::<Proof>(bytes) else {
        return false;
    };
    for (key, expected) in [(PRESENT, CHAIN.present.value), (ABSENT, None)] {
        if let Ok((_, value)) = proof.verify(&CHAIN.anchor, &key) {
            assert!(value == expected, "a forged value was proven");
        }
    }
    under_known_header(&proof);
    finality_is_used(&proof.finality);
    true
}

fn successor() -> Successor {
    Successor {
        chain: CHAIN.anchor.chain.clone(),
        era: CHAIN.anchor.era + 1,
        group_key: CHAIN.anchor.group_key,
        draft: [1; 32],
    }
}

/// The golden chain has not ended: nobody takes over from it.
pub fn hand_over(bytes: &[u8]) -> bool {
    let Some(hand_over) = value::<HandOver>(bytes) else {
        return false;
    };
    assert!(hand_over.verify(&CHAIN.anchor).is_err(), "an era ended that goes on");
    assert!(hand_over.successor.era <= CHAIN.anchor.era || light::follow(&CHAIN.anchor, &[hand_over]).is_err());
    true
}

/// No resolution holds that validators did not sign.
pub fn resolution(bytes: &[u8]) -> bool {
    let Some(resolution) = Resolution::read(bytes) else {
        return false;
    };
    assert!(resolution.encode() == bytes, "a resolution has one byte form");
    let validators: Vec<[u8; 32]> = resolution.approvals.iter().map(|approval| approval.validator).collect();
    if !validators.is_empty() {
        assert!(
            !resolution.holds(&CHAIN.anchor.chain, &validators),
            "a forged approval holds"
        );
    }
    true
}

fn under_known_header(proof: &Proof) {
    let header = Header::decode(&CHAIN.present.finality.headers[0].0).expect("a golden header");
    let other = [9; 256];
    assert!(
        light::verify_value(&header, &PRESENT, &other, &proof.proof).is_err(),
        "another value was proven"
    );
    assert!(
        light::verify_absence(&header, &PRESENT, &proof.proof).is_err(),
        "a record that exists was proven absent"
    );
}

fn finality_is_used(finality: &Finality) {
    if let Ok(header) = light::verify_finality(&CHAIN.anchor, finality) {
        assert_eq!(header.genesis, CHAIN.anchor.genesis);
    }
}
