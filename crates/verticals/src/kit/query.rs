//! The order shape *query*: data by place and time, paid by what was delivered. It moves no money and no data.

use cairn_types::money::mul_div_ceil;
use cairn_types::{CellId, Credit, DeviceNumber};

/// What a device can serve now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub device: DeviceNumber,
    pub cell: CellId,
    /// The quantities it was believed in.
    pub quantities: Vec<u16>,
    /// What it earned when it was last judged, in micro-units: the better source has more.
    pub units: u64,
}

/// What was delivered, and its price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    /// Service units: rows of a query.
    pub units: u64,
    pub credits: Credit,
}

/// The price of so many service units at credits per million of them, rounded up: the customer, who asks, loses the
/// fraction. A price that does not fit is the largest there is.
pub fn bill(units: u64, credits_per_million: u64) -> Bill {
    Bill {
        units,
        credits: Credit(mul_div_ceil(units, credits_per_million, 1_000_000).unwrap_or(u64::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bill_never_falls_when_more_is_delivered_and_rounds_up() {
        for (rows, price, credits) in [
            (0, 50, 0),
            (1, 50, 1),
            (20_000, 50, 1),
            (20_001, 50, 2),
            (u64::MAX, u64::MAX, u64::MAX),
        ] {
            assert_eq!(bill(rows, price).credits, Credit(credits));
        }
    }
}
