//! Nothing that was tampered with is believed: certificates, headers, values, absences, transactions.

use super::*;
use crate::{
    Finalized,
    sim::{
        Sim, SimHost,
        toy::{Counters, Pool, account_key, count_up},
    },
};
use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex},
};

/// What one lone validator proves after a few transactions.
#[derive(Clone)]
struct Sample {
    anchor: Anchor,
    value: Proof,
    absence: Proof,
    /// Two blocks in a row, each with its certificate.
    pair: Vec<Finalized>,
}

const PRESENT: u64 = 3;
const ABSENT: u64 = 99;

fn sample(seed: u64) -> Sample {
    let pool = Pool::new(Some(0));
    let mut sim = Sim::seeded(seed);
    sim.validators = NonZeroU32::MIN;
    for count in 1..=3 {
        (0..5).for_each(|account| pool.submit(count_up(account, count)));
    }
    let host = SimHost {
        machine: Arc::new(Counters),
        source: pool.clone(),
        observer: pool.clone(),
        clock: None,
        records: None,
    };
    let taken = Arc::new(Mutex::new(None));
    let slot = taken.clone();
    sim.run(
        vec![host],
        Box::new(move |network| {
            Box::pin(async move {
                pool.final_txs(15).await;
                pool.told.subscribe().wait_for(|told| told.len() >= 2).await.unwrap();
                let chain = &network.handles[0];
                let sample = Sample {
                    anchor: chain.anchor().clone(),
                    value: chain.prove(account_key(PRESENT)).await.unwrap(),
                    absence: chain.prove(account_key(ABSENT)).await.unwrap(),
                    pair: vec![chain.block(1).await.unwrap(), chain.block(2).await.unwrap()],
                };
                *slot.lock().unwrap() = Some(sample);
            })
        }),
    );
    let sample = taken.lock().unwrap().take();
    sample.unwrap()
}

#[test]
fn only_the_certificate_itself_is_believed() {
    let Sample { anchor, value, .. } = sample(1);
    let certificate = value.finality.certificate.clone();
    let header = verify_finality(&anchor, &value.finality).unwrap();
    let certified = verify_certificate(&anchor.chain, &anchor.group_key, &certificate).unwrap();
    assert_eq!(certified.digest, header.digest());
    for at in 0..certificate.len() {
        let mut other = certificate.clone();
        other[at] ^= 1;
        assert!(
            verify_certificate(&anchor.chain, &anchor.group_key, &other).is_err(),
            "byte {at}"
        );
    }
    for len in 0..certificate.len() {
        let short = verify_certificate(&anchor.chain, &anchor.group_key, &certificate[..len]);
        assert_eq!(short, Err(LightError::CertificateForm));
    }
    let other_chain = verify_certificate("cairn-other", &anchor.group_key, &certificate);
    assert_eq!(other_chain, Err(LightError::CertificateSignature));
    let other_key = verify_certificate(&anchor.chain, &sample(2).anchor.group_key, &certificate);
    assert_eq!(other_key, Err(LightError::CertificateSignature));
    let no_key = verify_certificate(&anchor.chain, &[9; GROUP_KEY_BYTES], &certificate);
    assert_eq!(no_key, Err(LightError::GroupKey));
}

#[test]
fn a_header_is_final_through_its_children_and_through_nothing_else() {
    let Sample { anchor, pair, .. } = sample(1);
    let encoded = |block: &Finalized| EncodedHeader(block.header.encode());
    let certificate = pair[1].certificate.clone().unwrap();
    let through = |headers: Vec<EncodedHeader>| {
        let finality = Finality {
            headers,
            certificate: certificate.clone(),
        };
        verify_finality(&anchor, &finality)
    };
    let (first, second) = (encoded(&pair[0]), encoded(&pair[1]));
    assert_eq!(through(vec![first.clone(), second.clone()]), Ok(pair[0].header.clone()));
    assert_eq!(through(vec![second.clone()]), Ok(pair[1].header.clone()));
    assert_eq!(through(vec![first.clone()]), Err(LightError::OtherHeader));
    assert_eq!(
        through(vec![second.clone(), first.clone()]),
        Err(LightError::HeaderLink)
    );
    assert_eq!(through(vec![]), Err(LightError::HeaderCount(0)));
    let many = vec![second.clone(); FINALITY_HEADERS_MAX + 1];
    assert_eq!(through(many), Err(LightError::HeaderCount(FINALITY_HEADERS_MAX + 1)));
    for at in 0..HEADER_BYTES {
        let mut other = first.clone();
        other.0[at] ^= 1;
        assert!(through(vec![other, second.clone()]).is_err(), "byte {at}");
    }
    let finality = Finality {
        headers: vec![second],
        certificate: certificate.clone(),
    };
    for anchor in [
        Anchor {
            era: 1,
            ..anchor.clone()
        },
        Anchor {
            genesis: [0; 32],
            ..anchor.clone()
        },
    ] {
        assert_eq!(verify_finality(&anchor, &finality), Err(LightError::OtherChain));
    }
}

#[test]
fn values_and_absences_are_proven_for_their_own_key_only() {
    let Sample {
        anchor, value, absence, ..
    } = sample(1);
    let (present, absent) = (account_key(PRESENT), account_key(ABSENT));
    let (header, found) = value.verify(&anchor, &present).unwrap();
    let found = found.unwrap();
    assert_eq!(absence.verify(&anchor, &absent).unwrap().1, None);

    assert_eq!(value.verify(&anchor, &absent).map(|_| ()), Err(LightError::ProofRoot));
    assert_eq!(
        absence.verify(&anchor, &present).map(|_| ()),
        Err(LightError::ProofRoot)
    );
    assert!(verify_absence(&header, &present, &value.proof).is_err());
    assert!(verify_value(&header, &absent, &found, &absence.proof).is_err());
    let mut other = found;
    other[200] ^= 1;
    assert_eq!(
        verify_value(&header, &present, &other, &value.proof),
        Err(LightError::ProofRoot)
    );
    let moved = Header {
        state_root: header.ops_root,
        ..header.clone()
    };
    assert_eq!(
        verify_value(&moved, &present, &found, &value.proof),
        Err(LightError::ProofRoot)
    );
    for at in 0..value.proof.len() {
        let mut other = value.proof.clone();
        other[at] ^= 1;
        assert!(verify_value(&header, &present, &found, &other).is_err(), "byte {at}");
    }
    for at in 0..absence.proof.len() {
        let mut other = absence.proof.clone();
        other[at] ^= 1;
        assert!(verify_absence(&header, &absent, &other).is_err(), "byte {at}");
    }
    let long = vec![0; PROOF_BYTES_MAX + 1];
    assert_eq!(
        verify_value(&header, &present, &found, &long),
        Err(LightError::ProofForm)
    );
}

#[test]
fn a_transaction_and_its_receipt_are_proven_by_place() {
    let Sample { pair, .. } = sample(1);
    let block = &pair[0];
    assert!(block.txs.len() > 1);
    let (tx, receipt) = (block.prove_tx(1).unwrap(), block.prove_receipt(1).unwrap());
    assert_eq!(verify_tx(&block.header, &block.txs[1].bytes, &tx), Ok(()));
    assert_eq!(verify_receipt(&block.header, &block.txs[1].receipt, &receipt), Ok(()));
    assert_eq!(
        verify_tx(&block.header, &block.txs[0].bytes, &tx),
        Err(LightError::ProofRoot)
    );
    assert_eq!(
        verify_receipt(&block.header, &block.txs[1].bytes, &receipt),
        Err(LightError::ProofRoot)
    );
    assert_eq!(block.prove_tx(block.txs.len()), None);
    assert_eq!(block.prove_receipt(usize::MAX), None);
}

#[test]
fn proofs_have_one_byte_form() {
    let Sample {
        anchor, value, absence, ..
    } = sample(1);
    for proof in [value, absence] {
        let bytes = cairn_types::codec::encode(&proof);
        assert_eq!(cairn_types::codec::decode_canonical::<Proof>(&bytes), Ok(proof));
    }
    let bytes = cairn_types::codec::encode(&anchor);
    assert_eq!(cairn_types::codec::decode_canonical::<Anchor>(&bytes), Ok(anchor));
}
