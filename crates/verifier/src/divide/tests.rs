//! An order from credits to meters to cash, on the real ledger; and vouchers that are not the ledger's.

use super::*;
use crate::archive::EpochArchive;
use crate::audit::audit;
use crate::chain::ChainView;
use crate::meters::{MeterEntry, MeterError};
use crate::submit::Submitter;
use crate::world::{CUSTOMER, HOUR, PROVIDER, START, World, account, meters_by};
use cairn_types::{DeviceNumber, EpochNumber, OrderId};

const PAID: Credit = Credit(1_000_000);

fn entries() -> Vec<MeterEntry> {
    let entry = |(device, credits)| MeterEntry {
        device: DeviceNumber(device),
        credits: Credit(credits),
    };
    // Device 999 is nobody's: its part is carried.
    [(0, 500_000), (3, 300_001), (5, 99_999), (999, 100_000)]
        .map(entry)
        .to_vec()
}

#[test]
fn what_customers_paid_reaches_the_operators_of_the_devices_that_served_them() {
    let world = World::new(2);
    let (mut collector, mut epochs) = (world.collector(), world.epochs());
    let chain = world.chain.facts().unwrap().chain;
    let provider = account(PROVIDER);
    let now = START.plus_ms(HOUR / 2);
    epochs.advance(now, &mut collector);
    let order = world.order();

    let signed = |order, entries, signer: &Submitter| meters_by(world.network, order, entries, &chain, signer);
    let refused =
        |bytes: &[u8], collector: &mut crate::collector::Collector| collector.take_meters(now, bytes).unwrap_err();
    let stranger = signed(order, entries(), &account(CUSTOMER));
    assert_eq!(refused(&stranger, &mut collector), MeterError::NotProvider);
    let other_order = signed(OrderId([1; 32]), entries(), &provider);
    assert_eq!(refused(&other_order, &mut collector), MeterError::OrderUnknown);
    let mut unsorted = entries();
    unsorted.swap(0, 1);
    let unsorted = signed(order, unsorted, &provider);
    assert_eq!(refused(&unsorted, &mut collector), MeterError::Entries);
    assert!(matches!(
        refused(&unsorted[1..], &mut collector),
        MeterError::Malformed(_)
    ));
    let bytes = signed(order, entries(), &provider);
    collector.take_meters(now, &bytes).unwrap();
    collector.take_meters(now, &bytes).unwrap();
    // Said again after a restart, it is known.
    let mut collector = world.collector();

    world.voucher(order, PAID, meters::root(&entries()));
    // A second voucher whose meters nobody told: its part is carried.
    world.voucher(order, Credit(PAID.0 + 77), Hash([3; 32]));

    world.feed(&mut collector, 0);
    let advanced = world.close(&mut epochs, &mut collector, 0);
    assert!(
        advanced.failed.is_empty() && advanced.paid.len() == 1,
        "{:?}",
        advanced.failed
    );
    let epoch = EpochNumber(0);
    let leaves = EpochArchive::of(&world.objects, &world.network, epoch)
        .payouts()
        .unwrap();
    let paid: u64 = leaves.iter().map(|leaf| leaf.customers_paid.0).sum();
    assert_eq!(paid, 900_000);
    let pool = world.chain.closed(&world.network, epoch).unwrap().unwrap().pool;
    let cash: u64 = leaves.iter().map(|leaf| leaf.cash.0).sum();
    assert!(
        cash > 0 && cash <= pool.cash.0 * 9 / 10 + 1,
        "{cash} of {}",
        pool.cash.0
    );
    assert_eq!(
        leaves
            .iter()
            .map(|leaf| leaf.availability)
            .map(|tokens| tokens.0)
            .sum::<u64>(),
        pool.availability.0
    );
    assert_eq!(
        audit(&world.objects, &world.chain, &world.network, epoch)
            .unwrap()
            .difference,
        None
    );
}

#[test]
fn vouchers_that_are_not_the_ledgers_are_not_divided() {
    let world = World::new(1);
    let (mut collector, mut epochs) = (world.collector(), world.epochs());
    world.feed(&mut collector, 0);
    world.close(&mut epochs, &mut collector, 0);
    let archive = EpochArchive::of(&world.objects, &world.network, EpochNumber(0));
    let (inputs, findings) = (archive.inputs().unwrap(), archive.findings().unwrap());
    assert!(divide(&inputs, &findings).is_ok());
    let settled = crate::chain::SettledOrder {
        order: OrderId([1; 32]),
        paid: Credit(5),
        meters: Hash::default(),
    };
    let mut more = inputs.clone();
    more.meters.push(OrderMeters {
        settled,
        entries: Vec::new(),
    });
    assert_eq!(divide(&more, &findings), Err(DivideError::Vouchers));
    let mut fewer = inputs;
    fewer.pool.settled = 1;
    assert_eq!(divide(&fewer, &findings), Err(DivideError::Vouchers));
}
