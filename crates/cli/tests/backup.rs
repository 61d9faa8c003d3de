//! Backup and restore as docs/operate/README.md tells it, with the real program: stop, copy, start; then the machine is lost, and what was
//! copied goes on elsewhere, with every account, every receipt and every sealed epoch.
#![allow(clippy::unwrap_used, reason = "all of it is a test")]

mod stand;

use stand::*;
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Epochs in which a reading may fail to be paid, on a machine that is busy.
const ROUNDS_MAX: usize = 30;

/// With owner, modes and times, as `cp -a` does.
fn copy(from: &Path, to: &Path) {
    assert!(
        Command::new("cp")
            .arg("-a")
            .args([from, to])
            .status()
            .unwrap()
            .success()
    );
}

/// Says it rains until that is paid; answers what the account has then.
fn paid(home: &Path, up: &Running, agent: &Running, above: u64) -> u64 {
    for _ in 0..ROUNDS_MAX {
        let sent = cairn(home, "account transfer me --stable 0.000001 --key founder").done();
        let time = sent["time"].as_str().unwrap();
        // One that comes when its epoch is over is refused; the next round has another.
        tell(&agent.url("http"), "gauge", &format!("{time} rain=0.1"));
        until_event(&up.url("node"), "epoch_settled");
        let token = number(&cairn(home, "account show").done()["token"]);
        if token > above {
            return token;
        }
    }
    panic!("no reading was paid in {ROUNDS_MAX} epochs");
}

/// The first of three free ports in a row: an agent keeps the address of its verifier.
fn ports() -> u16 {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let mut firsts = (20_000..60_000).step_by(3).skip(std::process::id() as usize % 10_000);
    firsts.find(|first| (*first..first + 3).all(free)).unwrap()
}

/// The epochs that are complete in the archive.
fn sealed(home: &Path) -> Vec<String> {
    let network = fs::read_dir(home.join("archive")).unwrap().next().unwrap().unwrap();
    let epochs = fs::read_dir(network.path()).unwrap().map(|epoch| epoch.unwrap());
    let mut sealed: Vec<String> = epochs
        .filter(|epoch| epoch.path().join("manifest.cbor").exists())
        .map(|epoch| epoch.file_name().into_string().unwrap())
        .collect();
    sealed.sort_unstable();
    sealed
}

#[test]
fn what_was_copied_goes_on_elsewhere() {
    let place = Place::new();
    let home = place.home.as_path();
    let run = format!("up --port {}", ports());
    let up = Running::start(home, &format!("{run} --epoch-seconds 2"));
    for line in [
        "key new",
        "account open",
        "device register gauge --lat 52.37 --lng 4.9",
        "agent init --network sensors --http 0 --mqtt 0",
    ] {
        cairn(home, line).done();
    }
    let agent = Running::start(home, "agent run");
    let earned = paid(home, &up, &agent, 12_500_000);
    agent.end();

    // Stop, copy, start.
    up.end();
    let backup = home.parent().unwrap().join("backup");
    copy(home, &backup);
    let up = Running::start(home, &run);
    let before = cairn(home, "account show").done();
    assert!(number(&before["token"]) >= earned);
    let account = before["account"].clone();
    up.end();
    let kept = sealed(&backup);
    assert!(!kept.is_empty());

    // The machine is lost. Elsewhere: what was copied, with its owner and modes.
    fs::remove_dir_all(home).unwrap();
    let elsewhere = home.parent().unwrap().join("elsewhere");
    copy(&backup, &elsewhere);
    let keys = elsewhere.join("account.keys");
    fs::set_permissions(&keys, Permissions::from_mode(0o644)).unwrap();
    assert_eq!(cairn(&elsewhere, &run).refused(7), "files", "modes are part of it");
    fs::set_permissions(&keys, Permissions::from_mode(0o600)).unwrap();

    let up = Running::start(&elsewhere, &run);
    let back = cairn(&elsewhere, "account show").done();
    assert_eq!(back["account"], account);
    assert!(number(&back["token"]) >= earned);
    // The agent's configuration names its folder, which is another one now: it makes no new keys of its own accord.
    assert_eq!(cairn(&elsewhere, "agent run").refused(7), "files");
    assert!(!home.exists(), "nothing was made where the folder was");
    cairn(&elsewhere, "agent init --network sensors --http 0 --mqtt 0 --force").done();
    let agent = Running::start(&elsewhere, "agent run");
    paid(&elsewhere, &up, &agent, number(&back["token"]));
    agent.end();
    assert!(
        sealed(&elsewhere).starts_with(&kept),
        "sealed epochs are there as they were"
    );
    for epoch in &kept {
        let epoch: u64 = epoch.parse().unwrap();
        let archive = elsewhere.join("archive");
        cairn_with(&elsewhere, &format!("audit --epoch {epoch} --archive"), &[&archive]).done();
    }
    up.end();
}
