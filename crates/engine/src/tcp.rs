//! The network between nodes over TCP: whom a node lets in, and with which limits. Keys decide who somebody is, addresses only
//! where to find it.

use crate::{
    StartError, Validator,
    address::nowhere,
    assemble::{Links, Network},
    block::key_bytes,
    committee::Directory,
    engine_types::PublicKey,
};
use commonware_codec::{Copying, DecodeExt as _};
use commonware_consensus::types::Epoch;
use commonware_cryptography::{ChaCha20Poly1305, Signer as _, ed25519::PrivateKey};
use commonware_glue::dkg::network;
use commonware_p2p::{
    Address, AddressableManager as _, AddressableTrackedPeers, PeerSetSubscription, Provider, TrackedPeers,
    authenticated::lookup,
};
use commonware_runtime::{Handle as Task, Quota, tokio::Context};
use commonware_stream::{
    SakeCups,
    cups::{self, Cups},
    sake::{self, Sake},
};
use commonware_utils::{NZU32, NZUsize, ordered::Map};
use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    fmt,
    net::SocketAddr,
    num::NonZeroUsize,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Authenticates and encrypts connections between nodes.
type Handshake = SakeCups<PrivateKey, ChaCha20Poly1305>;

/// TCP between nodes whose addresses are known.
pub(crate) struct Tcp;

impl Links for Tcp {
    type Peers = Known;
    type Blocker = lookup::Oracle<PublicKey>;
    type Sender = lookup::Sender<PublicKey, Context>;
    type Receiver = lookup::Receiver<PublicKey>;
}

/// Whom a node connects to and lets in at first; nobody else.
pub(crate) struct Peers(AddressableTrackedPeers<PublicKey>);

/// Nodes beyond those of the settings that may come to take part while the process runs.
const NEWCOMERS_MAX: usize = 16;

/// Whom a node connects to and lets in as epochs go by: who deals and who gets shares, those of the settings always.
#[derive(Clone)]
pub(crate) struct Known {
    oracle: lookup::Oracle<PublicKey>,
    own: Arc<Own>,
}

struct Own {
    me: PublicKey,
    at_first: AddressableTrackedPeers<PublicKey>,
    /// Addresses of those who took part lately: who leaves is in no later directory.
    seen: Mutex<BTreeMap<PublicKey, Address>>,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").finish_non_exhaustive()
    }
}

impl Provider for Known {
    type PublicKey = PublicKey;

    async fn peer_set(&mut self, id: u64) -> Option<TrackedPeers<PublicKey>> {
        self.oracle.peer_set(id).await
    }

    async fn subscribe(&mut self) -> PeerSetSubscription<PublicKey> {
        self.oracle.subscribe().await
    }
}

impl network::Manager for Known {
    type Directory = Directory;
    type Error = Infallible;

    fn track(&mut self, epoch: Epoch, peers: TrackedPeers<PublicKey>, directory: &Directory) -> Result<(), Infallible> {
        let peers = self.own.peers(peers, directory);
        // Set 0 is that of the settings.
        let _ = self.oracle.track(epoch.get().saturating_add(1), peers);
        Ok(())
    }
}

impl Own {
    fn peers(&self, peers: TrackedPeers<PublicKey>, directory: &Directory) -> AddressableTrackedPeers<PublicKey> {
        let mut seen = self.seen.lock().expect("no panic while this lock is held");
        let address = |key: &PublicKey| {
            let known = directory.get(key).or_else(|| seen.get(key));
            let known = known.or_else(|| self.at_first.primary.get_value(key)).cloned();
            known.unwrap_or_else(|| Address::from(nowhere()))
        };
        let with_address = |key: &PublicKey| (key.clone(), address(key));
        let all: BTreeMap<PublicKey, Address> =
            peers.primary.iter().chain(&peers.secondary).map(with_address).collect();
        let mut room = self.room();
        let mut taken = BTreeSet::from([self.me.clone()]);
        let mut pick = |peers: &mut dyn Iterator<Item = (PublicKey, Address)>| -> Vec<(PublicKey, Address)> {
            let new = peers.filter(|(key, _)| taken.insert(key.clone()));
            let picked: Vec<_> = new.take(room).collect();
            room -= picked.len();
            picked
        };
        let with = |key: &PublicKey| (key.clone(), all[key].clone());
        let primary = pick(&mut peers.primary.iter().map(with));
        let settings = self
            .at_first
            .primary
            .iter_pairs()
            .chain(self.at_first.secondary.iter_pairs());
        let settings = settings.map(|(key, address)| (key.clone(), address.clone()));
        let secondary = pick(&mut peers.secondary.iter().map(with).chain(settings));
        *seen = all;
        AddressableTrackedPeers::new(Map::from_iter_dedup(primary), Map::from_iter_dedup(secondary))
    }

    fn room(&self) -> usize {
        self.at_first.primary.len() + self.at_first.secondary.len() + NEWCOMERS_MAX
    }
}

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
    let config = config(
        identity,
        namespace,
        listen,
        peers.count() + 1 + NEWCOMERS_MAX,
        bytes_max,
    );
    let (mut network, mut oracle) = lookup::Network::new(context, config);
    oracle.track(0, peers.0.clone());
    let known = Known {
        oracle: oracle.clone(),
        own: Arc::new(Own {
            me: identity.public_key(),
            at_first: peers.0,
            seen: Mutex::default(),
        }),
    };
    let channels = (0..)
        .zip(quotas)
        .map(|(channel, quota)| network.register(channel, *quota))
        .collect();
    let links = Network {
        peers: known,
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
        // Whoever left an epoch ago is still heard; memory grows with this.
        tracked_peer_sets: NZUsize!(2),
        ..lookup::Config::recommended(handshake, namespace, listen, nodes_max, bytes_max, NZUsize!(256))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(seed: u64) -> PublicKey {
        PrivateKey::from_seed(seed).public_key()
    }

    fn names(seeds: std::ops::Range<u64>) -> commonware_utils::ordered::Set<PublicKey> {
        commonware_utils::ordered::Set::from_iter_dedup(seeds.map(name))
    }

    fn at(port: u16) -> Address {
        Address::from(SocketAddr::from(([10, 0, 0, 1], port)))
    }

    /// The first of four.
    fn own() -> Own {
        let settings = (1..4).map(|seed| (name(seed), at(9_000)));
        Own {
            me: name(0),
            at_first: AddressableTrackedPeers::new(Map::from_iter_dedup(settings), Map::default()),
            seen: Mutex::default(),
        }
    }

    fn address(of: &AddressableTrackedPeers<PublicKey>, seed: u64) -> Option<Address> {
        let of = of
            .primary
            .get_value(&name(seed))
            .or_else(|| of.secondary.get_value(&name(seed)));
        of.cloned()
    }

    #[test]
    fn who_comes_is_let_in_where_the_block_says_and_who_goes_is_still_known_for_an_epoch() {
        let own = own();
        let both = |primary, secondary| TrackedPeers::new(primary, secondary);
        let first = own.peers(both(names(0..4), names(4..5)), &Directory::new([(name(4), at(9_004))]));
        assert_eq!((address(&first, 0), address(&first, 4)), (None, Some(at(9_004))));
        let later = own.peers(both(names(0..5), names(0..0)), &Directory::default());
        assert_eq!(address(&later, 4), Some(at(9_004)), "no directory names it any more");
        let gone = own.peers(both(names(0..4), names(0..0)), &Directory::default());
        assert_eq!(address(&gone, 4), None);
        assert_eq!(address(&gone, 3), Some(at(9_000)));
    }

    #[test]
    fn only_so_many_are_let_in_who_were_not_there_at_first() {
        let own = own();
        let many = TrackedPeers::new(names(0..60), names(60..90));
        let known = own.peers(many, &Directory::default());
        assert_eq!(known.primary.len() + known.secondary.len(), 3 + NEWCOMERS_MAX);
        // Those of the settings stay as long as there is room, whoever signs.
        let known = own.peers(TrackedPeers::new(names(10..14), names(0..0)), &Directory::default());
        assert!((1..4).all(|seed| address(&known, seed) == Some(at(9_000))));
    }
}
