//! What a watcher of disputes does next. Decides on what the ledger says and what was tried; asks nobody, and knows no clock.
//!
//! ```text
//! a settled epoch that waits for its money ─▶ disputed: judge it ─▶ voted: look again later, a file may have turned up
//!                                          ├▶ decided otherwise: hand on what it was decided by, until all have it
//!                                          └▶ undisputed: audit it, once for each result; again while files are left out
//! an epoch that verifiers do not settle ─▶ put it before the validators ─▶ judge it
//! ```

use cairn_types::{EpochNumber, Hash, NetworkId};
use std::collections::BTreeMap;

/// An epoch of a network.
pub type At = (NetworkId, EpochNumber);

/// After a failure, doubled with each further one up to the other.
const PAUSE_MS: u64 = 5_000;
const PAUSE_MS_MAX: u64 = 10 * 60_000;
/// After a vote, until it is looked at again.
const AGAIN_MS: u64 = 10 * 60_000;

/// A dispute that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    pub ballot: u64,
    /// Whether this watcher's account has voted.
    pub voted: bool,
}

/// A settled epoch that waits for its money, or one that verifiers had their time to settle, as the ledger has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    pub at: At,
    /// Verifiers did not settle it in time: it may be put before the validators, or it is. Nothing stands.
    pub unsettled: bool,
    /// Names the result that stands.
    pub standing: Hash,
    pub dispute: Option<Open>,
    /// A dispute of it was decided: there is no other.
    pub decided: bool,
    /// That dispute put the result in force in the place of another.
    pub replaced: bool,
    /// It leaves out files, which may turn up.
    pub incomplete: bool,
}

/// What a watcher is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duties {
    /// It votes on open disputes.
    pub judges: bool,
    /// It opens disputes of results that it finds wrong. Who does either puts stalled epochs before the validators.
    pub opens: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    Judge(At),
    Audit(At),
    /// Put an epoch before the validators that nobody settled.
    Raise(At),
    /// Hand on the files of a result that was decided for.
    HandOn(At),
}

impl Work {
    pub fn at(&self) -> At {
        match self {
            Self::Judge(at) | Self::Audit(at) | Self::Raise(at) | Self::HandOn(at) => *at,
        }
    }
}

/// What a try is about: once that changes it is another.
type Matter = (Hash, Option<u64>);

#[derive(Clone, Copy, Debug)]
struct Tried {
    matter: Matter,
    failures: u32,
    /// How often in a row it was put off for others' sake.
    waits: u32,
    /// `None`: not before the matter changes.
    next_ms: Option<u64>,
}

/// What was tried. It holds no more than there are cases.
#[derive(Debug, Default)]
pub struct Docket(BTreeMap<At, Tried>);

impl Docket {
    /// The work that is due, disputes first, older epochs first. While an epoch is disputed nothing that builds on it is audited: it will be
    /// attested anew if the dispute is right.
    pub fn next(&mut self, cases: &[Case], duties: Duties, now_ms: u64) -> Option<Work> {
        let matters: BTreeMap<At, Matter> = cases.iter().map(|case| (case.at, case.matter())).collect();
        self.0.retain(|at, tried| matters.get(at) == Some(&tried.matter));
        for case in cases.iter().filter(|case| case.dispute.is_some_and(|open| open.voted)) {
            // Voted before this process began: as if it had just been.
            self.0.entry(case.at).or_insert(Tried {
                matter: case.matter(),
                failures: 0,
                waits: 0,
                next_ms: Some(now_ms.saturating_add(AGAIN_MS)),
            });
        }
        let is_due = |case: &&Case| match self.0.get(&case.at) {
            Some(tried) => tried.next_ms.is_some_and(|next_ms| next_ms <= now_ms),
            None => true,
        };
        let disputed = cases.iter().filter(|case| case.dispute.is_some());
        let judged = disputed
            .clone()
            .filter(|_| duties.judges)
            .filter(is_due)
            .min_by_key(|case| case.at);
        if let Some(case) = judged {
            return Some(Work::Judge(case.at));
        }
        let stalled = cases.iter().filter(|case| case.unsettled && case.dispute.is_none());
        let raised = stalled.filter(|_| duties.judges || duties.opens).filter(is_due);
        let raised = raised.min_by_key(|case| case.at);
        if let Some(case) = raised {
            return Some(Work::Raise(case.at));
        }
        let replaced = cases.iter().filter(|case| case.replaced && case.dispute.is_none());
        if let Some(case) = replaced.filter(is_due).min_by_key(|case| case.at) {
            return Some(Work::HandOn(case.at));
        }
        let held: Vec<At> = disputed.map(|case| case.at).collect();
        let builds = |case: &Case| held.iter().any(|at| at.0 == case.at.0 && at.1 <= case.at.1);
        let audited = cases
            .iter()
            .filter(|case| duties.opens && !case.unsettled && !case.decided && !builds(case));
        audited
            .filter(is_due)
            .min_by_key(|case| case.at)
            .map(|case| Work::Audit(case.at))
    }

    /// The work is done, as far as it can be now.
    pub fn done(&mut self, case: &Case, work: Work, now_ms: u64) {
        let next_ms = match work {
            Work::Audit(_) if !case.incomplete => None,
            Work::Judge(_) | Work::Audit(_) | Work::Raise(_) | Work::HandOn(_) => Some(now_ms.saturating_add(AGAIN_MS)),
        };
        let matter = case.matter();
        self.0.insert(
            case.at,
            Tried {
                matter,
                failures: 0,
                waits: 0,
                next_ms,
            },
        );
    }

    /// How often in a row an epoch could not be worked on.
    pub fn failures(&self, at: &At) -> u32 {
        self.0.get(at).map_or(0, |tried| tried.failures)
    }

    /// The work could not be done: later, and ever later.
    pub fn failed(&mut self, case: &Case, now_ms: u64) {
        self.later(case, now_ms, |tried| tried.failures = tried.failures.saturating_add(1));
    }

    /// The work waits until others have what it is by: later, and ever later. That is no failure.
    pub fn put_off(&mut self, case: &Case, now_ms: u64) {
        self.later(case, now_ms, |tried| tried.waits = tried.waits.saturating_add(1));
    }

    fn later(&mut self, case: &Case, now_ms: u64, count: impl FnOnce(&mut Tried)) {
        let matter = case.matter();
        let before = self.0.get(&case.at).filter(|tried| tried.matter == matter);
        let mut tried = before.copied().unwrap_or(Tried {
            matter,
            failures: 0,
            waits: 0,
            next_ms: None,
        });
        let times = tried.failures.saturating_add(tried.waits);
        let pause_ms = PAUSE_MS.saturating_mul(1 << times.min(16)).min(PAUSE_MS_MAX);
        tried.next_ms = Some(now_ms.saturating_add(pause_ms));
        count(&mut tried);
        self.0.insert(case.at, tried);
    }
}

impl Case {
    fn matter(&self) -> Matter {
        (self.standing, self.dispute.map(|open| open.ballot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Duties = Duties {
        judges: true,
        opens: true,
    };

    fn case(network: u8, epoch: u64, ballot: Option<u64>) -> Case {
        Case {
            at: (NetworkId([network; 32]), EpochNumber(epoch)),
            unsettled: false,
            standing: Hash([7; 32]),
            dispute: ballot.map(|ballot| Open { ballot, voted: false }),
            decided: false,
            replaced: false,
            incomplete: false,
        }
    }

    #[test]
    fn disputes_come_first_and_what_builds_on_them_waits() {
        let cases = [
            case(1, 4, None),
            case(1, 5, Some(0)),
            case(1, 6, None),
            case(2, 9, None),
        ];
        let mut docket = Docket::default();
        for (work, at) in [
            (Work::Judge(cases[1].at), 1),
            (Work::Audit(cases[0].at), 0),
            (Work::Audit(cases[3].at), 3),
        ] {
            assert_eq!(docket.next(&cases, BOTH, 0), Some(work));
            docket.done(&cases[at], work, 0);
        }
        assert_eq!(docket.next(&cases, BOTH, 0), None);
    }

    #[test]
    fn each_does_its_own_duty_only() {
        let cases = [case(1, 4, None), case(2, 5, Some(0))];
        let next = |judges, opens| Docket::default().next(&cases, Duties { judges, opens }, 0);
        assert_eq!(next(true, false), Some(Work::Judge(cases[1].at)));
        assert_eq!(next(false, true), Some(Work::Audit(cases[0].at)));
        assert_eq!(next(false, false), None);
    }

    #[test]
    fn what_nobody_settles_is_put_before_the_validators_and_judged_and_never_audited() {
        let mut cases = [case(1, 4, None), case(1, 5, None)];
        cases[1].unsettled = true;
        let next = |cases: &[Case], judges, opens| Docket::default().next(cases, Duties { judges, opens }, 0);
        let work = Work::Raise(cases[1].at);
        assert_eq!(next(&cases, true, false), Some(work));
        assert_eq!(next(&cases[1..], false, true), Some(work));
        assert_eq!(next(&cases[1..], false, false), None);
        let mut docket = Docket::default();
        docket.done(&cases[1], work, 0);
        assert_eq!(docket.next(&cases, BOTH, 0), Some(Work::Audit(cases[0].at)));
        assert_eq!(docket.next(&cases[1..], BOTH, AGAIN_MS - 1), None);
        assert_eq!(
            docket.next(&cases[1..], BOTH, AGAIN_MS),
            Some(work),
            "it was taken back"
        );
        cases[1].dispute = Some(Open {
            ballot: 2,
            voted: false,
        });
        assert_eq!(docket.next(&cases, BOTH, 0), Some(Work::Judge(cases[1].at)));
    }

    #[test]
    fn an_audit_is_done_once_for_each_result() {
        let mut docket = Docket::default();
        let mut cases = [case(1, 4, None)];
        let work = Work::Audit(cases[0].at);
        docket.done(&cases[0], work, 0);
        assert_eq!(docket.next(&cases, BOTH, u64::MAX), None);
        cases[0].standing = Hash([8; 32]);
        assert_eq!(docket.next(&cases, BOTH, 0), Some(work));
        cases[0].decided = true;
        assert_eq!(docket.next(&cases, BOTH, 0), None, "it cannot be disputed again");
    }

    #[test]
    fn a_result_that_leaves_something_out_is_audited_again_and_one_that_was_decided_for_is_handed_on() {
        let mut docket = Docket::default();
        let mut cases = [case(1, 4, None)];
        cases[0].incomplete = true;
        let work = Work::Audit(cases[0].at);
        docket.done(&cases[0], work, 0);
        assert_eq!(docket.next(&cases, BOTH, AGAIN_MS - 1), None);
        assert_eq!(docket.next(&cases, BOTH, AGAIN_MS), Some(work));
        (cases[0].standing, cases[0].decided, cases[0].replaced) = (Hash([8; 32]), true, true);
        let work = Work::HandOn(cases[0].at);
        assert_eq!(docket.next(&cases, BOTH, 0), Some(work));
        docket.done(&cases[0], work, 0);
        assert_eq!(docket.next(&cases, BOTH, AGAIN_MS), Some(work), "until its money moves");
    }

    #[test]
    fn what_waits_for_others_is_put_off_ever_longer_and_is_no_failure() {
        let cases = [case(1, 4, Some(3))];
        let (mut docket, work) = (Docket::default(), Some(Work::Judge(cases[0].at)));
        for (now_ms, pause_ms) in [(0, 5_000), (5_000, 10_000), (15_000, 20_000)] {
            docket.put_off(&cases[0], now_ms);
            assert_eq!(docket.next(&cases, BOTH, now_ms + pause_ms - 1), None);
            assert_eq!(docket.next(&cases, BOTH, now_ms + pause_ms), work);
        }
        assert_eq!(docket.failures(&cases[0].at), 0);
        docket.failed(&cases[0], 0);
        docket.put_off(&cases[0], 0);
        assert_eq!(docket.failures(&cases[0].at), 1);
    }

    #[test]
    fn a_vote_is_looked_at_again_later_also_one_of_before_a_restart() {
        let mut cases = [case(1, 4, Some(3))];
        let work = Work::Judge(cases[0].at);
        let mut docket = Docket::default();
        docket.done(&cases[0], work, 0);
        assert_eq!(docket.next(&cases, BOTH, AGAIN_MS - 1), None);
        assert_eq!(docket.next(&cases, BOTH, AGAIN_MS), Some(work));
        cases[0].dispute = Some(Open { ballot: 3, voted: true });
        let mut docket = Docket::default();
        assert_eq!(docket.next(&cases, BOTH, 5), None);
        assert_eq!(docket.next(&cases, BOTH, 5 + AGAIN_MS), Some(work));
        cases[0].dispute = Some(Open {
            ballot: 4,
            voted: false,
        });
        assert_eq!(
            docket.next(&cases, BOTH, 5),
            Some(work),
            "another dispute is another matter"
        );
    }

    #[test]
    fn what_fails_is_tried_ever_later_and_what_is_gone_is_forgotten() {
        let cases = [case(1, 4, Some(3))];
        let work = Work::Judge(cases[0].at);
        let (mut docket, mut now_ms) = (Docket::default(), 0);
        for pause_ms in [5_000, 10_000, 20_000] {
            docket.failed(&cases[0], now_ms);
            assert_eq!(docket.next(&cases, BOTH, now_ms + pause_ms - 1), None);
            assert_eq!(docket.next(&cases, BOTH, now_ms + pause_ms), Some(work));
            now_ms += pause_ms;
        }
        for _ in 0..40 {
            docket.failed(&cases[0], now_ms);
        }
        assert_eq!(docket.failures(&cases[0].at), 43);
        assert_eq!(docket.next(&cases, BOTH, now_ms + PAUSE_MS_MAX), Some(work));
        assert_eq!(docket.next(&[], BOTH, 0), None);
        assert!(docket.0.is_empty());
    }
}
