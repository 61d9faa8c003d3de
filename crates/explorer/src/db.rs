//! The index's database: SQL that SQLite and PostgreSQL both understand, behind one small trait. Blocking, used from threads that may
//! wait. Knows nothing of what the tables mean.
//!
//! ```text
//! $1, $2 …  values      BLOB, INTEGER (64 bits), TEXT      a reader's session stands on one snapshot from its first question to its end
//! ```

pub mod limit;
mod postgres;
pub mod schema;
mod sqlite;

use limit::{Limit, Waiting};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Questions answered at once; more wait.
pub const READERS_MAX: usize = 4;

/// What can stand in a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A database that does not do what it is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DbError {
    #[error("the index cannot be used: {0}")]
    Failed(String),
    #[error("the index has something else in a column than was written there: {0}")]
    Column(&'static str),
    #[error("{0:?} is no place for the index")]
    Place(String),
    #[error("the question took longer than it may")]
    TooLong,
}

impl DbError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Failed(_) => "check that the file or server is there, yours, and has room",
            Self::Column(_) => "another program wrote into the index: start the explorer with --rebuild",
            Self::TooLong => "ask for less: fewer rows, or a narrower range",
            Self::Place(_) => "write it like sqlite:explorer.db or postgres://user@host/name",
        }
    }
}

/// A row of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row(pub Vec<Value>);

impl Row {
    fn at(&self, place: usize) -> &Value {
        self.0.get(place).unwrap_or(&Value::Null)
    }

    pub fn int(&self, place: usize) -> Result<i64, DbError> {
        match self.at(place) {
            Value::Int(number) => Ok(*number),
            _ => Err(DbError::Column("a number expected")),
        }
    }

    /// A number that is never below zero.
    pub fn count(&self, place: usize) -> Result<u64, DbError> {
        u64::try_from(self.int(place)?).map_err(|_| DbError::Column("a number below zero"))
    }

    pub fn maybe_int(&self, place: usize) -> Option<i64> {
        match self.at(place) {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    pub fn maybe_count(&self, place: usize) -> Option<u64> {
        self.maybe_int(place).and_then(|number| u64::try_from(number).ok())
    }

    /// Zero where nothing is: sums over no rows.
    pub fn sum(&self, place: usize) -> u64 {
        self.maybe_count(place).unwrap_or(0)
    }

    pub fn text(&self, place: usize) -> Result<&str, DbError> {
        match self.at(place) {
            Value::Text(text) => Ok(text),
            _ => Err(DbError::Column("text expected")),
        }
    }

    pub fn bytes(&self, place: usize) -> Result<&[u8], DbError> {
        match self.at(place) {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(DbError::Column("bytes expected")),
        }
    }

    pub fn maybe_bytes(&self, place: usize) -> Option<&[u8]> {
        match self.at(place) {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Thirty-two bytes.
    pub fn id(&self, place: usize) -> Result<[u8; 32], DbError> {
        self.bytes(place)?
            .try_into()
            .map_err(|_| DbError::Column("an id expected"))
    }
}

/// One connection.
pub trait Session: Send {
    /// Changes something; answers how many rows.
    fn run(&mut self, sql: &str, values: &[Value]) -> Result<u64, DbError>;
    fn all(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, DbError>;
    /// Several statements without values.
    fn batch(&mut self, sql: &str) -> Result<(), DbError>;
    /// Begins to write; nobody else can until it ends.
    fn begin(&mut self) -> Result<(), DbError>;
    /// Begins to read one state; everything that is asked before the end ends by the limit.
    fn begin_reading(&mut self, limit: &Limit) -> Result<(), DbError>;
    fn commit(&mut self) -> Result<(), DbError>;
    fn rollback(&mut self) -> Result<(), DbError>;
    /// The column type for bytes.
    fn bytes_type(&self) -> &'static str;
    /// What a table says whose rows stand in the order of their key.
    fn clustered(&self) -> &'static str;

    /// Inserts rows, as many values each as there are columns. `also` says what becomes of rows that are there already.
    fn insert(&mut self, table: &str, columns: &[&str], also: &str, values: &[Value]) -> Result<(), DbError>;

    fn one(&mut self, sql: &str, values: &[Value]) -> Result<Option<Row>, DbError> {
        Ok(self.all(sql, values)?.into_iter().next())
    }
}

/// Things of one statement, and of the statements for what is left: few forms, so that each is prepared once.
const GROUPS: [usize; 3] = [256, 16, 1];

/// Cut into groups of few sizes.
pub fn groups<T>(all: &[T]) -> impl Iterator<Item = &[T]> {
    let mut left = all;
    std::iter::from_fn(move || {
        let size = GROUPS.iter().find(|size| **size <= left.len())?;
        let (group, rest) = left.split_at(*size);
        left = rest;
        Some(group)
    })
}

/// `$3, $4, …`.
pub fn places(first: usize, count: usize) -> String {
    let places: Vec<String> = (first..first + count).map(|place| format!("${place}")).collect();
    places.join(", ")
}

/// Where an index is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    Sqlite(PathBuf),
    Postgres(String),
}

impl FromStr for Location {
    type Err = DbError;

    fn from_str(text: &str) -> Result<Self, DbError> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        match text.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            _ => Err(DbError::Place(text.chars().take(100).collect())),
        }
    }
}

impl Location {
    /// A connection of its own.
    pub fn open(&self) -> Result<Box<dyn Session>, DbError> {
        match self {
            Self::Sqlite(path) => Ok(Box::new(sqlite::Sqlite::open(path)?)),
            Self::Postgres(url) => Ok(Box::new(postgres::Postgres::open(url)?)),
        }
    }

    /// For those who only read, of whom there are several: with less at hand.
    pub fn open_reading(&self) -> Result<Box<dyn Session>, DbError> {
        let mut session = self.open()?;
        if let Self::Sqlite(_) = self {
            session.batch("PRAGMA cache_size = -16384")?;
        }
        Ok(session)
    }
}

/// Those who read: a few connections, each lent to one question at a time.
#[derive(Clone)]
pub struct Readers(Arc<Inner>);

struct Inner {
    location: Location,
    /// For one question.
    wait_max: Duration,
    idle: Mutex<Vec<Box<dyn Session>>>,
    places: Arc<tokio::sync::Semaphore>,
}

impl Readers {
    pub fn new(location: Location, wait_max: Duration) -> Self {
        Self(Arc::new(Inner {
            location,
            wait_max,
            idle: Mutex::default(),
            places: Arc::new(tokio::sync::Semaphore::new(READERS_MAX)),
        }))
    }

    /// What a question finds in one state of the index.
    pub async fn read<T, E>(&self, ask: impl FnOnce(&mut dyn Session) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let place = self.0.places.clone().acquire_owned().await;
        let place = place.expect("the semaphore is never closed");
        let inner = self.0.clone();
        // Whoever goes away ends the question: its place is soon another's.
        let limit = Limit::after(inner.wait_max);
        let _waiting = Waiting(limit.clone());
        let asked = tokio::task::spawn_blocking(move || {
            // Kept until the question is answered, also when nobody waits for that any more.
            let _place = place;
            let idle = inner.idle.lock().expect("no holder of the lock panics").pop();
            let mut session = match idle {
                Some(session) => session,
                None => inner.location.open_reading()?,
            };
            session.begin_reading(&limit)?;
            let found = ask(session.as_mut());
            limit.done();
            // A connection that was or is being ended from outside, or cannot end, is dropped, and another opened for the next question.
            if session.rollback().is_ok() && !limit.is_over() {
                inner.idle.lock().expect("no holder of the lock panics").push(session);
            }
            found
        });
        match asked.await {
            Ok(found) => found,
            Err(error) => Err(DbError::Failed(error.to_string()).into()),
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

/// Heights, counts and amounts: the ledger's caps keep them below 2^62; what is above all the same stands at the end.
impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Int(number.into())
    }
}

impl From<u8> for Value {
    fn from(number: u8) -> Self {
        Self::Int(number.into())
    }
}

impl From<bool> for Value {
    fn from(is: bool) -> Self {
        Self::Int(is.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<[u8; 32]> for Value {
    fn from(bytes: [u8; 32]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// `values![a, b]`: each turned into a value.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::db::Value::from($value)),*] };
}
pub(crate) use values;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_file_or_a_server() {
        assert_eq!("sqlite:a/b.db".parse(), Ok(Location::Sqlite("a/b.db".into())));
        assert!(matches!("postgres://u@h/d".parse(), Ok(Location::Postgres(_))));
        for bad in ["", "sqlite:", "mysql://x", "a.db"] {
            assert!(bad.parse::<Location>().is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn who_goes_away_leaves_its_place_only_when_its_question_is_answered() {
        let folder = tempfile::tempdir().unwrap();
        let readers = Readers::new(Location::Sqlite(folder.path().join("a.db")), Duration::from_secs(600));
        let (begun, begins) = std::sync::mpsc::channel();
        let mut answers = Vec::new();
        for _ in 0..READERS_MAX {
            let (answer, answered) = std::sync::mpsc::channel::<()>();
            let (readers, begun) = (readers.clone(), begun.clone());
            let asking = tokio::spawn(async move {
                let wait = move |_: &mut dyn Session| {
                    begun.send(()).unwrap();
                    // Answered when the other end is dropped.
                    let _ = answered.recv();
                    Ok::<_, DbError>(())
                };
                readers.read(wait).await
            });
            answers.push((asking, answer));
        }
        let all = move || (0..READERS_MAX).for_each(|_| begins.recv().unwrap());
        tokio::task::spawn_blocking(all).await.unwrap();
        let mut kept = Vec::new();
        for (asking, answer) in answers {
            asking.abort();
            assert!(asking.await.unwrap_err().is_cancelled());
            kept.push(answer);
        }
        assert_eq!(readers.0.places.available_permits(), 0, "they are still being answered");
        drop(kept);
        let places = u32::try_from(READERS_MAX).unwrap();
        assert!(readers.0.places.acquire_many(places).await.is_ok());
    }

    /// A question without an end.
    const ENDLESS: &str =
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x > 0) SELECT COUNT(*) FROM n";

    async fn ends(location: Location) {
        let readers = Readers::new(location.clone(), Duration::from_millis(200));
        let asked = readers.read(|session| session.all(ENDLESS, &[]));
        assert_eq!(asked.await, Err(DbError::TooLong), "after its time");
        let asked = readers.read(|session| {
            // Not in the middle of a statement.
            while session.all("SELECT 1", &[]).is_ok() {}
            session.one("SELECT 2", &[])
        });
        assert_eq!(asked.await, Err(DbError::TooLong), "between statements");
        let asked = readers.read(|session| session.one("SELECT CAST(7 AS BIGINT)", &[]));
        assert_eq!(asked.await.unwrap().unwrap().int(0), Ok(7), "and the next is answered");
        // Nobody waits any more: long before its time.
        let readers = Readers::new(location, Duration::from_secs(3_600));
        let (begun, begins) = tokio::sync::oneshot::channel();
        let asking = {
            let readers = readers.clone();
            tokio::spawn(async move {
                let ask = move |session: &mut dyn Session| {
                    begun.send(()).unwrap();
                    session.all(ENDLESS, &[])
                };
                readers.read(ask).await
            })
        };
        begins.await.unwrap();
        asking.abort();
        assert!(asking.await.unwrap_err().is_cancelled());
        let places = u32::try_from(READERS_MAX).unwrap();
        drop(readers.0.places.acquire_many(places).await.unwrap());
        assert!(
            readers.0.idle.lock().unwrap().is_empty(),
            "what was ended is not used again"
        );
    }

    #[tokio::test]
    async fn a_question_ends_with_its_time_and_with_whoever_asked_it_whatever_it_does() {
        let folder = tempfile::tempdir().unwrap();
        ends(Location::Sqlite(folder.path().join("a.db"))).await;
        if let Some(server) = crate::archives::tests::server::Server::start("questions that end in PostgreSQL") {
            ends(server.location().clone()).await;
        }
    }

    #[test]
    fn groups_are_of_few_sizes_and_leave_nothing_out() {
        let all: Vec<u32> = (0..530).collect();
        let sizes: Vec<usize> = groups(&all).map(<[u32]>::len).collect();
        assert_eq!(sizes, [256, 256, 16, 1, 1]);
        assert_eq!(groups(&all).flatten().copied().collect::<Vec<_>>(), all);
        assert_eq!(places(3, 2), "$3, $4");
    }

    #[test]
    fn a_column_of_another_kind_is_an_error_and_never_a_panic() {
        let row = Row(vec![Value::Int(-1), Value::Text("x".into())]);
        assert!(row.count(0).is_err() && row.bytes(1).is_err() && row.int(7).is_err());
        assert_eq!((row.int(0), row.sum(9)), (Ok(-1), 0));
    }
}
