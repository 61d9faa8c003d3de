//! The forms of an answer: JSON, CSV and GeoJSON of the same rows, each with an ETag. Names of columns are those of the contract.

use super::ask::{Ask, Asked, PAGE_MAX, Page, corners};
use super::{ApiError, Shared};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cairn_types::CellId;
use cairn_types::hash::sha256;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// Rows of one CSV or GeoJSON at most, and unless told otherwise.
const ROWS_MAX: u64 = 100_000;

/// The API's description, checked in beside the crate.
pub const OPENAPI: &str = include_str!("../../openapi.json");
pub static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(OPENAPI).expect("a test reads the document"));

/// A list, whatever form it is asked in.
pub type ListFn = fn(&mut Ask<'_>) -> Result<Page, ApiError>;
pub type OneFn = fn(&mut Ask<'_>) -> Result<Value, ApiError>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Json,
    Csv,
    GeoJson,
}

/// Bytes and what they are.
pub struct Made {
    pub bytes: Vec<u8>,
    pub kind: &'static str,
    pub next: Option<String>,
}

fn json_of(value: &Value) -> Made {
    Made {
        bytes: value.to_string().into_bytes(),
        kind: "application/json",
        next: None,
    }
}

/// One thing, with where it holds unless it says so itself.
pub fn one(ask: &mut Ask<'_>, of: OneFn) -> Result<Made, ApiError> {
    let found = of(ask)?;
    // Some answer with a table of their own.
    if let Some(text) = found.get("csv").and_then(Value::as_str) {
        return Ok(Made {
            bytes: text.as_bytes().to_vec(),
            kind: "text/csv; charset=utf-8",
            next: None,
        });
    }
    Ok(json_of(&found))
}

/// A list in the form asked for.
pub fn list(ask: &mut Ask<'_>, of: ListFn, path: &str, form: Form) -> Result<Made, ApiError> {
    let given = ask.number("limit")?;
    if form == Form::Json {
        ask.limit = given.unwrap_or(super::ask::PAGE).clamp(1, PAGE_MAX);
        let page = of(ask)?;
        let next = page.next.clone();
        let face = json!({
            "items": page.items, "next_cursor": page.next, "at": ask.place(), "checked": page.checked,
        });
        return Ok(Made { next, ..json_of(&face) });
    }
    let mut left = given.unwrap_or(ROWS_MAX).clamp(1, ROWS_MAX);
    let mut table = Table::new(path, form);
    loop {
        ask.limit = left.min(PAGE_MAX);
        ask.rows = Some(left);
        let page = of(ask)?;
        left = left.saturating_sub(page.items.len() as u64);
        page.items.iter().for_each(|item| table.add(item));
        match page.next {
            Some(next) if left > 0 => ask.cursor = Some(next),
            _ => return Ok(table.end()),
        }
    }
}

/// The names of a list's columns, in the contract's order.
fn columns(path: &str) -> Vec<String> {
    let list = &DOCUMENT["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
    let item = list
        .as_str()
        .and_then(|list| list.strip_suffix("List"))
        .unwrap_or_default();
    let item = item.rsplit('/').next().unwrap_or_default();
    let required = &DOCUMENT["components"]["schemas"][item]["required"];
    let names = required.as_array().map_or(&[][..], Vec::as_slice);
    names.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A table or a collection of features that grows.
struct Table {
    columns: Vec<String>,
    form: Form,
    csv: csv::Writer<Vec<u8>>,
    features: Vec<Value>,
}

impl Table {
    fn new(path: &str, form: Form) -> Self {
        let mut table = Self {
            columns: columns(path),
            form,
            csv: csv::Writer::from_writer(Vec::new()),
            features: Vec::new(),
        };
        let names = table.columns.clone();
        table.row(&names);
        table
    }

    fn row(&mut self, fields: &[String]) {
        // Into memory; rows have as many fields as there are columns.
        let _ = self.csv.write_record(fields);
    }

    fn add(&mut self, item: &Value) {
        match self.form {
            Form::GeoJson => self.features.extend(feature(item)),
            _ => {
                let fields: Vec<String> = self.columns.iter().map(|name| field(&item[name])).collect();
                self.row(&fields);
            }
        }
    }

    fn end(self) -> Made {
        match self.form {
            Form::GeoJson => Made {
                kind: "application/geo+json",
                ..json_of(&json!({ "type": "FeatureCollection", "features": self.features }))
            },
            _ => Made {
                bytes: self.csv.into_inner().unwrap_or_default(),
                kind: "text/csv; charset=utf-8",
                next: None,
            },
        }
    }
}

/// A field as a spreadsheet takes it: text that would be a formula there is not one.
pub fn field(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => match text.chars().next() {
            Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n') if !is_number(text) => format!("'{text}"),
            _ => text.clone(),
        },
        Value::Array(_) | Value::Object(_) => value.to_string(),
        other => other.to_string(),
    }
}

/// Digits, with a point among them or without: a spreadsheet does not calculate with anything else that begins with a sign.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    digits.splitn(2, '.').all(is_digits)
}

/// A row with a place as a feature: a cell of its own as its outline, anything else as a point.
fn feature(item: &Value) -> Option<Value> {
    let geometry = match (item.get("resolution"), item["cell"].as_str()) {
        (Some(_), Some(cell)) => {
            let cell: CellId = cell.parse().ok()?;
            json!({ "type": "Polygon", "coordinates": [corners(cell.get())] })
        }
        _ => {
            let (lat, lng) = (item["lat"].as_f64()?, item["lng"].as_f64()?);
            json!({ "type": "Point", "coordinates": [lng, lat] })
        }
    };
    Some(json!({ "type": "Feature", "geometry": geometry, "properties": item }))
}

/// The form in which a list is wanted: by its path, or by what is accepted.
pub fn form_of(path: &str, headers: &HeaderMap) -> Form {
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let wants = |kind: &str| accepted.is_some_and(|accept| accept.starts_with(kind));
    if path.ends_with(".csv") || wants("text/csv") {
        Form::Csv
    } else if path.ends_with(".geojson") || wants("application/geo+json") {
        Form::GeoJson
    } else {
        Form::Json
    }
}

/// What was made as an answer: nothing new where the caller has it.
pub fn respond(made: Made, headers: &HeaderMap, asked: &Asked, path: &str, shared: &Shared) -> Response {
    let _ = shared;
    let digest = sha256(&made.bytes).to_string();
    let tag = format!("\"{}\"", digest.get(..32).unwrap_or_default());
    let has = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let same = has.is_some_and(|tags| tags.split(',').any(|one| one.trim().trim_start_matches("W/") == tag));
    let mut response = match same {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, made.kind)], Body::from(made.bytes)).into_response(),
    };
    let fields = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        fields.insert(header::ETAG, tag);
    }
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    fields.insert(header::VARY, HeaderValue::from_static("accept"));
    if let Some(next) = made.next {
        let mut query: Vec<String> = asked
            .query
            .iter()
            .filter(|(name, _)| *name != "cursor")
            .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)))
            .collect();
        query.sort();
        query.push(format!("cursor={}", escaped(&next)));
        if let Ok(link) = HeaderValue::from_str(&format!("<{path}?{}>; rel=\"next\"", query.join("&"))) {
            fields.insert(header::LINK, link);
        }
    }
    response
}

/// A part of a query as it stands in an address.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
            other => out += &format!("%{other:02X}"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_never_a_formula() {
        for (value, expected) in [
            (json!("=1+1"), "'=1+1"),
            (json!("-x"), "'-x"),
            (json!("-12"), "-12"),
            (json!("-0.5"), "-0.5"),
            (json!("-0.5.1"), "'-0.5.1"),
            (json!("-1e9"), "'-1e9"),
            (json!("-"), "'-"),
            (json!("+1"), "'+1"),
            (json!("@x"), "'@x"),
            (json!("12"), "12"),
            (json!(null), ""),
            (json!(true), "true"),
            (json!(["a"]), "[\"a\"]"),
        ] {
            assert_eq!(field(&value), expected);
        }
    }

    #[test]
    fn columns_are_those_of_the_contract() {
        assert_eq!(columns("/v1/series/{name}"), Vec::<String>::new());
        assert_eq!(columns("/v1/operators")[..3], ["id", "number", "devices"]);
    }
}
