//! `cairn tx`: transactions of accounts with several owners. One writes the file with `--export`, each owner signs it where the key
//! is, anybody submits it. Showing and signing ask no network.

use crate::accounts::RuleText;
use crate::consent::must_agree;
use crate::describe;
use crate::error::{Done, Failure, Kind};
use crate::home::{Home, Settings};
use crate::output::{Output, decimal};
use crate::session::{Session, failed};
use crate::spend::{merge, place};
use crate::tx_file::TxFile;
use cairn_ledger::Reject;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Show, sign and submit transactions of accounts that several keys sign for.
///
/// First one owner adds --export FILE to the command that should be done. Then every owner looks at the file and signs it, which needs
/// no network: a key's computer may stay offline, and the file may travel by mail or on a stick. It holds no secret. Last anybody
/// submits it; copies that were signed apart are named together.
#[derive(clap::Subcommand)]
#[command(after_help = examples![
    "cairn account transfer ID --token 5 --key team --export gift.tx",
    "cairn tx show gift.tx",
    "cairn tx sign gift.tx --key me",
    "cairn tx submit gift.tx",
])]
pub enum Command {
    Show(Show),
    Sign(Sign),
    Submit(Submit),
}

/// Show what a transaction would do, and who has signed it. Asks no network.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn tx show gift.tx"])]
pub struct Show {
    /// The file, as --export wrote it.
    file: PathBuf,
}

/// Add a signature to a transaction, after showing what it would do. Asks no network.
///
/// On a terminal the question is asked; elsewhere say --yes. A signature cannot be taken back: until the account uses the
/// transaction's nonce for something else, whoever has the file can submit it.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn tx sign gift.tx --key me"])]
pub struct Sign {
    /// The file, as --export wrote it; the signature is added to it.
    file: PathBuf,
    /// Name of the key here that signs.
    #[arg(long, value_name = "NAME", default_value = "me")]
    key: String,
    /// Sign without being asked.
    #[arg(long)]
    yes: bool,
}

/// Send a transaction that its owners have signed, and wait until it is final.
///
/// Costs the fee that it names, paid by the account or its sponsor. To submit the same transaction twice is safe: it happens once.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn tx submit gift-signed-by-ann.tx gift-signed-by-bob.tx"])]
pub struct Submit {
    /// The file; more, where copies of it were signed apart.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Say what would be sent and what it costs, and send nothing.
    #[arg(long)]
    dry_run: bool,
}

pub fn run(command: Command, home: &Path, out: Output) -> Done {
    let folder = Home::at(home);
    match command {
        Command::Show(args) => show(&folder.settings()?, &args, out),
        Command::Sign(args) => sign(&folder, &args, out),
        Command::Submit(args) => crate::roles::runtime()?.block_on(async {
            let session = Session::open(home).await?;
            submit(&session, &args, out).await
        }),
    }
}

fn face(file: &TxFile, settings: &Settings) -> Value {
    let transaction = &file.transaction;
    let said = describe::body(&transaction.body, settings.decimals);
    json!({
        "action": said.as_ref().map(|(action, _)| *action),
        "says": said.map(|(_, words)| words),
        "account": transaction.account.to_string(),
        "chain": transaction.chain.as_str(),
        "nonce": transaction.nonce,
        "fee_max_token": transaction.fee_max.0,
        "transaction": transaction.id().to_string(),
        "rule": RuleText::from(&file.rule),
        "signed_by": file.signatures.keys().map(ToString::to_string).collect::<Vec<_>>(),
        "missing": file.missing().map(ToString::to_string).collect::<Vec<_>>(),
        "signatures": file.signatures.len(),
        "threshold": file.rule.threshold,
        "complete": file.is_complete(),
    })
}

fn lines(file: &TxFile, answer: &Value, settings: &Settings) -> Vec<String> {
    let says = answer["says"].as_str().unwrap_or("something that only programs send");
    let mut lines = vec![format!("would {says}")];
    lines.extend(describe::rest(&file.transaction, settings.decimals));
    lines.push(format!(
        "signatures   {} of {} that are needed",
        file.signatures.len(),
        file.rule.threshold
    ));
    for key in &file.rule.keys {
        let mark = if file.signatures.contains_key(key) {
            "signed"
        } else {
            "not yet"
        };
        lines.push(format!("  {mark:<8} {key}"));
    }
    lines
}

fn show(settings: &Settings, args: &Show, out: Output) -> Done {
    let file = TxFile::read(&args.file)?;
    let answer = face(&file, settings);
    out.answer(&answer, || lines(&file, &answer, settings));
    Ok(())
}

fn sign(home: &Home, args: &Sign, out: Output) -> Done {
    let mut file = TxFile::read(&args.file)?;
    let settings = home.settings()?;
    let key = home.account_key(&args.key)?;
    may_sign(&file, &settings)?;
    if !file.rule.keys.contains(&key.public()) {
        let fact = format!("the account's rule does not name the key {}", args.key);
        return Err(Failure::new(Kind::Refused, fact).hint(
            "`cairn tx show` lists the keys that may sign, `cairn key show NAME` prints one's own; name it with --key",
        ));
    }
    if !out.json {
        let answer = face(&file, &settings);
        for line in lines(&file, &answer, &settings) {
            out.say(line);
        }
    }
    if !file.signatures.contains_key(&key.public()) {
        must_agree(args.yes, "a signature cannot be taken back", "Sign it?")?;
        file.sign(&key);
        file.write(&args.file)?;
    }
    let mut answer = face(&file, &settings);
    merge(&mut answer, json!({ "file": args.file.display().to_string() }));
    out.answer(&answer, || {
        let next = if file.is_complete() {
            format!("complete: `cairn tx submit {}`", args.file.display())
        } else {
            "the other owners run `cairn tx sign` on this file".to_owned()
        };
        vec![format!(
            "signed with {}: {} of {} signatures; {next}",
            args.key,
            file.signatures.len(),
            file.rule.threshold
        )]
    });
    Ok(())
}

/// Nobody signs what cannot be shown, nor what is for a chain that is not the one trusted here.
fn may_sign(file: &TxFile, settings: &Settings) -> Done {
    if describe::body(&file.transaction.body, None).is_none() {
        let failure = Failure::new(Kind::Refused, "only programs send such a transaction");
        return Err(failure.hint("sign nothing that cannot be said in words"));
    }
    let chain = file.transaction.chain.as_str();
    match &settings.anchor {
        Some(anchor) if anchor.chain != chain => {
            let fact = format!(
                "the transaction is for the chain {chain}, this folder trusts {}",
                anchor.chain
            );
            Err(Failure::new(Kind::Refused, fact).hint("name the folder of that chain with --home"))
        }
        _ => Ok(()),
    }
}

async fn submit(session: &Session, args: &Submit, out: Output) -> Done {
    let mut files = args.files.iter();
    let first = files
        .next()
        .ok_or_else(|| Failure::new(Kind::Usage, "no file is named"))?;
    let mut file = TxFile::read(first)?;
    for path in files {
        if !file.gather(&TxFile::read(path)?) {
            let fact = format!("{} and {} are different transactions", first.display(), path.display());
            return Err(Failure::new(Kind::Usage, fact).hint("`cairn tx show` says what each is"));
        }
    }
    let mut answer = face(&file, &session.settings);
    merge(&mut answer, json!({ "dry_run": args.dry_run }));
    if !file.is_complete() {
        let fact = format!(
            "{} of {} signatures are there",
            file.signatures.len(),
            file.rule.threshold
        );
        return Err(Failure::new(Kind::Refused, fact)
            .hint("let other owners sign with `cairn tx sign`; `cairn tx show` says who has not"));
    }
    let says = answer["says"]
        .as_str()
        .unwrap_or("send a program's transaction")
        .to_owned();
    let fee = decimal(file.transaction.fee_max.0, session.decimals());
    if args.dry_run {
        out.answer(&answer, || {
            vec![
                format!("would {says}"),
                format!("  nothing was sent; the fee would be at most {fee} token"),
            ]
        });
        return Ok(());
    }
    let confirmed = session.client.submit_and_wait(&file.signed()).await;
    let confirmed = confirmed.map_err(|error| match error.reject() {
        Some(Reject::NonceUsed) => failed(error)
            .hint("the account has done something else since: export the transaction again, and sign it again"),
        Some(Reject::RuleNotCurrent) => failed(error)
            .hint("the account's keys were changed since: export the transaction again by the present ones"),
        _ => failed(error),
    })?;
    merge(&mut answer, place(&confirmed));
    out.answer(&answer, || {
        vec![
            format!("done: {says}"),
            format!(
                "  fee at most {fee} token; final in block {}, transaction {}",
                confirmed.height, confirmed.id
            ),
        ]
    });
    Ok(())
}
