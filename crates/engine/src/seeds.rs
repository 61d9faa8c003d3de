//! Remembers the seeds that consensus reveals, until the next block carries one. Holds a window of rounds, nothing older.

use crate::engine_types::{Bls, Digest, Scheme, SeedSignature};
use commonware_actor::Feedback;
use commonware_consensus::{
    Reporter,
    simplex::{scheme::bls12381_threshold::vrf::Seedable as _, types::Activity},
    types::Round,
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::watch;

/// Rounds remembered: the next block's parent is hardly ever older.
const ROUNDS_MAX: usize = 256;

/// The seeds of recent rounds. Clones share them.
#[derive(Clone)]
pub(crate) struct Seeds(Arc<watch::Sender<BTreeMap<Round, SeedSignature>>>);

impl Seeds {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(BTreeMap::new())))
    }

    /// The seed of `round`, as soon as it is revealed.
    pub(crate) async fn wait(&self, round: Round) -> SeedSignature {
        let mut seeds = self.0.subscribe();
        let seeds = seeds
            .wait_for(|seeds| seeds.contains_key(&round))
            .await
            .expect("this very object holds the sender");
        seeds[&round]
    }

    fn remember(&self, round: Round, seed: SeedSignature) {
        self.0.send_if_modified(|seeds| {
            let new = seeds.insert(round, seed).is_none();
            while seeds.len() > ROUNDS_MAX {
                seeds.pop_first();
            }
            new
        });
    }
}

impl Reporter for Seeds {
    type Activity = Activity<Scheme, Digest>;

    fn report(&mut self, activity: Self::Activity) -> Feedback {
        let seed: Option<commonware_consensus::simplex::scheme::bls12381_threshold::vrf::Seed<Bls>> = match activity {
            Activity::Notarization(notarization) | Activity::Certification(notarization) => Some(notarization.seed()),
            Activity::Finalization(finalization) => Some(finalization.seed()),
            _ => None,
        };
        if let Some(seed) = seed {
            self.remember(seed.round, seed.signature);
        }
        Feedback::Ok
    }
}
