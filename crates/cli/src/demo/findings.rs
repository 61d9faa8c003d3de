//! `--findings FILE`: one CSV line for each run of readings that were judged alike.

use super::city::Station;
use crate::error::{Failure, Kind, OrFail};
use cairn_types::{Finding, Reason};
use cairn_verticals::Vertical;
use cairn_verticals::kit::reasons::{self, STANDING};
use cairn_verticals::sensors::Sensors;
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

/// The file, or nothing when none is wanted.
pub struct FindingsFile {
    writer: Option<csv::Writer<BufWriter<File>>>,
    /// By device number, which follows the order of stations.
    names: Vec<String>,
}

impl FindingsFile {
    pub fn create(path: Option<&Path>, stations: &[Station]) -> Result<Self, Failure> {
        let names = stations.iter().map(|station| station.name.clone()).collect();
        let Some(path) = path else {
            return Ok(Self { writer: None, names });
        };
        let file = File::create(path).or_fail(Kind::Files, path.display())?;
        let mut writer = csv::Writer::from_writer(BufWriter::new(file));
        writer.write_record(HEADER).or_fail(Kind::Files, path.display())?;
        Ok(Self {
            writer: Some(writer),
            names,
        })
    }

    pub fn write(&mut self, findings: &[Finding]) -> Result<(), Failure> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        for finding in findings {
            let device = self.names.get(finding.device.index()).map_or("?", String::as_str);
            for span in finding.spans.iter().filter(|span| span.quantity != STANDING) {
                let (start, end) = (span.start.to_string(), span.end.to_string());
                let verdict = if span.reason.is_none() { "accepted" } else { "refused" };
                let (measured, limit) = (span.measured.to_string(), span.limit.to_string());
                let reason = span.reason.map_or("", reason_name);
                let fields = [
                    device,
                    &start,
                    &end,
                    quantity_name(span.quantity),
                    verdict,
                    reason,
                    &measured,
                    &limit,
                ];
                writer.write_record(fields).or_fail(Kind::Files, "the findings file")?;
            }
        }
        Ok(())
    }

    pub fn finish(self) -> Result<(), Failure> {
        match self.writer {
            Some(mut writer) => writer.flush().or_fail(Kind::Files, "the findings file"),
            None => Ok(()),
        }
    }
}

/// A reason as people and scripts call it.
pub fn reason_name(reason: Reason) -> &'static str {
    reasons::text(&Sensors, reason).map_or("unknown", |text| text.name)
}

fn quantity_name(quantity: u16) -> &'static str {
    Sensors
        .quantities()
        .iter()
        .find(|text| text.quantity == quantity)
        .map_or("unknown", |text| text.name)
}
