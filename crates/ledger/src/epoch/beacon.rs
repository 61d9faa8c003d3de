//! Reveals the beacons of closed epochs: the seed of the first block far enough after the one that closed them. It is bound by the
//! close and unknown to everybody then. With one validator its operator can foresee it.

use crate::context::{Context, Step};
use crate::event::Event;
use crate::records::Epoch;
use crate::reject::Reject;
use crate::tables::Loaded;

pub(super) fn reveal(context: &mut Context<'_>) -> Step<()> {
    let Some(beacon) = context.block.beacon else {
        return Ok(());
    };
    let limits = context.genesis.limits;
    let mut chain = context.chain()?;
    // Twice as many as may be closed in a block, so that the beacons catch up with the epochs.
    for _ in 0..u64::from(limits.closes_per_block).saturating_mul(2) {
        if chain.beacon_due >= chain.epoch {
            break;
        }
        let due = chain.beacon_due;
        let mut epoch: Loaded<Epoch> = context.load(&due)?.ok_or(Reject::EpochOpen)?;
        if context.block.height < epoch.closed_height.saturating_add(limits.beacon_blocks) {
            break;
        }
        epoch.beacon = Some(beacon);
        chain.beacon_due = due.next();
        context.save(&epoch);
        context.emit(Event::BeaconRevealed { epoch: due, beacon });
    }
    context.save(&chain);
    Ok(())
}
