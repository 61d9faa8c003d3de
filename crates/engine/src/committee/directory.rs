//! Where the validators of an epoch are reached, as the last block of the epoch before says it. It may leave some out: those a node
//! knows from its own settings, or waits for.

use crate::engine_types::PublicKey;
use bytes::BufMut;
use commonware_codec::{Buf, EncodeSize, Error as CodecError, MaxEncodeSize as _, RangeCfg, Read, Write};
use commonware_glue::dkg::network;
use commonware_p2p::Address;
use commonware_utils::ordered::{Map, Set};

/// Addresses by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directory(Map<PublicKey, Address>);

impl Directory {
    pub(crate) fn new(addresses: impl IntoIterator<Item = (PublicKey, Address)>) -> Self {
        Self(Map::from_iter_dedup(addresses))
    }

    pub(crate) fn get(&self, key: &PublicKey) -> Option<&Address> {
        self.0.get_value(key)
    }
}

impl Write for Directory {
    fn write(&self, buf: &mut impl BufMut) {
        self.0.write(buf);
    }
}

impl EncodeSize for Directory {
    fn encode_size(&self) -> usize {
        self.0.encode_size()
    }
}

impl Read for Directory {
    type Cfg = RangeCfg<usize>;

    fn read_cfg(buf: &mut impl Buf, count: &Self::Cfg) -> Result<Self, CodecError> {
        Ok(Self(Map::read_cfg(buf, &(*count, (), ()))?))
    }
}

impl network::Directory<PublicKey> for Directory {
    fn codec_config(peers: &Set<PublicKey>) -> Self::Cfg {
        RangeCfg::new(0..=peers.len())
    }

    fn max_encode_size(peers: usize) -> usize {
        Map::<PublicKey, Address>::max_encode_size(peers, Address::MAX_ENCODE_SIZE)
    }

    fn matches(&self, peers: &Set<PublicKey>) -> bool {
        self.0.keys().iter().all(|key| peers.position(key).is_some())
    }
}
