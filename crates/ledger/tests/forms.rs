//! Strangers' bytes: what `check` refuses before any state is looked at, and that every body has one byte form.

mod world;

use cairn_ledger::account::Rule;
use cairn_ledger::tx::*;
use cairn_ledger::{Body, Genesis, Reject, check, genesis::GenesisError};
use cairn_types::*;
use proptest::prelude::*;
use world::*;

fn transfer_of(name: &str) -> Transaction {
    let body = Body::Transfer(transfer::Transfer {
        to: id("bob"),
        amount: Asset::Token(Token(5)),
    });
    Transaction {
        chain: chain(),
        account: id(name),
        nonce: 1,
        fee_max: Token(0),
        sponsor: None,
        body,
    }
}

fn refused(bytes: &[u8], expected: Reject) {
    assert_eq!(check(&[bytes]).pop().expect("one answer").err(), Some(expected));
}

#[test]
fn forms_are_refused_by_name() {
    let good = transfer_of("alice").sign(&secret("alice"));
    assert_eq!(check(&[&good.bytes()]), [Ok(good.clone())]);
    refused(&vec![0; TX_BYTES_MAX + 1], Reject::TooLong);
    refused(&[], Reject::Malformed);
    refused(&good.bytes()[1..], Reject::Malformed);
    let mut longer = good.bytes();
    longer.push(0);
    refused(&longer, Reject::NotCanonical);

    let mut none = good.clone();
    none.witness.signatures.clear();
    refused(&none.bytes(), Reject::SignaturesIncomplete);
    let mut unruly = good.clone();
    unruly.witness.rule.threshold = 0;
    refused(&unruly.bytes(), Reject::RuleInvalid);
    let mut wrong = good.clone();
    wrong.witness.signatures[0].1.0[3] ^= 1;
    refused(&wrong.bytes(), Reject::SignatureWrong);
    let mut moved = good.clone();
    moved.transaction.nonce = 2;
    refused(&moved.bytes(), Reject::SignatureWrong);

    let uninvited = good.clone().sponsored_by(&rule("bob"), &[secret("bob")]);
    refused(&uninvited.bytes(), Reject::SponsorWitnessWrong);
    let mut alone = transfer_of("alice");
    alone.sponsor = Some(Sponsor::Account(id("bob")));
    refused(
        &alone.clone().sign(&secret("alice")).bytes(),
        Reject::SponsorWitnessWrong,
    );
    let both = alone
        .sign(&secret("alice"))
        .sponsored_by(&rule("bob"), &[secret("bob")]);
    assert_eq!(check(&[&both.bytes()]), [Ok(both)]);
}

#[test]
fn one_wrong_signature_in_a_batch_stops_only_its_own() {
    let many: Vec<Vec<u8>> = (0..40)
        .map(|n| {
            let mut transaction = transfer_of("alice");
            transaction.nonce = n;
            let mut signed = match n % 3 {
                0 => transaction.sign(&secret("p256-alice")),
                1 => transaction.sign(&secret("alice")),
                _ => {
                    let secrets = [secret("a"), secret("b"), secret("p256-c")];
                    let keys = secrets.iter().map(SecretKey::public).collect();
                    transaction.sign_by(&Rule::any_of(2, keys), &secrets)
                }
            };
            if n % 10 == 7 {
                signed.witness.signatures[0].1.0[9] ^= 1;
            }
            signed.bytes()
        })
        .collect();
    let slices: Vec<&[u8]> = many.iter().map(Vec::as_slice).collect();
    for (n, answer) in check(&slices).into_iter().enumerate() {
        assert_eq!(answer.is_err(), n % 10 == 7, "{n}");
    }
}

#[test]
fn a_chunk_with_too_many_leaves_is_refused() {
    let mut world = World::new(genesis(&[("vera", 5_000_000)], Default::default()));
    world.line("alice create_network red");
    world.advance(HOUR_MS);
    world.advance(1);
    assert_eq!(world.line("vera anchor_epoch 0 red"), "ok EpochAnchored");
    let network = NetworkId::of(&chain(), &id("alice"), "red");
    let leaf = |operator| PayoutLeaf {
        operator: AccountNumber(operator),
        units: 1,
        availability: Token(1),
        usage: Token(0),
        cash: MicroUsd(0),
        customers_paid: Credit(0),
    };
    let leaves: Vec<PayoutLeaf> = (0..1_025).map(leaf).collect();
    let attestation = world.attest(world.result(network, 0, &leaves), &["vera"]);
    world
        .act(
            "vera",
            Body::SettleEpoch(settle_epoch::SettleEpoch {
                attestation,
                exchange: None,
            }),
        )
        .expect("settled");
    let proof = merkle::Tree::new(leaves.iter().map(PayoutLeaf::hash).collect())
        .prove(0, 1_025)
        .expect("a range");
    let pay = pay::Pay {
        network,
        epoch: EpochNumber(0),
        leaves,
        proof,
        choices: None,
    };
    assert_eq!(world.act("bob", Body::Pay(pay)).err(), Some(Reject::ChunkTooLong));
}

#[test]
fn a_genesis_that_does_not_add_up_is_refused() {
    let good = genesis(&[("vera", 5_000_000)], Default::default());
    let refuse = |change: &dyn Fn(&mut Genesis)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed.check().expect_err("it does not hold")
    };
    assert_eq!(good.check(), Ok(()));
    assert_eq!(Genesis::from_bytes(&good.bytes()), Ok(good.clone()));
    assert!(matches!(
        refuse(&|g| g.allocations[0].token = Token(1)),
        GenesisError::PremineDiffers { .. }
    ));
    assert_eq!(refuse(&|g| g.epoch_ms = 0), GenesisError::OutOfBounds("epoch_ms"));
    assert_eq!(refuse(&|g| g.verifiers.clear()), GenesisError::OutOfBounds("verifiers"));
    assert_eq!(
        refuse(&|g| g.verifiers[0].bond = Token(1)),
        GenesisError::OutOfBounds("a verifier's bond")
    );
    assert_eq!(
        refuse(&|g| g.allocations[0].rule.threshold = 2),
        GenesisError::RuleInvalid(0)
    );
    assert_eq!(
        refuse(&|g| g.allocations[1] = g.allocations[0].clone()),
        GenesisError::AccountWrong(id("alice"))
    );
    assert_eq!(
        refuse(&|g| g.verifiers[0].key = public("passkey-vera")),
        GenesisError::PasskeyNotAllowed(id("vera"))
    );
    assert_eq!(
        refuse(&|g| g.verifiers[0].account = id("nobody")),
        GenesisError::AccountWrong(id("nobody"))
    );
    assert_eq!(
        refuse(&|g| g.allocations[0].stable = MicroUsd(1 << 60)),
        GenesisError::StableUnbacked
    );
    assert!(matches!(
        refuse(&|g| g.economics.cap = Token(10)),
        GenesisError::Economics(_)
    ));
    let verifiers = |verifiers| move |g: &mut Genesis| g.limits.verifiers_max = verifiers;
    assert_eq!(refuse(&verifiers(257)), GenesisError::OutOfBounds("verifiers_max"));
    let closes = |networks, closes| {
        move |g: &mut Genesis| (g.limits.networks_max, g.limits.closes_per_block) = (networks, closes)
    };
    let wrong = GenesisError::OutOfBounds("closes_per_block beside networks_max");
    for (networks, closed) in [(1_024, 5), (4_097, 1), (5, 1_024)] {
        assert_eq!(refuse(&closes(networks, closed)), wrong, "{networks} {closed}");
    }
    for (networks, closed) in [(1_024, 4), (4_096, 1), (4, 1_024)] {
        let mut other = good.clone();
        closes(networks, closed)(&mut other);
        verifiers(256)(&mut other);
        assert_eq!(other.check(), Ok(()));
    }
    let blocks = |blocks| good.limits.with_committee_blocks(blocks);
    let wrong = GenesisError::OutOfBounds("committee_blocks beside validators_max");
    for out in [15, 65_537, u64::MAX] {
        assert_eq!(refuse(&|g| g.limits = blocks(out)), wrong, "{out}");
    }
    assert_eq!(
        refuse(&|g| g.limits.committee_blocks = 16),
        wrong,
        "room for all of them"
    );
    let room = [(16, 4), (20, 5), (512, 128), (65_536, 128)];
    for (renewed_every, validators) in room {
        let mut other = good.clone();
        other.limits = blocks(renewed_every);
        assert_eq!((other.check(), other.limits.validators_max), (Ok(()), validators));
    }
    let mut other = good.clone();
    other.epoch_ms += 1;
    assert_ne!(other.digest(), good.digest());
}

#[test]
fn stablecoin_of_genesis_is_owed_by_the_first_issuer() {
    let mut genesis = genesis(&[("vera", 5_000_000)], Default::default());
    genesis.allocations[1].stable = MicroUsd(77);
    let mut world = World::new(genesis);
    assert_eq!(world.account("bob").stable, MicroUsd(77));
    world.check();
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(check(&[&bytes]).pop().expect("one answer").is_err());
    }

    /// A true transaction with bytes overwritten is refused, by whatever name, and never panics.
    #[test]
    fn altered_transactions_are_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let good = transfer_of("alice").sign(&secret("alice")).bytes();
        let mut bytes = good.clone();
        bytes[at.index(good.len())] = byte;
        prop_assert_eq!(check(&[&bytes]).pop().expect("one answer").is_ok(), bytes == good);
    }
}
