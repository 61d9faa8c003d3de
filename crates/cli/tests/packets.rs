//! A packet from a radio to a customer's network server, and its price back, with real processes: chain, gateway, agent, router.
#![allow(clippy::unwrap_used, reason = "all of it is a test")]

mod stand;

use serde_json::Value;
use stand::*;
use std::net::UdpSocket;
use std::time::Duration;

/// A PUSH_DATA with one frame of 20 bytes from 26011f07.
fn push(counter: u8) -> Vec<u8> {
    let frame = [&[0x40, 0x07, 0x1f, 0x01, 0x26, 0x80, counter, 0, 1][..], &[counter; 11]].concat();
    let data = cairn_agent::gwmp::packet::encode(&frame);
    let json = format!(
        r#"{{"rxpk":[{{"tmst":{counter},"freq":868.1,"stat":1,"modu":"LORA","datr":"SF7BW125","codr":"4/5","rssi":-90,"lsnr":5,"size":20,"data":"{data}"}}]}}"#
    );
    [
        &[2, 0, counter, 0, 0, 0x80, 0, 0, 0xa0, 0, 0x0a, 0x5c][..],
        json.as_bytes(),
    ]
    .concat()
}

#[test]
fn a_customer_buys_packets_and_the_hotspots_owner_is_promised_their_price() {
    let place = Place::new();
    let home = place.home.as_path();
    let up = Running::start(home, "up --port 0 --epoch-seconds 2");
    cairn(home, "key new").done();
    cairn(home, "account open").done();
    cairn(home, "account transfer me --token 3 --key founder").done();
    cairn(home, "account transfer me --stable 2 --key founder").done();
    cairn(home, "network create --name radio --vertical wireless --key founder").done();
    cairn(home, "device register hotspot --lat 45.19 --lng 5.72 --network radio").done();
    let forwarder = "--forwarder hotspot=00800000a0000a5c --http 0 --mqtt 0 --gwmp 0";
    cairn(home, &format!("agent init --network radio {forwarder}")).done();
    let agent = Running::start(home, "agent run");

    cairn(home, "credits buy --stable 1").done();
    let before = number(&cairn(home, "account show").done()["credits"]["total"]);
    assert_eq!(cairn(home, "router run --gwmp 127.0.0.1:1").refused(3), "not_found");
    let line = "router open --hold 1000 --devaddr 26011f00-26011fff --address 127.0.0.1:";
    let port = free_port();
    cairn(home, &format!("{line}{port} --dry-run")).done();
    let opened = cairn(home, &format!("{line}{port}")).done();
    assert_eq!(number(&opened["hold_credits"]), 1_000);
    assert_eq!(
        number(&cairn(home, "account show").done()["credits"]["total"]),
        before - 1_000
    );
    assert_eq!(
        cairn(home, &format!("{line}{port}")).refused(4),
        "refused",
        "one at a time"
    );

    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let address = server.local_addr().unwrap();
    let run = format!("router run --listen 127.0.0.1:{port} --gwmp {address}");
    let router = Running::start(home, &run);
    let packets = heard(&agent, &server);
    assert!(
        packets.contains("00800000a0000a5c") || packets.contains("\"rxpk\""),
        "{packets}"
    );
    // Killed and begun anew, it owes what it owed.
    let line = paid(&agent, 10);
    drop(router);
    let router = Running::start(home, &run);
    let owed = number(&line["promised_credits"]);
    heard(&agent, &server);
    paid(&agent, owed + 10);
    router.end();
    agent.end();
    up.end();
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// A radio hears its sender until a packet is at the network server.
fn heard(agent: &Running, server: &UdpSocket) -> String {
    let radio = UdpSocket::bind("127.0.0.1:0").unwrap();
    radio.connect(agent.url("gwmp")).unwrap();
    for counter in 0..250u8 {
        radio.send(&push(counter)).unwrap();
        let mut bytes = [0; 4_096];
        while let Ok(length) = server.recv(&mut bytes) {
            // No keeping alive.
            if bytes[3] == 0 {
                return String::from_utf8_lossy(&bytes[..length]).into_owned();
            }
        }
    }
    panic!("no packet came");
}

/// How the line stands once so much is promised.
fn paid(agent: &Running, credits: u64) -> Value {
    loop {
        let stand = get(&agent.url("http"), "/v1/forwarders");
        let line = stand["lines"]
            .as_array()
            .and_then(|lines| lines.first())
            .cloned()
            .unwrap_or_default();
        if line["promised_credits"].as_u64().unwrap_or(0) >= credits {
            return line;
        }
    }
}
