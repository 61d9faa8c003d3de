//! What goes wrong among the validators, drawn from a seed by step, until it must be calm. Of what takes a validator away there is one
//! thing at a time: with the Byzantine one that is enough to halt the chain. It only names things.

use crate::STEPS_PER_HOUR;
use crate::simulate::dice::Dice;
use crate::simulate::scene::Scene;
use std::collections::BTreeMap;

use super::VALIDATORS;

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody hears a validator.
    Cut {
        node: usize,
    },
    /// Validator 0 and one more hear only each other, the rest only the rest.
    Halved {
        with: usize,
    },
    /// A validator dies, and with it all that it did not sync; it may have lost its index of blocks too.
    Dies {
        node: usize,
        forgets: bool,
    },
    /// All die at once: of what they did not sync each byte arrives or not.
    AllDie {
        forget: bool,
    },
    /// Messages of a validator are late, and some are lost.
    Weather {
        node: usize,
        latency_ms: u64,
        lost: u8,
    },
    /// Messages of a validator arrive twice.
    Doubled {
        node: usize,
    },
    Skewed {
        node: usize,
        ahead_ms: i64,
    },
}

impl Trouble {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Cut { .. } | Self::Halved { .. } => "validators parted",
            Self::Dies { .. } => "validator crashes, restarts",
            Self::AllDie { .. } => "all validators crash, torn writes",
            Self::Weather { .. } => "validators' messages late, lost",
            Self::Doubled { .. } => "validators' messages twice",
            Self::Skewed { .. } => "validator's clock skewed",
        }
    }
}

/// What begins in a step, and for how many.
pub type Troubles = BTreeMap<u64, Vec<(Trouble, u64)>>;

pub fn drawn(scene: &Scene) -> Troubles {
    let mut dice = Dice::of(scene.seed, "validators");
    let last = scene.calm_from * STEPS_PER_HOUR;
    let mut troubles = Troubles::new();
    let mut free = 0;
    for step in 1..last {
        let steps = (1 + dice.below(6)).min(last - step);
        let node = dice.place(VALIDATORS);
        let taken_away = match dice.below(4) {
            0 => Trouble::Cut { node },
            1 => Trouble::Halved {
                with: 1 + dice.place(VALIDATORS - 1),
            },
            2 => Trouble::Dies {
                node,
                forgets: dice.one_in(2),
            },
            _ => Trouble::AllDie { forget: dice.one_in(2) },
        };
        if step >= free && dice.one_in(4) {
            // A step between two of them, so that the chain goes on at times.
            free = step + steps + 2;
            let at_once = matches!(taken_away, Trouble::AllDie { .. });
            let steps = if at_once { 1 } else { steps };
            troubles.entry(step).or_default().push((taken_away, steps));
        }
        let other = match dice.below(3) {
            0 => Trouble::Weather {
                node: dice.place(VALIDATORS),
                latency_ms: 20 + dice.below(2_000),
                lost: dice.below(30) as u8,
            },
            1 => Trouble::Doubled {
                node: dice.place(VALIDATORS),
            },
            _ => Trouble::Skewed {
                node: dice.place(VALIDATORS),
                ahead_ms: 1_000 * dice.below(121).cast_signed() - 60_000,
            },
        };
        if dice.one_in(6) {
            troubles.entry(step).or_default().push((other, steps));
        }
    }
    troubles
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_of_trouble_is_drawn_by_some_seed_and_all_of_it_ends() {
        let mut kinds = BTreeSet::new();
        for seed in 0..60 {
            let scene = Scene::of(seed);
            for (step, begun) in drawn(&scene) {
                for (trouble, steps) in begun {
                    kinds.insert(trouble.kind());
                    assert!(step + steps <= scene.calm_from * STEPS_PER_HOUR);
                }
            }
        }
        assert_eq!(kinds.len(), 6);
    }
}
