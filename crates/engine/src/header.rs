//! The header of a block: 409 bytes in one fixed form, whose hash the validators sign. Holds no Commonware types, so that a
//! light client needs this file and a certificate only.
//!
//! ```text
//! form 1 │ era 4 │ base 8 │ genesis 32 │ height 8 │ time 8 │ parent 32 │ epoch 8 │ view 8 │ parent view 8 │ leader 32 │
//! state root 32 │ operations root 32 │ operations start 8 │ end 8 │ tx root 32 │ receipt root 32 │ txs 4 │ seed 48 │ next 32 │
//! payload 32
//! ```

use cairn_types::hash;

/// Bytes of an encoded header.
pub const HEADER_BYTES: usize =
    1 + 4 + 8 + 32 + 8 * 2 + 32 + 8 * 3 + 32 + 32 + 32 + 8 * 2 + 32 + 32 + 4 + SEED_BYTES + 32 + 32;
/// Bytes of a seed: a threshold signature over the round.
pub const SEED_BYTES: usize = 48;
const FORM: u8 = 3;
/// [`Header::next`] of a block after which the era goes on.
pub const NOBODY: [u8; 32] = [0; 32];
/// [`Header::next`] of a block after the era's last one. Such blocks change nothing; they only carry the last one's finality.
pub const OVER: [u8; 32] = [0xff; 32];

/// What validators agree on. All that a block does follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The key era: grows by one when the validators' group key is made afresh.
    pub era: u32,
    /// The height at which this era took over; 0 for the first.
    pub base: u64,
    /// [`StateMachine::genesis_digest`](crate::StateMachine::genesis_digest).
    pub genesis: [u8; 32],
    /// The era's base for its genesis block, which is never executed.
    pub height: u64,
    pub time_ms: u64,
    /// The digest of the block before.
    pub parent: [u8; 32],
    /// The consensus epoch (not one of the ledger's) and the view in which the block was proposed.
    pub epoch: u64,
    pub view: u64,
    pub parent_view: u64,
    /// The Ed25519 key of the validator that proposed it.
    pub leader: [u8; 32],
    /// The root under which values and absences are proven, after this block.
    pub state_root: [u8; 32],
    /// What a joining node needs to fetch the state: the root over the log of operations, and its range.
    pub ops_root: [u8; 32],
    pub ops_start: u64,
    pub ops_end: u64,
    /// Merkle root over the transactions.
    pub tx_root: [u8; 32],
    /// Merkle root over the receipts; leaf 0 is that of the block's beginning.
    pub receipt_root: [u8; 32],
    pub txs: u32,
    /// The seed of the parent's round; zeros in the first block of an epoch, whose parent may be final in a later round only.
    pub seed: [u8; SEED_BYTES],
    /// Who goes on after this block, see [`Successor`](crate::light::Successor); [`NOBODY`] in the midst of an era.
    pub next: [u8; 32],
    /// Hash of what the block carries for the next committee; zeros when it carries nothing.
    pub payload: [u8; 32],
}

/// Why bytes are not a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    #[error("a header has {HEADER_BYTES} bytes, not {0}")]
    Length(usize),
    #[error("header form {0} is unknown")]
    Form(u8),
    #[error("the range of operations is empty")]
    EmptyRange,
    #[error("the block is from before its era")]
    BeforeItsEra,
}

impl Header {
    /// The one byte form.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let mut at = 0;
        let mut push = |part: &[u8]| {
            bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        };
        push(&[FORM]);
        push(&self.era.to_be_bytes());
        push(&self.base.to_be_bytes());
        push(&self.genesis);
        push(&self.height.to_be_bytes());
        push(&self.time_ms.to_be_bytes());
        push(&self.parent);
        push(&self.epoch.to_be_bytes());
        push(&self.view.to_be_bytes());
        push(&self.parent_view.to_be_bytes());
        push(&self.leader);
        push(&self.state_root);
        push(&self.ops_root);
        push(&self.ops_start.to_be_bytes());
        push(&self.ops_end.to_be_bytes());
        push(&self.tx_root);
        push(&self.receipt_root);
        push(&self.txs.to_be_bytes());
        push(&self.seed);
        push(&self.next);
        push(&self.payload);
        assert_eq!(at, HEADER_BYTES, "every byte of a header is written");
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        let bytes: &[u8; HEADER_BYTES] = bytes.try_into().map_err(|_| HeaderError::Length(bytes.len()))?;
        let mut fields = Fields(bytes);
        let [form] = fields.take();
        if form != FORM {
            return Err(HeaderError::Form(form));
        }
        let header = Self {
            era: u32::from_be_bytes(fields.take()),
            base: fields.number(),
            genesis: fields.take(),
            height: fields.number(),
            time_ms: fields.number(),
            parent: fields.take(),
            epoch: fields.number(),
            view: fields.number(),
            parent_view: fields.number(),
            leader: fields.take(),
            state_root: fields.take(),
            ops_root: fields.take(),
            ops_start: fields.number(),
            ops_end: fields.number(),
            tx_root: fields.take(),
            receipt_root: fields.take(),
            txs: u32::from_be_bytes(fields.take()),
            seed: fields.take(),
            next: fields.take(),
            payload: fields.take(),
        };
        if header.height < header.base {
            return Err(HeaderError::BeforeItsEra);
        }
        if header.ops_start >= header.ops_end {
            return Err(HeaderError::EmptyRange);
        }
        Ok(header)
    }

    /// What certificates sign and children name.
    pub fn digest(&self) -> [u8; 32] {
        hash::domain("cairn/header/3", &[&self.encode()]).0
    }

    /// Whether this is the block before an era's first.
    pub fn is_genesis(&self) -> bool {
        self.height == self.base
    }

    /// Whether the era has ended with this block or before it.
    pub fn is_over(&self) -> bool {
        self.next != NOBODY
    }

    /// Randomness that nobody could know before the parent's votes; `None` for the first block of an era or of an epoch.
    pub fn beacon(&self) -> Option<[u8; 32]> {
        (self.seed != [0; SEED_BYTES]).then(|| hash::domain("cairn/beacon/1", &[&self.seed]).0)
    }
}

/// Reads fields off the front of a header's bytes.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self
            .0
            .split_first_chunk()
            .expect("the fields add up to HEADER_BYTES, checked before");
        self.0 = rest;
        *field
    }

    fn number(&mut self) -> u64 {
        u64::from_be_bytes(self.take())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample() -> Header {
        Header {
            era: 1,
            base: 2,
            genesis: [2; 32],
            height: 3,
            time_ms: 4,
            parent: [5; 32],
            epoch: 6,
            view: 7,
            parent_view: 8,
            leader: [9; 32],
            state_root: [10; 32],
            ops_root: [11; 32],
            ops_start: 12,
            ops_end: 13,
            tx_root: [14; 32],
            receipt_root: [15; 32],
            txs: 16,
            seed: [17; SEED_BYTES],
            next: [18; 32],
            payload: [19; 32],
        }
    }

    #[test]
    fn a_header_survives_its_bytes_and_every_byte_counts() {
        let header = sample();
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes), Ok(header.clone()));
        for at in 0..HEADER_BYTES {
            let mut changed = bytes;
            changed[at] ^= 1;
            if let Ok(other) = Header::decode(&changed) {
                assert_ne!(other.digest(), header.digest(), "byte {at}");
            }
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let bytes = sample().encode();
        assert_eq!(Header::decode(&bytes[1..]), Err(HeaderError::Length(HEADER_BYTES - 1)));
        let mut other = bytes;
        other[0] = 9;
        assert_eq!(Header::decode(&other), Err(HeaderError::Form(9)));
        let empty = Header {
            ops_end: 12,
            ..sample()
        };
        assert_eq!(Header::decode(&empty.encode()), Err(HeaderError::EmptyRange));
        let early = Header { base: 4, ..sample() };
        assert_eq!(Header::decode(&early.encode()), Err(HeaderError::BeforeItsEra));
    }
}
