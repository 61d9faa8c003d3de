//! What a verifier reads from providers and, after a crash, of its own disk, and what an auditor reads from somebody's archive.

use cairn_ledger::{
    account::Rule,
    economics::{Parameters, netting::OfferTotals},
    records::{Pool, PoolState},
    tx::{
        settle_epoch::{Exchange, ExchangeAttestation},
        settle_order::chain_meters,
    },
};
use cairn_types::{
    AccountId, AccountNumber, Attestation, BasisPoints, CellId, Credit, DeviceNumber, Envelope, EpochNumber, Finding,
    Hash, MicroUsd, NetworkId, OrderId, PayoutLeaf, Price, ReportId, TimeMs, Token,
    codec::{decode_canonical, encode},
};
use cairn_verifier::{
    archive::{self, FileEntry, Inputs, Manifest, OrderMeters, reports},
    assess::judge,
    chain::{ChainView, SettledOrder, local::LocalChain},
    collector::{Collector, Sealed, Settings, checkpoint::Checkpoint},
    disk::{Disk, SimulatedDisk},
    divide::divide,
    exchange::Choice,
    intake::Windows,
    log::{Kind, Log, Record},
    meters::{self, MeterEntry, MeterRecord, SignedMeters},
    roster::RosterMember,
};
use minicbor::bytes::ByteVec;
use std::sync::{Arc, LazyLock};

use crate::{Target, golden, types::key, value};

const SEGMENT_BYTES: u32 = 1 << 13;

/// It says what time it counts; nothing else is asked of it.
static CHAIN: LazyLock<LocalChain> = LazyLock::new(|| {
    let genesis = crate::ledger::founding();
    let start = genesis.start;
    LocalChain::start(genesis, start).expect("its numbers fit")
});

pub const TARGETS: &[Target] = &[
    Target {
        name: "meters",
        run: meters,
        seeds: || vec![encode(&made_meters(0)), encode(&made_meters(3))],
    },
    Target {
        name: "log_segment",
        run: log_segment,
        seeds: || vec![segment(&[1]), segment(&[3, 1, 40])],
    },
    Target {
        name: "collector_checkpoint",
        run: collector_checkpoint,
        seeds: || vec![encode(&Checkpoint::default()), encode(&checkpoint())],
    },
    Target {
        name: "archive_reports",
        run: archive_reports,
        seeds: || vec![reports::write(&rows(1), &[]), reports::write(&rows(20), &[])],
    },
    Target {
        name: "archive_manifest",
        run: |bytes| value::<Manifest>(bytes).is_some(),
        seeds: || vec![encode(&manifest())],
    },
    Target {
        name: "archive_inputs",
        run: archive_inputs,
        seeds: || vec![encode(&inputs())],
    },
    Target {
        name: "archive_findings",
        run: archive_findings,
        seeds: || vec![encode(&Vec::<Finding>::new()), encode(&findings())],
    },
    Target {
        name: "archive_memory",
        run: archive_memory,
        seeds: || vec![archive::memory_file(&[]), archive::memory_file(&[7; 300])],
    },
    Target {
        name: "archive_payouts",
        run: |bytes| value::<Vec<PayoutLeaf>>(bytes).is_some(),
        seeds: || {
            let leaf = golden(include_str!("../../crates/types/golden/payout_leaf.hex"));
            let leaf: PayoutLeaf = decode_canonical(&leaf).expect("a golden leaf");
            vec![encode(&vec![leaf; 3])]
        },
    },
    Target {
        name: "archive_choices",
        run: |bytes| value::<Vec<Choice>>(bytes).is_some(),
        seeds: || {
            let chosen = [0, 2_500, 10_000].map(BasisPoints::new);
            vec![encode(&Vec::<Choice>::new()), encode(&[&[None], &chosen[..]].concat())]
        },
    },
];

pub fn meters(bytes: &[u8]) -> bool {
    let Some(signed) = value::<SignedMeters>(bytes) else {
        return false;
    };
    meters::root(&signed.record.entries);
    signed.witness.rule.is_valid() && signed.witness.is_complete()
}

/// A segment as a crash or a strange hand left it is refused, or opened to its whole groups; then the log goes on, and what is written
/// next does no damage and loses nothing.
pub fn log_segment(bytes: &[u8]) -> bool {
    let disk = SimulatedDisk::new(1 << 20);
    let mut bytes = bytes.to_vec();
    bytes.resize(SEGMENT_BYTES as usize, 0);
    disk.tamper("seed", vec![7; 32]);
    disk.tamper("segment-0000000000.log", bytes);
    let Some((mut log, mut records)) = opened(&disk) else {
        return false;
    };
    let is_taken = !records.is_empty();
    append(&mut log, &[vec![9; 90]]);
    records.push(vec![9; 90]);
    let (_, again) = opened(&disk).expect("it opened before");
    assert_eq!(again, records);
    is_taken
}

/// A checkpoint as a strange hand left it is refused, or a collector goes on from it: it seals, forgets, and another life stands where
/// this one did.
pub fn collector_checkpoint(bytes: &[u8]) -> bool {
    let disk = SimulatedDisk::new(1 << 20);
    disk.tamper("checkpoint", bytes.to_vec());
    let Some(mut one) = collector(&disk) else {
        return false;
    };
    let network = NetworkId([3; 32]);
    let stands = |collector: &Collector| {
        let network = collector.intake().network(&network).expect("it is served");
        (network.open(), network.sequences().to_vec())
    };
    let (open, sequences) = stands(&one);
    assert!(one.seal(TimeMs(u64::MAX), &network, open).expect("the disk is sound"));
    one.forget(&network, open).expect("the disk is sound");
    let again = collector(&disk).expect("it was written by a collector");
    assert_eq!(stands(&again), (open.next(), sequences));
    true
}

/// Rows that were read can be written and read again. The reader catches what the Parquet decoder panics about, which a fuzzer that
/// aborts on every panic does not see: there, only the tests speak.
pub fn archive_reports(bytes: &[u8]) -> bool {
    let Ok((rows, meters)) = reports::read_all(bytes.to_vec()) else {
        return false;
    };
    for row in &rows {
        let parsed = Envelope::parse(&row.envelope);
        assert!(parsed.is_err() || row.envelope.len() > 32);
    }
    // What a footer says of nothing is not written again.
    let said: Vec<_> = meters.into_iter().filter(|order| !order.entries.is_empty()).collect();
    assert!(reports::read_all(reports::write(&rows, &said)).is_ok_and(|again| again == (rows, said)));
    true
}

/// What nobody may be judged and paid by is refused before or by judging and dividing, never by a panic.
pub fn archive_inputs(bytes: &[u8]) -> bool {
    let Some(inputs) = value::<Inputs>(bytes) else {
        return false;
    };
    inputs.hash();
    if let Ok(assessment) = judge(&inputs, &rows(2), 2) {
        assert_eq!(assessment.findings.len(), 2);
    }
    divide(&inputs, &findings()).is_ok()
}

/// Findings that somebody else wrote are divided by, as by one's own.
pub fn archive_findings(bytes: &[u8]) -> bool {
    let Some(findings) = value::<Vec<Finding>>(bytes) else {
        return false;
    };
    divide(&inputs(), &findings).is_ok()
}

pub fn archive_memory(bytes: &[u8]) -> bool {
    let Some(memory) = value::<ByteVec>(bytes) else {
        return false;
    };
    archive::memory_hash(&memory);
    assert!(archive::memory_file(&memory) == bytes);
    true
}

/// A log's first segment with so many records in each group, without what is empty at its end.
fn segment(groups: &[u32]) -> Vec<u8> {
    let disk = SimulatedDisk::new(1 << 20);
    disk.tamper("seed", vec![7; 32]);
    let (mut log, _) = opened(&disk).expect("a new log opens");
    for records in groups {
        let records: Vec<Vec<u8>> = (0..*records).map(|record| vec![record as u8; 30]).collect();
        append(&mut log, &records);
    }
    let mut bytes = disk.content("segment-0000000000.log").expect("groups were appended");
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("frames are not empty");
    bytes.truncate(end + 1);
    bytes
}

fn append(log: &mut Log, records: &[Vec<u8>]) {
    let record = |bytes| Record {
        kind: Kind::Report,
        tag: 5,
        bytes,
    };
    let records: Vec<Record> = records.iter().map(|bytes| record(bytes.as_slice())).collect();
    log.append(TimeMs(7), &records).expect("the disk has space");
}

/// A log and its records; `None` when it is refused.
fn opened(disk: &SimulatedDisk) -> Option<(Log, Vec<Vec<u8>>)> {
    let mut records = Vec::new();
    let log = Log::open(Box::new(disk.clone()), SEGMENT_BYTES, [7; 32], &mut |_, _, record| {
        records.push(record.bytes.to_vec());
        true
    });
    Some((log.ok()?, records))
}

fn collector(disk: &SimulatedDisk) -> Option<Collector> {
    let settings = Settings {
        verifier: AccountId([9; 32]),
        key: key(9),
        windows: Windows {
            ahead_ms_max: 600_000,
            grace_ms: 300_000,
        },
        clock: CHAIN.facts().expect("it is in memory").clock,
        segment_bytes: SEGMENT_BYTES,
        roster_ms_min: 0,
        log_seed: [7; 32],
    };
    let networks = [(NetworkId([3; 32]), cairn_verticals::ALL[0], EpochNumber(0))];
    let disk: Box<dyn Disk> = Box::new(disk.clone());
    Collector::open(settings, Arc::new(CHAIN.clone()), disk, &networks).ok()
}

fn checkpoint() -> Checkpoint {
    let mut checkpoint = Checkpoint::default();
    checkpoint.update(
        &NetworkId([3; 32]),
        EpochNumber(9),
        Some((EpochNumber(7), &[0, 5, 1 << 40])),
    );
    checkpoint.update(&NetworkId([4; 32]), EpochNumber(2), None);
    checkpoint
}

fn findings() -> Vec<Finding> {
    let finding = |at: u8| Finding {
        report: ReportId([at; 32]),
        device: DeviceNumber(at.into()),
        units: 1_000_000,
        reason: None,
        spans: vec![],
    };
    (0..3).map(finding).collect()
}

/// Two operators with a device each, one voucher, and pools to divide.
fn inputs() -> Inputs {
    let member = |at: u8| RosterMember {
        number: DeviceNumber(at.into()),
        key: key(at).public(),
        operator: AccountNumber(at.into()),
        cell: CellId::new(0x08a1_fb46_622d_ffff).expect("a cell of Amsterdam"),
        joined: EpochNumber(0),
        barred_until: None,
    };
    let SignedMeters { record, .. } = made_meters(2);
    let settled = SettledOrder {
        order: record.order,
        paid: Credit(1_000),
        meters: meters::root(&record.entries),
    };
    Inputs {
        chain: "cairn-fuzz".parse().expect("plain"),
        network: record.network,
        epoch: EpochNumber(3),
        start: TimeMs(1_500_076_800_000),
        end: TimeMs(1_500_080_400_000),
        vertical: "sensors".to_owned(),
        parameters: cairn_verticals::ALL[0].default_params(),
        economics: Parameters::with_epochs_per_day(24, 6, Token(1_000_000_000_000_000), Token(200_000_000_000_000)),
        pool: Pool {
            state: PoolState::Closed,
            availability: Token(1_000_000),
            usage: Token(500),
            cash: MicroUsd(700),
            verifiers: MicroUsd(50),
            spent_stable: Credit(1_000),
            spent_burned: Credit(0),
            usage_price: Some(Price(10_000_000)),
            exchange_price: Some(Price(10_000_000)),
            meters: chain_meters(&Hash::default(), &settled.order, settled.paid, &settled.meters),
            settled: 1,
            terms: 0,
            parameters: Hash([1; 32]),
            roster: 2,
        },
        beacon: Hash([5; 32]),
        roster: (0..2).map(member).collect(),
        memory: vec![],
        meters: vec![OrderMeters {
            settled,
            entries: record.entries,
        }],
    }
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
        attestation: attestation.clone(),
        exchange: Some(ExchangeAttestation {
            exchange: Exchange {
                result: attestation.result.hash(),
                offers: OfferTotals {
                    tokens: Token(u64::MAX),
                    cash: MicroUsd(1),
                },
                choices: Hash([2; 32]),
            },
            signatures: attestation.signatures.iter().map(|(_, signature)| *signature).collect(),
        }),
    }
}
