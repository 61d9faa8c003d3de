//! Looks at the height of every node again and again, and keeps when the chain grew, and what became of each renewal of the shares.

use super::fleet::ask;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(25);

pub struct Watch {
    begun: Instant,
    seen: Arc<Mutex<Seen>>,
    /// Dropped, it ends the looking.
    lookers: Vec<(Sender<()>, JoinHandle<()>)>,
}

#[derive(Default)]
struct Seen {
    grown: Vec<(u64, Instant)>,
    /// By the epoch of consensus: when it was seen first, and whether the shares are fresh ones, as soon as a node knows.
    committees: BTreeMap<u64, (Instant, Option<bool>)>,
}

impl Seen {
    fn take(&mut self, status: &Value) {
        let Some(height) = status["height"].as_u64() else {
            return;
        };
        if self.grown.last().is_none_or(|(highest, _)| height > *highest) {
            self.grown.push((height, Instant::now()));
        }
        let committee = &status["committee"];
        if let Some(epoch) = committee["epoch"].as_u64() {
            let (_, renewed) = self.committees.entry(epoch).or_insert((Instant::now(), None));
            *renewed = renewed.or(committee["renewed"].as_bool());
        }
    }
}

/// What became of the renewals of shares.
pub struct Renewals {
    /// Epochs of consensus after the first.
    pub due: u64,
    /// Of these, with fresh shares.
    pub done: u64,
    /// Between two of them.
    pub longest: Duration,
}

/// How blocks came.
pub struct Blocks {
    pub count: u64,
    pub median: Duration,
    pub longest: Duration,
    /// When that began, since the looking began.
    pub longest_from: Duration,
}

impl Watch {
    pub fn start(nodes: &[String]) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let lookers = nodes.iter().map(|node| {
            let (node, seen) = (node.clone(), seen.clone());
            let (end, ended) = channel::<()>();
            let look = std::thread::spawn(move || {
                while ended.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                    if let Some(status) = ask(&node, "/v1/status") {
                        let mut seen: std::sync::MutexGuard<'_, Seen> = seen.lock().unwrap();
                        seen.take(&status);
                    }
                }
            });
            (end, look)
        });
        let lookers = lookers.collect();
        let begun = Instant::now();
        Self { begun, seen, lookers }
    }

    /// Up to now.
    pub fn renewals(&self) -> Renewals {
        let seen = self.seen.lock().unwrap();
        let renewed = seen.committees.values().filter(|(_, renewed)| *renewed == Some(true));
        let begun: Vec<Instant> = seen.committees.values().map(|(at, _)| *at).collect();
        Renewals {
            due: seen.committees.last_key_value().map_or(0, |(epoch, _)| *epoch),
            done: renewed.count() as u64,
            longest: begun.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default(),
        }
    }

    /// Since the looking began.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// The highest block that any node showed.
    pub fn height(&self) -> u64 {
        self.seen.lock().unwrap().grown.last().map_or(0, |(height, _)| *height)
    }

    /// Up to now.
    pub fn halts(&self) -> Blocks {
        let seen = self.seen.lock().unwrap();
        let grown = &seen.grown;
        let mut apart: Vec<(Duration, Instant)> = grown
            .windows(2)
            .map(|pair| (pair[1].1 - pair[0].1, pair[0].1))
            .collect();
        apart.extend(grown.last().map(|(_, last)| (last.elapsed(), *last)));
        apart.sort_unstable();
        let longest = apart.last();
        let count = grown
            .last()
            .zip(grown.first())
            .map_or(0, |(last, first)| last.0 - first.0);
        Blocks {
            count,
            median: apart.get(apart.len() / 2).map(|(time, _)| *time).unwrap_or_default(),
            longest: longest.map(|(time, _)| *time).unwrap_or_default(),
            longest_from: longest
                .map(|(_, from)| from.saturating_duration_since(self.begun))
                .unwrap_or_default(),
        }
    }

    pub fn end(self) -> Blocks {
        let blocks = self.halts();
        for (end, look) in self.lookers {
            drop(end);
            look.join().unwrap();
        }
        blocks
    }
}

/// The height of a node, if it answers.
pub fn height(node: &str) -> Option<u64> {
    ask(node, "/v1/status")?["height"].as_u64()
}
