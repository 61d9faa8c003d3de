//! Datagrams through the switch, one by one: who gets what, and what strangers' bytes do.

use super::*;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

const EUI: Eui = Eui(0x0080_0000_a000_0a5c);

pub fn forwarder(upstreams: &[&str]) -> Forwarder {
    Forwarder {
        eui: EUI,
        device: "hotspot-1".into(),
        region: "EU868".into(),
        cell: None,
        height: Some(12),
        gain: Some(3.5),
        dwell_ms: None,
        upstreams: upstreams.iter().map(|&upstream| upstream.to_owned()).collect(),
    }
}

fn address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 5_000))
}

fn datagram(version: u8, kind: Kind<'_>) -> Vec<u8> {
    let token = [1, 2];
    Datagram { version, token, kind }.write()
}

const RXPK: &[u8] = br#"{"rxpk":[{"tmst":1000000,"freq":868.1,"stat":1,"modu":"LORA","datr":"SF7BW125","codr":"4/5","rssi":-35,"lsnr":5.1,"size":3,"data":"AQID"}]}"#;

fn txpk(counter: u32) -> Vec<u8> {
    format!(r#"{{"txpk":{{"tmst":{counter},"freq":868.1,"powe":14,"modu":"LORA","datr":"SF7BW125","codr":"4/5","ipol":true,"size":3,"data":"AQID"}}}}"#)
        .into_bytes()
}

/// A switch whose forwarder was heard and asked for downlinks.
fn open(version: u8) -> Mux {
    let mut mux = Mux::new(vec![forwarder(&["one:1700", "two:1700"])]).unwrap();
    mux.from_forwarder(address(), &datagram(version, Kind::PullData { eui: EUI }), 0);
    mux.from_forwarder(
        address(),
        &datagram(version, Kind::PushData { eui: EUI, json: RXPK }),
        0,
    );
    mux
}

#[test]
fn an_uplink_goes_to_the_disk_and_to_every_upstream_unchanged() {
    let mut mux = open(2);
    let push = datagram(2, Kind::PushData { eui: EUI, json: RXPK });
    let out = mux.from_forwarder(address(), &push, 5);
    assert_eq!(
        out[..2],
        [Out::ToUpstream((0, 0), push.clone()), Out::ToUpstream((0, 1), push)]
    );
    let Out::Keep {
        forwarder,
        message,
        to,
        answer,
        heard,
    } = &out[2]
    else {
        panic!("{out:?}")
    };
    assert_eq!(
        (*forwarder, *to, heard[0].frame.as_slice()),
        (0, address(), &[1, 2, 3][..])
    );
    assert_eq!(*answer, datagram(2, Kind::PushAck));
    let text = std::str::from_utf8(message).unwrap();
    assert!(
        text.starts_with(r#"{"station":{"#) && text.contains("\"gain\":3.5") && text.contains("AQID"),
        "{text}"
    );
}

#[test]
fn a_status_is_answered_at_once_and_what_is_no_json_never() {
    let mut mux = open(1);
    let status = datagram(
        1,
        Kind::PushData {
            eui: EUI,
            json: br#"{"stat":{"rxnb":2}}"#,
        },
    );
    let out = mux.from_forwarder(address(), &status, 5);
    assert_eq!(
        out.last(),
        Some(&Out::ToForwarder(address(), datagram(1, Kind::PushAck)))
    );
    let broken = datagram(1, Kind::PushData { eui: EUI, json: b"{" });
    assert_eq!(mux.from_forwarder(address(), &broken, 5), []);
    assert_eq!(mux.status(5)[0].counts.malformed, 1);
}

#[test]
fn the_way_for_downlinks_is_opened_everywhere() {
    let mut mux = open(2);
    let pull = datagram(2, Kind::PullData { eui: EUI });
    let out = mux.from_forwarder(address(), &pull, 5);
    assert_eq!(out[0], Out::ToForwarder(address(), datagram(2, Kind::PullAck)));
    assert_eq!(
        out[1..],
        [Out::ToUpstream((0, 0), pull.clone()), Out::ToUpstream((0, 1), pull)]
    );
}

#[test]
fn a_downlink_goes_out_once_and_its_end_goes_to_who_asked() {
    let mut mux = open(2);
    let json = txpk(2_000_000);
    let ask = datagram(2, Kind::PullResp { json: &json });
    let out = mux.from_upstream((0, 1), &ask, 100);
    let [Out::ToForwarder(to, sent)] = out.as_slice() else {
        panic!("{out:?}")
    };
    let sent = Datagram::read(sent).unwrap();
    assert_eq!((*to, sent.kind), (address(), Kind::PullResp { json: &json }));
    // The other one wants the same moment.
    let out = mux.from_upstream((0, 0), &ask, 100);
    let refused = datagram(
        2,
        Kind::TxAck {
            eui: EUI,
            json: &packet::tx_ack(Some(TxError::CollisionPacket)),
        },
    );
    assert_eq!(out, [Out::ToUpstream((0, 0), refused)]);
    let says = Datagram {
        kind: Kind::TxAck { eui: EUI, json: b"" },
        ..sent
    }
    .write();
    let out = mux.from_forwarder(address(), &says, 110);
    assert_eq!(
        out,
        [Out::ToUpstream(
            (0, 1),
            datagram(2, Kind::TxAck { eui: EUI, json: b"" })
        )]
    );
    assert_eq!(mux.from_forwarder(address(), &says, 110), [], "once");
    let counts = &mux.status(0)[0].counts;
    assert_eq!((counts.downlinks, counts.downlinks_sent), (1, 1));
    assert_eq!(
        counts.downlinks_refused,
        BTreeMap::from([("COLLISION_PACKET".to_owned(), 1)])
    );
}

#[test]
fn what_a_forwarder_refuses_is_told_in_its_words_and_its_moment_is_free() {
    for error in [
        "TOO_LATE",
        "TOO_EARLY",
        "COLLISION_PACKET",
        "COLLISION_BEACON",
        "TX_FREQ",
        "TX_POWER",
        "GPS_UNLOCKED",
    ] {
        let mut mux = open(2);
        let json = txpk(2_000_000);
        let ask = datagram(2, Kind::PullResp { json: &json });
        let out = mux.from_upstream((0, 0), &ask, 100);
        let [Out::ToForwarder(_, sent)] = out.as_slice() else {
            panic!("{out:?}")
        };
        let json = format!(r#"{{"txpk_ack":{{"error":"{error}"}}}}"#);
        let kind = Kind::TxAck {
            eui: EUI,
            json: json.as_bytes(),
        };
        let says = Datagram {
            kind,
            ..Datagram::read(sent).unwrap()
        }
        .write();
        assert_eq!(
            mux.from_forwarder(address(), &says, 110),
            [Out::ToUpstream((0, 0), datagram(2, kind))]
        );
        assert!(
            matches!(mux.from_upstream((0, 1), &ask, 120)[..], [Out::ToForwarder(..)]),
            "{error}"
        );
        assert_eq!(mux.status(0)[0].counts.downlinks_refused[error], 1);
    }
}

#[test]
fn a_routers_downlink_is_held_to_the_same_rules() {
    let json = txpk(2_000_000);
    let told = |error: &str| Out::Told {
        line: 3,
        id: 9,
        error: error.into(),
    };
    let mut mux = open(2);
    let out = mux.from_line(0, (3, 9), &json, 100);
    let [Out::ToForwarder(_, sent)] = out.as_slice() else {
        panic!("{out:?}")
    };
    assert_eq!(mux.from_line(0, (3, 9), &json, 100), [told("COLLISION_PACKET")]);
    let says = Datagram {
        kind: Kind::TxAck { eui: EUI, json: b"" },
        ..Datagram::read(sent).unwrap()
    }
    .write();
    assert_eq!(mux.from_forwarder(address(), &says, 110), [told("")]);
    assert_eq!(mux.from_line(7, (3, 9), &json, 100), []);
    // The first version of the protocol never says what became of it.
    let mut mux = open(1);
    assert_eq!(mux.from_line(0, (3, 9), &json, 100)[1..], [told("")]);
}

#[test]
fn without_a_way_nothing_is_sent() {
    let json = txpk(2_000_000);
    let ask = datagram(2, Kind::PullResp { json: &json });
    let late = datagram(
        2,
        Kind::TxAck {
            eui: EUI,
            json: &packet::tx_ack(Some(TxError::TooLate)),
        },
    );
    let mut mux = open(2);
    let out = mux.from_upstream((0, 0), &ask, OPEN_MS + 1);
    assert_eq!(out, [Out::ToUpstream((0, 0), late)]);
    // The first version of the protocol cannot be told.
    let old = datagram(1, Kind::PullResp { json: &json });
    assert_eq!(mux.from_upstream((0, 0), &old, OPEN_MS + 1), []);
    let mut mux = open(1);
    assert!(matches!(
        mux.from_upstream((0, 0), &old, 100)[..],
        [Out::ToForwarder(..)]
    ));
    assert_eq!(mux.radios[0].pending.len(), 0);
}

#[test]
fn forwarders_that_never_say_what_became_of_it_fill_no_table() {
    let mut mux = open(2);
    for round in 0..200u32 {
        let json = txpk(2_000_000 + round * 200_000);
        let now_ms = u64::from(round) * 200 + 100;
        mux.from_upstream((0, 0), &datagram(2, Kind::PullResp { json: &json }), now_ms);
    }
    assert_eq!(mux.radios[0].pending.len(), PENDING_MAX);
}

#[test]
fn settings_that_cannot_be_meant_are_named() {
    let one = || forwarder(&["one:1700"]);
    let other = |region: &str| Forwarder {
        region: region.into(),
        ..one()
    };
    let error = |forwarders| Mux::new(forwarders).err();
    assert_eq!(error(vec![one(), one()]), Some(SettingsError::Twice(EUI)));
    assert_eq!(error(vec![other("MOON")]), Some(SettingsError::Region(EUI)));
    for upstream in ["one", "one:0", ":1700", "one:port"] {
        assert_eq!(error(vec![forwarder(&[upstream])]), Some(SettingsError::Upstreams(EUI)));
    }
    assert_eq!(error(vec![forwarder(&["a:1"; 9])]), Some(SettingsError::Upstreams(EUI)));
    assert_eq!(error(vec![one(); FORWARDERS_MAX + 1]), Some(SettingsError::TooMany));
}

#[test]
fn strangers_bytes_never_panic_and_change_nothing() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let json = txpk(2_000_000);
    let valid = [
        datagram(2, Kind::PushData { eui: EUI, json: RXPK }),
        datagram(2, Kind::PullData { eui: EUI }),
        datagram(2, Kind::PullResp { json: &json }),
        datagram(
            2,
            Kind::TxAck {
                eui: EUI,
                json: br#"{"txpk_ack":{"error":"TOO_LATE"}}"#,
            },
        ),
        datagram(
            1,
            Kind::PushData {
                eui: Eui(7),
                json: RXPK,
            },
        ),
    ];
    let mut mux = open(2);
    for round in 0..20_000u64 {
        let mut bytes = valid[round as usize % valid.len()].clone();
        for _ in 0..1 + random.next_u32() % 4 {
            let at = random.next_u32() as usize % bytes.len();
            match random.next_u32() % 4 {
                0 => bytes[at] = random.next_u32() as u8,
                1 => bytes.insert(at, b"0123456789-eE.{}[]\",:"[random.next_u32() as usize % 21]),
                2 => bytes.truncate(at.max(1)),
                _ => bytes[at] ^= 1 << (random.next_u32() % 8),
            }
        }
        for out in [
            mux.from_forwarder(address(), &bytes, round),
            mux.from_upstream((0, 0), &bytes, round),
        ] {
            assert!(out.len() <= 3);
        }
    }
    assert_eq!(mux.from_upstream((0, 9), &valid[2], 0), []);
    assert_eq!(mux.from_upstream((9, 0), &valid[2], 0), []);
    assert!(mux.radios[0].pending.len() <= PENDING_MAX);
    assert!(mux.status(0)[0].counts.downlinks_refused.len() <= NAMES_MAX + 1);
}
