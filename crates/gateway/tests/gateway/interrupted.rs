//! Kills at every moment of a sale: whatever was cut off, the customer pays at most once, gets the data for it, and operators are paid.

use crate::world::{CUSTOMER, End, HOUR, MINUTE, World, code, purchase, quote, sell};
use cairn_gateway::ledger::Ledger;
use cairn_gateway::limits::Limits;
use cairn_gateway::sale::SETTLE_MS;
use cairn_gateway::treasurer::Identity;
use cairn_ledger::records::OrderState;
use cairn_types::{Credit, Token};

/// Effects of one undisturbed sale: meters, settle, meters, close.
const EFFECTS: u32 = 4;

#[test]
fn a_gateway_killed_after_any_effect_ends_with_one_payment_and_the_data() {
    for end in [End::Before, End::After] {
        for effects in 1..=EFFECTS {
            for asks_again in [true, false] {
                let world = World::new(1);
                let before = world.credits(CUSTOMER);
                let gateway = world.gateway();
                let (agreed, order) = world.agree(&gateway, &world.rain(1));
                let request = purchase(&agreed, order);
                world.cut.after(effects, end);
                let first = sell(&gateway, &request);
                drop(gateway);
                world.disk.crash(|| false);
                world.cut.heal();

                let story = format!("{effects} effects, {end:?}, asks again: {asks_again}");
                let next = world.gateway();
                let begun = next.pending() > 0;
                if asks_again {
                    let delivery = sell(&next, &request).expect(&story);
                    assert_eq!(delivery.answer.len() as u64, agreed.quote().rows);
                }
                assert_eq!(next.wind_up(), 0, "{story}");
                let price = agreed.quote().price;
                let after = world.order(&order);
                let is_paid = after.settled == price;
                assert_eq!(is_paid, asks_again || first.is_ok() || begun, "{story}");
                if is_paid {
                    assert_eq!(
                        (after.state, after.held.total().unwrap()),
                        (OrderState::Closed, Credit(0)),
                        "{story}"
                    );
                    assert_eq!(world.credits(CUSTOMER).0, before.0 - price.0, "{story}");
                    world.pass(1);
                    assert_eq!(world.customers_paid(1), price, "{story}");
                } else {
                    assert_eq!(after.settled, Credit(0), "{story}");
                }
            }
        }
    }
}

#[test]
fn a_sale_that_could_not_be_kept_or_metered_moves_no_money() {
    let world = World::new(1);
    let gateway = world.gateway();
    let (agreed, order) = world.agree(&gateway, &world.rain(1));
    let request = purchase(&agreed, order);
    world.disk.set_space(0);
    assert_eq!(code(sell(&gateway, &request)), "journal_unavailable");
    world.disk.set_space(1 << 24);
    world.cut.after(0, End::Before);
    assert_eq!(code(sell(&gateway, &request)), "verifier_unavailable");
    assert_eq!((gateway.pending(), world.order(&order).settled), (0, Credit(0)));
    world.cut.heal();
    assert!(sell(&gateway, &request).unwrap().sold);
}

#[test]
fn operators_are_paid_when_an_epoch_ends_between_meters_and_settling() {
    let world = World::new(1);
    let gateway = world.gateway();
    let (agreed, order) = world.agree(&gateway, &world.rain(1));
    world.cut.after(2, End::Before);
    assert_eq!(code(sell(&gateway, &purchase(&agreed, order))), "ledger_unreachable");
    world.cut.heal();
    world.pass(1);
    assert_eq!(world.customers_paid(1), Credit(0));
    assert_eq!(gateway.wind_up(), 0);
    world.pass(2);
    assert_eq!(world.customers_paid(2), agreed.quote().price);
}

#[test]
fn a_sale_whose_order_ran_out_meanwhile_is_let_go() {
    let world = World::new(1);
    let gateway = world.gateway();
    let (agreed, order) = world.agree(&gateway, &world.rain(1));
    world.cut.after(2, End::Before);
    assert_eq!(code(sell(&gateway, &purchase(&agreed, order))), "ledger_unreachable");
    assert_eq!(gateway.wind_up(), 1, "it waits while the ledger is away");
    world.cut.heal();
    world.outlast(&order);
    assert_eq!(gateway.wind_up(), 0);
    assert_eq!(world.order(&order).settled, Credit(0));
}

#[test]
fn a_sale_made_before_a_halt_longer_than_its_order_is_settled_after_it() {
    let world = World::new(1);
    let gateway = world.gateway();
    let (agreed, order) = world.agree(&gateway, &world.rain(1));
    let late = world.agree(&gateway, &world.rain(1));
    world.cut.after(2, End::Before);
    assert_eq!(code(sell(&gateway, &purchase(&agreed, order))), "ledger_unreachable");
    world.cut.heal();
    // Nobody agrees on a block until long after the order's end by the clock.
    world.chain.advance(world.expires().plus_ms(HOUR));
    assert_eq!(gateway.wind_up(), 0);
    let settled = world.order(&order);
    assert_eq!(
        (settled.state, settled.settled),
        (OrderState::Closed, agreed.quote().price)
    );
    // But nothing new is sold for it then.
    assert_eq!(code(sell(&gateway, &purchase(&late.0, late.1))), "order_expired");
}

#[test]
fn nothing_is_sold_for_an_order_that_a_halt_could_end_before_it_is_settled() {
    let world = World::new(1);
    let gateway = world.gateway();
    let (agreed, order) = world.agree(&gateway, &world.rain(1));
    while world.left_ms(&order) > SETTLE_MS {
        world.chain.advance(world.chain.head().unwrap().time.plus_ms(MINUTE));
    }
    assert!(!world.order(&order).is_over(world.chain.head().unwrap().uptime_ms));
    assert_eq!(code(sell(&gateway, &purchase(&agreed, order))), "order_expired");
}

#[test]
fn while_too_many_sales_wait_nothing_new_is_sold() {
    let world = World::new(1);
    let limits = Limits {
        pending_max: 1,
        ..Limits::default()
    };
    let gateway = world.gateway_with(limits);
    let (agreed, order) = world.agree(&gateway, &world.rain(1));
    let (other, other_order) = world.agree(&gateway, &world.rain(1));
    world.cut.after(2, End::Before);
    assert_eq!(code(sell(&gateway, &purchase(&agreed, order))), "ledger_unreachable");
    world.cut.heal();
    assert_eq!(
        code(sell(&gateway, &purchase(&other, other_order))),
        "journal_unavailable"
    );
    assert_eq!(gateway.wind_up(), 0);
    assert!(sell(&gateway, &purchase(&other, other_order)).unwrap().sold);
    assert_eq!(code(quote(&gateway, &world.rain(1), CUSTOMER)), "done");
}

#[test]
fn a_sale_that_the_ledger_refuses_is_not_kept() {
    let world = World::new(1);
    let (agreed, order) = world.agree(&world.gateway(), &world.rain(1));
    let cannot_pay_fees = Identity {
        fee_max: Token(0),
        ..world.identity()
    };
    let gateway = world.gateway_as(cannot_pay_fees, Limits::default());
    assert_eq!(code(sell(&gateway, &purchase(&agreed, order))), "ledger_refused");
    assert_eq!((gateway.pending(), world.order(&order).settled), (0, Credit(0)));
    assert!(sell(&world.gateway(), &purchase(&agreed, order)).unwrap().sold);
}
