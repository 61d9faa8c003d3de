//! Two of four validators lose their data folders in one and the same renewal and fetch the state: the chain goes on past the epoch's
//! last block, and both sign in the next.

use super::{
    Sim, SimNetwork,
    committee_tests::{Electorate, hosts, leaders, told},
    toy::Pool,
};
use crate::committee::Shelf as _;
use std::{num::NonZeroU64, sync::Arc, time::Duration};

const BLOCKS: u64 = 40;
/// Has the third and the fourth lose their folders one after the other, from such a block of an epoch on, and returns whether the
/// shares are new in the next one. Some newcomers never come.
fn is_renewed(seed: u64, epoch: u64, from: u64, absent: u32) -> bool {
    let first = epoch * BLOCKS;
    let last = first + BLOCKS - 1;
    let mut sim = Sim::seeded(seed);
    sim.epoch_blocks = NonZeroU64::new(BLOCKS).unwrap();
    // Whoever is absent is asked in vain, so fetching takes longer.
    sim.pace.idle_interval = Duration::from_secs(if absent == 0 { 1 } else { 5 });
    sim.time_max = Duration::from_secs(3_600);
    sim.catch_up.views_max = Some(BLOCKS / 4);
    sim.followers = absent;
    sim.late = (4..4 + absent as usize).collect();
    let machine = Arc::new(Electorate(vec![(0, sim.names())]));
    let pools: Vec<Arc<Pool>> = (0..4 + absent).map(|_| Pool::new(Some(0))).collect();
    let driven = pools.clone();
    let end = sim.run(
        hosts(&machine, &pools),
        Box::new(move |mut network: SimNetwork| {
            Box::pin(async move {
                told(&driven[0], first + from).await;
                for node in [2, 3] {
                    network.lose(node).await;
                    let at = network.start(node).await.latest().header.height;
                    assert!((first + from..last).contains(&at), "{at}");
                    // Killed while it reads what was dealt, it reads it again.
                    network.stop(node).await;
                    let handle = network.start(node).await;
                    told(&driven[node], handle.latest().header.height + 2).await;
                    assert!(handle.latest().header.height < last);
                    network.handles[node] = handle;
                }
                for pool in &driven[..4] {
                    told(pool, last + 8).await;
                }
                for handle in &network.handles {
                    let committee = handle.committee().await.unwrap();
                    assert!(committee.signs && committee.epoch == epoch + 1, "{committee:?}");
                }
            })
        }),
    );
    let told = pools[0].told.borrow().clone();
    assert_eq!(leaders(&told, epoch + 1).len(), 4, "all four sign");
    let share = |node: usize, of: u64| end.shelves[node].get(&format!("{of:020}-share")).unwrap();
    let is_new: Vec<bool> = (0..4)
        .map(|node| share(node, epoch)[..] != share(node, epoch + 1)[..])
        .collect();
    assert!(is_new.iter().all(|new| *new == is_new[0]), "{is_new:?}");
    is_new[0]
}

#[test]
fn two_who_fetched_the_state_after_all_had_dealt_judge_the_last_block_and_have_their_new_shares() {
    assert!(is_renewed(8, 0, BLOCKS / 2 + 6, 0));
}

#[test]
fn two_who_fetched_the_state_judge_a_renewal_that_came_to_nothing() {
    assert!(!is_renewed(9, 2, BLOCKS / 2 + 6, 2));
}

#[test]
fn two_who_lost_what_they_were_dealt_in_the_first_half_have_their_new_shares() {
    assert!(is_renewed(10, 1, BLOCKS / 8, 0));
}
