//! Data over plain addresses: a price for whoever asks, data for whoever shows an API key. The key comes in the header `Authorization` and
//! nowhere else, since addresses are logged and kept by others; no answer has it.

use super::{Shared, file};
use crate::api_key::ApiKey;
use crate::data::State as KeyState;
use crate::faces::{DataAsked, KeyFace, PriceFace, QuoteFace};
use crate::limits::ASKED_BYTES_MAX;
use crate::refusal::{Kind, Refusal};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// Whether an answer was paid now or before; what is left of the key; where the data ends.
const PAID: HeaderName = HeaderName::from_static("x-cairn-paid");
const LEFT: HeaderName = HeaderName::from_static("x-cairn-credits-left");
const TO: HeaderName = HeaderName::from_static("x-cairn-to");

/// The names of an address' parameters.
const PARAMETERS: &str = "network, quantity, from, to, and if wanted cells, format and credits_max";

pub async fn price(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    let priced = async {
        let (query, _, _) = asked(&uri)?.read()?;
        let (quote, _) = shared
            .run(move |gateway, stop| gateway.quote(&query, None, stop))
            .await?;
        shared.metrics.quoted();
        Ok(Json(PriceFace::from(QuoteFace::from(&quote))).into_response())
    };
    private(shared.answer(priced.await))
}

pub async fn data(State(shared): State<Arc<Shared>>, headers: HeaderMap, uri: Uri) -> Response {
    let delivered = async {
        let key = bearer(&headers)?;
        let (query, format, credits_max) = asked(&uri)?.read()?;
        let work = move |gateway: &crate::Gateway, stop: &_| gateway.draw(&key, &query, credits_max, stop);
        let (drawn, place) = shared.run(work).await?;
        shared.metrics.delivered(&drawn.delivery);
        let paid = if drawn.delivery.sold { "now" } else { "before" };
        let said = [
            (PAID, paid.to_owned()),
            (LEFT, drawn.left.to_string()),
            (TO, drawn.to.to_string()),
        ];
        Ok((said, file(drawn.delivery, format, place)).into_response())
    };
    private(shared.answer(delivered.await))
}

pub async fn key(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let told = async {
        let key = bearer(&headers)?;
        let (now, _) = shared.run(move |gateway, _| gateway.key(&key)).await?;
        Ok(Json(KeyFace::from(&now)).into_response())
    };
    private(shared.answer(told.await))
}

/// Done, or begun for good.
pub async fn close(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let closed = async {
        let key = bearer(&headers)?;
        let (now, _) = shared.run(move |gateway, _| gateway.close_key(&key)).await?;
        let status = match now.state {
            KeyState::Settling => StatusCode::ACCEPTED,
            _ => StatusCode::OK,
        };
        Ok((status, Json(KeyFace::from(&now))).into_response())
    };
    private(shared.answer(closed.await))
}

/// For nobody but who asked.
fn private(mut response: Response) -> Response {
    let fields = response.headers_mut();
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The one key of a request.
fn bearer(headers: &HeaderMap) -> Result<ApiKey, Refusal> {
    let refuse = |code, message: String| {
        let hint = "send the header `Authorization: Bearer cairn_…` with the key that `cairn api-key open` printed";
        Err(Refusal::new(Kind::Unauthorized, code, message, hint))
    };
    let mut told = headers.get_all(header::AUTHORIZATION).iter();
    let text = match (told.next(), told.next()) {
        (Some(one), None) => one.to_str().unwrap_or_default(),
        (None, _) => return refuse("key_missing", "the request shows no API key".to_owned()),
        _ => return refuse("key_malformed", "the request shows several keys".to_owned()),
    };
    let (scheme, key) = text.split_once(' ').unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("bearer") {
        return refuse("key_malformed", "an API key is shown as `Bearer cairn_…`".to_owned());
    }
    match key.parse() {
        Ok(key) => Ok(key),
        Err(error) => refuse("key_malformed", error.to_string()),
    }
}

fn asked(uri: &Uri) -> Result<DataAsked, Refusal> {
    let refuse = |message: String| {
        let hint = format!("name {PARAMETERS}, each once: see /v1/openapi.json");
        Refusal::new(Kind::Invalid, "request_invalid", message, hint)
    };
    if uri.query().is_some_and(|query| query.len() > ASKED_BYTES_MAX) {
        return Err(refuse(format!("a question has at most {ASKED_BYTES_MAX} bytes")));
    }
    // The library's words may repeat what was sent, which may be a key in the wrong place.
    let read = Query::<DataAsked>::try_from_uri(uri);
    let Query(asked) = read.map_err(|_| refuse("a parameter is missing, unknown or named twice".to_owned()))?;
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_types::OrderId;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_key_is_shown_once_as_a_bearers_and_never_repeated() {
        let text = ApiKey::new(OrderId([7; 32]), [9; 32]).text();
        let (good, other) = (format!("Bearer {}", *text), format!("bearer {}", *text));
        assert!(bearer(&headers(&[&good])).is_ok() && bearer(&headers(&[&other])).is_ok());
        let code = |values: &[&str]| {
            let refusal = bearer(&headers(values)).unwrap_err();
            assert!(!format!("{refusal:?}").contains("CQkJ"), "{refusal:?}");
            refusal.code
        };
        assert_eq!(code(&[]), "key_missing");
        let (basic, double, spaced) = (
            format!("Basic {}", *text),
            format!("Bearer {0}{0}", *text),
            format!("Bearer  {}", *text),
        );
        for wrong in [
            &[good.as_str(), &good][..],
            &[""],
            &[text.as_str()],
            &[&basic],
            &[&double],
            &[&spaced],
        ] {
            assert_eq!(code(wrong), "key_malformed", "{wrong:?}");
        }
    }

    #[test]
    fn a_question_names_each_parameter_once_and_no_other() {
        let good = "/v1/data?network=a&quantity=rain&from=x&to=y";
        assert!(asked(&good.parse().unwrap()).is_ok());
        let all = format!("{good}&cells=b,c&format=csv&credits_max=5");
        assert_eq!(asked(&all.parse().unwrap()).unwrap().cells.as_deref(), Some("b,c"));
        let long = format!("{good}&cells={}", "8".repeat(ASKED_BYTES_MAX));
        for wrong in [
            "/v1/data",
            "/v1/data?network=a&quantity=rain&from=x",
            &format!("{good}&to=z"),
            &format!("{good}&cairn_secret=z"),
            &long,
        ] {
            let refusal = asked(&wrong.parse().unwrap()).unwrap_err();
            assert_eq!(refusal.code, "request_invalid");
            assert!(!format!("{refusal:?}").contains("cairn_secret"));
        }
    }
}
