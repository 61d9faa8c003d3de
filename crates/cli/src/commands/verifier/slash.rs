//! `cairn verifier slash`: shows the ledger what a verifier did wrong: receipts it broke, or two results of one epoch that it signed.

use crate::error::{Done, Failure, Kind, OrFail};
use crate::output::{Output, decimal};
use crate::session::{Session, failed};
use crate::spend::{Spender, Spending, merge};
use cairn_ledger::Event;
use cairn_ledger::records::{Anchors, Epoch, Pool, PoolState, Roots};
use cairn_ledger::tx::Body;
use cairn_ledger::tx::slash_receipt::SlashReceipt;
use cairn_ledger::tx::slash_verifier::SlashVerifier;
use cairn_types::{AccountId, Attestation, EpochNumber, NetworkId, Receipt, codec};
use cairn_verifier::archive::{EpochArchive, Manifest};
use cairn_verifier::evidence;
use cairn_verifier::objects::{Objects, Remote};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// More receipts are shown in several files.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Show the ledger what a verifier did wrong.
///
/// A part of the stake, or all of it, is taken: half is burned, two tenths, counted
/// up to the least bond there may be, go to whoever showed it, the rest to the cover fund.
#[derive(clap::Subcommand)]
#[command(after_help = examples![
    "cairn verifier slash receipts agent/journal/receipts-0000000000000001 --archive .cairn/archive",
    "cairn verifier slash results one/manifest.cbor other/manifest.cbor",
])]
pub enum Slash {
    Receipts(Receipts),
    Results(Results),
}

/// Find receipts that were broken, and show them: the report is not among those that the verifier anchored, or not among those judged.
///
/// The file holds receipts one after the other, as an agent keeps them. Of each epoch of a network one is enough. Without an archive only
/// verifiers that anchored nothing are found. Costs nothing.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn verifier slash receipts agent/journal/receipts-0000000000000001 --archive .cairn/archive"])]
pub struct Receipts {
    /// The receipts.
    file: PathBuf,
    /// Folder of the verifier's archive, or of another's: <network>/<epoch>/reports.parquet.
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    #[command(flatten)]
    spending: Spending,
}

/// Show two different results of one epoch that a verifier signed: it loses all that it has at stake. Costs nothing.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn verifier slash results one/manifest.cbor other/manifest.cbor"])]
pub struct Results {
    /// The manifest.cbor of an archive, with the result and its signatures.
    first: PathBuf,
    /// Another one of the same epoch.
    second: PathBuf,
    #[command(flatten)]
    spending: Spending,
}

pub async fn run(session: &Session, command: &Slash, out: Output) -> Done {
    match command {
        Slash::Receipts(args) => receipts(session, args, out).await,
        Slash::Results(args) => results(session, args, out).await,
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = std::fs::metadata(path).or_fail(Kind::Files, path.display())?.len();
    if bytes > FILE_BYTES_MAX {
        let failure = Failure::new(Kind::Files, format!("{} is too long", path.display()));
        return Err(failure.hint("show it in parts of at most 256 MiB"));
    }
    std::fs::read(path).or_fail(Kind::Files, path.display())
}

/// One promise: who made it, for which epoch of which network.
type Promised = (AccountId, NetworkId, EpochNumber);

/// The receipts of a file, by what they promise. A torn end is left out: agents are killed while they write.
fn promised(bytes: &[u8]) -> BTreeMap<Promised, Vec<Receipt>> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let mut found: BTreeMap<Promised, Vec<Receipt>> = BTreeMap::new();
    while let Ok(receipt) = decoder.decode::<Receipt>() {
        let of = (receipt.group.verifier, receipt.network, receipt.epoch);
        found.entry(of).or_default().push(receipt);
    }
    found
}

async fn receipts(session: &Session, args: &Receipts, out: Output) -> Done {
    let promised = promised(&read(&args.file)?);
    if promised.is_empty() {
        let failure = Failure::new(Kind::Files, format!("{} holds no receipt", args.file.display()));
        return Err(failure.hint("name a file of receipts as an agent keeps them in its journal"));
    }
    let objects = args.archive.as_deref().map(Remote::folder).transpose();
    let objects = objects.or_fail(Kind::Files, "the archive")?;
    let spender = Spender::new(session, &args.spending).await?;
    let mut shown: Vec<Value> = Vec::new();
    for (of, receipts) in &promised {
        let objects = objects.as_ref().map(|remote| remote as &dyn Objects);
        let Some(proof) = broken(session, of, receipts, objects).await? else {
            continue;
        };
        let facts = json!({
            "verifier": of.0.to_string(), "network": of.1.to_string(), "epoch": of.2.0, "report": proof.receipt.report.to_string(),
        });
        let sent = spender.send("slash_receipt", facts, Body::SlashReceipt(proof)).await?;
        let mut answer = sent.answer;
        let events = sent.confirmed.iter().flat_map(|confirmed| &confirmed.events);
        merge(&mut answer, json!({ "rewarded_token": rewarded(events) }));
        shown.push(answer);
    }
    let answer = json!({ "promises": promised.len(), "broken": shown });
    out.answer(&answer, || {
        let line = |one: &Value| {
            format!(
                "broken     by {} in epoch {} of {}: report {}",
                word(&one["verifier"]),
                one["epoch"],
                word(&one["network"]),
                word(&one["report"])
            )
        };
        let mut lines: Vec<String> = shown.iter().map(line).collect();
        lines.push(format!("{} broken of {} promises", shown.len(), promised.len()));
        lines
    });
    Ok(())
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What whoever showed it got, by the ledger's own word.
fn rewarded<'a>(events: impl Iterator<Item = &'a Event>) -> u64 {
    let rewards = events.map(|event| match event {
        Event::VerifierSlashed { rewarded, .. } => rewarded.0,
        _ => 0,
    });
    rewards.fold(0, u64::saturating_add)
}

/// A receipt that was broken, and what shows it; none when none was, or nothing here can show it.
async fn broken(
    session: &Session,
    (verifier, network, epoch): &Promised,
    receipts: &[Receipt],
    objects: Option<&dyn Objects>,
) -> Result<Option<SlashReceipt>, Failure> {
    let client = &session.client;
    let Some(record) = client.verifier(verifier).await.map_err(failed)?.value else {
        return Ok(None);
    };
    let held: Vec<&Receipt> = receipts.iter().filter(|receipt| receipt.verify(&record.key)).collect();
    let at = (*network, *epoch);
    let Some(closed) = client.record::<Epoch>(epoch).await.map_err(failed)?.value else {
        return Ok(None);
    };
    let book = client.record::<Anchors>(&at).await.map_err(failed)?.value;
    let now = session.chain().await?.moment();
    if !closed.is_anchored(&book.unwrap_or_default(), &session.genesis.limits, now) {
        return Ok(None);
    }
    let anchor = client.anchor_of(network, *epoch, record.number).await.map_err(failed)?;
    let pool = client.record::<Pool>(&at).await.map_err(failed)?.value;
    let is_final = pool.is_some_and(|pool| matches!(pool.state, PoolState::Released | PoolState::Paid));
    let roots = client.record::<Roots>(&at).await.map_err(failed)?.value;
    let judged = roots.filter(|_| is_final).map(|roots| roots.archive);
    let files = objects.map(|objects| EpochArchive::of(objects, network, *epoch));
    evidence::show(&held, anchor.as_ref(), judged.as_ref(), files.as_ref()).or_fail(Kind::Files, "the archive")
}

fn attestation(path: &Path) -> Result<Attestation, Failure> {
    let manifest = codec::decode_canonical::<Manifest>(&read(path)?).map_err(|_| {
        Failure::new(Kind::Files, format!("{} is no manifest", path.display()))
            .hint("name the manifest.cbor of an epoch's archive")
    })?;
    Ok(manifest.attestation)
}

async fn results(session: &Session, args: &Results, out: Output) -> Done {
    let (first, second) = (attestation(&args.first)?, attestation(&args.second)?);
    if !first.result.contradicts(&second.result) {
        let failure = Failure::new(
            Kind::Refused,
            "these are not two results of one epoch, by the same files, on one result before",
        );
        return Err(failure.hint("name two manifests of the same epoch whose results differ"));
    }
    let spender = Spender::new(session, &args.spending).await?;
    let mut shown: Vec<Value> = Vec::new();
    for (verifier, signature) in &first.signatures {
        let again = second.signatures.iter().find(|(other, _)| other == verifier);
        let Some((_, second_signature)) = again else { continue };
        let body = SlashVerifier {
            verifier: *verifier,
            first: first.result.clone(),
            first_signature: *signature,
            second: second.result.clone(),
            second_signature: Some(*second_signature),
        };
        let facts = json!({ "verifier": verifier.to_string() });
        let sent = spender.send("slash_verifier", facts, Body::SlashVerifier(body)).await?;
        let mut answer = sent.answer;
        let events = sent.confirmed.iter().flat_map(|confirmed| &confirmed.events);
        merge(&mut answer, json!({ "rewarded_token": rewarded(events) }));
        shown.push(answer);
    }
    if shown.is_empty() {
        let failure = Failure::new(Kind::NotFound, "nobody signed both results");
        return Err(failure.hint("verifiers may differ; only who contradicts itself is slashed for it"));
    }
    let answer = json!({ "signed_both": shown });
    out.answer(&answer, || {
        let line = |one: &Value| {
            let rewarded = one["rewarded_token"].as_u64().unwrap_or_default();
            let rewarded = decimal(rewarded, session.decimals());
            format!(
                "{} signed both; {rewarded} token for showing it",
                word(&one["verifier"])
            )
        };
        shown.iter().map(line).collect()
    });
    Ok(())
}
