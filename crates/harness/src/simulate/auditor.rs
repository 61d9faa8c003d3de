//! An auditor of its own: computes every epoch again from the reports that were anchored and from the ledger, remembers on its own what
//! one epoch hands to the next, and asks no verifier what it came to.

use super::board::{Board, union};
use super::scene::network;
use cairn_types::attestation::Totals;
use cairn_types::{EpochNumber, EpochResult, Finding, PayoutLeaf};
use cairn_verifier::archive::{Inputs, OrderMeters};
use cairn_verifier::chain::local::LocalChain;
use cairn_verifier::chain::{Anchoring, Basis, ChainView};
use cairn_verifier::collector::Sealed;
use cairn_verifier::{assess, attest, divide};
use std::fmt::Display;

/// What an epoch comes to.
#[derive(Clone, Debug)]
pub struct Audited {
    pub epoch: EpochNumber,
    pub anchoring: Anchoring,
    pub inputs: Inputs,
    /// All reports that were anchored and that the settled result does not leave out, once each, by id.
    pub reports: Vec<Sealed>,
    pub findings: Vec<Finding>,
    pub memory: Vec<u8>,
    pub leaves: Vec<PayoutLeaf>,
    pub totals: Totals,
    pub result: EpochResult,
}

/// Computes an epoch by what the settled result leaves out; `memory` is what the one before left.
pub fn compute(chain: &LocalChain, board: &Board, epoch: EpochNumber, memory: &[u8]) -> Result<Audited, String> {
    let without = chain.without(&network(), epoch);
    let without = without.map_err(|error| format!("epoch {epoch}: {error}"))?;
    compute_over(chain, board, epoch, memory, without)
}

/// Computes an epoch without the anchors at some places.
pub fn compute_over(
    chain: &LocalChain,
    board: &Board,
    epoch: EpochNumber,
    memory: &[u8],
    without: Vec<u32>,
) -> Result<Audited, String> {
    let says = |what: &dyn Display| format!("epoch {epoch}: {what}");
    let network = network();
    let anchoring = chain.anchoring(&network, epoch).map_err(|error| says(&error))?;
    let reports = union(board, &anchoring, epoch, &without);
    let reports = reports.ok_or_else(|| says(&"an anchored file is nowhere"))?;
    let facts = chain.facts().map_err(|error| says(&error))?;
    let at = ChainView::network(chain, &network, epoch).map_err(|error| says(&error))?;
    let closed = chain.closed(&network, epoch).map_err(|error| says(&error))?;
    let closed = closed.ok_or_else(|| says(&"not closed"))?;
    let settled = chain.settled_orders(&network, epoch).map_err(|error| says(&error))?;
    let inputs = Inputs {
        chain: facts.chain,
        network,
        epoch,
        start: facts.clock.start(epoch),
        end: facts.clock.end(epoch),
        vertical: at.vertical,
        parameters: at.parameters,
        economics: facts.economics,
        pool: closed.fixed_pool(),
        beacon: closed.beacon,
        roster: at.roster,
        memory: memory.to_vec(),
        meters: settled
            .into_iter()
            .map(|settled| OrderMeters {
                settled,
                entries: Vec::new(),
            })
            .collect(),
    };
    let judged = assess::judge(&inputs, &reports, 1).map_err(|error| says(&error))?;
    let (leaves, totals) = divide::divide(&inputs, &judged.findings).map_err(|error| says(&error))?;
    let basis = Basis::of(chain, &network, at.first, epoch, without).map_err(|error| says(&error))?;
    let result = attest::result(
        &inputs,
        &reports,
        &judged.findings,
        &judged.memory,
        &leaves,
        totals,
        basis,
    );
    Ok(Audited {
        epoch,
        anchoring,
        inputs,
        reports,
        findings: judged.findings,
        memory: judged.memory,
        leaves,
        totals,
        result,
    })
}
