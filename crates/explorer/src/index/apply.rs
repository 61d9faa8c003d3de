//! One final block through the ledger's own rules, over the index's records. What it comes to must be what the certified header says,
//! or nothing of it is taken in.

use super::records::{Cache, Records};
use super::write::Once;
use super::{notes, write};
use crate::db::{DbError, Session};
use cairn_client::TakenBlock;
use cairn_engine::{Header, is_own, limits, records::records_in};
use cairn_ledger::protocol::PROTOCOLS;
use cairn_ledger::store::{Key, Store};
use cairn_ledger::{Block, Event, Ledger, Signed, view};
use cairn_node::unpad;
use cairn_types::{Hash, TimeMs, codec, merkle};

/// By which blocks are run.
pub struct Rules {
    pub ledger: Ledger,
    /// Of the validators' key that signs: records of an era before come in with the first blocks of a later one.
    pub era: u32,
}

/// Why a block is not taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("block {0} holds other transactions than its header says")]
    OtherTransactions(u64),
    #[error("block {0} holds a transaction that the ledger's rules refuse")]
    Refused(u64),
    #[error("running block {0} came to something else than its header says")]
    OtherReceipts(u64),
    #[error("block {height} follows rules of version {version}, which this program does not know")]
    Unfit { height: u64, version: u16 },
}

impl ApplyError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Db(error) => error.hint(),
            Self::OtherTransactions(_) => {
                "ask another node: this one gives blocks that are not those the validators signed"
            }
            Self::Refused(_) | Self::OtherReceipts(_) => {
                "check that this program is of the validators' version, then start it with --rebuild"
            }
            Self::Unfit { .. } => "install the version that knows these rules, then start the explorer again",
        }
    }
}

/// What a block came to, for those who wait for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    pub height: u64,
    pub time: TimeMs,
    pub transactions: usize,
    pub events: usize,
    /// Epochs of networks of which something is new: their findings can be asked for.
    pub settled: bool,
    pub closed: Option<u64>,
    /// Payments: network, epoch, operators, token, stablecoin.
    pub paid: Vec<(u64, u64, u64, u64, u64)>,
    /// By whose they are.
    pub alerts: Vec<(u64, serde_json::Value)>,
}

/// Takes a block in: its records, its facts, and the cursor. Commits nothing.
pub fn apply(
    rules: &Rules,
    block: &TakenBlock,
    session: &mut dyn Session,
    cache: &mut Cache,
) -> Result<Applied, ApplyError> {
    let header = &block.header;
    let height = header.height;
    let root = merkle::root(block.txs.iter().map(|tx| merkle::leaf(tx)).collect());
    if root.0 != header.tx_root || block.txs.len() as u64 != u64::from(header.txs) {
        return Err(ApplyError::OtherTransactions(height));
    }
    if header.base > 0 && height == header.base + 1 && write::go_over(header.base, header.era, session)? {
        cache.forget();
    }
    let mut records = Records::new(session, cache);
    let context = Block {
        height,
        time: TimeMs(header.time_ms),
        beacon: header.beacon().map(Hash),
    };
    let mut notes = notes::Notes::new(rules, block);
    let mut receipts = Vec::with_capacity(block.txs.len() + 1);
    let begin = begin(rules, header, &context, &mut records)?;
    receipts.push(begin.as_deref().map_or_else(Vec::new, receipt));
    let begun = begin.is_some();
    if begun {
        notes.begun(&mut records)?;
    }
    notes.events(None, &begin.unwrap_or_default(), &mut records)?;
    for (place, bytes) in block.txs.iter().enumerate() {
        if is_own(bytes) {
            take_records(bytes, &mut records);
            notes.own(place, bytes, records.session)?;
            receipts.push(Vec::new());
            continue;
        }
        let signed: Option<Signed> = minicbor::decode(bytes).ok();
        let signed = signed.filter(|_| begun).ok_or(ApplyError::Refused(height))?;
        let before = notes.before(&signed, &mut records)?;
        let mut events = Vec::new();
        let applied = rules.ledger.apply(&mut records, &context, &signed, &mut events);
        let outcome = match applied {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => return Err(ApplyError::Refused(height)),
            Err(missing) => return Err(records.failure(missing).into()),
        };
        receipts.push(codec::encode(&events));
        notes.transaction(place, bytes, &signed, outcome.fee, &events, before, &mut records)?;
    }
    let root = merkle::root(receipts.iter().map(|receipt| merkle::leaf(receipt)).collect());
    if root.0 != header.receipt_root {
        return Err(ApplyError::OtherReceipts(height));
    }
    let applied = notes.finish(&mut records)?;
    records.flush()?;
    write::set_cursor(session, header)?;
    Ok(applied)
}

/// The block's beginning; none while the records of the era before come in, and after the era's end.
fn begin(
    rules: &Rules,
    header: &Header,
    context: &Block,
    records: &mut Records<'_>,
) -> Result<Option<Vec<Event>>, ApplyError> {
    let chain = records.look(|store| view::chain(store))?;
    // A later era begins once all records are there: then the state says so itself.
    let takes_over = header.base > 0 && !Once::TakenOver.is_done(header.base, records.session)?;
    if takes_over || header.next == cairn_engine::OVER {
        return Ok(None);
    }
    let protocol = records.look(|store| view::protocol(store))?;
    let version = protocol.at(header.height);
    if !PROTOCOLS.contains(&version) && chain.is_some() {
        let height = header.height;
        return Err(ApplyError::Unfit { height, version });
    }
    let mut events = Vec::new();
    match rules.ledger.begin_block(records, context, &mut events) {
        Ok(()) => Ok(Some(events)),
        Err(missing) => Err(records.failure(missing).into()),
    }
}

/// As the engine keeps it: one that is too long is left out.
fn receipt(events: &[Event]) -> Vec<u8> {
    let bytes = codec::encode(&events);
    match bytes.len() > limits::BEGIN_BYTES_MAX {
        true => Vec::new(),
        false => bytes,
    }
}

/// A chunk of the records of the era before, if the transaction brings one.
fn take_records(tx: &[u8], records: &mut Records<'_>) {
    for (key, value) in records_in(tx).into_iter().flat_map(|part| part.records) {
        match unpad(&value) {
            Some(value) => records.put(Key(key), value.to_vec()),
            None => records.delete(&Key(key)),
        }
    }
}
