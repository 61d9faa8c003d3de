//! Which turns to lead are lost: as soon as so many validators gave one up that no block of it can become final. Whoever has
//! such a turn gives it up too, instead of holding all up with a block that nobody may vote for. Counts, decides nothing else.

use crate::engine_types::{Digest, Scheme};
use commonware_actor::Feedback;
use commonware_consensus::{
    Reporter,
    simplex::types::{Activity, Attributable as _},
    types::{Participant, Round},
};
use commonware_utils::{Faults as _, N3f1};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::watch;

/// Turns remembered: those beyond are over for everybody.
const TURNS_MAX: usize = 64;

/// Who gave up which of the newest turns. Clones share it.
#[derive(Clone)]
pub(crate) struct Turns {
    given_up: Arc<watch::Sender<BTreeMap<Round, BTreeSet<Participant>>>>,
    /// Validators that may be missing while the others still agree.
    missing_max: usize,
}

impl Turns {
    pub(crate) fn new(validators: usize) -> Self {
        let validators = u32::try_from(validators).expect("bounded by VALIDATORS_MAX");
        Self {
            given_up: Arc::new(watch::Sender::new(BTreeMap::new())),
            missing_max: (validators - N3f1::quorum(validators)) as usize,
        }
    }

    /// Returns when a turn is lost.
    pub(crate) async fn lost(&self, turn: Round) {
        let mut given_up = self.given_up.subscribe();
        let lost = |turns: &BTreeMap<Round, BTreeSet<Participant>>| {
            turns.get(&turn).is_some_and(|by| by.len() > self.missing_max)
        };
        given_up
            .wait_for(lost)
            .await
            .expect("this very object holds the sender");
    }

    fn give_up(&self, turn: Round, validator: Participant) {
        self.given_up.send_if_modified(|turns| {
            let new = turns.entry(turn).or_default().insert(validator);
            while turns.len() > TURNS_MAX {
                turns.pop_first();
            }
            new
        });
    }
}

impl Reporter for Turns {
    type Activity = Activity<Scheme, Digest>;

    fn report(&mut self, activity: Self::Activity) -> Feedback {
        if let Activity::Nullify(nullify) = activity {
            self.give_up(nullify.round, nullify.signer());
        }
        Feedback::Ok
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use commonware_consensus::types::{Epoch, View};
    use futures::FutureExt as _;

    fn turn(view: u64) -> Round {
        Round::new(Epoch::zero(), View::new(view))
    }

    #[test]
    fn a_turn_is_lost_when_those_left_are_too_few_to_agree() {
        for (validators, enough) in [(1, 1), (3, 1), (4, 2), (6, 2), (7, 3)] {
            let turns = Turns::new(validators);
            for by in 0..enough {
                assert_eq!(turns.lost(turn(5)).now_or_never(), None, "{by} of {validators}");
                turns.give_up(turn(5), Participant::new(by));
                // Whoever says it again counts once, and only for this turn.
                turns.give_up(turn(5), Participant::new(by));
            }
            assert_eq!(turns.lost(turn(5)).now_or_never(), Some(()), "{validators}");
            assert_eq!(turns.lost(turn(6)).now_or_never(), None);
        }
    }

    #[test]
    fn turns_long_over_are_forgotten() {
        let turns = Turns::new(1);
        for view in 0..=TURNS_MAX as u64 {
            turns.give_up(turn(view), Participant::new(0));
        }
        assert_eq!(turns.lost(turn(0)).now_or_never(), None);
        assert_eq!(turns.lost(turn(1)).now_or_never(), Some(()));
    }
}
