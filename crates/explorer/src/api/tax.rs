//! What an operator received and disposed of, first in, first out: the lots that a disposal uses up are the oldest that are left.
//! Rounds costs down, so that gains are never understated.

use super::ApiError;
use super::ask::{Answer, Ask, Page, RECOMPUTED, maybe_amount, text, time};
use crate::db::{Row, values};
use crate::index::{EVENT_BITS, TX_BITS, tx_at};
use crate::words;
use cairn_ledger::Event;
use cairn_ledger::tx::Asset;
use cairn_types::TimeMs;
use cairn_types::money::mul_div_floor;
use serde_json::{Value, json};
use std::collections::VecDeque;

/// Movements of one account that are read.
const MOVES_MAX: u64 = 200_000;
/// Events by which something comes or goes.
const KINDS: &str = "'transferred', 'fee_paid', 'credits_bought', 'credits_refunded', 'token_sold_back', 'stable_redeemed', 'stable_issued',
    'verifier_slashed', 'treasury_funded', 'treasury_drawn', 'verifier_paid', 'dispute_opened', 'dispute_bond_returned'";

/// Something that came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    pub time: u64,
    /// In the order of the chain.
    pub at: u64,
    pub came: bool,
    pub token: bool,
    pub amount: u64,
    /// Worth in micro-USD at that moment.
    pub usd: u64,
    pub note: String,
    pub tx: Option<u64>,
    pub epoch: Option<u64>,
    pub network: Option<u64>,
}

/// A lot that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lot {
    time: u64,
    amount: u64,
    cost: u64,
}

/// A movement, and of a disposal what the lots cost and when the first of them came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub of: Move,
    pub cost: Option<u64>,
    pub lot_time: Option<u64>,
}

/// Lots in the order of the moves. What is disposed of beyond the lots cost nothing: it came before the index, or as an allocation.
pub fn lines(mut moves: Vec<Move>) -> Vec<Line> {
    moves.sort_by_key(|one| (one.at, !one.came));
    let (mut tokens, mut stables): (VecDeque<Lot>, VecDeque<Lot>) = Default::default();
    let mut lines = Vec::with_capacity(moves.len());
    for of in moves {
        let lots = if of.token { &mut tokens } else { &mut stables };
        if of.came {
            lots.push_back(Lot {
                time: of.time,
                amount: of.amount,
                cost: of.usd,
            });
            lines.push(Line {
                of,
                cost: None,
                lot_time: None,
            });
            continue;
        }
        let (mut left, mut cost, mut first) = (of.amount, 0u64, None);
        while left > 0 {
            let Some(lot) = lots.front_mut() else { break };
            first = first.or(Some(lot.time));
            if lot.amount <= left {
                left -= lot.amount;
                cost = cost.saturating_add(lot.cost);
                lots.pop_front();
            } else {
                let part = mul_div_floor(lot.cost, left, lot.amount).unwrap_or(0);
                cost = cost.saturating_add(part);
                lot.cost -= part;
                lot.amount -= left;
                left = 0;
            }
        }
        lines.push(Line {
            of,
            cost: Some(cost),
            lot_time: first,
        });
    }
    lines
}

/// The worth of tokens at the price of the epoch that was open, or the one before.
fn worth(ask: &mut Ask<'_>, tokens: u64, time: u64) -> Answer<u64> {
    let open = ask.shared.genesis.clock().epoch_of(TimeMs(time)).unwrap_or_default();
    let sql = "SELECT price FROM epochs WHERE number <= $1 AND price IS NOT NULL ORDER BY number DESC LIMIT 1";
    let price = ask.one(sql, values![open.0])?.and_then(|row| row.maybe_count(0));
    let scale = ask.shared.genesis.economics.scale();
    let worth = price.zip(scale.ok());
    let worth = worth.and_then(|(price, scale)| {
        scale
            .credits_for(cairn_types::Token(tokens), cairn_types::Price(price))
            .ok()
    });
    Ok(worth.map_or(0, |credits| credits.0))
}

fn moves(ask: &mut Ask<'_>, number: u64) -> Answer<Vec<Move>> {
    let sql = "SELECT tx, time, token, stable, usd, price, epoch, network FROM payouts WHERE operator = $1 ORDER BY tx LIMIT $2";
    let payouts = whole(ask.all(sql, values![number, MOVES_MAX + 1])?)?;
    let mut moves = Vec::new();
    for row in &payouts {
        let (tx, stable) = (row.count(0)?, row.sum(3));
        let note = format!("Pay for epoch {}.", row.count(6)?);
        let one = |token: bool, amount: u64, usd: u64| Move {
            time: row.sum(1),
            at: tx,
            came: true,
            token,
            amount,
            usd,
            note: note.clone(),
            tx: Some(tx),
            epoch: row.maybe_count(6),
            network: row.maybe_count(7),
        };
        moves.push(one(true, row.sum(2), row.sum(4).saturating_sub(stable)));
        moves.push(one(false, stable, stable));
    }
    let id = super::devices::hex_to(&ask.account_id(number)?);
    // An event stands in the block of its transaction: looked up there, and not among all events of its kind, of which there are many
    // more. The kind is asked for as something that no index has.
    let sql = format!(
        "SELECT e.bytes, e.time, e.tx, e.at FROM touches t JOIN events e ON e.tx = t.at
        AND e.at >= ((t.at >> {TX_BITS}) << {EVENT_BITS}) AND e.at < (((t.at >> {TX_BITS}) + 1) << {EVENT_BITS})
        WHERE t.account = $1 AND (e.kind || '') IN ({KINDS}) ORDER BY t.at, e.at LIMIT $2"
    );
    let rows = whole(ask.all(&sql, values![number, MOVES_MAX + 1])?)?;
    for row in &rows {
        of_event(ask, &id, row, &mut moves)?;
    }
    moves.retain(|one| one.amount > 0);
    Ok(moves)
}

/// All rows, or a refusal: lots of which some are missing are wrong lots.
fn whole(rows: Vec<Row>) -> Answer<Vec<Row>> {
    let hint = "count lots out of /v1/operators/{id}/income.csv?step=epoch and the account's transactions";
    match rows.len() as u64 > MOVES_MAX {
        true => Err(ApiError::bad(
            "too_much",
            "this account has moved more often than can be counted here",
            hint,
        )),
        false => Ok(rows),
    }
}

fn of_event(ask: &mut Ask<'_>, id: &[u8; 32], row: &Row, moves: &mut Vec<Move>) -> Answer<()> {
    let Ok(event) = minicbor::decode::<Event>(row.bytes(0)?) else {
        return Ok(());
    };
    let (at_time, tx) = (row.count(1)?, row.maybe_count(2));
    let note = words::event(&event, ask.words());
    let at = tx.unwrap_or_else(|| tx_at(crate::index::event_place(row.sum(3)).0, 0));
    let one = |came: bool, token: bool, amount: u64, usd: u64| Move {
        time: at_time,
        at,
        came,
        token,
        amount,
        usd,
        note: note.clone(),
        tx,
        epoch: None,
        network: None,
    };
    match &event {
        Event::Transferred { from, to, amount } => {
            let (token, amount, usd) = asset(ask, *amount, at_time)?;
            moves.extend((from.0 == *id).then(|| one(false, token, amount, usd)));
            moves.extend((to.0 == *id).then(|| one(true, token, amount, usd)));
        }
        Event::FeePaid { payer, fee } if payer.0 == *id => {
            let usd = worth(ask, fee.0, at_time)?;
            moves.push(one(false, true, fee.0, usd));
        }
        Event::CreditsBought {
            account,
            credits,
            paid,
            burned,
        } if account.0 == *id => {
            moves.push(one(false, true, burned.0, if paid.0 == 0 { credits.0 } else { 0 }));
            moves.push(one(false, false, paid.0, paid.0));
        }
        // What it paid for them was disposed of then; what comes back is worth what it is.
        Event::CreditsRefunded { account, paid, .. } if account.0 == *id => {
            moves.push(one(true, false, paid.0, paid.0));
        }
        Event::VerifierSlashed { reporter, rewarded, .. } if reporter.0 == *id => {
            let usd = worth(ask, rewarded.0, at_time)?;
            moves.push(one(true, true, rewarded.0, usd));
        }
        // In dollars, as stablecoin.
        Event::VerifierPaid { verifier, amount, .. } if verifier.0 == *id => {
            moves.push(one(true, false, amount.0, amount.0));
        }
        // A bond that is lost never comes back; one that does is worth what it is then.
        Event::DisputeOpened { disputer, bond, .. } if disputer.0 == *id => {
            let usd = worth(ask, bond.0, at_time)?;
            moves.push(one(false, true, bond.0, usd));
        }
        Event::DisputeBondReturned { to, amount, .. } if to.0 == *id => {
            let usd = worth(ask, amount.0, at_time)?;
            moves.push(one(true, true, amount.0, usd));
        }
        Event::TreasuryFunded { by, amount, .. } if by.0 == *id => {
            let (token, amount, usd) = asset(ask, *amount, at_time)?;
            moves.push(one(false, token, amount, usd));
        }
        Event::TreasuryDrawn { by, amount, .. } if by.0 == *id => {
            let (token, amount, usd) = asset(ask, *amount, at_time)?;
            moves.push(one(true, token, amount, usd));
        }
        Event::TokenSoldBack { account, burned, paid } if account.0 == *id => {
            moves.push(one(false, true, burned.0, paid.0));
            moves.push(one(true, false, paid.0, paid.0));
        }
        Event::StableRedeemed { from, amount, .. } if from.0 == *id => {
            moves.push(one(false, false, amount.0, amount.0));
        }
        Event::StableIssued { to, amount, .. } if to.0 == *id => moves.push(one(true, false, amount.0, amount.0)),
        _ => {}
    }
    Ok(())
}

/// Whether it is token, how much, and what that was worth.
fn asset(ask: &mut Ask<'_>, amount: Asset, time: u64) -> Answer<(bool, u64, u64)> {
    Ok(match amount {
        Asset::Token(amount) => (true, amount.0, worth(ask, amount.0, time)?),
        Asset::Stable(amount) => (false, amount.0, amount.0),
    })
}

/// The year of a moment, in UTC.
fn year_of(ms: u64) -> u64 {
    let text = TimeMs(ms).to_string();
    text.split('-')
        .next()
        .and_then(|year| year.parse().ok())
        .unwrap_or_default()
}

/// The export, the oldest first. Lots are counted over all years; `year` only narrows what is shown.
pub fn list(ask: &mut Ask<'_>) -> Answer<Page> {
    let number = ask.account("id")?;
    let year = ask.number("year")?;
    if year.is_some_and(|year| !(1970..=9999).contains(&year)) {
        return Err(ApiError::bad(
            "bad_parameter",
            "year cannot be read",
            "write it like 2026",
        ));
    }
    let [skip] = ask.after([0])?;
    let all = lines(moves(ask, number)?);
    let shown: Vec<&Line> = all
        .iter()
        .filter(|line| year.is_none_or(|year| year_of(line.of.time) == year))
        .collect();
    let skip = usize::try_from(skip).unwrap_or(0);
    // A table is made of one count, not of one for each of its pages.
    let limit = usize::try_from(ask.rows.unwrap_or(ask.limit)).unwrap_or(usize::MAX);
    let taken: Vec<&&Line> = shown.iter().skip(skip).take(limit).collect();
    let next = (shown.len() > skip + taken.len()).then(|| (skip + taken.len()).to_string());
    let mut items = Vec::new();
    for line in taken {
        items.push(face(ask, line)?);
    }
    Ok(Page {
        items,
        next,
        checked: RECOMPUTED,
    })
}

fn face(ask: &mut Ask<'_>, line: &Line) -> Answer<Value> {
    let of = &line.of;
    let gain = line
        .cost
        .map(|cost| (i128::from(of.usd) - i128::from(cost)).to_string());
    Ok(json!({
        "time": time(of.time), "kind": if of.came { "received" } else { "disposed" },
        "asset": if of.token { "token" } else { "stable" }, "amount": text(of.amount), "usd_micro": text(of.usd),
        "cost_usd_micro": maybe_amount(line.cost), "gain_usd_micro": gain, "lot_time": line.lot_time.map(time),
        "transaction": ask.tx_id(of.tx)?, "epoch": of.epoch,
        "network": of.network.map(|network| ask.network_id(network)).transpose()?, "sentence": of.note,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::stand;
    use crate::db::{Location, schema};
    use cairn_types::{AccountId, EpochNumber, Hash, MicroUsd, NetworkId, Token, codec};

    #[test]
    fn what_a_verifier_is_paid_and_bonds_of_disputes_come_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("a.db"));
        let mut session = location.open().unwrap();
        let session = session.as_mut();
        schema::version(session).unwrap();
        schema::make(session).unwrap();
        let own = AccountId([1; 32]);
        crate::index::put_account(session, 0, own.0).unwrap();
        let (network, epoch) = (NetworkId([2; 32]), EpochNumber(3));
        let paid = |verifier| Event::VerifierPaid {
            network,
            epoch,
            verifier,
            amount: MicroUsd(50),
        };
        let opened = Event::DisputeOpened {
            network,
            epoch,
            disputer: own,
            bond: Token(7),
            claim: Hash::default(),
        };
        let returned = Event::DisputeBondReturned {
            network,
            epoch,
            to: own,
            amount: Token(7),
        };
        let events = [
            ("verifier_paid", paid(own)),
            ("verifier_paid", paid(AccountId([9; 32]))),
            ("dispute_opened", opened),
            ("dispute_bond_returned", returned),
        ];
        let tx = tx_at(5, 0);
        session
            .run("INSERT INTO touches (account, at) VALUES (0, $1)", values![tx])
            .unwrap();
        for (place, (kind, event)) in events.iter().enumerate() {
            let at = crate::index::event_at(5, place);
            let sql = "INSERT INTO events (at, tx, time, kind, bytes) VALUES ($1, $2, 1000, $3, $4)";
            session.run(sql, values![at, tx, *kind, codec::encode(event)]).unwrap();
        }
        let shared = stand::shared(&location);
        let found = stand::ask(session, &shared, &[], |ask| moves(ask, 0)).unwrap();
        let found: Vec<_> = found.iter().map(|one| (one.came, one.token, one.amount)).collect();
        assert_eq!(found, [(true, false, 50), (false, true, 7), (true, true, 7)]);
    }

    fn step(at: u64, came: bool, amount: u64, usd: u64) -> Move {
        Move {
            time: at * 1_000,
            at,
            came,
            token: true,
            amount,
            usd,
            note: String::new(),
            tx: None,
            epoch: None,
            network: None,
        }
    }

    #[test]
    fn the_oldest_lots_go_first_and_costs_are_never_more_than_was_paid() {
        let moves = vec![
            step(1, true, 10, 100),
            step(2, true, 10, 300),
            step(3, false, 15, 600),
            step(4, false, 3, 90),
            step(5, false, 7, 70),
        ];
        let lines = lines(moves);
        let told: Vec<_> = lines.iter().skip(2).map(|line| (line.cost, line.lot_time)).collect();
        // 10 of the first lot and half of the second; then 3 of its 5 left, rounded down; then the rest, and 5 that nobody saw come.
        assert_eq!(
            told,
            [
                (Some(250), Some(1_000)),
                (Some(90), Some(2_000)),
                (Some(60), Some(2_000))
            ]
        );
        let cost: u64 = lines.iter().filter_map(|line| line.cost).sum();
        assert_eq!(cost, 400);
    }

    #[test]
    fn what_comes_and_goes_in_one_transaction_comes_first() {
        let lines = lines(vec![step(1, false, 5, 5), step(1, true, 5, 5)]);
        assert_eq!(lines[1].cost, Some(5));
        assert_eq!(year_of(1_500_076_800_000), 2017);
    }
}
