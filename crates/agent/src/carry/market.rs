//! Where an agent learns who pays for packets, and shows what it was promised. Everything that decides about money is the ledger's
//! word, which whoever implements this proves.

use super::account::Backing;
use super::wire::{Claim, Promise};
use cairn_types::{DeviceId, DeviceNumber, NetworkId};
use futures::future::BoxFuture;

/// A claim whose order is open, of the right network and shape, and whose signature is that of the order's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub claim: Claim,
    pub backing: Backing,
}

pub trait Market: Send + Sync {
    /// All that is wanted of a network now.
    fn wanted(&self, network: NetworkId) -> BoxFuture<'_, Result<Vec<Wanted>, String>>;
    /// The ledger's number of a device of ours.
    fn device(&self, device: DeviceId) -> BoxFuture<'_, Result<Option<DeviceNumber>, String>>;
    /// Hands the best promise of an order to whoever settles it.
    fn show(&self, promise: Promise) -> BoxFuture<'_, Result<(), String>>;
}
