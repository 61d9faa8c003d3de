//! What the first run of a network in a folder makes: the keys of its people, a genesis, dollars for the founder, and a network of
//! sensors to join. Later runs find all of it and make nothing.

use super::up::Options;
use super::wallet::Wallet;
use crate::error::{Done, Failure, Kind, OrFail};
use crate::home::{Home, keys_failed};
use cairn_agent::keys::KeyKind;
use cairn_ledger::account::Rule;
use cairn_ledger::tx::Body;
use cairn_ledger::tx::create_network::CreateNetwork;
use cairn_ledger::tx::issue_stable::IssueStable;
use cairn_ledger::{Genesis, view};
use cairn_node::NodeHandle;
use cairn_node::genesis::{FILE_NAME, SOLO_DECIMALS, Solo, read_file, solo};
use cairn_types::{AccountId, MicroUsd, PublicKey, SecretKey, TimeMs, Token};
use cairn_verifier::clock::Clock;
use cairn_verticals::Vertical;
use cairn_verticals::sensors::Sensors;
use std::path::Path;

/// One hour.
const EPOCH_MS_DEFAULT: u64 = 3_600_000;
const WHOLE: u64 = 10u64.pow(SOLO_DECIMALS as u32);
/// The gateway pays fees only.
pub const GATEWAY_TOKEN: Token = Token(1_000 * WHOLE);
/// What the issuer promises the founder: ten thousand US dollars.
const FOUNDER_STABLE: MicroUsd = MicroUsd(10_000_000_000);
/// With what each validator, and each verifier but the first, begins.
pub const VALIDATOR_TOKEN: Token = Token(1_000 * WHOLE);
pub const WORKING_TOKEN: Token = Token(100_000 * WHOLE);
/// Where several verifiers anchor, none has less time for it.
pub const ANCHOR_WINDOW_MS_MIN: u64 = 10 * 60 * 1_000;
const BOND: Token = Token(100_000 * WHOLE);
const ALLOWANCE: Token = Token(10_000 * WHOLE);
/// H3 cells of about 0.7 km².
const RESOLUTION: u8 = 8;

/// The keys of those who run the network.
pub struct People {
    pub founder: SecretKey,
    pub verifier: SecretKey,
    pub issuer: SecretKey,
    pub gateway: SecretKey,
}

impl People {
    /// Their keys from the folder, made where they are missing.
    pub fn of(home: &Home) -> Result<Self, Failure> {
        let mut keys = home.account_keys()?;
        let names = ["founder", "verifier", "issuer", "gateway"];
        keys.make_missing(names.map(|name| (name, KeyKind::Ed25519)))
            .map_err(keys_failed)?;
        let key = |name: &str| keys.get(name).cloned().expect("made above");
        Ok(Self {
            founder: key("founder"),
            verifier: key("verifier"),
            issuer: key("issuer"),
            gateway: key("gateway"),
        })
    }
}

/// The genesis in the folder, or a new one that begins with the epoch that runs.
pub fn genesis(node: &Path, people: &People, options: &Options) -> Result<Genesis, Failure> {
    let path = node.join(FILE_NAME);
    if !path.exists() {
        return new(people, options);
    }
    let genesis = read_file(&path).map_err(|error| {
        let hint = error.hint();
        Failure::new(Kind::Files, error).hint(hint)
    })?;
    if options.epoch_ms.is_some_and(|epoch_ms| epoch_ms != genesis.epoch_ms) {
        let fact = format!("the chain in {} has epochs of {} ms", node.display(), genesis.epoch_ms);
        return Err(Failure::new(Kind::Usage, fact).hint("leave the length of epochs out, or name another folder"));
    }
    let verifier = Rule::single(people.verifier.public()).account_id();
    if genesis.verifiers.iter().all(|one| one.account != verifier) {
        let fact = "the keys in this folder are not those the chain began with";
        return Err(Failure::new(Kind::Files, fact).hint("bring account.keys back, or name another folder"));
    }
    Ok(genesis)
}

fn new(people: &People, options: &Options) -> Result<Genesis, Failure> {
    begin(
        &options.chain,
        options.epoch_ms,
        [&people.founder, &people.verifier, &people.issuer].map(SecretKey::public),
        vec![(people.gateway.public(), GATEWAY_TOKEN, MicroUsd::ZERO)],
    )
}

/// A genesis that begins with the epoch that runs.
pub fn begin(
    chain: &str,
    epoch_ms: Option<u64>,
    [founder, verifier, issuer]: [PublicKey; 3],
    others: Vec<(PublicKey, Token, MicroUsd)>,
) -> Result<Genesis, Failure> {
    let epoch_ms = epoch_ms.unwrap_or(EPOCH_MS_DEFAULT);
    let now = cairn_verifier::clock::SystemClock.now();
    solo(&Solo {
        chain: chain.parse().or_fail(Kind::Usage, "the chain's name")?,
        start: TimeMs(now.0 - now.0 % epoch_ms),
        epoch_ms,
        founder,
        verifier,
        issuer,
        others,
    })
    .or_fail(Kind::Usage, "no chain can begin so")
}

/// What the issuer gives the founder.
pub fn dollars(founder: AccountId) -> Body {
    Body::IssueStable(IssueStable {
        to: founder,
        amount: FOUNDER_STABLE,
    })
}

/// The first network.
pub fn network(founder: AccountId) -> Body {
    Body::CreateNetwork(CreateNetwork {
        name: Sensors.name().to_owned(),
        vertical: Sensors.name().to_owned(),
        resolution: RESOLUTION,
        parameters: Sensors.default_params(),
        price_micro_usd: 100_000_000,
        bond: BOND,
        allowance: ALLOWANCE,
        treasurer: founder,
    })
}

/// Gives the founder dollars and starts the first network, unless that was done before.
pub async fn found(node: &NodeHandle, wallet: &Wallet, people: &People) -> Done {
    let looked = node.look(|store| Ok((view::chain(store)?, view::stable(store)?))).await;
    let (_, (chain, stable)) = looked.or_fail(Kind::Internal, "the ledger")?;
    if chain.is_some_and(|chain| chain.networks > 0) {
        return Ok(());
    }
    let founder = Rule::single(people.founder.public()).account_id();
    if stable.is_none_or(|stable| stable.outstanding == MicroUsd::ZERO) {
        wallet.send(&people.issuer, None, dollars(founder)).await?;
    }
    wallet.send(&people.founder, None, network(founder)).await.map(drop)
}
