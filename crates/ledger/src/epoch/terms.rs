//! Terms set in the epoch that closes come into force with the next.

use super::networks::Closing;
use cairn_types::EpochNumber;

pub(super) fn advance(open: EpochNumber, networks: &mut [Closing]) {
    for closing in networks {
        if let Some(next) = closing.terms.next.filter(|next| next.from <= open.next()) {
            closing.terms.current = next;
            closing.terms.next = None;
        }
    }
}
