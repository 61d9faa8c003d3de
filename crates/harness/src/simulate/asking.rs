//! Agents' questions to the ledger: who has a bond. Each asks a node of its own, at the start, every ten minutes, and while its batches
//! are not taken; what that node answers is the agent's own to judge. Nobody tells an agent anything else.

use super::ground::Ground;
use super::scene::Scene;
use crate::agents::Process;
use cairn_agent::routes::Bonded;
use cairn_ledger::{Missing, Store, view};
use cairn_types::{AccountId, TimeMs, Token};
use std::collections::BTreeMap;

/// Between two questions while all goes well.
const EVERY_STEPS: u64 = 2;
/// A node whose chain stands so far behind says nothing new.
const BEHIND_MS_MAX: u64 = 60 * 60_000;

/// Who asks when, and who lives where.
pub struct Asking {
    houses: BTreeMap<AccountId, usize>,
    /// The step of each agent's next question.
    due: Vec<u64>,
}

impl Asking {
    pub fn of(scene: &Scene, agents: usize) -> Self {
        let houses = scene.houses().enumerate();
        Self {
            houses: houses.map(|(place, party)| (party.who.account, place)).collect(),
            due: vec![0; agents],
        }
    }

    /// Where a verifier lives.
    pub fn house(&self, verifier: &AccountId) -> usize {
        self.houses[verifier]
    }

    /// The verifier whose node an agent asks.
    pub fn near(&self, agent: usize) -> usize {
        agent % self.houses.len()
    }

    /// An agent asks, if it is time for that. What changed for it, in words.
    pub fn ask(
        &mut self,
        (agent, process): (usize, &mut Process),
        step: u64,
        now: TimeMs,
        ground: &Ground,
        is_away: bool,
    ) -> Option<String> {
        let is_due = step >= self.due[agent] || process.is_failing();
        if !is_due || !process.is_alive() {
            return None;
        }
        let chain = ground.chain_of(self.near(agent));
        let is_there = !is_away && chain.block().height > 0;
        let answer = is_there.then(|| chain.read(|store| list(store, now)));
        let Some(bonded) = answer.and_then(|list| list.expect("memory has every record")) else {
            // The last list stays in force, and it asks again soon.
            return None;
        };
        self.due[agent] = step + EVERY_STEPS;
        let before = process.sends_to();
        process.hear_list(&bonded, now);
        let after = process.sends_to();
        (before != after).then(|| {
            let places: Vec<usize> = after.iter().map(|verifier| self.house(verifier)).collect();
            format!("agent {agent} sends to verifiers {places:?} from now on")
        })
    }
}

/// Verifiers with a bond that counts, or will; nothing when the chain is far behind.
fn list(store: &mut dyn Store, now: TimeMs) -> Result<Option<Vec<Bonded>>, Missing> {
    let time = view::chain(store)?.map_or(TimeMs(0), |chain| chain.time);
    if time.0.saturating_add(BEHIND_MS_MAX) < now.0 {
        return Ok(None);
    }
    let all = view::verifiers(store)?.into_iter();
    let bonded = all.filter(|(_, verifier)| verifier.bond > Token::ZERO || verifier.joining > Token::ZERO);
    let known = bonded.map(|(account, verifier)| Bonded {
        account,
        key: verifier.key,
        url: String::new(),
    });
    Ok(Some(known.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::scene::{self, Part};
    use crate::simulate::speakers::{self, Speakers};
    use crate::time_of;
    use cairn_ledger::Body;
    use cairn_ledger::tx::unbond_verifier::UnbondVerifier;

    #[test]
    fn an_agent_leaves_who_lost_its_bond_remembers_it_when_it_dies_and_heeds_no_node_that_is_away() {
        let scene = (0..64).map(Scene::of).find(|scene| scene.liar().is_some()).unwrap();
        let speakers = Speakers::of(&scene);
        let ground = Ground::start(scene.genesis(), None);
        ground.found(scene::opening(&speakers.devices));
        let mut agents = speakers::agents(&scene, &speakers);
        let mut asking = Asking::of(&scene, agents.len());
        let all = agents[0].sends_to();
        assert_eq!(all.len(), scene.houses().count());
        assert!(asking.ask((0, &mut agents[0]), 1, time_of(1), &ground, false).is_none());

        let liar = scene.parties.iter().find(|party| party.part == Part::Liar).unwrap();
        let unbond = Body::UnbondVerifier(UnbondVerifier { amount: liar.bond });
        let signed = super::super::lies::transaction(&ground.chain, &liar.who, unbond).unwrap();
        ground.tell(&signed).unwrap();
        for step in 2..30 {
            ground.advance(step, time_of(step));
        }
        assert!(
            asking
                .ask((0, &mut agents[0]), 30, time_of(30), &ground, true)
                .is_none(),
            "its node is away"
        );
        assert_eq!(agents[0].sends_to(), all);
        assert!(
            asking
                .ask((0, &mut agents[0]), 30, time_of(30), &ground, false)
                .is_some()
        );
        let left = agents[0].sends_to();
        assert_eq!(left.len() + 1, all.len());
        assert!(!left.contains(&liar.who.account));
        agents[0].kill(0);
        assert!(agents[0].open());
        assert_eq!(agents[0].sends_to(), left, "the list was kept");
        // A chain that stands still for an hour is no news.
        assert!(
            asking
                .ask((1, &mut agents[1]), 60, time_of(60), &ground, false)
                .is_none()
        );
        assert_eq!(agents[1].sends_to().len(), all.len());
    }
}
