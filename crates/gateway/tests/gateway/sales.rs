//! A sale from question to file, and every way in which an order does not pay for it.

use crate::world::{
    CUSTOMER, HOUR, ORDER_MS, POOR, PROVIDER, START, VOUCHERS, World, account, code, go, key, purchase, quote, sell,
    send,
};
use cairn_gateway::export::{self, Format};
use cairn_gateway::limits::Limits;
use cairn_gateway::query::Query;
use cairn_ledger::Body;
use cairn_ledger::records::OrderState;
use cairn_ledger::tx::set_parameters::SetParameters;
use cairn_types::{Credit, Hash, OrderId, TimeMs, codec};
use cairn_verifier::archive::{EpochArchive, FINDINGS, MANIFEST, REPORTS};
use cairn_verifier::objects::Objects;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

#[test]
fn a_customer_pays_once_gets_the_data_and_operators_are_paid_for_it() {
    let world = World::new(3);
    let gateway = world.gateway();
    let before = world.credits(CUSTOMER);
    let (agreed, order) = world.agree(&gateway, &world.rain(3));
    let price = agreed.quote().price;
    assert!(
        price > Credit(1) && agreed.quote().devices >= 12,
        "{:?}",
        agreed.quote()
    );
    let delivery = sell(&gateway, &purchase(&agreed, order)).unwrap();
    assert!(delivery.sold);
    assert_eq!(delivery.answer.len() as u64, agreed.quote().rows);
    assert_eq!(world.credits(CUSTOMER).0, before.0 - price.0);
    let paid = world.order(&order);
    assert_eq!(
        (paid.state, paid.settled, paid.held.total().unwrap()),
        (OrderState::Closed, price, Credit(0))
    );
    assert_eq!(gateway.pending(), 0);

    let again = sell(&gateway, &purchase(&agreed, order)).unwrap();
    assert!(!again.sold);
    assert_eq!(again.answer, delivery.answer);
    assert_eq!(world.credits(CUSTOMER).0, before.0 - price.0);

    world.pass(3);
    assert_eq!(world.customers_paid(3), price, "the epoch's leaves carry what was paid");
}

#[test]
fn only_accepted_readings_of_the_time_and_cells_asked_for_are_sold() {
    let world = World::new(2);
    let gateway = world.gateway();
    let (agreed, order) = world.agree(&gateway, &world.rain(2));
    let whole = sell(&gateway, &purchase(&agreed, order)).unwrap().answer;
    assert!(
        whole
            .rows()
            .all(|row| (START..START.plus_ms(2 * HOUR)).contains(&row.time))
    );
    assert!(whole.rows().collect::<Vec<_>>().is_sorted_by_key(|row| row.time));
    for epoch in 0..2 {
        let archive = EpochArchive::of(&world.objects, &world.network, cairn_types::EpochNumber(epoch));
        for finding in archive.findings().unwrap() {
            for span in finding.spans.iter().filter(|span| span.reason.is_some()) {
                let device = archive
                    .inputs()
                    .unwrap()
                    .roster
                    .iter()
                    .find(|m| m.number == finding.device)
                    .unwrap()
                    .device();
                let refused = whole.rows().any(|row| row.device == device && row.time == span.start);
                assert!(!refused, "a refused reading was sold: {span:?}");
            }
        }
    }
    let cell = whole.rows().next().unwrap().cell;
    let narrow = Query {
        cells: vec![cell.parent(7).unwrap()],
        from: START.plus_ms(HOUR),
        ..world.rain(2)
    };
    let (agreed, order) = world.agree(&gateway, &narrow);
    let part = sell(&gateway, &purchase(&agreed, order)).unwrap().answer;
    let expected: Vec<_> = whole
        .rows()
        .filter(|row| row.time >= narrow.from && row.cell.parent(7) == Some(narrow.cells[0]))
        .collect();
    assert!(!expected.is_empty());
    assert_eq!(part.rows().collect::<Vec<_>>(), expected);
}

#[test]
fn only_attested_epochs_are_sold_and_the_answer_says_up_to_when() {
    let world = World::new(2);
    let gateway = world.gateway();
    let far = quote(&gateway, &world.rain(9), CUSTOMER).unwrap();
    assert_eq!(far.available_until, START.plus_ms(2 * HOUR));
    assert_eq!(far.query.to, far.available_until);
    assert_eq!((far.epochs.settled, far.epochs.missing), (2, 0));
    let later = Query {
        from: START.plus_ms(2 * HOUR),
        ..world.rain(9)
    };
    assert_eq!(code(quote(&gateway, &later, CUSTOMER)), "not_yet");
    // The cut query is what is sold: more data later does not change it.
    let (agreed, order) = world.agree(&gateway, &world.rain(9));
    world.pass(2);
    assert!(sell(&gateway, &purchase(&agreed, order)).unwrap().sold);
}

#[test]
fn without_credits_there_is_a_clear_error_before_any_data() {
    let world = World::new(1);
    let gateway = world.gateway();
    let refusal = quote(&gateway, &world.rain(1), POOR).unwrap_err();
    let price = quote(&gateway, &world.rain(1), CUSTOMER).unwrap().price;
    assert_eq!(refusal.code, "credits_insufficient");
    assert_eq!(
        refusal.message,
        format!("the account has 7 credits, the query costs {price}")
    );
    assert!(
        refusal
            .hint
            .ends_with(&format!("cairn credits buy --stable 0.{:06}", price.0 - 7)),
        "{}",
        refusal.hint
    );
}

#[test]
fn what_cannot_be_answered_is_refused_for_its_reason() {
    let world = World::new(1);
    let gateway = world.gateway();
    let rain = world.rain(1);
    let of = |query: Query| code(quote(&gateway, &query, CUSTOMER));
    let finer: cairn_types::CellId = world.city.devices()[0].cell;
    let far_away = "88754e6499fffff".parse().unwrap();
    let too_fine = h3o::CellIndex::try_from(finer.get())
        .unwrap()
        .center_child(h3o::Resolution::Nine)
        .unwrap();
    for (query, expected) in [
        (rain.clone(), "done"),
        (
            Query {
                network: cairn_types::NetworkId([9; 32]),
                ..rain.clone()
            },
            "network_unknown",
        ),
        (
            Query {
                quantity: "gold".to_owned(),
                ..rain.clone()
            },
            "query_invalid",
        ),
        (
            Query {
                quantity: "temperature".to_owned(),
                ..rain.clone()
            },
            "nothing_found",
        ),
        (
            Query {
                cells: vec![far_away],
                ..rain.clone()
            },
            "nothing_found",
        ),
        (
            Query {
                cells: vec![too_fine.into()],
                ..rain.clone()
            },
            "query_invalid",
        ),
        (
            Query {
                to: rain.from,
                ..rain.clone()
            },
            "query_invalid",
        ),
        (
            Query {
                from: TimeMs(0),
                to: START,
                ..rain.clone()
            },
            "query_invalid",
        ),
    ] {
        assert_eq!(of(query), expected);
    }
    assert_eq!(code(quote(&gateway, &rain, VOUCHERS)), "account_unknown");
    let stop = AtomicBool::new(true);
    assert_eq!(code(gateway.quote(&rain, Some(&account(CUSTOMER)), &stop)), "too_slow");
    let small = Limits {
        rows_max: 10,
        ..Limits::default()
    };
    assert_eq!(
        code(quote(&world.gateway_with(small), &rain, CUSTOMER)),
        "too_many_rows"
    );
}

#[test]
fn a_voucher_pays_for_one_order_one_query_and_one_customer() {
    let world = World::new(2);
    let gateway = world.gateway();
    let (agreed, order) = world.agree(&gateway, &world.rain(2));
    let (other, other_order) = world.agree(&gateway, &world.rain(1));
    let good = purchase(&agreed, order);
    let before = world.credits(CUSTOMER);

    let mut forged = good.clone();
    forged.voucher.signature = "00".repeat(64);
    assert_eq!(code(sell(&gateway, &forged)), "voucher_wrong");
    let by_stranger = agreed.purchase(order, Format::Csv, &key(POOR));
    assert_eq!(code(sell(&gateway, &by_stranger)), "signature_wrong");
    let mut more = good.clone();
    more.voucher.credits = "1".to_owned();
    assert_eq!(code(sell(&gateway, &more)), "voucher_wrong");
    // A voucher of one order shown for another.
    let mut replayed = purchase(&other, other_order);
    replayed.voucher = good.voucher.clone();
    assert_eq!(code(sell(&gateway, &replayed)), "voucher_wrong");
    // An honest voucher of an order with other terms.
    assert_eq!(code(sell(&gateway, &purchase(&other, order))), "quote_again");
    let unknown = purchase(&agreed, OrderId([8; 32]));
    assert_eq!(code(sell(&gateway, &unknown)), "order_unknown");
    assert_eq!(world.credits(CUSTOMER), before, "nothing of it moved money");

    assert!(sell(&gateway, &good).unwrap().sold);
    // The settled voucher is public; without the voucher key it fetches nothing.
    let mut thief = good.clone();
    thief.signature = by_stranger.signature;
    assert_eq!(code(sell(&gateway, &thief)), "signature_wrong");
    // Nor does it pay for more.
    let mut wider = good;
    wider.query = (&world.rain(1)).into();
    assert_eq!(code(sell(&gateway, &wider)), "signature_wrong");
}

#[test]
fn an_order_must_be_ours_open_in_time_and_hold_enough() {
    let world = World::new(2);
    let gateway = world.gateway();
    let (agreed, _) = world.agree(&gateway, &world.rain(2));
    let order = agreed.order(world.expires(), key(VOUCHERS).public());
    let try_with = |order| {
        let id = world.open(CUSTOMER, order);
        (id, code(sell(&gateway, &purchase(&agreed, id))))
    };
    let strangers = cairn_ledger::tx::open_order::OpenOrder {
        provider: account(POOR),
        ..order
    };
    assert_eq!(try_with(strangers).1, "other_provider");
    let small = cairn_ledger::tx::open_order::OpenOrder {
        hold: Credit(1),
        ..order
    };
    assert_eq!(try_with(small).1, "hold_too_small");
    let other_shape = cairn_ledger::tx::open_order::OpenOrder { shape: 3, ..order };
    assert_eq!(try_with(other_shape).1, "quote_again");
    let other_terms = cairn_ledger::tx::open_order::OpenOrder {
        terms: Hash([4; 32]),
        ..order
    };
    assert_eq!(try_with(other_terms).1, "quote_again");
    let brief = world.open(
        CUSTOMER,
        cairn_ledger::tx::open_order::OpenOrder {
            expires: TimeMs(world.expires().0 - ORDER_MS + 1),
            ..order
        },
    );
    let closed = world.open(CUSTOMER, order);
    let close = cairn_ledger::tx::close_order::CloseOrder { order: closed };
    send(&world.chain, PROVIDER, Body::CloseOrder(close));
    assert_eq!(code(sell(&gateway, &purchase(&agreed, closed))), "order_not_open");
    world.outlast(&brief);
    assert_eq!(code(sell(&gateway, &purchase(&agreed, brief))), "order_expired");
    // An order that holds more than the price gives the rest back.
    let before = world.credits(CUSTOMER);
    let expires = world.expires();
    let rich = cairn_ledger::tx::open_order::OpenOrder {
        hold: Credit(order.hold.0 + 1_000),
        expires,
        ..order
    };
    assert_eq!(try_with(rich).1, "done");
    assert_eq!(world.credits(CUSTOMER).0, before.0 - order.hold.0);
}

#[test]
fn a_price_that_changed_asks_for_another_quote_and_a_paid_order_stays_paid() {
    let world = World::new(2);
    let gateway = world.gateway();
    let (agreed, order) = world.agree(&gateway, &world.rain(1));
    let (paid, paid_order) = world.agree(&gateway, &world.rain(1));
    assert!(sell(&gateway, &purchase(&paid, paid_order)).unwrap().sold);
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
    assert_eq!(
        agreed.quote().valid_until,
        START.plus_ms(3 * HOUR),
        "parameters change with the epoch"
    );
    world.pass(2);
    assert_eq!(code(sell(&gateway, &purchase(&agreed, order))), "quote_again");
    assert!(!sell(&gateway, &purchase(&paid, paid_order)).unwrap().sold);
    assert_eq!(world.order(&order).settled, Credit(0));
}

#[test]
fn an_archive_that_is_not_what_was_settled_is_not_sold() {
    for file in [FINDINGS, REPORTS, "inputs.cbor", "manifest.cbor"] {
        let world = World::new(2);
        let archive = EpochArchive::of(&world.objects, &world.network, cairn_types::EpochNumber(1));
        let path = archive.path(file);
        let whole = world.objects.get(&path).unwrap().unwrap();
        let mut codes = BTreeSet::new();
        for at in (0..whole.len()).step_by((whole.len() / 12).max(1)) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            world.objects.put(&path, &bytes).unwrap();
            match world.gateway().quote(&world.rain(2), Some(&account(CUSTOMER)), &go()) {
                Err(refusal) => codes.insert(refusal.code),
                // A byte that no root covers says nothing of what is sold: the form of a file, signatures, file hashes.
                Ok(quote) => codes.insert(if quote.rows > 0 { "same" } else { "empty" }),
            };
        }
        assert!(codes.contains("archive_wrong"), "{file}: {codes:?}");
        assert!(codes.is_subset(&["archive_wrong", "same"].into()), "{file}: {codes:?}");
        // An archive that lacks a file.
        world.objects.put(&path, b"").unwrap();
        assert_eq!(
            code(quote(&world.gateway(), &world.rain(2), CUSTOMER)),
            "archive_wrong",
            "{file}"
        );
    }
}

#[test]
fn the_same_rows_are_in_every_form() {
    let world = World::new(1);
    let gateway = world.gateway();
    let (agreed, order) = world.agree(&gateway, &world.rain(1));
    let answer = sell(&gateway, &purchase(&agreed, order)).unwrap().answer;
    for format in Format::ALL {
        let (mut one, mut two) = (Vec::new(), Vec::new());
        export::write(format, &answer, &mut one).unwrap();
        export::write(format, &answer, &mut two).unwrap();
        assert_eq!(one, two);
        assert!(one.len() > answer.len(), "{}", format.name());
    }
}

#[test]
fn an_archive_that_agrees_with_itself_and_not_with_the_ledger_is_not_sold() {
    let world = World::new(1);
    let archive = EpochArchive::of(&world.objects, &world.network, cairn_types::EpochNumber(0));
    let mut findings = archive.findings().unwrap();
    let refused = findings.iter_mut().flat_map(|finding| &mut finding.spans);
    refused.for_each(|span| span.reason = None);
    let mut manifest = archive.manifest().unwrap().unwrap();
    manifest.attestation.result.findings = cairn_types::finding::root(&findings);
    archive.put(FINDINGS, &codec::encode(&findings)).unwrap();
    archive.put(MANIFEST, &codec::encode(&manifest)).unwrap();
    let refusal = quote(&world.gateway(), &world.rain(1), CUSTOMER).unwrap_err();
    assert_eq!(refusal.code, "archive_wrong");
    assert!(refusal.message.contains("the result"), "{}", refusal.message);
}
