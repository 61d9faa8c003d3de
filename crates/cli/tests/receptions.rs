//! The demo over receptions that somebody recorded, in both forms that network servers log, made here and small: both incomes,
//! the audit, and a line for each reception, with what came twice and what came late.
#![allow(clippy::unwrap_used, reason = "all of it is a test")]

mod stand;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use stand::*;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// Noon of some day, in milliseconds.
const NOON: u64 = 1_672_920_000_000;
const HOUR: u64 = 3_600_000;
/// Which of Helium's frames comes twice, and which one late; lines from 1.
const TWICE: u64 = 3;
const LATE: u64 = 5;

/// Signal and noise of a frame at a receiver: each antenna fades by itself.
fn fading(counter: u64, at: u64) -> (i64, i64) {
    let drawn = |a: u64, b: u64, of: u64| ((counter * a + at * b + counter * counter * (at + 3) * 17) % of) as i64;
    (-95 - drawn(37, 61, 23), 5 - drawn(11, 29, 12))
}

/// Frames of one sensor that three hotspots hear, a line each.
fn helium() -> Vec<String> {
    let line = |counter: u64, again_ms: u64| {
        let held = if counter == LATE { 1_200_000 } else { 0 };
        let reported = NOON + counter * 5 * HOUR + held;
        let hotspots: Vec<String> = [(5.71, "one"), (5.73, "two"), (5.76, "three")]
            .iter()
            .zip(0..)
            .map(|((longitude, name), at)| {
                let (rssi, snr) = fading(counter, at);
                format!(
                    r#"{{"frequency":868.2999877929688,"hold_time":{held},"id":"{name}","lat":45.19,"long":{longitude},"name":"x",
                    "reported_at":{reported},"rssi":{rssi},"snr":{snr},"spreading":"SF12BW125","status":"success"}}"#
                )
                .replace('\n', "")
            })
            .collect();
        format!(
            r#"{{"name":"A","dev_eui":"A81758FFFE000001","devaddr":"07000048","fcnt":{counter},"port":5,"payload_size":23,
            "reported_at":{reported},"_timestamp":{},"_devLocation":{{"latitude":45.184,"longitude":5.74,"altitude":310}},
            "hotspots":[{}]}}"#,
            reported + 500 + again_ms,
            hotspots.join(",")
        )
        .replace('\n', "")
    };
    let mut lines: Vec<String> = (1..=8).map(|counter| line(counter, 0)).collect();
    lines.push(line(TWICE, 2_000));
    lines
}

/// Frames of another that two of ChirpStack's gateways hear; its place is in a file beside.
fn chirpstack() -> Vec<String> {
    let line = |counter: u64| {
        let taken = NOON + HOUR + counter * 5 * HOUR;
        let (one, two) = (fading(counter, 7), fading(counter, 8));
        format!(
            r#"{{"deviceName":"B","devEUI":"d1d1e80000000032","rxInfo":[
            {{"gatewayID":"10","location":{{"latitude":45.195,"longitude":5.7733,"altitude":220}},"rssi":{},"loRaSNR":{}}},
            {{"gatewayID":"20","location":{{"latitude":45.2,"longitude":5.7,"altitude":230}},"rssi":{},"loRaSNR":{}}}],
            "txInfo":{{"frequency":868100000,"dr":5}},"fCnt":{counter},"fPort":3,"data":"50270c04","_timestamp":{taken}}}"#,
            one.0, one.1, two.0, two.1,
        )
        .replace('\n', "")
    };
    (1..=6).map(line).collect()
}

fn write(path: &Path, lines: &[String]) {
    let mut file = GzEncoder::new(std::fs::File::create(path).unwrap(), Compression::fast());
    for line in lines {
        writeln!(file, "{line}").unwrap();
    }
    file.finish().unwrap();
}

#[test]
fn recorded_receptions_earn_both_incomes_and_each_has_its_verdict() {
    let place = Place::new();
    let data = place.home.with_extension("data");
    std::fs::create_dir_all(&data).unwrap();
    write(&data.join("helium.ndjson.gz"), &helium());
    write(&data.join("chirpstack.ndjson.gz"), &chirpstack());
    let senders = r#"{"d1d1e80000000032": {"name": "B", "latitude": 45.2, "longitude": 5.74, "altitude": 700}}"#;
    std::fs::write(data.join("endpoints.json"), senders).unwrap();
    let findings = place.home.with_extension("csv");
    let line = "demo --vertical wireless --once --data";
    let answer = cairn_with(&place.home, line, &[&data, Path::new("--findings"), &findings]).done();

    let (receptions, packets, coverage) = (
        &answer["wireless"]["receptions"],
        &answer["wireless"]["packets"],
        &answer["wireless"]["coverage"],
    );
    assert_eq!(number(&receptions["heard"]), 9 * 3 + 6 * 2, "{receptions}");
    assert_eq!(receptions["refused_by_reason"]["duplicate"], 3, "{receptions}");
    assert_eq!(receptions["refused_by_reason"]["late"], 3, "{receptions}");
    assert_eq!(number(&receptions["believed"]), 7 * 3 + 6 * 2, "{receptions}");
    assert!(
        number(&packets["paid"]) > 0 && number(&packets["credits"]) > 0,
        "{packets}"
    );
    assert!(
        number(&coverage["micro_units"]) > 0 && number(&coverage["operators_token"]) > 0,
        "{coverage}"
    );
    let audit = &answer["audit"];
    assert!(
        number(&audit["epochs"]) > 2 && audit["epochs"] == audit["matching"],
        "{audit}"
    );
    let hotspots = answer["wireless"]["hotspots"].as_array().unwrap();
    let both = |one: &Value| number(&one["packets_paid"]) > 0 && number(&one["micro_units"]) > 0;
    assert_eq!(hotspots.iter().filter(|one| both(one)).count(), 5, "{hotspots:?}");

    // Each reception has a line, with the file and the line it was recorded in.
    let mut reader = csv::Reader::from_path(&findings).unwrap();
    let mut reasons: BTreeMap<(String, u64, String), usize> = BTreeMap::new();
    for row in reader.deserialize() {
        let row: BTreeMap<String, String> = row.unwrap();
        let key = (row["file"].clone(), row["line"].parse().unwrap(), row["reason"].clone());
        *reasons.entry(key).or_default() += 1;
    }
    let count = |file: &str, line: u64, reason: &str| {
        let key = (file.to_owned(), line, reason.to_owned());
        reasons.get(&key).copied().unwrap_or(0)
    };
    assert_eq!(
        count("helium.ndjson.gz", TWICE, "") + count("helium.ndjson.gz", 9, ""),
        3
    );
    assert_eq!(
        count("helium.ndjson.gz", TWICE, "duplicate") + count("helium.ndjson.gz", 9, "duplicate"),
        3,
        "{reasons:?}"
    );
    assert_eq!(count("helium.ndjson.gz", LATE, "late"), 3, "{reasons:?}");
    assert_eq!(count("chirpstack.ndjson.gz", 1, ""), 2, "{reasons:?}");
    assert_eq!(reasons.values().sum::<usize>(), 39);
}
