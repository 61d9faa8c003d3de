//! What an answer costs and who it is owed to: pure. The customer's order carries the hash of these terms, the voucher the root of
//! the meters, so neither side can mean something else later.

use crate::query::Query;
use crate::refusal::{Kind, Refusal};
use crate::scan::{Plan, Tally};
use cairn_ledger::economics::divide;
use cairn_types::{AccountId, ChainId, Credit, DeviceNumber, EpochNumber, Hash, TimeMs, hash};
use cairn_verifier::meters::{self, MeterEntry};
use std::collections::BTreeMap;

/// The tag of query orders on the ledger.
pub const SHAPE_QUERY: u8 = 0;

/// What a customer is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Cut to what is available: this is what is sold.
    pub query: Query,
    pub chain: ChainId,
    pub provider: AccountId,
    pub rows: u64,
    pub devices: u64,
    pub price: Credit,
    pub meters: Hash,
    pub terms: Hash,
    pub epochs: Epochs,
    pub available_until: TimeMs,
    /// Until then the price cannot change: parameters are those of the open epoch.
    pub valid_until: TimeMs,
}

/// The epochs behind an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epochs {
    pub first: EpochNumber,
    pub last: EpochNumber,
    pub settled: u64,
    /// Expired: they have no rows.
    pub missing: u64,
}

/// The price of so many rows: what the vertical says, and at least one credit, since no order holds less.
pub fn price(plan: &Plan, parameters: &[u8], rows: u64) -> Result<Credit, Refusal> {
    let bill = plan.vertical.meter(parameters, rows).map_err(|error| {
        Refusal::new(
            Kind::Internal,
            "parameters_wrong",
            format!("the network's parameters name no price: {error}"),
            "the network's founder must set them right",
        )
    })?;
    Ok(bill.credits.max(Credit(1)))
}

/// The price divided among devices by their rows; the sum is the price to the credit. `None` when nothing was delivered.
pub fn bill(price: Credit, devices: &BTreeMap<DeviceNumber, u64>) -> Option<Vec<MeterEntry>> {
    let rows: Vec<u64> = devices.values().copied().collect();
    let parts = divide(price.0, &rows).ok()?;
    let entry = |(device, credits): (&DeviceNumber, u64)| MeterEntry {
        device: *device,
        credits: Credit(credits),
    };
    Some(devices.keys().zip(parts).map(entry).collect())
}

/// The hash an order carries: who sells how many rows of which query, for how much, owed to whom.
pub fn terms(chain: &ChainId, provider: &AccountId, query: &Query, rows: u64, price: Credit, meters: &Hash) -> Hash {
    let (rows, price) = (rows.to_be_bytes(), price.0.to_be_bytes());
    let parts: [&[u8]; 6] = [
        chain.as_str().as_bytes(),
        &provider.0,
        &query.hash().0,
        &rows,
        &price,
        &meters.0,
    ];
    hash::domain("cairn/query-terms/1", &parts)
}

/// The root of a bill and the terms it stands in.
pub fn agreed(
    chain: &ChainId,
    provider: &AccountId,
    query: &Query,
    tally: &Tally,
    price: Credit,
) -> Option<(Vec<MeterEntry>, Hash, Hash)> {
    let entries = bill(price, &tally.devices)?;
    let root = meters::root(&entries);
    let terms = terms(chain, provider, query, tally.rows, price, &root);
    Some((entries, root, terms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bill_sums_to_the_price_and_follows_the_rows() {
        let devices: BTreeMap<DeviceNumber, u64> =
            [(3, 7), (1, 1), (9, 2)].map(|(n, rows)| (DeviceNumber(n), rows)).into();
        for price in [1, 2, 9, 10, 1_000_003] {
            let entries = bill(Credit(price), &devices).unwrap();
            assert_eq!(entries.iter().map(|entry| entry.credits.0).sum::<u64>(), price);
            assert!(entries.is_sorted_by(|one, next| one.device < next.device));
            assert!(entries[1].credits >= entries[2].credits && entries[2].credits >= entries[0].credits);
        }
        assert_eq!(bill(Credit(5), &BTreeMap::new()), None);
    }

    #[test]
    fn other_terms_have_another_hash() {
        let query = Query {
            network: cairn_types::NetworkId([1; 32]),
            cells: vec![],
            quantity: "rain".to_owned(),
            from: TimeMs(0),
            to: TimeMs(1),
        };
        let chain: ChainId = "one".parse().unwrap();
        let later = Query {
            to: TimeMs(2),
            ..query.clone()
        };
        let of = |chain: &ChainId, provider, query, rows, price, root| {
            terms(
                chain,
                &AccountId([provider; 32]),
                query,
                rows,
                Credit(price),
                &Hash([root; 32]),
            )
        };
        let all = [
            of(&chain, 1, &query, 5, 7, 1),
            of(&"two".parse().unwrap(), 1, &query, 5, 7, 1),
            of(&chain, 2, &query, 5, 7, 1),
            of(&chain, 1, &later, 5, 7, 1),
            of(&chain, 1, &query, 6, 7, 1),
            of(&chain, 1, &query, 5, 8, 1),
            of(&chain, 1, &query, 5, 7, 2),
        ];
        let different: std::collections::BTreeSet<Hash> = all.into();
        assert_eq!(different.len(), all.len());
    }
}
