//! Four validators under everything that can go wrong between them, one of them twice under its one key.

use super::{
    Sim, SimHost, SimNetwork, audit,
    toy::{Counters, Pool, count_up},
};
use crate::{Executed, Finalized};
use std::{sync::Arc, time::Duration};

/// Who runs twice.
const TWO_FACED: usize = 3;

fn host(pool: &Arc<Pool>) -> SimHost {
    SimHost {
        machine: Arc::new(Counters),
        source: pool.clone(),
        observer: pool.clone(),
        clock: None,
        records: None,
    }
}

/// Waits until a block of this height was told.
async fn reached(pool: &Pool, height: u64) {
    let mut told = pool.told.subscribe();
    let last = |blocks: &Vec<Arc<Finalized>>| blocks.last().map_or(0, |block| block.header.height);
    told.wait_for(|blocks| last(blocks) >= height).await.unwrap();
}

/// The height after which a run that ends with so many blocks must be.
async fn go_on(pools: &[Arc<Pool>], blocks: u64) {
    let height = pools
        .iter()
        .filter_map(|pool| pool.told.borrow().last().map(|block| block.header.height));
    let height = height.max().unwrap_or_default() + blocks;
    for pool in pools {
        reached(pool, height).await;
    }
}

/// The honest three have one history, which holds for whoever runs it again.
fn look(pools: &[Arc<Pool>]) -> Vec<Arc<Finalized>> {
    let told: Vec<Vec<Arc<Finalized>>> = pools[..TWO_FACED]
        .iter()
        .map(|pool| pool.told.borrow().clone())
        .collect();
    for blocks in &told {
        assert!(
            blocks
                .iter()
                .zip(&told[0])
                .all(|(one, other)| one.digest == other.digest)
        );
    }
    audit(&Counters, Sim::seeded(0).epoch_blocks, &told[0]).unwrap();
    told[0].clone()
}

/// One run; whoever was shut out.
fn run(seed: u64, near: Option<Vec<usize>>) -> (Vec<Arc<Finalized>>, Vec<(usize, usize)>) {
    let pools: Vec<Arc<Pool>> = (0..5).map(|_| Pool::new(Some(0))).collect();
    let (driven, shut) = (pools.clone(), Arc::new(std::sync::Mutex::new(Vec::new())));
    let told = shut.clone();
    let mut sim = Sim::seeded(seed);
    sim.tears = true;
    let end = sim.run(
        pools[..4].iter().map(host).collect(),
        Box::new(move |mut network: SimNetwork| {
            Box::pin(async move {
                let honest = &driven[..TWO_FACED];
                network.stop(TWO_FACED).await;
                network.split(TWO_FACED, host(&driven[4]), near.as_deref());
                network.start(TWO_FACED).await;
                for (place, pool) in driven.iter().enumerate() {
                    // What the two propose is not the same.
                    pool.submit(count_up(place as u64, 1));
                }
                go_on(honest, 4).await;
                *told.lock().unwrap() = network.blocked().await;

                network.part(&[0, 1]).await;
                network.sleep(Duration::from_secs(20)).await;
                network.heal().await;
                network.forgive().await;
                go_on(honest, 2).await;
                network.worsen(0, Duration::from_millis(300), 20).await;
                network.double(1, true);
                network.skew(2, 3_000);
                network.sleep(Duration::from_secs(30)).await;
                network.heal().await;
                network.forgive().await;
                go_on(honest, 2).await;
            })
        }),
    );
    let before = look(&pools);
    // Observers that lost what they knew are told all of it again.
    let anew: Vec<Arc<Pool>> = (0..4).map(|_| Pool::new(Some(0))).collect();
    let (driven, height) = (anew.clone(), before.len() as u64);
    sim.resume(
        end,
        anew.iter().map(host).collect(),
        Box::new(move |_| {
            Box::pin(async move {
                for pool in &driven[..TWO_FACED] {
                    reached(pool, height + 2).await;
                }
            })
        }),
    );
    let after = look(&anew);
    assert!(after.len() > before.len());
    assert!(before.iter().zip(&after).all(|(one, other)| one.digest == other.digest));
    let shut = shut.lock().unwrap().clone();
    (after, shut)
}

#[test]
fn three_keep_one_history_and_go_on_while_the_fourth_says_two_things_and_all_lose_power() {
    let (blocks, shut) = run(31, Some(vec![0]));
    assert!(
        shut.iter().all(|(by, whom)| *by == TWO_FACED || *whom == TWO_FACED),
        "{shut:?}"
    );
    let (again, _) = run(31, Some(vec![0]));
    assert_eq!(blocks.last().unwrap().digest, again.last().unwrap().digest);
}

#[test]
fn who_says_two_things_to_one_is_shut_out() {
    let (_, shut) = run(32, None);
    assert!(shut.iter().any(|(_, whom)| *whom == TWO_FACED), "{shut:?}");
    assert!(
        shut.iter().all(|(by, whom)| *by == TWO_FACED || *whom == TWO_FACED),
        "{shut:?}"
    );
}

#[test]
fn an_auditor_finds_one_changed_root_and_one_changed_receipt() {
    let pool = Pool::new(Some(0));
    let mut sim = Sim::seeded(33);
    sim.validators = std::num::NonZeroU32::MIN;
    pool.submit(count_up(1, 1));
    let driven = pool.clone();
    sim.run(
        vec![host(&pool)],
        Box::new(move |_| Box::pin(async move { reached(&driven, 3).await })),
    );
    let blocks = pool.told.borrow().clone();
    audit(&Counters, Sim::seeded(0).epoch_blocks, &blocks).unwrap();

    let changed = |change: &dyn Fn(&mut Finalized)| {
        let mut blocks = blocks.clone();
        let at = blocks.iter().position(|block| !block.txs.is_empty()).unwrap();
        let mut block = (*blocks[at]).clone();
        change(&mut block);
        block.digest = block.header.digest();
        blocks[at] = Arc::new(block);
        blocks.truncate(at + 1);
        audit(&Counters, Sim::seeded(0).epoch_blocks, &blocks)
    };
    assert!(changed(&|_| {}).is_ok());
    assert!(changed(&|block| block.header.state_root[0] ^= 1).is_err());
    assert!(changed(&|block| block.header.tx_root[0] ^= 1).is_err());
    assert!(changed(&|block| block.txs[0].receipt.push(0)).is_err());
    assert!(changed(&|block| block.txs = Vec::<Executed>::new()).is_err());
}
