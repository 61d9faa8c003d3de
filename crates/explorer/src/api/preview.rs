//! What a transaction is and would come to: tried by the ledger's own rules on the index, which it does not change. One that is not signed is
//! tried as if whoever must had signed, so that a refusal is seen before anybody signs. Nothing is submitted here.

use super::ApiError;
use super::ask::{Answer, Ask, text};
use super::blocks::refusal;
use crate::index::Reader;
use crate::words;
use cairn_ledger::account::{Rule, Witness};
use cairn_ledger::records::Account;
use cairn_ledger::store::{Missing, Store};
use cairn_ledger::tx::{Body, Sponsor, check};
use cairn_ledger::{Ledger, Reject, Signed, Transaction, view};
use cairn_node::faces::event as event_fields;
use cairn_types::{AccountId, SecretKey, codec};
use serde_json::{Value, json};

/// How a transaction was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tried {
    /// As it is, with its signatures.
    Signed,
    /// As if whoever must had signed.
    WithoutSignatures,
    /// Only as far as no state is needed: whose account would be opened is not known without its rule.
    No,
}

impl Tried {
    fn name(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::WithoutSignatures => "without_signatures",
            Self::No => "no",
        }
    }
}

/// What is tried, and for which accounts somebody stands in.
struct Trial {
    signed: Signed,
    tried: Tried,
    /// What is refused without any state.
    refusal: Option<Reject>,
    stands_in: Vec<AccountId>,
}

/// Whose signatures stand for those that are missing while a transaction is tried. No secret: nothing is ever submitted with it.
fn stand_in() -> SecretKey {
    SecretKey::ed25519([0x5a; 32])
}

impl Trial {
    /// Of a signed transaction, of one with its rule and no signatures, or of the transaction alone.
    fn of(bytes: &[u8]) -> Option<Self> {
        if let Ok(signed) = minicbor::decode::<Signed>(bytes) {
            let refusal = check(&[bytes]).into_iter().next().and_then(Result::err);
            return Some(match refusal {
                None => Self::as_it_is(signed, None),
                Some(refusal) if is_of_signing(refusal, &signed) => {
                    Self::as_if_signed(signed.transaction, Some(signed.witness), signed.sponsor)
                }
                other => Self::as_it_is(signed, other),
            });
        }
        let transaction: Transaction = minicbor::decode(bytes).ok()?;
        Some(Self::as_if_signed(transaction, None, None))
    }

    fn as_it_is(signed: Signed, refusal: Option<Reject>) -> Self {
        Self {
            tried: match signed.witness.signatures.is_empty() {
                true => Tried::WithoutSignatures,
                false => Tried::Signed,
            },
            signed,
            refusal,
            stands_in: Vec::new(),
        }
    }

    /// What needs no state is looked at with signatures that hold, by whoever stands in; then rules that were shown are held against the
    /// ledger's.
    fn as_if_signed(transaction: Transaction, shown: Option<Witness>, sponsor_shown: Option<Witness>) -> Self {
        let named = match transaction.sponsor {
            Some(Sponsor::Account(sponsor)) => Some(sponsor),
            _ => None,
        };
        let account = transaction.account;
        let key = stand_in();
        let rule = Rule::single(key.public());
        let keys = std::slice::from_ref(&key);
        let mut signed = transaction.sign_by(&rule, keys);
        if named.is_some() {
            signed = signed.sponsored_by(&rule, keys);
        }
        let opens = matches!(signed.transaction.body, Body::OpenAccount(_));
        let mut refusal = check(&[&signed.bytes()]).into_iter().next().and_then(Result::err);
        let rules = shown.iter().chain(&sponsor_shown).map(|witness| &witness.rule);
        if rules.into_iter().any(|rule| !rule.is_valid()) {
            refusal = refusal.or(Some(Reject::RuleInvalid));
        }
        if named.is_none() && sponsor_shown.is_some() {
            refusal = refusal.or(Some(Reject::SponsorWitnessWrong));
        }
        let tried = match opens && shown.is_none() {
            true => Tried::No,
            false => Tried::WithoutSignatures,
        };
        let mut stands_in = Vec::new();
        match shown {
            Some(witness) => signed.witness = witness,
            None => stands_in.push(account),
        }
        match (sponsor_shown, named) {
            (Some(witness), _) => signed.sponsor = Some(witness),
            (None, named) => stands_in.extend(named),
        }
        Self {
            signed,
            tried,
            refusal,
            stands_in,
        }
    }

    /// For whom somebody stands in, that rule is in force: in what the trial sees, and nowhere else.
    fn let_in(&self, store: &mut dyn Store) -> Result<(), Missing> {
        let rule = Rule::single(stand_in().public()).hash();
        for id in &self.stands_in {
            if let Some(account) = view::account(store, id)? {
                let account = Account { rule, ..account };
                store.put(view::key::<Account>(id), codec::encode(&account));
            }
        }
        Ok(())
    }
}

/// Whether somebody has yet to sign.
fn is_of_signing(reject: Reject, signed: &Signed) -> bool {
    match reject {
        Reject::SignaturesIncomplete
        | Reject::SignatureWrong
        | Reject::AssertionsIncomplete
        | Reject::AssertionWrong => true,
        Reject::SponsorWitnessWrong => signed.sponsor.is_none(),
        _ => false,
    }
}

pub fn preview(ask: &mut Ask<'_>, bytes: &[u8]) -> Answer<Value> {
    let unreadable = || {
        ApiError::bad(
            "bad_body",
            "these bytes are no transaction",
            "send its CBOR in hexadecimal digits",
        )
    };
    let trial = Trial::of(bytes).ok_or_else(unreadable)?;
    let transaction = &trial.signed.transaction;
    let ledger = Ledger::new((*ask.shared.genesis).clone());
    let ledger = ledger.map_err(|_| ApiError::unavailable("the genesis cannot be used"))?;
    let fee = cairn_ledger::tx::fee(&ledger.genesis().fees, &transaction.body);
    let at = ask
        .at
        .clone()
        .ok_or_else(|| ApiError::unavailable("nothing is indexed yet"))?;
    let block = cairn_ledger::Block {
        height: at.height + 1,
        time: at.time.max(ask.shared.now()),
        beacon: None,
    };
    let words = ask.words();
    let mut events = Vec::new();
    let mut refused = trial.refusal;
    if refused.is_none() && trial.tried != Tried::No {
        // What it writes stays with the reader.
        let tried = Reader::new(ask.session).look(|store| {
            trial.let_in(store)?;
            ledger.apply(store, &block, &trial.signed, &mut events)
        })?;
        refused = tried.err();
    }
    let faces: Vec<Value> = (0u32..)
        .zip(&events)
        .map(|(index, event)| {
            let (kind, fields) = event_fields(event);
            json!({
                "height": block.height, "index": index, "time": block.time.to_string(), "transaction": transaction.id().to_string(),
                "kind": kind, "sentence": words::event(event, words), "fields": fields,
            })
        })
        .collect();
    Ok(json!({
        "id": transaction.id().to_string(), "kind": words::kind(&transaction.body),
        "sentence": words::transaction(&transaction.body, words), "fee": text(fee.0), "accepted": refused.is_none(),
        "tried": trial.tried.name(), "events": faces, "refusal": refused.map(refusal), "at": ask.place(),
    }))
}
