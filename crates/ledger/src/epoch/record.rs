//! Writes what the steps came to, and opens the next epoch.

use super::networks::Closing;
use crate::context::{Context, Step};
use crate::economics::Quote;
use crate::event::Event;
use crate::records::Epoch;
use cairn_types::{EpochNumber, Token};

pub(super) fn write(
    open: EpochNumber,
    quote: Option<Quote>,
    emission: Token,
    verifiers: u16,
    networks: &[Closing],
    context: &mut Context<'_>,
) -> Step<()> {
    for closing in networks {
        context.save(&closing.network);
        context.save(&closing.usage);
        context.save(&closing.terms);
    }
    let clock = context.genesis.clock();
    let active = u32::try_from(networks.iter().filter(|closing| closing.active).count()).expect("numbers have 32 bits");
    let mut chain = context.chain()?;
    let epoch = Epoch {
        start: clock.start(open),
        end: clock.end(open),
        closed_height: context.block.height,
        price_low: quote.map(|quote| quote.low),
        price_mid: quote.map(|quote| quote.mid),
        price_high: quote.map(|quote| quote.high),
        emission,
        networks: active,
        beacon: None,
        closed_time: chain.time,
        verifiers,
        closed_uptime_ms: chain.uptime_ms,
    };
    context.insert(&open, &epoch);
    chain.epoch = open.next();
    context.save(&chain);
    context.emit(Event::EpochClosed {
        epoch: open,
        networks: active,
        emission,
    });
    Ok(())
}
