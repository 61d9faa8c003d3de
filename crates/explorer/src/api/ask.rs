//! One question while it is answered: what was asked, one state of the index, and the words and numbers that every answer shares.

use super::{ApiError, Shared};
use crate::db::{DbError, Row, Session, Value as Column, values};
use crate::index::{Cursor, cursor, records};
use crate::words::Words;
use cairn_ledger::store::{Missing, Store};
use cairn_types::{CellId, TimeMs};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::str::FromStr;

/// Items of a page.
pub const PAGE: u64 = 50;
pub const PAGE_MAX: u64 = 500;
/// Characters of one parameter.
const PARAMETER_MAX: usize = 256;

/// What was asked, as text.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub path: HashMap<String, String>,
    pub query: HashMap<String, String>,
}

pub struct Ask<'a> {
    pub session: &'a mut dyn Session,
    pub shared: &'a Shared,
    pub asked: &'a Asked,
    pub limit: u64,
    /// Rows wanted at once, where a table is made: for lists that count from their beginning for every page.
    pub rows: Option<u64>,
    /// Where the page begins.
    pub cursor: Option<String>,
    /// The last block in the index; none before the first.
    pub at: Option<Cursor>,
}

/// A page of a list.
pub struct Page {
    pub items: Vec<Value>,
    pub next: Option<String>,
    pub checked: &'static str,
}

pub const CERTIFICATE: &str = "certificate";
pub const RECOMPUTED: &str = "recomputed";
pub const ROOT: &str = "root";
pub const SERVED: &str = "served";

pub type Answer<T> = Result<T, ApiError>;

impl<'a> Ask<'a> {
    pub fn new(session: &'a mut dyn Session, shared: &'a Shared, asked: &'a Asked) -> Answer<Self> {
        let at = cursor(session)?;
        let mut ask = Self {
            session,
            shared,
            asked,
            limit: PAGE,
            rows: None,
            cursor: asked.query.get("cursor").cloned(),
            at,
        };
        if asked
            .query
            .values()
            .chain(asked.path.values())
            .any(|text| text.len() > PARAMETER_MAX)
        {
            let hint = "GET /v1/openapi.json lists the parameters of every path";
            return Err(ApiError::bad("too_long", "a parameter is too long", hint));
        }
        ask.limit = ask.number("limit")?.unwrap_or(PAGE);
        Ok(ask)
    }

    pub fn words(&self) -> Words {
        Words {
            decimals: self.shared.genesis.economics.decimals,
        }
    }

    /// Where the answer holds.
    pub fn place(&self) -> Value {
        match &self.at {
            Some(at) => json!({ "height": at.height, "time": at.time.to_string() }),
            None => json!({ "height": 0, "time": self.shared.genesis.start.to_string() }),
        }
    }

    pub fn text(&self, name: &str) -> Option<&'a str> {
        let found = self.asked.query.get(name).or_else(|| self.asked.path.get(name));
        found.map(String::as_str).filter(|text| !text.is_empty())
    }

    /// A parameter that is of a kind, if it is given.
    pub fn maybe<T: FromStr>(&self, name: &str) -> Answer<Option<T>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let hint = "GET /v1/openapi.json lists the parameters of every path";
        let read = text.parse();
        read.map(Some)
            .map_err(|_| ApiError::bad("bad_parameter", format!("{name} cannot be read"), hint))
    }

    pub fn number(&self, name: &str) -> Answer<Option<u64>> {
        self.maybe(name)
    }

    /// A parameter that must be there.
    pub fn need<T: FromStr>(&self, name: &str) -> Answer<T> {
        let hint = "GET /v1/openapi.json lists the parameters of every path";
        self.maybe(name)?
            .ok_or_else(|| ApiError::bad("missing_parameter", format!("{name} is missing"), hint))
    }

    /// One of these words, if it is given.
    pub fn word(&self, name: &str, words: &[&'static str]) -> Answer<Option<&'static str>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match words.iter().find(|word| **word == text) {
            Some(word) => Ok(Some(word)),
            None => {
                let message = format!("{name} is one of {}", words.join(", "));
                Err(ApiError::bad(
                    "bad_parameter",
                    message,
                    "choose one of them, or leave it out",
                ))
            }
        }
    }

    /// The epochs asked for; everything unless told otherwise.
    pub fn epochs(&self) -> Answer<(u64, u64)> {
        let first = self.number("from")?.unwrap_or(0);
        Ok((first, self.number("to")?.unwrap_or(i64::MAX as u64)))
    }

    /// The numbers in the cursor; `start` before the first page.
    pub fn after<const N: usize>(&self, start: [i64; N]) -> Answer<[i64; N]> {
        let Some(cursor) = &self.cursor else { return Ok(start) };
        let numbers: Option<Vec<i64>> = cursor.split('.').map(|text| text.parse().ok()).collect();
        numbers.and_then(|numbers| numbers.try_into().ok()).ok_or_else(|| {
            ApiError::bad(
                "bad_cursor",
                "the cursor is not one of this list",
                "begin again without it",
            )
        })
    }

    pub fn all(&mut self, sql: &str, values: &[Column]) -> Result<Vec<Row>, DbError> {
        self.session.all(sql, values)
    }

    pub fn one(&mut self, sql: &str, values: &[Column]) -> Result<Option<Row>, DbError> {
        self.session.one(sql, values)
    }

    /// What a getter of the ledger finds.
    pub fn look<T>(&mut self, look: impl FnOnce(&mut dyn Store) -> Result<T, Missing>) -> Result<T, DbError> {
        records::look(self.session, look)
    }

    /// One more than a page: then there is another.
    pub fn fetch(&self) -> u64 {
        self.limit + 1
    }

    /// A page out of one row more than it holds. `key` is what the next page comes after.
    pub fn page(
        &mut self,
        mut rows: Vec<Row>,
        checked: &'static str,
        key: impl Fn(&Row) -> Result<Vec<i64>, DbError>,
        mut face: impl FnMut(&mut Self, &Row) -> Answer<Value>,
    ) -> Answer<Page> {
        let more = rows.len() as u64 > self.limit;
        rows.truncate(usize::try_from(self.limit).unwrap_or(usize::MAX));
        let next = match rows.last().filter(|_| more) {
            Some(last) => {
                let numbers: Vec<String> = key(last)?.iter().map(i64::to_string).collect();
                Some(numbers.join("."))
            }
            None => None,
        };
        let items = rows.iter().map(|row| face(self, row)).collect::<Answer<_>>()?;
        Ok(Page { items, next, checked })
    }

    /// The number behind an id or a number in a table.
    fn number_of(&mut self, table: &str, name: &str, what: &str) -> Answer<u64> {
        let found = match hex::decode(name).ok().filter(|bytes| bytes.len() == 32) {
            Some(id) => {
                let sql = format!("SELECT number FROM {table} WHERE id = $1");
                self.one(&sql, values![id])?
            }
            None => {
                let bad = || {
                    ApiError::bad(
                        "bad_id",
                        "neither an id nor a number",
                        "an id has 64 hexadecimal digits",
                    )
                };
                let number: u64 = name.parse().map_err(|_| bad())?;
                let sql = format!("SELECT number FROM {table} WHERE number = $1");
                self.one(&sql, values![number])?
            }
        };
        match found {
            Some(row) => Ok(row.count(0)?),
            None => Err(ApiError::not_found(what)),
        }
    }

    pub fn account(&mut self, parameter: &str) -> Answer<u64> {
        let name: String = self.need(parameter)?;
        self.number_of("accounts", &name, "account")
    }

    pub fn device(&mut self) -> Answer<u64> {
        let name: String = self.need("id")?;
        self.number_of("devices", &name, "device")
    }

    pub fn network(&mut self) -> Answer<u64> {
        let name: String = self.need("id")?;
        self.number_of("networks", &name, "network")
    }

    /// The network to which a list is narrowed.
    pub fn maybe_network(&mut self) -> Answer<Option<u64>> {
        match self.text("network").map(str::to_owned) {
            Some(name) => self.number_of("networks", &name, "network").map(Some),
            None => Ok(None),
        }
    }

    pub fn maybe_account(&mut self, parameter: &str) -> Answer<Option<u64>> {
        match self.text(parameter).map(str::to_owned) {
            Some(name) => self.number_of("accounts", &name, "account").map(Some),
            None => Ok(None),
        }
    }

    fn id_in(&mut self, table: &str, number: u64) -> Result<String, DbError> {
        let sql = format!("SELECT id FROM {table} WHERE number = $1");
        let row = self.one(&sql, values![number])?;
        Ok(row
            .map(|row| row.id(0))
            .transpose()?
            .map(hex::encode)
            .unwrap_or_default())
    }

    pub fn account_id(&mut self, number: u64) -> Result<String, DbError> {
        self.id_in("accounts", number)
    }

    pub fn network_id(&mut self, number: u64) -> Result<String, DbError> {
        self.id_in("networks", number)
    }

    pub fn device_id(&mut self, number: u64) -> Result<String, DbError> {
        self.id_in("devices", number)
    }

    /// The id of a transaction at a place.
    pub fn tx_id(&mut self, at: Option<u64>) -> Result<Value, DbError> {
        let Some(at) = at else { return Ok(Value::Null) };
        let row = self.one("SELECT id FROM transactions WHERE at = $1", values![at])?;
        let id = row.map(|row| row.id(0)).transpose()?;
        Ok(id.map_or(Value::Null, |id| hex::encode(id).into()))
    }
}

/// A row's amount as text; zero where nothing is.
pub fn amount(row: &Row, at: usize) -> Value {
    row.sum(at).to_string().into()
}

pub fn text(amount: impl ToString) -> Value {
    amount.to_string().into()
}

/// An amount that may be none.
pub fn maybe_amount(amount: Option<u64>) -> Value {
    amount.map_or(Value::Null, |amount| amount.to_string().into())
}

pub fn time(ms: u64) -> Value {
    TimeMs(ms).to_string().into()
}

/// Days since 1970 as a date.
pub fn day(day: u64) -> Value {
    let time = TimeMs(day.saturating_mul(86_400_000)).to_string();
    time.split('T').next().unwrap_or_default().into()
}

/// A cell with its middle.
pub fn place(cell: u64) -> (Value, Value, Value) {
    let Ok(index) = h3o::CellIndex::try_from(cell) else {
        return (Value::Null, Value::Null, Value::Null);
    };
    let middle = h3o::LatLng::from(index);
    let text = CellId::from(index).to_string();
    (text.into(), round(middle.lat()), round(middle.lng()))
}

/// Six decimals are a tenth of a metre.
fn round(degrees: f64) -> Value {
    json!((degrees * 1e6).round() / 1e6)
}

/// The corners of a cell, the first again at the end, as GeoJSON wants them.
pub fn corners(cell: u64) -> Value {
    let Ok(index) = h3o::CellIndex::try_from(cell) else {
        return Value::Null;
    };
    let corners = index.boundary();
    let ring = corners.iter().chain(corners.first());
    ring.map(|corner| json!([round(corner.lng()), round(corner.lat())]))
        .collect()
}
