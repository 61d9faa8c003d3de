//! What is asked, taken out of a request; what cannot be read is refused in the API's own form.

use super::ApiError;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

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

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(named) = Path::from_request_parts(parts, state).await.map_err(|rejection| {
            let hint = "GET /v1/openapi.json lists every path";
            ApiError::bad_request("bad_path", rejection.body_text(), hint)
        })?;
        Ok(Self(named))
    }
}
