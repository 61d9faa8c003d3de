//! The bytes of a sealed file. Decides from values alone; whoever asks brings salt and nonce.
//!
//! ```text
//! "#cairn-sealed 1\n"  [memory_kib, passes, lanes, salt, nonce, sealed]
//!                       argon2id (RFC 9106) of passphrase and salt ─▶ key
//!                       ChaCha20-Poly1305 (RFC 8439) of key and nonce over the content; first line, numbers and salt go with it
//! ```

use crate::passphrase::Passphrase;
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use cairn_types::codec;
use minicbor::{CborLen, Decode, Encode};
use zeroize::Zeroizing;

/// How a sealed file begins, whatever its version: as no plain file of keys does.
const BEGINS: &[u8] = b"#cairn-sealed ";
const VERSION: &[u8] = b"1\n";
/// More is not asked for: a file that says more wants to exhaust whoever opens it.
pub(crate) const MEMORY_KIB_MAX: u32 = 256 * 1_024;
pub(crate) const PASSES_MAX: u32 = 16;
const LANES_MAX: u32 = 4;
/// Bytes that a sealed file is longer than its content, at most.
pub(crate) const OVERHEAD_BYTES_MAX: u64 = 256;

pub(crate) const SALT_BYTES: usize = 16;
pub(crate) const NONCE_BYTES: usize = NONCE_LEN;

/// How much work each guess at a passphrase costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strength {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

impl Default for Strength {
    /// The second choice of RFC 9106, for machines with little memory: 64 MiB, three passes.
    fn default() -> Self {
        Self {
            memory_kib: 64 * 1_024,
            passes: 3,
            lanes: 4,
        }
    }
}

impl Strength {
    fn params(self) -> Option<Params> {
        let fits = self.memory_kib <= MEMORY_KIB_MAX && self.passes <= PASSES_MAX && self.lanes <= LANES_MAX;
        // Held to the limits first: the library multiplies before it looks.
        fits.then(|| Params::new(self.memory_kib, self.passes, self.lanes, Some(32)).ok())?
    }
}

/// What a file says before it opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) strength: Strength,
    pub(crate) salt: [u8; SALT_BYTES],
}

/// A key with the header that leads to it.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) header: Header,
    bytes: Zeroizing<[u8; 32]>,
}

impl Key {
    /// The key of a passphrase; `None` when the header asks for more work than any file may.
    pub(crate) fn derive(passphrase: &Passphrase, header: Header) -> Option<Self> {
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, header.strength.params()?);
        let mut bytes = Zeroizing::new([0; 32]);
        argon
            .hash_password_into(passphrase.bytes(), &header.salt, &mut *bytes)
            .ok()?;
        Some(Self { header, bytes })
    }

    fn cipher(&self) -> LessSafeKey {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &*self.bytes).expect("its keys have 32 bytes");
        LessSafeKey::new(key)
    }
}

/// A sealed file that was read, not opened.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) header: Header,
    nonce: [u8; NONCE_BYTES],
    content: Zeroizing<Vec<u8>>,
}

/// Why bytes are no sealed file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotSealed {
    Plain,
    Newer,
    Damaged,
    TooHard,
}

#[derive(Encode, Decode, CborLen)]
#[cbor(array)]
struct Form {
    #[n(0)]
    memory_kib: u32,
    #[n(1)]
    passes: u32,
    #[n(2)]
    lanes: u32,
    #[cbor(n(3), with = "minicbor::bytes")]
    salt: [u8; SALT_BYTES],
    #[cbor(n(4), with = "minicbor::bytes")]
    nonce: [u8; NONCE_BYTES],
    #[cbor(n(5), with = "minicbor::bytes")]
    content: Vec<u8>,
}

impl Header {
    /// What is bound to the content without being secret.
    fn bound(&self) -> Vec<u8> {
        let Strength {
            memory_kib,
            passes,
            lanes,
        } = self.strength;
        let numbers = [memory_kib, passes, lanes].map(u32::to_be_bytes);
        [BEGINS, VERSION, numbers.as_flattened(), &self.salt].concat()
    }
}

impl Sealed {
    /// Reads what a file says; opens nothing and does no work that it asks for.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, NotSealed> {
        let rest = bytes.strip_prefix(BEGINS).ok_or(NotSealed::Plain)?;
        let rest = rest.strip_prefix(VERSION).ok_or(NotSealed::Newer)?;
        let form: Form = codec::decode_canonical(rest).map_err(|_| NotSealed::Damaged)?;
        let strength = Strength {
            memory_kib: form.memory_kib,
            passes: form.passes,
            lanes: form.lanes,
        };
        strength.params().ok_or(NotSealed::TooHard)?;
        Ok(Self {
            header: Header {
                strength,
                salt: form.salt,
            },
            nonce: form.nonce,
            content: Zeroizing::new(form.content),
        })
    }

    /// The content; `None` when the key is another one or a byte was changed.
    pub(crate) fn open(mut self, key: &Key) -> Option<Zeroizing<Vec<u8>>> {
        let nonce = Nonce::assume_unique_for_key(self.nonce);
        let bound = Aad::from(self.header.bound());
        let length = key.cipher().open_in_place(nonce, bound, &mut self.content).ok()?.len();
        self.content.truncate(length);
        Some(self.content)
    }
}

/// The bytes of a file. A nonce is used once with a key.
pub(crate) fn seal(content: &[u8], key: &Key, nonce: [u8; NONCE_BYTES]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(content.len() + CHACHA20_POLY1305.tag_len());
    sealed.extend_from_slice(content);
    let bound = Aad::from(key.header.bound());
    let unique = Nonce::assume_unique_for_key(nonce);
    key.cipher()
        .seal_in_place_append_tag(unique, bound, &mut sealed)
        .expect("a file of keys is shorter than the cipher's 256 GiB");
    let Strength {
        memory_kib,
        passes,
        lanes,
    } = key.header.strength;
    let form = Form {
        memory_kib,
        passes,
        lanes,
        salt: key.header.salt,
        nonce,
        content: sealed,
    };
    [BEGINS, VERSION, &codec::encode(&form)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENT: &[u8] = b"me ed25519:00\n";
    const LIGHT: Strength = Strength {
        memory_kib: 32,
        passes: 1,
        lanes: 4,
    };

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
    }

    fn key(text: &str) -> Key {
        let header = Header {
            strength: LIGHT,
            salt: [7; SALT_BYTES],
        };
        Key::derive(&passphrase(text), header).unwrap()
    }

    fn made() -> Vec<u8> {
        seal(CONTENT, &key("correct horse"), [9; NONCE_BYTES])
    }

    fn opened(bytes: &[u8], key: &Key) -> Option<Vec<u8>> {
        Some(Sealed::read(bytes).ok()?.open(key)?.to_vec())
    }

    /// Files that people have must open for ever.
    #[test]
    fn the_form_changes_only_on_purpose() {
        let golden = hex::decode(include_str!("../golden/sealed_1.hex").trim()).unwrap();
        assert_eq!(hex::encode(made()), hex::encode(&golden));
        assert_eq!(opened(&golden, &key("correct horse")).as_deref(), Some(CONTENT));
    }

    #[test]
    fn a_wrong_passphrase_or_a_flipped_bit_opens_nothing() {
        let (bytes, right) = (made(), key("correct horse"));
        assert_eq!(opened(&bytes, &key("correct house")), None);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            // With the header's own key: the numbers are bound too, and not only by leading to another key.
            assert_eq!(opened(&changed, &right), None, "byte {at}");
        }
        for length in 0..bytes.len() {
            assert!(Sealed::read(&bytes[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn hostile_numbers_are_refused_before_any_work() {
        let greedy = |memory_kib, passes, lanes| {
            let form = Form {
                memory_kib,
                passes,
                lanes,
                salt: [0; SALT_BYTES],
                nonce: [0; NONCE_BYTES],
                content: vec![0; 32],
            };
            Sealed::read(&[BEGINS, VERSION, &codec::encode(&form)].concat()).unwrap_err()
        };
        for (memory_kib, passes, lanes) in [
            (64 * 1_024 * 1_024, 1, 1),
            (u32::MAX, u32::MAX, u32::MAX),
            (MEMORY_KIB_MAX + 1, 1, 1),
            (64, PASSES_MAX + 1, 1),
            (1_024, 1, LANES_MAX + 1),
            (0, 1, 1),
            (64, 0, 1),
            (64, 1, 0),
            (8, 1, 4),
        ] {
            let found = greedy(memory_kib, passes, lanes);
            assert_eq!(found, NotSealed::TooHard, "{memory_kib} {passes} {lanes}");
        }
    }

    #[test]
    fn what_is_not_of_this_version_is_told_apart() {
        for (bytes, what) in [
            (&b""[..], NotSealed::Plain),
            (b"me ed25519:00\n", NotSealed::Plain),
            (b"#cairn-sealed 2\n\x86", NotSealed::Newer),
            (b"#cairn-sealed 1\n", NotSealed::Damaged),
            (b"#cairn-sealed 1\n\x80", NotSealed::Damaged),
        ] {
            assert_eq!(Sealed::read(bytes).unwrap_err(), what, "{bytes:?}");
        }
        let longer = [&made()[..], b"x"].concat();
        assert_eq!(Sealed::read(&longer).unwrap_err(), NotSealed::Damaged);
    }
}
