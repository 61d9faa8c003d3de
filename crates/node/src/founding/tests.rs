//! What a draft takes in and what not, and that nobody can change what others said.

use super::*;
use crate::genesis::{Solo, solo};
use cairn_engine::deal;
use cairn_types::SecretKey;
use std::path::PathBuf;

fn draft(seats: u16) -> Founding {
    let key = |seed| SecretKey::ed25519([seed; 32]).public();
    let genesis = solo(&Solo {
        chain: "cairn-founding".parse().unwrap(),
        start: "2026-01-01T00:00:00Z".parse().unwrap(),
        epoch_ms: 3_600_000,
        founder: key(1),
        verifier: key(2),
        issuer: key(3),
        others: vec![],
    });
    Founding::new(genesis.unwrap(), seats, Token(7)).unwrap()
}

fn account(at: usize) -> Rule {
    Rule::single(SecretKey::ed25519([100 + at as u8; 32]).public())
}

fn address(at: usize) -> Address {
    format!("validator-{at}.example.org:9000").parse().unwrap()
}

/// Key files of validators who know each other's group, and their identities.
fn identities(folder: &Path, n: usize) -> (Vec<PathBuf>, Vec<Identity>) {
    let paths: Vec<PathBuf> = (0..n).map(|at| folder.join(format!("{at}.keys"))).collect();
    deal(&paths).unwrap();
    let identities = paths.iter().map(|path| Identity::open(path).unwrap()).collect();
    (paths, identities)
}

/// A draft that all have joined, and what their ceremony would come to.
fn joined(folder: &Path, n: usize) -> (Founding, Dealt) {
    let (_, identities) = identities(folder, n);
    let mut draft = draft(n as u16);
    for (at, identity) in identities.iter().enumerate() {
        draft.join(identity, address(at), account(at)).unwrap();
    }
    let group = identities[0].group().unwrap().clone();
    let statement = statement(&draft.draft().unwrap().0, &group);
    let signatures = identities
        .iter()
        .map(|identity| (identity.key(), identity.sign(&statement)));
    let dealt = Dealt {
        signatures: signatures.collect(),
        group,
    };
    (draft, dealt)
}

#[test]
fn a_file_reads_back_at_every_step_and_the_last_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (full, dealt) = joined(folder.path(), 4);
    let empty = draft(4);
    assert!(matches!(
        empty.draft(),
        Err(FoundingError::Unready { missing: 4, seats: 4 })
    ));
    let mut founded = full.clone();
    founded.found(dealt).unwrap();
    let path = folder.path().join("genesis.json");
    for founding in [empty, full, founded.clone()] {
        founding.write_file(&path).unwrap();
        assert_eq!(Founding::read_file(&path).unwrap(), founding);
    }
    assert!(founded.founded().is_ok());
    assert_eq!(founded.peers().len(), 4);
}

#[test]
fn a_draft_has_no_more_seats_than_its_ledger_has_room() {
    let mut genesis = draft(4).genesis;
    genesis.limits = genesis.limits.with_committee_blocks(16);
    assert!(Founding::new(genesis.clone(), 4, Token(7)).is_ok());
    assert!(matches!(
        Founding::new(genesis, 5, Token(7)),
        Err(FoundingError::Room(4))
    ));
}

#[test]
fn copies_merge_in_any_order_to_the_same_draft() {
    let folder = tempfile::tempdir().unwrap();
    let (_, identities) = identities(folder.path(), 3);
    let copies: Vec<Founding> = identities
        .iter()
        .enumerate()
        .map(|(at, identity)| {
            let mut copy = draft(3);
            copy.join(identity, address(at), account(at)).unwrap();
            copy
        })
        .collect();
    let merged = |order: [usize; 3]| {
        let mut merged = copies[order[0]].clone();
        assert_eq!(merged.merge(&copies[order[1]]).unwrap(), 1);
        assert_eq!(merged.merge(&copies[order[1]]).unwrap(), 0);
        assert_eq!(merged.merge(&copies[order[2]]).unwrap(), 1);
        merged
    };
    assert_eq!(merged([0, 1, 2]), merged([2, 1, 0]));
    assert_eq!(merged([0, 1, 2]).draft().unwrap(), merged([1, 0, 2]).draft().unwrap());
    let mut other = draft(4);
    assert!(matches!(other.merge(&copies[0]), Err(FoundingError::OtherDraft)));
}

#[test]
fn joining_again_moves_and_no_two_share_a_thing() {
    let folder = tempfile::tempdir().unwrap();
    let (_, identities) = identities(folder.path(), 4);
    let mut draft = draft(2);
    draft.join(&identities[0], address(0), account(0)).unwrap();
    draft.join(&identities[0], address(1), account(0)).unwrap();
    assert_eq!((draft.validators.len(), &draft.validators[0].address), (1, &address(1)));
    let before = draft.clone();
    for (address, account) in [(address(1), account(1)), (address(2), account(0))] {
        let joined = draft.join(&identities[1], address, account);
        assert!(matches!(joined, Err(FoundingError::Twice(_))));
    }
    let bad = Rule::any_of(3, vec![SecretKey::ed25519([9; 32]).public()]);
    assert!(matches!(
        draft.join(&identities[1], address(2), bad),
        Err(FoundingError::Account)
    ));
    assert_eq!(draft, before, "what is refused changes nothing");
    draft.join(&identities[1], address(2), account(2)).unwrap();
    assert!(matches!(
        draft.join(&identities[2], address(3), account(3)),
        Err(FoundingError::Full(2))
    ));
}

#[test]
fn each_validator_has_its_token_and_the_sums_stay() {
    let folder = tempfile::tempdir().unwrap();
    let (full, _) = joined(folder.path(), 4);
    let ledger = full.ledger().unwrap();
    for at in 0..4 {
        let found = ledger
            .allocations
            .iter()
            .find(|allocation| allocation.rule == account(at));
        assert_eq!(found.unwrap().token, Token(7));
    }
    assert_eq!(ledger.allocations[0].token.0 + 28, full.genesis.allocations[0].token.0);
    let greedy = Founding {
        validator_token: Token(u64::MAX),
        ..draft(1)
    };
    let (_, identities) = identities(folder.path(), 1);
    let joined = greedy.clone().join(&identities[0], address(0), account(0));
    assert!(matches!(joined, Err(FoundingError::TokenMissing)));
}

#[test]
fn whatever_is_changed_in_a_signed_file_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (full, dealt) = joined(folder.path(), 4);
    let mut founded = full.clone();
    founded.found(dealt.clone()).unwrap();
    let text = founded.write();
    for (from, to) in [
        ("validator-2.example", "validator-9.example"),
        ("\"seats\": 4", "\"seats\": 5"),
        ("\"validator_token\": \"7\"", "\"validator_token\": \"8\""),
        ("\"epoch_ms\": 3600000", "\"epoch_ms\": 7200000"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        assert!(Founding::read(&changed).is_err(), "{from}");
    }
    let mut fewer = dealt.clone();
    fewer.signatures.pop();
    assert!(matches!(
        full.clone().found(fewer),
        Err(FoundingError::SignaturesMissing)
    ));
    let mut wrong = dealt.clone();
    wrong.signatures[1].1.0[5] ^= 1;
    let key = wrong.signatures[1].0;
    assert!(matches!(full.clone().found(wrong), Err(FoundingError::Signature(by)) if by == key));
    let mut other = dealt;
    other.group.key[3] ^= 1;
    assert!(matches!(full.clone().found(other), Err(FoundingError::Group)));
    let (_, strangers) = identities(folder.path(), 1);
    let late = founded.join(&strangers[0], address(9), account(9));
    assert!(matches!(late, Err(FoundingError::Signed)));
}
