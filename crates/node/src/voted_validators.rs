//! Four validators vote a fifth in on the ledger, and it votes on blocks some renewals of the shares later: in the engine's
//! deterministic run, with transactions that any wallet could send.

use crate::four_validators::{Nodes, candidate, genesis, nodes_of};
use crate::mempool::Origin;
use crate::state::State;
use cairn_engine::Tx;
use cairn_engine::sim::{Drive, Sim};
use cairn_ledger::account::Rule;
use cairn_ledger::genesis::{Allocation, Genesis, GenesisValidator};
use cairn_ledger::tx::Body;
use cairn_ledger::tx::vote_validator::{Change, VoteValidator};
use cairn_ledger::{Transaction, view};
use cairn_types::{AccountId, MicroUsd, SecretKey, Token, ValidatorKey};
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const COMMITTEE_BLOCKS: u64 = 20;
const FUNDS: Token = Token(1_000_000_000);

/// Who votes in the name of a validator.
fn voter(at: usize) -> SecretKey {
    SecretKey::ed25519([100 + u8::try_from(at).unwrap(); 32])
}

fn account(at: usize) -> AccountId {
    Rule::single(voter(at).public()).account_id()
}

/// The first four are validators from the beginning; the fifth has an account only.
fn ledger(names: &[[u8; 32]]) -> Genesis {
    let mut genesis = genesis();
    genesis.limits.committee_blocks = COMMITTEE_BLOCKS;
    genesis.limits.validators_max = 5;
    for (at, name) in names.iter().enumerate() {
        genesis.allocations[0].token = genesis.allocations[0].token.checked_sub(FUNDS).unwrap();
        genesis.allocations.push(Allocation {
            rule: Rule::single(voter(at).public()),
            token: FUNDS,
            stable: MicroUsd::ZERO,
        });
        if at < 4 {
            genesis.validators.push(GenesisValidator {
                account: account(at),
                key: ValidatorKey(*name),
                address: address(at),
            });
        }
    }
    genesis.check().unwrap();
    genesis
}

fn address(at: usize) -> String {
    format!("validator-{at}.example.org:9000")
}

/// A validator's vote that the fifth joins.
fn vote(at: usize, genesis: &Genesis, fifth: [u8; 32]) -> Tx {
    let transaction = Transaction {
        chain: genesis.chain.clone(),
        account: account(at),
        nonce: 1,
        fee_max: Token(1_000_000),
        sponsor: None,
        body: Body::VoteValidator(VoteValidator {
            key: ValidatorKey(fifth),
            change: Change::Add(account(4), address(4)),
        }),
    };
    Tx::new(transaction.sign(&voter(at)).bytes())
}

#[test]
fn who_is_voted_in_on_the_ledger_signs_blocks_later() {
    let folder = tempfile::tempdir().unwrap();
    let mut sim = Sim::seeded(31);
    sim.followers = 1;
    sim.epoch_blocks = NonZeroU64::new(COMMITTEE_BLOCKS).unwrap();
    sim.pace.idle_interval = Duration::from_millis(100);
    let names = sim.names();
    let genesis = ledger(&names);
    let Nodes { hosts, pools, .. } = nodes_of(5, genesis.clone(), folder.path());
    let seen = Arc::new(Mutex::new(None));
    let result = seen.clone();
    let drive: Drive = Box::new(move |network| {
        Box::pin(async move {
            // Three of four are enough.
            for at in 0..3 {
                let vote = candidate(vote(at, &genesis, names[4]));
                for pool in &pools {
                    assert_eq!(pool.add(vote.clone(), None, u64::MAX, Origin::Elsewhere), Some(Ok(())));
                }
            }
            let fifth = network.handles[4].clone();
            let mut latest = fifth.follow();
            let committee = loop {
                let committee = fifth.committee().await.unwrap();
                if committee.signs {
                    break committee;
                }
                let until = latest.borrow_and_update().header.height + 1;
                drop(latest.wait_for(|latest| latest.header.height >= until).await.unwrap());
            };
            let leads = latest.wait_for(|latest| latest.header.leader == names[4]).await;
            assert_eq!(leads.unwrap().header.epoch, committee.epoch);
            let ledger = State::new(fifth)
                .look([], |store| view::validators(store))
                .await
                .unwrap()
                .1;
            *result.lock().unwrap() = Some((committee, ledger, names));
        })
    });
    sim.run(hosts, drive);
    let (committee, ledger, mut names) = seen.lock().unwrap().take().expect("the drive ran to its end");
    assert_eq!(
        committee.epoch, 4,
        "voted in the first epoch, written down in the second, announced in the third, dealt its share in the fourth"
    );
    assert_eq!(ledger.len(), 5);
    names.sort_unstable();
    assert_eq!(committee.members, names);
}
