//! What a device's agent, a customer's router and the gateway between them say to each other, as deterministic CBOR: the claim, the
//! offer, the packet, the promise. Only forms, their bounds and what is signed; nothing is decided here.

use cairn_ledger::tx::settle_order::{SettleOrder, Voucher};
use cairn_types::{
    ChainId, Credit, DeviceNumber, Hash, NetworkId, OrderId, PublicKey, SecretKey, Signature, TimeMs, codec, hash,
    merkle,
};
use cairn_verticals::wireless::driver::frame::{Header, header};
use minicbor::{CborLen, Decode, Encode};
use thiserror::Error;

/// The tag of stream orders on the ledger.
pub const SHAPE_STREAM: u8 = 1;
/// The longest message of a line, in bytes: a promise over many devices.
pub const MESSAGE_BYTES_MAX: usize = 32 * 1024;
/// Devices that one order pays.
pub const ENTRIES_MAX: usize = 1_024;
/// Ranges of one kind in a claim.
pub const RANGES_MAX: usize = 64;
/// Copies of a frame that one claim may ask for.
pub const COPIES_MAX: u8 = 16;
const ADDRESS_BYTES_MAX: usize = 256;

/// Numbers from the first to the last, both among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Range {
    #[n(0)]
    pub first: u64,
    #[n(1)]
    pub last: u64,
}

impl Range {
    pub fn contains(&self, number: u64) -> bool {
        (self.first..=self.last).contains(&number)
    }
}

/// Who sent a frame, as its header says; what cannot be told apart is nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum Sender {
    #[n(0)]
    Join {
        #[n(0)]
        join_eui: u64,
        #[n(1)]
        dev_eui: u64,
    },
    #[n(1)]
    Data {
        #[n(0)]
        address: u32,
        #[n(1)]
        counter: u16,
    },
}

impl Sender {
    /// The sender of a LoRaWAN frame (1.0 or 1.1).
    pub fn of(frame: &[u8]) -> Option<Self> {
        match header(frame) {
            Header::Join { join_eui, dev_eui } => Some(Self::Join { join_eui, dev_eui }),
            Header::Data { address, counter, .. } => Some(Self::Data { address, counter }),
            Header::Other => None,
        }
    }
}

/// What a customer wants: whose frames, how many copies, at which router; and how much it may owe a device at any time.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Claim {
    #[n(0)]
    pub network: NetworkId,
    /// What pays.
    #[n(1)]
    pub order: OrderId,
    /// `host:port` of the router.
    #[n(2)]
    pub router: String,
    /// Addresses of data frames (DevAddr).
    #[n(3)]
    pub addresses: Vec<Range>,
    /// Servers that are asked to join (JoinEUI); with none, any.
    #[n(4)]
    pub joins: Vec<Range>,
    /// Senders that ask (DevEUI); with none, any.
    #[n(5)]
    pub devices: Vec<Range>,
    #[n(6)]
    pub copies: u8,
    /// What it may owe one device.
    #[n(7)]
    pub exposure: Credit,
    /// When it was said; a later one takes its place.
    #[n(8)]
    pub said: TimeMs,
}

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ClaimError {
    #[error("a claim has at most {RANGES_MAX} ranges of a kind, each from a smaller to a larger number")]
    Ranges,
    #[error("a claim without addresses, JoinEUIs and DevEUIs wants nothing")]
    Nothing,
    #[error("a claim asks for 1 to {COPIES_MAX} copies")]
    Copies,
    #[error("a router is like host:1690")]
    Router,
    #[error("the claim is not signed by the order's voucher key")]
    Signature,
}

impl Claim {
    pub fn check(&self) -> Result<(), ClaimError> {
        let kinds = [&self.addresses, &self.joins, &self.devices];
        let ordered = |range: &Range| range.first <= range.last;
        if kinds
            .iter()
            .any(|ranges| ranges.len() > RANGES_MAX || !ranges.iter().all(ordered))
        {
            return Err(ClaimError::Ranges);
        }
        if kinds.iter().all(|ranges| ranges.is_empty()) {
            return Err(ClaimError::Nothing);
        }
        if !(1..=COPIES_MAX).contains(&self.copies) {
            return Err(ClaimError::Copies);
        }
        let parts = self
            .router
            .rsplit_once(':')
            .filter(|_| self.router.len() <= ADDRESS_BYTES_MAX);
        let port = parts
            .filter(|(host, _)| !host.is_empty())
            .and_then(|(_, port)| port.parse::<u16>().ok());
        port.filter(|port| *port > 0).map(drop).ok_or(ClaimError::Router)
    }

    /// Whether the customer wants frames of this sender.
    pub fn wants(&self, sender: &Sender) -> bool {
        let within = |ranges: &[Range], number| ranges.iter().any(|range| range.contains(number));
        match *sender {
            Sender::Data { address, .. } => within(&self.addresses, address.into()),
            Sender::Join { join_eui, dev_eui } => {
                let (joins, devices) = (self.joins.as_slice(), self.devices.as_slice());
                (!joins.is_empty() || !devices.is_empty())
                    && (joins.is_empty() || within(joins, join_eui))
                    && (devices.is_empty() || within(devices, dev_eui))
            }
        }
    }

    fn message(&self, chain: &ChainId) -> [u8; 32] {
        hash::domain("cairn/claim/1", &[chain.as_str().as_bytes(), &codec::encode(self)]).0
    }

    /// Signed by the order's voucher key.
    pub fn sign(self, chain: &ChainId, secret: &SecretKey) -> SignedClaim {
        let signature = secret.sign(&self.message(chain));
        SignedClaim { claim: self, signature }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct SignedClaim {
    #[n(0)]
    pub claim: Claim,
    #[n(1)]
    pub signature: Signature,
}

impl SignedClaim {
    pub fn check(&self, chain: &ChainId, key: &PublicKey) -> Result<(), ClaimError> {
        self.claim.check()?;
        let holds = key.verify(&self.claim.message(chain), &self.signature);
        holds.then_some(()).ok_or(ClaimError::Signature)
    }
}

/// What a stream order's terms are: who serves which network. The price is the network's own.
pub fn terms(chain: &ChainId, network: &NetworkId) -> Hash {
    hash::domain("cairn/stream-terms/1", &[chain.as_str().as_bytes(), &network.0])
}

/// Credits owed to one device, all in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Entry {
    #[n(0)]
    pub device: DeviceNumber,
    #[n(1)]
    pub credits: Credit,
}

/// A voucher and what is under its root. It replaces those before.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Promise {
    #[n(0)]
    pub settle: SettleOrder,
    /// Sorted by device, each once.
    #[n(1)]
    pub entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PromiseError {
    #[error("a promise names at most {ENTRIES_MAX} devices, in order, each once")]
    Entries,
    #[error("the voucher promises another sum than its devices are owed")]
    Sum,
    #[error("the voucher is over another list of devices")]
    Root,
    #[error("the voucher is of another order")]
    Order,
    #[error("the voucher promises more than the order holds")]
    AboveHeld,
    #[error("the voucher is not signed by the order's voucher key")]
    Signature,
}

/// The root that a voucher over these entries carries.
pub fn root(entries: &[Entry]) -> Hash {
    merkle::root(
        entries
            .iter()
            .map(|entry| merkle::leaf(&codec::encode(entry)))
            .collect(),
    )
}

impl Promise {
    pub fn sign(order: OrderId, entries: Vec<Entry>, chain: &ChainId, secret: &SecretKey) -> Option<Self> {
        let voucher = Voucher {
            order,
            credits: Credit::checked_sum(entries.iter().map(|entry| entry.credits))?,
            meters: root(&entries),
        };
        let settle = voucher.sign(chain, secret);
        Some(Self { settle, entries })
    }

    /// Whether it promises what it lists, out of an order that holds so much, by the order's own key.
    pub fn check(&self, chain: &ChainId, order: &OrderId, key: &PublicKey, held: Credit) -> Result<(), PromiseError> {
        let SettleOrder { voucher, signature, .. } = &self.settle;
        let sorted = self.entries.is_sorted_by(|one, next| one.device < next.device);
        if self.entries.len() > ENTRIES_MAX || !sorted {
            return Err(PromiseError::Entries);
        }
        if voucher.order != *order {
            return Err(PromiseError::Order);
        }
        let sum = Credit::checked_sum(self.entries.iter().map(|entry| entry.credits));
        if sum != Some(voucher.credits) {
            return Err(PromiseError::Sum);
        }
        if root(&self.entries) != voucher.meters {
            return Err(PromiseError::Root);
        }
        if voucher.credits > held {
            return Err(PromiseError::AboveHeld);
        }
        let holds = self.settle.key == *key && key.verify(&voucher.message(chain), signature);
        holds.then_some(()).ok_or(PromiseError::Signature)
    }

    /// What it promises a device.
    pub fn of(&self, device: DeviceNumber) -> Credit {
        let place = self.entries.binary_search_by_key(&device, |entry| entry.device);
        place.map_or(Credit::ZERO, |place| self.entries[place].credits)
    }
}

/// A promise on its way to whoever settles it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Shown {
    #[n(0)]
    pub promise: Promise,
    /// By the voucher key, when the customer is done: nothing more comes.
    #[n(1)]
    pub last: Option<Signature>,
}

impl Shown {
    /// What the customer signs when it is done.
    pub fn last_message(chain: &ChainId, order: &OrderId, credits: Credit) -> [u8; 32] {
        let parts = [chain.as_str().as_bytes(), &order.0, &credits.0.to_be_bytes()[..]];
        hash::domain("cairn/stream-end/1", &parts).0
    }
}

/// A frame that a device has: all that a router needs to choose, and not the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Offer {
    /// Names it on this line.
    #[n(0)]
    pub number: u64,
    /// SHA-256 of the frame.
    #[n(1)]
    pub frame: Hash,
    #[n(2)]
    pub sender: Sender,
    #[n(3)]
    pub size: u16,
    #[n(4)]
    pub frequency_hz: u32,
    #[n(5)]
    pub spreading: u8,
    #[n(6)]
    pub bandwidth_hz: u32,
    #[n(7)]
    pub rssi_ddbm: i16,
    #[n(8)]
    pub snr_ddb: i16,
    /// By the device's clock.
    #[n(9)]
    pub heard: TimeMs,
    /// The concentrator's counter, which a downlink refers to.
    #[n(10)]
    pub counter_us: Option<u32>,
}

impl Offer {
    /// What the device signs when it hands the frame over.
    pub fn message(&self, chain: &ChainId, order: &OrderId) -> [u8; 32] {
        let parts: [&[u8]; 3] = [chain.as_str().as_bytes(), &order.0, &codec::encode(self)];
        hash::domain("cairn/packet/1", &parts).0
    }
}

/// What a device signs to say who it is.
pub fn hello_message(chain: &ChainId, order: &OrderId, nonce: &[u8; 32], eui: u64) -> [u8; 32] {
    let parts: [&[u8]; 4] = [chain.as_str().as_bytes(), &order.0, nonce, &eui.to_be_bytes()];
    hash::domain("cairn/carry-hello/1", &parts).0
}

/// From a device's agent to a router.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum Up {
    #[n(0)]
    Hello {
        #[n(0)]
        key: PublicKey,
        /// The radio's own number, under which a network server knows it.
        #[n(1)]
        eui: u64,
        #[n(2)]
        signature: Signature,
    },
    #[n(1)]
    Offer(#[n(0)] Offer),
    #[n(2)]
    Packet {
        #[n(0)]
        number: u64,
        #[cbor(n(1), with = "minicbor::bytes")]
        frame: Vec<u8>,
        #[n(2)]
        signature: Signature,
    },
    /// What became of a downlink: nothing, or the protocol's word for what hindered it.
    #[n(3)]
    Sent {
        #[n(0)]
        id: u32,
        #[n(1)]
        error: String,
    },
    /// Still there.
    #[n(4)]
    Ping,
}

/// From a router to a device's agent.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum Down {
    #[n(0)]
    Challenge(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]),
    #[n(1)]
    Welcome,
    #[n(2)]
    Farewell(#[n(0)] String),
    #[n(3)]
    Answer {
        #[n(0)]
        number: u64,
        #[n(1)]
        verdict: Verdict,
    },
    #[n(4)]
    Promise(#[n(0)] Box<Promise>),
    /// A downlink, as the JSON of a PULL_RESP.
    #[n(5)]
    Send {
        #[n(0)]
        id: u32,
        #[cbor(n(1), with = "minicbor::bytes")]
        json: Vec<u8>,
    },
}

/// What becomes of an offered copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, CborLen)]
pub enum Verdict {
    /// It is bought for so much.
    #[n(0)]
    Bought(#[n(0)] Credit),
    /// As many clearer or earlier ones were there as were asked for.
    #[n(1)]
    Enough,
    /// This device brought the frame before.
    #[n(2)]
    Twice,
    /// Not of a sender the customer claims, or too late.
    #[n(3)]
    Unwanted,
    /// The order holds no more, or the customer owes the device as much as it may.
    #[n(4)]
    Spent,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Self::Bought(_) => "bought",
            Self::Enough => "enough",
            Self::Twice => "twice",
            Self::Unwanted => "unwanted",
            Self::Spent => "spent",
        }
    }
}

#[cfg(test)]
mod tests;
