//! What goes wrong, and in which step, and which operators change their minds about how they are paid: written by hand for a story, or
//! drawn from a seed. A plan only names things; the world makes them happen.

use crate::STEPS_PER_HOUR;
use crate::line::End;
use cairn_types::BasisPoints;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::collections::BTreeMap;

/// Operators who may choose: a city has at least so many.
const CHOOSERS: u64 = 8;

/// Where in its work the verifier is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Between two things.
    Idle,
    /// When it has written a group and not synced it: what arrives of it is drawn.
    Writing,
    /// After so many more files of an archive.
    Archiving(u32),
    /// After so many more transactions, and one more that ends so.
    Submitting(u32, End),
}

/// Something that goes wrong. Steps are how long it lasts, counted from the step it begins in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The power of an agent goes; of what it had not synced so many bytes of each file arrive.
    AgentDies {
        agent: usize,
        kept: usize,
        steps: u64,
    },
    /// So many more bytes fit on an agent's disks.
    AgentDiskFills {
        agent: usize,
        free_bytes: usize,
        steps: u64,
    },
    /// The verifier hears the agent, and its answers are lost.
    AnswersLost {
        agent: usize,
        steps: u64,
    },
    /// The verifier hears everything twice.
    HeardTwice {
        agent: usize,
        steps: u64,
    },
    /// Answers arrive so many steps late.
    AnswersLate {
        agent: usize,
        late: u64,
        steps: u64,
    },
    Unreached {
        agent: usize,
        steps: u64,
    },
    /// It comes back in the same step when `steps` is 0.
    VerifierDies {
        moment: Moment,
        steps: u64,
    },
    /// Its process ends between two things and begins again; the machine goes on, so all that was written stays.
    VerifierRestarts,
    VerifierDiskFills {
        steps: u64,
    },
    VerifierDiskHangs {
        steps: u64,
    },
    /// No file can be put into the archive.
    ArchiveStops {
        steps: u64,
    },
    /// No block is made and nobody is answered.
    LedgerAway {
        steps: u64,
    },
    /// After so many more effects on the outside, one more ends so and the gateway is dead.
    GatewayDies {
        after: u32,
        end: End,
    },
}

/// An operator's new choice: what part of its income it wants in dollars; `None`: as earned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chooses {
    /// As the cast counts operators.
    pub operator: u32,
    pub wants: Option<BasisPoints>,
}

/// All that goes wrong, and all that is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    faults: BTreeMap<u64, Vec<Fault>>,
    choices: BTreeMap<u64, Vec<Chooses>>,
}

impl Plan {
    /// Nothing goes wrong.
    pub fn calm() -> Self {
        Self::default()
    }

    pub fn with(mut self, step: u64, fault: Fault) -> Self {
        self.faults.entry(step).or_default().push(fault);
        self
    }

    /// In a step an operator says how it wants to be paid: basis points in dollars, or as earned.
    pub fn choosing(mut self, step: u64, operator: u32, wants: Option<u16>) -> Self {
        let wants = wants.map(|points| BasisPoints::new(points).expect("a plan names parts of the whole"));
        let chooses = Chooses { operator, wants };
        self.choices.entry(step).or_default().push(chooses);
        self
    }

    /// Choices drawn from a seed, about six in an hour: dollars only, token only, something between, or as earned again.
    pub fn with_choosers(mut self, seed: u64, hours: u64) -> Self {
        // Its own draws: the faults of a seed stay what they are.
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x6368_6f6f_7365);
        for step in 1..hours * STEPS_PER_HOUR {
            if below(&mut random, 2) == 0 {
                let operator = below(&mut random, CHOOSERS) as u32;
                let wants = match below(&mut random, 4) {
                    0 => None,
                    1 => Some(0),
                    2 => Some(10_000),
                    _ => Some(below(&mut random, 10_001) as u16),
                };
                self = self.choosing(step, operator, wants);
            }
        }
        self
    }

    /// Faults drawn from a seed, about two in an hour, and choosers.
    pub fn drawn(seed: u64, agents: usize, hours: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut plan = Self::default();
        for step in 1..hours * STEPS_PER_HOUR {
            if below(&mut random, 6) == 0 {
                plan = plan.with(step, draw(&mut random, agents));
            }
        }
        plan.with_choosers(seed, hours)
    }

    /// So many deaths of the verifier, spread over the hours, at moments drawn from a seed. It is back at once each time.
    pub fn deaths(seed: u64, count: u64, hours: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut plan = Self::default();
        for death in 0..count {
            let step = 1 + death * hours * STEPS_PER_HOUR / count;
            let moment = draw_moment(&mut random);
            plan = plan.with(step, Fault::VerifierDies { moment, steps: 0 });
        }
        plan
    }

    pub fn choices_at(&self, step: u64) -> &[Chooses] {
        self.choices.get(&step).map_or(&[], Vec::as_slice)
    }

    pub fn at(&self, step: u64) -> &[Fault] {
        self.faults.get(&step).map_or(&[], Vec::as_slice)
    }
}

fn below(random: &mut ChaCha8Rng, bound: u64) -> u64 {
    random.next_u64() % bound
}

fn draw_end(random: &mut ChaCha8Rng) -> End {
    match below(random, 2) {
        0 => End::Before,
        _ => End::After,
    }
}

fn draw_moment(random: &mut ChaCha8Rng) -> Moment {
    match below(random, 4) {
        0 => Moment::Idle,
        1 => Moment::Writing,
        2 => Moment::Archiving(below(random, 6) as u32),
        _ => Moment::Submitting(below(random, 4) as u32, draw_end(random)),
    }
}

fn draw(random: &mut ChaCha8Rng, agents: usize) -> Fault {
    let agent = below(random, agents as u64) as usize;
    let steps = 1 + below(random, 6);
    match below(random, 13) {
        0 => Fault::AgentDies {
            agent,
            kept: below(random, 300) as usize,
            steps: steps - 1,
        },
        1 => Fault::AgentDiskFills {
            agent,
            free_bytes: below(random, 2_000) as usize,
            steps,
        },
        2 => Fault::AnswersLost { agent, steps },
        3 => Fault::HeardTwice { agent, steps },
        4 => Fault::AnswersLate {
            agent,
            late: 1 + below(random, 4),
            steps,
        },
        5 => Fault::Unreached { agent, steps },
        6 => Fault::VerifierDiskFills { steps },
        7 => Fault::VerifierDiskHangs { steps },
        8 => Fault::ArchiveStops { steps },
        9 => Fault::LedgerAway { steps: 2 * steps },
        10 => Fault::GatewayDies {
            after: below(random, 4) as u32,
            end: draw_end(random),
        },
        11 => Fault::VerifierRestarts,
        _ => Fault::VerifierDies {
            moment: draw_moment(random),
            steps: steps - 1,
        },
    }
}
