//! `cairn dispute`: claims that an attested result is wrong, and the validators' votes that decide them. Judging recomputes; it believes
//! nothing of an archive that does not follow from what devices signed and the ledger.

mod file;
mod judge;
mod watch;

pub use judge::claimed;

use crate::error::{Done, Failure, Kind};
use crate::output::{Output, decimal, duration};
use crate::session::{Session, failed};
use crate::spend::{Spender, Spending, merge};
use cairn_ledger::Event;
use cairn_ledger::records::{Dispute, DisputeState, Network, Settlement, SignerPage, Validator, Vote};
use cairn_ledger::tx::open_dispute::OpenDispute;
use cairn_ledger::tx::vote_dispute::VoteDispute;
use cairn_ledger::tx::{Body, claim_hash, vote_hash};
use cairn_types::{EpochNumber, Hash, NetworkId};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Dispute an attested result, judge disputes, and vote on them.
///
/// An epoch that verifiers do not settle in time is put before the validators in the same way: they decide what it comes to.
///
/// A settled result may be disputed until its money moves. While a dispute is open that epoch waits, and what builds on it. More than two
/// thirds of the validators decide. A right dispute replaces the result and takes the stake of who signed it; a false one costs its
/// bond. A result that only leaves out reports which nobody gave its signers is replaced by one over them at nobody's cost. An appeal of findings or of an exclusion is a dispute as well.
#[derive(clap::Subcommand)]
pub enum Command {
    List(List),
    Show(Show),
    Judge(judge::Judge),
    Open(Open),
    Vote(CastVote),
    Watch(watch::Args),
}

/// List open disputes, and those decided whose money has not moved yet, as the node tells them. Costs nothing.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn dispute list --network sensors"])]
pub struct List {
    /// Only this network: name, number or id.
    #[arg(long)]
    network: Option<String>,
}

/// Show a settled result, who signed it, its dispute and the votes, proven but for the list of validators. Costs nothing.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn dispute show 71 --network sensors"])]
pub struct Show {
    /// The epoch.
    epoch: EpochNumber,
    /// Name, number or id; the only one there is, unless told otherwise.
    #[arg(long)]
    network: Option<String>,
}

/// Claim that a settled result is wrong, and say what the epoch comes to.
///
/// Holds the chain's bond for disputes until the validators have decided: it is lost if the settled result is right; otherwise it returns,
/// with two tenths of what each signer loses, of a least bond at most. If the settled result only leaves out reports that turned up,
/// nobody loses anything: see to it that the validators can fetch them. Costs the ledger's base fee as well.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn dispute open mine.result --key me"])]
pub struct Open {
    /// What the epoch comes to: a file of `cairn dispute judge --save`, or the manifest.cbor of an archive.
    #[arg(value_name = "FILE")]
    result: PathBuf,
    #[command(flatten)]
    spending: Spending,
}

/// Vote as a validator on an open dispute. A vote may be changed until it is decided. Costs nothing.
///
/// Who signed the settled result is blamed if the file's result is another one without the same reports. `cairn dispute judge --vote` recomputes the epoch and votes for what it comes to.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn dispute vote mine.result --key validator"])]
pub struct CastVote {
    /// What the epoch comes to: a file of `cairn dispute judge --save`, or the manifest.cbor of an archive.
    #[arg(value_name = "FILE")]
    result: PathBuf,
    #[command(flatten)]
    spending: Spending,
}

pub fn run(command: Command, home: &Path, out: Output) -> Done {
    let command = match command {
        Command::Judge(args) => return judge::run(args, home, out),
        Command::Watch(args) => return watch::run(args, home, out),
        other => other,
    };
    crate::roles::runtime()?.block_on(async {
        let session = Session::open(home).await?;
        match command {
            Command::Judge(_) | Command::Watch(_) => unreachable!("answered above"),
            Command::List(args) => list(&session, &args, out).await,
            Command::Show(args) => show(&session, &args, out).await,
            Command::Open(args) => open(&session, &args, out).await,
            Command::Vote(args) => {
                let mut vote = file::read(&args.result)?;
                vote.blame = is_blaming(&session, &vote).await?;
                cast(&session, &args.spending, vote, out).await
            }
        }
    })
}

fn state(dispute: &Dispute) -> &'static str {
    match dispute.state {
        DisputeState::Open => "open",
        DisputeState::Rejected => "rejected: the settled result was right",
        DisputeState::Upheld => "upheld: the result was wrong and is replaced",
        DisputeState::Completed => {
            "completed: reports that were left out turned up; the result is replaced, nobody is to blame"
        }
        DisputeState::Settled => "settled by the validators: verifiers settled nothing in time",
    }
}

fn face(network: &NetworkId, epoch: EpochNumber, dispute: &Dispute) -> Value {
    json!({
        "network": network.to_string(),
        "epoch": epoch.0,
        "state": match dispute.state {
            DisputeState::Open => "open",
            DisputeState::Rejected => "rejected",
            DisputeState::Upheld => "upheld",
            DisputeState::Completed => "completed",
            DisputeState::Settled => "settled",
        },
        "disputer": dispute.disputer.to_string(),
        "bond_token": dispute.bond.0,
        "claim": dispute.claim.to_string(),
        "opened": dispute.opened.to_string(),
    })
}

async fn list(session: &Session, args: &List, out: Output) -> Done {
    let networks = match &args.network {
        Some(named) => vec![session.network(Some(named)).await?],
        None => session.networks().await?,
    };
    let mut found: Vec<(String, NetworkId, EpochNumber, Dispute)> = Vec::new();
    for (id, network) in &networks {
        let epochs = waiting(id, network);
        let disputes = session.told.records::<Dispute>(&epochs).await.map_err(failed)?;
        let disputes = epochs.into_iter().zip(disputes);
        found.extend(disputes.filter_map(|((id, epoch), dispute)| Some((network.name.clone(), id, epoch, dispute?))));
    }
    let faces: Vec<Value> = found
        .iter()
        .map(|(_, id, epoch, dispute)| face(id, *epoch, dispute))
        .collect();
    let answer = json!({ "disputes": faces, "proven": false });
    out.answer(&answer, || match found.is_empty() {
        true => vec!["nothing that waits for its money is disputed".to_owned()],
        false => {
            let row = |(name, _, epoch, dispute): &(String, NetworkId, EpochNumber, Dispute)| {
                vec![
                    name.clone(),
                    epoch.to_string(),
                    state(dispute).to_owned(),
                    decimal(dispute.bond.0, session.decimals()),
                    dispute.disputer.to_string(),
                ]
            };
            let rows: Vec<Vec<String>> = found.iter().map(row).collect();
            crate::output::table(&["network", "epoch", "state", "bond", "disputer"], &rows)
        }
    });
    Ok(())
}

/// The epochs of a network that are settled and not released, of which the ledger has a limit, and the one that is to be settled next.
fn waiting(id: &NetworkId, network: &Network) -> Vec<(NetworkId, EpochNumber)> {
    let epochs = network.unreleased.0..network.unsettled.0.saturating_add(1);
    epochs.map(|epoch| (*id, EpochNumber(epoch))).collect()
}

/// What the ledger has in force for an epoch.
struct Standing {
    settlement: Settlement,
    /// Names the result and its exchange, as votes do.
    claim: Hash,
}

async fn standing(session: &Session, network: &NetworkId, epoch: EpochNumber) -> Result<Standing, Failure> {
    let settlement = session.client.settlement(network, epoch).await.map_err(failed)?.value;
    let settlement = settlement.ok_or_else(|| {
        Failure::new(
            Kind::NotFound,
            format!("epoch {epoch} of network {network} is not settled"),
        )
        .hint("only what verifiers attested can be disputed: wait until they did")
    })?;
    let book = session.client.exchange(network, epoch).await.map_err(failed)?.value;
    let exchange = book.map(|book| (book.offers, book.choices));
    Ok(Standing {
        claim: claim_hash(&settlement.result, exchange),
        settlement,
    })
}

pub async fn dispute_of(
    session: &Session,
    network: &NetworkId,
    epoch: EpochNumber,
) -> Result<Option<Dispute>, Failure> {
    Ok(session.client.dispute(network, epoch).await.map_err(failed)?.value)
}

async fn show(session: &Session, args: &Show, out: Output) -> Done {
    let (id, network) = session.network(args.network.as_deref()).await?;
    let settlement = session.client.settlement(&id, args.epoch).await.map_err(failed)?.value;
    if settlement.is_none()
        && let Some(case) = dispute_of(session, &id, args.epoch).await?
    {
        return show_stalled(session, (&id, &network.name), args.epoch, &case, out).await;
    }
    let standing = standing(session, &id, args.epoch).await?;
    let dispute = dispute_of(session, &id, args.epoch).await?;
    let signers = signers(session, &id, args.epoch, standing.settlement.signers).await?;
    let (limits, now) = (session.genesis.limits, session.chain().await?.moment());
    let (window_ms, settled) = (limits.dispute_window_ms, standing.settlement.settled());
    let (left_ms, is_over) = (
        limits.left_ms(window_ms, settled, now),
        limits.is_over(window_ms, settled, now),
    );
    let votes = match &dispute {
        Some(dispute) => votes(session, dispute).await?,
        None => Vec::new(),
    };
    let left_out = session.client.left_out(&id, args.epoch).await.map_err(failed)?;
    let left_out: Vec<String> = left_out.iter().map(ToString::to_string).collect();
    let mut answer = json!({
        "network": id.to_string(),
        "epoch": args.epoch.0,
        "result": standing.settlement.result.to_string(),
        "settled": standing.settlement.time.to_string(),
        "window_left_ms": left_ms,
        "standing": standing.claim.to_string(),
        "left_out": left_out,
        "signers": signers.iter().map(|(account, bond)| json!({ "account": account, "bond_token": bond })).collect::<Vec<_>>(),
        "dispute": dispute.as_ref().map(|dispute| face(&id, args.epoch, dispute)),
    });
    let cast = votes.iter().map(|(validator, choice)| {
        json!({ "validator": validator.account.to_string(), "choice": choice.map(|choice| choice.to_string()) })
    });
    let cast: Vec<Value> = cast.collect();
    merge(&mut answer, json!({ "votes": cast }));
    out.answer(&answer, || {
        let mut lines = vec![
            format!("network    {} ({id})", network.name),
            format!("epoch      {}, settled {}", args.epoch, standing.settlement.time),
            match is_over {
                true => "window     over".to_owned(),
                false => format!("window     {} left; while the chain halts it stands", duration(left_ms)),
            },
            format!("result     {}", standing.settlement.result),
            format!("signed by  {} verifiers: {}", signers.len(), numbers(&signers)),
        ];
        lines.extend(
            left_out
                .iter()
                .map(|verifier| format!("without    the reports of verifier {verifier}")),
        );
        match &dispute {
            None => lines.push("dispute    none".to_owned()),
            Some(dispute) => {
                lines.push(format!("dispute    {}", state(dispute)));
                lines.push(format!("opened     {} by {}", dispute.opened, dispute.disputer));
                let is_standing = |choice: &Hash| match *choice == standing.claim {
                    true => "for what stands".to_owned(),
                    false if *choice == dispute.claim => "for the disputer's claim, and blames nobody".to_owned(),
                    false if *choice == vote_hash(&dispute.claim, true) => "for the disputer's claim".to_owned(),
                    false => format!("for another result, {choice}"),
                };
                lines.extend(votes.iter().map(|(validator, choice)| {
                    let said = choice.as_ref().map_or("has not voted".to_owned(), &is_standing);
                    format!("validator  {} {said}", validator.account)
                }));
            }
        }
        lines
    });
    Ok(())
}

/// An epoch that verifiers did not settle and that is before the validators.
async fn show_stalled(
    session: &Session,
    (id, name): (&NetworkId, &str),
    epoch: EpochNumber,
    case: &Dispute,
    out: Output,
) -> Done {
    let votes = votes(session, case).await?;
    let cast = votes.iter().map(|(validator, choice)| {
        json!({ "validator": validator.account.to_string(), "choice": choice.map(|choice| choice.to_string()) })
    });
    let answer = json!({
        "network": id.to_string(),
        "epoch": epoch.0,
        "result": null,
        "dispute": face(id, epoch, case),
        "votes": cast.collect::<Vec<Value>>(),
    });
    out.answer(&answer, || {
        let mut lines = vec![
            format!("network    {name} ({id})"),
            format!("epoch      {epoch}, not settled by verifiers in time: the validators decide"),
            format!("opened     {} by {}", case.opened, case.disputer),
        ];
        lines.extend(votes.iter().map(|(validator, choice)| {
            let said = match choice {
                None => "has not voted".to_owned(),
                Some(choice) if *choice == case.claim => "for what is claimed".to_owned(),
                Some(choice) => format!("for another result, {choice}"),
            };
            format!("validator  {} {said}", validator.account)
        }));
        lines
    });
    Ok(())
}

fn numbers(signers: &[(u32, u64)]) -> String {
    let accounts: Vec<String> = signers
        .iter()
        .map(|(account, _)| format!("account {account}"))
        .collect();
    accounts.join(", ")
}

/// Account numbers and bonds of those who signed.
async fn signers(
    session: &Session,
    network: &NetworkId,
    epoch: EpochNumber,
    count: u16,
) -> Result<Vec<(u32, u64)>, Failure> {
    let pages: Vec<_> = (0..SignerPage::pages(count))
        .map(|page| (*network, epoch, page))
        .collect();
    let pages = session.client.records::<SignerPage>(&pages).await.map_err(failed)?;
    let signers = pages.into_iter().flatten().flat_map(|page| page.signers);
    Ok(signers.map(|signer| (signer.account.0, signer.bond.0)).collect())
}

/// What the present validators voted for.
async fn votes(session: &Session, dispute: &Dispute) -> Result<Vec<(Validator, Option<Hash>)>, Failure> {
    let validators = session.told.validators().await.map_err(failed)?;
    let ids: Vec<_> = validators
        .iter()
        .map(|validator| (dispute.ballot, validator.number))
        .collect();
    let votes = session.client.records::<Vote>(&ids).await.map_err(failed)?;
    let votes = votes.into_iter().map(|vote| vote.map(|vote| vote.choice));
    Ok(validators.into_iter().zip(votes).collect())
}

async fn open(session: &Session, args: &Open, out: Output) -> Done {
    let said = file::read(&args.result)?;
    let spender = Spender::new(session, &args.spending).await?;
    let (network, epoch) = (said.result.network, said.result.epoch);
    let bond = session.genesis.limits.dispute_bond;
    let facts = json!({
        "network": network.to_string(), "epoch": epoch.0, "claimed": said.result.hash().to_string(), "bond_token": bond.0,
    });
    let body = OpenDispute {
        claimed: said.result,
        exchange: said.exchange,
    };
    let sent = spender.send("open_dispute", facts, Body::OpenDispute(body)).await?;
    let words = format!(
        "dispute epoch {epoch} of network {network} with a bond of {} token",
        decimal(bond.0, session.decimals())
    );
    spender.answer(out, &sent.answer, &words);
    Ok(())
}

/// Whether a vote for this blames who signed: it is another result than the settled one, without the same reports.
async fn is_blaming(session: &Session, vote: &VoteDispute) -> Result<bool, Failure> {
    let (network, epoch) = (vote.result.network, vote.result.epoch);
    if session
        .client
        .settlement(&network, epoch)
        .await
        .map_err(failed)?
        .value
        .is_none()
    {
        return Ok(false);
    }
    let standing = standing(session, &network, epoch).await?;
    let without = session.client.without(&network, epoch).await.map_err(failed)?;
    let exchange = vote.exchange.map(|exchange| (exchange.offers, exchange.choices));
    let claim = claim_hash(&vote.result.hash(), exchange);
    Ok(claim != standing.claim && vote.result.without == without)
}

/// Votes for a result.
async fn cast(session: &Session, spending: &Spending, vote: VoteDispute, out: Output) -> Done {
    let spender = Spender::new(session, spending).await?;
    let (network, epoch, hash) = (vote.result.network, vote.result.epoch, vote.result.hash());
    let facts = json!({
        "network": network.to_string(), "epoch": epoch.0, "result": hash.to_string(), "blame": vote.blame,
    });
    let sent = spender.send("vote_dispute", facts, Body::VoteDispute(vote)).await?;
    let mut answer = sent.answer;
    let mut decided = String::new();
    if let Some(confirmed) = &sent.confirmed {
        let upheld = confirmed.events.iter().find_map(|event| match event {
            Event::DisputeDecided { upheld, .. } => Some(*upheld),
            _ => None,
        });
        let settles = |event: &Event| matches!(event, Event::EpochSettled { .. });
        let is_settled = confirmed.events.iter().any(settles);
        merge(&mut answer, json!({ "decided": upheld.is_some(), "upheld": upheld }));
        decided = match upheld {
            None => ": counted; others must vote the same".to_owned(),
            Some(_) if is_settled => ": decided, this is the result".to_owned(),
            Some(true) => ": decided, the result is replaced".to_owned(),
            Some(false) => ": decided, the settled result was right".to_owned(),
        };
    }
    let words = format!("say that epoch {epoch} of network {network} comes to {hash}{decided}");
    spender.answer(out, &answer, &words);
    Ok(())
}
