//! How everything here is measured: a thread's seconds on its core, in turns with the limit it is held against; medians. What is
//! measured is not decided here.

use std::error::Error;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;
use std::{env, fs};

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

/// Processes a ratio is drawn from. Turns in one process agree to a percent or two while processes differ by ten, for a cause
/// that was not found (not the order of work and limit), so one process is one draw however many turns it takes.
pub const PROCESSES: usize = 9;

/// A row of a table in one process, as it is handed to the process that prints the table.
pub struct Row {
    pub ratio: f64,
    pub text: String,
}

/// Runs a bench of rows in several processes. Each row is that of the process with the middle ratio, and the range of all.
pub fn in_processes(name: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let mut by_row: Vec<Vec<Row>> = Vec::new();
    for _ in 0..PROCESSES {
        let output = Command::new(env::current_exe()?)
            .arg(name)
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err(format!("{name} ended with {}", output.status).into());
        }
        for (at, line) in String::from_utf8(output.stdout)?.lines().enumerate() {
            let (ratio, text) = line.split_once('\t').ok_or("a row is a ratio, a tab and its text")?;
            by_row.resize_with(by_row.len().max(at + 1), Vec::new);
            by_row[at].push(Row {
                ratio: ratio.parse()?,
                text: text.to_owned(),
            });
        }
    }
    let middle = |mut rows: Vec<Row>| {
        rows.sort_by(|one, other| one.ratio.total_cmp(&other.ratio));
        let (least, most) = (rows[0].ratio, rows[rows.len() - 1].ratio);
        let middle = &rows[rows.len() / 2];
        format!("{} | **{:.2}** | {least:.2} – {most:.2} |\n", middle.text, middle.ratio)
    };
    Ok(by_row.into_iter().map(middle).collect())
}

/// Rows as `in_processes` reads them.
pub fn rows(rows: Vec<Row>) -> String {
    let line = |row: &Row| format!("{}\t{}\n", row.ratio, row.text);
    rows.iter().map(line).collect()
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
         turns in that process, the other first each time; numbers are medians over n turns. Where a range stands beside a ratio, it is of {PROCESSES} processes, and the row \
         is that of the one in the middle: processes differ more than turns do. *Per core* is per second of the \
         thread on its core (`/proc/thread-self/schedstat`), so that waiting for the disk or for other processes does not \
         count; *wall* counts it. A ratio is limit over work, so 1.00 is as good as the limit and 0.50 costs twice as much. \
         Load average at the start: {}.\n",
        load()
    )
}
