//! Whether a transaction may run at all: its chain, the keys in force, the nonce, and who pays the fee.

use super::{Body, Signed, Sponsor, fee};
use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::Account;
use crate::reject::Reject;
use cairn_types::{AccountId, NetworkId, Token};

/// Checks who asks, uses up the nonce, and takes and burns the fee. Returns the fee.
pub(crate) fn authorize(signed: &Signed, context: &mut Context<'_>) -> Step<Token> {
    let transaction = &signed.transaction;
    ensure(transaction.chain == context.genesis.chain, Reject::WrongChain)?;
    let rule = signed.witness.rule.hash();
    if matches!(transaction.body, Body::OpenAccount(_)) {
        ensure(
            context.load::<Account>(&transaction.account)?.is_none(),
            Reject::AccountExists,
        )?;
        ensure(rule.0 == transaction.account.0, Reject::RuleNotCurrent)?;
    } else {
        let mut sender = context.account(&transaction.account, Reject::AccountUnknown)?;
        ensure(rule == sender.rule, Reject::RuleNotCurrent)?;
        ensure(transaction.nonce > sender.nonce, Reject::NonceUsed)?;
        sender.nonce = transaction.nonce;
        context.save(&sender);
    }
    let fee = fee(&context.genesis.fees, &transaction.body);
    match transaction.sponsor {
        None => from_account(&transaction.account, transaction.fee_max, fee, context)?,
        Some(Sponsor::Account(id)) => {
            let sponsor = context.account(&id, Reject::SponsorUnknown)?;
            let shown = signed.sponsor.as_ref().map(|witness| witness.rule.hash());
            ensure(shown == Some(sponsor.rule), Reject::SponsorRuleNotCurrent)?;
            from_account(&id, transaction.fee_max, fee, context)?;
        }
        Some(Sponsor::Network(id)) => from_network(&id, signed, fee, context)?,
    }
    context.burn(fee)?;
    Ok(fee)
}

fn from_account(payer: &AccountId, fee_max: Token, fee: Token, context: &mut Context<'_>) -> Step<()> {
    ensure(fee <= fee_max, Reject::FeeAboveMax)?;
    if fee == Token::ZERO {
        return Ok(());
    }
    let mut account = context.account(payer, Reject::FeeUnaffordable)?;
    account.take_token(fee).map_err(|_| Reject::FeeUnaffordable)?;
    context.save(&account);
    context.emit(Event::FeePaid { payer: *payer, fee });
    Ok(())
}

fn from_network(id: &NetworkId, signed: &Signed, fee: Token, context: &mut Context<'_>) -> Step<()> {
    let mut network = context
        .load::<crate::records::Network>(id)?
        .ok_or(Reject::SponsorUnknown)?;
    let may = match &signed.transaction.body {
        Body::OpenAccount(_) | Body::RegisterDevice(_) => network.closes.is_none(),
        Body::JoinNetwork(body) => body.network == *id,
        Body::LeaveNetwork(body) => body.network == *id,
        Body::MoveDevice(body) => body.network == *id,
        _ => false,
    };
    ensure(may, Reject::SponsorCannotPayThis)?;
    ensure(fee <= signed.transaction.fee_max, Reject::FeeAboveMax)?;
    network.allowance = network.allowance.checked_sub(fee).ok_or(Reject::FeeUnaffordable)?;
    context.save(&network);
    context.emit(Event::AllowanceSpent { network: *id, fee });
    Ok(())
}
