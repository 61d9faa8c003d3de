//! A file of SQLite. A write-ahead log, synced at every commit, so that readers never wait for who writes and what was committed is
//! there after any end.

use super::limit::Limit;
use super::{DbError, Row, Session, Value};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql};
use std::path::Path;

/// For another who writes to end.
const BUSY_MS: u64 = 10_000;
/// Statements kept prepared.
const STATEMENTS_MAX: usize = 256;

/// FULL, not NORMAL: what was shown to a reader shall be there after a power cut as well; one sync a block costs little.
const SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF;
    PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 4000;";

/// Steps of a statement between two looks at the time.
const STEPS: i32 = 10_000;

pub struct Sqlite {
    connection: Connection,
    /// Of the question that is answered.
    limit: Limit,
}

impl Sqlite {
    pub fn open(path: &Path) -> Result<Self, DbError> {
        let connection = Connection::open(path).map_err(failed)?;
        connection
            .busy_timeout(std::time::Duration::from_millis(BUSY_MS))
            .map_err(failed)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        connection.execute_batch(SETTINGS).map_err(failed)?;
        Ok(Self {
            connection,
            limit: Limit::default(),
        })
    }
}

fn failed(error: rusqlite::Error) -> DbError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::OperationInterrupted) => DbError::TooLong,
        _ => DbError::Failed(error.to_string()),
    }
}

/// `$1` as SQLite numbers its values.
fn own(sql: &str) -> String {
    sql.replace('$', "?")
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn value(read: ValueRef<'_>) -> Result<Value, DbError> {
    Ok(match read {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Real(_) => return Err(DbError::Column("a fraction")),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    })
}

impl Session for Sqlite {
    fn run(&mut self, sql: &str, values: &[Value]) -> Result<u64, DbError> {
        let mut statement = self.connection.prepare_cached(&own(sql)).map_err(failed)?;
        let changed = statement.execute(rusqlite::params_from_iter(values)).map_err(failed)?;
        Ok(changed as u64)
    }

    fn all(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, DbError> {
        // One that ends before the first look at the time is looked at here.
        if self.limit.is_over() {
            return Err(DbError::TooLong);
        }
        let mut statement = self.connection.prepare_cached(&own(sql)).map_err(failed)?;
        let columns = statement.column_count();
        let mut rows = statement.query(rusqlite::params_from_iter(values)).map_err(failed)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let read = (0..columns).map(|at| value(row.get_ref(at).map_err(failed)?));
            found.push(Row(read.collect::<Result<_, _>>()?));
        }
        Ok(found)
    }

    /// One statement, prepared once.
    fn insert(&mut self, table: &str, columns: &[&str], also: &str, values: &[Value]) -> Result<(), DbError> {
        let places = super::places(1, columns.len());
        let sql = format!("INSERT INTO {table} ({}) VALUES ({places}) {also}", columns.join(", "));
        let mut statement = self.connection.prepare_cached(&own(&sql)).map_err(failed)?;
        for row in values.chunks_exact(columns.len()) {
            statement.execute(rusqlite::params_from_iter(row)).map_err(failed)?;
        }
        Ok(())
    }

    fn batch(&mut self, sql: &str) -> Result<(), DbError> {
        self.connection.execute_batch(sql).map_err(failed)
    }

    fn begin(&mut self) -> Result<(), DbError> {
        self.batch("BEGIN IMMEDIATE")
    }

    fn begin_reading(&mut self, limit: &Limit) -> Result<(), DbError> {
        let looked_at = limit.clone();
        self.connection
            .progress_handler(STEPS, Some(move || looked_at.is_over()));
        self.limit = limit.clone();
        self.batch("BEGIN DEFERRED")
    }

    fn commit(&mut self) -> Result<(), DbError> {
        self.batch("COMMIT")
    }

    fn rollback(&mut self) -> Result<(), DbError> {
        self.connection.progress_handler(0, None::<fn() -> bool>);
        self.limit = Limit::default();
        match self.connection.is_autocommit() {
            true => Ok(()),
            false => self.batch("ROLLBACK"),
        }
    }

    fn bytes_type(&self) -> &'static str {
        "BLOB"
    }

    fn clustered(&self) -> &'static str {
        "WITHOUT ROWID"
    }
}
