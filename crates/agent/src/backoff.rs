//! How long to wait after failures: twice as long each time, with jitter, never longer than a limit. It draws nothing
//! itself.

/// The waits between tries.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    pub first_ms: u64,
    pub max_ms: u64,
    /// The longest wait that a verifier's `Retry-After` can ask for.
    pub asked_ms_max: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first_ms: 500,
            max_ms: 5 * 60_000,
            asked_ms_max: 60 * 60_000,
        }
    }
}

impl Backoff {
    /// The wait after so many failures in a row (at least one): between half and all of the doubled first wait, rounded
    /// down, and at least what the verifier asked for. `random` decides where between.
    pub fn wait_ms(&self, failures: u32, asked_ms: Option<u64>, random: u64) -> u64 {
        let doublings = failures.saturating_sub(1).min(32);
        let whole = self.first_ms.saturating_mul(1 << doublings).min(self.max_ms);
        let half = whole / 2;
        let own = half + random % (whole - half + 1);
        own.max(asked_ms.unwrap_or(0).min(self.asked_ms_max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_jitter_by_half() {
        let backoff = Backoff::default();
        for (failures, asked, random, wait) in [
            (1, None, 0, 250),
            (1, None, 250, 500),
            (1, None, 251, 250),
            (2, None, 0, 500),
            (5, None, 0, 4_000),
            (30, None, 0, 150_000),
            (u32::MAX, None, u64::MAX, 150_000 + u64::MAX % 150_001),
            (1, Some(7_000), 0, 7_000),
            (9, Some(1_000), 0, 64_000),
            (1, Some(u64::MAX), 0, 3_600_000),
        ] {
            assert_eq!(
                backoff.wait_ms(failures, asked, random),
                wait,
                "{failures} {asked:?} {random}"
            );
        }
    }
}
