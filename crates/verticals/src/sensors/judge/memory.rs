//! What judging remembers of a device from epoch to epoch: a bounded record of counters, never a reading's history.

use crate::kit::MemoryError;
use crate::kit::range::Track;
use crate::sensors::report::QUANTITIES_MAX;
use cairn_types::{DeviceNumber, codec};
use minicbor::{Decode, Encode};

/// The most epochs remembered for finding replays; only epochs in which something changed are.
pub const PAST_MAX: usize = 48;

/// An epoch's series is forgotten after so many epochs.
pub const PAST_EPOCHS_MAX: u16 = 168;

/// Unit counts are halved at this many slots, place counts at this many epochs.
pub const UNIT_SLOTS_MAX: u8 = 128;
pub const PLACE_EPOCHS_MAX: u16 = 512;

/// One remembered epoch of a device: how long ago, and what its series was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Past {
    #[n(0)]
    pub ago: u16,
    #[n(1)]
    pub series: u32,
}

/// The last value of one quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Tracked {
    #[n(0)]
    pub quantity: u16,
    #[n(1)]
    pub track: Track,
}

/// Wet slots compared with the neighbours': how many, and in how many the value was far above or far below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct UnitCount {
    #[n(0)]
    pub both: u8,
    #[n(1)]
    pub high: u8,
    #[n(2)]
    pub low: u8,
}

/// Compared epochs: how many, wet here, wet around, wet in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PlaceCount {
    #[n(0)]
    pub epochs: u16,
    #[n(1)]
    pub here: u16,
    #[n(2)]
    pub around: u16,
    #[n(3)]
    pub both: u16,
}

/// Another device whose series this one's has been equal to, in so many changes of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Twin {
    #[n(0)]
    pub device: DeviceNumber,
    #[n(1)]
    pub changes: u16,
}

/// An own earlier series, so many epochs ago, that this one has been equal to in so many changes of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Replay {
    #[n(0)]
    pub lag: u16,
    #[n(1)]
    pub changes: u16,
}

/// Everything remembered of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct DeviceMemory {
    #[n(0)]
    pub number: DeviceNumber,
    /// Slots with rain around and none here: one after another until there are too many, then all until it rains here.
    #[n(1)]
    pub missed: u16,
    #[n(2)]
    pub unit: UnitCount,
    #[n(3)]
    pub place: PlaceCount,
    #[n(4)]
    pub twin: Option<Twin>,
    #[n(5)]
    pub replay: Option<Replay>,
    /// The latest first.
    #[n(6)]
    pub past: Vec<Past>,
    /// In the order of quantities.
    #[n(7)]
    pub tracks: Vec<Tracked>,
}

/// The memory of all devices of the network, in the order of their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Memory {
    #[n(0)]
    pub devices: Vec<DeviceMemory>,
}

impl Memory {
    /// Reads an earlier epoch's bytes; none at all are those of the first epoch.
    pub fn decode(bytes: &[u8]) -> Result<Self, MemoryError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let memory: Self = codec::decode_canonical(bytes).map_err(|error| MemoryError(error.to_string()))?;
        let bounded = |device: &DeviceMemory| {
            let (unit, place) = (&device.unit, &device.place);
            unit.high.max(unit.low) <= unit.both
                && unit.both < UNIT_SLOTS_MAX
                && place.here.max(place.around) <= place.epochs
                && place.both <= place.here.min(place.around)
                && place.epochs < PLACE_EPOCHS_MAX
                && device.past.len() <= PAST_MAX
                && device.past.iter().all(|past| past.ago <= PAST_EPOCHS_MAX)
                && device.tracks.is_sorted_by(|one, next| one.quantity < next.quantity)
                && device
                    .tracks
                    .iter()
                    .all(|track| usize::from(track.quantity) < QUANTITIES_MAX)
        };
        let sorted = memory.devices.is_sorted_by(|one, next| one.number < next.number);
        if sorted && memory.devices.iter().all(bounded) {
            Ok(memory)
        } else {
            Err(MemoryError(
                "devices or quantities out of order, or a count out of bounds".into(),
            ))
        }
    }
}
