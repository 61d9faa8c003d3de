//! Validators come and go within an era: one history, one group key, whoever signs.

use super::{
    Sim, SimHost, SimNetwork,
    toy::{Counters, Pool, block_key, count_in, count_up},
};
use crate::{Applied, BlockContext, Finalized, Key, Missing, StateMachine, Validator, View, light::verify_finality};
use std::{num::NonZeroU64, sync::Arc, time::Duration};

const EPOCH_BLOCKS: u64 = 20;

/// Names its validators by height.
pub(super) struct Electorate(pub(super) Vec<(u64, Vec<[u8; 32]>)>);

impl StateMachine for Electorate {
    fn genesis_digest(&self) -> [u8; 32] {
        Counters.genesis_digest()
    }

    fn begin(&self, block: &BlockContext, view: &mut dyn View) -> Result<Vec<u8>, Missing> {
        Counters.begin(block, view)
    }

    fn check(&self, transactions: &[&[u8]]) -> Vec<Result<(), u32>> {
        Counters.check(transactions)
    }

    fn reads(&self, transaction: &[u8]) -> Vec<Key> {
        Counters.reads(transaction)
    }

    fn validators(&self, view: &mut dyn View) -> Result<Vec<Validator>, Missing> {
        let height = view.get(&block_key())?.map_or(0, |value| count_in(&value));
        let named = self.0.iter().rev().find(|(from, _)| *from <= height);
        let validator = |key: &[u8; 32]| Validator {
            key: *key,
            address: "10.0.0.1:1".parse().unwrap(),
        };
        Ok(named.map_or_else(Vec::new, |(_, keys)| keys.iter().map(validator).collect()))
    }

    fn apply(&self, block: &BlockContext, transaction: &[u8], view: &mut dyn View) -> Result<Applied, Missing> {
        Counters.apply(block, transaction, view)
    }
}

pub(super) fn hosts(machine: &Arc<Electorate>, pools: &[Arc<Pool>]) -> Vec<SimHost> {
    let host = |pool: &Arc<Pool>| SimHost {
        machine: machine.clone(),
        source: pool.clone(),
        observer: pool.clone(),
        clock: None,
        records: None,
    };
    pools.iter().map(host).collect()
}

/// Waits until a pool was told of a block of this height.
pub(super) async fn told(pool: &Arc<Pool>, height: u64) {
    let mut told = pool.told.subscribe();
    let last = |blocks: &Vec<Arc<Finalized>>| blocks.last().map_or(0, |block| block.header.height);
    told.wait_for(|blocks| last(blocks) >= height).await.unwrap();
}

pub(super) fn leaders(blocks: &[Arc<Finalized>], epoch: u64) -> Vec<[u8; 32]> {
    let of = blocks.iter().filter(|block| block.header.epoch == epoch);
    let mut leaders: Vec<[u8; 32]> = of.map(|block| block.header.leader).collect();
    leaders.sort_unstable();
    leaders.dedup();
    leaders
}

#[test]
fn a_fifth_validator_comes_and_the_first_goes_under_one_key_in_one_history() {
    let mut sim = Sim::seeded(5);
    sim.followers = 1;
    sim.late = vec![4];
    sim.catch_up.views_max = Some(EPOCH_BLOCKS);
    sim.epoch_blocks = NonZeroU64::new(EPOCH_BLOCKS).unwrap();
    sim.pace.idle_interval = Duration::from_millis(100);
    let names = sim.names();
    let machine = Arc::new(Electorate(vec![
        (0, names[..4].to_vec()),
        (20, names.clone()),
        (20 + EPOCH_BLOCKS, names[1..].to_vec()),
    ]));
    let pools: Vec<Arc<Pool>> = (0..5).map(|_| Pool::new(Some(0))).collect();
    let driven = pools.clone();
    sim.run(
        hosts(&machine, &pools),
        Box::new(|mut network: SimNetwork| {
            Box::pin(async move {
                (1..=10).for_each(|count| driven[1].submit(count_up(1, count)));
                // It is announced, and fetches the state in an epoch that is not the first.
                told(&driven[1], 2 * EPOCH_BLOCKS + 2).await;
                let fifth = network.start(4).await;
                // One dies while it deals and gets its share.
                told(&driven[1], 3 * EPOCH_BLOCKS + 3).await;
                network.stop(2).await;
                told(&driven[1], 3 * EPOCH_BLOCKS + 5).await;
                network.start(2).await;
                told(&driven[4], 4 * EPOCH_BLOCKS + 1).await;
                let committee = fifth.committee().await.unwrap();
                assert!(committee.signs && committee.members.len() == 5, "{committee:?}");
                assert_eq!((committee.epoch, committee.until), (4, 5 * EPOCH_BLOCKS - 1));
                assert_eq!(committee.renewed, Some(true));
                assert_eq!((committee.receiving.len(), committee.announced.len()), (4, 4));
                for pool in &driven {
                    told(pool, 7 * EPOCH_BLOCKS).await;
                }
                let gone = &network.handles[0];
                assert!(!gone.committee().await.unwrap().signs);
                for height in [
                    1,
                    EPOCH_BLOCKS - 1,
                    EPOCH_BLOCKS,
                    4 * EPOCH_BLOCKS,
                    6 * EPOCH_BLOCKS + 3,
                ] {
                    let finality = network.handles[1].finality(height).await.unwrap();
                    verify_finality(gone.anchor(), &finality).unwrap();
                }
            })
        }),
    );
    let told: Vec<Vec<Arc<Finalized>>> = pools.iter().map(|pool| pool.told.borrow().clone()).collect();
    for blocks in &told {
        let of = |block: &Finalized| told[1].iter().find(|other| other.header.height == block.header.height);
        let same = blocks
            .iter()
            .all(|block| of(block).is_none_or(|other| other.digest == block.digest));
        assert!(same, "one history");
    }
    assert!(pools[4].skipped.borrow()[0] > EPOCH_BLOCKS);
    let sorted = |names: &[[u8; 32]]| {
        let mut names = names.to_vec();
        names.sort_unstable();
        names
    };
    assert_eq!(leaders(&told[1], 0), sorted(&names[..4]));
    assert_eq!(leaders(&told[1], 4), sorted(&names));
    assert_eq!(leaders(&told[1], 5), sorted(&names[1..]));
}

#[test]
fn newcomers_who_are_away_hold_nothing_up_and_get_their_shares_when_they_come() {
    let mut sim = Sim::seeded(6);
    sim.followers = 2;
    sim.late = vec![4, 5];
    sim.epoch_blocks = NonZeroU64::new(EPOCH_BLOCKS).unwrap();
    sim.pace.idle_interval = Duration::from_millis(100);
    let machine = Arc::new(Electorate(vec![(0, sim.names())]));
    let pools: Vec<Arc<Pool>> = (0..6).map(|_| Pool::new(Some(0))).collect();
    let driven = pools.clone();
    sim.run(
        hosts(&machine, &pools),
        Box::new(|mut network: SimNetwork| {
            Box::pin(async move {
                // Two of six are more than may be away: their shares must not be written down for all, so nothing is renewed.
                told(&driven[1], 3 * EPOCH_BLOCKS + 1).await;
                let committee = network.handles[1].committee().await.unwrap();
                assert!(committee.signs && committee.epoch == 3, "{committee:?}");
                assert_eq!((committee.members.len(), committee.receiving.len()), (4, 6));
                assert_eq!(committee.renewed, Some(false));
                for newcomer in 4..6 {
                    network.start(newcomer).await;
                }
                for pool in &driven {
                    told(pool, 5 * EPOCH_BLOCKS + 1).await;
                }
                for handle in &network.handles {
                    let committee = handle.committee().await.unwrap();
                    assert!(committee.signs && committee.members.len() == 6, "{committee:?}");
                }
            })
        }),
    );
}

#[test]
fn a_loss_of_power_with_every_block_of_a_renewal_costs_nobody_a_share() {
    const BLOCKS: u64 = 16;
    let mut sim = Sim::seeded(7);
    sim.tears = true;
    sim.epoch_blocks = NonZeroU64::new(BLOCKS).unwrap();
    sim.pace.idle_interval = Duration::from_millis(100);
    let machine = Arc::new(Electorate(vec![]));
    let mut end = None;
    for height in BLOCKS - 1..2 * BLOCKS + 1 {
        let pools: Vec<Arc<Pool>> = (0..4).map(|_| Pool::new(Some(0))).collect();
        let first = pools[height as usize % 4].clone();
        let drive = Box::new(move |network: SimNetwork| -> futures::future::BoxFuture<'static, ()> {
            Box::pin(async move {
                told(&first, height).await;
                if height == 2 * BLOCKS {
                    for handle in &network.handles {
                        handle
                            .follow()
                            .wait_for(|latest| latest.header.epoch == 2)
                            .await
                            .unwrap();
                        let committee = handle.committee().await.unwrap();
                        assert!(committee.signs && committee.epoch == 2, "{committee:?}");
                    }
                }
            })
        });
        let hosts = hosts(&machine, &pools);
        end = Some(match end {
            None => sim.run(hosts, drive),
            Some(end) => sim.resume(end, hosts, drive),
        });
    }
}
