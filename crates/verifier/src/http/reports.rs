//! What comes in: envelopes and meter records. Bodies are bounded before they are read; a request is handed over whole or not at all.

use super::guard::Peer;
use super::{Refused, Shared};
use crate::limits::RECORD_BYTES_MAX;
use crate::mailbox::Envelopes;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cairn_types::intake::{self, ENVELOPES_MAX, IntakeAnswer, IntakeRefusal, MEDIA_TYPE, SequenceError};
use cairn_types::{Receipt, codec};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

/// `POST /v1/reports`: one envelope or a sequence of them.
pub async fn post_reports(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let body = bounded(body, intake::REQUEST_BYTES_MAX).await?;
    let places = split(&body)?;
    within_rate(&shared, peer.address, places.len())?;
    let answers = shared
        .mailbox
        .take(Envelopes { body, places })
        .await
        .map_err(|_| busy(&shared))?;
    let unavailable = IntakeRefusal::Unavailable.code();
    let is_unavailable =
        |answer: &IntakeAnswer| matches!(answer, IntakeAnswer::Refused { code, .. } if *code == unavailable);
    if let Some(IntakeAnswer::Refused { text, .. }) = answers.iter().find(|answer| is_unavailable(answer)) {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return Err(Refused::later(
            status,
            "Unavailable",
            text.clone(),
            shared.retry_seconds,
        ));
    }
    let wants_json = headers
        .get(header::ACCEPT)
        .is_some_and(|accept| accept.as_bytes().starts_with(b"application/json"));
    Ok(if wants_json {
        axum::Json(answers.iter().map(as_json).collect::<Vec<_>>()).into_response()
    } else {
        let sequence = IntakeAnswer::encode_sequence(&answers);
        ([(header::CONTENT_TYPE, MEDIA_TYPE)], sequence).into_response()
    })
}

/// `POST /v1/meters`: what a provider served, signed by its account.
pub async fn post_meters(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    body: Body,
) -> Result<StatusCode, Refused> {
    let body = bounded(body, RECORD_BYTES_MAX).await?;
    within_rate(&shared, peer.address, 1)?;
    match shared.mailbox.take_meters(body).await.map_err(|_| busy(&shared))? {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(error) if error.is_temporary() => {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            Err(Refused::later(
                status,
                "Unavailable",
                error.to_string(),
                shared.retry_seconds,
            ))
        }
        Err(error) => Err(Refused::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "MetersRefused",
            error.to_string(),
        )),
    }
}

async fn bounded(body: Body, bytes_max: usize) -> Result<Bytes, Refused> {
    to_bytes(body, bytes_max).await.map_err(|error| {
        let too_long =
            std::error::Error::source(&error).is_some_and(|cause| cause.to_string().contains("length limit"));
        if too_long {
            let text = format!("a request has at most {bytes_max} bytes");
            Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "TooLong", text)
        } else {
            Refused::new(StatusCode::BAD_REQUEST, "BodyBroken", "the body ended before its end")
        }
    })
}

/// Where the envelopes of a sequence are: one behind the other.
fn split(body: &Bytes) -> Result<Vec<Range<usize>>, Refused> {
    let envelopes = match intake::split_sequence(body, ENVELOPES_MAX) {
        Ok(envelopes) => envelopes,
        Err(error @ SequenceError::TooMany(_)) => {
            return Err(Refused::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "TooMany",
                error.to_string(),
            ));
        }
        Err(error) => return Err(Refused::new(StatusCode::BAD_REQUEST, "NotASequence", error.to_string())),
    };
    if envelopes.is_empty() {
        return Err(Refused::new(
            StatusCode::BAD_REQUEST,
            "Empty",
            "a request has at least one envelope",
        ));
    }
    let mut from = 0;
    let place = |envelope: &&[u8]| {
        let place = from..from + envelope.len();
        from = place.end;
        place
    };
    Ok(envelopes.iter().map(place).collect())
}

fn within_rate(shared: &Shared, address: IpAddr, envelopes: usize) -> Result<(), Refused> {
    let taken = shared
        .rate
        .lock()
        .expect("no holder of the lock panics")
        .take(address, envelopes, Instant::now());
    taken.map_err(|seconds| {
        shared.metrics.busy();
        Refused::later(
            StatusCode::TOO_MANY_REQUESTS,
            "TooFast",
            "this address sends faster than its limit",
            seconds,
        )
    })
}

fn busy(shared: &Shared) -> Refused {
    shared.metrics.busy();
    let text = "the queue in front of the log is full; nothing was taken";
    Refused::later(StatusCode::TOO_MANY_REQUESTS, "Full", text, shared.retry_seconds)
}

fn as_json(answer: &IntakeAnswer) -> Value {
    match answer {
        IntakeAnswer::Receipt(receipt) => json!({
            "report": receipt.report.to_string(),
            "network": receipt.network.to_string(),
            "epoch": receipt.epoch.0,
            "verifier": receipt.group.verifier.to_string(),
            "received": receipt.group.received.to_string(),
            "receipt": hex(receipt),
        }),
        IntakeAnswer::Refused { code, text } => json!({
            "code": code,
            "reason": IntakeRefusal::of(*code).map(IntakeRefusal::name),
            "text": text,
        }),
    }
}

fn hex(receipt: &Receipt) -> String {
    codec::encode(receipt)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
