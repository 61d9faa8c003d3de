//! Signs and sends what the gateway's account asks of the ledger, one transaction after the other: their nonces rise.

use crate::ledger::{Ledger, LedgerError};
use cairn_ledger::account::Rule;
use cairn_ledger::tx::{Body, Transaction};
use cairn_types::{AccountId, ChainId, SecretKey, Token};
use cairn_verifier::meters::{MeterRecord, SignedMeters};
use std::sync::{Arc, Mutex};

/// The account that serves orders. It pays fees and earns nothing.
#[derive(Clone)]
pub struct Identity {
    pub account: AccountId,
    /// Its rule in force.
    pub rule: Rule,
    /// Enough of the rule's keys.
    pub secrets: Vec<SecretKey>,
    /// The most one transaction may cost.
    pub fee_max: Token,
}

impl Identity {
    /// An account with one key that was never rotated.
    pub fn single(secret: SecretKey, fee_max: Token) -> Self {
        let rule = Rule::single(secret.public());
        Self {
            account: rule.account_id(),
            rule,
            secrets: vec![secret],
            fee_max,
        }
    }
}

pub struct Treasurer {
    ledger: Arc<dyn Ledger>,
    chain: ChainId,
    identity: Identity,
    /// The last nonce used; held while a transaction is on its way.
    nonce: Mutex<u64>,
}

impl Treasurer {
    pub fn new(ledger: Arc<dyn Ledger>, chain: ChainId, identity: Identity) -> Self {
        Self {
            ledger,
            chain,
            identity,
            nonce: Mutex::new(0),
        }
    }

    pub fn account(&self) -> &AccountId {
        &self.identity.account
    }

    /// Sends and waits until it is final. After `Unreachable` nobody knows whether it was.
    pub fn send(&self, body: Body) -> Result<(), LedgerError> {
        let identity = &self.identity;
        let mut last = self.nonce.lock().expect("no holder of the lock panics");
        let account = self.ledger.account(&identity.account)?;
        let account = account.ok_or_else(|| {
            LedgerError::Unreachable(format!("it has no account {} for this gateway yet", identity.account))
        })?;
        let nonce = account.nonce.max(*last).saturating_add(1);
        *last = nonce;
        let transaction = Transaction {
            chain: self.chain.clone(),
            account: identity.account,
            nonce,
            fee_max: identity.fee_max,
            sponsor: None,
            body,
        };
        self.ledger
            .submit(&transaction.sign_by(&identity.rule, &identity.secrets))
    }

    pub fn sign_meters(&self, record: MeterRecord) -> SignedMeters {
        record.sign_by(&self.chain, &self.identity.rule, &self.identity.secrets)
    }
}
