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

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;
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
    async fn addresses(&self, near: bool) -> Vec<SocketAddr> {
        let found = tokio::net::lookup_host((self.name(), self.port)).await;
        let found = found.into_iter().flatten();
        let allowed = found.filter(|address| near || dial::is_public(address.ip()));
        allowed.take(ADDRESSES_MAX).collect()
    }
}

/// Posts; whether it was taken.
pub async fn post(url: &str, secret: &[u8], body: String, near: bool) -> bool {
    post_by(tls, url, secret, body, near).await
}

/// Over HTTPS by these settings.
async fn post_by(
    tls: impl FnOnce() -> Option<Arc<ClientConfig>>,
    url: &str,
    secret: &[u8],
    body: String,
    near: bool,
) -> bool {
    let Some(target) = Target::of(url) else { return false };
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let signature = hex::encode(hmac::sign(&key, body.as_bytes()));
    let sent = tokio::time::timeout(WAIT_MAX, sent(&target, body, &signature, near, tls));
    sent.await.ok().flatten().is_some_and(|status| status.is_success())
}

async fn sent(
    target: &Target,
    body: String,
    signature: &str,
    near: bool,
    tls: impl FnOnce() -> Option<Arc<ClientConfig>>,
) -> Option<hyper::StatusCode> {
    // The first at which somebody answers: a name may lead to addresses of both kinds, and its service be at one.
    let stream = TcpStream::connect(&target.addresses(near).await[..]).await.ok()?;
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
    let mut answer = std::pin::pin!(sender.send_request(request));
    let answer = tokio::select! {
        answer = &mut answer => answer,
        // Whoever answers and goes away at once has answered.
        _ = connection => answer.await,
    };
    answer.ok().map(|answer| answer.status())
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
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    use rustls::ServerConfig;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;
    use tokio_rustls::TlsAcceptor;

    /// An authority, and what it issues.
    struct Authority {
        issuer: Issuer<'static, KeyPair>,
        roots: RootCertStore,
    }

    impl Authority {
        fn new() -> Self {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(vec![]).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(DnType::CommonName, "authority");
            let mut roots = RootCertStore::empty();
            roots.add(params.self_signed(&key).unwrap().der().clone()).unwrap();
            Self {
                issuer: Issuer::new(params, key),
                roots,
            }
        }

        fn settings(&self) -> Option<Arc<ClientConfig>> {
            with(self.roots.clone())
        }

        /// A service on this computer with a certificate for a name; it takes everything, and says what came.
        async fn service(&self, name: &str) -> (u16, mpsc::Receiver<String>) {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            let certificate: CertificateDer<'static> = params.signed_by(&key, &self.issuer).unwrap().der().clone();
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
            let config = builder
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate], key);
            let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let (told, heard) = mpsc::channel(8);
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    // Whoever does not believe the certificate goes away.
                    let Ok(mut stream) = acceptor.accept(stream).await else {
                        continue;
                    };
                    let mut came = Vec::new();
                    while !came.ends_with(b"}") {
                        let mut part = [0; 1_024];
                        let count = stream.read(&mut part).await.unwrap();
                        assert!(count > 0, "it ended before its end");
                        came.extend_from_slice(&part[..count]);
                    }
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    stream.write_all(answer).await.unwrap();
                    told.send(String::from_utf8(came).unwrap()).await.unwrap();
                }
            });
            (port, heard)
        }
    }

    #[tokio::test]
    async fn over_https_alerts_go_only_to_whom_an_authority_knows_by_that_name() {
        let authority = Authority::new();
        let (port, mut heard) = authority.service("localhost").await;
        let (other_port, mut other) = authority.service("other.example").await;
        let url = format!("https://localhost:{port}/alerts?token=1");
        let body = || "{\"epoch\":1}".to_owned();
        assert!(post_by(|| authority.settings(), &url, &[9; 32], body(), true).await);
        let came = heard.recv().await.unwrap();
        assert!(came.starts_with("POST /alerts?token=1 HTTP/1.1\r\n"), "{came}");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[9; 32]);
        let signature = hex::encode(hmac::sign(&key, body().as_bytes()));
        for part in [
            format!("host: localhost:{port}\r\n"),
            format!("x-cairn-signature: {signature}\r\n"),
            body(),
        ] {
            assert!(came.contains(&part), "{part} in {came}");
        }
        // Nobody knows who issued it; somebody else's name; near, where that is not allowed.
        let stranger = Authority::new();
        assert!(!post_by(|| stranger.settings(), &url, &[9; 32], body(), true).await);
        assert!(!post(&url, &[9; 32], body(), true).await, "no authority of the system");
        let elsewhere = format!("https://localhost:{other_port}/alerts");
        assert!(!post_by(|| authority.settings(), &elsewhere, &[9; 32], body(), true).await);
        assert!(!post_by(|| authority.settings(), &url, &[9; 32], body(), false).await);
        assert!(
            !post_by(|| None, &url, &[9; 32], body(), true).await,
            "without authorities nothing is sent"
        );
        assert!(heard.try_recv().is_err() && other.try_recv().is_err());
    }

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
