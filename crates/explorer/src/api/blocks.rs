//! Blocks, transactions and events, with what each means.

use super::ApiError;
use super::ask::{Answer, Ask, CERTIFICATE, Page, RECOMPUTED, text, time};
use super::networks::merge;
use crate::db::{Row, Value as Column, values};
use crate::index::{EVENT_BITS, TX_BITS, event_place, tx_place};
use crate::words;
use cairn_engine::Header;
use cairn_ledger::tx::Sponsor;
use cairn_ledger::{Event, Signed, Transaction};
use cairn_node::faces::event as event_fields;
use serde_json::{Value, json};

const BLOCKS: &str = "height, time, digest, header, certificate, txs, events, bytes, leader, view FROM blocks";
/// Headers from a block to the certificate that finalizes it.
const HEADERS_MAX: u64 = 256;
/// Transactions and events shown with a block or a transaction.
const SHOWN: u64 = 500;

fn block_face(_: &mut Ask<'_>, row: &Row) -> Answer<Value> {
    Ok(json!({
        "height": row.count(0)?, "time": time(row.count(1)?), "digest": hex::encode(row.id(2)?), "transactions": row.count(5)?,
        "events": row.count(6)?, "leader": hex::encode(row.id(8)?), "view": row.count(9)?,
        "certified": row.maybe_bytes(4).is_some(), "bytes": row.count(7)?,
    }))
}

pub fn list(ask: &mut Ask<'_>) -> Answer<Page> {
    let [before] = ask.after([i64::MAX])?;
    // As the index of such blocks has it: chains are mostly blocks without any.
    let only = match ask.text("with") {
        Some("transactions") => "AND txs > 0",
        _ => "",
    };
    let sql = format!("SELECT {BLOCKS} WHERE height < $1 {only} ORDER BY height DESC LIMIT $2");
    let rows = ask.all(&sql, values![before, ask.fetch()])?;
    ask.page(rows, CERTIFICATE, |row| Ok(vec![row.int(0)?]), block_face)
}

pub fn one(ask: &mut Ask<'_>) -> Answer<Value> {
    let height: u64 = ask.need("height")?;
    let sql = format!("SELECT {BLOCKS} WHERE height = $1");
    let row = ask
        .one(&sql, values![height])?
        .ok_or_else(|| ApiError::not_found("block"))?;
    let mut face = block_face(ask, &row)?;
    let header = Header::decode(row.bytes(3)?).map_err(|_| ApiError::unavailable("a header cannot be read"))?;
    // From this header to the one that is certified.
    let sql = "SELECT header, certificate FROM blocks WHERE height >= $1 ORDER BY height LIMIT $2";
    let mut headers = Vec::new();
    let mut certificate = None;
    for row in ask.all(sql, values![height, HEADERS_MAX])? {
        headers.push(hex::encode(row.bytes(0)?));
        if let Some(bytes) = row.maybe_bytes(1) {
            certificate = Some(hex::encode(bytes));
            break;
        }
    }
    if certificate.is_none() {
        headers.truncate(1);
    }
    let first = height << EVENT_BITS;
    let sql = format!("SELECT {EVENTS} WHERE e.at >= $1 AND e.at < $2 AND e.tx IS NULL ORDER BY e.at LIMIT $3");
    let begin = ask.all(&sql, values![first, first + (1 << EVENT_BITS), SHOWN])?;
    let begin: Vec<Value> = begin.iter().map(|row| event_face(ask, row)).collect::<Answer<_>>()?;
    let first = height << TX_BITS;
    let sql = format!("SELECT {TXS} WHERE t.at >= $1 AND t.at < $2 ORDER BY t.at LIMIT $3");
    let list = ask.all(&sql, values![first, first + (1 << TX_BITS), SHOWN])?;
    let list: Vec<Value> = list.iter().map(|row| tx_face(ask, row)).collect::<Answer<_>>()?;
    let extra = json!({
        "parent": hex::encode(header.parent), "state_root": hex::encode(header.state_root),
        "transaction_root": hex::encode(header.tx_root), "receipt_root": hex::encode(header.receipt_root),
        "beacon": header.beacon().map(hex::encode), "epoch": header.epoch, "era": header.era,
        "header": hex::encode(header.encode()), "headers": headers, "certificate": certificate, "begin": begin, "list": list,
        "at": ask.place(), "checked": CERTIFICATE,
    });
    merge(&mut face, extra);
    Ok(face)
}

pub const TXS: &str = "t.at, t.id, t.time, t.kind, t.account, a.id, t.fee, t.events, t.bytes FROM transactions t
    LEFT JOIN accounts a ON a.number = t.account";

/// What a transaction asks for; of the engine's own, what it is.
fn sentence(ask: &Ask<'_>, row: &Row) -> Answer<String> {
    let signed: Option<Signed> = minicbor::decode(row.bytes(8)?).ok();
    Ok(match (signed, row.text(3)?) {
        (Some(signed), _) => words::transaction(&signed.transaction.body, ask.words()),
        (None, "take_over_records") => "Take in records that the era before left.".to_owned(),
        (None, _) => "End the era: the validators hand over to their successors.".to_owned(),
    })
}

pub fn tx_face(ask: &mut Ask<'_>, row: &Row) -> Answer<Value> {
    let (height, place) = tx_place(row.count(0)?);
    Ok(json!({
        "id": hex::encode(row.id(1)?), "height": height, "index": place, "time": time(row.count(2)?), "kind": row.text(3)?,
        "account": row.maybe_bytes(5).map(hex::encode), "account_number": row.maybe_count(4), "sentence": sentence(ask, row)?,
        "fee": text(row.sum(6)), "events": row.count(7)?,
    }))
}

/// Conditions that narrow a list, each with its value, after those that are there.
fn narrow(sql: &mut String, values: &mut Vec<Column>, condition: &str, value: impl Into<Column>) {
    values.push(value.into());
    *sql += &format!(" AND {condition} ${}", values.len());
}

pub fn transactions(ask: &mut Ask<'_>) -> Answer<Page> {
    let [before] = ask.after([i64::MAX])?;
    let mut sql = format!("SELECT {TXS} WHERE t.at < $1");
    let mut values: Vec<Column> = vec![before.into()];
    if let Some(kind) = ask.word("kind", &words::KINDS)? {
        narrow(&mut sql, &mut values, "t.kind =", kind);
    }
    if let Some(account) = ask.maybe_account("account")? {
        narrow(&mut sql, &mut values, "t.account =", account);
    }
    if let Some(height) = ask.number("height")?.filter(|height| *height < 1 << 40) {
        narrow(&mut sql, &mut values, "t.at >=", height << TX_BITS);
        narrow(&mut sql, &mut values, "t.at <", (height + 1) << TX_BITS);
    }
    page_of(ask, sql, values)
}

/// Transactions of an account, and those that touched it.
pub fn of_account(ask: &mut Ask<'_>) -> Answer<Page> {
    let account = ask.account("id")?;
    let [before] = ask.after([i64::MAX])?;
    let sql = format!("SELECT {TXS} JOIN touches s ON s.at = t.at WHERE s.at < $1 AND s.account = $2");
    page_of(ask, sql, vec![before.into(), account.into()])
}

fn page_of(ask: &mut Ask<'_>, mut sql: String, mut values: Vec<Column>) -> Answer<Page> {
    values.push(ask.fetch().into());
    sql += &format!(" ORDER BY t.at DESC LIMIT ${}", values.len());
    let rows = ask.all(&sql, &values)?;
    ask.page(rows, CERTIFICATE, |row| Ok(vec![row.int(0)?]), tx_face)
}

/// A final transaction; none where the index has none of this id.
pub fn transaction(ask: &mut Ask<'_>) -> Answer<Option<Value>> {
    let name: String = ask.need("id")?;
    let id = hex::decode(&name).ok().filter(|id| id.len() == 32);
    let id =
        id.ok_or_else(|| ApiError::bad("bad_id", "not the id of a transaction", "it has 64 hexadecimal digits"))?;
    let sql = format!("SELECT {TXS} WHERE t.id = $1");
    let Some(row) = ask.one(&sql, values![id])? else {
        return Ok(None);
    };
    let mut face = tx_face(ask, &row)?;
    let at = row.count(0)?;
    let sql = format!("SELECT {EVENTS} WHERE e.at >= $1 AND e.at < $2 AND e.tx = $3 ORDER BY e.at LIMIT $4");
    let (height, _) = tx_place(at);
    let (first, end) = (height << EVENT_BITS, (height + 1) << EVENT_BITS);
    let events = ask.all(&sql, values![first, end, at, SHOWN])?;
    let events: Vec<Value> = events.iter().map(|row| event_face(ask, row)).collect::<Answer<_>>()?;
    let signed: Option<Signed> = minicbor::decode(row.bytes(8)?).ok();
    let transaction = signed.as_ref().map(|signed| &signed.transaction);
    let extra = json!({
        "state": "final", "nonce": transaction.map(|transaction| transaction.nonce),
        "fee_max": transaction.map(|transaction| text(transaction.fee_max.0)),
        "sponsor": transaction.and_then(|transaction| transaction.sponsor.as_ref()).map(sponsor),
        "fields": transaction.map_or(json!({}), fields), "events": events, "bytes": hex::encode(row.bytes(8)?), "refusal": null,
        "at": ask.place(), "checked": CERTIFICATE,
    });
    merge(&mut face, extra);
    Ok(Some(face))
}

fn sponsor(sponsor: &Sponsor) -> String {
    match sponsor {
        Sponsor::Account(id) => format!("account {id}"),
        Sponsor::Network(id) => format!("network {id}"),
    }
}

/// The body of a transaction as its own encoding has it: lists and maps of numbers, text and hexadecimal bytes.
fn fields(transaction: &Transaction) -> Value {
    let bytes = cairn_types::codec::encode(&transaction.body);
    let mut decoder = minicbor::Decoder::new(&bytes);
    super::cbor::value(&mut decoder, 0).unwrap_or(Value::Null)
}

pub const EVENTS: &str =
    "e.at, e.tx, e.time, e.kind, e.bytes, x.id FROM events e LEFT JOIN transactions x ON x.at = e.tx";

pub fn event_face(ask: &mut Ask<'_>, row: &Row) -> Answer<Value> {
    let (height, place) = event_place(row.count(0)?);
    let event: Option<Event> = minicbor::decode(row.bytes(4)?).ok();
    let words = ask.words();
    Ok(json!({
        "height": height, "index": place, "time": time(row.count(2)?), "transaction": row.maybe_bytes(5).map(hex::encode),
        "kind": row.text(3)?, "sentence": event.as_ref().map_or(String::new(), |event| words::event(event, words)),
        "fields": event.as_ref().map_or(json!({}), listed),
    }))
}

/// An event's fields as a list shows them: without what each of a thousand leaves paid, which operators' payments tell.
fn listed(event: &Event) -> Value {
    let mut fields = event_fields(event).1;
    if let Some(fields) = fields.as_object_mut() {
        fields.remove("leaves");
    }
    fields
}

pub fn events(ask: &mut Ask<'_>) -> Answer<Page> {
    let [before] = ask.after([i64::MAX])?;
    let mut sql = format!("SELECT {EVENTS} WHERE e.at < $1");
    let mut values: Vec<Column> = vec![before.into()];
    if let Some(kind) = ask.text("kind") {
        narrow(&mut sql, &mut values, "e.kind =", kind);
    }
    if let Some(network) = ask.maybe_network()? {
        narrow(&mut sql, &mut values, "e.network =", network);
    }
    if let Some(account) = ask.maybe_account("account")? {
        narrow(&mut sql, &mut values, "e.account =", account);
    }
    if let Some(device) = ask.text("device") {
        let id = hex::decode(device).unwrap_or_default();
        let row = ask.one("SELECT number FROM devices WHERE id = $1", values![id])?;
        let number = row.ok_or_else(|| ApiError::not_found("device"))?.count(0)?;
        narrow(&mut sql, &mut values, "e.device =", number);
    }
    if let Some(height) = ask.number("height")?.filter(|height| *height < 1 << 40) {
        narrow(&mut sql, &mut values, "e.at >=", height << EVENT_BITS);
        narrow(&mut sql, &mut values, "e.at <", (height + 1) << EVENT_BITS);
    }
    values.push(ask.fetch().into());
    sql += &format!(" ORDER BY e.at DESC LIMIT ${}", values.len());
    let rows = ask.all(&sql, &values)?;
    ask.page(rows, RECOMPUTED, |row| Ok(vec![row.int(0)?]), event_face)
}

/// A refusal of the ledger as the node says it.
pub fn refusal(reject: cairn_ledger::Reject) -> Value {
    let name = format!("{reject:?}");
    let mut code = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !code.is_empty() {
            code.push('_');
        }
        code.push(letter.to_ascii_lowercase());
    }
    json!({ "code": code, "number": reject.code(), "message": reject.sentence(), "hint": reject.hint() })
}
