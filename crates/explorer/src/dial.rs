//! Whom others may make this process ask. An address on the ledger or in a request is a stranger's word: it is dialled where the public
//! network leads and nowhere near, whatever its name resolves to, and as it stands, so that nobody picks another question than the one
//! that is asked. Whoever runs an explorer of a network that is all in one place may open what is near. Asks nothing itself.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{ClientBuilder, Url};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Whether an address may be asked: nothing of this computer or of the network that it stands in.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match inside(address) {
            Some(inner) => is_public_v4(inner),
            None => {
                let [first, second, ..] = address.segments();
                // Only 2000::/3 is given out; of that, documentation and tunnels of a kind that is gone.
                first & 0xe000 == 0x2000 && !(first == 0x2001 && (second < 0x0200 || second == 0x0db8))
            }
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let shared = first == 100 && (64..128).contains(&second);
    let for_protocols = (first, second, third) == (192, 0, 0);
    let for_tests = first == 198 && (18..20).contains(&second);
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || first == 0
        || first >= 224
        || shared
        || for_protocols
        || for_tests)
}

/// The address of the older kind that is reached by one of the newer: mapped, translated (64:ff9b::/96) or by 6to4.
fn inside(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let parts = address.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match parts {
        [0x0064, 0xff9b, 0, 0, 0, 0, high, low] => Some(of(high, low)),
        [0x2002, high, low, ..] => Some(of(high, low)),
        _ => address.to_ipv4_mapped(),
    }
}

/// Whether what a stranger names is an address of a service and nothing else: plain HTTP, a host, a port, a path; and a host that is
/// written as a number is public, unless what is near may be asked. Where names lead is looked at when they are dialled.
pub fn may(url: &str, near: bool) -> bool {
    let Ok(read) = Url::parse(url) else { return false };
    let bare = read.query().is_none() && read.fragment().is_none();
    let nobody = read.username().is_empty() && read.password().is_none();
    read.scheme() == "http" && bare && nobody && (near || leads_out(&read))
}

/// Whether the host, if it is written as a number, is public.
pub fn leads_out(url: &Url) -> bool {
    let number = url
        .host_str()
        .and_then(|host| host.trim_matches(['[', ']']).parse().ok());
    number.is_none_or(is_public)
}

/// A client that goes no further than public names lead, unless what is near may be asked; it follows nobody elsewhere. Whom a proxy would
/// ask cannot be seen from here, so that strangers are asked without one.
pub fn client(near: bool, builder: ClientBuilder) -> Result<reqwest::Client, reqwest::Error> {
    let builder = builder.redirect(reqwest::redirect::Policy::none());
    match near {
        true => builder.build(),
        false => builder.no_proxy().dns_resolver(Public).build(),
    }
}

/// Names as far as they lead to public addresses.
struct Public;

impl Resolve for Public {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            match public.is_empty() {
                true => Err(format!("{} is nowhere on the public network", name.as_str()).into()),
                false => Ok(Box::new(public.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_near_this_computer_is_asked() {
        for near in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "::127.0.0.1",
            "fe80::1",
            "fec0::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::1",
            "2001::1",
            "2001:db8::1",
        ] {
            assert!(!is_public(near.parse().unwrap()), "{near}");
        }
        for far in [
            "1.1.1.1",
            "100.63.0.1",
            "192.0.1.1",
            "2606:4700::1",
            "::ffff:1.1.1.1",
            "2002:101:101::1",
        ] {
            assert!(is_public(far.parse().unwrap()), "{far}");
        }
    }

    #[test]
    fn what_a_stranger_names_is_an_address_and_no_question_of_its_own() {
        for good in [
            "http://verifier.example",
            "http://1.1.1.1:8641/",
            "http://[2606:4700::1]:80/cairn",
        ] {
            assert!(may(good, false) && may(good, true), "{good}");
        }
        for near in [
            "http://127.0.0.1:8641",
            "http://169.254.169.254",
            "http://[::1]:80",
            "http://0x7f.1:80",
            "http://2130706433",
        ] {
            assert!(!may(near, false) && may(near, true), "{near}");
        }
        for bad in [
            "",
            "https://verifier.example",
            "file:///etc/passwd",
            "http://",
            "http://verifier.example/secret?as=",
            "http://verifier.example/secret#",
            "http://user@verifier.example",
            "http://:word@verifier.example",
        ] {
            assert!(!may(bad, false) && !may(bad, true), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_near_is_not_dialled() {
        let door = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = door.local_addr().unwrap().port();
        let asked = client(false, reqwest::Client::builder()).unwrap();
        let refused = asked.get(format!("http://localhost:{port}/")).send().await;
        assert!(refused.is_err_and(|error| error.is_connect()));
        let nobody = tokio::select! {
            biased;
            _ = door.accept() => false,
            () = std::future::ready(()) => true,
        };
        assert!(nobody, "nobody knocked");
    }
}
