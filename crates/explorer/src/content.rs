//! One hash over everything in an index: two of them hold the same when it is the same, whatever database each is in.

use crate::db::schema::TABLES;
use crate::db::{DbError, Session, Value, values};
use cairn_types::Hash;
use cairn_types::hash::Pieces;

/// Who gave something, and when: not what it is. A block final through a later one may have got a certificate of its own since.
const BESIDE: [(&str, &str); 3] = [
    ("blocks", "certificate"),
    ("network_epochs", "verifier"),
    ("network_epochs", "files"),
];

/// Rows of one question.
const PAGE: u64 = 2_000;

/// The hash of every table, in the order of their columns.
pub fn hash(session: &mut dyn Session) -> Result<Hash, DbError> {
    let mut hash = Pieces::default();
    for (table, columns) in TABLES {
        hash.take(table.as_bytes());
        let names: Vec<&str> = columns
            .split(',')
            .map(|column| column.split_whitespace().next().unwrap_or_default())
            .collect();
        let places = names.iter().position(|name| *name == "PRIMARY").unwrap_or(names.len());
        let told = |name: &&&str| !BESIDE.contains(&(*table, **name));
        let names: Vec<&str> = names[..places].iter().filter(told).copied().collect();
        // Every column: rows that differ in one only still have one order.
        let order = names.join(", ");
        let mut start = 0;
        loop {
            let sql = format!("SELECT {order} FROM {table} ORDER BY {order} LIMIT $1 OFFSET $2");
            let rows = session.all(&sql, values![PAGE, start])?;
            for row in &rows {
                row.0.iter().for_each(|value| take(&mut hash, value));
            }
            if (rows.len() as u64) < PAGE {
                break;
            }
            start += PAGE;
        }
    }
    Ok(hash.hash())
}

fn take(hash: &mut Pieces, value: &Value) {
    let (kind, bytes): (u8, Vec<u8>) = match value {
        Value::Null => (0, Vec::new()),
        Value::Int(number) => (1, number.to_be_bytes().to_vec()),
        Value::Text(text) => (2, text.as_bytes().to_vec()),
        Value::Bytes(bytes) => (3, bytes.clone()),
    };
    hash.take(&[kind]);
    hash.take(&(bytes.len() as u64).to_be_bytes());
    hash.take(&bytes);
}
