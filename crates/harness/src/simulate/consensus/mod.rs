//! The town's ledger on four validators of the real engine, in the engine's deterministic run: real consensus, state, store of blocks and
//! pool, simulated links and disks, virtual time. The run has a thread of its own and stands still while the town acts, the town while
//! the run goes on, so that one seed gives one run. Judges nothing: `look` does.
//!
//! ```text
//! town ─▶ orders: tell, until, trouble ─▶ drive ─▶ four nodes: pool ─▶ engine ─▶ ledger
//!  ▲                                                   │ final blocks
//!  └── reads: each verifier what its validator knows ◀─┴─▶ onlooker: whatever any honest one was told first
//! ```

mod drive;
mod look;
mod node;
mod trouble;

pub use look::{FINAL, RESUMES, ROOTS, SHUT_OUT};
pub use node::{bonds, minority};

use super::dice::Dice;
use super::scene::Scene;
use crate::STEPS_PER_HOUR;
use crate::people::chain_id;
use crate::properties::Broken;
use cairn_engine::light::Anchor;
use cairn_engine::sim::Sim;
use cairn_ledger::tx::Signed;
use cairn_ledger::{Genesis, Ledger};
use cairn_types::{Hash, TimeMs};
use cairn_verifier::chain::ChainError;
use cairn_verifier::chain::local::LocalChain;
use drive::{Answer, Crew, Order};
use node::{Node, Onlooker};
use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;
pub use trouble::Trouble;
use trouble::Troubles;

pub const VALIDATORS: usize = 4;
/// Without transactions there is a block so often; a leader that says nothing costs a little more.
const IDLE: Duration = Duration::from_secs(60);
/// Whoever tells a transaction waits so long for it to be final.
const PATIENCE_MS: u64 = 90_000;
/// So long all of them together wait in one step; then they tell and do not wait.
const PATIENCE_OF_STEP_MS: u64 = 240_000;
/// After the last trouble every honest validator has a new block within so long.
pub const RESUMED_WITHIN_MS: u64 = 300_000;

/// A message to the run, and where its answer goes.
type Asked = (Order, Sender<Answer>);

/// The four validators.
pub struct Consensus {
    pub onlooker: Arc<Onlooker>,
    nodes: Vec<Arc<Node>>,
    ledger: Arc<Ledger>,
    /// Blocks between two renewals of their shares.
    epoch_blocks: NonZeroU64,
    /// The one that runs twice under its one key, or proposes what nobody signed.
    byzantine: Option<usize>,
    troubles: Troubles,
    calm_step: u64,
    orders: Mutex<Option<Sender<Asked>>>,
    run: Mutex<Option<JoinHandle<()>>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    active: Vec<(Trouble, u64)>,
    halts: bool,
    /// Nobody waits for a transaction beyond this moment.
    patience_ends: TimeMs,
    /// Transactions of which somebody was told that they are final.
    answered: BTreeSet<Hash>,
    resumed_ms: Option<u64>,
    shut_out: BTreeSet<(usize, usize)>,
    anchor: Option<Anchor>,
}

/// What came of the validators.
#[derive(Clone, Debug, Default)]
pub struct Agreed {
    pub blocks: u64,
    /// How long it took after the last trouble until every honest validator had a new block.
    pub resumed_ms: u64,
}

impl Consensus {
    pub fn start(scene: &Scene, genesis: &Genesis) -> Arc<Self> {
        let ledger = Arc::new(Ledger::new(genesis.clone()).expect("the genesis is sound"));
        let onlooker = Arc::new(Onlooker::new(genesis));
        let mut dice = Dice::of(scene.seed, "byzantine");
        let kind = dice.below(4);
        let byzantine = (kind > 0).then(|| dice.place(VALIDATORS));
        let (forger, twin) = match kind {
            1 => (byzantine, None),
            _ => (None, byzantine),
        };
        let node = |place| {
            Node::new(
                genesis,
                onlooker.clone(),
                byzantine != Some(place),
                forger == Some(place),
            )
        };
        let nodes: Vec<Arc<Node>> = (0..VALIDATORS).map(node).collect();
        // In half of the seeds each half of it speaks with some of the others only, and nobody can show what it does.
        let honest: Vec<usize> = (0..VALIDATORS).filter(|place| Some(*place) != byzantine).collect();
        let near = dice.one_in(2).then(|| vec![honest[dice.place(honest.len())]]);
        let epoch_blocks = NonZeroU64::new(genesis.limits.committee_blocks).expect("the genesis is sound");
        let mut sim = Sim::seeded(scene.seed);
        sim.chain = chain_id().to_string();
        sim.start_ms = genesis.start.0;
        sim.tears = true;
        sim.epoch_blocks = epoch_blocks;
        sim.pace.idle_interval = IDLE;
        sim.catch_up.views_max = None;
        // Nothing but the town's end ends it.
        sim.time_max = Duration::from_secs(30 * 24 * 3_600);
        let (orders, asked): (Sender<Asked>, Receiver<Asked>) = channel();
        let crew = Crew {
            nodes: nodes.clone(),
            ledger: ledger.clone(),
            twin: twin.map(|place| (place, Node::new(genesis, onlooker.clone(), false, false), near)),
            asked: Arc::new(Mutex::new(asked)),
            pending: Arc::default(),
        };
        let run = std::thread::Builder::new()
            .name(format!("validators-{}", scene.seed))
            .stack_size(32 << 20)
            .spawn(move || drive::run(&sim, &crew))
            .expect("a thread starts");
        let consensus = Self {
            onlooker,
            nodes,
            ledger,
            epoch_blocks,
            byzantine,
            troubles: trouble::drawn(scene),
            calm_step: scene.calm_from * STEPS_PER_HOUR,
            orders: Mutex::new(Some(orders)),
            run: Mutex::new(Some(run)),
            state: Mutex::default(),
        };
        let Answer::Begun(anchor) = consensus.ask(Order::Begin) else {
            unreachable!("it answers what it is asked");
        };
        consensus.state().anchor = Some(*anchor);
        Arc::new(consensus)
    }

    /// What makes the Byzantine validator one.
    pub fn lie(&self) -> Option<&'static str> {
        let place = self.byzantine?;
        Some(match self.nodes[place].forges {
            true => "validator proposes forgeries",
            false => "validator runs twice, signs twice",
        })
    }

    /// What founds the town, given to all at once; returns when all of it is final.
    pub fn found(&self, opening: Vec<Signed>) {
        let ids = opening.iter().map(|signed| signed.transaction.id()).collect();
        self.ask(Order::Found(opening, self.honest().collect()));
        self.state().answered = ids;
    }

    /// The chain as the validator of a verifier shows it.
    pub fn chain_of(&self, house: usize) -> LocalChain {
        self.nodes[self.validator_of(house)].chain.clone()
    }

    /// Verifiers ask honest validators: what another tells them is for proofs to show.
    fn validator_of(&self, house: usize) -> usize {
        let honest: Vec<usize> = self.honest().collect();
        honest[house % honest.len()]
    }

    fn honest(&self) -> impl Iterator<Item = usize> {
        let byzantine = self.byzantine;
        (0..VALIDATORS).filter(move |place| Some(*place) != byzantine)
    }

    /// To whom an account speaks: always to the same, whose pool knows what it said before, unless that one is away.
    fn near(&self, signed: &Signed) -> usize {
        let state = self.state();
        let is_away = |place: &usize| {
            state.active.iter().any(|(trouble, _)| match trouble {
                Trouble::Cut { node } | Trouble::Dies { node, .. } => node == place,
                _ => false,
            })
        };
        let first = usize::from(signed.transaction.account.0[0]);
        let mut in_turn = (first..first + VALIDATORS).map(|house| self.validator_of(house));
        in_turn
            .find(|place| !is_away(place))
            .unwrap_or_else(|| self.validator_of(first))
    }

    /// Gives a transaction to a verifier's validator, or to another's, and waits until it is final, is refused, or patience ends.
    pub fn tell(&self, house: Option<usize>, signed: &Signed) -> Result<(), ChainError> {
        let place = house.map_or_else(|| self.near(signed), |house| self.validator_of(house));
        let until = self.state().patience_ends;
        let order = Order::Tell {
            place,
            signed: Box::new(signed.clone()),
            until_ms: until.0,
        };
        let Answer::Told(told) = self.ask(order) else {
            unreachable!("it answers what it is asked");
        };
        if told.is_ok() {
            self.state().answered.insert(signed.transaction.id());
        }
        told
    }

    /// A step begins: what was to end ends, what was to begin begins, and time goes on up to now. What began.
    pub fn step(&self, step: u64, now: TimeMs, halts: bool) -> Vec<Trouble> {
        let begun = self.troubles.get(&step).cloned().unwrap_or_default();
        let (ends, wanted) = {
            let mut state = self.state();
            let before = state.active.len();
            state.active.retain(|(_, until)| *until > step);
            let ends = state.active.len() < before || state.halts != halts;
            state.halts = halts;
            state
                .active
                .extend(begun.iter().map(|(trouble, steps)| (*trouble, step + steps)));
            let mut wanted: Vec<Trouble> = state.active.iter().map(|(trouble, _)| *trouble).collect();
            if halts {
                wanted.extend((0..VALIDATORS).map(|node| Trouble::Cut { node }));
            }
            (ends, wanted)
        };
        if ends || !begun.is_empty() {
            self.note_shut_out();
            self.ask(Order::Trouble(wanted));
        }
        if step == self.calm_step
            && let Answer::Resumed(after_ms) = self.ask(Order::Resume(self.honest().collect()))
        {
            self.state().resumed_ms = Some(after_ms);
        }
        self.ask(Order::Until(now.0));
        self.state().patience_ends = now.plus_ms(PATIENCE_OF_STEP_MS);
        begun.into_iter().map(|(trouble, _)| trouble).collect()
    }

    fn note_shut_out(&self) {
        if let Answer::ShutOut(pairs) = self.ask(Order::ShutOut) {
            self.state().shut_out.extend(pairs);
        }
    }

    /// When the town is over: lets the honest come together, and looks at what they came to.
    pub fn end(&self) -> (Agreed, Vec<Broken>) {
        self.note_shut_out();
        // Last of all: to answer anything else a block may become final here and not yet there.
        self.ask(Order::Gather(self.honest().collect()));
        let broken = look::look(self);
        let state = self.state();
        let agreed = Agreed {
            blocks: self.onlooker.height(),
            resumed_ms: state.resumed_ms.unwrap_or_default(),
        };
        (agreed, broken)
    }

    /// The newest block that each knows, for the story.
    pub fn heights(&self) -> Vec<u64> {
        self.nodes.iter().map(|node| node.height()).collect()
    }

    fn ask(&self, order: Order) -> Answer {
        let (answer, answered) = channel();
        let sent = {
            let orders = self.orders.lock().expect("no holder of the lock panics");
            orders.as_ref().map(|orders| orders.send((order, answer)).is_ok())
        };
        match answered.recv() {
            Ok(answer) if sent == Some(true) => answer,
            // The run ended by a panic, which is the town's too.
            _ => match self.join() {
                Some(Err(cause)) => std::panic::resume_unwind(cause),
                _ => panic!("the validators' run ended"),
            },
        }
    }

    fn join(&self) -> Option<std::thread::Result<()>> {
        let run = self.run.lock().ok().and_then(|mut run| run.take());
        run.map(JoinHandle::join)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the lock panics")
    }
}

impl Drop for Consensus {
    fn drop(&mut self) {
        if let Ok(mut orders) = self.orders.lock() {
            // Without anybody who asks the run ends.
            orders.take();
        }
        let _ = self.join();
    }
}
