//! What goes out: health, where the networks stand, numbers, findings and the archive's files. Only reads.

use super::{Refused, Shared};
use crate::archive::{self, ArchiveError, EpochArchive, Inputs, REPORTS, reports};
use crate::assess;
use crate::differences::Differs;
use crate::exchange;
use crate::limits::ARCHIVE_FILE_BYTES_MAX;
use crate::peers::{self, Wanted, What};
use crate::standing::standing;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cairn_ledger::economics::netting::Exchange;
use cairn_types::{
    DeviceId, DeviceNumber, Envelope, EpochNumber, Finding, NetworkId, PayoutLeaf, Reason, ReportId, Span,
};
use cairn_verticals::Vertical;
use cairn_verticals::by_name;
use cairn_verticals::kit::reasons::{self, NOT_A_MEMBER, STANDING};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

pub async fn health() -> &'static str {
    "ok"
}

pub async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let form = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, form)], shared.metrics.text()).into_response()
}

pub async fn status(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let standing = shared.standing.lock().expect("no holder of the lock panics").clone();
    let networks: Vec<Value> = standing
        .iter()
        .map(|one| json!({ "network": one.network.to_string(), "epoch": one.epoch.0, "stage": one.stage }))
        .collect();
    Json(json!({
        "chain": shared.chain.as_str(),
        "verifier": shared.verifier.to_string(),
        "time": shared.clock.now().to_string(),
        "networks": networks,
    }))
}

/// `GET /v1/archive/{network}/{epoch}/{file}`, from a byte on when the request's range says so.
pub async fn archive_file(
    State(shared): State<Arc<Shared>>,
    Path((network, epoch, file)): Path<(String, u64, String)>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let network = served(&shared, &network)?;
    let what = match archive::sealed_hash(&file) {
        Some(hash) => What::Hashed { name: file, hash },
        None => {
            let mut names = archive::FILES.into_iter().chain([archive::MANIFEST]);
            let name = names.find(|name| *name == file);
            What::Named(name.ok_or_else(|| nothing("no such file in an archive"))?)
        }
    };
    let form = match &what {
        What::Named(name) if *name != archive::REPORTS => "application/cbor",
        _ => "application/vnd.apache.parquet",
    };
    let bytes = answered(&shared, network, epoch, what).await?;
    let mut bytes = bytes::Bytes::from(bytes.ok_or_else(|| nothing("this epoch is not archived here"))?);
    let all = bytes.len();
    match headers.get(header::RANGE).map(range_start) {
        Some(Some(start)) if start < all => {
            let range = format!("bytes {start}-{}/{all}", all - 1);
            let headers = [(header::CONTENT_TYPE, form.to_owned()), (header::CONTENT_RANGE, range)];
            Ok((StatusCode::PARTIAL_CONTENT, headers, bytes.split_off(start)).into_response())
        }
        Some(Some(_)) => {
            let range = [(header::CONTENT_RANGE, format!("bytes */{all}"))];
            Ok((StatusCode::RANGE_NOT_SATISFIABLE, range).into_response())
        }
        // A range of another form is passed over, as RFC 9110 allows.
        Some(None) | None => Ok(([(header::CONTENT_TYPE, form)], bytes).into_response()),
    }
}

/// The start of `bytes=START-`.
fn range_start(value: &HeaderValue) -> Option<usize> {
    value
        .to_str()
        .ok()?
        .strip_prefix("bytes=")?
        .strip_suffix('-')?
        .parse()
        .ok()
}

/// `GET /v1/attestations/{network}/{epoch}`: our word on an epoch and those we heard.
pub async fn attestations(
    State(shared): State<Arc<Shared>>,
    Path((network, epoch)): Path<(String, u64)>,
) -> Result<Response, Refused> {
    let network = served(&shared, &network)?;
    let words = answered(&shared, network, epoch, What::Words).await?;
    Ok(([(header::CONTENT_TYPE, "application/cbor")], words.unwrap_or_default()).into_response())
}

/// `GET /v1/withheld/{network}/{epoch}`: whose files this verifier cannot get, if it says so.
pub async fn withheld(
    State(shared): State<Arc<Shared>>,
    Path((network, epoch)): Path<(String, u64)>,
) -> Result<Response, Refused> {
    let network = served(&shared, &network)?;
    let said = answered(&shared, network, epoch, What::Withheld).await?;
    let said = said.ok_or_else(|| nothing("nothing is withheld from this verifier"))?;
    Ok(([(header::CONTENT_TYPE, "application/cbor")], said).into_response())
}

async fn answered(
    shared: &Arc<Shared>,
    network: NetworkId,
    epoch: u64,
    what: What,
) -> Result<Option<Vec<u8>>, Refused> {
    let wanted = Wanted {
        network,
        epoch: EpochNumber(epoch),
        what,
        bytes_max: ARCHIVE_FILE_BYTES_MAX,
    };
    read(shared, move |shared| peers::answer(shared.objects.as_ref(), &wanted)).await
}

/// `GET /v1/differences/{network}/{epoch}`: which verifiers say something else than this one, and where.
pub async fn differences(
    State(shared): State<Arc<Shared>>,
    Path((network, epoch)): Path<(String, u64)>,
) -> Result<Json<Value>, Refused> {
    let network = served(&shared, &network)?;
    let found = read(&shared, move |shared| {
        let archive = EpochArchive::of(shared.objects.as_ref(), &network, EpochNumber(epoch));
        let bytes = archive.get(archive::DIFFERENCES)?;
        bytes
            .map(|bytes| archive.read::<Vec<Differs>>(archive::DIFFERENCES, &bytes))
            .transpose()
    });
    let found = found.await?.unwrap_or_default();
    let one = |differs: &Differs| {
        json!({
            "verifier": differs.verifier.to_string(),
            "our_result": differs.ours.to_string(),
            "their_result": differs.theirs.to_string(),
            "fields": differs.fields,
            "first_finding": differs.first.as_ref().map(|first| json!({
                "row": first.row,
                "report": first.report,
                "field": first.field,
                "ours": first.ours,
                "theirs": first.theirs,
            })),
        })
    };
    Ok(Json(json!({
        "verifier": shared.verifier.to_string(),
        "network": network.to_string(),
        "epoch": epoch,
        "differences": found.iter().map(one).collect::<Vec<_>>(),
    })))
}

/// Which epoch of which network.
#[derive(Deserialize)]
pub struct Which {
    network: String,
    epoch: u64,
}

/// `GET /v1/findings/{device}?network=&epoch=`.
pub async fn findings(
    State(shared): State<Arc<Shared>>,
    Path(device): Path<String>,
    Query(which): Query<Which>,
) -> Result<Json<Value>, Refused> {
    let device: DeviceId = device
        .parse()
        .map_err(|_| malformed("a device id is 64 hexadecimal digits"))?;
    let network = served(&shared, &which.network)?;
    let epoch = EpochNumber(which.epoch);
    let found = read(&shared, move |shared| {
        explain(&EpochArchive::of(shared.objects.as_ref(), &network, epoch), device)
    });
    found
        .await?
        .map(Json)
        .ok_or_else(|| nothing("no such device in this epoch, or the epoch is not archived here"))
}

pub(super) fn explain(epoch: &EpochArchive<'_>, device: DeviceId) -> Result<Option<Value>, ArchiveError> {
    if epoch.manifest()?.is_none() {
        return Ok(None);
    }
    let inputs = epoch.inputs()?;
    let findings = epoch.findings()?;
    let member = inputs.roster.iter().find(|member| member.device() == device);
    let (number, operator) = match member {
        Some(member) => (member.number, Some(member.operator)),
        None => match number_of_left(epoch, &findings, &device)? {
            Some(number) => (number, None),
            None => return Ok(None),
        },
    };
    let vertical = by_name(&inputs.vertical);
    let reputation = vertical.and_then(|vertical| standing(vertical, &assess::epoch(&inputs, &[]), number).ok());
    let of_device = findings.iter().filter(|finding| finding.device == number);
    let payouts = epoch.payouts()?;
    let place = payouts.iter().position(|leaf| Some(leaf.operator) == operator);
    let payout = match place {
        Some(place) => payout_json(&payouts[place], exchanged(epoch, &inputs, &payouts, place)?.as_ref()),
        None => Value::Null,
    };
    let siblings = inputs
        .roster
        .iter()
        .filter(|other| Some(other.operator) == operator)
        .count();
    Ok(Some(json!({
        "device": device.to_string(),
        "number": number.0,
        "operator": operator.map(|operator| operator.0),
        "operator_devices": siblings,
        "network": inputs.network.to_string(),
        "epoch": inputs.epoch.0,
        "start": inputs.start.to_string(),
        "end": inputs.end.to_string(),
        "reputation": reputation,
        "findings": of_device.map(|finding| finding_json(finding, vertical)).collect::<Vec<_>>(),
        "payout": payout,
    })))
}

/// The number of a device that left the network after a report of it was taken.
fn number_of_left(
    epoch: &EpochArchive<'_>,
    findings: &[Finding],
    device: &DeviceId,
) -> Result<Option<DeviceNumber>, ArchiveError> {
    let is_of_left = |finding: &&Finding| finding.reason == Some(NOT_A_MEMBER);
    let left: BTreeSet<ReportId> = findings
        .iter()
        .filter(is_of_left)
        .map(|finding| finding.report)
        .collect();
    if left.is_empty() {
        return Ok(None);
    }
    let rows = reports::read(epoch.need(REPORTS)?).map_err(|what| epoch.wrong(REPORTS, what))?;
    let mut rows = rows.iter().filter(|row| left.contains(&row.id));
    let of_device = rows.find(|row| Envelope::parse(&row.envelope).is_ok_and(|envelope| envelope.device == *device));
    Ok(of_device.map(|row| row.device))
}

fn finding_json(finding: &Finding, vertical: Option<&dyn Vertical>) -> Value {
    json!({
        "report": finding.report.to_string(),
        "units": finding.units,
        "reason": finding.reason.map(|reason| reason_json(reason, vertical)),
        "spans": finding.spans.iter().map(|span| span_json(span, vertical)).collect::<Vec<_>>(),
    })
}

fn span_json(span: &Span, vertical: Option<&dyn Vertical>) -> Value {
    let quantity = match span.quantity {
        STANDING => "standing".to_owned(),
        number => {
            let mut quantities = vertical.into_iter().flat_map(Vertical::quantities);
            let text = quantities.find(|text| text.quantity == number);
            text.map_or_else(|| number.to_string(), |text| text.name.to_owned())
        }
    };
    json!({
        "start": span.start.to_string(),
        "end": span.end.to_string(),
        "quantity": quantity,
        "reason": span.reason.map(|reason| reason_json(reason, vertical)),
        "measured": span.measured,
        "limit": span.limit,
    })
}

fn reason_json(reason: Reason, vertical: Option<&dyn Vertical>) -> Value {
    let text = vertical.and_then(|vertical| reasons::text(vertical, reason));
    json!({
        "code": reason.0,
        "name": text.map(|text| text.name),
        "sentence": text.map(|text| text.sentence),
        "mend": text.map(|text| text.mend),
        "unit": text.map(|text| text.unit),
    })
}

/// What the leaf at a place exchanges; `None` when everybody is paid as earned.
fn exchanged(
    epoch: &EpochArchive<'_>,
    inputs: &Inputs,
    payouts: &[PayoutLeaf],
    place: usize,
) -> Result<Option<Exchange>, ArchiveError> {
    if epoch.manifest()?.is_none_or(|manifest| manifest.exchange.is_none()) {
        return Ok(None);
    }
    let choices = epoch.choices()?;
    let price = inputs.pool.exchange_price;
    let scale = inputs.economics.scale();
    let steps = scale.and_then(|scale| exchange::steps(scale, price, payouts, &choices));
    let steps = steps.map_err(|error| epoch.wrong(archive::CHOICES, error))?;
    Ok(steps.get(place).copied())
}

/// What an operator earned, and what of it was exchanged with others.
fn payout_json(leaf: &PayoutLeaf, exchange: Option<&Exchange>) -> Value {
    json!({
        "units": leaf.units,
        "availability": leaf.availability.0,
        "usage": leaf.usage.0,
        "cash_micro_usd": leaf.cash.0,
        "customers_paid": leaf.customers_paid.0,
        "exchange": exchange.map(|exchange| json!({
            "token_given": exchange.tokens_given.0,
            "token_received": exchange.tokens_received.0,
            "cash_given_micro_usd": exchange.cash_given.0,
            "cash_received_micro_usd": exchange.cash_received.0,
        })),
    })
}

pub(super) fn served(shared: &Shared, network: &str) -> Result<NetworkId, Refused> {
    let network: NetworkId = network
        .parse()
        .map_err(|_| malformed("a network id is 64 hexadecimal digits"))?;
    if shared.networks.contains(&network) {
        Ok(network)
    } else {
        Err(nothing("this verifier does not serve the network"))
    }
}

/// Runs a read of the archive on a thread that may block; few at a time.
pub(super) async fn read<T: Send + 'static>(
    shared: &Arc<Shared>,
    read: impl FnOnce(&Shared) -> Result<T, ArchiveError> + Send + 'static,
) -> Result<T, Refused> {
    let _place = shared.readers.acquire().await.expect("the semaphore is never closed");
    let owned = shared.clone();
    let done = tokio::task::spawn_blocking(move || read(&owned)).await;
    let failed = |text: String| Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "ArchiveFailed", text);
    done.map_err(|error| failed(error.to_string()))?
        .map_err(|error| failed(error.to_string()))
}

pub(super) fn nothing(text: &str) -> Refused {
    Refused::new(StatusCode::NOT_FOUND, "NotFound", text)
}

fn malformed(text: &str) -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, "Malformed", text)
}
