//! What is asked, taken out of a request and read to the end before anything is answered. What cannot be read is refused in the API's
//! own form. Nothing here knows the chain, so that requests can be read where there is none.

use super::ApiError;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use std::str::FromStr;

/// The parameters behind the question mark.
pub struct Asked<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Query(asked) = Query::try_from_uri(&parts.uri).map_err(|rejection| {
            let hint = "GET /v1/openapi.json lists the parameters of every path";
            ApiError::bad_request("bad_query", rejection.body_text(), hint)
        })?;
        Ok(Self(asked))
    }
}

/// The parts of the path that are not fixed.
pub struct Named<T>(pub T);

/// A part of a path that means something.
pub trait Part: Sized {
    fn read(text: &str) -> Result<Self, ApiError>;
}

/// One part, or several.
pub trait AllParts: Sized {
    fn read(texts: &[String]) -> Result<Self, ApiError>;
}

fn part<T: Part>(texts: &[String], at: usize) -> Result<T, ApiError> {
    T::read(texts.get(at).map_or("", String::as_str))
}

impl<T: Part> AllParts for T {
    fn read(texts: &[String]) -> Result<Self, ApiError> {
        part(texts, 0)
    }
}

impl<A: Part, B: Part> AllParts for (A, B) {
    fn read(texts: &[String]) -> Result<Self, ApiError> {
        Ok((part(texts, 0)?, part(texts, 1)?))
    }
}

impl<S: Send + Sync, T: AllParts> FromRequestParts<S> for Named<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let texts = Path::<Vec<String>>::from_request_parts(parts, state).await;
        let Path(texts) = texts.map_err(|rejection| {
            let hint = "GET /v1/openapi.json lists every path";
            ApiError::bad_request("bad_path", rejection.body_text(), hint)
        })?;
        T::read(&texts).map(Self)
    }
}

/// An id or a number, where there is only one of them.
pub struct Id<T>(pub T);

impl<T: FromStr> Part for Id<T> {
    fn read(text: &str) -> Result<Self, ApiError> {
        text.parse().map(Self).map_err(|_| {
            ApiError::bad_request("bad_id", "neither an id nor a number", "ids have 64 hexadecimal digits")
        })
    }
}

/// By id, or by the number given at registration.
pub enum Name<Id, Number> {
    Id(Id),
    Number(Number),
}

impl<Id: FromStr, Number: FromStr> Part for Name<Id, Number> {
    fn read(text: &str) -> Result<Self, ApiError> {
        let id = || text.parse().map(Name::Id).ok();
        let number = || text.parse().map(Name::Number).ok();
        number().or_else(id).ok_or_else(|| {
            let hint = "use the id as it is shown, or the number given at registration";
            ApiError::bad_request("bad_id", "an id is 64 hexadecimal digits", hint)
        })
    }
}
