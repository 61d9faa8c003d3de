//! What happened, in sentences: every kind of transaction and event, refusals of reports, figures. Never branches on words, and
//! decides nothing.

mod definitions;
mod device;
mod event;
mod figures;
mod report;
mod transaction;

pub use definitions::{DEVICE, NETWORK, OPERATOR, OVERVIEW, SERIES};
pub use device::{Situation, advice, alert};
pub use event::event;
pub use figures::{Words, decimal, dollars, signed_decimal};
pub use report::{chart, finding_sentence, quantity, quantity_sentence, reason, span_sentence};
pub use transaction::{KINDS, kind, transaction};
