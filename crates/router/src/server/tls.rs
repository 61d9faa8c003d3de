//! What a broker's TLS is held to: whose certificates are believed, and which one is shown. Reads no file and shows no key.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum TlsError {
    #[error("the file of the authority has no certificate in PEM; give the one that signed the broker's certificate")]
    Authority,
    #[error("this system knows no authorities of its own; name the broker's with a file in PEM")]
    NoAuthorities,
    #[error("the client's certificate cannot be read; give it in PEM, with those that signed it")]
    Certificate,
    #[error("the client's key cannot be read; give it in PEM, without a passphrase")]
    Key,
    #[error("certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// Believes the authorities of the PEM file, or those of the system; shows a certificate to brokers that ask for one.
pub fn config(authority: Option<&[u8]>, shown: Option<(&[u8], &[u8])>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    match authority {
        Some(pem) => {
            for certificate in certificates(pem).ok_or(TlsError::Authority)? {
                roots.add(certificate).map_err(|_| TlsError::Authority)?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(TlsError::NoAuthorities);
            }
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let config = match shown {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let chain = certificates(chain).ok_or(TlsError::Certificate)?;
            let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::Key)?;
            builder.with_client_auth_cert(chain, key)?
        }
    };
    Ok(Arc::new(config))
}

/// All of a PEM file, if there are any and all can be read.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    all.ok().filter(|all| !all.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_named() {
        assert!(matches!(config(Some(b"no"), None), Err(TlsError::Authority)));
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let with = |chain: &str, key: &str| {
            config(Some(certificate.as_bytes()), Some((chain.as_bytes(), key.as_bytes()))).map(drop)
        };
        assert!(matches!(with("", &key), Err(TlsError::Certificate)));
        assert!(matches!(with(&certificate, &certificate), Err(TlsError::Key)));
        let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
        assert!(matches!(with(&certificate, &other), Err(TlsError::Unusable(_))));
        assert!(with(&certificate, &key).is_ok());
    }
}
