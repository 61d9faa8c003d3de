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
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
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
    /// Names under which it is reached, besides addresses and `localhost`.
    pub hosts: Vec<String>,
    pub rate: Rate,
}

impl Default for Door {
    fn default() -> Self {
        Self {
            allow_origin: None,
            hosts: Vec::new(),
            // A page asks a dozen things when it opens.
            rate: Rate {
                per_second: 100,
                burst: 400,
            },
        }
    }
}

impl Door {
    /// Whether a name is ours: a number is nobody's name, and `localhost` this computer's.
    fn is_own(&self, host: &str) -> bool {
        let named = |own: &String| plain(own) == host;
        is_number(host) || host == "localhost" || host.ends_with(".localhost") || self.hosts.iter().any(named)
    }
}

/// What programs near look at by any name: it says how the explorer does, and nothing else.
const OPEN: [&str; 2] = ["/v1/health", "/metrics"];

/// A name in the one form in which it is compared.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn is_number(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match inner {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
        None => host.parse::<Ipv4Addr>().is_ok(),
    }
}

/// The name by which it is asked, without a port; none where none is told, which no browser does. What cannot be read is a name of nobody.
fn host_of(request: &Request) -> Option<String> {
    let told = match request.headers().get(header::HOST) {
        Some(told) => told.to_str().unwrap_or("?"),
        None => request.uri().authority()?.as_str(),
    };
    let port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let name = match told.rsplit_once(':') {
        Some((name, after)) if port(after) => name,
        _ => told,
    };
    Some(plain(&name.chars().take(HOST_LENGTH_MAX).collect::<String>()))
}

/// Letters of a name.
const HOST_LENGTH_MAX: usize = 255;

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
            HeaderValue::from_static("authorization, content-type, if-none-match, last-event-id"),
        );
        fields.insert(
            header::ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET, POST, DELETE"),
        );
        fields.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(
                "etag, link, x-cairn-rows, x-cairn-credits, x-cairn-paid, x-cairn-credits-left, x-cairn-to",
            ),
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
        // A name of somebody else's that leads here would make their page one of ours: it could read what only those near may, and post.
        if let Some(host) = host_of(request)
            && !self.door.is_own(&host)
            && !OPEN.contains(&request.uri().path())
        {
            let message = format!("this explorer is not known as {host:?}");
            let hint = format!(
                "ask it by its address or as localhost; whoever runs it as {host} starts it with --host {host}, also behind a proxy that passes the name on"
            );
            return Some(ApiError::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", message, hint).into_response());
        }
        // A page elsewhere cannot make a reader's browser ask for work here.
        let site = request.headers().get("sec-fetch-site");
        let foreign = site.is_some_and(|site| site.as_bytes() == b"cross-site");
        if foreign && !allowed && [Method::POST, Method::DELETE].contains(request.method()) {
            let hint = "start the explorer with --allow-origin, or ask from its own page";
            let refusal = ApiError::new(StatusCode::FORBIDDEN, "foreign_page", "another page asks", hint);
            return Some(refusal.into_response());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(host: Option<&str>) -> Request {
        let request = Request::builder().uri("/v1/chain");
        let request = host
            .into_iter()
            .fold(request, |request, host| request.header("host", host));
        request.body(axum::body::Body::empty()).unwrap()
    }

    #[test]
    fn numbers_and_localhost_and_names_that_were_given_are_its_own_and_no_others() {
        let door = Door {
            hosts: vec!["Explorer.Example.".to_owned()],
            ..Door::default()
        };
        let own = |host| host_of(&asked(Some(host))).is_none_or(|host| door.is_own(&host));
        for host in [
            "127.0.0.1:8643",
            "192.168.1.7",
            "[::1]:8643",
            "[2001:db8::1]",
            "localhost",
            "LocalHost:80",
            "cairn.localhost:8643",
            "explorer.example",
            "EXPLORER.example:443",
        ] {
            assert!(own(host), "{host}");
        }
        for host in [
            "rebound.example:8643",
            "explorer.example.evil",
            "localhost.evil",
            "127.0.0.1.evil",
            "notlocalhost",
            "::1",
            "[rebound.example]",
            "",
        ] {
            assert!(!own(host), "{host}");
        }
        assert_eq!(host_of(&asked(None)), None);
    }
}
