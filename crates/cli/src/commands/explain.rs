//! `cairn explain`: what became of every report of a device in an epoch, in words, units and money.

use super::account::payout;
use crate::error::{Done, Failure, Kind, OrFail};
use crate::exchanged::{self, Settled};
use crate::home::Home;
use crate::output::{Output, decimal, table};
use crate::roles::chain::{Origin, RemoteNode, failed};
use cairn_client::NodeClient;
use cairn_ledger::records::{NetworkIndex, Roots, Settlement};
use cairn_types::{
    AccountNumber, BasisPoints, DeviceId, DeviceNumber, EpochNumber, Finding, NetworkId, PayoutLeaf, Reason, Span,
    finding, merkle,
};
use cairn_verifier::archive::{EpochArchive, Inputs};
use cairn_verifier::assess;
use cairn_verifier::objects::HttpArchive;
use cairn_verifier::standing::standing;
use cairn_verticals::Vertical;
use cairn_verticals::kit::reasons::{self, STANDING};
use serde_json::{Value, json};
use std::path::Path;

/// Say what became of each report of a device in an epoch: verdict, reason, measured value, limit, units, money.
///
/// Findings and payouts come from the verifier's archive; they are shown only if their roots are the ones that the ledger has, proven
/// against the chain's key. Costs nothing. An epoch can be explained once it is settled; `cairn network show` says which are not.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn explain gauge --epoch 71"])]
pub struct Args {
    /// The device: its name here, or its id of 64 hexadecimal digits.
    device: String,
    /// The epoch.
    #[arg(long, value_name = "N")]
    epoch: EpochNumber,
    /// A node of the chain; that of the home folder's settings, or http://127.0.0.1:8640, unless told otherwise.
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// A verifier with the epoch's archive; that of the settings, or the one at the port after the named node's, unless told otherwise.
    #[arg(long, value_name = "URL")]
    verifier: Option<String>,
    /// The network's id, where the device serves several; `cairn network list` shows it.
    #[arg(long, value_name = "ID")]
    network: Option<NetworkId>,
}

pub fn run(args: Args, home: &Path, out: Output) -> Done {
    let runtime = crate::roles::runtime()?;
    let origin = Origin::of(home, args.from.as_deref())?;
    let device = crate::session::device_id(&Home::at(home), &args.device)?;
    let (_, client) = runtime.block_on(RemoteNode::chain(&origin))?;
    let verifier = args.verifier.clone().unwrap_or(origin.verifier);
    let ledger = runtime.block_on(Ledger::read(&client, &device, &args))?;
    let objects = HttpArchive::new(&verifier, runtime.handle().clone());
    let archive = EpochArchive::of(&objects, &ledger.network, args.epoch);
    let unread = |error| {
        Failure::new(
            Kind::Unreachable,
            format!("the archive of epoch {}: {error}", args.epoch),
        )
        .hint("name a verifier that keeps it with --verifier URL")
    };
    let findings = archive.findings().map_err(unread)?;
    let leaves = archive.payouts().map_err(unread)?;
    let inputs = archive.inputs().map_err(unread)?;
    ledger.check(&inputs, &findings, &leaves)?;
    let place = leaves.iter().position(|leaf| leaf.operator == ledger.operator);
    let exchange = match (ledger.exchange, place) {
        (Some(settled), Some(place)) => {
            let choices = archive.choices().map_err(unread)?;
            let steps = settled.steps(&leaves, &choices)?;
            exchanged::face(choices[place], &steps[place])
        }
        _ => Value::Null,
    };
    let own: Vec<&Finding> = findings
        .iter()
        .filter(|found| found.device.0 == ledger.number)
        .collect();
    let leaf = place.map(|place| &leaves[place]);
    let vertical = cairn_verticals::by_name(&ledger.vertical).ok_or_else(|| {
        Failure::new(
            Kind::NotFound,
            format!("this program does not know the vertical {}", ledger.vertical),
        )
    })?;
    let reputation = standing(vertical, &assess::epoch(&inputs, &[]), DeviceNumber(ledger.number));
    let reputation = reputation.or_fail(Kind::Differs, "the memory of the epoch before")?;
    let answer = json!({
        "device": device.to_string(),
        "network": ledger.network.to_string(),
        "epoch": args.epoch.0,
        "reputation": reputation,
        "reports": own.iter().map(|found| report(vertical, found)).collect::<Vec<_>>(),
        "operator": money(&ledger, leaf, own.iter().map(|found| found.units).sum(), exchange),
        "left_out": ledger.left_out,
        "proven": true,
    });
    out.answer(&answer, || {
        let head = format!("device {device}, epoch {}", args.epoch);
        let mut lines = lines(vertical, &own, &answer, head, ledger.decimals);
        let left_out = ledger.left_out.iter();
        lines
            .extend(left_out.map(|verifier| {
                format!("reports that only verifier {verifier} has are left out: nobody got its file")
            }));
        lines
    });
    Ok(())
}

/// What the ledger says of device and epoch.
struct Ledger {
    network: NetworkId,
    vertical: String,
    number: u32,
    operator: AccountNumber,
    decimals: u8,
    settlement: Settlement,
    roots: Roots,
    /// Verifiers whose reports the settled result leaves out.
    left_out: Vec<String>,
    /// If operators exchange among themselves in this epoch.
    exchange: Option<Settled>,
}

impl Ledger {
    async fn read(client: &NodeClient, id: &DeviceId, args: &Args) -> Result<Self, Failure> {
        let device = client.device(id).await.map_err(failed)?.value;
        let device = device.ok_or_else(|| {
            Failure::new(Kind::NotFound, format!("the ledger knows no device {id}"))
                .hint("`cairn device list` names the devices of a network")
        })?;
        let network = match (args.network, device.networks.as_slice()) {
            (Some(network), _) => network,
            (None, [number]) => {
                let index = client.record::<NetworkIndex>(number).await.map_err(failed)?.value;
                index
                    .ok_or_else(|| Failure::new(Kind::Unreachable, "the node's records contradict each other"))?
                    .id
            }
            (None, []) => return Err(Failure::new(Kind::NotFound, "the device is in no network")),
            (None, several) => {
                let failure = Failure::new(Kind::NotFound, format!("the device is in {} networks", several.len()));
                return Err(failure.hint("say which one with --network ID"));
            }
        };
        let record = client.network(&network).await.map_err(failed)?.value;
        let record = record.ok_or_else(|| Failure::new(Kind::NotFound, format!("there is no network {network}")))?;
        let settlement = client.settlement(&network, args.epoch).await.map_err(failed)?.value;
        let roots = client.roots(&network, args.epoch).await.map_err(failed)?.value;
        let (Some(settlement), Some(roots)) = (settlement, roots) else {
            let failure = Failure::new(Kind::NotFound, format!("epoch {} is not settled", args.epoch));
            let case = client.dispute(&network, args.epoch).await.map_err(failed)?.value;
            return Err(failure.hint(match case {
                Some(_) => "verifiers did not settle it in time, and the validators decide: `cairn dispute show` says how they vote".to_owned(),
                None => format!("the oldest epoch not settled yet is {}", record.unsettled),
            }));
        };
        let left_out = client.left_out(&network, args.epoch).await.map_err(failed)?;
        Ok(Self {
            left_out: left_out.iter().map(ToString::to_string).collect(),
            exchange: Settled::read(client, &network, args.epoch, &settlement).await?,
            network,
            vertical: record.vertical,
            number: device.number.0,
            operator: device.owner_number,
            decimals: client.genesis().await.map_err(failed)?.economics.decimals,
            settlement,
            roots,
        })
    }

    /// What is shown must be what was attested.
    fn check(&self, inputs: &Inputs, findings: &[Finding], leaves: &[PayoutLeaf]) -> Done {
        let payouts = merkle::root(leaves.iter().map(PayoutLeaf::hash).collect());
        let judged = (inputs.hash(), finding::root(findings));
        if judged != (self.roots.inputs, self.roots.findings) || payouts != self.settlement.payouts {
            let failure = Failure::new(Kind::Differs, "the archive's findings are not those that were attested");
            return Err(failure.hint("ask another verifier, and run `cairn audit` on this one's archive"));
        }
        Ok(())
    }
}

fn report(vertical: &dyn Vertical, found: &Finding) -> Value {
    json!({
        "report": found.report.to_string(),
        "verdict": if found.reason.is_none() { "accepted" } else { "refused" },
        "reason": found.reason.map(|reason| name(vertical, reason)),
        "micro_units": found.units,
        "spans": found.spans.iter().map(|span| json!({
            "start": span.start.to_string(),
            "end": span.end.to_string(),
            "quantity": quantity(vertical, span.quantity),
            "verdict": if span.reason.is_none() { "accepted" } else { "refused" },
            "reason": span.reason.map(|reason| name(vertical, reason)),
            "measured": span.measured,
            "limit": span.limit,
            "unit": span.reason.and_then(|reason| reasons::text(vertical, reason)).map(|text| text.unit),
        })).collect::<Vec<_>>(),
    })
}

/// The operator's payout, how much of its units this device earned, and what of the money was exchanged with other operators.
fn money(ledger: &Ledger, leaf: Option<&PayoutLeaf>, units: u64, exchange: Value) -> Value {
    let Some(leaf) = leaf else { return Value::Null };
    json!({
        "number": leaf.operator.0,
        "micro_units": leaf.units,
        "micro_units_of_device": units,
        "availability_token": leaf.availability.0,
        "usage_token": leaf.usage.0,
        "cash_micro_usd": leaf.cash.0,
        "customers_paid_credits": leaf.customers_paid.0,
        "exchange": exchange,
        "paid": ledger.settlement.cursor == ledger.settlement.leaves,
    })
}

fn name(vertical: &dyn Vertical, reason: Reason) -> &'static str {
    reasons::text(vertical, reason).map_or("unknown", |text| text.name)
}

fn quantity(vertical: &dyn Vertical, number: u16) -> &'static str {
    if number == STANDING {
        return "standing";
    }
    vertical
        .quantities()
        .iter()
        .find(|text| text.quantity == number)
        .map_or("unknown", |text| text.name)
}

/// How the device stands: what of its units is paid, and until when it is excluded, and why.
fn reputation_lines(reputation: &Value) -> Vec<String> {
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let excluded = &reputation["excluded"];
    if excluded.is_null() {
        let (paid, of) = (number(&reputation["paid"]), number(&reputation["of"]));
        let part = if paid == of {
            "in full".to_owned()
        } else {
            format!("{paid} of {of}")
        };
        return vec![format!(
            "reputation {} of {of}: units are paid {part}",
            reputation["score"]
        )];
    }
    let mut lines = vec![format!(
        "excluded from epoch {} until epoch {} ({}): its reputation was {}, the limit is {} {}",
        excluded["from_epoch"],
        excluded["until_epoch"],
        excluded["until"].as_str().unwrap_or_default(),
        excluded["measured"],
        excluded["limit"],
        excluded["unit"].as_str().unwrap_or_default(),
    )];
    let evidence = excluded["evidence"].as_array().map_or(&[][..], Vec::as_slice);
    let marks: Vec<String> = evidence
        .iter()
        .map(|mark| format!("{} {}", mark["epoch"], mark["reason"].as_str().unwrap_or("unknown")))
        .collect();
    lines.push(format!("  evidence, the findings of epochs {}", marks.join(", ")));
    lines.push("  its reports are still judged: what is believed counts for its return".to_owned());
    lines
}

fn lines(vertical: &dyn Vertical, own: &[&Finding], answer: &Value, head: String, decimals: u8) -> Vec<String> {
    let operator = &answer["operator"];
    let mut lines = vec![head];
    lines.extend(reputation_lines(&answer["reputation"]));
    if own.is_empty() {
        lines.push("no report of this device was received in this epoch".to_owned());
    }
    for found in own {
        let verdict = match found.reason {
            None => format!("accepted, {} units ({})", decimal(found.units, 6), vertical.unit()),
            Some(reason) => format!(
                "refused: {}",
                reasons::text(vertical, reason).map_or("unknown", |text| text.sentence)
            ),
        };
        lines.push(format!("\nreport {}  {verdict}", found.report));
        let text = found.reason.and_then(|reason| reasons::text(vertical, reason));
        lines.extend(
            text.filter(|text| !text.mend.is_empty())
                .map(|text| format!("  what to do: {}", text.mend)),
        );
        let rows: Vec<Vec<String>> = found.spans.iter().map(|span| row(vertical, span)).collect();
        lines.extend(table(
            &["from", "to", "quantity", "verdict", "measured", "limit", "unit"],
            &rows,
        ));
    }
    lines.push(String::new());
    match operator.as_object() {
        None => lines.push("its operator earned nothing in this epoch".to_owned()),
        Some(leaf) => {
            let amount = |field: &str| leaf[field].as_u64().unwrap_or_default();
            lines.push(format!(
                "operator {}: {} token for being there, {} token and {} US dollars of stablecoin for what customers used{}",
                leaf["number"],
                decimal(amount("availability_token"), decimals),
                decimal(amount("usage_token"), decimals),
                decimal(amount("cash_micro_usd"), 6),
                if leaf["paid"] == true { ", paid" } else { ", being paid" },
            ));
            let (units, all) = (amount("micro_units_of_device"), amount("micro_units"));
            lines.push(format!(
                "  this device earned {} of its {} units",
                decimal(units, 6),
                decimal(all, 6)
            ));
            lines.extend(exchange_line(&leaf["exchange"], decimals));
        }
    }
    lines
}

/// What was exchanged, in words; nothing when nobody exchanged in this epoch.
fn exchange_line(exchange: &Value, decimals: u8) -> Option<String> {
    let amount = |field: &str| exchange.as_object()?.get(field)?.as_u64();
    let (token_given, token_received) = (amount("token_given")?, amount("token_received")?);
    let (cash_given, cash_received) = (amount("cash_given_micro_usd")?, amount("cash_received_micro_usd")?);
    let wants = amount("wants_stable_bps").and_then(|part| BasisPoints::new(u16::try_from(part).ok()?));
    let token = |amount| format!("{} token", decimal(amount, decimals));
    let dollars = |amount| format!("{} US dollars of stablecoin", decimal(amount, 6));
    let done = match (token_given, cash_given) {
        (0, 0) => "nothing of it was exchanged".to_owned(),
        (0, given) => format!("of it {} were exchanged for {}", dollars(given), token(token_received)),
        (given, _) => format!("of it {} were exchanged for {}", token(given), dollars(cash_received)),
    };
    Some(format!(
        "  {done} with other operators; it had chosen to be paid {}",
        payout::words(wants)
    ))
}

fn row(vertical: &dyn Vertical, span: &Span) -> Vec<String> {
    let (verdict, measured, limit, unit) = match span.reason {
        None => ("accepted".to_owned(), String::new(), String::new(), ""),
        Some(reason) => {
            let unit = reasons::text(vertical, reason).map_or("", |text| text.unit);
            (
                name(vertical, reason).to_owned(),
                span.measured.to_string(),
                span.limit.to_string(),
                unit,
            )
        }
    };
    let name = quantity(vertical, span.quantity).to_owned();
    vec![
        span.start.to_string(),
        span.end.to_string(),
        name,
        verdict,
        measured,
        limit,
        unit.to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchanged::tests::settled;

    #[test]
    fn what_was_exchanged_is_said_in_words() {
        let (settled, leaves, choices) = settled();
        let steps = settled.steps(&leaves, &choices).unwrap();
        let said = |place: usize| exchange_line(&exchanged::face(choices[place], &steps[place]), 6).unwrap();
        assert_eq!(
            said(0).trim(),
            "of it 0.0002 token were exchanged for 0.0001 US dollars of stablecoin with other operators; it had chosen to be paid all in US dollars of stablecoin"
        );
        assert_eq!(
            said(1).trim(),
            "nothing of it was exchanged with other operators; it had chosen to be paid as earned"
        );
        assert_eq!(
            said(2).trim(),
            "of it 0.0001 US dollars of stablecoin were exchanged for 0.0002 token with other operators; it had chosen to be paid all in token"
        );
        assert_eq!(exchange_line(&Value::Null, 6), None);
    }
}
