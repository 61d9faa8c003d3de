//! One operator hands its chain over to four validators: the state moves with all its records, a stranger with the first key alone
//! follows, and nothing that was tampered with is believed.

#![allow(clippy::unwrap_used, reason = "a test may")]

#[expect(dead_code, reason = "the other test files use the rest")]
mod toy;

use cairn_engine::{
    Applied, Approval, BlockContext, Config, EraStart, Handle, Header, Identity, Key, Missing, NOBODY, Observer,
    Resolution, StateMachine, SystemClock, TxSource, Validator, View, deal,
    light::{Anchor, HandOver, LightError, Successor, follow},
    records::RecordsFile,
    start_tokio,
    state::{Checked, Export, StateFileError, check, export},
};
use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use toy::{Counters, Pool, account_key, block_key, count_in, count_up};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
const CHAIN: &str = "cairn-eras";
const ACCOUNTS: u64 = 600;

/// The counters in a later era: the first blocks are not theirs.
struct Later;

impl StateMachine for Later {
    fn genesis_digest(&self) -> [u8; 32] {
        Counters.genesis_digest()
    }

    fn begin(&self, block: &BlockContext, view: &mut dyn View) -> Result<Vec<u8>, Missing> {
        let last = view.get(&block_key())?.map_or(0, |value| count_in(&value));
        assert!(
            0 < last && last < block.height,
            "heights go on where the era before ended"
        );
        let mut value = [0; 256];
        value[..8].copy_from_slice(&block.height.to_be_bytes());
        view.put(block_key(), value);
        Ok(Vec::new())
    }

    fn check(&self, transactions: &[&[u8]]) -> Vec<Result<(), u32>> {
        Counters.check(transactions)
    }

    fn reads(&self, transaction: &[u8]) -> Vec<Key> {
        Counters.reads(transaction)
    }

    fn validators(&self, view: &mut dyn View) -> Result<Vec<Validator>, Missing> {
        Counters.validators(view)
    }

    fn apply(&self, block: &BlockContext, transaction: &[u8], view: &mut dyn View) -> Result<Applied, Missing> {
        Counters.apply(block, transaction, view)
    }
}

async fn start(config: Config, machine: Arc<dyn StateMachine>, pool: &Arc<Pool>) -> Handle {
    let (source, observer): (Arc<dyn TxSource>, Arc<dyn Observer>) = (pool.clone(), pool.clone());
    let started = start_tokio(config, machine, source, observer, Arc::new(SystemClock));
    tokio::time::timeout(PATIENCE, started).await.unwrap().unwrap()
}

async fn reached(chain: &Handle, enough: impl FnMut(&cairn_engine::Latest) -> bool) -> Header {
    let mut latest = chain.follow();
    let reached = tokio::time::timeout(PATIENCE, latest.wait_for(enough)).await;
    reached.unwrap().unwrap().header.clone()
}

/// The first era: one operator counts, then hands over.
async fn first_era(dir: &Path, successor: &Successor) -> (Anchor, Header) {
    let pool = Pool::new(Some(0));
    let chain = start(Config::alone(dir, CHAIN), Arc::new(Counters), &pool).await;
    (0..ACCOUNTS).for_each(|account| pool.submit(count_up(account, 1)));
    pool.final_txs(ACCOUNTS as usize).await;
    let anchor = chain.anchor().clone();
    let thief = Identity::make(&dir.join("thief.keys")).unwrap();
    let own = Identity::open(&dir.join("validator.keys")).unwrap();
    for (by, enough) in [(thief, false), (own, true)] {
        let resolution = Resolution::new(successor, vec![Approval::of(&by, successor)]);
        assert_eq!(chain.hand_over(&resolution), enough);
    }
    let last = reached(&chain, |latest| latest.header.is_over()).await;
    let finality = chain.finality(last.height).await.unwrap();
    let hand_over = HandOver {
        finality,
        successor: successor.clone(),
    };
    let (header, _) = hand_over.verify(&anchor).unwrap();
    assert!(header.next != NOBODY && header.height <= last.height);
    chain.shutdown().await;
    (anchor, header)
}

fn state(dir: &Path, hand_overs: Vec<HandOver>, out: PathBuf) -> Result<Header, StateFileError> {
    let what = Export {
        dir: dir.to_owned(),
        chain: CHAIN.into(),
        hand_overs,
        out,
    };
    let mut seen = (0, 0);
    let header = export(what, &mut |done, of| seen = (done, of))?;
    assert!(seen.0 == seen.1 && seen.0 > 0);
    Ok(header)
}

fn read(path: &Path, anchor: &Anchor) -> Result<Checked, StateFileError> {
    check(path, anchor, &mut |_, _| {})
}

/// Every byte of a state file counts.
fn assert_no_byte_is_believed(path: &Path, anchor: &Anchor) {
    let whole = fs::read(path).unwrap();
    let other = path.with_extension("other");
    for at in (0..whole.len()).step_by(whole.len() / 97) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&other, &bytes).unwrap();
        assert!(read(&other, anchor).is_err(), "byte {at}");
        fs::write(&other, &whole[..at]).unwrap();
        assert!(read(&other, anchor).is_err(), "{at} bytes");
    }
}

/// Addresses that are free now.
fn free(count: usize) -> Vec<SocketAddr> {
    let listeners: Vec<TcpListener> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners
        .iter()
        .map(|listener| listener.local_addr().unwrap())
        .collect()
}

/// Four validators' keys, and who they are together.
fn four(dir: &Path) -> (Vec<Validator>, Successor) {
    let paths: Vec<PathBuf> = (0..4).map(|at| dir.join(format!("{at}.keys"))).collect();
    let keys = deal(&paths).unwrap();
    let validator = |(key, address): ([u8; 32], SocketAddr)| Validator {
        key,
        address: address.into(),
    };
    let successor = Successor {
        chain: CHAIN.into(),
        era: 1,
        group_key: Identity::open(&paths[0]).unwrap().group().unwrap().key,
        draft: [4; 32],
    };
    (keys.into_iter().zip(free(4)).map(validator).collect(), successor)
}

async fn start_validator(
    dir: &Path,
    at: usize,
    validators: &[Validator],
    begin: &EraStart,
    pool: &Arc<Pool>,
) -> Handle {
    let mut config = Config::alone(dir.join(at.to_string()), CHAIN);
    config.keys = dir.join(format!("{at}.keys"));
    config.validators = validators.to_vec();
    config.begin = begin.clone();
    config.listen = validators[at].address.to_string().parse().unwrap();
    config.pace.idle_interval = Duration::from_millis(500);
    // It is enough that two have them.
    config.records = (at < 2).then(|| dir.join("records"));
    start(config, Arc::new(Later), pool).await
}

#[tokio::test]
async fn one_operator_hands_over_to_four_validators_and_the_first_key_is_enough_to_follow() {
    let dir = tempfile::tempdir().unwrap();
    let (validators, successor) = four(dir.path());
    let (anchor, last) = first_era(&dir.path().join("solo"), &successor).await;

    // The state leaves as it was at the end, however often it is exported.
    let file = dir.path().join("one.state");
    let header = state(&dir.path().join("solo"), vec![], file.clone()).unwrap();
    assert_eq!(header, last);
    let again = dir.path().join("again.state");
    state(&dir.path().join("solo"), vec![], again.clone()).unwrap();
    assert!(fs::read(&file).unwrap() == fs::read(&again).unwrap());
    let checked = read(&file, &anchor).unwrap();
    assert_no_byte_is_believed(&file, &anchor);
    // The counts, the last height and the last account: whom the engine noted as its validators stays behind.
    assert_eq!(checked.len() as u64, ACCOUNTS + 2);
    for account in 0..ACCOUNTS {
        let value = checked.record(&account_key(account)).unwrap();
        assert_eq!(value.as_ref().map(count_in), Some(1), "{account}");
    }
    let records = dir.path().join("records");
    let root = checked.write_records(&records, &Default::default()).unwrap();
    let opened = RecordsFile::open(&records).unwrap();
    assert_eq!((opened.root(), opened.chunks()), (root, 1));

    // Another successor, another chain, another key: not believed.
    let (hand_over, next) = checked.hand_over(&successor).unwrap();
    let thief = Successor {
        group_key: anchor.group_key,
        ..successor.clone()
    };
    assert!(matches!(
        checked.hand_over(&thief),
        Err(StateFileError::Light(LightError::OtherSuccessor))
    ));
    let forged = HandOver {
        successor: thief,
        ..hand_over.clone()
    };
    assert_eq!(follow(&anchor, &[forged]), Err(LightError::OtherSuccessor));
    let stranger = Anchor {
        group_key: successor.group_key,
        ..anchor.clone()
    };
    assert!(matches!(read(&file, &stranger), Err(StateFileError::Light(_))));

    // The second era goes on with four.
    let begin = EraStart::after(&header, root);
    let pools: Vec<Arc<Pool>> = (0..4).map(|_| Pool::new(Some(0))).collect();
    let starts = (0..4).map(|at| start_validator(dir.path(), at, &validators, &begin, &pools[at]));
    let chains = futures::future::join_all(starts).await;
    pools[3].announce(count_up(7, 2));
    for pool in &pools {
        let mut told = pool.told.subscribe();
        let seen = told.wait_for(|blocks| {
            let mut txs = blocks.iter().flat_map(|block| &block.txs);
            txs.any(|tx| *tx.bytes == *count_up(7, 2).bytes)
        });
        tokio::time::timeout(PATIENCE, seen).await.unwrap().unwrap();
    }
    let followed = follow(&anchor, std::slice::from_ref(&hand_over)).unwrap();
    assert_eq!((&followed, followed.era), (&next, 1));
    for chain in &chains {
        assert_eq!(chain.anchor(), &followed);
        for (account, count) in [(7, 2), (8, 1)] {
            let proof = chain.prove(account_key(account)).await.unwrap();
            assert_eq!(
                proof.verify(&anchor, &account_key(account)),
                Err(LightError::OtherChain)
            );
            let (header, value) = proof.verify(&followed, &account_key(account)).unwrap();
            assert_eq!(value.as_ref().map(count_in), Some(count));
            assert!(header.height > last.height && header.base == last.height);
        }
    }
    let first = chains[0].block(last.height + 1).await.unwrap();
    assert_eq!((first.header.height, first.header.era), (last.height + 1, 1));
    for chain in &chains {
        chain.shutdown().await;
    }

    // And it can be moved on: the same records, but for what happened since.
    let second = dir.path().join("two.state");
    state(&dir.path().join("2"), vec![hand_over], second.clone()).unwrap();
    let moved = read(&second, &anchor).unwrap();
    assert_eq!((moved.len(), moved.header.era), (checked.len(), 1));
    assert_eq!(
        moved.record(&account_key(8)).unwrap(),
        checked.record(&account_key(8)).unwrap()
    );
    assert_eq!(moved.record(&account_key(7)).unwrap().as_ref().map(count_in), Some(2));
}

#[test]
fn a_folder_without_a_chain_and_a_file_that_is_no_state_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    assert!(matches!(
        state(dir.path(), vec![], out.clone()),
        Err(StateFileError::NoChain)
    ));
    fs::write(&out, b"nothing of the kind").unwrap();
    let anchor = Anchor {
        chain: CHAIN.into(),
        group_key: [0; 96],
        genesis: [0; 32],
        era: 0,
    };
    assert!(matches!(read(&out, &anchor), Err(StateFileError::NotAState)));
}
