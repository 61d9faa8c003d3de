//! Judging an epoch again, here: one at a time, in a thread of its own, from a verifier's archive and the index's own records. What is
//! compared, and where it first differs, is what `cairn audit` says.

use crate::archives::Sources;
use crate::db::{DbError, Location, Session};
use crate::index::records::look;
use cairn_ledger::records::{ExchangeBook, Roots, Settlement};
use cairn_ledger::store::{Missing, Store};
use cairn_ledger::{Genesis, view};
use cairn_types::{AccountId, AccountNumber, DeviceId, EpochNumber, NetworkId, OrderId, PublicKey, TimeMs};
use cairn_verifier::audit::{AuditError, Audited, audit};
use cairn_verifier::chain::{
    AccountAt, Anchoring, ChainError, ChainFacts, ChainView, Closed, DeviceAt, NetworkAt, OrderAt, SettledOrder,
    Verifiers, records,
};
use cairn_verifier::exchange::Choice;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

/// Audits remembered.
const KEPT_MAX: usize = 64;
/// Audits that wait for the one that runs.
const WAITING_MAX: usize = 1;

/// The ledger as the index has it.
struct IndexChain {
    session: Mutex<Box<dyn Session>>,
    facts: ChainFacts,
}

impl IndexChain {
    fn look<T>(&self, look: impl FnOnce(&mut dyn Store) -> Result<T, ChainError>) -> Result<T, ChainError> {
        let mut session = self.session.lock().expect("no holder of the lock panics");
        let mut answer = None;
        let done = self::look(session.as_mut(), |store| {
            answer = Some(look(store));
            Ok::<(), Missing>(())
        });
        done.map_err(|error| ChainError::Unreachable(error.to_string()))?;
        answer.unwrap_or_else(|| Err(ChainError::Unreachable("no answer".to_owned())))
    }
}

impl ChainView for IndexChain {
    fn facts(&self) -> Result<ChainFacts, ChainError> {
        Ok(self.facts.clone())
    }

    fn network(&self, network: &NetworkId, epoch: EpochNumber) -> Result<NetworkAt, ChainError> {
        self.look(|store| records::network(store, network, epoch))
    }

    fn closed(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<Closed>, ChainError> {
        self.look(|store| records::closed(store, network, epoch))
    }

    fn settled_orders(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Vec<SettledOrder>, ChainError> {
        self.look(|store| records::settled_orders(store, network, epoch))
    }

    fn anchoring(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Anchoring, ChainError> {
        self.look(|store| records::anchoring(store, &self.facts.limits, network, epoch))
    }

    fn settlement(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<Settlement>, ChainError> {
        self.look(|store| records::settlement(store, network, epoch))
    }

    fn is_stalled(&self, network: &NetworkId, epoch: EpochNumber) -> Result<bool, ChainError> {
        let (limits, epoch_ms) = (&self.facts.limits, self.facts.clock.epoch_ms);
        self.look(|store| records::is_stalled(store, limits, epoch_ms, network, epoch))
    }

    fn is_decided(&self, network: &NetworkId, epoch: EpochNumber) -> Result<bool, ChainError> {
        self.look(|store| records::is_decided(store, network, epoch))
    }

    fn is_releasable(&self, network: &NetworkId, epoch: EpochNumber) -> Result<bool, ChainError> {
        self.look(|store| records::is_releasable(store, &self.facts.limits, network, epoch))
    }

    fn without(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Vec<u32>, ChainError> {
        self.look(|store| records::without(store, network, epoch))
    }

    fn choices(&self, operators: &[AccountNumber], epoch: EpochNumber) -> Result<Vec<Choice>, ChainError> {
        self.look(|store| records::choices(store, operators, epoch))
    }

    fn exchange(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<ExchangeBook>, ChainError> {
        self.look(|store| records::exchange(store, network, epoch))
    }

    fn roots(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<Roots>, ChainError> {
        self.look(|store| records::roots(store, network, epoch))
    }

    fn verifiers(&self) -> Result<Verifiers, ChainError> {
        self.look(records::verifiers)
    }

    fn verifier_key(&self, verifier: &AccountId) -> Result<Option<PublicKey>, ChainError> {
        self.look(|store| records::verifier_key(store, verifier))
    }

    fn device(&self, device: &DeviceId) -> Result<Option<DeviceAt>, ChainError> {
        self.look(|store| records::device(store, device))
    }

    fn account(&self, account: &AccountId) -> Result<Option<AccountAt>, ChainError> {
        self.look(|store| records::account(store, account))
    }

    fn order(&self, order: &OrderId) -> Result<Option<OrderAt>, ChainError> {
        self.look(|store| records::order(store, order))
    }
}

/// One audit.
#[derive(Clone)]
struct Job {
    network: NetworkId,
    epoch: u64,
    state: &'static str,
    progress: String,
    started: Option<TimeMs>,
    ended: Option<TimeMs>,
    reports: Option<usize>,
    roots: Option<(Roots, Settlement)>,
    /// The hash of the recomputed result.
    result: Option<String>,
    /// File, and the whole difference.
    difference: Option<(String, String)>,
}

/// Audits that run, wait and ran.
#[derive(Clone, Default)]
pub struct Audits(Arc<Mutex<VecDeque<Job>>>);

impl Audits {
    fn jobs(&self) -> MutexGuard<'_, VecDeque<Job>> {
        self.0.lock().expect("no holder of the lock panics")
    }

    /// Puts an audit at the end of the queue; false when it is full. One that waits or runs already is not begun again.
    pub fn begin(&self, network: NetworkId, epoch: u64) -> bool {
        let mut jobs = self.jobs();
        let is_open = |job: &&Job| ["queued", "running"].contains(&job.state);
        if jobs
            .iter()
            .filter(is_open)
            .any(|job| (job.network, job.epoch) == (network, epoch))
        {
            return true;
        }
        if jobs.iter().filter(is_open).count() > WAITING_MAX {
            return false;
        }
        jobs.retain(|job| (job.network, job.epoch) != (network, epoch));
        if jobs.len() >= KEPT_MAX {
            jobs.pop_front();
        }
        jobs.push_back(Job {
            network,
            epoch,
            state: "queued",
            progress: "waits for its turn".to_owned(),
            started: None,
            ended: None,
            reports: None,
            roots: None,
            result: None,
            difference: None,
        });
        true
    }

    fn change(&self, network: NetworkId, epoch: u64, change: impl FnOnce(&mut Job)) {
        let mut jobs = self.jobs();
        if let Some(job) = jobs.iter_mut().find(|job| (job.network, job.epoch) == (network, epoch)) {
            change(job);
        }
    }

    /// The next one that waits.
    fn next(&self) -> Option<(NetworkId, u64)> {
        let jobs = self.jobs();
        let waits = jobs.iter().find(|job| job.state == "queued");
        waits.map(|job| (job.network, job.epoch))
    }

    /// Runs what waits. Blocking, in a thread of its own; answers whether something ran.
    pub fn run_next(
        &self,
        location: &Location,
        genesis: &Genesis,
        sources: &dyn Sources,
        now: impl Fn() -> TimeMs,
    ) -> bool {
        let Some((network, epoch)) = self.next() else {
            return false;
        };
        self.change(network, epoch, |job| {
            job.state = "running";
            job.started = Some(now());
            job.progress = "reads the archive and judges its reports again".to_owned();
        });
        let done = judged(location, genesis, sources, network, epoch);
        self.change(network, epoch, |job| {
            job.ended = Some(now());
            match done {
                Ok((audited, roots)) => {
                    job.state = if audited.difference.is_none() {
                        "equal"
                    } else {
                        "differs"
                    };
                    job.reports = Some(audited.reports);
                    job.progress = "done".to_owned();
                    job.result = Some(audited.result.to_string());
                    job.difference = audited.difference.map(|one| (one.file.clone(), one.to_string()));
                    job.roots = roots;
                }
                Err(why) => {
                    job.state = "failed";
                    job.progress = why;
                }
            }
        });
        true
    }

    /// An audit as it is shown.
    pub fn face(&self, network: NetworkId, epoch: u64) -> Value {
        let jobs = self.jobs();
        let job = jobs.iter().find(|job| (job.network, job.epoch) == (network, epoch));
        let Some(job) = job else {
            return json!({
                "network": network.to_string(), "epoch": epoch, "state": "none", "progress": "nobody asked for it yet",
                "started": null, "ended": null, "reports": null, "steps": [], "difference": null, "checked": "recomputed",
            });
        };
        json!({
            "network": network.to_string(), "epoch": epoch, "state": job.state, "progress": job.progress,
            "started": job.started.map(|time| time.to_string()), "ended": job.ended.map(|time| time.to_string()),
            "reports": job.reports, "steps": steps(job), "difference": job.difference.as_ref().map(|(_, whole)| whole),
            "checked": "recomputed",
        })
    }
}

/// Root by root, in the order in which they are compared: what comes before a difference is equal, what comes after it was not looked at.
fn steps(job: &Job) -> Vec<Value> {
    let Some((roots, settlement)) = &job.roots else {
        return Vec::new();
    };
    let all = [
        ("inputs", "inputs.cbor", roots.inputs),
        ("archive", "reports.parquet", roots.archive),
        ("findings", "findings.cbor", roots.findings),
        ("memory", "memory.cbor", roots.memory),
        ("payouts", "payouts.cbor", settlement.payouts),
        ("result", "ledger", settlement.result),
    ];
    let differs = job.difference.as_ref().map(|(file, _)| {
        let at = all.iter().position(|(_, known, _)| known == file);
        at.unwrap_or(all.len() - 1)
    });
    (0..)
        .zip(all)
        .map(|(at, (name, _, root))| {
            let equal = match differs {
                None => Some(true),
                Some(first) if at < first => Some(true),
                Some(first) if at == first => Some(false),
                Some(_) => None,
            };
            let root = root.to_string();
            let recomputed = match (name, &job.result, equal) {
                ("result", Some(result), Some(_)) => Some(result.clone()),
                (_, _, Some(true)) => Some(root.clone()),
                _ => None,
            };
            json!({ "name": name, "ledger": root, "archive": recomputed.clone(), "recomputed": recomputed, "equal": equal })
        })
        .collect()
}

type Judged = (Audited, Option<(Roots, Settlement)>);

fn judged(
    location: &Location,
    genesis: &Genesis,
    sources: &dyn Sources,
    network: NetworkId,
    epoch: u64,
) -> Result<Judged, String> {
    let words = |error: DbError| error.to_string();
    let mut session = location.open().map_err(words)?;
    let at = EpochNumber(epoch);
    let (roots, settlement, verifiers) = look(session.as_mut(), |store| {
        Ok((
            view::roots(store, &network, at)?,
            view::settlement(store, &network, at)?,
            view::verifiers(store)?,
        ))
    })
    .map_err(words)?;
    if settlement.is_none() {
        return Err("the epoch is not settled yet: there is nothing to compare with".to_owned());
    }
    let mut told = Vec::new();
    for (id, _) in verifiers {
        let profile = look(session.as_mut(), |store| view::profile(store, &id)).map_err(words)?;
        told.extend(
            profile
                .filter(|profile| !profile.url.is_empty())
                .map(|profile| (id, profile.url)),
        );
    }
    let chain = IndexChain {
        session: Mutex::new(session),
        facts: records::facts(genesis),
    };
    let mut why = "no verifier is known whose archive could be asked for".to_owned();
    for source in sources.of(&told) {
        match audit(source.objects.as_ref(), &chain, &network, at) {
            Ok(audited) => return Ok((audited, roots.zip(settlement))),
            Err(error @ (AuditError::Chain(_) | AuditError::Archive(_))) => why = error.to_string(),
        }
    }
    Err(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_audit_runs_one_waits_and_the_next_is_sent_away() {
        let audits = Audits::default();
        let network = NetworkId([1; 32]);
        assert!(audits.begin(network, 1) && audits.begin(network, 2));
        assert!(!audits.begin(network, 3));
        assert!(audits.begin(network, 2), "it waits already");
        assert_eq!(audits.face(network, 3)["state"], "none");
        assert_eq!(audits.next(), Some((network, 1)));
    }
}
