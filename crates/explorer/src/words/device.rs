//! What an operator is told of a device: alerts, and what would make it earn more.

use super::figures::short;
use cairn_verticals::kit::ReasonText;

/// How a device is doing, as far as advice follows from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Situation {
    pub state: String,
    /// The most frequent reason of refusal of late.
    pub refused_for: Option<ReasonText>,
    pub uptime_bps: Option<u64>,
    /// Devices in its cell, and how many share what they earn.
    pub crowd: Option<(u64, u64)>,
    /// It is in no network.
    pub idle: bool,
}

/// What to do, the most urgent first.
pub fn advice(of: &Situation) -> Vec<(&'static str, String)> {
    let mut all: Vec<(&'static str, String)> = Vec::new();
    let mut say = |code: &'static str, sentence: String| all.push((code, sentence));
    match of.state.as_str() {
        "retired" => say("retired", "It was retired, for ever: nothing it sends counts.".to_owned()),
        "barred" => say("barred", "It is barred for signing two reports under one sequence number. Make sure that only one program holds its key, and wait until the bar is over.".to_owned()),
        "excluded" => say("excluded", "It is excluded for a time. Mend what was refused and keep it running: its reports are still judged, and what is believed counts for its return.".to_owned()),
        "silent" => say("silent", "No report came in the newest epoch. Check its power, its network and that its agent runs.".to_owned()),
        "moved" => say("moved", "It moved a while ago. Its first epochs at a new place are compared with its new neighbours.".to_owned()),
        _ => {}
    }
    if of.idle && of.state != "retired" {
        say(
            "no_network",
            "It is in no network. Let it join one: `cairn device join`.".to_owned(),
        );
    }
    if let Some(text) = &of.refused_for {
        let why = format!(
            "Most of what was refused lately was refused for this: {}.",
            text.sentence
        );
        let sentence = [why.as_str(), text.mend].join(" ").trim_end().to_owned();
        say(
            match text.name {
                "malformed" => "update_agent",
                _ => "mend_refused",
            },
            sentence,
        );
    }
    if let Some(bps) = of.uptime_bps.filter(|bps| *bps < 9_500) {
        let percent = bps / 100;
        say(
            "uptime",
            format!("It reported in {percent} % of the last epochs. Each epoch without a report earns nothing."),
        );
    }
    if let Some((devices, target)) = of.crowd.filter(|(devices, target)| devices > target) {
        say(
            "crowded",
            format!(
                "Its cell has {devices} devices, which share what {target} earn. A cell without devices pays more."
            ),
        );
    }
    if all.is_empty() {
        all.push(("well", "It earns all it can where it stands.".to_owned()));
    }
    all
}

/// An alert in a sentence.
pub fn alert(kind: &str, device: &str, epoch: u64, reason: Option<&str>) -> String {
    let device = short(device);
    match kind {
        "device_silent" => format!("Device {device} sent no report in epoch {epoch}."),
        "device_refused" => match reason {
            Some(reason) => format!("All that device {device} sent in epoch {epoch} was refused: {reason}."),
            None => format!("All that device {device} sent in epoch {epoch} was refused."),
        },
        "device_moved" => format!("Device {device} stands in another cell from epoch {epoch} on."),
        "device_excluded" => format!("Device {device} is excluded as of epoch {epoch}."),
        "device_barred" => format!("Device {device} is barred from epoch {epoch} on."),
        _ => format!("Device {device} earns again in epoch {epoch}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words;
    use cairn_types::Reason;

    #[test]
    fn every_state_has_advice_and_a_device_that_does_well_is_told_so() {
        let of = |state: &str| Situation {
            state: state.to_owned(),
            uptime_bps: Some(10_000),
            ..Situation::default()
        };
        assert_eq!(advice(&of("earning"))[0].0, "well");
        for state in ["silent", "excluded", "barred", "retired", "moved"] {
            assert_eq!(advice(&of(state))[0].0, state);
        }
        let blocked = words::reason(cairn_verticals::by_name("sensors"), Reason(109));
        let said = advice(&Situation {
            refused_for: Some(blocked),
            ..of("refused")
        });
        assert_eq!(said[0].0, "mend_refused");
        assert!(
            said[0].1.contains(blocked.sentence) && said[0].1.ends_with(blocked.mend),
            "{}",
            said[0].1
        );
        let crowded = Situation {
            crowd: Some((5, 2)),
            uptime_bps: Some(9_000),
            ..of("earning")
        };
        let codes: Vec<_> = advice(&crowded).into_iter().map(|(code, _)| code).collect();
        assert_eq!(codes, ["uptime", "crowded"]);
    }
}
