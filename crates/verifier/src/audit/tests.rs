//! Every byte of an archive, every finding, every payout: a change is found and named.

use super::*;
use crate::archive::{FILES, MANIFEST};
use crate::meters::MeterEntry;
use crate::objects::Memory;
use crate::world::{HOUR, START, VERIFIER, World, after, device_key, key};
use cairn_ledger::records::{ExchangeBook, Settlement};
use cairn_ledger::tables;
use cairn_types::{BasisPoints, Credit, DeviceNumber, Finding, PayoutLeaf, Token};

/// Two hours; in the second some operators exchange.
fn archived() -> World {
    let world = World::new(3);
    let (mut collector, mut epochs) = (world.collector(), world.epochs());
    epochs.advance(START.plus_ms(HOUR / 2), &mut collector);
    for (device, wants) in [(0, 0), (2, 10_000), (6, 5_000)] {
        world.choose(device, Some(wants));
    }
    for hour in 0..2 {
        world.feed(&mut collector, hour);
        let served = MeterEntry {
            device: DeviceNumber(0),
            credits: Credit(300_000),
        };
        world.sell(&mut collector, after(hour), vec![served]);
        let advanced = world.close(&mut epochs, &mut collector, hour);
        assert!(advanced.failed.is_empty(), "{:?}", advanced.failed);
    }
    world
}

fn audited(world: &World) -> Option<Difference> {
    audit(&world.objects, &world.chain, &world.network, EpochNumber(1))
        .unwrap()
        .difference
}

fn path(world: &World, file: &str) -> String {
    EpochArchive::of(&world.objects, &world.network, EpochNumber(1)).path(file)
}

/// Changes a file of epoch 1, audits, and puts it back.
fn with_changed(world: &World, file: &str, change: impl FnOnce(&mut Vec<u8>)) -> Option<Difference> {
    let path = path(world, file);
    let whole = world.objects.get(&path).unwrap().unwrap();
    let mut changed = whole.clone();
    change(&mut changed);
    world.objects.put(&path, &changed).unwrap();
    let found = audited(world);
    world.objects.put(&path, &whole).unwrap();
    found
}

#[test]
fn a_flipped_byte_of_any_file_is_found() {
    let world = archived();
    assert_eq!(audited(&world), None);
    for file in FILES.into_iter().chain([MANIFEST]) {
        let bytes = world.objects.get(&path(&world, file)).unwrap().unwrap().len();
        // Every byte of the short files; of the long ones their ends and a sample spread over all of them.
        let step = (bytes / 60).max(1);
        for at in (0..bytes).filter(|at| at % step == 0 || *at < 12 || at + 12 > bytes) {
            let found = with_changed(&world, file, |changed| changed[at] ^= 1 << (at % 8));
            let found = found.unwrap_or_else(|| panic!("{file}: byte {at} flipped and not found"));
            assert!(
                found.file == file || found.file == "ledger",
                "{file}, byte {at}: {found}"
            );
        }
    }
    assert_eq!(audited(&world), None);
}

#[test]
fn a_missing_or_cut_file_is_named() {
    let world = archived();
    for file in FILES.into_iter().chain([MANIFEST]) {
        let found = with_changed(&world, file, |changed| changed.truncate(changed.len() - 1)).unwrap();
        assert_eq!(found.file, file);
    }
    let empty = Memory::default();
    let found = audit(&empty, &world.chain, &world.network, EpochNumber(1))
        .unwrap()
        .difference
        .unwrap();
    assert_eq!((found.file.as_str(), found.field.as_str()), (MANIFEST, "file"));
}

#[test]
fn a_changed_finding_is_named_by_row_and_field() {
    let world = archived();
    let change = |changed: &mut Vec<u8>| {
        let mut findings: Vec<Finding> = codec::decode_canonical(changed).unwrap();
        findings[3].units += 1;
        *changed = codec::encode(&findings);
    };
    let found = with_changed(&world, archive::FINDINGS, change).unwrap();
    assert_eq!((found.file.as_str(), found.row), (archive::FINDINGS, Some(3)));
    assert!(found.field.starts_with("units"), "{found}");
}

#[test]
fn a_changed_payout_is_named_by_row_and_field() {
    let world = archived();
    let change = |changed: &mut Vec<u8>| {
        let mut leaves: Vec<PayoutLeaf> = codec::decode_canonical(changed).unwrap();
        leaves[2].availability = Token(leaves[2].availability.0 + 1);
        *changed = codec::encode(&leaves);
    };
    let found = with_changed(&world, archive::PAYOUTS, change).unwrap();
    assert_eq!((found.file.as_str(), found.row), (archive::PAYOUTS, Some(2)));
    assert!(found.field.starts_with("availability"), "{found}");
}

#[test]
fn a_verifier_that_rewrites_all_its_files_still_differs_from_the_ledger() {
    let world = archived();
    let archive = EpochArchive::of(&world.objects, &world.network, EpochNumber(1));
    let mut leaves = archive.payouts().unwrap();
    leaves[0].availability = Token(leaves[0].availability.0 + 1);
    let bytes = codec::encode(&leaves);
    archive.put(archive::PAYOUTS, &bytes).unwrap();
    let mut manifest = archive.manifest().unwrap().unwrap();
    let entry = manifest
        .files
        .iter_mut()
        .find(|entry| entry.name == archive::PAYOUTS)
        .unwrap();
    (entry.hash, entry.bytes) = (hash::sha256(&bytes), bytes.len() as u64);
    archive.put(archive::MANIFEST, &codec::encode(&manifest)).unwrap();
    let found = audited(&world).unwrap();
    assert_eq!((found.file.as_str(), found.row), (archive::PAYOUTS, Some(0)));
}

#[test]
fn a_report_of_a_device_that_left_stands_under_its_own_number_and_signature() {
    let world = World::new(3);
    let (mut collector, mut epochs) = (world.collector(), world.epochs());
    world.feed(&mut collector, 0);
    world.leave(3);
    world.close(&mut epochs, &mut collector, 0);
    world.feed(&mut collector, 1);
    let advanced = world.close(&mut epochs, &mut collector, 1);
    assert!(advanced.failed.is_empty(), "{:?}", advanced.failed);
    assert_eq!(audited(&world), None);
    let left = device_key(3).public().device_id();
    let change = |change: &mut dyn FnMut(&mut Sealed)| {
        with_changed(&world, archive::REPORTS, |changed| {
            let mut all = archive::reports::read(changed.clone()).unwrap();
            let of_left = |row: &&mut Sealed| Envelope::parse(&row.envelope).unwrap().device == left;
            change(all.iter_mut().find(of_left).unwrap());
            *changed = archive::reports::write(&all, &[]);
        })
        .unwrap()
    };
    let last = |row: &mut Sealed| row.envelope.len() - 1;
    let signature = change(&mut |row| {
        let last = last(row);
        row.envelope[last] ^= 1;
    });
    assert_eq!(signature.field, "signature");
    for number in [0, 999] {
        let device = change(&mut |row| row.device = DeviceNumber(number));
        assert_eq!(device.field, "device", "{device}");
    }
}

#[test]
fn a_report_left_out_or_of_another_hand_is_found() {
    let world = archived();
    let change = |rows: &mut dyn FnMut(&mut Vec<Sealed>)| {
        with_changed(&world, archive::REPORTS, |changed| {
            let mut all = archive::reports::read(changed.clone()).unwrap();
            rows(&mut all);
            *changed = archive::reports::write(&all, &[]);
        })
    };
    let signature = change(&mut |rows| {
        let last = rows[4].envelope.len() - 1;
        rows[4].envelope[last] ^= 1;
    });
    let signature = signature.unwrap();
    assert_eq!((signature.row, signature.field.as_str()), (Some(4), "signature"));
    assert!(change(&mut |rows| drop(rows.remove(1))).is_some());
    let column = change(&mut |rows| rows[2].sequence += 1).unwrap();
    assert_eq!((column.row, column.field.as_str()), (Some(2), "sequence"));
    let swapped = change(&mut |rows| rows.swap(0, 1)).unwrap();
    assert_eq!(swapped.field, "id");
}

/// Rewrites a file of epoch 1 with its hash in the manifest, and the exchange with its signature: a verifier that lies well.
fn with_lie(world: &World, choices: Option<&[Choice]>, lie: impl FnOnce(&mut Exchange)) -> Difference {
    let archive = EpochArchive::of(&world.objects, &world.network, EpochNumber(1));
    let (honest_choices, honest) = (archive.need(archive::CHOICES).unwrap(), archive.need(MANIFEST).unwrap());
    let mut manifest = archive.manifest().unwrap().unwrap();
    if let Some(choices) = choices {
        let bytes = codec::encode(&choices.to_vec());
        let entry = manifest.files.last_mut().unwrap();
        (entry.hash, entry.bytes) = (hash::sha256(&bytes), bytes.len() as u64);
        archive.put(archive::CHOICES, &bytes).unwrap();
    }
    let mut exchange = manifest.exchange.unwrap().exchange;
    lie(&mut exchange);
    manifest.exchange = Some(attest::attest_exchange(exchange, &key(VERIFIER)));
    archive.put(MANIFEST, &codec::encode(&manifest)).unwrap();
    let found = audited(world).unwrap();
    archive.put(archive::CHOICES, &honest_choices).unwrap();
    archive.put(MANIFEST, &honest).unwrap();
    found
}

#[test]
fn one_changed_choice_is_named_by_row() {
    let world = archived();
    let archive = EpochArchive::of(&world.objects, &world.network, EpochNumber(1));
    let choices = archive.choices().unwrap();
    assert!(choices.iter().flatten().count() == 3 && choices.len() > 5);
    for row in 0..choices.len() {
        let mut changed = choices.clone();
        changed[row] = match changed[row] {
            None => Some(BasisPoints::WHOLE),
            Some(_) => None,
        };
        let root = exchange::choices_root(&changed);
        let found = with_lie(&world, Some(&changed), |exchange| exchange.choices = root);
        assert_eq!(
            (found.file.as_str(), found.row),
            (archive::CHOICES, Some(row)),
            "{found}"
        );
    }
    let fewer = with_lie(&world, Some(&choices[1..]), |_| {});
    assert_eq!(fewer.file, archive::CHOICES);
    assert_eq!(audited(&world), None);
}

#[test]
fn offers_choices_or_signatures_that_are_not_the_recomputed_ones_are_named() {
    let world = archived();
    let offers = with_lie(&world, None, |exchange| {
        exchange.offers.tokens = Token(exchange.offers.tokens.0 + 1)
    });
    assert_eq!(offers.file, MANIFEST);
    assert!(offers.field.starts_with("exchange.offers.tokens"), "{offers}");
    let root = with_lie(&world, None, |exchange| exchange.choices = Hash([1; 32]));
    assert!(root.field.starts_with("exchange.choices"), "{root}");
    let of_another = with_lie(&world, None, |exchange| exchange.result = Hash([1; 32]));
    assert!(of_another.field.starts_with("exchange.result"), "{of_another}");

    let manifest = |change: fn(&mut archive::Manifest)| {
        with_changed(&world, MANIFEST, |bytes| {
            let mut manifest: archive::Manifest = codec::decode_canonical(bytes).unwrap();
            change(&mut manifest);
            *bytes = codec::encode(&manifest);
        })
    };
    let unsigned = manifest(|manifest| manifest.exchange.as_mut().unwrap().signatures.clear()).unwrap();
    assert_eq!(unsigned.field, "exchange.signatures");
    let forged = manifest(|manifest| manifest.exchange.as_mut().unwrap().signatures[0].0[3] ^= 1).unwrap();
    assert_eq!((forged.row, forged.field.as_str()), (Some(0), "exchange.signatures"));
    let hidden = manifest(|manifest| manifest.exchange = None).unwrap();
    assert!(
        hidden.file == MANIFEST && hidden.field.starts_with("exchange"),
        "{hidden}"
    );
}

#[test]
fn an_exchange_that_is_not_the_settled_one_is_named() {
    let world = archived();
    let at = (world.network, EpochNumber(1));
    let book = world.chain.exchange(&at.0, at.1).unwrap().unwrap();
    let settled = |book: &ExchangeBook| {
        world.chain.read(|store| tables::insert(store, &at, book));
        audited(&world)
    };
    let mut other = book;
    other.offers.cash.0 += 1;
    let found = settled(&other).unwrap();
    assert!(found.file == "ledger" && found.field.starts_with("exchange"), "{found}");
    let mut other = book;
    other.choices = Hash([1; 32]);
    assert_eq!(settled(&other).unwrap().file, "ledger");
    assert_eq!(settled(&book), None);
    // Settled without an exchange, where some had chosen: everybody was paid as earned.
    let settlement = world.chain.settlement(&at.0, at.1).unwrap().unwrap();
    let without = Settlement {
        exchanged: false,
        ..settlement
    };
    world.chain.read(|store| tables::insert(store, &at, &without));
    assert_eq!(audited(&world).unwrap().field, "exchanged");
}
