//! Who plays in the demo: accounts and devices with keys from a public seed, so that every run of the same data has the same roots.
//! Nobody may ever use these keys for anything else: whoever reads this file has them.

use cairn_ledger::account::Rule;
use cairn_types::{AccountId, SecretKey, hash};

/// One account of the demo.
#[derive(Clone)]
pub struct Person {
    pub key: SecretKey,
    pub account: AccountId,
}

impl Person {
    fn new(role: &str, name: &str) -> Self {
        let key = secret(role, name);
        let account = Rule::single(key.public()).account_id();
        Self { key, account }
    }
}

/// Everybody but the devices.
pub struct People {
    pub founder: Person,
    pub verifier: Person,
    pub issuer: Person,
    pub gateway: Person,
    pub customer: Person,
    /// One for each station, in their order.
    pub operators: Vec<Person>,
}

impl People {
    pub fn of<'a>(stations: impl Iterator<Item = &'a str>) -> Self {
        let one = |role| Person::new(role, "");
        Self {
            founder: one("founder"),
            verifier: one("verifier"),
            issuer: one("issuer"),
            gateway: one("gateway"),
            customer: one("customer"),
            operators: stations.map(|name| Person::new("operator", name)).collect(),
        }
    }
}

/// The secret key of a station's device.
pub fn device(station: &str) -> SecretKey {
    secret("device", station)
}

fn secret(role: &str, name: &str) -> SecretKey {
    SecretKey::ed25519(hash::domain("cairn/demo-key/1", &[role.as_bytes(), name.as_bytes()]).0)
}
