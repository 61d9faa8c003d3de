//! Divides what the ledger fixed among the operators: availability by units, usage by what customers paid. Decides no pool, and
//! never pays a leaf more than the ledger's own rules pass.
//!
//! ```text
//! findings ─▶ units by operator ─────────▶ availability, to the last unit (largest remainder)
//! meters under settled roots ─▶ credits ─▶ cash and usage token (floors under the no-wash rule; the rest is carried)
//! ```

#[cfg(test)]
mod tests;

use crate::archive::{Inputs, OrderMeters};
use crate::meters;
use crate::roster;
use cairn_ledger::economics::{self, Scale, usage};
use cairn_ledger::tx::settle_order::chain_meters;
use cairn_types::attestation::Totals;
use cairn_types::{AccountNumber, Credit, DeviceNumber, Finding, Hash, PayoutLeaf, Token};
use std::collections::BTreeMap;
use thiserror::Error;

/// Inputs that cannot be divided.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum DivideError {
    #[error("sums do not fit 64 bits")]
    Overflow,
    #[error("the vouchers are not those of which the ledger has the hash")]
    Vouchers,
    #[error(transparent)]
    Economics(#[from] economics::Error),
}

/// An epoch's payout leaves, sorted by operator, each once, and their sums.
pub fn divide(inputs: &Inputs, findings: &[Finding]) -> Result<(Vec<PayoutLeaf>, Totals), DivideError> {
    let by_units = earned(inputs, findings)?.into_iter();
    let mut operators: BTreeMap<AccountNumber, (u64, Credit)> = by_units
        .map(|(operator, units)| (operator, (units, Credit::ZERO)))
        .collect();
    check_vouchers(inputs)?;
    for order in &inputs.meters {
        for (operator, credits) in delivered(inputs, order)? {
            let (_, paid) = operators.entry(operator).or_default();
            *paid = paid.checked_add(credits).ok_or(DivideError::Overflow)?;
        }
    }
    let leaves = leaves(inputs, &operators)?;
    let totals = leaves.iter().try_fold(Totals::default(), |sum, leaf| sum.plus(leaf));
    Ok((leaves, totals.ok_or(DivideError::Overflow)?))
}

/// The units of each operator, sorted. Findings come by report, so in no order of devices: sorted first, they meet the roster and
/// then their sums in one pass each, where a search for every finding would miss the caches twenty times.
fn earned(inputs: &Inputs, findings: &[Finding]) -> Result<Vec<(AccountNumber, u64)>, DivideError> {
    let earning = findings.iter().filter(|finding| finding.units > 0);
    let mut devices: Vec<(DeviceNumber, u64)> = earning.map(|finding| (finding.device, finding.units)).collect();
    devices.sort_unstable();
    let mut members = inputs.roster.iter().peekable();
    let mut earned: Vec<(AccountNumber, u64)> = Vec::with_capacity(devices.len());
    for (device, units) in devices {
        while members.next_if(|member| member.number < device).is_some() {}
        if let Some(member) = members.peek().filter(|member| member.number == device) {
            earned.push((member.operator, units));
        }
    }
    earned.sort_unstable();
    let mut sums: Vec<(AccountNumber, u64)> = Vec::new();
    for (operator, units) in earned {
        match sums.last_mut().filter(|(last, _)| *last == operator) {
            Some((_, sum)) => *sum = sum.checked_add(units).ok_or(DivideError::Overflow)?,
            None => sums.push((operator, units)),
        }
    }
    Ok(sums)
}

/// The vouchers are the ledger's, all of them, in its order.
fn check_vouchers(inputs: &Inputs) -> Result<(), DivideError> {
    let chained = inputs.meters.iter().fold(Hash::default(), |before, order| {
        let settled = &order.settled;
        chain_meters(&before, &settled.order, settled.paid, &settled.meters)
    });
    if chained == inputs.pool.meters && inputs.meters.len() as u64 == u64::from(inputs.pool.settled) {
        Ok(())
    } else {
        Err(DivideError::Vouchers)
    }
}

/// What a voucher paid for each operator's devices. Entries of another root, above what was paid, or for devices outside the
/// network count nothing: their part of the pools is carried.
fn delivered(inputs: &Inputs, order: &OrderMeters) -> Result<Vec<(AccountNumber, Credit)>, DivideError> {
    let sum = Credit::checked_sum(order.entries.iter().map(|entry| entry.credits));
    let counts =
        sum.is_some_and(|sum| sum <= order.settled.paid) && meters::root(&order.entries) == order.settled.meters;
    if !counts {
        return Ok(Vec::new());
    }
    let of_member = |entry: &meters::MeterEntry| {
        let member = roster::find(&inputs.roster, entry.device)?;
        Some((member.operator, entry.credits))
    };
    Ok(order.entries.iter().filter_map(of_member).collect())
}

fn leaves(inputs: &Inputs, operators: &BTreeMap<AccountNumber, (u64, Credit)>) -> Result<Vec<PayoutLeaf>, DivideError> {
    let pools = inputs.pool.pools();
    let scale: Scale = inputs.economics.scale()?;
    let weights: Vec<u64> = operators.values().map(|(units, _)| *units).collect();
    let availability = match economics::divide(pools.availability.0, &weights) {
        Ok(shares) => shares,
        // Nobody earned a unit: the pool is carried to the next epoch.
        Err(economics::Error::WeightsZero) => vec![0; weights.len()],
        Err(error) => return Err(error.into()),
    };
    let mut leaves = Vec::with_capacity(operators.len());
    for ((operator, (units, paid)), availability) in operators.iter().zip(availability) {
        let share = usage::share(&pools, *paid, scale, &inputs.economics)?;
        leaves.push(PayoutLeaf {
            operator: *operator,
            units: *units,
            availability: Token(availability),
            usage: share.tokens,
            cash: share.cash,
            customers_paid: *paid,
        });
    }
    Ok(leaves)
}
