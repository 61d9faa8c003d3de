//! To whom reports may go: verifiers that have something at stake, by what the ledger says. A receipt of anybody else is a promise that
//! costs nothing to break. Decides on values; asks nobody.
//!
//! ```text
//! settings' verifiers ─┐
//! the ledger's list ───┴─▶ those bonded, in an order of this agent's own ─▶ agent
//! ```

use crate::uplink::Verifier;
use cairn_types::{AccountId, DeviceId, Hash, PublicKey, codec, hash};
use minicbor::{CborLen, Decode, Encode};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Verifiers that an agent may be told to send to, at most.
pub const VERIFIERS_MAX: usize = 64;
/// How many it takes up unless told otherwise.
pub const VERIFIERS_DEFAULT: usize = 8;
/// Bytes of an address at most: the ledger takes no longer one.
pub const URL_BYTES_MAX: usize = 128;
/// Bytes of a kept list.
pub const KEPT_BYTES_MAX: u64 = 64 * 1024;

/// A verifier with something at stake, as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Bonded {
    #[n(0)]
    pub account: AccountId,
    /// Signs its receipts.
    #[n(1)]
    pub key: PublicKey,
    /// Where it says that it is reached; empty when it does not say, or nowhere that an agent can reach.
    #[n(2)]
    pub url: String,
}

/// Which verifiers an agent may send to.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Those of the settings.
    pub own: Vec<Verifier>,
    /// Whether others of the ledger are taken up.
    pub discover: bool,
    /// How many there are together, at most; those of the settings count first.
    pub verifiers_max: usize,
    /// Gives the order: the agent's own, so that all agents together favour nobody.
    pub device: DeviceId,
}

/// Where reports go now.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    /// In the order in which they are tried.
    pub verifiers: Vec<Verifier>,
    /// Those of the settings that have nothing at stake.
    pub skipped: Vec<AccountId>,
}

/// A place in an agent's order: nobody chooses it, and another agent's is another.
pub fn rank(device: &DeviceId, account: &AccountId) -> Hash {
    hash::domain("cairn/agent/route/1", &[&device.0, &account.0])
}

impl Policy {
    /// The routes that a list of the bonded leaves.
    pub fn routes(&self, bonded: &[Bonded]) -> Routes {
        let bonded: BTreeMap<AccountId, &Bonded> = bonded.iter().map(|one| (one.account, one)).collect();
        let mut own: Vec<AccountId> = Vec::new();
        for verifier in &self.own {
            if !own.contains(&verifier.account) {
                own.push(verifier.account);
            }
        }
        let (mut chosen, skipped): (Vec<_>, Vec<_>) = own.into_iter().partition(|account| bonded.contains_key(account));
        if self.discover {
            let others = bonded
                .values()
                .filter(|one| is_address(&one.url) && !chosen.contains(&one.account));
            let mut others: Vec<AccountId> = others.map(|one| one.account).collect();
            others.sort_by_key(|account| rank(&self.device, account));
            let room = self.verifiers_max.saturating_sub(chosen.len());
            chosen.extend(others.into_iter().take(room));
            chosen.sort_by_key(|account| rank(&self.device, account));
        }
        let verifiers = chosen.iter().flat_map(|account| self.ways(bonded[account]));
        Routes {
            verifiers: verifiers.collect(),
            skipped,
        }
    }

    /// A verifier where the settings say it is, and where it says itself. Its key is the ledger's.
    fn ways(&self, bonded: &Bonded) -> Vec<Verifier> {
        let own = self.own.iter().filter(|verifier| verifier.account == bonded.account);
        let mut urls: Vec<&str> = own.map(|verifier| verifier.url.as_str()).collect();
        let said = bonded.url.as_str();
        if self.discover && is_address(said) && urls.iter().all(|url| !same_address(url, said)) {
            urls.push(said);
        }
        let to = |url: &str| Verifier {
            url: url.to_owned(),
            account: bonded.account,
            key: bonded.key,
        };
        urls.into_iter().map(to).collect()
    }
}

fn same_address(a: &str, b: &str) -> bool {
    a.trim_end_matches('/') == b.trim_end_matches('/')
}

/// Whether a stranger's text is an address that an agent can post to: plain HTTP, a host, and nothing that changes what is asked.
pub fn is_address(url: &str) -> bool {
    parsed(url).is_some()
}

/// Whether an address leads back into this machine, or to whatever is plugged into the same wire: a stranger on the ledger has no
/// business there.
pub fn is_inward(url: &str) -> bool {
    let Some(host) = parsed(url).and_then(|url| url.host_str().map(str::to_owned)) else {
        return true;
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    match bare.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => is_inward_v4(ip),
        Ok(IpAddr::V6(ip)) => match ip.to_ipv4_mapped() {
            Some(ip) => is_inward_v4(ip),
            None => ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || ip.is_unicast_link_local(),
        },
        Err(_) => bare.eq_ignore_ascii_case("localhost") || bare.to_ascii_lowercase().ends_with(".localhost"),
    }
}

fn is_inward_v4(ip: std::net::Ipv4Addr) -> bool {
    ip.is_loopback() || ip.is_unspecified() || ip.is_link_local() || ip.is_multicast() || ip.is_broadcast()
}

fn parsed(url: &str) -> Option<reqwest::Url> {
    if url.len() > URL_BYTES_MAX || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let url = reqwest::Url::parse(url).ok()?;
    let plain = url.scheme() == "http" && url.username().is_empty() && url.password().is_none();
    let bare = url.query().is_none() && url.fragment().is_none();
    (plain && bare && url.has_host() && url.port() != Some(0)).then_some(url)
}

/// What is kept of the ledger's list, so that it stays in force while no node answers.
pub fn keep(bonded: &[Bonded]) -> Vec<u8> {
    codec::encode(&bonded.to_vec())
}

/// A kept list; nothing when it is none.
pub fn kept(bytes: &[u8]) -> Option<Vec<Bonded>> {
    let bonded: Vec<Bonded> = codec::decode_canonical(bytes).ok()?;
    let accounts: BTreeSet<AccountId> = bonded.iter().map(|one| one.account).collect();
    let whole = accounts.len() == bonded.len() && bonded.iter().all(|one| one.url.len() <= URL_BYTES_MAX);
    whole.then_some(bonded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_types::SecretKey;

    fn account(number: u8) -> AccountId {
        AccountId([number; 32])
    }

    fn key(number: u8) -> PublicKey {
        SecretKey::ed25519([number; 32]).public()
    }

    fn bonded(number: u8, url: &str) -> Bonded {
        Bonded {
            account: account(number),
            key: key(number),
            url: url.to_owned(),
        }
    }

    fn of_settings(number: u8) -> Verifier {
        Verifier {
            url: format!("http://settings-{number}"),
            account: account(number),
            key: key(99),
        }
    }

    fn policy(own: &[u8], discover: bool, verifiers_max: usize, device: u8) -> Policy {
        Policy {
            own: own.iter().copied().map(of_settings).collect(),
            discover,
            verifiers_max,
            device: DeviceId([device; 32]),
        }
    }

    fn urls(routes: &Routes) -> Vec<&str> {
        routes.verifiers.iter().map(|verifier| verifier.url.as_str()).collect()
    }

    #[test]
    fn who_lost_its_bond_is_skipped_and_keys_are_the_ledgers() {
        let routes = policy(&[1, 2, 3], false, 8, 0).routes(&[
            bonded(3, ""),
            bonded(1, "http://told-1"),
            bonded(4, "http://told-4"),
        ]);
        assert_eq!(
            urls(&routes),
            ["http://settings-1", "http://settings-3"],
            "in the order of the settings"
        );
        assert_eq!(routes.skipped, [account(2)]);
        assert_eq!(routes.verifiers[0].key, key(1));
    }

    #[test]
    fn others_are_taken_up_as_far_as_there_is_room() {
        let listed: Vec<Bonded> = (1..=20).map(|at| bonded(at, &format!("http://told-{at}"))).collect();
        let routes = policy(&[1], true, 4, 0).routes(&listed);
        let accounts: BTreeSet<AccountId> = routes.verifiers.iter().map(|verifier| verifier.account).collect();
        assert_eq!(accounts.len(), 4);
        assert!(accounts.contains(&account(1)), "the settings' own stays among them");
        let both = urls(&routes);
        assert!(both.contains(&"http://settings-1") && both.contains(&"http://told-1"));
        assert!(policy(&[], true, 0, 0).routes(&listed).verifiers.is_empty());
    }

    #[test]
    fn without_an_address_nobody_is_taken_up() {
        let listed = [bonded(1, ""), bonded(2, "https://two"), bonded(3, "http://three")];
        assert_eq!(urls(&policy(&[], true, 8, 0).routes(&listed)), ["http://three"]);
    }

    #[test]
    fn many_agents_spread_over_all_verifiers() {
        let listed: Vec<Bonded> = (1..=5).map(|at| bonded(at, &format!("http://{at}"))).collect();
        let mut first: BTreeMap<AccountId, u32> = BTreeMap::new();
        for device in 0..=255 {
            let routes = policy(&[1], true, 8, device).routes(&listed);
            *first.entry(routes.verifiers[0].account).or_default() += 1;
        }
        assert_eq!(first.len(), 5);
        assert!(first.values().all(|count| (25..=80).contains(count)), "{first:?}");
    }

    #[test]
    fn one_that_joins_or_leaves_moves_only_those_who_had_it() {
        let all: Vec<Bonded> = (1..=5).map(|at| bonded(at, &format!("http://{at}"))).collect();
        for device in 0..50 {
            let of = |listed: &[Bonded]| policy(&[], true, 8, device).routes(listed).verifiers[0].account;
            let (before, after) = (of(&all), of(&all[..4]));
            assert!(before == after || before == account(5));
        }
    }

    #[test]
    fn only_plain_addresses_are_any() {
        for good in ["http://a", "http://10.0.0.7:8641/", "http://[2001:db8::1]:80/path"] {
            assert!(is_address(good), "{good}");
        }
        let long = format!("http://{}", "a".repeat(URL_BYTES_MAX));
        for bad in [
            "",
            "a",
            "https://a",
            "ftp://a",
            "http://",
            "http://me@a",
            "http://a?b",
            "http://a#b",
            "http://a:0",
            "http://a b",
            "http://\u{e4}",
            "file:///etc/passwd",
            &long,
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }

    #[test]
    fn a_stranger_does_not_send_an_agent_inward() {
        for inward in [
            "http://127.0.0.1:22",
            "http://127.1",
            "http://0.0.0.0",
            "http://2130706433",
            "http://localhost:80",
            "http://a.LOCALHOST.",
            "http://[::1]",
            "http://[::ffff:127.0.0.1]",
            "http://[fe80::1]",
            "http://169.254.169.254/latest",
            "nothing",
        ] {
            assert!(is_inward(inward), "{inward}");
        }
        for outward in ["http://10.0.0.7", "http://verifier.example.org", "http://[2001:db8::1]"] {
            assert!(!is_inward(outward), "{outward}");
        }
    }

    #[test]
    fn a_kept_list_reads_back_and_nonsense_is_none() {
        let listed = [bonded(1, "http://a"), bonded(2, "")];
        let bytes = keep(&listed);
        assert_eq!(kept(&bytes), Some(listed.to_vec()));
        assert_eq!(kept(&bytes[1..]), None);
        assert_eq!(kept(&keep(&[bonded(1, ""), bonded(1, "")])), None);
    }
}
