//! Reads what `cargo test -- --show-output` prints, line by line: counts, and collects what tests skipped. Never runs anything.

/// How a test says that it could not run: `SKIPPED: what: why`, one line per test.
const SKIPPED: &str = "SKIPPED: ";

/// Sums over all test programs of a run.
#[derive(Debug, Default)]
pub struct Tally {
    /// As the test programs count: with those that ended well without testing.
    ended_well: u64,
    failed: u64,
    not_run: u64,
    /// Tests that ended well without testing.
    skipped: u64,
    /// What they said, each line once, in order.
    reasons: Vec<String>,
    /// Between `successes:` and what follows it: the captured words of tests that passed.
    in_captured: bool,
    /// The captured test at hand has been counted as skipped.
    counted: bool,
}

impl Tally {
    /// Takes the next line; answers whether a person wants to see it. Captured words of tests that passed are not shown.
    pub fn line(&mut self, line: &str) -> bool {
        if line.starts_with("test result: ") {
            self.in_captured = false;
            self.ended_well += number_before(line, " passed");
            self.failed += number_before(line, " failed");
            self.not_run += number_before(line, " ignored");
        } else if line == "failures:" {
            self.in_captured = false;
        } else if line == "successes:" {
            self.in_captured = true;
        } else if self.in_captured && line.starts_with("---- ") {
            self.counted = false;
        } else if let Some(reason) = line.trim_start().strip_prefix(SKIPPED) {
            if self.in_captured && !self.counted {
                self.counted = true;
                self.skipped += 1;
            }
            self.reason(reason);
        }
        !self.in_captured
    }

    /// Takes the next line of a test of the page: Vitest's and Playwright's sums count. A person wants to see all of them.
    pub fn page_line(&mut self, line: &str) {
        let line = line.trim();
        let words: Vec<&str> = line.split_whitespace().collect();
        let sums = line.starts_with("Tests ")
            || matches!(words[..], [number, "passed" | "failed" | "skipped", ..] if number.parse::<u64>().is_ok());
        if sums {
            self.ended_well += number_before(line, " passed");
            self.failed += number_before(line, " failed");
            self.not_run += number_before(line, " skipped");
        }
    }

    /// Takes the lines that tests wrote to the log of skipped things; what was not seen before counts.
    pub fn log(&mut self, text: &str) {
        for reason in text.lines().filter_map(|line| line.trim().strip_prefix(SKIPPED)) {
            if self.reason(reason) {
                self.skipped += 1;
            }
        }
    }

    /// One line per skipped thing, then the sums.
    pub fn closing(&self) -> String {
        let reasons: String = self
            .reasons
            .iter()
            .map(|reason| format!("{SKIPPED}{reason}\n"))
            .collect();
        let passed = self.ended_well.saturating_sub(self.skipped);
        format!(
            "{reasons}{passed} passed, {} failed, {} skipped",
            self.failed,
            self.skipped + self.not_run
        )
    }

    /// Remembers what was skipped without counting a test; answers whether it is new.
    pub fn reason(&mut self, reason: &str) -> bool {
        let new = !self.reasons.iter().any(|each| each == reason);
        if new {
            self.reasons.push(reason.to_owned());
        }
        new
    }
}

fn number_before(line: &str, word: &str) -> u64 {
    let Some((before, _)) = line.split_once(word) else {
        return 0;
    };
    before
        .rsplit(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_the_page_are_counted() {
        let mut tally = Tally::default();
        for line in [
            " Test Files  5 passed | 1 skipped (6)",
            "      Tests  2 failed | 147 passed | 1 skipped (148)",
            "  ✓  1 [fixture] › a test of 3 failed things (2.2s)",
            "  1 failed",
            "    [fixture] › something",
            "  35 passed (3.3m)",
        ] {
            tally.page_line(line);
        }
        assert_eq!(tally.closing(), "182 passed, 3 failed, 1 skipped");
    }

    const RUN: &str = "\
running 3 tests
test a ... ok
test b ... ok
test c ... FAILED

successes:

---- a stdout ----
chatter
SKIPPED: mqtt client: no mosquitto_pub
SKIPPED: mqtt client: no mosquitto_pub

successes:
    a
    b

failures:

---- c stdout ----
it broke

failures:
    c

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    fn tally(text: &str) -> (Tally, String) {
        let mut tally = Tally::default();
        let shown: String = text
            .lines()
            .filter(|line| tally.line(line))
            .map(|line| format!("{line}\n"))
            .collect();
        (tally, shown)
    }

    #[test]
    fn a_skipped_test_is_not_a_passed_one() {
        assert_eq!(
            tally(RUN).0.closing(),
            "SKIPPED: mqtt client: no mosquitto_pub\n1 passed, 1 failed, 2 skipped"
        );
    }

    #[test]
    fn programs_are_summed_and_reasons_said_once() {
        let (tally, _) = tally(&RUN.repeat(2));
        assert_eq!(
            tally.closing(),
            "SKIPPED: mqtt client: no mosquitto_pub\n2 passed, 2 failed, 4 skipped"
        );
    }

    #[test]
    fn captured_words_are_hidden_unless_a_test_failed() {
        let (_, shown) = tally(RUN);
        assert!(!shown.contains("chatter") && shown.contains("it broke") && shown.contains("test a ... ok"));
    }

    #[test]
    fn the_log_counts_only_what_was_not_seen() {
        let (mut tally, _) = tally(RUN);
        tally.log("SKIPPED: mqtt client: no mosquitto_pub\nSKIPPED: s3: no server\n");
        assert!(
            tally
                .closing()
                .ends_with("SKIPPED: s3: no server\n0 passed, 1 failed, 3 skipped")
        );
    }
}
