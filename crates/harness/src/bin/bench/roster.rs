//! Devices with real keys on a chain that answers for one network's roster and for nothing else, and their signed reports. For benches
//! of what a verifier does before it asks the chain for more.

use cairn_ledger::records::{ExchangeBook, Roots, Settlement};
use cairn_types::{
    AccountId, AccountNumber, DeviceId, DeviceNumber, Envelope, EpochClock, EpochNumber, NetworkId, OrderId, PublicKey,
    Report, SecretKey, TimeMs, hash,
};
use cairn_verifier::chain::{
    AccountAt, Anchoring, ChainError, ChainFacts, ChainView, Closed, DeviceAt, NetworkAt, OrderAt, SettledOrder,
    Verifiers,
};
use cairn_verifier::collector::{Collector, Settings};
use cairn_verifier::disk::Folder;
use cairn_verifier::exchange::Choice;
use cairn_verifier::intake::Windows;
use cairn_verifier::roster::RosterMember;
use cairn_verticals::kit::Reading;
use cairn_verticals::sensors::report;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

pub const NETWORK: NetworkId = NetworkId([1; 32]);
/// Noon of the only day, which is one epoch.
pub const NOW: TimeMs = TimeMs(1_500_076_800_000);
const CLOCK: EpochClock = EpochClock {
    genesis: TimeMs(1_500_000_000_000),
    epoch_ms: 86_400_000,
};
const SLOT_MS: u64 = 300_000;

/// Devices, their keys, and the roster they are.
pub struct Devices {
    keys: Vec<SecretKey>,
    publics: Vec<PublicKey>,
    sequence: u64,
}

impl Devices {
    pub fn new(count: u32) -> Self {
        let key = |n: u32| SecretKey::ed25519(hash::domain("bench/device", &[&n.to_be_bytes()]).0);
        let keys: Vec<SecretKey> = (0..count).map(key).collect();
        let publics = keys.iter().map(SecretKey::public).collect();
        Self {
            keys,
            publics,
            sequence: 0,
        }
    }

    pub fn public(&self, device: usize) -> PublicKey {
        self.publics[device % self.publics.len()]
    }

    pub fn chain(&self) -> Result<Arc<dyn ChainView>, Box<dyn Error>> {
        let cell = "881969c9b7fffff".parse()?;
        let member = |(number, key): (u32, &PublicKey)| RosterMember {
            number: DeviceNumber(number),
            key: *key,
            operator: AccountNumber(number / 10),
            cell,
            joined: EpochNumber(0),
            barred_until: None,
        };
        Ok(Arc::new(Roster((0..).zip(&self.publics).map(member).collect())))
    }

    /// One report of each of these devices (counted around), a sequence number above all before.
    pub fn reports(&mut self, devices: impl Iterator<Item = usize>, body: &[u8]) -> Vec<Vec<u8>> {
        let mut envelopes = Vec::new();
        for device in devices {
            self.sequence += 1;
            let report = Report {
                network: NETWORK,
                time: NOW,
                sequence: self.sequence,
                body: body.to_vec(),
            };
            envelopes.push(Envelope::seal(&report, &self.keys[device % self.keys.len()]));
        }
        envelopes
    }
}

/// A body of so many readings of rain, five minutes apart.
pub fn body(readings: u64) -> Result<Vec<u8>, Box<dyn Error>> {
    let reading = |slot: u64| Reading {
        quantity: report::RAIN,
        time: TimeMs(NOW.0 - slot * SLOT_MS),
        value: 101,
    };
    Ok(report::encode(&(0..readings).rev().map(reading).collect::<Vec<_>>())?)
}

/// A collector for this network on a real folder.
pub fn collector(chain: Arc<dyn ChainView>, folder: &Path) -> Result<Collector, Box<dyn Error>> {
    let settings = Settings {
        verifier: AccountId([2; 32]),
        key: SecretKey::ed25519([3; 32]),
        windows: Windows {
            ahead_ms_max: 600_000,
            grace_ms: 300_000,
        },
        clock: CLOCK,
        segment_bytes: 64 << 20,
        roster_ms_min: 1_000,
        log_seed: [4; 32],
    };
    let sensors = cairn_verticals::by_name("sensors").ok_or("no sensors")?;
    let networks = [(NETWORK, sensors, EpochNumber(0))];
    Ok(Collector::open(
        settings,
        chain,
        Box::new(Folder::open(folder)?),
        &networks,
    )?)
}

/// A chain that knows one roster.
struct Roster(Vec<RosterMember>);

fn not_asked<T>() -> Result<T, ChainError> {
    Err(ChainError::Unreachable("a bench asks for rosters only".to_owned()))
}

impl ChainView for Roster {
    fn facts(&self) -> Result<ChainFacts, ChainError> {
        not_asked()
    }
    fn network(&self, _: &NetworkId, _: EpochNumber) -> Result<NetworkAt, ChainError> {
        Ok(NetworkAt {
            vertical: "sensors".to_owned(),
            first: EpochNumber(0),
            closes: None,
            parameters: Vec::new(),
            roster: self.0.clone(),
        })
    }
    fn closed(&self, _: &NetworkId, _: EpochNumber) -> Result<Option<Closed>, ChainError> {
        not_asked()
    }
    fn settled_orders(&self, _: &NetworkId, _: EpochNumber) -> Result<Vec<SettledOrder>, ChainError> {
        not_asked()
    }
    fn anchoring(&self, _: &NetworkId, _: EpochNumber) -> Result<Anchoring, ChainError> {
        not_asked()
    }
    fn settlement(&self, _: &NetworkId, _: EpochNumber) -> Result<Option<Settlement>, ChainError> {
        not_asked()
    }
    fn without(&self, _: &NetworkId, _: EpochNumber) -> Result<Vec<u32>, ChainError> {
        not_asked()
    }
    fn choices(&self, _: &[AccountNumber], _: EpochNumber) -> Result<Vec<Choice>, ChainError> {
        not_asked()
    }
    fn exchange(&self, _: &NetworkId, _: EpochNumber) -> Result<Option<ExchangeBook>, ChainError> {
        not_asked()
    }
    fn is_stalled(&self, _: &NetworkId, _: EpochNumber) -> Result<bool, ChainError> {
        not_asked()
    }
    fn is_decided(&self, _: &NetworkId, _: EpochNumber) -> Result<bool, ChainError> {
        not_asked()
    }
    fn is_releasable(&self, _: &NetworkId, _: EpochNumber) -> Result<bool, ChainError> {
        not_asked()
    }
    fn roots(&self, _: &NetworkId, _: EpochNumber) -> Result<Option<Roots>, ChainError> {
        not_asked()
    }
    fn verifiers(&self) -> Result<Verifiers, ChainError> {
        not_asked()
    }
    fn verifier_key(&self, _: &AccountId) -> Result<Option<PublicKey>, ChainError> {
        not_asked()
    }
    fn device(&self, _: &DeviceId) -> Result<Option<DeviceAt>, ChainError> {
        not_asked()
    }
    fn account(&self, _: &AccountId) -> Result<Option<AccountAt>, ChainError> {
        not_asked()
    }
    fn order(&self, _: &OrderId) -> Result<Option<OrderAt>, ChainError> {
        not_asked()
    }
}
