//! Copies a folder of recorded receptions with cheats planted among them, and scores what a demo said of the copies.
//!
//! ```text
//! cargo run -p cairn-verticals --example plant -- FROM TO SEED
//! cairn demo --vertical wireless --data TO --once --json --findings FILE
//! cargo run -p cairn-verticals --example plant -- score TO FILE
//! ```
//! The copies' truth is `truth.csv` beside them: which receiver of which line of which file is what.

#[path = "../tests/planting/mod.rs"]
mod planting;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let said: Vec<String> = std::env::args().skip(1).collect();
    match said.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["score", folder, findings] => score(Path::new(folder), Path::new(findings)),
        [from, to, seed] => copy(Path::new(from), Path::new(to), seed.parse()?),
        _ => Err("FROM TO SEED, or score TO FILE".into()),
    }
}

/// Writes planted copies and what is true of them.
fn copy(from: &Path, to: &Path, seed: u64) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(to)?;
    for name in planting::listed(from, ".json")
        .iter()
        .filter(|name| name.starts_with("endpoints"))
    {
        std::fs::copy(from.join(name), to.join(name))?;
    }
    let (senders, mut files) = (planting::senders(from), Vec::new());
    for name in planting::listed(from, ".ndjson.gz") {
        let lines = BufReader::new(MultiGzDecoder::new(File::open(from.join(&name))?)).lines();
        files.push((name, lines.collect::<Result<Vec<String>, _>>()?));
    }
    let mut truth = csv::Writer::from_path(to.join("truth.csv"))?;
    truth.write_record(["file", "line", "receiver", "kind", "way"])?;
    let all: Vec<(&str, &[String])> = files.iter().map(|(name, lines)| (name.as_str(), &lines[..])).collect();
    for (nth, (name, lines)) in files.iter().enumerate() {
        let planted = planting::plant(seed, &senders, &planting::others(&all, nth), lines);
        let mut packed = GzEncoder::new(File::create(to.join(name))?, Compression::fast());
        for (at, line) in planted.iter().enumerate() {
            writeln!(packed, "{}", line.text)?;
            for (receiver, mark) in &line.marks {
                let (kind, way) = mark.map_or(("honest", ""), |mark| (mark.kind, mark.way));
                truth.write_record([name, &(at + 1).to_string(), receiver, kind, way])?;
            }
        }
        packed.finish()?;
    }
    truth.flush()?;
    Ok(())
}

/// Prints how much of each kind was refused. A frame that came twice or late is not paid again, which is no word against who is honest.
fn score(folder: &Path, findings: &Path) -> Result<(), Box<dyn Error>> {
    type Key = (String, String, String);
    let mut reasons: BTreeMap<Key, Vec<String>> = BTreeMap::new();
    let mut reader = csv::Reader::from_path(findings)?;
    let columns = reader.headers()?.clone();
    let column = |name: &str| {
        columns
            .iter()
            .position(|column| column == name)
            .ok_or("a findings file of hotspots")
    };
    let (device, reason, file, line) = (column("device")?, column("reason")?, column("file")?, column("line")?);
    for row in reader.records() {
        let row = row?;
        let key = (row[file].to_owned(), row[line].to_owned(), row[device].to_owned());
        reasons.entry(key).or_default().push(row[reason].to_owned());
    }
    // Of each kind: all, refused, and the reasons.
    let mut counts: BTreeMap<String, (u64, u64, BTreeMap<String, u64>)> = BTreeMap::new();
    for row in csv::Reader::from_path(folder.join("truth.csv"))?.records() {
        let row = row?;
        let key = (row[0].to_owned(), row[1].to_owned(), row[2].to_owned());
        let reason = reasons
            .get_mut(&key)
            .and_then(Vec::pop)
            .unwrap_or("not_found".to_owned());
        let is_honest = &row[3] == "honest";
        let refused = !(reason.is_empty() || is_honest && matches!(&reason[..], "duplicate" | "late"));
        for name in [
            row[3].to_owned(),
            format!("{} {}", &row[3], &row[4]),
            format!("{} {}", &row[3], &row[0]),
        ] {
            let count = counts.entry(name).or_default();
            (count.0, count.1) = (count.0 + 1, count.1 + u64::from(refused));
            *count.2.entry(reason.clone()).or_default() += 1;
        }
    }
    for (name, (all, refused, reasons)) in counts {
        println!(
            "{name}: {refused} of {all} refused ({:.2} %) {reasons:?}",
            refused as f64 * 100.0 / all as f64
        );
    }
    Ok(())
}
