//! One device of the agent: whose key, which network, which messages wait. Its driver is built from the kept messages when
//! something is to be sealed, so a waiting device costs little memory and a restarted one forgets nothing. No I/O here.

use crate::outbox::record::{Kept, Mark, Message};
use cairn_types::{DeviceId, Envelope, EpochClock, NetworkId, Report, SecretKey, TimeMs};
use cairn_verticals::Vertical;
use cairn_verticals::kit::{Driver, DriverError, Pack, ParamsError};

/// The longest message of a port, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Messages of one device, and their bytes, that wait at most; then everything is sealed early.
const WAITING_MESSAGES_MAX: usize = 512;
const WAITING_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;

/// What the agent must know of a network.
pub struct Network {
    pub name: String,
    pub id: NetworkId,
    pub vertical: &'static dyn Vertical,
    pub params: Vec<u8>,
    pub clock: EpochClock,
    /// So many waiting readings are sealed without waiting for the epoch's end.
    pub readings_max: u32,
    /// How long after an epoch's end its readings may still arrive for the same report.
    pub grace_ms: u64,
}

impl Network {
    pub fn driver(&self) -> Result<Box<dyn Driver>, ParamsError> {
        self.vertical.driver(&self.params, self.clock)
    }

    /// Reads a message with an empty driver: how many readings it has, and the ends of their first and last epochs. A
    /// message without any, such as the first state of a counter, counts for the epoch it arrives in.
    pub fn probe(
        &self,
        probe: &mut dyn Driver,
        bytes: &[u8],
        now: TimeMs,
    ) -> Result<(u32, TimeMs, TimeMs), DriverError> {
        let end_of = |time| {
            self.clock
                .epoch_of(time)
                .map_or(TimeMs(0), |epoch| self.clock.end(epoch))
        };
        let pushed = probe.push(bytes, now);
        let packs = probe.packs(TimeMs(u64::MAX));
        let ends = || packs.iter().map(|pack| end_of(pack.time));
        let arrival = end_of(now);
        let readings = u32::try_from(pushed?).unwrap_or(u32::MAX);
        Ok((
            readings,
            ends().min().unwrap_or(arrival),
            ends().max().unwrap_or(arrival).max(arrival),
        ))
    }
}

pub struct Device {
    pub name: Box<str>,
    pub id: DeviceId,
    pub key: SecretKey,
    /// Its place in the agent's networks.
    pub network: u16,
    /// Messages on disk that are not wholly sealed, and one that is, in the order of arrival.
    pub kept: Vec<Kept>,
    /// When something of it should be sealed, as the agent's calendar has it.
    pub due: Option<TimeMs>,
}

/// How much to seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Readings of epochs that end at or before this time.
    Time(TimeMs),
    Everything,
}

impl Device {
    /// When the next of the waiting readings should be sealed.
    pub fn next_due(&self, mark: &Mark, grace_ms: u64) -> Option<TimeMs> {
        let end = |one: &Kept| {
            if one.entry <= mark.upto && one.first_end <= mark.until {
                one.last_end
            } else {
                one.first_end
            }
        };
        let waiting = self.kept.iter().filter(|one| !mark.has_all_of(one));
        waiting.map(end).min().map(|end| end.plus_ms(grace_ms))
    }

    /// The report of a pack. Sequence numbers start near the clock, so that they rise even after the outbox is lost.
    pub fn seal(&self, network: NetworkId, pack: Pack, last_sequence: u64) -> (u64, Vec<u8>) {
        let sequence = last_sequence.saturating_add(1).max(pack.time.0);
        let report = Report {
            network,
            time: pack.time,
            sequence,
            body: pack.body,
        };
        (sequence, Envelope::seal(&report, &self.key))
    }
}

/// Whether so much waits that it should be sealed at once.
pub fn is_plenty<'a>(waiting: impl Iterator<Item = &'a Kept>, readings_max: u32) -> bool {
    let (mut messages, mut readings, mut bytes) = (0, 0u64, 0);
    for one in waiting {
        messages += 1;
        readings += u64::from(one.readings);
        bytes += one.bytes as usize;
    }
    readings >= readings_max.into() || messages >= WAITING_MESSAGES_MAX || bytes >= WAITING_BYTES_MAX
}

/// What is to be sealed of a device's messages, and how far the device is then. The driver sees every message again, in
/// order, and what the mark says is sealed is taken out and dropped. Also says how many messages it no longer took.
pub fn packs(driver: &mut dyn Driver, messages: &[Message], mark: Mark, until: Until) -> (Vec<Pack>, Mark, u32) {
    let mut refused = 0;
    let (whole, rest) = messages.split_at(messages.partition_point(|message| message.entry <= mark.whole));
    let (part, new) = rest.split_at(rest.partition_point(|message| message.entry <= mark.upto));
    // What comes out for the first two was sealed before.
    refused += push_all(driver, whole, TimeMs(u64::MAX), &mut Vec::new());
    driver.packs(TimeMs(u64::MAX));
    refused += push_all(driver, part, mark.until, &mut Vec::new());
    driver.packs(mark.until);
    let mut early = Vec::new();
    refused += push_all(driver, new, TimeMs(u64::MAX), &mut early);
    let last = messages
        .last()
        .map_or(mark.upto, |message| message.entry)
        .max(mark.upto);
    let everything = until == Until::Everything || !early.is_empty();
    let mut after = Mark { upto: last, ..mark };
    let late = if everything {
        after.whole = last;
        driver.packs(TimeMs(u64::MAX))
    } else if let Until::Time(until) = until {
        after.until = mark.until.max(until);
        driver.packs(after.until)
    } else {
        Vec::new()
    };
    early.extend(late);
    (early, after, refused)
}

/// Pushes messages, taking out packs up to `until` when the driver is full. Says how many it did not take even so.
fn push_all(driver: &mut dyn Driver, messages: &[Message], until: TimeMs, out: &mut Vec<Pack>) -> u32 {
    let mut refused = 0;
    for message in messages {
        let mut pushed = driver.push(&message.bytes, message.now);
        if pushed == Err(DriverError::Full) {
            out.extend(driver.packs(until));
            pushed = driver.push(&message.bytes, message.now);
        }
        refused += u32::from(pushed.is_err());
    }
    refused
}
