//! What goes wrong between simulated nodes: parted, lossy, slow and doubled links, clocks that are off, and a validator that runs
//! twice under its one key and so says two things. It only makes it happen; whoever drives the run decides when.

use super::{SimHost, SimNetwork, unix_ms};
use crate::engine_types::PublicKey;
use commonware_cryptography::Signer as _;
use commonware_p2p::simulated::Link;
use commonware_runtime::Clock as _;
use commonware_utils::Probability;
use std::{sync::atomic::Ordering, time::Duration};

impl SimNetwork {
    /// The run's own time.
    pub fn now_ms(&self) -> u64 {
        unix_ms(self.runtime.current())
    }

    /// Lets virtual time pass until a moment.
    pub async fn sleep_until(&self, unix_ms: u64) {
        let left = unix_ms.saturating_sub(self.now_ms());
        self.sleep(Duration::from_millis(left)).await;
    }

    /// Cuts all links between these nodes and the rest.
    pub async fn part(&self, some: &[usize]) {
        for (from, to) in self.pairs() {
            if some.contains(&from) != some.contains(&to) {
                // A link that is cut already stays cut.
                let _ = self.oracle.remove_link(self.name(from), self.name(to)).await;
            }
        }
    }

    /// On every link of a node messages take so long, and so many of a hundred are lost.
    pub async fn worsen(&self, node: usize, latency: Duration, lost_percent: u8) {
        let success_rate = Probability::new(100 - u64::from(lost_percent.min(100)), 100);
        let success_rate = success_rate.expect("at most a hundred of a hundred");
        for (from, to) in self.links(node) {
            let jitter = latency / 3;
            if self.oracle.remove_link(from.clone(), to.clone()).await.is_ok() {
                let link = Link {
                    latency,
                    jitter,
                    success_rate,
                };
                // It was just removed.
                let _ = self.oracle.add_link(from, to, link).await;
            }
        }
    }

    /// What a node says arrives twice.
    pub fn double(&self, node: usize, is_doubled: bool) {
        self.nodes[node].way.double(is_doubled);
    }

    /// A node's clock is ahead by so much, or behind.
    pub fn skew(&self, node: usize, ahead_ms: i64) {
        self.nodes[node].ahead_ms.store(ahead_ms, Ordering::Relaxed);
    }

    /// All links are there again and as good as at first, all clocks right, nothing arrives twice.
    pub async fn heal(&self) {
        for node in 0..self.nodes.len() {
            self.double(node, false);
            self.skew(node, 0);
            self.cut(node).await;
        }
        for node in 0..self.nodes.len() {
            self.join(node).await;
        }
    }

    /// From its next start on a node is two processes under one key: those `near` speak with the one, the rest with the other, which
    /// knows nothing at first. Without `near` all hear both.
    pub fn split(&mut self, node: usize, twin: SimHost, near: Option<&[usize]>) {
        let near = near.map(|near| near.iter().map(|node| self.name(*node)).collect());
        self.nodes[node].way.split(near);
        self.nodes[node].twin = Some(twin);
    }

    /// Who has shut out whom because it broke the rules.
    pub async fn blocked(&self) -> Vec<(usize, usize)> {
        let place = |name: &PublicKey| (0..self.nodes.len()).find(|node| self.name(*node) == *name);
        let blocked = self.oracle.blocked().await.unwrap_or_default();
        let mut blocked: Vec<_> = blocked
            .iter()
            .filter_map(|(by, whom)| Some((place(by)?, place(whom)?)))
            .collect();
        blocked.sort_unstable();
        blocked
    }

    /// Everybody hears everybody again.
    pub async fn forgive(&self) {
        for (by, whom) in self.blocked().await {
            // It runs as long as this does.
            let _ = self.oracle.unblock(self.name(by), self.name(whom)).await;
        }
    }

    fn name(&self, node: usize) -> PublicKey {
        self.nodes[node].keys.identity.public_key()
    }

    fn pairs(&self) -> Vec<(usize, usize)> {
        let all = 0..self.nodes.len();
        all.clone()
            .flat_map(|from| all.clone().map(move |to| (from, to)))
            .collect()
    }
}
