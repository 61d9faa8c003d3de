//! What a customer is told when something is refused: a code for the machine, a sentence for the person, a hint for the hand.

use crate::ledger::LedgerError;
use crate::query::QueryError;
use crate::source::SourceError;
use cairn_types::{Credit, TimeMs};

/// Kinds of refusal; each has its HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Invalid,
    Unauthorized,
    Insufficient,
    Forbidden,
    NotFound,
    Conflict,
    TooLarge,
    Busy,
    Unavailable,
    Internal,
}

/// A refusal of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub kind: Kind,
    /// Never changes its meaning.
    pub code: &'static str,
    pub message: String,
    pub hint: String,
}

impl Refusal {
    pub fn new(kind: Kind, code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            message: message.into(),
            hint: hint.into(),
        }
    }

    pub fn credits_insufficient(has: Credit, needs: Credit) -> Self {
        let lacks = needs.saturating_sub(has);
        Self::new(
            Kind::Insufficient,
            "credits_insufficient",
            format!("the account has {has} credits, the query costs {needs}"),
            format!(
                "buy at least {lacks} credits (1 credit = 1 micro-dollar): cairn credits buy --stable {}.{:06}",
                lacks.0 / 1_000_000,
                lacks.0 % 1_000_000
            ),
        )
    }

    pub fn nothing_found(available_until: TimeMs) -> Self {
        Self::new(
            Kind::NotFound,
            "nothing_found",
            "no accepted reading matches the query",
            format!("ask for other cells or times; data is sold until {available_until}"),
        )
    }

    pub fn quote_again(message: impl Into<String>, returns: TimeMs) -> Self {
        Self::new(
            Kind::Conflict,
            "quote_again",
            message,
            format!(
                "nothing was paid; ask for a quote again and open another order, what this one holds returns at {returns}"
            ),
        )
    }

    /// The order's money has moved, and the data found now is not what it moved for.
    pub fn paid_for_other_data() -> Self {
        Self::new(
            Kind::Conflict,
            "paid_for_other_data",
            "the order is paid, and what it was paid for is not what this query gives",
            "ask with the query of the quote; if it is that one, this gateway does not have the data any more that it sold: ask its \
             operator, and buy the present data with another order",
        )
    }

    /// Nothing is lost: the same request later finishes what was begun.
    pub fn ask_again(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(
            Kind::Unavailable,
            code,
            message,
            "send the same request again in a few seconds; nothing is paid twice",
        )
    }
}

impl From<LedgerError> for Refusal {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Unreachable(_) => Self::ask_again("ledger_unreachable", error.to_string()),
            LedgerError::Refused { .. } => Self::new(
                Kind::Conflict,
                "ledger_refused",
                error.to_string(),
                "look at the order (cairn account show), then ask for a quote again",
            ),
        }
    }
}

impl From<QueryError> for Refusal {
    fn from(error: QueryError) -> Self {
        Self::new(
            Kind::Invalid,
            "query_invalid",
            error.to_string(),
            "correct the query and ask again",
        )
    }
}

impl From<SourceError> for Refusal {
    fn from(error: SourceError) -> Self {
        let message = error.to_string();
        match error {
            SourceError::TooManyRows(_) | SourceError::TooManyDevices => Self::new(
                Kind::TooLarge,
                "too_many_rows",
                message,
                "ask for fewer cells or a shorter time",
            ),
            SourceError::Stopped => Self::new(
                Kind::Unavailable,
                "too_slow",
                message,
                "ask for a shorter time; what was read stays at hand for a while",
            ),
            SourceError::Ledger(error) => error.into(),
            SourceError::Archive(_) | SourceError::Differs { .. } => Self::new(
                Kind::Internal,
                "archive_wrong",
                message,
                "the gateway's operator must mend its archive; nothing was paid",
            ),
        }
    }
}
