//! Verifiers' stake turns with the epoch: what was bonded counts from now on, what was unbonded long enough ago returns to its owner,
//! and who has nothing at stake leaves the list.

use super::price;
use crate::context::{Context, Step};
use crate::event::Event;
use crate::records::{Account, Verifier, VerifierIndex};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::Record;
use cairn_types::{EpochNumber, Token};

pub(super) fn turn(open: EpochNumber, context: &mut Context<'_>) -> Step<()> {
    let mut chain = context.chain()?;
    let mut active = Token::ZERO;
    let mut listed = 0u16;
    let all = price::verifiers(chain.verifiers, context)?;
    let leaving = all
        .iter()
        .filter(|(_, verifier)| verifier.unbonding.is_some_and(|leaving| leaving.until <= open));
    let accounts: Vec<Key> = leaving.map(|(id, _)| Account::key(id)).collect();
    context.touch(&accounts)?;
    for (id, mut verifier) in all {
        if let Some(leaving) = verifier.unbonding.filter(|leaving| leaving.until <= open) {
            let mut account = context.account(&id, Reject::AccountUnknown)?;
            account.give_token(leaving.amount)?;
            context.save(&account);
            verifier.unbonding = None;
            context.emit(Event::VerifierUnbonded {
                verifier: id,
                amount: leaving.amount,
            });
        }
        verifier.bond = verifier
            .bond
            .checked_add(verifier.joining)
            .ok_or(Reject::AmountTooLarge)?;
        verifier.joining = Token::ZERO;
        active = active.checked_add(verifier.bond).ok_or(Reject::AmountTooLarge)?;
        if verifier.at_stake() == Token::ZERO {
            context.delete::<Verifier>(&id);
            continue;
        }
        verifier.index = listed;
        context.insert(&listed, &VerifierIndex { id });
        context.save(&verifier);
        listed += 1; // cannot overflow: no more than were listed before
    }
    for gone in listed..chain.verifiers {
        context.delete::<VerifierIndex>(&gone);
    }
    chain.verifiers = listed;
    chain.bond_active = active;
    context.save(&chain);
    Ok(())
}
