//! Watches disputes and stalled epochs for a validator, and settled results for whoever has a bond to put up: recomputes an epoch from what was anchored, and
//! votes or disputes with the account's key. Says nothing of an epoch whose files cannot be had, and nothing twice. What it judges by it
//! hands to every verifier that lacks it, until the epoch's money moves.
//!
//! ```text
//! ledger: what waits, what is disputed ─▶ docket ─▶ sources ─▶ recompute ─▶ handed on ─▶ proven: still so? ─▶ vote_dispute | open_dispute
//! ```
//! What it has done stands on the ledger, so that it may be killed at any moment: it keeps no file.

mod docket;
mod face;
pub mod handover;
mod sources;

pub use face::{Metrics, serve};
pub use sources::Source;

use super::chain::NodeChain;
use crate::commands::dispute::{claimed, dispute_of};
use crate::error::{Done, Failure, Kind, OrFail};
use crate::session::{Session, failed};
use cairn_client::{Confirmed, Wallet};
use cairn_ledger::Event;
use cairn_ledger::account::Rule;
use cairn_ledger::records::{
    Dispute, DisputeState, Epoch, ExchangeBook, Network, Pool, PoolState, Profile, Settlement, UNRELEASED_MAX,
    Validator, VerifierIndex, Vote,
};
use cairn_ledger::tables::Record;
use cairn_ledger::tx::open_dispute::OpenDispute;
use cairn_ledger::tx::{Body, claim_hash, vote_hash};
use cairn_types::{AccountId, EpochNumber, Hash, NetworkId, SecretKey, Token};
use cairn_verifier::audit::{Claimed, Recomputed, Verdict, verdict};
use cairn_verifier::chain::{ChainError, ChainView};
use cairn_verifier::handed::{self, File};
use docket::{At, Case, Docket, Duties, Open, Work};
use handover::Round;
use sources::Beside;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// Between two looks at the ledger, at most.
const PACE_MAX: Duration = Duration::from_secs(5);
/// And at least.
const PACE_MIN: Duration = Duration::from_millis(100);
/// It rests so many times as long as a look took, up to a limit.
const REST: u32 = 10;
const REST_MAX: Duration = Duration::from_secs(60);
/// Tries after which a file counts as not to be had though somebody who may have it does not answer: else whoever is away could hold up a
/// dispute for ever.
const TRIES_PATIENT: u32 = 5;

/// What a watcher is told.
pub struct Settings {
    pub session: Session,
    pub chain: NodeChain,
    /// Who votes and disputes.
    pub key: SecretKey,
    /// Stores that are looked into first.
    pub named: Vec<Source>,
    /// Bonds that disputes of its own may hold at once; `None`: it opens none.
    pub bonds_max: Option<Token>,
    /// It also disputes what is right but leaves out files that are to be had, where that changes what anybody is paid.
    pub completes: bool,
}

/// A watcher at work.
pub struct Watch {
    settings: Settings,
    account: AccountId,
    docket: Docket,
    metrics: Metrics,
    begun: Instant,
    /// Bonds that its own open disputes hold.
    held: Token,
    /// Its place among the validators, while it is one.
    validator: Option<Validator>,
    /// Sources that could not be judged by, and how often: they are asked last.
    poor: BTreeMap<String, u32>,
    silent: bool,
}

/// What came of a piece of work.
enum Came {
    Done,
    /// It cannot be done now.
    Later,
    /// It waits until more verifiers have what it is by.
    PutOff,
}

/// The epochs of a network that are settled and not released, however many a node says there are.
fn waiting(id: &NetworkId, network: &Network) -> impl Iterator<Item = At> + use<> {
    let end = network
        .unsettled
        .0
        .min(network.unreleased.0.saturating_add(UNRELEASED_MAX));
    let id = *id;
    (network.unreleased.0..end).map(move |epoch| (id, EpochNumber(epoch)))
}

/// Whether validators put the result in force: in the place of another, or of none.
fn is_replacing(dispute: &Dispute) -> bool {
    matches!(
        dispute.state,
        DisputeState::Upheld | DisputeState::Completed | DisputeState::Settled
    )
}

/// Those records that there are, as the node tells them.
async fn all<R: Record>(session: &Session, ids: &[R::Id]) -> Result<BTreeMap<R::Id, R>, Failure>
where
    R::Id: Copy + Ord,
{
    let records = session.told.records::<R>(ids).await.map_err(failed)?;
    let found = ids.iter().copied().zip(records);
    Ok(found.filter_map(|(id, record)| Some((id, record?))).collect())
}

impl Watch {
    pub fn new(settings: Settings, metrics: Metrics) -> Self {
        Self {
            account: Rule::single(settings.key.public()).account_id(),
            settings,
            docket: Docket::default(),
            metrics,
            begun: Instant::now(),
            held: Token::ZERO,
            validator: None,
            poor: BTreeMap::new(),
            silent: false,
        }
    }

    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Whether its account is a validator's.
    pub async fn is_validator(&mut self) -> Result<bool, Failure> {
        let validators = self.settings.session.told.validators().await.map_err(failed)?;
        self.validator = validators.into_iter().find(|one| one.account == self.account);
        Ok(self.validator.is_some())
    }

    /// Works until `stop` is done, or until the node turns out to be another chain's.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Done {
        tokio::pin!(stop);
        let epoch = Duration::from_millis(self.settings.session.genesis.epoch_ms / 20);
        let pace = epoch.clamp(PACE_MIN, PACE_MAX);
        loop {
            let looked = Instant::now();
            let worked = tokio::select! {
                () = &mut stop => return Ok(()),
                worked = self.turn() => worked?,
            };
            if !worked {
                // A node with much to tell is not asked all the time.
                let rest = pace.max((looked.elapsed() * REST).min(REST_MAX));
                tokio::select! {
                    () = &mut stop => return Ok(()),
                    () = tokio::time::sleep(rest) => {}
                }
            }
        }
    }

    /// One look, and one piece of work if any is due.
    async fn turn(&mut self) -> Result<bool, Failure> {
        let cases = match self.look().await {
            Ok(cases) => cases,
            Err(failure) if failure.kind == Kind::Unreachable => {
                self.metrics.failures.inc();
                if !std::mem::replace(&mut self.silent, true) {
                    tracing::warn!(%failure, "the ledger cannot be asked for disputes");
                }
                return Ok(false);
            }
            Err(failure) => return Err(failure),
        };
        self.silent = false;
        let duties = Duties {
            judges: self.validator.is_some(),
            opens: self.settings.bonds_max.is_some(),
        };
        let Some(work) = self.docket.next(&cases, duties, self.now_ms()) else {
            return Ok(false);
        };
        let case = cases.into_iter().find(|case| case.at == work.at());
        let case = case.expect("work is of one of the cases");
        let came = match work {
            Work::Judge(at) => self.judge(at).await,
            Work::Audit(at) => self.audit(at).await,
            Work::Raise(at) => self.raise(at).await,
            Work::HandOn(at) => self.hand_on_decided(at).await,
        };
        let (network, epoch) = case.at;
        match came {
            Ok(Came::Done) => self.docket.done(&case, work, self.now_ms()),
            Ok(Came::Later) => self.docket.failed(&case, self.now_ms()),
            Ok(Came::PutOff) => self.docket.put_off(&case, self.now_ms()),
            Err(failure) => {
                self.metrics.failures.inc();
                tracing::warn!(%network, %epoch, %failure, "an epoch could not be judged; it is tried again");
                self.docket.failed(&case, self.now_ms());
            }
        }
        Ok(true)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Epochs that are to be settled next and may be put before the validators, or are, with their cases.
    async fn stalled(&self, networks: &[(NetworkId, Network)]) -> Result<Vec<(At, Option<Dispute>)>, Failure> {
        let session = &self.settings.session;
        let (genesis, now) = (&session.genesis, session.chain().await?.moment());
        let due: Vec<At> = networks.iter().map(|(id, network)| (*id, network.unsettled)).collect();
        let before = |(id, epoch): &At| Some((*id, EpochNumber(epoch.0.checked_sub(1)?)));
        let befores: Vec<At> = due.iter().filter_map(before).collect();
        let since: Vec<EpochNumber> = networks
            .iter()
            .map(|(_, network)| network.unsettled.max(network.held))
            .collect();
        let pools = all::<Pool>(session, &due).await?;
        let cases = all::<Dispute>(session, &due).await?;
        let settled = all::<Settlement>(session, &befores).await?;
        let closed = all::<Epoch>(session, &since).await?;
        let mut stalled = Vec::new();
        for ((at, since), (_, network)) in due.iter().zip(&since).zip(networks) {
            let is_closed = pools.get(at).is_some_and(|pool| pool.state == PoolState::Closed);
            let before = before(at).filter(|_| at.1 > network.created);
            let before = before.and_then(|before| settled.get(&before)).map(Settlement::settled);
            let is_stalled = closed.get(since).is_some_and(|since| {
                let limits = &genesis.limits;
                limits.is_stalled(genesis.epoch_ms, since.closed(), before, now)
            });
            let case = cases.get(at).copied();
            if is_closed && (is_stalled || case.is_some()) {
                stalled.push((*at, case));
            }
        }
        Ok(stalled)
    }

    /// All settled epochs that wait for their money, and those that are stalled, as the node tells them: what is done about one is proven
    /// first.
    async fn look(&mut self) -> Result<Vec<Case>, Failure> {
        self.is_validator().await?;
        let Settings { session, .. } = &self.settings;
        let networks = session.networks().await?;
        let waiting: Vec<At> = networks.iter().flat_map(|(id, network)| waiting(id, network)).collect();
        let settled = all::<Settlement>(session, &waiting).await?;
        let stalled = self.stalled(&networks).await?;
        let mut disputes = all::<Dispute>(session, &waiting).await?;
        disputes.extend(stalled.iter().filter_map(|(at, case)| Some((*at, (*case)?))));
        let exchanged: Vec<At> = settled
            .iter()
            .filter(|(_, one)| one.exchanged)
            .map(|(at, _)| *at)
            .collect();
        let books = all::<ExchangeBook>(session, &exchanged).await?;
        let open: BTreeMap<At, &Dispute> = disputes
            .iter()
            .filter(|(_, dispute)| dispute.state == DisputeState::Open)
            .map(|(at, dispute)| (*at, dispute))
            .collect();
        let me = self.validator.as_ref().map(|me| me.number);
        let ballots: Vec<_> = open.values().filter_map(|open| Some((open.ballot, me?))).collect();
        let votes = all::<Vote>(session, &ballots).await?;
        let vote = |at: &At| {
            open.get(at).map(|open| Open {
                ballot: open.ballot,
                voted: votes.keys().any(|(ballot, _)| *ballot == open.ballot),
            })
        };
        let case = |(at, settlement): (&At, &Settlement)| {
            let exchange = books.get(at).map(|book| (book.offers, book.choices));
            let open = open.get(at);
            Case {
                at: *at,
                unsettled: false,
                standing: claim_hash(&settlement.result, exchange),
                dispute: vote(at),
                decided: disputes.contains_key(at) && open.is_none(),
                replaced: disputes.get(at).is_some_and(is_replacing),
                incomplete: settlement.without > 0,
            }
        };
        let unsettled = stalled.iter().map(|(at, _)| Case {
            at: *at,
            unsettled: true,
            standing: Hash::default(),
            dispute: vote(at),
            decided: false,
            replaced: false,
            incomplete: false,
        });
        let cases = settled.iter().map(case).chain(unsettled).collect();
        let ours = open.values().filter(|dispute| dispute.disputer == self.account);
        self.held = Token(ours.fold(0, |sum, dispute| sum.saturating_add(dispute.bond.0)));
        self.metrics.disputes.set(i64::try_from(open.len()).unwrap_or(i64::MAX));
        Ok(cases)
    }

    /// Recomputes a disputed epoch and votes for what it comes to.
    async fn judge(&mut self, at: At) -> Result<Came, Failure> {
        let session = &self.settings.session;
        let Some(me) = self.validator.as_ref().map(|me| me.number) else {
            return Ok(Came::Done);
        };
        let dispute = dispute_of(session, &at.0, at.1).await?;
        let Some(dispute) = dispute.filter(|dispute| dispute.state == DisputeState::Open) else {
            return Ok(Came::Done);
        };
        let claimed = claimed(session, &at.0, at.1).await?;
        let Some((verdict, sources)) = self.verdict(at, claimed).await? else {
            return Ok(Came::Later);
        };
        let round = self.hand_on(at, &verdict.comes_to().result.without, sources).await?;
        // A wrong result falls in any case, and what nobody settles is settled: to wait for more would give those who stall it what they
        // want. One that nobody is to blame for stands until all can follow the fuller one.
        if matches!(verdict, Verdict::Completed(_)) && !round.is_spread {
            self.metrics.unspread.inc();
            tracing::warn!(network = %at.0, epoch = %at.1, "too few verifiers have the files of a fuller result to vote for it");
            return Ok(Came::PutOff);
        }
        let session = &self.settings.session;
        let vote = verdict.vote();
        let choice = vote_hash(&verdict.comes_to().claim(), vote.blame);
        let id = (dispute.ballot, me);
        let voted = session.client.record::<Vote>(&id).await.map_err(failed)?.value;
        if voted.is_some_and(|vote| vote.choice == choice) {
            return Ok(Came::Done);
        }
        let is_against = matches!(verdict, Verdict::Wrong(_) | Verdict::Completed(_));
        let (against, blame) = (is_against, vote.blame);
        let result = vote.result.hash();
        let Some(sent) = self.send(Body::VoteDispute(vote)).await? else {
            return Ok(Came::Done);
        };
        self.metrics.votes.inc();
        if against {
            self.metrics.against.inc();
        }
        let decided = sent
            .events
            .iter()
            .any(|event| matches!(event, Event::DisputeDecided { .. }));
        tracing::warn!(network = %at.0, epoch = %at.1, %result, against, blame, decided, "voted on a dispute");
        Ok(Came::Done)
    }

    /// Recomputes a settled epoch, and disputes a result that is wrong, or that leaves out what is to be had.
    async fn audit(&mut self, at: At) -> Result<Came, Failure> {
        let Some((verdict, sources)) = self.verdict(at, None).await? else {
            return Ok(Came::Later);
        };
        self.metrics.audited.inc();
        match verdict {
            // What nobody settled is not audited: it was taken back just now.
            Verdict::Right(_) | Verdict::Unsettled(_) => Ok(Came::Done),
            Verdict::Completed(found) => self.complete(at, *found, sources).await,
            Verdict::Wrong(found) => {
                self.metrics.wrong.inc();
                tracing::error!(network = %at.0, epoch = %at.1, comes_to = %found.result.hash(), "a settled result is wrong");
                self.open(at, *found).await
            }
        }
    }

    /// Puts an epoch before the validators that verifiers did not settle in time, with what it comes to, and with the files for that.
    async fn raise(&mut self, at: At) -> Result<Came, Failure> {
        let Some((verdict, sources)) = self.verdict(at, None).await? else {
            return Ok(Came::Later);
        };
        let Verdict::Unsettled(found) = verdict else {
            return Ok(Came::Done);
        };
        self.hand_on(at, &found.result.without, sources).await?;
        self.open(at, *found).await
    }

    /// What to do about a result that leaves out files which are to be had: hand them on; and dispute it, if it is told to, where somebody
    /// is paid otherwise by them, once so many verifiers have them that every validator can.
    async fn complete(&mut self, at: At, found: Recomputed, sources: Vec<Source>) -> Result<Came, Failure> {
        let (network, epoch) = at;
        let round = self.hand_on(at, &found.result.without, sources).await?;
        let chain = self.settings.chain.clone();
        let settlement = self.blocking(move || chain.settlement(&network, epoch)).await?;
        let changes = settlement.is_some_and(|settlement| settlement.payouts != found.result.payouts);
        tracing::warn!(%network, %epoch, changes, "a settled result leaves out files that are to be had");
        if !(self.settings.completes && changes) {
            return Ok(Came::Done);
        }
        if !round.is_spread {
            self.metrics.unspread.inc();
            return Ok(Came::PutOff);
        }
        self.open(at, found).await
    }

    /// Hands on what the result is by that replaced another, to those who still lack it.
    async fn hand_on_decided(&mut self, at: At) -> Result<Came, Failure> {
        let chain = self.settings.chain.clone();
        let without = self.blocking(move || chain.without(&at.0, at.1)).await?;
        let sources = self.sources(at).await?;
        let round = self.hand_on(at, &without, sources).await?;
        Ok(if round.lacking == 0 { Came::Done } else { Came::PutOff })
    }

    /// Hands the files of a result that leaves out these places to every verifier that lacks them.
    async fn hand_on(&self, at: At, without: &[u32], sources: Vec<Source>) -> Result<Round, Failure> {
        let (chain, without) = (self.settings.chain.clone(), without.to_vec());
        let asked = move || Ok((handed::files(&chain, &at.0, at.1, &without)?, chain.verifiers()?));
        let (files, verifiers) = self.blocking(asked).await?;
        let verifiers = handover::reachable(verifiers, self.settings.session.settings.node());
        let load = |file: File| {
            let sources = sources.clone();
            async move {
                // The sources are asked in a blocking way.
                let loaded = tokio::task::spawn_blocking(move || sources::load(&sources, &file));
                loaded.await.ok().flatten()
            }
        };
        let round = handover::hand_on(&files, &verifiers, load).await;
        self.metrics.handed.inc_by(round.given);
        Ok(round)
    }

    /// A question to the chain, which is asked in a blocking way.
    async fn blocking<T: Send + 'static>(
        &self,
        ask: impl FnOnce() -> Result<T, ChainError> + Send + 'static,
    ) -> Result<T, Failure> {
        let asked = tokio::task::spawn_blocking(ask).await;
        let asked = asked.or_fail(Kind::Internal, "a question to the chain")?;
        asked.or_fail(Kind::Unreachable, "the chain's records of an epoch")
    }

    async fn open(&mut self, at: At, found: Recomputed) -> Result<Came, Failure> {
        let session = &self.settings.session;
        if dispute_of(session, &at.0, at.1).await?.is_some() {
            return Ok(Came::Done);
        }
        let bond = session.genesis.limits.dispute_bond;
        // A validator has one bond for what is stalled: it returns.
        let bonds_max = self.settings.bonds_max.unwrap_or(bond);
        if self.held.0.saturating_add(bond.0) > bonds_max.0 {
            tracing::error!(network = %at.0, epoch = %at.1, "it is not disputed: the bonds for that are all held");
            return Ok(Came::Later);
        }
        let body = OpenDispute {
            claimed: found.result,
            exchange: found.exchange,
        };
        if self.send(Body::OpenDispute(body)).await?.is_some() {
            self.metrics.opened.inc();
            tracing::warn!(network = %at.0, epoch = %at.1, "opened a dispute");
        }
        Ok(Came::Done)
    }

    /// What an epoch is found to be, by the first source that can be judged by, and all sources; `None`: there is none.
    async fn verdict(&mut self, at: At, claimed: Option<Claimed>) -> Result<Option<(Verdict, Vec<Source>)>, Failure> {
        let mut sources = self.sources(at).await?;
        self.poor
            .retain(|name, _| sources.iter().any(|source| source.name == *name));
        sources.sort_by_key(|source| self.poor.get(&source.name).copied().unwrap_or_default());
        let patient = self.docket.failures(&at) < TRIES_PATIENT;
        let (chain, all) = (self.settings.chain.clone(), sources.clone());
        // The chain and the sources are asked in a blocking way.
        let judging = tokio::task::spawn_blocking(move || {
            let mut poor = Vec::new();
            for source in &sources {
                let objects = Beside {
                    first: source,
                    all: &sources,
                    patient,
                };
                match verdict(&objects, &chain, &at.0, at.1, claimed.as_ref()) {
                    Ok(found) => return (Some(found), poor),
                    Err(error) => {
                        let name = &source.name;
                        tracing::warn!(network = %at.0, epoch = %at.1, source = name, %error, "an archive cannot be judged by");
                        poor.push(name.clone());
                    }
                }
            }
            (None, poor)
        });
        let (found, poor) = judging.await.or_fail(Kind::Internal, "judging an epoch")?;
        for name in poor {
            let failures = self.poor.entry(name).or_default();
            *failures = failures.saturating_add(1);
        }
        if found.is_none() {
            self.metrics.unfetched.inc();
        }
        Ok(found.map(|found| (found, all)))
    }

    /// Where an epoch's files may be: with those on the ledger's list of verifiers, and with those who anchored them.
    async fn sources(&self, at: At) -> Result<Vec<Source>, Failure> {
        let session = &self.settings.session;
        let chain = self.settings.chain.clone();
        let anchored = self.blocking(move || chain.anchoring(&at.0, at.1)).await?;
        let places: Vec<u16> = (0..session.chain().await?.verifiers).collect();
        let listed = session.told.records::<VerifierIndex>(&places).await.map_err(failed)?;
        let listed = listed.into_iter().flatten().map(|place| place.id);
        let accounts: BTreeSet<AccountId> = listed
            .chain(anchored.anchors.iter().map(|anchor| anchor.verifier))
            .collect();
        let accounts: Vec<AccountId> = accounts.into_iter().collect();
        let profiles = session.told.records::<Profile>(&accounts).await.map_err(failed)?;
        let urls = profiles.into_iter().flatten().map(|profile| profile.url);
        Ok(sources::of(
            &self.settings.named,
            urls,
            session.settings.node(),
            &Handle::current(),
        ))
    }

    /// Sends a transaction; `None` when the ledger has it already, or what it is about is over.
    async fn send(&self, body: Body) -> Result<Option<Confirmed>, Failure> {
        use cairn_ledger::Reject::*;
        let session = &self.settings.session;
        let mut wallet = Wallet::single(&session.genesis, self.settings.key.clone());
        match session.client.send(&mut wallet, body).await {
            Ok(confirmed) => Ok(Some(confirmed)),
            Err(error) => match error.reject() {
                Some(
                    VoteGiven | DisputeUnknown | DisputeDecided | DisputeExists | DisputeTooLate | ClaimIsSettled
                    | NotAValidator | NotStalled | EpochNotNext,
                ) => Ok(None),
                _ => Err(failed(error)),
            },
        }
    }
}
