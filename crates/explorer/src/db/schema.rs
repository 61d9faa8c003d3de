//! The tables of the index. A place in the chain is one number: a transaction's is `height << 13 | place`, an event's `height << 20 |
//! place`. `network`, `account`, `device` are the ledger's numbers; amounts are base units.
//!
//! What is counted of an epoch stands together, by device: an epoch is written behind the one before, and what that costs does not grow with
//! history. What is asked of one device goes from epoch to epoch (`network_epochs`), through those whose findings are `here` and through
//! no others: rows of an epoch that is being written are there before it is.
//!
//! Totals stand in rows of their own, moved in the same transaction as what they count, so that no page goes through history.

use super::{DbError, Session, values};

/// Another number: another form of the index, which is then made anew.
pub const VERSION: i64 = 5;

/// Every table with its columns; `BYTES` stands for the database's own type.
pub const TABLES: &[(&str, &str)] = &[
    ("meta", "name TEXT PRIMARY KEY, number BIGINT, bytes BYTES"),
    ("records", "key BYTES PRIMARY KEY, value BYTES NOT NULL"),
    (
        "blocks",
        "height BIGINT PRIMARY KEY, time BIGINT NOT NULL, digest BYTES NOT NULL, header BYTES NOT NULL, certificate BYTES,
         txs BIGINT NOT NULL, events BIGINT NOT NULL, bytes BIGINT NOT NULL, leader BYTES NOT NULL, view BIGINT NOT NULL,
         all_txs BIGINT NOT NULL, all_events BIGINT NOT NULL",
    ),
    (
        "transactions",
        "at BIGINT PRIMARY KEY, id BYTES NOT NULL UNIQUE, time BIGINT NOT NULL, kind TEXT NOT NULL, account BIGINT,
         fee BIGINT NOT NULL, events BIGINT NOT NULL, bytes BYTES NOT NULL",
    ),
    ("touches", "account BIGINT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (account, at)"),
    (
        "events",
        "at BIGINT PRIMARY KEY, tx BIGINT, time BIGINT NOT NULL, kind TEXT NOT NULL, network BIGINT, account BIGINT, device BIGINT,
         bytes BYTES NOT NULL",
    ),
    (
        "accounts",
        "number BIGINT PRIMARY KEY, id BYTES NOT NULL UNIQUE, opened BIGINT NOT NULL, roles BIGINT NOT NULL, devices BIGINT NOT NULL,
         units BIGINT NOT NULL, token BIGINT NOT NULL, stable BIGINT NOT NULL, usd BIGINT NOT NULL, availability_usd BIGINT NOT NULL,
         usage_usd BIGINT NOT NULL, customers_paid BIGINT NOT NULL, last_epoch BIGINT, bought_stable BIGINT NOT NULL,
         bought_burned BIGINT NOT NULL, burned_token BIGINT NOT NULL, refunded BIGINT NOT NULL, spent BIGINT NOT NULL,
         orders BIGINT NOT NULL, last_order BIGINT, slashed BIGINT NOT NULL",
    ),
    (
        "networks",
        "number BIGINT PRIMARY KEY, id BYTES NOT NULL UNIQUE, name TEXT NOT NULL, vertical TEXT NOT NULL, founder BIGINT NOT NULL,
         devices BIGINT NOT NULL, last_epoch BIGINT, reporting BIGINT NOT NULL, accepted BIGINT NOT NULL, refused BIGINT NOT NULL,
         units BIGINT NOT NULL, availability BIGINT NOT NULL, usage BIGINT NOT NULL, cash BIGINT NOT NULL,
         customers_paid BIGINT NOT NULL, token BIGINT NOT NULL, usd BIGINT NOT NULL, availability_usd BIGINT NOT NULL,
         usage_usd BIGINT NOT NULL, open_orders BIGINT NOT NULL, operators BIGINT NOT NULL, fresh BIGINT NOT NULL,
         stale BIGINT NOT NULL",
    ),
    (
        "devices",
        "number BIGINT PRIMARY KEY, id BYTES NOT NULL UNIQUE, owner BIGINT NOT NULL, units BIGINT NOT NULL, accepted BIGINT NOT NULL,
         refused BIGINT NOT NULL, last_epoch BIGINT, state TEXT NOT NULL",
    ),
    (
        "stays",
        "network BIGINT NOT NULL, entry BIGINT NOT NULL, device BIGINT NOT NULL, operator BIGINT NOT NULL, cell BIGINT NOT NULL,
         joined BIGINT NOT NULL, left_after BIGINT, PRIMARY KEY (network, entry)",
    ),
    (
        "members",
        "network BIGINT NOT NULL, device BIGINT NOT NULL, entry BIGINT NOT NULL, operator BIGINT NOT NULL, cell BIGINT NOT NULL,
         joined BIGINT NOT NULL, left_after BIGINT, state TEXT NOT NULL, PRIMARY KEY (network, device)",
    ),
    (
        "epochs",
        "number BIGINT PRIMARY KEY, start BIGINT NOT NULL, ends BIGINT NOT NULL, height BIGINT NOT NULL, time BIGINT NOT NULL,
         emission BIGINT NOT NULL, price BIGINT, networks BIGINT NOT NULL, supply BIGINT NOT NULL, minted BIGINT NOT NULL,
         burned BIGINT NOT NULL",
    ),
    (
        "network_epochs",
        "network BIGINT NOT NULL, epoch BIGINT NOT NULL, state TEXT NOT NULL, findings TEXT NOT NULL, reports BIGINT, accepted BIGINT,
         refused BIGINT, devices BIGINT, operators BIGINT, units BIGINT NOT NULL, availability BIGINT NOT NULL, usage BIGINT NOT NULL,
         cash BIGINT NOT NULL, customers_paid BIGINT NOT NULL, disputed BIGINT NOT NULL, settled_time BIGINT, settled_at BIGINT,
         paid_token BIGINT NOT NULL, paid_stable BIGINT NOT NULL, paid_usd BIGINT NOT NULL, verifier BIGINT, files BYTES,
         PRIMARY KEY (network, epoch)",
    ),
    (
        "payouts",
        "network BIGINT NOT NULL, epoch BIGINT NOT NULL, place BIGINT NOT NULL, operator BIGINT NOT NULL, units BIGINT NOT NULL,
         availability BIGINT NOT NULL, usage BIGINT NOT NULL, cash BIGINT NOT NULL, customers_paid BIGINT NOT NULL,
         token BIGINT NOT NULL, stable BIGINT NOT NULL, usd BIGINT NOT NULL, usage_usd BIGINT NOT NULL, price BIGINT, wants BIGINT,
         tx BIGINT NOT NULL, time BIGINT NOT NULL, PRIMARY KEY (network, epoch, place)",
    ),
    (
        "operator_networks",
        "operator BIGINT NOT NULL, network BIGINT NOT NULL, units BIGINT NOT NULL, token BIGINT NOT NULL, stable BIGINT NOT NULL,
         usd BIGINT NOT NULL, PRIMARY KEY (operator, network)",
    ),
    (
        "operator_days",
        "operator BIGINT NOT NULL, day BIGINT NOT NULL, network BIGINT NOT NULL, units BIGINT NOT NULL, availability BIGINT NOT NULL,
         usage BIGINT NOT NULL, token BIGINT NOT NULL, stable BIGINT NOT NULL, usd BIGINT NOT NULL, usage_usd BIGINT NOT NULL,
         customers_paid BIGINT NOT NULL, PRIMARY KEY (operator, day, network)",
    ),
    (
        "findings",
        "network BIGINT NOT NULL, epoch BIGINT NOT NULL, device BIGINT NOT NULL, place BIGINT NOT NULL, report BYTES NOT NULL,
         units BIGINT NOT NULL, reason BIGINT, spans BYTES NOT NULL, PRIMARY KEY (network, epoch, device, place)",
    ),
    // What the newest judged epoch was judged by: roster and memory.
    ("judged", "network BIGINT PRIMARY KEY, epoch BIGINT NOT NULL, inputs BYTES NOT NULL"),
    (
        "device_epochs",
        "network BIGINT NOT NULL, epoch BIGINT NOT NULL, device BIGINT NOT NULL, operator BIGINT, accepted BIGINT NOT NULL,
         refused BIGINT NOT NULL, units BIGINT NOT NULL, reason BIGINT, PRIMARY KEY (network, epoch, device)",
    ),
    (
        "device_reasons",
        "device BIGINT NOT NULL, network BIGINT NOT NULL, reason BIGINT NOT NULL, count BIGINT NOT NULL,
         PRIMARY KEY (device, network, reason)",
    ),
    (
        "reasons",
        "network BIGINT NOT NULL, epoch BIGINT NOT NULL, reason BIGINT NOT NULL, count BIGINT NOT NULL,
         PRIMARY KEY (network, epoch, reason)",
    ),
    (
        "network_reasons",
        "network BIGINT NOT NULL, reason BIGINT NOT NULL, count BIGINT NOT NULL, PRIMARY KEY (network, reason)",
    ),
    (
        "cell_epochs",
        "network BIGINT NOT NULL, epoch BIGINT NOT NULL, cell BIGINT NOT NULL, devices BIGINT NOT NULL, reporting BIGINT NOT NULL,
         accepted BIGINT NOT NULL, refused BIGINT NOT NULL, units BIGINT NOT NULL, PRIMARY KEY (network, epoch, cell)",
    ),
    (
        "cell_values",
        "network BIGINT NOT NULL, epoch BIGINT NOT NULL, cell BIGINT NOT NULL, quantity BIGINT NOT NULL, count BIGINT NOT NULL,
         median BIGINT NOT NULL, lowest BIGINT NOT NULL, highest BIGINT NOT NULL, PRIMARY KEY (network, epoch, cell, quantity)",
    ),
    (
        "cells",
        "network BIGINT NOT NULL, cell BIGINT NOT NULL, fresh BIGINT NOT NULL, PRIMARY KEY (network, cell)",
    ),
    (
        "orders",
        "id BYTES PRIMARY KEY, at BIGINT NOT NULL UNIQUE, network BIGINT NOT NULL, customer BIGINT NOT NULL, provider BIGINT NOT NULL,
         state TEXT NOT NULL, opened BIGINT NOT NULL, returned BIGINT NOT NULL, vouchers BIGINT NOT NULL",
    ),
    (
        "bills",
        "at BIGINT PRIMARY KEY, order_id BYTES NOT NULL, network BIGINT NOT NULL, customer BIGINT NOT NULL, provider BIGINT NOT NULL,
         time BIGINT NOT NULL, epoch BIGINT NOT NULL, paid BIGINT NOT NULL, cumulative BIGINT NOT NULL, meters BYTES NOT NULL,
         tx BIGINT NOT NULL",
    ),
    (
        "customer_days",
        "customer BIGINT NOT NULL, day BIGINT NOT NULL, bought BIGINT NOT NULL, spent BIGINT NOT NULL, PRIMARY KEY (customer, day)",
    ),
    (
        "disputes",
        "network BIGINT NOT NULL, epoch BIGINT NOT NULL, at BIGINT NOT NULL UNIQUE, time BIGINT NOT NULL, disputer BIGINT NOT NULL,
         decided BIGINT, blame BIGINT, PRIMARY KEY (network, epoch)",
    ),
    (
        "slashes",
        "at BIGINT PRIMARY KEY, time BIGINT NOT NULL, tx BIGINT",
    ),
    (
        "alerts",
        "network BIGINT NOT NULL, epoch BIGINT NOT NULL, device BIGINT NOT NULL, kind TEXT NOT NULL, operator BIGINT NOT NULL,
         time BIGINT NOT NULL, height BIGINT NOT NULL, detail BIGINT, PRIMARY KEY (network, epoch, device, kind)",
    ),
];

/// What is counted of all accounts, in `meta`: those who own devices, and those who bought credits or opened orders.
pub const COUNTERS: [&str; 2] = ["operators", "customers"];

/// Tables of narrow rows, kept in the order of their key where the database can. But for devices, which are read by their number
/// alone or by one whole index, none has another index: without statistics a database takes a part of the key for better than that.
const CLUSTERED: [&str; 9] = [
    "devices",
    "findings",
    "device_epochs",
    "device_reasons",
    "reasons",
    "network_reasons",
    "cell_epochs",
    "cell_values",
    "cells",
];

/// What lists are read by, besides primary keys.
const INDEXES: &[(&str, &str)] = &[
    ("transactions_account", "transactions (account, at)"),
    ("transactions_kind", "transactions (kind, at)"),
    ("events_kind", "events (kind, at)"),
    ("events_network", "events (network, at)"),
    ("events_account", "events (account, at)"),
    ("events_device", "events (device, at)"),
    ("blocks_used", "blocks (height) WHERE txs > 0"),
    ("accounts_usd", "accounts (usd DESC, number)"),
    ("accounts_spent", "accounts (spent DESC, number)"),
    ("devices_owner", "devices (owner, number)"),
    ("devices_state", "devices (state, number)"),
    ("members_state", "members (network, state, device)"),
    ("members_operator", "members (operator, network, device)"),
    ("members_device", "members (device, network)"),
    ("members_cell", "members (network, cell)"),
    ("stays_device", "stays (device, network, entry)"),
    (
        "network_epochs_findings",
        "network_epochs (findings, epoch DESC, network)",
    ),
    ("network_epochs_epoch", "network_epochs (epoch, network)"),
    ("payouts_operator", "payouts (operator, epoch, network)"),
    (
        "operator_networks_usd",
        "operator_networks (network, usd DESC, operator)",
    ),
    ("operator_days_network", "operator_days (network, day, operator, usd)"),
    ("orders_customer", "orders (customer, at)"),
    ("orders_network", "orders (network, at)"),
    ("orders_state", "orders (state, at)"),
    ("bills_customer", "bills (customer, at)"),
    ("alerts_operator", "alerts (operator, epoch, device, kind)"),
];

/// Whether the tables are there, in this form.
pub fn is_made(session: &mut dyn Session) -> bool {
    version(session).is_ok_and(|version| version == Some(VERSION))
}

/// The form in which the tables are; none where there are none.
pub fn version(session: &mut dyn Session) -> Result<Option<i64>, DbError> {
    session.batch("CREATE TABLE IF NOT EXISTS schema_version (number BIGINT PRIMARY KEY)")?;
    let row = session.one("SELECT number FROM schema_version", values![])?;
    row.map(|row| row.int(0)).transpose()
}

/// Drops what is there and makes empty tables, in one transaction. What is kept beside the index stays.
pub fn make(session: &mut dyn Session) -> Result<(), DbError> {
    let mut sql = String::new();
    for (name, _) in TABLES {
        sql += &format!("DROP TABLE IF EXISTS {name};\n");
    }
    for (name, columns) in TABLES {
        let clustered = match CLUSTERED.contains(name) {
            true => session.clustered(),
            false => "",
        };
        let columns = columns.replace("BYTES", session.bytes_type());
        sql += &format!("CREATE TABLE {name} ({columns}) {clustered};\n");
    }
    for (name, on) in INDEXES {
        sql += &format!("CREATE INDEX {name} ON {on};\n");
    }
    for name in COUNTERS {
        sql += &format!("INSERT INTO meta (name, number) VALUES ('{name}', 0);\n");
    }
    sql += &crate::webhooks::TABLES.replace("BYTES", session.bytes_type());
    sql += &format!("DELETE FROM schema_version; INSERT INTO schema_version (number) VALUES ({VERSION});\n");
    session.begin()?;
    match session.batch(&sql) {
        Ok(()) => session.commit(),
        Err(error) => {
            session.rollback()?;
            Err(error)
        }
    }
}
