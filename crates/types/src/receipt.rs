//! A verifier's signed promise that a report is on its disk and will be judged.
//!
//! A verifier signs once per group of reports that reached the disk together: the root of the tree over the group's report
//! ids, in the group's order. A receipt is that signature and the path of one report to the root.

use crate::codec;
use crate::hash::{self, Hash};
use crate::ids::{AccountId, ReportId};
use crate::keys::{PublicKey, SecretKey, Signature};
use crate::merkle::{self, RangeProof};
use crate::time::TimeMs;
use minicbor::{CborLen, Decode, Encode};

/// What a verifier signs for one group.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Group {
    #[n(0)]
    pub verifier: AccountId,
    /// When the group was on disk, by the verifier's clock.
    #[n(1)]
    pub received: TimeMs,
    /// Root of the tree over the group's report ids.
    #[n(2)]
    pub root: Hash,
}

/// The promise for one report.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Receipt {
    #[n(0)]
    pub report: ReportId,
    #[n(1)]
    pub group: Group,
    #[n(2)]
    pub path: RangeProof,
    #[n(3)]
    pub signature: Signature,
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

/// The receipts of a group, in the order of `reports`, with one signature for all.
pub fn issue(verifier: AccountId, key: &SecretKey, received: TimeMs, reports: &[ReportId]) -> Vec<Receipt> {
    let tree = merkle::Tree::new(reports.iter().map(|id| merkle::leaf(&id.0)).collect());
    let group = Group {
        verifier,
        received,
        root: tree.root(),
    };
    let signature = key.sign(&group.signed_bytes());
    reports
        .iter()
        .enumerate()
        .map(|(at, report)| Receipt {
            report: *report,
            group: group.clone(),
            path: tree.prove(at as u64, at as u64 + 1).expect("the report is in the tree"),
            signature,
        })
        .collect()
}

impl Receipt {
    /// Whether `key` promised this report. Whose key it is, is for the ledger to say.
    pub fn verify(&self, key: &PublicKey) -> bool {
        self.is_in_group() && self.group.is_signed(key, &self.signature)
    }

    /// Whether the path leads from the report to the group's root. The signature is not checked here: one check serves a
    /// whole group.
    pub fn is_in_group(&self) -> bool {
        self.path.proves(&[merkle::leaf(&self.report.0)], &self.group.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_holds_for_its_report_only() {
        let key = SecretKey::ed25519([5; 32]);
        let reports: Vec<_> = (0..5).map(|i| ReportId([i; 32])).collect();
        let receipts = issue(AccountId([9; 32]), &key, TimeMs(77), &reports);
        for (receipt, report) in receipts.iter().zip(&reports) {
            assert_eq!(receipt.report, *report);
            assert!(receipt.verify(&key.public()));
            let other = Receipt {
                report: ReportId([99; 32]),
                ..receipt.clone()
            };
            assert!(!other.verify(&key.public()));
            let mut later = receipt.clone();
            later.group.received = TimeMs(78);
            assert!(!later.verify(&key.public()));
        }
        assert!(issue(AccountId([9; 32]), &key, TimeMs(77), &[]).is_empty());
    }
}
