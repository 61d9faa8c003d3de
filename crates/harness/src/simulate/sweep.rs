//! Many seeds one after the other on all cores, and what came of them in one page. It plays nothing itself.

use super::consensus::Agreed;
use super::{Run, Way, play};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;

/// Which seeds, and how.
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    pub from: u64,
    pub seeds: u64,
    pub threads: usize,
    pub way: Way,
    /// Ends at the first seed with something broken.
    pub until_broken: bool,
}

/// What came of all of them.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub seeds: u64,
    pub simulated_ms: u64,
    pub devices: u64,
    pub reports: u64,
    pub receipts: u64,
    pub transactions: (u64, u64),
    pub epochs_paid: u64,
    pub injected: BTreeMap<&'static str, u64>,
    /// Seeds in which four validators agreed on the ledger, their blocks, and the longest wait for one after the last fault.
    pub agreed: (u64, Agreed),
    /// Runs with something broken, by seed.
    pub broken: BTreeMap<u64, Run>,
}

impl Tally {
    fn add(&mut self, run: Run) {
        self.seeds += 1;
        self.simulated_ms += run.simulated_ms;
        self.devices += run.devices;
        self.reports += run.reports;
        self.receipts += run.receipts;
        self.transactions.0 += run.transactions.0;
        self.transactions.1 += run.transactions.1;
        self.epochs_paid += run.epochs_paid;
        for (kind, count) in &run.injected {
            *self.injected.entry(kind).or_default() += count;
        }
        if let Some(agreed) = &run.agreed {
            let (seeds, all) = &mut self.agreed;
            *seeds += 1;
            all.blocks += agreed.blocks;
            all.resumed_ms = all.resumed_ms.max(agreed.resumed_ms);
        }
        if !run.broken.is_empty() {
            self.broken.insert(run.seed, run);
        }
    }
}

/// Plays all seeds; `each` hears of every one that is done.
pub fn run(sweep: Sweep, mut each: impl FnMut(&Tally)) -> Tally {
    let next = AtomicU64::new(0);
    let (sender, done) = channel();
    let mut tally = Tally::default();
    std::thread::scope(|scope| {
        for _ in 0..sweep.threads.max(1) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    // Nobody listens any more when enough is known.
                    if at >= sweep.seeds || sender.send(play(sweep.from + at, sweep.way, false)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for run in done {
            let is_broken = !run.broken.is_empty();
            tally.add(run);
            each(&tally);
            if is_broken && sweep.until_broken {
                break;
            }
        }
    });
    tally
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.simulated_ms / crate::HOUR_MS;
        writeln!(f, "{} seeds, {hours} simulated hours", self.seeds)?;
        let (taken, refused) = self.transactions;
        writeln!(
            f,
            "{} devices, {} reports, {} receipts, {} epochs paid, {taken} transactions taken, {refused} refused",
            self.devices, self.reports, self.receipts, self.epochs_paid
        )?;
        let (agreed, all) = &self.agreed;
        writeln!(
            f,
            "in {agreed} seeds four validators agreed on the ledger: {} blocks, the first after the faults within {} s; in the \
             others it was one list",
            all.blocks,
            all.resumed_ms.div_ceil(1_000)
        )?;
        writeln!(f, "injected:")?;
        for (kind, count) in &self.injected {
            writeln!(f, "  {count:>8}  {kind}")?;
        }
        writeln!(f, "seeds with something broken: {}", self.broken.len())
    }
}
