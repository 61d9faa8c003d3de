//! A request as text, so that mutants stay near to requests, and its answer by a service in this thread. Opens no socket: what reads
//! the bytes of a connection is hyper, and not ours.
//!
//! ```text
//! POST /v1/transactions?wait=final      method and target
//! content-type: application/json        headers, if any
//!                                       an empty line
//! {"transaction":"00"}                  the body
//! ```

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use axum::response::Response;
use futures::FutureExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;

/// No answer here is longer.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Turns in which an answer must be there.
const TURNS_MAX: usize = 16;

/// The request that a text means, if it is one that hyper would hand on.
pub fn request(bytes: &[u8]) -> Option<Request<Body>> {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n")?;
    let (head, body) = (std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 2..]);
    let mut lines = head.split('\n');
    let (method, target) = lines.next()?.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(target);
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        request = request.header(name, value);
    }
    request.body(Body::from(body.to_vec())).ok()
}

/// What a service answers; `turn` lets whoever stands behind it do its part in between.
pub fn answer(router: Router, request: Request<Body>, mut turn: impl FnMut()) -> (StatusCode, Vec<u8>) {
    let service = TowerToHyperService::new(router);
    let mut asked = Box::pin(service.call(request));
    for _ in 0..TURNS_MAX {
        if let Some(answer) = asked.as_mut().now_or_never() {
            let response: Response = answer.unwrap_or_else(|never| match never {});
            let (parts, body) = response.into_parts();
            let body = to_bytes(body, ANSWER_BYTES_MAX).now_or_never();
            let body = body.expect("the answer is in memory").expect("and short");
            return (parts.status, body.to_vec());
        }
        turn();
    }
    panic!("no answer in {TURNS_MAX} turns");
}

/// Asserts that a refusal says what it should: these fields, none of them empty.
pub fn explains(status: StatusCode, body: &[u8], fields: &[&str]) {
    assert!(status.is_client_error(), "{status}");
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    for field in fields {
        let text = said[field].as_str().unwrap_or_default();
        assert!(
            !text.is_empty(),
            "{status} without {field}: {}",
            String::from_utf8_lossy(body)
        );
    }
}
