//! The network between nodes over TCP: whom a node lets in, and with which limits. Keys decide who somebody is, addresses only
//! where to find it.

use crate::{
    StartError, Validator,
    address::nowhere,
    assemble::{Links, Network},
    block::key_bytes,
    engine_types::PublicKey,
};
use commonware_codec::{Copying, DecodeExt as _};
use commonware_cryptography::{ChaCha20Poly1305, Signer as _, ed25519::PrivateKey};
use commonware_p2p::{Address, AddressableManager as _, AddressableTrackedPeers, authenticated::lookup};
use commonware_runtime::{Handle as Task, Quota, tokio::Context};
use commonware_stream::{
    SakeCups,
    cups::{self, Cups},
    sake::{self, Sake},
};
use commonware_utils::{NZU32, NZUsize, ordered::Map};
use std::{net::SocketAddr, num::NonZeroUsize, time::Duration};

/// Authenticates and encrypts connections between nodes.
type Handshake = SakeCups<PrivateKey, ChaCha20Poly1305>;

/// TCP between nodes whose addresses are known.
pub(crate) struct Tcp;

impl Links for Tcp {
    type Peers = lookup::Oracle<PublicKey>;
    type Blocker = lookup::Oracle<PublicKey>;
    type Sender = lookup::Sender<PublicKey, Context>;
    type Receiver = lookup::Receiver<PublicKey>;
}

/// Whom a node connects to and lets in; nobody else.
pub(crate) struct Peers(AddressableTrackedPeers<PublicKey>);

impl Peers {
    /// The others of `validators`, who dial each other, and `followers`, who dial them.
    pub(crate) fn of(me: &PrivateKey, validators: &[Validator], followers: &[[u8; 32]]) -> Result<Self, StartError> {
        let me = key_bytes(&me.public_key());
        let mut dialled = Vec::new();
        for (at, validator) in validators
            .iter()
            .enumerate()
            .filter(|(_, validator)| validator.key != me)
        {
            let key = PublicKey::decode(Copying(&validator.key)).map_err(|_| StartError::ValidatorKey(at))?;
            dialled.push((key, validator.address.peer()));
        }
        let mut let_in = Vec::new();
        for (at, follower) in followers.iter().enumerate().filter(|(_, follower)| **follower != me) {
            let key = PublicKey::decode(Copying(follower)).map_err(|_| StartError::FollowerKey(at))?;
            let_in.push((key, Address::from(nowhere())));
        }
        Ok(Self(AddressableTrackedPeers::new(
            Map::from_iter_dedup(dialled),
            Map::from_iter_dedup(let_in),
        )))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count() == 0
    }

    fn count(&self) -> usize {
        self.0.primary.len() + self.0.secondary.len()
    }
}

/// Starts the network and opens one channel per quota.
pub(crate) fn open(
    context: Context,
    identity: &PrivateKey,
    namespace: &[u8],
    listen: SocketAddr,
    peers: Peers,
    bytes_max: u32,
    quotas: &[Quota],
) -> (Task<()>, Network<Tcp>) {
    let config = config(identity, namespace, listen, peers.count() + 1, bytes_max);
    let (mut network, mut oracle) = lookup::Network::new(context, config);
    oracle.track(0, peers.0);
    let channels = (0..)
        .zip(quotas)
        .map(|(channel, quota)| network.register(channel, *quota))
        .collect();
    let links = Network {
        peers: oracle.clone(),
        blocker: oracle,
        channels,
    };
    (network.start(), links)
}

fn config(
    identity: &PrivateKey,
    namespace: &[u8],
    listen: SocketAddr,
    nodes_max: usize,
    bytes_max: u32,
) -> lookup::Config<Handshake> {
    let handshake = Cups::<_, ChaCha20Poly1305>::new(
        Sake {
            signer: identity.clone(),
            synchrony_bound: Duration::from_secs(5),
            max_handshake_age: Duration::from_secs(10),
            version: sake::Version::V1,
        },
        cups::Version::V1,
    );
    let nodes_max = NonZeroUsize::new(nodes_max).unwrap_or(NonZeroUsize::MIN);
    lookup::Config {
        // Addresses come from a file that all validators signed, and behind address translation a node comes from elsewhere.
        allow_private_ips: true,
        bypass_ip_check: true,
        // A node that was killed is back at once.
        peer_connection_cooldown: Duration::from_secs(1),
        dial_frequency: Duration::from_millis(250),
        ping_frequency: Duration::from_secs(5),
        // Several validators may stand behind one address.
        allowed_handshake_rate_per_ip: Quota::per_second(NZU32!(16)),
        block_duration: Duration::from_hours(1),
        // The peers of a process do not change; memory grows with this.
        tracked_peer_sets: NZUsize!(1),
        ..lookup::Config::recommended(handshake, namespace, listen, nodes_max, bytes_max, NZUsize!(256))
    }
}
