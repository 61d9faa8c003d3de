//! With whose signatures votes of an epoch are checked, and with which share this node signs. Holds recent epochs only.

use super::Secrets;
use crate::{
    block::key_bytes,
    engine_types::{Bls, PublicKey, Scheme},
};
use commonware_consensus::types::Epoch;
use commonware_cryptography::certificate::{Provider, Scoped};
use commonware_glue::dkg::{Registrar, SecretStore as _, types::SchemeInfo};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::sync::watch;

/// Epochs before the newest that votes may still be about.
const EPOCHS_KEPT: u64 = 2;

/// Who signs in an epoch, and whether this node does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) epoch: u64,
    pub(crate) members: Vec<[u8; 32]>,
    pub(crate) signs: bool,
}

/// The schemes of recent epochs. Clones share them.
#[derive(Clone)]
pub(crate) struct Schemes(Arc<Inner>);

struct Inner {
    chain: String,
    of: Mutex<BTreeMap<Epoch, Arc<Scheme>>>,
    place: watch::Sender<Option<Place>>,
}

impl Schemes {
    pub(crate) fn new(chain: &str) -> Self {
        Self(Arc::new(Inner {
            chain: chain.to_owned(),
            of: Mutex::default(),
            place: watch::Sender::new(None),
        }))
    }

    /// What this node is in the newest epoch.
    pub(crate) fn place(&self) -> watch::Receiver<Option<Place>> {
        self.0.place.subscribe()
    }

    pub(crate) fn insert(&self, epoch: Epoch, info: SchemeInfo<Bls, PublicKey>) {
        let name = self.0.chain.as_bytes();
        let (signs, members) = match &info {
            SchemeInfo::Verifier { participants, .. } | SchemeInfo::Member { participants, .. } => {
                (false, participants)
            }
            SchemeInfo::Signer { participants, .. } => (true, participants),
        };
        let place = Place {
            epoch: epoch.get(),
            members: members.iter().map(key_bytes).collect(),
            signs,
        };
        let scheme = match info {
            SchemeInfo::Verifier { participants, sharing } => Scheme::verifier(name, participants, sharing),
            SchemeInfo::Member {
                participants,
                sharing,
                public_key,
            } => Scheme::member(name, participants, sharing, &public_key).expect("a member is one of the participants"),
            SchemeInfo::Signer {
                participants,
                sharing,
                share,
            } => Scheme::signer(name, participants, sharing, share).expect("a share is checked when it is made"),
        };
        let mut of = self.0.of.lock().expect("no panic while this lock is held");
        of.insert(epoch, Arc::new(scheme));
        of.retain(|kept, _| kept.get().saturating_add(EPOCHS_KEPT) >= epoch.get());
        drop(of);
        let before = self.0.place.send_replace(Some(place));
        match (before.is_some_and(|before| before.signs), signs) {
            (true, false) => tracing::warn!(
                epoch = epoch.get(),
                "this node is no longer one of the validators who sign; it goes on reading along"
            ),
            (false, true) => tracing::info!(epoch = epoch.get(), "this node signs with the validators from here on"),
            _ => {}
        }
    }
}

impl Provider for Schemes {
    type Scope = Epoch;
    type Scheme = Scheme;

    fn scoped(&self, epoch: Epoch) -> Option<Scoped<Scheme>> {
        let of = self.0.of.lock().expect("no panic while this lock is held");
        of.get(&epoch).cloned().map(Scoped::scheme)
    }
}

/// Where the renewal's actor says who signs next.
pub(crate) struct Registry {
    pub(crate) schemes: Schemes,
    pub(crate) secrets: Secrets,
}

impl Registrar for Registry {
    type Variant = Bls;
    type PublicKey = PublicKey;

    async fn register(&self, epoch: Epoch, info: SchemeInfo<Bls, PublicKey>) {
        let info = match info {
            // The actor knows no share where it lost what it was dealt; the shelf and the blocks may.
            SchemeInfo::Member {
                participants,
                sharing,
                public_key,
            } => {
                let share = self.secrets.clone().get_share(epoch).await;
                SchemeInfo::new(&public_key, participants, sharing, share)
            }
            known => known,
        };
        self.schemes.insert(epoch, info);
    }
}
