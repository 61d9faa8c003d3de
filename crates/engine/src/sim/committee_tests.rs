//! Validators come and go within an era: one history, one group key, whoever signs.

use super::{
    Sim, SimHost, SimNetwork,
    toy::{Counters, Pool, block_key, count_in, count_up},
};
use crate::{
    Applied, BlockContext, Finalized, Key, Missing, StateMachine, Validator, View, light::verify_finality,
};
use std::{num::NonZeroU64, sync::Arc, time::Duration};

const EPOCH_BLOCKS: u64 = 24;

/// Names its validators by height.
struct Electorate(Vec<(u64, Vec<[u8; 32]>)>);

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

fn hosts(machine: &Arc<Electorate>, pools: &[Arc<Pool>]) -> Vec<SimHost> {
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
async fn told(pool: &Arc<Pool>, height: u64) {
    let mut told = pool.told.subscribe();
    let last = |blocks: &Vec<Arc<Finalized>>| blocks.last().map_or(0, |block| block.header.height);
    told.wait_for(|blocks| last(blocks) >= height).await.unwrap();
}

fn leaders(blocks: &[Arc<Finalized>], epoch: u64) -> Vec<[u8; 32]> {
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
        Box::new(|network: SimNetwork| {
            Box::pin(async move {
                for pool in &driven {
                    (1..=10).for_each(|count| pool.submit(count_up(1, count)));
                }
                for pool in &driven {
                    told(pool, EPOCH_BLOCKS * 7).await;
                }
                for handle in &network.handles {
                    for height in [1, EPOCH_BLOCKS - 1, EPOCH_BLOCKS, 5 * EPOCH_BLOCKS, 6 * EPOCH_BLOCKS + 3] {
                        let finality = handle.finality(height).await.unwrap();
                        verify_finality(network.handles[0].anchor(), &finality).unwrap();
                    }
                }
            })
        }),
    );
    let told: Vec<Vec<Arc<Finalized>>> = pools.iter().map(|pool| pool.told.borrow().clone()).collect();
    let common = told.iter().map(Vec::len).min().unwrap();
    for blocks in &told {
        let same = blocks[..common].iter().zip(&told[0]).all(|(one, other)| one.digest == other.digest);
        assert!(same, "one history");
    }
    let sorted = |names: &[[u8; 32]]| {
        let mut names = names.to_vec();
        names.sort_unstable();
        names
    };
    assert_eq!(leaders(&told[0], 0), sorted(&names[..4]));
    assert_eq!(leaders(&told[0], 4), sorted(&names));
    assert_eq!(leaders(&told[0], 5), sorted(&names[1..]));
}
