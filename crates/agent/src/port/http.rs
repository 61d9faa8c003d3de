//! HTTP: `POST /v1/devices/{name}/readings` takes what a device says, `GET /v1/status` says how the agent stands, `GET
//! /v1/forwarders` how packet forwarders, the lines to who pays and beacons do. An answer with 200 means that the message is on disk.
//!
//! Every refusal is JSON: a code for the machine, a sentence for the person.

use super::datagram::Forwarders;
use super::guard::Guard;
use crate::agent::TakeError;
use crate::beacon::beaconer::Board;
use crate::carry::carrier::Lines;
use crate::device::MESSAGE_BYTES_MAX;
use crate::shell::mailbox::Mailbox;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::json;
use std::future::Future;
use std::io;
use std::time::Duration;

/// Connections at once.
pub const CONNECTIONS_MAX: usize = 1_024;
/// How long a request may take to arrive.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// What the sender of a message is told to wait, in seconds, when there is no room.
const RETRY_AFTER_S: &str = "5";

/// How radios stand: their forwarders, the lines to who pays for packets, their beacons.
#[derive(Clone)]
pub struct Radios {
    pub forwarders: Forwarders,
    pub lines: Lines,
    pub beacons: Board,
}

/// Serves until `stop` is done and the requests under way are answered.
pub async fn serve(
    guard: Guard,
    mailbox: Mailbox,
    radios: Option<Radios>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(guard, routes(mailbox, radios))
        .with_graceful_shutdown(stop)
        .await
}

/// Every route, for whoever has requests and needs no socket.
pub fn routes(mailbox: Mailbox, radios: Option<Radios>) -> Router {
    Router::new()
        .route("/v1/devices/{name}/readings", post(take))
        .route("/v1/status", get(status))
        .route("/v1/forwarders", get(move || stand(radios.clone())))
        .fallback(|| async {
            refused(
                StatusCode::NOT_FOUND,
                "not_found",
                "there is no such path; see `cairn help agent run`",
            )
        })
        .method_not_allowed_fallback(|| async {
            let says = "readings are posted, the status is got";
            refused(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", says)
        })
        .layer(DefaultBodyLimit::max(MESSAGE_BYTES_MAX))
        .with_state(mailbox)
}

async fn take(
    State(mailbox): State<Mailbox>,
    name: Result<Path<String>, PathRejection>,
    message: Result<Bytes, BytesRejection>,
) -> Response {
    let Ok(Path(name)) = name else {
        return refusal(&TakeError::UnknownDevice);
    };
    let message = match message {
        Ok(message) => message,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => return refusal(&TakeError::TooLong),
        Err(rejection) => return refused(rejection.status(), "not_read", &rejection.body_text()),
    };
    match mailbox.take_now(&name, message).await {
        Ok(readings) => Json(json!({ "readings": readings })).into_response(),
        Err(error) => refusal(&error),
    }
}

async fn status(State(mailbox): State<Mailbox>) -> Response {
    match mailbox.status().await {
        Some(status) => Json(status).into_response(),
        None => refusal(&TakeError::Busy),
    }
}

/// The forwarders, or none where the port is closed.
async fn stand(radios: Option<Radios>) -> Response {
    let Some(radios) = radios else {
        return Json(json!({ "forwarders": [], "lines": [], "beacons": [] })).into_response();
    };
    let (lines, beacons) = (radios.lines.status(), radios.beacons.status());
    match radios.forwarders.status().await {
        Some(stand) => Json(json!({ "forwarders": stand, "lines": lines, "beacons": beacons })).into_response(),
        None => refusal(&TakeError::Busy),
    }
}

fn refusal(error: &TakeError) -> Response {
    let (status, code) = match error {
        TakeError::UnknownDevice => (StatusCode::NOT_FOUND, "unknown_device"),
        TakeError::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "too_long"),
        TakeError::NotUnderstood(_) => (StatusCode::UNPROCESSABLE_ENTITY, "not_understood"),
        TakeError::OutboxFull => (StatusCode::SERVICE_UNAVAILABLE, "outbox_full"),
        TakeError::Busy => (StatusCode::TOO_MANY_REQUESTS, "busy"),
        TakeError::Disk => (StatusCode::INSUFFICIENT_STORAGE, "disk"),
    };
    let mut response = refused(status, code, &error.to_string());
    if error.is_temporary() {
        let seconds = header::HeaderValue::from_static(RETRY_AFTER_S);
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

fn refused(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({ "code": code, "message": message }))).into_response()
}
