//! What holds for every request: how much one address may ask, who may read the answers in a browser, and the headers that keep a page
//! from being made another. Knows nothing of what is asked.

use super::{ApiError, Serve};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use cairn_node::Caller;
use cairn_verifier::http::{Rate, Rates};
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What a page from here may do: nothing but talk to where it came from. Workers of the map are made of its own code.
pub const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; \
    connect-src 'self'; worker-src 'self' blob:; child-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

const HEADERS: [(&str, &str); 7] = [
    ("content-security-policy", CONTENT_POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), microphone=(), geolocation=(), payment=(), publickey-credentials-get=(self), publickey-credentials-create=(self)",
    ),
];

/// For an answer to begin: longer than a node lets anybody wait for finality.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(90);

/// Who may ask how much.
#[derive(Clone, Debug)]
pub struct Door {
    /// Another page that may read answers in a browser: `https://HOST`.
    pub allow_origin: Option<String>,
    pub rate: Rate,
}

impl Default for Door {
    fn default() -> Self {
        Self {
            allow_origin: None,
            // A page asks a dozen things when it opens.
            rate: Rate {
                per_second: 100,
                burst: 400,
            },
        }
    }
}

struct Kept {
    door: Door,
    rates: Mutex<Rates>,
    shared: Serve,
}

pub fn around(router: Router, door: Door, shared: Serve) -> Router {
    let rates = Mutex::new(Rates::new(door.rate));
    let kept = Arc::new(Kept { door, rates, shared });
    router.layer(middleware::from_fn_with_state(kept, pass))
}

async fn pass(State(kept): State<Arc<Kept>>, request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Caller>().map(|caller| caller.0);
    let origin = request.headers().get(header::ORIGIN).cloned();
    let allowed = kept.allowed(origin.as_ref());
    let mut response = match kept.refused(caller, &request, allowed) {
        Some(refusal) => refusal,
        None if request.method() == Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        None => in_time(next.run(request)).await,
    };
    kept.shared.answered.fetch_add(1, Ordering::Relaxed);
    let fields = response.headers_mut();
    for (name, value) in HEADERS {
        fields.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if let Some(origin) = origin.filter(|_| allowed) {
        fields.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        fields.insert(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("content-type, if-none-match, last-event-id"),
        );
        fields.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("etag, link"),
        );
        fields.insert(header::VARY, HeaderValue::from_static("accept, origin"));
        fields.insert(
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("cross-origin"),
        );
    }
    response
}

/// Ends what takes too long: an answer has to begin some time.
async fn in_time(answer: impl Future<Output = Response>) -> Response {
    let late = |_| {
        let hint = "ask again, or for less";
        ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            "too_slow",
            "the answer was not found in time",
            hint,
        )
        .into_response()
    };
    tokio::time::timeout(ANSWER_WAIT_MAX, answer).await.unwrap_or_else(late)
}

impl Kept {
    /// Whether a page of this origin may read what is answered.
    fn allowed(&self, origin: Option<&HeaderValue>) -> bool {
        let allowed = self.door.allow_origin.as_deref();
        allowed.is_some_and(|allowed| origin.is_some_and(|origin| origin.as_bytes() == allowed.as_bytes()))
    }

    /// Why a request goes no further.
    fn refused(&self, caller: Option<IpAddr>, request: &Request, allowed: bool) -> Option<Response> {
        if let Some(address) = caller {
            let mut rates = self.rates.lock().expect("no holder of the lock panics");
            if let Err(later) = rates.take(address, 1, Instant::now()) {
                let mut refusal = ApiError::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "too_many",
                    "this address asks too much at once",
                    "wait as long as Retry-After says",
                );
                refusal.later = Some(later.max(1));
                return Some(refusal.into_response());
            }
        }
        // A page elsewhere cannot make a reader's browser ask for work here.
        let site = request.headers().get("sec-fetch-site");
        let foreign = site.is_some_and(|site| site.as_bytes() == b"cross-site");
        if foreign && !allowed && request.method() == Method::POST {
            let hint = "start the explorer with --allow-origin, or ask from its own page";
            let refusal = ApiError::new(StatusCode::FORBIDDEN, "foreign_page", "another page asks", hint);
            return Some(refusal.into_response());
        }
        None
    }
}
