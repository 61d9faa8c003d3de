//! The words of Cairn as types: ids, money, time, cells, keys and the wire forms that everyone agrees on, byte for byte.
//!
//! Nothing here reads a clock, a disk or a socket, and nothing is computed in floats.
//! Modules stand in the order in which a report meets them.

pub mod attestation;
pub mod batch;
pub mod cell;
pub mod codec;
pub mod envelope;
pub mod finding;
pub mod hash;
pub mod ids;
pub mod intake;
pub mod keys;
pub mod merkle;
pub mod money;
pub mod passkey;
pub mod receipt;
pub mod time;

pub use attestation::{Attestation, EpochResult, PayoutLeaf};
pub use cell::CellId;
pub use envelope::{Envelope, Report};
pub use finding::{Finding, Reason, Span};
pub use hash::Hash;
pub use ids::{
    AccountId, AccountNumber, ChainId, DeviceId, DeviceNumber, EpochNumber, NetworkId, NetworkNumber, OrderId,
    ReportId, ValidatorKey,
};
pub use intake::{IntakeAnswer, IntakeRefusal};
pub use keys::{PublicKey, SecretKey, Signature};
pub use money::{BasisPoints, Credit, MicroUsd, Price, Token};
pub use receipt::Receipt;
pub use time::{EpochClock, TimeMs};
