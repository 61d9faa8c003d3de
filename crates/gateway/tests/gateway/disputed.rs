//! What a dispute may still replace is not sold; afterwards the rows of the result in force are.

use crate::world::{CUSTOMER, HOUR, POOR, START, VALIDATOR, World, code, key, purchase, quote, sell, send};
use cairn_gateway::query::Query;
use cairn_ledger::Body;
use cairn_ledger::tx::open_dispute::OpenDispute;
use cairn_ledger::tx::vote_dispute::VoteDispute;
use cairn_types::{EpochNumber, Reason, codec, finding};
use cairn_verifier::archive::{EpochArchive, FINDINGS, MANIFEST};

const WINDOW_MS: u64 = 2 * HOUR;

#[test]
fn an_hour_is_sold_when_its_window_for_disputes_is_over() {
    let world = World::with_disputes(1, WINDOW_MS);
    let gateway = world.gateway();
    assert_eq!(code(quote(&gateway, &world.rain(1), CUSTOMER)), "not_yet");
    world.pass(1);
    world.release(0);
    // The hour after it is settled, and waits still.
    let offer = quote(&gateway, &world.rain(9), CUSTOMER).unwrap();
    assert_eq!(offer.available_until, START.plus_ms(HOUR));
    assert_eq!(offer.query.to, offer.available_until);
    let (agreed, order) = world.agree(&gateway, &world.rain(1));
    assert!(sell(&gateway, &purchase(&agreed, order)).unwrap().sold);
}

#[test]
fn after_an_upheld_dispute_the_right_rows_are_sold_and_the_wrong_ones_never_were() {
    let world = World::with_disputes(1, WINDOW_MS);
    let gateway = world.gateway();
    assert_eq!(code(quote(&gateway, &world.rain(1), CUSTOMER)), "not_yet");

    // The settled result accepted what one device should not have been believed.
    let archive = EpochArchive::of(&world.objects, &world.network, EpochNumber(0));
    let mut findings = archive.findings().unwrap();
    let believed = |finding: &&finding::Finding| finding.spans.iter().any(|span| span.reason.is_none());
    let cheat = findings.iter().find(believed).unwrap().device;
    for finding in findings.iter_mut().filter(|finding| finding.device == cheat) {
        let spans = finding.spans.iter_mut();
        spans.for_each(|span| span.reason = Some(Reason(104)));
    }
    let mut manifest = archive.manifest().unwrap().unwrap();
    manifest.attestation.result.findings = finding::root(&findings);
    let right = manifest.attestation.result.clone();
    let (claimed, exchange) = (right.clone(), None);
    send(&world.chain, POOR, Body::OpenDispute(OpenDispute { claimed, exchange }));
    let vote = VoteDispute {
        result: right,
        exchange: None,
        blame: true,
    };
    send(&world.chain, VALIDATOR, Body::VoteDispute(vote));
    assert_eq!(code(quote(&gateway, &world.rain(1), CUSTOMER)), "not_yet");
    archive.put(FINDINGS, &codec::encode(&findings)).unwrap();
    archive.put(MANIFEST, &codec::encode(&manifest)).unwrap();

    world.release(0);
    let (agreed, order) = world.agree(&gateway, &world.rain(1));
    let rows = sell(&gateway, &purchase(&agreed, order)).unwrap().answer;
    let roster = archive.inputs().unwrap().roster;
    let cheat = roster.iter().find(|member| member.number == cheat).unwrap().device();
    assert!(!rows.is_empty() && rows.rows().all(|row| row.device != cheat));
}

#[test]
fn who_asks_for_other_data_than_was_paid_is_told_that_the_order_is_paid() {
    let world = World::new(2);
    let gateway = world.gateway();
    let (agreed, order) = world.agree(&gateway, &world.rain(2));
    let bought = purchase(&agreed, order);
    assert!(sell(&gateway, &bought).unwrap().sold);
    let other = Query {
        to: START.plus_ms(HOUR),
        ..world.rain(2)
    };
    let (of_other, _) = world.agree(&gateway, &other);
    let mut asked = of_other.purchase(order, cairn_gateway::export::Format::Csv, &key(crate::world::VOUCHERS));
    asked.voucher = bought.voucher.clone();
    let refusal = sell(&gateway, &asked).unwrap_err();
    assert_eq!(refusal.code, "paid_for_other_data", "{}", refusal.message);
    assert!(!sell(&gateway, &bought).unwrap().sold, "what was bought is still given");
}
