//! What a verifier reads from providers, and what an auditor reads from somebody's archive.

use cairn_ledger::account::Rule;
use cairn_types::{
    Attestation, Credit, DeviceNumber, Envelope, Hash, NetworkId, OrderId, ReportId, TimeMs,
    codec::{decode_canonical, encode},
};
use cairn_verifier::{
    archive::{FileEntry, Manifest, reports},
    collector::Sealed,
    meters::{self, MeterEntry, MeterRecord, SignedMeters},
};

use crate::{Target, golden, types::key, value};

pub const TARGETS: &[Target] = &[
    Target {
        name: "meters",
        run: meters,
        seeds: || vec![encode(&made_meters(0)), encode(&made_meters(3))],
    },
    Target {
        name: "archive_reports",
        run: archive_reports,
        seeds: || vec![reports::write(&rows(1)), reports::write(&rows(20))],
    },
    Target {
        name: "archive_manifest",
        run: |bytes| value::<Manifest>(bytes).is_some(),
        seeds: || vec![encode(&manifest())],
    },
];

pub fn meters(bytes: &[u8]) -> bool {
    let Some(signed) = value::<SignedMeters>(bytes) else {
        return false;
    };
    meters::root(&signed.record.entries);
    signed.witness.rule.is_valid() && signed.witness.is_complete()
}

/// Rows that were read can be written and read again. The reader catches what the Parquet decoder panics about, which a fuzzer that
/// aborts on every panic does not see: there, only the tests speak.
pub fn archive_reports(bytes: &[u8]) -> bool {
    let Ok(rows) = reports::read(bytes.to_vec()) else {
        return false;
    };
    for row in &rows {
        let parsed = Envelope::parse(&row.envelope);
        assert!(parsed.is_err() || row.envelope.len() > 32);
    }
    assert!(reports::read(reports::write(&rows)).is_ok_and(|again| again == rows));
    true
}

fn made_meters(count: u32) -> SignedMeters {
    let entry = |at| MeterEntry {
        device: DeviceNumber(at),
        credits: Credit(u64::from(at) * 1_000),
    };
    let record = MeterRecord {
        network: NetworkId([3; 32]),
        order: OrderId([4; 32]),
        entries: (0..count).map(entry).collect(),
    };
    let chain = "cairn-fuzz".parse().expect("plain");
    record.sign_by(&chain, &Rule::single(key(1).public()), &[key(1)])
}

fn rows(count: u8) -> Vec<Sealed> {
    let envelope = golden(include_str!("../../crates/types/golden/envelope_eddsa.hex"));
    let row = |at: u8| Sealed {
        id: ReportId([at; 32]),
        device: DeviceNumber(at.into()),
        time: TimeMs(1_500_076_800_000),
        received: TimeMs(1_500_076_801_000),
        sequence: u64::MAX,
        envelope: envelope.clone(),
    };
    (0..count).map(row).collect()
}

fn manifest() -> Manifest {
    let attestation = golden(include_str!("../../crates/types/golden/attestation.hex"));
    let attestation: Attestation = decode_canonical(&attestation).expect("a golden attestation");
    let file = |name: &str| FileEntry {
        name: name.to_owned(),
        bytes: 7,
        hash: Hash([1; 32]),
    };
    Manifest {
        files: cairn_verifier::archive::FILES.map(file).to_vec(),
        attestation,
    }
}
