//! API keys: what is bought through one, once, by whom, until when; and kills at every moment of its end.

use crate::world::{CUSTOMER, End, HOUR, MINUTE, ORDER_MS, POOR, PROVIDER, World, account, code, go, key, send};
use cairn_gateway::api_key::{ApiKey, SHAPE_KEY};
use cairn_gateway::customer;
use cairn_gateway::data::{Drawn, KeyNow, RETRY_MS, State};
use cairn_gateway::ledger::Ledger;
use cairn_gateway::limits::Limits;
use cairn_gateway::query::Query;
use cairn_gateway::streams::MARGIN_MS;
use cairn_gateway::treasurer::Identity;
use cairn_gateway::{Gateway, Refusal};
use cairn_ledger::Body;
use cairn_ledger::records::OrderState;
use cairn_ledger::tx::close_network::CloseNetwork;
use cairn_ledger::tx::open_order::OpenOrder;
use cairn_ledger::tx::set_parameters::SetParameters;
use cairn_types::{Credit, Hash, OrderId, SecretKey, TimeMs, Token};
use cairn_verifier::disk::Disk;
use std::sync::atomic::AtomicBool;

const SECRET: [u8; 32] = [41; 32];

pub fn order(world: &World, hold: u64) -> OpenOrder {
    let (chain, voucher) = ("gateway-test".parse().unwrap(), SecretKey::ed25519(SECRET).public());
    customer::key_order(
        &chain,
        account(PROVIDER),
        world.network,
        Credit(hold),
        world.expires(),
        voucher,
    )
}

pub fn open(world: &World, hold: u64) -> ApiKey {
    ApiKey::new(world.open(CUSTOMER, order(world, hold)), SECRET)
}

fn draw(gateway: &Gateway, key: &ApiKey, query: &Query) -> Result<Drawn, Refusal> {
    gateway.draw(key, query, None, &go())
}

/// Rain of one hour alone.
pub fn hour(world: &World, hour: u64) -> Query {
    let all = world.rain(hour + 1);
    Query {
        from: all.from.plus_ms(hour * HOUR),
        ..all
    }
}

fn price(gateway: &Gateway, query: &Query) -> u64 {
    gateway.quote(query, None, &go()).unwrap().price.0
}

/// Spent, left, and answers paid.
fn counts(now: &KeyNow) -> (u64, u64, Option<u64>) {
    (now.spent.0, now.left.0, now.queries)
}

#[test]
fn a_program_buys_with_a_key_alone_and_operators_are_paid_when_it_is_closed() {
    let world = World::new(2);
    let gateway = world.gateway();
    let before = world.credits(CUSTOMER);
    let key = open(&world, 100_000);
    let prices = [0, 1].map(|at| price(&gateway, &hour(&world, at)));
    let both = prices[0] + prices[1];
    for (at, left) in [(0, 100_000 - prices[0]), (1, 100_000 - both)] {
        let drawn = draw(&gateway, &key, &hour(&world, at)).unwrap();
        assert!(drawn.delivery.sold);
        assert_eq!((drawn.delivery.credits.0, drawn.left.0), (prices[at as usize], left));
        assert_eq!(drawn.to, hour(&world, at).to);
    }
    let again = draw(&gateway, &key, &hour(&world, 0)).unwrap();
    assert_eq!((again.delivery.sold, again.left.0), (false, 100_000 - both));
    assert_eq!(
        again.delivery.answer.len() as u64,
        gateway.quote(&hour(&world, 0), None, &go()).unwrap().rows
    );
    assert_eq!((gateway.wind_up(), gateway.keys()), (0, 1), "it goes on");
    let files = world.disk.list().unwrap();
    let kept: Vec<u8> = files
        .iter()
        .flat_map(|name| world.disk.content(name).unwrap())
        .collect();
    assert!(
        !kept.is_empty() && !kept.windows(16).any(|part| *part == SECRET[..16]),
        "no file has the secret"
    );
    let now = gateway.key(&key).unwrap();
    assert_eq!(
        (now.state, counts(&now)),
        (State::Open, (both, 100_000 - both, Some(2)))
    );
    assert_eq!(world.order(&key.order).settled, Credit::ZERO);

    let closed = gateway.close_key(&key).unwrap();
    assert_eq!((closed.state, counts(&closed)), (State::Closed, (both, 0, None)));
    assert_eq!(gateway.close_key(&key).unwrap(), closed, "it may be repeated");
    assert_eq!(world.credits(CUSTOMER).0, before.0 - both, "the rest is back");
    assert_eq!(code(draw(&gateway, &key, &hour(&world, 0))), "key_closed");
    assert_eq!((gateway.wind_up(), gateway.keys()), (0, 0));
    world.pass(2);
    assert_eq!(world.customers_paid(2), Credit(both));
}

#[test]
fn a_gateway_killed_at_any_moment_of_a_keys_end_pays_once_what_was_delivered() {
    // Meters, settle, meters, close.
    for end in [End::Before, End::After] {
        for effects in 1..=4 {
            let story = format!("{effects} effects, {end:?}");
            let world = World::new(1);
            let (gateway, before) = (world.gateway(), world.credits(CUSTOMER));
            let key = open(&world, 100_000);
            let spent = draw(&gateway, &key, &hour(&world, 0)).unwrap().delivery.credits;
            world.cut.after(effects, end);
            let state = gateway.close_key(&key).unwrap().state;
            assert!(matches!(state, State::Settling | State::Closed), "{story}: {state:?}");
            assert_eq!(code(draw(&gateway, &key, &hour(&world, 0))), "key_closed", "{story}");
            drop(gateway);
            world.disk.crash(|| false);
            world.cut.heal();

            let next = world.gateway();
            assert_eq!(code(draw(&next, &key, &hour(&world, 0))), "key_closed", "{story}");
            assert_eq!((next.wind_up(), next.keys()), (0, 0), "{story}");
            let after = world.order(&key.order);
            assert_eq!((after.state, after.settled), (OrderState::Closed, spent), "{story}");
            assert_eq!(world.credits(CUSTOMER).0, before.0 - spent.0, "{story}");
            world.pass(1);
            assert_eq!(world.customers_paid(1), spent, "{story}");
        }
    }
}

#[test]
fn what_was_paid_before_a_kill_is_delivered_after_it_and_not_paid_again() {
    let world = World::new(2);
    let key = open(&world, 100_000);
    let first = draw(&world.gateway(), &key, &hour(&world, 0)).unwrap();
    world.disk.crash(|| false);
    let gateway = world.gateway();
    let again = draw(&gateway, &key, &hour(&world, 0)).unwrap();
    assert!(first.delivery.sold && !again.delivery.sold);
    assert_eq!((again.delivery.answer, again.left), (first.delivery.answer, first.left));
    // A disk that keeps nothing: nothing is delivered, and nothing paid.
    world.disk.set_space(0);
    assert_eq!(code(draw(&gateway, &key, &hour(&world, 1))), "journal_unavailable");
    world.disk.crash(|| false);
    world.disk.set_space(1 << 24);
    let gateway = world.gateway();
    let now = gateway.key(&key).unwrap();
    assert_eq!((now.spent, now.queries), (first.delivery.credits, Some(1)));
    assert!(draw(&gateway, &key, &hour(&world, 1)).unwrap().delivery.sold);
    assert_eq!(gateway.key(&key).unwrap().queries, Some(2));
}

#[test]
fn nobody_who_asks_gave_up_pays() {
    let world = World::new(1);
    let (gateway, key) = (world.gateway(), open(&world, 100_000));
    assert!(
        draw(&gateway, &key, &hour(&world, 0)).unwrap().delivery.sold,
        "the epoch is at hand now"
    );
    let given_up = gateway.draw(&key, &world.rain(2), None, &AtomicBool::new(true));
    assert_eq!(code(given_up), "too_slow");
    assert_eq!(gateway.key(&key).unwrap().queries, Some(1));
}

#[test]
fn a_key_pays_no_more_than_it_holds_nor_than_its_bearer_agrees_to() {
    let world = World::new(2);
    let gateway = world.gateway();
    let (one, other) = (hour(&world, 0), hour(&world, 1));
    let costs = price(&gateway, &one);
    let key = open(&world, costs);
    let agreed = |most| gateway.draw(&key, &one, Some(Credit(most)), &go());
    assert_eq!(code(agreed(costs - 1)), "price_above_max");
    assert_eq!(counts(&gateway.key(&key).unwrap()), (0, costs, Some(0)));
    assert_eq!(agreed(costs).unwrap().left, Credit::ZERO);
    assert_eq!(gateway.key(&key).unwrap().state, State::Spent);
    assert_eq!(code(draw(&gateway, &key, &other)), "key_exhausted");
    // Whoever did not get the last answer asks again for a while; then it is settled unasked.
    world
        .chain
        .advance(world.chain.head().unwrap().time.plus_ms(RETRY_MS - 1));
    assert_eq!(gateway.wind_up(), 0);
    assert!(!draw(&gateway, &key, &one).unwrap().delivery.sold);
    world.chain.advance(world.chain.head().unwrap().time.plus_ms(1));
    assert_eq!(gateway.key(&key).unwrap().state, State::Settling);
    assert_eq!((gateway.wind_up(), gateway.keys()), (0, 0));
    let after = world.order(&key.order);
    assert_eq!((after.state, after.settled), (OrderState::Closed, Credit(costs)));

    let small = open(&world, costs - 1);
    assert_eq!(code(draw(&gateway, &small, &one)), "key_exhausted");
    assert_eq!(counts(&gateway.key(&small).unwrap()), (0, costs - 1, Some(0)));
}

#[test]
fn a_key_sells_until_its_time_is_short_repeats_a_while_longer_and_is_settled_before_it_expires() {
    let world = World::new(2);
    let gateway = world.gateway();
    let key = open(&world, 100_000);
    let spent = draw(&gateway, &key, &hour(&world, 0)).unwrap().delivery.credits;
    let (now, expires) = (gateway.key(&key).unwrap(), world.order(&key.order).expires);
    assert_eq!(now.sells_until, TimeMs(expires.0 - MARGIN_MS - RETRY_MS));
    // A chain that is up all along: its own time passes as the clock does.
    let until = |time: u64| {
        while world.chain.head().unwrap().time.0 < time {
            let next = world.chain.head().unwrap().time.plus_ms(MINUTE);
            world.chain.advance(TimeMs(next.0.min(time)));
        }
    };
    until(now.sells_until.0 - 1);
    assert_eq!(gateway.key(&key).unwrap().state, State::Open);
    until(now.sells_until.0);
    assert_eq!(gateway.key(&key).unwrap().state, State::Expired);
    assert_eq!(code(draw(&gateway, &key, &hour(&world, 1))), "key_expired");
    assert!(!draw(&gateway, &key, &hour(&world, 0)).unwrap().delivery.sold);
    until(expires.0 - MARGIN_MS - 1);
    gateway.wind_up();
    assert_eq!(world.order(&key.order).settled, Credit::ZERO);
    until(expires.0 - MARGIN_MS);
    assert_eq!(code(draw(&gateway, &key, &hour(&world, 0))), "key_expired");
    assert_eq!(gateway.wind_up(), 0);
    let after = world.order(&key.order);
    assert_eq!((after.state, after.settled), (OrderState::Closed, spent));
}

#[test]
fn what_was_bought_before_a_halt_longer_than_the_key_is_paid_after_it_and_nothing_new_is_sold() {
    let world = World::new(2);
    let gateway = world.gateway();
    let (used, unused) = (open(&world, 100_000), open(&world, 100_000));
    let spent = draw(&gateway, &used, &hour(&world, 0)).unwrap().delivery.credits;
    world.chain.advance(world.expires().plus_ms(HOUR));
    for key in [&used, &unused] {
        assert_eq!(code(draw(&gateway, key, &hour(&world, 1))), "key_expired");
    }
    assert_eq!((gateway.wind_up(), gateway.keys()), (0, 0));
    let after = world.order(&used.order);
    assert_eq!((after.state, after.settled), (OrderState::Closed, spent));
    // Time of the chain's own that is nearly over is too short as well.
    let brief = open(&world, 100_000);
    while world.left_ms(&brief.order) > MINUTE {
        world.chain.advance(world.chain.head().unwrap().time.plus_ms(MINUTE));
    }
    assert_eq!(code(draw(&gateway, &brief, &hour(&world, 0))), "key_expired");
}

#[test]
fn whose_key_is_wrong_or_for_something_else_is_told_which_and_no_more() {
    let world = World::new(1);
    let gateway = world.gateway();
    let query = hour(&world, 0);
    let good = order(&world, 77_777);
    let opened = |order: OpenOrder| ApiKey::new(world.open(CUSTOMER, order), SECRET);
    let told = |key: &ApiKey| {
        let refusals = [
            draw(&gateway, key, &query).unwrap_err(),
            gateway.key(key).unwrap_err(),
            gateway.close_key(key).unwrap_err(),
        ];
        for refusal in &refusals {
            let said = format!("{refusal:?}");
            assert!(!said.contains("77777") && !refusal.hint.is_empty(), "{said}");
            assert_eq!(refusal.code, refusals[0].code);
        }
        refusals[0].code
    };
    let mine = opened(good);
    assert_eq!(told(&ApiKey::new(OrderId([1; 32]), SECRET)), "key_unknown");
    assert_eq!(told(&ApiKey::new(mine.order, [42; 32])), "key_wrong");
    let provider = account(POOR);
    assert_eq!(told(&opened(OpenOrder { provider, ..good })), "other_provider");
    assert_eq!(told(&opened(OpenOrder { shape: 0, ..good })), "no_key");
    let terms = Hash([4; 32]);
    assert_eq!(told(&opened(OpenOrder { terms, ..good })), "no_key");
    let voucher_key = key(POOR).public();
    assert_eq!(told(&opened(OpenOrder { voucher_key, ..good })), "key_wrong");
    let elsewhere = Query {
        network: cairn_types::NetworkId([5; 32]),
        ..query.clone()
    };
    assert_eq!(code(draw(&gateway, &mine, &elsewhere)), "other_network");
    assert_eq!((gateway.keys(), world.order(&mine.order).state), (0, OrderState::Open));
    // An order of a key buys nothing in the ways of other orders.
    assert_eq!(good.shape, SHAPE_KEY);
    assert!(draw(&gateway, &mine, &query).unwrap().delivery.sold);
}

#[test]
fn an_unused_key_is_closed_for_good_even_if_its_gateway_is_killed() {
    for end in [End::Before, End::After] {
        let world = World::new(1);
        let (gateway, before) = (world.gateway(), world.credits(CUSTOMER));
        let key = open(&world, 5_000);
        world.cut.after(1, end);
        gateway.close_key(&key).unwrap();
        assert_eq!(code(draw(&gateway, &key, &hour(&world, 0))), "key_closed");
        world.disk.crash(|| false);
        let next = world.gateway();
        assert_eq!(code(draw(&next, &key, &hour(&world, 0))), "key_closed");
        world.cut.heal();
        assert_eq!((next.wind_up(), next.keys()), (0, 0));
        assert_eq!(world.order(&key.order).state, OrderState::Closed);
        assert_eq!(world.credits(CUSTOMER), before);
    }
}

#[test]
fn what_was_delivered_stays_owed_while_the_ledger_refuses_the_gateway() {
    let world = World::new(1);
    let cannot_pay_fees = Identity {
        fee_max: Token(0),
        ..world.identity()
    };
    let gateway = world.gateway_as(cannot_pay_fees, Limits::default());
    let key = open(&world, 100_000);
    let spent = draw(&gateway, &key, &hour(&world, 0)).unwrap().delivery.credits;
    assert_eq!(gateway.close_key(&key).unwrap().state, State::Settling);
    assert_eq!(
        (gateway.wind_up(), gateway.keys()),
        (1, 1),
        "and whoever watches it sees that"
    );
    drop(gateway);
    assert_eq!(world.gateway().wind_up(), 0);
    assert_eq!(world.order(&key.order).settled, spent);
}

#[test]
fn keys_of_a_network_that_closes_are_settled_while_it_can_be() {
    let world = World::new(1);
    let gateway = world.gateway();
    let key = open(&world, 100_000);
    let spent = draw(&gateway, &key, &hour(&world, 0)).unwrap().delivery.credits;
    let network = world.network;
    send(&world.chain, 201, Body::CloseNetwork(CloseNetwork { network }));
    assert_eq!(code(draw(&gateway, &key, &hour(&world, 0))), "network_closing");
    assert_eq!((gateway.wind_up(), gateway.keys()), (0, 0));
    let after = world.order(&key.order);
    assert_eq!((after.state, after.settled), (OrderState::Closed, spent));
}

#[test]
fn what_was_paid_is_delivered_again_whatever_the_price_is_now() {
    let world = World::new(2);
    let gateway = world.gateway();
    let key = open(&world, 1_000_000);
    let first = draw(&gateway, &key, &hour(&world, 0)).unwrap();
    let sensors = cairn_verticals::sensors::params::Params {
        price_credits: 200_000_000,
        ..Default::default()
    };
    let set = SetParameters {
        network: world.network,
        parameters: sensors.encode(),
        price_micro_usd: 1,
    };
    send(&world.chain, 201, Body::SetParameters(set));
    world.pass(2);
    let dear = price(&gateway, &hour(&world, 0));
    assert_ne!(Credit(dear), first.delivery.credits);
    let again = draw(&gateway, &key, &hour(&world, 0)).unwrap();
    assert_eq!(
        (again.delivery.sold, again.delivery.credits),
        (false, first.delivery.credits)
    );
    let other = draw(&gateway, &key, &hour(&world, 1)).unwrap();
    assert!(other.delivery.sold);
    let spent = first.delivery.credits.0 + other.delivery.credits.0;
    assert_eq!(gateway.close_key(&key).unwrap().spent, Credit(spent));
    world.pass(3);
    assert_eq!(world.customers_paid(3), Credit(spent));
}

#[test]
fn many_requests_at_once_spend_each_credit_once() {
    let world = World::new(3);
    let gateway = world.gateway();
    let prices = [0, 1, 2].map(|at| price(&gateway, &hour(&world, at)));
    // Enough for two of three answers.
    let held = prices.iter().sum::<u64>() - 1;
    let key = open(&world, held);
    let asked = |at: u64| loop {
        match draw(&gateway, &key, &hour(&world, at % 3)) {
            Err(refusal) if refusal.code == "in_progress" => std::thread::yield_now(),
            other => return other,
        }
    };
    let answers: Vec<Result<Drawn, Refusal>> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..12).map(|at| scope.spawn(move || asked(at))).collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let paid: u64 = answers
        .iter()
        .flatten()
        .filter(|drawn| drawn.delivery.sold)
        .map(|drawn| drawn.delivery.credits.0)
        .sum();
    let sold = answers.iter().flatten().filter(|drawn| drawn.delivery.sold).count();
    assert_eq!(sold, 2);
    for refusal in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert_eq!(refusal.code, "key_exhausted");
    }
    assert_eq!(answers.iter().flatten().count(), 8, "each of the two, four times");
    assert_eq!(counts(&gateway.key(&key).unwrap()), (paid, held - paid, Some(2)));
    assert_eq!(gateway.close_key(&key).unwrap().spent, Credit(paid));
    world.pass(3);
    assert_eq!(world.customers_paid(3), Credit(paid));
}

#[test]
fn while_as_many_keys_are_in_use_as_may_be_no_other_begins_and_sales_go_on() {
    let world = World::new(1);
    let limits = Limits {
        keys_max: 1,
        ..Limits::default()
    };
    let gateway = world.gateway_with(limits);
    let keys = [open(&world, 100_000), open(&world, 100_000)];
    assert!(draw(&gateway, &keys[0], &hour(&world, 0)).unwrap().delivery.sold);
    assert_eq!(code(draw(&gateway, &keys[1], &hour(&world, 0))), "keys_full");
    let (agreed, order) = world.agree(&gateway, &world.rain(1));
    assert!(
        crate::world::sell(&gateway, &crate::world::purchase(&agreed, order))
            .unwrap()
            .sold
    );
    gateway.close_key(&keys[0]).unwrap();
    assert!(draw(&gateway, &keys[1], &hour(&world, 0)).unwrap().delivery.sold);
}

#[test]
fn an_order_that_lives_shorter_than_its_end_takes_sells_nothing() {
    let world = World::new(1);
    let gateway = world.gateway();
    let expires = TimeMs(world.expires().0 - ORDER_MS + MARGIN_MS);
    let brief = OpenOrder {
        expires,
        ..order(&world, 5_000)
    };
    let key = ApiKey::new(world.open(CUSTOMER, brief), SECRET);
    assert_eq!(code(draw(&gateway, &key, &hour(&world, 0))), "key_expired");
    assert_eq!(gateway.key(&key).unwrap().state, State::Expired);
    assert_eq!(
        gateway.close_key(&key).unwrap().state,
        State::Closed,
        "but it is closed before its time"
    );
}
