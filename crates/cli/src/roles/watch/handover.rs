//! Hands anchored files to every bonded verifier that lacks them: whoever judges by a file gives it to all who must follow what is decided.
//! Believes an answer only as far as one verifier's bond goes; never waits long for anybody.
//!
//! ```text
//! file ─▶ HEAD to each ─▶ 404, and it is who the ledger says: PUT ─▶ who has it now ─▶ spread: more than two thirds of the bond? (`cairn_verifier::handed`)
//! ```

use bytes::Bytes;
use cairn_agent::routes::{is_address, is_inward};
use cairn_types::AccountId;
use cairn_verifier::archive::sealed_name;
use cairn_verifier::chain::{VerifierAt, Verifiers};
use cairn_verifier::handed::{File, WHO, is_spread};
use cairn_verifier::limits::HANDED_BYTES_PER_SECOND_MIN;
use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;
use tokio::task::JoinSet;

/// For a connection to open.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(5);
/// For a short answer, and for a file besides the time of its bytes.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(20);
/// Verifiers that are talked to at once.
const AT_ONCE_MAX: usize = 32;

/// What came of handing files on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// Verifiers that took a file, counted once for each.
    pub given: u64,
    /// Those with a bond and an address that still lack one.
    pub lacking: usize,
    /// Every file is with verifiers of more than two thirds of the bond.
    pub is_spread: bool,
}

/// What a verifier says of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Has,
    Lacks,
    /// Nothing that helps: it is left alone for this round.
    Nothing,
}

/// The verifiers as far as they can be handed anything: one that has no bond, or whose address leads into this machine while the network is
/// elsewhere, is as one without an address.
pub fn reachable(mut verifiers: Verifiers, node: &str) -> Verifiers {
    for verifier in &mut verifiers.all {
        let url = &verifier.url;
        let leads_out = is_address(url) && (!is_inward(url) || is_inward(node));
        if !leads_out || verifier.bond.0 == 0 {
            verifier.url.clear();
        }
    }
    verifiers
}

/// Gives each file to every reachable verifier that lacks it; `load` is asked for a file only when somebody does.
pub async fn hand_on<L, F>(files: &[File], verifiers: &Verifiers, load: L) -> Round
where
    L: Fn(File) -> F,
    F: Future<Output = Option<Bytes>>,
{
    let http = client();
    let others = || verifiers.all.iter().filter(|verifier| !verifier.url.is_empty());
    let mut round = Round {
        given: 0,
        lacking: 0,
        is_spread: true,
    };
    let (mut silent, mut lacking) = (BTreeSet::new(), BTreeSet::new());
    for file in files {
        let (mut holders, mut wanting) = (BTreeSet::new(), Vec::new());
        let asked = others().filter(|verifier| !silent.contains(&verifier.account)).cloned();
        for (verifier, told) in told(&http, asked, file, None).await {
            match told {
                Told::Has => drop(holders.insert(verifier.account)),
                Told::Lacks => wanting.push(verifier),
                Told::Nothing => drop(silent.insert(verifier.account)),
            }
        }
        let bytes = if wanting.is_empty() { None } else { load(*file).await };
        if let Some(bytes) = bytes {
            for (verifier, told) in told(&http, wanting, file, Some(bytes)).await {
                if told == Told::Has {
                    tracing::info!(verifier = %verifier.account, epoch = %file.epoch, file = %file.hash, "handed a file on");
                    holders.insert(verifier.account);
                    round.given += 1;
                } else {
                    silent.insert(verifier.account);
                }
            }
        }
        let is_holder = |account: &AccountId| holders.contains(account);
        lacking.extend(
            others()
                .map(|verifier| verifier.account)
                .filter(|account| !is_holder(account)),
        );
        round.is_spread &= is_spread(verifiers, is_holder);
    }
    round.lacking = lacking.len();
    round
}

/// Asks verifiers whether they have a file, or hands it to them.
async fn told(
    http: &reqwest::Client,
    verifiers: impl IntoIterator<Item = VerifierAt>,
    file: &File,
    bytes: Option<Bytes>,
) -> Vec<(VerifierAt, Told)> {
    let (mut waiting, mut all) = (verifiers.into_iter(), Vec::new());
    let mut asking = JoinSet::new();
    loop {
        while asking.len() < AT_ONCE_MAX
            && let Some(verifier) = waiting.next()
        {
            let (http, file, bytes) = (http.clone(), *file, bytes.clone());
            asking.spawn(async move {
                let told = one(&http, &verifier, &file, bytes).await;
                (verifier, told)
            });
        }
        match asking.join_next().await {
            Some(Ok(told)) => all.push(told),
            // A task that panicked told nothing.
            Some(Err(_)) => {}
            None => return all,
        }
    }
}

async fn one(http: &reqwest::Client, verifier: &VerifierAt, file: &File, bytes: Option<Bytes>) -> Told {
    let (base, name) = (verifier.url.trim_end_matches('/'), sealed_name(&file.hash));
    let url = format!("{base}/v1/archive/{}/{}/{name}", file.network, file.epoch.0);
    let is_asked = bytes.is_none();
    let request = match bytes {
        None => http.head(url).timeout(ANSWER_WAIT_MAX),
        Some(bytes) => {
            let seconds = bytes.len() as u64 / HANDED_BYTES_PER_SECOND_MIN;
            let wait = ANSWER_WAIT_MAX + Duration::from_secs(seconds);
            http.put(url).timeout(wait).body(bytes)
        }
    };
    let told = match request.send().await {
        // Anybody may name any address on the ledger: only who says that it is this verifier is sent anything.
        Ok(answer) if is_asked && !is_of(&answer, &verifier.account) => Ok(0),
        Ok(answer) => Ok(answer.status().as_u16()),
        Err(error) => Err(error),
    };
    match told {
        Ok(200 | 201) => Told::Has,
        Ok(404) if is_asked => Told::Lacks,
        Ok(0) => {
            tracing::info!(verifier = %verifier.account, "at a verifier's address is somebody else");
            Told::Nothing
        }
        Ok(status) => {
            tracing::info!(verifier = %verifier.account, status, "a verifier does not take what is decided by");
            Told::Nothing
        }
        Err(error) => {
            let error = error.without_url();
            tracing::info!(verifier = %verifier.account, %error, "a verifier cannot be handed what is decided by");
            Told::Nothing
        }
    }
}

fn is_of(answer: &reqwest::Response, verifier: &AccountId) -> bool {
    let who = answer.headers().get(WHO);
    who.is_some_and(|who| who.as_bytes() == verifier.to_string().as_bytes())
}

fn client() -> reqwest::Client {
    let built = reqwest::Client::builder()
        .connect_timeout(CONNECT_WAIT_MAX)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build();
    built.expect("these settings make a client on every machine that can open a socket")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::extract::State;
    use axum::http::{Method, StatusCode};
    use axum::response::IntoResponse;
    use cairn_types::{EpochNumber, NetworkId, SecretKey, Token, hash};
    use std::sync::{Arc, Mutex};

    type Had = Arc<Mutex<Vec<Bytes>>>;

    fn who(at: u8) -> [(&'static str, String); 1] {
        [(WHO, AccountId([at; 32]).to_string())]
    }

    /// The first one, which takes what it is given.
    async fn honest(State(had): State<Had>, method: Method, bytes: Bytes) -> impl IntoResponse {
        let mut had = had.lock().unwrap();
        let status = match (method == Method::PUT, had.is_empty()) {
            (true, _) => {
                had.push(bytes);
                StatusCode::CREATED
            }
            (false, true) => StatusCode::NOT_FOUND,
            (false, false) => StatusCode::OK,
        };
        (status, who(0))
    }

    /// The second one, which has nothing and takes nothing.
    async fn refusing() -> impl IntoResponse {
        (StatusCode::NOT_FOUND, who(1))
    }

    async fn serve(routes: Router) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        url
    }

    fn verifiers(all: &[(&str, u64)]) -> Verifiers {
        let one = |(at, (url, bond)): (usize, &(&str, u64))| VerifierAt {
            account: AccountId([at as u8; 32]),
            key: SecretKey::ed25519([at as u8; 32]).public(),
            bond: Token(*bond),
            url: (*url).to_owned(),
        };
        Verifiers {
            all: all.iter().enumerate().map(one).collect(),
            bond_active: Token::ZERO,
        }
    }

    fn file(bytes: &[u8]) -> File {
        File {
            network: NetworkId([1; 32]),
            epoch: EpochNumber(4),
            hash: hash::sha256(bytes),
        }
    }

    #[tokio::test]
    async fn who_lacks_a_file_gets_it_once_and_who_refuses_or_is_away_holds_up_nobody() {
        let had = Had::default();
        let honest = serve(Router::new().fallback(honest).with_state(had.clone())).await;
        let refusing = serve(Router::new().fallback(refusing)).await;
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let away = format!("http://{}", closed.local_addr().unwrap());
        drop(closed);
        let all = verifiers(&[(&honest, 70), (&refusing, 20), (&away, 10), ("", 500)]);
        let bytes = Bytes::from_static(b"rows");
        let load = |_| async { Some(Bytes::from_static(b"rows")) };
        let round = |given| Round {
            given,
            lacking: 2,
            is_spread: true,
        };
        assert_eq!(hand_on(&[file(&bytes)], &all, load).await, round(1));
        assert_eq!(hand_on(&[file(&bytes)], &all, load).await, round(0), "it has it by now");
        assert_eq!(*had.lock().unwrap(), [bytes]);
    }

    #[tokio::test]
    async fn what_two_thirds_of_the_bond_refuse_or_nobody_can_give_is_not_spread() {
        let (had, refusing) = (Had::default(), serve(Router::new().fallback(refusing)).await);
        let honest = serve(Router::new().fallback(honest).with_state(had)).await;
        let all = verifiers(&[(&honest, 66), (&refusing, 34)]);
        let lost = |_| async { None };
        let found = |_| async { Some(Bytes::from_static(b"rows")) };
        let file = [file(b"rows")];
        for (round, given, lacking) in [
            (hand_on(&file, &all, lost).await, 0, 2),
            (hand_on(&file, &all, found).await, 1, 1),
        ] {
            let is_spread = false;
            assert_eq!(
                round,
                Round {
                    given,
                    lacking,
                    is_spread
                }
            );
        }
        let nothing = hand_on(&[], &all, lost).await;
        assert!(nothing.is_spread, "a result by no file has nothing to hand on");
    }

    #[tokio::test]
    async fn nobody_is_sent_a_file_because_another_named_its_address() {
        let had = Had::default();
        let victim = serve(Router::new().fallback(honest).with_state(had.clone())).await;
        let all = verifiers(&[("", 10), (&victim, 10)]);
        let found = |_| async { Some(Bytes::from_static(b"rows")) };
        let round = hand_on(&[file(b"rows")], &all, found).await;
        assert_eq!((round.given, round.is_spread), (0, false));
        assert!(had.lock().unwrap().is_empty());
    }

    #[test]
    fn only_bonded_verifiers_whose_address_leads_somewhere_are_handed_anything() {
        let all = [
            ("http://127.0.0.1:1", 5),
            ("https://a", 5),
            ("http://a", 5),
            ("http://b", 0),
        ];
        let urls = |node: &str| -> Vec<String> {
            let reached = reachable(verifiers(&all), node).all.into_iter();
            reached.map(|verifier| verifier.url).collect()
        };
        assert_eq!(urls("http://node.example.org"), ["", "", "http://a", ""]);
        assert_eq!(
            urls("http://127.0.0.1:8640"),
            ["http://127.0.0.1:1", "", "http://a", ""]
        );
    }
}
