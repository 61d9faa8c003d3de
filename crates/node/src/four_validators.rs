//! The ledger on four validators in the engine's deterministic run: the same transactions reach each at other times, one is
//! cut off, all crash, and still all have the same roots and every transaction that any of them called final.

use crate::follow::Follower;
use crate::genesis::{Solo, solo};
use crate::index::Index;
use crate::machine::{LedgerMachine, signed};
use crate::mempool::{Candidate, Limits, Origin, SharedPool};
use crate::state::State;
use cairn_engine::sim::{Sim, SimEnd, SimHost, SimNetwork};
use cairn_engine::{Ended, Finalized, ManualClock, Observer, Tx, TxHash, TxSource};
use cairn_ledger::genesis::GenesisValidator;
use cairn_ledger::protocol::PROTOCOLS;
use cairn_ledger::tx::transfer::Transfer;
use cairn_ledger::tx::vote_upgrade::VoteUpgrade;
use cairn_ledger::tx::{Asset, Body};
use cairn_ledger::{Genesis, Ledger, Transaction, view};
use cairn_types::{AccountId, Hash, MicroUsd, SecretKey, TimeMs, Token, ValidatorKey};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const FOUNDER: [u8; 32] = [1; 32];
const AMOUNT: Token = Token(5_000);

fn account(seed: [u8; 32]) -> AccountId {
    cairn_ledger::account::Rule::single(SecretKey::ed25519(seed).public()).account_id()
}

pub(crate) fn genesis() -> Genesis {
    let key = |seed| SecretKey::ed25519([seed; 32]).public();
    solo(&Solo {
        chain: "cairn-sim".parse().unwrap(),
        start: TimeMs(1_700_000_000_000),
        epoch_ms: 5_000,
        founder: SecretKey::ed25519(FOUNDER).public(),
        verifier: key(2),
        issuer: key(3),
        others: vec![(key(4), Token(1), MicroUsd(0))],
    })
    .unwrap()
}

/// The founder's transfer with this nonce.
fn transfer(nonce: u64) -> Candidate {
    let body = Body::Transfer(Transfer {
        to: account([4; 32]),
        amount: Asset::Token(AMOUNT),
    });
    signed_by(FOUNDER, nonce, body)
}

fn signed_by(seed: [u8; 32], nonce: u64, body: Body) -> Candidate {
    let transaction = Transaction {
        chain: "cairn-sim".parse().unwrap(),
        account: account(seed),
        nonce,
        fee_max: Token(1_000_000),
        sponsor: None,
        body,
    };
    candidate(Tx::new(transaction.sign(&SecretKey::ed25519(seed)).bytes()))
}

pub(crate) fn candidate(tx: Tx) -> Candidate {
    let transaction = signed(&tx.bytes).unwrap().transaction;
    Candidate {
        id: transaction.id(),
        account: transaction.account,
        nonce: transaction.nonce,
        fee_max: transaction.fee_max,
        tx,
    }
}

/// The node's own pool, which takes what other nodes tell without asking the state: there is no desk in this run.
struct Open(Arc<SharedPool>);

impl TxSource for Open {
    fn peek(&self, count_max: usize, bytes_max: usize, skip: &dyn Fn(&TxHash) -> bool) -> Vec<Tx> {
        self.0.peek(count_max, bytes_max, skip)
    }

    fn refused(&self, hash: &TxHash, code: u32, height: u64) {
        self.0.refused(hash, code, height);
    }

    fn arrivals(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.arrivals()
    }

    fn announced(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.announced()
    }

    fn outgoing(&self, count_max: usize, bytes_max: usize) -> Vec<Tx> {
        self.0.outgoing(count_max, bytes_max)
    }

    fn offer(&self, txs: Vec<Tx>) {
        for tx in txs {
            let _ = self.0.add(candidate(tx), None, u64::MAX, Origin::Elsewhere);
        }
    }
}

/// The node's own observer, and the roots it was told.
struct Watch {
    follower: Follower,
    roots: Arc<Mutex<BTreeMap<u64, Hash>>>,
}

impl Observer for Watch {
    fn stored_height(&self) -> Option<u64> {
        self.follower.stored_height()
    }

    fn finalized(&self, block: Arc<Finalized>) {
        let root = Hash(block.header.state_root);
        let before = self.roots.lock().unwrap().insert(block.header.height, root);
        assert!(
            before.is_none_or(|before| before == root),
            "a final block stays as it is"
        );
        self.follower.finalized(block);
    }

    fn skipped_to(&self, height: u64) {
        self.follower.skipped_to(height);
    }
}

/// The parts of nodes around the engine, on folders that survive a crash.
pub(crate) struct Nodes {
    pub(crate) hosts: Vec<SimHost>,
    pub(crate) pools: Vec<Arc<SharedPool>>,
    watches: Vec<Arc<Watch>>,
}

fn nodes(folder: &Path) -> Nodes {
    nodes_with(4, genesis(), folder, |_| PROTOCOLS)
}

pub(crate) fn nodes_of(count: usize, genesis: Genesis, folder: &Path) -> Nodes {
    nodes_with(count, genesis, folder, |_| PROTOCOLS)
}

/// Nodes of a chain, each with the versions of the rules that its program speaks.
fn nodes_with(count: usize, genesis: Genesis, folder: &Path, speaks: impl Fn(usize) -> RangeInclusive<u16>) -> Nodes {
    let ledger = Arc::new(Ledger::new(genesis).unwrap());
    let mut nodes = Nodes {
        hosts: vec![],
        pools: vec![],
        watches: vec![],
    };
    for at in 0..count {
        let pool = Arc::new(SharedPool::new(Limits::default()));
        let index = Index::open(&folder.join(at.to_string())).unwrap();
        let watch = Arc::new(Watch {
            follower: Follower::new(index, pool.clone()),
            roots: Arc::default(),
        });
        nodes.hosts.push(SimHost {
            machine: Arc::new(LedgerMachine::speaking(ledger.clone(), speaks(at))),
            source: Arc::new(Open(pool.clone())),
            observer: watch.clone(),
            clock: None,
            records: None,
        });
        nodes.pools.push(pool);
        nodes.watches.push(watch);
    }
    nodes
}

/// Virtual time passes until every node was told of the transaction.
async fn until_final(network: &SimNetwork, watches: &[Arc<Watch>], id: &Hash) {
    while watches.iter().any(|watch| watch.follower.find(id).is_none()) {
        network.sleep(Duration::from_millis(200)).await;
    }
}

/// What the four came to in one run: state roots by height of each, and the last balance of who was paid.
type Seen = (Vec<BTreeMap<u64, Hash>>, Token, u64);

/// Runs transfers `nonces`, each given to all pools, one validator cut off for a while.
fn run(sim: &Sim, folder: &Path, nonces: std::ops::Range<u64>, resumed: Option<SimEnd>) -> (SimEnd, Seen) {
    let Nodes { hosts, pools, watches } = nodes(folder);
    let seen = Arc::new(Mutex::new(None));
    let (drive_watches, result) = (watches.clone(), seen.clone());
    let drive: cairn_engine::sim::Drive = Box::new(move |network| {
        Box::pin(async move {
            for nonce in nonces.clone() {
                let candidate = transfer(nonce);
                for pool in &pools {
                    // A pool that was told of the block already refuses it: that is as good.
                    let _ = pool.add(candidate.clone(), None, u64::MAX, Origin::Elsewhere);
                }
                match nonce - nonces.start {
                    3 => network.cut(2).await,
                    6 => network.join(2).await,
                    _ => {}
                }
                network.sleep(Duration::from_millis(700)).await;
            }
            let last = transfer(nonces.end - 1).id;
            until_final(&network, &drive_watches, &last).await;
            let state = State::new(network.handles[0].clone());
            let (header, paid) = state
                .look([], |store| view::account(store, &account([4; 32])))
                .await
                .unwrap();
            *result.lock().unwrap() = Some((paid.unwrap().token, header.height));
        })
    });
    let end = match resumed {
        None => sim.run(hosts, drive),
        Some(end) => sim.resume(end, hosts, drive),
    };
    let (paid, height) = seen.lock().unwrap().take().expect("the drive ran to its end");
    let roots = watches
        .iter()
        .map(|watch| watch.roots.lock().unwrap().clone())
        .collect();
    (end, (roots, paid, height))
}

/// All saw the same roots at the same heights.
fn agree(roots: &[BTreeMap<u64, Hash>]) {
    let mut known = BTreeMap::new();
    for (height, root) in roots.iter().flatten() {
        assert_eq!(known.entry(*height).or_insert(*root), &root.clone(), "height {height}");
    }
}

#[test]
fn four_validators_keep_the_same_roots_through_a_partition_and_a_crash_of_all() {
    let folder = tempfile::tempdir().unwrap();
    let sim = Sim::seeded(11);
    let (end, (first, paid, height)) = run(&sim, folder.path(), 1..11, None);
    agree(&first);
    assert_eq!(paid, Token(1 + 10 * AMOUNT.0));
    let (_, (second, paid, later)) = run(&sim, folder.path(), 11..21, Some(end));
    agree(&[first, second].concat());
    assert_eq!(
        paid,
        Token(1 + 20 * AMOUNT.0),
        "nothing final was lost, nothing ran twice"
    );
    assert!(later > height);
}

#[test]
fn a_transaction_given_to_one_validator_becomes_final_though_that_one_never_leads() {
    let folder = tempfile::tempdir().unwrap();
    let Nodes {
        mut hosts,
        pools,
        watches,
    } = nodes(folder.path());
    // The others refuse every block of one whose clock is ahead.
    hosts[0].clock = Some(Arc::new(ManualClock::new(1_700_000_000_000 + 3_600_000)));
    let leaders = Arc::new(Mutex::new(None));
    let seen = leaders.clone();
    let drive: cairn_engine::sim::Drive = Box::new(move |network| {
        Box::pin(async move {
            // Block 1 opens the founder's account.
            network.sleep(Duration::from_secs(10)).await;
            let given = transfer(1);
            assert_eq!(pools[0].add(given.clone(), None, u64::MAX, Origin::Here), Some(Ok(())));
            until_final(&network, &watches, &given.id).await;
            let head = *watches[1].follower.head().borrow();
            let mut keys = Vec::new();
            for height in 1..=head {
                keys.push(network.handles[1].block(height).await.unwrap().header.leader);
            }
            *seen.lock().unwrap() = Some((keys, network.handles[0].validator()));
        })
    });
    Sim::seeded(12).run(hosts, drive);
    let (leaders, given_to) = leaders.lock().unwrap().take().expect("the drive ran to its end");
    assert!(!leaders.contains(&given_to));
}

#[test]
fn the_same_seed_gives_the_same_roots() {
    let once = |folder: &Path| run(&Sim::seeded(5), folder, 1..9, None);
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (first, second) = (once(folders[0].path()), once(folders[1].path()));
    assert_eq!(first.0.audit, second.0.audit);
    assert_eq!(first.1, second.1);
}

#[test]
fn a_transaction_in_the_test_is_one_the_ledger_checks() {
    let candidate = transfer(1);
    assert!(cairn_ledger::check(&[&candidate.tx.bytes])[0].is_ok());
    assert_eq!(signed(&candidate.tx.bytes).unwrap().transaction.id(), candidate.id);
}

/// The height at which the rules change in the test below.
const UPGRADE: u64 = 30;

/// The chain of four validators whose accounts are 21 to 24.
fn voting() -> Genesis {
    let key = |seed: u8| SecretKey::ed25519([seed; 32]).public();
    let others = (21..25).map(|seed| (key(seed), Token(1_000_000_000), MicroUsd(0)));
    let mut genesis = solo(&Solo {
        chain: "cairn-sim".parse().unwrap(),
        start: TimeMs(1_700_000_000_000),
        epoch_ms: 5_000,
        founder: SecretKey::ed25519(FOUNDER).public(),
        verifier: key(2),
        issuer: key(3),
        others: others.chain([(key(4), Token(1), MicroUsd(0))]).collect(),
    })
    .unwrap();
    genesis.validators = (21..25)
        .map(|seed| GenesisValidator {
            account: account([seed; 32]),
            key: ValidatorKey([seed; 32]),
            address: format!("validator-{seed}.example.org:9000"),
        })
        .collect();
    genesis
}

/// Virtual time passes until a node knows of a final block of this height.
async fn until_height(network: &SimNetwork, watch: &Watch, height: u64) {
    while *watch.follower.head().borrow() < height {
        network.sleep(Duration::from_millis(200)).await;
    }
}

#[test]
fn three_upgraded_validators_go_on_and_the_fourth_stops_before_the_height_and_comes_back_upgraded() {
    let folder = tempfile::tempdir().unwrap();
    // The third may stay as it is: it speaks both. The fourth was forgotten.
    let Nodes { hosts, pools, watches } =
        nodes_with(4, voting(), folder.path(), |at| if at == 3 { 1..=1 } else { 1..=2 });
    let upgraded = nodes_with(4, voting(), &folder.path().join("upgraded"), |_| 1..=2);
    let seen = watches.clone();
    let drive: cairn_engine::sim::Drive = Box::new(move |mut network| {
        Box::pin(async move {
            network.sleep(Duration::from_secs(3)).await;
            let votes = (21..24).map(|seed| {
                let vote = VoteUpgrade {
                    version: 2,
                    height: Some(UPGRADE),
                };
                signed_by([seed; 32], 1, Body::VoteUpgrade(vote))
            });
            for vote in votes {
                for pool in &pools {
                    let _ = pool.add(vote.clone(), None, u64::MAX, Origin::Elsewhere);
                }
                until_final(&network, &watches, &vote.id).await;
            }
            let announced = State::new(network.handles[3].clone());
            let (_, protocol) = announced.look([], view::protocol).await.unwrap();
            assert_eq!((protocol.version, protocol.announced()), (1, Some((2, UPGRADE))));

            // The fourth says why, and has executed nothing of the version it does not speak.
            let Ended::Unfit(reason) = network.handles[3].ended().await else {
                panic!("it ended otherwise");
            };
            assert!(
                reason.contains("install a newer cairn that speaks version 2"),
                "{reason}"
            );
            assert_eq!(network.handles[3].latest().header.height, UPGRADE - 1);
            network.stop(3).await;

            // The others go on; two of three could not.
            for watch in &watches[..3] {
                until_height(&network, watch, UPGRADE + 5).await;
            }
            // Started as it was, it stops again; with the new program it catches up.
            let again = network.start(3).await;
            assert!(matches!(again.ended().await, Ended::Unfit(_)));
            assert_eq!(again.latest().header.height, UPGRADE - 1);
            network.stop(3).await;
            let mut host = upgraded.hosts[3].clone();
            (host.source, host.observer) = (Arc::new(Open(pools[3].clone())), watches[3].clone());
            network.equip(3, host);
            let back = network.start(3).await;
            until_height(&network, &watches[3], UPGRADE + 5).await;
            let (_, (protocol, past)) = State::new(back)
                .look([], |store| Ok((view::protocol(store)?, view::upgrades(store)?)))
                .await
                .unwrap();
            assert_eq!((protocol.version, protocol.since, protocol.next), (2, UPGRADE, None));
            assert_eq!(past.len(), 1);
        })
    });
    Sim::seeded(13).run(hosts, drive);
    let roots: Vec<_> = seen.iter().map(|watch| watch.roots.lock().unwrap().clone()).collect();
    agree(&roots);
    assert!(roots.iter().all(|roots| roots.contains_key(&(UPGRADE + 5))));
}
