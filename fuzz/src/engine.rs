//! What a light client reads: headers, certificates and proofs of records, from whoever serves them. Held against one real chain
//! (`golden/chain.hex`, made by `tests/fresh_chain.rs`): other bytes than its own must never prove something else about it.

use std::sync::LazyLock;

use cairn_engine::{
    Header, Key,
    light::{self, Anchor, Finality, Proof},
};
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
