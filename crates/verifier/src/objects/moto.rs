//! An S3 server for tests: moto's, in a process that ends with the test. Where there is no Python with it, the test says so and is
//! counted as skipped.

use super::S3;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// The bucket that is there.
pub const BUCKET: &str = "archive";

/// A server process that ends with the test.
pub struct Server {
    process: Child,
    pub place: S3,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A server with an empty bucket, on a free port told by the server itself. `None`, and said so: there is no Python with moto.
pub fn start(test: &str) -> Option<Server> {
    let Ok(python) = std::env::var("CAIRN_PYTHON") else {
        skip(test, "CAIRN_PYTHON names no Python with moto");
        return None;
    };
    let script = "import sys\n\
        from moto.server import ThreadedMotoServer\n\
        server = ThreadedMotoServer(ip_address='127.0.0.1', port=0)\n\
        server.start()\n\
        print('listening', server.get_host_and_port()[1], flush=True)\n\
        sys.stdin.read()\n";
    let mut command = Command::new(python);
    command
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut process = command.spawn().unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let port = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("listening ").map(str::to_owned));
    let address = format!("127.0.0.1:{}", port.expect("moto says its port"));
    let place = S3 {
        endpoint: Some(format!("http://{address}")),
        bucket: BUCKET.to_owned(),
        region: "us-east-1".to_owned(),
    };
    let server = Server { process, place };
    let mut stream = TcpStream::connect(&address).unwrap();
    write!(
        stream,
        "PUT /{BUCKET} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let answer = BufReader::new(stream).lines().next().unwrap().unwrap();
    assert!(answer.contains("200"), "{answer}");
    Some(server)
}

fn skip(test: &str, why: &str) {
    let line = format!("SKIPPED: {test}: {why}");
    println!("{line}");
    if let Some(path) = std::env::var_os("CAIRN_SKIP_LOG") {
        let mut log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        writeln!(log, "{line}").unwrap();
    }
}
