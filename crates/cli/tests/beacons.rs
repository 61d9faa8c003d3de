//! Coverage of real hotspots, with real processes: four agents, each with a packet forwarder, and an air between them in which what one
//! is asked to send the others hear. Chain and verifier judge what they report; nothing in between is made up for them.
#![allow(clippy::unwrap_used, reason = "all of it is a test")]

mod stand;

use cairn_types::{EpochClock, EpochNumber, TimeMs};
use serde_json::{Value, json};
use stand::*;
use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const EPOCH_MS: u64 = 8_000;
/// Two whose radios send, one whose radio cannot, one that only says so.
const NAMES: [&str; 4] = ["one", "two", "mute", "liar"];
const MUTE: usize = 2;
const LIAR: usize = 3;

/// The air between four forwarders.
struct Air {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Air {
    fn between(agents: &[Running]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let radios: Vec<UdpSocket> = agents
            .iter()
            .map(|agent| {
                let radio = UdpSocket::bind("127.0.0.1:0").unwrap();
                radio.connect(agent.url("gwmp")).unwrap();
                radio.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
                radio
            })
            .collect();
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut kept_alive, mut sent) = (None::<Instant>, 0u32);
            while !stopped.load(Ordering::Relaxed) {
                if kept_alive.is_none_or(|last| last.elapsed() > Duration::from_secs(2)) {
                    kept_alive = Some(Instant::now());
                    for (at, radio) in radios.iter().enumerate() {
                        let _ = radio.send(&datagram([0, 0], 2, Some(at), b""));
                    }
                }
                for at in 0..radios.len() {
                    let mut bytes = [0; 4_096];
                    let Ok(length) = radios[at].recv(&mut bytes) else {
                        continue;
                    };
                    // Only PULL_RESP asks for anything.
                    if length > 4 && bytes[3] == 3 {
                        sent += 1;
                        transmit(&radios, at, &bytes[..length], sent);
                    }
                }
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Air {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn datagram(token: [u8; 2], kind: u8, eui: Option<usize>, json: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2, token[0], token[1], kind];
    bytes.extend(
        eui.iter()
            .flat_map(|eui| (0x00aa_0000_0000_0000 + *eui as u64).to_be_bytes()),
    );
    bytes.extend_from_slice(json);
    bytes
}

/// What one sends the others hear, each as strong as its antenna and the moment let it.
fn transmit(radios: &[UdpSocket], from: usize, asked: &[u8], nth: u32) {
    let txpk = serde_json::from_slice::<Value>(&asked[4..]).unwrap()["txpk"].clone();
    let error = if from == MUTE { "TX_FREQ" } else { "NONE" };
    let ack = json!({ "txpk_ack": { "error": error } }).to_string();
    radios[from]
        .send(&datagram([asked[1], asked[2]], 5, Some(from), ack.as_bytes()))
        .unwrap();
    if from == MUTE {
        return;
    }
    for (at, radio) in radios.iter().enumerate().filter(|(at, _)| *at != from) {
        let fading = (nth * 37 + at as u32 * 61 + nth * nth * (at as u32 + 3) * 17) % 19;
        let rxpk = json!({
            "tmst": nth, "freq": txpk["freq"], "stat": 1, "modu": "LORA", "datr": txpk["datr"], "codr": "4/5",
            "rssi": -100 - fading as i64, "lsnr": 6 - (fading * 7 % 11) as i64, "size": txpk["size"], "data": txpk["data"],
        });
        let push = json!({ "rxpk": [rxpk] }).to_string();
        radio
            .send(&datagram([nth as u8, at as u8], 0, Some(at), push.as_bytes()))
            .unwrap();
    }
}

/// A network whose beacons may be off by little, so that an epoch of seconds has room for the wrong moment.
fn network(home: &Path) {
    cairn(home, "network create --name first --vertical wireless --key founder").done();
    let shown = cairn(home, "network show first").done();
    let mut params = shown["parameters"].clone();
    assert_eq!(params[2], 10_000, "beacon_off_ms is the third: {params}");
    params[2] = json!(1_500);
    let file = home.join("params.json");
    std::fs::write(&file, params.to_string()).unwrap();
    let line = "network create --name radio --vertical wireless --key founder --params";
    cairn_with(home, line, &[&file]).done();
}

/// An agent of its own for each hotspot, with a folder and a configuration of its own.
fn configured(home: &Path, at: usize) -> PathBuf {
    let (name, out) = (NAMES[at], home.join(format!("{}.toml", NAMES[at])));
    let line =
        format!("agent init --network radio --http 0 --mqtt 0 --gwmp 0 --forwarder {name}=00aa0000000000{at:02} --out");
    cairn_with(home, &line, &[&out]).done();
    let folder = home.join(format!("agent-{name}"));
    std::fs::create_dir_all(&folder).unwrap();
    copy(&home.join("agent/keys"), &folder.join("keys"));
    let own = |line: &str| match line.split_once(" = ") {
        Some(("data", _)) => format!("data = {:?}", folder.display().to_string()),
        Some(("devices", _)) => format!("devices = [\"{name}\"]"),
        Some(("region", region)) => format!("region = {region}\nbeacons = {}", at != LIAR),
        _ => line.to_owned(),
    };
    let text = std::fs::read_to_string(&out).unwrap();
    let text: Vec<String> = text.lines().map(own).collect();
    std::fs::write(&out, text.join("\n")).unwrap();
    out
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        std::fs::copy(from, to).unwrap();
        return;
    }
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

/// How a hotspot's beacon stands.
fn beacon(agent: &Running) -> Value {
    get(&agent.url("http"), "/v1/forwarders")["beacons"][0].clone()
}

/// The verdicts on what a device said in an epoch, once it is settled: quantity and reason, and its units.
fn explained(home: &Path, name: &str, epoch: u64) -> Option<(BTreeSet<(String, String)>, u64)> {
    let answer = cairn(home, &format!("explain {name} --epoch {epoch}"));
    if answer.code == 3 {
        return None;
    }
    let answer = answer.done();
    let reports = answer["reports"].as_array().unwrap();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let spans = reports.iter().flat_map(|report| report["spans"].as_array().unwrap());
    let verdicts = spans.map(|span| (word(&span["quantity"]), word(&span["reason"])));
    let units = reports.iter().map(|report| number(&report["micro_units"])).sum();
    Some((verdicts.collect(), units))
}

#[test]
fn hotspots_beacon_when_the_seed_asks_and_are_paid_for_what_others_hear() {
    let place = Place::new();
    let home = place.home.as_path();
    let up = Running::start(home, &format!("up --port 0 --epoch-seconds {}", EPOCH_MS / 1_000));
    network(home);
    for (at, name) in NAMES.into_iter().enumerate() {
        cairn(home, &format!("key new owner-{name}")).done();
        cairn(home, &format!("account open --key owner-{name} --sponsor radio")).done();
        let lng = 5.70 + 0.03 * at as f64;
        let line = format!("device register {name} --lat 45.19 --lng {lng} --network radio --key owner-{name}");
        cairn(home, &line).done();
    }
    let configs: Vec<PathBuf> = (0..NAMES.len()).map(|at| configured(home, at)).collect();
    let text = std::fs::read_to_string(&configs[0]).unwrap();
    let genesis = text
        .lines()
        .find_map(|line| line.strip_prefix("genesis = \"20"))
        .unwrap();
    let genesis: TimeMs = format!("20{}", genesis.trim_end_matches('"')).parse().unwrap();
    let clock = EpochClock {
        genesis,
        epoch_ms: EPOCH_MS,
    };
    let agents: Vec<Running> = configs
        .iter()
        .map(|config| Running::start(home, &format!("agent run --config {}", config.display())))
        .collect();
    let air = Air::between(&agents);

    // One epoch in which all of them did what they do; a machine that is busy may need a few.
    let (mut lied, mut whole) = (BTreeSet::new(), BTreeSet::new());
    let (one, two) = loop {
        let (one, two, mute) = (beacon(&agents[0]), beacon(&agents[1]), beacon(&agents[MUTE]));
        let epoch = one["epoch"].as_u64().unwrap_or_default();
        if one["state"] == "waiting" && lied.insert(epoch) {
            let time = clock.start(EpochNumber(epoch)).plus_ms(500);
            let lie = json!({ "beacon": { "time": time.0, "nonce": 1, "freq": 868.1, "datr": "SF9BW125", "power": 14 },
                "station": { "region": "EU868" } });
            assert!(tell(&agents[LIAR].url("http"), "liar", &lie.to_string()).contains("200"));
        }
        let is = |beacon: &Value, state: &str| beacon["state"] == state && beacon["epoch"] == epoch;
        if lied.contains(&epoch) && is(&one, "sent") && is(&two, "sent") && is(&mute, "failed") {
            assert_eq!(mute["why"], "TX_FREQ", "{mute}");
            whole.insert(epoch);
        }
        let Some(epoch) = whole.first().copied() else { continue };
        let (Some(one), Some(two)) = (explained(home, "one", epoch), explained(home, "two", epoch)) else {
            until_event(&up.url("node"), "epoch_settled");
            continue;
        };
        let (mute, liar) = (
            explained(home, "mute", epoch).unwrap(),
            explained(home, "liar", epoch).unwrap(),
        );
        let has = |verdicts: &BTreeSet<(String, String)>, quantity: &str, reason: &str| {
            verdicts.contains(&(quantity.to_owned(), reason.to_owned()))
        };
        assert!(!mute.0.iter().any(|(quantity, _)| quantity == "beacon"), "{mute:?}");
        assert!(has(&mute.0, "heard", "") && mute.1 > 0, "it earns by hearing: {mute:?}");
        assert!(has(&liar.0, "beacon", "off_schedule"), "{liar:?}");
        for sender in [&one, &two] {
            assert!(
                has(&sender.0, "beacon", "") && has(&sender.0, "heard", ""),
                "{sender:?}"
            );
            // Who only hears has half at most of what who sends and hears has.
            assert!(sender.1 > mute.1, "{sender:?} {mute:?}");
        }
        break (one, two);
    };
    assert!(one.1 > 0 && two.1 > 0);
    let stand = beacon(&agents[MUTE]);
    assert!(number(&stand["heard"]) > 0 && number(&stand["sent"]) == 0, "{stand}");

    drop(air);
    for agent in agents {
        agent.end();
    }
    up.end();
}
