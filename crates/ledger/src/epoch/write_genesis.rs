//! Block 1 writes the genesis: accounts, verifiers, validators, issuers, books.

use crate::context::{Context, Step};
use crate::economics::Supply;
use crate::event::Event;
use crate::records::{
    Account, AccountIndex, Chain, CreditSupply, Emission, Issuer, Prices, StableSupply, Validator, Verifier,
    VerifierIndex,
};
use crate::reject::Reject;
use crate::tables::Loaded;
use cairn_types::{AccountNumber, EpochNumber, Hash, MicroUsd, Token};

pub(super) fn run(digest: Hash, context: &mut Context<'_>) -> Step<()> {
    let genesis = context.genesis;
    let time = context.block.time;
    let mut accounts = 0;
    let mut stable = MicroUsd::ZERO;
    for allocation in &genesis.allocations {
        let id = allocation.rule.account_id();
        let number = AccountNumber(accounts);
        let mut account = Account::new(number, allocation.rule.hash());
        (account.token, account.stable) = (allocation.token, allocation.stable);
        context.insert(&id, &account);
        context.insert(&number, &AccountIndex { id });
        stable = stable.checked_add(allocation.stable).ok_or(Reject::AmountTooLarge)?;
        accounts += 1; // cannot overflow: genesis has a maximum
    }
    let epoch = genesis.clock().epoch_of(time).unwrap_or(EpochNumber(0));
    let mut bond_active = Token::ZERO;
    let mut verifiers = 0u16;
    for named in &genesis.verifiers {
        let account: Loaded<Account> = context.account(&named.account, Reject::AccountUnknown)?;
        let mut verifier = Verifier::new(account.number, verifiers, named.key, epoch);
        verifier.bond = named.bond;
        context.insert(&named.account, &verifier);
        context.insert(&verifiers, &VerifierIndex { id: named.account });
        bond_active = bond_active.checked_add(named.bond).ok_or(Reject::AmountTooLarge)?;
        verifiers += 1; // cannot overflow: genesis has a maximum
    }
    let mut validators = 0u16;
    for named in &genesis.validators {
        let account: Loaded<Account> = context.account(&named.account, Reject::AccountUnknown)?;
        let validator = Validator {
            account: named.account,
            number: account.number,
            key: named.key,
            address: named.address.clone(),
        };
        context.insert(&validators, &validator);
        validators += 1; // cannot overflow: genesis has a maximum
    }
    let mut owed = stable;
    for named in &genesis.issuers {
        let issuer = Issuer {
            bond: named.bond,
            limit: named.limit,
            outstanding: owed,
        };
        context.insert(&named.account, &issuer);
        owed = MicroUsd::ZERO; // what genesis allocates, the first issuer owes
    }
    let chain = Chain {
        genesis: digest,
        height: context.block.height,
        time,
        epoch,
        round: genesis.round_of(time),
        beacon_due: epoch,
        accounts,
        devices: 0,
        networks: 0,
        verifiers,
        bond_active,
        orders_open: 0,
        validators,
        ballots: 0,
        settlements: 0,
        uptime_ms: 0,
    };
    context.insert(&(), &chain);
    let supply = Supply {
        premine: genesis.economics.premine,
        ..Supply::default()
    };
    context.insert(
        &(),
        &Emission {
            supply,
            ..Emission::default()
        },
    );
    context.insert(
        &(),
        &StableSupply {
            outstanding: stable,
            ..StableSupply::default()
        },
    );
    context.insert(&(), &CreditSupply::default());
    context.insert(&(), &Prices::default());
    context.emit(Event::GenesisWritten { digest });
    Ok(())
}
