//! What a caller is told when something is refused: a code for the machine, a sentence for the person, a hint for the hand.

use crate::db::DbError;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cairn_client::ClientError;
use serde_json::{Value, json};

/// A refusal of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub status: StatusCode,
    pub code: String,
    /// The ledger's number of a refusal.
    pub number: Option<u16>,
    pub message: String,
    pub hint: String,
    /// Seconds after which to come back.
    pub later: Option<u32>,
}

impl ApiError {
    pub fn new(status: StatusCode, code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let later = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status);
        Self {
            status,
            code: code.to_owned(),
            number: None,
            message: message.into(),
            hint: hint.into(),
            later: later.then_some(1),
        }
    }

    pub fn bad(code: &str, message: impl Into<String>, hint: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message, hint)
    }

    pub fn not_found(what: &str) -> Self {
        let hint = "check the id; GET /v1/search?q= finds what is known, and GET /v1/chain says how far the index is";
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("there is no such {what}"),
            hint,
        )
    }

    pub fn unavailable(message: impl Into<String>) -> Self {
        let hint = "try again; if that repeats, read the explorer's log";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message, hint)
    }

    pub fn face(&self) -> Value {
        let mut face = json!({ "code": self.code, "message": self.message, "hint": self.hint });
        if let Some(number) = self.number {
            face["number"] = number.into();
        }
        face
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.face())).into_response();
        if let Some(later) = self.later {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(later));
        }
        response
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        if error == DbError::TooLong {
            let message = "the answer was not found in time";
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, "too_slow", message, error.hint());
        }
        tracing::error!(%error, "a question to the index failed");
        // The database's own words may name files and hosts.
        Self::unavailable("the index cannot be read now")
    }
}

impl From<ClientError> for ApiError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Refused {
                status,
                code,
                number,
                message,
                hint,
            } => Self {
                number,
                ..Self::new(
                    StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY),
                    &code,
                    message,
                    hint,
                )
            },
            other => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                other.code(),
                other.to_string(),
                other.hint().to_owned(),
            ),
        }
    }
}
