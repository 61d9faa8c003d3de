//! The way of a simulated node's messages: to whom they go, whether they arrive twice, and how two processes under one key share
//! what is said and heard. Loses nothing itself: the links do.
//!
//! ```text
//! process ─▶ to all others, perhaps twice            split:  process ─▶ to those near │ those near ─▶ process
//!                                                            twin    ─▶ to the others │ the others ─▶ twin
//! ```

use super::everybody::Everybody;
use crate::{
    assemble::{Links, Network},
    engine_types::PublicKey,
};
use cairn_types::hash;
use commonware_p2p::{
    Recipients,
    simulated::{self, Oracle, SplitForwarder, SplitOrigin, SplitRouter, SplitSender, SplitTarget},
};
use commonware_runtime::{IoBuf, deterministic::Context};
use std::{
    collections::BTreeSet,
    marker::PhantomData,
    sync::{Arc, Mutex, MutexGuard},
};

/// One node's way. Clones are the same one.
#[derive(Clone)]
pub(super) struct Way {
    others: Arc<Vec<PublicKey>>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// What it says arrives twice.
    is_doubled: bool,
    /// Who speaks with the process, of a node that has a twin; the others speak with that. `None`: all speak with both.
    near: Option<BTreeSet<PublicKey>>,
}

impl Way {
    pub(super) fn new(me: &PublicKey, all: &[PublicKey]) -> Self {
        let others = all.iter().filter(|name| *name != me);
        Self {
            others: Arc::new(others.cloned().collect()),
            state: Arc::default(),
        }
    }

    pub(super) fn double(&self, is_doubled: bool) {
        self.state().is_doubled = is_doubled;
    }

    pub(super) fn split(&self, near: Option<BTreeSet<PublicKey>>) {
        self.state().near = near;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the lock panics")
    }
}

/// To whom a message goes.
pub(super) fn forwarder(way: Way, is_split: bool) -> impl SplitForwarder<PublicKey> {
    move |origin: SplitOrigin, recipients: &Recipients<PublicKey>, message: &IoBuf| {
        let mut to = match recipients {
            Recipients::All => way.others.to_vec(),
            Recipients::Some(some) => some.clone(),
            Recipients::One(one) => vec![one.clone()],
        };
        let state = way.state();
        if let Some(near) = state.near.as_ref().filter(|_| is_split) {
            to.retain(|name| near.contains(name) == (origin == SplitOrigin::Primary));
        }
        // Every other message, whatever it says.
        if state.is_doubled && hash::sha256(message.as_ref()).0[0].is_multiple_of(2) {
            to.extend(to.clone());
        }
        (!to.is_empty()).then_some(Recipients::Some(to))
    }
}

/// Which of two processes hears a message.
pub(super) fn router(way: Way) -> impl SplitRouter<PublicKey> {
    move |(from, _): &(PublicKey, IoBuf)| match &way.state().near {
        None => SplitTarget::Both,
        Some(near) if near.contains(from) => SplitTarget::Primary,
        Some(_) => SplitTarget::Secondary,
    }
}

/// Simulated links of one node.
pub(super) struct Simulated<F>(PhantomData<F>);

impl<F: SplitForwarder<PublicKey>> Links for Simulated<F> {
    type Peers = Everybody;
    type Blocker = simulated::Control<PublicKey, Context>;
    type Sender = SplitSender<PublicKey, Context, F>;
    type Receiver = simulated::Receiver<PublicKey>;
}

/// One process's channels.
type Channels<F> = Vec<(SplitSender<PublicKey, Context, F>, simulated::Receiver<PublicKey>)>;

pub(super) fn network<F: SplitForwarder<PublicKey>>(
    oracle: &Oracle<PublicKey, Context>,
    names: Vec<PublicKey>,
    blocker: simulated::Control<PublicKey, Context>,
    channels: Channels<F>,
) -> Network<Simulated<F>> {
    Network {
        peers: Everybody {
            manager: oracle.manager(),
            names,
        },
        blocker,
        channels,
    }
}
