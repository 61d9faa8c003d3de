//! What taking stake comes to, whatever for: half is burned; two tenths go to whoever showed it, at most as much as of the least bond
//! there may be; the rest is cover.
//!
//! Nobody can see whether a reporter is the verifier itself under another name. So the reward is bounded instead: who reports itself
//! loses four fifths at least, and all but two tenths of one least bond however much it had. Under its own name it gets nothing.

use crate::context::{Context, Step};
use crate::economics::invariants;
use crate::event::Event;
use crate::records::{Emission, Unbonding, Verifier};
use crate::reject::Reject;
use crate::tables::Loaded;
use cairn_types::{AccountId, BasisPoints, Token};

pub(super) const BURNED: BasisPoints = BasisPoints::new(5_000).expect("below the whole");
const REWARDED: BasisPoints = BasisPoints::new(2_000).expect("below the whole");

/// Takes so much of what a verifier has at stake, all of it at most: first what is on its way back, then what does not count yet, the
/// bond last. Returns the reporter's part, which the caller gives it.
pub(super) fn slash(
    id: &AccountId,
    mut verifier: Loaded<Verifier>,
    amount: Token,
    reporter: &AccountId,
    context: &mut Context<'_>,
) -> Step<Token> {
    let mut chain = context.chain()?;
    let mut emission: Loaded<Emission> = context.single()?;
    let slashed = amount.min(verifier.at_stake());
    let burned = slashed.part(BURNED);
    let rewarded = match reporter == id {
        true => Token::ZERO,
        false => slashed.min(context.genesis.limits.verifier_bond_min).part(REWARDED),
    };
    let cover = slashed.saturating_sub(burned).saturating_sub(rewarded);
    debug_assert_eq!(invariants::slash_is_split(slashed, burned, cover, rewarded), Ok(()));

    let mut left = slashed;
    let mut take = |held: Token| {
        let taken = held.min(left);
        left = left.saturating_sub(taken);
        held.saturating_sub(taken)
    };
    let leaving = take(verifier.unbonding_amount());
    let joining = take(verifier.joining);
    let bond = take(verifier.bond);
    let inactive = verifier.bond.saturating_sub(bond);
    chain.bond_active = chain
        .bond_active
        .checked_sub(inactive)
        .ok_or(Reject::BondInsufficient)?;
    (verifier.joining, verifier.bond) = (joining, bond);
    verifier.unbonding = match verifier.unbonding {
        Some(unbonding) if leaving > Token::ZERO => Some(Unbonding {
            amount: leaving,
            ..unbonding
        }),
        _ if bond == Token::ZERO => Some(Unbonding::begin(Token::ZERO, &chain, context.genesis)),
        _ => None,
    };
    emission.supply.burned = emission
        .supply
        .burned
        .checked_add(burned)
        .ok_or(Reject::AmountTooLarge)?;
    emission.cover = emission.cover.checked_add(cover).ok_or(Reject::AmountTooLarge)?;
    emission.slashed = emission.slashed.checked_add(slashed).ok_or(Reject::AmountTooLarge)?;

    context.save(&chain);
    context.save(&emission);
    context.save(&verifier);
    context.emit(Event::VerifierSlashed {
        verifier: *id,
        burned,
        cover,
        reporter: *reporter,
        rewarded,
    });
    Ok(rewarded)
}
