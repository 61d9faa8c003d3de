//! A validator's wish that the next version of the rules holds from a block on, or, once that is announced, that it does not. What more than
//! two thirds of the present validators wish is announced, or withdrawn, at once. One version after the other: a mistyped one stops nobody.

use super::ballot::{self, Cast, validators};
use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::{Protocol, Vote};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::Record;
use cairn_types::{AccountId, Hash, codec, hash};
use minicbor::{CborLen, Decode, Encode};

/// An upgrade is announced at most so many blocks before. At the least it is the `window_blocks` of the genesis.
pub const AHEAD_BLOCKS_MAX: u64 = 100_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct VoteUpgrade {
    /// The one after the version in force.
    #[n(0)]
    pub version: u16,
    /// The first block in which it holds; `None`: what is announced is withdrawn.
    #[n(1)]
    pub height: Option<u64>,
}

impl VoteUpgrade {
    pub(crate) fn reads(&self) -> Vec<Key> {
        vec![Protocol::key(&())]
    }

    fn choice(&self) -> Hash {
        hash::domain("cairn/upgrade-vote/1", &[&codec::encode(self)])
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let mut protocol = context.protocol()?;
        let validators = validators(context)?;
        let own = validators.iter().any(|validator| validator.account == *sender);
        ensure(own, Reject::NotAValidator)?;
        ensure(
            protocol.version.checked_add(1) == Some(self.version),
            Reject::VersionNotNext,
        )?;
        match self.height {
            Some(height) => {
                ensure(protocol.next.is_none(), Reject::UpgradeAnnounced)?;
                let ahead = height.saturating_sub(context.block.height);
                let least = context.genesis.limits.window_blocks;
                ensure((least..=AHEAD_BLOCKS_MAX).contains(&ahead), Reject::UpgradeHeightWrong)?;
            }
            None => ensure(protocol.next.is_some(), Reject::UpgradeNotAnnounced)?,
        }
        let number = match protocol.ballot {
            Some(running) => running,
            None => ballot::next(context)?,
        };
        let cast = Cast::check(sender, number, self.choice(), &validators, context)?;

        cast.write(context);
        protocol.ballot = Some(number);
        context.emit(Event::UpgradeVoted {
            version: self.version,
            height: self.height,
            validator: *sender,
        });
        if cast.decides {
            for validator in &validators {
                context.delete::<Vote>(&(number, validator.number));
            }
            protocol.ballot = None;
            protocol.next = self.height;
            let version = self.version;
            context.emit(match self.height {
                Some(height) => Event::UpgradeAnnounced { version, height },
                None => Event::UpgradeWithdrawn { version },
            });
        }
        context.insert(&(), &protocol);
        Ok(())
    }
}
