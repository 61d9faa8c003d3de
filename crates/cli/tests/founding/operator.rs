//! One operator of the chain: a folder, the commands that are run there, and the processes that they start.

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// One operator's folder: home, key file, and a copy of the file that goes round.
pub struct Operator {
    pub folder: PathBuf,
    pub address: String,
}

impl Operator {
    pub fn new(root: &Path, name: &str) -> Self {
        let folder = root.join(name);
        fs::create_dir_all(&folder).unwrap();
        let address = Self::free_address();
        Self { folder, address }
    }

    /// Where nobody listens yet.
    pub fn free_address() -> String {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        free.to_string()
    }

    fn program(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cairn"));
        command
            .current_dir(&self.folder)
            .env_remove("RUST_LOG")
            .env("CAIRN_HOME", self.folder.join("home"))
            .arg("--json")
            .args(line.split_whitespace())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end: exit code and answer.
    pub fn answer(&self, line: &str) -> (i32, Value) {
        let said = self.program(line).output().unwrap();
        let json = serde_json::from_slice(&said.stdout);
        let text = String::from_utf8_lossy(&said.stderr);
        (
            said.status.code().unwrap(),
            json.unwrap_or_else(|_| panic!("cairn {line}: {text}")),
        )
    }

    pub fn done(&self, line: &str) -> Value {
        let (code, answer) = self.answer(line);
        assert_eq!(code, 0, "cairn {line}: {answer}");
        answer
    }

    /// A refusal has the code of its kind, and a hint.
    pub fn refused(&self, line: &str, code: i32) {
        let (found, answer) = self.answer(line);
        assert_eq!(found, code, "cairn {line}: {answer}");
        assert!(
            !answer["error"]["hint"].as_str().unwrap().is_empty(),
            "cairn {line}: {answer}"
        );
    }

    pub fn start(&self, line: &str) -> Process {
        let mut command = self.program(line);
        Process(command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap())
    }

    pub fn file(&self) -> PathBuf {
        self.folder.join("genesis.json")
    }
}

/// A process that does not outlive the test.
pub struct Process(Child);

impl Process {
    pub fn first_line(&mut self) -> Value {
        let mut line = String::new();
        BufReader::new(self.0.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("not ready: {line}"))
    }

    /// The answer of a command that ends by itself.
    pub fn end(mut self) -> Value {
        let mut text = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(self.0.wait().unwrap().success(), "{text}");
        serde_json::from_str(&text).unwrap()
    }

    pub fn terminate(mut self) {
        let line = format!("kill -TERM {}", self.0.id());
        assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
        assert_eq!(self.0.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
