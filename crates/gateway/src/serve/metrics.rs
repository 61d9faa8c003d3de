//! What a gateway counts, in Prometheus' text form. Counting never decides anything.

use crate::gateway::Delivery;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::Arc;

/// A refusal's code.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Code {
    code: &'static str,
}

/// The counters of one gateway. Clones count together.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    quotes: Counter,
    sales: Counter,
    deliveries: Counter,
    rows: Counter,
    credits: Counter,
    refused: Family<Code, Counter>,
    pending: Gauge,
    keys: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("cairn_gateway");
        let (quotes, sales, deliveries) = (Counter::default(), Counter::default(), Counter::default());
        let (rows, credits) = (Counter::default(), Counter::default());
        let (refused, pending, keys) = (Family::default(), Gauge::default(), Gauge::default());
        registry.register("quotes", "Quotes given", quotes.clone());
        registry.register("sales", "Answers paid for, each once", sales.clone());
        registry.register(
            "deliveries",
            "Answers delivered, repeated ones included",
            deliveries.clone(),
        );
        registry.register("rows", "Rows delivered", rows.clone());
        registry.register(
            "credits",
            "Credits paid for answers, settled or promised",
            credits.clone(),
        );
        registry.register("refused", "Requests refused, by code", Family::clone(&refused));
        registry.register("pending", "Sales begun and not wound up", pending.clone());
        registry.register("keys", "API keys in use", keys.clone());
        Self {
            registry: Arc::new(registry),
            quotes,
            sales,
            deliveries,
            rows,
            credits,
            refused,
            pending,
            keys,
        }
    }
}

impl Metrics {
    pub fn quoted(&self) {
        self.quotes.inc();
    }

    pub fn delivered(&self, delivery: &Delivery) {
        self.deliveries.inc();
        self.rows.inc_by(delivery.answer.len() as u64);
        if delivery.sold {
            self.sales.inc();
            self.credits.inc_by(delivery.credits.0);
        }
    }

    pub fn refused(&self, code: &'static str) {
        self.refused.get_or_create(&Code { code }).inc();
    }

    pub fn pending(&self, sales: usize, keys: usize) {
        self.pending.set(i64::try_from(sales).unwrap_or(i64::MAX));
        self.keys.set(i64::try_from(keys).unwrap_or(i64::MAX));
    }

    /// All of it as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).expect("writing into memory cannot fail");
        text
    }
}
