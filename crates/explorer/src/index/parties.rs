//! Whom an event is about: what it can be found by. A new event does not compile until it is named here.

use cairn_ledger::Event;
use cairn_types::{AccountId, DeviceId, NetworkId, OrderId};

/// The network, the accounts and the device of an event; the first account is whom it is listed under.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parties {
    pub network: Option<NetworkId>,
    pub accounts: Vec<AccountId>,
    pub device: Option<DeviceId>,
    pub order: Option<OrderId>,
}

impl Parties {
    fn of_accounts<const N: usize>(accounts: [&AccountId; N]) -> Self {
        Self {
            accounts: accounts.into_iter().copied().collect(),
            ..Self::default()
        }
    }

    fn of_network(network: &NetworkId) -> Self {
        Self {
            network: Some(*network),
            ..Self::default()
        }
    }

    fn of_device(device: &DeviceId) -> Self {
        Self {
            device: Some(*device),
            ..Self::default()
        }
    }

    fn of_order(order: &OrderId) -> Self {
        Self {
            order: Some(*order),
            ..Self::default()
        }
    }

    fn with<const N: usize>(mut self, accounts: [&AccountId; N]) -> Self {
        self.accounts.extend(accounts);
        self
    }

    fn in_network(mut self, network: &NetworkId) -> Self {
        self.network = Some(*network);
        self
    }
}

pub fn parties(event: &Event) -> Parties {
    match event {
        Event::GenesisWritten { .. }
        | Event::PriceAccepted { .. }
        | Event::EpochClosed { .. }
        | Event::BeaconRevealed { .. }
        | Event::ValidatorRemoved { .. }
        | Event::UpgradeAnnounced { .. }
        | Event::UpgradeWithdrawn { .. }
        | Event::UpgradeTookEffect { .. } => Parties::default(),
        Event::FeePaid { payer: account, .. }
        | Event::AccountOpened { account, .. }
        | Event::KeysRotated { account, .. }
        | Event::PayoutChoiceSet { account, .. }
        | Event::CreditsBought { account, .. }
        | Event::CreditsRefunded { account, .. }
        | Event::TokenSoldBack { account, .. }
        | Event::VerifierBonded { verifier: account, .. }
        | Event::VerifierUnbonding { verifier: account, .. }
        | Event::VerifierUnbonded { verifier: account, .. }
        | Event::VerifierUrlSet { verifier: account, .. }
        | Event::PricePosted { verifier: account, .. }
        | Event::ValidatorVoted { validator: account, .. }
        | Event::ValidatorAdded { account, .. }
        | Event::UpgradeVoted { validator: account, .. } => Parties::of_accounts([account]),
        Event::Transferred { from, to, .. } => Parties::of_accounts([from, to]),
        Event::StableIssued { issuer, to, .. } => Parties::of_accounts([to, issuer]),
        Event::StableRedeemed { issuer, from, .. } => Parties::of_accounts([from, issuer]),
        Event::VerifierSlashed { verifier, reporter, .. } => Parties::of_accounts([verifier, reporter]),
        Event::AllowanceSpent { network, .. }
        | Event::TermsSet { network, .. }
        | Event::NetworkClosing { network, .. }
        | Event::PoolFixed { network, .. }
        | Event::EpochSettled { network, .. }
        | Event::EpochExpired { network, .. }
        | Event::LeavesPaid { network, .. }
        | Event::PayoutsCompleted { network, .. }
        | Event::EpochReleased { network, .. }
        | Event::DisputeDecided { network, .. }
        | Event::SettlementWithdrawn { network, .. } => Parties::of_network(network),
        Event::ReceiptBroken { network, verifier, .. } | Event::EpochAnchored { network, verifier, .. } => {
            Parties::of_network(network).with([verifier])
        }
        Event::NetworkCreated { network, founder, .. } => Parties::of_network(network).with([founder]),
        Event::TreasuryFunded { network, by, .. } | Event::TreasuryDrawn { network, by, .. } => {
            Parties::of_network(network).with([by])
        }
        Event::VerifierPaid { network, verifier, .. } => Parties::of_network(network).with([verifier]),
        Event::BondReturned { network, to, .. } | Event::DisputeBondReturned { network, to, .. } => {
            Parties::of_network(network).with([to])
        }
        Event::DisputeOpened { network, disputer, .. } => Parties::of_network(network).with([disputer]),
        Event::DisputeVoted { network, validator, .. } => Parties::of_network(network).with([validator]),
        Event::DeviceRegistered { device, owner, .. } => Parties::of_device(device).with([owner]),
        Event::NetworkJoined { network, device, .. }
        | Event::NetworkLeft { network, device, .. }
        | Event::DeviceMoved { network, device, .. } => Parties::of_device(device).in_network(network),
        Event::DeviceRetired { device } => Parties::of_device(device),
        Event::DeviceBarred {
            device,
            network,
            reporter,
            ..
        } => Parties::of_device(device).in_network(network).with([reporter]),
        Event::OrderOpened {
            order,
            network,
            customer,
            provider,
            ..
        } => Parties::of_order(order).in_network(network).with([customer, provider]),
        Event::OrderSettled { order, .. } | Event::OrderClosed { order, .. } | Event::OrderExpired { order, .. } => {
            Parties::of_order(order)
        }
    }
}
