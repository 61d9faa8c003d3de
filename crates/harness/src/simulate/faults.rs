//! What goes wrong, drawn from a seed step by step: a list of steps, each with what begins there and how long it lasts. It only names
//! things; the town makes them happen.

use super::dice::Dice;
use super::scene::{AGENTS, Scene};
use crate::STEPS_PER_HOUR;
use crate::line::End;
use crate::plan::Moment;
use std::collections::BTreeMap;

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An agent's power goes; of what it had not synced so many bytes of each file arrive.
    AgentDies {
        agent: usize,
        kept: usize,
    },
    /// So many more bytes fit on an agent's disks.
    AgentDiskFills {
        agent: usize,
        free_bytes: usize,
    },
    /// A verifier hears an agent, and its answers are lost.
    AnswersLost {
        agent: usize,
        house: usize,
    },
    /// A verifier hears everything of an agent twice.
    HeardTwice {
        agent: usize,
        house: usize,
    },
    /// Answers arrive so many steps late.
    AnswersLate {
        agent: usize,
        house: usize,
        late: u64,
    },
    /// A verifier does not hear an agent.
    Unreached {
        agent: usize,
        house: usize,
    },
    /// A verifier's power goes: sectors that were not synced arrive or not, one by one.
    HouseDies {
        house: usize,
        moment: Moment,
    },
    /// A verifier's process ends and begins again; the machine goes on.
    HouseRestarts {
        house: usize,
    },
    DiskFills {
        house: usize,
    },
    DiskHangs {
        house: usize,
    },
    ArchiveStops {
        house: usize,
    },
    /// A verifier's line to the ledger is dead.
    LineAway {
        house: usize,
    },
    /// A verifier's transactions arrive later, in any order, and it hears nothing of them.
    LineLate {
        house: usize,
    },
    /// A verifier's transactions arrive twice.
    LineTwice {
        house: usize,
    },
    /// No block is made.
    LedgerHalts,
    /// Verifiers whose bit is set hear only each other, the rest only the rest; agents are cut in the same way.
    Parted {
        side: u8,
    },
    /// A clock is off.
    HouseSkew {
        house: usize,
        ahead_ms: i64,
    },
    AgentSkew {
        agent: usize,
        ahead_ms: i64,
    },
}

impl Fault {
    /// Under which heading it is counted.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::AgentDies { .. } | Self::HouseDies { .. } => "crash, restart, torn writes",
            Self::HouseRestarts { .. } => "restart",
            Self::AgentDiskFills { .. } | Self::DiskFills { .. } => "disk full",
            Self::DiskHangs { .. } => "disk does not sync",
            Self::ArchiveStops { .. } => "archive away",
            Self::AnswersLost { .. } | Self::Unreached { .. } | Self::LineAway { .. } => "loss",
            Self::HeardTwice { .. } | Self::LineTwice { .. } => "duplication",
            Self::AnswersLate { .. } | Self::LineLate { .. } => "delay",
            Self::LedgerHalts => "ledger halts",
            Self::Parted { .. } => "partition",
            Self::HouseSkew { .. } | Self::AgentSkew { .. } => "clock skew",
        }
    }
}

/// A fault and for how many steps it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lasting {
    pub fault: Fault,
    pub steps: u64,
}

/// All that goes wrong, by the step in which it begins.
pub type Faults = BTreeMap<u64, Vec<Lasting>>;

/// Faults drawn for a scene: about one every other step until it gets calm, more in some scenes than in others.
pub fn drawn(scene: &Scene) -> Faults {
    let mut dice = Dice::of(scene.seed, "faults");
    let rare = 1 + dice.below(4);
    let last = scene.calm_from * STEPS_PER_HOUR;
    let houses = scene.houses().count();
    let mut faults = Faults::new();
    for step in 1..last {
        if !dice.one_in(rare) {
            continue;
        }
        let fault = draw(&mut dice, houses);
        // What begins late ends before it must be calm.
        let steps = (1 + dice.below(6)).min(last - step);
        faults.entry(step).or_default().push(Lasting { fault, steps });
    }
    faults
}

fn draw(dice: &mut Dice, houses: usize) -> Fault {
    let (agent, house) = (dice.place(AGENTS), dice.place(houses));
    let ahead_ms = |dice: &mut Dice| 1_000 * dice.below(121).cast_signed() - 60_000;
    match dice.below(20) {
        0 => Fault::AgentDies {
            agent,
            kept: dice.place(300),
        },
        1 => Fault::AgentDiskFills {
            agent,
            free_bytes: dice.place(3_000),
        },
        2 => Fault::AnswersLost { agent, house },
        3 => Fault::HeardTwice { agent, house },
        4 => Fault::AnswersLate {
            agent,
            house,
            late: 1 + dice.below(4),
        },
        5 => Fault::Unreached { agent, house },
        6 => Fault::HouseRestarts { house },
        7 => Fault::DiskFills { house },
        8 => Fault::DiskHangs { house },
        9 => Fault::ArchiveStops { house },
        10 => Fault::LineAway { house },
        11 => Fault::LineLate { house },
        12 => Fault::LineTwice { house },
        13 => Fault::LedgerHalts,
        14 => Fault::Parted {
            side: 1 + dice.below((1 << houses) - 2) as u8,
        },
        15 => Fault::HouseSkew {
            house,
            ahead_ms: 2 * ahead_ms(dice),
        },
        16 => Fault::AgentSkew {
            agent,
            ahead_ms: ahead_ms(dice),
        },
        _ => Fault::HouseDies {
            house,
            moment: moment(dice),
        },
    }
}

fn moment(dice: &mut Dice) -> Moment {
    match dice.below(4) {
        0 => Moment::Idle,
        1 => Moment::Writing,
        2 => Moment::Archiving(dice.below(6) as u32),
        _ => {
            let end = if dice.one_in(2) { End::Before } else { End::After };
            Moment::Submitting(dice.below(3) as u32, end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_of_fault_is_drawn_by_some_seed_and_all_of_them_end() {
        let mut kinds = BTreeSet::new();
        for seed in 0..100 {
            let scene = Scene::of(seed);
            for (step, begun) in drawn(&scene) {
                for lasting in begun {
                    kinds.insert(lasting.fault.kind());
                    assert!(step + lasting.steps <= scene.calm_from * STEPS_PER_HOUR);
                }
            }
        }
        assert_eq!(kinds.len(), 11);
    }
}
