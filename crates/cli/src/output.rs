//! How commands answer: lines and tables for people, one JSON object for machines (`--json`), progress on standard error.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;
use std::io::{IsTerminal, Write};

/// Where answers go.
#[derive(Clone, Copy)]
pub struct Output {
    pub json: bool,
}

impl Output {
    /// One answer in both forms; `lines` is only asked for where a person reads.
    pub fn answer(self, value: &Value, lines: impl FnOnce() -> Vec<String>) {
        let mut out = std::io::stdout().lock();
        let written = if self.json {
            writeln!(out, "{value}")
        } else {
            lines().iter().try_for_each(|line| writeln!(out, "{line}"))
        };
        // A reader that closed the pipe has what it wanted.
        let _ = written;
    }

    /// A remark for people; machines get none.
    pub fn say(self, line: impl std::fmt::Display) {
        if !self.json {
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        }
    }

    /// A progress bar on standard error: hidden under `--json` and where nobody looks.
    pub fn progress(self, total: u64, what: &'static str) -> ProgressBar {
        let bar = ProgressBar::new(total);
        if self.json || !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let style =
            ProgressStyle::with_template("{prefix:>10} {bar:40} {pos}/{len} {elapsed_precise} left {eta} {msg}")
                .expect("the template is ours");
        bar.set_style(style);
        bar.set_prefix(what);
        bar
    }
}

/// Rows under a header, columns aligned: the first to the left, the others to the right.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let mut widths: Vec<usize> = header.iter().map(|name| name.chars().count()).collect();
    for row in rows {
        for (width, field) in widths.iter_mut().zip(row) {
            *width = (*width).max(field.chars().count());
        }
    }
    let line = |fields: Vec<&str>| {
        let padded: Vec<String> = fields
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(at, (field, width))| {
                if at == 0 {
                    format!("{field:<width$}")
                } else {
                    format!("{field:>width$}")
                }
            })
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    std::iter::once(line(header.to_vec()))
        .chain(rows.iter().map(|row| line(row.iter().map(String::as_str).collect())))
        .collect()
}

/// How long that is, in its two largest units, rounded down.
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1_000;
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let first = parts
        .iter()
        .position(|(count, _)| *count > 0)
        .unwrap_or(parts.len() - 1);
    let shown = parts[first..]
        .iter()
        .take(2)
        .filter(|(count, _)| *count > 0 || seconds == 0);
    let words: Vec<String> = shown.map(|(count, unit)| format!("{count} {unit}")).collect();
    words.join(" ")
}

/// An integer of base units with its decimal point: `dollars(1_500_000, 6)` is `1.5`.
pub fn decimal(amount: u64, decimals: u8) -> String {
    let scale = 10u64.pow(decimals.into());
    let (whole, part) = (amount / scale, amount % scale);
    if part == 0 {
        return whole.to_string();
    }
    let digits = format!("{part:0width$}", width = decimals.into());
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_aligns_its_columns() {
        let rows = vec![
            vec!["ams1".to_owned(), "5".to_owned()],
            vec!["x".to_owned(), "1200".to_owned()],
        ];
        assert_eq!(
            table(&["device", "units"], &rows),
            ["device  units", "ams1        5", "x        1200"]
        );
    }

    #[test]
    fn a_duration_has_its_two_largest_units() {
        for (ms, text) in [
            (0, "0 s"),
            (999, "0 s"),
            (61_000, "1 min 1 s"),
            (3_600_000, "1 h"),
            (86_399_999, "23 h 59 min"),
            (90_061_000, "1 d 1 h"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn an_amount_keeps_every_unit() {
        for (amount, decimals, text) in [(1_500_000, 6, "1.5"), (1, 6, "0.000001"), (0, 6, "0"), (7, 0, "7")] {
            assert_eq!(decimal(amount, decimals), text);
        }
    }
}
