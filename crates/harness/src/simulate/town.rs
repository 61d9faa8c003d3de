//! A town in one process, played step by step from a seed: verifiers on disks that tear, agents with their outboxes, devices honest
//! and not, one ledger, and whatever the plan lets go wrong. Owns everybody and the one clock; judges nothing.

use super::asking::Asking;
use super::board::{Board, Gather, Voices};
use super::consensus::{Agreed, Consensus};
use super::court::{Case, Court};
use super::customers::Customers;
use super::dice::Dice;
use super::faults::{self, Fault, Faults};
use super::ground::Ground;
use super::lies::{self, Lie, Lies, Shows};
use super::notes::{self, Notes};
use super::plants::{self, Plant};
use super::scene::{self, AGENTS, Part, Scene, network};
use super::speakers::{self, Speakers};
use super::watch::Watch;
use crate::agents::Process;
use crate::line::{Line, Tell};
use crate::plan::Moment;
use crate::verifier::Verifier;
use crate::{CLOCK, STEPS_PER_HOUR, WINDOWS, time_of};
use cairn_agent::uplink::Delivery;
use cairn_ledger::tx::Signed;
use cairn_ledger::{Body, Reject};
use cairn_types::intake::IntakeAnswer;
use cairn_types::{EpochNumber, PayoutLeaf, TimeMs};
use cairn_verifier::archive::EpochArchive;
use cairn_verifier::chain::{ChainError, ChainView};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Bytes of a verifier's disk.
const SPACE: u64 = 1 << 26;
/// Batches of an agent in one step at most.
const BATCHES_MAX: usize = 32;
/// After the last hour everybody gets so many hours to finish.
const AFTER_HOURS: u64 = 12;
/// As many more where a verifier stalls.
const STALLED_HOURS: u64 = 8;

/// A verifier and what is wrong with it.
struct House {
    verifier: Verifier,
    part: Part,
    skew_ms: i64,
    /// It is not begun again before this step.
    back: u64,
    /// A death that waits for its moment, and for how many steps.
    death: Option<(Moment, u64)>,
}

/// What the liar has ready: inflated results that it tries to settle.
type Lied = BTreeMap<EpochNumber, (cairn_types::EpochResult, Vec<PayoutLeaf>)>;

/// A town.
pub struct Town {
    scene: Scene,
    faults: Faults,
    active: Vec<(Fault, u64)>,
    dice: Dice,
    step: u64,
    ground: Ground,
    board: Board,
    houses: Vec<House>,
    agents: Vec<Process>,
    asking: Asking,
    speakers: Speakers,
    lies: Lies,
    lied: Lied,
    court: Court,
    customers: Customers,
    puppets_anchored: BTreeSet<EpochNumber>,
    notes: Notes,
    pub watch: Watch,
    /// How often each kind of fault was injected.
    pub injected: BTreeMap<&'static str, u64>,
    /// What validators came to, once all is over.
    pub agreed: Option<Agreed>,
    story: Option<Vec<String>>,
    told: usize,
}

impl Town {
    pub fn of(scene: Scene, plant: Option<Plant>, tells: bool) -> Self {
        let speakers = Speakers::of(&scene);
        let ground = match scene.agrees && plant.is_none() {
            true => Ground::agreed(&scene),
            false => Ground::start(scene.genesis(), plant),
        };
        ground.found(scene::opening(&speakers.devices));
        let (board, lies) = (Board::default(), Lies::drawn(&scene));
        let mut town = Self {
            faults: faults::drawn(&scene),
            active: Vec::new(),
            dice: Dice::of(scene.seed, "town"),
            step: 0,
            houses: Vec::new(),
            agents: speakers::agents(&scene, &speakers),
            asking: Asking::of(&scene, AGENTS + 1),
            speakers,
            lies,
            lied: Lied::new(),
            court: Court::of(&scene, plant),
            customers: Customers::of(&scene),
            puppets_anchored: BTreeSet::new(),
            notes: Notes::default(),
            watch: Watch::default(),
            injected: BTreeMap::new(),
            agreed: None,
            story: tells.then(Vec::new),
            told: 0,
            ground,
            board,
            scene,
        };
        let parties: Vec<_> = town.scene.houses().cloned().collect();
        for (place, party) in parties.into_iter().enumerate() {
            let objects = cairn_verifier::objects::Memory::default();
            let tell = town.way_to_the_ledger(place);
            let line = Line::through(&town.ground.chain_of(place), tell);
            let mut verifier = Verifier::new(party.who.clone(), line, SPACE, plants::disk(plant));
            town.board.house(place, &party, &objects);
            verifier.objects = objects;
            verifier.peers = Arc::new(Voices {
                place,
                board: town.board.clone(),
                lies: town.lies.clone(),
            });
            verifier.others = town.scene.houses().map(|other| other.who.account).collect();
            assert!(verifier.open(), "a verifier opens on an empty disk");
            town.houses.push(House {
                verifier,
                part: party.part,
                skew_ms: 0,
                back: 0,
                death: None,
            });
        }
        town.tell_scene();
        town
    }

    /// How a verifier's transactions reach the ledger: a liar that says something else settles nothing.
    fn way_to_the_ledger(&self, place: usize) -> Tell {
        let (ground, lies) = (self.ground.clone(), self.lies.clone());
        let house = self.scene.houses().nth(place);
        let part = house.expect("it is one of those that collect").part;
        Arc::new(move |_, signed: &Signed| {
            if let (Part::Liar, Body::SettleEpoch(settle)) = (part, &signed.transaction.body)
                && (lies.in_epoch(settle.attestation.result.epoch) == Lie::Inflates
                    || lies.is_mute(settle.attestation.result.epoch))
            {
                return Err(ChainError::Unreachable("it says something else".to_owned()));
            }
            if let (Part::Liar, Body::VoteDispute(vote)) = (part, &signed.transaction.body)
                && lies.is_mute(vote.result.epoch)
            {
                // As if it had signed already.
                return Err(ChainError::Refused {
                    code: Reject::VoteGiven.code(),
                    text: String::new(),
                });
            }
            ground.tell_of(Some(place), signed)
        })
    }

    /// Goes on by one step; `false` when all is over.
    pub fn step(&mut self) -> bool {
        self.step += 1;
        let now = time_of(self.step);
        self.end_faults();
        for lasting in self.faults.get(&self.step).cloned().unwrap_or_default() {
            self.begin(lasting.fault, lasting.steps);
        }
        self.ground.halt(self.is(|fault| *fault == Fault::LedgerHalts));
        for trouble in self.ground.advance(self.step, now) {
            *self.injected.entry(trouble.kind()).or_default() += 1;
            self.say(|| format!("validators: {trouble:?}"));
        }
        if let Some(heights) = self.ground.validators().map(Consensus::heights) {
            self.say(|| format!("validators know blocks up to {heights:?}"));
        }
        self.revive();
        self.speak(now);
        for agent in self.dice.order(self.agents.len()) {
            self.carry(agent, now);
        }
        for house in self.dice.order(self.houses.len()) {
            self.advance(house, now);
            if self.houses[house].part == Part::Liar {
                self.lie();
            }
        }
        self.ask(now);
        self.show();
        let story = self.customers.act(self.step, now, &self.ground);
        story.into_iter().for_each(|what| self.say(|| what));
        self.watch.look(now, &self.ground, &self.board);
        self.watch.broken.extend(self.customers.look(&self.ground));
        self.sit();
        self.tell_events();
        let is_over = self.step > self.scene.last_step() && self.is_done(now);
        let after_hours = AFTER_HOURS + if self.scene.stalls { STALLED_HOURS } else { 0 };
        !is_over && self.watch.broken.is_empty() && self.step < self.scene.last_step() + after_hours * STEPS_PER_HOUR
    }

    /// Looks at everything once more, unless something is broken already: what is broken breaks other things.
    pub fn end(&mut self) {
        let tricks = self.customers.tricks;
        self.injected.insert("purchase or voucher that must not count", tricks);
        if !self.watch.broken.is_empty() {
            return;
        }
        // What the court did last.
        self.watch.look(time_of(self.step), &self.ground, &self.board);
        self.watch
            .end(&self.scene, &self.speakers, &self.notes, &self.ground, &self.board);
        self.watch.broken.extend(self.customers.end(&self.ground));
        if let Some((agreed, broken)) = self.ground.end() {
            self.agreed = Some(agreed);
            self.watch.broken.extend(broken);
        }
    }

    pub fn steps(&self) -> u64 {
        self.step
    }

    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    pub fn scene(&self) -> &Scene {
        &self.scene
    }

    pub fn devices(&self) -> usize {
        self.speakers.devices.len()
    }

    pub fn story(&mut self) -> Vec<String> {
        self.story.take().unwrap_or_default()
    }

    fn is_done(&self, now: TimeMs) -> bool {
        let paid = (0..self.scene.hours).all(|epoch| self.watch.completed.contains_key(&EpochNumber(epoch)));
        let idle = self.agents.iter().all(|agent| agent.waiting() == 0);
        paid && (idle || now > CLOCK.end(EpochNumber(self.scene.hours)))
    }

    fn is(&self, which: impl Fn(&Fault) -> bool) -> bool {
        self.active.iter().any(|(fault, _)| which(fault))
    }

    fn begin(&mut self, fault: Fault, steps: u64) {
        *self.injected.entry(fault.kind()).or_default() += 1;
        self.say(|| format!("{fault:?} for {steps} steps"));
        match fault {
            Fault::AgentDies { agent, kept } => self.agents[agent].kill(kept),
            Fault::AgentDiskFills { agent, free_bytes } => {
                self.agents[agent].outbox.limit(Some(free_bytes));
                self.agents[agent].journal.limit(Some(free_bytes));
            }
            Fault::HouseDies { house, moment } => {
                self.forget_death(house);
                self.houses[house].death = Some((moment, steps - 1));
                return;
            }
            Fault::HouseRestarts { house } => {
                self.houses[house].verifier.restart();
                return;
            }
            Fault::DiskFills { house } => self.houses[house].verifier.disk.set_space(0),
            Fault::DiskHangs { house } => self.houses[house].verifier.disk.fail_syncs(true),
            Fault::ArchiveStops { house } => self.houses[house].verifier.objects.stop_after(Some(0)),
            Fault::LineAway { house } => self.houses[house].verifier.line.set_away(true),
            Fault::LineLate { house } => self.houses[house].verifier.line.set_late(true),
            Fault::LineTwice { house } => self.houses[house].verifier.line.set_twice(true),
            Fault::Parted { side } => self.board.part(side),
            Fault::HouseSkew { house, ahead_ms } => self.houses[house].skew_ms = ahead_ms,
            Fault::AnswersLost { .. }
            | Fault::HeardTwice { .. }
            | Fault::AnswersLate { .. }
            | Fault::Unreached { .. }
            | Fault::LedgerHalts
            | Fault::AgentSkew { .. } => {}
        }
        self.active.push((fault, self.step + steps));
    }

    /// Ends what is over. Of two faults of one kind the one that ends first ends both.
    fn end_faults(&mut self) {
        let step = self.step;
        let (over, active) = std::mem::take(&mut self.active)
            .into_iter()
            .partition(|(_, until)| *until <= step);
        self.active = active;
        let over: Vec<(Fault, u64)> = over;
        for (fault, _) in over {
            match fault {
                Fault::AgentDiskFills { agent, .. } => {
                    self.agents[agent].outbox.limit(None);
                    self.agents[agent].journal.limit(None);
                }
                Fault::DiskFills { house } => self.houses[house].verifier.disk.set_space(SPACE),
                Fault::DiskHangs { house } => self.houses[house].verifier.disk.fail_syncs(false),
                Fault::ArchiveStops { house } => self.houses[house].verifier.objects.stop_after(None),
                Fault::LineAway { house } => self.houses[house].verifier.line.set_away(false),
                Fault::LineTwice { house } => self.houses[house].verifier.line.set_twice(false),
                Fault::LineLate { house } => {
                    let line = self.houses[house].verifier.line.clone();
                    line.set_late(false);
                    line.arrive(|count| self.dice.place(count));
                }
                Fault::Parted { .. } => self.board.part(0),
                Fault::HouseSkew { house, .. } => self.houses[house].skew_ms = 0,
                _ => {}
            }
        }
    }

    /// Opens whoever may live again.
    fn revive(&mut self) {
        let step = self.step;
        for house in self.houses.iter_mut().filter(|house| step >= house.back) {
            house.verifier.open();
        }
        for agent in 0..self.agents.len() {
            let is_dead = self.is(|fault| matches!(fault, Fault::AgentDies { agent: of, .. } if *of == agent));
            if !is_dead {
                self.agents[agent].open();
            }
        }
        // A death that found no moment while it should have lasted is none.
        let calm = self.scene.calm_from * STEPS_PER_HOUR;
        if step >= calm {
            (0..self.houses.len()).for_each(|house| self.forget_death(house));
        }
    }

    /// A death that waited for its moment does not come, and what should have led to it is undone.
    fn forget_death(&mut self, house: usize) {
        let stopped = self.is(|fault| *fault == Fault::ArchiveStops { house });
        let one = &mut self.houses[house];
        one.death = None;
        one.verifier.line.mend();
        if !stopped {
            one.verifier.objects.stop_after(None);
        }
    }

    fn clock_of(&self, house: usize, now: TimeMs) -> TimeMs {
        skewed(now, self.houses[house].skew_ms)
    }

    fn clock_of_agent(&self, agent: usize, now: TimeMs) -> TimeMs {
        let skew = self.active.iter().find_map(|(fault, _)| match fault {
            Fault::AgentSkew { agent: of, ahead_ms } if *of == agent => Some(*ahead_ms),
            _ => None,
        });
        skewed(now, skew.unwrap_or_default())
    }

    /// Every honest device says what it measured in the slot that ended; cheats hand over what they made up.
    fn speak(&mut self, now: TimeMs) {
        let slot = self.step - 1;
        if self.step <= self.scene.last_step() {
            for (device, reading) in self.speakers.readings(slot) {
                let agent = device % AGENTS;
                let at = self.clock_of_agent(agent, now);
                let name = self.speakers.devices[device].name.clone();
                let message = cairn_verticals::sensors::driver::senml(&[reading]);
                if !self.agents[agent].hear(&name, message.as_bytes(), at) {
                    self.not_taken(device);
                }
            }
        }
        for envelope in self.speakers.cheats(now) {
            assert!(
                self.agents[AGENTS].carry(envelope, now),
                "the agent of the cheats has no troubles"
            );
        }
        if self.step % STEPS_PER_HOUR == 1 && self.step > 1 && self.step <= self.scene.last_step() + 1 {
            let faces = self.speakers.two_faces(self.step / STEPS_PER_HOUR - 1);
            *self.injected.entry("device signs twice").or_default() += 1;
            for (house, face) in faces.iter().enumerate() {
                self.deliver(house, &[face.as_slice()], now);
            }
        }
    }

    fn not_taken(&mut self, device: usize) {
        let epoch = EpochNumber((self.step - 1) / STEPS_PER_HOUR);
        self.notes.not_taken.insert((self.speakers.device(device), epoch));
    }

    /// An agent seals what is due, sends, and hears what comes back.
    fn carry(&mut self, agent: usize, now: TimeMs) {
        if !self.agents[agent].is_alive() {
            return;
        }
        let now = self.clock_of_agent(agent, now);
        for (batch, delivery) in self.agents[agent].arrived(self.step) {
            self.agents[agent].delivered(batch, delivery, now);
        }
        if !self.agents[agent].keep(now) {
            (agent..self.speakers.honest())
                .step_by(AGENTS)
                .for_each(|device| self.not_taken(device));
        }
        for _ in 0..BATCHES_MAX {
            let Some(batch) = self.agents[agent].outgoing(now) else {
                return;
            };
            let house = self.asking.house(&self.agents[agent].to(&batch));
            let delivery = self.way(agent, house, &batch.body, now);
            let late = self.active.iter().find_map(|(fault, _)| match fault {
                Fault::AnswersLate {
                    agent: a,
                    house: h,
                    late,
                } if (*a, *h) == (agent, house) => Some(*late),
                _ => None,
            });
            match late {
                Some(late) => self.agents[agent].later(self.step + late, batch, delivery),
                None => drop(self.agents[agent].delivered(batch, delivery, now)),
            }
        }
    }

    /// What becomes of a batch between an agent and a verifier.
    fn way(&mut self, agent: usize, house: usize, body: &[u8], now: TimeMs) -> Delivery {
        let unreachable = || Delivery::Unreachable("nobody is heard".to_owned());
        let is = |which: fn(&Fault) -> Option<(usize, usize)>| {
            self.active
                .iter()
                .any(|(fault, _)| which(fault) == Some((agent, house)))
        };
        let unreached = is(|fault| match fault {
            Fault::Unreached { agent, house } => Some((*agent, *house)),
            _ => None,
        });
        let lost = is(|fault| match fault {
            Fault::AnswersLost { agent, house } => Some((*agent, *house)),
            _ => None,
        });
        let twice = is(|fault| match fault {
            Fault::HeardTwice { agent, house } => Some((*agent, *house)),
            _ => None,
        });
        let parted = self.is(|fault| {
            // Agents stand on the side of the verifier they begin with.
            matches!(fault, Fault::Parted { side } if side >> (agent % self.houses.len()) & 1 != side >> house & 1)
        });
        if unreached || parted {
            return unreachable();
        }
        let envelopes = notes::envelopes(body);
        let mut answers = None;
        for _ in 0..=u32::from(twice) {
            let Some(given) = self.deliver(house, &envelopes, now) else {
                return unreachable();
            };
            answers.get_or_insert(given);
        }
        match answers {
            Some(answers) if !lost => Delivery::Answers(IntakeAnswer::encode_sequence(&answers)),
            _ => unreachable(),
        }
    }

    /// A verifier hears envelopes; it may die over them.
    fn deliver(&mut self, house: usize, envelopes: &[&[u8]], now: TimeMs) -> Option<Vec<IntakeAnswer>> {
        let now = self.clock_of(house, now);
        if let Some((Moment::Writing, steps)) = self.houses[house].death
            && self.houses[house].verifier.is_alive()
        {
            let hangs = self.is(|fault| *fault == Fault::DiskHangs { house });
            let verifier = &mut self.houses[house].verifier;
            verifier.disk.fail_syncs(true);
            let given = verifier.take(now, envelopes);
            verifier.disk.fail_syncs(hangs);
            // With a disk that syncs nothing, a receipt would be a lie.
            if let Some(given) = &given {
                self.notes.answered(now, house, envelopes, given);
            }
            self.bury(house, steps);
            return None;
        }
        let given = self.houses[house].verifier.take(now, envelopes)?;
        self.notes.answered(now, house, envelopes, &given);
        Some(given)
    }

    /// A verifier dies now; with no steps it is back at once.
    fn bury(&mut self, house: usize, steps: u64) {
        self.say(|| format!("verifier {house} dies"));
        self.forget_death(house);
        let (dice, step) = (&mut self.dice, self.step);
        let one = &mut self.houses[house];
        one.back = step + steps;
        one.verifier.kill(|| dice.one_in(2));
        if steps == 0 {
            one.verifier.open();
        }
    }

    /// A verifier takes its epochs as far as they go, dies if it must, and goes on.
    fn advance(&mut self, house: usize, now: TimeMs) {
        let stopped = self.is(|fault| *fault == Fault::ArchiveStops { house });
        match self.houses[house].death {
            Some((Moment::Idle, steps)) => self.bury(house, steps),
            Some((Moment::Archiving(files), _)) if !stopped => {
                self.houses[house].verifier.objects.stop_after(Some(files));
            }
            Some((Moment::Submitting(after, end), _)) => self.houses[house].verifier.line.cut(after, end),
            _ => {}
        }
        let failed = self.advance_once(house, now);
        let is_cut = self.houses[house].verifier.line.is_dead();
        if let Some((Moment::Archiving(_) | Moment::Submitting(..), steps)) = self.houses[house].death
            && (failed || is_cut)
        {
            self.bury(house, steps);
            self.advance_once(house, now);
        }
    }

    /// Whether some epoch failed.
    fn advance_once(&mut self, house: usize, now: TimeMs) -> bool {
        let now = self.clock_of(house, now);
        let account = self.scene.houses().nth(house).expect("it is one of them").who.account;
        let (lies, is_liar) = (&self.lies, self.houses[house].part == Part::Liar);
        let doctored = |epoch| {
            let lie = if is_liar { lies.in_epoch(epoch) } else { Lie::Truth };
            lie.doctored()
        };
        let line = self.houses[house].verifier.line.clone();
        let Some((collector, epochs)) = self.houses[house].verifier.parts() else {
            return false;
        };
        let mut gather = Gather {
            account,
            collector,
            board: &self.board,
            line: &line,
            doctored: &doctored,
        };
        let advanced = epochs.advance(now, &mut gather);
        let failed: Vec<String> = advanced
            .failed
            .iter()
            .map(|(_, epoch, error)| format!("verifier {house}, epoch {epoch}: {error}"))
            .collect();
        for (_, epoch) in &advanced.paid {
            self.say(|| format!("verifier {house}: epoch {epoch} is paid"));
        }
        let has_failed = !failed.is_empty();
        failed.into_iter().for_each(|what| self.say(|| what));
        has_failed
    }

    /// The liar tries what it can: to settle its own result with all its names, and to pay it out; its puppets anchor.
    fn lie(&mut self) {
        self.inflate();
        let lied: Vec<_> = self.lied.iter().map(|(epoch, lie)| (*epoch, lie.clone())).collect();
        let Some(liar) = self.scene.liar().cloned() else { return };
        for (epoch, (result, leaves)) in lied {
            let settlement = ChainView::settlement(&self.ground.chain, &network(), epoch);
            let body = match settlement {
                Ok(None) => Some(Body::SettleEpoch(lies::settlement(&self.scene, &result))),
                Ok(Some(settlement)) if settlement.result == result.hash() => lies::payment(epoch, &leaves),
                _ => None,
            };
            let signed = body.and_then(|body| lies::transaction(&self.ground.chain, &liar.who, body));
            if let Some(signed) = signed {
                let told = self.ground.tell(&signed);
                self.say(|| format!("the liar settles or pays epoch {epoch}: {told:?}"));
            }
        }
        self.anchor_puppets();
    }

    /// What the liar withheld it shows when it pleases.
    fn show(&mut self) {
        let Some(epoch) = self.scene.liar().and_then(|_| self.lies.withheld()) else {
            return;
        };
        let to = match self.lies.shows {
            Shows::At { step, to } if self.step >= step => to,
            _ => return,
        };
        if !self.board.is_shown() {
            self.say(|| format!("the liar shows its file of epoch {epoch}: {to:?}"));
            self.board.show(to);
        }
    }

    /// Of what the liar attested it has another version ready.
    fn inflate(&mut self) {
        let liars = self.houses.iter().filter(|house| house.part == Part::Liar);
        let mut made = Vec::new();
        for objects in liars.map(|house| &house.verifier.objects) {
            for epoch in (0..self.scene.hours).map(EpochNumber) {
                let lie = self.lies.in_epoch(epoch);
                if !matches!(lie, Lie::Inflates | Lie::Equivocates) || self.lied.contains_key(&epoch) {
                    continue;
                }
                let manifest = EpochArchive::of(objects, &network(), epoch).manifest();
                let result = manifest.ok().flatten().map(|manifest| manifest.attestation.result);
                made.extend(result.and_then(|result| Some((epoch, lies::inflated(&result, objects)?))));
            }
        }
        self.lied.extend(made);
    }

    fn anchor_puppets(&mut self) {
        let puppets: Vec<_> = self
            .scene
            .parties
            .iter()
            .filter(|party| party.part == Part::Puppet)
            .cloned()
            .collect();
        for epoch in (0..self.scene.hours).map(EpochNumber) {
            let closed = self.ground.chain.closed(&network(), epoch);
            let is_closed = closed.is_ok_and(|closed| closed.is_some());
            if !self.lies.puppets_anchor || !is_closed || self.puppets_anchored.contains(&epoch) {
                continue;
            }
            let mut is_away = false;
            for puppet in &puppets {
                if let Some(signed) = lies::transaction(&self.ground.chain, &puppet.who, lies::empty_anchor(epoch)) {
                    let told = self.ground.tell(&signed);
                    is_away |= matches!(told, Err(ChainError::Unreachable(_)));
                    self.say(|| format!("a puppet anchors nothing of epoch {epoch}: {told:?}"));
                }
            }
            if !is_away {
                self.puppets_anchored.insert(epoch);
            }
        }
    }

    /// Whoever watches holds the others to their word, and validators vote.
    fn sit(&mut self) {
        let lied: Vec<_> = self
            .lied
            .iter()
            .map(|(epoch, (result, _))| (*epoch, result.clone()))
            .collect();
        let hour = self.step.saturating_sub(1) / STEPS_PER_HOUR;
        let alive: Vec<bool> = self.houses.iter().map(|house| house.verifier.is_alive()).collect();
        let case = Case {
            scene: &self.scene,
            ground: &self.ground,
            board: &self.board,
            notes: &self.notes,
            watch: &self.watch,
            lied: &lied,
            faces: (hour > 0).then(|| self.speakers.two_faces(0)),
            alive: &alive,
        };
        let story = self.court.sit(&case);
        story.into_iter().for_each(|what| self.say(|| what));
    }

    /// Agents ask the ledger who has a bond, each the node of the verifier near it.
    fn ask(&mut self, now: TimeMs) {
        for agent in 0..self.agents.len() {
            let house = self.asking.near(agent);
            let is_away = self.is(|fault| *fault == Fault::LineAway { house });
            let now = self.clock_of_agent(agent, now);
            let asks = (agent, &mut self.agents[agent]);
            if let Some(what) = self.asking.ask(asks, self.step, now, &self.ground, is_away) {
                self.say(|| what);
            }
        }
    }

    fn say(&mut self, what: impl FnOnce() -> String) {
        let (step, now) = (self.step, time_of(self.step));
        if let Some(story) = &mut self.story {
            story.push(format!("{step:>4}  {now}  {}", what()));
        }
    }

    fn tell_scene(&mut self) {
        let scene = self.scene.clone();
        self.say(|| {
            format!(
                "seed {}: {} hours, {} honest devices, calm from hour {}",
                scene.seed, scene.hours, scene.devices, scene.calm_from
            )
        });
        if let Some(lie) = self.ground.validators().and_then(Consensus::lie) {
            *self.injected.entry(lie).or_default() += 1;
            self.say(|| lie.to_owned());
        }
        for party in &scene.parties {
            self.say(|| format!("{:?} {} with {}", party.part, party.who.account, party.bond.0));
        }
        for epoch in (0..scene.hours).map(EpochNumber) {
            let lie = self.lies.in_epoch(epoch);
            if scene.liar().is_some() {
                if let Some(kind) = lie.kind() {
                    *self.injected.entry(kind).or_default() += 1;
                }
                self.say(|| format!("the liar in epoch {epoch}: {lie:?}"));
            }
        }
    }

    /// What the ledger announced about epochs since the last time.
    fn tell_events(&mut self) {
        use cairn_ledger::Event;
        if self.story.is_none() {
            return;
        }
        let events = self.ground.events();
        for event in &events[self.told..] {
            if !matches!(
                event,
                Event::AccountOpened { .. }
                    | Event::DeviceRegistered { .. }
                    | Event::NetworkJoined { .. }
                    | Event::PricePosted { .. }
            ) {
                let event = format!("ledger: {event:?}");
                self.say(|| event);
            }
        }
        self.told = events.len();
    }
}

fn skewed(now: TimeMs, ahead_ms: i64) -> TimeMs {
    TimeMs(now.0.saturating_add_signed(ahead_ms))
}

const _: () = assert!(WINDOWS.grace_ms > 600_000, "skews are well below the grace");
