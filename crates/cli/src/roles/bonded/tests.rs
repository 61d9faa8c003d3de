//! What an agent takes of a node: an honest one, one that lies about bonds in every way it can, one that shows an old chain, one that is away.

use super::*;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use cairn_ledger::Genesis;
use cairn_ledger::account::Rule;
use cairn_ledger::view;
use cairn_node::genesis::{Solo, solo};
use cairn_node::{NodeConfig, NodeHandle, start};
use cairn_types::{AccountNumber, DeviceId, EpochNumber, MicroUsd, SecretKey, codec};
use serde_json::Value;
use std::sync::Arc;

fn ledger(node: &str) -> Ledger {
    let anchor = Anchor {
        chain: "x".to_owned(),
        group_key: [1; 96],
        genesis: [2; 32],
        era: 0,
    };
    let policy = Policy {
        own: Vec::new(),
        discover: true,
        verifiers_max: 8,
        device: DeviceId::default(),
    };
    Ledger::new(node, anchor, policy, || TimeMs(0))
}

#[test]
fn stake_that_only_leaves_is_no_bond() {
    let mut verifier = Verifier::new(
        AccountNumber(1),
        0,
        SecretKey::ed25519([1; 32]).public(),
        EpochNumber(0),
    );
    assert!(!stays(&verifier));
    verifier.unbonding = Some(cairn_ledger::records::Unbonding {
        amount: Token(5),
        until: EpochNumber(9),
        until_uptime_ms: 9,
    });
    assert!(!stays(&verifier));
    verifier.joining = Token(1);
    assert!(stays(&verifier));
}

#[test]
fn a_verifier_points_inward_only_where_all_of_the_network_is_inside() {
    for (node, url, taken) in [
        ("http://node.example.org:8640", "http://verifier.example.org", true),
        ("http://node.example.org:8640", "http://127.0.0.1:8641", false),
        ("http://10.0.0.1:8640", "http://localhost:8641", false),
        ("http://127.0.0.1:8640", "http://127.0.0.1:8641", true),
        ("http://127.0.0.1:8640", "https://verifier.example.org", false),
    ] {
        assert_eq!(ledger(node).is_taken_up(url), taken, "{node} {url}");
    }
}

#[tokio::test]
async fn a_node_that_is_away_is_an_answer_not_a_wait() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let node = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert!(ledger(&node).bonded().await.is_err());
}

const FOUNDER: u8 = 1;
const BONDED: u8 = 2;
/// An account with token and no bond, whose verifier wants to be sent to.
const STRANGER: u8 = 4;
const START: TimeMs = TimeMs(1_700_000_000_000);

fn account(seed: u8) -> AccountId {
    Rule::single(SecretKey::ed25519([seed; 32]).public()).account_id()
}

fn genesis() -> Genesis {
    let key = |seed| SecretKey::ed25519([seed; 32]).public();
    solo(&Solo {
        chain: "cairn-bonds".parse().unwrap(),
        start: START,
        epoch_ms: 3_600_000,
        founder: key(FOUNDER),
        verifier: key(BONDED),
        issuer: key(3),
        others: vec![(key(STRANGER), Token(1_000_000), MicroUsd(0))],
    })
    .unwrap()
}

fn proof_path(seed: u8) -> String {
    let key = view::key::<Verifier>(&account(seed));
    format!("/v1/proofs/{}", hex::encode(key.0))
}

/// How a node lies about who is bonded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    /// Not at all.
    Truth,
    /// Of the stranger's bond it shows the proof of another's.
    AnothersProof,
    /// It shows the proof that the stranger has none for the one who has.
    AnothersAbsence,
    /// In the proof of the bond a bit is another.
    Flipped(usize),
    /// The list has the stranger in the place of whoever is bonded.
    Listed,
    /// The list is empty.
    Hidden,
}

struct Liar {
    honest: String,
    lie: Lie,
    http: reqwest::Client,
}

impl Liar {
    async fn ask(&self, path: &str) -> reqwest::Response {
        self.http.get(format!("{}{path}", self.honest)).send().await.unwrap()
    }
}

async fn answer(State(liar): State<Arc<Liar>>, request: Request) -> Response {
    let path = request.uri().path_and_query().unwrap().to_string();
    let (bonded, stranger) = (proof_path(BONDED), proof_path(STRANGER));
    let asked = match liar.lie {
        Lie::AnothersProof if path == stranger => &bonded,
        Lie::AnothersAbsence if path == bonded => &stranger,
        _ => &path,
    };
    let bytes = liar.ask(asked).await.bytes().await.unwrap();
    let Ok(mut told) = serde_json::from_slice::<Value>(&bytes) else {
        return bytes.into_response();
    };
    match liar.lie {
        Lie::Flipped(at) if path == bonded => {
            let mut proof = hex::decode(told["proof"].as_str().unwrap()).unwrap();
            let at = at % proof.len();
            proof[at] ^= 1;
            told["proof"] = hex::encode(proof).into();
        }
        Lie::Listed | Lie::Hidden if path.starts_with("/v1/records") => {
            let listed = hex::encode(codec::encode(&VerifierIndex { id: account(STRANGER) }));
            for value in told["values"].as_array_mut().unwrap() {
                *value = if liar.lie == Lie::Listed {
                    listed.clone().into()
                } else {
                    Value::Null
                };
            }
        }
        _ => {}
    }
    axum::Json(told).into_response()
}

async fn lying(honest: &NodeHandle, lie: Lie) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let liar = Arc::new(Liar {
        honest: honest.url(),
        lie,
        http: reqwest::Client::new(),
    });
    let routes = Router::new().fallback(answer).with_state(liar);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

/// Who is bonded by what a node says, asked for those of the settings.
async fn bonded(
    node: &str,
    anchor: &Anchor,
    own: &[u8],
    discover: bool,
    now: fn() -> TimeMs,
) -> Result<Vec<AccountId>, String> {
    let own = own.iter().map(|seed| cairn_agent::uplink::Verifier {
        url: "http://127.0.0.1:1".to_owned(),
        account: account(*seed),
        key: SecretKey::ed25519([*seed; 32]).public(),
    });
    let policy = Policy {
        own: own.collect(),
        discover,
        verifiers_max: 8,
        device: DeviceId::default(),
    };
    let found = Ledger::new(node, anchor.clone(), policy, now).bonded().await?;
    Ok(found.into_iter().map(|one| one.account).collect())
}

#[tokio::test]
async fn a_node_that_lies_of_bonds_can_keep_a_verifier_back_and_never_bring_one_in() {
    let folder = tempfile::tempdir().unwrap();
    let config = NodeConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        ..NodeConfig::solo(folder.path(), genesis())
    };
    let node = start(config).await.unwrap();
    let anchor = node.chain().anchor().clone();
    let early: fn() -> TimeMs = || TimeMs(0);
    let both = [BONDED, STRANGER];
    let ask = async |lie, own: &[u8], discover| {
        let url = lying(&node, lie).await;
        bonded(&url, &anchor, own, discover, early).await
    };
    let right = Ok(vec![account(BONDED)]);
    assert_eq!(ask(Lie::Truth, &both, true).await, right);

    for lie in [Lie::AnothersProof, Lie::AnothersAbsence] {
        let told = ask(lie, &both, false).await;
        assert!(told.is_err(), "{lie:?}: {told:?}");
    }
    // Some bits of a proof carry nothing: then what is believed is still the truth.
    let mut refused = 0;
    for at in (0..1_000).step_by(97) {
        match ask(Lie::Flipped(at), &both, false).await {
            Err(_) => refused += 1,
            told => assert_eq!(told, right, "byte {at}"),
        }
    }
    assert!(refused > 8, "{refused}");

    // Of the list only the order is taken: who is on it is looked up.
    assert_eq!(ask(Lie::Listed, &[], true).await, Ok(vec![]));
    assert_eq!(ask(Lie::Hidden, &[], true).await, Ok(vec![]));
    assert_eq!(
        ask(Lie::Hidden, &[BONDED], true).await,
        right,
        "those of the settings are asked for by name"
    );

    // Proven, and long ago: whoever had a bond then may have lost it since.
    let late: fn() -> TimeMs = || TimeMs(u64::MAX);
    let told = bonded(&node.url(), &anchor, &both, true, late).await;
    assert!(
        told.as_ref().is_err_and(|text| text.contains("its chain stands")),
        "{told:?}"
    );
    let mut other = anchor.clone();
    other.group_key[5] ^= 1;
    assert!(
        bonded(&node.url(), &other, &both, true, early).await.is_err(),
        "another chain's"
    );
    node.shutdown().await;
}
