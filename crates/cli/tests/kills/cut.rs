//! Four validators in two network namespaces, two in each, and the line between them cut for a while: nothing becomes final on either side,
//! and afterwards all go on with one history. Only where a machine lets a process have a network of its own.

use super::fleet::{LOOK_EVERY, ask, same_block};
use super::stand::program;
use super::watch::height;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(180);
/// Blocks that may still arrive after the cut: what was under way.
const UNDER_WAY_MAX: u64 = 2;

/// One side of the line.
struct Half {
    /// Lives in the namespace, so that there is one.
    holder: Child,
    name: char,
}

/// A process that does not outlive this.
struct Node {
    process: Child,
    url: String,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn done(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn ip(line: &str) {
    done(Command::new("ip").args(line.split_whitespace()));
}

impl Half {
    fn new(name: char) -> Self {
        let holder = Command::new("unshare")
            .args(["--net", "cat"])
            .stdin(Stdio::piped())
            .spawn();
        Self {
            holder: holder.unwrap(),
            name,
        }
    }

    fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", &self.holder.id().to_string(), program]);
        command
    }

    fn ip(&self, line: &str) {
        done(self.inside("ip").args(line.split_whitespace()));
    }

    /// Whether the holder has its own namespace by now.
    fn is_apart(&self) -> bool {
        let space = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net")).ok();
        space(&self.holder.id().to_string()).is_some_and(|own| Some(own) != space("self"))
    }

    /// A line to this test, by which questions go.
    fn asked_by(&self, net: u8) {
        let (name, pid) = (self.name, self.holder.id());
        ip(&format!("link add ask{name} type veth peer name answer netns {pid}"));
        ip(&format!("addr add 10.{net}.0.1/24 dev ask{name}"));
        ip(&format!("link set ask{name} up"));
        self.ip(&format!("addr add 10.{net}.0.2/24 dev answer"));
        self.ip("link set answer up");
        self.ip("link set lo up");
    }
}

/// Runs it all; says how it went.
pub fn run(pause: Duration) -> String {
    let halves = [Half::new('a'), Half::new('b')];
    let (_speak, silence) = channel::<()>();
    let until = |what: &str, seen: &mut dyn FnMut() -> bool| {
        let begun = Instant::now();
        while !seen() {
            assert!(begun.elapsed() < PATIENCE, "{what}");
            let _ = silence.recv_timeout(LOOK_EVERY);
        }
        begun.elapsed()
    };
    until("a namespace", &mut || halves.iter().all(Half::is_apart));
    let [one, other] = &halves;
    ip(&format!(
        "link add first type veth peer name line netns {}",
        other.holder.id()
    ));
    ip(&format!("link set first netns {}", one.holder.id()));
    one.ip("link set first name line");
    for (half, place, net) in [(one, 1, 78), (other, 2, 79)] {
        half.ip(&format!("addr add 10.77.0.{place}/24 dev line"));
        half.ip("link set line up");
        half.asked_by(net);
    }

    let folder = tempfile::tempdir().unwrap();
    let places: Vec<(PathBuf, &Half, String, String)> = (0..4_u16)
        .map(|at| {
            let (half, place, net) = if at < 2 { (one, 1, 78) } else { (other, 2, 79) };
            let peers = format!("10.77.0.{place}:{}", 9_000 + at);
            let api = format!("10.{net}.0.2:{}", 8_640 + at);
            (folder.path().join(at.to_string()), half, peers, api)
        })
        .collect();
    found(&places);
    let nodes: Vec<Node> = places
        .iter()
        .map(|(own, half, _, api)| Node {
            process: spawn(own, half, &format!("node run --listen {api}"), Stdio::null()),
            url: format!("http://{api}"),
        })
        .collect();
    let heights = || nodes.iter().map(|node| height(&node.url)).collect::<Vec<_>>();
    let all_at = |least: u64| {
        heights()
            .iter()
            .all(|height| height.is_some_and(|height| height >= least))
    };
    until("no blocks", &mut || all_at(3));

    one.ip("link set line down");
    let before = heights().into_iter().flatten().max().unwrap();
    let _ = silence.recv_timeout(pause);
    let after = heights().into_iter().flatten().max().unwrap();
    assert!(
        after <= before + UNDER_WAY_MAX,
        "half of the validators made blocks: {before}, {after}"
    );
    one.ip("link set line up");
    let first = until("no block after the line was mended", &mut || {
        heights().into_iter().flatten().max() > Some(after)
    });
    let all = until("some do not follow after the line was mended", &mut || {
        all_at(after + 1)
    });
    let urls: Vec<String> = nodes.iter().map(|node| node.url.clone()).collect();
    for height in [1, before, after + 1] {
        same_block(&urls, height);
    }
    assert!(ask(&urls[0], "/v1/status").is_some());
    format!(
        "two and two for {} s: {} blocks meanwhile; the first {} ms after the line was mended, at all {} ms later; one history",
        pause.as_secs(),
        after - before,
        first.as_millis(),
        all.as_millis()
    )
}

fn spawn(own: &Path, half: &Half, line: &str, out: Stdio) -> Child {
    let cairn = program(own).get_program().to_owned();
    half.inside(cairn.to_str().unwrap())
        .arg("--json")
        .args(line.split_whitespace())
        .current_dir(own)
        .env("CAIRN_HOME", own.join("home"))
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The ceremony, over the line.
fn found(places: &[(PathBuf, &Half, String, String)]) {
    let cairn = |own: &Path, line: &str| {
        std::fs::create_dir_all(own).unwrap();
        done(
            program(&own.join("home"))
                .arg("--json")
                .args(line.split_whitespace())
                .current_dir(own),
        );
    };
    let first = &places[0].0;
    cairn(first, "genesis new --chain cairn-cut --validators 4 --epoch-seconds 60");
    let draft = std::fs::read(first.join("genesis.json")).unwrap();
    for (own, _, peers, _) in places {
        std::fs::create_dir_all(own).unwrap();
        if own != first {
            std::fs::write(own.join("genesis.json"), &draft).unwrap();
        }
        cairn(own, &format!("genesis join --address {peers}"));
    }
    let others: Vec<String> = places[1..]
        .iter()
        .map(|(own, ..)| own.join("genesis.json").display().to_string())
        .collect();
    cairn(first, &format!("genesis merge {}", others.join(" ")));
    for (own, ..) in &places[1..] {
        std::fs::copy(first.join("genesis.json"), own.join("genesis.json")).unwrap();
    }
    let signing: Vec<Child> = places
        .iter()
        .map(|(own, half, ..)| spawn(own, half, "genesis sign", Stdio::null()))
        .collect();
    for mut child in signing {
        assert!(child.wait().unwrap().success(), "the ceremony");
    }
}
