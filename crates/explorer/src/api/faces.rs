//! Pieces of answers that several pages share.

use super::ApiError;
use super::answer::field;
use super::ask::{Answer, Ask, place, text};
use crate::db::{Row, values};
use crate::words;
use cairn_types::{Reason, Span};
use cairn_verticals::Vertical;
use cairn_verticals::kit::Shape;
use serde_json::{Value, json};

pub fn definitions(known: &[(&str, &str)]) -> Value {
    let face = |(name, sentence): &(&str, &str)| json!({ "name": name, "sentence": sentence });
    known.iter().map(face).collect()
}

/// A reason and how often: columns of the vertical, the reason and the count.
pub fn reason_count(row: &Row, vertical: usize, reason: usize, count: usize) -> Answer<Value> {
    let name = row.text(vertical)?;
    let code = u16::try_from(row.count(reason)?).unwrap_or_default();
    let text = words::reason(cairn_verticals::by_name(name), Reason(code));
    Ok(json!({
        "vertical": name, "code": code, "name": text.name, "sentence": text.sentence, "count": row.sum(count),
    }))
}

pub fn reason(vertical: Option<&dyn Vertical>, reason: Reason) -> Value {
    let text = words::reason(vertical, reason);
    json!({ "code": reason.0, "name": text.name, "sentence": text.sentence, "unit": text.unit })
}

pub fn span(vertical: Option<&dyn Vertical>, span: &Span) -> Value {
    let quantity = words::quantity(vertical, span.quantity);
    json!({
        "start": span.start.to_string(), "end": span.end.to_string(), "quantity": span.quantity, "name": quantity.name,
        "unit": quantity.unit, "decimals": quantity.decimals,
        "verdict": if span.reason.is_none() { "accepted" } else { "refused" },
        "reason": span.reason.map(|why| reason(vertical, why)),
        "measured": span.measured.to_string(), "limit": span.limit.to_string(),
    })
}

/// What a vertical measures.
pub fn fields(vertical: &dyn Vertical, paid: impl Fn(u16) -> Option<bool>) -> Value {
    let field = |text: &cairn_verticals::kit::QuantityText| {
        json!({
            "quantity": text.quantity, "name": text.name, "unit": text.unit, "decimals": text.decimals,
            "sentence": words::quantity_sentence(text), "chart": words::chart(text), "paid": paid(text.quantity),
        })
    };
    vertical.quantities().iter().map(field).collect()
}

pub fn shape(shape: Shape) -> &'static str {
    match shape {
        Shape::Query => "query",
        Shape::Stream => "stream",
        Shape::Lease => "lease",
        Shape::Task => "task",
        Shape::Trade => "trade",
    }
}

/// The same of the ledger's tag.
pub fn shape_of(tag: u8) -> &'static str {
    ["query", "stream", "lease", "task", "trade", "key"]
        .get(usize::from(tag))
        .copied()
        .unwrap_or("other")
}

/// Why a report is refused in a network, with how often.
pub fn rules(
    vertical: &dyn Vertical,
    limits: impl Fn(Reason) -> Option<(String, &'static str)>,
    counts: impl Fn(u16) -> u64,
) -> Value {
    let all = vertical.reasons().iter().chain(cairn_verticals::kit::reasons::REASONS);
    let rule = |text: &cairn_verticals::kit::ReasonText| {
        let (limit, unit) = limits(text.reason).map_or((None, text.unit), |(limit, unit)| (Some(limit), unit));
        json!({
            "code": text.reason.0, "name": text.name, "sentence": text.sentence, "limit": limit, "unit": unit,
            "blame_percent": text.blame, "count": counts(text.reason.0),
        })
    };
    all.map(rule).collect()
}

/// How amounts are spread; none of none.
pub fn quantiles(mut amounts: Vec<u64>) -> Value {
    amounts.sort_unstable();
    let Some(last) = amounts.len().checked_sub(1) else {
        return Value::Null;
    };
    let at = |percent: usize| text(amounts[last * percent / 100]);
    json!({
        "count": amounts.len(), "min": at(0), "p10": at(10), "p25": at(25), "median": at(50), "p75": at(75), "p90": at(90),
        "max": at(100),
    })
}

/// A table as CSV.
pub fn table(columns: &[&str], rows: &[Value]) -> String {
    let mut csv = csv::Writer::from_writer(Vec::new());
    // Into memory; rows have as many fields as there are columns.
    let _ = csv.write_record(columns);
    for row in rows {
        let _ = csv.write_record(columns.iter().map(|name| field(&row[*name])));
    }
    String::from_utf8(csv.into_inner().unwrap_or_default()).unwrap_or_default()
}

/// What a network is of.
pub fn vertical_of(ask: &mut Ask<'_>, network: u64) -> Answer<(String, Option<&'static dyn Vertical>)> {
    let row = ask.one("SELECT vertical FROM networks WHERE number = $1", values![network])?;
    let name = match row {
        Some(row) => row.text(0)?.to_owned(),
        None => return Err(ApiError::not_found("network")),
    };
    let vertical = cairn_verticals::by_name(&name);
    Ok((name, vertical))
}

/// The cell of a column with its middle.
pub fn place_of(row: &Row, at: usize) -> (Value, Value, Value) {
    match row.maybe_int(at) {
        Some(cell) => place(cell.cast_unsigned()),
        None => (Value::Null, Value::Null, Value::Null),
    }
}
