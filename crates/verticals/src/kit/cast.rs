//! The players of a vertical: devices made from a seed, honest ones and one for every known cheat. A cast only speaks; what
//! it says is judged like anything else.

use super::vertical::Pack;
use cairn_types::{AccountNumber, CellId, EpochClock, EpochNumber, Reason, TimeMs};

/// What a device of a cast is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Honest,
    /// A cheat, and the reason with which it must be refused.
    Cheat {
        name: &'static str,
        reason: Reason,
    },
}

/// One device of a cast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CastDevice {
    pub name: String,
    pub role: Role,
    pub cell: CellId,
    pub operator: AccountNumber,
    pub joined: EpochNumber,
}

/// What one device of the cast sends in an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CastReport {
    /// Its place in `devices()`.
    pub device: usize,
    pub sequence: u64,
    pub received: TimeMs,
    pub pack: Pack,
}

/// Devices and all they ever say; asked twice, it says the same. Epochs are one hour.
pub trait Cast: Send + Sync {
    /// In the order of registration.
    fn devices(&self) -> &[CastDevice];

    /// How many epochs the story lasts.
    fn epochs(&self) -> u64;

    /// All reports that carry a time in this epoch, in order of device.
    fn reports(&self, epoch: EpochNumber, clock: &EpochClock) -> Vec<CastReport>;
}
