//! The rows of one epoch, a bounded piece of them in each transaction, so that nobody who writes waits for a whole epoch. No reader sees
//! them before the epoch is `here`, which the last transaction says (`super::write`). What a killed process leaves is marked, and
//! cleared before anything else is written.

use super::check::Believed;
use super::tally::Tally;
use crate::db::{DbError, Session, Value, values};
use crate::turns::Turns;
use cairn_types::codec;

/// Rows of one piece.
#[cfg(not(test))]
pub const PIECE_ROWS: usize = 5_000;
#[cfg(test)]
pub const PIECE_ROWS: usize = 2;

/// Tables written in pieces, each with the column that its rows of an epoch are sorted by.
const TABLES: [(&str, &str); 4] = [
    ("findings", "device"),
    ("device_epochs", "device"),
    ("cell_epochs", "cell"),
    ("cell_values", "cell"),
];

/// An epoch of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub network: u64,
    pub epoch: u64,
}

/// Who writes: one run of the program, in turn with who follows.
#[derive(Clone)]
pub struct Writer {
    /// Names the run in the index: whoever finds another's mark there has lost its place.
    pub run: u64,
    pub turns: Turns,
}

impl Writer {
    pub fn new(turns: Turns) -> Self {
        let mut run = [0; 8];
        // Without it two programs on one index are not told apart; each still writes whole epochs.
        let _ = getrandom::fill(&mut run);
        Self {
            run: u64::from_be_bytes(run) >> 1,
            turns,
        }
    }

    /// One transaction in its turn, after whoever follows.
    pub fn commit<T>(
        &self,
        session: &mut dyn Session,
        write: impl FnOnce(&mut dyn Session) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        let _turn = self.turns.later();
        session.begin()?;
        match write(session).and_then(|done| session.commit().map(|()| done)) {
            Ok(done) => Ok(done),
            Err(error) => {
                session.rollback()?;
                Err(error)
            }
        }
    }

    /// Fails when another program has taken the place of this one.
    pub fn holds(&self, session: &mut dyn Session) -> Result<(), DbError> {
        let sql = "SELECT 1 FROM meta WHERE name = 'writing' AND number = $1";
        match session.one(sql, values![self.run])? {
            Some(_) => Ok(()),
            None => Err(DbError::Failed("another program takes findings into this index".into())),
        }
    }

    /// Takes away what was begun and never ended, also by another run.
    pub fn clear(&self, session: &mut dyn Session) -> Result<(), DbError> {
        let Some(place) = left(session)? else {
            return Ok(());
        };
        self.commit(session, |session| {
            let sql = "UPDATE meta SET number = $1 WHERE name = 'writing'";
            session.run(sql, values![self.run]).map(drop)
        })?;
        for (table, column) in TABLES {
            while !self.commit(session, |session| {
                self.holds(session)?;
                clear_piece(table, column, place, session)
            })? {}
        }
        self.commit(session, |session| {
            self.holds(session)?;
            unmark(session)
        })
    }

    /// Begins an epoch; false where it is here already.
    pub fn begin(&self, place: Place, session: &mut dyn Session) -> Result<bool, DbError> {
        self.clear(session)?;
        self.commit(session, |session| {
            let sql =
                "SELECT 1 FROM network_epochs WHERE network = $1 AND epoch = $2 AND findings IN ('awaited', 'differs')";
            if session.one(sql, values![place.network, place.epoch])?.is_none() {
                return Ok(false);
            }
            let at = [place.network.to_be_bytes(), place.epoch.to_be_bytes()].concat();
            let sql = "INSERT INTO meta (name, number, bytes) VALUES ('writing', $1, $2)";
            session.run(sql, values![self.run, at])?;
            Ok(true)
        })
    }
}

/// The epoch whose rows were begun.
fn left(session: &mut dyn Session) -> Result<Option<Place>, DbError> {
    let row = session.one("SELECT bytes FROM meta WHERE name = 'writing'", values![])?;
    let Some(row) = row else { return Ok(None) };
    let number = |bytes: Option<&[u8]>| bytes.and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
    let bytes = row.bytes(0)?;
    let place = number(bytes.get(..8)).zip(number(bytes.get(8..)));
    let (network, epoch) = place.ok_or(DbError::Column("a network and an epoch expected"))?;
    Ok(Some(Place { network, epoch }))
}

/// Nothing is begun any more.
pub fn unmark(session: &mut dyn Session) -> Result<(), DbError> {
    session
        .run("DELETE FROM meta WHERE name = 'writing'", values![])
        .map(drop)
}

/// Deletes the first rows of an epoch; whether none is left.
fn clear_piece(table: &str, column: &str, place: Place, session: &mut dyn Session) -> Result<bool, DbError> {
    let sql = format!(
        "SELECT {column} FROM {table} WHERE network = $1 AND epoch = $2 ORDER BY {column} LIMIT 1 OFFSET {PIECE_ROWS}"
    );
    let Place { network, epoch } = place;
    let last = session.one(&sql, values![network, epoch])?;
    let last = last.map(|row| row.int(0)).transpose()?;
    let sql = format!("DELETE FROM {table} WHERE network = $1 AND epoch = $2 AND {column} <= $3");
    session.run(&sql, values![network, epoch, last.unwrap_or(i64::MAX)])?;
    Ok(last.is_none())
}

/// An epoch while its rows are written.
pub struct Pieces<'a> {
    place: Place,
    believed: &'a Believed,
    tally: &'a Tally,
    /// Places of the findings, by device.
    order: Vec<usize>,
    table: usize,
    row: usize,
}

impl<'a> Pieces<'a> {
    pub fn new(place: Place, believed: &'a Believed, tally: &'a Tally) -> Self {
        let mut order: Vec<usize> = (0..believed.findings.len()).collect();
        // Stable: a device's findings stay in the archive's order.
        order.sort_by_key(|at| believed.findings[*at].device);
        Self {
            place,
            believed,
            tally,
            order,
            table: 0,
            row: 0,
        }
    }

    /// Writes the next rows; whether there are more.
    pub fn next(&mut self, writer: &Writer, session: &mut dyn Session) -> Result<bool, DbError> {
        let Some((table, _)) = TABLES.get(self.table) else {
            return Ok(false);
        };
        let (columns, values, is_last) = match self.table {
            0 => self.findings(),
            1 => self.devices(),
            2 => self.cells(),
            _ => self.values(),
        };
        if !values.is_empty() {
            writer.commit(session, |session| {
                writer.holds(session)?;
                session.insert(table, columns, "", &values)
            })?;
        }
        match is_last {
            true => (self.table, self.row) = (self.table + 1, 0),
            false => self.row += PIECE_ROWS,
        }
        Ok(self.table < TABLES.len())
    }

    /// Every row begins with the epoch.
    fn rows<T>(&self, all: &[T], row: impl Fn(&T, &mut Vec<Value>)) -> (Vec<Value>, bool) {
        let (network, epoch) = (Value::from(self.place.network), Value::from(self.place.epoch));
        let piece = all.iter().skip(self.row).take(PIECE_ROWS);
        let mut values = Vec::new();
        for one in piece {
            values.extend([network.clone(), epoch.clone()]);
            row(one, &mut values);
        }
        (values, self.row + PIECE_ROWS >= all.len())
    }

    fn findings(&self) -> (&'static [&'static str], Vec<Value>, bool) {
        let (values, is_last) = self.rows(&self.order, |at, values| {
            let finding = &self.believed.findings[*at];
            values.extend([
                Value::from(finding.device.0),
                Value::from(*at as u64),
                Value::from(finding.report.0),
                Value::from(finding.units),
                Value::from(finding.reason.map(|reason| reason.0)),
                Value::from(codec::encode(&finding.spans)),
            ]);
        });
        let columns = &[
            "network", "epoch", "device", "place", "report", "units", "reason", "spans",
        ];
        (columns, values, is_last)
    }

    fn devices(&self) -> (&'static [&'static str], Vec<Value>, bool) {
        let (values, is_last) = self.rows(&self.tally.devices, |(number, of), values| {
            values.extend([
                Value::from(number.0),
                Value::from(of.operator),
                Value::from(of.accepted),
                Value::from(of.refused),
                Value::from(of.units),
                Value::from(of.reason()),
            ]);
        });
        let columns = &[
            "network", "epoch", "device", "operator", "accepted", "refused", "units", "reason",
        ];
        (columns, values, is_last)
    }

    fn cells(&self) -> (&'static [&'static str], Vec<Value>, bool) {
        let (values, is_last) = self.rows(&self.tally.cells, |(cell, of), values| {
            let cell = Value::from(cell.get());
            let counts = [of.devices, of.reporting, of.accepted, of.refused, of.units];
            values.push(cell);
            values.extend(counts.map(Value::from));
        });
        let columns = &[
            "network",
            "epoch",
            "cell",
            "devices",
            "reporting",
            "accepted",
            "refused",
            "units",
        ];
        (columns, values, is_last)
    }

    fn values(&self) -> (&'static [&'static str], Vec<Value>, bool) {
        let all: Vec<_> = self.believed.cells.iter().collect();
        let (values, is_last) = self.rows(&all, |((cell, quantity), of), values| {
            values.extend([
                Value::from(cell.get()),
                Value::from(*quantity),
                Value::from(of.count),
                Value::from(of.median),
                Value::from(of.lowest),
                Value::from(of.highest),
            ]);
        });
        let columns = &[
            "network", "epoch", "cell", "quantity", "count", "median", "lowest", "highest",
        ];
        (columns, values, is_last)
    }
}
