//! The newest final state, part by part, as a file that proves itself is made of it: see `cairn_engine::state::Download`. Only for callers
//! on this computer: all of it together is a lot to read, and nobody else needs it from here.

use super::ask::{Id, Named};
use super::chain::place;
use super::listener::Caller;
use super::{Answer, ApiError, Desk};
use crate::faces::{hex, object, with};
use axum::Json;
use axum::extract::{FromRequestParts, State as Shared};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use cairn_engine::state::{PART_OPERATIONS, StateHead};
use cairn_types::codec;
use std::sync::Arc;

/// What is asked, by a caller on this computer.
pub struct Here<T>(T);

impl<S: Send + Sync, T: FromRequestParts<S, Rejection = ApiError>> FromRequestParts<S> for Here<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let is_here = parts
            .extensions
            .get::<Caller>()
            .is_some_and(|Caller(ip)| ip.to_canonical().is_loopback());
        if !is_here {
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "not_here",
                "the state is given out to callers on the node's own computer only",
                "run `cairn state export --node URL` there, and copy the file",
            ));
        }
        T::from_request_parts(parts, state).await.map(Self)
    }
}

/// Nothing is asked.
pub struct Plain;

impl<S: Sync> FromRequestParts<S> for Plain {
    type Rejection = ApiError;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self)
    }
}

/// Which state it is, why it is final, and how many parts it has.
pub async fn head(Shared(desk): Shared<Arc<Desk>>, Here(Plain): Here<Plain>) -> Answer {
    let service = &desk.service;
    let (header, finality) = service.chain.state_target().await?;
    let hand_overs = service
        .eras
        .as_ref()
        .map_or_else(Vec::new, |eras| eras.hand_overs.clone());
    let head = StateHead::new(service.chain.anchor().chain.clone(), finality, hand_overs);
    let operations = header.ops_end.saturating_sub(header.ops_start);
    let found = with(
        object(place(&header)),
        [
            ("state_root", hex(header.state_root)),
            ("operations", operations.into()),
            ("parts", operations.div_ceil(PART_OPERATIONS.get()).into()),
            ("head", hex(codec::encode(&head))),
        ],
    );
    Ok(Json(found).into_response())
}

/// A part of the log that made the state after a block, with its proof.
pub async fn part(
    Shared(desk): Shared<Arc<Desk>>,
    Here(Named((Id(height), Id(part)))): Here<Named<(Id<u64>, Id<u64>)>>,
) -> Answer {
    let part = desk.service.chain.state_part(height, part).await?;
    Ok(([(header::CONTENT_TYPE, "application/cbor")], codec::encode(&part)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    async fn status(caller: Option<&str>) -> Option<StatusCode> {
        let (mut parts, ()) = Request::builder().body(()).unwrap().into_parts();
        if let Some(caller) = caller {
            parts.extensions.insert(Caller(caller.parse().unwrap()));
        }
        let asked = Here::<Plain>::from_request_parts(&mut parts, &()).await;
        asked.err().map(|error| error.status)
    }

    #[tokio::test]
    async fn only_callers_on_this_computer_get_the_state() {
        for here in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(status(Some(here)).await, None, "{here}");
        }
        for elsewhere in ["203.0.113.7", "10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1", "0.0.0.0"] {
            assert_eq!(
                status(Some(elsewhere)).await,
                Some(StatusCode::FORBIDDEN),
                "{elsewhere}"
            );
        }
        assert_eq!(status(None).await, Some(StatusCode::FORBIDDEN));
    }
}
