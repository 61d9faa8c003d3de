//! What a caller is told when something is refused: a code for the machine, a sentence for the person, a hint for the hand.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::borrow::Cow;

/// Seconds after which a caller who met a full node should come back.
const RETRY_AFTER_S: u32 = 1;

/// A refusal of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub status: StatusCode,
    pub code: Cow<'static, str>,
    /// The ledger's number of a refusal.
    pub number: Option<u32>,
    pub message: String,
    pub hint: &'static str,
}

/// The body of every answer that is not a success.
#[derive(Serialize)]
struct Body<'a> {
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u32>,
    message: &'a str,
    hint: &'a str,
}

impl ApiError {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>, hint: &'static str) -> Self {
        Self {
            status,
            code: Cow::Borrowed(code),
            number: None,
            message: message.into(),
            hint,
        }
    }

    pub fn bad_request(code: &'static str, message: impl Into<String>, hint: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message, hint)
    }

    pub fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("there is no such {what}"),
            "check the id, and that this node follows the chain you mean (GET /v1/status)",
        )
    }

    /// Come back later.
    pub fn busy(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            code,
            message,
            "wait as long as Retry-After says, then send the same again",
        )
    }

    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            message,
            "the node is starting or stopping; try again, or read its log",
        )
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Body {
            code: &self.code,
            number: self.number,
            message: &self.message,
            hint: self.hint,
        };
        let mut response = (self.status, Json(body)).into_response();
        let later = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
        if later.contains(&self.status) {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        response
    }
}
