//! What the epoch may emit, and each network's part of it. Measures are what customers paid (usage) and the founder's bond
//! (contribution); nobody votes yet, and an empty measure moves nobody.

use super::networks::Closing;
use crate::context::{Context, Step};
use crate::economics::share::{Measure, WHOLE, next_shares};
use crate::economics::{Budget, Schedule, divide};
use crate::records::Emission;
use crate::reject::Reject;
use crate::tables::Loaded;
use cairn_types::{EpochNumber, Token};

pub(super) struct Budgets {
    /// What schedule and re-emission allow for all networks together.
    pub emission: Token,
    /// In the order of the networks; nothing for those that take no part.
    pub by_network: Vec<Budget>,
}

pub(super) fn budget(
    open: EpochNumber,
    schedule: &Schedule,
    networks: &mut [Closing],
    context: &mut Context<'_>,
) -> Step<Budgets> {
    let parameters = &context.genesis.economics;
    let mut emission: Loaded<Emission> = context.single()?;
    let (supply, budget) = emission.supply.open_epoch(schedule.at(open), parameters)?;
    emission.supply = supply;
    let total = budget.emission()?;
    for closing in networks.iter_mut().filter(|closing| !closing.active) {
        closing.usage.share = 0;
    }
    let active: Vec<usize> = (0..networks.len()).filter(|at| networks[*at].active).collect();
    let mut by_network = vec![Budget::default(); networks.len()];
    if active.is_empty() {
        let unminted = emission
            .supply
            .unminted
            .checked_add(total)
            .ok_or(Reject::AmountTooLarge)?;
        emission.supply.unminted = unminted;
        context.save(&emission);
        return Ok(Budgets {
            emission: total,
            by_network,
        });
    }
    context.save(&emission);

    let shares: Vec<u64> = active.iter().map(|at| networks[*at].usage.share).collect();
    let measures: Vec<Measure> = active.iter().map(|at| measure(&networks[*at])).collect::<Step<_>>()?;
    let shares = next_shares(&whole(shares)?, &measures, parameters)?;
    for ((at, share), budget) in active.iter().zip(&shares).zip(budget.by_network(&shares)?) {
        networks[*at].usage.share = *share;
        by_network[*at] = budget;
    }
    Ok(Budgets {
        emission: total,
        by_network,
    })
}

fn measure(closing: &Closing) -> Step<Measure> {
    Ok(Measure {
        usage: closing.usage.spent().total()?.0,
        contribution: closing.network.bond.0,
        votes: 0,
    })
}

/// Shares that sum to the whole again after a network ended; none yet stay none.
fn whole(shares: Vec<u64>) -> Step<Vec<u64>> {
    let sum: u64 = shares.iter().sum();
    if sum == 0 || sum == WHOLE {
        Ok(shares)
    } else {
        Ok(divide(WHOLE, &shares)?)
    }
}
