//! What can go wrong between a program and a node: a code for the machine, a sentence for the person, a hint for the hand.

use cairn_engine::light::LightError;
use cairn_ledger::Reject;
use cairn_types::Hash;

/// Why there is no answer, or none to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    #[error("{0} is not the address of a node")]
    Address(String),
    #[error("the node cannot be reached: {0}")]
    Unreachable(String),
    #[error("the node has not answered in time")]
    TooSlow,
    #[error("{message}")]
    Refused {
        status: u16,
        code: String,
        /// The ledger's number of a refusal.
        number: Option<u16>,
        message: String,
        hint: String,
    },
    #[error("the node's answer is not what it should be: {0}")]
    Nonsense(&'static str),
    #[error("the node's answer is not proven: {0}")]
    Unproven(#[from] LightError),
    #[error("the node proves something else than was asked for: {0}")]
    OtherThing(&'static str),
    #[error("the node answers for height {height}, though {seen} was seen before")]
    Stale { height: u64, seen: u64 },
    #[error("nothing can be proven without a trust anchor")]
    NoAnchor,
    #[error("the account {0} does not exist")]
    NoAccount(Hash),
    #[error("transaction {0} is not final yet")]
    NotFinal(Hash),
}

impl ClientError {
    /// Stable, for programs.
    pub fn code(&self) -> &str {
        match self {
            Self::Address(_) => "bad_address",
            Self::Unreachable(_) => "unreachable",
            Self::TooSlow => "too_slow",
            Self::Refused { code, .. } => code,
            Self::Nonsense(_) => "nonsense",
            Self::Unproven(_) | Self::OtherThing(_) => "unproven",
            Self::Stale { .. } => "stale",
            Self::NoAnchor => "no_anchor",
            Self::NoAccount(_) => "no_account",
            Self::NotFinal(_) => "not_final",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &str {
        match self {
            Self::Address(_) => "write it like http://127.0.0.1:8640",
            Self::Unreachable(_) => "check that the node runs and that the address is right",
            Self::TooSlow => "try again; if it repeats, ask another node",
            Self::Refused { hint, .. } => hint,
            Self::Nonsense(_) => "check that the address is a node's, of the same version",
            Self::Unproven(_) | Self::OtherThing(_) => {
                "do not use this answer: the node is another chain's, broken, or lying"
            }
            Self::Stale { .. } => "ask another node: this one is behind",
            Self::NoAnchor => "give the client chain id, group key and genesis digest from a source you trust",
            Self::NoAccount(_) => "open it first",
            Self::NotFinal(_) => "wait for it again: submitting the same transaction twice is safe",
        }
    }

    /// The ledger's refusal, if it is one.
    pub fn reject(&self) -> Option<Reject> {
        match self {
            Self::Refused { number, .. } => number.and_then(|number| Reject::try_from(number).ok()),
            _ => None,
        }
    }

    /// Whether the same question may be answered a little later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Refused { status, .. } => matches!(status, 429 | 503),
            Self::TooSlow => true,
            _ => false,
        }
    }
}
