//! A validator's wish that a validator joins or leaves. What more than two thirds of the present validators wish of one key takes effect at
//! once, on the ledger; consensus follows some renewals of the shares later. One ballot a key: a validator's last wish counts.

use super::ballot::{self, Cast, validators};
use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::{Account, Validator, ValidatorBallot, Vote};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::{AccountId, Hash, ValidatorKey, codec, hash};
use minicbor::{CborLen, Decode, Encode};

/// Bytes of an address at most.
pub const ADDRESS_BYTES_MAX: usize = 96;

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct VoteValidator {
    #[n(0)]
    pub key: ValidatorKey,
    #[n(1)]
    pub change: Change,
}

/// What becomes of the validator with a key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum Change {
    /// It joins: who votes for it, and where its peers reach it.
    #[n(0)]
    Add(#[n(0)] AccountId, #[n(1)] String),
    #[n(1)]
    Remove,
}

/// Whether peers could reach a validator there: `host:port`, printable ASCII, not too long.
pub(crate) fn is_address(address: &str) -> bool {
    let (host, port) = address.rsplit_once(':').unwrap_or_default();
    !host.is_empty()
        && port.parse::<u16>().is_ok_and(|port| port > 0)
        && address.len() <= ADDRESS_BYTES_MAX
        && address.bytes().all(|byte| byte.is_ascii_graphic())
}

impl VoteValidator {
    pub(crate) fn reads(&self) -> Vec<Key> {
        let mut keys = vec![ValidatorBallot::key(&self.key)];
        if let Change::Add(account, _) = &self.change {
            keys.push(Account::key(account));
        }
        keys
    }

    fn choice(&self) -> Hash {
        hash::domain("cairn/validator-vote/1", &[&codec::encode(self)])
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let validators = validators(context)?;
        let place = validators.iter().position(|validator| validator.key == self.key);
        let joins = self.joins(context)?;
        let own = validators.iter().any(|validator| validator.account == *sender);
        ensure(own, Reject::NotAValidator)?;
        match &joins {
            Some(new) => {
                let taken = validators.iter().any(|validator| validator.account == new.account);
                ensure(place.is_none() && !taken, Reject::ValidatorExists)?;
                let max = usize::from(context.genesis.limits.validators_max);
                ensure(validators.len() < max, Reject::ValidatorsFull)?;
                ensure(is_address(&new.address), Reject::AddressInvalid)?;
            }
            None => {
                ensure(place.is_some(), Reject::ValidatorUnknown)?;
                ensure(validators.len() > 1, Reject::ValidatorsTooFew)?;
            }
        }
        let running = context.load::<ValidatorBallot>(&self.key)?;
        let number = match running {
            Some(running) => running.ballot,
            None => ballot::next(context)?,
        };
        let cast = Cast::check(sender, number, self.choice(), &validators, context)?;

        cast.write(context);
        context.insert(&self.key, &ValidatorBallot { ballot: number });
        context.emit(Event::ValidatorVoted {
            key: self.key,
            validator: *sender,
            choice: self.choice(),
        });
        if cast.decides {
            self.take_effect(number, joins, place, validators, context)?;
        }
        Ok(())
    }

    /// The validator that would join.
    fn joins(&self, context: &mut Context<'_>) -> Step<Option<Validator>> {
        let Change::Add(id, address) = &self.change else {
            return Ok(None);
        };
        let account = context.account(id, Reject::RecipientUnknown)?;
        Ok(Some(Validator {
            account: *id,
            number: account.number,
            key: self.key,
            address: address.clone(),
        }))
    }

    fn take_effect(
        &self,
        ballot: u64,
        joins: Option<Validator>,
        place: Option<usize>,
        mut validators: Vec<Loaded<Validator>>,
        context: &mut Context<'_>,
    ) -> Step<()> {
        for validator in &validators {
            context.delete::<Vote>(&(ballot, validator.number));
        }
        context.delete::<ValidatorBallot>(&self.key);
        let mut chain = context.chain()?;
        match (joins, place) {
            (Some(new), _) => {
                context.insert(&chain.validators, &new);
                chain.validators = chain.validators.checked_add(1).ok_or(Reject::ValidatorsFull)?;
                context.emit(Event::ValidatorAdded {
                    key: self.key,
                    account: new.account,
                    address: new.address,
                });
            }
            (None, Some(place)) => {
                // The last one takes the place of who leaves: the list stays dense.
                let last = chain.validators.checked_sub(1).ok_or(Reject::ValidatorsTooFew)?;
                if let Some(moved) = validators.pop() {
                    let place = u16::try_from(place).expect("a place in the list");
                    context.insert(&place, &moved.into_value());
                }
                context.delete::<Validator>(&last);
                chain.validators = last;
                context.emit(Event::ValidatorRemoved { key: self.key });
            }
            (None, None) => {}
        }
        context.save(&chain);
        Ok(())
    }
}
