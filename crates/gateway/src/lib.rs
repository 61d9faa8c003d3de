//! The customer's side: quote → escrow → query → meter → settle.
//!
//! ```text
//! POST /v1/quotes  ─▶ query ─▶ source (archive, attested) ─▶ quote ─▶ price, terms          customer ─▶ ledger: open_order
//! POST /v1/queries ─▶ sale.check (order, voucher, same rows?) ─▶ journal (fsync) ─▶ meters ─▶ ledger: settle, close ─▶ export
//! GET  /v1/data     ─▶ API key ─▶ query ─▶ price ─▶ next voucher, journal (fsync) ─▶ export        settled once, when the key ends
//! POST /v1/claims   ─▶ streams: who wants which packets        POST /v1/promises ─▶ journal ─▶ the best one is settled when it is due
//! ```
//! Decisions are synchronous functions; ledger, archive, disk and the verifiers' door are traits, and the time is the ledger's.
//! It sells only what a quorum of verifiers attested and no dispute can replace any more, and never holds anybody's money.

pub mod limits;
pub mod refusal;

pub mod ledger;

pub mod query;
pub mod rows;
pub mod scan;
pub mod source;

pub mod quote;
pub mod sale;

pub mod api_key;
pub mod purse;

pub mod journal;
pub mod meters;
pub mod treasurer;

pub mod data;
pub mod gateway;
pub mod streams;

pub mod export;

pub mod faces;
pub mod openapi;
pub mod serve;

pub mod customer;

pub use gateway::Gateway;
pub use ledger::{Ledger, LedgerError};
pub use refusal::Refusal;
pub use serve::{Handle, Settings, StartError, start};
