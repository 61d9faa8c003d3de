//! What the ledger keeps, one kind of record a file. Plain values and their bytes; nothing here decides.

mod account;
mod chain;
mod device;
mod epoch;
mod network;
mod order;
mod supply;
mod verifier;

pub use account::{Account, AccountIndex, Issuer, PayoutChoice};
pub use chain::Chain;
pub use device::{Device, DeviceIndex, Membership, NETWORKS_PER_DEVICE_MAX, RosterEntry};
pub use epoch::{Epoch, ExchangeBook, Pool, PoolState, Roots, Settlement};
pub use network::{
    Network, NetworkIndex, PARAMETER_PAGE_BYTES, PARAMETERS_BYTES_MAX, ParameterPage, Terms, TermsVersion, Usage,
};
pub use order::{Order, OrderState};
pub use supply::{CreditSupply, Emission, Prices, StableSupply};
pub use verifier::{Unbonding, Verifier, VerifierIndex};
