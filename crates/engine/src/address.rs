//! Where a node is reached: `HOST:PORT`, a number or a name. Names are looked up each time a connection is tried, so a node
//! may move. Nothing is looked up here.

use commonware_p2p::{Address as PeerAddress, Ingress};
use commonware_utils::Hostname;
use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    str::FromStr,
};

/// Bytes of an address: the longest name that there is, a colon and a port.
pub const ADDRESS_BYTES_MAX: usize = 253 + 6;

/// Where a node is reached.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address(Ingress);

/// What is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an address is HOST:PORT with a number or a name as its host and a port above zero")]
pub struct AddressError;

impl Address {
    /// Of a node that nobody can dial: it dials the others.
    pub fn nowhere() -> Self {
        nowhere().into()
    }

    /// As the network between nodes wants it. Who somebody is is shown by its key alone, so it may come from elsewhere.
    pub(crate) fn peer(&self) -> PeerAddress {
        match &self.0 {
            Ingress::Socket(address) => PeerAddress::Symmetric(*address),
            name => PeerAddress::Asymmetric {
                ingress: name.clone(),
                egress: nowhere(),
            },
        }
    }
}

/// The address of a node that is never dialled.
pub(crate) fn nowhere() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self(Ingress::Socket(address))
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(AddressError);
        }
        let ingress = match text.parse::<SocketAddr>() {
            Ok(address) => Ingress::Socket(address),
            Err(_) => {
                let (host, port) = text.rsplit_once(':').ok_or(AddressError)?;
                Ingress::Dns {
                    host: Hostname::new(host).map_err(|_| AddressError)?,
                    port: port.parse().map_err(|_| AddressError)?,
                }
            }
        };
        // One text for one address: a port written with zeros or a sign is refused.
        let address = Self(ingress);
        (address.0.port() > 0 && address.to_string() == text)
            .then_some(address)
            .ok_or(AddressError)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ingress::Socket(address) => write!(f, "{address}"),
            Ingress::Dns { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_number_or_a_name_and_a_port() {
        for text in ["127.0.0.1:1", "[::1]:65535", "node-1.example.org:9000", "validator:80"] {
            assert_eq!(
                text.parse::<Address>().map(|address| address.to_string()),
                Ok(text.into())
            );
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}:80", "a.".repeat(200));
        for text in [
            "",
            ":80",
            "host",
            "host:",
            "host:0",
            "host:080",
            "host:65536",
            "-a:1",
            "a_b:1",
            "1.2.3.4:0",
            "::1:80",
            &long,
        ] {
            assert_eq!(text.parse::<Address>(), Err(AddressError), "{text}");
        }
    }
}
