//! How a network of sensors is sold: rows of readings by place, time and quantity. It prices what was delivered and moves
//! nothing.

use super::params::Params;
use crate::kit::query::{Bill, Offer, bill};
use crate::kit::{Member, Shape};
use cairn_types::Finding;

pub const SHAPE: Shape = Shape::Query;

/// A device that earned can serve the quantities it was believed in.
pub fn offer(member: &Member, finding: &Finding) -> Option<Offer> {
    if finding.units == 0 || finding.device != member.number {
        return None;
    }
    let believed = finding.spans.iter().filter(|span| span.reason.is_none());
    let mut quantities: Vec<u16> = believed.map(|span| span.quantity).collect();
    quantities.sort_unstable();
    quantities.dedup();
    Some(Offer {
        device: member.number,
        cell: member.cell,
        quantities,
        units: finding.units,
    })
}

/// The price of so many rows; a row is one believed reading.
pub fn meter(params: &Params, rows: u64) -> Bill {
    bill(rows, params.price_credits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_types::{
        AccountNumber, CellId, Credit, DeviceId, DeviceNumber, EpochNumber, Reason, ReportId, Span, TimeMs,
    };

    #[test]
    fn only_what_was_believed_is_offered() {
        let cell: CellId = "881969c9b7fffff".parse().expect("a cell");
        let number = DeviceNumber(3);
        let member = Member {
            number,
            device: DeviceId([3; 32]),
            operator: AccountNumber(1),
            cell,
            joined: EpochNumber(0),
            barred_until: None,
        };
        let span = |quantity, reason| Span {
            start: TimeMs(0),
            end: TimeMs(1),
            quantity,
            reason,
            measured: 0,
            limit: 0,
        };
        let spans = vec![span(0, Some(Reason(109))), span(1, None), span(2, None), span(2, None)];
        let finding = Finding {
            report: ReportId([1; 32]),
            device: number,
            units: 7,
            reason: None,
            spans,
        };
        assert_eq!(offer(&member, &finding).map(|offer| offer.quantities), Some(vec![1, 2]));
        assert_eq!(
            offer(
                &member,
                &Finding {
                    units: 0,
                    ..finding.clone()
                }
            ),
            None
        );
        assert_eq!(
            offer(
                &member,
                &Finding {
                    device: DeviceNumber(4),
                    ..finding
                }
            ),
            None
        );
    }

    #[test]
    fn a_row_costs_its_price_and_a_fraction_is_paid_in_full() {
        let params = Params {
            price_credits: 1_500_000,
            ..Params::default()
        };
        for (rows, credits) in [(0, 0), (1, 2), (2, 3), (1_000_000, 1_500_000)] {
            assert_eq!(meter(&params, rows).credits, Credit(credits));
        }
    }
}
