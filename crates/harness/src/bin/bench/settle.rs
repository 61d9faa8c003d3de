//! What an epoch costs after it is judged: divided among operators, attested, settled and paid; and what closing and settling cost the
//! ledger with more and more devices. The ledger runs on records in memory: what an authenticated store adds is not here.

use crate::method::{Section, Spent, Turns, median, spent, whole};
use cairn_ledger::fixture::{City, OPERATORS_FROM};
use cairn_ledger::records::{Account, AccountIndex, PoolState};
use cairn_ledger::tx::{TX_BYTES_MAX, pay};
use cairn_ledger::{Block, Event, Key, MemoryStore, Missing, Signed, Store, check, view};
use cairn_types::{
    AccountNumber, DeviceNumber, EpochNumber, Finding, Hash, PayoutLeaf, PublicKey, ReportId, hash, merkle,
};
use cairn_verifier::archive::Inputs;
use cairn_verifier::divide::divide;
use cairn_verifier::roster::RosterMember;
use std::error::Error;
use std::fmt::Write;

/// Devices and operators of the cities that close epochs; the last one is paid.
const CITIES: [(u32, u32); 3] = [(10_000, 1_000), (100_000, 10_000), (1_000_000, 100_000)];
const CLOSES: usize = 15;
const DIVISIONS: usize = 5;
const HOUR_MS: u64 = 3_600_000;

pub fn run() -> Section {
    let mut text = format!(
        "### Closing and settling, by number of devices\n\n\
         `begin_block` that closes an hour, and `check` + `apply` of the settlement (one verifier's attestation, one transaction signature), \
         on records in memory; microseconds of the wall. *Records* are those asked for and written, which decide the cost in an authenticated store: as many however many devices there are. \
         The time still rises, probably as the ordered map in memory gets deeper and colder (not measured apart). n = {CLOSES}.\n\n\
         | devices | operators | records in memory | close, µs | records | settle_epoch, µs | records |\n\
         |---|---|---|---|---|---|---|\n"
    );
    let mut paid = String::new();
    for (devices, operators) in CITIES {
        eprintln!("settle: {devices} devices");
        let mut city = City::new();
        city.write_operators(operators);
        city.write_devices(devices);
        let mut nonce = 0;
        text.push_str(&closes(&mut city, devices, operators, &mut nonce)?);
        if (devices, operators) == CITIES[CITIES.len() - 1] {
            paid = payout(&mut city, devices, operators, &mut nonce)?;
        }
    }
    text.push('\n');
    text.push_str(&paid);
    Ok(text)
}

/// Counts what a call asks of the records below.
struct Counting<'a> {
    below: &'a mut MemoryStore,
    records: usize,
}

impl Store for Counting<'_> {
    fn get(&mut self, key: &Key) -> Result<Option<Vec<u8>>, Missing> {
        self.records += 1;
        self.below.get(key)
    }
    fn put(&mut self, key: Key, value: Vec<u8>) {
        self.records += 1;
        self.below.put(key, value);
    }
    fn delete(&mut self, key: &Key) {
        self.records += 1;
        self.below.delete(key);
    }
}

fn closes(city: &mut City, devices: u32, operators: u32, nonce: &mut u64) -> Section {
    let (mut closing, mut settling) = (Vec::new(), Vec::new());
    let (mut close_records, mut settle_records) = (0, 0);
    for _ in 0..CLOSES {
        let (epoch, spent, records) = close(city)?;
        closing.push(spent.wall);
        close_records = close_records.max(records);
        let leaves = city.leaves(epoch);
        *nonce += 1;
        let signed = city.settlement(epoch, &leaves, *nonce);
        let (spent, records) = submit(city, &signed.bytes())?;
        settling.push(spent.wall);
        settle_records = settle_records.max(records);
    }
    Ok(format!(
        "| {} | {} | {} | {:.0} | {close_records} | {:.0} | {settle_records} |\n",
        whole(devices.into()),
        whole(operators.into()),
        whole(city.store.len() as f64),
        median(closing.into_iter()) * 1e6,
        median(settling.into_iter()) * 1e6,
    ))
}

/// The block that closes the open epoch, measured, and the one that reveals its beacon.
fn close(city: &mut City) -> Result<(EpochNumber, Spent, usize), Box<dyn Error>> {
    let open = view::chain(&mut city.store)
        .map_err(not_loaded)?
        .ok_or("no chain")?
        .epoch;
    let height = city.block.height + 1;
    city.block = Block {
        height,
        time: city.block.time.plus_ms(HOUR_MS),
        beacon: Some(hash::domain("bench/beacon", &[&height.to_be_bytes()])),
    };
    let mut store = Counting {
        below: &mut city.store,
        records: 0,
    };
    let mut events: Vec<Event> = Vec::new();
    let (done, spent) = spent(|| city.ledger.begin_block(&mut store, &city.block, &mut events));
    done.map_err(not_loaded)?;
    let records = store.records;
    city.advance(1);
    Ok((open, spent, records))
}

fn submit(city: &mut City, bytes: &[u8]) -> Result<(Spent, usize), Box<dyn Error>> {
    let mut store = Counting {
        below: &mut city.store,
        records: 0,
    };
    let (done, spent) = spent(|| checked_and_applied(&city.ledger, &mut store, &city.block, bytes));
    done?;
    Ok((spent, store.records))
}

fn checked_and_applied(
    ledger: &cairn_ledger::Ledger,
    store: &mut dyn Store,
    block: &Block,
    bytes: &[u8],
) -> Result<(), Box<dyn Error>> {
    let signed = check(&[bytes])
        .pop()
        .ok_or("no answer")?
        .map_err(|reject| reject.sentence())?;
    let applied = ledger
        .apply(store, block, &signed, &mut Vec::new())
        .map_err(not_loaded)?;
    applied.map_err(|reject| reject.sentence())?;
    Ok(())
}

fn not_loaded(missing: Missing) -> String {
    format!("{:?} is not in memory", missing.0)
}

/// One epoch of the largest city, from findings to the last payment.
fn payout(city: &mut City, devices: u32, operators: u32, nonce: &mut u64) -> Section {
    let (epoch, _, _) = close(city)?;
    let inputs = inputs(city, epoch, devices, operators)?;
    let findings = findings(devices);
    eprintln!("settle: dividing");
    let mut dividing = Turns::default();
    let mut leaves = Vec::new();
    for _ in 0..DIVISIONS {
        let divided = dividing.turn(
            || assert!(bare_division(&inputs, &findings, operators) > 0, "something is paid"),
            || divide(&inputs, &findings),
        );
        leaves = divided?.0;
    }
    assert_eq!(leaves.len(), operators as usize, "everybody earned something");
    let hashes = |leaves: &[PayoutLeaf]| leaves.iter().map(PayoutLeaf::hash).collect::<Vec<Hash>>();
    let (root, tree) = spent(|| merkle::Tree::new(hashes(&leaves)).root());
    *nonce += 1;
    let settlement = city.settlement(epoch, &leaves, *nonce);
    let (_, signed_settlement) = spent(|| city.settlement(epoch, &leaves, *nonce));
    let (settled, _) = submit(city, &settlement.bytes())?;
    eprintln!("settle: paying");
    *nonce += 1;
    let (chunks, made) = spent(|| city.chunks(epoch, &leaves, *nonce));
    *nonce += chunks.len() as u64;
    let paying = pay_all(city, &chunks, &leaves)?;
    let pool = view::pool(&mut city.store, &city.network, epoch).map_err(not_loaded)?;
    assert_eq!(
        pool.map(|pool| pool.state),
        Some(PoolState::Paid),
        "paid to the last unit"
    );
    assert_ne!(root, Hash::default());

    let each = |seconds: f64, of: u32| seconds * 1e6 / f64::from(of);
    let paid_core = paying.1;
    let full = pay::PAY_LEAVES_MAX as f64;
    let mut text = format!(
        "### Settling and paying {} devices of {} operators\n\n\
         Core seconds of one thread, from findings to `PoolState::Paid`; every transaction goes through `check` (decoding, signatures) and \
         `apply`. Limits: for dividing, one pass over arrays and a division without remainders (n = {DIVISIONS}); for paying, hashing the same \
         leaves and finding, reading and writing the same two records of each operator in the same store, nothing decoded or checked (n = {} \
         chunks of {} leaves, at most {} bytes of {}).\n\n\
         | step | core seconds | µs a device | µs a leaf | ratio to its limit |\n|---|---|---|---|---|\n",
        whole(devices.into()),
        whole(operators.into()),
        paying.0.count(),
        whole(full),
        whole(chunks.iter().map(|chunk| chunk.bytes().len()).max().unwrap_or(0) as f64),
        whole(TX_BYTES_MAX as f64),
    );
    let mut total = 0.0;
    let mut row = |name: &str, seconds: f64, ratio: String| {
        total += seconds;
        writeln!(
            text,
            "| {name} | {seconds:.4} | {:.2} | {:.1} | {ratio} |",
            each(seconds, devices),
            each(seconds, operators)
        )
    };
    row(
        "divide findings among operators",
        dividing.work_core(),
        format!("{:.2}", dividing.ratio()),
    )?;
    row("tree over the leaves, alone", tree.core, String::new())?;
    row(
        "attest and sign the settlement (a tree again)",
        signed_settlement.core,
        String::new(),
    )?;
    row("settle_epoch", settled.core, String::new())?;
    row(
        "make and sign the payments, with range proofs",
        made.core,
        String::new(),
    )?;
    row("pay", paid_core, format!("{:.2}", paying.0.ratio()))?;
    writeln!(
        text,
        "| **all** | **{total:.4}** | {:.2} | {:.1} | |\n\n\
         {} leaves/s per core are paid: {:.1} ms a chunk.",
        each(total, devices),
        each(total, operators),
        whole(f64::from(operators) / paid_core),
        paying.0.work_core() * 1e3,
    )?;
    Ok(text)
}

/// Every chunk in order, each beside its limit, and the core seconds of all.
fn pay_all(city: &mut City, chunks: &[Signed], leaves: &[PayoutLeaf]) -> Result<(Turns, f64), Box<dyn Error>> {
    let mut turns = Turns::default();
    let mut core = 0.0;
    // Its own copy, for the limit writes as well.
    let mut copy = city.store.clone();
    for (chunk, leaves) in chunks.iter().zip(leaves.chunks(pay::PAY_LEAVES_MAX)) {
        let bytes = chunk.bytes();
        let (ledger, store, block) = (&city.ledger, &mut city.store, &city.block);
        let paid = turns.turn(
            || touch(&mut copy, leaves),
            || {
                let (done, spent) = spent(|| checked_and_applied(ledger, store, block, &bytes));
                core += spent.core;
                done
            },
        );
        paid?;
    }
    Ok((turns, core))
}

/// What paying cannot do without: the leaves' hashes, and each operator's two records found, read and one written.
fn touch(store: &mut MemoryStore, leaves: &[PayoutLeaf]) {
    let root = merkle::root(leaves.iter().map(PayoutLeaf::hash).collect());
    assert_ne!(root, Hash::default());
    for leaf in leaves {
        let index = store
            .record(&view::key::<AccountIndex>(&leaf.operator))
            .expect("written with the city");
        let id = index[index.len() - 32..]
            .try_into()
            .expect("a record of one id ends with it");
        let key = view::key::<Account>(&cairn_types::AccountId(id));
        let account = store.get(&key).expect("memory").expect("written with the city");
        store.put(key, account);
    }
}

fn inputs(city: &mut City, epoch: EpochNumber, devices: u32, operators: u32) -> Result<Inputs, Box<dyn Error>> {
    let pool = view::pool(&mut city.store, &city.network, epoch)
        .map_err(not_loaded)?
        .ok_or("no pool")?;
    let cell = "881969c9b7fffff".parse()?;
    let member = |number: u32| RosterMember {
        number: DeviceNumber(number),
        key: PublicKey::Ed25519([0; 32]),
        operator: AccountNumber(OPERATORS_FROM + number % operators),
        cell,
        joined: EpochNumber(0),
        barred_until: None,
    };
    Ok(Inputs {
        chain: city.ledger.genesis().chain.clone(),
        network: city.network,
        epoch,
        start: city.block.time,
        end: city.block.time,
        vertical: "any".to_owned(),
        parameters: Vec::new(),
        economics: city.ledger.genesis().economics,
        pool,
        beacon: Hash::default(),
        roster: (0..devices).map(member).collect(),
        memory: Vec::new(),
        meters: Vec::new(),
    })
}

/// One finding for each device, sorted by report as assess leaves them: in no order of devices.
fn findings(devices: u32) -> Vec<Finding> {
    let finding = |number: u32| Finding {
        report: ReportId(hash::domain("bench/report", &[&number.to_be_bytes()]).0),
        device: DeviceNumber(number),
        units: 1_000_000 - u64::from(number % 1_000),
        reason: None,
        spans: Vec::new(),
    };
    let mut findings: Vec<Finding> = (0..devices).map(finding).collect();
    findings.sort_unstable_by_key(|finding| finding.report);
    findings
}

/// What dividing cannot do without: one look at every finding and its member, one division for every operator.
fn bare_division(inputs: &Inputs, findings: &[Finding], operators: u32) -> u64 {
    let mut units = vec![0_u64; operators as usize];
    for finding in findings {
        let member = &inputs.roster[finding.device.index()];
        units[(member.operator.0 - OPERATORS_FROM) as usize] += finding.units;
    }
    let (sum, pool) = (
        u128::from(units.iter().sum::<u64>()),
        u128::from(inputs.pool.availability.0),
    );
    units.iter().map(|units| (u128::from(*units) * pool / sum) as u64).sum()
}
