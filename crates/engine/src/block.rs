//! A block as validators exchange and store it. Decoding checks that the body is the one the header names, so the digest,
//! which is the header's, binds all of it.
//!
//! ```text
//! header 409 │ payload │ begin │ (transaction │ receipt) × header.txs        lengths before what varies
//! ```

use crate::{
    EraStart, Executed, Finalized, HEADER_BYTES, Header, TxHash,
    committee::{Directory, MEMBERS_MAX, PAYLOAD_LIMITS, payload_hash},
    engine_types::{Bls, ConsensusContext, Digest, EpochInfo, Payload, PublicKey, State},
    finalized::{receipt_root, tx_root},
    header::NOBODY,
    limits::{BEGIN_BYTES_MAX, BLOCK_BYTES_MAX, BLOCK_TXS_MAX, RECEIPT_BYTES_MAX, TX_BYTES_MAX},
    tx_hash,
};
use bytes::BufMut;
use commonware_codec::{
    Buf, Copying, Decode as _, Encode as _, EncodeSize, Error as CodecError, Read, ReadExt as _, Write,
};
use commonware_consensus::{
    Block as ConsensusBlock, BoundedBlock, CertifiableBlock, Heightable,
    types::{Epoch, Height, Round, View},
};
use commonware_cryptography::{Digestible, Signer as _, ed25519};
use commonware_glue::{dkg::ReshareBlock, stateful::db::ManagedDb};
use commonware_runtime::Spawner;
use commonware_storage::{Context as StorageContext, mmr::Location, qmdb::sync::Target};
use commonware_utils::{non_empty_range, range::NonEmptyRange};
use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, OnceLock},
};

/// A block. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Block(Arc<Inner>);

struct Inner {
    header: Header,
    leader: PublicKey,
    payload: Option<Payload>,
    begin: Vec<u8>,
    txs: Vec<Executed>,
    hashes: OnceLock<HashSet<TxHash>>,
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Block").field(self.header()).finish()
    }
}

impl Block {
    /// A block whose header names this body. `leader` must be the key in the header.
    pub(crate) fn new(
        header: Header,
        leader: PublicKey,
        payload: Option<Payload>,
        begin: Vec<u8>,
        txs: Vec<Executed>,
    ) -> Self {
        Self(Arc::new(Inner {
            header,
            leader,
            payload,
            begin,
            txs,
            hashes: OnceLock::new(),
        }))
    }

    /// The block before an era's first. Its state is empty: the machine writes genesis in block 1, or takes in the records of
    /// the era before, which this block names in the place of its transactions.
    pub(crate) fn genesis<E>(begin: &EraStart, genesis: [u8; 32], committee: EpochInfo) -> Self
    where
        E: Spawner + StorageContext,
    {
        let target = <State<E> as ManagedDb<E>>::initial_sync_target();
        let leader = ed25519::PrivateKey::from_seed(0).public_key();
        let payload = Payload::EpochInfo(committee);
        let header = Header {
            era: begin.era,
            base: begin.height,
            genesis,
            height: begin.height,
            time_ms: begin.time_ms,
            parent: begin.parent,
            epoch: 0,
            view: 0,
            parent_view: 0,
            leader: key_bytes(&leader),
            state_root: target.root.0,
            ops_root: target.root.0,
            ops_start: *target.range.start(),
            ops_end: *target.range.end(),
            tx_root: begin.records.unwrap_or_else(|| tx_root(&[])),
            receipt_root: receipt_root(&[], &[]),
            txs: 0,
            seed: [0; crate::SEED_BYTES],
            next: NOBODY,
            payload: payload_hash(Some(&payload)),
        };
        Self::new(header, leader, Some(payload), Vec::new(), Vec::new())
    }

    pub(crate) fn header(&self) -> &Header {
        &self.0.header
    }

    pub(crate) fn begin(&self) -> &[u8] {
        &self.0.begin
    }

    pub(crate) fn txs(&self) -> &[Executed] {
        &self.0.txs
    }

    pub(crate) fn round(&self) -> Round {
        Round::new(Epoch::new(self.0.header.epoch), View::new(self.0.header.view))
    }

    /// The hashes of its transactions.
    pub(crate) fn tx_hashes(&self) -> &HashSet<TxHash> {
        self.0
            .hashes
            .get_or_init(|| self.0.txs.iter().map(|tx| tx_hash(&tx.bytes)).collect())
    }

    /// The log of state operations after this block.
    pub(crate) fn sync_target(&self) -> Target<commonware_storage::mmr::Family, Digest> {
        Target::new(Digest::from(self.0.header.ops_root), self.ops_range())
    }

    fn ops_range(&self) -> NonEmptyRange<Location> {
        non_empty_range!(
            Location::new(self.0.header.ops_start),
            Location::new(self.0.header.ops_end)
        )
    }

    /// In the bytes that leave the engine.
    pub(crate) fn finalized(&self, certificate: Option<Vec<u8>>) -> Finalized {
        Finalized {
            header: self.0.header.clone(),
            digest: self.digest().0,
            begin: self.0.begin.clone(),
            txs: self.0.txs.clone(),
            certificate,
        }
    }
}

/// The 32 bytes of a validator's key.
pub(crate) fn key_bytes(key: &PublicKey) -> [u8; 32] {
    let bytes = key.encode();
    <[u8; 32]>::try_from(&bytes[..]).expect("an Ed25519 key has 32 bytes")
}

/// Bytes that a transaction and its receipt take in a block.
pub(crate) fn body_bytes(tx: &[u8], receipt: &[u8]) -> usize {
    field_bytes(tx) + field_bytes(receipt)
}

/// Bytes that a field and its length take.
pub(crate) fn field_bytes(field: &[u8]) -> usize {
    4 + field.len()
}

fn write_field(field: &[u8], buf: &mut impl BufMut) {
    buf.put_u32(u32::try_from(field.len()).expect("fields of a block are bounded far below 4 GiB"));
    buf.put_slice(field);
}

fn read_field(buf: &mut impl Buf, bytes_max: usize, room: &mut usize) -> Result<Vec<u8>, CodecError> {
    let len = u32::read(buf)? as usize;
    let taken = len.saturating_add(4);
    if len > bytes_max || taken > *room {
        return Err(CodecError::InvalidLength(len));
    }
    if buf.remaining() < len {
        return Err(CodecError::EndOfBuffer);
    }
    *room -= taken;
    let mut field = vec![0; len];
    buf.copy_to_slice(&mut field);
    Ok(field)
}

impl Write for Block {
    fn write(&self, buf: &mut impl BufMut) {
        buf.put_slice(&self.0.header.encode());
        let payload = self
            .0
            .payload
            .as_ref()
            .map_or_else(Vec::new, |payload| payload.encode().to_vec());
        write_field(&payload, buf);
        write_field(&self.0.begin, buf);
        for tx in &self.0.txs {
            write_field(&tx.bytes, buf);
            write_field(&tx.receipt, buf);
        }
    }
}

impl EncodeSize for Block {
    fn encode_size(&self) -> usize {
        let body: usize = self.0.txs.iter().map(|tx| body_bytes(&tx.bytes, &tx.receipt)).sum();
        let payload = self.0.payload.as_ref().map_or(0, EncodeSize::encode_size);
        HEADER_BYTES + 4 + payload + field_bytes(&self.0.begin) + body
    }
}

impl Read for Block {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, CodecError> {
        let header = <[u8; HEADER_BYTES]>::read(buf)?;
        let header = Header::decode(&header).map_err(|_| CodecError::Invalid("block", "header"))?;
        if header.txs as usize > BLOCK_TXS_MAX {
            return Err(CodecError::InvalidLength(header.txs as usize));
        }
        if !Location::new(header.ops_end).is_valid() {
            return Err(CodecError::Invalid("block", "range of operations"));
        }
        let leader = PublicKey::read(&mut commonware_codec::Copying(&header.leader))?;
        let payload = match read_field(buf, payload_bytes_max(), &mut usize::MAX.clone())? {
            empty if empty.is_empty() => None,
            bytes => Some(Payload::decode_cfg(Copying(&bytes), &PAYLOAD_LIMITS)?),
        };
        let mut room = BLOCK_BYTES_MAX;
        let begin = read_field(buf, BEGIN_BYTES_MAX, &mut room)?;
        let txs = (0..header.txs)
            .map(|_| {
                Ok(Executed {
                    bytes: read_field(buf, TX_BYTES_MAX, &mut room)?,
                    receipt: read_field(buf, RECEIPT_BYTES_MAX, &mut room)?,
                })
            })
            .collect::<Result<Vec<_>, CodecError>>()?;
        // A later era's genesis block names the records of the era before there; nobody executes it.
        let same_txs = header.tx_root == tx_root(&txs) || (header.is_genesis() && txs.is_empty());
        let same_payload = header.payload == payload_hash(payload.as_ref());
        if !same_txs || !same_payload || header.receipt_root != receipt_root(&begin, &txs) {
            return Err(CodecError::Invalid("block", "body"));
        }
        Ok(Self::new(header, leader, payload, begin, txs))
    }
}

impl Digestible for Block {
    type Digest = Digest;

    fn digest(&self) -> Digest {
        Digest::from(self.0.header.digest())
    }
}

impl Heightable for Block {
    fn height(&self) -> Height {
        // Consensus counts within the era.
        Height::new(self.0.header.height - self.0.header.base)
    }
}

impl ConsensusBlock for Block {
    fn parent(&self) -> Digest {
        Digest::from(self.0.header.parent)
    }
}

impl CertifiableBlock for Block {
    type Context = ConsensusContext;

    fn context(&self) -> ConsensusContext {
        ConsensusContext {
            round: self.round(),
            leader: self.0.leader.clone(),
            parent: (View::new(self.0.header.parent_view), self.parent()),
        }
    }
}

impl BoundedBlock for Block {
    fn max_encode_size(_: &()) -> usize {
        HEADER_BYTES + 4 + payload_bytes_max() + BLOCK_BYTES_MAX
    }
}

fn payload_bytes_max() -> usize {
    Payload::max_encode_size(MEMBERS_MAX)
}

impl ReshareBlock for Block {
    type Variant = Bls;
    type PublicKey = PublicKey;
    type Directory = Directory;

    fn payload(&self) -> Option<Payload> {
        self.0.payload.clone()
    }
}
