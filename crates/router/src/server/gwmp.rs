//! A network server that speaks Semtech's protocol: the router is a packet forwarder to it, one for each radio.

use super::{FromServer, ToServer, Uplink};
use cairn_agent::gwmp::packet;
use cairn_agent::gwmp::wire::{DATAGRAM_BYTES_MAX, Datagram, Eui, Kind};
use serde_json::json;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// How often the way for downlinks is opened anew.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// A radio's own socket, as the server tells radios apart by it.
struct Radio {
    socket: Arc<UdpSocket>,
    reading: JoinHandle<()>,
}

impl Drop for Radio {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Brings packets to `host:port` until the channel ends.
pub async fn serve(
    server: usize,
    address: String,
    mut words: mpsc::Receiver<ToServer>,
    down: mpsc::Sender<FromServer>,
) {
    let mut radios: BTreeMap<u64, Radio> = BTreeMap::new();
    let mut alive = interval(KEEP_ALIVE);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut token: u16 = 0;
    loop {
        token = token.wrapping_add(1);
        let named = token.to_be_bytes();
        tokio::select! {
            word = words.recv() => match word {
                None => return,
                Some(ToServer::Online(eui)) => match open(server, eui, &address, &down).await {
                    Ok(radio) => {
                        pull(&radio, eui, named).await;
                        radios.insert(eui, radio);
                    }
                    Err(error) => tracing::warn!(address, %error, "the network server cannot be reached"),
                },
                Some(ToServer::Offline(eui)) => drop(radios.remove(&eui)),
                Some(ToServer::Uplink(uplink)) => {
                    if let Some(radio) = radios.get(&uplink.eui) {
                        let (eui, json) = (Eui(uplink.eui), rxpk(&uplink));
                        let kind = Kind::PushData { eui, json: &json };
                        send(radio, named, kind).await;
                    }
                }
                Some(ToServer::Told { token, error }) => {
                    let (place, theirs) = ((token >> 16) as u32, (token as u16).to_be_bytes());
                    let radio = radios.iter().find(|(eui, _)| **eui as u32 == place);
                    if let Some((eui, radio)) = radio {
                        let error = if error.is_empty() { "NONE".to_owned() } else { error };
                        let json = json!({ "txpk_ack": { "error": error } }).to_string();
                        let kind = Kind::TxAck { eui: Eui(*eui), json: json.as_bytes() };
                        send(radio, theirs, kind).await;
                    }
                }
            },
            _ = alive.tick() => {
                for (eui, radio) in &radios {
                    pull(radio, *eui, named).await;
                }
            }
        }
    }
}

async fn pull(radio: &Radio, eui: u64, token: [u8; 2]) {
    send(radio, token, Kind::PullData { eui: Eui(eui) }).await;
}

async fn send(radio: &Radio, token: [u8; 2], kind: Kind<'_>) {
    let version = 2;
    // Nobody there now: whoever listens again gets the next one.
    let _ = radio.socket.send(&Datagram { version, token, kind }.write()).await;
}

async fn open(server: usize, eui: u64, address: &str, down: &mpsc::Sender<FromServer>) -> io::Result<Radio> {
    let mut found = tokio::net::lookup_host(address).await?;
    let to = found
        .next()
        .ok_or_else(|| io::Error::other("the name has no address"))?;
    let any: SocketAddr = match to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = Arc::new(UdpSocket::bind(any).await?);
    // From then on the system lets only this server's datagrams in.
    socket.connect(to).await?;
    let reading = tokio::spawn(read(server, eui, Arc::clone(&socket), down.clone()));
    Ok(Radio { socket, reading })
}

async fn read(server: usize, eui: u64, socket: Arc<UdpSocket>, down: mpsc::Sender<FromServer>) {
    let mut bytes = vec![0; DATAGRAM_BYTES_MAX + 1];
    loop {
        let Ok(length) = socket.recv(&mut bytes).await else {
            continue;
        };
        let Some(Datagram { token, kind, .. }) = Datagram::read(&bytes[..length]) else {
            continue;
        };
        if let Kind::PullResp { json } = kind {
            let token = (eui & 0xffff_ffff) << 16 | u64::from(u16::from_be_bytes(token));
            let json = json.to_vec();
            let downlink = FromServer {
                server,
                eui,
                token,
                json,
            };
            if down.send(downlink).await.is_err() {
                return;
            }
        }
    }
}

/// A packet as a forwarder says it.
pub fn rxpk(uplink: &Uplink) -> Vec<u8> {
    let offer = &uplink.offer;
    let decimals = |tenths: i16| f64::from(tenths) / 10.0;
    json!({ "rxpk": [{
        "tmst": uplink.counter_us(), "chan": 0, "rfch": 0, "freq": f64::from(offer.frequency_hz) / 1e6, "stat": 1, "modu": "LORA",
        "datr": format!("SF{}BW{}", offer.spreading, offer.bandwidth_hz / 1_000), "codr": "4/5",
        "rssi": (decimals(offer.rssi_ddbm)).round() as i64, "lsnr": decimals(offer.snr_ddb), "size": uplink.frame.len(),
        "data": packet::encode(&uplink.frame),
    }] })
    .to_string()
    .into_bytes()
}
