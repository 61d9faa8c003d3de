//! Nodes that come late, come back or only follow.

use super::{
    Sim, SimHost, SimNetwork,
    toy::{Counters, Pool, account_key, count_in, count_up},
};
use crate::Handle;
use std::{num::NonZeroU64, sync::Arc, time::Duration};

/// Rounds behind which a node fetches the state.
const FAR: u64 = 32;

fn sim(seed: u64) -> Sim {
    let mut sim = Sim::seeded(seed);
    sim.pace.idle_interval = Duration::from_millis(100);
    sim.catch_up.views_max = Some(FAR);
    // Whoever is away when an epoch ends has no share in the next.
    sim.epoch_blocks = NonZeroU64::new(1_024).unwrap();
    sim
}

fn pools(count: usize) -> Vec<Arc<Pool>> {
    (0..count).map(|_| Pool::new(Some(0))).collect()
}

fn hosts(pools: &[Arc<Pool>]) -> Vec<SimHost> {
    let host = |pool: &Arc<Pool>| SimHost {
        machine: Arc::new(Counters),
        source: pool.clone(),
        observer: pool.clone(),
        clock: None,
        records: None,
    };
    pools.iter().map(host).collect()
}

/// Waits until a block of this height was told.
async fn reached(pool: &Pool, height: u64) {
    let mut told = pool.told.subscribe();
    let last = |blocks: &Vec<Arc<crate::Finalized>>| blocks.last().map_or(0, |block| block.header.height);
    told.wait_for(|blocks| last(blocks) >= height).await.unwrap();
}

async fn count_of(handle: &Handle, account: u64) -> Option<u64> {
    let proof = handle.prove(account_key(account)).await.unwrap();
    let (_, value) = proof.verify(handle.anchor(), &account_key(account)).unwrap();
    value.as_ref().map(count_in)
}

#[test]
fn a_validator_that_is_new_or_was_away_for_long_fetches_the_state_and_votes() {
    let pools = pools(4);
    let driven = pools.clone();
    let mut sim = sim(21);
    sim.late = vec![3];
    sim.run(
        hosts(&pools),
        Box::new(|mut network: SimNetwork| {
            Box::pin(async move {
                let late = driven[3].clone();
                driven[0].announce(count_up(1, 1));
                reached(&driven[0], 3 * FAR).await;

                let handle = network.start(3).await;
                let first = handle.latest().header.height;
                assert!(first > FAR, "{first}");
                reached(&late, first + 4).await;
                assert_eq!(late.skipped.borrow().len(), 1);
                assert!(late.told.borrow()[0].header.height > FAR);
                assert_eq!(count_of(&handle, 1).await, Some(1));

                let left = handle.latest().header.height;
                drop(handle);
                network.stop(3).await;
                driven[0].announce(count_up(1, 2));
                reached(&driven[0], left + 3 * FAR).await;
                let handle = network.start(3).await;
                reached(&late, handle.latest().header.height + 4).await;
                let skipped = late.skipped.borrow().clone();
                assert!(
                    skipped.len() == 2 && skipped[1] > left + FAR,
                    "{skipped:?} after {left}"
                );
                assert_eq!(count_of(&handle, 1).await, Some(2));

                // Without it there are too few now.
                network.stop(0).await;
                let now = handle.latest().header.height;
                reached(&driven[1], now + 8).await;
            })
        }),
    );
}

#[test]
fn a_validator_that_was_away_for_a_moment_misses_no_block() {
    let pools = pools(4);
    let driven = pools.clone();
    sim(22).run(
        hosts(&pools),
        Box::new(|mut network: SimNetwork| {
            Box::pin(async move {
                reached(&driven[3], 4).await;
                network.stop(3).await;
                reached(&driven[0], 4 + FAR / 2).await;
                network.start(3).await;
                reached(&driven[3], 8 + FAR / 2).await;
                assert!(driven[3].skipped.borrow().is_empty());
            })
        }),
    );
}

#[test]
fn a_follower_reads_along_passes_transactions_on_and_never_leads() {
    let pools = pools(5);
    let driven = pools.clone();
    let mut sim = sim(23);
    sim.followers = 1;
    sim.run(
        hosts(&pools),
        Box::new(|mut network: SimNetwork| {
            Box::pin(async move {
                let follower = network.handles[4].clone();
                driven[4].announce(count_up(5, 1));
                for pool in &driven {
                    assert_eq!(pool.final_txs(1).await, [count_up(5, 1).hash]);
                }
                assert_eq!(count_of(&follower, 5).await, Some(1));
                reached(&driven[4], 20).await;
                let leaders = driven[4].told.borrow().clone();
                assert!(leaders.iter().all(|block| block.header.leader != follower.validator()));

                // Nobody misses it.
                drop(follower);
                network.stop(4).await;
                let now = network.handles[0].latest().header.height;
                reached(&driven[0], now + 8).await;
            })
        }),
    );
}

#[test]
fn a_transaction_given_to_one_validator_reaches_all() {
    let pools = pools(4);
    let driven = pools.clone();
    sim(24).run(
        hosts(&pools),
        Box::new(|network: SimNetwork| {
            Box::pin(async move {
                for count in 1..=40 {
                    driven[2].announce(count_up(6, count));
                }
                for pool in &driven {
                    assert_eq!(pool.final_txs(40).await.len(), 40);
                }
                assert_eq!(count_of(&network.handles[1], 6).await, Some(40));
            })
        }),
    );
}
