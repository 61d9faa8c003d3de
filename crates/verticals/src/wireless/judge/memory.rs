//! What judging remembers from epoch to epoch: the seed of the next challenge, bounded records of devices, senders' counters,
//! and short names of frames that were heard. Never a report.

use crate::kit::MemoryError;
use cairn_types::{CellId, DeviceNumber, EpochNumber, TimeMs, codec};
use minicbor::{Decode, Encode};

/// The most frames remembered, for each member of the network and for the network besides; the oldest are forgotten first.
pub const FRAMES_PER_MEMBER: usize = 96;
pub const FRAMES_BESIDES: usize = 32_768;
/// The most receptions of the end of an epoch remembered with their times, for each member.
pub const RECENT_PER_MEMBER: usize = 12;
/// The most senders whose counter is remembered, for each member, and for the network besides.
pub const SOURCES_PER_MEMBER: usize = 2;
pub const SOURCES_BESIDES: usize = 8;
/// More measured distances than this are counted in half.
pub const RANGED_MAX: u16 = 1_000;
pub const TWINS_MAX: usize = 3;
pub const PEERS_MAX: usize = 16;

/// Frames of one epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Bucket {
    /// When the epoch began.
    #[n(0)]
    pub start: TimeMs,
    /// Short names, four bytes each, rising.
    #[cbor(n(1), with = "minicbor::bytes")]
    frames: Vec<u8>,
}

/// A reception shortly before the epoch's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct Recent {
    #[n(0)]
    pub frame: u32,
    #[n(1)]
    pub time: TimeMs,
    #[n(2)]
    pub device: DeviceNumber,
}

/// The counter of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct SourceMemory {
    #[n(0)]
    pub id: u64,
    #[n(1)]
    pub counter: u32,
    /// When the counter began anew, as far as it was heard.
    #[n(2)]
    pub since: TimeMs,
    #[n(3)]
    pub last: TimeMs,
}

/// An earlier device with which a device has receptions in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Twin {
    #[n(0)]
    pub device: DeviceNumber,
    /// Transmissions both heard.
    #[n(1)]
    pub both: u16,
    /// …as strong and as clear as each other.
    #[n(2)]
    pub alike: u16,
    /// …as strong as each other.
    #[n(3)]
    pub same: u16,
    /// …as strong and as clear but for twice as much.
    #[n(4)]
    pub near: u16,
    /// …exactly as clear as each other, and not far from as strong.
    #[n(5)]
    pub equal: u16,
    /// Transmissions the later device told of since, whether both heard them or not.
    #[n(6)]
    pub told: u16,
}

/// A device whose beacons were witnessed, in so many epochs more than not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Peer {
    #[n(0)]
    pub device: DeviceNumber,
    #[n(1)]
    pub repeats: u8,
}

/// Everything remembered of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct DeviceMemory {
    #[n(0)]
    pub number: DeviceNumber,
    /// Epochs in which it spoke since it last sent a beacon that was witnessed, and since it last witnessed one.
    #[n(1)]
    pub sent_ago: u8,
    #[n(2)]
    pub heard_ago: u8,
    /// In the order of devices, both.
    #[n(3)]
    pub twins: Vec<Twin>,
    #[n(4)]
    pub peers: Vec<Peer>,
    /// How many measured distances fitted the place, how many contradicted it, and which place that was.
    #[n(5)]
    pub ranged: Option<Ranged>,
}

/// What measured distances said of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Ranged {
    #[n(0)]
    pub cell: CellId,
    #[n(1)]
    pub fit: u16,
    #[n(2)]
    pub unfit: u16,
}

/// The memory of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Memory {
    /// The seed of the challenges of the epoch that comes.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub seed: [u8; 32],
    /// In the order of their numbers.
    #[n(1)]
    pub devices: Vec<DeviceMemory>,
    /// The oldest first.
    #[n(2)]
    pub buckets: Vec<Bucket>,
    /// In the order of frame, time and device.
    #[n(3)]
    pub recent: Vec<Recent>,
    /// In the order of their names.
    #[n(4)]
    pub sources: Vec<SourceMemory>,
    /// The epoch that was judged. One that is not, hands on no seed: what is asked for in the next one nobody could know.
    #[n(5)]
    pub epoch: Option<EpochNumber>,
}

impl Bucket {
    /// Of short names in rising order, each once.
    pub fn of(start: TimeMs, frames: &[u32]) -> Self {
        Self {
            start,
            frames: frames.iter().flat_map(|frame| frame.to_be_bytes()).collect(),
        }
    }

    pub fn frames(&self) -> impl Iterator<Item = u32> + '_ {
        self.frames
            .chunks_exact(4)
            .map(|bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    pub fn count(&self) -> usize {
        self.frames.len() / 4
    }
}

impl Memory {
    /// The seed of an epoch's challenges, if the epoch before it was judged.
    pub fn seed_of(&self, epoch: EpochNumber) -> Option<&[u8; 32]> {
        let follows = self.epoch.is_none_or(|before| before.next() == epoch);
        follows.then_some(&self.seed)
    }

    /// Reads an earlier epoch's bytes; none at all are those of the first epoch.
    pub fn decode(bytes: &[u8]) -> Result<Self, MemoryError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let memory: Self = codec::decode_canonical(bytes).map_err(|error| MemoryError(error.to_string()))?;
        let device = |device: &DeviceMemory| {
            device.twins.len() <= TWINS_MAX
                && device.twins.is_sorted_by(|one, next| one.device < next.device)
                && device
                    .twins
                    .iter()
                    .all(|twin| twin.alike <= twin.same && twin.same.max(twin.near).max(twin.equal) <= twin.both)
                && device.peers.len() <= PEERS_MAX
                && device.peers.is_sorted_by(|one, next| one.device < next.device)
                && device
                    .ranged
                    .is_none_or(|ranged| ranged.fit.max(ranged.unfit) < RANGED_MAX)
        };
        let bucket = |bucket: &Bucket| {
            bucket.frames.len().is_multiple_of(4)
                && bucket.frames().collect::<Vec<_>>().is_sorted_by(|one, next| one < next)
        };
        let sorted = memory.devices.is_sorted_by(|one, next| one.number < next.number)
            && memory.buckets.is_sorted_by(|one, next| one.start < next.start)
            && memory.recent.is_sorted_by(|one, next| one < next)
            && memory.sources.is_sorted_by(|one, next| one.id < next.id);
        if sorted && memory.devices.iter().all(device) && memory.buckets.iter().all(bucket) {
            Ok(memory)
        } else {
            Err(MemoryError(
                "devices, frames or senders out of order, or out of bounds".into(),
            ))
        }
    }
}
