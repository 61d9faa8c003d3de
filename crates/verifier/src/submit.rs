//! Brings a result to the ledger and pushes its payouts until the cursor is at the end. Restartable anywhere: it reads where the
//! ledger stands and does what is left; what another verifier did meanwhile is as good.

#[cfg(test)]
mod tests;

use crate::chain::{Anchoring, Chain, ChainError};
use crate::exchange::Choice;
use crate::peers::Word;
use cairn_ledger::Reject;
use cairn_ledger::account::Rule;
use cairn_ledger::records::PoolState;
use cairn_ledger::tx::anchor_epoch::{AnchorEpoch, NetworkAnchor};
use cairn_ledger::tx::pay::{Choices, PAY_LEAVES_MAX, Pay, choice_hash};
use cairn_ledger::tx::settle_epoch::{ExchangeAttestation, SettleEpoch};
use cairn_ledger::tx::vote_dispute::VoteDispute;
use cairn_ledger::tx::{Body, Transaction};
use cairn_types::{AccountId, Attestation, EpochNumber, NetworkId, PayoutLeaf, SecretKey, Token, merkle};
use thiserror::Error;

/// Leaves of one payment: as many as there may be. The node's tests show that so many, each as long as one can be, with two proofs and the
/// signatures of seven keys, are one transaction, and that a block takes it.
const CHUNK_LEAVES: usize = PAY_LEAVES_MAX;

/// Why nobody signs what validators decided: it was done, it is too late, or there is no bond to sign with.
const SIGNED: [Reject; 4] = [
    Reject::VoteGiven,
    Reject::DisputeDecided,
    Reject::NotAVerifier,
    Reject::VerifiersFull,
];

/// Why a release must wait.
const WAITS: [Reject; 3] = [Reject::ReleaseTooEarly, Reject::ReleaseOutOfOrder, Reject::DisputeOpen];

/// Why an epoch is not settled or paid yet.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SubmitError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error("the ledger settled another result ({theirs}) than ours ({ours})")]
    OtherResult {
        ours: cairn_types::Hash,
        theirs: cairn_types::Hash,
    },
    #[error("the ledger settled this result with another exchange among its operators than ours")]
    OtherExchange,
    #[error("the ledger has no account {0}")]
    NoAccount(AccountId),
    #[error("the payout cursor does not move at {0}")]
    Stuck(u32),
}

/// The account in whose name a verifier submits.
#[derive(Clone)]
pub struct Submitter {
    pub account: AccountId,
    pub rule: Rule,
    pub keys: Vec<SecretKey>,
}

impl Submitter {
    /// An account with one key.
    pub fn single(key: SecretKey) -> Self {
        let rule = Rule::single(key.public());
        Self {
            account: rule.account_id(),
            rule,
            keys: vec![key],
        }
    }

    /// Signs a body and waits until it is final. Verifiers' transactions are free.
    pub fn submit(&self, chain: &dyn Chain, body: Body) -> Result<(), SubmitError> {
        let account = chain
            .account(&self.account)?
            .ok_or(SubmitError::NoAccount(self.account))?;
        let transaction = Transaction {
            chain: chain.facts()?.chain,
            account: self.account,
            nonce: account.nonce.saturating_add(1),
            fee_max: Token::ZERO,
            sponsor: None,
            body,
        };
        Ok(chain.submit(&transaction.sign_by(&self.rule, &self.keys))?)
    }
}

/// Anchors a verifier's reports of an epoch unless the ledger has its anchor already. `false`: it was too late.
pub fn anchor(
    chain: &dyn Chain,
    submitter: &Submitter,
    epoch: EpochNumber,
    anchor: NetworkAnchor,
) -> Result<bool, SubmitError> {
    let is_there = |anchoring: &Anchoring| anchoring.of(&submitter.account).is_some();
    let anchoring = chain.anchoring(&anchor.network, epoch)?;
    if is_there(&anchoring) || anchoring.has_ended {
        return Ok(is_there(&anchoring));
    }
    let anchors = vec![anchor];
    match submitter.submit(chain, Body::AnchorEpoch(AnchorEpoch { epoch, anchors })) {
        Ok(()) => Ok(true),
        // Refused because it is there already, or because the window ended meanwhile.
        Err(error) => match chain.anchoring(&anchor.network, epoch)? {
            anchoring if is_there(&anchoring) => Ok(true),
            anchoring if anchoring.has_ended => Ok(false),
            _ => Err(error),
        },
    }
}

/// What an epoch pays: its leaves, and their operators' choices if they exchange among themselves.
#[derive(Clone, Copy, Debug)]
pub struct Payouts<'a> {
    pub network: NetworkId,
    pub epoch: EpochNumber,
    pub leaves: &'a [PayoutLeaf],
    /// One for each leaf.
    pub choices: Option<&'a [Choice]>,
}

/// Settles a result unless the ledger has it already.
pub fn settle(
    chain: &dyn Chain,
    submitter: &Submitter,
    attestation: &Attestation,
    exchange: Option<&ExchangeAttestation>,
) -> Result<(), SubmitError> {
    let result = &attestation.result;
    if is_settled(chain, attestation, exchange)? {
        return Ok(());
    }
    let body = Body::SettleEpoch(SettleEpoch {
        attestation: attestation.clone(),
        exchange: exchange.cloned(),
    });
    match submitter.submit(chain, body) {
        Ok(()) => Ok(()),
        // Refused because it is there already: somebody was faster, or we are told late of our own success.
        Err(error) => match chain.settlement(&result.network, result.epoch)? {
            Some(_) if is_settled(chain, attestation, exchange)? => Ok(()),
            _ => Err(error),
        },
    }
}

/// Signs what validators decided in the verifiers' stead, for our share of the verifiers' part. Once is enough, and more does no harm.
pub fn sign(chain: &dyn Chain, submitter: &Submitter, word: &Word) -> Result<(), SubmitError> {
    let vote = VoteDispute {
        result: word.result().clone(),
        exchange: word.exchange.as_ref().map(|attested| attested.exchange),
        blame: false,
    };
    match submitter.submit(chain, Body::VoteDispute(vote)) {
        Err(SubmitError::Chain(ChainError::Refused { code, .. }))
            if SIGNED.iter().any(|reject| reject.code() == code) =>
        {
            Ok(())
        }
        signed => signed,
    }
}

/// Whether the ledger settled this; an error when it settled something else.
pub fn is_settled(
    chain: &dyn Chain,
    attestation: &Attestation,
    exchange: Option<&ExchangeAttestation>,
) -> Result<bool, SubmitError> {
    let result = &attestation.result;
    let Some(settlement) = chain.settlement(&result.network, result.epoch)? else {
        return Ok(false);
    };
    let ours = result.hash();
    if settlement.result != ours {
        return Err(SubmitError::OtherResult {
            ours,
            theirs: settlement.result,
        });
    }
    let theirs = chain.exchange(&result.network, result.epoch)?;
    let theirs = theirs.map(|book| (book.offers, book.choices));
    let ours = exchange.map(|ours| (ours.exchange.offers, ours.exchange.choices));
    if ours == theirs {
        Ok(true)
    } else {
        Err(SubmitError::OtherExchange)
    }
}

/// Releases a settled epoch unless it is released already. `false`: it must wait, for the end of its window, for a decision, or for an
/// earlier epoch.
pub fn release(
    chain: &dyn Chain,
    submitter: &Submitter,
    network: &NetworkId,
    epoch: EpochNumber,
) -> Result<bool, SubmitError> {
    let waits = || {
        let closed = chain.closed(network, epoch)?;
        Ok::<_, ChainError>(closed.is_some_and(|closed| closed.pool.state == PoolState::Settled))
    };
    if !waits()? {
        return Ok(true);
    }
    let body = Body::Pay(Pay::releasing(*network, epoch));
    match submitter.submit(chain, body) {
        Ok(()) => Ok(true),
        Err(SubmitError::Chain(ChainError::Refused { code, .. })) if WAITS.iter().any(|wait| wait.code() == code) => {
            Ok(false)
        }
        // Refused because somebody else released it meanwhile.
        Err(error) => match waits()? {
            false => Ok(true),
            true => Err(error),
        },
    }
}

/// Pays the leaves the cursor has not passed. Returns how many payments it made.
pub fn pay(chain: &dyn Chain, submitter: &Submitter, payouts: &Payouts<'_>) -> Result<u32, SubmitError> {
    pay_in_chunks(chain, submitter, payouts, CHUNK_LEAVES)
}

fn pay_in_chunks(
    chain: &dyn Chain,
    submitter: &Submitter,
    payouts: &Payouts<'_>,
    chunk: usize,
) -> Result<u32, SubmitError> {
    let Payouts {
        network,
        epoch,
        leaves,
        choices,
    } = *payouts;
    let tree = merkle::Tree::new(leaves.iter().map(PayoutLeaf::hash).collect());
    let choices_tree =
        choices.map(|choices| merkle::Tree::new(choices.iter().map(|wants| choice_hash(*wants)).collect()));
    let mut payments = 0;
    let mut stuck_at = None;
    loop {
        let cursor = chain
            .settlement(&network, epoch)?
            .map_or(0, |settlement| settlement.cursor);
        let start = cursor as usize;
        if start >= leaves.len() {
            return Ok(payments);
        }
        let end = leaves.len().min(start + chunk);
        let prove = |tree: &merkle::Tree| {
            tree.prove(start as u64, end as u64)
                .expect("a range inside the leaves, which have a choice each")
        };
        let body = Body::Pay(Pay {
            network,
            epoch,
            leaves: leaves[start..end].to_vec(),
            proof: prove(&tree),
            choices: choices.zip(choices_tree.as_ref()).map(|(choices, tree)| Choices {
                wants: choices[start..end].to_vec(),
                proof: prove(tree),
            }),
        });
        let paid = submitter.submit(chain, body);
        if stuck_at == Some(cursor) {
            // The second time at one place it is not somebody else who moved the cursor meanwhile.
            return Err(paid.err().unwrap_or(SubmitError::Stuck(cursor)));
        }
        payments += u32::from(paid.is_ok());
        stuck_at = Some(cursor);
    }
}
