//! Signs transactions for accounts of one key and hands them to the node of this process, with rising nonces.

use crate::error::{Failure, Kind};
use cairn_ledger::account::Rule;
use cairn_ledger::tx::{Body, Signed, Sponsor, Transaction};
use cairn_ledger::{Reject, view};
use cairn_node::{Final, NodeHandle, OutcomeError, SubmitError};
use cairn_types::{AccountId, ChainId, SecretKey, Token};
use std::sync::Arc;

/// The most a fee may be, in base units: a hundred whole tokens of six decimals.
const FEE_MAX: Token = Token(100_000_000);

#[derive(Clone)]
pub struct Wallet {
    node: Arc<NodeHandle>,
    chain: ChainId,
}

impl Wallet {
    pub fn new(node: Arc<NodeHandle>, chain: ChainId) -> Self {
        Self { node, chain }
    }

    /// Signs with the next nonce of the key's account.
    pub async fn sign(&self, key: &SecretKey, sponsor: Option<Sponsor>, body: Body) -> Result<Signed, Failure> {
        let account: AccountId = Rule::single(key.public()).account_id();
        let found = self.node.look(|store| view::account(store, &account)).await;
        let (_, found) = found.map_err(|error| Failure::new(Kind::Internal, error))?;
        let nonce = found.map_or(1, |account| account.nonce + 1);
        let transaction = Transaction {
            chain: self.chain.clone(),
            account,
            nonce,
            fee_max: FEE_MAX,
            sponsor,
            body,
        };
        Ok(transaction.sign(key))
    }

    /// Signs, hands in, and waits until it is final.
    pub async fn send(&self, key: &SecretKey, sponsor: Option<Sponsor>, body: Body) -> Result<Final, Failure> {
        let signed = self.sign(key, sponsor, body).await?;
        self.submit(&signed).await
    }

    pub async fn submit(&self, signed: &Signed) -> Result<Final, Failure> {
        self.node
            .submit_and_wait(signed.bytes())
            .await
            .map_err(|error| match error {
                OutcomeError::Refused(reject) | OutcomeError::Submit(SubmitError::Refused(reject)) => refused(reject),
                OutcomeError::Submit(error @ SubmitError::TooLong { .. }) => {
                    Failure::new(Kind::Refused, error).hint(Reject::TooLong.hint())
                }
                other => Failure::new(Kind::Refused, other),
            })
    }
}

/// The ledger's refusal as a failed command.
pub fn refused(reject: Reject) -> Failure {
    let kind = match reject {
        Reject::FeeUnaffordable
        | Reject::TokenInsufficient
        | Reject::StableInsufficient
        | Reject::CreditsInsufficient
        | Reject::BondInsufficient
        | Reject::TreasuryInsufficient
        | Reject::PotInsufficient => Kind::Insufficient,
        _ => Kind::Refused,
    };
    Failure::new(
        kind,
        format!("the ledger refuses ({}): {}", reject.code(), reject.sentence()),
    )
    .hint(reject.hint())
}
