//! Validators that are killed one after the other, each back soon: how long the chain may stand still.

use super::{
    Sim, SimHost, SimNetwork,
    toy::{Counters, Pool},
};
use std::{
    num::NonZeroU64,
    sync::{Arc, Mutex},
    time::Duration,
};

const LOOK_MS: u64 = 50;
const LOOK: Duration = Duration::from_millis(LOOK_MS);
/// In the first the chain stood still for 14 s while those who had given up a turn said so every two seconds only; in the second for 20 s
/// while leaders held on to turns that the others had given up.
const SEEDS: [u64; 2] = [205, 231];
const KILLS: usize = 12;
/// Between a kill and the start after it, and between a start and the next kill, at most.
const AWAY_MAX_MS: u64 = 2_500;
const CALM_MAX_MS: u64 = 2_000;
/// What two deaths that meet cost a chain whose leader waits two seconds for work: its time (4 s), when the others say again that they
/// gave it up (0.5 s), the votes' time (6 s), and half a second for messages on their way and the block itself. Whoever goes on killing
/// before the next block can have more of it (docs/operate/killed.md); in these runs it does not come to that.
const HALT_MAX: Duration = Duration::from_millis(11_000);

/// Blocks of an epoch where shares are renewed while validators die.
const RENEWED_EVERY: u64 = 16;

/// Numbers that look like chance and are the same for a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Watches for blocks while virtual time passes.
struct Halts {
    pools: Vec<Arc<Pool>>,
    height: u64,
    since: Duration,
    longest: Duration,
}

impl Halts {
    async fn pass(&mut self, network: &SimNetwork, time_ms: u64) {
        for _ in 0..time_ms / LOOK_MS {
            network.sleep(LOOK).await;
            self.since += LOOK;
            self.longest = self.longest.max(self.since);
            let heights = self
                .pools
                .iter()
                .map(|pool| pool.told.borrow().last().map_or(0, |block| block.header.height));
            let height = heights.max().unwrap();
            if height > self.height {
                (self.height, self.since) = (height, Duration::ZERO);
            }
        }
    }
}

/// The longest time without a block, and the height in the end.
fn longest_halt(seed: u64, epoch_blocks: Option<u64>) -> (Duration, u64) {
    let pools: Vec<Arc<Pool>> = (0..4).map(|_| Pool::new(Some(0))).collect();
    let host = |pool: &Arc<Pool>| SimHost {
        machine: Arc::new(Counters),
        source: pool.clone(),
        observer: pool.clone(),
        clock: None,
        records: None,
    };
    let hosts = pools.iter().map(host).collect();
    let longest = Arc::new(Mutex::new((Duration::ZERO, 0)));
    let found = longest.clone();
    let mut sim = Sim::seeded(seed);
    sim.epoch_blocks = epoch_blocks.and_then(NonZeroU64::new).unwrap_or(sim.epoch_blocks);
    sim.run(
        hosts,
        Box::new(move |mut network: SimNetwork| {
            Box::pin(async move {
                let mut chance = Chance(seed);
                let mut halts = Halts {
                    pools,
                    height: 0,
                    since: Duration::ZERO,
                    longest: Duration::ZERO,
                };
                halts.pass(&network, 5_000).await;
                let kills = if epoch_blocks.is_some() { 3 * KILLS } else { KILLS };
                for _ in 0..kills {
                    halts.pass(&network, chance.below(CALM_MAX_MS)).await;
                    let victim = chance.below(4) as usize;
                    network.stop(victim).await;
                    halts.pass(&network, chance.below(AWAY_MAX_MS)).await;
                    let handle = network.start(victim).await;
                    // As in the test with processes: the next one dies when this one has the others' blocks.
                    while handle.latest().header.height + 1 < halts.height {
                        halts.pass(&network, 500).await;
                    }
                }
                halts.pass(&network, 20_000).await;
                *found.lock().unwrap() = (halts.longest, halts.height);
            })
        }),
    );
    *longest.lock().unwrap()
}

#[test]
fn validators_killed_one_after_the_other_never_halt_the_chain_for_longer_than_the_settings_say() {
    for seed in SEEDS {
        let (halt, _) = longest_halt(seed, None);
        assert!(halt <= HALT_MAX, "seed {seed}: {halt:?}");
    }
}

#[test]
fn nor_do_they_while_shares_are_renewed_and_epochs_follow_each_other() {
    for seed in SEEDS {
        let (halt, height) = longest_halt(seed, Some(RENEWED_EVERY));
        assert!(halt <= HALT_MAX, "seed {seed}: {halt:?}");
        assert!(height > 2 * RENEWED_EVERY, "seed {seed}: {height}");
    }
}
