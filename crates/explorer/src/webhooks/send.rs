//! One post to an address that a stranger named: never to this computer's own network unless that is allowed, never further than the
//! address says, and no longer than it may take.

use crate::dial;
use aws_lc_rs::hmac;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// For one post, from the look at its name to the head of the answer.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Bytes of an address.
const URL_BYTES_MAX: usize = 512;

/// Whether alerts may be posted there: a service, on the public network unless what is near may be asked. Where its name leads is looked at
/// each time.
pub fn may_post(url: &str, near: bool) -> bool {
    let leads_out = || reqwest::Url::parse(url).is_ok_and(|url| dial::leads_out(&url));
    url.len() <= URL_BYTES_MAX && Target::of(url).is_some() && (near || leads_out())
}

/// An address taken apart.
struct Target {
    host: String,
    port: u16,
    is_tls: bool,
    path: String,
}

impl Target {
    fn of(url: &str) -> Option<Self> {
        let url = reqwest::Url::parse(url).ok()?;
        let is_tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        if !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        Some(Self {
            host: url.host_str()?.to_owned(),
            port: url.port_or_known_default()?,
            is_tls,
            path: format!("{}{query}", url.path()),
        })
    }

    fn name(&self) -> &str {
        self.host.trim_matches(['[', ']'])
    }

    /// Looked up here and asked there: a name cannot be one address when it is checked and another when it is asked.
    async fn address(&self, near: bool) -> Option<SocketAddr> {
        let mut found = tokio::net::lookup_host((self.name(), self.port)).await.ok()?;
        found.find(|address| near || dial::is_public(address.ip()))
    }
}

/// Posts; whether it was taken.
pub async fn post(url: &str, secret: &[u8], body: String, near: bool) -> bool {
    let Some(target) = Target::of(url) else { return false };
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let signature = hex::encode(hmac::sign(&key, body.as_bytes()));
    let sent = tokio::time::timeout(WAIT_MAX, sent(&target, body, &signature, near));
    sent.await.ok().flatten().is_some_and(|status| status.is_success())
}

async fn sent(target: &Target, body: String, signature: &str, near: bool) -> Option<hyper::StatusCode> {
    let address = target.address(near).await?;
    let stream = TcpStream::connect(address).await.ok()?;
    let host = match (target.is_tls, target.port) {
        (true, 443) | (false, 80) => target.host.clone(),
        (_, port) => format!("{}:{port}", target.host),
    };
    let request = hyper::Request::post(&target.path)
        .header("host", host)
        .header("content-type", "application/json")
        .header("content-length", body.len())
        .header("x-cairn-signature", signature)
        .body(body)
        .ok()?;
    if !target.is_tls {
        return asked(stream, request).await;
    }
    let name = ServerName::try_from(target.name().to_owned()).ok()?;
    let connector = TlsConnector::from(tls()?);
    asked(connector.connect(name, stream).await.ok()?, request).await
}

/// The head of the answer; its body is not read.
async fn asked(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: hyper::Request<String>,
) -> Option<hyper::StatusCode> {
    let (mut sender, connection) = http1::handshake::<_, String>(TokioIo::new(stream)).await.ok()?;
    tokio::select! {
        answer = sender.send_request(request) => answer.ok().map(|answer| answer.status()),
        _ = connection => None,
    }
}

/// Believes the authorities of the system; none where it has none.
fn tls() -> Option<Arc<ClientConfig>> {
    static CONFIG: OnceLock<Option<Arc<ClientConfig>>> = OnceLock::new();
    let make = || {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        with(roots)
    };
    CONFIG.get_or_init(make).clone()
}

fn with(roots: RootCertStore) -> Option<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?;
    let builder = builder.with_root_certificates(roots);
    Some(Arc::new(builder.with_no_client_auth()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_posted_to_services_on_the_public_network() {
        for good in ["https://hooks.example/a?token=1", "http://1.1.1.1:8080/"] {
            assert!(may_post(good, false), "{good}");
        }
        let long = format!("https://hooks.example/{}", "a".repeat(URL_BYTES_MAX));
        for near in ["http://127.0.0.1/", "http://[::1]/"] {
            assert!(!may_post(near, false) && may_post(near, true), "{near}");
        }
        for bad in [
            "",
            "hooks.example",
            "ftp://a",
            "https://",
            "file:///etc/passwd",
            "https://name:word@host/",
            &long,
        ] {
            assert!(!may_post(bad, true), "{bad}");
        }
    }
}
