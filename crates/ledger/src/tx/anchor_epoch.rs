//! A verifier binds itself to the reports it collected of a closed epoch, a root for each network: who judges takes all of them, and
//! a receipt for a report that is under no root is a broken promise. Nothing is judged before anchoring has ended.

use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::{Anchor, AnchorPlace, Anchors, Epoch, Pool, Verifier};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::{AccountId, EpochNumber, Hash, NetworkId, Token};
use minicbor::{CborLen, Decode, Encode};

/// Networks of one transaction at most: a verifier of more sends several.
pub const ANCHORS_MAX: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct AnchorEpoch {
    #[n(0)]
    pub epoch: EpochNumber,
    /// Sorted by network, each once.
    #[n(1)]
    pub anchors: Vec<NetworkAnchor>,
}

/// What the verifier collected of one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct NetworkAnchor {
    #[n(0)]
    pub network: NetworkId,
    /// Root of the tree over the sorted ids of its reports.
    #[n(1)]
    pub root: Hash,
    #[n(2)]
    pub count: u64,
    /// SHA-256 of its sealed reports file.
    #[n(3)]
    pub reports_hash: Hash,
}

impl AnchorEpoch {
    pub(crate) fn reads(&self, sender: &AccountId) -> Vec<Key> {
        let mut keys = vec![Verifier::key(sender), Epoch::key(&self.epoch)];
        for anchor in self.anchors.iter().take(ANCHORS_MAX) {
            let at = (anchor.network, self.epoch);
            keys.extend([Pool::key(&at), Anchors::key(&at)]);
        }
        keys
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let verifier: Loaded<Verifier> = context.load(sender)?.ok_or(Reject::NotAVerifier)?;
        ensure(verifier.at_stake() > Token::ZERO, Reject::NotAVerifier)?;
        let epoch: Loaded<Epoch> = context.load(&self.epoch)?.ok_or(Reject::EpochOpen)?;
        let rises = self.anchors.windows(2).all(|pair| pair[0].network < pair[1].network);
        ensure(rises && !self.anchors.is_empty(), Reject::AnchorsUnsorted)?;
        ensure(self.anchors.len() <= ANCHORS_MAX, Reject::AnchorsTooMany)?;
        let networks: Vec<_> = self.anchors.iter().map(|anchor| (anchor.network, self.epoch)).collect();
        let places: Vec<_> = networks.iter().map(|at| (at.0, at.1, verifier.number)).collect();
        let pools = context.load_many::<Pool>(&networks);
        let books = context.load_many::<Anchors>(&networks);
        let made = context.load_many::<AnchorPlace>(&places);
        let (pools, books, made) = (pools?, books?, made?);
        ensure(pools.iter().all(Option::is_some), Reject::NoPool)?;
        ensure(made.iter().all(Option::is_none), Reject::AnchorExists)?;
        let books: Vec<Anchors> = books
            .into_iter()
            .map(|book| book.map(Loaded::into_value).unwrap_or_default())
            .collect();
        let (limits, now) = (&context.genesis.limits, context.moment()?);
        let open = books.iter().all(|book| !epoch.is_anchored(book, limits, now));
        ensure(open, Reject::AnchorsClosed)?;

        let listed = verifier.since <= self.epoch;
        for (((named, book), at), place) in self.anchors.iter().zip(books).zip(networks).zip(places) {
            let anchor = Anchor {
                verifier: *sender,
                root: named.root,
                count: named.count,
                reports_hash: named.reports_hash,
            };
            let next = book.with(&anchor, listed).ok_or(Reject::AmountTooLarge)?;
            context.insert(&(at.0, at.1, book.count), &anchor);
            context.insert(&place, &AnchorPlace { place: book.count });
            context.insert(&at, &next);
            context.emit(Event::EpochAnchored {
                network: at.0,
                epoch: at.1,
                verifier: *sender,
                root: named.root,
                count: named.count,
            });
        }
        Ok(())
    }
}
