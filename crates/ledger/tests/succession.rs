//! Another era's validators take a ledger over: only they vote from then on, and every invariant holds.

mod world;

use cairn_ledger::succession::{Successor, take_over};
use cairn_ledger::view;
use world::*;

fn successor(name: &str, n: usize) -> Successor {
    Successor {
        rule: rule(name),
        key: validator_key(n),
        address: format!("{name}.example:9000"),
    }
}

#[test]
fn the_validators_of_a_new_era_are_those_of_the_ledger() {
    let mut genesis = genesis(&[("vera", 5_000_000)], Default::default());
    for (place, name) in ["alice", "bob", "carol"].into_iter().enumerate() {
        genesis.validators.push(genesis_validator(name, place));
    }
    let mut world = World::new(genesis);
    assert_eq!(world.line("alice vote_upgrade 2 20"), "ok UpgradeVoted");
    assert_eq!(world.line("bob vote_upgrade 2 20"), "ok UpgradeVoted");
    let accounts = view::chain(&mut world.store)
        .expect("memory")
        .expect("block 1")
        .accounts;

    // One stays, one has an account, two are strangers.
    let era = [
        successor("carol", 7),
        successor("dave", 8),
        successor("zoe", 9),
        successor("yann", 10),
    ];
    take_over(&mut world.store, &era).expect("they fit");
    world.follower.take_over(era.iter().map(|one| one.rule.account_id()));
    world.check();
    let listed = view::validators(&mut world.store).expect("memory");
    let found: Vec<_> = listed
        .iter()
        .map(|one| (one.account, one.key, one.address.clone()))
        .collect();
    let expected: Vec<_> = era
        .iter()
        .map(|one| (one.rule.account_id(), one.key, one.address.clone()))
        .collect();
    assert_eq!(found, expected);
    let after = view::chain(&mut world.store)
        .expect("memory")
        .expect("block 1")
        .accounts;
    assert_eq!(after, accounts + 2);
    assert_eq!(
        world.account("zoe"),
        cairn_ledger::records::Account {
            token: cairn_types::Token::ZERO,
            ..world.account("zoe")
        }
    );

    // Votes of those who are gone do not count, and they give no more.
    assert_eq!(world.line("alice vote_upgrade 2 20"), "refused 206 NotAValidator");
    assert_eq!(world.line("carol vote_upgrade 2 20"), "ok UpgradeVoted");
    assert_eq!(world.line("dave vote_upgrade 2 20"), "ok UpgradeVoted");
    assert_eq!(world.line("zoe vote_upgrade 2 20"), "ok UpgradeVoted UpgradeAnnounced");

    // Fewer take over from more.
    take_over(&mut world.store, &[successor("bob", 1)]).expect("one fits");
    world.check();
    assert_eq!(world.line("show validators"), "1@bob.example:9000");
}

#[test]
fn an_account_that_was_there_keeps_its_money_and_its_keys() {
    let mut world = World::new(genesis(&[("vera", 5_000_000)], Default::default()));
    let before = world.account("alice");
    take_over(&mut world.store, &[successor("alice", 0)]).expect("one fits");
    world.check();
    assert_eq!(world.account("alice"), before);
    assert!(take_over(&mut cairn_ledger::MemoryStore::default(), &[]).is_err());
}
