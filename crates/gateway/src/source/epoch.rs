//! One settled epoch of the archive: its files held against the settled result, its reports joined with their findings.

use super::SourceError;
use crate::rows::Place;
use cairn_types::{
    DeviceNumber, Envelope, EpochNumber, EpochResult, Finding, Hash, NetworkId, Span, TimeMs, finding, merkle,
};
use cairn_verifier::archive::{EpochArchive, Inputs, REPORTS, reports};
use cairn_verifier::collector::Sealed;
use cairn_verifier::objects::Objects;
use cairn_verticals::kit::{Reading, Vertical};

/// An accepted reading and the place of its device among the epoch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Accepted {
    reading: Reading,
    place: u32,
}

/// All accepted readings of an epoch, by quantity, time and device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochRows {
    places: Vec<Place>,
    readings: Vec<Accepted>,
}

impl EpochRows {
    /// The readings of a quantity from `from` to before `to`, by time, then by device. No other is looked at.
    pub fn between(&self, quantity: u16, from: TimeMs, to: TimeMs) -> impl Iterator<Item = (TimeMs, &Place, i64)> {
        let before = |accepted: &Accepted, time| (accepted.reading.quantity, accepted.reading.time) < (quantity, time);
        let start = self.readings.partition_point(|accepted| before(accepted, from));
        let end = self
            .readings
            .partition_point(|accepted| before(accepted, to))
            .max(start);
        self.readings[start..end].iter().map(|accepted| {
            let place = &self.places[accepted.place as usize];
            (accepted.reading.time, place, accepted.reading.value)
        })
    }

    /// What keeping it costs, in readings.
    pub fn weight(&self) -> usize {
        self.readings.len() + 2 * self.places.len() + 1
    }
}

/// Reads an epoch whose settled result has this hash.
pub fn read(
    objects: &dyn Objects,
    network: &NetworkId,
    epoch: EpochNumber,
    settled: &Hash,
) -> Result<EpochRows, SourceError> {
    let archive = EpochArchive::of(objects, network, epoch);
    let differs = |what| SourceError::Differs { epoch, what };
    let manifest = archive
        .manifest()?
        .ok_or_else(|| archive.wrong("manifest.cbor", "is not there"))?;
    let result: EpochResult = manifest.attestation.result;
    if result.hash() != *settled {
        return Err(differs("the result"));
    }
    let inputs = archive.inputs()?;
    if inputs.hash() != result.inputs {
        return Err(differs("what was judged by"));
    }
    let findings = archive.findings()?;
    if finding::root(&findings) != result.findings {
        return Err(differs("a finding"));
    }
    let reports = reports::read(archive.need(REPORTS)?).map_err(|what| archive.wrong(REPORTS, what))?;
    let ids = reports.iter().map(|report| merkle::leaf(&report.id.0)).collect();
    if merkle::root(ids) != result.archive {
        return Err(differs("a report"));
    }
    let vertical = cairn_verticals::by_name(&inputs.vertical)
        .ok_or_else(|| archive.wrong("inputs.cbor", format!("no vertical is called {}", inputs.vertical)))?;
    join(vertical, &inputs, &reports, &findings).ok_or_else(|| differs("a report"))
}

/// The accepted readings. `None` when a report is not the one whose id was settled, or has no finding.
fn join(vertical: &dyn Vertical, inputs: &Inputs, reports: &[Sealed], findings: &[Finding]) -> Option<EpochRows> {
    let places: Vec<Place> = inputs
        .roster
        .iter()
        .map(|member| Place {
            number: member.number,
            cell: member.cell,
            device: member.device(),
        })
        .collect();
    let place_of = |number: DeviceNumber| places.binary_search_by_key(&number, |place| place.number).ok();
    let mut rows = EpochRows::default();
    if reports.len() != findings.len() {
        return None;
    }
    for (report, finding) in reports.iter().zip(findings) {
        if report.id != finding.report {
            return None;
        }
        if finding.spans.iter().all(|span| span.reason.is_some()) {
            continue;
        }
        let envelope = Envelope::parse(&report.envelope)
            .ok()
            .filter(|envelope| envelope.id() == report.id)?;
        let at = place_of(finding.device).filter(|at| places[*at].device == envelope.device)?;
        let mut readings = Vec::new();
        vertical.read_body(&envelope.report.body, &mut readings).ok()?;
        let place = u32::try_from(at).ok()?;
        let accepted = readings
            .into_iter()
            .filter(|reading| is_accepted(&finding.spans, reading));
        rows.readings
            .extend(accepted.map(|reading| Accepted { reading, place }));
    }
    rows.places = places;
    // Places are sorted by device, so this is the order of devices too.
    rows.readings
        .sort_unstable_by_key(|row| (row.reading.quantity, row.reading.time, row.place));
    Some(rows)
}

/// Whether a reading stands in a run that was accepted. A run reaches to the end of its last slot, so runs may overlap: a reading
/// belongs to the one that began last.
fn is_accepted(spans: &[Span], reading: &Reading) -> bool {
    let holds =
        |span: &&Span| span.quantity == reading.quantity && span.start <= reading.time && reading.time < span.end;
    let own = spans.iter().filter(holds).max_by_key(|span| (span.start, span.reason));
    own.is_some_and(|span| span.reason.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_types::Reason;

    fn span(start: u64, end: u64, reason: Option<u16>) -> Span {
        Span {
            start: TimeMs(start),
            end: TimeMs(end),
            quantity: 0,
            reason: reason.map(Reason),
            measured: 0,
            limit: 0,
        }
    }

    #[test]
    fn a_reading_belongs_to_the_run_that_began_last() {
        let spans = [span(0, 10, None), span(6, 11, Some(104)), span(10, 15, None)];
        for (time, accepted) in [(0, true), (5, true), (6, false), (10, true), (14, true), (15, false)] {
            let reading = Reading {
                quantity: 0,
                time: TimeMs(time),
                value: 0,
            };
            assert_eq!(is_accepted(&spans, &reading), accepted, "{time}");
            let other = Reading { quantity: 1, ..reading };
            assert!(!is_accepted(&spans, &other));
        }
    }

    #[test]
    fn only_the_time_asked_for_is_given() {
        let accepted = |quantity, time| Accepted {
            reading: Reading {
                quantity,
                time: TimeMs(time),
                value: time as i64,
            },
            place: 0,
        };
        let rows = EpochRows {
            places: vec![crate::export::tests::place()],
            readings: vec![accepted(0, 1), accepted(0, 2), accepted(0, 3), accepted(1, 2)],
        };
        let values = |quantity, from, to| -> Vec<i64> {
            let rows = rows.between(quantity, TimeMs(from), TimeMs(to));
            rows.map(|(_, _, value)| value).collect()
        };
        assert_eq!(values(0, 1, 3), [1, 2]);
        assert_eq!(values(1, 0, 9), [2]);
        assert_eq!(values(0, 3, 1), [0; 0]);
        assert_eq!(values(2, 0, 9), [0; 0]);
    }
}
