//! Networks whose last epoch is settled or expired: the bond returns to the founder, allowance and carry go to the treasury.

use super::networks::Closing;
use crate::context::{Context, Step};
use crate::event::Event;
use crate::reject::Reject;
use cairn_types::{MicroUsd, Token};

pub(super) fn ended(networks: &mut [Closing], context: &mut Context<'_>) -> Step<()> {
    for closing in networks {
        let network = &mut closing.network;
        if network.closes.is_none_or(|last| network.unsettled <= last) {
            continue;
        }
        let tokens = Token::checked_sum([network.treasury_token, network.allowance, network.carry_token]);
        let dollars = MicroUsd::checked_sum([network.treasury_stable, network.carry_stable]);
        network.treasury_token = tokens.ok_or(Reject::AmountTooLarge)?;
        network.treasury_stable = dollars.ok_or(Reject::AmountTooLarge)?;
        (network.allowance, network.carry_token, network.carry_stable) = (Token::ZERO, Token::ZERO, MicroUsd::ZERO);
        closing.usage.share = 0;
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
