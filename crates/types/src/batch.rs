//! Many signatures at once: a batch costs about a third of as many single checks, less when keys repeat.
//!
//! The random coefficients of the batch equation come from a hash of the whole batch (Fiat and Shamir), so the answer is a
//! function of the input and needs no source of randomness. A batch that fails is halved until the bad ones are found.

use crate::keys::{PublicKey, Signature};
use crate::passkey::Assertion;
use ed25519_zebra::batch::{Item, Verifier};
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;
use sha2::{Digest, Sha256};

/// Signatures checked in one equation at most; longer inputs are cut. Rates are flat above it.
pub const BATCH_MAX: usize = 4_096;

/// Below this many, single checks find the bad one faster than further halving.
const SINGLES_MAX: usize = 4;

/// One signature to check.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    pub key: PublicKey,
    pub message: &'a [u8],
    pub signature: Signature,
    /// What a passkey signed instead of the message.
    pub assertion: Option<&'a Assertion>,
}

impl<'a> Signed<'a> {
    /// By a key that signs bytes as they are.
    pub fn plain(key: PublicKey, message: &'a [u8], signature: Signature) -> Self {
        Self {
            key,
            message,
            signature,
            assertion: None,
        }
    }

    /// Whether it holds, on its own.
    pub fn holds(&self) -> bool {
        self.key.verify_asserted(self.message, &self.signature, self.assertion)
    }
}

/// Whether each signature holds, in the order given. Equal to `Signed::holds` on each.
pub fn verify(batch: &[Signed<'_>]) -> Vec<bool> {
    let mut holds = vec![false; batch.len()];
    let mut items: Vec<(usize, Item)> = Vec::with_capacity(batch.len().min(BATCH_MAX));
    for (at, signed) in batch.iter().enumerate() {
        match (signed.key, signed.assertion) {
            (PublicKey::Ed25519(key), None) => {
                let signature = ed25519_zebra::Signature::from(signed.signature.0);
                items.push((at, Item::from((key.into(), signature, &signed.message))));
            }
            _ => holds[at] = signed.holds(),
        }
        if items.len() == BATCH_MAX {
            settle(batch, &items, &mut holds);
            items.clear();
        }
    }
    settle(batch, &items, &mut holds);
    holds
}

/// Checks items together, or in halves where they fail together.
fn settle(batch: &[Signed<'_>], items: &[(usize, Item)], holds: &mut [bool]) {
    if items.len() <= SINGLES_MAX {
        for (at, item) in items {
            holds[*at] = item.clone().verify_single().is_ok();
        }
        return;
    }
    let mut seed = Sha256::new_with_prefix(b"cairn/batch/1");
    let mut verifier = Verifier::new();
    for (at, item) in items {
        let signed = &batch[*at];
        seed.update(signed.key.parts().1);
        seed.update(signed.signature.0);
        seed.update((signed.message.len() as u64).to_be_bytes());
        seed.update(signed.message);
        verifier.queue(item.clone());
    }
    if verifier.verify(ChaCha12Rng::from_seed(seed.finalize().into())).is_ok() {
        items.iter().for_each(|(at, _)| holds[*at] = true);
    } else {
        let (left, right) = items.split_at(items.len() / 2);
        settle(batch, left, holds);
        settle(batch, right, holds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SecretKey;

    fn signed(n: usize) -> Vec<(PublicKey, Vec<u8>, Signature)> {
        (0..n)
            .map(|i| {
                let seed = [i as u8 % 5 + 1; 32];
                let key = if i % 7 == 3 {
                    SecretKey::p256(seed).expect("a scalar")
                } else {
                    SecretKey::ed25519(seed)
                };
                let message = format!("message {i}").into_bytes();
                let signature = key.sign(&message);
                (key.public(), message, signature)
            })
            .collect()
    }

    #[test]
    fn a_batch_answers_as_single_checks_do_wherever_the_bad_ones_are() {
        for (n, bad) in [
            (0, vec![]),
            (1, vec![0]),
            (9, vec![]),
            (64, vec![0, 13, 63]),
            (100, (0..100).collect()),
        ] {
            let mut made = signed(n);
            for at in &bad {
                made[*at].2.0[5] ^= 0x40;
            }
            let batch: Vec<_> = made
                .iter()
                .map(|(key, message, signature)| Signed::plain(*key, message, *signature))
                .collect();
            let singles: Vec<_> = batch.iter().map(Signed::holds).collect();
            assert_eq!(verify(&batch), singles);
            assert_eq!(singles.iter().filter(|holds| !**holds).count(), bad.len());
        }
    }
}
