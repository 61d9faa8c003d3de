//! Bugs planted on purpose: for every property a world in which it does not hold, and the property says so. Most doctor the records of
//! a sound world; one runs a verifier on a disk that lies.

use super::told;
use cairn_harness::CLOCK;
use cairn_harness::people::network_id;
use cairn_harness::plan::{Fault, Moment, Plan};
use cairn_harness::properties::check;
use cairn_harness::records::Records;
use cairn_harness::simulate::plants::never_syncs;
use cairn_harness::world::{Shape, World, play};
use cairn_ledger::Event;
use cairn_types::{BasisPoints, Credit, EpochNumber};
use cairn_verifier::archive::{EpochArchive, REPORTS, reports};
use cairn_verticals::kit::Role;

#[test]
fn every_property_notices_when_it_is_broken() {
    let plan = Plan::calm().choosing(1, 0, Some(0)).choosing(2, 1, Some(10_000));
    let sound = told(Shape::of(51, 4), plan);
    type Doctor = fn(&mut Records);
    let table: [(&str, Doctor); 20] = [
        ("supply is conserved", |world| {
            world.violations.push("a token is missing".to_owned())
        }),
        ("every epoch is paid", |world| drop(world.epochs.pop())),
        ("a receipt means archived", |world| {
            drop(world.epochs[1].reports.remove(0))
        }),
        ("nothing is rewarded twice", |world| {
            world.epochs[1].leaves[0].availability.0 += 1
        }),
        ("nothing is rewarded twice", |world| {
            let twice = world.epochs[1].reports[0].clone();
            world.epochs[2].reports.push(twice);
        }),
        ("nothing is rewarded twice", |world| {
            let paid = world
                .events
                .iter()
                .find(|event| matches!(event, Event::LeavesPaid { .. }));
            let paid = paid.unwrap().clone();
            world.events.push(paid);
        }),
        ("nothing is rewarded twice", |world| {
            let leaf = world.epochs[1].leaves[0];
            world.epochs[1].leaves.insert(0, leaf);
        }),
        ("every report is answered", |world| {
            world.diary.told.values_mut().next().unwrap().heard = false;
        }),
        ("honest reports in time are taken", |world| {
            let honest = world
                .devices
                .iter()
                .find(|device| device.role == Role::Honest)
                .unwrap()
                .id;
            let told = world
                .diary
                .told
                .values_mut()
                .find(|told| told.device == honest)
                .unwrap();
            told.refusals.push((CLOCK.end(told.epoch), 4));
        }),
        ("every report has one finding", |world| {
            drop(world.epochs[1].findings.pop())
        }),
        ("honest devices are paid", |world| {
            let paid = &mut world.epochs[1];
            let honest = world
                .devices
                .iter()
                .find(|device| device.role == Role::Honest)
                .unwrap()
                .id;
            let member = paid
                .inputs
                .roster
                .iter()
                .find(|member| member.device() == honest)
                .unwrap();
            let (number, operator) = (member.number, member.operator);
            paid.findings
                .iter_mut()
                .filter(|finding| finding.device == number)
                .for_each(|finding| finding.units = 0);
            paid.leaves.retain(|leaf| leaf.operator != operator);
        }),
        ("cheats are refused", |world| {
            world.is_telling = true;
            world.diary.told.clear();
            world
                .epochs
                .iter_mut()
                .flat_map(|paid| &mut paid.findings)
                .for_each(|finding| {
                    finding.reason = None;
                    finding.spans.clear();
                });
        }),
        ("audits agree", |world| {
            world.epochs[1].difference = Some("row 3".to_owned())
        }),
        ("choices count as they stood", |world| {
            let choices = &mut world.epochs[2].choices;
            let chosen = choices.iter().position(Option::is_some).unwrap();
            choices[chosen] = None;
        }),
        ("choices count as they stood", |world| {
            world.epochs[2].choices[5] = Some(BasisPoints::WHOLE)
        }),
        ("choices count as they stood", |world| world.epochs[2].book = None),
        ("exchanges conserve both assets", |world| {
            world.epochs[2].steps[0].tokens_received.0 += 1
        }),
        ("exchanges conserve both assets", |world| {
            world.epochs[2].steps.pop();
        }),
        ("exchanges conserve both assets", |world| {
            world.holds.values_mut().next().unwrap().1.0 += 1
        }),
        ("customers pay once", |world| {
            world.credits.1 = Credit(world.credits.1.0 - 1)
        }),
    ];
    for (property, doctor) in table {
        let mut world = sound.clone();
        doctor(&mut world);
        let broken = check(&world);
        assert!(
            broken.iter().any(|broken| broken.property == property),
            "{property}: {broken:?}"
        );
    }
}

#[test]
fn a_report_dropped_from_the_archive_is_missed_by_its_receipt_and_by_the_audit() {
    let mut world = World::new(Shape::of(52, 3), Plan::calm());
    while world.step() {}
    let objects = world.objects();
    let archive = EpochArchive::of(&objects, &network_id(), EpochNumber(1));
    let mut rows = reports::read(archive.need(REPORTS).unwrap()).unwrap();
    rows.remove(3);
    archive.put(REPORTS, &reports::write(&rows, &[])).unwrap();
    let (_, broken) = world.end();
    let mut named: Vec<&str> = broken.iter().map(|broken| broken.property).collect();
    named.dedup();
    assert!(
        named.contains(&"a receipt means archived") && named.contains(&"audits agree"),
        "{named:?}"
    );
}

#[test]
fn a_verifier_on_a_disk_that_lies_is_found_out_when_it_dies() {
    let shape = Shape {
        shows: never_syncs,
        ..Shape::of(53, 3)
    };
    let death = Fault::VerifierDies {
        moment: Moment::Idle,
        steps: 0,
    };
    let (_, broken) = play(shape, Plan::calm().with(14, death));
    assert!(
        broken
            .iter()
            .any(|broken| broken.property == "a receipt means archived"),
        "{broken:?}"
    );
}
