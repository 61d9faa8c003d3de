//! `cairn verifier`: what a verifier has at stake: bonding it, taking it back, and looking at it. Running one is `run_verifier`'s.

mod slash;

use super::run_verifier;
use crate::error::{Done, Failure, Kind};
use crate::output::{Output, decimal, duration, table};
use crate::session::{Session, failed};
use crate::spend::{Spender, Spending, merge};
use crate::units::Decimal;
use cairn_ledger::Event;
use cairn_ledger::records::{Chain, Profile, Score, Verifier, VerifierIndex};
use cairn_ledger::tx::Body;
use cairn_ledger::tx::bond_verifier::BondVerifier;
use cairn_ledger::tx::set_verifier_url::SetVerifierUrl;
use cairn_ledger::tx::unbond_verifier::UnbondVerifier;
use cairn_types::{AccountId, PublicKey, Token};
use serde_json::{Value, json};
use std::path::Path;

/// Run a verifier, bond token as one, take it back, and look at verifiers.
///
/// A verifier attests what an epoch came to. Its word counts by its bond: a result holds when more than two thirds of all bond signed
/// it. Who signs two different results of one epoch loses all of it.
#[derive(clap::Subcommand)]
pub enum Command {
    Run(run_verifier::Args),
    Bond(Bond),
    Unbond(Unbond),
    SetUrl(SetUrl),
    #[command(subcommand)]
    Slash(slash::Slash),
    Show(Show),
    List(List),
}

/// Put token at stake as a verifier, or more of it.
///
/// Counts from the next epoch on. The first bond must reach the chain's least bond and fixes the key that attests; a later one may
/// be of any size. Costs the ledger's base fee.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn verifier bond 100000 --attests verifier --key me"])]
pub struct Bond {
    /// Whole tokens, like 100000.
    #[arg(value_name = "TOKENS")]
    amount: Decimal,
    /// The key that signs attestations and receipts: a name here, or a public key. The one it has, or the account's own key, unless
    /// told otherwise.
    #[arg(long, value_name = "NAME|KEY")]
    attests: Option<String>,
    #[command(flatten)]
    spending: Spending,
}

/// Take a verifier's bond back, or a part of it.
///
/// It stops counting at once, stays liable for the epochs that the chain's genesis says, and then returns to the account by itself. One
/// part at a time: what is on its way must arrive first. Costs the ledger's base fee.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn verifier unbond all --key verifier"])]
pub struct Unbond {
    /// Whole tokens, or `all`.
    #[arg(value_name = "TOKENS|all")]
    amount: Amount,
    #[command(flatten)]
    spending: Spending,
}

/// Say where a verifier is reached: by devices, and by other verifiers for its reports and signatures.
///
/// Only a verifier with token at stake has an address on the ledger. The chain never asks it whether it is there. Costs the ledger's
/// base fee.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn verifier set-url https://verifier.example.org --key verifier"])]
pub struct SetUrl {
    /// The address, http:// or https://; `none` takes it back.
    #[arg(value_name = "URL|none")]
    url: String,
    #[command(flatten)]
    spending: Spending,
}

/// Show what a verifier has at stake, proven against the chain's key. Costs nothing.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn verifier show verifier"])]
pub struct Show {
    /// The name of a key or of a noted account here, or an account's id.
    #[arg(default_value = "me")]
    verifier: String,
}

/// List the chain's verifiers, as the node tells them. Costs nothing.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn verifier list"])]
pub struct List {}

/// So many tokens, or all there are.
#[derive(Clone, Debug)]
enum Amount {
    All,
    Some(Decimal),
}

impl std::str::FromStr for Amount {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "all" => Ok(Self::All),
            text => text.parse().map(Self::Some),
        }
    }
}

pub fn run(command: Command, home: &Path, out: Output) -> Done {
    if let Command::Run(args) = command {
        return run_verifier::run(args, home, out);
    }
    crate::roles::runtime()?.block_on(async {
        let session = Session::open(home).await?;
        match command {
            Command::Run(_) => unreachable!("answered above"),
            Command::Bond(args) => bond(&session, &args, out).await,
            Command::Unbond(args) => unbond(&session, &args, out).await,
            Command::SetUrl(args) => set_url(&session, &args, out).await,
            Command::Slash(command) => slash::run(&session, &command, out).await,
            Command::Show(args) => show(&session, &args, out).await,
            Command::List(List {}) => list(&session, out).await,
        }
    })
}

async fn known(session: &Session, account: &AccountId) -> Result<Option<Verifier>, Failure> {
    Ok(session.client.verifier(account).await.map_err(failed)?.value)
}

fn no_verifier(account: &AccountId) -> Failure {
    Failure::new(Kind::NotFound, format!("account {account} is no verifier"))
        .hint("bond with `cairn verifier bond`; `cairn verifier list` names those there are")
}

async fn bond(session: &Session, args: &Bond, out: Output) -> Done {
    let spender = Spender::new(session, &args.spending).await?;
    let amount = args.amount.units(session.decimals())?;
    let verifier = known(session, &spender.account()).await?;
    let key = attests(session, args, verifier.as_ref())?;
    let body = BondVerifier {
        amount: Token(amount),
        key,
    };
    let facts = json!({ "amount_token": amount, "attests": key.to_string() });
    let sent = spender.send("bond_verifier", facts, Body::BondVerifier(body)).await?;
    let words = format!(
        "bond {} token, counting from the next epoch on; {key} attests",
        decimal(amount, session.decimals())
    );
    spender.answer(out, &sent.answer, &words);
    Ok(())
}

/// The key that attests: the one named, the one the ledger has, or the account's.
fn attests(session: &Session, args: &Bond, verifier: Option<&Verifier>) -> Result<PublicKey, Failure> {
    match (&args.attests, verifier) {
        (Some(named), _) => Ok(crate::accounts::rule(&session.home, None, std::slice::from_ref(named))?.keys[0]),
        (None, Some(verifier)) => Ok(verifier.key),
        (None, None) => match session.home.account_key(&args.spending.key) {
            Ok(key) => Ok(key.public()),
            Err(failure) => Err(failure.hint("name the key that attests with --attests")),
        },
    }
}

async fn unbond(session: &Session, args: &Unbond, out: Output) -> Done {
    let spender = Spender::new(session, &args.spending).await?;
    let verifier = known(session, &spender.account()).await?;
    let amount = match (&args.amount, verifier) {
        (Amount::Some(amount), _) => amount.units(session.decimals())?,
        (Amount::All, Some(verifier)) => verifier.bond.0,
        (Amount::All, None) => return Err(no_verifier(&spender.account())),
    };
    let body = UnbondVerifier { amount: Token(amount) };
    let facts = json!({ "amount_token": amount });
    let sent = spender
        .send("unbond_verifier", facts, Body::UnbondVerifier(body))
        .await?;
    let mut answer = sent.answer;
    let mut when = format!("{} epochs from now", session.genesis.limits.unbond_epochs);
    for event in sent.confirmed.iter().flat_map(|confirmed| &confirmed.events) {
        if let Event::VerifierUnbonding { until, .. } = event {
            when = format!("when epoch {until} closes");
            merge(&mut answer, json!({ "returns_epoch": until.0 }));
        }
    }
    let words = format!(
        "take back {} token of bond, which return {when}",
        decimal(amount, session.decimals())
    );
    spender.answer(out, &answer, &words);
    Ok(())
}

async fn set_url(session: &Session, args: &SetUrl, out: Output) -> Done {
    let spender = Spender::new(session, &args.spending).await?;
    let url = if args.url == "none" { "" } else { &args.url };
    let body = SetVerifierUrl { url: url.to_owned() };
    let sent = spender
        .send("set_verifier_url", json!({ "url": url }), Body::SetVerifierUrl(body))
        .await?;
    let words = match url {
        "" => "take back the verifier's address".to_owned(),
        url => format!("reached at {url}"),
    };
    spender.answer(out, &sent.answer, &words);
    Ok(())
}

/// What is known of a verifier beside its stake.
struct Told {
    /// Where it says it is reached; empty when it does not say.
    url: String,
    /// As of now.
    score: Score,
}

impl Told {
    fn of(session: &Session, chain: &Chain, profile: Option<Profile>) -> Self {
        let Profile { url, score } = profile.unwrap_or_default();
        let half_epochs = session.genesis.limits.score_half_epochs;
        let score = score.at(chain.settlements, chain.epoch, half_epochs);
        Self { url, score }
    }

    /// Of what was settled of late: signed, signed and replaced, not signed.
    fn score(&self) -> String {
        let settled = |count: u64| decimal(count, 3);
        let (agreed, differed) = (settled(self.score.agreed), settled(self.score.differed));
        let silent = settled(self.score.silent);
        format!("of late {agreed} results signed, {differed} of them replaced, {silent} not signed")
    }
}

fn face(id: &AccountId, verifier: &Verifier, told: &Told) -> Value {
    let Told { url, score } = told;
    json!({
        "verifier": id.to_string(),
        "number": verifier.number.0,
        "attests": verifier.key.to_string(),
        "url": (!url.is_empty()).then_some(url),
        "score": { "agreed": score.agreed, "differed": score.differed, "silent": score.silent },
        "held_disputes": verifier.held,
        "bond_token": verifier.bond.0,
        "joining_token": verifier.joining.0,
        "unbonding_token": verifier.unbonding_amount().0,
        "returns_epoch": verifier.unbonding.map(|unbonding| unbonding.until.0),
        "returns_uptime_ms": verifier.unbonding.map(|unbonding| unbonding.until_uptime_ms),
    })
}

async fn show(session: &Session, args: &Show, out: Output) -> Done {
    let id = session.account_id(&args.verifier)?;
    let verifier = known(session, &id).await?.ok_or_else(|| no_verifier(&id))?;
    let chain = session.chain().await?;
    let all = chain.bond_active;
    let told = Told::of(
        session,
        &chain,
        session.client.profile(&id).await.map_err(failed)?.value,
    );
    let mut answer = face(&id, &verifier, &told);
    merge(&mut answer, json!({ "bond_active_token": all.0, "proven": true }));
    let token = |amount: Token| decimal(amount.0, session.decimals());
    out.answer(&answer, || {
        let mut lines = vec![
            format!("verifier   {id} (account {})", verifier.number),
            format!("attests    {}", verifier.key),
            format!(
                "reached    {}",
                if told.url.is_empty() {
                    "it does not say where"
                } else {
                    &told.url
                }
            ),
            format!("score      {}", told.score()),
            format!("bond       {} token of {} that count", token(verifier.bond), token(all)),
        ];
        if verifier.joining > Token::ZERO {
            lines.push(format!(
                "joining    {} token, counting from the next epoch on",
                token(verifier.joining)
            ));
        }
        lines.extend(verifier.unbonding.map(|unbonding| {
            let left_ms = unbonding.until_uptime_ms.saturating_sub(chain.uptime_ms);
            if unbonding.amount == Token::ZERO {
                return format!(
                    "slashed    all it had; on record until epoch {} closes, or a later one: the chain must be up for {} more",
                    unbonding.until,
                    duration(left_ms)
                );
            }
            format!(
                "unbonding  {} token, returned when epoch {} closes, or a later one: the chain must be up for {} more",
                token(unbonding.amount),
                unbonding.until,
                duration(left_ms)
            )
        }));
        lines
    });
    Ok(())
}

async fn list(session: &Session, out: Output) -> Done {
    let chain = session.chain().await?;
    let places: Vec<u16> = (0..chain.verifiers).collect();
    let ids = session.told.records::<VerifierIndex>(&places).await.map_err(failed)?;
    let ids: Vec<AccountId> = ids.into_iter().flatten().map(|place| place.id).collect();
    let verifiers = session.told.records::<Verifier>(&ids).await.map_err(failed)?;
    let profiles = session.told.records::<Profile>(&ids).await.map_err(failed)?;
    let verifiers: Vec<(AccountId, Verifier, Told)> = ids
        .into_iter()
        .zip(verifiers)
        .zip(profiles)
        .filter_map(|((id, verifier), profile)| Some((id, verifier?, Told::of(session, &chain, profile))))
        .collect();
    let faces: Vec<Value> = verifiers
        .iter()
        .map(|(id, verifier, told)| face(id, verifier, told))
        .collect();
    let answer = json!({ "bond_active_token": chain.bond_active.0, "verifiers": faces, "proven": false });
    out.answer(&answer, || {
        let token = |amount: Token| decimal(amount.0, session.decimals());
        let row = |(id, verifier, told): &(AccountId, Verifier, Told)| {
            vec![
                id.to_string(),
                token(verifier.bond),
                token(verifier.joining),
                token(verifier.unbonding_amount()),
                told.url.clone(),
            ]
        };
        let rows: Vec<Vec<String>> = verifiers.iter().map(row).collect();
        table(&["verifier", "bond", "joining", "unbonding", "reached at"], &rows)
    });
    Ok(())
}
