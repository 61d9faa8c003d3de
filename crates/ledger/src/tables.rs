//! The list of tables, how an id becomes a key, and how a record becomes bytes. Never knows what the records mean.

use crate::store::{KEY_BYTES, Key, Missing, Store, VALUE_BYTES_MAX};
use cairn_types::{
    AccountId, AccountNumber, DeviceId, DeviceNumber, EpochNumber, NetworkId, NetworkNumber, OrderId, ValidatorKey,
    hash,
};
use minicbor::{Decode, Encode};

/// The first byte of a key. A number is never used for anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Table {
    Chain = 0,
    StableSupply = 2,
    CreditSupply = 3,
    Prices = 4,
    Emission = 5,
    Account = 10,
    AccountNumber = 11,
    Issuer = 12,
    PastChoice = 13,
    Device = 20,
    DeviceNumber = 21,
    Membership = 22,
    Bar = 23,
    Equivocation = 24,
    Network = 30,
    NetworkNumber = 31,
    Terms = 32,
    ParameterPage = 33,
    Roster = 34,
    Usage = 35,
    Epoch = 40,
    Pool = 41,
    Settlement = 42,
    Roots = 43,
    ExchangeBook = 44,
    Anchors = 45,
    Anchor = 46,
    AnchorPlace = 47,
    SignerPage = 48,
    Omission = 49,
    Verifier = 50,
    VerifierIndex = 51,
    VerifierProfile = 52,
    Order = 60,
    SettledOrder = 61,
    Validator = 70,
    ValidatorBallot = 71,
    Vote = 72,
    Dispute = 73,
    WithoutPage = 74,
    Protocol = 80,
    Upgrade = 81,
}

/// What names a record inside its table.
pub trait Id {
    fn key(&self, table: Table) -> Key;
}

/// A record: where it lives and what names it.
pub trait Record: Encode<()> + for<'b> Decode<'b, ()> {
    const TABLE: Table;
    type Id: Id;

    fn key(id: &Self::Id) -> Key {
        id.key(Self::TABLE)
    }
}

/// A record with its key, to be changed and put back.
pub struct Loaded<R> {
    key: Key,
    value: R,
}

impl<R: Record> Loaded<R> {
    /// A record to be.
    pub fn new(id: &R::Id, value: R) -> Self {
        Self { key: R::key(id), value }
    }

    pub fn into_value(self) -> R {
        self.value
    }
}

impl<R> std::ops::Deref for Loaded<R> {
    type Target = R;
    fn deref(&self) -> &R {
        &self.value
    }
}

impl<R> std::ops::DerefMut for Loaded<R> {
    fn deref_mut(&mut self) -> &mut R {
        &mut self.value
    }
}

/// The record of an id, if there is one.
pub fn load<R: Record>(store: &mut dyn Store, id: &R::Id) -> Result<Option<Loaded<R>>, Missing> {
    let key = R::key(id);
    Ok(store.get(&key)?.map(|bytes| Loaded {
        key,
        value: decode(&bytes),
    }))
}

/// A record that block 1 writes and nobody deletes.
pub fn load_single<R: Record<Id = ()>>(store: &mut dyn Store) -> Result<Loaded<R>, Missing> {
    Ok(load(store, &())?.expect("block 1 writes it"))
}

/// Puts a record back, or for the first time.
pub fn save<R: Record>(store: &mut dyn Store, record: &Loaded<R>) {
    store.put(record.key, bytes(&record.value));
}

/// Puts a record under its id.
pub fn insert<R: Record>(store: &mut dyn Store, id: &R::Id, record: &R) {
    store.put(R::key(id), bytes(record));
}

/// A record from the ledger's own bytes.
pub fn decode<R: Record>(bytes: &[u8]) -> R {
    minicbor::decode(bytes).expect("the ledger reads what it wrote")
}

fn bytes<R: Record>(record: &R) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(VALUE_BYTES_MAX);
    minicbor::encode(record, &mut bytes).expect("writing into memory cannot fail");
    assert!(bytes.len() <= VALUE_BYTES_MAX, "every record is shorter than a value");
    bytes
}

fn key(table: Table, id: &[u8]) -> Key {
    let mut key = [0; KEY_BYTES];
    key[0] = table as u8;
    key[1..].copy_from_slice(&hash::domain("key", &[id]).0);
    Key(key)
}

impl Id for () {
    fn key(&self, table: Table) -> Key {
        key(table, &[])
    }
}

macro_rules! hashed_ids {
    ($($name:ty),+) => {$(
        impl Id for $name {
            fn key(&self, table: Table) -> Key {
                key(table, &self.0)
            }
        }
    )+};
}
hashed_ids!(AccountId, DeviceId, NetworkId, OrderId, ValidatorKey);

macro_rules! numbered_ids {
    ($($name:ty),+) => {$(
        impl Id for $name {
            fn key(&self, table: Table) -> Key {
                key(table, &self.0.to_be_bytes())
            }
        }
    )+};
}
numbered_ids!(AccountNumber, DeviceNumber, NetworkNumber, EpochNumber);

impl Id for u16 {
    fn key(&self, table: Table) -> Key {
        key(table, &self.to_be_bytes())
    }
}

impl Id for (NetworkId, EpochNumber) {
    fn key(&self, table: Table) -> Key {
        key(table, &epoch_of(&self.0, self.1))
    }
}

impl Id for (NetworkId, EpochNumber, u16) {
    fn key(&self, table: Table) -> Key {
        key(table, &joined::<42>(&epoch_of(&self.0, self.1), &self.2.to_be_bytes()))
    }
}

impl Id for (NetworkId, EpochNumber, u8) {
    fn key(&self, table: Table) -> Key {
        key(table, &joined::<41>(&epoch_of(&self.0, self.1), &[self.2]))
    }
}

impl Id for (NetworkId, EpochNumber, AccountNumber) {
    fn key(&self, table: Table) -> Key {
        key(
            table,
            &joined::<44>(&epoch_of(&self.0, self.1), &self.2.0.to_be_bytes()),
        )
    }
}

impl Id for (NetworkId, EpochNumber, u32) {
    fn key(&self, table: Table) -> Key {
        key(table, &joined::<44>(&epoch_of(&self.0, self.1), &self.2.to_be_bytes()))
    }
}

fn epoch_of(network: &NetworkId, epoch: EpochNumber) -> [u8; 40] {
    joined(&network.0, &epoch.0.to_be_bytes())
}

impl Id for (NetworkId, u32) {
    fn key(&self, table: Table) -> Key {
        key(table, &joined::<36>(&self.0.0, &self.1.to_be_bytes()))
    }
}

impl Id for (NetworkId, u32, u8) {
    fn key(&self, table: Table) -> Key {
        let version = self.1.to_be_bytes();
        key(
            table,
            &joined::<37>(&self.0.0, &[version[0], version[1], version[2], version[3], self.2]),
        )
    }
}

impl Id for (u64, AccountNumber) {
    fn key(&self, table: Table) -> Key {
        key(table, &joined::<12>(&self.0.to_be_bytes(), &self.1.0.to_be_bytes()))
    }
}

impl Id for (DeviceId, u32) {
    fn key(&self, table: Table) -> Key {
        key(table, &joined::<36>(&self.0.0, &self.1.to_be_bytes()))
    }
}

impl Id for (AccountId, u32) {
    fn key(&self, table: Table) -> Key {
        key(table, &joined::<36>(&self.0.0, &self.1.to_be_bytes()))
    }
}

impl Id for (DeviceId, NetworkId, u64) {
    fn key(&self, table: Table) -> Key {
        let place: [u8; 64] = joined(&self.0.0, &self.1.0);
        key(table, &joined::<72>(&place, &self.2.to_be_bytes()))
    }
}

impl Id for (DeviceId, NetworkId) {
    fn key(&self, table: Table) -> Key {
        key(table, &joined::<64>(&self.0.0, &self.1.0))
    }
}

fn joined<const N: usize>(first: &[u8], second: &[u8]) -> [u8; N] {
    let mut id = [0; N];
    id[..first.len()].copy_from_slice(first);
    id[first.len()..].copy_from_slice(second);
    id
}

/// The records of many ids; asks for all before giving up on one.
pub fn load_many<R: Record>(store: &mut dyn Store, ids: &[R::Id]) -> Result<Vec<Option<Loaded<R>>>, Missing> {
    let mut missing = Ok(());
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        match load(store, id) {
            Ok(record) => found.push(record),
            Err(key) => missing = missing.and(Err(key)),
        }
    }
    missing.map(|()| found)
}
