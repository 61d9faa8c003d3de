//! `cairn genesis`: how several validators who need not trust each other found a chain. The file goes round as a draft; at the end
//! all of them have the same one, with a key of theirs together that nobody holds.

mod era;

use crate::commands::node::{keys_failed, peer_listen};
use crate::error::{Done, Failure, Kind, OrFail};
use crate::home::{Home, keys_failed as accounts_failed};
use crate::output::{Output, decimal, table};
use crate::roles::logs::Logs;
use crate::roles::until_stopped;
use crate::units::Decimal;
use cairn_agent::keys::KeyKind;
use cairn_ledger::Genesis;
use cairn_ledger::account::Rule;
use cairn_ledger::genesis::{COMMITTEE_BLOCKS_MAX, COMMITTEE_BLOCKS_MIN};
use cairn_node::ceremony::{Ceremony, CeremonyError, Stage, bootstrap_tokio};
use cairn_node::founding::{Founding, FoundingError};
use cairn_node::genesis::{Solo, read_file, solo};
use cairn_node::{Address, Identity};
use cairn_types::{PublicKey, TimeMs, Token};
use cairn_verifier::clock::Clock;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const HOUR_MS: u64 = 3_600_000;
/// Epochs in which a result may be disputed, unless told otherwise.
const DISPUTE_EPOCHS: u64 = 24;

/// Found a chain of several validators: new, join, merge, sign; and its next era: era, approve, hand-over. docs/operate/ceremony.md
/// and docs/operate/eras.md tell it step by step.
#[derive(clap::Subcommand)]
#[command(after_help = examples![
    "cairn genesis new --chain rainfall --validators 4",
    "cairn genesis new --chain trial --validators 4 --committee-blocks 64",
    "cairn genesis join --address validator-1.example.org:9000",
    "cairn genesis merge genesis-1.json genesis-2.json",
    "cairn genesis sign",
    "cairn genesis show",
    "cairn genesis era --validators 4",
])]
pub enum Command {
    New(New),
    Join(Join),
    Merge(Merge),
    Sign(Sign),
    Show(Show),
    Era(era::Era),
    Approve(era::Approve),
    HandOver(era::HandOver),
}

/// Begin a draft: the chain's name and numbers, and how many validators there will be.
///
/// Example: cairn genesis new --chain rainfall --validators 4
#[derive(clap::Args)]
pub struct New {
    /// The draft.
    #[arg(long, value_name = "FILE", default_value = "genesis.json")]
    file: PathBuf,
    /// How many validators. Four bear one that fails or lies, seven bear two.
    #[arg(long, value_name = "N", default_value_t = 4)]
    validators: u16,
    /// The chain's name.
    #[arg(long, value_name = "NAME", required_unless_present = "from")]
    chain: Option<String>,
    /// Length of an epoch.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(2..=86_400), conflicts_with = "from")]
    epoch_seconds: Option<u64>,
    /// How long a settled result may be disputed before its money moves, of the chain's uptime; 0: nobody can. 24 epochs, a day at most, unless
    /// told otherwise.
    #[arg(long, value_name = "SECONDS", conflicts_with = "from")]
    dispute_seconds: Option<u64>,
    /// Blocks after which the validators' shares are renewed, and those who were voted in or out follow some renewals later: a quarter of it
    /// is the most validators that the chain can ever have. 1,024, unless told otherwise.
    #[arg(long, value_name = "BLOCKS", value_parser = committee_blocks(), conflicts_with = "from")]
    committee_blocks: Option<u64>,
    /// When epoch 0 begins; when the epoch that runs began, unless told otherwise.
    #[arg(long, value_name = "TIME", conflicts_with = "from")]
    start: Option<TimeMs>,
    /// Account that holds what is left of the premine; the key `founder` of the home folder, unless told otherwise.
    #[arg(long, value_name = "KEY", conflicts_with = "from")]
    founder: Option<PublicKey>,
    /// Key of the first verifier; the key `verifier` of the home folder, unless told otherwise.
    #[arg(long, value_name = "KEY", conflicts_with = "from")]
    verifier: Option<PublicKey>,
    /// Key of the stablecoin's issuer; the key `issuer` of the home folder, unless told otherwise.
    #[arg(long, value_name = "KEY", conflicts_with = "from")]
    issuer: Option<PublicKey>,
    /// A ledger's genesis with all its numbers, as `cairn up` writes it, instead.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Whole tokens with which each validator's account begins, taken from the founder's.
    #[arg(long, value_name = "TOKENS", default_value = "1000")]
    validator_token: Decimal,
}

/// Take a seat: makes this validator's key, and adds it to the draft with its address and its account.
///
/// Example: cairn genesis join --address validator-1.example.org:9000
#[derive(clap::Args)]
pub struct Join {
    /// The draft.
    #[arg(long, value_name = "FILE", default_value = "genesis.json")]
    file: PathBuf,
    /// Where the other validators reach this one: a number or a name, and a port.
    #[arg(long, value_name = "HOST:PORT")]
    address: Address,
    /// This validator's keys; made if the file is not there. Guard it, and keep a backup.
    #[arg(long, value_name = "FILE", default_value = "validator.keys")]
    key: PathBuf,
    /// Key of its account, in the home folder; made if it is not there.
    #[arg(long, value_name = "NAME", default_value = "validator")]
    account: String,
    /// Seal both files of keys under a passphrase, unless they are sealed already.
    #[arg(long)]
    passphrase: bool,
}

/// Add the validators of other copies of the draft, in any order.
///
/// Example: cairn genesis merge from-anna.json from-bert.json
#[derive(clap::Args)]
pub struct Merge {
    /// The draft.
    #[arg(long, value_name = "FILE", default_value = "genesis.json")]
    file: PathBuf,
    /// Copies of it, as their validators sent them.
    #[arg(required = true, value_name = "FILE")]
    others: Vec<PathBuf>,
}

/// Sign the draft that all have joined, and make the key of all: every validator runs this at the same time.
///
/// Waits until all are there, makes the key over the network, keeps this validator's share in its key file, and writes the group
/// key and the signatures of all into the file: the same file at all of them. Killed, it goes on when it is started again.
///
/// Example: cairn genesis sign
#[derive(clap::Args)]
pub struct Sign {
    /// The draft.
    #[arg(long, value_name = "FILE", default_value = "genesis.json")]
    file: PathBuf,
    /// This validator's keys.
    #[arg(long, value_name = "FILE", default_value = "validator.keys")]
    key: PathBuf,
    /// Where the other validators reach this one; the port of its address, unless told otherwise.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Counts ceremonies: after one that failed all name the next number.
    #[arg(long, value_name = "N", default_value_t = 1)]
    attempt: u32,
    #[command(flatten)]
    logs: Logs,
}

/// Show what a file says, checked, and what it lacks. All validators compare the draft's name before they sign.
#[derive(clap::Args)]
pub struct Show {
    /// The file.
    #[arg(value_name = "FILE", default_value = "genesis.json")]
    file: PathBuf,
}

/// Blocks between two renewals of shares, as a genesis may have them.
pub fn committee_blocks() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(COMMITTEE_BLOCKS_MIN..=COMMITTEE_BLOCKS_MAX)
}

pub fn run(command: Command, home: &Path, out: Output) -> Done {
    match command {
        Command::New(args) => new(&args, &Home::at(home), out),
        Command::Join(args) => join(args, &Home::at(home), out),
        Command::Merge(args) => merge(&args, out),
        Command::Sign(args) => sign(&args, out),
        Command::Show(args) => show(&read(&args.file)?, out),
        Command::Era(args) => era::era(&args, home, out),
        Command::Approve(args) => era::approve(&args, out),
        Command::HandOver(args) => era::hand_over(&args, home, out),
    }
}

/// What a file says is wrong with it.
pub fn founding_failed(path: &Path, error: FoundingError) -> Failure {
    let kind = match &error {
        FoundingError::File(_) => Kind::Files,
        FoundingError::Seats | FoundingError::Room(_) | FoundingError::TokenMissing | FoundingError::Account => {
            Kind::Usage
        }
        _ => Kind::Refused,
    };
    let hint = error.hint();
    Failure::new(kind, format!("{}: {error}", path.display())).hint(hint)
}

fn read(path: &Path) -> Result<Founding, Failure> {
    Founding::read_file(path).map_err(|error| founding_failed(path, error))
}

fn write(path: &Path, founding: &Founding) -> Done {
    founding.write_file(path).map_err(|error| founding_failed(path, error))
}

fn new(args: &New, home: &Home, out: Output) -> Done {
    if args.file.exists() {
        let failure = Failure::new(Kind::Files, format!("{} is there already", args.file.display()));
        return Err(failure.hint("name another with --file, or remove it"));
    }
    let genesis = match &args.from {
        Some(from) => read_file(from).map_err(|error| founding_failed(from, error.into()))?,
        None => begin(args, home)?,
    };
    let token = Token(args.validator_token.units(genesis.economics.decimals)?);
    let draft = Founding::new(genesis, args.validators, token).map_err(|error| founding_failed(&args.file, error))?;
    write(&args.file, &draft)?;
    out.say("Next: every validator runs `cairn genesis join` on a copy of this file");
    show(&draft, out)
}

fn begin(args: &New, home: &Home) -> Result<Genesis, Failure> {
    let epoch_ms = args.epoch_seconds.map_or(HOUR_MS, |seconds| seconds * 1_000);
    let now = cairn_verifier::clock::SystemClock.now();
    let start = args.start.unwrap_or(TimeMs(now.0 - now.0 % epoch_ms));
    let key = |given: Option<PublicKey>, name: &str| match given {
        Some(key) => Ok(key),
        None => account_key(home, name),
    };
    let chain = args.chain.as_deref().unwrap_or_default();
    let mut genesis = solo(&Solo {
        chain: chain.parse().or_fail(Kind::Usage, "the chain's name")?,
        start,
        epoch_ms,
        founder: key(args.founder, "founder")?,
        verifier: key(args.verifier, "verifier")?,
        issuer: key(args.issuer, "issuer")?,
        others: vec![],
    })
    .or_fail(Kind::Usage, "no chain can begin so")?;
    let window_ms = args.dispute_seconds.map(|seconds| seconds.saturating_mul(1_000));
    let window_ms = window_ms.unwrap_or((DISPUTE_EPOCHS * epoch_ms).min(24 * HOUR_MS));
    genesis.limits = genesis.limits.with_dispute_window(window_ms);
    if let Some(blocks) = args.committee_blocks {
        genesis.limits = genesis.limits.with_committee_blocks(blocks);
    }
    genesis.check().or_fail(Kind::Usage, "no chain can begin so")?;
    Ok(genesis)
}

/// A public key of the home folder, made if it is missing.
fn account_key(home: &Home, name: &str) -> Result<PublicKey, Failure> {
    home.make()?;
    let mut keys = home.account_keys()?;
    keys.make_missing([(name, KeyKind::Ed25519)]).map_err(accounts_failed)?;
    Ok(keys.get(name).expect("made above").public())
}

fn join(args: Join, home: &Home, out: Output) -> Done {
    let mut draft = read(&args.file)?;
    if args.passphrase {
        home.make()?;
        crate::unlock::seal(&home.account_keys_path())?;
        crate::unlock::seal(&args.key)?;
    }
    let account = Rule::single(account_key(home, &args.account)?);
    let identity = Identity::make(&args.key).map_err(|error| keys_failed(&args.key, error))?;
    let joined = draft.join(&identity, args.address, account);
    joined.map_err(|error| founding_failed(&args.file, error))?;
    write(&args.file, &draft)?;
    out.say("Next: send the file to whoever merges all, and keep the key file to yourself");
    show(&draft, out)
}

fn merge(args: &Merge, out: Output) -> Done {
    let mut draft = read(&args.file)?;
    for path in &args.others {
        let merged = draft.merge(&read(path)?);
        merged.map_err(|error| founding_failed(path, error))?;
    }
    write(&args.file, &draft)?;
    if draft.draft().is_ok() {
        out.say("Next: send the file to all validators, who run `cairn genesis sign` at the same time");
    }
    show(&draft, out)
}

fn sign(args: &Sign, out: Output) -> Done {
    args.logs.start();
    let mut founding = read(&args.file)?;
    if founding.founded().is_ok() {
        out.say("the file is signed by all already");
        return show(&founding, out);
    }
    let draft = founding.draft().map_err(|error| founding_failed(&args.file, error))?;
    let me = Identity::open(&args.key).map_err(|error| keys_failed(&args.key, error))?;
    let own = founding.validators.iter().find(|validator| validator.key == me.key());
    let address = own.map(|own| own.address.to_string()).unwrap_or_default();
    if me.group().is_some() {
        out.say("this validator has its share; if the others are done, take the file from one of them");
    }
    let ceremony = Ceremony {
        dir: args.key.with_extension("ceremony"),
        keys: args.key.clone(),
        chain: founding.genesis.chain.to_string(),
        draft: draft.0,
        attempt: args.attempt,
        validators: founding.peers(),
        listen: args.listen.unwrap_or_else(|| peer_listen(&address)),
    };
    out.say(format!("draft     {draft}"));
    let tell = Arc::new(move |stage| out.say(words(&stage)));
    let dealt = crate::roles::runtime()?.block_on(async {
        tokio::select! {
            dealt = bootstrap_tokio(ceremony, tell) => dealt.map_err(ceremony_failed),
            () = until_stopped() => {
                let failure = Failure::new(Kind::Unreachable, "stopped before all had signed");
                Err(failure.hint("run it again: it goes on where it was"))
            }
        }
    })?;
    let found = founding.found(dealt);
    found.map_err(|error| founding_failed(&args.file, error))?;
    write(&args.file, &founding)?;
    out.say("Next: cairn node run");
    show(&founding, out)
}

fn ceremony_failed(error: CeremonyError) -> Failure {
    let kind = match &error {
        CeremonyError::Start(_) => Kind::Files,
        CeremonyError::Broken(_) => Kind::Unreachable,
        _ => Kind::Refused,
    };
    let hint = error.hint();
    Failure::new(kind, error).hint(hint)
}

/// A stage for whoever watches.
fn words(stage: &Stage) -> String {
    let names = |missing: &[[u8; 32]]| {
        let names: Vec<String> = missing.iter().map(|key| PublicKey::Ed25519(*key).to_string()).collect();
        names.join(", ")
    };
    match stage {
        Stage::Gathering { missing } if missing.is_empty() => "all are there".to_owned(),
        Stage::Gathering { missing } => format!("waiting for {}", names(missing)),
        Stage::Dealing => "all are there; making the key …".to_owned(),
        Stage::Signing { missing } => format!("this validator has its share; waiting for {}", names(missing)),
        Stage::Closing { missing } if missing.is_empty() => "all have signed".to_owned(),
        Stage::Closing { missing } => format!("all have signed; telling {}", names(missing)),
    }
}

fn show(founding: &Founding, out: Output) -> Done {
    let genesis = &founding.genesis;
    let ledger = founding
        .ledger()
        .map_err(|error| founding_failed(Path::new("the file"), error))?;
    let validators: Vec<Value> = founding
        .validators
        .iter()
        .map(|validator| {
            json!({
                "key": PublicKey::Ed25519(validator.key).to_string(),
                "address": validator.address.to_string(),
                "account": validator.account.account_id().to_string(),
            })
        })
        .collect();
    let founded = founding.founded().ok();
    let answer = json!({
        "chain": genesis.chain.as_str(),
        "start": genesis.start.to_string(),
        "epoch_ms": genesis.epoch_ms,
        "committee_blocks": genesis.limits.committee_blocks,
        "validators_max": genesis.limits.validators_max,
        "seats": founding.seats,
        "missing": usize::from(founding.seats) - founding.validators.len(),
        "validator_token": founding.validator_token.0,
        "validators": validators,
        "draft": founding.draft().ok().map(|draft| draft.to_string()),
        "genesis": ledger.digest().to_string(),
        "signed": founded.is_some(),
        "era": founding.after.as_ref().map_or(0, |after| after.era()),
        "approvals": founding.after.as_ref().map_or(0, |after| after.approvals.len()),
        "group_key": founded.map(|dealt| hex::encode(dealt.group.key)),
    });
    out.answer(&answer, || lines(founding, &answer));
    Ok(())
}

fn lines(founding: &Founding, answer: &Value) -> Vec<String> {
    let text = |field: &str| answer[field].as_str().unwrap_or("-").to_owned();
    let genesis = &founding.genesis;
    let token = decimal(founding.validator_token.0, genesis.economics.decimals);
    let mut lines = vec![
        format!(
            "chain      {}, epochs of {} s from {}",
            text("chain"),
            genesis.epoch_ms / 1_000,
            text("start")
        ),
        format!(
            "seats      {}, {} missing; each begins with {token} tokens",
            founding.seats, answer["missing"]
        ),
        format!(
            "shares     renewed every {} blocks; {} validators at most",
            genesis.limits.committee_blocks, genesis.limits.validators_max
        ),
        format!("draft      {}", text("draft")),
        format!("group key  {}", text("group_key")),
        format!("genesis    {}", text("genesis")),
    ];
    if let Some(after) = &founding.after {
        let began = if after.began.is_some() { "" } else { " not" };
        let approvals = after.approvals.len();
        lines.push(format!(
            "era        {}, {approvals} approvals; the state of the one before was{began} imported",
            after.era()
        ));
    }
    let rows: Vec<Vec<String>> = answer["validators"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|validator| {
            let field = |name: &str| validator[name].as_str().unwrap_or_default().to_owned();
            vec![field("key"), field("address"), field("account")]
        })
        .collect();
    if !rows.is_empty() {
        lines.extend(table(&["validator", "address", "account"], &rows));
    }
    lines
}
