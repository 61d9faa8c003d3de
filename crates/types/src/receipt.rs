//! A verifier's signed promise that a report is on its disk and will be judged.
//!
//! A verifier signs once per group of reports that reached the disk together: the root of the tree over the group's promises,
//! in the group's order. A receipt is that signature and the path of one promise to the root. A promise names its report, network
//! and epoch, so whoever has the receipt shows a broken one without the report.
//!
//! ```text
//! leaf = H(0 ‖ report ‖ network ‖ epoch as eight big-endian bytes)
//! ```

use crate::codec;
use crate::hash::{self, Hash};
use crate::ids::{AccountId, EpochNumber, NetworkId, ReportId};
use crate::keys::{PublicKey, SecretKey, Signature};
use crate::merkle::{self, RangeProof};
use crate::time::TimeMs;
use minicbor::{CborLen, Decode, Encode};

/// That a report will be judged in an epoch of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    pub report: ReportId,
    pub network: NetworkId,
    pub epoch: EpochNumber,
}

/// What a verifier signs for one group.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Group {
    #[n(0)]
    pub verifier: AccountId,
    /// When the group was on disk, by the verifier's clock.
    #[n(1)]
    pub received: TimeMs,
    /// Root of the tree over the group's promises.
    #[n(2)]
    pub root: Hash,
}

/// The promise for one report, signed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Receipt {
    #[n(0)]
    pub report: ReportId,
    /// The network whose verdict is promised.
    #[n(1)]
    pub network: NetworkId,
    /// The epoch in which it will be judged.
    #[n(2)]
    pub epoch: EpochNumber,
    #[n(3)]
    pub group: Group,
    #[n(4)]
    pub path: RangeProof,
    #[n(5)]
    pub signature: Signature,
}

impl Promise {
    /// Its leaf in a group's tree.
    pub fn leaf(&self) -> Hash {
        let mut bytes = [0; 72];
        bytes[..32].copy_from_slice(&self.report.0);
        bytes[32..64].copy_from_slice(&self.network.0);
        bytes[64..].copy_from_slice(&self.epoch.0.to_be_bytes());
        merkle::leaf(&bytes)
    }
}

impl Group {
    /// Whether `key` signed this group.
    pub fn is_signed(&self, key: &PublicKey, signature: &Signature) -> bool {
        key.verify(&self.signed_bytes(), signature)
    }

    fn signed_bytes(&self) -> [u8; 32] {
        hash::domain("cairn/receipt/1", &[&codec::encode(self)]).0
    }
}

/// The receipts of a group, in the order of `promises`, with one signature for all.
pub fn issue(verifier: AccountId, key: &SecretKey, received: TimeMs, promises: &[Promise]) -> Vec<Receipt> {
    let tree = merkle::Tree::new(promises.iter().map(Promise::leaf).collect());
    let group = Group {
        verifier,
        received,
        root: tree.root(),
    };
    let signature = key.sign(&group.signed_bytes());
    promises
        .iter()
        .enumerate()
        .map(|(at, promise)| Receipt {
            report: promise.report,
            network: promise.network,
            epoch: promise.epoch,
            group: group.clone(),
            path: tree
                .prove(at as u64, at as u64 + 1)
                .expect("the promise is in the tree"),
            signature,
        })
        .collect()
}

impl Receipt {
    pub fn promise(&self) -> Promise {
        Promise {
            report: self.report,
            network: self.network,
            epoch: self.epoch,
        }
    }

    /// Whether `key` made this promise. Whose key it is, is for the ledger to say.
    pub fn verify(&self, key: &PublicKey) -> bool {
        self.is_in_group() && self.group.is_signed(key, &self.signature)
    }

    /// Whether the path leads from the promise to the group's root. The signature is not checked here: one check serves a
    /// whole group.
    pub fn is_in_group(&self) -> bool {
        self.path.proves(&[self.promise().leaf()], &self.group.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_holds_for_its_report_network_and_epoch_only() {
        let key = SecretKey::ed25519([5; 32]);
        let promise = |i| Promise {
            report: ReportId([i; 32]),
            network: NetworkId([3; 32]),
            epoch: EpochNumber(7),
        };
        let promises: Vec<_> = (0..5).map(promise).collect();
        let receipts = issue(AccountId([9; 32]), &key, TimeMs(77), &promises);
        for (receipt, promise) in receipts.iter().zip(&promises) {
            assert_eq!(receipt.promise(), *promise);
            assert!(receipt.verify(&key.public()));
            let changes: [fn(&mut Receipt); 4] = [
                |receipt| receipt.report = ReportId([99; 32]),
                |receipt| receipt.network = NetworkId([4; 32]),
                |receipt| receipt.epoch = EpochNumber(8),
                |receipt| receipt.group.received = TimeMs(78),
            ];
            for change in changes {
                let mut changed = receipt.clone();
                change(&mut changed);
                assert!(!changed.verify(&key.public()));
            }
        }
        assert!(issue(AccountId([9; 32]), &key, TimeMs(77), &[]).is_empty());
    }
}
