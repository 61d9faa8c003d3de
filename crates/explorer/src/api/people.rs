//! Who runs the chain and judges: validators, verifiers; disputes and punishments.

use super::ApiError;
use super::ask::{Answer, Ask, Page, RECOMPUTED, text, time};
use super::devices::hex_to;
use crate::db::{Row, values};
use crate::index::event_place;
use crate::words;
use cairn_ledger::records::DisputeState;
use cairn_ledger::{Event, view};
use cairn_types::{AccountId, EpochNumber, NetworkId, PublicKey};
use serde_json::{Value, json};

/// Part of a list that is read whole.
fn part<T>(ask: &Ask<'_>, all: Vec<T>, face: impl FnMut(T) -> Value) -> Answer<Page> {
    let [after] = ask.after([0])?;
    let start = usize::try_from(after).unwrap_or(0);
    let limit = usize::try_from(ask.limit).unwrap_or(usize::MAX);
    let end = start.saturating_add(limit);
    let next = (all.len() > end).then(|| end.to_string());
    Ok(Page {
        items: all.into_iter().skip(start).take(limit).map(face).collect(),
        next,
        checked: RECOMPUTED,
    })
}

pub fn validators(ask: &mut Ask<'_>) -> Answer<Page> {
    let all = ask.look(|store| view::validators(store))?;
    let mut place = 0;
    let all: Vec<_> = all
        .into_iter()
        .map(|one| {
            place += 1;
            (place - 1, one)
        })
        .collect();
    part(ask, all, |(place, one)| {
        json!({
            "place": place, "account": one.account.to_string(), "number": one.number.0,
            "key": PublicKey::Ed25519(one.key.0).to_string(), "address": one.address,
        })
    })
}

pub fn verifiers(ask: &mut Ask<'_>) -> Answer<Page> {
    let half = ask.shared.genesis.limits.score_half_epochs;
    let (all, chain) = ask.look(|store| Ok((view::verifiers(store)?, view::chain(store)?)))?;
    let mut known = Vec::new();
    for (id, verifier) in all {
        let profile = ask.look(|store| view::profile(store, &id))?.unwrap_or_default();
        let slashed = ask.one(
            "SELECT slashed FROM accounts WHERE number = $1",
            values![verifier.number.0],
        )?;
        known.push((id, verifier, profile, slashed.map_or(0, |row| row.sum(0))));
    }
    part(ask, known, |(id, verifier, profile, slashed)| {
        let score = match &chain {
            Some(chain) => profile.score.at(chain.settlements, chain.epoch, half),
            None => profile.score,
        };
        let url = Some(profile.url).filter(|url| !url.is_empty());
        json!({
            "id": id.to_string(), "number": verifier.number.0, "key": verifier.key.to_string(), "bond": text(verifier.bond.0),
            "joining": text(verifier.joining.0), "unbonding": text(verifier.unbonding_amount().0),
            "unbonding_until": verifier.unbonding.map(|leaving| leaving.until.0), "since": verifier.since.0, "url": url,
            "price": verifier.price.map(|(price, _)| text(price.0)), "agreed": score.agreed, "differed": score.differed,
            "silent": score.silent, "held": verifier.held, "slashed": slashed,
        })
    })
}

const DISPUTES: &str = "s.network, s.epoch, s.at, s.time, s.decided, s.blame, n.id FROM disputes s JOIN networks n ON n.number = s.network";

fn dispute_face(ask: &mut Ask<'_>, row: &Row) -> Answer<Value> {
    let (id, epoch) = (NetworkId(row.id(6)?), EpochNumber(row.count(1)?));
    let dispute = ask.look(|store| view::dispute(store, &id, epoch))?;
    let dispute = dispute.ok_or_else(|| ApiError::not_found("dispute"))?;
    let votes = ask.look(|store| view::votes(store, dispute.ballot))?;
    let votes: Vec<Value> = votes
        .iter()
        .map(|(validator, vote)| json!({ "validator": validator.to_string(), "choice": vote.choice.to_string() }))
        .collect();
    let state = match dispute.state {
        DisputeState::Open => "open",
        DisputeState::Rejected => "rejected",
        DisputeState::Upheld => "upheld",
        DisputeState::Completed => "completed",
        DisputeState::Settled => "settled",
    };
    Ok(json!({
        "network": id.to_string(), "epoch": epoch.0, "state": state, "disputer": dispute.disputer.to_string(),
        "bond": text(dispute.bond.0), "claim": dispute.claim.to_string(), "opened": time(row.count(3)?),
        "opened_height": event_place(row.count(2)?).0, "decided_height": row.maybe_count(4),
        "blame": row.maybe_int(5).map(|blame| blame > 0), "votes": votes,
    }))
}

pub fn disputes(ask: &mut Ask<'_>) -> Answer<Page> {
    let network = ask.maybe_network()?;
    let only = network.map_or(-1, |network| i64::try_from(network).unwrap_or(-1));
    let [before] = ask.after([i64::MAX])?;
    let sql = format!("SELECT {DISPUTES} WHERE s.at < $1 AND ($2 = -1 OR s.network = $2) ORDER BY s.at DESC LIMIT $3");
    let rows = ask.all(&sql, values![before, only, ask.fetch()])?;
    ask.page(rows, RECOMPUTED, |row| Ok(vec![row.int(2)?]), dispute_face)
}

/// The dispute of an epoch, or null.
pub fn dispute_of(ask: &mut Ask<'_>, network: u64, epoch: u64) -> Answer<Value> {
    let sql = format!("SELECT {DISPUTES} WHERE s.network = $1 AND s.epoch = $2");
    match ask.one(&sql, values![network, epoch])? {
        Some(row) => dispute_face(ask, &row),
        None => Ok(Value::Null),
    }
}

pub fn slashes(ask: &mut Ask<'_>) -> Answer<Page> {
    let [before] = ask.after([i64::MAX])?;
    let sql = "SELECT s.at, s.time, s.tx, e.bytes, e.kind FROM slashes s JOIN events e ON e.at = s.at WHERE s.at < $1
        ORDER BY s.at DESC LIMIT $2";
    let rows = ask.all(sql, values![before, ask.fetch()])?;
    ask.page(
        rows,
        RECOMPUTED,
        |row| Ok(vec![row.int(0)?]),
        |ask, row| {
            let event: Event =
                minicbor::decode(row.bytes(3)?).map_err(|_| ApiError::unavailable("an event cannot be read"))?;
            let (who, burned, cover, reporter, rewarded) = match &event {
                Event::VerifierSlashed {
                    verifier,
                    burned,
                    cover,
                    reporter,
                    rewarded,
                } => (verifier.to_string(), burned.0, cover.0, Some(*reporter), rewarded.0),
                Event::ReceiptBroken { verifier, .. } => (verifier.to_string(), 0, 0, None, 0),
                Event::DeviceBarred { device, reporter, .. } => (device.to_string(), 0, 0, Some(*reporter), 0),
                _ => (String::new(), 0, 0, None, 0),
            };
            Ok(json!({
                "height": event_place(row.count(0)?).0, "time": time(row.count(1)?), "kind": row.text(4)?, "who": who,
                "burned": text(burned), "cover": text(cover), "reporter": reporter.map(|id| id.to_string()),
                "rewarded": text(rewarded), "sentence": words::event(&event, ask.words()),
                "transaction": ask.tx_id(row.maybe_count(2))?,
            }))
        },
    )
}

/// An account's id as the ledger's type.
pub fn account_id(ask: &mut Ask<'_>, number: u64) -> Answer<AccountId> {
    Ok(AccountId(hex_to(&ask.account_id(number)?)))
}
