//! What the verifier counts, in Prometheus' text form. Counting never decides anything.

use crate::disk::{Disk, Syncing};
use cairn_types::AccountId;
use cairn_types::intake::{IntakeAnswer, IntakeRefusal};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
use std::time::Instant;

/// A refusal's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// A stage of an epoch.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabel {
    stage: &'static str,
}

/// Another verifier.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerifierLabel {
    verifier: String,
}

/// The counters of one verifier. Clones count together.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    accepted: Counter,
    refused: Family<Reason, Counter>,
    busy: Counter,
    group: Histogram,
    fsync: Histogram,
    queue: Gauge,
    stages: Family<StageLabel, Gauge>,
    paid: Counter,
    handed: Counter,
    differs: Family<VerifierLabel, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("cairn_verifier");
        let made = Self {
            registry: Arc::new(Registry::default()),
            accepted: Counter::default(),
            refused: Family::default(),
            busy: Counter::default(),
            group: Histogram::new(exponential_buckets(1.0, 4.0, 8)),
            fsync: Histogram::new(exponential_buckets(0.000_1, 3.0, 10)),
            queue: Gauge::default(),
            stages: Family::default(),
            paid: Counter::default(),
            handed: Counter::default(),
            differs: Family::default(),
        };
        registry.register(
            "reports_accepted",
            "Reports with a receipt, first time",
            made.accepted.clone(),
        );
        // Every reason is told from the start, so that the first refusal shows as a rise.
        for refusal in IntakeRefusal::ALL {
            let reason = refusal.name();
            drop(made.refused.get_or_create(&Reason { reason }));
        }
        registry.register("reports_refused", "Envelopes refused, by reason", made.refused.clone());
        registry.register("requests_busy", "Requests told to come back later", made.busy.clone());
        registry.register("group_envelopes", "Envelopes decided together", made.group.clone());
        registry.register_with_unit(
            "fsync",
            "Time to make a group durable",
            Unit::Seconds,
            made.fsync.clone(),
        );
        registry.register("queue_envelopes", "Envelopes that wait for the log", made.queue.clone());
        registry.register(
            "networks",
            "Networks by the stage of their current epoch",
            made.stages.clone(),
        );
        registry.register(
            "files_handed",
            "Anchored files that others handed on",
            made.handed.clone(),
        );
        registry.register("epochs_paid", "Epochs paid to the last operator", made.paid.clone());
        registry.register(
            "results_differ",
            "Results of other verifiers that are not ours, by verifier",
            made.differs.clone(),
        );
        Self {
            registry: Arc::new(registry),
            ..made
        }
    }
}

impl Metrics {
    /// A group was decided.
    pub fn decided(&self, accepted: usize, answers: &[IntakeAnswer]) {
        self.accepted.inc_by(accepted as u64);
        self.group.observe(answers.len() as f64);
        for answer in answers {
            if let IntakeAnswer::Refused { code, .. } = answer {
                let reason = IntakeRefusal::of(*code).map_or("Unknown", IntakeRefusal::name);
                self.refused.get_or_create(&Reason { reason }).inc();
            }
        }
    }

    pub fn busy(&self) {
        self.busy.inc();
    }

    /// An anchored file that was not here was handed on.
    pub fn handed(&self) {
        self.handed.inc();
    }

    pub fn queue(&self, envelopes: usize) {
        self.queue.set(i64::try_from(envelopes).unwrap_or(i64::MAX));
    }

    /// How many networks are at each stage now, and how many epochs were just paid.
    pub fn epochs(&self, stages: &[(&'static str, i64)], paid: usize) {
        for (stage, networks) in stages {
            self.stages.get_or_create(&StageLabel { stage }).set(*networks);
        }
        self.paid.inc_by(paid as u64);
    }

    /// A verifier was found to say something else than we do. There are as many labels as bonded verifiers.
    pub fn differs(&self, verifier: &AccountId) {
        let verifier = verifier.to_string();
        self.differs.get_or_create(&VerifierLabel { verifier }).inc();
    }

    /// All of it as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).expect("writing into memory cannot fail");
        text
    }
}

/// A disk whose syncs are timed.
pub fn timed(disk: Box<dyn Disk>, metrics: Metrics) -> impl Disk {
    Syncing::new(disk, move |disk: &mut dyn Disk, name: &str| {
        let started = Instant::now();
        let synced = disk.sync(name);
        metrics.fsync.observe(started.elapsed().as_secs_f64());
        synced
    })
}
