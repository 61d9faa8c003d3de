//! What the validators' run does with the town's orders, one after the other; between two of them the whole run stands still. Decides
//! nothing.

use super::node::Node;
use super::trouble::Trouble;
use super::{Asked, PATIENCE_MS, RESUMED_WITHIN_MS};
use cairn_engine::light::Anchor;
use cairn_engine::sim::{Drive, Sim, SimEnd, SimHost, SimNetwork};
use cairn_ledger::tx::Signed;
use cairn_ledger::{Ledger, check};
use cairn_node::LedgerMachine;
use cairn_node::mempool::{Origin, Why};
use cairn_verifier::chain::ChainError;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How often whoever waits looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Two turns of a leader that says nothing, and more.
const FOUNDED_WITHIN_MS: u64 = 480_000;

/// What the town wants.
pub enum Order {
    Begin,
    /// The opening, and those who must have all of it in the end.
    Found(Vec<Signed>, Vec<usize>),
    Tell {
        place: usize,
        signed: Box<Signed>,
        until_ms: u64,
    },
    /// Time goes on up to a moment.
    Until(u64),
    /// This and nothing else is wrong from now on.
    Trouble(Vec<Trouble>),
    /// Time goes on until each of these has a new block.
    Resume(Vec<usize>),
    /// Time goes on until these know the same blocks.
    Gather(Vec<usize>),
    /// Who has shut out whom?
    ShutOut,
}

/// What it gets.
pub enum Answer {
    Done,
    Begun(Box<Anchor>),
    Told(Result<(), ChainError>),
    Resumed(u64),
    ShutOut(Vec<(usize, usize)>),
}

/// What is to be done, and where the answer goes.
type Waiting = (Vec<Trouble>, Sender<Answer>);

/// Who is in the run.
#[derive(Clone)]
pub struct Crew {
    pub nodes: Vec<Arc<Node>>,
    pub ledger: Arc<Ledger>,
    /// Who runs twice, as whom, and who speaks with the first of both.
    pub twin: Option<(usize, Arc<Node>, Option<Vec<usize>>)>,
    pub asked: Arc<Mutex<Receiver<Asked>>>,
    /// What goes on being wrong after all lost power, and who waits for that.
    pub pending: Arc<Mutex<Option<Waiting>>>,
}

impl Crew {
    fn host(&self, node: &Arc<Node>) -> SimHost {
        SimHost {
            machine: Arc::new(LedgerMachine::new(self.ledger.clone())),
            source: node.clone(),
            observer: node.clone(),
            clock: None,
            records: None,
        }
    }
}

/// Runs until nobody asks any more, from one loss of power to the next.
pub fn run(sim: &Sim, crew: &Crew) {
    let mut end: Option<SimEnd> = None;
    loop {
        let hosts = crew.nodes.iter().map(|node| crew.host(node)).collect();
        let driven = crew.clone();
        let drive: Drive = Box::new(move |network| Box::pin(drive(network, driven)));
        let ended = match end.take() {
            None => sim.run(hosts, drive),
            Some(end) => sim.resume(end, hosts, drive),
        };
        if crew.pending.lock().expect("no holder of the lock panics").is_none() {
            return;
        }
        end = Some(ended);
    }
}

async fn drive(mut network: SimNetwork, crew: Crew) {
    if let Some((place, twin, near)) = &crew.twin {
        network.stop(*place).await;
        network.split(*place, crew.host(twin), near.as_deref());
        network.start(*place).await;
    }
    // Who is dead by the town's orders.
    let mut dead: Vec<usize> = Vec::new();
    crew.nodes.iter().for_each(|node| node.begin());
    let pending = crew.pending.lock().expect("no holder of the lock panics").take();
    if let Some((troubles, waits)) = pending {
        trouble(&mut network, &crew, &troubles, &mut dead).await;
        // Whoever asked has gone with the town.
        let _ = waits.send(Answer::Done);
    }
    loop {
        // Virtual time stands while the town acts.
        let asked = crew.asked.lock().expect("no holder of the lock panics").recv();
        let Ok((order, answers)) = asked else { return };
        let answer = match order {
            Order::Begin => Answer::Begun(Box::new(network.handles[0].anchor().clone())),
            Order::Found(opening, honest) => {
                found(&network, &crew, &opening, &honest).await;
                Answer::Done
            }
            Order::Tell {
                place,
                signed,
                until_ms,
            } => {
                let is_dead = dead.contains(&place);
                Answer::Told(tell(&network, &crew.nodes[place], is_dead, &signed, until_ms).await)
            }
            Order::Until(moment) => {
                network.sleep_until(moment).await;
                Answer::Done
            }
            Order::Trouble(troubles) => {
                let all = troubles.iter().find_map(|trouble| match trouble {
                    Trouble::AllDie { forget } => Some(*forget),
                    _ => None,
                });
                if let Some(forget) = all {
                    let left = troubles
                        .into_iter()
                        .filter(|trouble| !matches!(trouble, Trouble::AllDie { .. }));
                    let pending = (left.collect(), answers);
                    *crew.pending.lock().expect("no holder of the lock panics") = Some(pending);
                    crew.nodes.iter().for_each(|node| node.end(forget));
                    return;
                }
                trouble(&mut network, &crew, &troubles, &mut dead).await;
                Answer::Done
            }
            Order::Resume(honest) => Answer::Resumed(resume(&network, &crew.nodes, &honest).await),
            Order::Gather(honest) => {
                gather(&network, &crew.nodes, &honest).await;
                Answer::Done
            }
            Order::ShutOut => Answer::ShutOut(network.blocked().await),
        };
        let _ = answers.send(answer);
    }
}

/// Makes this and nothing else wrong.
async fn trouble(network: &mut SimNetwork, crew: &Crew, troubles: &[Trouble], dead: &mut Vec<usize>) {
    network.heal().await;
    let dies = |node: &usize| {
        let dies = |trouble: &Trouble| matches!(trouble, Trouble::Dies { node: of, .. } if of == node);
        troubles.iter().any(dies)
    };
    for node in std::mem::take(dead) {
        if dies(&node) {
            dead.push(node);
        } else {
            drop(network.start(node).await);
            crew.nodes[node].begin();
        }
    }
    for trouble in troubles {
        match trouble {
            Trouble::Weather { node, latency_ms, lost } => {
                network.worsen(*node, Duration::from_millis(*latency_ms), *lost).await;
            }
            Trouble::Doubled { node } => network.double(*node, true),
            Trouble::Skewed { node, ahead_ms } => network.skew(*node, *ahead_ms),
            Trouble::Cut { node } => network.cut(*node).await,
            Trouble::Halved { with } => network.part(&[0, *with]).await,
            Trouble::Dies { node, forgets } if !dead.contains(node) => {
                network.stop(*node).await;
                crew.nodes[*node].end(*forgets);
                dead.push(*node);
            }
            Trouble::Dies { .. } | Trouble::AllDie { .. } => {}
        }
    }
}

/// Gives the opening to all, in one order, and waits until it is final at all honest ones.
async fn found(network: &SimNetwork, crew: &Crew, opening: &[Signed], honest: &[usize]) {
    for signed in opening {
        for node in &crew.nodes {
            assert!(
                node.admit(signed, signed.bytes(), Origin::Elsewhere),
                "an empty pool takes the opening"
            );
        }
    }
    let is_done = |place: &usize| crew.nodes[*place].height() > 0 && crew.nodes[*place].pool().level().count == 0;
    let until = network.now_ms() + FOUNDED_WITHIN_MS;
    while !honest.iter().all(is_done) {
        assert!(
            network.now_ms() < until,
            "validators that nobody troubles found the town"
        );
        network.sleep(LOOK_AGAIN).await;
    }
}

/// Gives a transaction to a validator as its API does, and waits.
async fn tell(
    network: &SimNetwork,
    node: &Arc<Node>,
    is_dead: bool,
    signed: &Signed,
    until_ms: u64,
) -> Result<(), ChainError> {
    let away = |what: &str| Err(ChainError::Unreachable(what.to_owned()));
    if is_dead {
        return away("the validator is dead");
    }
    let bytes = signed.bytes();
    if let Some(Err(reject)) = check(&[&bytes]).pop() {
        return Err(refused(reject));
    }
    let pool = node.pool();
    let Some(mut waits) = pool.wait(signed.transaction.id()) else {
        return away("too many wait");
    };
    if !node.admit(signed, bytes, Origin::Here) {
        return away("the pool does not take it");
    }
    let until_ms = until_ms.min(network.now_ms() + PATIENCE_MS);
    loop {
        match waits.try_recv() {
            Ok(Why::Final { .. }) => return Ok(()),
            Ok(Why::Refused { code, .. }) => {
                let reject = u16::try_from(code)
                    .ok()
                    .and_then(|code| cairn_ledger::Reject::try_from(code).ok());
                return Err(reject.map_or_else(|| ChainError::Unreachable(format!("refused with {code}")), refused));
            }
            Ok(why) => return away(&format!("it left the pool: {why:?}")),
            Err(_) if network.now_ms() >= until_ms => return away("it is not final yet"),
            Err(_) => network.sleep(LOOK_AGAIN).await,
        }
    }
}

fn refused(reject: cairn_ledger::Reject) -> ChainError {
    ChainError::Refused {
        code: reject as u16,
        text: reject.to_string(),
    }
}

/// Waits until each of these has a block that nobody has now; how long that took.
async fn resume(network: &SimNetwork, nodes: &[Arc<Node>], honest: &[usize]) -> u64 {
    let begun = network.now_ms();
    let height = nodes.iter().map(|node| node.height()).max().unwrap_or_default();
    loop {
        let after = network.now_ms() - begun;
        if honest.iter().all(|place| nodes[*place].height() > height) || after > 2 * RESUMED_WITHIN_MS {
            return after;
        }
        network.sleep(LOOK_AGAIN).await;
    }
}

async fn gather(network: &SimNetwork, nodes: &[Arc<Node>], honest: &[usize]) {
    let until = network.now_ms() + RESUMED_WITHIN_MS;
    let height = |place: &usize| nodes[*place].height();
    while network.now_ms() < until {
        let heights = honest.iter().map(height);
        if heights.clone().min() == heights.max() {
            return;
        }
        network.sleep(LOOK_AGAIN).await;
    }
}
