//! The Commonware types this chain is pinned to, named once. Not public: no other crate sees one.

use crate::{block::Block, committee::Directory};
use commonware_consensus::{
    marshal::{core, standard::Standard},
    simplex::{scheme::bls12381_threshold::vrf, types},
};
use commonware_cryptography::{
    Sha256,
    bls12381::primitives::variant::{MinSig, Variant},
    ed25519, sha256,
};
use commonware_glue::dkg;
use commonware_parallel::Sequential;
use commonware_storage::{
    mmr,
    qmdb::{
        any::{ordered::fixed::Operation, value::FixedEncoding},
        current,
    },
    translator::EightCap,
};
use commonware_utils::sequence::FixedBytes;

pub(crate) type Digest = sha256::Digest;
pub(crate) type PublicKey = ed25519::PublicKey;
/// Signatures of 48 bytes, keys of 96.
pub(crate) type Bls = MinSig;
pub(crate) type GroupKey = <Bls as Variant>::Public;
pub(crate) type SeedSignature = <Bls as Variant>::Signature;
pub(crate) type Scheme = vrf::Scheme<PublicKey, Bls>;
pub(crate) type Certificate = types::Finalization<Scheme, Digest>;
pub(crate) type ConsensusContext = types::Context<Digest, PublicKey>;
/// Blocks travel whole.
pub(crate) type MarshalVariant = Standard<Block>;
pub(crate) type MarshalMailbox = core::Mailbox<Scheme, MarshalVariant>;
/// What a block carries for the next committee.
pub(crate) type Payload = dkg::types::Payload<Bls, PublicKey, Directory>;
/// Who signs in an epoch, and who is next.
pub(crate) type EpochInfo = dkg::types::EpochInfo<Bls, PublicKey, Directory>;
pub(crate) type ReshareInput = dkg::reshare::Input<(), Bls, ed25519::PrivateKey, Directory>;
/// The newest finalized block that others speak of, and who signs in its epoch.
pub(crate) type Newest = dkg::probe::Artifact<Scheme, Digest, Bls, Directory>;

pub(crate) type StateKey = FixedBytes<{ crate::KEY_BYTES }>;
pub(crate) type StateValue = FixedBytes<{ crate::VALUE_BYTES }>;
/// Bytes of one chunk of the bitmap that says which operations are current.
pub(crate) const CHUNK_BYTES: usize = 32;
/// The state: proves what a record is now, and that there is none.
pub(crate) type State<E> =
    current::ordered::fixed::Db<mmr::Family, E, StateKey, StateValue, Sha256, EightCap, CHUNK_BYTES, Sequential>;
/// One operation of the state's log.
pub(crate) type Op = Operation<mmr::Family, StateKey, StateValue>;
pub(crate) type KeyValueProof =
    current::ordered::proof::constant::KeyValueProof<mmr::Family, StateKey, Digest, CHUNK_BYTES>;
pub(crate) type ExclusionProof = current::ordered::proof::constant::ExclusionProof<
    mmr::Family,
    StateKey,
    FixedEncoding<StateValue>,
    Digest,
    CHUNK_BYTES,
>;
