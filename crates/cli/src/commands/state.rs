//! `cairn state`: the whole ledger as one file that proves itself: out of a node, running or stopped, and into a new era.

mod fetch;

use self::fetch::Fetched;
use crate::commands::genesis::founding_failed;
use crate::error::{Done, Failure, Kind};
use crate::home::Home;
use crate::output::Output;
use cairn_node::eras::first_anchor;
use cairn_node::founding::Founding;
use cairn_node::moving::{Moved, MovingError, check, export, import};
use indicatif::ProgressBar;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Move a ledger: all its records with the proof that they are the state of a final block.
#[derive(clap::Subcommand)]
#[command(after_help = examples![
    "cairn state export --node http://127.0.0.1:8640 --out ledger.state",
    "cairn state export --data node --out ledger.state",
    "cairn state show ledger.state --genesis genesis.json",
    "cairn state import --genesis era.json --state ledger.state --data node-2",
])]
pub enum Command {
    Export(Export),
    Show(Show),
    Import(Import),
}

/// Write the newest final state into a file, of a node that runs or of a stopped one's folder; that of the era's last block, if the era
/// has ended.
///
/// A node that runs goes on meanwhile, and gives its state out on its own computer only. Two nodes of a chain that has ended write the same
/// file. Everything is proven before it is written, and nothing stands under the file's name before it is whole. Killed halfway, run it
/// again: of a running node it goes on with what FILE.part has, if the node still has the log of that state; of a folder it begins anew.
///
/// Example: cairn state export --node http://127.0.0.1:8640 --out ledger.state
#[derive(clap::Args)]
pub struct Export {
    /// Of a node that runs: its address.
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    node: Option<String>,
    /// Of a stopped node: the folder of the chain's data.
    #[arg(long, value_name = "DIR", default_value = "node")]
    data: PathBuf,
    /// The state file.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Check a state file, every byte of it, and show what it holds.
///
/// Held against the key in a genesis file, or the trust anchor of the home folder; a key of an earlier era is enough.
#[derive(clap::Args)]
pub struct Show {
    /// The state file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A signed genesis file of the chain.
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
}

/// Begin a new era with the state of the one that ended: checks the file, and puts its records into a new folder.
///
/// Notes in the genesis file how the era begins: pass that file on to nodes that do not import. It is enough that one validator of
/// the new era imports; all that do write the same. Killed, it can be run again.
///
/// Example: cairn state import --genesis era.json --state ledger.state --data node-2
#[derive(clap::Args)]
pub struct Import {
    /// The new era's file, signed by its validators.
    #[arg(long, value_name = "FILE", default_value = "era.json")]
    genesis: PathBuf,
    /// The state file.
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// Folder of the new era's data; an empty one, or a new one.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

pub fn run(command: Command, home: &Path, out: Output) -> Done {
    match command {
        Command::Export(args) => run_export(&args, home, out),
        Command::Show(args) => run_show(&args, home, out),
        Command::Import(args) => run_import(&args, out),
    }
}

/// Moves a bar whose length is known with the first step.
fn moves(bar: &ProgressBar) -> impl FnMut(u64, u64) + Send {
    let bar = bar.clone();
    move |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    }
}

fn moving_failed(path: &Path, error: MovingError) -> Failure {
    let kind = match &error {
        MovingError::Io(_) | MovingError::Genesis(_) => Kind::Files,
        MovingError::NotOver | MovingError::FolderUsed => Kind::Refused,
        MovingError::State(state) if state.is_of_files() => Kind::Files,
        _ => Kind::Differs,
    };
    let hint = error.hint();
    Failure::new(kind, format!("{}: {error}", path.display())).hint(hint)
}

fn run_export(args: &Export, home: &Path, out: Output) -> Done {
    let bar = out.progress(0, "operations");
    let done = match &args.node {
        Some(url) => crate::roles::runtime()?.block_on(fetch::fetch(url, home, &args.out, &bar)),
        None => {
            let done = export(&args.data, &args.out, &mut moves(&bar));
            let done = done.map(|header| Fetched { header, kept: 0 });
            done.map_err(|error| moving_failed(&args.data, error))
        }
    };
    bar.finish_and_clear();
    let Fetched { header, kept } = done?;
    let bytes = std::fs::metadata(&args.out).map_or(0, |meta| meta.len());
    let answer = json!({
        "file": args.out.display().to_string(),
        "bytes": bytes,
        "era": header.era,
        "height": header.height,
        "over": header.is_over(),
        "state_root": hex::encode(header.state_root),
        "operations_kept": kept,
    });
    out.answer(&answer, || {
        vec![
            format!("file       {}, {bytes} bytes", args.out.display()),
            format!(
                "height     {}, era {}{}",
                header.height,
                header.era,
                over(header.is_over())
            ),
            format!("root       {}", hex::encode(header.state_root)),
        ]
    });
    Ok(())
}

fn over(is_over: bool) -> &'static str {
    if is_over { "; its last block" } else { "" }
}

fn run_show(args: &Show, home: &Path, out: Output) -> Done {
    let anchor = match &args.genesis {
        Some(path) => {
            let founding = Founding::read_file(path).map_err(|error| founding_failed(path, error))?;
            let first = match (&founding.after, founding.founded()) {
                (Some(after), _) => after.first,
                (None, Ok(dealt)) => dealt.group.key,
                (None, Err(error)) => return Err(founding_failed(path, error)),
            };
            let genesis = founding.ledger().map_err(|error| founding_failed(path, error))?;
            first_anchor(&genesis, first)
        }
        None => {
            let kept = Home::at(home).settings()?.anchor;
            let none = || {
                Failure::new(Kind::NotFound, "there is no trust anchor to check against")
                    .hint("name the chain's signed genesis file with --genesis, or talk to its node once: `cairn network list`")
            };
            kept.ok_or_else(none)?.anchor()?
        }
    };
    let bar = out.progress(0, "operations");
    let moved = check(&args.file, &anchor, &mut moves(&bar));
    bar.finish_and_clear();
    let moved = moved.map_err(|error| moving_failed(&args.file, error))?;
    show(&moved, out);
    Ok(())
}

fn show(moved: &Moved, out: Output) {
    let (header, chain) = (&moved.checked.header, &moved.chain);
    let answer = json!({
        "chain": moved.checked.head.chain,
        "era": header.era,
        "group_key": hex::encode(moved.checked.anchor.group_key),
        "height": header.height,
        "time": chain.time.to_string(),
        "over": header.is_over(),
        "state_root": hex::encode(header.state_root),
        "records": moved.checked.len(),
        "epoch": chain.epoch.0,
        "accounts": chain.accounts,
        "devices": chain.devices,
        "networks": chain.networks,
        "orders_open": chain.orders_open,
    });
    out.answer(&answer, || {
        vec![
            format!(
                "chain      {}, era {}{}",
                moved.checked.head.chain,
                header.era,
                over(header.is_over())
            ),
            format!("height     {}, {}", header.height, chain.time),
            format!("root       {}, proven", hex::encode(header.state_root)),
            format!("group key  {}", hex::encode(moved.checked.anchor.group_key)),
            format!(
                "records    {}: {} accounts, {} devices, {} networks, {} open orders; epoch {} is open",
                moved.checked.len(),
                chain.accounts,
                chain.devices,
                chain.networks,
                chain.orders_open,
                chain.epoch
            ),
        ]
    });
}

fn run_import(args: &Import, out: Output) -> Done {
    let mut founding = Founding::read_file(&args.genesis).map_err(|error| founding_failed(&args.genesis, error))?;
    let bar = out.progress(0, "operations");
    let done = import(&mut founding, &args.state, &args.data, &mut moves(&bar));
    bar.finish_and_clear();
    let (moved, start) = done.map_err(|error| moving_failed(&args.state, error))?;
    let written = founding.write_file(&args.genesis);
    written.map_err(|error| founding_failed(&args.genesis, error))?;
    let answer = json!({
        "era": start.era,
        "height": start.height,
        "records": moved.checked.len(),
        "records_root": start.records.map(hex::encode),
    });
    out.answer(&answer, || {
        vec![
            format!("era        {}, from height {}", start.era, start.height),
            format!("records    {}", moved.checked.len()),
            format!("root       {}", start.records.map(hex::encode).unwrap_or_default()),
            format!(
                "next       cairn node run --genesis {} --data {}",
                args.genesis.display(),
                args.data.display()
            ),
        ]
    });
    Ok(())
}
