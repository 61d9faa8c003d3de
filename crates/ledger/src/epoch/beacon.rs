//! Reveals the beacons of closed epochs: the seed of the first block far enough after the one that closed them. It is bound by the
//! close and unknown to everybody then. With one validator its operator can foresee it.

use crate::context::{Context, Step};
use crate::event::Event;
use crate::records::Epoch;
use crate::reject::Reject;
use crate::tables::Loaded;
use cairn_types::EpochNumber;

pub(super) fn reveal(context: &mut Context<'_>) -> Step<()> {
    let Some(beacon) = context.block.beacon else {
        return Ok(());
    };
    let limits = context.genesis.limits;
    let mut chain = context.chain()?;
    // Twice as many as may be closed in a block, so that the beacons catch up with the epochs.
    let last = chain
        .beacon_due
        .0
        .saturating_add(u64::from(limits.closes_per_block).saturating_mul(2))
        .min(chain.epoch.0);
    let waiting: Vec<EpochNumber> = (chain.beacon_due.0..last).map(EpochNumber).collect();
    for (due, epoch) in waiting.iter().zip(context.load_many::<Epoch>(&waiting)?) {
        let (due, mut epoch): (EpochNumber, Loaded<Epoch>) = (*due, epoch.ok_or(Reject::EpochOpen)?);
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
