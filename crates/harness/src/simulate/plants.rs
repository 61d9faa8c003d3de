//! Bugs planted on purpose, to see that the properties find them. Each stands between the network and the real code, here and nowhere
//! else: the code of the product does not know them.
//!
//! ```text
//! verifier ─▶ disk that lies           (skip the fsync before the receipt)
//! transaction ─▶ records doctored ─▶ the real ledger ─▶ records put back
//! ```

use super::scene::network;
use cairn_ledger::records::{Chain, Moment, Order, Pool, Settlement, Verifier};
use cairn_ledger::tx::Signed;
use cairn_ledger::{Body, MemoryStore, Store, view};
use cairn_types::{EpochNumber, TimeMs, Token, codec};
use cairn_verifier::chain::local::LocalChain;
use cairn_verifier::chain::{Chain as _, ChainError};
use cairn_verifier::disk::{Disk, SimulatedDisk, Syncing};

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// A verifier gives receipts for what it wrote and did not sync.
    NoFsync,
    /// The ledger pays a chunk of leaves and leaves its cursor where it was, once in an epoch.
    ChunkTwice,
    /// The ledger takes the word of more than two thirds of the verifiers, whatever their bonds.
    QuorumByCount,
    /// The ledger releases an epoch as soon as it is settled.
    NoWindow,
    /// Who judges by a file keeps it.
    NoHandOver,
    /// The ledger pays a voucher and forgets that it did.
    VoucherAgain,
}

impl Plant {
    pub const ALL: [Self; 6] = [
        Self::NoFsync,
        Self::ChunkTwice,
        Self::QuorumByCount,
        Self::NoWindow,
        Self::NoHandOver,
        Self::VoucherAgain,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::NoFsync => "no-fsync",
            Self::ChunkTwice => "chunk-twice",
            Self::QuorumByCount => "quorum-by-count",
            Self::NoWindow => "no-window",
            Self::NoHandOver => "no-hand-over",
            Self::VoucherAgain => "voucher-again",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plant| plant.name() == name)
    }
}

/// The disk a verifier's log sees.
pub fn disk(plant: Option<Plant>) -> fn(SimulatedDisk) -> Box<dyn Disk> {
    match plant {
        Some(Plant::NoFsync) => never_syncs,
        _ => |disk| Box::new(disk),
    }
}

/// Hands a transaction to the ledger, with its bug.
pub fn submit(plant: Option<Plant>, chain: &LocalChain, signed: &Signed) -> Result<(), ChainError> {
    match (plant, &signed.transaction.body) {
        (Some(Plant::QuorumByCount), Body::SettleEpoch(_)) => {
            let bonds = chain.read(equalise);
            let told = chain.submit(signed);
            chain.read(|store| bonds.iter().for_each(|(key, bytes)| store.put(*key, bytes.clone())));
            told
        }
        (Some(Plant::NoWindow), Body::Pay(pay)) => {
            let settled = chain.read(|store| {
                settled_at(
                    store,
                    pay.epoch,
                    Moment {
                        time: TimeMs(0),
                        uptime_ms: 0,
                        height: 0,
                    },
                )
            });
            let told = chain.submit(signed);
            if let Some(settled) = settled {
                chain.read(|store| settled_at(store, pay.epoch, settled));
            }
            told
        }
        (Some(Plant::ChunkTwice), Body::Pay(pay)) => {
            let at = (network(), pay.epoch);
            let before = chain.read(|store| cursor(store, pay.epoch));
            let told = chain.submit(signed);
            let is_first = before.as_ref().is_some_and(|(settlement, _)| settlement.cursor == 0);
            if let (Ok(()), true, Some((settlement, pool))) = (&told, is_first && !was_paid(chain, pay.epoch), before) {
                chain.read(|store| {
                    store.put(view::key::<Settlement>(&at), codec::encode(&settlement));
                    store.put(view::key::<Pool>(&at), codec::encode(&pool));
                });
            }
            told
        }
        (Some(Plant::VoucherAgain), Body::SettleOrder(settle)) => {
            let id = settle.voucher.order;
            let before = chain
                .read(|store| view::order(store, &id))
                .expect("memory has every record");
            let told = chain.submit(signed);
            if let (Ok(()), Some(before)) = (&told, before) {
                chain.read(|store| store.put(view::key::<Order>(&id), codec::encode(&before)));
            }
            told
        }
        _ => chain.submit(signed),
    }
}

/// Gives every verifier the same bond; returns the records as they were.
fn equalise(store: &mut MemoryStore) -> Vec<(cairn_ledger::Key, Vec<u8>)> {
    let verifiers = view::verifiers(store).expect("memory has every record");
    let count = verifiers.len() as u64;
    let chain: Option<Chain> = view::chain(store).expect("memory has every record");
    let whole = chain.expect("block 1 wrote it").bond_active;
    let mut before = Vec::new();
    for (id, verifier) in verifiers {
        let key = view::key::<Verifier>(&id);
        before.push((key, codec::encode(&verifier)));
        // Rounded up: together they are the whole.
        let bond = Token(whole.0.div_ceil(count.max(1)));
        store.put(key, codec::encode(&Verifier { bond, ..verifier }));
    }
    before
}

fn cursor(store: &mut MemoryStore, epoch: EpochNumber) -> Option<(Settlement, Pool)> {
    let settlement = view::settlement(store, &network(), epoch).expect("memory has every record");
    let pool = view::pool(store, &network(), epoch).expect("memory has every record");
    settlement.zip(pool)
}

/// Says of an epoch that it was settled at a moment; returns when it was.
fn settled_at(store: &mut MemoryStore, epoch: EpochNumber, moment: Moment) -> Option<Moment> {
    let settlement = view::settlement(store, &network(), epoch).expect("memory has every record")?;
    let before = settlement.settled();
    let settlement = Settlement {
        height: moment.height,
        time: moment.time,
        uptime_ms: moment.uptime_ms,
        ..settlement
    };
    store.put(view::key::<Settlement>(&(network(), epoch)), codec::encode(&settlement));
    Some(before)
}

/// Whether leaves of an epoch were paid more than once already.
fn was_paid(chain: &LocalChain, epoch: EpochNumber) -> bool {
    let events = chain.events();
    let paid = events
        .iter()
        .filter(|event| matches!(event, cairn_ledger::Event::LeavesPaid { epoch: of, .. } if *of == epoch));
    paid.count() > 1
}

/// A disk that says it synced and did not.
pub fn never_syncs(disk: SimulatedDisk) -> Box<dyn Disk> {
    Box::new(Syncing::new(Box::new(disk), |_: &mut dyn Disk, _: &str| Ok(())))
}
