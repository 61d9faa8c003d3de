//! Copies, money and vouchers at the desk.

use super::*;
use cairn_agent::carry::wire::{Range, Sender, root};
use cairn_types::{NetworkId, OrderId};
use cairn_verifier::meters::{self, MeterEntry};

pub fn terms(copies: u8, held: u64, exposure: u64, collect_ms: u64) -> Terms {
    Terms {
        chain: "one".parse().unwrap(),
        claim: Claim {
            network: NetworkId([3; 32]),
            order: OrderId([4; 32]),
            router: "localhost:1690".into(),
            addresses: vec![Range { first: 0, last: 99 }],
            joins: vec![],
            devices: vec![],
            copies,
            exposure: Credit(exposure),
            said: TimeMs(0),
        },
        secret: SecretKey::ed25519([1; 32]),
        held: Credit(held),
        params: Params::default(),
        collect_ms,
    }
}

fn offer(number: u64, frame: u8, snr_ddb: i16) -> Offer {
    Offer {
        number,
        frame: Hash([frame; 32]),
        sender: Sender::Data { address: 5, counter: 1 },
        size: 20,
        frequency_hz: 868_100_000,
        spreading: 7,
        bandwidth_hz: 125_000,
        rssi_ddbm: -1_000,
        snr_ddb,
        heard: TimeMs(0),
        counter_us: None,
    }
}

/// A device's offer over its line; both have the same number.
fn says(desk: &mut Desk, device: u32, offer: Offer, now: u64) -> Option<Verdict> {
    let answer = desk.offer(device.into(), DeviceNumber(device), offer, TimeMs(now));
    answer.map(|answer| answer.verdict)
}

/// What the lines are told by then.
fn verdicts(desk: &mut Desk, now: u64) -> Vec<(LineId, Verdict)> {
    let answers = desk.due(TimeMs(now)).into_iter();
    answers.map(|answer| (answer.line, answer.verdict)).collect()
}

const YES: Verdict = Verdict::Bought(Credit(10));
const BOUGHT: Option<Verdict> = Some(Verdict::Bought(Credit(10)));

#[test]
fn the_first_copies_are_bought_where_nobody_waits_for_better_ones() {
    let mut desk = Desk::new(terms(2, 1_000, 500, 0), None);
    assert_eq!(says(&mut desk, 1, offer(1, 1, 0), 0), BOUGHT);
    assert_eq!(says(&mut desk, 1, offer(2, 1, 0), 1), Some(Verdict::Twice));
    assert_eq!(says(&mut desk, 2, offer(1, 1, 0), 1), BOUGHT);
    assert_eq!(says(&mut desk, 3, offer(1, 1, 90), 1), None, "it may stand in");
    assert_eq!(says(&mut desk, 3, offer(4, 1, 90), 1), Some(Verdict::Twice));
    assert!(desk.packet(1, 1) && desk.packet(2, 1));
    assert_eq!(verdicts(&mut desk, 1), [(3, Verdict::Enough)]);
    assert_eq!(says(&mut desk, 4, offer(1, 1, 99), 1), Some(Verdict::Enough));
    assert_eq!(says(&mut desk, 3, offer(2, 2, 0), 1), BOUGHT, "another frame");
    let stranger = Sender::Data {
        address: 100,
        counter: 1,
    };
    assert_eq!(
        says(
            &mut desk,
            3,
            Offer {
                sender: stranger,
                ..offer(3, 3, 0)
            },
            1
        ),
        Some(Verdict::Unwanted)
    );
    assert_eq!(
        says(&mut desk, 4, offer(5, 2, 0), 3_000),
        Some(Verdict::Unwanted),
        "too late"
    );
    assert_eq!(
        says(&mut desk, 4, offer(6, 2, 0), 31_002),
        BOUGHT,
        "a sender's own repetition"
    );
}

#[test]
fn the_clearest_copies_are_bought_when_their_time_has_come() {
    let mut desk = Desk::new(terms(2, 1_000, 500, 100), None);
    for (device, snr) in [(1, -10), (2, 50), (3, 20)] {
        assert_eq!(says(&mut desk, device, offer(1, 1, snr), u64::from(device)), None);
    }
    assert_eq!(desk.due(TimeMs(100)), []);
    assert_eq!(desk.next_due(), Some(TimeMs(101)));
    assert_eq!(verdicts(&mut desk, 101), [(2, YES), (3, YES)]);
    assert_eq!(says(&mut desk, 4, offer(1, 1, 99), 150), None);
    assert!(desk.packet(2, 1) && desk.next_due() != Some(TimeMs(0)) && desk.packet(3, 1));
    assert_eq!(desk.next_due(), Some(TimeMs(0)));
    assert_eq!(verdicts(&mut desk, 151), [(4, Verdict::Enough), (1, Verdict::Enough)]);
    assert_eq!(verdicts(&mut desk, 10_000), []);
    assert_eq!(desk.next_due(), None);
}

#[test]
fn the_next_best_takes_the_place_of_a_copy_that_does_not_come_and_who_let_it_go_comes_last() {
    let mut desk = Desk::new(terms(2, 1_000, 500, 100), None);
    for (device, snr) in [(1, 90), (2, 50), (3, 20), (4, 10)] {
        assert_eq!(says(&mut desk, device, offer(1, 1, snr), 0), None);
    }
    assert_eq!(verdicts(&mut desk, 100), [(1, YES), (2, YES)]);
    assert!(desk.packet(2, 1));
    assert_eq!(verdicts(&mut desk, 599), []);
    assert_eq!(verdicts(&mut desk, 600), [(3, YES)]);
    // It comes after all: it was told that it is bought, and is paid. Nobody else is bought.
    assert!(desk.packet(1, 1) && desk.packet(3, 1));
    assert_eq!(verdicts(&mut desk, 700), [(4, Verdict::Enough)]);
    assert_eq!(desk.sign().unwrap().0.settle.voucher.credits, Credit(30));
    // The next frame is bought of others, if there are enough; ten minutes later all is as before.
    for (frame, now, bought) in [(2, 1_000, [2, 3]), (3, 601_000, [1, 2])] {
        for (device, snr) in [(1, 90), (2, 50), (3, 20)] {
            assert_eq!(says(&mut desk, device, offer(frame.into(), frame, snr), now), None);
        }
        let told = verdicts(&mut desk, now + 100);
        assert_eq!(told, bought.map(|device| (device, YES)));
        assert!(bought.iter().all(|device| desk.packet(*device, frame.into())));
        assert!(matches!(verdicts(&mut desk, now + 100)[..], [(_, Verdict::Enough)]));
    }
    // Alone it is better than none.
    assert_eq!(says(&mut desk, 1, offer(9, 9, 0), 602_000), None);
    assert_eq!(verdicts(&mut desk, 602_100), [(1, YES)]);
    assert_eq!(verdicts(&mut desk, 602_600), []);
    for (device, snr) in [(1, 90), (4, -90)] {
        assert_eq!(says(&mut desk, device, offer(10, 10, snr), 603_000), None);
    }
    assert_eq!(
        verdicts(&mut desk, 603_100).len(),
        2,
        "two are wanted, and two are there"
    );
}

#[test]
fn two_offers_of_one_name_are_not_bought_both() {
    let mut desk = Desk::new(terms(1, 1_000, 500, 100), None);
    assert_eq!(says(&mut desk, 1, offer(1, 1, 0), 0), None);
    assert_eq!(says(&mut desk, 1, offer(1, 2, 0), 0), None);
    assert_eq!(verdicts(&mut desk, 100), [(1, YES), (1, Verdict::Unwanted)]);
    assert!(desk.packet(1, 1) && !desk.packet(1, 1));
    desk.gone(1, TimeMs(100));
    assert_eq!(
        desk.left(),
        Credit(990),
        "nothing is kept back for a packet that cannot come"
    );
}

#[test]
fn nobody_stands_in_once_it_is_too_late_and_a_line_that_ends_is_replaced_at_once() {
    let mut desk = Desk::new(terms(1, 1_000, 500, 0), None);
    assert_eq!(says(&mut desk, 1, offer(1, 1, 0), 0), BOUGHT);
    for device in 2..=12 {
        assert_eq!(says(&mut desk, device, offer(1, 1, device as i16), 10), None);
    }
    // So many wait as are of use: the worst are sent away.
    let enough = |line| (line, Verdict::Enough);
    assert_eq!(verdicts(&mut desk, 10), [2, 3, 4].map(enough));
    desk.gone(1, TimeMs(20));
    assert_eq!(verdicts(&mut desk, 20), [(12, YES)]);
    assert_eq!(verdicts(&mut desk, 520), [(11, YES)]);
    desk.gone(11, TimeMs(520));
    for (now, line) in [(520, 10), (1_020, 9), (1_520, 8)] {
        assert_eq!(verdicts(&mut desk, now), [(line, YES)]);
    }
    let last = verdicts(&mut desk, 2_100);
    assert_eq!(last, [7, 6, 5].map(enough));
    assert_eq!(desk.left(), Credit(960), "four may still come");
}

#[test]
fn an_order_buys_no_more_than_it_holds_and_what_never_comes_is_free_again() {
    let mut desk = Desk::new(terms(1, 25, 500, 0), None);
    assert_eq!(says(&mut desk, 1, offer(1, 1, 0), 0), BOUGHT);
    assert_eq!(says(&mut desk, 2, offer(1, 2, 0), 0), BOUGHT);
    assert_eq!(says(&mut desk, 3, offer(1, 3, 0), 0), Some(Verdict::Spent));
    desk.gone(1, TimeMs(0));
    assert_eq!(desk.left(), Credit(15));
    assert_eq!(says(&mut desk, 3, offer(2, 4, 0), 0), BOUGHT);
    // What does not come in ten seconds is not waited for.
    assert_eq!(says(&mut desk, 4, offer(1, 5, 0), 10_001), BOUGHT);
    assert!(!desk.packet(2, 1) && desk.packet(4, 1) && !desk.packet(4, 1));
}

#[test]
fn no_device_is_owed_more_than_was_stated() {
    let mut desk = Desk::new(terms(1, 1_000, 20, 0), None);
    for frame in 1..=2 {
        assert_eq!(says(&mut desk, 1, offer(frame.into(), frame, 0), 0), BOUGHT);
        assert!(desk.packet(1, frame.into()));
    }
    assert_eq!(says(&mut desk, 1, offer(3, 3, 0), 0), Some(Verdict::Spent));
    assert!(desk.sign().is_some());
    assert_eq!(says(&mut desk, 1, offer(4, 4, 0), 0), BOUGHT);
}

#[test]
fn a_voucher_says_all_that_was_delivered_and_the_verifiers_agree_on_its_root() {
    let mut desk = Desk::new(terms(1, 1_000, 500, 0), None);
    assert!(desk.sign().is_none());
    for (device, frame) in [(2, 1), (1, 2), (2, 3)] {
        assert_eq!(says(&mut desk, device, offer(frame.into(), frame, 0), 0), BOUGHT);
        assert!(desk.packet(device.into(), frame.into()));
    }
    assert_eq!(says(&mut desk, 3, offer(9, 9, 0), 0), BOUGHT, "never delivered");
    let (promise, more) = desk.sign().unwrap();
    assert_eq!(more, [DeviceNumber(1), DeviceNumber(2)]);
    assert_eq!(promise.settle.voucher.credits, Credit(30));
    assert_eq!(
        (promise.of(DeviceNumber(2)), promise.of(DeviceNumber(3))),
        (Credit(20), Credit::ZERO)
    );
    let terms = desk.terms();
    let key = terms.secret.public();
    assert_eq!(
        promise.check(&terms.chain, &terms.claim.order, &key, terms.held),
        Ok(())
    );
    let entry = |entry: &Entry| MeterEntry {
        device: entry.device,
        credits: entry.credits,
    };
    let entries: Vec<MeterEntry> = promise.entries.iter().map(entry).collect();
    assert_eq!(meters::root(&entries), root(&promise.entries));
    assert!(desk.sign().is_none(), "nothing more");
    // Begun anew it goes on from there.
    let mut again = Desk::new(desk.terms().clone(), Some(&promise));
    assert_eq!((again.left(), again.unsigned()), (Credit(970), Credit::ZERO));
    assert_eq!(says(&mut again, 1, offer(1, 1, 0), 0), BOUGHT);
    assert!(again.packet(1, 1));
    assert_eq!(again.sign().unwrap().0.settle.voucher.credits, Credit(40));
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut desk = Desk::new(terms(1, 100_000_000, 100_000_000, 0), None);
    for number in 0..20_000u64 {
        let mut one = offer(number, 0, 0);
        one.frame.0[..8].copy_from_slice(&number.to_be_bytes());
        assert_eq!(says(&mut desk, 1, one, 0), BOUGHT);
        assert!(desk.packet(1, number));
    }
    assert!(desk.frames.len() <= FRAMES_MAX + 1 && desk.coming.is_empty());
}
