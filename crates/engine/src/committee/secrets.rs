//! What a validator must neither lose nor show: its shares, and what it deals and is dealt while they are renewed. Those of epochs gone
//! by are deleted, as a quorum of old shares could sign anything. Ends the chain when the disk fails: a validator that forgot what it
//! dealt would contradict itself.

use super::{reading::Inheritance, shelf::Shelf};
use commonware_codec::{Copying, DecodeExt, Encode};
use commonware_consensus::types::Epoch;
use commonware_cryptography::{
    PublicKey,
    bls12381::{dkg::feldman_desmedt::DealerPrivMsg, primitives::group::Share},
    transcript::Summary,
};
use commonware_glue::dkg::SecretStore;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The secrets of one validator, by epoch.
#[derive(Clone)]
pub(crate) struct Secrets {
    shelf: Arc<dyn Shelf>,
    /// The share with which the era began, from the key file.
    founding: Option<Share>,
    /// That share is the whole key, and stays so.
    is_whole: bool,
    /// Knows shares that were dealt to this node, and that it did not put together.
    inheritance: Option<Arc<dyn Inheritance>>,
}

const READABLE: &str = "what this node wrote can be read";

impl Secrets {
    /// Those on a shelf, and the share from a key file of one of so many validators.
    pub(crate) fn new(shelf: Arc<dyn Shelf>, founding: Option<Share>, validators: usize) -> Self {
        Self {
            shelf,
            is_whole: validators == 1 && founding.is_some(),
            founding,
            inheritance: None,
        }
    }

    /// The same without the share from the key file, which is taken out of memory too when it is out of use.
    pub(crate) fn dealt(&self) -> Self {
        Self {
            shelf: self.shelf.clone(),
            founding: None,
            is_whole: false,
            inheritance: self.inheritance.clone(),
        }
    }

    /// The same, and where else shares come from.
    pub(crate) fn with(self, inheritance: Arc<dyn Inheritance>) -> Self {
        Self {
            inheritance: Some(inheritance),
            ..self
        }
    }

    fn put(&self, kind: &str, epoch: Epoch, value: &impl Encode) {
        let bytes = Zeroizing::new(value.encode().to_vec());
        self.shelf.put(&name(kind, epoch), &bytes);
    }

    fn get<T: DecodeExt<()>>(&self, kind: &str, epoch: Epoch) -> Option<T> {
        let bytes = self.shelf.get(&name(kind, epoch))?;
        Some(T::decode(Copying(&bytes)).expect(READABLE))
    }
}

fn name(kind: &str, epoch: Epoch) -> String {
    format!("{:020}-{kind}", epoch.get())
}

fn epoch_of(name: &str) -> Option<u64> {
    name.split_once('-')?.0.parse().ok()
}

fn dealing(dealer: &impl PublicKey) -> String {
    let digits: String = dealer.encode().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("dealing-{digits}")
}

impl SecretStore for Secrets {
    async fn put_share(&mut self, epoch: Epoch, share: Share) {
        self.put("share", epoch, &share);
    }

    async fn get_share(&mut self, epoch: Epoch) -> Option<Share> {
        // A lone validator that comes back from a backup of its key file has all it needs.
        let founding = self.founding.clone().filter(|_| epoch.is_zero() || self.is_whole);
        if let Some(share) = self.get("share", epoch).or(founding) {
            return Some(share);
        }
        let share = self.inheritance.clone()?.share(epoch).await?;
        self.put("share", epoch, &share);
        Some(share)
    }

    async fn put_seed(&mut self, epoch: Epoch, seed: Summary) {
        self.put("seed", epoch, &seed);
    }

    async fn get_seed(&mut self, epoch: Epoch) -> Option<Summary> {
        self.get("seed", epoch)
    }

    async fn put_dealing<P: PublicKey>(&mut self, epoch: Epoch, dealer: P, private: DealerPrivMsg) {
        self.put(&dealing(&dealer), epoch, &private);
    }

    async fn get_dealing<P: PublicKey>(&mut self, epoch: Epoch, dealer: &P) -> Option<DealerPrivMsg> {
        self.get(&dealing(dealer), epoch)
    }

    async fn prune(&mut self, min: Epoch) {
        let mut old = self.shelf.names();
        old.retain(|name| epoch_of(name).is_some_and(|epoch| epoch < min.get()));
        if !old.is_empty() {
            self.shelf.remove(&old);
        }
        if !min.is_zero() && !self.is_whole && self.founding.take().is_some() {
            self.shelf.forget_founding();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{committee::Memory, keys::Keys};
    use futures::executor::block_on;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;
    use std::num::NonZeroU32;

    fn share(validators: u32) -> Share {
        let keys = Keys::deal(NonZeroU32::new(validators).unwrap(), ChaCha20Rng::from_seed([3; 32]));
        keys[0].share.clone().unwrap()
    }

    #[test]
    fn shares_of_before_are_gone_and_the_first_one_too() {
        let shelf = Arc::new(Memory::default());
        let mut secrets = Secrets::new(shelf.clone(), Some(share(4)), 4);
        block_on(async {
            assert_eq!(secrets.get_share(Epoch::zero()).await, Some(share(4)));
            assert_eq!(secrets.get_share(Epoch::new(1)).await, None);
            for epoch in 1..4 {
                secrets.put_share(Epoch::new(epoch), share(4)).await;
            }
            secrets.prune(Epoch::new(3)).await;
            assert_eq!(secrets.get_share(Epoch::zero()).await, None);
            assert_eq!(secrets.get_share(Epoch::new(2)).await, None);
            assert_eq!(secrets.get_share(Epoch::new(3)).await, Some(share(4)));
        });
        assert_eq!(shelf.names().len(), 1);
    }

    #[test]
    fn a_lone_validators_share_is_the_whole_key_and_stays() {
        let mut secrets = Secrets::new(Arc::new(Memory::default()), Some(share(1)), 1);
        block_on(async {
            secrets.prune(Epoch::new(7)).await;
            assert_eq!(secrets.get_share(Epoch::new(8)).await, Some(share(1)));
        });
    }
}
