//! What can be asked of the ledger and proven, under one name each: `account/<id>`, `pool/<network>/<epoch>`. The name fixes the key, so
//! a proof kept in a file cannot be passed off as the answer to another question.

use crate::error::ClientError;
use crate::verify::{self, Checked};
use cairn_engine::light::Anchor;
use cairn_ledger::records::{
    Account, Anchor as AnchorOf, Anchors, Device, Dispute, Epoch, Network, ParameterPage, Pool, Profile, Roots,
    RosterEntry, Settlement, SignerPage, Terms, Validator, Verifier,
};
use cairn_ledger::store::Key;
use cairn_ledger::view;
use cairn_types::{AccountId, DeviceId, EpochNumber, NetworkId};
use std::fmt;
use std::str::FromStr;

/// A record of the ledger by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    Account(AccountId),
    Device(DeviceId),
    Network(NetworkId),
    Terms(NetworkId),
    /// Network, version of its terms, page.
    Parameters(NetworkId, u32, u8),
    /// Network, entry.
    Roster(NetworkId, u32),
    Verifier(AccountId),
    /// What a verifier says of itself.
    Profile(AccountId),
    /// A validator, by its place in their list.
    Validator(u16),
    Epoch(EpochNumber),
    Pool(NetworkId, EpochNumber),
    Settlement(NetworkId, EpochNumber),
    Roots(NetworkId, EpochNumber),
    /// Who signed the settled result: network, epoch, page.
    Signers(NetworkId, EpochNumber, u8),
    /// The book of what verifiers anchored.
    Anchors(NetworkId, EpochNumber),
    /// One verifier's anchor, by its place in the order of arrival.
    Anchor(NetworkId, EpochNumber, u16),
    Dispute(NetworkId, EpochNumber),
}

impl Question {
    /// Where the ledger keeps the answer.
    pub fn key(&self) -> Key {
        match *self {
            Self::Account(id) => view::key::<Account>(&id),
            Self::Device(id) => view::key::<Device>(&id),
            Self::Network(id) => view::key::<Network>(&id),
            Self::Terms(id) => view::key::<Terms>(&id),
            Self::Parameters(id, version, page) => view::key::<ParameterPage>(&(id, version, page)),
            Self::Roster(id, entry) => view::key::<RosterEntry>(&(id, entry)),
            Self::Verifier(id) => view::key::<Verifier>(&id),
            Self::Profile(id) => view::key::<Profile>(&id),
            Self::Validator(place) => view::key::<Validator>(&place),
            Self::Epoch(epoch) => view::key::<Epoch>(&epoch),
            Self::Pool(id, epoch) => view::key::<Pool>(&(id, epoch)),
            Self::Settlement(id, epoch) => view::key::<Settlement>(&(id, epoch)),
            Self::Roots(id, epoch) => view::key::<Roots>(&(id, epoch)),
            Self::Signers(id, epoch, page) => view::key::<SignerPage>(&(id, epoch, page)),
            Self::Anchors(id, epoch) => view::key::<Anchors>(&(id, epoch)),
            Self::Anchor(id, epoch, place) => view::key::<AnchorOf>(&(id, epoch, place)),
            Self::Dispute(id, epoch) => view::key::<Dispute>(&(id, epoch)),
        }
    }

    /// Checks a proof of the answer: the record's bytes, or that there is none.
    pub fn check(&self, anchor: &Anchor, proof: &[u8]) -> Result<Checked<Option<Vec<u8>>>, ClientError> {
        verify::bytes(anchor, &self.key(), proof)
    }

    /// The kind of record, the first part of its name.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Account(_) => "account",
            Self::Device(_) => "device",
            Self::Network(_) => "network",
            Self::Terms(_) => "terms",
            Self::Parameters(..) => "parameters",
            Self::Roster(..) => "roster",
            Self::Verifier(_) => "verifier",
            Self::Profile(_) => "profile",
            Self::Validator(_) => "validator",
            Self::Epoch(_) => "epoch",
            Self::Pool(..) => "pool",
            Self::Settlement(..) => "settlement",
            Self::Roots(..) => "roots",
            Self::Signers(..) => "signers",
            Self::Anchors(..) => "anchors",
            Self::Anchor(..) => "anchor",
            Self::Dispute(..) => "dispute",
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word();
        match self {
            Self::Account(id) | Self::Verifier(id) | Self::Profile(id) => write!(out, "{word}/{id}"),
            Self::Device(id) => write!(out, "{word}/{id}"),
            Self::Network(id) | Self::Terms(id) => write!(out, "{word}/{id}"),
            Self::Parameters(id, version, page) => write!(out, "{word}/{id}/{version}/{page}"),
            Self::Roster(id, entry) => write!(out, "{word}/{id}/{entry}"),
            Self::Validator(place) => write!(out, "{word}/{place}"),
            Self::Epoch(epoch) => write!(out, "{word}/{epoch}"),
            Self::Pool(id, epoch)
            | Self::Settlement(id, epoch)
            | Self::Roots(id, epoch)
            | Self::Anchors(id, epoch)
            | Self::Dispute(id, epoch) => write!(out, "{word}/{id}/{epoch}"),
            Self::Signers(id, epoch, page) => write!(out, "{word}/{id}/{epoch}/{page}"),
            Self::Anchor(id, epoch, place) => write!(out, "{word}/{id}/{epoch}/{place}"),
        }
    }
}

/// A name that asks nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no record: a name is like account/<id> or pool/<network>/<epoch>")]
pub struct NoQuestion(String);

impl FromStr for Question {
    type Err = NoQuestion;

    fn from_str(name: &str) -> Result<Self, NoQuestion> {
        parse(name)
            .filter(|question| question.to_string() == name)
            .ok_or_else(|| NoQuestion(name.chars().take(200).collect()))
    }
}

fn parse(name: &str) -> Option<Question> {
    let parts: Vec<&str> = name.splitn(5, '/').collect();
    let [word, id, rest @ ..] = parts.as_slice() else {
        return None;
    };
    Some(match (*word, rest) {
        ("account", []) => Question::Account(id.parse().ok()?),
        ("device", []) => Question::Device(id.parse().ok()?),
        ("network", []) => Question::Network(id.parse().ok()?),
        ("terms", []) => Question::Terms(id.parse().ok()?),
        ("verifier", []) => Question::Verifier(id.parse().ok()?),
        ("profile", []) => Question::Profile(id.parse().ok()?),
        ("validator", []) => Question::Validator(id.parse().ok()?),
        ("epoch", []) => Question::Epoch(id.parse().ok()?),
        ("roster", [entry]) => Question::Roster(id.parse().ok()?, entry.parse().ok()?),
        ("pool", [epoch]) => Question::Pool(id.parse().ok()?, epoch.parse().ok()?),
        ("settlement", [epoch]) => Question::Settlement(id.parse().ok()?, epoch.parse().ok()?),
        ("roots", [epoch]) => Question::Roots(id.parse().ok()?, epoch.parse().ok()?),
        ("anchors", [epoch]) => Question::Anchors(id.parse().ok()?, epoch.parse().ok()?),
        ("dispute", [epoch]) => Question::Dispute(id.parse().ok()?, epoch.parse().ok()?),
        ("signers", [epoch, page]) => Question::Signers(id.parse().ok()?, epoch.parse().ok()?, page.parse().ok()?),
        ("anchor", [epoch, place]) => Question::Anchor(id.parse().ok()?, epoch.parse().ok()?, place.parse().ok()?),
        ("parameters", [version, page]) => {
            Question::Parameters(id.parse().ok()?, version.parse().ok()?, page.parse().ok()?)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_question_has_one_name_and_a_key_of_its_own() {
        let (account, device, network) = (AccountId([1; 32]), DeviceId([1; 32]), NetworkId([1; 32]));
        let epoch = EpochNumber(7);
        let all = [
            Question::Account(account),
            Question::Device(device),
            Question::Network(network),
            Question::Terms(network),
            Question::Parameters(network, 7, 0),
            Question::Roster(network, 7),
            Question::Verifier(account),
            Question::Profile(account),
            Question::Validator(7),
            Question::Epoch(epoch),
            Question::Pool(network, epoch),
            Question::Settlement(network, epoch),
            Question::Roots(network, epoch),
            Question::Signers(network, epoch, 0),
            Question::Anchors(network, epoch),
            Question::Anchor(network, epoch, 0),
            Question::Dispute(network, epoch),
        ];
        for question in all {
            assert_eq!(question.to_string().parse(), Ok(question));
        }
        let keys: BTreeSet<[u8; 33]> = all.iter().map(|question| question.key().0).collect();
        assert_eq!(keys.len(), all.len());
    }

    #[test]
    fn what_is_not_a_name_asks_nothing() {
        let id = "01".repeat(32);
        for name in [
            String::new(),
            "account".into(),
            "account/".into(),
            format!("account/{id}/"),
            format!("account/{}", &id[1..]),
            format!("accounts/{id}"),
            format!("pool/{id}"),
            format!("pool/{id}/07"),
            format!("pool/{id}/-1"),
            format!("pool/{id}/1/2/3/4"),
            format!("parameters/{id}/1/256"),
        ] {
            assert!(name.parse::<Question>().is_err(), "{name}");
        }
    }
}
