//! `--findings FILE`: one CSV line for each run of readings that were judged alike; of hotspots, one for each frame that was heard or
//! sent, with what names the frame.

use super::hotspots::Hotspots;
use super::scene::Scene;
use crate::error::{Failure, Kind, OrFail};
use cairn_types::{Finding, Reason};
use cairn_verticals::Vertical;
use cairn_verticals::kit::reasons::{self, STANDING};
use cairn_verticals::wireless::Wireless;
use cairn_verticals::wireless::judge::reasons::DUPLICATE;
use cairn_verticals::wireless::report::{Body, HEARD, Heard};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

const HEADER: [&str; 8] = [
    "device",
    "start_utc",
    "end_utc",
    "quantity",
    "verdict",
    "reason",
    "measured",
    "limit",
];
/// What names a frame: its sender and counter, when the customer had it, and where it stands in the records.
const FRAME: [&str; 5] = ["sender", "counter", "taken_utc", "file", "line"];

/// What became of one reception that was played.
pub struct Verdict<'a> {
    pub station: usize,
    pub heard: Heard,
    pub reason: Option<&'static str>,
    pub measured: i64,
    pub limit: i64,
    /// Its record, where it was recorded.
    pub row: Option<&'a super::receptions::Row>,
}

/// The file, or nothing when none is wanted.
pub struct FindingsFile {
    writer: Option<csv::Writer<BufWriter<File>>>,
    vertical: &'static dyn Vertical,
    /// By device number, which follows the order of stations.
    names: Vec<String>,
}

impl FindingsFile {
    pub fn create(path: Option<&Path>, scene: &Scene) -> Result<Self, Failure> {
        let names = scene
            .stations()
            .iter()
            .map(|station| station.shown().to_owned())
            .collect();
        let mut findings = Self {
            writer: None,
            vertical: scene.vertical(),
            names,
        };
        let Some(path) = path else { return Ok(findings) };
        let file = File::create(path).or_fail(Kind::Files, path.display())?;
        let mut writer = csv::Writer::from_writer(BufWriter::new(file));
        let mut header = HEADER.to_vec();
        if matches!(scene, Scene::Hotspots(_)) {
            header.extend(FRAME);
        }
        writer.write_record(header).or_fail(Kind::Files, path.display())?;
        findings.writer = Some(writer);
        Ok(findings)
    }

    fn name(&self, device: usize) -> &str {
        self.names.get(device).map_or("?", String::as_str)
    }

    pub fn write(&mut self, findings: &[Finding]) -> Result<(), Failure> {
        for finding in findings {
            for span in finding.spans.iter().filter(|span| span.quantity != STANDING) {
                let (start, end) = (span.start.to_string(), span.end.to_string());
                let fields = [
                    self.name(finding.device.index()).to_owned(),
                    start,
                    end,
                    quantity_name(self.vertical, span.quantity).to_owned(),
                    verdict(span.reason).to_owned(),
                    span.reason
                        .map_or("", |reason| reason_name(self.vertical, reason))
                        .to_owned(),
                    span.measured.to_string(),
                    span.limit.to_string(),
                ];
                self.line(&fields)?;
            }
        }
        Ok(())
    }

    /// The verdicts on receptions of an epoch.
    pub fn write_verdicts(&mut self, hotspots: &Hotspots, verdicts: &[Verdict<'_>]) -> Result<(), Failure> {
        for said in verdicts {
            let source = said.heard.source;
            let recorded = said.row.map(|row| &row.said);
            let sender = recorded.map(|recorded| recorded.sender_name.clone());
            let file = said.row.zip(hotspots.recordings());
            let fields = [
                self.name(said.station).to_owned(),
                said.heard.time.to_string(),
                said.heard.time.plus_ms(1).to_string(),
                quantity_name(self.vertical, HEARD).to_owned(),
                verdict(said.reason).to_owned(),
                said.reason.unwrap_or_default().to_owned(),
                said.measured.to_string(),
                said.limit.to_string(),
                sender.unwrap_or_else(|| source.map_or(String::new(), |source| format!("{:016x}", source.id))),
                source
                    .and_then(|source| source.counter)
                    .map_or(String::new(), |counter| counter.to_string()),
                source
                    .and_then(|source| source.taken)
                    .map_or(String::new(), |taken| taken.to_string()),
                file.map_or(String::new(), |(row, all)| all.files[row.file].clone()),
                said.row.map_or(String::new(), |row| row.line.to_string()),
            ];
            self.line(&fields)?;
        }
        Ok(())
    }

    fn line(&mut self, fields: &[String]) -> Result<(), Failure> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        writer.write_record(fields).or_fail(Kind::Files, "the findings file")
    }

    pub fn finish(self) -> Result<(), Failure> {
        match self.writer {
            Some(mut writer) => writer.flush().or_fail(Kind::Files, "the findings file"),
            None => Ok(()),
        }
    }
}

fn verdict<T>(reason: Option<T>) -> &'static str {
    if reason.is_none() { "accepted" } else { "refused" }
}

/// What no report holds was not taken at the verifier's door.
const NOT_TAKEN: &str = "not_taken";

/// What became of each reception that was played in an epoch, from the archive's reports and findings. What a record holds twice the
/// agent sends once; the others of it are duplicates.
pub fn verdicts<'a>(hotspots: &'a Hotspots, epoch: u64, said: &[(Body, &Finding)]) -> Vec<Verdict<'a>> {
    let mut records: BTreeMap<(usize, Heard), Vec<&super::receptions::Row>> = BTreeMap::new();
    if let Some(receptions) = hotspots.recordings() {
        for row in hotspots.rows(epoch) {
            records
                .entry((row.station, receptions.heard(row)))
                .or_default()
                .push(row);
        }
    }
    let mut verdicts = Vec::new();
    let mut seen: BTreeSet<(usize, Heard)> = BTreeSet::new();
    for (body, finding) in said {
        let station = finding.device.index();
        let spans = finding.spans.iter().filter(|span| span.quantity == HEARD);
        for (heard, span) in body.heard.iter().zip(spans) {
            let verdict = |reason, measured, limit, row| Verdict {
                station,
                heard: *heard,
                reason,
                measured,
                limit,
                row,
            };
            let rows = records.get(&(station, *heard)).map(Vec::as_slice).unwrap_or_default();
            let reason = span.reason.map(|reason| reason_name(&Wireless, reason));
            verdicts.push(verdict(reason, span.measured, span.limit, rows.first().copied()));
            if seen.insert((station, *heard)) {
                let duplicate = Some(reason_name(&Wireless, DUPLICATE));
                let twice = rows.iter().skip(1);
                verdicts.extend(twice.map(|row| verdict(duplicate, 2, 1, Some(*row))));
            }
        }
    }
    for ((station, heard), rows) in records.iter().filter(|(key, _)| !seen.contains(key)) {
        verdicts.extend(rows.iter().map(|row| Verdict {
            station: *station,
            heard: *heard,
            reason: Some(NOT_TAKEN),
            measured: 0,
            limit: 0,
            row: Some(*row),
        }));
    }
    verdicts
}

/// A reason as people and scripts call it.
pub fn reason_name(vertical: &dyn Vertical, reason: Reason) -> &'static str {
    reasons::text(vertical, reason).map_or("unknown", |text| text.name)
}

fn quantity_name(vertical: &dyn Vertical, quantity: u16) -> &'static str {
    vertical
        .quantities()
        .iter()
        .find(|text| text.quantity == quantity)
        .map_or("unknown", |text| text.name)
}
