//! The processes of a `cairn up`: which run, and what is done to them.

use super::Options;
use super::devices::{DISK_FULL, Reporting, Talker};
use super::stand::{Place, program};
use super::watch::{Watch, height};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

pub const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A service answers a question in this time, or is taken for one that does not.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// Nothing here takes so long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(300);
/// The disk of the last verifier, where one of its own can be made.
const DISK: &str = "96m";

pub struct Fleet {
    pub place: Place,
    up: Child,
    small_disk: Option<PathBuf>,
    /// Nobody ever speaks here: to wait is to hear nothing.
    silence: (Sender<()>, Receiver<()>),
}

#[derive(Clone)]
pub struct Process {
    pub name: String,
    pub pid: i32,
    pub url: String,
    pub ready: bool,
}

impl Process {
    pub fn is_validator(&self) -> bool {
        self.name.starts_with("validator")
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid).unwrap(), signal).unwrap();
    }
}

/// What a service says as JSON, if it answers.
pub fn ask(service: &str, path: &str) -> Option<Value> {
    let answer = exchange(service, &format!("GET {path} HTTP/1.1\r\n"), &[])?;
    serde_json::from_slice(&answer).ok()
}

/// Sends a request and answers the body of a success.
fn exchange(service: &str, head: &str, body: &[u8]) -> Option<Vec<u8>> {
    let (status, answer) = said(service, head, body)?;
    (status == 200).then_some(answer)
}

/// Sends a request and answers the status and the body of what was said.
pub fn said(service: &str, head: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
    let address = service.trim_start_matches("http://");
    let mut stream = TcpStream::connect_timeout(&address.parse().unwrap(), ANSWER_MAX).ok()?;
    stream.set_read_timeout(Some(ANSWER_MAX)).unwrap();
    stream.set_write_timeout(Some(ANSWER_MAX)).unwrap();
    let length = body.len();
    let head = format!("{head}Host: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let status = std::str::from_utf8(answer.strip_prefix(b"HTTP/1.1 ")?.get(..3)?).ok()?;
    Some((status.parse().ok()?, answer.split_off(end + 4)))
}

impl Fleet {
    pub fn start(options: &Options) -> Self {
        let place = Place::new();
        std::fs::create_dir_all(&place.home).unwrap();
        let small_disk = small_disk(&place.home, options.verifiers);
        let line = format!(
            "--json up --port 0 --validators {} --verifiers {} --epoch-seconds {} --committee-blocks {}",
            options.validators, options.verifiers, options.epoch_seconds, options.committee_blocks
        );
        let log = File::create(place.home.parent().unwrap().join("log")).unwrap();
        let mut up = program(&place.home)
            .args(line.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(up.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let _: Value = serde_json::from_str(&said).unwrap_or_else(|_| {
            let log = std::fs::read_to_string(place.home.parent().unwrap().join("log"));
            panic!("cairn {line}: {said}\n{}", log.unwrap())
        });
        Self {
            place,
            up,
            small_disk,
            silence: channel(),
        }
    }

    pub fn home(&self) -> &Path {
        &self.place.home
    }

    /// Waits for a while.
    pub fn calm(&self, time: Duration) {
        assert_eq!(self.silence.1.recv_timeout(time), Err(RecvTimeoutError::Timeout));
    }

    /// Looks again and again until it sees what it wants; answers how long that took.
    pub fn until(&self, what: &str, mut seen: impl FnMut() -> bool) -> Duration {
        let begun = Instant::now();
        while !seen() {
            assert!(begun.elapsed() < PATIENCE, "{what}\n{}", self.log());
            self.calm(LOOK_EVERY);
        }
        begun.elapsed()
    }

    /// The end of what all processes logged.
    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.home().parent().unwrap().join("log")).unwrap();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// All that run now.
    pub fn processes(&self) -> Vec<Process> {
        let text = std::fs::read_to_string(self.home().join("up.json")).unwrap();
        let read: Value = serde_json::from_str(&text).unwrap();
        let rows = read["processes"].as_array().cloned().unwrap_or_default();
        let process = |row: &Value| {
            Some(Process {
                name: row["process"].as_str()?.to_owned(),
                pid: i32::try_from(row["pid"].as_i64()?).ok()?,
                url: row["url"].as_str()?.to_owned(),
                ready: row["ready"].as_bool()?,
            })
        };
        rows.iter().filter_map(process).collect()
    }

    fn named(&self, name: &str) -> Option<Process> {
        self.processes().into_iter().find(|process| process.name == name)
    }

    pub fn urls(&self, wanted: impl Fn(&Process) -> bool) -> Vec<String> {
        let processes = self.processes();
        processes
            .into_iter()
            .filter(wanted)
            .map(|process| process.url)
            .collect()
    }

    /// Kills a process as nobody expects it; answers how long it took until a new one was ready, and had all blocks.
    pub fn kill(&self, victim: &Process, watch: &Watch) -> Duration {
        victim.signal(Signal::KILL);
        let again = || {
            self.named(&victim.name)
                .filter(|now| now.pid != victim.pid && now.ready)
        };
        self.until(&format!("{} does not come back", victim.name), || {
            again().is_some_and(|now| !now.is_validator() || has_all(&now.url, watch))
        })
    }

    /// Stops a validator for a while; answers how long it took to have all blocks after it went on.
    pub fn stop_for(&self, victim: &Process, pause: Duration, watch: &Watch) -> Duration {
        let before = watch.height();
        victim.signal(Signal::STOP);
        self.calm(pause);
        self.until(&format!("the others do not go on without {}", victim.name), || {
            watch.height() > before
        });
        victim.signal(Signal::CONT);
        self.until("a stopped validator does not come back", || has_all(&victim.url, watch))
    }

    /// Fills the last verifier's disk for a while, and what it reserved before: it refuses reports and says why, keeps what it promised
    /// when it is killed meanwhile, and takes the same reports when there is room.
    pub fn full_disk(&self, pause: Duration, reporting: &Reporting, talker: Talker) -> String {
        let Some(disk) = &self.small_disk else {
            return "not filled: this machine lets nobody mount one".to_owned();
        };
        let verifier = reporting.last_verifier();
        let ballast = disk.join("ballast");
        let mut file = File::create(&ballast).unwrap();
        let block = vec![0; 4_096];
        while file.write_all(&block).is_ok() {}
        let begun = reporting.receipts_of(verifier);
        let put_off = talker.fill(reporting);
        // What others were answered meanwhile has arrived by then.
        self.calm(ANSWER_MAX);
        let reserved = reporting.receipts_of(verifier) - begun;
        self.calm(pause);
        let during = reporting.receipts_of(verifier) - begun;
        assert_eq!(during, reserved, "a full disk takes nothing, from nobody");
        let refusals = reporting.refusals_for(DISK_FULL);
        let name = format!("verifier-{}", verifier + 1);
        self.named(&name).unwrap().signal(Signal::KILL);
        drop(file);
        std::fs::remove_file(&ballast).unwrap();
        let mut waiting = put_off.clone();
        let took = self.until("a verifier with room again takes no reports", || {
            if waiting.is_empty() {
                // All were too late by now.
                waiting.push(talker.speak());
            }
            let offered = waiting.clone();
            waiting = talker.offer(std::mem::take(&mut waiting), reporting);
            reporting.promised(verifier, &offered) > 0
        });
        format!(
            "full for {} s: {reserved} receipts meanwhile, into what was reserved; then {refusals} times a report refused ({DISK_FULL}), no \
             receipt, and kill -9; {} ms after there was room reports were taken, {} of the last {} refused among them",
            pause.as_secs(),
            took.as_millis(),
            reporting.promised(verifier, &put_off),
            put_off.len()
        )
    }

    /// All validators have the same blocks.
    pub fn one_history(&self) {
        let nodes = self.urls(Process::is_validator);
        let heights: Vec<u64> = nodes.iter().filter_map(|node| height(node)).collect();
        assert_eq!(heights.len(), nodes.len(), "all are back");
        let common = *heights.iter().min().unwrap();
        for height in [1, common / 2, common].into_iter().filter(|height| *height > 0) {
            same_block(&nodes, height);
        }
    }

    /// Takes a validator's chain away and kills it: it has its keys and the genesis file. Answers how long it took to have all blocks.
    pub fn lose_chain(&self, victim: &Process, watch: &Watch) -> Duration {
        let own = self.home().join(&victim.name);
        std::fs::rename(own.join("node"), own.join("lost")).unwrap();
        let took = self.kill(victim, watch);
        std::fs::remove_dir_all(own.join("lost")).unwrap();
        took
    }

    /// Ends it as a service manager does: everything in order, nothing left.
    pub fn end(mut self) {
        let processes = self.processes();
        let line = format!("kill -TERM {}", self.up.id());
        assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
        assert_eq!(self.up.wait().unwrap().code(), Some(0));
        for process in processes {
            let gone = kill_process(Pid::from_raw(process.pid).unwrap(), Signal::CONT).is_err();
            assert!(gone, "{} was left behind", process.name);
        }
        assert!(!self.home().join("up.json").exists());
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // One that has ended is gone already; those it keeps end with it.
        let _ = self.up.kill();
        let _ = self.up.wait();
        if let Some(disk) = &self.small_disk {
            let _ = Command::new("umount").arg("-l").arg(disk).status();
        }
    }
}

/// Those that have a block have the same one; a node that fetched the state has none from before.
pub fn same_block(nodes: &[String], height: u64) {
    let blocks = nodes
        .iter()
        .filter_map(|node| ask(node, &format!("/v1/blocks/{height}")));
    let digests: Vec<Value> = blocks.map(|block| block["digest"].clone()).collect();
    let same = digests.iter().all(|digest| digest.is_string() && *digest == digests[0]);
    assert!(!digests.is_empty() && same, "block {height}: {digests:?}");
}

fn has_all(node: &str, watch: &Watch) -> bool {
    height(node).is_some_and(|height| height + 1 >= watch.height())
}

/// A small disk of its own for the last verifier, where the machine allows it.
fn small_disk(home: &Path, verifiers: usize) -> Option<PathBuf> {
    let disk = home.join(format!("verifier-{verifiers}"));
    std::fs::create_dir_all(&disk).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", &format!("size={DISK},mode=700"), "tmpfs"])
        .arg(&disk)
        .stderr(Stdio::null())
        .status();
    mounted.is_ok_and(|status| status.success()).then_some(disk)
}
