//! `cairn network set`: other parameters or another price, from the next epoch on. What is not named stays as it is.

use super::{parameters, vertical};
use crate::error::{Done, Failure, Kind};
use crate::output::{Output, decimal};
use crate::session::{Session, failed};
use crate::spend::{Spender, Spending, merge};
use crate::units::usd;
use cairn_ledger::Event;
use cairn_ledger::tx::Body;
use cairn_ledger::tx::set_parameters::SetParameters;
use cairn_types::{MicroUsd, hash};
use serde_json::json;

/// Set a network's parameters or its price; only its founder may.
///
/// They hold from the next epoch on: nothing judged under way changes. What is not named stays; a second change in the same epoch
/// replaces the first one and keeps the rest of it. Write the present parameters to a file with `cairn network show --json`, field
/// `parameters`, and change that. Costs the ledger's base fee and a fee for each 240 bytes of parameters. Name, vertical and
/// resolution never change.
#[derive(clap::Args)]
#[command(after_help = examples![
    "cairn network set garden --price 120",
    "cairn network set garden --params parameters.json --key founder",
])]
#[command(group(clap::ArgGroup::new("change").required(true).multiple(true).args(["params", "price"])))]
pub struct Set {
    /// Name, number or id; the only one there is, unless told otherwise.
    network: Option<String>,
    /// Parameters of the vertical: a JSON file as `network show` prints them, or `default`.
    #[arg(long, value_name = "FILE.json|default")]
    params: Option<String>,
    /// US dollars for a million service units.
    #[arg(long, value_name = "USD", value_parser = usd)]
    price: Option<MicroUsd>,
    #[command(flatten)]
    spending: Spending,
}

pub async fn set(session: &Session, args: &Set, out: Output) -> Done {
    let (id, network) = session.network(args.network.as_deref()).await?;
    let vertical = vertical(&network.vertical)?;
    let terms = session.client.terms(&id).await.map_err(failed)?.value;
    let terms = terms.ok_or_else(|| Failure::new(Kind::Unreachable, "the node knows no terms of the network"))?;
    // Those of an earlier change in this epoch are what would hold from the next one on.
    let latest = terms.next.unwrap_or(terms.current);
    let bytes = match &args.params {
        Some(from) => parameters(vertical, from)?,
        None => session.client.parameters(&id, latest.version).await.map_err(failed)?,
    };
    let price = args.price.map_or(latest.price_micro_usd, |price| price.0);
    if price == latest.price_micro_usd && hash::sha256(&bytes) == latest.hash {
        let failure = Failure::new(Kind::Refused, "the network has these terms already");
        return Err(failure.hint("`cairn network show` prints them"));
    }
    let spender = Spender::new(session, &args.spending).await?;
    let mut answer = json!({
        "network": id.to_string(), "name": network.name, "price_micro_usd": price,
        "parameters_hash": hash::sha256(&bytes).to_string(), "parameters": crate::params::decode(&bytes),
    });
    let body = SetParameters {
        network: id,
        parameters: bytes,
        price_micro_usd: price,
    };
    let sent = spender
        .send("set_parameters", answer.clone(), Body::SetParameters(body))
        .await?;
    merge(&mut answer, sent.answer);
    let mut from = "the next epoch".to_owned();
    for event in sent.confirmed.iter().flat_map(|confirmed| &confirmed.events) {
        if let Event::TermsSet {
            version, from: epoch, ..
        } = event
        {
            from = format!("epoch {epoch}");
            merge(&mut answer, json!({ "terms": version, "from_epoch": epoch.0 }));
        }
    }
    let words = format!(
        "set the terms of network {} from {from} on: {} US dollars for a million units, parameters {}",
        network.name,
        decimal(price, 6),
        answer["parameters"]
    );
    spender.answer(out, &answer, &words);
    Ok(())
}
