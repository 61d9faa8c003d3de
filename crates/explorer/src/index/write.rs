//! Small writes that several kinds of facts share: the cursor, numbers behind ids, rows of people, networks and devices.

use crate::db::{DbError, Session, Value, groups, places, values};
use cairn_engine::Header;
use cairn_types::TimeMs;

/// How far the index is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub height: u64,
    pub time: TimeMs,
    pub digest: [u8; 32],
    pub era: u32,
    /// Whether the era has ended with that block.
    pub over: bool,
}

/// The last block in the index; none before the first.
pub fn cursor(session: &mut dyn Session) -> Result<Option<Cursor>, DbError> {
    let row = session.one("SELECT bytes FROM meta WHERE name = 'cursor'", values![])?;
    let Some(row) = row else { return Ok(None) };
    let header = Header::decode(row.bytes(0)?).map_err(|_| DbError::Column("a header expected"))?;
    Ok(Some(Cursor {
        height: header.height,
        time: TimeMs(header.time_ms),
        digest: header.digest(),
        era: header.era,
        over: header.is_over(),
    }))
}

/// Moves the cursor from the block before. Whoever comes second with the same block changes nothing: two who follow into one index do
/// not mix.
pub fn set_cursor(session: &mut dyn Session, header: &Header) -> Result<(), DbError> {
    let before = header.height.saturating_sub(1);
    let encoded = header.encode();
    let moved = session.run(
        "UPDATE meta SET number = $1, bytes = $2 WHERE name = 'cursor' AND number = $3",
        values![header.height, &encoded[..], before],
    )?;
    if moved == 1 {
        return Ok(());
    }
    let held = session.one("SELECT number FROM meta WHERE name = 'cursor'", values![])?;
    if held.is_some() {
        return Err(DbError::Failed("another program follows into this index".to_owned()));
    }
    session.run(
        "INSERT INTO meta (name, number, bytes) VALUES ('cursor', $1, $2)",
        values![header.height, &encoded[..]],
    )?;
    Ok(())
}

/// What happens once in a later era, remembered by the height at which it did.
#[derive(Clone, Copy, Debug)]
pub enum Once {
    /// All records of the era before are here.
    TakenOver,
    /// Whom they know is listed.
    Seeded,
}

impl Once {
    fn name(self) -> &'static str {
        match self {
            Self::TakenOver => "taken_over",
            Self::Seeded => "seeded",
        }
    }

    /// Whether it happened in the era that began after this height.
    pub fn is_done(self, base: u64, session: &mut dyn Session) -> Result<bool, DbError> {
        let sql = "SELECT 1 FROM meta WHERE name = $1 AND number > $2";
        Ok(session.one(sql, values![self.name(), base])?.is_some())
    }

    pub fn done(self, height: u64, session: &mut dyn Session) -> Result<(), DbError> {
        let sql =
            "INSERT INTO meta (name, number) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET number = excluded.number";
        session.run(sql, values![self.name(), height]).map(drop)
    }
}

/// The header of a block that is in the index.
pub fn header_at(height: u64, session: &mut dyn Session) -> Result<Option<Header>, DbError> {
    let row = session.one("SELECT header FROM blocks WHERE height = $1", values![height])?;
    let Some(row) = row else { return Ok(None) };
    let header = Header::decode(row.bytes(0)?).map_err(|_| DbError::Column("a header expected"))?;
    Ok(Some(header))
}

/// An index in which the era before ended goes on with the next: blocks after its end, which changed nothing, give way, and its records to
/// those that the new era brings.
pub fn go_over(base: u64, era: u32, session: &mut dyn Session) -> Result<bool, DbError> {
    if cursor(session)?.is_none_or(|cursor| cursor.era >= era) {
        return Ok(false);
    }
    session.run("DELETE FROM blocks WHERE height > $1", values![base])?;
    session.run("DELETE FROM records", values![])?;
    session.run("UPDATE meta SET number = $1 WHERE name = 'cursor'", values![base])?;
    Ok(true)
}

/// What somebody is, as bits of `accounts.roles`.
pub mod roles {
    pub const OPERATOR: u64 = 1;
    pub const CUSTOMER: u64 = 2;
    pub const FOUNDER: u64 = 4;
    pub const VERIFIER: u64 = 8;
    pub const PROVIDER: u64 = 16;
    pub const ISSUER: u64 = 32;
}

pub fn account(session: &mut dyn Session, number: u64, id: [u8; 32], opened: u64) -> Result<(), DbError> {
    let sql = "INSERT INTO accounts (number, id, opened, roles, devices, units, token, stable, usd, availability_usd, usage_usd,
        customers_paid, bought_stable, bought_burned, burned_token, refunded, spent, orders, slashed)
        VALUES ($1, $2, $3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) ON CONFLICT (number) DO NOTHING";
    session.run(sql, values![number, id, opened]).map(drop)
}

pub fn role(session: &mut dyn Session, number: u64, role: u64) -> Result<(), DbError> {
    let sql = "UPDATE accounts SET roles = roles | $2 WHERE number = $1";
    session.run(sql, values![number, role]).map(drop)
}

/// Somebody buys, maybe for the first time.
pub fn customer(session: &mut dyn Session, number: u64) -> Result<(), DbError> {
    let sql = "UPDATE accounts SET roles = roles | $2 WHERE number = $1 AND (roles & $2) = 0";
    if session.run(sql, values![number, roles::CUSTOMER])? == 1 {
        session.run(
            "UPDATE meta SET number = number + 1 WHERE name = 'customers'",
            values![],
        )?;
    }
    Ok(())
}

/// Counts whose devices a network has ever had, as each device is now or was last: after its row is written.
pub fn member_operator(
    session: &mut dyn Session,
    network: u64,
    device: u64,
    before: Option<u64>,
    now: u64,
) -> Result<(), DbError> {
    if before == Some(now) {
        return Ok(());
    }
    let mut has_others = |operator: u64| -> Result<bool, DbError> {
        let sql = "SELECT 1 FROM members WHERE operator = $1 AND network = $2 AND device <> $3 LIMIT 1";
        Ok(session.one(sql, values![operator, network, device])?.is_some())
    };
    let comes = !has_others(now)?;
    let goes = before.map_or(Ok(false), |before| has_others(before).map(|has| !has))?;
    let change = i64::from(comes) - i64::from(goes);
    let sql = "UPDATE networks SET operators = operators + $2 WHERE number = $1";
    session.run(sql, values![network, change]).map(drop)
}

pub fn network(
    session: &mut dyn Session,
    number: u64,
    id: [u8; 32],
    name: &str,
    vertical: &str,
    founder: u64,
) -> Result<(), DbError> {
    let sql = "INSERT INTO networks (number, id, name, vertical, founder, devices, reporting, accepted, refused, units, availability,
        usage, cash, customers_paid, token, usd, availability_usd, usage_usd, open_orders, operators, fresh, stale)
        VALUES ($1, $2, $3, $4, $5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) ON CONFLICT (number) DO NOTHING";
    session.run(sql, values![number, id, name, vertical, founder])?;
    role(session, founder, roles::FOUNDER)
}

pub fn device(session: &mut dyn Session, number: u64, id: [u8; 32], owner: u64) -> Result<(), DbError> {
    let sql =
        "INSERT INTO devices (number, id, owner, units, accepted, refused, state) VALUES ($1, $2, $3, 0, 0, 0, 'new')
        ON CONFLICT (number) DO NOTHING";
    if session.run(sql, values![number, id, owner])? == 1 {
        session.run(
            "UPDATE accounts SET devices = devices + 1, roles = roles | $2 WHERE number = $1",
            values![owner, roles::OPERATOR],
        )?;
        let sql = "UPDATE meta SET number = number + 1 WHERE name = 'operators'
            AND EXISTS (SELECT 1 FROM accounts WHERE number = $1 AND devices = 1)";
        session.run(sql, values![owner])?;
    }
    Ok(())
}

/// Devices that serve several networks are as each is in the one where it does best.
pub fn device_states(devices: &[u64], session: &mut dyn Session) -> Result<(), DbError> {
    for group in groups(devices) {
        let sql = format!(
            "UPDATE devices SET state = COALESCE((SELECT m.state FROM members m WHERE m.device = devices.number ORDER BY CASE m.state
            WHEN 'earning' THEN 0 WHEN 'new' THEN 1 WHEN 'moved' THEN 2 WHEN 'refused' THEN 3 WHEN 'silent' THEN 4 WHEN 'excluded' THEN 5
            WHEN 'barred' THEN 6 ELSE 7 END, m.network LIMIT 1), 'new') WHERE number IN ({}) AND state <> 'retired'",
            places(1, group.len())
        );
        let numbers: Vec<Value> = group.iter().map(|device| Value::from(*device)).collect();
        session.run(&sql, &numbers)?;
    }
    Ok(())
}

/// An account of a test.
#[cfg(test)]
pub fn put_account(session: &mut dyn Session, number: u64, id: [u8; 32]) -> Result<(), DbError> {
    account(session, number, id, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Location, schema};

    #[test]
    fn what_is_counted_as_it_comes_is_what_counting_all_gives() {
        let folder = tempfile::tempdir().unwrap();
        let mut session = Location::Sqlite(folder.path().join("a.db")).open().unwrap();
        let session = session.as_mut();
        schema::version(session).unwrap();
        schema::make(session).unwrap();
        network(session, 0, [7; 32], "rain", "sensors", 1).unwrap();
        (1..=3).for_each(|number| account(session, number, [number as u8; 32], 1).unwrap());
        let count = |session: &mut dyn Session, sql: &str| session.one(sql, &[]).unwrap().unwrap().int(0).unwrap();
        // Who has each device, one after the other: it comes, is taken over, comes back, and another comes.
        for (at, owner) in [(10u64, 1), (10, 2), (11, 2), (10, 1), (11, 1), (12, 3), (12, 3)] {
            device(session, at, [at as u8; 32], owner).unwrap();
            customer(session, owner).unwrap();
            let sql = "SELECT operator FROM members WHERE network = 0 AND device = $1";
            let before = session.one(sql, values![at]).unwrap().map(|row| row.count(0).unwrap());
            let sql = "INSERT INTO members (network, device, entry, operator, cell, joined, state) VALUES (0, $1, $1, $2, 5, 0, 'new')
                ON CONFLICT (network, device) DO UPDATE SET operator = excluded.operator";
            session.run(sql, values![at, owner]).unwrap();
            member_operator(session, 0, at, before, owner).unwrap();
            for (kept, counted) in [
                (
                    "SELECT operators FROM networks",
                    "SELECT COUNT(DISTINCT operator) FROM members",
                ),
                (
                    "SELECT number FROM meta WHERE name = 'operators'",
                    "SELECT COUNT(*) FROM accounts WHERE devices > 0",
                ),
                (
                    "SELECT number FROM meta WHERE name = 'customers'",
                    "SELECT COUNT(*) FROM accounts WHERE (roles & 2) <> 0",
                ),
            ] {
                assert_eq!(
                    count(session, kept),
                    count(session, counted),
                    "{kept} with {at} of {owner}"
                );
            }
        }
    }
}
