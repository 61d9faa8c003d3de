//! What a validator must neither lose nor show: its shares, and what it deals and is dealt while they are renewed. Those of epochs gone
//! by are deleted, as a quorum of old shares could sign anything. Ends the chain when the disk fails: a validator that forgot what it
//! dealt would contradict itself.

use commonware_codec::{Copying, DecodeExt, Encode};
use commonware_consensus::types::Epoch;
use commonware_cryptography::{
    PublicKey,
    bls12381::{dkg::feldman_desmedt::DealerPrivMsg, primitives::group::Share},
    transcript::Summary,
};
use commonware_glue::dkg::SecretStore;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use zeroize::Zeroizing;

/// Where secrets are kept, each under a name.
pub(crate) trait Shelf: Send + Sync {
    /// Durable when it returns.
    fn put(&self, name: &str, bytes: &[u8]);
    fn get(&self, name: &str) -> Option<Zeroizing<Vec<u8>>>;
    fn names(&self) -> Vec<String>;
    fn remove(&self, name: &str);
}

/// A shelf that lasts as long as its process: for simulation.
#[derive(Default)]
pub(crate) struct Memory(Mutex<BTreeMap<String, Zeroizing<Vec<u8>>>>);

impl Memory {
    fn all(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Zeroizing<Vec<u8>>>> {
        self.0.lock().expect("no panic while this lock is held")
    }
}

impl Shelf for Memory {
    fn put(&self, name: &str, bytes: &[u8]) {
        self.all().insert(name.to_owned(), Zeroizing::new(bytes.to_vec()));
    }

    fn get(&self, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        self.all().get(name).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.all().keys().cloned().collect()
    }

    fn remove(&self, name: &str) {
        self.all().remove(name);
    }
}

/// The secrets of one validator, by epoch.
#[derive(Clone)]
pub(crate) struct Secrets {
    shelf: Arc<dyn Shelf>,
    /// The share with which the era began, from the key file.
    founding: Option<Share>,
}

const READABLE: &str = "what this node wrote can be read";

impl Secrets {
    pub(crate) fn new(shelf: Arc<dyn Shelf>, founding: Option<Share>) -> Self {
        Self { shelf, founding }
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
        let founding = self.founding.clone().filter(|_| epoch.is_zero());
        self.get("share", epoch).or(founding)
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
        let names = self.shelf.names();
        let old = names
            .iter()
            .filter(|name| epoch_of(name).is_some_and(|epoch| epoch < min.get()));
        for name in old {
            self.shelf.remove(name);
        }
    }
}
