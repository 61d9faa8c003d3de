//! Puts an epoch's roots and sums into one result and signs it, and the exchange beside it. Pure; the auditor makes the same result.

use crate::archive::{self, Inputs};
use crate::chain::Basis;
use crate::collector::Sealed;
use cairn_ledger::tx::settle_epoch::{Exchange, ExchangeAttestation};
use cairn_types::attestation::Totals;
use cairn_types::{AccountId, Attestation, EpochResult, Finding, Hash, PayoutLeaf, SecretKey, finding, merkle};

/// Root of the tree over the sorted ids of an epoch's reports.
pub fn archive_root(reports: &[Sealed]) -> Hash {
    merkle::root(reports.iter().map(|report| merkle::leaf(&report.id.0)).collect())
}

/// The result of an epoch. Reports and findings are sorted by report id, leaves by operator.
pub fn result(
    inputs: &Inputs,
    reports: &[Sealed],
    findings: &[Finding],
    memory: &[u8],
    leaves: &[PayoutLeaf],
    totals: Totals,
    basis: Basis,
) -> EpochResult {
    EpochResult {
        chain: inputs.chain.clone(),
        network: inputs.network,
        epoch: inputs.epoch,
        inputs: inputs.hash(),
        archive: archive_root(reports),
        findings: finding::root(findings),
        memory: archive::memory_hash(memory),
        payouts: merkle::root(leaves.iter().map(PayoutLeaf::hash).collect()),
        leaves: u32::try_from(leaves.len()).expect("operators have numbers of 32 bits"),
        totals,
        anchors: basis.anchors,
        previous: basis.previous,
        without: basis.without,
    }
}

/// A result with one verifier's signature.
pub fn attest(result: EpochResult, verifier: AccountId, key: &SecretKey) -> Attestation {
    let signature = result.sign(key);
    Attestation {
        result,
        signatures: vec![(verifier, signature)],
    }
}

/// The exchange beside a result, signed by the verifier who signed the result.
pub fn attest_exchange(exchange: Exchange, key: &SecretKey) -> ExchangeAttestation {
    let signatures = vec![key.sign(&exchange.signed_bytes())];
    ExchangeAttestation { exchange, signatures }
}
