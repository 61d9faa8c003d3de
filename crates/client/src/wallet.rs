//! Who signs: an account's rule and secrets, its next nonce, and what it allows as a fee. Decides nothing about money.

use crate::error::ClientError;
use crate::node::NodeClient;
use crate::submit::Confirmed;
use cairn_ledger::account::Rule;
use cairn_ledger::genesis::{Fees, Genesis};
use cairn_ledger::tx::{Sponsor, fee};
use cairn_ledger::{Body, Reject, Signed, Transaction};
use cairn_types::{AccountId, ChainId, SecretKey, Token};

/// An account and the secrets that act for it. The nonce counts on by itself.
#[derive(Clone, Debug)]
pub struct Wallet {
    chain: ChainId,
    fees: Fees,
    account: AccountId,
    rule: Rule,
    secrets: Vec<SecretKey>,
    sponsor: Option<Sponsor>,
    /// For the next transaction; none before the node was asked.
    nonce: Option<u64>,
}

impl Wallet {
    /// The account that this one key opened.
    pub fn single(genesis: &Genesis, key: SecretKey) -> Self {
        let rule = Rule::single(key.public());
        Self::new(genesis, rule.account_id(), rule, vec![key])
    }

    /// An account whose rule in force is `rule`, with as many of its secrets as it asks for.
    pub fn new(genesis: &Genesis, account: AccountId, rule: Rule, secrets: Vec<SecretKey>) -> Self {
        Self {
            chain: genesis.chain.clone(),
            fees: genesis.fees,
            account,
            rule,
            secrets,
            sponsor: None,
            nonce: None,
        }
    }

    /// Lets a network pay the fees, from its allowance.
    pub fn sponsored_by(mut self, network: cairn_types::NetworkId) -> Self {
        self.sponsor = Some(Sponsor::Network(network));
        self
    }

    /// Starts counting at a known nonce: nobody is asked.
    pub fn starting_at(mut self, nonce: u64) -> Self {
        self.nonce = Some(nonce);
        self
    }

    pub fn account(&self) -> AccountId {
        self.account
    }

    /// What a body will cost.
    pub fn fee(&self, body: &Body) -> Token {
        fee(&self.fees, body)
    }

    /// A signed transaction with this nonce, allowing exactly the fee of genesis.
    pub fn sign(&self, nonce: u64, body: Body) -> Signed {
        let transaction = Transaction {
            chain: self.chain.clone(),
            account: self.account,
            nonce,
            fee_max: self.fee(&body),
            sponsor: self.sponsor,
            body,
        };
        transaction.sign_by(&self.rule, &self.secrets)
    }

    /// A signed transaction with the next nonce, if that is known.
    pub fn sign_next(&mut self, body: Body) -> Option<Signed> {
        let nonce = self.nonce?;
        self.nonce = Some(nonce.saturating_add(1));
        Some(self.sign(nonce, body))
    }
}

impl NodeClient {
    /// Signs with the wallet's next nonce, hands in and waits until it is final. A nonce that somebody else used with the
    /// same keys is asked for again, once.
    pub async fn send(&self, wallet: &mut Wallet, body: Body) -> Result<Confirmed, ClientError> {
        let fresh = wallet.nonce.is_none();
        match self.send_once(wallet, body.clone()).await {
            Err(error) if error.reject() == Some(Reject::NonceUsed) && !fresh => {
                wallet.nonce = None;
                self.send_once(wallet, body).await
            }
            sent => sent,
        }
    }

    async fn send_once(&self, wallet: &mut Wallet, body: Body) -> Result<Confirmed, ClientError> {
        let nonce = match wallet.nonce {
            Some(nonce) => nonce,
            None => match self.next_nonce(&wallet.account).await {
                // It is being opened.
                Err(ClientError::NoAccount(_)) if matches!(body, Body::OpenAccount(_)) => 1,
                asked => asked?,
            },
        };
        wallet.nonce = Some(nonce.saturating_add(1));
        let sent = self.submit_and_wait(&wallet.sign(nonce, body)).await;
        if sent.is_err() {
            // Whether the nonce was used is for the node to say.
            wallet.nonce = None;
        }
        sent
    }
}
