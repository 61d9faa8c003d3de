//! What carrying costs: packets from a forwarder's socket through agent and router to a network server's socket, with offers, signatures,
//! vouchers and both disks, beside a bare relay of the same datagrams. `cargo run -p cairn-router --example carried`; with two numbers, so many a
//! second and so many in all, at that pace alone, whatever becomes of those before, and where the rest was lost.

#[path = "../tests/carry/stand.rs"]
mod stand;

use cairn_agent::disk::FolderDisk;
use cairn_agent::gwmp::packet::encode;
use cairn_agent::gwmp::wire::{Datagram, Kind};
use cairn_router::server::gwmp;
use cairn_verticals::wireless::driver::frame::base64;
use stand::{ANY, EUI, Hotspot};
use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Packets at a pace a busy hotspot never reaches, for the latency; and as fast as they are taken, for the throughput.
const PACED: u32 = 2_000;
const PACE: Duration = Duration::from_millis(5);
const FAST: u32 = 20_000;
const UNDER_WAY_MAX: usize = 64;
const METHOD: &str = "Frames of 24 bytes from a packet forwarder's socket through agent and router to a network server's socket, with offer, \
    signature of the device, check of it, vouchers and both disks, beside a bare relay of the same datagrams; all in one process, where \
    the radio and the server take their part too.";
/// What the customer may owe the device: ten thousand packets, some seconds' worth even where a disk takes long to sync a voucher.
const EXPOSURE: u64 = 100_000;

/// A PUSH_DATA with one frame of 24 bytes that carries its number.
fn push(number: u32) -> Vec<u8> {
    let frame = [&[0x40, 7, 0, 1, 0x26, 0, 0, 0, 1][..], &number.to_be_bytes(), &[9; 11]].concat();
    let json = format!(
        r#"{{"rxpk":[{{"tmst":{number},"freq":868.1,"stat":1,"modu":"LORA","datr":"SF7BW125","codr":"4/5","rssi":-90,"lsnr":5,"size":24,"data":"{}"}}]}}"#,
        encode(&frame)
    );
    let kind = Kind::PushData {
        eui: EUI,
        json: json.as_bytes(),
    };
    let (version, token) = (2, [0, 0]);
    Datagram { version, token, kind }.write()
}

fn number(datagram: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(datagram.get(12..)?).ok()?;
    let data = text.split_once("\"data\":\"")?.1.split_once('"')?.0;
    Some(u32::from_be_bytes(base64(data)?.get(9..13)?.try_into().ok()?))
}

/// Sends packets to `to` and waits for them at `server`: sorted times from end to end, and packets a second.
async fn measure(
    to: SocketAddr,
    server: &UdpSocket,
    first: u32,
    count: u32,
    pace: Option<Duration>,
    under_way_max: usize,
) -> (Vec<Duration>, f64) {
    let Ok(radio) = UdpSocket::bind(ANY).await else {
        return (Vec::new(), 0.0);
    };
    let begun = Instant::now();
    let mut sent: BTreeMap<u32, Instant> = BTreeMap::new();
    let mut times = Vec::new();
    let (mut next, mut bytes) = (first, [0; 4_096]);
    let mut due = tokio::time::interval(pace.unwrap_or(Duration::from_micros(20)));
    while times.len() < count as usize {
        let may = next < first + count && sent.len() < under_way_max;
        tokio::select! {
            _ = due.tick(), if may => {
                sent.insert(next, Instant::now());
                if radio.send_to(&push(next), to).await.is_err() {
                    return (times, 0.0);
                }
                next += 1;
            }
            // Datagrams may be lost, and packets cut off: what is left is not waited for.
            received = timeout(Duration::from_secs(3), server.recv(&mut bytes)) => {
                let Ok(received) = received else { break };
                let Ok(length) = received else { continue };
                if let Some(at) = number(&bytes[..length]).and_then(|number| sent.remove(&number)) {
                    times.push(at.elapsed());
                }
            }
        }
    }
    times.sort_unstable();
    let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
    (times, rate)
}

/// Time of processors that this process took so far, in seconds; of user and of system, by ticks of ten milliseconds.
fn spent() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn say(what: &str, times: &[Duration], rate: f64, before: f64) {
    let at = |part: usize| {
        times
            .get(times.len() * part / 100)
            .or(times.last())
            .copied()
            .unwrap_or_default()
    };
    println!(
        "| {what} | {} | {rate:.0} | {:.0} | {:.2} | {:.2} |",
        times.len(),
        (spent() - before) * 1e6 / times.len().max(1) as f64,
        at(50).as_secs_f64() * 1e3,
        at(99).as_secs_f64() * 1e3
    );
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let said: Vec<u32> = std::env::args().skip(1).filter_map(|said| said.parse().ok()).collect();
    let only = match said[..] {
        [rate, count] => Some((Duration::from_secs(1) / rate.max(1), count)),
        _ => None,
    };
    println!(
        "## Packets carried\n\n{METHOD}\n\n| | packets | a second | core µs each | median, ms | p99, ms |\n|---|---|---|---|---|---|"
    );
    let server = UdpSocket::bind(ANY).await?;
    let address = server.local_addr()?;
    let relay = UdpSocket::bind(ANY).await?;
    let relayed = relay.local_addr()?;
    tokio::spawn(async move {
        let mut bytes = [0; 4_096];
        while let Ok(length) = relay.recv(&mut bytes).await {
            // A lost datagram is a lost datagram.
            let _ = relay.send_to(&bytes[..length], address).await;
        }
    });
    let before = spent();
    if let Some((pace, count)) = only {
        let (times, rate) = measure(relayed, &server, 0, count, Some(pace), usize::MAX).await;
        say("bare relay", &times, rate, before);
    } else {
        let (times, rate) = measure(relayed, &server, 0, PACED, Some(PACE), UNDER_WAY_MAX).await;
        say("bare relay, one packet each 5 ms", &times, rate, before);
        let before = spent();
        let (times, rate) = measure(relayed, &server, PACED, FAST, None, UNDER_WAY_MAX).await;
        say("bare relay, 64 under way", &times, rate, before);
    }

    let folder = tempfile::tempdir()?;
    let (words, to_server) = mpsc::channel(1_024);
    let (down, from_servers) = mpsc::channel(64);
    tokio::spawn(gwmp::serve(0, address.to_string(), to_server, down));
    let file = folder.path().join("router.order");
    let (router, claim) = stand::router(EXPOSURE, 0, file, (vec![words], from_servers)).await?;
    let disk = |name: &str| FolderDisk::open(&folder.path().join(name));
    let hotspot = Hotspot::start(claim, Box::new(disk("outbox")?), Box::new(disk("journal")?)).await?;
    hotspot.connected().await;
    let (port, lines) = (hotspot.port, &hotspot.lines);
    let before = spent();
    if let Some((pace, count)) = only {
        let (times, rate) = measure(port, &server, 0, count, Some(pace), usize::MAX).await;
        say("agent and router, the same", &times, rate, before);
    } else {
        let (times, rate) = measure(port, &server, 0, PACED, Some(PACE), UNDER_WAY_MAX).await;
        say("agent and router, the same", &times, rate, before);
        let before = spent();
        let (times, rate) = measure(port, &server, PACED, FAST, None, UNDER_WAY_MAX).await;
        say("agent and router, 64 under way", &times, rate, before);
    }
    let line = lines.status().into_iter().next().unwrap_or_default();
    println!(
        "\nCarried {} of {} offered, not carried {:?}, promised {} credits, shown to a gateway {} times",
        line.carried,
        line.offered,
        line.refused,
        line.promised_credits,
        hotspot.shown.lock().map_or(0, |shown| shown.len())
    );
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or("memory unknown");
    println!("Agent, router, radio and server in one process took at most: {memory}.");
    hotspot.shell.stop().await?;
    router.stop().await;
    Ok(())
}
