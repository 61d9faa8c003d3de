//! Which turns to lead are lost: as soon as so many validators gave one up that no block of it can become final. Whoever has
//! such a turn gives it up too, instead of holding all up with a block that nobody may vote for. Counts, decides nothing else.

use crate::{
    committee::Schemes,
    engine_types::{Digest, Scheme},
};
use commonware_actor::Feedback;
use commonware_consensus::{
    Reporter,
    simplex::types::{Activity, Attributable as _},
    types::{Epoch, Participant, Round},
};
use commonware_cryptography::certificate::Provider as _;
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
    /// Who votes in which epoch.
    schemes: Schemes,
}

impl Turns {
    pub(crate) fn new(schemes: Schemes) -> Self {
        Self {
            given_up: Arc::new(watch::Sender::new(BTreeMap::new())),
            schemes,
        }
    }

    /// Returns when a turn is lost.
    pub(crate) async fn lost(&self, turn: Round) {
        let mut given_up = self.given_up.subscribe();
        // Of an epoch that is over no turn comes again.
        let Some(missing_max) = self.missing_max(turn.epoch()) else {
            return;
        };
        let lost =
            |turns: &BTreeMap<Round, BTreeSet<Participant>>| turns.get(&turn).is_some_and(|by| by.len() > missing_max);
        given_up
            .wait_for(lost)
            .await
            .expect("this very object holds the sender");
    }

    /// Validators of an epoch that may be missing while the others still agree.
    fn missing_max(&self, epoch: Epoch) -> Option<usize> {
        let validators = self.schemes.scheme(epoch)?.participants().len();
        let validators = u32::try_from(validators).expect("bounded by MEMBERS_MAX");
        Some((validators - N3f1::quorum(validators)) as usize)
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
    use crate::engine_types::{Bls, PublicKey};
    use commonware_consensus::types::View;
    use commonware_cryptography::{
        Signer as _,
        bls12381::{dkg::feldman_desmedt::deal, primitives::sharing::Mode},
        ed25519::PrivateKey,
    };
    use commonware_glue::dkg::types::SchemeInfo;
    use commonware_utils::ordered::Set;
    use futures::FutureExt as _;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    fn turn(epoch: u64, view: u64) -> Round {
        Round::new(Epoch::new(epoch), View::new(view))
    }

    /// Turns among so many validators in each epoch.
    fn among(validators: &[u64]) -> Turns {
        let schemes = Schemes::new("turns");
        for (epoch, validators) in (0..).zip(validators) {
            let names = (0..*validators).map(|seed| PrivateKey::from_seed(seed).public_key());
            let names: Set<PublicKey> = Set::from_iter_dedup(names);
            let rng = ChaCha20Rng::seed_from_u64(epoch);
            let dealt = deal::<Bls, _, N3f1>(rng, Mode::NonZeroCounter, names.clone());
            let (output, _) = dealt.expect("there is somebody to deal to");
            let info = SchemeInfo::Verifier {
                participants: names,
                sharing: output.public().clone(),
            };
            schemes.insert(Epoch::new(epoch), info);
        }
        Turns::new(schemes)
    }

    #[test]
    fn a_turn_is_lost_when_those_left_are_too_few_to_agree() {
        for (validators, enough) in [(1, 1), (3, 1), (4, 2), (6, 2), (7, 3)] {
            let turns = among(&[validators]);
            for by in 0..enough {
                assert_eq!(turns.lost(turn(0, 5)).now_or_never(), None, "{by} of {validators}");
                turns.give_up(turn(0, 5), Participant::new(by));
                // Whoever says it again counts once, and only for this turn.
                turns.give_up(turn(0, 5), Participant::new(by));
            }
            assert_eq!(turns.lost(turn(0, 5)).now_or_never(), Some(()), "{validators}");
            assert_eq!(turns.lost(turn(0, 6)).now_or_never(), None);
        }
    }

    #[test]
    fn each_epoch_counts_its_own_validators() {
        let turns = among(&[1, 4, 7]);
        for (epoch, enough) in [(0, 1), (1, 2), (2, 3)] {
            for by in 0..enough {
                assert_eq!(turns.lost(turn(epoch, 5)).now_or_never(), None, "{by} in {epoch}");
                turns.give_up(turn(epoch, 5), Participant::new(by));
            }
            assert_eq!(turns.lost(turn(epoch, 5)).now_or_never(), Some(()), "{epoch}");
        }
    }

    #[test]
    fn turns_long_over_are_forgotten() {
        let turns = among(&[1]);
        for view in 0..=TURNS_MAX as u64 {
            turns.give_up(turn(0, view), Participant::new(0));
        }
        assert_eq!(turns.lost(turn(0, 0)).now_or_never(), None);
        assert_eq!(turns.lost(turn(0, 1)).now_or_never(), Some(()));
    }

    #[test]
    fn no_turn_of_an_epoch_gone_by_is_waited_for() {
        assert_eq!(among(&[1, 1, 1, 1]).lost(turn(0, 1)).now_or_never(), Some(()));
    }
}
