//! `cairn verify`: what a light client does. Fetches a record with its proof, believes it only under the validators' one key, and says what
//! that cost in bytes and time; or checks proofs kept in a file, without any network. Never takes a node's word.

use crate::error::{Done, Failure, Kind, OrFail};
use crate::home::{AnchorText, Home};
use crate::output::{Output, table};
use crate::params;
use crate::session::{Session, failed};
use cairn_client::verify::{self, Sizes, decode};
use cairn_client::{Anchor, ClientError, HandOver, Question, follow_eras, hand_over};
use cairn_ledger::records::{
    self, Account, Anchors, Device, Dispute, Epoch, Network, ParameterPage, Pool, Profile, Roots, RosterEntry,
    Settlement, SignerPage, Terms, Validator, Verifier,
};
use cairn_ledger::tables::Record;
use cairn_node::faces::Face;
use cairn_types::{EpochNumber, TimeMs, codec, hash};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Proofs in one file at most.
const PROOFS_MAX: usize = 64;
/// More is not a file of proofs.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Check what the ledger says as a light client does: certificate, header, proof, all under the validators' one key.
///
/// Prints the record, or that there is none, with the height at which it holds, the size of the proof in bytes and the time it took to
/// check. Nothing of it rests on the node's word: a node that lies is found out. Exit code 1: a proof does not hold.
#[derive(clap::Subcommand)]
#[command(after_help = examples![
    "cairn verify account me",
    "cairn verify epoch 71 --network sensors --save epoch.proofs",
    "cairn verify file epoch.proofs",
])]
pub enum Command {
    /// Verify an account's record, or that there is none.
    Account(Named),
    /// Verify a device's record, or that there is none.
    Device(Named),
    /// Verify a verifier's record, or that there is none.
    Verifier(Named),
    /// Verify a network's record.
    Network(OfNetwork),
    /// Verify all of a network's terms and parameters.
    Parameters(OfNetwork),
    Epoch(OfEpoch),
    File(OfFile),
}

/// Where a proof is kept.
#[derive(clap::Args)]
pub struct Keep {
    /// Keep the proofs in this file; `cairn verify file` checks them again without any network.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

/// Verify an account's, a device's or a verifier's record, or that there is none.
#[derive(clap::Args)]
pub struct Named {
    /// The id, 64 hexadecimal digits, or the name of a key here.
    id: String,
    #[command(flatten)]
    keep: Keep,
}

/// Verify a network's record, or all of its terms and parameters.
#[derive(clap::Args)]
pub struct OfNetwork {
    /// Name, number or id; the only one there is, unless told otherwise.
    network: Option<String>,
    #[command(flatten)]
    keep: Keep,
}

/// Verify what closing an epoch fixed and what verifiers attested of it for a network.
#[derive(clap::Args)]
pub struct OfEpoch {
    /// The epoch.
    epoch: EpochNumber,
    /// Name, number or id; the only one there is, unless told otherwise.
    #[arg(long)]
    network: Option<String>,
    #[command(flatten)]
    keep: Keep,
}

/// Check proofs that were kept in a file, without any network.
#[derive(clap::Args)]
pub struct OfFile {
    /// A file written by --save.
    file: PathBuf,
    /// The trust anchor as JSON, like that in settings.json; the one in the settings, unless told otherwise.
    #[arg(long, value_name = "FILE")]
    anchor: Option<PathBuf>,
}

/// A file of proofs.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// Which chain they are of; the trust anchor decides.
    chain: String,
    /// From the era of whoever kept them to the one of the proofs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hand_overs: Vec<String>,
    proofs: Vec<KeptProof>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptProof {
    /// The question that it answers, like `account/<id>`.
    record: String,
    proof: String,
}

/// One record, checked.
struct Verified {
    question: Question,
    proof: Vec<u8>,
    value: Option<Vec<u8>>,
    height: u64,
    time: TimeMs,
    sizes: Sizes,
    fetched: Option<Duration>,
    checked: Duration,
}

pub fn run(command: Command, home: &Path, out: Output) -> Done {
    match command {
        Command::File(args) => file(&args, home, out),
        asked => crate::roles::runtime()?.block_on(ask(asked, home, out)),
    }
}

async fn ask(command: Command, home: &Path, out: Output) -> Done {
    let session = Session::open(home).await?;
    let (verified, keep) = match &command {
        Command::Account(args) => (
            one(&session, Question::Account(session.account_id(&args.id)?)).await?,
            &args.keep,
        ),
        Command::Verifier(args) => (
            one(&session, Question::Verifier(session.account_id(&args.id)?)).await?,
            &args.keep,
        ),
        Command::Device(args) => {
            let id = crate::session::device_id(&session.home, &args.id)?;
            (one(&session, Question::Device(id)).await?, &args.keep)
        }
        Command::Network(args) => {
            let (id, _) = session.network(args.network.as_deref()).await?;
            (one(&session, Question::Network(id)).await?, &args.keep)
        }
        Command::Parameters(args) => (parameters(&session, args).await?, &args.keep),
        Command::Epoch(args) => (epoch(&session, args).await?, &args.keep),
        Command::File(_) => unreachable!("a file is checked without a session"),
    };
    let anchor = anchor(&session)?;
    if let Some(path) = &keep.save {
        save(path, anchor, &session.hand_overs, &verified)?;
    }
    show(anchor, &verified, out)
}

fn anchor(session: &Session) -> Result<&Anchor, Failure> {
    let anchor = session.client.anchor();
    anchor.ok_or_else(|| Failure::new(Kind::Internal, "a session has an anchor"))
}

async fn one(session: &Session, question: Question) -> Result<Vec<Verified>, Failure> {
    Ok(vec![fetch(session, question).await?])
}

async fn fetch(session: &Session, question: Question) -> Result<Verified, Failure> {
    let start = Instant::now();
    let proof = session.told.proof(&question.key()).await.map_err(failed)?;
    let fetched = start.elapsed();
    let verified = check(anchor(session)?, question, proof)?;
    Ok(Verified {
        fetched: Some(fetched),
        ..verified
    })
}

fn check(anchor: &Anchor, question: Question, proof: Vec<u8>) -> Result<Verified, Failure> {
    let start = Instant::now();
    let checked = question
        .check(anchor, &proof)
        .map_err(|error| differs(&question, &error))?;
    let took = start.elapsed();
    Ok(Verified {
        question,
        value: checked.value,
        height: checked.header.height,
        time: TimeMs(checked.header.time_ms),
        sizes: verify::sizes(&proof).map_err(|error| differs(&question, &error))?,
        fetched: None,
        checked: took,
        proof,
    })
}

fn differs(question: &Question, error: &ClientError) -> Failure {
    Failure::new(Kind::Differs, format!("{question}: {error}")).hint(
        "whoever gave this proof is wrong, lies, or is of another chain than the trust anchor: ask another node, and compare \
         `cairn config show` with somebody you trust",
    )
}

/// All of a network's terms: the record, and each page of the parameters in force, whose hash the terms name.
async fn parameters(session: &Session, args: &OfNetwork) -> Result<Vec<Verified>, Failure> {
    let (id, _) = session.network(args.network.as_deref()).await?;
    let terms = fetch(session, Question::Terms(id)).await?;
    let current = terms
        .value
        .as_deref()
        .map(decode::<Terms>)
        .transpose()
        .map_err(failed)?
        .map(|terms| terms.current);
    let mut all = vec![terms];
    if let Some(current) = current {
        for page in 0..current.pages() {
            all.push(fetch(session, Question::Parameters(id, current.version, page)).await?);
        }
    }
    Ok(all)
}

async fn epoch(session: &Session, args: &OfEpoch) -> Result<Vec<Verified>, Failure> {
    let (id, _) = session.network(args.network.as_deref()).await?;
    let mut all = Vec::new();
    for question in [
        Question::Epoch(args.epoch),
        Question::Pool(id, args.epoch),
        Question::Settlement(id, args.epoch),
        Question::Roots(id, args.epoch),
    ] {
        all.push(fetch(session, question).await?);
    }
    Ok(all)
}

fn file(args: &OfFile, home: &Path, out: Output) -> Done {
    let anchor = match &args.anchor {
        Some(path) => {
            let text: AnchorText = serde_json::from_str(&read(path)?).or_fail(Kind::Files, path.display())?;
            text.anchor()?
        }
        None => {
            let kept = Home::at(home).settings()?.anchor;
            let none = || {
                Failure::new(Kind::NotFound, "there is no trust anchor to check against")
                    .hint("name one with --anchor FILE, or talk to a node of the chain once: `cairn network list`")
            };
            kept.ok_or_else(none)?.anchor()?
        }
    };
    let kept: Kept = serde_json::from_str(&read(&args.file)?).or_fail(Kind::Files, args.file.display())?;
    if kept.proofs.is_empty() || kept.proofs.len() > PROOFS_MAX {
        return Err(Failure::new(
            Kind::Files,
            format!("{}: a file holds 1 to {PROOFS_MAX} proofs", args.file.display()),
        ));
    }
    let hand_overs: Option<Vec<HandOver>> = kept.hand_overs.iter().map(|text| hand_over(text)).collect();
    let hand_overs =
        hand_overs.ok_or_else(|| Failure::new(Kind::Files, format!("{}: not a hand-over", args.file.display())))?;
    let anchor = follow_eras(&anchor, &hand_overs).map_err(|error| {
        Failure::new(Kind::Differs, format!("an era did not hand over to the next: {error}"))
            .hint("whoever made this file is wrong or lies: ask a node yourself")
    })?;
    let mut verified = Vec::with_capacity(kept.proofs.len());
    for kept in &kept.proofs {
        let question: Question = kept.record.parse().or_fail(Kind::Files, args.file.display())?;
        let proof = hex::decode(&kept.proof).or_fail(Kind::Files, args.file.display())?;
        verified.push(check(&anchor, question, proof)?);
    }
    show(&anchor, &verified, out)
}

fn read(path: &Path) -> Result<String, Failure> {
    let length = std::fs::metadata(path).or_fail(Kind::Files, path.display())?.len();
    if length > FILE_BYTES_MAX {
        return Err(Failure::new(
            Kind::Files,
            format!(
                "{} has {length} bytes, at most {FILE_BYTES_MAX} are read",
                path.display()
            ),
        ));
    }
    std::fs::read_to_string(path).or_fail(Kind::Files, path.display())
}

fn save(path: &Path, anchor: &Anchor, hand_overs: &[HandOver], verified: &[Verified]) -> Done {
    let kept = Kept {
        chain: anchor.chain.clone(),
        hand_overs: hand_overs
            .iter()
            .map(|hand_over| hex::encode(codec::encode(hand_over)))
            .collect(),
        proofs: verified
            .iter()
            .map(|verified| KeptProof {
                record: verified.question.to_string(),
                proof: hex::encode(&verified.proof),
            })
            .collect(),
    };
    let text = serde_json::to_string_pretty(&kept).or_fail(Kind::Internal, "proofs")?;
    std::fs::write(path, format!("{text}\n")).or_fail(Kind::Files, path.display())
}

fn show(anchor: &Anchor, verified: &[Verified], out: Output) -> Done {
    let terms = matching_parameters(verified)?;
    let mut records = Vec::with_capacity(verified.len());
    for one in verified {
        records.push(json!({
            "record": one.question.to_string(),
            "present": one.value.is_some(),
            "value": one.value.as_deref().map(|bytes| face(&one.question, bytes)).transpose()?,
            "height": one.height,
            "time": one.time.face(),
            "proof_bytes": one.sizes.whole,
            "certificate_bytes": one.sizes.certificate,
            "headers": one.sizes.headers,
            "record_proof_bytes": one.sizes.record,
            "fetch_ms": one.fetched.map(millis),
            "verify_ms": millis(one.checked),
        }));
    }
    let bytes: usize = verified.iter().map(|one| one.sizes.whole).sum();
    let took: Duration = verified.iter().map(|one| one.checked).sum();
    let answer = json!({
        "chain": anchor.chain,
        "era": anchor.era,
        "group_key": hex::encode(anchor.group_key),
        "records": records,
        "parameters": terms,
        "proof_bytes": bytes,
        "verify_ms": millis(took),
    });
    out.answer(&answer, || lines(anchor, verified, &answer));
    Ok(())
}

/// The parameters in force, once the pages make up what the terms name.
fn matching_parameters(verified: &[Verified]) -> Result<Option<Value>, Failure> {
    let terms = verified.iter().find_map(|one| match one.question {
        Question::Terms(_) => one.value.as_deref(),
        _ => None,
    });
    let Some(terms) = terms else {
        return Ok(None);
    };
    let current = decode::<Terms>(terms).map_err(failed)?.current;
    let mut bytes = Vec::new();
    for one in verified {
        if let (Question::Parameters(_, version, _), Some(page)) = (one.question, one.value.as_deref())
            && version == current.version
        {
            bytes.extend(decode::<ParameterPage>(page).map_err(failed)?.bytes);
        }
    }
    if hash::sha256(&bytes) != current.hash {
        return Err(Failure::new(
            Kind::Differs,
            "the pages of the parameters do not make up what the terms name",
        )
        .hint("the terms may just have changed: ask again"));
    }
    Ok(params::decode(&bytes))
}

/// A checked record as JSON.
fn face(question: &Question, bytes: &[u8]) -> Result<Value, Failure> {
    fn of<R: Record + Face>(bytes: &[u8]) -> Result<Value, Failure> {
        Ok(decode::<R>(bytes).map_err(failed)?.face())
    }
    match question {
        Question::Account(_) => of::<Account>(bytes),
        Question::Device(_) => of::<Device>(bytes),
        Question::Network(_) => of::<Network>(bytes),
        Question::Terms(_) => of::<Terms>(bytes),
        Question::Roster(..) => of::<RosterEntry>(bytes),
        Question::Verifier(_) => of::<Verifier>(bytes),
        Question::Profile(_) => of::<Profile>(bytes),
        Question::Validator(_) => of::<Validator>(bytes),
        Question::Epoch(_) => of::<Epoch>(bytes),
        Question::Pool(..) => of::<Pool>(bytes),
        Question::Settlement(..) => of::<Settlement>(bytes),
        Question::Roots(..) => of::<Roots>(bytes),
        Question::Signers(..) => of::<SignerPage>(bytes),
        Question::Anchors(..) => of::<Anchors>(bytes),
        Question::Anchor(..) => of::<records::Anchor>(bytes),
        Question::Dispute(..) => of::<Dispute>(bytes),
        Question::Parameters(..) => {
            let page = decode::<ParameterPage>(bytes).map_err(failed)?;
            Ok(hex::encode(page.bytes).into())
        }
    }
}

fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn lines(anchor: &Anchor, verified: &[Verified], answer: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for (one, shown) in verified.iter().zip(answer["records"].as_array().into_iter().flatten()) {
        let there = if one.value.is_some() { "" } else { ": there is none" };
        lines.push(format!(
            "{}{there}, at height {}, {}",
            one.question, one.height, one.time
        ));
        let fields = shown["value"].as_object().into_iter().flatten();
        lines.extend(fields.map(|(name, value)| format!("  {name:<18} {}", plain(value))));
    }
    if let Some(parameters) = answer["parameters"].as_object() {
        lines.push("parameters".to_owned());
        lines.extend(
            parameters
                .iter()
                .map(|(name, value)| format!("  {name:<18} {}", plain(value))),
        );
    }
    lines.push(String::new());
    let row = |one: &Verified| {
        vec![
            one.question.word().to_owned(),
            one.sizes.whole.to_string(),
            one.sizes.certificate.to_string(),
            one.sizes.headers.to_string(),
            one.sizes.record.to_string(),
            one.fetched
                .map_or("–".to_owned(), |time| format!("{:.3}", millis(time))),
            format!("{:.3}", millis(one.checked)),
        ]
    };
    let rows: Vec<Vec<String>> = verified.iter().map(row).collect();
    let header = [
        "proven",
        "bytes",
        "certificate",
        "headers",
        "record proof",
        "fetch ms",
        "check ms",
    ];
    lines.extend(table(&header, &rows));
    let key = hex::encode(&anchor.group_key[..8]);
    lines.push(format!(
        "proven under the group key {key}… of {}, era {}",
        anchor.chain, anchor.era
    ));
    lines
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
