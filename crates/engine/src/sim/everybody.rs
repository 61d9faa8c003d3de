//! All nodes of a simulated run, who are linked whatever an epoch of consensus says. Lets nobody in or out: links are made and cut
//! by the run.

use crate::{committee::Directory, engine_types::PublicKey};
use commonware_consensus::types::Epoch;
use commonware_glue::dkg::network;
use commonware_p2p::{self as p2p, PeerSetSubscription, Provider, TrackedPeers, simulated::Manager};
use commonware_runtime::deterministic::Context;
use commonware_utils::ordered::Set;
use std::convert::Infallible;

#[derive(Clone, Debug)]
pub(super) struct Everybody {
    pub(super) manager: Manager<PublicKey, Context>,
    pub(super) names: Vec<PublicKey>,
}

impl Provider for Everybody {
    type PublicKey = PublicKey;

    async fn peer_set(&mut self, id: u64) -> Option<TrackedPeers<PublicKey>> {
        self.manager.peer_set(id).await
    }

    async fn subscribe(&mut self) -> PeerSetSubscription<PublicKey> {
        self.manager.subscribe().await
    }
}

impl network::Manager for Everybody {
    type Directory = Directory;
    type Error = Infallible;

    fn track(&mut self, epoch: Epoch, peers: TrackedPeers<PublicKey>, _: &Directory) -> Result<(), Infallible> {
        let others = Set::from_iter_dedup(self.names.iter().cloned());
        // Epoch 0 is what the network began with.
        let _ = p2p::Manager::track(&mut self.manager, epoch.get(), TrackedPeers::new(peers.primary, others));
        Ok(())
    }
}
