//! The broker of a network server, as `cairn router run` is told of it: where it is, whom to believe, who the router is to it. Passwords
//! and keys come from files that only their owner can read, and are never shown.

use crate::error::{Failure, Kind, OrFail};
use cairn_router::server::chirpstack::Marshaler;
use cairn_router::server::mqtt::{Broker, Login};
use cairn_router::server::tls;
use cairn_secrets::file;
use cairn_types::OrderId;
use std::io::Read as _;
use std::net::Ipv6Addr;
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// A file of secrets, or of certificates, is no longer than this.
const FILE_BYTES_MAX: u64 = 256 * 1024;

#[derive(clap::Args)]
pub struct BrokerArgs {
    /// The broker of a network server: mqtt://HOST:1883 in the clear, mqtts://HOST:8883 over TLS.
    #[arg(long, value_name = "URL", value_parser = broker)]
    mqtt: Option<Place>,
    /// What its topics begin with.
    #[arg(long, default_value = "eu868")]
    prefix: String,
    /// How its messages are written; commands are read in either way.
    #[arg(long, value_enum, default_value_t = Marshal::Json)]
    marshaler: Marshal,
    /// Who you are to the broker: a file of one line, USER:PASSWORD, that only you can read.
    #[arg(long, value_name = "FILE", requires = "mqtt")]
    mqtt_login: Option<PathBuf>,
    /// The authority that signed the broker's certificate, in PEM; those of the system, unless told otherwise.
    #[arg(long, value_name = "FILE", requires = "mqtt")]
    mqtt_ca: Option<PathBuf>,
    /// Your certificate, for brokers that ask for one, in PEM.
    #[arg(long, value_name = "FILE", requires = "mqtt_key")]
    mqtt_cert: Option<PathBuf>,
    /// Its key, in PEM, in a file that only you can read.
    #[arg(long, value_name = "FILE", requires = "mqtt_cert")]
    mqtt_key: Option<PathBuf>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Marshal {
    Json,
    Protobuf,
}

impl From<Marshal> for Marshaler {
    fn from(said: Marshal) -> Self {
        match said {
            Marshal::Json => Self::Json,
            Marshal::Protobuf => Self::Protobuf,
        }
    }
}

/// Where a broker is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    secure: bool,
    host: String,
    port: u16,
}

/// `mqtt://host:port`, `mqtts://host:port`; the broker's own settings are filled in later.
fn broker(text: &str) -> Result<Place, String> {
    let bad = || "say it like mqtt://host:1883 or mqtts://host:8883".to_owned();
    let (secure, place) = match (text.strip_prefix("mqtt://"), text.strip_prefix("mqtts://")) {
        (Some(place), _) => (false, place),
        (_, Some(place)) => (true, place),
        _ => return Err(bad()),
    };
    if place.contains('@') {
        return Err(
            "others can read a password in a command: put USER:PASSWORD into a file, --mqtt-login FILE".to_owned(),
        );
    }
    let place = place.trim_end_matches('/');
    let port = if secure { 8883 } else { 1883 };
    let (host, port) = match place.rsplit_once(':') {
        Some((host, text)) if !text.ends_with(']') => (host, text.parse().map_err(|_| bad())?),
        _ => (place, port),
    };
    // An address of IPv6 stands in brackets, which are no part of it.
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match address {
        Some(address) => address.parse::<Ipv6Addr>().map_err(|_| bad())?.to_string(),
        None => host.to_owned(),
    };
    match host.is_empty() || address.is_none() && host.contains([':', '[', ']']) {
        true => Err(bad()),
        false => Ok(Place { secure, host, port }),
    }
}

impl BrokerArgs {
    /// The broker, with all that is told of it.
    pub fn open(&self, order: OrderId) -> Result<Option<Broker>, Failure> {
        let Some(place) = &self.mqtt else { return Ok(None) };
        if !place.secure && (self.mqtt_ca.is_some() || self.mqtt_cert.is_some()) {
            let failure = Failure::new(Kind::Usage, "certificates are for brokers over TLS");
            return Err(failure.hint("say mqtts:// instead of mqtt://"));
        }
        let tls = match place.secure {
            false => None,
            true => {
                let authority = self.mqtt_ca.as_deref().map(open_file).transpose()?;
                let certificate = self.mqtt_cert.as_deref().map(open_file).transpose()?;
                let key = self.mqtt_key.as_deref().map(secret_file).transpose()?;
                let shown = certificate.as_deref().zip(key.as_deref().map(Vec::as_slice));
                Some(tls::config(authority.as_deref(), shown).or_fail(Kind::Files, "the broker's TLS")?)
            }
        };
        Ok(Some(Broker {
            host: place.host.clone(),
            port: place.port,
            prefix: self.prefix.clone(),
            login: self.mqtt_login.as_deref().map(login).transpose()?,
            tls,
            marshaler: self.marshaler.into(),
            client: format!("cairn-router-{}", &order.to_string()[..8]),
        }))
    }
}

fn open_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let file = std::fs::File::open(path).or_fail(Kind::Files, path.display())?;
    let mut bytes = Vec::new();
    let read = file.take(FILE_BYTES_MAX).read_to_end(&mut bytes);
    read.or_fail(Kind::Files, path.display())?;
    Ok(bytes)
}

/// A file that only its owner can read; it leaves memory when it is dropped.
fn secret_file(path: &Path) -> Result<impl Deref<Target = Vec<u8>>, Failure> {
    let bytes = file::read(path, FILE_BYTES_MAX).map_err(|error| {
        let hint = error.hint();
        Failure::new(Kind::Files, error.to_string()).hint(hint)
    })?;
    bytes.ok_or_else(|| Failure::new(Kind::Files, format!("{}: there is no such file", path.display())))
}

/// The first line of a file: `USER:PASSWORD`.
fn login(path: &Path) -> Result<Login, Failure> {
    let bytes = secret_file(path)?;
    let text = std::str::from_utf8(&bytes).ok().and_then(|text| text.lines().next());
    let parts = text
        .and_then(|line| line.split_once(':'))
        .filter(|(user, _)| !user.is_empty());
    let (user, password) = parts.ok_or_else(|| {
        let failure = Failure::new(Kind::Files, format!("{} says no login", path.display()));
        failure.hint("write one line, USER:PASSWORD")
    })?;
    Ok(Login {
        user: user.to_owned(),
        password: password.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn where_a_broker_is() {
        let place = |secure, host: &str, port| {
            let host = host.to_owned();
            Some(Place { secure, host, port })
        };
        for (text, is) in [
            ("mqtt://127.0.0.1", place(false, "127.0.0.1", 1883)),
            ("mqtt://broker:1884/", place(false, "broker", 1884)),
            ("mqtts://broker.example.org", place(true, "broker.example.org", 8883)),
            ("mqtts://[::1]:1", place(true, "::1", 1)),
            ("mqtts://[::1]", place(true, "::1", 8883)),
            ("broker", None),
            ("mqtt://", None),
            ("mqtt://broker:x", None),
            ("mqtt://user:secret@broker", None),
        ] {
            assert_eq!(broker(text).ok(), is, "{text}");
        }
        assert!(broker("mqtt://user:secret@broker").is_err_and(|why| !why.contains("secret")));
    }

    #[test]
    fn a_login_is_one_line_that_only_its_owner_can_read_and_nobody_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("login");
        let write = |text: &str, mode| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            login(&path)
        };
        let read = write("router:se:cret\n", 0o600).unwrap();
        assert_eq!((read.user.as_str(), read.password.as_str()), ("router", "se:cret"));
        assert!(!format!("{read:?}").contains("cret"));
        assert!(write("router:secret", 0o640).is_err_and(|failure| !failure.to_string().contains("secret")));
        assert!(write("router", 0o600).is_err() && write(":secret", 0o600).is_err());
        assert!(login(&folder.path().join("none")).is_err());
    }
}
