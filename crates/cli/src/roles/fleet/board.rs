//! What runs: one row for each process, for whoever waits until they are ready, and for people in a file. Signals go out under its lock, so
//! that none reaches a stranger who got the number of one that ended.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

pub struct Board {
    rows: watch::Sender<Vec<Row>>,
    file: PathBuf,
}

#[derive(Clone, Debug)]
pub struct Row {
    pub name: String,
    pub url: String,
    /// While it runs.
    pub pid: Option<Pid>,
    /// It said that it takes requests.
    pub ready: bool,
    /// Times it was started again.
    pub restarts: u32,
    /// Times in a row that it said it is not well.
    pub unwell: u32,
    /// It was asked to end and is not started again.
    pub ending: bool,
    /// Its keeper is done.
    pub ended: bool,
}

impl Board {
    pub fn new(file: PathBuf) -> Arc<Self> {
        let rows = watch::Sender::new(Vec::new());
        Arc::new(Self { rows, file })
    }

    pub fn add(&self, name: &str, url: &str) {
        let row = Row {
            name: name.to_owned(),
            url: url.to_owned(),
            pid: None,
            ready: false,
            restarts: 0,
            unwell: 0,
            ending: false,
            ended: false,
        };
        self.rows.send_modify(|rows| rows.push(row));
    }

    /// Changes a row, tells all who wait, and writes the file.
    pub fn change<T>(&self, name: &str, change: impl FnOnce(&mut Row) -> T) -> T {
        let mut changed = None;
        self.rows.send_modify(|rows| {
            let row = rows.iter_mut().find(|row| row.name == name);
            changed = Some(change(row.expect("every process was added")));
            // Under the lock: the file never goes back to what was before. Others read it; nothing here is decided from it.
            let _ = self.write(rows);
        });
        changed.expect("the change was made")
    }

    /// Whole or not at all: whoever reads it may come at any moment.
    fn write(&self, rows: &[Row]) -> std::io::Result<()> {
        let draft = self.file.with_extension("json.new");
        std::fs::write(&draft, format!("{:#}\n", face(rows)))?;
        std::fs::rename(draft, &self.file)
    }

    /// Asks a process to end, if it runs.
    pub fn terminate(&self, name: &str) {
        self.signal(name, Signal::TERM);
    }

    pub fn kill(&self, name: &str) {
        self.signal(name, Signal::KILL);
    }

    fn signal(&self, name: &str, signal: Signal) {
        self.change(name, |row| {
            if let Some(pid) = row.pid {
                // One that has just ended needs no signal.
                let _ = kill_process(pid, signal);
            }
        });
    }

    /// Counts how often in a row a process was not well.
    pub fn unwell(&self, name: &str, unwell: bool) -> u32 {
        self.change(name, |row| {
            row.unwell = if unwell { row.unwell + 1 } else { 0 };
            row.unwell
        })
    }

    /// Those that take requests, with their addresses.
    pub fn urls(&self) -> Vec<(String, String)> {
        let rows = self.rows.borrow();
        let ready = rows.iter().filter(|row| row.ready);
        ready.map(|row| (row.name.clone(), row.url.clone())).collect()
    }

    /// The first of these, by place, that takes requests.
    pub async fn any_ready(&self, names: &[String]) -> usize {
        let ready = |rows: &[Row]| {
            let is = |name: &String| rows.iter().any(|row| row.ready && row.name == *name);
            names.iter().position(is)
        };
        let mut found = None;
        self.until(|rows| {
            found = ready(rows);
            found.is_some()
        })
        .await;
        found.expect("waited until one is")
    }

    pub async fn all_ready(&self) {
        self.until(|rows| rows.iter().all(|row| row.ready)).await;
    }

    pub async fn ended(&self, name: &str) {
        self.until(|rows| rows.iter().any(|row| row.name == name && row.ended))
            .await;
    }

    async fn until(&self, fits: impl FnMut(&Vec<Row>) -> bool) {
        let waited = self.rows.subscribe().wait_for(fits).await.map(drop);
        waited.expect("the board outlives whoever waits at it");
    }

    /// Nothing runs any more.
    pub fn forget(&self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

fn face(rows: &[Row]) -> Value {
    let row = |row: &Row| {
        json!({
            "process": row.name,
            "pid": row.pid.map(|pid| pid.as_raw_nonzero().get()),
            "url": row.url,
            "ready": row.ready,
            "restarts": row.restarts,
        })
    };
    json!({ "processes": rows.iter().map(row).collect::<Vec<_>>() })
}
