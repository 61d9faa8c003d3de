//! Findings of released epochs, out of any verifier's archive: believed only under the roots that are on the ledger. In a thread of its
//! own, so that following never waits for an archive; an epoch whose archive nobody gives is asked for again.
//!
//! ```text
//! released epoch ─▶ verifier by verifier: inputs, findings, payouts, reports ─▶ roots = the ledger's? ─▶ rows, piece by piece
//!                                                                                        ─▶ totals, alerts, and it is here
//! ```

pub mod alerts;
mod check;
mod pieces;
mod sources;
mod tally;
mod write;

pub use check::{Believed, Disbelieved, believe, is_accepted, readings, sealed_reports as believe_reports};
pub use sources::{AUDIT, CHART, HttpSources, LATE, Patience, Source, Sources};

use crate::db::{DbError, Location, Row, Session, values};
use crate::index::records::look;
use crate::live::Live;
use crate::turns::Turns;
use cairn_ledger::view;
use cairn_types::{AccountId, EpochNumber, NetworkId, TimeMs};
use cairn_verifier::archive::EpochArchive;
use pieces::{Pieces, Place, Writer};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tally::Tally;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Epochs looked at in one round.
const ROUND: u64 = 64;
/// After a verifier did not give an epoch's archive; doubled each time, up to the most.
const REST_MIN: Duration = Duration::from_secs(2);
const REST_MAX: Duration = Duration::from_secs(600);
/// Between two looks at what is awaited.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Epochs that rest at once; more are asked for with the next look.
const RESTING_MAX: usize = 10_000;

/// Fetches what is awaited.
pub struct Fetcher {
    pub location: Location,
    pub sources: Arc<dyn Sources>,
    pub live: Live,
    writer: Writer,
    /// Until when an epoch is left alone, and how often it was asked for.
    resting: BTreeMap<(u64, u64), (Instant, u32)>,
}

/// An epoch of a network whose findings are awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Awaited {
    network: u64,
    id: NetworkId,
    epoch: u64,
}

impl Fetcher {
    pub fn new(location: Location, sources: Arc<dyn Sources>, live: Live, turns: Turns) -> Self {
        Self {
            location,
            sources,
            live,
            writer: Writer::new(turns),
            resting: BTreeMap::new(),
        }
    }

    /// Fetches until told to stop. Blocking: in a thread of its own.
    pub fn run(mut self, runtime: &Handle, stop: &watch::Receiver<bool>) {
        let mut stopped = stop.clone();
        let mut news = self.live.newest();
        let mut session = None;
        while !*stop.borrow() {
            news.mark_unchanged();
            let done = self.round(&mut session, stop);
            if let Err(error) = &done {
                tracing::warn!(%error, "findings wait");
                session = None;
            }
            if matches!(done, Ok(count) if count > 0) {
                continue;
            }
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped.wait_for(|stop| *stop) => {}
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    _ = news.changed() => {}
                }
            });
        }
    }

    fn round(
        &mut self,
        session: &mut Option<Box<dyn Session>>,
        stop: &watch::Receiver<bool>,
    ) -> Result<usize, DbError> {
        let session = match session {
            Some(session) => session,
            none => none.insert(self.location.open()?),
        };
        self.writer.clear(session.as_mut())?;
        let mut done = 0;
        for awaited in self.awaited(session.as_mut())? {
            if *stop.borrow() {
                break;
            }
            let place = (awaited.network, awaited.epoch);
            let rests = self.resting.get(&place).map(|(until, _)| *until);
            if rests.is_some_and(|until| until > Instant::now()) {
                continue;
            }
            match self.fetch(awaited, session.as_mut())? {
                true => {
                    self.resting.remove(&place);
                    done += 1;
                }
                false => self.rest(place),
            }
        }
        Ok(done)
    }

    fn rest(&mut self, place: (u64, u64)) {
        if self.resting.len() >= RESTING_MAX {
            self.resting.clear();
        }
        let entry = self.resting.entry(place).or_insert((Instant::now(), 0));
        let rest = REST_MIN.saturating_mul(1 << entry.1.min(16)).min(REST_MAX);
        *entry = (Instant::now() + rest, entry.1.saturating_add(1));
    }

    /// The oldest first: what an epoch is compared with is here then.
    fn awaited(&self, session: &mut dyn Session) -> Result<Vec<Awaited>, DbError> {
        let sql = "SELECT e.network, n.id, e.epoch FROM network_epochs e JOIN networks n ON n.number = e.network
            WHERE e.findings IN ('awaited', 'differs') ORDER BY e.epoch, e.network LIMIT $1";
        let limit = ROUND + self.resting.len() as u64;
        let rows = session.all(sql, values![limit])?;
        let read = |row: &Row| {
            Ok(Awaited {
                network: row.count(0)?,
                id: NetworkId(row.id(1)?),
                epoch: row.count(2)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Asks one verifier after the other; whether the findings are here now.
    fn fetch(&self, awaited: Awaited, session: &mut dyn Session) -> Result<bool, DbError> {
        let epoch = EpochNumber(awaited.epoch);
        let ledger = look(session, |store| {
            Ok((
                view::roots(store, &awaited.id, epoch)?,
                view::settlement(store, &awaited.id, epoch)?,
                view::verifiers(store)?,
            ))
        })?;
        let (Some(roots), Some(settlement), verifiers) = ledger else {
            return Ok(false);
        };
        let mut told = Vec::new();
        for (id, _) in verifiers {
            let profile = look(session, |store| view::profile(store, &id))?;
            told.extend(
                profile
                    .filter(|profile| !profile.url.is_empty())
                    .map(|profile| (id, profile.url)),
            );
        }
        let mut differs = false;
        for source in self.sources.of(&told, sources::FETCH) {
            let archive = EpochArchive::of(source.objects.as_ref(), &awaited.id, epoch);
            match believe(&archive, &roots, &settlement) {
                Ok(believed) => {
                    let by = source.verifier;
                    return self.take(awaited, &believed, by, session).map(|()| true);
                }
                Err(Disbelieved::Differs(what)) => {
                    tracing::warn!(
                        epoch = awaited.epoch,
                        url = source.url,
                        what,
                        "an archive is not what was attested"
                    );
                    self.sources.distrust(&source.url);
                    differs = true;
                }
                Err(Disbelieved::NotThere(why)) => {
                    tracing::debug!(
                        epoch = awaited.epoch,
                        url = source.url,
                        why,
                        "an archive is not to be had"
                    );
                }
            }
        }
        if differs {
            self.writer.commit(session, |session| {
                let sql = "UPDATE network_epochs SET findings = 'differs' WHERE network = $1 AND epoch = $2 AND findings = 'awaited'";
                session.run(sql, values![awaited.network, awaited.epoch])
            })?;
        }
        Ok(false)
    }

    /// Writes it all, and tells those who listen.
    fn take(
        &self,
        awaited: Awaited,
        believed: &Believed,
        by: Option<AccountId>,
        session: &mut dyn Session,
    ) -> Result<(), DbError> {
        let place = Place {
            network: awaited.network,
            epoch: awaited.epoch,
        };
        let writer = &self.writer;
        if !writer.begin(place, session)? {
            return Ok(());
        }
        let tally = Tally::of(believed);
        let mut pieces = Pieces::new(place, believed, &tally);
        while pieces.next(writer, session)? {}
        let found = alerts::find(place.network, place.epoch, session)?;
        let changed = writer.commit(session, |session| {
            writer.holds(session)?;
            write::show(place, believed, &tally, by, session)?;
            let changed = alerts::put(place.network, &found, session)?;
            let now = crate::index::cursor(session)?.map_or(TimeMs(0), |cursor| cursor.time);
            crate::webhooks::put(session, &changed, now)?;
            Ok(changed)
        })?;
        let counts = tally.counts;
        let data = json!({
            "network": awaited.id.to_string(), "epoch": awaited.epoch,
            "accepted": counts.accepted, "refused": counts.refused, "devices": counts.devices,
        });
        self.live.tell("report_counts", data, None);
        for (operator, alert) in changed {
            self.live.tell("alert", alert, Some(operator));
        }
        Ok(())
    }
}

#[cfg(test)]
pub mod tests;
