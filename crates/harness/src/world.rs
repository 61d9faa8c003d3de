//! A network built from a seed and played step by step after a plan. Owns everybody and the one clock; every draw comes from the
//! seed, so that a run can be had again from two numbers. Judges nothing: what it leaves behind is looked at by the properties.

use crate::agents::{Process, known};
use crate::diary::Diary;
use crate::line::Line;
use crate::market::Market;
use crate::people::{self, CREDITS_BOUGHT, Role, device_key, network_id};
use crate::plan::{Chooses, Fault, Moment, Plan};
use crate::properties::{self, Broken};
use crate::records::{self, Device, Paid, Records};
use crate::verifier::{Shows, Verifier};
use crate::{CLOCK, START, STEP_MS, STEPS_PER_HOUR, time_of};
use cairn_agent::keys::Keys;
use cairn_agent::uplink::Delivery;
use cairn_gateway::Ledger;
use cairn_ledger::Body;
use cairn_ledger::tx::set_payout_choice::SetPayoutChoice;
use cairn_types::intake::{IntakeAnswer, split_sequence};
use cairn_types::{Credit, DeviceId, Envelope, EpochNumber, Report, TimeMs};
use cairn_verifier::chain::local::LocalChain;
use cairn_verifier::objects::Memory;
use cairn_verticals::kit::{Cast, Reading, Role as Plays};
use cairn_verticals::sensors::cast::{self, City};
use cairn_verticals::sensors::driver::senml;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

/// Honest devices are carried by so many agents, one after the other; cheats by one more.
pub const AGENTS: usize = 3;
/// Bytes of the verifier's disk.
const SPACE: u64 = 1 << 26;
/// Batches of an agent in one step at most.
const BATCHES_MAX: usize = 32;
/// After the last hour everybody gets so many steps to finish.
const AFTER_STEPS: u64 = 8 * STEPS_PER_HOUR;
/// The customer buys after every third paid hour.
const BUYS_EVERY: u64 = 3;

/// What is built.
#[derive(Clone, Copy)]
pub struct Shape {
    pub seed: u64,
    /// At least 12.
    pub honest: usize,
    pub cheats: bool,
    pub hours: u64,
    /// Whether it lasts long enough, and rains enough where it must, that no cheat can hope.
    pub is_telling: bool,
    /// How the verifier's log sees its disk.
    pub shows: Shows,
}

impl Shape {
    /// Few devices, every cheat, a disk that does what it says.
    pub fn of(seed: u64, hours: u64) -> Self {
        Self {
            seed,
            honest: 12,
            cheats: true,
            hours,
            is_telling: false,
            shows: |disk| Box::new(disk),
        }
    }
}

/// What ends at a step.
#[derive(Default)]
struct Troubles {
    lost: [u64; AGENTS],
    twice: [u64; AGENTS],
    late: [(u64, u64); AGENTS],
    unreached: [u64; AGENTS],
    agent_back: [u64; AGENTS],
    agent_disk: [u64; AGENTS],
    verifier_back: u64,
    verifier_disk: u64,
    verifier_hangs: u64,
    archive: u64,
    ledger: u64,
    /// A death that waits for its moment, and how long it lasts.
    death: Option<(Moment, u64)>,
}

/// A network.
pub struct World {
    shape: Shape,
    plan: Plan,
    random: ChaCha8Rng,
    step: u64,
    chain: LocalChain,
    city: City,
    verifier: Arc<Mutex<Verifier>>,
    agents: Vec<Process>,
    market: Market,
    troubles: Troubles,
    /// Choices that wait for a ledger that hears them.
    choosing: Vec<Chooses>,
    diary: Diary,
    hour: Option<(u64, Vec<Vec<Reading>>)>,
    /// Envelopes that cheats sealed, by when they come.
    cheats: BTreeMap<TimeMs, Vec<Vec<u8>>>,
    paid: Vec<Paid>,
    broken: Vec<Broken>,
}

/// Plays a plan to its end: what was left behind, and what did not hold.
pub fn play(shape: Shape, plan: Plan) -> (Records, Vec<Broken>) {
    let mut world = World::new(shape, plan);
    while world.step() {}
    world.end()
}

impl World {
    pub fn new(shape: Shape, plan: Plan) -> Self {
        // Some hours more than are played, for whoever's clock is ahead.
        let city = cast::city(shape.seed, shape.honest, shape.cheats, shape.hours + 3);
        let chain = people::settle_in(city.devices());
        let mut verifier = Verifier::new(Role::Verifier.submitter(), Line::to(&chain), SPACE, shape.shows);
        assert!(verifier.open(), "a verifier opens on an empty disk");
        let verifier = Arc::new(Mutex::new(verifier));
        Self {
            plan,
            random: ChaCha8Rng::seed_from_u64(shape.seed),
            step: 0,
            agents: agents(&city),
            cheats: cheats(&city, shape.hours),
            market: Market::new(&chain, &verifier),
            chain,
            city,
            verifier,
            troubles: Troubles::default(),
            choosing: Vec::new(),
            diary: Diary::default(),
            hour: None,
            paid: Vec::new(),
            broken: Vec::new(),
            shape,
        }
    }

    fn verifier(&self) -> MutexGuard<'_, Verifier> {
        self.verifier.lock().expect("no holder of the lock panics")
    }

    fn last_step(&self) -> u64 {
        self.shape.hours * STEPS_PER_HOUR
    }

    /// The archive, for whoever wants to doctor it.
    pub fn objects(&self) -> Memory {
        self.verifier().objects.clone()
    }

    /// Goes on by one step; `false` when all is over.
    pub fn step(&mut self) -> bool {
        self.step += 1;
        let is_after = self.step > self.last_step() + 4;
        if is_after {
            self.heal();
        }
        for fault in self.plan.at(self.step).to_vec() {
            self.begin(fault);
        }
        self.recover();
        let now = time_of(self.step);
        if self.step >= self.troubles.ledger {
            self.chain.advance(now);
        }
        self.choose();
        self.speak(now);
        for agent in 0..self.agents.len() {
            self.carry(agent, now);
        }
        self.advance(now);
        self.trade(now);
        !(is_after && self.is_done()) && self.step < self.last_step() + AFTER_STEPS
    }

    fn is_done(&self) -> bool {
        self.paid.len() as u64 >= self.shape.hours
            && self.agents.iter().all(|agent| agent.waiting() == 0)
            && !self.market.is_busy()
    }

    /// No more death waits for its moment.
    fn heal(&mut self) {
        self.troubles.death = None;
        let verifier = self.verifier();
        verifier.line.mend();
        if self.step >= self.troubles.archive {
            verifier.objects.stop_after(None);
        }
        drop(verifier);
        self.market.line.mend();
    }

    fn begin(&mut self, fault: Fault) {
        let until = |steps: u64| self.step + steps;
        let troubles = &mut self.troubles;
        match fault {
            Fault::AgentDies { agent, kept, steps } => {
                troubles.agent_back[agent] = self.step + steps;
                self.agents[agent].kill(kept);
                self.diary.kills += 1;
            }
            Fault::AgentDiskFills {
                agent,
                free_bytes,
                steps,
            } => {
                troubles.agent_disk[agent] = until(steps);
                self.agents[agent].outbox.limit(Some(free_bytes));
                self.agents[agent].journal.limit(Some(free_bytes));
            }
            Fault::AnswersLost { agent, steps } => troubles.lost[agent] = until(steps),
            Fault::HeardTwice { agent, steps } => troubles.twice[agent] = until(steps),
            Fault::AnswersLate { agent, late, steps } => troubles.late[agent] = (late, until(steps)),
            Fault::Unreached { agent, steps } => troubles.unreached[agent] = until(steps),
            Fault::VerifierDies { moment, steps } => troubles.death = Some((moment, steps)),
            Fault::VerifierRestarts => {
                self.diary.kills += 1;
                self.verifier().restart();
            }
            Fault::VerifierDiskFills { steps } => {
                troubles.verifier_disk = until(steps);
                self.verifier().disk.set_space(0);
            }
            Fault::VerifierDiskHangs { steps } => {
                troubles.verifier_hangs = until(steps);
                self.verifier().disk.fail_syncs(true);
            }
            Fault::ArchiveStops { steps } => {
                troubles.archive = until(steps);
                self.verifier().objects.stop_after(Some(0));
            }
            Fault::LedgerAway { steps } => {
                troubles.ledger = until(steps);
                self.verifier().line.set_away(true);
                self.market.line.set_away(true);
            }
            Fault::GatewayDies { after, end } => self.market.line.cut(after, end),
        }
    }

    /// Ends what is over by now, and opens whoever may live again.
    fn recover(&mut self) {
        let (step, troubles) = (self.step, &self.troubles);
        let mut verifier = self.verifier.lock().expect("no holder of the lock panics");
        if step >= troubles.verifier_disk {
            verifier.disk.set_space(SPACE);
        }
        if step >= troubles.verifier_hangs {
            verifier.disk.fail_syncs(false);
        }
        let stops = matches!(troubles.death, Some((Moment::Archiving(_), _)));
        if step >= troubles.archive && !stops {
            verifier.objects.stop_after(None);
        }
        if step >= troubles.ledger {
            verifier.line.set_away(false);
            self.market.line.set_away(false);
        }
        if step >= troubles.verifier_back {
            verifier.open();
        }
        drop(verifier);
        for (place, agent) in self.agents.iter_mut().enumerate() {
            let (disk, back) = if place < AGENTS {
                (troubles.agent_disk[place], troubles.agent_back[place])
            } else {
                (0, 0)
            };
            if step >= disk {
                agent.outbox.limit(None);
                agent.journal.limit(None);
            }
            if step >= back {
                agent.open();
            }
        }
    }

    /// Operators say how they want to be paid, as soon as the ledger hears them.
    fn choose(&mut self) {
        self.choosing.extend(self.plan.choices_at(self.step));
        if self.step < self.troubles.ledger {
            return;
        }
        for Chooses { operator, wants } in std::mem::take(&mut self.choosing) {
            let body = Body::SetPayoutChoice(SetPayoutChoice { wants });
            people::send(&self.chain, &people::operator(operator), body);
        }
    }

    /// Every honest device says what fell in the slot that ended; cheats hand over what they made up.
    fn speak(&mut self, now: TimeMs) {
        let slot = self.step - 1;
        if self.step <= self.last_step() {
            let hour = slot / STEPS_PER_HOUR;
            if self.hour.as_ref().is_none_or(|(known, _)| *known != hour) {
                let says = |device| self.city.readings(device, hour, START);
                self.hour = Some((hour, (0..self.shape.honest.max(12)).map(says).collect()));
            }
            let (_, hour) = self.hour.as_ref().expect("it was just made");
            for (device, readings) in hour.iter().enumerate() {
                let of_slot = readings.iter().find(|reading| reading.time == time_of(slot));
                let Some(reading) = of_slot else { continue };
                let name = &self.city.devices()[device].name;
                if !self.agents[device % AGENTS].hear(name, senml(&[*reading]).as_bytes(), now) {
                    self.diary.not_taken.insert(message_of(device, slot));
                }
            }
        }
        let later = self.cheats.split_off(&TimeMs(now.0 + 1));
        for envelope in std::mem::replace(&mut self.cheats, later).into_values().flatten() {
            let carrier = self.agents.last_mut().expect("there are agents");
            assert!(carrier.carry(envelope, now), "the agent of the cheats has no troubles");
        }
    }

    /// An agent seals what is due, sends, and hears what comes back.
    fn carry(&mut self, agent: usize, now: TimeMs) {
        if !self.agents[agent].is_alive() {
            return;
        }
        for (batch, delivery) in self.agents[agent].arrived(self.step) {
            let delivered = self.agents[agent].delivered(batch, delivery, now);
            self.diary.heard(&delivered);
        }
        if !self.agents[agent].keep(now) {
            let carried = (agent..self.shape.honest.max(12)).step_by(AGENTS);
            let slot = self.step - 1;
            self.diary
                .not_taken
                .extend(carried.map(|device| message_of(device, slot)));
        }
        for _ in 0..BATCHES_MAX {
            let Some(batch) = self.agents[agent].outgoing(now) else {
                return;
            };
            self.diary.sent(&batch.body);
            let delivery = self.way(agent, &batch.body, now);
            match self.troubles.late.get(agent) {
                Some((late, until)) if self.step < *until => {
                    self.agents[agent].later(self.step + late, batch, delivery);
                }
                _ => {
                    let delivered = self.agents[agent].delivered(batch, delivery, now);
                    self.diary.heard(&delivered);
                }
            }
        }
    }

    /// What becomes of a batch between an agent and the verifier.
    fn way(&mut self, agent: usize, body: &[u8], now: TimeMs) -> Delivery {
        let is_in = |ends: &[u64; AGENTS]| ends.get(agent).is_some_and(|until| self.step < *until);
        let unreachable = || Delivery::Unreachable("nobody is heard".to_owned());
        let troubles = &self.troubles;
        let (unreached, lost, twice) = (
            is_in(&troubles.unreached),
            is_in(&troubles.lost),
            is_in(&troubles.twice),
        );
        if unreached {
            return unreachable();
        }
        let envelopes = split_sequence(body, usize::MAX).expect("an agent sends sequences");
        if let Some((Moment::Writing, steps)) = self.troubles.death {
            let mut verifier = self.verifier();
            if verifier.is_alive() {
                verifier.disk.fail_syncs(true);
                verifier.take(now, &envelopes);
                verifier.disk.fail_syncs(self.step < self.troubles.verifier_hangs);
                drop(verifier);
                self.bury(steps);
                return unreachable();
            }
        }
        let mut answers = None;
        for _ in 0..=u32::from(twice) {
            let Some(given) = self.verifier().take(now, &envelopes) else {
                return unreachable();
            };
            self.diary.answered(now, body, &given);
            answers.get_or_insert(given);
        }
        match answers {
            Some(answers) if !lost => Delivery::Answers(IntakeAnswer::encode_sequence(&answers)),
            _ => unreachable(),
        }
    }

    /// The verifier dies now; with no steps it is back at once.
    fn bury(&mut self, steps: u64) {
        self.troubles.death = None;
        self.troubles.verifier_back = self.step + steps;
        let random = &mut self.random;
        let mut verifier = self.verifier.lock().expect("no holder of the lock panics");
        verifier.kill(|| random.next_u32().is_multiple_of(2));
        verifier.line.mend();
        if self.step >= self.troubles.archive {
            verifier.objects.stop_after(None);
        }
        if steps == 0 {
            verifier.open();
        }
        self.diary.kills += 1;
    }

    /// The verifier takes its epochs as far as they go, dies if it must, and goes on.
    fn advance(&mut self, now: TimeMs) {
        let death = self.troubles.death;
        match death {
            Some((Moment::Idle, steps)) => self.bury(steps),
            Some((Moment::Archiving(files), _)) if self.step >= self.troubles.archive => {
                self.verifier().objects.stop_after(Some(files));
            }
            Some((Moment::Submitting(after, end), _)) => self.verifier().line.cut(after, end),
            _ => {}
        }
        let failed = self.advance_once(now);
        let is_cut = self.verifier().line.is_dead();
        if let Some((Moment::Archiving(_) | Moment::Submitting(..), steps)) = self.troubles.death
            && (failed || is_cut)
        {
            self.bury(steps);
            self.advance_once(now);
        }
    }

    /// Whether some epoch failed.
    fn advance_once(&mut self, now: TimeMs) -> bool {
        let advanced = self.verifier().advance(now);
        self.look();
        advanced.is_some_and(|advanced| !advanced.failed.is_empty())
    }

    /// Looks at every epoch that is paid since.
    fn look(&mut self) {
        let before = self.paid.len();
        loop {
            let epoch = EpochNumber(self.paid.len() as u64);
            let settlement = Ledger::settlement(&self.chain, &network_id(), epoch).expect("a chain in memory answers");
            if epoch.0 >= self.shape.hours || settlement.is_none_or(|settlement| settlement.cursor < settlement.leaves)
            {
                break;
            }
            let objects = self.verifier().objects.clone();
            match records::paid(&self.chain, &objects, epoch) {
                Ok(paid) => self.paid.push(paid),
                Err(what) => {
                    self.broken.push(Broken {
                        property: "every paid epoch can be read",
                        what,
                    });
                    break;
                }
            }
        }
        if self.paid.len() > before {
            let records = self.records(self.paid.clone(), Vec::new(), false);
            self.remember(properties::check(&records));
        }
    }

    /// The customer buys now and then what is paid by now.
    fn trade(&mut self, now: TimeMs) {
        if self.step < self.troubles.ledger {
            return;
        }
        let paid = self.paid.len() as u64;
        let is_due = paid >= BUYS_EVERY * (self.market.bought.len() as u64 + 1) && self.step <= self.last_step();
        let until = is_due.then(|| START.plus_ms(paid * STEPS_PER_HOUR * STEP_MS));
        self.market.step(now, until);
    }

    fn records(&self, epochs: Vec<Paid>, later: Vec<Paid>, is_over: bool) -> Records {
        let device = |(place, device): (usize, &cairn_verticals::kit::CastDevice)| Device {
            name: device.name.clone(),
            id: device_key(place).public().device_id(),
            role: device.role,
        };
        let genesis = people::genesis();
        let violations = self
            .chain
            .read(|store| cairn_ledger::invariants::check(store, &genesis));
        let operators: BTreeSet<u32> = self.city.devices().iter().map(|device| device.operator.0).collect();
        let holds = |operator: u32| {
            let account = Ledger::account(&self.chain, &people::operator(operator).account);
            let account = account.expect("a chain in memory answers").expect("it was opened");
            (account.number, (account.token, account.stable))
        };
        let bought = self.market.look();
        let customer = Ledger::account(&self.chain, &Role::Customer.account()).expect("a chain in memory answers");
        let held = bought
            .iter()
            .filter_map(|one| one.stands.as_ref())
            .map(|order| order.held);
        let credits = customer.into_iter().map(|account| account.credits).chain(held);
        let totals = credits.map(|credits| credits.total().map_or(u64::MAX, |total| total.0));
        let has = Credit(totals.fold(0, u64::saturating_add));
        Records {
            devices: self.city.devices().iter().enumerate().map(device).collect(),
            epochs,
            later,
            hours: self.shape.hours,
            events: self.chain.events(),
            diary: self.diary.clone(),
            holds: operators.into_iter().map(holds).collect(),
            bought,
            credits: (Credit(CREDITS_BOUGHT.0), has),
            violations: violations.into_iter().map(|violation| violation.to_string()).collect(),
            is_over,
            is_telling: self.shape.is_telling,
        }
    }

    /// Looks at everything once more, from what is in ledger and archive now.
    pub fn end(mut self) -> (Records, Vec<Broken>) {
        let objects = self.verifier().objects.clone();
        let again = (0..self.paid.len() as u64).map(EpochNumber);
        let paid: Vec<Paid> = again
            .filter_map(|epoch| records::paid(&self.chain, &objects, epoch).ok())
            .collect();
        let later = (self.shape.hours..).map(EpochNumber).map_while(|epoch| {
            let settlement = Ledger::settlement(&self.chain, &network_id(), epoch).expect("a chain in memory answers");
            settlement.filter(|settlement| settlement.cursor >= settlement.leaves)?;
            records::paid(&self.chain, &objects, epoch).ok()
        });
        let records = self.records(paid, later.collect(), true);
        self.remember(properties::check(&records));
        (records, self.broken)
    }

    fn remember(&mut self, found: Vec<Broken>) {
        let new = found.into_iter().filter(|broken| !self.broken.contains(broken));
        let new: Vec<Broken> = new.collect();
        self.broken.extend(new);
    }
}

/// Agents with the keys of all devices: honest ones shared out, cheats in the last.
fn agents(city: &City) -> Vec<Process> {
    let folder = tempfile::tempdir().expect("a folder for the keys, which an agent reads from a file");
    let mut keys = Keys::open(&folder.path().join("keys")).expect("there are none yet");
    let all = city.devices().iter().enumerate();
    let named = all.map(|(place, device)| (device.name.as_str(), device_key(place)));
    keys.insert(named).expect("names of a cast are names of devices");
    let keys = Arc::new(keys);
    let mut names: Vec<Vec<String>> = vec![Vec::new(); AGENTS + 1];
    for (place, device) in city.devices().iter().enumerate() {
        let agent = if device.role == Plays::Honest {
            place % AGENTS
        } else {
            AGENTS
        };
        names[agent].push(device.name.clone());
    }
    let some = names.into_iter().filter(|names| !names.is_empty());
    some.zip(0..)
        .map(|(names, number)| Process::new(number, names, &keys, vec![known(&Role::Verifier.submitter())]))
        .collect()
}

/// Names the message of a device about a slot.
fn message_of(device: usize, slot: u64) -> (DeviceId, EpochNumber) {
    (
        device_key(device).public().device_id(),
        EpochNumber(slot / STEPS_PER_HOUR),
    )
}

/// What cheats send, sealed, by when it comes.
pub(crate) fn cheats(city: &City, hours: u64) -> BTreeMap<TimeMs, Vec<Vec<u8>>> {
    let mut sealed: BTreeMap<TimeMs, Vec<Vec<u8>>> = BTreeMap::new();
    let last = time_of(hours * STEPS_PER_HOUR + 4);
    for sent in (0..hours + 2).flat_map(|epoch| city.reports(EpochNumber(epoch), &CLOCK)) {
        if city.devices()[sent.device].role == Plays::Honest || sent.received > last {
            continue;
        }
        let report = Report {
            network: network_id(),
            time: sent.pack.time,
            sequence: sent.sequence,
            body: sent.pack.body,
        };
        let envelope = Envelope::seal(&report, &device_key(sent.device));
        sealed.entry(sent.received).or_default().push(envelope);
    }
    sealed
}
