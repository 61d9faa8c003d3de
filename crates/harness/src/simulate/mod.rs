//! Towns played from seeds: several verifiers, one of them perhaps a liar, more than fifty devices, one ledger, and faults in every
//! step. One seed gives one run, always the same; what must hold is looked at by name all along.
//!
//! ```text
//! seed ─▶ scene: who, bonds, hours ─▶ founded ─┐
//!    ├──▶ faults, by step ────────────────────▶ town.step ─▶ watch: properties by name ─▶ run: what was injected, what broke
//!    └──▶ lies, by epoch ─────────────────────┘    ▲
//!                                        a planted bug, if one is asked for
//! ```
//! In each fortieth seed the ledger is what four validators agree on, with faults of their own (`consensus`).

pub mod asking;
pub mod auditor;
pub mod board;
pub mod consensus;
pub mod court;
pub mod customers;
pub mod dice;
pub mod faults;
pub mod ground;
pub mod lies;
pub mod notes;
pub mod plants;
pub mod scene;
pub mod speakers;
pub mod sweep;
pub mod town;
pub mod watch;

use crate::STEP_MS;
use crate::properties::Broken;
use cairn_types::Hash;
use consensus::Agreed;
use plants::Plant;
use scene::Scene;
use std::collections::BTreeMap;
use town::Town;

/// What came of a seed.
#[derive(Clone, Debug)]
pub struct Run {
    pub seed: u64,
    pub simulated_ms: u64,
    pub devices: u64,
    pub reports: u64,
    pub receipts: u64,
    /// Transactions the ledger took, and those it refused.
    pub transactions: (u64, u64),
    pub epochs_paid: u64,
    /// Of those, how many validators settled in the verifiers' stead.
    pub decided: u64,
    /// By kind.
    pub injected: BTreeMap<&'static str, u64>,
    pub broken: Vec<Broken>,
    /// What validators came to, where four of them agreed on the ledger.
    pub agreed: Option<Agreed>,
    /// A hash of the ledger's records at the end: two runs of one seed have the same.
    pub digest: Hash,
    /// What happened, if it was asked for.
    pub story: Vec<String>,
}

/// How seeds are played.
#[derive(Clone, Copy, Debug, Default)]
pub struct Way {
    /// With this bug planted; then no seed has validators.
    pub plant: Option<Plant>,
    /// Four validators agree on the ledger in every seed, not only in each fortieth.
    pub all_agree: bool,
    /// A verifier with half the bond stalls from some epoch on.
    pub stalls: bool,
}

/// Plays a seed to its end, with a bug if one is planted. A panic is something broken.
pub fn play(seed: u64, way: Way, tells: bool) -> Run {
    std::panic::catch_unwind(|| play_on(seed, way, tells)).unwrap_or_else(|cause| {
        let text = cause.downcast_ref::<String>().cloned();
        let what = text.or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Run {
            seed,
            simulated_ms: 0,
            devices: 0,
            reports: 0,
            receipts: 0,
            transactions: (0, 0),
            epochs_paid: 0,
            decided: 0,
            injected: BTreeMap::new(),
            broken: vec![Broken {
                property: watch::NO_PANIC,
                what: what.unwrap_or_default(),
            }],
            agreed: None,
            digest: Hash::default(),
            story: Vec::new(),
        }
    })
}

fn play_on(seed: u64, way: Way, tells: bool) -> Run {
    let mut scene = Scene::of(seed);
    scene.agrees |= way.all_agree;
    if way.stalls {
        scene = scene.stalling();
    }
    let mut town = Town::of(scene, way.plant, tells);
    while town.step() {}
    town.end();
    Run {
        seed,
        simulated_ms: town.steps() * STEP_MS,
        devices: town.devices() as u64,
        reports: town.notes().told.len() as u64,
        receipts: town.notes().receipts,
        transactions: town.ground().told(),
        epochs_paid: town.watch.completed.len() as u64,
        decided: town.watch.decided_in_their_stead.len() as u64,
        digest: town.ground().digest(),
        story: town.story(),
        agreed: town.agreed,
        injected: town.injected,
        broken: town.watch.broken,
    }
}
