//! How a fleet begins: keys where they belong, a draft that all validators join, the ceremony among their own processes, and the first
//! network of the ledger. Done again after a kill at any moment it goes on where it was.

use super::plan::Plan;
use super::{Options, client, program};
use crate::error::{Done, Failure, Kind, OrFail};
use crate::home::{Home, Settings, keys_failed};
use crate::output::Output;
use crate::roles::{SUPERVISED, first_run};
use cairn_agent::keys::KeyKind;
use cairn_client::{ClientError, NodeClient, Wallet};
use cairn_ledger::Genesis;
use cairn_ledger::account::Rule;
use cairn_ledger::genesis::GenesisVerifier;
use cairn_ledger::tx::Body;
use cairn_ledger::tx::set_verifier_url::SetVerifierUrl;
use cairn_node::Identity;
use cairn_node::founding::{Founding, FoundingError};
use cairn_types::{MicroUsd, PublicKey, SecretKey, Token};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const GENESIS: &str = "genesis.json";
const KEYS: &str = "validator.keys";
/// Times a ceremony is begun before a person has to look.
const TRIES_MAX: u32 = 3;
/// Between two questions to a chain without a block.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The founded chain of the folder; founds it at the first run.
pub async fn found(
    home: &Home,
    folder: &Path,
    plan: &Plan,
    options: &Options,
    out: Output,
) -> Result<Founding, Failure> {
    let files: Vec<PathBuf> = (0..plan.validators.len())
        .map(|at| folder.join(Plan::validator_name(at)).join(GENESIS))
        .collect();
    if spread(&files)?.is_none() && files.iter().any(|file| !file.exists()) {
        out.say("making keys and a draft …");
        let draft = draft(home, folder, plan, options)?;
        for file in &files {
            write(&draft, file)?;
        }
    }
    for _ in 0..TRIES_MAX {
        if let Some(founded) = spread(&files)? {
            return kept(founded, options);
        }
        out.say(format!("{} validators make their key together …", files.len()));
        ceremony(folder, plan).await?;
    }
    match spread(&files)? {
        Some(founded) => kept(founded, options),
        None => {
            let failure = Failure::new(Kind::Unreachable, "the validators' ceremony did not come to an end");
            Err(failure.hint("run `cairn up` again: it goes on where it was; RUST_LOG=debug says more"))
        }
    }
}

/// The founded file: as soon as one validator has it all have their shares, and the others may take it from that one.
fn spread(files: &[PathBuf]) -> Result<Option<Founding>, Failure> {
    let mut copies = Vec::new();
    for file in files {
        copies.push(if file.exists() { Some(read(file)?) } else { None });
    }
    let is_founded = |copy: &&Founding| copy.founded().is_ok();
    let Some(founded) = copies.iter().flatten().find(is_founded).cloned() else {
        return Ok(None);
    };
    for (file, copy) in files.iter().zip(copies) {
        if copy.is_none_or(|copy| copy != founded) {
            write(&founded, file)?;
        }
    }
    Ok(Some(founded))
}

fn kept(founding: Founding, options: &Options) -> Result<Founding, Failure> {
    let own = founding.genesis.epoch_ms;
    if options.epoch_ms.is_some_and(|epoch_ms| epoch_ms != own) {
        let fact = format!("the chain in this folder has epochs of {own} ms");
        return Err(Failure::new(Kind::Usage, fact).hint("leave the length of epochs out, or name another folder"));
    }
    let own = founding.genesis.limits.dispute_window_ms;
    if options.dispute_ms.is_some_and(|dispute_ms| dispute_ms != own) {
        let fact = format!("the chain in this folder has a window for disputes of {own} ms");
        return Err(Failure::new(Kind::Usage, fact).hint("leave --dispute-seconds out, or name another folder"));
    }
    let own = founding.genesis.limits.committee_blocks;
    if options.committee_blocks.is_some_and(|blocks| blocks != own) {
        let fact = format!("the chain in this folder renews its shares every {own} blocks");
        return Err(Failure::new(Kind::Usage, fact).hint("leave --committee-blocks out, or name another folder"));
    }
    Ok(founding)
}

fn read(path: &Path) -> Result<Founding, Failure> {
    Founding::read_file(path).map_err(|error| failed(path, error))
}

fn write(founding: &Founding, path: &Path) -> Done {
    founding.write_file(path).map_err(|error| failed(path, error))
}

fn failed(path: &Path, error: FoundingError) -> Failure {
    crate::commands::genesis::founding_failed(path, error)
}

/// The draft that all have joined. Keys that are there stay: after a kill the same draft comes about again.
fn draft(home: &Home, folder: &Path, plan: &Plan, options: &Options) -> Result<Founding, Failure> {
    let people = keys(home, &["founder", "issuer", "gateway"])?;
    let mut verifiers = Vec::new();
    for at in 0..plan.verifiers.len() {
        let own = keys(&Home::at(&folder.join(Plan::verifier_name(at))), &["verifier"])?;
        verifiers.push(own[0].public());
    }
    let genesis = genesis(&people, &verifiers, options)?;
    let seats = u16::try_from(plan.validators.len()).unwrap_or(u16::MAX);
    let path = home.join(GENESIS);
    let mut draft = Founding::new(genesis, seats, first_run::VALIDATOR_TOKEN).map_err(|error| failed(&path, error))?;
    for (at, ports) in plan.validators.iter().enumerate() {
        let own = folder.join(Plan::validator_name(at));
        let account = keys(&Home::at(&own), &["validator"])?;
        let key_file = own.join(KEYS);
        crate::unlock::seal_if_named(&key_file)?;
        let identity =
            Identity::make(&key_file).map_err(|error| crate::commands::node::keys_failed(&key_file, error))?;
        let address = format!("127.0.0.1:{}", ports.peers);
        let address = address.parse().or_fail(Kind::Internal, "a validator's address")?;
        let joined = draft.join(&identity, address, Rule::single(account[0].public()));
        joined.map_err(|error| failed(&path, error))?;
    }
    Ok(draft)
}

/// Keys of a home, made where they are missing; sealed when a passphrase is at hand.
fn keys(home: &Home, names: &[&str]) -> Result<Vec<SecretKey>, Failure> {
    home.make()?;
    crate::unlock::seal_if_named(&home.account_keys_path())?;
    let mut keys = home.account_keys()?;
    keys.make_missing(names.iter().map(|name| (*name, KeyKind::Ed25519)))
        .map_err(keys_failed)?;
    let key = |name: &&str| keys.get(name).cloned().expect("made above");
    Ok(names.iter().map(key).collect())
}

/// That of one verifier, with a bond and something to work with for each of the others, from what the founder has.
fn genesis(people: &[SecretKey], verifiers: &[PublicKey], options: &Options) -> Result<Genesis, Failure> {
    let [founder, issuer, gateway] = people else {
        unreachable!("three were asked for")
    };
    let (first, others) = verifiers.split_first().expect("there is one at least");
    let working = others
        .iter()
        .map(|key| (*key, first_run::WORKING_TOKEN, MicroUsd::ZERO));
    let mut genesis = first_run::begin(
        &options.chain,
        options.epoch_ms,
        [founder.public(), *first, issuer.public()],
        std::iter::once((gateway.public(), first_run::GATEWAY_TOKEN, MicroUsd::ZERO))
            .chain(working)
            .collect(),
    )?;
    let bond = genesis.verifiers[0].bond;
    for key in others {
        let rest = genesis.allocations[0].token.0.checked_sub(bond.0);
        let too_many =
            || Failure::new(Kind::Usage, "so many verifiers cannot be bonded").hint("name fewer with --verifiers");
        genesis.allocations[0].token = Token(rest.ok_or_else(too_many)?);
        genesis.verifiers.push(GenesisVerifier {
            account: Rule::single(*key).account_id(),
            key: *key,
            bond,
        });
    }
    // Where several anchor, one that is away must not hold up the others for a day.
    let epoch = u64::max(genesis.epoch_ms, first_run::ANCHOR_WINDOW_MS_MIN);
    genesis.limits.anchor_window_ms = genesis.limits.anchor_window_ms.min(epoch);
    genesis.limits = genesis.limits.with_dispute_window(options.dispute_ms.unwrap_or(0));
    if let Some(blocks) = options.committee_blocks {
        genesis.limits = genesis.limits.with_committee_blocks(blocks);
    }
    genesis.limits = genesis.limits.with_stall(genesis.epoch_ms);
    genesis.check().or_fail(Kind::Usage, "no chain can begin so")?;
    Ok(genesis)
}

/// All validators sign, each in a process of its own.
async fn ceremony(folder: &Path, plan: &Plan) -> Done {
    let program = program()?;
    let mut signing = Signing(Vec::new());
    for at in 0..plan.validators.len() {
        let name = Plan::validator_name(at);
        let own = folder.join(&name);
        let mut command = Command::new(&program);
        command
            .args(["--json", "genesis", "sign", "--file", GENESIS, "--key", KEYS])
            .current_dir(&own)
            .env("CAIRN_HOME", &own)
            .env(SUPERVISED, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .process_group(0);
        if let Some(file) = crate::unlock::file() {
            command.env(crate::unlock::VARIABLE, file);
        }
        signing.0.push(command.spawn().or_fail(Kind::Internal, name)?);
    }
    while signing.run() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Processes that do not outlive whoever waits for them; killed, they go on next time.
struct Signing(Vec<Child>);

impl Signing {
    /// Whether any still runs.
    fn run(&mut self) -> bool {
        self.0.iter_mut().any(|child| matches!(child.try_wait(), Ok(None)))
    }
}

impl Drop for Signing {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // One that has ended is gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Starts the first network, unless there is one: from the founder's account, by whatever node answers.
pub async fn network(home: &Home, founding: &Founding, settings: &Settings) -> Done {
    let client = client(settings)?;
    // Its accounts are there from the first block on.
    let chain = loop {
        match client.chain().await {
            Ok(found) if found.value.is_some() => break found.value,
            Err(error) if !passes(&error) => return Err(crate::session::failed(error)),
            _ => tokio::time::sleep(LOOK_EVERY).await,
        }
    };
    if chain.is_some_and(|chain| chain.networks > 0) {
        return Ok(());
    }
    let people = keys(home, &["founder", "issuer"])?;
    let genesis = founding.ledger().map_err(|error| failed(&home.join(GENESIS), error))?;
    let founder = Rule::single(people[0].public()).account_id();
    let owned = client.account(&founder).await.map_err(crate::session::failed)?.value;
    if owned.is_none_or(|account| account.stable == MicroUsd::ZERO) {
        send(&client, &genesis, &people[1], first_run::dollars(founder)).await?;
    }
    send(&client, &genesis, &people[0], first_run::network(founder)).await
}

/// Says on the ledger where each verifier is, unless it stands there: devices and the other verifiers look there.
pub async fn addresses(folder: &Path, founding: &Founding, plan: &Plan, settings: &Settings) -> Done {
    let client = client(settings)?;
    let genesis = founding
        .ledger()
        .map_err(|error| failed(&folder.join(GENESIS), error))?;
    for at in 0..plan.verifiers.len() {
        let key = &keys(&Home::at(&folder.join(Plan::verifier_name(at))), &["verifier"])?[0];
        let url = plan.verifier_url(at);
        let account = Rule::single(key.public()).account_id();
        let known = client.profile(&account).await.map_err(crate::session::failed)?.value;
        if known.is_none_or(|profile| profile.url != url) {
            send(&client, &genesis, key, Body::SetVerifierUrl(SetVerifierUrl { url })).await?;
        }
    }
    Ok(())
}

fn passes(error: &ClientError) -> bool {
    error.is_passing() || matches!(error, ClientError::Unreachable(_))
}

async fn send(client: &NodeClient, genesis: &Genesis, key: &SecretKey, body: Body) -> Done {
    let mut wallet = Wallet::single(genesis, key.clone());
    let sent = client.send(&mut wallet, body).await;
    sent.map(drop).map_err(crate::session::failed)
}
