//! Where a verifier serves reports, archives and signatures: for devices and for other verifiers. The ledger never asks it.

use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::{Profile, Verifier};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::{AccountId, Token};
use minicbor::{CborLen, Decode, Encode};

/// Bytes of an address at most.
pub const URL_BYTES_MAX: usize = 128;

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct SetVerifierUrl {
    /// `http://` or `https://` and what follows, in printable ASCII; empty takes it back.
    #[n(0)]
    pub url: String,
}

impl SetVerifierUrl {
    pub(crate) fn reads(&self, sender: &AccountId) -> Vec<Key> {
        vec![Verifier::key(sender), Profile::key(sender)]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let verifier: Loaded<Verifier> = context.load(sender)?.ok_or(Reject::NotAVerifier)?;
        ensure(verifier.at_stake() > Token::ZERO, Reject::NotAVerifier)?;
        ensure(self.is_valid(), Reject::UrlInvalid)?;
        let before = context.load::<Profile>(sender)?;
        let mut profile = before.unwrap_or_else(|| Loaded::new(sender, Profile::default()));
        profile.url.clone_from(&self.url);
        context.save(&profile);
        context.emit(Event::VerifierUrlSet {
            verifier: *sender,
            url: self.url.clone(),
        });
        Ok(())
    }

    fn is_valid(&self) -> bool {
        let rest = self
            .url
            .strip_prefix("http://")
            .or_else(|| self.url.strip_prefix("https://"));
        let named = rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()));
        self.url.is_empty() || (named && self.url.len() <= URL_BYTES_MAX)
    }
}
