//! Votes of validators: one each, the last one given, counted over those who are validators now. More than two thirds of them, by count, decide.

use crate::context::{Context, Step, ensure};
use crate::records::{Validator, Vote};
use crate::reject::Reject;
use crate::tables::Loaded;
use cairn_types::{AccountId, Hash};

/// All validators, in order of their list.
pub(super) fn validators(context: &mut Context<'_>) -> Step<Vec<Loaded<Validator>>> {
    let places: Vec<u16> = (0..context.chain()?.validators).collect();
    let validators = context.load_many::<Validator>(&places)?.into_iter();
    Ok(validators.map(|one| one.expect("the list is dense")).collect())
}

/// The next ballot's number.
pub(super) fn next(context: &mut Context<'_>) -> Step<u64> {
    let mut chain = context.chain()?;
    let ballot = chain.ballots;
    chain.ballots = ballot.checked_add(1).ok_or(Reject::AmountTooLarge)?;
    context.save(&chain);
    Ok(ballot)
}

/// A vote that may be given, and whether it decides.
pub(super) struct Cast {
    at: (u64, cairn_types::AccountNumber),
    choice: Hash,
    pub decides: bool,
}

impl Cast {
    /// Counts the vote of a validator with those given. A vote that is there already is taken again only when it decides now: others
    /// may have left meanwhile.
    pub fn check(
        sender: &AccountId,
        ballot: u64,
        choice: Hash,
        validators: &[Loaded<Validator>],
        context: &mut Context<'_>,
    ) -> Step<Self> {
        let own = validators.iter().find(|validator| validator.account == *sender);
        let own = own.ok_or(Reject::NotAValidator)?.number;
        let ids: Vec<_> = validators.iter().map(|validator| (ballot, validator.number)).collect();
        let votes = context.load_many::<Vote>(&ids)?;
        let mut same = 1;
        let mut before = None;
        for ((_, number), vote) in ids.iter().zip(votes) {
            let vote = vote.map(|vote| vote.choice);
            if *number == own {
                before = vote;
            } else if vote == Some(choice) {
                same += 1;
            }
        }
        let decides = 3 * same > 2 * validators.len();
        ensure(before != Some(choice) || decides, Reject::VoteGiven)?;
        let at = (ballot, own);
        Ok(Self { at, choice, decides })
    }

    pub fn write(&self, context: &mut Context<'_>) {
        context.insert(&self.at, &Vote { choice: self.choice });
    }
}
