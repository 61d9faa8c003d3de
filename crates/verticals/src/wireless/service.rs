//! How a network of hotspots is sold: a stream of packets, paid by started pieces of 24 bytes, to as many of those who heard
//! a packet as the customer asked for. It prices and chooses; it moves no money and no packet.

use super::params::Params;
use super::report::{BEACON, HEARD};
use crate::kit::query::{Bill, Offer, bill};
use crate::kit::{Member, Shape};
use cairn_types::{Credit, DeviceNumber, Finding, TimeMs};

pub const SHAPE: Shape = Shape::Stream;

/// A started piece of so many bytes is paid whole.
pub const PIECE_BYTES: u64 = 24;

/// A device that earned can carry packets.
pub fn offer(member: &Member, finding: &Finding) -> Option<Offer> {
    if finding.units == 0 || finding.device != member.number {
        return None;
    }
    let believed = finding.spans.iter().filter(|span| span.reason.is_none());
    let mut quantities: Vec<u16> = believed
        .map(|span| span.quantity)
        .filter(|it| [BEACON, HEARD].contains(it))
        .collect();
    quantities.sort_unstable();
    quantities.dedup();
    Some(Offer {
        device: member.number,
        cell: member.cell,
        quantities,
        units: finding.units,
    })
}

/// The pieces of a frame of so many bytes; a frame of none is one piece, as it was carried all the same.
pub fn pieces(bytes: u64) -> u64 {
    bytes.div_ceil(PIECE_BYTES).max(1)
}

/// The price of so many pieces.
pub fn meter(params: &Params, pieces: u64) -> Bill {
    bill(pieces, params.price_credits)
}

/// One device's word that it has a frame, as the customer's router sees it before it takes any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copy {
    pub device: DeviceNumber,
    pub snr_ddb: i16,
    pub rssi_ddbm: i16,
    pub received: TimeMs,
}

/// What becomes of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bought {
    Yes,
    /// As many clearer ones were there as the customer asked for.
    Enough,
    /// The device brought this frame before.
    Twice,
    /// The frame is not the customer's, or came too late.
    Unwanted,
}

/// The places of the copies of one frame from the best to the worst: the clearest first, then the strongest, the earliest and the
/// smallest device number.
pub fn ranked(copies: &[Copy]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..copies.len()).collect();
    let key = |place: &usize| {
        let copy = &copies[*place];
        (
            -i32::from(copy.snr_ddb),
            -i32::from(copy.rssi_ddbm),
            copy.received,
            copy.device,
            *place,
        )
    };
    order.sort_unstable_by_key(key);
    order
}

/// Which copies of one frame a customer buys that wants so many: the best, each device once. The answer to each stands at its place.
pub fn choose(copies: &[Copy], wanted: usize, first: TimeMs, late_ms: u64) -> Vec<Bought> {
    let order = ranked(copies);
    let mut answers = vec![Bought::Enough; copies.len()];
    let mut taken: Vec<DeviceNumber> = Vec::new();
    for place in order {
        let copy = &copies[place];
        answers[place] = if copy.received.since_ms(first) > late_ms {
            Bought::Unwanted
        } else if taken.contains(&copy.device) {
            Bought::Twice
        } else if taken.len() >= wanted {
            continue;
        } else {
            taken.push(copy.device);
            Bought::Yes
        };
    }
    answers
}

/// How much a device carries for a customer whose last signed voucher is worth `signed`: nothing more once what was
/// delivered beyond it would pass `exposure`.
pub fn may_deliver(signed: Credit, delivered: Credit, next: Credit, exposure: Credit) -> bool {
    let open = u128::from(delivered.0) + u128::from(next.0);
    open <= u128::from(signed.0) + u128::from(exposure.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_started_piece_is_paid_whole() {
        for (bytes, count) in [
            (0, 1),
            (1, 1),
            (24, 1),
            (25, 2),
            (48, 2),
            (255, 11),
            (u64::MAX, u64::MAX / 24 + 1),
        ] {
            assert_eq!(pieces(bytes), count);
        }
        let params = Params::default();
        assert_eq!(
            meter(&params, pieces(51)).credits,
            Credit(30),
            "three pieces at ten millionths of a dollar"
        );
    }

    #[test]
    fn the_clearest_copies_are_bought_each_device_once() {
        let copy = |device, snr_ddb, received| Copy {
            device: DeviceNumber(device),
            snr_ddb,
            rssi_ddbm: -1_000,
            received: TimeMs(received),
        };
        let copies = [
            copy(1, 50, 5),
            copy(2, -30, 1),
            copy(1, 90, 6),
            copy(3, 70, 4),
            copy(4, 99, 9_000),
        ];
        let answers = choose(&copies, 2, TimeMs(1), 1_000);
        use Bought::*;
        assert_eq!(answers, [Twice, Enough, Yes, Yes, Unwanted]);
        assert_eq!(choose(&copies, 0, TimeMs(1), 1_000)[2], Enough);
    }

    #[test]
    fn who_does_not_sign_is_cut_off_after_the_exposure() {
        for (signed, delivered, next, carries) in [
            (0, 0, 10, true),
            (0, 90, 10, true),
            (0, 91, 10, false),
            (50, 91, 10, true),
        ] {
            assert_eq!(
                may_deliver(Credit(signed), Credit(delivered), Credit(next), Credit(100)),
                carries
            );
        }
    }
}
