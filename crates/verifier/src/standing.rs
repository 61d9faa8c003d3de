//! How a device stands in an epoch, as JSON for people and programs: its reputation, what it is paid of its units, and an
//! exclusion with rule, measured value, limit, evidence and end. It shows what memory says and decides nothing.

use cairn_types::{DeviceNumber, EpochNumber, TimeMs};
use cairn_verticals::Vertical;
use cairn_verticals::kit::reasons::{self, EXCLUDED};
use cairn_verticals::kit::reputation::{Exclusion, Mark, WHOLE};
use cairn_verticals::kit::vertical::AssessInputError;
use cairn_verticals::kit::{Epoch, Standing};
use serde_json::{Value, json};

/// The standing with which this epoch judges the device.
pub fn standing(vertical: &dyn Vertical, epoch: &Epoch, device: DeviceNumber) -> Result<Value, AssessInputError> {
    let standing = Standing::of(vertical, epoch, device)?;
    let excluded = standing.exclusion.as_ref();
    Ok(json!({
        "score": standing.score,
        "paid": if excluded.is_some() { 0 } else { standing.factor },
        "of": WHOLE,
        "good_epochs_thousandths": standing.reputation.good,
        "bad_epochs_thousandths": standing.reputation.bad,
        "marks": marks(vertical, &standing.marks),
        "excluded": excluded.map(|exclusion| exclusion_json(vertical, epoch, exclusion)),
    }))
}

fn exclusion_json(vertical: &dyn Vertical, epoch: &Epoch, exclusion: &Exclusion) -> Value {
    let text = reasons::text(vertical, EXCLUDED);
    json!({
        "rule": text.map(|text| text.name),
        "sentence": text.map(|text| text.sentence),
        "measured": exclusion.score,
        "limit": exclusion.line,
        "unit": text.map(|text| text.unit),
        "from_epoch": exclusion.from.0,
        "until_epoch": exclusion.until.0,
        "until": start_of(epoch, exclusion.until).to_string(),
        "evidence": marks(vertical, &exclusion.evidence),
    })
}

/// The epochs whose findings speak against the device.
fn marks(vertical: &dyn Vertical, marks: &[Mark]) -> Vec<Value> {
    let mark = |mark: &Mark| {
        json!({
            "epoch": mark.epoch.0,
            "reason": reasons::text(vertical, mark.reason).map(|text| text.name),
            "weight_thousandths": mark.weight,
        })
    };
    marks.iter().map(mark).collect()
}

/// When an epoch after this one begins.
fn start_of(epoch: &Epoch, later: EpochNumber) -> TimeMs {
    let away = later.0.saturating_sub(epoch.epoch.0);
    epoch
        .start
        .plus_ms(away.saturating_mul(epoch.end.since_ms(epoch.start)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::{RosterMember, members};
    use crate::world::{HOUR, START, device_key};
    use cairn_types::{AccountNumber, NetworkId, ReportId};
    use cairn_verticals::kit::{Admitted, Reading, assess};
    use cairn_verticals::sensors::{Sensors, report};

    #[test]
    fn an_exclusion_names_rule_measured_value_limit_evidence_and_end() {
        let member = RosterMember {
            number: DeviceNumber(0),
            key: device_key(0).public(),
            operator: AccountNumber(0),
            cell: "881969c9b7fffff".parse().unwrap(),
            joined: EpochNumber(0),
            barred_until: None,
        };
        let (roster, params) = (members(&[member]), Sensors.default_params());
        let mut memory = Vec::new();
        let told = |memory: &[u8], hour: u64, reports: &[Admitted]| {
            let epoch = Epoch {
                network: NetworkId([1; 32]),
                epoch: EpochNumber(hour),
                start: START.plus_ms(hour * HOUR),
                end: START.plus_ms((hour + 1) * HOUR),
                params: &params,
                roster: &roster,
                memory,
                beacon: [0; 32],
            };
            let after = assess(&Sensors, &epoch, reports, 1).unwrap().memory;
            (standing(&Sensors, &epoch, DeviceNumber(0)).unwrap(), after)
        };
        // A value that never moves.
        let mut excluded = None;
        for hour in 0..60 {
            let reading = |slot: u64| Reading {
                quantity: report::RAIN,
                time: START.plus_ms(hour * HOUR + slot * 300_000),
                value: 202,
            };
            let readings: Vec<Reading> = (0..12).map(reading).collect();
            let report = Admitted {
                id: ReportId([hour as u8; 32]),
                device: DeviceNumber(0),
                time: readings[11].time,
                received: readings[11].time,
                sequence: hour,
                body: report::encode(&readings).unwrap(),
            };
            let (said, after) = told(&memory, hour, &[report]);
            memory = after;
            if excluded.is_none() && !said["excluded"].is_null() {
                excluded = Some((hour, said));
            }
        }
        let (from, said) = excluded.unwrap();
        let exclusion = &said["excluded"];
        assert_eq!((&said["paid"], &exclusion["rule"]), (&json!(0), &json!("excluded")));
        assert!(exclusion["measured"].as_u64().unwrap() < exclusion["limit"].as_u64().unwrap());
        assert_eq!(
            (exclusion["from_epoch"].as_u64(), exclusion["until_epoch"].as_u64()),
            (Some(from), Some(from + 72))
        );
        assert_eq!(exclusion["until"], START.plus_ms((from + 72) * HOUR).to_string());
        let evidence = exclusion["evidence"].as_array().unwrap();
        assert_eq!(evidence.len(), 8);
        assert_eq!(
            evidence[7],
            json!({ "epoch": from - 1, "reason": "stuck", "weight_thousandths": 1_000 })
        );
    }
}
