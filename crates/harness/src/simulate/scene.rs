//! What a seed sets before anything happens: who takes part, with which bonds, for how long, and the transactions that found it.
//! Draws nothing later, and does nothing itself.

use super::dice::Dice;
use crate::people::{self, Role, chain_id, device_key, network_id, operator, secret};
use crate::{HOUR_MS, START, STEP_MS, STEPS_PER_HOUR, VERTICAL};
use cairn_engine::sim::Sim;
use cairn_ledger::account::Rule;
use cairn_ledger::genesis::{Allocation, GenesisValidator, GenesisVerifier};
use cairn_ledger::tx::Signed;
use cairn_ledger::tx::create_network::CreateNetwork;
use cairn_ledger::tx::join_network::JoinNetwork;
use cairn_ledger::tx::open_account::OpenAccount;
use cairn_ledger::tx::register_device::RegisterDevice;
use cairn_ledger::{Body, Genesis, Transaction};
use cairn_types::{AccountId, MicroUsd, NetworkId, Token, ValidatorKey};
use cairn_verifier::submit::Submitter;
use cairn_verticals::Vertical;
use cairn_verticals::kit::CastDevice;
use std::collections::BTreeMap;

const WHOLE: u64 = 1_000_000;
/// Verifiers that tell the truth.
pub const HONEST: usize = 3;
/// Accounts of one liar who pretends to be many.
const PUPPETS: usize = 6;
/// Honest devices: with the cheats there are more than fifty.
const DEVICES_MIN: u64 = 44;
const DEVICES_MORE: u64 = 12;
/// Agents that carry the honest devices; one more carries the cheats'.
pub const AGENTS: usize = 5;

/// Members of consensus, as far as the ledger knows them: they decide disputes.
const VALIDATORS: u64 = 4;

/// Blocks between two renewals of their shares, where they agree on the ledger: some of them fall into a town's life.
const COMMITTEE_BLOCKS: u64 = 128;

/// After a settlement, for disputes: no longer than a halt may last.
const WINDOW_MS: u64 = 6 * STEP_MS;

/// Until an epoch may be put before the validators, where a verifier stalls: longer than verifiers may anchor, and seek a file.
pub const STALL_MS: u64 = 7 * HOUR_MS;

/// How a verifier behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Honest,
    /// Collects reports like the others, and lies when it pleases.
    Liar,
    /// Has a bond and a key, which the liar uses; collects nothing.
    Puppet,
}

/// A verifier.
#[derive(Clone)]
pub struct Party {
    pub who: Submitter,
    pub part: Part,
    pub bond: Token,
}

/// In every so many seeds four validators agree on the ledger; in the others it is one list.
pub const AGREES_EVERY: u64 = 40;

/// What is set.
#[derive(Clone)]
pub struct Scene {
    pub seed: u64,
    /// Four validators agree on the ledger.
    pub agrees: bool,
    /// A verifier with half the bond says nothing from some epoch on.
    pub stalls: bool,
    /// Honest devices.
    pub devices: usize,
    pub hours: u64,
    /// From this hour on nothing goes wrong any more.
    pub calm_from: u64,
    /// Those that collect first, puppets last.
    pub parties: Vec<Party>,
}

impl Scene {
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::of(seed, "scene");
        let honest = |place| Party {
            who: Submitter::single(secret("house", place)),
            part: Part::Honest,
            // Together enough against a liar with a few bonds.
            bond: Token((23_000 + 500 * (place + 1)) * WHOLE),
        };
        let mut parties: Vec<Party> = (0..HONEST as u64).map(honest).collect();
        let kind = dice.below(8);
        if kind > 1 {
            // In two of eight it has so much that its word alone is a quorum.
            let bond = if kind > 5 { 160_000 } else { 10_000 };
            parties.push(Party {
                who: Submitter::single(secret("liar", 0)),
                part: Part::Liar,
                bond: Token(bond * WHOLE),
            });
            if kind > 3 && kind < 6 {
                parties.extend((0..PUPPETS as u64).map(|place| Party {
                    who: Submitter::single(secret("puppet", place)),
                    part: Part::Puppet,
                    bond: Token(3_000 * WHOLE),
                }));
            }
        }
        let hours = 3 + dice.below(2);
        Self {
            seed,
            agrees: seed % AGREES_EVERY == AGREES_EVERY - 1,
            stalls: false,
            devices: (DEVICES_MIN + dice.below(DEVICES_MORE)) as usize,
            hours,
            calm_from: hours - 1,
            parties,
        }
    }

    /// This scene with a verifier that has as much bond as all others, and stalls.
    pub fn stalling(mut self) -> Self {
        self.parties.retain(|party| party.part == Part::Honest);
        let bond = self.parties.iter().map(|party| party.bond.0).sum();
        self.parties.push(Party {
            who: Submitter::single(secret("liar", 0)),
            part: Part::Liar,
            bond: Token(bond),
        });
        self.stalls = true;
        self
    }

    /// Those that collect reports.
    pub fn houses(&self) -> impl Iterator<Item = &Party> {
        self.parties.iter().filter(|party| party.part != Part::Puppet)
    }

    /// Whether the liar's word alone is a quorum.
    pub fn is_captured(&self) -> bool {
        let bonds = self.parties.iter().map(|party| party.bond.0);
        self.liar().is_some_and(|liar| 3 * liar.bond.0 > 2 * bonds.sum::<u64>())
    }

    pub fn liar(&self) -> Option<&Party> {
        self.parties.iter().find(|party| party.part == Part::Liar)
    }

    pub fn party(&self, account: &AccountId) -> Option<&Party> {
        self.parties.iter().find(|party| party.who.account == *account)
    }

    /// The last step in which devices speak.
    pub fn last_step(&self) -> u64 {
        self.hours * STEPS_PER_HOUR
    }

    pub fn genesis(&self) -> Genesis {
        let mut genesis = people::genesis();
        let old: u64 = genesis.verifiers.iter().map(|verifier| verifier.bond.0).sum();
        let mut whole = genesis.economics.premine.0 - old;
        genesis.verifiers.clear();
        for party in &self.parties {
            let key = party.who.keys[0].public();
            genesis.allocations.push(Allocation {
                rule: Rule::single(key),
                token: Token(1_000 * WHOLE),
                stable: MicroUsd(0),
            });
            genesis.verifiers.push(GenesisVerifier {
                account: party.who.account,
                key,
                bond: party.bond,
            });
            whole += party.bond.0 + 1_000 * WHOLE;
        }
        let others = [watcher()].into_iter().chain(validators());
        for other in others {
            genesis.allocations.push(Allocation {
                rule: Rule::single(other.keys[0].public()),
                token: Token(1_000 * WHOLE),
                stable: MicroUsd(0),
            });
            whole += 1_000 * WHOLE;
        }
        // Where they agree on the ledger, those on it are those who do: their shares are renewed among whom it names.
        let names = self.agrees.then(|| Sim::seeded(self.seed).names());
        let validator = |(place, who): (usize, Submitter)| GenesisValidator {
            account: who.account,
            key: ValidatorKey(names.as_ref().map_or([place as u8 + 1; 32], |names| names[place])),
            address: format!("validator-{place}:9000"),
        };
        genesis.validators = validators().into_iter().enumerate().map(validator).collect();
        genesis.economics.premine = Token(whole);
        if self.agrees {
            genesis.limits.validators_max = VALIDATORS as u16;
            genesis.limits.committee_blocks = COMMITTEE_BLOCKS;
        }
        genesis.limits.dispute_window_ms = WINDOW_MS;
        // A town without validators makes its blocks once in a step; with them, no gap is longer unless they halt.
        genesis.limits.gap_ms_max = STEP_MS;
        genesis.limits.verifiers_max = 64;
        genesis.limits.anchor_window_ms = 3 * HOUR_MS;
        if self.stalls {
            genesis.limits.stall_ms = STALL_MS;
        }
        genesis
    }
}

/// Whoever looks at what verifiers sign and shows the ledger what is wrong with it.
pub fn watcher() -> Submitter {
    Submitter::single(secret("watcher", 0))
}

/// The accounts of those who run consensus.
pub fn validators() -> Vec<Submitter> {
    let validator = |place| Submitter::single(secret("validator", place));
    (0..VALIDATORS).map(validator).collect()
}

/// The name of the vertical's network in whose name all of this happens.
pub fn network() -> NetworkId {
    network_id()
}

/// What founds the network: its creation, and its devices with their operators, in an order that any ledger takes.
pub fn opening(devices: &[CastDevice]) -> Vec<Signed> {
    let mut nonces: BTreeMap<AccountId, u64> = BTreeMap::new();
    let mut all = Vec::new();
    let mut say = |who: &Submitter, body: Body| {
        let nonce = nonces.entry(who.account).or_default();
        *nonce += 1;
        let transaction = Transaction {
            chain: chain_id(),
            account: who.account,
            nonce: *nonce,
            fee_max: Token::ZERO,
            sponsor: None,
            body,
        };
        all.push(transaction.sign_by(&who.rule, &who.keys));
    };
    let create = CreateNetwork {
        name: people::NETWORK.to_owned(),
        vertical: VERTICAL.name().to_owned(),
        resolution: 8,
        parameters: VERTICAL.default_params(),
        price_micro_usd: 1_000_000,
        bond: Token(1_000 * WHOLE),
        allowance: Token::ZERO,
        treasurer: Role::Founder.account(),
    };
    say(&Role::Founder.submitter(), Body::CreateNetwork(create));
    let mut open = std::collections::BTreeSet::new();
    for (place, device) in devices.iter().enumerate() {
        let owner = operator(device.operator.0);
        if open.insert(owner.account) {
            say(&owner, Body::OpenAccount(OpenAccount {}));
        }
        let key = device_key(place);
        let register = RegisterDevice::by_device(&chain_id(), &owner.account, &key);
        say(&owner, Body::RegisterDevice(register));
        let join = JoinNetwork {
            device: key.public().device_id(),
            network: network_id(),
            cell: device.cell,
        };
        say(&owner, Body::JoinNetwork(join));
    }
    all
}

/// Hours that so many steps last, in milliseconds.
pub fn played_ms(steps: u64) -> u64 {
    crate::time_of(steps).since_ms(START).max(STEP_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn honest_verifiers_are_a_quorum_together_unless_the_liar_alone_is_one() {
        let mut shapes = BTreeSet::new();
        for seed in 0..64 {
            let scene = Scene::of(seed);
            let sum = |of: fn(&Party) -> bool| {
                let some = scene.parties.iter().filter(|party| of(party));
                some.map(|party| party.bond.0).sum::<u64>()
            };
            let (all, honest) = (sum(|_| true), sum(|party| party.part == Part::Honest));
            assert!(scene.is_captured() != (3 * honest > 2 * all), "seed {seed}");
            assert!(scene.devices + 9 > 50);
            let count = scene.parties.len();
            let lying = count - HONEST;
            // Where there are puppets, the liar has the greater number and the smaller bond.
            assert!(lying < 2 || 3 * lying > 2 * count, "seed {seed}");
            shapes.insert((count, scene.is_captured()));
            scene.genesis().check().unwrap();
        }
        assert_eq!(shapes.len(), 4);
    }
}
