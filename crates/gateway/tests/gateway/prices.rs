//! Prices rise with what is delivered, and every credit of them is owed to a device.

use crate::world::{CUSTOMER, World, quote};
use cairn_gateway::query::Query;
use cairn_gateway::quote::bill;
use cairn_types::{Credit, DeviceNumber};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::collections::BTreeMap;

#[test]
fn more_time_and_more_cells_never_cost_less() {
    let world = World::new(4);
    let gateway = world.gateway();
    let prices: Vec<Credit> = (1..=4)
        .map(|hours| quote(&gateway, &world.rain(hours), CUSTOMER).unwrap().price)
        .collect();
    assert!(prices.is_sorted(), "{prices:?}");
    let cell = world.city.devices()[0].cell;
    let mut before = Credit(0);
    for resolution in (4..=8).rev() {
        let query = Query {
            cells: vec![cell.parent(resolution).unwrap()],
            ..world.rain(4)
        };
        let price = quote(&gateway, &query, CUSTOMER).unwrap().price;
        assert!(price >= before, "resolution {resolution}");
        before = price;
    }
    assert!(prices[3] >= before);
}

#[test]
fn a_bill_of_any_rows_sums_to_its_price() {
    let mut random = ChaCha8Rng::seed_from_u64(8);
    for _ in 0..300 {
        let count = 1 + random.next_u64() % 40;
        let devices: BTreeMap<DeviceNumber, u64> = (0..count)
            .map(|_| (DeviceNumber(random.next_u32()), 1 + random.next_u64() % 10_000))
            .collect();
        let price = Credit(1 + random.next_u64() % 5_000_000);
        let entries = bill(price, &devices).unwrap();
        assert_eq!(entries.len(), devices.len());
        assert_eq!(
            Credit::checked_sum(entries.iter().map(|entry| entry.credits)),
            Some(price)
        );
        let rows: u64 = devices.values().sum();
        for (entry, rows_of_it) in entries.iter().zip(devices.values()) {
            let exact = u128::from(price.0) * u128::from(*rows_of_it) / u128::from(rows);
            assert!(
                (exact..=exact + 1).contains(&u128::from(entry.credits.0)),
                "at most a credit above its share"
            );
        }
    }
}
