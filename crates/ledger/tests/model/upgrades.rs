//! Versions of the rules: voted on by the validators, announced, withdrawn, in force.

use super::{Answer, FEE, Model, WINDOW_BLOCKS, ensure};
use cairn_ledger::Reject;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub struct Upgrades {
    pub version: u16,
    /// The height of each version but the first.
    pub heights: Vec<u64>,
    pub next: Option<u64>,
    wishes: BTreeMap<usize, Option<u64>>,
}

impl Default for Upgrades {
    fn default() -> Self {
        Self {
            version: 1,
            heights: Vec::new(),
            next: None,
            wishes: BTreeMap::new(),
        }
    }
}

impl Upgrades {
    pub fn advance(&mut self, height: u64) {
        if self.next == Some(height) {
            self.version += 1;
            self.heights.push(height);
            self.next = None;
            self.wishes.clear();
        }
    }
}

impl Model {
    /// `height`: from which on the version holds; `None`: it does not come.
    pub fn vote_upgrade(&mut self, by: usize, version: u16, height: Option<u64>) -> Answer {
        self.paid(by, FEE, |model| {
            let members: Vec<usize> = model.validators.values().copied().collect();
            ensure(members.contains(&by), Reject::NotAValidator)?;
            let (now, upgrades) = (model.height, &mut model.upgrades);
            ensure(version == upgrades.version + 1, Reject::VersionNotNext)?;
            if let Some(height) = height {
                ensure(upgrades.next.is_none(), Reject::UpgradeAnnounced)?;
                let near = height < now + WINDOW_BLOCKS;
                ensure(!near && height <= now + 100_000_000, Reject::UpgradeHeightWrong)?;
            } else {
                ensure(upgrades.next.is_some(), Reject::UpgradeNotAnnounced)?;
            }
            let is_same = upgrades.wishes.insert(by, height) == Some(height);
            let same = members.iter().filter(|who| upgrades.wishes.get(who) == Some(&height));
            let decides = 3 * same.count() > 2 * members.len();
            ensure(!is_same || decides, Reject::VoteGiven)?;
            if decides {
                upgrades.wishes.clear();
                upgrades.next = height;
            }
            Ok(())
        })
    }
}
