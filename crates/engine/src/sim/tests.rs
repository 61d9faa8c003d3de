//! Four validators agree, repeat themselves, survive a crash of all, and go on without one of them.

use super::{
    Sim, SimEnd, SimHost, SimNetwork,
    toy::{Counters, Pool, account_key, count_in, count_up},
};
use crate::{Finalized, Tx};
use std::{sync::Arc, time::Duration};

const ACCOUNTS: u64 = 10;

fn hosts(pools: &[Arc<Pool>]) -> Vec<SimHost> {
    let host = |pool: &Arc<Pool>| SimHost {
        machine: Arc::new(Counters),
        source: pool.clone(),
        observer: pool.clone(),
        clock: None,
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
    assert_eq!(blocks, again);
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
    assert_eq!(after[..blocks.len()], blocks);
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
