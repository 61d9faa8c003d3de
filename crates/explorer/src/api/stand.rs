//! For tests: answers out of an index made by hand, without a node and without a door.

use super::ask::{Ask, Asked};
use super::audit::Audits;
use super::{Kind, Shared, Streams, TABLE};
use crate::archives::{Patience, Source, Sources};
use crate::db::{Location, Readers, Session};
use crate::live::Live;
use cairn_client::{Anchor, NodeClient};
use cairn_types::{AccountId, MicroUsd, SecretKey, TimeMs, Token};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::watch;

struct Nobody;

impl Sources for Nobody {
    fn of(&self, _: &[(AccountId, String)], _: Patience) -> Vec<Source> {
        Vec::new()
    }
}

pub fn genesis() -> cairn_ledger::Genesis {
    let key = |seed| SecretKey::ed25519([seed; 32]).public();
    cairn_node::genesis::solo(&cairn_node::genesis::Solo {
        chain: "cairn-test".parse().unwrap(),
        start: TimeMs(1_500_076_800_000),
        epoch_ms: 3_600_000,
        founder: key(1),
        verifier: key(2),
        issuer: key(3),
        others: vec![(key(10), Token(1_000_000_000), MicroUsd(1_000_000_000))],
    })
    .unwrap()
}

/// Nothing behind it answers.
pub fn shared(location: &Location) -> Shared {
    let anchor = Anchor {
        chain: "cairn-test".to_owned(),
        group_key: [0; 96],
        genesis: [0; 32],
        era: 0,
    };
    Shared {
        readers: Readers::new(location.clone(), std::time::Duration::from_secs(600)),
        genesis: Arc::new(genesis()),
        anchor: watch::channel(anchor.clone()).1,
        live: Live::new(1),
        client: NodeClient::trusting("http://127.0.0.1:9", anchor).unwrap(),
        node: "http://127.0.0.1:9".to_owned(),
        gateway: None,
        verifiers: Vec::new(),
        sources: Arc::new(Nobody),
        audits: Audits::default(),
        audit_asked: watch::channel(0).0,
        http: reqwest::Client::new(),
        strangers: reqwest::Client::new(),
        near: false,
        charts: Shared::places(),
        tables: Shared::table_places(),
        streams: Streams::new(1),
        webhooks: None,
        answered: Default::default(),
        standings: Default::default(),
        clock: Default::default(),
        stop: watch::channel(false).1,
    }
}

/// A question with these parameters.
pub fn ask<T>(
    session: &mut dyn Session,
    shared: &Shared,
    given: &[(&str, &str)],
    find: impl FnOnce(&mut Ask<'_>) -> T,
) -> T {
    let given = given.iter();
    let asked = Asked {
        query: given
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..Asked::default()
    };
    find(&mut Ask::new(session, shared, &asked).unwrap())
}

/// What a route of the table answers.
pub fn answer(session: &mut dyn Session, shared: &Shared, path: &str, given: &[(&str, &str)]) -> Value {
    let found = TABLE
        .iter()
        .find(|(method, known, _)| *method == "get" && *known == path);
    ask(session, shared, given, |ask| match &found.unwrap().2 {
        Kind::One(of) => of(ask).unwrap(),
        Kind::List(of, _) => {
            let page = of(ask).unwrap();
            json!({ "items": page.items, "next": page.next })
        }
        Kind::Other(_) | Kind::Same => panic!("{path} is no plain question"),
    })
}

/// Whom a chart compares a device with.
pub fn neighbours(session: &mut dyn Session, shared: &Shared, given: &[(&str, &str)]) -> Value {
    ask(session, shared, given, |ask| {
        super::readings::wanted(ask, false).unwrap().told()
    })
}
