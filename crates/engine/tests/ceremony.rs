//! Validators make their key together over TCP: alone, and four of whom one breaks off and goes on; then they run a chain with it.

#![allow(clippy::unwrap_used, reason = "a test may")]

#[expect(dead_code, reason = "the other test files use the rest")]
mod toy;

use cairn_engine::{
    Config, Identity, KeysError, StartError, SystemClock, Validator,
    ceremony::{Ceremony, CeremonyError, Dealt, Stage, Tell, bootstrap_tokio, statement},
    start_tokio,
};
use cairn_types::PublicKey;
use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch;
use toy::{Counters, Pool, count_up};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);
const DRAFT: [u8; 32] = [5; 32];

/// Addresses that are free now.
fn free(count: usize) -> Vec<SocketAddr> {
    let listeners: Vec<TcpListener> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners
        .iter()
        .map(|listener| listener.local_addr().unwrap())
        .collect()
}

fn keys(dir: &Path, at: usize) -> PathBuf {
    dir.join(format!("{at}.keys"))
}

/// What each of `n` validators is told.
fn ceremonies(dir: &Path, n: usize) -> Vec<Ceremony> {
    let addresses = free(n);
    let validator = |(at, address): (usize, &SocketAddr)| Validator {
        key: Identity::make(&keys(dir, at)).unwrap().key(),
        address: (*address).into(),
    };
    let validators: Vec<Validator> = addresses.iter().enumerate().map(validator).collect();
    let ceremony = |(at, listen)| Ceremony {
        dir: dir.join(format!("{at}.ceremony")),
        keys: keys(dir, at),
        chain: "cairn-ceremony".into(),
        draft: DRAFT,
        attempt: 1,
        validators: validators.clone(),
        listen,
    };
    addresses.into_iter().enumerate().map(ceremony).collect()
}

fn silent() -> Tell {
    Arc::new(|_| {})
}

async fn hold(ceremony: Ceremony, tell: Tell) -> Result<Dealt, CeremonyError> {
    tokio::time::timeout(PATIENCE, bootstrap_tokio(ceremony, tell))
        .await
        .unwrap()
}

fn check(dir: &Path, dealt: &Dealt, validators: &[Validator]) {
    let statement = statement(&DRAFT, &dealt.group);
    let mut keys: Vec<[u8; 32]> = validators.iter().map(|validator| validator.key).collect();
    keys.sort_unstable();
    assert_eq!(dealt.signatures.iter().map(|(key, _)| *key).collect::<Vec<_>>(), keys);
    for (key, signature) in &dealt.signatures {
        assert!(PublicKey::Ed25519(*key).verify(&statement, signature));
    }
    for (at, validator) in validators.iter().enumerate() {
        let identity = Identity::open(&self::keys(dir, at)).unwrap();
        assert_eq!(identity.group(), Some(&dealt.group));
        assert_eq!(identity.key(), validator.key);
        assert!(
            !dir.join(format!("{at}.ceremony")).exists(),
            "nothing secret is left behind"
        );
    }
}

/// A chain with the keys that the ceremony made; each transaction is given to one validator.
async fn run_chain(dir: &Path, ceremonies: &[Ceremony], dealt: &Dealt) {
    let pools: Vec<Arc<Pool>> = ceremonies.iter().map(|_| Pool::new(Some(0))).collect();
    let started = ceremonies.iter().zip(&pools).map(|(ceremony, pool)| {
        let mut config = Config::alone(ceremony.keys.with_extension("data"), "cairn-ceremony");
        config.keys = ceremony.keys.clone();
        config.validators = ceremony.validators.clone();
        config.sharing = dealt.group.sharing.clone();
        config.listen = ceremony.listen;
        config.pace.idle_interval = Duration::from_millis(500);
        start_tokio(
            config,
            Arc::new(Counters),
            pool.clone(),
            pool.clone(),
            Arc::new(SystemClock),
        )
    });
    let chains = tokio::time::timeout(PATIENCE, futures::future::try_join_all(started)).await;
    let chains = chains.unwrap().unwrap();
    for (count, pool) in (1..).zip(&pools) {
        pool.announce(count_up(8, count));
        let told = tokio::time::timeout(PATIENCE, pool.final_txs(count as usize)).await;
        assert_eq!(told.unwrap().len() as u64, count, "in {}", dir.display());
    }
    for chain in &chains {
        assert_eq!(chain.anchor().group_key, dealt.group.key);
        chain.shutdown().await;
    }
}

#[tokio::test]
async fn a_lone_validator_makes_its_key_in_the_same_way() {
    let dir = tempfile::tempdir().unwrap();
    let ceremonies = ceremonies(dir.path(), 1);
    let dealt = hold(ceremonies[0].clone(), silent()).await.unwrap();
    check(dir.path(), &dealt, &ceremonies[0].validators);
    run_chain(dir.path(), &ceremonies, &dealt).await;
    let again = hold(ceremonies[0].clone(), silent()).await;
    assert!(
        matches!(again, Err(CeremonyError::OtherGroup)),
        "a share is never overwritten"
    );
}

#[tokio::test]
async fn four_validators_make_their_key_though_one_breaks_off_and_run_a_chain_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let ceremonies = ceremonies(dir.path(), 4);
    // Each to its end: one that is dropped breaks off.
    let others = futures::future::join_all(ceremonies[..3].iter().map(|one| hold(one.clone(), silent())));
    let others = tokio::spawn(others);

    // The fourth breaks off as soon as all are there and the key is being made.
    let (stage, mut staged) = watch::channel(Stage::Gathering { missing: vec![] });
    let tell: Tell = Arc::new(move |now| drop(stage.send_replace(now)));
    tokio::select! {
        dealing = staged.wait_for(|stage| *stage == Stage::Dealing) => assert!(dealing.is_ok()),
        _ = hold(ceremonies[3].clone(), tell) => panic!("it ended before it dealt"),
    }
    // Its thread ends a moment later.
    let last = loop {
        match hold(ceremonies[3].clone(), silent()).await {
            Err(CeremonyError::Start(StartError::FolderInUse)) => tokio::task::yield_now().await,
            done => break done,
        }
    };
    let others: Result<Vec<Dealt>, CeremonyError> = others.await.unwrap().into_iter().collect();
    let (ceremonies, all) = match (last, others) {
        (Ok(last), Ok(mut all)) => {
            all.push(last);
            (ceremonies, all)
        }
        // On a machine that is busy it may come back too late. All are told so, and the next attempt does it.
        (Err(CeremonyError::Revealed(late)), Err(CeremonyError::Revealed(named))) => {
            assert_eq!([late, named], [ceremonies[3].validators[3].key; 2]);
            let mut again = ceremonies;
            again.iter_mut().for_each(|ceremony| ceremony.attempt += 1);
            let all = again.iter().map(|ceremony| hold(ceremony.clone(), silent()));
            let all = futures::future::try_join_all(all).await.unwrap();
            (again, all)
        }
        (last, all) => panic!("{last:?}, {all:?}"),
    };
    let last = all[3].clone();
    assert!(all.iter().all(|dealt| *dealt == last));
    check(dir.path(), &last, &ceremonies[0].validators);
    run_chain(dir.path(), &ceremonies, &last).await;
}

#[tokio::test]
async fn another_draft_a_stranger_and_a_missing_key_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let pair = ceremonies(dir.path(), 2);
    let mut other = pair[1].clone();
    other.draft = [6; 32];
    let (first, second) = tokio::join!(hold(pair[0].clone(), silent()), hold(other, silent()));
    let named = |result: &Result<Dealt, CeremonyError>| matches!(result, Err(CeremonyError::OtherDraft(_)));
    assert!(named(&first) && named(&second));

    let mut stranger = pair[0].clone();
    stranger.keys = dir.path().join("stranger.keys");
    let absent = hold(stranger.clone(), silent()).await;
    assert!(matches!(
        absent,
        Err(CeremonyError::Start(StartError::Keys(KeysError::Absent)))
    ));
    Identity::make(&stranger.keys).unwrap();
    assert!(matches!(
        hold(stranger, silent()).await,
        Err(CeremonyError::NotAValidator)
    ));
}
