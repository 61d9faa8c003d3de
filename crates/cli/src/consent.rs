//! Asking the person at the terminal before something that costs or cannot be undone. Without one there is no consent.

use crate::error::{Done, Failure, Kind, OrFail};
use std::io::{BufRead, IsTerminal};

/// Asks the person at the terminal, if there is one.
pub fn asks(question: &str) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(false);
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.or_fail(Kind::Files, "standard input")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Goes on when `--yes` was said, or the person at the terminal says so.
pub fn must_agree(yes: bool, fact: &str, question: &str) -> Done {
    if yes || asks(&format!("{fact}. {question}"))? {
        return Ok(());
    }
    Err(Failure::new(Kind::Refused, format!("{fact}; nothing was done")).hint("say that it is meant with --yes"))
}
