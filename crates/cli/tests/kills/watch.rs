//! Looks at the height of every node again and again, and keeps when the chain grew.

use super::fleet::ask;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(25);

pub struct Watch {
    begun: Instant,
    grown: Arc<Mutex<Vec<(u64, Instant)>>>,
    /// Dropped, it ends the looking.
    lookers: Vec<(Sender<()>, JoinHandle<()>)>,
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
        let grown = Arc::new(Mutex::new(Vec::new()));
        let lookers = nodes.iter().map(|node| {
            let (node, grown) = (node.clone(), grown.clone());
            let (end, ended) = channel::<()>();
            let look = std::thread::spawn(move || {
                while ended.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                    if let Some(height) = height(&node) {
                        let mut grown: std::sync::MutexGuard<'_, Vec<(u64, Instant)>> = grown.lock().unwrap();
                        if grown.last().is_none_or(|(highest, _)| height > *highest) {
                            grown.push((height, Instant::now()));
                        }
                    }
                }
            });
            (end, look)
        });
        let lookers = lookers.collect();
        let begun = Instant::now();
        Self { begun, grown, lookers }
    }

    /// Since the looking began.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// The highest block that any node showed.
    pub fn height(&self) -> u64 {
        self.grown.lock().unwrap().last().map_or(0, |(height, _)| *height)
    }

    /// Up to now.
    pub fn halts(&self) -> Blocks {
        let grown = self.grown.lock().unwrap();
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
