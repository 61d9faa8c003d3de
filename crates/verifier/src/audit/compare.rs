//! Where two values of one type first differ, by the fields that their debug form names. For people: it decides nothing, equality
//! does.

use std::fmt::Debug;

/// A field and what stands in it on both sides.
#[derive(Debug, PartialEq, Eq)]
pub struct FieldDifference {
    /// `spans[3].limit`; empty when the values have no fields.
    pub field: String,
    pub left: String,
    pub right: String,
}

/// `None` when the values are equal.
pub fn first_difference<T: Debug + PartialEq>(left: &T, right: &T) -> Option<FieldDifference> {
    if left == right {
        return None;
    }
    let (left, right) = (format!("{left:#?}"), format!("{right:#?}"));
    let (lefts, rights): (Vec<&str>, Vec<&str>) = (left.lines().collect(), right.lines().collect());
    let at = lefts.iter().zip(&rights).position(|(one, other)| one != other);
    let at = at.unwrap_or(lefts.len().min(rights.len()));
    let value = |lines: &[&str]| lines.get(at).map_or("nothing", |line| value_of(line)).to_owned();
    Some(FieldDifference {
        field: path_to(if at < lefts.len() { &lefts } else { &rights }, at),
        left: value(&lefts),
        right: value(&rights),
    })
}

fn value_of(line: &str) -> &str {
    let text = line.trim().trim_end_matches(',');
    match text.split_once(": ") {
        Some((name, value)) if is_name(name) => value,
        _ => text,
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The fields that enclose a line of a debug form, outermost first; places in lists are counted.
fn path_to(lines: &[&str], at: usize) -> String {
    let depth_of = |line: &str| (line.len() - line.trim_start().len()) / 4;
    let mut path: Vec<String> = Vec::new();
    let mut depth = lines.get(at).map_or(0, |line| depth_of(line)) + 1;
    for line in (0..=at.min(lines.len().saturating_sub(1))).rev() {
        let this = depth_of(lines[line]);
        if this >= depth {
            continue;
        }
        depth = this;
        let text = lines[line].trim();
        if let Some((name, _)) = text.split_once(": ").filter(|(name, _)| is_name(name)) {
            path.push(name.to_owned());
        } else if this > 0 && is_in_list(lines, line, this) {
            let before = lines[..line].iter().rev().take_while(|other| depth_of(other) >= this);
            let place = before
                .filter(|other| depth_of(other) == this && !is_closing(other))
                .count();
            path.push(format!("[{place}]"));
        }
    }
    path.reverse();
    path.join(".").replace(".[", "[")
}

fn is_closing(line: &str) -> bool {
    line.trim().starts_with([']', '}', ')'])
}

fn is_in_list(lines: &[&str], line: usize, depth: usize) -> bool {
    let opener = lines[..line]
        .iter()
        .rev()
        .find(|other| (other.len() - other.trim_start().len()) / 4 < depth);
    opener.is_some_and(|opener| opener.trim_end().ends_with('['))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_types::{DeviceNumber, Finding, Reason, ReportId, Span, TimeMs};

    fn finding() -> Finding {
        let span = |start| Span {
            start: TimeMs(start),
            end: TimeMs(start + 5),
            quantity: 1,
            reason: None,
            measured: 3,
            limit: 4,
        };
        Finding {
            report: ReportId([1; 32]),
            device: DeviceNumber(7),
            units: 5,
            reason: None,
            spans: vec![span(0), span(5), span(10)],
        }
    }

    fn field(change: impl FnOnce(&mut Finding)) -> String {
        let mut other = finding();
        change(&mut other);
        first_difference(&finding(), &other).expect("they differ").field
    }

    #[test]
    fn the_field_is_named_wherever_it_is() {
        assert_eq!(first_difference(&finding(), &finding()), None);
        assert!(field(|finding| finding.units = 6).starts_with("units"));
        assert!(field(|finding| finding.device = DeviceNumber(8)).starts_with("device"));
        assert!(field(|finding| finding.reason = Some(Reason(3))).starts_with("reason"));
        assert!(field(|finding| finding.spans[2].limit = 9).starts_with("spans[2].limit"));
        assert!(field(|finding| finding.spans[0].start = TimeMs(1)).starts_with("spans[0].start"));
        assert!(field(|finding| finding.spans.truncate(2)).starts_with("spans"));
    }

    #[test]
    fn values_without_fields_are_shown_as_they_are() {
        let found = first_difference(&3, &4).expect("they differ");
        assert_eq!(
            (found.field.as_str(), found.left.as_str(), found.right.as_str()),
            ("", "3", "4")
        );
    }
}
