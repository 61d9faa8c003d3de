//! `cairn audit`: recomputes epochs from an archive and holds them against what the ledger says was attested and paid.

use crate::error::{Done, Failure, Kind, OrFail};
use crate::output::Output;
use crate::roles::chain::{NodeChain, Origin, RemoteNode};
use cairn_types::{EpochNumber, NetworkId};
use cairn_verifier::audit::{Audited, audit, settled_epochs};
use cairn_verifier::objects::{Objects, Remote};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Recompute every epoch from its archive, and compare with the ledger.
///
/// Believes nothing of the archive that does not follow from device signatures, the ledger and the public rules. Prints one line for
/// each epoch; exits with 1 at the first difference and names it. The settled results are proven against the chain's key. Costs
/// nothing. The archive of a network that runs here lies in the home folder, as `archive`.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn audit --archive .cairn/archive"])]
pub struct Args {
    /// Folder of the archive: <network>/<epoch>/reports.parquet and its neighbours.
    #[arg(long, value_name = "DIR")]
    archive: PathBuf,
    /// A node of the chain; that of the home folder's settings, or http://127.0.0.1:8640, unless told otherwise.
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// Only this epoch.
    #[arg(long, value_name = "N")]
    epoch: Option<EpochNumber>,
    /// Only the network of this id; every network in the archive, unless told otherwise.
    #[arg(long, value_name = "ID")]
    network: Option<NetworkId>,
}

pub fn run(args: Args, home: &Path, out: Output) -> Done {
    let runtime = crate::roles::runtime()?;
    let origin = Origin::of(home, args.from.as_deref())?;
    let (chain, _client) = runtime.block_on(RemoteNode::chain(&origin))?;
    if !args.archive.is_dir() {
        let failure = Failure::new(Kind::Files, format!("{} is not a folder", args.archive.display()));
        return Err(failure.hint("name the folder that holds a folder for each network"));
    }
    let objects: Arc<dyn Objects> =
        Arc::new(Remote::folder(&args.archive).or_fail(Kind::Files, args.archive.display())?);
    let networks = match args.network {
        Some(network) => vec![network],
        None => networks(objects.as_ref())?,
    };
    if networks.is_empty() {
        let failure = Failure::new(
            Kind::NotFound,
            format!("{} holds no network's archive", args.archive.display()),
        );
        return Err(failure.hint("name the folder that holds a folder for each network"));
    }
    let mut audited = Vec::new();
    for network in &networks {
        let epochs = epochs(&chain, network, args.epoch)?;
        let bar = out.progress(epochs.len() as u64, "audit");
        for epoch in epochs {
            let one = audit(objects.as_ref(), &chain, network, epoch)
                .or_fail(Kind::Unreachable, "the audit cannot be done")?;
            bar.suspend(|| say(&one, out));
            bar.inc(1);
            let differs = one.difference.is_some();
            audited.push(one);
            if differs {
                bar.finish_and_clear();
                return finish(&audited, out);
            }
        }
        bar.finish_and_clear();
    }
    finish(&audited, out)
}

/// The networks that have a folder.
fn networks(objects: &dyn Objects) -> Result<Vec<NetworkId>, Failure> {
    let names = objects.list("").or_fail(Kind::Files, "the archive")?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

fn epochs(chain: &NodeChain, network: &NetworkId, only: Option<EpochNumber>) -> Result<Vec<EpochNumber>, Failure> {
    let settled = settled_epochs(chain, network).or_fail(Kind::Unreachable, "the settled epochs")?;
    match only {
        None => Ok(settled),
        Some(epoch) if settled.contains(&epoch) => Ok(vec![epoch]),
        Some(epoch) => {
            let failure = Failure::new(
                Kind::NotFound,
                format!("epoch {epoch} of network {network} is not settled"),
            );
            Err(failure.hint(match settled.last() {
                Some(last) => format!("the last settled epoch is {last}"),
                None => "no epoch is settled yet".to_owned(),
            }))
        }
    }
}

/// A line for an epoch, as soon as it is known.
fn say(one: &Audited, out: Output) {
    if out.json {
        return;
    }
    match &one.difference {
        None => {
            println!(
                "epoch {:>6}  equal    {} reports, result {}",
                one.epoch.0, one.reports, one.result
            );
            for verifier in &one.without {
                println!("epoch {:>6}  without  the reports of verifier {verifier}", one.epoch.0);
            }
        }
        Some(difference) => println!("epoch {:>6}  differs  {difference}", one.epoch.0),
    }
}

fn finish(audited: &[Audited], out: Output) -> Done {
    let first = audited
        .iter()
        .find_map(|one| Some((one.epoch, one.difference.as_ref()?)));
    let matching = audited.iter().filter(|one| one.difference.is_none()).count();
    if out.json {
        let difference = first.map(|(epoch, difference)| {
            json!({
                "epoch": epoch.0, "file": difference.file, "row": difference.row, "field": difference.field,
                "archived": difference.archived, "recomputed": difference.recomputed,
            })
        });
        let incomplete = audited.iter().filter(|one| !one.without.is_empty());
        let left_out = incomplete.map(|one| {
            let verifiers: Vec<String> = one.without.iter().map(ToString::to_string).collect();
            json!({ "network": one.network.to_string(), "epoch": one.epoch.0, "verifiers": verifiers })
        });
        println!(
            "{}",
            json!({
                "epochs": audited.len(), "matching": matching, "left_out": left_out.collect::<Vec<_>>(),
                "first_difference": difference,
            })
        );
    }
    match first {
        None => {
            out.say(format!("{matching} epochs, all equal"));
            Ok(())
        }
        Some((epoch, difference)) => {
            let failure = Failure::new(Kind::Differs, format!("epoch {epoch}: {difference}"));
            Err(failure.hint("fetch the epoch's files from another verifier and audit those"))
        }
    }
}
