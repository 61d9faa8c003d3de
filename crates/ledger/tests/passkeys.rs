//! Accounts whose keys are passkeys of browsers: what a witness of theirs must be, and everything near it that is refused by name.

mod world;

use cairn_ledger::account::{Rule, Witness};
use cairn_ledger::tx::*;
use cairn_ledger::{Body, Reject, check};
use cairn_types::passkey::{Assertion, low};
use cairn_types::*;
use proptest::prelude::*;
use std::path::Path;
use world::*;

const NAMES: [&str; 3] = ["passkey-a", "passkey-b", "recovery"];

/// Two of two passkeys and a key for recovery.
fn team() -> Rule {
    Rule::any_of(2, NAMES.map(public).to_vec())
}

fn transfer_of(rule: &Rule, nonce: u64) -> Transaction {
    Transaction {
        chain: chain(),
        account: rule.account_id(),
        nonce,
        fee_max: Token(0),
        sponsor: None,
        body: Body::Transfer(transfer::Transfer {
            to: id("bob"),
            amount: Asset::Token(Token(5)),
        }),
    }
}

fn by(rule: &Rule, transaction: Transaction, names: &[&str]) -> Signed {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let witness = witness(rule, &transaction.id().0, &names);
    Signed {
        transaction,
        witness,
        sponsor: None,
    }
}

fn answer(signed: &Signed) -> Result<Signed, Reject> {
    check(&[&signed.bytes()]).pop().expect("one answer")
}

/// Places of the rule's keys by name: they are sorted, and the recovery key is of the first kind.
fn place(name: &str) -> u8 {
    let at = team().keys.iter().position(|key| *key == public(name));
    u8::try_from(at.expect("in the rule")).expect("few keys")
}

#[test]
fn any_two_of_two_passkeys_and_a_recovery_key_sign() {
    assert_eq!(place("recovery"), 0, "kinds are sorted before bytes");
    for (names, asserted) in [
        (["passkey-a", "passkey-b"], 2),
        (["passkey-a", "recovery"], 1),
        (["passkey-b", "recovery"], 1),
    ] {
        let signed = by(&team(), transfer_of(&team(), 1), &names);
        assert_eq!(signed.witness.assertions.len(), asserted);
        assert_eq!(answer(&signed), Ok(signed.clone()));
        assert_eq!(codec::decode_canonical(&signed.bytes()), Ok(signed));
    }
}

/// What was signed before there were passkeys has the bytes it always had.
#[test]
fn a_witness_without_passkeys_has_two_parts_and_one_with_them_three() {
    let plain = by(&rule("alice"), transfer_of(&rule("alice"), 1), &["alice"]);
    assert_eq!(codec::encode(&plain.witness)[0], 0x82);
    let with = by(&team(), transfer_of(&team(), 1), &["passkey-a", "recovery"]);
    assert_eq!(codec::encode(&with.witness)[0], 0x83);
    // An empty third part is another form of what has none.
    let bytes = plain.bytes();
    let witness = codec::encode(&plain.witness);
    let at = bytes.windows(witness.len()).position(|part| part == witness);
    let at = at.expect("the witness is a part of it");
    let mut longer = bytes.clone();
    longer[at] = 0x83;
    longer.insert(at + witness.len(), 0x80);
    assert_eq!(check(&[&longer]), [Err(Reject::NotCanonical)]);
}

/// Signatures of passkeys are drawn by lot: a file keeps one, in the form it was sent in.
#[test]
fn a_transaction_by_passkeys_of_last_year_still_holds() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/passkeys.hex");
    if std::env::var_os("UPDATE").is_some() {
        let bytes = by(&team(), transfer_of(&team(), 1), &["passkey-a", "passkey-b"]).bytes();
        std::fs::write(&path, format!("{}\n", hex::encode(bytes))).expect("the golden folder is writable");
    }
    let text = std::fs::read_to_string(&path).expect("the golden file");
    let bytes = hex::decode(text.trim()).expect("hex");
    let signed = check(&[&bytes]).pop().expect("one answer").expect("it holds");
    assert_eq!(signed.transaction, transfer_of(&team(), 1));
    assert_eq!(signed.witness.assertions.len(), 2);
}

#[test]
fn every_wrong_witness_is_refused_by_name() {
    type Change = fn(&mut Witness);
    let cases: [(&str, Change, Reject); 17] = [
        ("no assertion", |w| w.assertions.clear(), Reject::AssertionsIncomplete),
        (
            "one is missing",
            |w| drop(w.assertions.pop()),
            Reject::AssertionsIncomplete,
        ),
        (
            "one too many",
            |w| w.assertions.push(w.assertions[1].clone()),
            Reject::AssertionsIncomplete,
        ),
        (
            "one for a key that did not sign",
            |w| w.assertions.insert(0, assertion(0, w)),
            Reject::AssertionsIncomplete,
        ),
        (
            "falling places",
            |w| w.assertions.swap(0, 1),
            Reject::AssertionsIncomplete,
        ),
        (
            "one place twice",
            |w| w.assertions[0].index = 2,
            Reject::AssertionsIncomplete,
        ),
        (
            "a place beyond the keys",
            |w| w.assertions[1].index = 3,
            Reject::AssertionsIncomplete,
        ),
        (
            "authenticator data too short",
            |w| w.assertions[0].authenticator_data.truncate(36),
            Reject::AssertionsIncomplete,
        ),
        (
            "authenticator data too long",
            |w| w.assertions[0].authenticator_data.resize(257, 0),
            Reject::AssertionsIncomplete,
        ),
        (
            "client data too long",
            |w| w.assertions[0].client_data.resize(1_025, b' '),
            Reject::AssertionsIncomplete,
        ),
        (
            "a signature beyond the keys",
            |w| w.signatures[1].0 = 3,
            Reject::SignaturesIncomplete,
        ),
        (
            "another type",
            |w| {
                let text = String::from_utf8(w.assertions[0].client_data.clone()).expect("text");
                w.assertions[0].client_data = text.replace(".get", ".create").into_bytes();
            },
            Reject::AssertionWrong,
        ),
        (
            "nobody made sure of",
            |w| w.assertions[0].authenticator_data[32] = 0b001,
            Reject::AssertionWrong,
        ),
        (
            "padding",
            |w| {
                let text = String::from_utf8(w.assertions[0].client_data.clone()).expect("text");
                w.assertions[0].client_data = text.replace("\",\"origin", "=\",\"origin").into_bytes();
            },
            Reject::AssertionWrong,
        ),
        (
            "each other's",
            |w| {
                let (one, other) = w.assertions.split_at_mut(1);
                one[0].authenticator_data[33] = 1;
                std::mem::swap(&mut one[0].authenticator_data, &mut other[0].authenticator_data);
            },
            Reject::SignatureWrong,
        ),
        (
            "another count",
            |w| w.assertions[0].authenticator_data[36] ^= 1,
            Reject::SignatureWrong,
        ),
        (
            "the high form of a signature",
            |w| {
                let high = |s: &mut Signature| s.0[32] |= 0x80;
                high(&mut w.signatures[0].1);
            },
            Reject::SignatureWrong,
        ),
    ];
    for (what, change, expected) in cases {
        let mut signed = by(&team(), transfer_of(&team(), 1), &["passkey-a", "passkey-b"]);
        change(&mut signed.witness);
        assert_eq!(answer(&signed), Err(expected), "{what}");
    }
}

/// One that is all right, but for its place.
fn assertion(index: u8, witness: &Witness) -> Assertion {
    Assertion {
        index,
        ..witness.assertions[0].clone()
    }
}

#[test]
fn an_assertion_is_worth_nothing_for_anything_else() {
    let signed = by(&rule("passkey-a"), transfer_of(&rule("passkey-a"), 1), &["passkey-a"]);
    assert_eq!(answer(&signed), Ok(signed.clone()));
    let changes: [fn(&mut Transaction); 6] = [
        |t| t.nonce += 1,
        |t| t.fee_max = Token(1),
        |t| t.chain = "other".parse().expect("plain"),
        |t| t.account = id("alice"),
        |t| t.sponsor = Some(Sponsor::Network(NetworkId([1; 32]))),
        |t| t.body = Body::OpenAccount(open_account::OpenAccount {}),
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let mut other = signed.clone();
        change(&mut other.transaction);
        assert_eq!(answer(&other), Err(Reject::AssertionWrong), "{at}");
    }
    // Nor with the plain key of the same secret, nor as a signature of bytes as they are.
    let PublicKey::Passkey(point) = public("passkey-a") else {
        panic!("a passkey")
    };
    let plain = Rule::single(PublicKey::P256(point));
    let mut moved = signed.clone();
    moved.witness.rule = plain;
    assert_eq!(answer(&moved), Err(Reject::AssertionsIncomplete));
    moved.witness.assertions.clear();
    assert_eq!(answer(&moved), Err(Reject::SignatureWrong));
}

#[test]
fn a_sponsor_may_sign_by_passkey() {
    let mut transaction = transfer_of(&rule("alice"), 1);
    transaction.sponsor = Some(Sponsor::Account(team().account_id()));
    let message = transaction.id().0;
    let names = NAMES.map(str::to_owned);
    let signed = Signed {
        witness: witness(&rule("alice"), &message, &["alice".to_owned()]),
        sponsor: Some(witness(&team(), &message, &names)),
        transaction,
    };
    assert_eq!(answer(&signed), Ok(signed.clone()));
    let mut wrong = signed;
    let assertions = &mut wrong.sponsor.as_mut().expect("there").assertions;
    assertions[0].authenticator_data[32] = 0;
    assert_eq!(answer(&wrong), Err(Reject::AssertionWrong));
}

/// Refused when the key is named, with a reason of its own, and not only when it fails to sign.
#[test]
fn a_passkey_is_no_key_of_a_device_a_verifier_or_vouchers() {
    let key = public("passkey-x");
    let signature = low(Signature([1; 64]));
    let voucher = settle_order::Voucher {
        order: OrderId([1; 32]),
        credits: Credit(1),
        meters: Hash([1; 32]),
    };
    let bodies = [
        Body::RegisterDevice(register_device::RegisterDevice { key, signature }),
        Body::BondVerifier(bond_verifier::BondVerifier { amount: Token(1), key }),
        Body::OpenOrder(open_order::OpenOrder {
            network: NetworkId([1; 32]),
            provider: id("bob"),
            shape: 0,
            terms: Hash([1; 32]),
            hold: Credit(1),
            expires: START,
            voucher_key: key,
        }),
        Body::SettleOrder(settle_order::SettleOrder {
            voucher,
            key,
            signature,
        }),
    ];
    for body in bodies {
        let mut transaction = transfer_of(&rule("alice"), 1);
        transaction.body = body;
        let signed = transaction.sign(&secret("alice"));
        assert_eq!(answer(&signed), Err(Reject::PasskeyNotAllowed));
    }
}

#[test]
fn one_wrong_assertion_in_a_batch_stops_only_its_own() {
    let many: Vec<Vec<u8>> = (0..12)
        .map(|n| {
            let rule = [rule("passkey-a"), team(), rule("alice")][n as usize % 3].clone();
            let mut signed = by(&rule, transfer_of(&rule, n), &["passkey-a", "passkey-b", "alice"]);
            if n % 6 == 4 {
                let assertion = &mut signed.witness.assertions[0];
                assertion.authenticator_data[36] ^= 1;
            }
            signed.bytes()
        })
        .collect();
    let slices: Vec<&[u8]> = many.iter().map(Vec::as_slice).collect();
    for (n, answer) in check(&slices).into_iter().enumerate() {
        let wrong = (n % 6 == 4).then_some(Reject::SignatureWrong);
        assert_eq!(answer.err(), wrong, "{n}");
    }
}

proptest! {
    /// Whoever signs, with whatever rule: it reads back as it was and holds.
    #[test]
    fn whatever_keys_sign_it_reads_back_and_holds(
        kinds in prop::collection::vec(0..3u8, 1..=7),
        threshold in any::<prop::sample::Index>(),
        nonce in any::<u64>(),
    ) {
        let names: Vec<String> = kinds.iter().enumerate()
            .map(|(at, kind)| format!("{}-{at}", ["key", "p256", "passkey"][usize::from(*kind)]))
            .collect();
        let threshold = threshold.index(names.len()) as u8 + 1;
        let rule = Rule::any_of(threshold, names.iter().map(|name| public(name)).collect());
        let transaction = transfer_of(&rule, nonce);
        let signed = Signed { witness: witness(&rule, &transaction.id().0, &names), transaction, sponsor: None };
        prop_assert!(signed.witness.is_complete());
        prop_assert_eq!(answer(&signed), Ok(signed.clone()));
        prop_assert_eq!(codec::decode_canonical::<Signed>(&signed.bytes()), Ok(signed));
    }

    /// A true transaction with bytes overwritten is refused, by whatever name, and never panics.
    #[test]
    fn altered_assertions_are_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        // Of one key: which other keys a rule has, only the account's record knows.
        let rule = rule("passkey-a");
        let good = by(&rule, transfer_of(&rule, 1), &["passkey-a"]).bytes();
        let mut bytes = good.clone();
        bytes[at.index(good.len())] = byte;
        prop_assert_eq!(check(&[&bytes]).pop().expect("one answer").is_ok(), bytes == good);
    }
}
