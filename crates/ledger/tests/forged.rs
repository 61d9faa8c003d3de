//! Refusals that no script can bring about, because no chain lives long enough or two hashes would have to meet: the record that
//! must be there first is written by hand. What the ledger answers is checked, not the invariants of such a state.

mod world;

use cairn_ledger::economics::credits::CreditBalance;
use cairn_ledger::records::{Network, Order, OrderState};
use cairn_ledger::store::Store;
use cairn_ledger::tables::Record;
use cairn_ledger::tx::{join_network, leave_network, move_device, open_order};
use cairn_ledger::{Body, Reject, Signed, reads, view};
use cairn_types::*;
use world::*;

fn world() -> World {
    let mut world = World::new(genesis(&[("vera", 5_000_000)], Default::default()));
    lines(&mut world, &["alice create_network red"]);
    world
}

fn lines(world: &mut World, lines: &[&str]) {
    for line in lines {
        let answer = world.line(line);
        assert!(answer.starts_with("ok"), "{line} = {answer}");
    }
}

fn red() -> NetworkId {
    NetworkId::of(&chain(), &id("alice"), "red")
}

fn forge<R: Record>(world: &mut World, id: &R::Id, record: &R) {
    world.store.put(view::key::<R>(id), codec::encode(record));
}

/// What the ledger answers, in a copy of the state.
fn ask(world: &World, signed: &Signed) -> Result<(), Reject> {
    let mut store = world.store.clone();
    load_and_call(&mut store, reads(signed), |store| {
        world.ledger.apply(store, &world.block, signed, &mut Vec::new())
    })
    .map(drop)
}

fn asks(world: &mut World, name: &str, body: Body) -> Result<(), Reject> {
    let transaction = world.transaction(name, body);
    let signed = world.sign(name, transaction);
    ask(world, &signed)
}

/// Four thousand million stays: a device that moved every hour would need half a million years.
#[test]
fn a_full_roster_takes_no_stay_and_lets_everybody_leave() {
    let mut world = world();
    let register = ["bob register_device box", "bob register_device late"];
    lines(&mut world, &register);
    // The stay of `box` begins in an epoch that is over afterwards: to move is to begin another one.
    lines(&mut world, &["bob join_network box red 0", "block 3_600_000"]);
    let device = |name| secret(name).public().device_id();
    let (network, last) = (red(), cell(1));
    let join = Body::JoinNetwork(join_network::JoinNetwork {
        device: device("late"),
        network,
        cell: last,
    });
    let moved = Body::MoveDevice(move_device::MoveDevice {
        device: device("box"),
        network,
        cell: last,
    });
    let leave = Body::LeaveNetwork(leave_network::LeaveNetwork {
        device: device("box"),
        network,
    });
    let mut record: Network = view::network(&mut world.store, &network)
        .expect("memory")
        .expect("created");
    for (roster, answer) in [(u32::MAX - 1, Ok(())), (u32::MAX, Err(Reject::RosterFull))] {
        record.roster = roster;
        forge(&mut world, &network, &record);
        assert_eq!(asks(&mut world, "bob", join.clone()), answer, "join at {roster}");
        assert_eq!(asks(&mut world, "bob", moved.clone()), answer, "move at {roster}");
        assert_eq!(asks(&mut world, "bob", leave.clone()), Ok(()), "leave at {roster}");
    }
}

/// An order's id is the hash of the transaction that opens it, and an account's nonces rise: only a collision gets here.
#[test]
fn an_order_that_is_there_is_not_opened_again() {
    let mut world = world();
    let pays = ["ivan issue_stable carol 100", "carol buy_credits stable 100"];
    lines(&mut world, &pays);
    let body = Body::OpenOrder(open_order::OpenOrder {
        network: red(),
        provider: id("bob"),
        shape: 1,
        terms: Hash([0; 32]),
        hold: Credit(10),
        expires: world.block.time.plus_ms(HOUR_MS),
        voucher_key: voucher_key("carol").public(),
    });
    let transaction = world.transaction("carol", body);
    let signed = world.sign("carol", transaction);
    assert_eq!(ask(&world, &signed), Ok(()));
    let another = Order {
        state: OrderState::Closed,
        customer: id("alice"),
        provider: id("bob"),
        network: red(),
        shape: 1,
        terms: Hash([9; 32]),
        held: CreditBalance::default(),
        settled: Credit(0),
        expires: world.block.time,
        opened: EpochNumber(0),
        voucher_key: voucher_key("alice").public(),
        ends_uptime_ms: 0,
    };
    forge(&mut world, &open_order::order_id(&signed), &another);
    assert_eq!(ask(&world, &signed), Err(Reject::OrderExists));
}
