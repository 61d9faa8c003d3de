//! What each figure means, said beside it wherever it is shown.

pub const OVERVIEW: &[(&str, &str)] = &[
    (
        "devices_reporting",
        "Devices with at least one report, accepted or refused, in the newest judged epoch.",
    ),
    (
        "reports_accepted",
        "Reports that earned units, of all epochs whose findings are here.",
    ),
    (
        "paid",
        "What operators received, after those with opposite payout choices exchanged; usd_micro is stablecoin plus token at the middle price of the block that paid it.",
    ),
    (
        "availability",
        "Token that networks paid for being there: emission and what was carried on.",
    ),
    (
        "usage_usd_micro",
        "Token and stablecoin paid for what customers used, in dollars at receipt.",
    ),
    (
        "outside_bps",
        "Usage pay as a part of all pay, both in dollars at receipt: what came from customers and not from emission, of 10,000. Purchases of linked accounts are not filtered out.",
    ),
    ("supply", "Token that exists: premine plus minted minus burned."),
];

pub const NETWORK: &[(&str, &str)] = &[
    (
        "income_per_day",
        "What each of its operators received in dollars at receipt over the 7 days up to the last with payments, divided by those of them on which the network paid.",
    ),
    (
        "price_micro_usd",
        "What customers pay for a million units of service (rows, packets).",
    ),
    (
        "fresh",
        "Cells of its devices with an accepted report in the newest judged epoch.",
    ),
    (
        "payback_days",
        "Hardware cost divided by the median over the trailing 30 days of (stablecoin + token at the middle price at receipt − running cost); never below zero.",
    ),
];

pub const OPERATOR: &[(&str, &str)] = &[
    (
        "usd_micro",
        "Stablecoin plus token at the middle price of the block that paid it; an epoch without a price counts token as nothing.",
    ),
    (
        "outside_bps",
        "Usage pay as a part of all pay, in dollars at receipt, of 10,000.",
    ),
    (
        "income_per_day",
        "Dollars at receipt of each of the last 30 days that its networks paid, from its first income on: median and range. A day without income counts as nothing.",
    ),
    (
        "payback_days",
        "Hardware cost divided by max(0, the median over the trailing 30 days of (stablecoin + token at the middle price at receipt − running cost)). The cost is entered by the reader and stays in the browser.",
    ),
];

pub const DEVICE: &[(&str, &str)] = &[
    (
        "uptime_bps",
        "Judged epochs in which it reported, of the last 24 in which it was a member of a network; of 10,000.",
    ),
    (
        "usd_micro",
        "Its part of what its operator was paid for the epoch, by units: the ledger pays operators, not devices.",
    ),
    (
        "reputation",
        "What of its reports was believed lately, of 10,000, refusals weighed by their blame and the past forgotten little by little; below the network's line it is excluded for a time.",
    ),
];

/// Name, unit, decimals (none: those of the token), sentence.
pub const SERIES: &[(&str, &str, Option<u8>, &str)] = &[
    (
        "supply",
        "token",
        None,
        "Token that exists when the epoch closes: premine plus minted minus burned.",
    ),
    ("minted", "token", None, "Token minted since genesis."),
    (
        "emission",
        "token",
        None,
        "Token that schedule and re-emission allowed for the epoch.",
    ),
    (
        "burned",
        "token",
        None,
        "Token burned since genesis: purchases of credits, fees, slashing.",
    ),
    (
        "price",
        "US dollars",
        Some(8),
        "The middle price when the epoch closed.",
    ),
    ("paid_usage", "token", None, "Token attested for what customers used."),
    (
        "paid_cash",
        "US dollars",
        Some(6),
        "Stablecoin attested for what customers used.",
    ),
    ("paid_availability", "token", None, "Token attested for being there."),
    (
        "customers_paid",
        "US dollars",
        Some(6),
        "Credits that customers paid for the epoch's service.",
    ),
    ("reports_accepted", "reports", Some(0), "Reports that earned units."),
    ("reports_refused", "reports", Some(0), "Reports that earned nothing."),
    ("devices", "devices", Some(0), "Devices that reported."),
    ("operators", "operators", Some(0), "Operators that were paid."),
    ("units", "units", Some(6), "Units that devices earned."),
];
