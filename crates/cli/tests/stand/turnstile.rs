//! Stands before a service and lets every request through, until one whose first line begins as told: that one is held, before the
//! service hears of it or after it has answered, so that whoever sent it can be killed at exactly that moment.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    Before,
    After,
}

pub struct Turnstile {
    pub url: String,
    held: Receiver<()>,
}

impl Turnstile {
    pub fn before(service: &str, line: &'static str, hold: Hold) -> Self {
        let service = service.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tell, held) = channel();
        // Ends with the test's process: nothing waits for it.
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (service, tell) = (service.clone(), tell.clone());
                std::thread::spawn(move || pass(client, &service, line, hold, &tell));
            }
        });
        Self { url, held }
    }

    /// Runs a command until its request is held, and kills it there.
    pub fn kill_at(&self, command: &mut Command) {
        let mut process = command.spawn().unwrap();
        self.held.recv().unwrap();
        process.kill().unwrap();
        assert_eq!(process.wait().unwrap().code(), None, "it was still running");
    }
}

/// One request and its answer; then the connection ends.
fn pass(mut client: TcpStream, service: &str, line: &str, hold: Hold, tell: &Sender<()>) -> Option<()> {
    let request = request(&mut client)?;
    let held = request.starts_with(line.as_bytes());
    if !(held && hold == Hold::Before) {
        let mut stream = TcpStream::connect(service).ok()?;
        stream.write_all(&request).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        if !held {
            return client.write_all(&answer).ok();
        }
    }
    tell.send(()).ok()?;
    // Until whoever waits for the answer is gone.
    client.read(&mut [0]).ok().map(drop)
}

/// A whole request, which asks for its connection to be closed.
fn request(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let head = loop {
        let mut chunk = [0; 4096];
        let read = client.read(&mut chunk).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
    let mut body = bytes.split_off(head);
    while body.len() < length {
        let mut chunk = [0; 4096];
        let read = client.read(&mut chunk).ok().filter(|read| *read > 0)?;
        body.extend_from_slice(&chunk[..read]);
    }
    bytes.truncate(head - 2);
    bytes.extend_from_slice(b"connection: close\r\n\r\n");
    bytes.extend(body);
    Some(bytes)
}
