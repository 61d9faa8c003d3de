//! Judging an epoch again, here: one at a time, in a thread of its own, from a verifier's archive and the index's own records. What is
//! compared, and where it first differs, is what `cairn audit` says.

use crate::archives::{AUDIT, Source, Sources};
use crate::db::{DbError, Location, Session};
use crate::index::records::look;
use cairn_ledger::records::{ExchangeBook, Roots, Settlement};
use cairn_ledger::store::{Missing, Store};
use cairn_ledger::{Genesis, view};
use cairn_types::{
    AccountId, AccountNumber, DeviceId, EpochNumber, EpochResult, Hash, NetworkId, OrderId, PublicKey, TimeMs,
};
use cairn_verifier::archive::{self, EpochArchive};
use cairn_verifier::audit::{AuditError, Audited, audit, recompute};
use cairn_verifier::chain::{
    AccountAt, Anchoring, ChainError, ChainFacts, ChainView, Closed, DeviceAt, NetworkAt, OrderAt, SettledOrder,
    Verifiers, records,
};
use cairn_verifier::exchange::Choice;
use cairn_verifier::objects::Objects;
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
    /// Root by root, as it is shown.
    steps: Vec<Value>,
    /// The first difference.
    difference: Option<String>,
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
            steps: Vec::new(),
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
                Ok(judged) => {
                    let audited = judged.audited;
                    job.state = if audited.difference.is_none() {
                        "equal"
                    } else {
                        "differs"
                    };
                    job.reports = Some(audited.reports);
                    job.progress = "done".to_owned();
                    let file = audited.difference.as_ref().map(|one| one.file.as_str());
                    let (archived, recomputed) = (judged.archived.as_ref(), judged.recomputed.as_ref());
                    let ledger = judged.ledger.as_ref();
                    job.steps = ledger.map_or(Vec::new(), |ledger| steps(ledger, archived, recomputed, file));
                    let from = judged.from.map_or(String::new(), |url| format!("archive of {url}: "));
                    job.difference = audited.difference.map(|one| format!("{from}{one}"));
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
            "reports": job.reports, "steps": job.steps, "difference": job.difference,
            "checked": "recomputed",
        })
    }
}

/// What is compared, in this order, and the file each is of.
const COMPARED: [(&str, &str); 6] = [
    ("inputs", archive::INPUTS),
    ("archive", archive::REPORTS),
    ("findings", archive::FINDINGS),
    ("memory", archive::MEMORY),
    ("payouts", archive::PAYOUTS),
    ("result", "ledger"),
];

type Compared = [Hash; COMPARED.len()];

/// What a result says of each.
fn of_result(result: &EpochResult) -> Compared {
    [
        result.inputs,
        result.archive,
        result.findings,
        result.memory,
        result.payouts,
        result.hash(),
    ]
}

fn of_ledger(roots: &Roots, settlement: &Settlement) -> Compared {
    [
        roots.inputs,
        roots.archive,
        roots.findings,
        roots.memory,
        settlement.payouts,
        settlement.result,
    ]
}

/// Root by root: what the ledger has, what the archive claims, and what judging its reports came to. `file` is the one in which the first
/// difference is; where nothing could be recomputed that is all that is known.
fn steps(
    ledger: &Compared,
    archived: Option<&Compared>,
    recomputed: Option<&Compared>,
    file: Option<&str>,
) -> Vec<Value> {
    let step = |(at, (name, of)): (usize, (&str, &str))| {
        let is_broken = file == Some(of);
        let equal = recomputed.map(|all| all[at] == ledger[at] && !is_broken);
        json!({
            "name": name, "ledger": ledger[at].to_string(), "archive": archived.map(|all| all[at].to_string()),
            "recomputed": recomputed.map(|all| all[at].to_string()), "equal": equal.or(is_broken.then_some(false)),
        })
    };
    COMPARED.into_iter().enumerate().map(step).collect()
}

/// What an epoch was found to be, and what was compared.
struct Judged {
    audited: Audited,
    ledger: Option<Compared>,
    archived: Option<Compared>,
    recomputed: Option<Compared>,
    /// Whose archive differs.
    from: Option<String>,
}

/// Judges with one verifier's archive. Where something differs the whole is recomputed from the reports alone, so that each root can be
/// held against the ledger's.
fn judge(
    objects: &dyn Objects,
    chain: &IndexChain,
    network: &NetworkId,
    epoch: EpochNumber,
    ledger: Option<Compared>,
) -> Result<Judged, AuditError> {
    let audited = audit(objects, chain, network, epoch)?;
    let claimed = EpochArchive::of(objects, network, epoch).manifest().ok().flatten();
    let archived = claimed.map(|manifest| of_result(&manifest.attestation.result));
    let recomputed = match audited.difference {
        // All of it matches, the attested result with the ledger's.
        None => archived,
        Some(_) => {
            let without = chain.without(network, epoch)?;
            let again = recompute(objects, chain, network, epoch, &without);
            again.ok().map(|again| of_result(&again.result))
        }
    };
    Ok(Judged {
        audited,
        ledger,
        archived,
        recomputed,
        from: None,
    })
}

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
    let ledger = roots
        .zip(settlement)
        .map(|(roots, settlement)| of_ledger(&roots, &settlement));
    let judge = |source: &Source| {
        (
            source.url.clone(),
            judge(source.objects.as_ref(), &chain, &network, at, ledger),
        )
    };
    best(sources.of(&told, AUDIT).iter().map(judge), |url| sources.distrust(url))
}

/// Archives that may differ before an audit says that the epoch does.
const DIFFERING_MAX: usize = 4;

/// The first audit in which nothing differs. Anybody with a bond may serve a bad archive: only where none is good does the first that
/// differs stand, with whose archive it was.
fn best(
    audits: impl Iterator<Item = (String, Result<Judged, AuditError>)>,
    distrust: impl Fn(&str),
) -> Result<Judged, String> {
    let mut why = "no verifier is known whose archive could be asked for".to_owned();
    let mut first: Option<Judged> = None;
    let mut differing = 0;
    for (url, judged) in audits {
        match judged {
            Ok(judged) if judged.audited.difference.is_none() => return Ok(judged),
            Ok(judged) => {
                distrust(&url);
                differing += 1;
                first.get_or_insert(Judged {
                    from: Some(url),
                    ..judged
                });
                if differing == DIFFERING_MAX {
                    break;
                }
            }
            Err(error @ (AuditError::Chain(_) | AuditError::Archive(_))) => why = error.to_string(),
        }
    }
    first.ok_or(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_verifier::audit::Difference;

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

    fn judged(difference: Option<&str>) -> Result<Judged, AuditError> {
        let difference = difference.map(|file| Difference {
            file: file.to_owned(),
            row: None,
            field: String::new(),
            archived: String::new(),
            recomputed: String::new(),
        });
        Ok(Judged {
            audited: Audited {
                network: NetworkId([1; 32]),
                epoch: EpochNumber(1),
                reports: 0,
                result: Hash::default(),
                without: Vec::new(),
                difference,
            },
            ledger: None,
            archived: None,
            recomputed: None,
            from: None,
        })
    }

    #[test]
    fn one_bad_archive_does_not_accuse_an_epoch_and_where_all_are_bad_the_first_is_named() {
        let gone = || Err(AuditError::Chain(ChainError::Unreachable("gone".to_owned())));
        let distrusted = Mutex::new(Vec::new());
        let ask = |audits: Vec<Result<Judged, AuditError>>| {
            distrusted.lock().unwrap().clear();
            let named = ["a", "b", "c", "d", "e"].map(str::to_owned).into_iter().zip(audits);
            best(named, |url| distrusted.lock().unwrap().push(url.to_owned()))
        };
        let found = ask(vec![judged(Some("x")), gone(), judged(None)]).ok().unwrap();
        assert_eq!((found.audited.difference.is_none(), found.from), (true, None));
        assert_eq!(*distrusted.lock().unwrap(), ["a"]);
        let found = ask(vec![gone(), judged(Some("x")), judged(Some("y"))]).ok().unwrap();
        assert_eq!(found.from.as_deref(), Some("b"));
        let bad = || judged(Some("x"));
        let found = ask(vec![bad(), bad(), bad(), bad(), judged(None)]).ok().unwrap();
        assert!(found.audited.difference.is_some(), "no more than four are asked");
        assert!(ask(vec![gone()]).err().unwrap().contains("gone"));
        assert!(ask(vec![]).err().unwrap().contains("no verifier"));
    }

    #[test]
    fn each_root_is_held_against_the_ledgers() {
        let ledger: Compared = std::array::from_fn(|at| Hash([at as u8; 32]));
        let mut other = ledger;
        (other[2], other[5]) = (Hash([9; 32]), Hash([8; 32]));
        let equal = |steps: &[Value]| steps.iter().map(|step| step["equal"].as_bool()).collect::<Vec<_>>();
        let all = steps(&ledger, Some(&ledger), Some(&ledger), None);
        assert_eq!(equal(&all), [Some(true); 6]);
        let found = steps(&ledger, Some(&other), Some(&other), Some(archive::FINDINGS));
        assert_eq!(equal(&found), [true, true, false, true, true, false].map(Some));
        assert_eq!(found[2]["recomputed"], other[2].to_string());
        // The archive is broken, what it should be is what the ledger has.
        let broken = steps(&ledger, Some(&ledger), Some(&ledger), Some(archive::PAYOUTS));
        assert_eq!(equal(&broken)[4], Some(false));
        let unknown = steps(&ledger, None, None, Some(archive::INPUTS));
        assert_eq!(equal(&unknown), [Some(false), None, None, None, None, None]);
    }
}
