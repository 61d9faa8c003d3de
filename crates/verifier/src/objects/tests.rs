//! The same behaviour of all stores: memory, a folder, and a real S3 server where there is one.

use super::*;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

fn behaves(objects: &dyn Objects) {
    assert_eq!(objects.get("n/0000000001/a").unwrap(), None);
    assert_eq!(objects.list("n").unwrap(), Vec::<String>::new());
    objects.put("n/0000000001/a", b"one").unwrap();
    objects.put("n/0000000001/b", &vec![7; 100_000]).unwrap();
    objects.put("n/0000000002/a", b"").unwrap();
    objects.put("n/0000000001/a", b"two").unwrap();
    assert_eq!(objects.get("n/0000000001/a").unwrap().as_deref(), Some(&b"two"[..]));
    assert_eq!(
        objects.get("n/0000000001/b").unwrap().map(|bytes| bytes.len()),
        Some(100_000)
    );
    assert_eq!(objects.get("n/0000000002/a").unwrap(), Some(Vec::new()));
    assert_eq!(objects.list("n").unwrap(), ["0000000001", "0000000002"]);
    assert_eq!(objects.list("n/0000000001").unwrap(), ["a", "b"]);
}

#[test]
fn memory_and_a_folder_behave_alike() {
    behaves(&Memory::default());
    let folder = tempfile::tempdir().unwrap();
    behaves(&Remote::folder(folder.path()).unwrap());
}

#[tokio::test]
async fn a_store_may_be_used_and_dropped_inside_async_code() {
    let folder = tempfile::tempdir().unwrap();
    behaves(&Remote::folder(folder.path()).unwrap());
}

/// A server process that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Moto's S3 server on a free port, told by the server itself.
fn s3_server(python: &str) -> (Server, String) {
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
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let port = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("listening ").map(str::to_owned));
    let port = port.expect("moto says its port");
    (Server(child), format!("127.0.0.1:{port}"))
}

fn skip(why: &str) {
    let line = format!("SKIPPED: archive on an S3 server: {why}");
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

#[test]
fn an_s3_server_behaves_like_a_folder() {
    let Ok(python) = std::env::var("CAIRN_PYTHON") else {
        return skip("CAIRN_PYTHON names no Python with moto");
    };
    let (_server, address) = s3_server(&python);
    let mut stream = TcpStream::connect(&address).unwrap();
    write!(
        stream,
        "PUT /archive HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let answer = BufReader::new(stream).lines().next().unwrap().unwrap();
    assert!(answer.contains("200"), "{answer}");
    let place = S3 {
        endpoint: Some(format!("http://{address}")),
        bucket: "archive".to_owned(),
        region: "us-east-1".to_owned(),
    };
    behaves(&Remote::s3_with_keys(&place, "test", "test").unwrap());
    let nowhere = S3 {
        bucket: "elsewhere".to_owned(),
        ..place
    };
    assert!(
        Remote::s3_with_keys(&nowhere, "test", "test")
            .unwrap()
            .put("a", b"b")
            .is_err()
    );
}
