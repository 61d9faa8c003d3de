//! What blocks do by themselves. Each step is a file; this one lists them in order. Closing an epoch costs O(networks + verifiers),
//! never O(devices): devices, operators and their shares are the verifiers' to judge.

mod beacon;
mod expire;
mod finish;
mod networks;
mod pools;
mod price;
mod record;
mod shares;
mod terms;
mod upgrade;
mod verifiers;
mod write_genesis;

use crate::context::{Context, Step};
use crate::economics::Schedule;
use crate::records::{Chain, Emission, Prices, Protocol, StableSupply};
use crate::tables::Record;
use cairn_types::Hash;

/// The beginning of a block.
pub(crate) fn begin(digest: Hash, schedule: &Schedule, context: &mut Context<'_>) -> Step<()> {
    if context.block.height == 1 {
        return write_genesis::run(digest, context);
    }
    context.touch(&[
        Chain::key(&()),
        Prices::key(&()),
        Emission::key(&()),
        StableSupply::key(&()),
        Protocol::key(&()),
    ])?;
    upgrade::take_effect(context)?;
    let mut chain = context.chain()?;
    chain.go_on(
        context.block.height,
        context.block.time,
        context.genesis.limits.gap_ms_max,
    );
    context.save(&chain);
    beacon::reveal(context)?;
    price::close_round(context)?;
    for _ in 0..context.genesis.limits.closes_per_block {
        let open = context.chain()?.epoch;
        if context.block.time < context.genesis.clock().end(open) {
            break;
        }
        close(schedule, context)?;
    }
    Ok(())
}

/// Closes the open epoch.
fn close(schedule: &Schedule, context: &mut Context<'_>) -> Step<()> {
    let open = context.chain()?.epoch;
    let quote = price::quote(context)?;
    let mut networks = networks::load(open, context)?;
    let budget = shares::budget(open, schedule, &mut networks, context)?;
    pools::fix(open, quote, &budget.by_network, &mut networks, context)?;
    terms::advance(open, &mut networks);
    expire::unsettled(open, &mut networks, context)?;
    finish::ended(&mut networks, context)?;
    let able = verifiers::turn(open, context)?;
    record::write(open, quote, budget.emission, able, &networks, context)
}
