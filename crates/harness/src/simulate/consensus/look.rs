//! What must hold of the validators when a town is over: looked at from the blocks alone, with a ledger and a state of its own. Believes
//! no validator.

use super::node::{self, hashes};
use super::{Consensus, RESUMED_WITHIN_MS};
use crate::properties::Broken;
use crate::simulate::watch::{ONCE, ONE_HISTORY};
use cairn_engine::light::verify_certificate;
use cairn_engine::sim::audit;
use cairn_node::LedgerMachine;
use cairn_types::Hash;
use cairn_verifier::chain::local::LocalChain;
use std::collections::{BTreeMap, BTreeSet};

pub const FINAL: &str = "what was called final stays";
pub const RESUMES: &str = "finality resumes after the faults";
pub const ROOTS: &str = "roots are those an auditor computes";
pub const SHUT_OUT: &str = "no honest validator shuts out another";

/// All that is broken.
pub fn look(consensus: &Consensus) -> Vec<Broken> {
    let mut broken = Vec::new();
    let mut say = |property: &'static str, what: String| broken.push(Broken { property, what });
    let honest: Vec<usize> = consensus.honest().collect();
    let blocks = consensus.onlooker.blocks();
    consensus
        .onlooker
        .broken()
        .into_iter()
        .for_each(|what| say(ONE_HISTORY, what));
    for place in &honest {
        for what in consensus.nodes[*place].broken() {
            say(ONE_HISTORY, format!("validator {place} {what}"));
        }
        let (height, whole) = (consensus.nodes[*place].height(), consensus.onlooker.height());
        if height != whole {
            say(
                RESUMES,
                format!("validator {place} knows {height} of {whole} blocks though all is calm"),
            );
        }
    }

    certificates(consensus, &blocks)
        .into_iter()
        .for_each(|what| say(ONE_HISTORY, what));

    let machine = LedgerMachine::new(consensus.ledger.clone());
    if let Err(what) = audit(&machine, consensus.epoch_blocks, &blocks) {
        say(ROOTS, what);
    }
    let again = LocalChain::following(consensus.ledger.genesis().clone()).expect("the genesis is sound");
    let taken: Result<Vec<()>, String> = blocks.iter().map(|block| node::take(&again, block)).collect();
    let digest = |chain: &LocalChain| chain.read(|store| store.digest());
    match taken {
        Err(what) => say(ROOTS, what),
        Ok(_) => {
            let chains = honest.iter().map(|place| &consensus.nodes[*place].chain);
            for chain in chains.chain([&consensus.onlooker.chain]) {
                if chain.block().height == again.block().height && digest(chain) != digest(&again) {
                    say(ROOTS, "the records are others the second time".to_owned());
                }
            }
        }
    }

    let mut final_once = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for block in &blocks {
        for hash in hashes(block) {
            if !final_once.insert(hash) {
                say(
                    ONCE,
                    format!("a transaction of block {} was final before", block.header.height),
                );
            }
        }
        ids.extend(node::transactions(block).iter().map(|signed| signed.transaction.id()));
    }
    let state = consensus.state();
    let lost: Vec<&Hash> = state.answered.difference(&ids).collect();
    if !lost.is_empty() {
        say(
            FINAL,
            format!(
                "{} transactions that were called final are not, such as {}",
                lost.len(),
                lost[0]
            ),
        );
    }
    match state.resumed_ms {
        Some(after) if after <= RESUMED_WITHIN_MS => {}
        Some(after) => say(
            RESUMES,
            format!("the first block came {} s after the last fault", after / 1_000),
        ),
        None => say(RESUMES, "it never got calm".to_owned()),
    }
    for (by, whom) in &state.shut_out {
        if honest.contains(by) && honest.contains(whom) {
            say(SHUT_OUT, format!("validator {by} shut out validator {whom}"));
        }
    }
    drop(state);
    broken
}

/// Every certificate is signed by the validators' key, for the block it stands at.
fn certificates(consensus: &Consensus, blocks: &[std::sync::Arc<cairn_engine::Finalized>]) -> Vec<String> {
    let anchor = consensus.state().anchor.clone().expect("it has begun");
    // Each epoch of consensus begins its views anew.
    let mut views: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    let mut broken = Vec::new();
    for block in blocks {
        let height = block.header.height;
        let Some(certificate) = &block.certificate else {
            continue;
        };
        match verify_certificate(&anchor.chain, &anchor.group_key, certificate) {
            Err(error) => broken.push(format!("the certificate of block {height}: {error}")),
            Ok(certified) if certified.digest != block.digest => {
                broken.push(format!("the certificate of block {height} is another block's"));
            }
            Ok(certified) => {
                let round = (certified.epoch, certified.view);
                if let Some(other) = views.insert(round, height) {
                    broken.push(format!("round {round:?} finalized blocks {other} and {height}"));
                }
            }
        }
    }
    broken
}
