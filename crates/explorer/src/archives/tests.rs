//! Findings out of archives made by hand: believed under the ledger's roots only, and the same totals and alerts in whatever order they
//! come.

#[path = "../../tests/explorer/server.rs"]
pub mod server;

use super::pieces::{Pieces, Place, Writer};
use super::tally::Tally;
use super::{Believed, Fetcher, Patience, Source, Sources, believe};
use crate::api::stand;
use crate::content;
use crate::db::{Location, Session, schema, values};
use crate::index::records::{Cache, Records};
use crate::live::Live;
use crate::turns::Turns;
use cairn_ledger::economics::Parameters;
use cairn_ledger::records::{Pool, PoolState, Roots, Settlement};
use cairn_ledger::store::Store;
use cairn_ledger::view;
use cairn_types::attestation::Totals;
use cairn_types::{
    AccountId, AccountNumber, Credit, DeviceNumber, EpochNumber, Finding, Hash, MicroUsd, NetworkId, PayoutLeaf,
    Reason, ReportId, SecretKey, Span, TimeMs, Token, codec, finding, merkle,
};
use cairn_verifier::archive::{EpochArchive, FINDINGS, INPUTS, Inputs, PAYOUTS};
use cairn_verifier::objects::{Memory, Objects};
use cairn_verifier::roster::RosterMember;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::watch;

const NETWORK: NetworkId = NetworkId([7; 32]);
const HOUR: u64 = 3_600_000;

/// The archives of several verifiers.
struct Kept(Vec<Memory>);

impl Sources for Kept {
    fn of(&self, _: &[(AccountId, String)], _: Patience) -> Vec<Source> {
        let source = |objects: &Memory| Source {
            verifier: None,
            url: "http://verifier".to_owned(),
            objects: Arc::new(objects.clone()) as Arc<dyn Objects>,
        };
        self.0.iter().map(source).collect()
    }
}

fn pool() -> Pool {
    Pool {
        state: PoolState::Closed,
        availability: Token(0),
        usage: Token(0),
        cash: MicroUsd(0),
        verifiers: MicroUsd(0),
        spent_stable: Credit(0),
        spent_burned: Credit(0),
        usage_price: None,
        exchange_price: None,
        meters: Hash::default(),
        settled: 0,
        terms: 0,
        parameters: Hash::default(),
        roster: 3,
    }
}

pub fn inputs(epoch: u64) -> Inputs {
    let member = |number: u8| RosterMember {
        number: DeviceNumber(number.into()),
        key: SecretKey::ed25519([number; 32]).public(),
        operator: AccountNumber(number.into()),
        cell: "881969c9b7fffff".parse().expect("a cell"),
        joined: EpochNumber(0),
        barred_until: None,
    };
    Inputs {
        chain: "cairn-test".parse().expect("a name"),
        network: NETWORK,
        epoch: EpochNumber(epoch),
        start: TimeMs(epoch * HOUR),
        end: TimeMs((epoch + 1) * HOUR),
        vertical: "sensors".to_owned(),
        parameters: cairn_verticals::by_name("sensors").expect("known").default_params(),
        economics: Parameters::daily(6, Token(1 << 40), Token(1 << 30)),
        pool: pool(),
        beacon: Hash([3; 32]),
        roster: (0..3).map(member).collect(),
        memory: Vec::new(),
        meters: Vec::new(),
    }
}

fn finding_of(epoch: u64, device: u32, reason: Option<u16>) -> Finding {
    let span = Span {
        start: TimeMs(epoch * HOUR),
        end: TimeMs((epoch + 1) * HOUR),
        quantity: 0,
        reason: reason.map(Reason),
        measured: 9,
        limit: 4,
    };
    Finding {
        report: ReportId([device as u8 + 10 * epoch as u8; 32]),
        device: DeviceNumber(device),
        units: if reason.is_none() { 1_000_000 } else { 0 },
        reason: reason.map(Reason),
        spans: vec![span],
    }
}

/// Who reported what: in the first epoch all are believed; in the second one is silent and one is refused; then all are well again.
fn findings(epoch: u64) -> Vec<Finding> {
    match epoch {
        1 => vec![finding_of(1, 0, None), finding_of(1, 2, Some(101))],
        _ => (0..3).map(|device| finding_of(epoch, device, None)).collect(),
    }
}

fn leaves() -> Vec<PayoutLeaf> {
    Vec::new()
}

fn put(objects: &Memory, epoch: u64, findings: &[Finding]) {
    let archive = EpochArchive::of(objects, &NETWORK, EpochNumber(epoch));
    archive.put(FINDINGS, &codec::encode(&findings.to_vec())).unwrap();
    archive.put(INPUTS, &codec::encode(&inputs(epoch))).unwrap();
    archive.put(PAYOUTS, &codec::encode(&leaves())).unwrap();
}

/// An index in which three epochs are released, and the roots of their results.
fn index(folder: &std::path::Path, name: &str) -> (Location, Box<dyn Session>) {
    furnished(Location::Sqlite(folder.join(name)))
}

fn furnished(location: Location) -> (Location, Box<dyn Session>) {
    let mut session = location.open().unwrap();
    schema::version(session.as_mut()).unwrap();
    schema::make(session.as_mut()).unwrap();
    let mut cache = Cache::default();
    let mut records = Records::new(session.as_mut(), &mut cache);
    for epoch in 0..3 {
        let at = (NETWORK, EpochNumber(epoch));
        let roots = Roots {
            inputs: inputs(epoch).hash(),
            archive: Hash::default(),
            findings: finding::root(&findings(epoch)),
            memory: Hash::default(),
            anchors: Hash::default(),
            previous: Hash::default(),
        };
        let settlement = Settlement {
            result: Hash([1; 32]),
            payouts: merkle::root(leaves().iter().map(PayoutLeaf::hash).collect()),
            leaves: 0,
            cursor: 0,
            totals: Totals::default(),
            paid: Totals::default(),
            operator: None,
            height: 1,
            exchanged: false,
            time: TimeMs(0),
            signers: 1,
            without: 0,
            uptime_ms: 0,
        };
        records.put(view::key::<Roots>(&at), codec::encode(&roots));
        records.put(view::key::<Settlement>(&at), codec::encode(&settlement));
    }
    records.flush().unwrap();
    let run = |session: &mut dyn Session, sql: &str, values: &[crate::db::Value]| session.run(sql, values).unwrap();
    let session_ref = session.as_mut();
    for number in 0..3u64 {
        crate::index::put_account(session_ref, number, [number as u8 + 100; 32]).unwrap();
        crate::index::put_device(session_ref, number, [number as u8; 32], number).unwrap();
        let sql = "INSERT INTO members (network, device, entry, operator, cell, joined, state) VALUES (0, $1, $1, $1, 5, 0, 'new')";
        run(session_ref, sql, values![number]);
        let sql = "INSERT INTO stays (network, entry, device, operator, cell, joined) VALUES (0, $1, $1, $1, 5, 0)";
        run(session_ref, sql, values![number]);
        let sql = "INSERT INTO epochs (number, start, ends, height, time, emission, networks, supply, minted, burned)
            VALUES ($1, $2, $3, $1, $3, 0, 1, 0, 0, 0)";
        run(session_ref, sql, values![number, number * HOUR, (number + 1) * HOUR]);
        let sql = "INSERT INTO network_epochs (network, epoch, state, findings, units, availability, usage, cash, customers_paid, disputed,
            paid_token, paid_stable, paid_usd) VALUES (0, $1, 'released', 'awaited', 0, 0, 0, 0, 0, 0, 0, 0, 0)";
        run(session_ref, sql, values![number]);
    }
    crate::index::put_network(session_ref, 0, NETWORK.0, "rain", "sensors", 0).unwrap();
    (location, session)
}

fn text(session: &mut dyn Session, sql: &str) -> Vec<String> {
    let rows = session.all(sql, &[]).unwrap();
    rows.iter().map(|row| row.text(0).unwrap().to_owned()).collect()
}

/// One look at what is awaited.
fn round(location: &Location, sources: Kept) -> usize {
    let (_stop, stopped) = watch::channel(false);
    let mut fetcher = Fetcher::new(location.clone(), Arc::new(sources), Live::new(1), Turns::default());
    fetcher.round(&mut None, &stopped).unwrap()
}

#[test]
fn only_what_has_the_ledgers_roots_is_believed_and_any_verifier_may_give_it() {
    let folder = tempfile::tempdir().unwrap();
    let (location, mut session) = index(folder.path(), "a.db");
    let states = |session: &mut dyn Session| text(session, "SELECT findings FROM network_epochs ORDER BY epoch");
    assert_eq!(round(&location, Kept(vec![Memory::default()])), 0);
    assert_eq!(states(session.as_mut()), ["awaited"; 3]);
    let liar = Memory::default();
    put(&liar, 0, &findings(1));
    assert_eq!(round(&location, Kept(vec![liar.clone()])), 0);
    assert_eq!(states(session.as_mut()), ["differs", "awaited", "awaited"]);
    assert_eq!(session.all("SELECT place FROM findings", &[]).unwrap().len(), 0);
    let honest = Memory::default();
    (0..3).for_each(|epoch| put(&honest, epoch, &findings(epoch)));
    assert_eq!(round(&location, Kept(vec![Memory::default(), liar, honest.clone()])), 3);
    assert_eq!(states(session.as_mut()), ["here"; 3]);
    // A second time nothing is counted again.
    assert_eq!(round(&location, Kept(vec![honest])), 0);
    let sums = session
        .one(
            "SELECT accepted, refused, units, last_epoch, reporting, fresh, stale FROM networks",
            &[],
        )
        .unwrap()
        .unwrap();
    let sums: Vec<i64> = (0..7).map(|at| sums.int(at).unwrap()).collect();
    assert_eq!(sums, [7, 1, 7_000_000, 2, 3, 1, 0]);
    assert_eq!(
        text(session.as_mut(), "SELECT state FROM devices ORDER BY number"),
        ["earning"; 3]
    );
    let alerts = "SELECT kind FROM alerts ORDER BY epoch, device, kind";
    let told = ["device_silent", "device_refused", "device_back", "device_back"];
    assert_eq!(text(session.as_mut(), alerts), told);
    let of = "SELECT reason FROM network_reasons";
    assert_eq!(session.one(of, &[]).unwrap().unwrap().int(0), Ok(101));
}

#[test]
fn in_whatever_order_archives_come_the_index_ends_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut ends = Vec::new();
    for (name, order) in [("a.db", [0, 1, 2]), ("b.db", [2, 1, 0]), ("c.db", [1, 0, 2])] {
        let (location, mut session) = index(folder.path(), name);
        for epoch in order {
            let objects = Memory::default();
            put(&objects, epoch, &findings(epoch));
            assert_eq!(round(&location, Kept(vec![objects])), 1);
        }
        ends.push(content::hash(session.as_mut()).unwrap());
    }
    assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{ends:?}");
}

/// What readers are told, in every form in which an epoch's rows are read.
fn told(location: &Location, session: &mut dyn Session) -> Vec<Value> {
    let shared = stand::shared(location);
    let (network, device) = (NETWORK.to_string(), "02".repeat(32));
    let mut all = Vec::new();
    for path in ["/v1/overview", "/v1/devices"] {
        all.push(stand::answer(session, &shared, path, &[]));
    }
    for path in ["/v1/devices/{id}/findings", "/v1/devices/{id}/earnings"] {
        all.push(stand::answer(session, &shared, path, &[("id", &device)]));
    }
    all.push(stand::answer(
        session,
        &shared,
        "/v1/networks/{id}/devices",
        &[("id", &network)],
    ));
    for epoch in ["0", "1", "2"] {
        for path in ["/v1/networks/{id}/cells", "/v1/networks/{id}/epochs/{epoch}/findings"] {
            let given = [("id", network.as_str()), ("epoch", epoch)];
            all.push(stand::answer(session, &shared, path, &given));
        }
        let given = [("id", device.as_str()), ("field", "rain"), ("to", epoch)];
        all.push(stand::neighbours(session, &shared, &given));
    }
    all
}

/// The archive of an epoch as it is believed, with values of cells.
fn believed(epoch: u64, session: &mut dyn Session) -> Believed {
    let objects = Memory::default();
    put(&objects, epoch, &findings(epoch));
    let at = EpochNumber(epoch);
    let (roots, settlement) = crate::index::records::look(session, |store| {
        Ok((
            view::roots(store, &NETWORK, at)?,
            view::settlement(store, &NETWORK, at)?,
        ))
    })
    .unwrap();
    let archive = EpochArchive::of(&objects, &NETWORK, at);
    believe(&archive, &roots.unwrap(), &settlement.unwrap()).ok().unwrap()
}

/// An epoch is killed after each of its pieces in turn, the one in the middle last: readers see nothing of it, and the next who comes takes
/// the rest away and writes it whole.
fn killed_at_every_piece(location: Location) -> Hash {
    let (location, mut session) = furnished(location);
    let session = session.as_mut();
    for epoch in [0, 2, 1] {
        let before = told(&location, session);
        let believed = believed(epoch, session);
        let tally = Tally::of(&believed);
        let place = Place { network: 0, epoch };
        let mut all = 1;
        let mut kill = 0;
        while kill <= all {
            let writer = Writer::new(Turns::default());
            assert_eq!(writer.begin(place, session), Ok(true));
            let mut pieces = Pieces::new(place, &believed, &tally);
            (all, kill) = (0, kill + 1);
            while all < kill && pieces.next(&writer, session).unwrap() {
                all += 1;
            }
            assert_eq!(told(&location, session), before, "after {all} pieces of {epoch}");
        }
        let rows =
            |session: &mut dyn Session| session.all("SELECT place FROM findings WHERE epoch = $1", values![epoch]);
        assert_eq!(
            rows(session).unwrap().len(),
            believed.findings.len(),
            "all of it was there"
        );
        // Nobody gives it: what was begun is taken away all the same.
        assert_eq!(round(&location, Kept(vec![Memory::default()])), 0);
        assert_eq!(rows(session).unwrap().len(), 0);
        let honest = Memory::default();
        put(&honest, epoch, &findings(epoch));
        assert_eq!(round(&location, Kept(vec![honest])), 1);
        assert_ne!(told(&location, session), before);
    }
    content::hash(session).unwrap()
}

#[test]
fn half_an_epoch_is_never_seen_and_killed_anywhere_it_ends_the_same_in_both_databases() {
    let folder = tempfile::tempdir().unwrap();
    let (location, mut session) = index(folder.path(), "a.db");
    let honest = Memory::default();
    (0..3).for_each(|epoch| put(&honest, epoch, &findings(epoch)));
    assert_eq!(round(&location, Kept(vec![honest])), 3);
    let whole = content::hash(session.as_mut()).unwrap();
    assert_eq!(
        killed_at_every_piece(Location::Sqlite(folder.path().join("b.db"))),
        whole
    );
    if let Some(server) = server::Server::start("findings in PostgreSQL") {
        assert_eq!(killed_at_every_piece(server.location().clone()), whole);
    }
}

#[test]
fn who_lost_its_place_to_another_program_writes_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let (_, mut session) = index(folder.path(), "a.db");
    let session = session.as_mut();
    let place = Place { network: 0, epoch: 0 };
    let believed = believed(0, session);
    let tally = Tally::of(&believed);
    let (one, other) = (Writer::new(Turns::default()), Writer::new(Turns::default()));
    assert_eq!(one.begin(place, session), Ok(true));
    let mut pieces = Pieces::new(place, &believed, &tally);
    assert_eq!(pieces.next(&one, session), Ok(true));
    assert_eq!(other.begin(place, session), Ok(true));
    assert!(pieces.next(&one, session).is_err());
    assert!(one.holds(session).is_err());
    assert_eq!(other.holds(session), Ok(()));
    assert_eq!(session.all("SELECT place FROM findings", &[]).unwrap().len(), 0);
}
