//! A verifier that withholds its file and shows it later: to all, to one, after the words, after the settlement, while others are killed.
//! Nobody honest loses anything, no epoch is lost, and all come to remember the same.

use super::several::{archive, assert_audited, without};
use super::*;
use crate::audit::{Claimed, Verdict, audit, verdict};
use crate::chain::ChainView;
use crate::handed::{self, File, NotTaken, Want};
use crate::objects::Memory;
use crate::peers::What;
use crate::world::several::Several;
use crate::world::{CUSTOMER, FOUNDER, FOUR, HOUR, WHOLE, account, after, key, sealed};
use cairn_ledger::genesis::GenesisValidator;
use cairn_ledger::tx::Body;
use cairn_ledger::tx::open_dispute::OpenDispute;
use cairn_ledger::tx::slash_verifier::SlashVerifier;
use cairn_ledger::{Reject, view};
use cairn_types::{Token, ValidatorKey};

pub(super) const HONEST: [usize; 3] = [0, 1, 2];
/// Withholds.
pub(super) const LATE: usize = 3;
const BONDS: [u64; 4] = [25_000; 4];

/// Those who say so do not hear each other's results, only what is missing.
fn mute(several: &Several, of: &[usize]) {
    for at in of {
        let mute = |_: &AccountId, wanted: &crate::peers::Wanted, honest| match wanted.what {
            What::Words => None,
            _ => honest,
        };
        several.set_mood(*at, Some(Box::new(mute)));
    }
}

pub(super) fn unmute(several: &Several, of: &[usize]) {
    of.iter().for_each(|at| several.set_mood(*at, None));
}

/// Hour 0 is over, all four anchored, the fourth shows nobody its file, and what is missing is missing for long.
pub(super) fn withheld(
    bonds: &[u64],
    hours: u64,
    change: impl FnOnce(&mut cairn_ledger::Genesis),
) -> (Several, TimeMs) {
    let mut several = Several::among(&FOUR, bonds, hours, change);
    several.feed(0);
    let report = sealed(several.world.network, 3, TimeMs(after(0).0 - 60_000), 9_999);
    assert_eq!(several.send(LATE, 0, &[report]).len(), 1);
    let now = several.end(0);
    several.hang_up(LATE);
    mute(&several, &HONEST);
    several.advance_all(&[0, 1, 2, LATE], now);
    let later = now.plus_ms(HOUR / 2);
    several.chain().advance(later);
    (several, later)
}

/// Results can be disputed for four hours, and one validator decides.
pub(super) fn disputable(genesis: &mut cairn_ledger::Genesis) {
    genesis.limits.dispute_window_ms = 4 * HOUR;
    genesis.validators.push(GenesisValidator {
        account: account(FOUNDER).account,
        key: ValidatorKey([5; 32]),
        address: "validator.example.org:9000".to_owned(),
    });
}

pub(super) fn assert_bonds(several: &Several, bonds: &[u64]) {
    let verifiers = several.chain().verifiers().unwrap();
    for (at, bond) in HONEST.into_iter().zip(bonds) {
        assert_eq!(
            verifiers.of(&several.account(at)).unwrap().bond,
            Token(bond * WHOLE),
            "{at}"
        );
    }
}

pub(super) fn assert_left_out(several: &Several, of: &[usize], left_out: &[AccountId]) {
    for at in of {
        assert_eq!(without(several, *at, 0), left_out, "{at}");
    }
}

#[test]
fn a_file_that_turns_up_after_the_words_is_judged_by_all_and_nobody_is_slashed_for_a_second_word() {
    let (mut several, later) = withheld(&BONDS, 2, |_| {});
    several.advance_all(&HONEST, later);
    let late = several.account(LATE);
    assert_left_out(&several, &HONEST, &[late]);
    assert_eq!(several.settled(0), None);

    several.set_mood(LATE, None);
    several.advance_all(&HONEST, later);
    assert_left_out(&several, &HONEST, &[]);
    let said = archive(&several, 0, 0).said().unwrap();
    assert_eq!(said.len(), 2, "the first word stands beside the second");
    let served = crate::peers::Word::clone(&said[0]);
    assert!(archive(&several, 0, 0).words().unwrap().contains(&served));
    let proof = SlashVerifier {
        verifier: several.account(0),
        first: said[0].result().clone(),
        first_signature: said[0].attestation.signatures[0].1,
        second: said[1].result().clone(),
        second_signature: Some(said[1].attestation.signatures[0].1),
    };
    let refused = account(CUSTOMER).submit(several.chain(), Body::SlashVerifier(proof));
    let refused_with = Reject::EvidenceNotTwo.code();
    assert!(
        matches!(&refused, Err(SubmitError::Chain(ChainError::Refused { code, .. })) if *code == refused_with),
        "{refused:?}"
    );

    unmute(&several, &HONEST);
    several.advance_all(&[0, 1, 2, LATE], later);
    assert_eq!(several.settled(0), Some(said[1].result().hash()));
    assert_audited(&several, &[0, 1, 2, LATE], 0);
    assert_bonds(&several, &BONDS);
    assert!(archive(&several, 1, 0).get(archive::DIFFERENCES).unwrap().is_none());
}

#[test]
fn a_file_shown_to_one_while_another_has_left_it_out_reaches_all_and_the_epoch_is_settled() {
    let (mut several, later) = withheld(&BONDS, 2, |_| {});
    // The second and the third say what they miss; the first hears it and gives its word.
    for at in [1, 2, 0] {
        several.advance(at, later);
    }
    let late = several.account(LATE);
    assert_left_out(&several, &[0], &[late]);
    assert!(archive(&several, 1, 0).manifest().unwrap().is_none());
    let second = several.account(1);
    let to_one =
        move |asks: &AccountId, _: &crate::peers::Wanted, honest: Option<Vec<u8>>| honest.filter(|_| *asks == second);
    several.set_mood(LATE, Some(Box::new(to_one)));
    unmute(&several, &HONEST);
    several.advance_all(&[1, 2, 0], later);
    assert_left_out(&several, &HONEST, &[]);
    assert_audited(&several, &HONEST, 0);
    assert_bonds(&several, &BONDS);
}

#[test]
fn whoever_is_killed_between_two_words_keeps_the_first_and_takes_up_what_is_settled() {
    // The first two are a quorum; the third alone is shown the file.
    let bonds = [40_000, 40_000, 10_000, 10_000];
    for puts in [0, 1, 2, 3, 5, 8, 9] {
        let (mut several, later) = withheld(&bonds, 3, |_| {});
        several.advance_all(&HONEST, later);
        let first = archive(&several, 2, 0).said().unwrap();
        several.hang_up(2);
        let third = several.account(2);
        let to_one = move |asks: &AccountId, _: &crate::peers::Wanted, honest: Option<Vec<u8>>| {
            honest.filter(|_| *asks == third)
        };
        several.set_mood(LATE, Some(Box::new(to_one)));
        several.verifiers[2].objects.stop_after(Some(puts));
        several.advance(2, later);
        several.verifiers[2].objects.stop_after(None);
        several.reopen(2);
        if puts % 2 == 1 {
            // It comes back before the others settle, and comes to the same second word.
            several.advance(2, later);
            assert_left_out(&several, &[2], &[]);
        }
        let said = archive(&several, 2, 0).said().unwrap();
        assert!(said.contains(&first[0]), "{puts}");
        unmute(&several, &[0, 1]);
        several.advance_all(&[0, 1], later);
        assert_eq!(several.settled(0), Some(first[0].result().hash()));
        several.advance_all(&HONEST, later);
        let late = several.account(LATE);
        assert_left_out(&several, &HONEST, &[late]);
        assert_audited(&several, &HONEST, 0);
        let said = archive(&several, 2, 0).said().unwrap();
        assert!(said.len() <= 2 && said.last() == first.last(), "{puts}");

        unmute(&several, &[2, LATE]);
        several.feed(1);
        let now = several.end(1);
        several.advance_all(&[0, 1, 2, LATE], now);
        assert_audited(&several, &[0, 1, 2, LATE], 1);
        assert_bonds(&several, &bonds);
    }
}

#[test]
fn a_file_shown_after_the_settlement_has_the_result_replaced_and_honest_signers_keep_their_bonds() {
    let (mut several, later) = withheld(&BONDS, 4, disputable);
    unmute(&several, &HONEST);
    several.advance_all(&HONEST, later);
    let late = several.account(LATE);
    assert_left_out(&several, &HONEST, &[late]);
    let (network, zero) = (several.world.network, EpochNumber(0));
    let first = several.settled(0).unwrap();
    let judge = |several: &Several, claimed: Option<&Claimed>| {
        let objects = &several.verifiers[1].objects;
        verdict(objects, several.chain(), &network, zero, claimed).unwrap()
    };
    assert!(matches!(judge(&several, None), Verdict::Right(_)));
    // The next hour is settled on top of it.
    several.feed(1);
    let now = several.end(1);
    several.advance_all(&HONEST, now);
    let now = now.plus_ms(HOUR / 2);
    several.chain().advance(now);
    several.advance_all(&HONEST, now);
    assert!(several.settled(1).is_some());

    several.set_mood(LATE, None);
    let now = now.plus_ms(60_000);
    several.advance_all(&HONEST, now);
    let found = judge(&several, None);
    let Verdict::Completed(full) = &found else {
        panic!("{found:?}")
    };
    assert!(full.result.without.is_empty());
    assert_ne!(full.result.hash(), first);
    let token = |several: &Several, role| {
        let id = account(role).account;
        let account = several.chain().read(|store| view::account(store, &id)).unwrap();
        account.unwrap().token
    };
    let before = token(&several, CUSTOMER);
    let open = OpenDispute {
        claimed: full.result.clone(),
        exchange: full.exchange,
    };
    account(CUSTOMER)
        .submit(several.chain(), Body::OpenDispute(open))
        .unwrap();
    let mut claimed = Claimed {
        claim: full.claim(),
        without: several
            .chain()
            .read(|store| view::claimed_without(store, &network, zero))
            .unwrap(),
    };
    let vote = judge(&several, Some(&claimed)).vote();
    assert!(!vote.blame && vote.result == full.result);
    claimed.claim = Hash([7; 32]);
    let other = judge(&several, Some(&claimed)).vote();
    assert_eq!((other.result.hash(), other.blame), (first, false));
    account(FOUNDER)
        .submit(several.chain(), Body::VoteDispute(vote))
        .unwrap();
    assert_eq!(several.settled(0), Some(full.result.hash()));
    assert_eq!(several.settled(1), None, "it built on what was replaced");
    assert_bonds(&several, &BONDS);
    assert_eq!(token(&several, CUSTOMER), before, "its bond, and no reward");

    // All take up what is in force, attest the next hour anew, and pay both in the end.
    several.advance_all(&HONEST, now);
    assert_left_out(&several, &HONEST, &[]);
    let now = now.plus_ms(5 * HOUR);
    several.chain().advance(now);
    several.advance_all(&HONEST, now);
    for hour in 0..2 {
        assert_audited(&several, &HONEST, hour);
        let settlement = several
            .chain()
            .settlement(&network, EpochNumber(hour))
            .unwrap()
            .unwrap();
        assert!(settlement.leaves > 0);
        assert_eq!(settlement.cursor, settlement.leaves, "hour {hour}");
    }
    assert_bonds(&several, &BONDS);
}

#[test]
fn an_audit_holds_what_is_left_out_against_the_ledger() {
    let (mut several, later) = withheld(&BONDS, 2, |_| {});
    unmute(&several, &HONEST);
    several.advance_all(&HONEST, later);
    assert_audited(&several, &HONEST, 0);
    let objects = &several.verifiers[0].objects;
    let audited = |several: &Several| audit(objects, several.chain(), &several.world.network, EpochNumber(0)).unwrap();
    assert_eq!(audited(&several).without, [several.account(LATE)]);
    let own = archive(&several, 0, 0);
    let honest = own.manifest().unwrap().unwrap();
    for false_one in [vec![], vec![0], vec![0, 1, 2]] {
        let mut manifest = honest.clone();
        let mut result = manifest.attestation.result.clone();
        assert_ne!(result.without, false_one);
        result.without = false_one;
        manifest.attestation = attest::attest(result, several.account(0), &key(FOUR[0]));
        own.put(archive::MANIFEST, &codec::encode(&manifest)).unwrap();
        let found = audited(&several).difference.unwrap();
        assert!(
            found.file == archive::MANIFEST && found.field.starts_with("result.without"),
            "{found}"
        );
    }
    own.put(archive::MANIFEST, &codec::encode(&honest)).unwrap();
    assert_audited(&several, &[0], 0);
}

#[test]
fn files_that_turn_up_one_after_the_other_are_judged_at_once_and_what_is_missing_still_is_said() {
    let bonds = [40_000, 40_000, 10_000, 10_000];
    let mut several = Several::among(&FOUR, &bonds, 2, |_| {});
    several.feed(0);
    let report = sealed(several.world.network, 3, TimeMs(after(0).0 - 60_000), 9_999);
    several.send(3, 0, &[report]);
    let now = several.end(0);
    [2, 3].into_iter().for_each(|at| several.hang_up(at));
    mute(&several, &[0, 1]);
    several.advance_all(&[0, 1, 2, 3], now);
    let later = now.plus_ms(HOUR / 2);
    several.chain().advance(later);
    several.advance_all(&[0, 1], later);
    let late = [several.account(2), several.account(3)];
    assert_left_out(&several, &[0, 1], &late);
    several.set_mood(3, None);
    several.advance_all(&[0, 1], later);
    assert_left_out(&several, &[0, 1], &late[..1]);
    let said = archive(&several, 0, 0).need(archive::WITHHELD).unwrap();
    let said: crate::peers::withheld::Withheld = codec::decode_canonical(&said).unwrap();
    assert_eq!(said.missing.of, late[..1]);
    several.set_mood(2, None);
    several.advance_all(&[0, 1], later);
    assert_left_out(&several, &[0, 1], &[]);
    assert_eq!(archive(&several, 0, 0).said().unwrap().len(), 3);
    unmute(&several, &[0, 1]);
    several.advance_all(&[0, 1], later);
    assert_audited(&several, &[0, 1], 0);
}

#[test]
fn a_word_that_was_given_stands_whatever_the_same_files_come_to_now() {
    let (mut several, later) = withheld(&BONDS, 2, |_| {});
    several.advance_all(&HONEST, later);
    // As if its program had judged otherwise then.
    let own = archive(&several, 0, 0);
    let mut result = own.said().unwrap()[0].result().clone();
    result.findings = Hash([9; 32]);
    let before = Word {
        attestation: attest::attest(result, several.account(0), &key(FOUR[0])),
        exchange: None,
    };
    own.put(archive::SAID, &codec::encode(&vec![before.clone()])).unwrap();
    own.open_again().unwrap();
    several.reopen(0);
    several.advance(0, later);
    let own = archive(&several, 0, 0);
    assert_eq!(own.manifest().unwrap().unwrap().word(), before);
    assert_eq!(own.said().unwrap(), [before]);
}

#[test]
fn who_is_left_out_before_it_judged_keeps_its_own_file() {
    let mut several = Several::among(&FOUR, &BONDS, 2, |_| {});
    several.feed(0);
    let report = sealed(several.world.network, 3, TimeMs(after(0).0 - 60_000), 9_999);
    several.send(LATE, 0, &[report]);
    let now = several.end(0);
    several.hang_up(LATE);
    several.advance(LATE, now);
    several.advance_all(&HONEST, now);
    let later = now.plus_ms(HOUR / 2);
    several.chain().advance(later);
    several.advance_all(&HONEST, later);
    assert!(several.settled(0).is_some());
    several.advance_all(&[LATE], later);
    assert_left_out(&several, &[0, 1, 2, LATE], &[several.account(LATE)]);
    assert_audited(&several, &[LATE], 0);
    let anchoring = several.chain().anchoring(&several.world.network, EpochNumber(0));
    let own = anchoring.unwrap().of(&several.account(LATE)).unwrap().reports_hash;
    assert!(archive(&several, LATE, 0).sealed(&own).unwrap().is_some());
}

/// The file that the fourth anchored, and what only a validator sees: an honest archive with that file in it.
fn shown_to_a_validator(several: &Several) -> (File, Vec<u8>, Memory) {
    let (network, epoch) = (several.world.network, EpochNumber(0));
    let anchoring = several.chain().anchoring(&network, epoch).unwrap();
    let hash = anchoring.of(&several.account(LATE)).unwrap().reports_hash;
    let bytes = archive(several, LATE, 0).sealed(&hash).unwrap().unwrap();
    let (seen, honest) = (Memory::default(), &several.verifiers[1].objects);
    for path in honest.paths() {
        seen.put(&path, &honest.get(&path).unwrap().unwrap()).unwrap();
    }
    let file = File { network, epoch, hash };
    handed::keep(&seen, &file, &bytes).unwrap();
    (file, bytes, seen)
}

#[test]
fn an_epoch_decided_by_a_file_that_nobody_has_is_judged_once_it_is_handed_on_however_late() {
    let (mut several, later) = withheld(&BONDS, 4, disputable);
    unmute(&several, &HONEST);
    several.advance_all(&HONEST, later);
    let first = several.settled(0).unwrap();
    let (file, bytes, seen) = shown_to_a_validator(&several);
    let found = verdict(&seen, several.chain(), &file.network, file.epoch, None).unwrap();
    assert!(matches!(found, Verdict::Completed(_)), "{found:?}");
    let (full, vote) = (found.comes_to(), found.vote());
    let (claimed, exchange) = (full.result.clone(), full.exchange);
    let open = Body::OpenDispute(OpenDispute { claimed, exchange });
    account(CUSTOMER).submit(several.chain(), open).unwrap();
    account(FOUNDER)
        .submit(several.chain(), Body::VoteDispute(vote))
        .unwrap();
    let full = several.settled(0);
    assert_ne!(full, Some(first));

    // Nobody can judge by it, for longer than files are sought.
    several.feed(1);
    let mut now = several.end(1);
    for _ in 0..3 {
        several.advance_all(&HONEST, now);
        now = now.plus_ms(HOUR / 2);
        several.chain().advance(now);
    }
    several.advance_all(&HONEST, now);
    assert_eq!(several.settled(1), None);

    for at in HONEST {
        let objects = &several.verifiers[at].objects;
        let want = handed::want(objects, several.chain(), &file, None).unwrap();
        assert!(matches!(want, Want::Wanted { bytes_max } if bytes_max >= bytes.len() as u64));
        let lie = handed::keep(objects, &file, b"another");
        assert_eq!(lie, Err(NotTaken::OtherHash));
        // Of the third nobody knows where it is: it fetches the file from the others.
        if at < 2 {
            handed::keep(objects, &file, &bytes).unwrap();
            assert_eq!(handed::want(objects, several.chain(), &file, None), Ok(Want::Here));
        }
    }
    several.advance_all(&HONEST, now);
    assert_left_out(&several, &HONEST, &[]);
    assert!(several.settled(1).is_some(), "later epochs follow");
    let now = now.plus_ms(5 * HOUR);
    several.chain().advance(now);
    several.advance_all(&HONEST, now);
    for hour in 0..2 {
        assert_audited(&several, &HONEST, hour);
        let settlement = several.chain().settlement(&file.network, EpochNumber(hour));
        let settlement = settlement.unwrap().unwrap();
        assert_eq!(settlement.cursor, settlement.leaves, "hour {hour}");
    }
    assert_eq!(several.settled(0), full);
    assert_bonds(&several, &BONDS);

    // Once the money is on its way nothing is decided by files any more, but for who is behind.
    let empty = Memory::default();
    let want = |file: &File, at| handed::want(&empty, several.chain(), file, at);
    assert_eq!(want(&file, None), Err(NotTaken::Released));
    assert_eq!(want(&file, Some(EpochNumber(1))), Err(NotTaken::Released));
    assert!(matches!(want(&file, Some(EpochNumber(0))), Ok(Want::Wanted { .. })));
    let hash = Hash([3; 32]);
    assert_eq!(want(&File { hash, ..file }, None), Err(NotTaken::NotAnchored));
    let hash = archive::reports::empty_hash();
    assert_eq!(want(&File { hash, ..file }, None), Err(NotTaken::NotAnchored));
}
