//! The real program, run as people and service managers run it: commands to their end with `--json`, processes until they are told
//! to end, and the ledger's events to wait for.
#![allow(dead_code)] // each test binary uses a part of it

pub mod turnstile;

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cairn"));
    command
        .env_remove("RUST_LOG")
        .env_remove("CAIRN_PASSPHRASE_FILE")
        .env_remove("CAIRN_API_KEY")
        .env("CAIRN_HOME", home)
        .stdin(Stdio::null());
    command
}

/// What a command answered.
pub struct Answer {
    pub code: i32,
    pub json: Value,
    pub text: String,
}

impl Answer {
    pub fn done(self) -> Value {
        assert_eq!(self.code, 0, "{}", self.text);
        self.json
    }

    /// The kind of a refusal, which must have the exit code of its kind and a hint.
    pub fn refused(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}", self.text);
        let error = &self.json["error"];
        assert!(!error["message"].as_str().unwrap().is_empty());
        assert!(!error["hint"].as_str().unwrap_or_default().is_empty(), "{}", self.text);
        error["kind"].as_str().unwrap().to_owned()
    }
}

/// Runs a command to its end, with `--json`.
pub fn cairn(home: &Path, line: &str) -> Answer {
    cairn_with(home, line, &[])
}

pub fn cairn_with(home: &Path, line: &str, more: &[&Path]) -> Answer {
    let said = program(home)
        .arg("--json")
        .args(line.split_whitespace())
        .args(more)
        .output()
        .unwrap();
    let text = format!(
        "cairn {line}\n{}{}",
        String::from_utf8_lossy(&said.stdout),
        String::from_utf8_lossy(&said.stderr)
    );
    Answer {
        code: said.status.code().unwrap(),
        json: serde_json::from_slice(&said.stdout).unwrap_or_default(),
        text,
    }
}

/// A process that says one line of JSON when it is ready, and runs until it is told to end.
pub struct Running {
    process: Child,
    pub ready: Value,
}

impl Running {
    pub fn start(home: &Path, line: &str) -> Self {
        let mut process = program(home)
            .arg("--json")
            .args(line.split_whitespace())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut said)
            .unwrap();
        let ready = serde_json::from_str(&said).unwrap_or_else(|_| panic!("cairn {line}: {said}"));
        Self { process, ready }
    }

    pub fn url(&self, name: &str) -> String {
        self.ready[name].as_str().unwrap().to_owned()
    }

    /// As a service manager ends it.
    pub fn end(mut self) {
        let line = format!("kill -TERM {}", self.process.id());
        assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
        assert_eq!(self.process.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that was ended is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no amount"))
}

/// Reads the ledger's events until one of this kind; nothing waits by the clock.
pub fn until_event(node: &str, kind: &str) {
    until_event_from(node, kind, None);
}

/// The same from a height on: also what happened meanwhile.
pub fn until_event_from(node: &str, kind: &str, from: Option<u64>) {
    let address = node.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    let from = from.map_or(String::new(), |from| format!("?from={from}"));
    write!(stream, "GET /v1/events{from} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let wanted = format!("event: {kind}");
    let told = BufReader::new(stream)
        .lines()
        .map_while(Result::ok)
        .any(|line| line == wanted);
    assert!(told, "the events ended before {kind}");
}

/// One message for a device, by HTTP; answers the status line.
pub fn tell(agent: &str, device: &str, message: &str) -> String {
    let address = agent.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    let length = message.len();
    write!(
        stream,
        "POST /v1/devices/{device}/readings HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{message}"
    )
    .unwrap();
    BufReader::new(stream).lines().next().unwrap().unwrap()
}

pub struct Place {
    _folder: tempfile::TempDir,
    pub home: PathBuf,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        Self { _folder: folder, home }
    }
}

/// All that a service answers, from the status line on.
pub fn page(service: &str, path: &str) -> String {
    asked(service, "GET", path)
}

/// What a service says of a page without giving it.
pub fn head(service: &str, path: &str) -> String {
    asked(service, "HEAD", path)
}

fn asked(service: &str, method: &str, path: &str) -> String {
    let address = service.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// All that a service answers to whoever shows an API key.
pub fn page_for(service: &str, path: &str, key: &str) -> String {
    let address = service.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// What a service says as JSON.
pub fn get(service: &str, path: &str) -> Value {
    let answer = page(service, path);
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|_| panic!("GET {path}: {answer}"))
}
