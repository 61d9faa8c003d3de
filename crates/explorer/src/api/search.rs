//! What has an id, a name, a height or an epoch; and what a kind of network measures.

use super::ask::{Answer, Ask};
use super::{ApiError, faces};
use crate::db::{Row, values};
use serde_json::{Value, json};

/// Found of one kind.
const EACH: u64 = 8;
/// Digits of an id below which everything would be found.
const DIGITS_MIN: usize = 6;

/// Tables with ids: kind, page, title.
const IDS: [(&str, &str, &str); 4] = [
    (
        "account",
        "accounts",
        "SELECT id FROM accounts WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $3",
    ),
    (
        "device",
        "devices",
        "SELECT id FROM devices WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $3",
    ),
    (
        "transaction",
        "transactions",
        "SELECT id FROM transactions WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $3",
    ),
    (
        "order",
        "orders",
        "SELECT id FROM orders WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $3",
    ),
];

/// The ids that begin with these digits: from one to before another.
fn range(digits: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex || digits.len() < DIGITS_MIN || digits.len() > 64 {
        return None;
    }
    let first = hex::decode(format!("{digits:0<64}")).ok()?;
    // One byte more than an id: above all that begin so.
    let last = hex::decode(format!("{digits:f<64}ff")).ok()?;
    Some((first, last))
}

fn found(kind: &str, id: &str, title: String, path: String) -> Value {
    json!({ "kind": kind, "id": id, "title": title, "path": path })
}

pub fn search(ask: &mut Ask<'_>) -> Answer<Value> {
    let query: String = ask.need("q")?;
    let text = query.trim().trim_start_matches("0x").to_owned();
    let mut items = Vec::new();
    if let Ok(number) = text.parse::<u64>() {
        if ask
            .one("SELECT height FROM blocks WHERE height = $1", values![number])?
            .is_some()
        {
            items.push(found(
                "block",
                &text,
                format!("Block {number}"),
                format!("/blocks/{number}"),
            ));
        }
        if ask
            .one("SELECT number FROM epochs WHERE number = $1", values![number])?
            .is_some()
        {
            items.push(found(
                "epoch",
                &text,
                format!("Epoch {number}"),
                format!("/epochs/{number}"),
            ));
        }
    }
    let pattern = format!("%{}%", text.to_lowercase().replace(['%', '_', '\\'], ""));
    if pattern.len() > 3 {
        let sql = "SELECT id, name FROM networks WHERE LOWER(name) LIKE $1 ORDER BY number LIMIT $2";
        for row in ask.all(sql, values![pattern, EACH])? {
            let id = hex::encode(row.id(0)?);
            items.push(found(
                "network",
                &id,
                row.text(1)?.to_owned(),
                format!("/networks/{id}"),
            ));
        }
    }
    if let Some((first, last)) = range(&text.to_lowercase()) {
        let sql = "SELECT id, name FROM networks WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $3";
        for row in ask.all(sql, values![first.as_slice(), last.as_slice(), EACH])? {
            let id = hex::encode(row.id(0)?);
            items.push(found(
                "network",
                &id,
                row.text(1)?.to_owned(),
                format!("/networks/{id}"),
            ));
        }
        for (kind, page, sql) in IDS {
            let rows: Vec<Row> = ask.all(sql, values![first.as_slice(), last.as_slice(), EACH])?;
            for row in rows {
                let id = hex::encode(row.id(0)?);
                let title = format!("{} {}…", kind, id.get(..12).unwrap_or_default());
                items.push(found(kind, &id, title, format!("/{page}/{id}")));
            }
        }
    }
    Ok(json!({ "query": query, "items": items, "at": ask.place() }))
}

/// What a kind of network measures.
pub fn fields(ask: &mut Ask<'_>) -> Answer<Value> {
    let name: String = ask.need("vertical")?;
    let vertical = cairn_verticals::by_name(&name).ok_or_else(|| ApiError::not_found("kind of network"))?;
    Ok(json!({
        "vertical": name, "unit": vertical.unit(), "shape": faces::shape(vertical.shape()),
        "fields": faces::fields(vertical, |_| None), "reasons": faces::rules(vertical, |_| None, |_| 0),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_digits_of_an_id_are_enough_and_too_few_are_not() {
        let (first, last) = range("abcdef").expect("six digits");
        let mut id = vec![0xff; 32];
        id[..3].copy_from_slice(&[0xab, 0xcd, 0xef]);
        assert!(first <= id && id < last);
        id[0] = 0xac;
        assert!(id > last);
        let odd = range("abcdef1").expect("seven digits");
        assert_eq!((odd.0[3], odd.1[3]), (0x10, 0x1f));
        assert!(range("abcde").is_none() && range("abcdeg").is_none() && range(&"a".repeat(65)).is_none());
    }
}
