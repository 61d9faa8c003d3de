//! How everything here is measured: a thread's seconds on its core, in turns with the limit it is held against; medians. What is
//! measured is not decided here.

use std::error::Error;
use std::fs;
use std::thread;
use std::time::Instant;

/// A bench's Markdown, or why there is none.
pub type Section = Result<String, Box<dyn Error>>;

/// Seconds: on the wall, and of this thread on a core (Linux counts it; elsewhere it is the wall's).
#[derive(Clone, Copy, Default)]
pub struct Spent {
    pub wall: f64,
    pub core: f64,
}

impl std::ops::Add for Spent {
    type Output = Self;
    fn add(self, more: Self) -> Self {
        Self {
            wall: self.wall + more.wall,
            core: self.core + more.core,
        }
    }
}

/// Linux adds up a thread's time when it switches threads, so one is asked for first: then it is exact to some 10 µs.
fn core_seconds() -> Option<f64> {
    thread::yield_now();
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds / 1e9)
}

pub fn spent<T>(work: impl FnOnce() -> T) -> (T, Spent) {
    let before = core_seconds();
    let start = Instant::now();
    let done = work();
    let wall = start.elapsed().as_secs_f64();
    let core = before
        .zip(core_seconds())
        .map_or(wall, |(before, after)| after - before);
    (done, Spent { wall, core })
}

/// Repetitions of a piece of work, each beside one of its limit.
#[derive(Default)]
pub struct Turns {
    limit: Vec<Spent>,
    work: Vec<Spent>,
}

impl Turns {
    /// One repetition of both, the other one first each time, so that neither always finds the caches warm.
    pub fn turn<T>(&mut self, limit: impl FnOnce(), work: impl FnOnce() -> T) -> T {
        let done;
        let (of_limit, of_work);
        if self.work.len().is_multiple_of(2) {
            of_limit = spent(limit).1;
            (done, of_work) = spent(work);
        } else {
            (done, of_work) = spent(work);
            of_limit = spent(limit).1;
        }
        self.limit.push(of_limit);
        self.work.push(of_work);
        done
    }

    pub fn count(&self) -> usize {
        self.work.len()
    }

    /// Core seconds of the limit per core second of the work: the median of all turns.
    pub fn ratio(&self) -> f64 {
        median(
            self.limit
                .iter()
                .zip(&self.work)
                .map(|(limit, work)| limit.core / work.core),
        )
    }

    /// As `ratio`, of the sums: with everything that happens in some turns only.
    pub fn ratio_of_sums(&self) -> f64 {
        let sum = |all: &[Spent]| all.iter().map(|each| each.core).sum::<f64>();
        sum(&self.limit) / sum(&self.work)
    }

    /// Median core seconds of one turn of the limit.
    pub fn limit_core(&self) -> f64 {
        median(self.limit.iter().map(|each| each.core))
    }

    /// Median core seconds of one turn of the work.
    pub fn work_core(&self) -> f64 {
        median(self.work.iter().map(|each| each.core))
    }

    pub fn work_wall(&self) -> f64 {
        median(self.work.iter().map(|each| each.wall))
    }
}

/// The middle one; 0 of none.
pub fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = numbers.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// Bytes of this process in memory, as Linux counts them.
pub fn resident_bytes() -> f64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0.0) * 4_096.0
}

/// Load averages of 1, 5 and 15 minutes: above the number of cores, the machine had other work as well.
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// Whole numbers in groups of three digits.
pub fn whole(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What holds for every bench below.
pub fn heading() -> String {
    format!(
        "## Against the limit\n\n\
         Each bench runs on one thread in a process of its own, release build. The work and the limit it is held against take \
         turns in that process, the other first each time; numbers are medians over n turns. *Per core* is per second of the \
         thread on its core (`/proc/thread-self/schedstat`), so that waiting for the disk or for other processes does not \
         count; *wall* counts it. A ratio is limit over work, so 1.00 is as good as the limit and 0.50 costs twice as much. \
         Load average at the start: {}.\n",
        load()
    )
}
