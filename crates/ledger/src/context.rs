//! What a step of the ledger works with: the genesis, the block, the records behind an overlay, the events so far.
//! Everything it writes is held back; a refusal or a missing record drops it all.

use crate::event::Event;
use crate::genesis::Genesis;
use crate::records::{Account, Chain, Emission, Moment, Network, Protocol, StableSupply};
use crate::reject::Reject;
use crate::store::{Key, Missing, Overlay, Store};
use crate::tables::{self, Loaded, Record};
use cairn_types::{AccountId, Hash, MicroUsd, NetworkId, TimeMs, Token};

/// The block in which a step runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// 1 for the first block, which writes genesis.
    pub height: u64,
    /// The chain's clock, never less than the block's before.
    pub time: TimeMs,
    /// Hash of the seed that consensus revealed with the parent: bound first, read in a later block.
    pub beacon: Option<Hash>,
}

/// Why a step stopped: a record is to be loaded, or the rules refuse.
#[derive(Debug)]
pub(crate) enum Stop {
    Missing(Missing),
    Reject(Reject),
}

pub(crate) type Step<T> = Result<T, Stop>;

impl From<Missing> for Stop {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

impl From<Reject> for Stop {
    fn from(reject: Reject) -> Self {
        Self::Reject(reject)
    }
}

impl From<crate::economics::Error> for Stop {
    fn from(error: crate::economics::Error) -> Self {
        Self::Reject(error.into())
    }
}

/// Refuses unless the fact holds.
pub(crate) fn ensure(holds: bool, otherwise: Reject) -> Result<(), Reject> {
    if holds { Ok(()) } else { Err(otherwise) }
}

pub(crate) struct Context<'a> {
    pub genesis: &'a Genesis,
    pub block: &'a Block,
    pub events: Vec<Event>,
    store: Overlay<'a>,
}

impl<'a> Context<'a> {
    pub fn new(genesis: &'a Genesis, block: &'a Block, store: &'a mut dyn Store) -> Self {
        Self {
            genesis,
            block,
            events: Vec::new(),
            store: Overlay::new(store),
        }
    }

    /// Everything written and announced takes effect.
    pub fn commit(self, events: &mut Vec<Event>) {
        self.store.flush();
        events.extend(self.events);
    }

    /// The block's moment.
    pub fn moment(&mut self) -> Result<Moment, Missing> {
        Ok(self.chain()?.moment())
    }

    pub fn load<R: Record>(&mut self, id: &R::Id) -> Result<Option<Loaded<R>>, Missing> {
        tables::load(&mut self.store, id)
    }

    pub fn load_many<R: Record>(&mut self, ids: &[R::Id]) -> Result<Vec<Option<Loaded<R>>>, Missing> {
        tables::load_many(&mut self.store, ids)
    }

    /// Asks for every key before giving up on the first that is missing.
    pub fn touch(&mut self, keys: &[Key]) -> Result<(), Missing> {
        let mut missing = Ok(());
        for key in keys {
            missing = missing.and(self.store.get(key).map(drop));
        }
        missing
    }

    /// A record that block 1 writes and nobody deletes.
    pub fn single<R: Record<Id = ()>>(&mut self) -> Result<Loaded<R>, Missing> {
        tables::load_single(&mut self.store)
    }

    pub fn save<R: Record>(&mut self, record: &Loaded<R>) {
        tables::save(&mut self.store, record);
    }

    pub fn insert<R: Record>(&mut self, id: &R::Id, record: &R) {
        tables::insert(&mut self.store, id, record);
    }

    pub fn delete<R: Record>(&mut self, id: &R::Id) {
        self.store.delete(&R::key(id));
    }

    pub fn emit(&mut self, event: Event) {
        self.events.push(event);
    }

    pub fn chain(&mut self) -> Result<Loaded<Chain>, Missing> {
        self.single()
    }

    /// An account that must exist.
    pub fn account(&mut self, id: &AccountId, otherwise: Reject) -> Step<Loaded<Account>> {
        self.load(id)?.ok_or(otherwise.into())
    }

    /// The account of who asks: its existence, nonce and fee are settled before a body runs.
    pub fn sender(&mut self, id: &AccountId) -> Step<Loaded<Account>> {
        self.account(id, Reject::AccountUnknown)
    }

    /// Which version of the rules holds, and what is announced. A rule that changes with the version asks here.
    pub fn protocol(&mut self) -> Result<Protocol, Missing> {
        let protocol = self.load::<Protocol>(&())?;
        Ok(protocol.map(Loaded::into_value).unwrap_or_default())
    }

    pub fn network(&mut self, id: &NetworkId) -> Step<Loaded<Network>> {
        self.load(id)?.ok_or(Reject::NetworkUnknown.into())
    }

    /// A network that still takes part in epochs to come.
    pub fn open_network(&mut self, id: &NetworkId) -> Step<Loaded<Network>> {
        let network = self.network(id)?;
        ensure(network.closes.is_none(), Reject::NetworkClosing)?;
        Ok(network)
    }

    /// Tokens that left every account cease to exist.
    pub fn burn(&mut self, amount: Token) -> Step<()> {
        if amount == Token::ZERO {
            return Ok(());
        }
        let mut emission: Loaded<Emission> = self.single()?;
        emission.supply.burned = emission
            .supply
            .burned
            .checked_add(amount)
            .ok_or(Reject::AmountTooLarge)?;
        self.save(&emission);
        Ok(())
    }

    /// Moves tokens into and out of what waits in pools.
    pub fn pool_token(&mut self, into: Token, out: Token) -> Step<()> {
        let mut emission: Loaded<Emission> = self.single()?;
        let pooled = emission
            .pooled
            .checked_add(into)
            .and_then(|pooled| pooled.checked_sub(out));
        emission.pooled = pooled.ok_or(Reject::AmountTooLarge)?;
        self.save(&emission);
        Ok(())
    }

    /// Moves stablecoin into and out of what waits in pools.
    pub fn pool_stable(&mut self, into: MicroUsd, out: MicroUsd) -> Step<()> {
        let mut stable: Loaded<StableSupply> = self.single()?;
        let pooled = stable
            .pooled
            .checked_add(into)
            .and_then(|pooled| pooled.checked_sub(out));
        stable.pooled = pooled.ok_or(Reject::AmountTooLarge)?;
        self.save(&stable);
        Ok(())
    }
}
