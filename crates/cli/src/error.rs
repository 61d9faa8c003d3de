//! What a command says when it fails: a sentence, a hint, and an exit code by kind, so that scripts can branch.

use std::fmt;

/// Kinds of failure. The number is the process's exit code and never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An audit or a check found a difference.
    Differs = 1,
    /// The command line makes no sense (clap's own code).
    Usage = 2,
    /// What was asked for does not exist.
    NotFound = 3,
    /// The ledger or a service refused, and would again.
    Refused = 4,
    /// Not enough token, stablecoin or credits.
    Insufficient = 5,
    /// A service does not answer, or answers nonsense.
    Unreachable = 6,
    /// A file or folder here cannot be read or written.
    Files = 7,
    /// The chain goes on by rules that this program does not know: another version of it does.
    Upgrade = 8,
    /// A defect of this program.
    Internal = 70,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Differs => "differs",
            Self::Usage => "usage",
            Self::NotFound => "not_found",
            Self::Refused => "refused",
            Self::Insufficient => "insufficient",
            Self::Unreachable => "unreachable",
            Self::Files => "files",
            Self::Upgrade => "upgrade",
            Self::Internal => "internal",
        }
    }
}

/// A failed command.
#[derive(Debug)]
pub struct Failure {
    pub kind: Kind,
    pub message: String,
    pub hint: Option<String>,
}

pub type Done = Result<(), Failure>;

impl Failure {
    pub fn new(kind: Kind, message: impl fmt::Display) -> Self {
        Self {
            kind,
            message: message.to_string(),
            hint: None,
        }
    }

    /// For scripts: `{"error": {"kind", "message", "hint"}}`.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({ "error": { "kind": self.kind.name(), "message": self.message, "hint": self.hint } })
    }

    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }
}

/// Turns any error into a failure of a kind, saying what was being done.
pub trait OrFail<T> {
    fn or_fail(self, kind: Kind, doing: impl fmt::Display) -> Result<T, Failure>;
}

impl<T, E: fmt::Display> OrFail<T> for Result<T, E> {
    fn or_fail(self, kind: Kind, doing: impl fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(kind, format!("{doing}: {error}")))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_as_a_sentence_and_a_hint() {
        let failure =
            Failure::new(Kind::Insufficient, "the account holds 5 credits, the query costs 9").hint("buy some");
        assert_eq!(
            failure.to_string(),
            "error: the account holds 5 credits, the query costs 9\nhint: buy some"
        );
        assert_eq!(failure.kind as i32, 5);
    }
}
