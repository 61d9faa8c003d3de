//! Four validators agree, repeat themselves, survive a crash of all, and go on without one of them.

use super::{
    Sim, SimEnd, SimHost, SimNetwork,
    toy::{BAD_COUNT, Counters, Pool, account_key, count_in, count_up, forged},
};
use crate::{AskError, Finalized, ManualClock, Tx, TxHash, TxSource};
use std::{
    num::{NonZeroU32, NonZeroU64},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::watch;

const ACCOUNTS: u64 = 10;

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

fn pools() -> Vec<Arc<Pool>> {
    (0..4).map(|_| Pool::new(Some(0))).collect()
}

fn txs(counts: std::ops::RangeInclusive<u64>) -> Vec<Tx> {
    counts
        .flat_map(|count| (0..ACCOUNTS).map(move |account| count_up(account, count)))
        .collect()
}

/// Gives every pool every transaction, a few at a time, and waits until all pools have seen all of them final.
async fn push_all(network: &SimNetwork, pools: &[Arc<Pool>], txs: Vec<Tx>, total: usize) {
    for some in txs.chunks(30) {
        for pool in pools {
            some.iter().for_each(|tx| pool.submit(tx.clone()));
        }
        network.sleep(Duration::from_millis(40)).await;
    }
    for pool in pools {
        assert!(pool.final_txs(total).await.len() >= total);
    }
}

/// The blocks up to the lowest height that all know, the same at all.
fn agreed(pools: &[Arc<Pool>]) -> Vec<Arc<Finalized>> {
    let told: Vec<Vec<Arc<Finalized>>> = pools.iter().map(|pool| pool.told.borrow().clone()).collect();
    let common = told.iter().map(Vec::len).min().unwrap();
    for blocks in &told {
        for (at, block) in blocks[..common].iter().enumerate() {
            assert_eq!(block.header, told[0][at].header);
            assert_eq!(block.txs, told[0][at].txs);
            assert_eq!(block.header.height, at as u64 + 1);
        }
    }
    told[0][..common].to_vec()
}

/// All that this validator proposed was refused by the others.
fn assert_never_leads(pools: &[Arc<Pool>], validator: [u8; 32]) {
    let blocks = agreed(pools);
    assert!(blocks.len() >= 4);
    assert!(blocks.iter().all(|block| block.header.leader != validator));
}

fn first_run(seed: u64) -> (Vec<Arc<Finalized>>, SimEnd) {
    let pools = pools();
    let driven = pools.clone();
    let end = Sim::seeded(seed).run(
        hosts(&pools),
        Box::new(|network| {
            Box::pin(async move {
                push_all(&network, &driven, txs(1..=40), 400).await;
                for handle in &network.handles {
                    let records = handle.read(vec![account_key(3), account_key(4)]).await.unwrap();
                    let counts: Vec<_> = records.values.iter().flatten().map(count_in).collect();
                    assert_eq!(counts, [40, 40]);
                    let proof = handle.prove(account_key(3)).await.unwrap();
                    let (_, value) = proof.verify(handle.anchor(), &account_key(3)).unwrap();
                    assert_eq!(value.as_ref().map(count_in), Some(40));
                }
            })
        }),
    );
    (agreed(&pools), end)
}

#[test]
fn four_validators_agree_and_the_same_seed_repeats_them_and_they_survive_a_crash_of_all() {
    let (blocks, end) = first_run(1);
    let (again, end_again) = first_run(1);
    // Compared by digest: what differs is too long to print.
    let digests = |blocks: &[Arc<Finalized>]| blocks.iter().map(|block| block.digest).collect::<Vec<_>>();
    assert_eq!(digests(&blocks), digests(&again));
    assert!(blocks == again);
    assert_eq!(end.audit, end_again.audit);

    let pools = pools();
    let driven = pools.clone();
    let end = Sim::seeded(1).resume(
        end,
        hosts(&pools),
        Box::new(|network| {
            Box::pin(async move {
                push_all(&network, &driven, txs(41..=50), 500).await;
            })
        }),
    );
    assert_ne!(end.audit, end_again.audit);
    let after = agreed(&pools);
    assert_eq!(digests(&after[..blocks.len()]), digests(&blocks));
    assert!(after.len() > blocks.len());
    for pair in after.windows(2) {
        assert!(pair[0].header.time_ms <= pair[1].header.time_ms);
        assert_ne!(pair[0].header.beacon(), pair[1].header.beacon());
    }
}

#[test]
fn three_validators_go_on_without_the_fourth_and_it_catches_up() {
    let pools = pools();
    let driven = pools.clone();
    Sim::seeded(2).run(
        hosts(&pools),
        Box::new(|network| {
            Box::pin(async move {
                push_all(&network, &driven, txs(1..=3), 30).await;
                network.cut(3).await;
                push_all(&network, &driven[..3], txs(4..=9), 90).await;
                network.join(3).await;
                assert!(driven[3].final_txs(90).await.len() >= 90);
            })
        }),
    );
    agreed(&pools);
}

#[test]
fn a_block_with_a_forged_transaction_is_not_accepted_and_the_others_go_on() {
    let pools = pools();
    let driven = pools.clone();
    let (bad, early) = (forged(77, 1), count_up(88, 5));
    pools[0].submit(bad.clone());
    pools[1].submit(early.clone());
    Sim::seeded(3).run(
        hosts(&pools),
        Box::new(|network| {
            Box::pin(async move {
                for round in 1..=5 {
                    push_all(&network, &driven, txs(4 * round - 3..=4 * round), 40 * round as usize).await;
                }
                let records = network.handles[2].read(vec![account_key(77), account_key(88)]).await;
                assert_eq!(records.unwrap().values, [None, None]);
                assert_never_leads(&driven, network.handles[0].validator());
            })
        }),
    );
    let blocks = agreed(&pools);
    assert!(
        blocks
            .iter()
            .all(|block| block.txs.iter().all(|tx| tx.bytes[..] != bad.bytes[..]))
    );
    assert!(pools[1].refused().contains(&(early.hash, BAD_COUNT)));
    assert!(pools[0].refused().is_empty());
}

#[test]
fn a_leader_whose_clock_is_ahead_does_not_move_the_chains_time() {
    let pools = pools();
    let driven = pools.clone();
    let sim = Sim::seeded(4);
    let hour_ahead_ms = 1_700_000_000_000 + 3_600_000;
    let mut hosts = hosts(&pools);
    hosts[1].clock = Some(Arc::new(ManualClock::new(hour_ahead_ms)));
    sim.run(
        hosts,
        Box::new(|network| {
            Box::pin(async move {
                // Long enough for every validator's turn to come again and again.
                for round in 1..=8 {
                    push_all(&network, &driven, txs(round..=round), round as usize * 10).await;
                    network.sleep(Duration::from_secs(5)).await;
                }
                assert_never_leads(&driven, network.handles[1].validator());
            })
        }),
    );
    let blocks = agreed(&pools);
    assert!(!blocks.is_empty());
    assert!(blocks.iter().all(|block| block.header.time_ms < hour_ahead_ms));
}

/// A pool that is handed another transaction while a block is built, after it was asked for what it has.
struct MeanwhilePool(Arc<Pool>, Mutex<Option<Tx>>);

impl TxSource for MeanwhilePool {
    fn peek(&self, count_max: usize, bytes_max: usize, skip: &dyn Fn(&TxHash) -> bool) -> Vec<Tx> {
        self.0.peek(count_max, bytes_max, skip)
    }

    fn refused(&self, hash: &TxHash, code: u32, height: u64) {
        TxSource::refused(&*self.0, hash, code, height);
        let meanwhile = self.1.lock().unwrap().take();
        meanwhile.into_iter().for_each(|tx| self.0.submit(tx));
    }

    fn arrivals(&self) -> watch::Receiver<u64> {
        self.0.arrivals()
    }
}

#[test]
fn what_comes_in_while_an_empty_block_is_built_does_not_wait_for_the_idle_interval() {
    let mut sim = Sim::seeded(6);
    sim.validators = NonZeroU32::MIN;
    sim.pace.idle_interval = Duration::from_secs(3600);
    let pool = Pool::new(Some(0));
    let (bad, good) = (count_up(0, 9), count_up(0, 1));
    let mut host = hosts(std::slice::from_ref(&pool));
    host[0].source = Arc::new(MeanwhilePool(pool.clone(), Mutex::new(Some(good.clone()))));
    let driven = pool.clone();
    sim.run(
        host,
        Box::new(move |_| {
            Box::pin(async move {
                driven.submit(bad);
                // The run may take ten minutes.
                assert_eq!(driven.final_txs(1).await, [good.hash]);
                assert_eq!(driven.refused().len(), 1);
            })
        }),
    );
}

#[test]
fn old_blocks_are_pruned_and_an_observer_that_missed_them_is_told_so() {
    let mut sim = Sim::seeded(5);
    sim.validators = NonZeroU32::MIN;
    sim.pace.idle_interval = Duration::from_millis(10);
    sim.retain.blocks = Some(64);
    sim.epoch_blocks = NonZeroU64::new(64).unwrap();
    let kept_until = |pool: Arc<Pool>, height: usize| {
        move |network: SimNetwork| -> futures::future::BoxFuture<'static, ()> {
            Box::pin(async move {
                let mut told = pool.told.subscribe();
                let at = |blocks: &Vec<Arc<Finalized>>| blocks.last().map_or(0, |block| block.header.height as usize);
                told.wait_for(|blocks| at(blocks) >= height).await.unwrap();
                let first = network.handles[0].block(1).await;
                assert_eq!(first.map(|block| block.header.height), Err(AskError::UnknownBlock(1)));
                network.handles[0].prove(account_key(1)).await.unwrap();
            })
        }
    };
    let pool = Pool::new(Some(0));
    let end = sim.run(
        hosts(std::slice::from_ref(&pool)),
        Box::new(kept_until(pool.clone(), 400)),
    );
    assert_eq!(pool.told.borrow()[0].header.height, 1);
    assert!(pool.skipped.borrow().is_empty());

    let late = Pool::new(Some(0));
    sim.resume(
        end,
        hosts(std::slice::from_ref(&late)),
        Box::new(kept_until(late.clone(), 450)),
    );
    let first = late.told.borrow()[0].header.height;
    assert!(first > 200, "{first}");
    assert_eq!(*late.skipped.borrow(), [first]);
}
