//! What the node counts, in Prometheus' text form. Numbers only: no ids, no addresses.

use super::{Answer, Desk};
use axum::extract::State as Shared;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::Arc;

pub struct Metrics {
    registry: Registry,
    pub submitted: Counter,
    well: Counter,
    refused: Counter,
    failed: Counter,
    height: Gauge,
    time_ms: Gauge,
    pool_count: Gauge,
    pool_bytes: Gauge,
    pool_admitted: Gauge,
    waiters: Gauge,
    streams_free: Gauge,
    protocol_version: Gauge,
    protocol_spoken_max: Gauge,
    upgrade_version: Gauge,
    upgrade_height: Gauge,
    upgrade_needed: Gauge,
}

impl Metrics {
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("cairn_node");
        let mut metrics = Self {
            submitted: Counter::default(),
            well: Counter::default(),
            refused: Counter::default(),
            failed: Counter::default(),
            height: Gauge::default(),
            time_ms: Gauge::default(),
            pool_count: Gauge::default(),
            pool_bytes: Gauge::default(),
            pool_admitted: Gauge::default(),
            waiters: Gauge::default(),
            streams_free: Gauge::default(),
            protocol_version: Gauge::default(),
            protocol_spoken_max: Gauge::default(),
            upgrade_version: Gauge::default(),
            upgrade_height: Gauge::default(),
            upgrade_needed: Gauge::default(),
            registry: Registry::default(),
        };
        let counters = [
            (
                "transactions_submitted",
                "Transactions taken over HTTP",
                &metrics.submitted,
            ),
            ("answers_well", "Answers with a status below 400", &metrics.well),
            (
                "answers_refused",
                "Answers with a status of 400 to 499",
                &metrics.refused,
            ),
            (
                "answers_failed",
                "Answers with a status of 500 and above",
                &metrics.failed,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        let gauges = [
            ("height", "Height of the newest final block", &metrics.height),
            (
                "block_time_ms",
                "Time of the newest final block, Unix milliseconds",
                &metrics.time_ms,
            ),
            ("pool_transactions", "Transactions waiting", &metrics.pool_count),
            ("pool_bytes", "Bytes of the transactions waiting", &metrics.pool_bytes),
            (
                "pool_admitted",
                "Transactions ever admitted since the start",
                &metrics.pool_admitted,
            ),
            (
                "pool_waiters",
                "Callers waiting for a transaction to be final",
                &metrics.waiters,
            ),
            (
                "streams_free",
                "Event streams that could still be opened",
                &metrics.streams_free,
            ),
            (
                "protocol_version",
                "Version of the ledger's rules in force",
                &metrics.protocol_version,
            ),
            (
                "protocol_spoken_max",
                "The last version of the ledger's rules that this program speaks",
                &metrics.protocol_spoken_max,
            ),
            (
                "upgrade_version",
                "Version of the ledger's rules that is announced, 0 if none is",
                &metrics.upgrade_version,
            ),
            (
                "upgrade_height",
                "First block of the version that is announced, 0 if none is",
                &metrics.upgrade_height,
            ),
            (
                "upgrade_needed",
                "1 if this program will stop before the version that is announced",
                &metrics.upgrade_needed,
            ),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
        metrics.registry = registry;
        metrics
    }

    pub fn answered(&self, status: StatusCode) {
        let counter = match status.as_u16() {
            ..400 => &self.well,
            400..500 => &self.refused,
            _ => &self.failed,
        };
        counter.inc();
    }
}

pub async fn text(Shared(desk): Shared<Arc<Desk>>, (): ()) -> Answer {
    let metrics = &desk.metrics;
    let latest = desk.service.chain.latest().header;
    let level = desk.service.pool.level();
    let set = |gauge: &Gauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    set(&metrics.height, latest.height);
    set(&metrics.time_ms, latest.time_ms);
    set(&metrics.pool_count, level.count as u64);
    set(&metrics.pool_bytes, level.bytes as u64);
    set(&metrics.pool_admitted, level.admitted);
    set(&metrics.waiters, level.waiters as u64);
    set(&metrics.streams_free, desk.streams.available_permits() as u64);
    let rules = desk.service.rules.borrow().clone();
    let (version, height) = rules.protocol.announced().unwrap_or_default();
    set(&metrics.protocol_version, rules.protocol.version.into());
    set(&metrics.protocol_spoken_max, (*rules.speaks.end()).into());
    set(&metrics.upgrade_version, version.into());
    set(&metrics.upgrade_height, height);
    set(&metrics.upgrade_needed, rules.needs().is_some().into());
    let mut text = String::new();
    encode(&mut text, &metrics.registry).expect("writing into memory cannot fail");
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
