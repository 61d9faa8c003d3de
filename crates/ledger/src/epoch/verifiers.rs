//! Verifiers' stake turns with the epoch: what was bonded counts from now on, what was unbonded long enough ago returns to its owner,
//! and who has nothing at stake leaves the list. Nobody leaves while a result it signed is disputed; but nobody waits for the anchor of one
//! that lost everything and stays for that alone.

use super::price;
use crate::context::{Context, Step};
use crate::event::Event;
use crate::records::{Account, Profile, Verifier, VerifierIndex};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::Record;
use crate::tx::begin_score;
use cairn_types::{EpochNumber, Token};

/// How many verifiers can anchor the epoch that closes.
pub(super) fn turn(open: EpochNumber, context: &mut Context<'_>) -> Step<u16> {
    let mut chain = context.chain()?;
    let mut active = Token::ZERO;
    let (mut listed, mut able) = (0u16, 0u16);
    let all = price::verifiers(chain.verifiers, context)?;
    let leaving = all
        .iter()
        .filter(|(_, verifier)| verifier.leaving(open, chain.uptime_ms).is_some());
    let mut keys: Vec<Key> = leaving.map(|(id, _)| Account::key(id)).collect();
    let joining = all.iter().filter(|(_, verifier)| verifier.joining > Token::ZERO);
    keys.extend(joining.map(|(id, _)| Profile::key(id)));
    context.touch(&keys)?;
    for (id, mut verifier) in all {
        if let Some(leaving) = verifier.leaving(open, chain.uptime_ms) {
            verifier.unbonding = None;
            if leaving.amount > Token::ZERO {
                let mut account = context.account(&id, Reject::AccountUnknown)?;
                account.give_token(leaving.amount)?;
                context.save(&account);
                context.emit(Event::VerifierUnbonded {
                    verifier: id,
                    amount: leaving.amount,
                });
            }
        }
        if verifier.bond == Token::ZERO && verifier.joining > Token::ZERO {
            begin_score(&id, &chain, context)?;
        }
        verifier.bond = verifier
            .bond
            .checked_add(verifier.joining)
            .ok_or(Reject::AmountTooLarge)?;
        verifier.joining = Token::ZERO;
        active = active.checked_add(verifier.bond).ok_or(Reject::AmountTooLarge)?;
        if verifier.is_gone() {
            context.delete::<Verifier>(&id);
            continue;
        }
        verifier.index = listed;
        context.insert(&listed, &VerifierIndex { id });
        context.save(&verifier);
        // Neither can overflow: no more than were listed before.
        listed += 1;
        able += u16::from(verifier.at_stake() > Token::ZERO);
    }
    for gone in listed..chain.verifiers {
        context.delete::<VerifierIndex>(&gone);
    }
    chain.verifiers = listed;
    chain.bond_active = active;
    context.save(&chain);
    Ok(able)
}
