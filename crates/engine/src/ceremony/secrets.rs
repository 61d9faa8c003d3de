//! What a validator must not lose while the key is made, nor show: a file for each, readable by its owner only, under the key file's
//! passphrase if that has one. Ends the ceremony when the disk fails, as a validator that forgot what it dealt would contradict itself.

use cairn_secrets::{Form, Keyring};
use commonware_codec::{Copying, DecodeExt, Encode};
use commonware_consensus::types::Epoch;
use commonware_cryptography::{
    PublicKey,
    bls12381::{dkg::feldman_desmedt::DealerPrivMsg, primitives::group::Share},
    transcript::Summary,
};
use commonware_glue::dkg::SecretStore;
use std::{
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Bytes of a file: more than the dealing of any number of validators needs.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
const DISK_WORKS: &str = "the folder of the ceremony can be read and written";

/// The secrets of one ceremony, which has one epoch only.
#[derive(Clone)]
pub(crate) struct Secrets {
    dir: PathBuf,
    form: Form,
}

impl Secrets {
    /// Those in a folder, written in the form of the key file.
    pub(crate) fn open(dir: &Path, form: Form) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            form,
        })
    }

    /// The share, once it is there.
    pub(crate) fn share(&self) -> Option<Share> {
        self.read("share")
    }

    fn write(&self, name: &str, value: &impl Encode) {
        let bytes = Zeroizing::new(value.encode().to_vec());
        self.form.write(&self.dir.join(name), &bytes).expect(DISK_WORKS);
    }

    fn read<T: DecodeExt<()>>(&self, name: &str) -> Option<T> {
        let opened = Keyring::process().read(&self.dir.join(name), FILE_BYTES_MAX);
        let bytes = opened.expect(DISK_WORKS)?.content;
        Some(T::decode(Copying(&bytes)).expect(DISK_WORKS))
    }
}

fn dealing(dealer: &impl PublicKey) -> String {
    let digits: String = dealer.encode().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("dealing-{digits}")
}

impl SecretStore for Secrets {
    async fn put_share(&mut self, _: Epoch, share: Share) {
        self.write("share", &share);
    }

    async fn get_share(&mut self, _: Epoch) -> Option<Share> {
        self.share()
    }

    async fn put_seed(&mut self, _: Epoch, seed: Summary) {
        self.write("seed", &seed);
    }

    async fn get_seed(&mut self, _: Epoch) -> Option<Summary> {
        self.read("seed")
    }

    async fn put_dealing<P: PublicKey>(&mut self, _: Epoch, dealer: P, private: DealerPrivMsg) {
        self.write(&dealing(&dealer), &private);
    }

    async fn get_dealing<P: PublicKey>(&mut self, _: Epoch, dealer: &P) -> Option<DealerPrivMsg> {
        self.read(&dealing(dealer))
    }

    async fn prune(&mut self, _: Epoch) {}
}
