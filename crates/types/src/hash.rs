//! SHA-256 with domain separation: two things of different kinds never share a hash.

use minicbor::{CborLen, Decode, Encode};
use sha2::{Digest, Sha256};

/// A SHA-256 digest, 32 bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct Hash(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

crate::ids::hex_impls!(Hash);

/// SHA-256 of bytes as they are.
pub fn sha256(bytes: &[u8]) -> Hash {
    Hash(Sha256::digest(bytes).into())
}

/// SHA-256 of bytes that come in pieces.
#[derive(Clone, Debug, Default)]
pub struct Pieces(Sha256);

impl Pieces {
    pub fn take(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    pub fn hash(self) -> Hash {
        Hash(self.0.finalize().into())
    }
}

/// SHA-256 of a domain and parts, each preceded by its length as eight big-endian bytes, so that no two lists of parts
/// share a preimage.
pub fn domain(domain: &str, parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    for part in std::iter::once(domain.as_bytes()).chain(parts.iter().copied()) {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    Hash(hasher.finalize().into())
}

/// SHA-256 of a tag byte and two digests: the inner node of a tree.
pub(crate) fn node(tag: u8, left: &[u8], right: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([tag]);
    hasher.update(left);
    hasher.update(right);
    Hash(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_byte_between_parts_changes_the_hash() {
        assert_ne!(domain("d", &[b"ab", b"c"]), domain("d", &[b"a", b"bc"]));
        assert_ne!(domain("d", &[b"a"]), domain("e", &[b"a"]));
        assert_ne!(domain("d", &[b""]), domain("d", &[]));
    }

    #[test]
    fn in_however_many_pieces_bytes_come_their_hash_is_one() {
        let mut pieces = Pieces::default();
        [&b"a"[..], b"", b"bc"].into_iter().for_each(|piece| pieces.take(piece));
        assert_eq!(pieces.hash(), sha256(b"abc"));
    }

    #[test]
    fn sha256_is_the_standard_one() {
        assert_eq!(
            sha256(b"abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
