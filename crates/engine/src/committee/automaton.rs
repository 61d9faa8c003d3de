//! What consensus of an epoch talks to: the application, and those who listen. Adds nothing of its own.

use crate::{
    catch_up::Horizon,
    engine_types::{ConsensusContext, Digest, PublicKey, Scheme},
    seeds::Seeds,
    turns::Turns,
};
use commonware_actor::Feedback;
use commonware_consensus::{
    Automaton, CertifiableAutomaton, Handoff, Relay, Reporter,
    simplex::{Plan, types::Activity},
    types::Round,
};
use commonware_utils::channel::oneshot;

/// An application whose consensus others listen to.
#[derive(Clone)]
pub(crate) struct Watched<A> {
    pub(crate) inner: A,
    pub(crate) seeds: Seeds,
    pub(crate) turns: Turns,
    pub(crate) horizon: Horizon,
}

impl<A: Automaton<Context = ConsensusContext, Digest = Digest>> Automaton for Watched<A> {
    type Context = ConsensusContext;
    type Digest = Digest;

    async fn propose(&mut self, context: ConsensusContext) -> oneshot::Receiver<Digest> {
        self.inner.propose(context).await
    }

    async fn verify(&mut self, context: ConsensusContext, payload: Digest) -> oneshot::Receiver<bool> {
        self.inner.verify(context, payload).await
    }
}

impl<A: CertifiableAutomaton<Context = ConsensusContext, Digest = Digest>> CertifiableAutomaton for Watched<A> {
    async fn prepare(&mut self, context: ConsensusContext) -> oneshot::Receiver<Handoff<Digest>> {
        self.inner.prepare(context).await
    }

    async fn certify(&mut self, round: Round, payload: Digest) -> oneshot::Receiver<bool> {
        self.inner.certify(round, payload).await
    }
}

impl<A: Relay<Digest = Digest, PublicKey = PublicKey, Plan = Plan<PublicKey>>> Relay for Watched<A> {
    type Digest = Digest;
    type PublicKey = PublicKey;
    type Plan = Plan<PublicKey>;

    fn broadcast(&mut self, payload: Digest, plan: Plan<PublicKey>) -> Feedback {
        self.inner.broadcast(payload, plan)
    }
}

impl<A: Reporter<Activity = Activity<Scheme, Digest>>> Reporter for Watched<A> {
    type Activity = Activity<Scheme, Digest>;

    fn report(&mut self, activity: Self::Activity) -> Feedback {
        // Those who listen never hold anything up; what the application says counts.
        let _ = self.seeds.report(activity.clone());
        let _ = self.turns.report(activity.clone());
        let _ = self.horizon.report(activity.clone());
        self.inner.report(activity)
    }
}
