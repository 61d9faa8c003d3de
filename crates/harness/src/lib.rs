//! Whole networks in one deterministic process: a real ledger in memory, the real verifier core, real agents, a customer and the
//! gateway, all played from one seed, with faults. Opens no socket, never sleeps, asks nobody what time it is.
//!
//! ```text
//! plan ─▶ world.step: devices ─▶ agents ═(way: lost, twice, late)═▶ verifier ═(line: away, lost, unheard)═▶ ledger
//!                                                                      │ an epoch is paid
//!                                                                      ▼
//!                                            records ─▶ properties: what must hold, by name
//! ```

pub mod agents;
pub mod diary;
pub mod line;
pub mod market;
pub mod people;
pub mod plan;
pub mod properties;
pub mod records;
pub mod simulate;
pub mod verifier;
pub mod world;

use cairn_types::{EpochClock, TimeMs};
use cairn_verifier::intake::Windows;
use cairn_verticals::sensors::Sensors;

/// The vertical that is played.
pub static VERTICAL: Sensors = Sensors;

/// 2017-07-15T00:00:00Z.
pub const START: TimeMs = TimeMs(1_500_076_800_000);
pub const HOUR_MS: u64 = 3_600_000;
/// Every device speaks once in a step.
pub const STEP_MS: u64 = 300_000;
pub const STEPS_PER_HOUR: u64 = HOUR_MS / STEP_MS;
pub const CLOCK: EpochClock = EpochClock {
    genesis: START,
    epoch_ms: HOUR_MS,
};
/// The copying cheat sends a quarter of an hour after its original: it must still find the door open.
pub const WINDOWS: Windows = Windows {
    ahead_ms_max: 600_000,
    grace_ms: 1_500_000,
};

/// The moment of a step.
pub fn time_of(step: u64) -> TimeMs {
    START.plus_ms(step * STEP_MS)
}
