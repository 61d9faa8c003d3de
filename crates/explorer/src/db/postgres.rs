//! A database of PostgreSQL. The connection is not encrypted: it belongs on this computer, or into a network of its own.

use super::limit::Limit;
use super::{DbError, Row, Session, Value};
use postgres::error::SqlState;
use postgres::types::{IsNull, ToSql, Type, private::BytesMut};
use postgres::{Client, NoTls, Statement};
use std::collections::HashMap;
use std::error::Error;

/// Statements kept prepared; the server holds as many for each connection.
const STATEMENTS_MAX: usize = 512;

/// A client whose end is waited for in a thread of its own: it waits itself, which a task must not.
struct Apart(Option<Client>);

impl Apart {
    fn client(&mut self) -> &mut Client {
        self.0.as_mut().expect("it is there until it is dropped")
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        let client = self.0.take();
        // Without a thread it ends with the process.
        let _ = std::thread::Builder::new().spawn(move || drop(client));
    }
}

pub struct Postgres {
    client: Apart,
    statements: HashMap<String, Statement>,
    open: bool,
    /// Of the question that is answered.
    limit: Limit,
}

impl Postgres {
    pub fn open(url: &str) -> Result<Self, DbError> {
        let client = Client::connect(url, NoTls).map_err(failed)?;
        Ok(Self {
            client: Apart(Some(client)),
            statements: HashMap::new(),
            open: false,
            limit: Limit::default(),
        })
    }

    fn prepared(&mut self, sql: &str) -> Result<Statement, DbError> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.client().prepare(sql).map_err(failed)?;
        if self.statements.len() >= STATEMENTS_MAX {
            self.statements.clear();
        }
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

/// The server's words, without the address: it may hold a password.
fn failed(error: postgres::Error) -> DbError {
    let text = match error.as_db_error() {
        Some(error) if *error.code() == SqlState::QUERY_CANCELED => return DbError::TooLong,
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    };
    DbError::Failed(text)
}

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(number) => match *kind {
                Type::INT4 => i32::try_from(*number)?.to_sql(kind, out),
                Type::INT2 => i16::try_from(*number)?.to_sql(kind, out),
                _ => number.to_sql(kind, out),
            },
            Self::Text(text) => text.to_sql(kind, out),
            Self::Bytes(bytes) => bytes.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        matches!(
            *kind,
            Type::INT8 | Type::INT4 | Type::INT2 | Type::TEXT | Type::BYTEA | Type::VARCHAR
        )
    }

    postgres::types::to_sql_checked!();
}

fn value(row: &postgres::Row, at: usize, kind: &Type) -> Result<Value, DbError> {
    let found = match *kind {
        Type::INT8 => row.try_get::<_, Option<i64>>(at).map(|number| number.map(Value::Int)),
        Type::INT4 => row
            .try_get::<_, Option<i32>>(at)
            .map(|number| number.map(|number| Value::Int(number.into()))),
        Type::TEXT | Type::VARCHAR => row.try_get::<_, Option<String>>(at).map(|text| text.map(Value::Text)),
        Type::BYTEA => row
            .try_get::<_, Option<Vec<u8>>>(at)
            .map(|bytes| bytes.map(Value::Bytes)),
        _ => return Err(DbError::Column("a column of a kind that is never written")),
    };
    Ok(found.map_err(failed)?.unwrap_or(Value::Null))
}

impl Session for Postgres {
    fn run(&mut self, sql: &str, values: &[Value]) -> Result<u64, DbError> {
        let statement = self.prepared(sql)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        self.client.client().execute(&statement, &values).map_err(failed)
    }

    fn all(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, DbError> {
        if self.limit.is_over() {
            return Err(DbError::TooLong);
        }
        let statement = self.prepared(sql)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        let rows = self.client.client().query(&statement, &values).map_err(failed)?;
        rows.iter()
            .map(|row| {
                let columns = row.columns().iter().enumerate();
                let read = columns.map(|(at, column)| value(row, at, column.type_()));
                read.collect::<Result<_, _>>().map(Row)
            })
            .collect()
    }

    /// Many rows of one question: each is answered over the wire.
    fn insert(&mut self, table: &str, columns: &[&str], also: &str, values: &[Value]) -> Result<(), DbError> {
        let rows: Vec<&[Value]> = values.chunks_exact(columns.len()).collect();
        for group in super::groups(&rows) {
            let row = |at: usize| format!("({})", super::places(1 + at * columns.len(), columns.len()));
            let places: Vec<String> = (0..group.len()).map(row).collect();
            let (names, places) = (columns.join(", "), places.join(", "));
            let sql = format!("INSERT INTO {table} ({names}) VALUES {places} {also}");
            self.run(&sql, &group.concat())?;
        }
        Ok(())
    }

    fn batch(&mut self, sql: &str) -> Result<(), DbError> {
        self.client.client().batch_execute(sql).map_err(failed)
    }

    fn begin(&mut self) -> Result<(), DbError> {
        self.batch("BEGIN")?;
        self.open = true;
        // One writer at a time, whoever else was started on the same database.
        self.batch("SELECT pg_advisory_xact_lock(4841369599423283200)")
    }

    /// The server ends each statement after the time there is; one that nobody waits for any more is ended by asking the server.
    fn begin_reading(&mut self, limit: &Limit) -> Result<(), DbError> {
        // A time of zero would be none.
        let left = limit.left().map_or(0, |left| left.as_millis().clamp(1, 1 << 30));
        self.open = true;
        self.batch(&format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {left}"
        ))?;
        let token = self.client.client().cancel_token();
        limit.ends_by(move || {
            // It dials, and waits. Without a thread the statement ends by its time.
            let _ = std::thread::Builder::new().spawn(move || token.cancel_query(NoTls));
        });
        self.limit = limit.clone();
        Ok(())
    }

    fn commit(&mut self) -> Result<(), DbError> {
        self.open = false;
        self.batch("COMMIT")
    }

    fn rollback(&mut self) -> Result<(), DbError> {
        self.limit = Limit::default();
        match std::mem::take(&mut self.open) {
            true => self.batch("ROLLBACK"),
            false => Ok(()),
        }
    }

    fn bytes_type(&self) -> &'static str {
        "BYTEA"
    }

    fn clustered(&self) -> &'static str {
        ""
    }
}
