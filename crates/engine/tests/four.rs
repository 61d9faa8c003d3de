//! Four validators on real threads and TCP: they agree, go on without one that was killed, take it back by blocks or by state, let
//! a known follower read along and do not let a stranger in.

#![allow(clippy::unwrap_used, reason = "a test may")]

#[expect(dead_code, reason = "the other test files use the rest")]
mod toy;

use cairn_engine::{
    CatchUp, Config, Finalized, Handle, Identity, Observer, SystemClock, TxSource, Validator, deal, start_tokio,
};
use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use toy::{Counters, Pool, account_key, count_in, count_up};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Addresses that are free now.
fn free(count: usize) -> Vec<SocketAddr> {
    let listeners: Vec<TcpListener> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners
        .iter()
        .map(|listener| listener.local_addr().unwrap())
        .collect()
}

struct Net {
    dir: tempfile::TempDir,
    validators: Vec<Validator>,
    follower: [u8; 32],
    sharing: Vec<u8>,
}

impl Net {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = (0..4).map(|at| dir.path().join(format!("{at}.keys"))).collect();
        let keys = deal(&paths).unwrap();
        let validators = keys.into_iter().zip(free(4)).map(|(key, address)| Validator {
            key,
            address: address.into(),
        });
        Self {
            validators: validators.collect(),
            follower: Identity::make(&dir.path().join("follower.keys")).unwrap().key(),
            sharing: Identity::open(&paths[0]).unwrap().group().unwrap().sharing.clone(),
            dir,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn config(&self, name: &str) -> Config {
        let mut config = Config::alone(self.path(name), "cairn-four");
        config.keys = self.path(&format!("{name}.keys"));
        config.validators = self.validators.clone();
        config.sharing = self.sharing.clone();
        config.followers = vec![self.follower];
        config.pace.idle_interval = Duration::from_millis(500);
        config
    }

    async fn start_validator(&self, at: usize, pool: &Arc<Pool>) -> Handle {
        self.start_with(at, pool, CatchUp::default()).await
    }

    async fn start_with(&self, at: usize, pool: &Arc<Pool>, catch_up: CatchUp) -> Handle {
        let mut config = self.config(&at.to_string());
        config.catch_up = catch_up;
        config.listen = self.validators[at].address.to_string().parse().unwrap();
        start(config, pool).await
    }
}

async fn start(config: Config, pool: &Arc<Pool>) -> Handle {
    let (source, observer): (Arc<dyn TxSource>, Arc<dyn Observer>) = (pool.clone(), pool.clone());
    let started = start_tokio(config, Arc::new(Counters), source, observer, Arc::new(SystemClock));
    tokio::time::timeout(PATIENCE, started).await.unwrap().unwrap()
}

fn submit(pools: &[Arc<Pool>], counts: std::ops::RangeInclusive<u64>) {
    for count in counts {
        pools.iter().for_each(|pool| pool.submit(count_up(7, count)));
    }
}

/// Waits until all of them were told of so many transactions; the same in the same order.
async fn final_in_all(pools: &[Arc<Pool>], count: usize) {
    let mut agreed = None;
    for pool in pools {
        let mut seen = tokio::time::timeout(PATIENCE, pool.final_txs(count)).await.unwrap();
        seen.truncate(count);
        assert_eq!(*agreed.get_or_insert(seen.clone()), seen);
    }
}

#[tokio::test]
async fn four_validators_go_on_without_one_take_it_back_and_let_only_the_known_follow() {
    let net = Net::new();
    let pools: Vec<Arc<Pool>> = (0..4).map(|_| Pool::new(Some(0))).collect();
    let mut chains = futures::future::join_all((0..4).map(|at| net.start_validator(at, &pools[at]))).await;

    let follower = Pool::new(Some(0));
    let following = start(net.config("follower"), &follower).await;
    Identity::make(&net.path("stranger.keys")).unwrap();
    let stranger = Pool::new(Some(0));
    let strange = start(net.config("stranger"), &stranger).await;

    submit(&pools, 1..=10);
    final_in_all(&[&pools[..], std::slice::from_ref(&follower)].concat(), 10).await;

    let killed = chains.pop().unwrap();
    let before = killed.latest();
    killed.shutdown().await;
    submit(&pools[..3], 11..=20);
    final_in_all(&pools[..3], 20).await;

    let back = Pool::new(Some(0));
    let chain = net.start_validator(3, &back).await;
    assert!(chain.latest().header.height >= before.header.height);
    assert_eq!(chain.block(before.header.height).await.unwrap().digest, before.digest);
    final_in_all(&[&pools[..3], &[back, follower]].concat(), 20).await;
    chains.push(chain);

    // One that is far behind fetches the state, and what it had before is gone.
    let files = net.path("2").join("chain");
    let names = || {
        let names = std::fs::read_dir(&files).unwrap();
        names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect::<Vec<_>>()
    };
    assert!(names().contains(&"cairn-blocks-key".to_owned()));
    let left = chains[2].latest();
    chains[2].shutdown().await;
    let reached = |pool: &Arc<Pool>, height: u64| {
        let mut told = pool.told.subscribe();
        tokio::time::timeout(PATIENCE, async move {
            let last = |blocks: &Vec<Arc<Finalized>>| blocks.last().map_or(0, |block| block.header.height);
            told.wait_for(|blocks| last(blocks) >= height).await.unwrap();
        })
    };
    reached(&pools[0], left.header.height + 8).await.unwrap();
    let behind = Pool::new(Some(0));
    // On a machine that is busy the others may take long to answer; what is asked is whether the state is fetched once they did.
    let catch_up = CatchUp {
        views_max: Some(2),
        wait: PATIENCE,
    };
    chains[2] = net.start_with(2, &behind, catch_up).await;
    reached(&behind, chains[2].latest().header.height + 2).await.unwrap();
    assert!(behind.skipped.borrow()[0] > left.header.height);
    let names = names();
    assert!(names.iter().any(|name| name.starts_with("cairn_g00001")), "{names:?}");
    assert!(
        !names.contains(&"cairn-blocks-key".to_owned()) && names.contains(&"cairn-votes_consensus_0".to_owned()),
        "{names:?}"
    );

    for chain in chains.iter().chain([&following]) {
        let proof = chain.prove(account_key(7)).await.unwrap();
        let (_, value) = proof.verify(chains[0].anchor(), &account_key(7)).unwrap();
        assert_eq!(value.as_ref().map(count_in), Some(20));
    }
    assert_eq!(strange.latest().header.height, 0, "nobody speaks to a stranger");
    for chain in chains.iter().chain([&following, &strange]) {
        chain.shutdown().await;
    }
}
