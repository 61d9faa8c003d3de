//! What counts as a claim, a promise, a sender, and that one form stands for each.

use super::*;

fn chain() -> ChainId {
    "one".parse().unwrap()
}

fn claim() -> Claim {
    let range = |first, last| Range { first, last };
    Claim {
        network: NetworkId([3; 32]),
        order: OrderId([4; 32]),
        router: "router.example.org:1690".into(),
        addresses: vec![range(0x2600_0000, 0x26ff_ffff)],
        joins: vec![range(1, 9)],
        devices: vec![range(100, 200)],
        copies: 2,
        exposure: Credit(500),
        said: TimeMs(7),
    }
}

#[test]
fn a_claim_wants_its_addresses_and_those_who_join_its_servers() {
    let claim = claim();
    let data = |address| Sender::Data { address, counter: 1 };
    let join = |join_eui, dev_eui| Sender::Join { join_eui, dev_eui };
    assert!(claim.wants(&data(0x2600_0000)) && claim.wants(&data(0x26ff_ffff)) && !claim.wants(&data(0x2700_0000)));
    assert!(claim.wants(&join(9, 100)) && !claim.wants(&join(10, 100)) && !claim.wants(&join(9, 99)));
    let any_server = Claim {
        joins: vec![],
        ..claim.clone()
    };
    assert!(any_server.wants(&join(10, 100)) && !any_server.wants(&join(10, 99)));
    let none = Claim {
        devices: vec![],
        ..any_server
    };
    assert!(!none.wants(&join(9, 100)), "who names nobody wants nobody");
}

#[test]
fn a_claim_is_bounded_and_signed() {
    let secret = SecretKey::ed25519([1; 32]);
    let signed = claim().sign(&chain(), &secret);
    assert_eq!(signed.check(&chain(), &secret.public()), Ok(()));
    let other = SecretKey::ed25519([2; 32]).public();
    assert_eq!(signed.check(&chain(), &other), Err(ClaimError::Signature));
    assert_eq!(
        signed.check(&"two".parse().unwrap(), &secret.public()),
        Err(ClaimError::Signature)
    );
    let backwards = Range { first: 2, last: 1 };
    for (claim, error) in [
        (Claim { copies: 0, ..claim() }, ClaimError::Copies),
        (Claim { copies: 17, ..claim() }, ClaimError::Copies),
        (
            Claim {
                router: "router".into(),
                ..claim()
            },
            ClaimError::Router,
        ),
        (
            Claim {
                router: "router:0".into(),
                ..claim()
            },
            ClaimError::Router,
        ),
        (
            Claim {
                joins: vec![backwards],
                ..claim()
            },
            ClaimError::Ranges,
        ),
        (
            Claim {
                devices: vec![Range { first: 1, last: 2 }; 65],
                ..claim()
            },
            ClaimError::Ranges,
        ),
        (
            Claim {
                addresses: vec![],
                joins: vec![],
                devices: vec![],
                ..claim()
            },
            ClaimError::Nothing,
        ),
    ] {
        assert_eq!(claim.check(), Err(error));
    }
}

#[test]
fn a_promise_is_what_it_lists_and_no_more() {
    let secret = SecretKey::ed25519([1; 32]);
    let order = OrderId([4; 32]);
    let entry = |device, credits| Entry {
        device: DeviceNumber(device),
        credits: Credit(credits),
    };
    let promise = Promise::sign(order, vec![entry(1, 10), entry(5, 20)], &chain(), &secret).unwrap();
    let check = |promise: &Promise| promise.check(&chain(), &order, &secret.public(), Credit(30));
    assert_eq!(check(&promise), Ok(()));
    assert_eq!(
        (promise.of(DeviceNumber(5)), promise.of(DeviceNumber(2))),
        (Credit(20), Credit(0))
    );
    let change = |change: fn(&mut Promise)| {
        let mut other = promise.clone();
        change(&mut other);
        check(&other)
    };
    assert_eq!(change(|it| it.entries.swap(0, 1)), Err(PromiseError::Entries));
    assert_eq!(change(|it| it.entries[0].credits = Credit(11)), Err(PromiseError::Sum));
    assert_eq!(
        change(|it| it.entries[0].device = DeviceNumber(2)),
        Err(PromiseError::Root)
    );
    assert_eq!(
        change(|it| it.settle.voucher.order = OrderId([5; 32])),
        Err(PromiseError::Order)
    );
    assert_eq!(change(|it| it.settle.signature.0[0] ^= 1), Err(PromiseError::Signature));
    let above = promise.check(&chain(), &order, &secret.public(), Credit(29));
    assert_eq!(above, Err(PromiseError::AboveHeld));
    let stranger = SecretKey::ed25519([2; 32]).public();
    assert_eq!(
        promise.check(&chain(), &order, &stranger, Credit(30)),
        Err(PromiseError::Signature)
    );
}

#[test]
fn senders_are_those_of_join_and_data_frames() {
    let join = [&[0][..], &[1, 0, 0, 0, 0, 0, 0, 0], &[2, 0, 0, 0, 0, 0, 0, 0], &[9; 6]].concat();
    assert_eq!(
        Sender::of(&join),
        Some(Sender::Join {
            join_eui: 1,
            dev_eui: 2
        })
    );
    let data = [&[0x40, 7, 0, 0, 0x26, 0, 5, 0, 1][..], &[9; 8]].concat();
    assert_eq!(
        Sender::of(&data),
        Some(Sender::Data {
            address: 0x2600_0007,
            counter: 5
        })
    );
    assert_eq!(Sender::of(&[0xe0; 20]), None);
}

#[test]
fn messages_read_back() {
    let secret = SecretKey::ed25519([1; 32]);
    let signature = secret.sign(&[1; 32]);
    let offer = Offer {
        number: 3,
        frame: Hash([1; 32]),
        sender: Sender::Data { address: 5, counter: 6 },
        size: 20,
        frequency_hz: 868_100_000,
        spreading: 7,
        bandwidth_hz: 125_000,
        rssi_ddbm: -1_100,
        snr_ddb: -35,
        heard: TimeMs(9),
        counter_us: Some(4),
    };
    for up in [
        Up::Hello {
            key: secret.public(),
            eui: 5,
            signature,
        },
        Up::Offer(offer),
        Up::Offer(Offer {
            counter_us: None,
            ..offer
        }),
        Up::Packet {
            number: 3,
            frame: vec![1, 2],
            signature,
        },
        Up::Sent {
            id: 1,
            error: String::new(),
        },
        Up::Ping,
    ] {
        assert_eq!(codec::decode_canonical::<Up>(&codec::encode(&up)).as_ref(), Ok(&up));
    }
    let promise = Promise::sign(OrderId([4; 32]), vec![], &chain(), &secret).unwrap();
    for down in [
        Down::Challenge([1; 32]),
        Down::Welcome,
        Down::Farewell("no".into()),
        Down::Answer {
            number: 3,
            verdict: Verdict::Bought(Credit(10)),
        },
        Down::Answer {
            number: 3,
            verdict: Verdict::Enough,
        },
        Down::Promise(Box::new(promise)),
        Down::Send { id: 7, json: vec![1] },
    ] {
        assert_eq!(
            codec::decode_canonical::<Down>(&codec::encode(&down)).as_ref(),
            Ok(&down)
        );
    }
}
