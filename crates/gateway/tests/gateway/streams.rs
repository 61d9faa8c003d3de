//! Claims and promises at the gateway: what is taken, from whom, and when it is settled.

use crate::world::{CUSTOMER, POOR, PROVIDER, VOUCHERS, World, account, code, key};
use cairn_agent::carry::wire::{Claim, Entry, Promise, Range, SHAPE_STREAM, Shown, terms};
use cairn_gateway::gateway::Gateway;
use cairn_ledger::records::OrderState;
use cairn_ledger::tx::open_order::OpenOrder;
use cairn_types::{ChainId, Credit, DeviceNumber, OrderId, SecretKey, TimeMs, codec};

fn chain() -> ChainId {
    "gateway-test".parse().unwrap()
}

fn open(world: &World, hold: u64) -> OrderId {
    let order = OpenOrder {
        network: world.network,
        provider: account(PROVIDER),
        shape: SHAPE_STREAM,
        terms: terms(&chain(), &world.network),
        hold: Credit(hold),
        expires: world.expires(),
        voucher_key: key(VOUCHERS).public(),
    };
    world.open(CUSTOMER, order)
}

fn claim(world: &World, order: OrderId, said: u64) -> Claim {
    Claim {
        network: world.network,
        order,
        router: "router.example.org:1690".into(),
        addresses: vec![Range { first: 1, last: 2 }],
        joins: vec![],
        devices: vec![],
        copies: 1,
        exposure: Credit(10),
        said: TimeMs(said),
    }
}

fn promise(order: OrderId, credits: &[u64], secret: &SecretKey) -> Promise {
    let entries = (1u32..).zip(credits).map(|(device, credits)| Entry {
        device: DeviceNumber(device),
        credits: Credit(*credits),
    });
    Promise::sign(order, entries.collect(), &chain(), secret).unwrap()
}

fn show(gateway: &Gateway, promise: &Promise, last: bool) -> &'static str {
    let voucher = promise.settle.voucher;
    let message = Shown::last_message(&chain(), &voucher.order, voucher.credits);
    let shown = Shown {
        promise: promise.clone(),
        last: last.then(|| key(VOUCHERS).sign(&message)),
    };
    code(gateway.take_promise(&codec::encode(&shown)))
}

#[test]
fn the_best_promise_anybody_showed_is_settled_once_and_operators_are_paid() {
    let world = World::new(1);
    let gateway = world.gateway();
    let order = open(&world, 1_000);
    let before = world.credits(CUSTOMER);
    let (less, more) = (
        promise(order, &[10, 20], &key(VOUCHERS)),
        promise(order, &[40, 20], &key(VOUCHERS)),
    );
    assert_eq!(show(&gateway, &less, false), "done");
    assert_eq!(gateway.wind_up(), 1, "a better one may come");
    assert_eq!(world.order(&order).settled, Credit::ZERO);
    // The customer says that it is done with less than it promised; a device shows more, in time.
    assert_eq!(show(&gateway, &less, true), "done");
    assert_eq!(show(&gateway, &more, false), "done");
    assert_eq!(show(&gateway, &less, false), "done", "known, and no better");
    assert_eq!(gateway.wind_up(), 1, "half a minute is not over");
    drop(gateway);
    // Begun anew it goes on; an hour later it is time.
    world.pass(1);
    let gateway = world.gateway();
    let late = promise(order, &[50, 20], &key(VOUCHERS));
    assert_eq!(
        show(&gateway, &late, false),
        "order_not_open",
        "its time is over, the other may be on its way"
    );
    assert_eq!(gateway.wind_up(), 0);
    let paid = world.order(&order);
    assert_eq!((paid.state, paid.settled), (OrderState::Closed, Credit(60)));
    assert_eq!(world.credits(CUSTOMER).0, before.0 + 1_000 - 60);
    assert_eq!(show(&gateway, &more, true), "order_not_open");
    world.pass(2);
    assert_eq!(world.customers_paid(2), Credit(60));
}

#[test]
fn an_order_nobody_ends_is_settled_before_it_expires() {
    let world = World::new(1);
    let gateway = world.gateway();
    let order = open(&world, 1_000);
    assert_eq!(show(&gateway, &promise(order, &[30], &key(VOUCHERS)), false), "done");
    let expires = world.order(&order).expires;
    world.chain.advance(TimeMs(expires.0 - 11 * 60_000));
    assert_eq!(gateway.wind_up(), 1);
    world.chain.advance(TimeMs(expires.0 - 9 * 60_000));
    assert_eq!(gateway.wind_up(), 0);
    let settled = world.order(&order);
    assert_eq!((settled.state, settled.settled), (OrderState::Closed, Credit(30)));
}

#[test]
fn what_was_carried_before_and_in_a_halt_longer_than_the_order_is_paid_after_it() {
    let world = World::new(1);
    let gateway = world.gateway();
    let (kept, late) = (open(&world, 1_000), open(&world, 1_000));
    assert_eq!(show(&gateway, &promise(kept, &[30], &key(VOUCHERS)), false), "done");
    world.chain.advance(world.expires().plus_ms(3_600_000));
    // Who could show nothing in time shows it now; nobody claims anything new by it.
    assert_eq!(show(&gateway, &promise(late, &[20], &key(VOUCHERS)), false), "done");
    let signed = claim(&world, late, 1).sign(&chain(), &key(VOUCHERS));
    assert_eq!(code(gateway.take_claim(&codec::encode(&signed))), "order_not_open");
    assert_eq!(gateway.wind_up(), 0);
    for (order, credits) in [(kept, 30), (late, 20)] {
        let settled = world.order(&order);
        assert_eq!((settled.state, settled.settled), (OrderState::Closed, Credit(credits)));
    }
}

#[test]
fn only_the_orders_own_key_promises_and_only_what_it_holds() {
    let world = World::new(1);
    let gateway = world.gateway();
    let order = open(&world, 50);
    assert_eq!(
        show(&gateway, &promise(order, &[10], &key(POOR)), false),
        "voucher_wrong"
    );
    assert_eq!(
        show(&gateway, &promise(order, &[51], &key(VOUCHERS)), false),
        "voucher_wrong"
    );
    assert_eq!(
        show(&gateway, &promise(OrderId([9; 32]), &[10], &key(VOUCHERS)), false),
        "order_unknown"
    );
    let query = world.agree(&gateway, &world.rain(1)).1;
    assert_eq!(
        show(&gateway, &promise(query, &[1], &key(VOUCHERS)), false),
        "no_stream"
    );
    let forged = Shown {
        promise: promise(order, &[10], &key(VOUCHERS)),
        last: Some(key(POOR).sign(&Shown::last_message(&chain(), &order, Credit(10)))),
    };
    assert_eq!(code(gateway.take_promise(&codec::encode(&forged))), "signature_wrong");
    assert_eq!(code(gateway.take_promise(b"no")), "request_invalid");
    assert_eq!(show(&gateway, &promise(order, &[], &key(VOUCHERS)), true), "done");
    assert_eq!(gateway.pending(), 0, "nothing is owed");
}

#[test]
fn claims_are_heard_while_they_are_said_and_their_order_is_open() {
    let world = World::new(1);
    let gateway = world.gateway();
    let order = open(&world, 50);
    let say = |claim: Claim, role| code(gateway.take_claim(&codec::encode(&claim.sign(&chain(), &key(role)))));
    let heard = || -> Vec<cairn_agent::carry::wire::SignedClaim> {
        codec::decode_canonical(&gateway.claims(&world.network).unwrap()).unwrap()
    };
    assert_eq!(say(claim(&world, order, 5), POOR), "signature_wrong");
    assert_eq!(say(claim(&world, OrderId([9; 32]), 5), VOUCHERS), "order_unknown");
    assert_eq!(
        say(
            Claim {
                copies: 0,
                ..claim(&world, order, 5)
            },
            VOUCHERS
        ),
        "request_invalid"
    );
    assert_eq!(say(claim(&world, order, 5), VOUCHERS), "done");
    assert_eq!(say(claim(&world, order, 4), VOUCHERS), "claim_old");
    let other = Claim {
        copies: 2,
        ..claim(&world, order, 6)
    };
    assert_eq!(say(other.clone(), VOUCHERS), "done");
    assert_eq!(heard().len(), 1);
    assert_eq!(heard()[0].claim, other);
    // Nobody says it for an hour.
    world.pass(1);
    assert!(heard().is_empty());
}
