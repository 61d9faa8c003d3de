//! Operators who want dollars and operators who want token, through kills and an absent ledger.

use super::told;
use cairn_harness::plan::{Fault, Moment, Plan};
use cairn_harness::records::Records;
use cairn_harness::world::{AGENTS, Shape};

/// Token that changed hands in each epoch.
fn exchanged(records: &Records) -> Vec<u64> {
    let of_epoch = |steps: &Vec<_>| {
        let given = steps
            .iter()
            .map(|step: &cairn_ledger::economics::netting::Exchange| step.tokens_given.0);
        given.sum()
    };
    records.epochs.iter().map(|paid| of_epoch(&paid.steps)).collect()
}

#[test]
fn operators_with_opposite_choices_exchange_what_customers_pay_them() {
    let mut plan = Plan::calm();
    for operator in 0..4 {
        plan = plan.choosing(2, operator, Some(10_000));
        plan = plan.choosing(3, operator + 4, Some(0));
    }
    // In the last hours everybody is paid as earned again, and a choice taken back in its own hour never held.
    for operator in 0..8 {
        plan = plan.choosing(8 * 12 + 1, operator, Some(5_000));
        plan = plan.choosing(8 * 12 + 2, operator, None);
    }
    let records = told(Shape::of(61, 12), plan);
    let exchanged = exchanged(&records);
    assert!(
        exchanged[..9].iter().filter(|tokens| **tokens > 0).count() >= 2,
        "{exchanged:?}"
    );
    assert!(exchanged[9..].iter().all(|tokens| *tokens == 0), "{exchanged:?}");
    let is_settled = |epoch: usize| records.epochs[epoch].settlement.exchanged;
    assert_eq!([0, 1, 8, 9].map(is_settled), [false, true, true, false]);
}

#[test]
fn minds_that_change_while_the_verifier_is_killed_or_the_ledger_is_away_change_nothing_that_was_chosen() {
    for seed in 62..66 {
        let death = |after, end| Fault::VerifierDies {
            moment: Moment::Submitting(after, end),
            steps: 3,
        };
        let plan = Plan::deaths(seed, 6, 6)
            .with(26, Fault::LedgerAway { steps: 15 })
            .with(50, death(1, cairn_harness::line::End::After))
            .with_choosers(seed, 6);
        told(Shape::of(seed, 6), plan);
    }
}

#[test]
fn drawn_plans_have_choosers_whose_exchanges_are_the_same_every_time() {
    let played = |seed| told(Shape::of(seed, 8), Plan::drawn(seed, AGENTS, 8));
    let (one, again) = (played(67), played(67));
    assert_eq!(one.roots(), again.roots());
    assert_eq!(exchanged(&one), exchanged(&again));
    assert!(one.epochs.iter().any(|paid| paid.book.is_some()));
}
