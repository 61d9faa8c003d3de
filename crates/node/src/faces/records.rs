//! The ledger's records as JSON: an object of each record's fields under their own names.

use super::{Face, object, struct_faces};
use cairn_ledger::account::Rule;
use cairn_ledger::economics;
use cairn_ledger::records;
use serde_json::Value;

struct_faces! {
    records::Account { number, rule, nonce, token, stable, credits, payout_choice }
    records::PayoutChoice { wants, from, before, past }
    records::Chain {
        genesis, height, time, epoch, round, beacon_due, accounts, devices, networks, verifiers, bond_active, orders_open,
        validators, ballots, settlements, uptime_ms
    }
    records::Device { number, key, owner, owner_number, registered, retired, networks, barred, bars }
    records::Bar { from, until }
    records::RosterEntry { device, id, operator, cell, joined, left }
    records::Epoch {
        start, end, closed_height, price_low, price_mid, price_high, emission, networks, beacon, closed_time, verifiers,
        closed_uptime_ms
    }
    records::Pool {
        state, availability, usage, cash, verifiers, spent_stable, spent_burned, usage_price, exchange_price, meters,
        settled, terms, parameters, roster
    }
    records::Settlement {
        result, payouts, leaves, cursor, totals, paid, operator, height, exchanged, time, signers, without, uptime_ms
    }
    records::Signer { account, bond }
    records::Roots { inputs, archive, findings, memory, anchors, previous }
    records::Anchor { verifier, root, count, reports_hash }
    records::Anchors { count, listed, reports, digest }
    records::ExchangeBook { offers, choices, running }
    records::Network {
        number, name, vertical, founder, treasurer, resolution, bond, created, closes, roster, unsettled, treasury_token,
        treasury_stable, allowance, carry_token, carry_stable, unreleased, held
    }
    records::Terms { current, next }
    records::TermsVersion { version, from, hash, bytes, price_micro_usd }
    records::Usage { stable, burned, meters, settled, share }
    records::Order {
        state, customer, provider, network, shape, terms, held, settled, expires, opened, voucher_key,
        ends_uptime_ms
    }
    records::Emission { supply, pooled, cover, slashed }
    records::StableSupply { outstanding, reserve, pooled, cover, buy_back }
    records::CreditSupply {
        stable_bought, stable_spent, stable_refunded, burned_bought, burned_spent, tokens_burned, burn_count
    }
    records::Verifier { number, index, key, bond, joining, unbonding, price, since, held }
    records::Score { agreed, differed, silent, seen, decayed }
    records::Profile { url, score }
    records::Dispute { state, ballot, disputer, bond, claim, opened, without }
    records::SignerPage { signers }
    records::Unbonding { amount, until, until_uptime_ms }
    records::Validator { account, number, key, address }
    economics::credits::CreditBalance { stable, burned }
    economics::credits::BurnCount { tokens, at }
    economics::Supply {
        premine, minted, reminted, burned, burned_before, burned_smoothed, unminted, reserve, topped_up
    }
    economics::price::Quote { low, mid, high }
    economics::netting::OfferTotals { tokens, cash }
    economics::netting::Running { tokens, cash }
    cairn_types::attestation::Totals { units, availability, usage, cash, customers_paid }
    Rule { threshold, keys }
}

impl Face for records::PoolState {
    fn face(&self) -> Value {
        let name = match self {
            Self::Closed => "closed",
            Self::Settled => "settled",
            Self::Paid => "paid",
            Self::Expired => "expired",
            Self::Released => "released",
        };
        name.into()
    }
}

impl Face for records::DisputeState {
    fn face(&self) -> Value {
        let name = match self {
            Self::Open => "open",
            Self::Rejected => "rejected",
            Self::Upheld => "upheld",
            Self::Completed => "completed",
            Self::Settled => "settled",
        };
        name.into()
    }
}

impl Face for records::OrderState {
    fn face(&self) -> Value {
        let name = match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Expired => "expired",
        };
        name.into()
    }
}

/// A verifier's last word on the price, and the round it was for.
impl Face for (cairn_types::Price, u64) {
    fn face(&self) -> Value {
        object([("price", self.0.face()), ("round", self.1.face())])
    }
}
