//! Keeps one process running: starts it, passes its log on under its name, starts it again when it ends, ever later while it ends
//! at once, and lets it end when it is asked to. A process that loses its keeper ends by itself: its standard input is closed.

use super::board::Board;
use crate::error::{Failure, Kind};
use crate::roles::SUPERVISED;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Between the end of a process and its next start, at first and at most.
const WAIT_FIRST: Duration = Duration::from_millis(250);
const WAIT_MAX: Duration = Duration::from_secs(30);
/// A process that ran so long did not fail at its start.
const STEADY: Duration = Duration::from_secs(30);
/// How long a process may take to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of a line of a log; the rest goes to the next one.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// What is started.
pub struct Spec {
    pub name: String,
    pub url: String,
    /// Its home, in which it runs.
    pub folder: PathBuf,
    pub line: Vec<String>,
    pub program: Result<PathBuf, Failure>,
}

pub struct Keeper {
    name: String,
    board: Arc<Board>,
    /// Dropped or used, it ends the wait before a next start.
    wake: SyncSender<()>,
}

impl Keeper {
    pub fn start(spec: Spec, board: Arc<Board>) -> Self {
        board.add(&spec.name, &spec.url);
        let (wake, woken) = sync_channel(1);
        let keeper = Self {
            name: spec.name.clone(),
            board: board.clone(),
            wake,
        };
        std::thread::spawn(move || {
            keep(&spec, &board, &woken);
            board.change(&spec.name, |row| row.ended = true);
        });
        keeper
    }

    pub fn ask_to_end(&self) {
        self.board.change(&self.name, |row| row.ending = true);
        self.board.terminate(&self.name);
        let _ = self.wake.try_send(());
    }

    /// Returns when it has ended; one that does not in time is killed, which loses nothing it acknowledged.
    pub async fn ended(self) {
        if tokio::time::timeout(PATIENCE, self.board.ended(&self.name))
            .await
            .is_err()
        {
            self.board.kill(&self.name);
            self.board.ended(&self.name).await;
        }
    }
}

fn keep(spec: &Spec, board: &Arc<Board>, woken: &Receiver<()>) {
    let mut wait = WAIT_FIRST;
    loop {
        let begun = Instant::now();
        let ended = once(spec, board);
        if board.change(&spec.name, |row| row.ending) {
            return;
        }
        if begun.elapsed() >= STEADY {
            wait = WAIT_FIRST;
        }
        let status = ended.as_ref().ok().and_then(ExitStatus::code);
        if status == Some(Kind::Upgrade as i32) {
            tell(
                &spec.name,
                "is not started again: it needs another version of this program",
            );
            // Until all are asked to end.
            let _ = woken.recv();
            return;
        }
        let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
        tell(
            &spec.name,
            &format!("ended ({how}); starts again in {} ms", wait.as_millis()),
        );
        if woken.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
            return;
        }
        wait = (wait * 2).min(WAIT_MAX);
        board.change(&spec.name, |row| row.restarts += 1);
    }
}

/// Runs it to its end.
fn once(spec: &Spec, board: &Arc<Board>) -> io::Result<ExitStatus> {
    let program = spec
        .program
        .as_ref()
        .map_err(|failure| io::Error::other(failure.to_string()))?;
    let mut command = Command::new(program);
    command
        .arg("--json")
        .args(&spec.line)
        .current_dir(&spec.folder)
        .env("CAIRN_HOME", &spec.folder)
        .env(SUPERVISED, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C is for whoever keeps it, who ends all in order.
        .process_group(0);
    if let Some(file) = crate::unlock::file() {
        command.env(crate::unlock::VARIABLE, file);
    }
    let mut child = started(spec, board, &mut command)?;
    let pid = Pid::from_child(&child);
    let (out, err) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for line in lines(out) {
                // The first word of a process is that it is ready, or why it is not.
                if line.starts_with("{\"error\"") {
                    tell(&spec.name, &line);
                } else {
                    board.change(&spec.name, |row| row.ready = row.pid == Some(pid));
                }
            }
        });
        threads.spawn(|| lines(err).for_each(|line| tell(&spec.name, &line)));
        // Waits without taking its number back: nobody else has that number until it is off the board.
        let waited = loop {
            match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
                Err(rustix::io::Errno::INTR) => {}
                waited => break waited,
            }
        };
        board.change(&spec.name, |row| (row.pid, row.ready) = (None, false));
        waited?;
        child.wait()
    })
}

/// Starts it and puts it on the board in one step: whoever asks all to end misses none.
fn started(spec: &Spec, board: &Arc<Board>, command: &mut Command) -> io::Result<Child> {
    board.change(&spec.name, |row| {
        if row.ending {
            return Err(io::Error::other("it was asked to end"));
        }
        let child = command.spawn()?;
        row.pid = Some(Pid::from_child(&child));
        Ok(child)
    })
}

/// The lines of a pipe; a longer one comes in parts.
fn lines(pipe: Option<impl Read>) -> impl Iterator<Item = String> {
    let mut pipe = pipe.map(BufReader::new);
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        let read = pipe.as_mut()?.take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        match read {
            Ok(bytes) if bytes > 0 => Some(String::from_utf8_lossy(&line).trim_end().to_owned()),
            _ => None,
        }
    })
}

/// A line of a process's log, under its name. One for machines stays one.
fn tell(name: &str, line: &str) {
    // A reader who is gone needs no log.
    let _ = writeln!(io::stderr().lock(), "{}", under(name, line));
}

fn under(name: &str, line: &str) -> String {
    match line.strip_prefix('{') {
        Some(rest) => format!("{{\"process\":\"{name}\",{rest}"),
        None => format!("{name:<12} | {line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_has_its_process_in_either_form() {
        assert_eq!(under("verifier-1", "WARN late"), "verifier-1   | WARN late");
        let machine = under("gateway", r#"{"level":"WARN"}"#);
        let read: serde_json::Value = serde_json::from_str(&machine).unwrap();
        assert_eq!(
            (read["process"].as_str(), read["level"].as_str()),
            (Some("gateway"), Some("WARN"))
        );
    }

    #[test]
    fn a_line_without_end_comes_in_parts() {
        let long = vec![b'x'; LINE_BYTES_MAX as usize + 3];
        let parts: Vec<usize> = lines(Some(long.as_slice())).map(|part| part.len()).collect();
        assert_eq!(parts, [LINE_BYTES_MAX as usize, 3]);
    }
}
