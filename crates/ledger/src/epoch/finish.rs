//! Networks whose last epoch is released or expired: the bond returns to the founder, allowance and carry go to the treasury.

use super::networks::Closing;
use crate::context::{Context, Step};
use crate::economics::Carry;
use crate::event::Event;
use crate::records::Account;
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::Record;
use cairn_types::{MicroUsd, Token};

pub(super) fn ended(networks: &mut [Closing], context: &mut Context<'_>) -> Step<()> {
    let mut ended: Vec<&mut Closing> = networks.iter_mut().filter(|closing| is_over(closing)).collect();
    let founders: Vec<Key> = ended
        .iter()
        .map(|closing| Account::key(&closing.network.founder))
        .collect();
    context.touch(&founders)?;
    for closing in &mut ended {
        let network = &mut closing.network;
        let tokens = Token::checked_sum([network.treasury_token, network.allowance, network.carry_token]);
        let dollars = MicroUsd::checked_sum([network.treasury_stable, network.carry_stable]);
        network.treasury_token = tokens.ok_or(Reject::AmountTooLarge)?;
        network.treasury_stable = dollars.ok_or(Reject::AmountTooLarge)?;
        (network.allowance, network.carry_token, network.carry_stable) = (Token::ZERO, Token::ZERO, MicroUsd::ZERO);
        if network.bond > Token::ZERO {
            let mut founder = context.account(&network.founder, Reject::AccountUnknown)?;
            founder.give_token(network.bond)?;
            context.save(&founder);
            context.emit(Event::BondReturned {
                network: closing.id,
                to: network.founder,
                amount: network.bond,
            });
            network.bond = Token::ZERO;
        }
    }
    Ok(())
}

/// Its last epoch is behind it, and it still holds something.
fn is_over(closing: &Closing) -> bool {
    let network = &closing.network;
    let holds = network.bond > Token::ZERO || network.allowance > Token::ZERO || network.carry() != Carry::default();
    holds && network.closes.is_some_and(|last| last < network.unreleased)
}
