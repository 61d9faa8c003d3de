//! One epoch of reputations: what the findings pay after it, and the records that go into the next memory. It changes units
//! and names why; it never changes a verdict of the vertical.

use super::outcome::{Blames, Outcome};
use super::record::MARKS_MAX;
use super::{Exclusion, Mark, Record, Rules, WHOLE, factor, reduced};
use crate::kit::Epoch;
use crate::kit::reasons::{EXCLUDED, REDUCED, STANDING};
use cairn_types::{DeviceNumber, EpochNumber, Finding, Span, TimeMs};

/// Goes through all devices once. Findings come sorted by device, records by number, and so does what is returned.
pub fn apply(
    epoch: &Epoch,
    rules: &Rules,
    blames: &Blames,
    records: Vec<Record>,
    findings: &mut [Finding],
) -> Vec<Record> {
    let mut members = epoch.roster.iter().map(|member| member.number).peekable();
    let mut is_member = |number: DeviceNumber| {
        while members.next_if(|member| *member < number).is_some() {}
        members.peek() == Some(&number)
    };
    let mut earlier = records.into_iter().peekable();
    let mut next = Vec::with_capacity(earlier.len());
    for own in findings.chunk_by_mut(|one, next| one.device == next.device) {
        let number = own[0].device;
        while let Some(silent) = earlier.next_if(|record| record.number < number) {
            let stays = is_member(silent.number);
            next.extend(passed(silent, epoch, rules, Outcome::default(), stays));
        }
        let known = earlier.next_if(|record| record.number == number);
        let stays = is_member(number);
        let mut outcome = Outcome::default();
        if stays {
            pay(epoch, rules, known.as_ref(), own);
            outcome = Outcome::of(own, epoch.end.since_ms(epoch.start), blames);
        }
        let record = known.unwrap_or_else(|| Record::of(number));
        next.extend(passed(record, epoch, rules, outcome, stays));
    }
    for silent in earlier {
        let stays = is_member(silent.number);
        next.extend(passed(silent, epoch, rules, Outcome::default(), stays));
    }
    next
}

/// What a device's findings pay, by the reputation it came with.
fn pay(epoch: &Epoch, rules: &Rules, known: Option<&Record>, findings: &mut [Finding]) {
    let Some(record) = known else { return };
    if let Some(exclusion) = record.exclusion_in(epoch.epoch) {
        findings
            .iter_mut()
            .for_each(|finding| exclude(finding, epoch, exclusion));
        return;
    }
    let score = record.reputation.score(rules);
    let factor = factor(score, rules);
    if factor == WHOLE {
        return;
    }
    for finding in findings.iter_mut().filter(|finding| finding.units > 0) {
        finding.units = reduced(finding.units, factor);
        let run = Span {
            start: epoch.start,
            end: epoch.end,
            quantity: STANDING,
            reason: Some(REDUCED),
            measured: score.into(),
            limit: rules.full.into(),
        };
        finding.spans.insert(0, run);
    }
}

/// Nothing is paid and nothing believed; what the vertical refused keeps its own reason. The first run lasts as long as the
/// exclusion.
fn exclude(finding: &mut Finding, epoch: &Epoch, exclusion: &Exclusion) {
    let (measured, limit) = (exclusion.score.into(), exclusion.line.into());
    for run in finding.spans.iter_mut().filter(|span| span.reason.is_none()) {
        (run.reason, run.measured, run.limit) = (Some(EXCLUDED), measured, limit);
    }
    if finding.units > 0 {
        (finding.units, finding.reason) = (0, Some(EXCLUDED));
    }
    let epoch_ms = epoch.end.since_ms(epoch.start);
    let away = |from: EpochNumber, to: EpochNumber| to.0.saturating_sub(from.0).saturating_mul(epoch_ms);
    let run = Span {
        start: TimeMs(epoch.start.0.saturating_sub(away(exclusion.from, epoch.epoch))),
        end: epoch.start.plus_ms(away(epoch.epoch, exclusion.until)),
        quantity: STANDING,
        reason: Some(EXCLUDED),
        measured,
        limit,
    };
    finding.spans.insert(0, run);
}

/// A record after an epoch; `None` when it says no more than no record. Who left keeps what speaks against it until it fades,
/// so that leaving and coming back washes nothing off.
fn passed(mut record: Record, epoch: &Epoch, rules: &Rules, outcome: Outcome, stays: bool) -> Option<Record> {
    let (now, after) = (epoch.epoch, epoch.epoch.next());
    record.reputation = record.reputation.faded(rules).plus(&outcome, rules);
    let is_recent = |mark: &Mark| now.0.saturating_sub(mark.epoch.0) < u64::from(rules.memory_epochs);
    record.marks.retain(|mark| mark.epoch < now && is_recent(mark));
    if let Some(reason) = outcome.reason {
        if record.marks.len() == MARKS_MAX {
            record.marks.remove(0);
        }
        record.marks.push(Mark {
            epoch: now,
            reason,
            weight: outcome.bad,
        });
    }
    if record
        .exclusion
        .as_ref()
        .is_some_and(|exclusion| exclusion.until <= after)
    {
        record.exclusion = None;
    }
    let score = record.reputation.score(rules);
    if record.exclusion.is_none() && outcome.bad > outcome.good && score < rules.line {
        record.exclusion = Some(Exclusion {
            from: after,
            until: EpochNumber(after.0.saturating_add(rules.exclude_epochs.into())),
            score,
            line: rules.line,
            evidence: record.marks.clone(),
        });
    }
    let known = record.reputation.bad > 0 || record.exclusion.is_some() || !record.marks.is_empty();
    let worth = known || (stays && record.reputation.good > 0);
    worth.then_some(record)
}
