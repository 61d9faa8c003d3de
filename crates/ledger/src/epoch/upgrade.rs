//! The next version of the rules takes effect in the block for which it was announced, or the first one after it.

use crate::context::{Context, Step};
use crate::event::Event;
use crate::records::Upgrade;

pub(super) fn take_effect(context: &mut Context<'_>) -> Step<()> {
    let mut protocol = context.protocol()?;
    let (height, version) = (context.block.height, protocol.at(context.block.height));
    if version == protocol.version {
        return Ok(());
    }
    (protocol.version, protocol.since) = (version, height);
    // A wish to withdraw it that came to nothing.
    (protocol.next, protocol.ballot) = (None, None);
    context.insert(&(), &protocol);
    context.insert(&version, &Upgrade { height });
    context.emit(Event::UpgradeTookEffect { version, height });
    Ok(())
}
