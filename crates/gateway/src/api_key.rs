//! An API key: an order's id and the secret of its voucher key, as one text that a program pastes into a header. Who has it can spend what
//! the order holds, and nothing else. Pure; the secret is wiped when dropped, and in no error and no debug output.
//!
//! ```text
//! cairn_ ‖ base64url without padding of (order id, 32 bytes ‖ Ed25519 secret, 32 bytes)          92 letters, one form
//! ```

use crate::refusal::{Kind, Refusal};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cairn_ledger::records::Order;
use cairn_types::{AccountId, ChainId, Hash, NetworkId, OrderId, SecretKey, hash};
use std::str::FromStr;
use thiserror::Error;
use zeroize::Zeroizing;

/// The tag of orders that API keys spend. What verticals sell has the tags before it: query, stream, lease, task, trade.
pub const SHAPE_KEY: u8 = 5;

const PREFIX: &str = "cairn_";
const PART_BYTES: usize = 32;
const DIGITS: usize = 86;

/// An order and the secret that signs its vouchers.
#[derive(Clone)]
pub struct ApiKey {
    pub order: OrderId,
    secret: SecretKey,
}

/// A text that is no API key. Says nothing of the text: it may be one, misspelt.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("an API key is cairn_ and 86 letters, digits, - and _, and nothing else")]
pub struct NotAKey;

impl ApiKey {
    pub fn new(order: OrderId, secret: [u8; 32]) -> Self {
        Self {
            order,
            secret: SecretKey::ed25519(secret),
        }
    }

    pub fn secret(&self) -> &SecretKey {
        &self.secret
    }

    /// The text, for its owner.
    pub fn text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; 2 * PART_BYTES]);
        bytes[..PART_BYTES].copy_from_slice(&self.order.0);
        bytes[PART_BYTES..].copy_from_slice(self.secret.secret_bytes().as_slice());
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + DIGITS));
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(bytes.as_slice(), &mut text);
        text
    }
}

impl FromStr for ApiKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let digits = text.strip_prefix(PREFIX).ok_or(NotAKey)?;
        if digits.len() != DIGITS {
            return Err(NotAKey);
        }
        // The library asks for room for what it estimates, which is more.
        let mut bytes = Zeroizing::new([0; 3 * PART_BYTES]);
        let read = URL_SAFE_NO_PAD.decode_slice(digits, bytes.as_mut_slice());
        if read != Ok(2 * PART_BYTES) {
            return Err(NotAKey);
        }
        let part = |at: usize| {
            let mut part = [0; PART_BYTES];
            part.copy_from_slice(&bytes[at..at + PART_BYTES]);
            part
        };
        Ok(Self::new(OrderId(part(0)), part(PART_BYTES)))
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApiKey(of {})", self.order)
    }
}

/// What an order that an API key spends is bound to: whoever serves it, and what of.
pub fn terms(chain: &ChainId, provider: &AccountId, network: &NetworkId) -> Hash {
    let parts: [&[u8]; 3] = [chain.as_str().as_bytes(), &provider.0, &network.0];
    hash::domain("cairn/key-terms/1", &parts)
}

/// Whether a key is that of its order, and the order this gateway's. Nothing is said of the order before the secret was right.
pub fn check(key: &ApiKey, order: &Order, chain: &ChainId, provider: &AccountId) -> Result<(), Refusal> {
    let refuse = |kind, code, message: &str, hint: &str| Err(Refusal::new(kind, code, message, hint));
    if key.secret.public() != order.voucher_key {
        return refuse(
            Kind::Unauthorized,
            "key_wrong",
            "the API key is not that of its order",
            "paste the whole key as `cairn api-key open` printed it",
        );
    }
    if order.provider != *provider {
        return refuse(
            Kind::Forbidden,
            "other_provider",
            "the API key is for another gateway",
            "ask the gateway whose account its order names",
        );
    }
    if order.shape != SHAPE_KEY || order.terms != terms(chain, provider, &order.network) {
        return refuse(
            Kind::Conflict,
            "no_key",
            "the order is for something else than an API key",
            "open one with `cairn api-key open`",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ApiKey {
        ApiKey::new(OrderId([7; 32]), [9; 32])
    }

    #[test]
    fn a_key_is_read_as_it_was_written() {
        let text = key().text();
        assert_eq!(
            text.as_str(),
            "cairn_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQ"
        );
        let read: ApiKey = text.parse().unwrap();
        assert_eq!((read.order, read.secret.public()), (key().order, key().secret.public()));
    }

    #[test]
    fn a_key_has_one_form() {
        let text = key().text();
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        // Of the last letter two bits count; its other forms would mean the same bytes.
        let ends = letters.iter().map(|letter| {
            let mut text = text.as_bytes().to_vec();
            text[PREFIX.len() + DIGITS - 1] = *letter;
            String::from_utf8(text).unwrap()
        });
        let read: Vec<String> = ends.filter(|text| text.parse::<ApiKey>().is_ok()).collect();
        assert_eq!(read.len(), 4);
        let longer = format!("{}A", text.as_str());
        let padded = format!("{}==", text.as_str());
        let other = text.replace("cairn_", "Cairn_");
        let spaced = format!(" {}", text.as_str());
        let plus = text.replacen('B', "+", 1);
        let wide = format!("cairn_{}", "é".repeat(43));
        for bad in [
            "",
            "cairn_",
            &text[..91],
            &longer,
            &padded,
            &other,
            &spaced,
            &plus,
            &wide,
            &text[6..],
        ] {
            assert_eq!(bad.parse::<ApiKey>().err(), Some(NotAKey), "{bad}");
        }
    }

    #[test]
    fn a_key_never_prints_its_secret() {
        let shown = format!("{:?} {NotAKey}", key());
        assert!(!shown.contains("CQkJ") && !shown.contains("0909"), "{shown}");
    }

    #[test]
    fn other_terms_have_another_hash() {
        let of = |chain: &str, provider, network| {
            terms(
                &chain.parse().unwrap(),
                &AccountId([provider; 32]),
                &NetworkId([network; 32]),
            )
        };
        let all = [of("one", 1, 1), of("two", 1, 1), of("one", 2, 1), of("one", 1, 2)];
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
        assert_eq!(
            all[0].to_string(),
            "7fac551f51c939b846a4657688418e7127985c6a5a4e1b032bc7ae679b885d33",
            "as other programs make it"
        );
    }
}
